#include "study_table.h"

#include "csv_read.h"
#include "file.h"
#include "statistics.h"
#include "text_table.h"

#include <stdlib.h>
#include <string.h>

enum { COLUMNS = 16, KEYS = 3, LABEL = 32, SEEDS = 64, CELL = 1024 };

typedef struct column {
    const char *title, *field, *format;
    double scale;
    const char *kind; /* of rows that count (kind_of); NULL: the section's */
    bool constant;    /* no matter of seeds: the median alone */
} column;

/* One table: a line for every different set of key cells among the rows of a part. */
typedef struct section {
    const char *part, *heading, *words;
    const char *kind; /* of its rows; NULL: all */
    const char *keys[KEYS], *key_titles[KEYS];
    column columns[COLUMNS];
} section;

#define ACCURACY(kind)                                                                                       \
    { kind, "accuracy", "%.2f", 100, kind }
#define ROUTING_COLUMNS                                                                                      \
    {"attention %", "attention_pct", "%.3g", 1}, {"floor %", "floor_pct", "%.3g", 1, .constant = true},      \
        {"regret", "regret", "%.2f", 1}, {"rows a sequence", "rows_per_sequence", "%.2f", 1},                \
        {"precision", "oracle_precision", "%.3f", 1}, {                                                      \
        "recall", "oracle_recall", "%.3f", 1                                                                 \
    }
#define TIME_SAVED_COLUMNS                                                                                   \
    {"time saved %", "time_saved_pct", "%.1f", 1}, {"lower quartile", "time_saved_pct_q1", "%.1f", 1}, {     \
        "upper quartile", "time_saved_pct_q3", "%.1f", 1                                                     \
    }
#define SAVED_COLUMNS                                                                                        \
    {"score FLOPs saved %", "score_flops_saved_pct", "%.1f", 1},                                             \
        {"all FLOPs saved %", "all_flops_saved_pct", "%.1f", 1}, TIME_SAVED_COLUMNS, {                       \
        "energy saved %", "energy_saved_pct", "%.1f", 1                                                      \
    }

