#include "sweep_show.h"

#include "common.h"
#include "cost_columns.h"
#include "file.h"
#include "presets.h"
#include "row_table.h"
#include "sweep_axes.h"
#include "terminal.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

void tn_show_time(double seconds, char *text, size_t size) {
    if (seconds < 90)
        snprintf(text, size, "about %.0f s", seconds);
    else if (seconds < 90 * 60)
        snprintf(text, size, "about %.0f min", seconds / 60);
    else
        snprintf(text, size, "about %.1f h", seconds / 3600);
}

/* What a preset takes along one of the axes that it has values for. */
static const struct {
    const char *name;
    size_t offset;
    bool words;
} preset_axes[] = {{"level", offsetof(tn_sweep_preset, level), true},
                   {"T", offsetof(tn_sweep_preset, T), false},
                   {"D", offsetof(tn_sweep_preset, D), false},
                   {"rho", offsetof(tn_sweep_preset, rho), false},
                   {"pass of layers", offsetof(tn_sweep_preset, layer_pass), true},
                   {"pass of models", offsetof(tn_sweep_preset, model_pass), true},
                   {"T of models", offsetof(tn_sweep_preset, model_T), false},
                   {"D of models", offsetof(tn_sweep_preset, model_D), false},
                   {"context", offsetof(tn_sweep_preset, context), false},
                   {"D of decode", offsetof(tn_sweep_preset, decode_D), false},
                   {"rho of decode", offsetof(tn_sweep_preset, decode_rho), false}};
enum { PRESET_AXES = sizeof preset_axes / sizeof preset_axes[0] };

static void preset_value(const tn_sweep_preset *p, int i, char *text, size_t size) {
    const char *at = (const char *)p + preset_axes[i].offset;
    if (preset_axes[i].words)
        tn_words_print((const tn_words *)at, text, size);
    else
        tn_axis_print((const tn_axis *)at, text, size);
}

static void list_presets(void) {
    char text[400];
    for (const tn_sweep_preset *p = tn_sweep_presets; p->name; p++) {
        printf("preset %s: %s\n", p->name, p->meaning);
        for (int i = 0; i < PRESET_AXES; i++) {
            preset_value(p, i, text, sizeof text);
            printf("  %-16s %s\n", preset_axes[i].name, text);
        }
        printf("  %-16s %g\n", "seconds", p->seconds);
    }
}

static void word_axis(const char *name, const char *const *words) {
    const int columns = tn_terminal_columns(stdout);
    char text[2000] = "";
    size_t used = 0;
    for (int i = 0; words[i] && used < sizeof text; i++)
        used += (size_t)snprintf(text + used, sizeof text - used, "%s%s", i ? " " : "", words[i]);
    printf("  --%-8s ", name);
    tn_text_wrap(stdout, text, 13, 13, columns ? columns : 100);
}

static const char *const *op_words(const char *words[128]) {
    int count = 0;
    for (int i = 0; i < tn_case_count && count < 127; i++)
        words[count++] = tn_cases[i]->op;
    words[count] = NULL;
    return words;
}

static void list_axes(void) {
    const char *ops[128], *passes[TN_WORDS_MAX + 1];
    tn_sweep_passes(passes);
    printf("axes, each a list with commas\n");
    word_axis("level", tn_sweep_levels);
    word_axis("op", op_words(ops));
    word_axis("pass", passes);
    for (const tn_sweep_axis *a = tn_sweep_axis_table; a->kind.name; a++)
        printf("  --%-8s %g to %.0f, as %s\n", a->kind.name, a->kind.low, a->kind.high, a->kind.example);
}

static void list_columns(void) {
    const int columns = tn_terminal_columns(stdout);
    char text[4000] = "";
    size_t used = 0;
    for (int i = 0; i < TN_COLUMNS && used < sizeof text; i++)
        used +=
            (size_t)snprintf(text + used, sizeof text - used, "%s%s", i ? " " : "", tn_cost_columns[i].name);
    printf("columns of a row (docs/schema.md says what each means)\n  ");
    tn_text_wrap(stdout, text, 2, 2, columns ? columns : 100);
}

static json_t *axis_json(const tn_axis *axis) {
    json_t *array = json_array();
    for (int i = 0; i < axis->count; i++)
        json_array_append_new(array, json_real(axis->v[i]));
    return array;
}

static json_t *words_json(const char *const *words, int count) {
    json_t *array = json_array();
    for (int i = 0; i < count && words[i]; i++)
        json_array_append_new(array, json_string(words[i]));
    return array;
}

