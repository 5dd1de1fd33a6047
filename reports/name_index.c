#include "name_index.h"

#include <search.h>
#include <string.h>

typedef struct node {
    size_t index;
    char *name;
} node;

static int by_name(const void *a, const void *b) {
    return strcmp(((const node *)a)->name, ((const node *)b)->name);
}

static void keep(void *unused) {
    (void)unused;
}

bool tn_names_find(const tn_names *names, const char *name, size_t *out) {
    node wanted = {0};
    memcpy(&wanted.name, &name, sizeof name); /* only read */
    void *const *found = tfind(&wanted, &names->tree, by_name);
    if (found)
        *out = ((const node *)*found)->index;
    return found != NULL;
}

tn_status tn_names_add(tn_names *names, const char *name, size_t *out) {
    node *fresh;
    if (tn_names_find(names, name, out))
        return TN_OK;
    TN_TRY(tn_grow(names->ctx, &names->nodes, &names->capacity, names->count + 1, sizeof *names->nodes));
    TN_TRY(tn_alloc(names->ctx, 1, sizeof *fresh, &fresh));
    names->nodes[names->count] = fresh; /* freed with the names, whole or not */
    fresh->index = *out = names->count++;
    TN_TRY(tn_strdup(names->ctx, name, &fresh->name));
    if (!tsearch(fresh, &names->tree, by_name))
        return tn_fail(names->ctx, TN_ERR_MEMORY, "out of host memory for the names of rows");
    return TN_OK;
}

const char *tn_names_text(const tn_names *names, size_t i) {
    return ((const node *)names->nodes[i])->name;
}

void tn_names_free(tn_names *names) {
    for (size_t i = 0; i < names->count; i++) {
        node *n = names->nodes[i];
        tn_free(names->ctx, n->name);
        tn_free(names->ctx, n);
    }
    if (names->tree)
        tdestroy(names->tree, keep);
    if (names->ctx)
        tn_free(names->ctx, names->nodes);
    *names = (tn_names){0};
}
