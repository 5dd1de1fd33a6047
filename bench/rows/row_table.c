#include "row_table.h"

#include "terminal.h"

#include <math.h>
#include <stdarg.h>
#include <string.h>
#include <unistd.h>

enum { WHAT, SHAPE, WALL, SPREAD, GFLOPS, GBS, ROOF, STATUS, CELLS };

static const char *const titles[CELLS] = {"what",    "shape", "wall ms", "+-%",
                                          "GFLOP/s", "GB/s",  "roof%",   "status"};

/* Columns of each cell, 0 for one that has no room. On a terminal that is too narrow for a whole row a remark
 * stands on lines of its own, where it is not cut. */
typedef struct layout {
    int width[CELLS];
    int note; /* columns for remarks below the rows; 0: in the row */
} layout;

static layout layout_of(FILE *to) {
    static const struct {
        int from; /* columns of the terminal */
        layout is;
    } narrower[] = {{140, {{34, 0, 11, 7, 8, 7, 6, 11}}},
                    {110, {{28, 0, 11, 7, 0, 0, 6, 11}}},
                    {0, {{20, 0, 9, 5, 0, 0, 5, 7}}}};
    const layout all = {{34, 40, 11, 7, 8, 7, 6, 11}, 0};
    int columns = isatty(fileno(to)) ? tn_terminal_columns(to) : 0, i = 0, used = 1;
    if (columns == 0 || columns >= 170)
        return all;
    while (columns < narrower[i].from)
        i++;
    layout l = narrower[i].is;
    for (int k = 0; k < CELLS; k++)
        used += k == SHAPE || l.width[k] > 0 ? l.width[k] + 3 : 0;
    l.width[SHAPE] = columns - used < 12 ? 12 : columns - used;
    l.note = columns;
    return l;
}

static bool is_number(int cell) {
    return cell >= WALL && cell <= ROOF;
}

/* One cell, on a narrow terminal cut where it is longer: its bar and a blank come before it. */
static void print_cell(FILE *to, const layout *l, int cell, const char *text) {
    int width = l->width[cell], columns = tn_text_columns(text),
        bytes = tn_text_fitting(text, l->note ? width : 0), pad = columns < width ? width - columns : 0;
    if (width == 0)
        return;
    fprintf(to, "| %*s%.*s%*s ", is_number(cell) ? pad : 0, "", bytes, text, is_number(cell) ? 0 : pad, "");
}

void tn_row_table_begin(FILE *to) {
    const layout l = layout_of(to);
    for (int i = 0; i < CELLS; i++)
        print_cell(to, &l, i, titles[i]);
    fputs(l.note ? "|\n" : "| note |\n", to);
    for (int i = 0; i < CELLS; i++) {
        char line[64] = "";
        memset(line, '-', (size_t)l.width[i]);
        if (is_number(i) && l.width[i])
            line[l.width[i] - 1] = ':';
        print_cell(to, &l, i, line);
    }
    fputs(l.note ? "|\n" : "| ---- |\n", to);
}

/* "12.3", or a dash where there is nothing */
static const char *cell(double value, const char *format, char *text, size_t size) {
    snprintf(text, size, "-");
    if (isfinite(value))
        snprintf(text, size, format, value);
    return text;
}

/* One more remark; a bar would end the cell. */
__attribute__((format(printf, 3, 4))) static void remark(char *note, size_t size, const char *format, ...) {
    size_t used = strlen(note);
    va_list args;
    if (used > 0 && used + 2 < size)
        used += (size_t)snprintf(note + used, size - used, "; ");
    va_start(args, format);
    vsnprintf(note + used, size - used, format, args);
    va_end(args);
}

static const char *dense_of(const tn_cost_row *r) {
    return strcmp(r->level, "layer") == 0    ? "the dense layer"
           : strcmp(r->level, "model") == 0  ? "the dense model"
           : strcmp(r->level, "decode") == 0 ? "attention"
                                             : "the dense step";
}