static const section sections[] = {
    {"seed",
     "Recall: accuracy %",
     "Held-out sequences, by distance and mixer. `random` and `periodic` route the fraction that the routed "
     "run of their seed measured; chance is 1/64.",
     NULL,
     {"distance"},
     {"distance"},
     {ACCURACY("conv"), ACCURACY("attention"), ACCURACY("routed"), ACCURACY("routed, no curriculum"),
      ACCURACY("random"), ACCURACY("periodic"), ACCURACY("oracle")}},
    {"seed",
     "Recall: what the router learnt and what that saves",
     "The routed mixer. The floor is what the task needs, regret is attention / floor, precision and recall "
     "hold routed rows against needed ones in the layer that fits best. Saved against the same model with "
     "attention in every row, on the same device, in turn.",
     "routed",
     {"distance"},
     {"distance"},
     {ROUTING_COLUMNS, SAVED_COLUMNS}},
    {"seed",
     "Recall: what learning to route costs",
     "Seconds of training; the first logged step from which on the training accuracy is 0.999 or more; and "
     "after how many sequences of inference the dearer training is paid for.",
     NULL,
     {"distance"},
     {"distance"},
     {{"routed s", "train_s", "%.0f", 1, "routed"},
      {"phase 1 s", "phase1_s", "%.0f", 1, "routed"},
      {"phase 2 s", "phase2_s", "%.0f", 1, "routed"},
      {"attention s", "train_s", "%.0f", 1, "attention"},
      {"routed: steps to 99.9 %", "steps_to_999", "%.0f", 1, "routed"},
      {"attention: steps to 99.9 %", "steps_to_999", "%.0f", 1, "attention"},
      {"break-even sequences", "break_even_sequences", "%.3g", 1, "routed"}}},
    {"far",
     "Far beyond the trained distance",
     "Trained once a seed, evaluated without training again. Attention's time is empty where a pass would "
     "take too long or does not fit.",
     NULL,
     {"trained_distance", "distance"},
     {"trained at", "distance"},
     {{"sequences", "eval_sequences", "%.0f", 1, .constant = true},
      {"accuracy %", "accuracy", "%.2f", 100},
      {"attention %", "attention_pct", "%.3g", 1},
      {"floor %", "floor_pct", "%.3g", 1, .constant = true},
      {"regret", "regret", "%.2f", 1},
      {"rows a sequence", "rows_per_sequence", "%.2f", 1},
      {"ms a sequence", "eval_ms_per_sequence", "%.3g", 1},
      {"attention's ms", "attention_eval_ms_per_sequence", "%.3g", 1},
      {"all FLOPs saved %", "all_flops_saved_pct", "%.1f", 1},
      TIME_SAVED_COLUMNS}},
    {"mqar",
     "Multi-query recall: accuracy %",
     "Fillers: what stands between the queries. `capacity` routes in every layer a quarter more rows than "
     "the "
     "task needs in one.",
     NULL,
     {"length", "pairs", "filler"},
     {"length", "pairs", "fillers"},
     {ACCURACY("conv"), ACCURACY("attention"), ACCURACY("routed"), ACCURACY("capacity")}},
    {"mqar",
     "Multi-query recall: routing by threshold",
     "Regret counts the rows of all layers, that of the busiest layer those of that one.",
     "routed",
     {"length", "pairs", "filler"},
     {"length", "pairs", "fillers"},
     {ROUTING_COLUMNS, {"busiest layer's regret", "regret_layer", "%.2f", 1}, SAVED_COLUMNS}},
    {"mqar",
     "Multi-query recall: routing by capacity",
     "A layer has its share whatever it needs.",
     "capacity",
     {"length", "pairs", "filler"},
     {"length", "pairs", "fillers"},
     {ROUTING_COLUMNS, {"busiest layer's regret", "regret_layer", "%.2f", 1}, SAVED_COLUMNS}},
    {"text",
     "Text",
     "Held-out bytes. What attention gains over convolutions of the same seed and length is its win; that of "
     "both has attention beside the convolution in every row.",
     NULL,
     {"label", "length"},
     {"run", "length"},
     {{"bits a byte", "bits_per_byte", "%.4f", 1},
      {"of attention's win %", "win_kept_pct", "%.1f", 1},
      {"of both's win %", "both_kept_pct", "%.1f", 1},
      {"attention %", "attention_pct", "%.3g", 1},
      {"score pairs %", "attention_pairs_pct", "%.3g", 1},
      {"trained s", "train_s", "%.0f", 1},
      {"µs a token", "us_per_token", "%.3g", 1},
      SAVED_COLUMNS}},
    {"lambda",
     "The price of attention",
     "The final λ of training, all else the same.",
     NULL,
     {"distance", "lambda"},
     {"distance", "λ"},
     {{"accuracy %", "accuracy", "%.2f", 100},
      ROUTING_COLUMNS,
      {"all FLOPs saved %", "all_flops_saved_pct", "%.1f", 1},
      TIME_SAVED_COLUMNS}},
    {"devices",
     "One checkpoint on every device",
     "Decisions and logits against the first device, over 16 held-out sequences, all positions.",
     NULL,
     {"distance", "device", "platform"},
     {"distance", "device", "platform"},
     {{"accuracy %", "accuracy", "%.2f", 100},
      {"attention %", "attention_pct", "%.3g", 1},
      {"decisions that differ", "decisions_differ", "%.0f", 1},
      {"of", "decisions_compared", "%.0f", 1},
      {"largest logit difference", "max_logit_diff", "%.2g", 1},
      {"ms a sequence", "eval_ms_per_sequence", "%.3g", 1},
      TIME_SAVED_COLUMNS}},
};
enum { SECTIONS = sizeof sections / sizeof sections[0] };

static const char *cell(const tn_csv *t, size_t row, const char *name) {
    return tn_csv_text(t, row, tn_csv_column(t, name));
}

static bool has_window(const tn_csv *t, size_t row) {
    return *cell(t, row, "window") != '\0';
}

