#include "json_memory.h"

#include <jansson.h>
#include <stdlib.h>

static volatile bool lacked;

static void *take(size_t size) {
    void *at = malloc(size);
    lacked = lacked || !at;
    return at;
}

void tn_json_memory_watch(void) {
    json_set_alloc_funcs(take, free);
}

tn_status tn_json_memory_check(tn_context *ctx) {
    return lacked ? tn_fail(ctx, TN_ERR_MEMORY, "out of memory while JSON was read or written") : TN_OK;
}
