#include "verdict.h"

#include "breakeven.h"
#include "verdict_rows.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const char *const titles[TN_TOPICS] = {
    [TN_TOPIC_PAYS] = "Routing pays from",        [TN_TOPIC_BREAKEVEN] = "Faster below",
    [TN_TOPIC_RECALL] = "The recall model takes", [TN_TOPIC_DECODE] = "A decoded token takes",
    [TN_TOPIC_STEP] = "A training step takes",    [TN_TOPIC_CEILINGS] = "Kernels run at",
};
static const char *const missing[TN_TOPICS] = {
    [TN_TOPIC_PAYS] = "From which length routing pays: not measured.",
    [TN_TOPIC_BREAKEVEN] = "Below which routed fraction a layer is faster: not measured.",
    [TN_TOPIC_RECALL] = "The recall model, trained and evaluated: not measured.",
    [TN_TOPIC_DECODE] = "A decoded token beside attention's: not measured.",
    [TN_TOPIC_STEP] = "A training step, routed and not: not measured.",
    [TN_TOPIC_CEILINGS] = "How far kernels are from the device's ceilings: not measured.",
};

static void nothing(tn_finding *f, tn_topic topic) {
    *f = (tn_finding){.value = NAN, .low = NAN, .high = NAN};
    snprintf(f->title, sizeof f->title, "%s", titles[topic]);
    snprintf(f->figure, sizeof f->figure, "not measured");
    snprintf(f->sentence, sizeof f->sentence, "%s", missing[topic]);
}

/* ---- lengths and fractions ---- */

/* The point of a curve at about one row in a hundred; NULL where none is near it. */
static const tn_breakeven_point *few_rows(const tn_breakeven *b) {
    const tn_breakeven_point *best = NULL;
    for (size_t i = 0; i < b->count; i++) {
        const tn_breakeven_point *p = &b->points[i];
        if (p->rho <= 0.05 && p->rho > 0 && (!best || fabs(log(p->rho / 0.01)) < fabs(log(best->rho / 0.01))))
            best = p;
    }
    return best;
}

static bool pays(const tn_breakeven_point *p) {
    return (isfinite(p->speedup_q1) ? p->speedup_q1 : p->speedup) > 1;
}

/* Curves of layers by rising length, of the smallest width among them, which every survey has. */
static size_t curves_of(const tn_breakevens *all, const char *label, const tn_breakeven **out, size_t most) {
    size_t count = 0;
    double width = INFINITY;
    for (int pass = 0; pass < 2; pass++)
        for (size_t i = 0; i < all->count; i++) {
            const tn_breakeven *b = &all->items[i];
            if (strcmp(b->device, label) != 0 || strcmp(b->execution, "compacted") != 0 || !(b->T > 0))
                continue;
            if (pass == 0)
                width = fmin(width, b->D);
            else if (b->D <= width && count < most)
                out[count++] = b;
        }
    for (size_t i = 1; i < count; i++) /* a few: in place */
        for (size_t k = i; k > 0 && out[k - 1]->T > out[k]->T; k--) {
            const tn_breakeven *kept = out[k];
            out[k] = out[k - 1];
            out[k - 1] = kept;
        }
    return count;
}

