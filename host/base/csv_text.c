#include "csv_text.h"

#include <csv.h>
#include <string.h>

void tn_csv_write_cell(FILE *to, const char *text) {
    if (strpbrk(text, ",\"\r\n"))
        csv_fwrite(to, text, strlen(text));
    else
        fputs(text, to);
}

enum {
    BLOCK = 65536
}; /* libcsv's buffer grows by so much; by its own 128 bytes a long cell takes for ever */

typedef struct reading {
    const tn_csv_handlers *h;
    tn_status status;
    long line;
    size_t cell; /* of its row, from 1 */
} reading;

static void on_cell(void *bytes, size_t size, void *user) {
    reading *r = user;
    r->cell++;
    if (r->status == TN_OK)
        r->status = r->h->cell(r->h->user, r->line, bytes ? bytes : "", size);
}

static void on_row(int ending, void *user) {
    reading *r = user;
    (void)ending;
    if (r->status == TN_OK && r->cell > 0 && r->h->row)
        r->status = r->h->row(r->h->user, r->line);
    r->cell = 0;
}

static int no_blank(unsigned char byte) {
    (void)byte;
    return 0;
}

static tn_status refuse(tn_context *ctx, const char *name, const reading *r, const char *why) {
    if (!name)
        return tn_fail(ctx, TN_ERR_INPUT, "field %zu of a CSV row is cut short or badly quoted", r->cell + 1);
    return tn_fail(ctx, TN_ERR_INPUT, "%s, line %ld: %s", name, r->line, why);
}

/* A line at a time, so that a failure knows its line; a quoted cell may go over several. */
static tn_status parse(tn_context *ctx, struct csv_parser *parser, const char *name, const char *bytes,
                       size_t size, reading *r) {
    char why[128];
    for (const char *at = bytes, *end = bytes + size; at < end && r->status == TN_OK;) {
        const char *stop = memchr(at, '\n', (size_t)(end - at));
        size_t length = stop ? (size_t)(stop + 1 - at) : (size_t)(end - at);
        r->line++;
        if (csv_parse(parser, at, length, on_cell, on_row, r) != length) {
            int error = csv_error(parser);
            if (error != CSV_EPARSE)
                return tn_fail(ctx, TN_ERR_MEMORY, "no memory for a line of CSV: %s", csv_strerror(error));
            snprintf(why, sizeof why, "%s; quotes must be doubled within quotes", csv_strerror(error));
            return refuse(ctx, name, r, why);
        }
        at += length;
    }
    if (r->status == TN_OK && csv_fini(parser, on_cell, on_row, r) != 0)
        return refuse(ctx, name, r, "a quoted cell never ends; the file is cut off, write it again");
    return r->status;
}

tn_status tn_csv_parse(tn_context *ctx, const char *name, const char *bytes, size_t size,
                       const tn_csv_handlers *handlers) {
    struct csv_parser parser;
    reading r = {.h = handlers};
    if (csv_init(&parser, CSV_STRICT | CSV_STRICT_FINI | CSV_APPEND_NULL) != 0)
        return tn_fail(ctx, TN_ERR_MEMORY, "the CSV reader could not start");
    csv_set_blk_size(&parser, BLOCK);
    if (!handlers->trim)
        csv_set_space_func(&parser, no_blank);
    tn_status status = parse(ctx, &parser, name, bytes, size, &r);
    csv_free(&parser);
    return status;
}
