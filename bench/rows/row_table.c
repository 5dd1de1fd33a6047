#include "row_table.h"

#include <math.h>
#include <stdarg.h>
#include <string.h>

void tn_row_table_begin(FILE *to) {
    fprintf(to,
            "| %-34s | %-40s | %11s | %7s | %8s | %7s | %6s | %-11s | note |\n"
            "| %.34s | %.40s | %.10s: | %.6s: | %.7s: | %.6s: | %.5s: | %.11s | ---- |\n",
            "what", "shape", "wall ms", "+-%", "GFLOP/s", "GB/s", "roof%", "status",
            "----------------------------------------", "----------------------------------------",
            "----------", "----------", "----------", "----------", "----------", "-----------");
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

static void remarks(const tn_cost_row *r, char *note, size_t size) {
    bool step = strcmp(r->level, "step") == 0 || strcmp(r->level, "model") == 0;
    note[0] = '\0';
    if (isfinite(r->peer_ratio))
        remark(note, size, "%.3f times as fast as %s (%.3f to %.3f), which takes %.4g ms", r->peer_ratio,
               r->peer, r->peer_ratio_q1, r->peer_ratio_q3, r->peer_wall_ms);
    if (r->reason[0])
        remark(note, size, "%s", r->reason);
    if (isfinite(r->energy_j))
        remark(note, size, "%.3g J a call", r->energy_j);
    if (isfinite(r->energy_net_j))
        remark(note, size, "%.3g J above %.3g W idle", r->energy_net_j, r->idle_w);
    if (step && isfinite(r->outside_kernels_pct))
        remark(note, size, "%lld launches, %.1f %% of the time outside kernels",
               (long long)r->event_ms_launches, r->outside_kernels_pct);
    if (isfinite(r->dense_ratio))
        remark(note, size, "%.2f times as fast as the dense %s (%.2f to %.2f), %.2f by operations",
               r->dense_ratio, r->level, r->dense_ratio_q1, r->dense_ratio_q3, r->ideal_ratio);
}

/* A layer's shape stands in columns of its own. */
static void shape_of(const tn_cost_row *r, char *text, size_t size) {
    if (r->shape[0] || r->T < 0)
        snprintf(text, size, "%s", r->shape);
    else
        snprintf(text, size, "B=%lld,T=%lld,D=%lld,H=%lld", (long long)r->B, (long long)r->T, (long long)r->D,
                 (long long)r->H);
    size_t used = strlen(text);
    if (!r->shape[0] && r->rho >= 0)
        snprintf(text + used, size - used, ",rho=%.4g", r->rho);
}

static void cores_of(const tn_cost_row *r, char *text, size_t size) {
    size_t used = strlen(text);
    if (r->cores > 0)
        snprintf(text + used, size - used, " on %lld core%s", (long long)r->cores, r->cores == 1 ? "" : "s");
}

void tn_row_table_write(FILE *to, const tn_cost_row *r) {
    char wall[24], spread[24], gflops[24], gbs[24], roof[24], what[160], shape[200], note[1200];
    bool layer = strcmp(r->level, "layer") == 0 || strcmp(r->level, "model") == 0,
         kernel = !layer && strcmp(r->level, "step") != 0;
    snprintf(what, sizeof what, "%s%s%s %s%s%s", layer ? r->level : "", layer ? " " : "",
             kernel ? r->op : r->mixer, r->pass, r->part[0] ? ": " : "", r->part);
    shape_of(r, shape, sizeof shape);
    cores_of(r, shape, sizeof shape);
    remarks(r, note, sizeof note);
    fprintf(to, "| %-34s | %-40s | %11s | %7s | %8s | %7s | %6s | %-11s | ", what, shape,
            cell(r->wall_ms, "%.4g", wall, sizeof wall),
            cell(100 * (r->wall_ms_q3 - r->wall_ms_q1) / r->wall_ms, "%.1f", spread, sizeof spread),
            cell(r->gflops, "%.2f", gflops, sizeof gflops), cell(r->gbs, "%.2f", gbs, sizeof gbs),
            cell(r->roofline_pct, "%.1f", roof, sizeof roof), r->status);
    for (const char *p = note; *p; p++)
        fprintf(to, *p == '|' ? "\\%c" : "%c", *p);
    fputs(note[0] ? " |\n" : "|\n", to);
}