static void find_pays(const tn_breakeven *const *curves, size_t count, tn_finding *f) {
    const tn_breakeven *from = NULL, *first = NULL, *last = NULL;
    for (size_t i = 0; i < count; i++) {
        const tn_breakeven_point *p = few_rows(curves[i]);
        if (!p)
            continue;
        first = first ? first : curves[i];
        last = curves[i];
        from = !pays(p) ? NULL : from ? from : curves[i];
    }
    if (!last)
        return;
    const tn_breakeven_point *at = few_rows(from ? from : last);
    f->measured = true;
    f->value = from ? from->T : NAN;
    char span[64];
    if (first == last)
        snprintf(span, sizeof span, "at %.0f alone", first->T);
    else
        snprintf(span, sizeof span, "from %.0f to %.0f", first->T, last->T);
    snprintf(f->detail, sizeof f->detail, "1 row in %.0f routed, D = %.0f; measured %s", 1 / at->rho, last->D,
             span);
    if (!from) {
        snprintf(f->figure, sizeof f->figure, "no length to %.0f", last->T);
        snprintf(f->sentence, sizeof f->sentence,
                 "With %.2g %% of the rows routed, routing pays at no length measured, up to T = %.0f: %.3g "
                 "times as fast as dense attention there.",
                 100 * at->rho, last->T, at->speedup);
        return;
    }
    char spread[64] = "", tail[64] = "";
    if (last != from)
        snprintf(tail, sizeof tail, ", %.3g times at T = %.0f", few_rows(last)->speedup, last->T);
    if (isfinite(at->speedup_q1) && isfinite(at->speedup_q3))
        snprintf(spread, sizeof spread, ", quartiles %.3g … %.3g", at->speedup_q1, at->speedup_q3);
    snprintf(f->figure, sizeof f->figure, "T ≥ %.0f", from->T);
    snprintf(f->sentence, sizeof f->sentence,
             "With %.2g %% of the rows routed, routing pays from T ≥ %.0f%s: %.3g times as fast as dense "
             "attention there%s%s.",
             100 * at->rho, from->T,
             first == last   ? ", the only length measured"
             : from == first ? ", the shortest length measured"
                             : "",
             at->speedup, spread, tail);
}

static void find_breakeven(const tn_breakeven *const *curves, size_t count, tn_finding *f) {
    const tn_breakeven *b = NULL;
    char even[32], spread[80];
    for (size_t i = 0; i < count; i++) /* one fraction alone tells nothing of where lines cross */
        if (curves[i]->count > 1 && (!b || fabs(log(curves[i]->T / 4096)) < fabs(log(b->T / 4096))))
            b = curves[i];
    if (!b)
        return;
    tn_breakeven_text(&b->even, even, sizeof even);
    tn_breakeven_interval_text(b, spread, sizeof spread);
    f->measured = true;
    f->value = b->even.kind == TN_BREAKEVEN_FOUND ? b->even.rho : NAN;
    f->low = b->has_interval && b->low.kind == TN_BREAKEVEN_FOUND ? b->low.rho : NAN;
    f->high = b->has_interval && b->high.kind == TN_BREAKEVEN_FOUND ? b->high.rho : NAN;
    snprintf(f->figure, sizeof f->figure, "ρ* %s%s", b->even.kind == TN_BREAKEVEN_FOUND ? "= " : "", even);
    snprintf(f->detail, sizeof f->detail, "T = %.0f, D = %.0f%s%s", b->T, b->D,
             b->has_interval ? ", by quartiles " : "", b->has_interval ? spread : "");
    const char *by = b->has_interval ? " (by quartiles " : "", *close = b->has_interval ? ")" : "";
    if (b->even.kind == TN_BREAKEVEN_NEVER)
        snprintf(f->sentence, sizeof f->sentence,
                 "At T = %.0f a routed layer is slower than a dense one at every fraction measured, from ρ = "
                 "%.3g%s%s%s.",
                 b->T, b->even.rho, by, b->has_interval ? spread : "", close);
    else if (b->even.kind == TN_BREAKEVEN_ALWAYS)
        snprintf(
            f->sentence, sizeof f->sentence,
            "At T = %.0f a routed layer is faster than a dense one at every fraction measured, up to ρ = "
            "%.3g%s%s%s.",
            b->T, b->even.rho, by, b->has_interval ? spread : "", close);
    else
        snprintf(f->sentence, sizeof f->sentence,
                 "At T = %.0f a routed layer is faster than a dense one below ρ* = %s%s%s%s.", b->T, even, by,
                 b->has_interval ? spread : "", close);
}

/* ---- shares of attention's time ---- */

static void share_text(double value, double low, double high, char *text, size_t size) {
    if (isfinite(low) && isfinite(high))
        snprintf(text, size, "%.3g %% (quartiles %.3g … %.3g)", value, low, high);
    else
        snprintf(text, size, "%.3g %%", value);
}

static void energy_text(double share, char *text, size_t size) {
    if (isfinite(share))
        snprintf(text, size, "and %.3g %% of its energy", share);
    else
        snprintf(text, size, "its energy was not measured");
}

