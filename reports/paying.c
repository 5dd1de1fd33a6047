#include "paying.h"

#include <math.h>
#include <string.h>

tn_paying_bound tn_paying_solve(const tn_paying_point *points, size_t count) {
    size_t i = count;
    while (i > 0 && points[i - 1].speedup >= 1)
        i--;
    if (i == 0)
        return (tn_paying_bound){TN_BREAKEVEN_ALWAYS, points[0].context};
    if (i == count)
        return (tn_paying_bound){TN_BREAKEVEN_NEVER, points[count - 1].context};
    const tn_paying_point *p = &points[i - 1];
    const double low = log(p[0].speedup), high = log(p[1].speedup), from = log(p[0].context);
    return (tn_paying_bound){TN_BREAKEVEN_FOUND, exp(from + (log(p[1].context) - from) * low / (low - high))};
}

void tn_paying_text(const tn_paying_bound *bound, char *text, size_t size) {
    const char *sign = bound->kind == TN_BREAKEVEN_ALWAYS  ? "≤ "
                       : bound->kind == TN_BREAKEVEN_NEVER ? "> "
                                                           : "";
    /* between two measured ones three digits are what a line through them tells */
    const double unit =
        bound->kind == TN_BREAKEVEN_FOUND ? pow(10, fmax(0, floor(log10(bound->context)) - 2)) : 1;
    snprintf(text, size, "%s%.0f", sign, round(bound->context / unit) * unit);
}

static bool is_of_decoding(const tn_breakeven *b) {
    return b->context > 0 && strcmp(b->execution, "compacted") == 0;
}

/* Empty cells are equal. */
static bool same(double a, double b) {
    return a == b || (isnan(a) && isnan(b));
}

/* A layer on a device, whatever its context. */
static bool same_layer(const tn_breakeven *a, const tn_breakeven *b) {
    return strcmp(a->file, b->file) == 0 && strcmp(a->platform, b->platform) == 0 &&
           strcmp(a->device, b->device) == 0 && strcmp(a->contexts, b->contexts) == 0 && same(a->B, b->B) &&
           same(a->D, b->D) && same(a->H, b->H) && same(a->K, b->K);
}

static tn_status find(tn_payings *out, const tn_breakeven *b, double rho, tn_paying **at) {
    size_t i = 0;
    while (i < out->count && !(same_layer(out->items[i].of, b) && out->items[i].rho == rho))
        i++;
    if (i == out->count) {
        TN_TRY(tn_grow(out->ctx, &out->items, &out->capacity, i + 1, sizeof *out->items));
        out->items[out->count++] = (tn_paying){.of = b, .rho = rho};
    }
    *at = &out->items[i];
    return TN_OK;
}

/* Keeps contexts rising; one that is there already is replaced. */
static tn_status insert(tn_context *ctx, tn_paying *p, const tn_paying_point *point) {
    size_t at = 0;
    while (at < p->count && p->points[at].context < point->context)
        at++;
    if (at == p->count || p->points[at].context != point->context) {
        TN_TRY(tn_grow(ctx, &p->points, &p->capacity, p->count + 1, sizeof *p->points));
        memmove(p->points + at + 1, p->points + at, (p->count - at) * sizeof *p->points);
        p->count++;
    }
    p->points[at] = *point;
    return TN_OK;
}

static void sort(tn_payings *p) {
    for (size_t i = 1; i < p->count; i++) /* few, and layers lie together already */
        for (size_t k = i;
             k > 0 && same_layer(p->items[k - 1].of, p->items[k].of) && p->items[k - 1].rho > p->items[k].rho;
             k--) {
            const tn_paying kept = p->items[k];
            p->items[k] = p->items[k - 1];
            p->items[k - 1] = kept;
        }
}

tn_status tn_payings_make(const tn_breakevens *found, tn_payings *out) {
    *out = (tn_payings){.ctx = found->ctx};
    for (size_t i = 0; i < found->count; i++) {
        const tn_breakeven *b = &found->items[i];
        for (size_t k = 0; is_of_decoding(b) && k < b->count; k++) {
            tn_paying *p;
            TN_TRY(find(out, b, b->points[k].rho, &p));
            TN_TRY(insert(out->ctx, p, &(tn_paying_point){b->context, b->points[k].speedup}));
        }
    }
    for (size_t i = 0; i < out->count; i++)
        out->items[i].from = tn_paying_solve(out->items[i].points, out->items[i].count);
    sort(out);
    return TN_OK;
}

void tn_payings_free(tn_payings *p) {
    for (size_t i = 0; i < p->count; i++)
        tn_free(p->ctx, p->items[i].points);
    if (p->ctx)
        tn_free(p->ctx, p->items);
    *p = (tn_payings){0};
}
