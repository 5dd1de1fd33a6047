#include "text_file.h"

#include "file.h"
#include "utf8.h"

#include <stdlib.h>
#include <string.h>

static const char replacement[] = "\xEF\xBF\xBD"; /* U+FFFD */

/* How many bytes are no UTF-8, and on which line the first. */
static void inspect(tn_text_file *f) {
    long line = 1;
    for (size_t i = 0; i < f->size;) {
        size_t length = tn_utf8_length(f->bytes + i, f->size - i);
        if (length == 0 && f->mended++ == 0)
            f->line = line;
        line += f->bytes[i] == '\n';
        i += length ? length : 1;
    }
}

static tn_status mend(tn_context *ctx, tn_text_file *f) {
    char *whole;
    size_t used = 0;
    TN_TRY(tn_alloc(ctx, f->size + 2 * f->mended + 1, 1, &whole));
    for (size_t i = 0; i < f->size;) {
        size_t length = tn_utf8_length(f->bytes + i, f->size - i);
        memcpy(whole + used, length ? f->bytes + i : replacement, length ? length : 3);
        used += length ? length : 3;
        i += length ? length : 1;
    }
    tn_free(ctx, f->bytes);
    f->bytes = whole;
    f->size = used;
    return TN_OK;
}

tn_status tn_text_read(tn_context *ctx, const char *path, tn_text_file *out) {
    *out = (tn_text_file){0};
    TN_TRY(tn_file_read(ctx, path, &out->bytes, &out->size));
    if (out->size >= 2 &&
        (memcmp(out->bytes, "\xFF\xFE", 2) == 0 || memcmp(out->bytes, "\xFE\xFF", 2) == 0)) {
        tn_free(ctx, out->bytes);
        *out = (tn_text_file){0};
        return tn_fail(ctx, TN_ERR_INPUT,
                       "%s is UTF-16, as spreadsheets write \"Unicode text\"; save it as UTF-8", path);
    }
    if (out->size >= 3 && memcmp(out->bytes, "\xEF\xBB\xBF", 3) == 0) { /* spreadsheets put it in front */
        out->size -= 3;
        memmove(out->bytes, out->bytes + 3, out->size + 1);
    }
    inspect(out);
    if (out->mended == 0)
        return TN_OK;
    tn_status status = mend(ctx, out);
    if (status != TN_OK)
        tn_free(ctx, out->bytes);
    return status;
}

json_t *tn_text_json(const char *text) {
    json_t *value = json_string(text);
    char *copy = value ? NULL : strdup(text);
    if (copy) {
        tn_utf8_clean(copy);
        value = json_string(copy);
        free(copy);
    }
    return value;
}
