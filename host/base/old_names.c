#include "old_names.h"

#include <stdio.h>
#include <string.h>

static const struct {
    const char *old, *now;
} names[] = {{"part_sum", "partial_sums"}, {"cheap_track", "conv_track"}};

/* NULL where the first `length` bytes are no old name. */
static const char *now_of(const char *name, size_t length) {
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (strlen(names[i].old) == length && strncmp(names[i].old, name, length) == 0)
            return names[i].now;
    return NULL;
}

const char *tn_op_current_name(const char *name) {
    const char *now = now_of(name, strlen(name));
    return now ? now : name;
}

void tn_op_current_key(const char *key, char *out, size_t size) {
    const size_t op = strcspn(key, ":/.=,");
    const char *now = now_of(key, op);
    snprintf(out, size, "%s%s", now ? now : "", now ? key + op : key);
}

tn_status tn_op_current_list(tn_context *ctx, const char *list, char **out) {
    const size_t size = 2 * strlen(list) + 1; /* no name has become twice as long */
    TN_TRY(tn_alloc(ctx, size, 1, out));
    for (size_t used = 0;;) {
        const size_t op = strcspn(list, ":/.=,"), length = strcspn(list, ",");
        const char *now = now_of(list, op);
        used += (size_t)snprintf(*out + used, size - used, "%s%.*s%s", now ? now : "",
                                 (int)(now ? length - op : length), now ? list + op : list,
                                 list[length] ? "," : "");
        if (!list[length])
            return TN_OK;
        list += length + 1;
    }
}
