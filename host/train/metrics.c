#include "metrics.h"

#include "csv_text.h"
#include "file.h"
#include "metrics_columns.h"

#include <stdlib.h>
#include <string.h>

static tn_status append(tn_metrics *m, const char *text, size_t length) {
    TN_TRY(tn_grow(m->ctx, &m->text, &m->capacity, m->size + length + 1, 1));
    memcpy(m->text + m->size, text, length);
    m->size += length;
    m->text[m->size] = '\0';
    return TN_OK;
}

tn_status tn_metrics_make(tn_context *ctx, tn_metrics *out) {
    *out = (tn_metrics){.ctx = ctx};
    for (int i = 0; tn_metrics_columns[i]; i++) {
        if (i > 0)
            TN_TRY(append(out, ",", 1));
        TN_TRY(append(out, tn_metrics_columns[i], strlen(tn_metrics_columns[i])));
    }
    return append(out, "\n", 1);
}

void tn_metrics_free(tn_metrics *m) {
    if (m->ctx)
        tn_free(m->ctx, m->text);
    *m = (tn_metrics){0};
}

tn_status tn_metrics_add(tn_metrics *m, const tn_metrics_row *r) {
    char line[512];
    int length =
        snprintf(line, sizeof line, "%lld,%d,%.6g,%.6g,%.9g,%.9g,%.6g,%.6g,%.6g,%lld,%.3f,%.0f,%.3f\n",
                 (long long)r->step, r->phase, r->lambda, r->lr, r->loss, r->cross_entropy, r->accuracy,
                 r->attention_pct, r->attention_pct_soft, (long long)r->routed_rows, r->step_ms,
                 r->tokens_per_s, r->elapsed_s);
    return append(m, line, (size_t)length);
}

tn_status tn_metrics_save(const tn_metrics *m, const char *path) {
    tn_outfile file;
    TN_TRY(tn_outfile_open(m->ctx, path, &file));
    fwrite(m->text, 1, m->size, file.stream); /* commit looks at the stream's error flag */
    return tn_outfile_commit(m->ctx, &file);
}

/* What a line says of itself: its first cell and its last. */
typedef struct step_line {
    double step, elapsed;
    int cells;
} step_line;

static tn_status take_cell(void *user, long line, const char *text, size_t size) {
    step_line *l = user;
    (void)line;
    (void)size;
    l->elapsed = strtod(text, NULL);
    if (l->cells++ == 0)
        l->step = l->elapsed;
    return TN_OK;
}

tn_status tn_metrics_load(tn_metrics *m, const char *path, int64_t last_step, double *elapsed) {
    char *text;
    size_t size;
    const size_t header = m->size; /* of a table with no rows yet */
    *elapsed = 0;
    TN_TRY(tn_file_read(m->ctx, path, &text, &size));
    tn_status status = TN_OK;
    if (strncmp(text, m->text, header) != 0) {
        status =
            tn_fail(m->ctx, TN_ERR_INPUT, "%s is not the metrics.csv of a run: its header differs", path);
        goto cleanup;
    }
    for (const char *line = text + header, *end; (end = strchr(line, '\n')) != NULL; line = end + 1) {
        step_line read = {0};
        const tn_csv_handlers handlers = {.user = &read, .cell = take_cell};
        TN_GO(tn_csv_parse(m->ctx, path, line, (size_t)(end - line), &handlers));
        if (read.step > (double)last_step)
            break;
        *elapsed = read.elapsed;
        TN_GO(append(m, line, (size_t)(end + 1 - line)));
    }
cleanup:
    tn_free(m->ctx, text);
    return status;
}
