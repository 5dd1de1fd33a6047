/* Inside host/tasks: the files that names and patterns stand for. */
#ifndef TN_FILE_NAMES_H
#define TN_FILE_NAMES_H

#include "context.h"

typedef struct tn_file_names {
    tn_context *ctx;
    char **items; /* sorted by their bytes, none twice */
    size_t count, capacity;
} tn_file_names;

/* As tn_corpus_read has them. Caller frees, also after a failure. */
tn_status tn_file_names_find(tn_context *ctx, const char *names, tn_file_names *out);
void tn_file_names_free(tn_file_names *names);

#endif
