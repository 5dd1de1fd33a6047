#include "study_bits.h"

#include "bits_table.h"
#include "csv_text.h"
#include "file.h"

#include <math.h>
#include <string.h>

static void put_header(FILE *stream) {
    for (int i = 0; tn_bits_columns[i]; i++)
        fprintf(stream, "%s%s", i ? "," : "", tn_bits_columns[i]);
    fputc('\n', stream);
}

static void put_number(double value, FILE *stream) {
    fputc(',', stream);
    if (isfinite(value))
        fprintf(stream, "%.9g", value);
}

static void put_rows(const tn_run_summary *s, const char *name, const char *run, FILE *stream) {
    const tn_text_bits *bits = &s->evaluation.bits;
    char mixer[TN_CONFIG_TEXT], routing[TN_CONFIG_TEXT] = "", bucket[TN_BITS_NAME];
    tn_model_config_field(&s->model, 6, mixer);
    if (tn_mixer_has_router(&s->model))
        tn_model_config_field(&s->model, 7, routing);
    for (int by = 0; by < TN_BITS_BYS; by++)
        for (int i = 0; i < tn_text_bits_count(bits, (tn_bits_by)by); i++) {
            const tn_bits_bucket *b = &bits->buckets[by][i];
            const char *const texts[] = {TN_CSV_BITS_SCHEMA, name, run, mixer, routing};
            for (size_t c = 0; c < sizeof texts / sizeof texts[0]; c++) {
                tn_csv_write_cell(stream, texts[c]);
                fputc(',', stream);
            }
            fprintf(stream, "%llu,%lld,%s,%s,%lld", (unsigned long long)s->config.seed, (long long)bits->T,
                    tn_bits_by_names[by], tn_text_bits_name((tn_bits_by)by, i, bucket), (long long)b->bytes);
            put_number(tn_bits_per_byte(b), stream);
            put_number(tn_bits_routed_pct(bits, b), stream);
            put_number(s->model.window > 0 ? (double)s->model.window : NAN, stream);
            fputc('\n', stream);
        }
}

tn_status tn_bits_write(tn_context *ctx, const tn_run_summary *s, const char *name, const char *path) {
    tn_outfile file;
    TN_TRY(tn_outfile_open(ctx, path, &file));
    put_header(file.stream);
    put_rows(s, name, name, file.stream);
    return tn_outfile_commit(ctx, &file);
}

/* Rows of other names as they stand. */
static void copy_others(const tn_csv *t, const char *name, FILE *stream) {
    int column = tn_csv_column(t, "name");
    for (size_t row = 0; row < t->rows; row++) {
        if (strcmp(tn_csv_text(t, row, column), name) == 0)
            continue;
        for (int i = 0; tn_bits_columns[i]; i++) {
            if (i)
                fputc(',', stream);
            tn_csv_write_cell(stream, tn_csv_text(t, row, tn_csv_column(t, tn_bits_columns[i])));
        }
        fputc('\n', stream);
    }
}

tn_status tn_bits_put(tn_context *ctx, const tn_run_summary *s, const char *name, const char *run,
                      const char *path) {
    tn_csv old = {0};
    tn_outfile file;
    if (tn_file_exists(path))
        TN_TRY(tn_bits_read(ctx, path, &old));
    tn_status status = tn_outfile_open(ctx, path, &file);
    if (status == TN_OK) {
        put_header(file.stream);
        if (old.ctx)
            copy_others(&old, name, file.stream);
        put_rows(s, name, run, file.stream);
        status = tn_outfile_commit(ctx, &file);
    }
    tn_csv_free(&old);
    return status;
}
