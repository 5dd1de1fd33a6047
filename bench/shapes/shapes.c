#include "shapes.h"

#include "embedded.h"

#include <string.h>

static const char *text_of(const char *file) {
    for (int i = 0; i < tn_shape_file_count; i++)
        if (strcmp(tn_shape_files[i].name, file) == 0)
            return (const char *)tn_shape_files[i].bytes; /* embedded with a NUL behind */
    return "";
}

static tn_status read_shapes(tn_context *ctx, const char *folder, const tn_case *c, tn_shape *out,
                             int *count) {
    char file[64];
    snprintf(file, sizeof file, "%s/%s.txt", folder, c->op);
    const char *p = text_of(file);
    *count = 0;
    for (int line = 1; *p; line++) {
        char text[256];
        size_t length = strcspn(p, "\n");
        snprintf(text, sizeof text, "%.*s", (int)(length < sizeof text ? length : sizeof text - 1), p);
        p += length + (p[length] == '\n');
        text[strcspn(text, "#")] = '\0';
        if (text[strspn(text, " \t\r")] == '\0')
            continue;
        if (*count == TN_SHAPES_MAX)
            return tn_fail(ctx, TN_ERR_INPUT, "bench/%s has more than %d shapes", file, TN_SHAPES_MAX);
        if (tn_shape_parse(ctx, c, text, &out[*count]) != TN_OK)
            return tn_fail_prefix(ctx, "bench/%s, line %d", file, line);
        ++*count;
    }
    return TN_OK;
}

tn_status tn_shapes_of(tn_context *ctx, const tn_case *c, tn_shape *out, int *count) {
    return read_shapes(ctx, "shapes", c, out, count);
}

tn_status tn_shape_asked(tn_context *ctx, const tn_case *c, const char *text, tn_shape *out) {
    tn_shape shapes[TN_SHAPES_MAX];
    int count;
    TN_TRY(tn_shapes_of(ctx, c, shapes, &count));
    return count > 0 ? tn_shape_complete(ctx, c, text, &shapes[0], out) : tn_shape_parse(ctx, c, text, out);
}

tn_status tn_peer_shapes_of(tn_context *ctx, const tn_case *c, tn_shape *out, int *count) {
    return read_shapes(ctx, "peers", c, out, count);
}
