#include "report.h"

#include "database.h"
#include "file.h"
#include "report_data.h"
#include "text_table.h"

#include <stdlib.h>
#include <string.h>

/* Bytes built in by embed.cmake. */
#define EMBEDDED(name)                                                                                       \
    extern const unsigned char tn_kernel_bytes_##name[];                                                     \
    extern const unsigned long tn_kernel_size_##name
EMBEDDED(report_css);
EMBEDDED(chart_js);
EMBEDDED(report_parts_js);
EMBEDDED(report_routes_js);
EMBEDDED(report_text_js);
EMBEDDED(report_runs_js);
EMBEDDED(report_study_js);
EMBEDDED(report_bits_js);
EMBEDDED(report_costs_js);
EMBEDDED(report_roofs_js);
EMBEDDED(report_split_js);
EMBEDDED(report_decode_js);
EMBEDDED(report_verdict_js);
EMBEDDED(report_js);

/* In the order in which they need each other. */
static const struct {
    const unsigned char *bytes;
    const unsigned long *size;
} scripts[] = {
    {tn_kernel_bytes_chart_js, &tn_kernel_size_chart_js},
    {tn_kernel_bytes_report_parts_js, &tn_kernel_size_report_parts_js},
    {tn_kernel_bytes_report_text_js, &tn_kernel_size_report_text_js},
    {tn_kernel_bytes_report_routes_js, &tn_kernel_size_report_routes_js},
    {tn_kernel_bytes_report_runs_js, &tn_kernel_size_report_runs_js},
    {tn_kernel_bytes_report_study_js, &tn_kernel_size_report_study_js},
    {tn_kernel_bytes_report_bits_js, &tn_kernel_size_report_bits_js},
    {tn_kernel_bytes_report_costs_js, &tn_kernel_size_report_costs_js},
    {tn_kernel_bytes_report_roofs_js, &tn_kernel_size_report_roofs_js},
    {tn_kernel_bytes_report_split_js, &tn_kernel_size_report_split_js},
    {tn_kernel_bytes_report_decode_js, &tn_kernel_size_report_decode_js},
    {tn_kernel_bytes_report_verdict_js, &tn_kernel_size_report_verdict_js},
    {tn_kernel_bytes_report_js, &tn_kernel_size_report_js},
};

/* In JSON '<' stands within strings only; escaped, no text can end the script element or open a comment in
 * it. */
static int put_json(const char *bytes, size_t size, void *user) {
    FILE *stream = user;
    for (const char *end = bytes + size; bytes < end;) {
        const char *sign = memchr(bytes, '<', (size_t)(end - bytes)), *stop = sign ? sign : end;
        const size_t length = (size_t)(stop - bytes);
        if (fwrite(bytes, 1, length, stream) != length || (sign && fputs("\\u003c", stream) == EOF))
            return -1;
        bytes = sign ? sign + 1 : end;
    }
    return 0;
}

static void put_script(FILE *stream, const unsigned char *bytes, unsigned long size) {
    fputs("<script>\n", stream);
    fwrite(bytes, 1, size, stream);
    fputs("\n</script>\n", stream);
}

static tn_status put_page(tn_context *ctx, FILE *stream, const json_t *data) {
    fputs("<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
          "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
          "<meta name=\"color-scheme\" content=\"light dark\">\n"
          "<link rel=\"icon\" href=\"data:,\">\n<title>Turnout report</title>\n<style>\n",
          stream);
    fwrite(tn_kernel_bytes_report_css, 1, tn_kernel_size_report_css, stream);
    fputs("</style>\n</head>\n<body>\n<main id=\"report\"></main>\n"
          "<noscript><p>This page draws its tables and figures with the script it holds; the data stand in "
          "it as JSON.</p></noscript>\n"
          "<script type=\"application/json\" id=\"data\">",
          stream);
    if (json_dump_callback(data, put_json, stream, JSON_COMPACT | JSON_REAL_PRECISION(9)) != 0)
        return ferror(stream) ? tn_printed(ctx, stream)
                              : tn_fail(ctx, TN_ERR_MEMORY, "out of host memory for the report's data");
    fputs("</script>\n", stream);
    for (size_t i = 0; i < sizeof scripts / sizeof scripts[0]; i++)
        put_script(stream, scripts[i].bytes, *scripts[i].size);
    fputs("</body>\n</html>\n", stream);
    return tn_printed(ctx, stream);
}

static tn_status store(tn_context *ctx, const char *path, const tn_inputs *in) {
    tn_database_count count;
    TN_TRY(tn_database_store(ctx, path, in, &count));
    if (count.rows_other)
        tn_warn(
            ctx,
            "%s: %zu rows are there already with other cells, and stay as they are: the first stands in %s",
            path, count.rows_other, count.first_other);
    tn_progress(ctx, "%s: %zu rows and %zu runs are new, %zu and %zu were there", path, count.rows,
                count.runs, count.rows_known, count.runs_known);
    return TN_OK;
}

tn_status tn_report_keep(tn_context *ctx, const char *const *paths, size_t count, const char *out_path,
                         const char *database) {
    tn_inputs in;
    tn_outfile out;
    json_t *data = NULL;
    TN_TRY(tn_inputs_gather(ctx, paths, count, &in));
    tn_status status = TN_OK;
    if (database)
        TN_GO(store(ctx, database, &in));
    TN_TRY(tn_inputs_join(&in));
    tn_inputs_warn(&in);
    if (out_path) {
        TN_GO(tn_report_data(&in, &data));
        TN_GO(tn_outfile_open(ctx, out_path, &out));
        status = tn_outfile_end(ctx, &out, put_page(ctx, out.stream, data));
    }
cleanup:
    json_decref(data);
    tn_inputs_free(&in);
    return status;
}

tn_status tn_report_write(tn_context *ctx, const char *const *paths, size_t count, const char *out_path) {
    return tn_report_keep(ctx, paths, count, out_path, NULL);
}