static json_t *list_json(void) {
    const char *ops[128], *passes[TN_WORDS_MAX + 1];
    json_t *root = json_object(), *presets = json_object(), *axes = json_object(), *columns = json_array();
    for (const tn_sweep_preset *p = tn_sweep_presets; p->name; p++) {
        json_t *one = json_object();
        for (int i = 0; i < PRESET_AXES; i++) {
            const char *at = (const char *)p + preset_axes[i].offset;
            const tn_words *list = (const tn_words *)at;
            const char *words[TN_WORDS_MAX];
            for (int k = 0; preset_axes[i].words && k < list->count; k++)
                words[k] = list->v[k];
            json_object_set_new(one, preset_axes[i].name,
                                preset_axes[i].words ? words_json(words, list->count)
                                                     : axis_json((const tn_axis *)at));
        }
        json_object_set_new(one, "seconds", json_real(p->seconds));
        json_object_set_new(presets, p->name, one);
    }
    tn_sweep_passes(passes);
    json_object_set_new(axes, "level", words_json(tn_sweep_levels, 8));
    json_object_set_new(axes, "op", words_json(op_words(ops), 128));
    json_object_set_new(axes, "pass", words_json(passes, TN_WORDS_MAX));
    for (const tn_sweep_axis *a = tn_sweep_axis_table; a->kind.name; a++)
        json_object_set_new(axes, a->kind.name,
                            json_pack("{s:f, s:f, s:s}", "from", a->kind.low, "to", a->kind.high, "example",
                                      a->kind.example));
    for (int i = 0; i < TN_COLUMNS; i++)
        json_array_append_new(columns, json_string(tn_cost_columns[i].name));
    json_object_set_new(root, "presets", presets);
    json_object_set_new(root, "axes", axes);
    json_object_set_new(root, "columns", columns);
    return root;
}

tn_status tn_sweep_show_list(tn_context *ctx, bool json) {
    if (json)
        return tn_cli_print_json(ctx, list_json());
    list_presets();
    list_axes();
    list_columns();
    return tn_stdout_check(ctx);
}

static json_t *cells_json(const tn_sweep_options *o, const tn_cell_list *cells, double seconds) {
    static const char *const names[] = {
        "selector", "device", "level",    "op",    "pass",  "mixer", "B",       "T",        "D", "H",
        "K",        "rho",    "schedule", "shape", "cores", "cache", "context", "contexts", NULL};
    json_t *array = json_array();
    for (size_t i = 0; i < cells->count; i++) {
        tn_cost_row row;
        tn_sweep_cell_identify(&cells->items[i], o->seed, o->cpu_model, &row);
        json_t *all = tn_row_json(&row, 0), *one = json_object();
        for (int k = 0; names[k]; k++)
            json_object_set(one, names[k], json_object_get(all, names[k]));
        json_decref(all);
        json_array_append_new(array, one);
    }
    char shard[TN_SHARD_TEXT];
    tn_shard_print(&o->shard, shard);
    return json_pack("{s:o, s:i, s:s, s:f, s:f}", "cells", array, "count", (int)cells->count, "shard", shard,
                     "seconds_about", seconds, "seconds_at_most", o->timeout_s * (double)cells->count);
}

static void print_cells(const tn_sweep_options *o, const tn_cell_list *cells, double seconds) {
    char text[240], time[40], shard[TN_SHARD_TEXT];
    tn_shard_print(&o->shard, shard);
    for (size_t i = 0; i < cells->count; i++) {
        const tn_sweep_cell *cell = &cells->items[i];
        tn_sweep_cell_describe(cell, text, sizeof text);
        printf("%d:%d %s\n", cell->info->platform, cell->info->index, text);
    }
    tn_show_time(seconds, time, sizeof time);
    printf("%zu cells%s%s on %d device%s, in random order: at least %s, longer where a call outlasts its "
           "timing, and none more than %g s\n",
           cells->count, shard[0] ? " of shard " : "", shard, o->device_count,
           o->device_count == 1 ? "" : "s", time, o->timeout_s);
}

tn_status tn_sweep_show_cells(tn_context *ctx, const tn_sweep_options *o, bool json) {
    tn_cell_list cells = {0};
    tn_status status = TN_OK;
    TN_GO(tn_sweep_cells(ctx, o, true, &cells));
    double seconds = tn_sweep_estimate(o, &cells);
    if (json)
        TN_GO(tn_cli_print_json(ctx, cells_json(o, &cells, seconds)));
    else
        print_cells(o, &cells, seconds);
    status = tn_stdout_check(ctx);
cleanup:
    tn_cell_list_free(ctx, &cells);
    return status;
}

static int level_rank(const char *level) {
    for (int i = 0; tn_sweep_levels[i]; i++)
        if (strcmp(tn_sweep_levels[i], level) == 0)
            return i;
    return 9;
}

static int sign(double a, double b) {
    return (a > b) - (a < b);
}

static int in_order(const void *x, const void *y) {
    const tn_cost_row *a = x, *b = y;
    int orders[] = {strcmp(a->selector, b->selector),
                    level_rank(a->level) - level_rank(b->level),
                    strcmp(a->op, b->op),
                    strcmp(a->pass, b->pass),
                    sign((double)a->D, (double)b->D) * (a->shape[0] == 0),
                    sign((double)a->T, (double)b->T) * (a->shape[0] == 0),
                    sign((double)a->context, (double)b->context),
                    strcmp(a->contexts, b->contexts),
                    strcmp(a->mixer, b->mixer),
                    strcmp(a->schedule, b->schedule),
                    sign(a->rho, b->rho),
                    sign(a->flops, b->flops),
                    strcmp(a->shape, b->shape)};
    for (size_t i = 0; i < sizeof orders / sizeof orders[0]; i++)
        if (orders[i])
            return orders[i];
    return 0;
}

void tn_sweep_show_rows(FILE *to, tn_row_list *rows) {
    if (rows->count == 0)
        return;
    qsort(rows->items, rows->count, sizeof *rows->items, in_order);
    tn_row_table_begin(to);
    for (size_t i = 0; i < rows->count; i++)
        tn_row_table_write(to, &rows->items[i]);
}
