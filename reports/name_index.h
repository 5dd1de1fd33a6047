/* Texts numbered in the order in which each first comes: what finds equal rows among many. */
#ifndef TN_NAME_INDEX_H
#define TN_NAME_INDEX_H

#include "context.h"

typedef struct tn_names {
    tn_context *ctx;
    void *tree; /* of tsearch */
    void **nodes;
    size_t count, capacity;
} tn_names;

/* `*out`: the number of `name`, from 0. Equal to the count before where it is new. */
tn_status tn_names_add(tn_names *names, const char *name, size_t *out);
bool tn_names_find(const tn_names *names, const char *name, size_t *out); /* false where it was never added */
const char *tn_names_text(const tn_names *names, size_t i);               /* borrowed */
void tn_names_free(tn_names *names);                                      /* fine on a zeroed one */

#endif