/* What a row trained: its mixer without the fraction; a routed one by how it learnt or chooses. */
static void kind_of(const tn_csv *t, size_t row, char kind[LABEL]) {
    const char *mixer = cell(t, row, "mixer");
    if (strncmp(cell(t, row, "routing"), "capacity", 8) == 0)
        mixer = "capacity";
    else if (strcasecmp(cell(t, row, "curriculum"), "false") == 0) /* spreadsheets write FALSE */
        mixer = "routed, no curriculum";
    snprintf(kind, LABEL, "%.*s%s", (int)strcspn(mixer, ":"), mixer, has_window(t, row) ? ", window" : "");
}

static bool belongs(const tn_csv *t, size_t row, const section *s, const char *kind) {
    char mine[LABEL];
    kind_of(t, row, mine);
    return strcmp(cell(t, row, "part"), s->part) == 0 && strcmp(cell(t, row, "status"), "ok") == 0 &&
           (!kind || strcmp(mine, kind) == 0);
}

/* A key's cell; for a label that an older file does not have, what tells its rows apart. */
static const char *key_cell(const tn_csv *t, size_t row, const char *key, char made[CELL]) {
    const char *text = cell(t, row, key), *lambda = cell(t, row, "lambda"), *window = cell(t, row, "window");
    if (*text || strcmp(key, "label") != 0)
        return text;
    const char *routing = cell(t, row, "routing");
    snprintf(made, CELL, "%.300s%s%.20s%s%.300s%s%.300s", cell(t, row, "mixer"), *window ? ", window " : "",
             window, *routing ? " " : "", routing, *lambda ? " λ " : "", lambda);
    return made;
}

static bool same_keys(const tn_csv *t, size_t a, size_t b, const section *s) {
    char made[2][CELL];
    for (int k = 0; k < KEYS && s->keys[k]; k++)
        if (strcmp(key_cell(t, a, s->keys[k], made[0]), key_cell(t, b, s->keys[k], made[1])) != 0)
            return false;
    return true;
}

static double median(const double *values, int count) {
    double sorted[SEEDS];
    memcpy(sorted, values, sizeof *values * (size_t)count);
    return tn_median(sorted, (size_t)count);
}

static size_t put(char *text, size_t used, const char *format, double value) {
    return used + (size_t)snprintf(text + used, CELL - used, format, value);
}

/* Whether a saving tells anything: not where the model is held against itself, nor where 0 lies between the
 * quartiles. All that are no savings do. */
static bool is_told(const tn_csv *t, size_t row, const char *field) {
    size_t length = strlen(field);
    char name[64];
    double low, high;
    if (length < 10 || strcmp(field + length - 10, "_saved_pct") != 0)
        return true;
    if (strcmp(cell(t, row, "mixer"), "attention") == 0 && !has_window(t, row))
        return false;
    snprintf(name, sizeof name, "%s_q1", field);
    bool known = tn_csv_number(t, row, tn_csv_column(t, name), &low);
    snprintf(name, sizeof name, "%s_q3", field);
    known = tn_csv_number(t, row, tn_csv_column(t, name), &high) && known;
    return !known || !((low <= 0 && high >= 0) || (high <= 0 && low >= 0));
}

/* Rows with the keys of row `like`: "median (seed, seed, …)", one number alone, a word, or a dash. */
static void column_cell(const tn_csv *t, const section *s, const column *c, size_t like, char text[CELL]) {
    double values[SEEDS];
    bool told[SEEDS];
    int count = 0, known = 0;
    snprintf(text, CELL, "–");
    for (size_t row = 0; row < t->rows && count < SEEDS; row++) {
        double value;
        if (!belongs(t, row, s, c->kind ? c->kind : s->kind) || !same_keys(t, row, like, s))
            continue;
        if (tn_csv_number(t, row, tn_csv_column(t, c->field), &value)) {
            told[count] = is_told(t, row, c->field);
            known += told[count];
            values[count++] = value * c->scale;
        } else if (*cell(t, row, c->field))
            snprintf(text, CELL, "%s", cell(t, row, c->field)); /* "unmeasured" */
    }
    if (count == 0)
        return;
    if (known == 0) {
        snprintf(text, CELL, "n/a");
        return;
    }
    size_t used = put(text, 0, c->format, median(values, count));
    if (c->constant || count == 1)
        return;
    for (int i = 0; i < count && used + 40 < CELL; i++) {
        used += (size_t)snprintf(text + used, CELL - used, "%s", i ? ", " : " (");
        used = told[i] ? put(text, used, c->format, values[i])
                       : used + (size_t)snprintf(text + used, CELL - used, "n/a");
    }
    snprintf(text + used, CELL - used, ")");
}