static void remarks(const tn_cost_row *r, char *note, size_t size) {
    const bool whole = strcmp(r->level, "op") != 0 && (!r->part[0] || strcmp(r->part, "whole") == 0);
    note[0] = '\0';
    if (isfinite(r->peer_ratio))
        remark(note, size, "%.3f times as fast as %s (%.3f to %.3f), which takes %.4g ms", r->peer_ratio,
               r->peer, r->peer_ratio_q1, r->peer_ratio_q3, r->peer_wall_ms);
    if (r->reason[0])
        remark(note, size, "%s", r->reason);
    if (isfinite(r->tokens_per_s))
        remark(note, size, "%.4g tokens/s", r->tokens_per_s);
    if (strcmp(r->contexts, "ragged") == 0 && r->context_min > 0)
        remark(note, size, "contexts from %lld, half below %lld", (long long)r->context_min,
               (long long)r->context_median);
    if (isfinite(r->energy_j))
        remark(note, size, "%.3g J a call", r->energy_j);
    if (isfinite(r->energy_net_j))
        remark(note, size, "%.3g J above %.3g W idle", r->energy_net_j, r->idle_w);
    if (whole && r->event_ms_launches > 0)
        remark(note, size, "%lld launches, %lld copies, %lld waits", (long long)r->event_ms_launches,
               (long long)r->copies, (long long)r->waits);
    if (whole && isfinite(r->outside_kernels_pct))
        remark(note, size, "%.1f %% of the time outside kernels", r->outside_kernels_pct);
    if (isfinite(r->dense_ratio))
        remark(note, size, "%.2f times as fast as %s (%.2f to %.2f), %.2f by operations", r->dense_ratio,
               dense_of(r), r->dense_ratio_q1, r->dense_ratio_q3, r->ideal_ratio);
}

/* A layer's shape stands in columns of its own. */
static void shape_of(const tn_cost_row *r, char *text, size_t size) {
    if (r->context >= 0)
        snprintf(text, size, "context=%lld%s,B=%lld,D=%lld,H=%lld", (long long)r->context,
                 strcmp(r->contexts, "ragged") == 0 ? " ragged" : "", (long long)r->B, (long long)r->D,
                 (long long)r->H);
    else if (r->shape[0] || r->T < 0)
        snprintf(text, size, "%s", r->shape);
    else
        snprintf(text, size, "B=%lld,T=%lld,D=%lld,H=%lld", (long long)r->B, (long long)r->T, (long long)r->D,
                 (long long)r->H);
    size_t used = strlen(text);
    if (!r->shape[0] && r->rho >= 0)
        used += (size_t)snprintf(text + used, size - used, ",rho=%.4g", r->rho);
    if (!r->shape[0] && (r->rho >= 0 || r->context >= 0) && strcmp(r->schedule, "compacted") != 0 &&
        strcmp(r->schedule, "dense") != 0)
        snprintf(text + used, size - used, ", %s", r->schedule);
}

static void cores_of(const tn_cost_row *r, char *text, size_t size) {
    size_t used = strlen(text);
    if (r->cores > 0)
        snprintf(text + used, size - used, " on %lld core%s", (long long)r->cores, r->cores == 1 ? "" : "s");
}

static void print_note(FILE *to, const layout *l, const char *note) {
    if (l->note) {
        fputs("|\n", to);
        if (note[0]) {
            fputs("    ", to);
            tn_text_wrap(to, note, 4, 4, l->note);
        }
        return;
    }
    fputs("| ", to);
    for (const char *p = note; *p; p++)
        fprintf(to, *p == '|' ? "\\%c" : "%c", *p);
    fputs(note[0] ? " |\n" : "|\n", to);
}

void tn_row_table_write(FILE *to, const tn_cost_row *r) {
    const layout l = layout_of(to);
    char wall[24], spread[24], gflops[24], gbs[24], roof[24], what[160], shape[280], note[1200], whole[1500];
    bool layer = strcmp(r->level, "layer") == 0 || strcmp(r->level, "model") == 0 ||
                 strcmp(r->level, "decode") == 0,
         kernel = !layer && strcmp(r->level, "step") != 0;
    snprintf(what, sizeof what, "%s%s%s %s%s%s", layer ? r->level : "", layer ? " " : "",
             kernel ? r->op : r->mixer, r->pass, r->part[0] ? ": " : "", r->part);
    shape_of(r, shape, sizeof shape);
    cores_of(r, shape, sizeof shape);
    remarks(r, note, sizeof note);
    const char *const cells[CELLS] = {
        [WHAT] = what,
        [SHAPE] = shape,
        [WALL] = cell(r->wall_ms, "%.4g", wall, sizeof wall),
        [SPREAD] = cell(100 * (r->wall_ms_q3 - r->wall_ms_q1) / r->wall_ms, "%.1f", spread, sizeof spread),
        [GFLOPS] = cell(r->gflops, "%.2f", gflops, sizeof gflops),
        [GBS] = cell(r->gbs, "%.2f", gbs, sizeof gbs),
        [ROOF] = cell(r->roofline_pct, "%.1f", roof, sizeof roof),
        [STATUS] = r->status};
    for (int i = 0; i < CELLS; i++)
        print_cell(to, &l, i, cells[i]);
    if (l.note && tn_text_columns(shape) > l.width[SHAPE]) { /* cut above, so whole below */
        fprintf(to, "|\n    ");
        snprintf(whole, sizeof whole, "%s%s%s", shape, note[0] ? "; " : "", note);
        tn_text_wrap(to, whole, 4, 4, l.note);
    } else {
        print_note(to, &l, note);
    }
}