static void fill_share(tn_finding *f, const tn_share *s) {
    char time[80], energy[80];
    f->measured = true;
    f->value = s->time_pct;
    f->low = s->low_pct;
    f->high = s->high_pct;
    share_text(f->value, f->low, f->high, time, sizeof time);
    energy_text(s->energy_pct, energy, sizeof energy);
    snprintf(f->figure, sizeof f->figure, "%.3g %%", f->value);
    const char *joint = isfinite(s->energy_pct) ? " " : "; ";
    snprintf(f->detail, sizeof f->detail, "of %s time%s%s; %.60s", s->whose, joint, energy, s->where);
    snprintf(f->sentence, sizeof f->sentence, "%s takes %s of %s time%s%s%s", s->what, time, s->whose, joint,
             energy, s->more);
}

static void find_ceilings(const tn_ceiling_rows *c, tn_finding *f) {
    if (c->count == 0)
        return;
    f->measured = true;
    f->value = c->median;
    f->low = c->q1;
    f->high = c->q3;
    snprintf(f->figure, sizeof f->figure, "%.3g %%", c->median);
    snprintf(f->detail, sizeof f->detail, "of the device's ceilings, median of %zu; weakest: %.60s, %.3g %%",
             c->count, c->weakest, c->least);
    snprintf(
        f->sentence, sizeof f->sentence,
        "Kernels run at %.3g %% of the device's measured ceilings (median of %zu, quartiles %.3g … %.3g); "
        "weakest: %.100s at %.3g %%, where a call takes %.3g ms.",
        c->median, c->count, c->q1, c->q3, c->weakest, c->least, c->least_ms);
}

/* ---- all of a device ---- */

static tn_status find_all(const tn_inputs *in, const tn_breakevens *all, size_t device,
                          tn_device_verdict *v) {
    enum { CURVES = 64 };
    const tn_breakeven *curves[CURVES];
    tn_share share;
    tn_ceiling_rows ceilings;
    const size_t count = curves_of(all, v->label, curves, CURVES);
    for (int topic = 0; topic < TN_TOPICS; topic++)
        nothing(&v->findings[topic], (tn_topic)topic);
    find_pays(curves, count, &v->findings[TN_TOPIC_PAYS]);
    find_breakeven(curves, count, &v->findings[TN_TOPIC_BREAKEVEN]);
    if (tn_share_of_recall(in, device, &share))
        fill_share(&v->findings[TN_TOPIC_RECALL], &share);
    if (tn_share_of_decode(in, device, &share))
        fill_share(&v->findings[TN_TOPIC_DECODE], &share);
    if (tn_share_of_step(in, device, &share))
        fill_share(&v->findings[TN_TOPIC_STEP], &share);
    TN_TRY(tn_ceiling_rows_of(in, device, &ceilings));
    find_ceilings(&ceilings, &v->findings[TN_TOPIC_CEILINGS]);
    for (int work = 0; work < TN_WORKS; work++)
        tn_work_of(in, device, (tn_work_kind)work, &v->works[work]);
    return TN_OK;
}

tn_status tn_verdicts_make(const tn_inputs *in, tn_verdicts *out) {
    tn_breakevens all = {.ctx = in->ctx};
    tn_status status = TN_OK;
    *out = (tn_verdicts){.ctx = in->ctx};
    for (size_t i = 0; i < in->cost_count; i++)
        TN_GO(tn_breakevens_add(in->ctx, &in->costs[i], &all));
    for (size_t i = 0; i < in->devices.count; i++) {
        TN_GO(tn_grow(out->ctx, &out->items, &out->capacity, out->count + 1, sizeof *out->items));
        tn_device_verdict *v = &out->items[out->count++];
        *v = (tn_device_verdict){.id = &in->devices.items[i]};
        snprintf(v->label, sizeof v->label, "%s", in->devices.items[i].label);
        TN_GO(find_all(in, &all, i, v));
    }
cleanup:
    tn_breakevens_free(&all);
    if (status != TN_OK)
        tn_verdicts_free(out);
    return status;
}

void tn_verdicts_free(tn_verdicts *v) {
    if (v->ctx)
        tn_free(v->ctx, v->items);
    *v = (tn_verdicts){0};
}