static tn_status line(tn_text_table *table, const tn_csv *t, const section *s, size_t row) {
    char text[CELL];
    for (int k = 0; k < KEYS && s->keys[k]; k++)
        TN_TRY(tn_text_table_cell(table, "%s", key_cell(t, row, s->keys[k], text)));
    for (int c = 0; c < COLUMNS && s->columns[c].title; c++) {
        column_cell(t, s, &s->columns[c], row, text);
        TN_TRY(tn_text_table_cell(table, "%s", text));
    }
    return TN_OK;
}

static bool is_first(const tn_csv *t, const section *s, size_t row) {
    for (size_t i = 0; i < row; i++)
        if (belongs(t, i, s, s->kind) && same_keys(t, i, row, s))
            return false;
    return belongs(t, row, s, s->kind);
}

static tn_status print_section(const tn_csv *t, const section *s, FILE *stream) {
    const char *titles[KEYS + COLUMNS];
    size_t count = 0, lines = 0;
    tn_text_table *table;
    for (int k = 0; k < KEYS && s->keys[k]; k++)
        titles[count++] = s->key_titles[k];
    for (int c = 0; c < COLUMNS && s->columns[c].title; c++)
        titles[count++] = s->columns[c].title;
    TN_TRY(tn_text_table_make(t->ctx, titles, count, &table));
    tn_status status = TN_OK;
    for (size_t row = 0; row < t->rows; row++)
        if (is_first(t, s, row)) {
            lines++;
            TN_GO(line(table, t, s, row));
        }
    if (lines > 0) {
        fprintf(stream, "\n## %s\n\n%s%s", s->heading, s->words, *s->words ? "\n\n" : "");
        TN_GO(tn_text_table_print(table, stream, TN_TABLE_MARKDOWN));
    }
cleanup:
    tn_text_table_free(table);
    return status;
}

static void print_others(const tn_csv *t, FILE *stream) {
    bool any = false;
    for (size_t row = 0; row < t->rows; row++) {
        if (strcmp(cell(t, row, "status"), "ok") == 0)
            continue;
        fputs(any ? "" : "\n## Rows without numbers\n\n", stream);
        any = true;
        fprintf(stream, "- %s, %s: %s\n", cell(t, row, "name"), cell(t, row, "status"),
                cell(t, row, "reason"));
    }
}

tn_status tn_study_table_print(const tn_csv *study, FILE *stream) {
    static const char *const wanted[] = {"part",     "name",          "mixer",  "routing", "curriculum",
                                         "accuracy", "attention_pct", "status", "reason",  NULL};
    TN_TRY(tn_csv_require(study, "rows of a study", wanted));
    fputs("# Study\n\nMedian, and in brackets every seed; n/a: 0 lies between the quartiles of that run, or "
          "it is held against "
          "itself. Made from study.csv, which has more columns; "
          "docs/schema.md explains them.\n",
          stream);
    for (int i = 0; i < SECTIONS; i++)
        TN_TRY(print_section(study, &sections[i], stream));
    print_others(study, stream);
    return tn_printed(study->ctx, stream);
}

tn_status tn_study_table_save(tn_context *ctx, const char *csv, const char *path) {
    tn_csv t;
    tn_outfile file;
    TN_TRY(tn_csv_read(ctx, csv, &t));
    tn_status status = tn_outfile_open(ctx, path, &file);
    if (status == TN_OK)
        status = tn_outfile_end(ctx, &file, tn_study_table_print(&t, file.stream));
    tn_csv_free(&t);
    return status;
}
