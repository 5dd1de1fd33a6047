#include "poison.h"

#include "case.h"

#include <math.h>
#include <string.h>

/* A problem as it was, to compare with and to go back to. */
typedef struct clean_side {
    double *inputs[TN_CASE_TENSORS], *wants[TN_CASE_TENSORS]; /* of f32 tensors */
    unsigned char *hidden[TN_CASE_TENSORS];                   /* 1: nothing sees the element; NULL: no such */
    unsigned char *results[TN_CASE_TENSORS];                  /* of the run with poison */
} clean_side;

/* Where the NaN is, if there is one. */
typedef struct poison_place {
    int tensor; /* −1: none */
    size_t element;
} poison_place;

static bool is_output(const tn_tensor *t) {
    return t->count > 0 && (t->role == TN_OUT || t->role == TN_INOUT);
}

static bool is_poisonable(const tn_tensor *t) {
    return t->count > 0 && t->type == TN_F32 && !tn_role_is_written(t->role);
}

static bool sees(const tn_problem *p, int out, size_t o, int in, size_t i) {
    return !p->c->sees || p->c->sees(&p->shape, p->pass, p->tensors, out, o, in, i);
}

/* The float with these bits, as a double that becomes it again. */
static double value_of(uint32_t bits) {
    float value;
    memcpy(&value, &bits, sizeof value);
    return (double)value;
}

static void set(tn_problem *p, int tensor, size_t element, double value) {
    p->tensors[tensor].f64[element] = value;
    if (p->tensors[tensor].role == TN_INOUT)
        ((double *)p->initial[tensor])[element] = value;
}

static tn_status clean_make(tn_context *ctx, tn_problem *p, clean_side *clean) {
    for (int i = 0; i < p->tensor_count; i++) {
        const tn_tensor *t = &p->tensors[i];
        if (t->type != TN_F32 || t->count == 0)
            continue;
        if (is_output(t)) {
            TN_TRY(tn_alloc(ctx, t->count, sizeof(double), &clean->wants[i]));
            memcpy(clean->wants[i], t->f64, t->count * sizeof(double));
        }
        if (!is_poisonable(t))
            continue;
        TN_TRY(tn_alloc(ctx, t->count, sizeof(double), &clean->inputs[i]));
        memcpy(clean->inputs[i], t->role == TN_INOUT ? p->initial[i] : t->f64, t->count * sizeof(double));
        if (t->derived)
            continue;
        TN_TRY(tn_alloc(ctx, t->count, 1, &clean->hidden[i]));
        bool some = false;
        for (size_t k = 0; k < t->count; k++)
            some |= clean->hidden[i][k] = !sees(p, TN_ANY_OUTPUT, 0, i, k);
        if (!some) {
            tn_free(ctx, clean->hidden[i]);
            clean->hidden[i] = NULL;
        }
    }
    return TN_OK;
}

static void clean_free(tn_context *ctx, clean_side *clean) {
    for (int i = 0; i < TN_CASE_TENSORS; i++) {
        tn_free(ctx, clean->inputs[i]);
        tn_free(ctx, clean->wants[i]);
        tn_free(ctx, clean->hidden[i]);
        tn_free(ctx, clean->results[i]);
    }
}

/* Inputs as they were, but for what nothing sees. */
static void inputs_reset(tn_problem *p, const clean_side *clean, bool hide, double value) {
    for (int i = 0; i < p->tensor_count; i++) {
        const tn_tensor *t = &p->tensors[i];
        for (size_t k = 0; clean->inputs[i] && k < t->count; k++)
            set(p, i, k, hide && clean->hidden[i] && clean->hidden[i][k] ? value : clean->inputs[i][k]);
        if (t->count && t->role == TN_INOUT && t->type != TN_F32)
            memcpy(t->i32, p->initial[i], t->count * sizeof *t->i32);
    }
}

/* A NaN goes into what is derived from the inputs that have it; all else there stays. */
static void derive(tn_problem *p, const clean_side *clean) {
    if (p->c->derive)
        p->c->derive(&p->shape, p->pass, p->tensors);
    for (int i = 0; i < p->tensor_count; i++) {
        const tn_tensor *t = &p->tensors[i];
        for (size_t k = 0; clean->inputs[i] && t->derived && k < t->count; k++)
            set(p, i, k, isnan(t->f64[k]) ? NAN : clean->inputs[i][k]);
    }
}

/* One element of a result. `want`: the reference with the same poison; `clean`: without. */
static tn_status element_hold(tn_context *ctx, const tn_problem *p, int out, size_t o, poison_place nan,
                              double want, double clean, float got, float before) {
    const char *name = p->tensors[out].name, *in = nan.tensor < 0 ? "" : p->tensors[nan.tensor].name;
    if (isnan(want) && (nan.tensor < 0 || !sees(p, out, o, nan.tensor, nan.element)))
        return tn_fail(ctx, TN_ERR_CHECK, "the reference's %s[%zu] is NaN and sees none (%s[%zu])", name, o,
                       in, nan.element);
    if (!isnan(want) && want != clean)
        return tn_fail(ctx, TN_ERR_CHECK, "the reference's %s[%zu] moves from %.9g to %.9g", name, o, clean,
                       want);
    if (isnan(want) && !isnan(got))
        return tn_fail(ctx, TN_ERR_CHECK, "%s[%zu] sees the NaN of %s[%zu] and is %.9g", name, o, in,
                       nan.element, (double)got);
    if (!isnan(want) && memcmp(&got, &before, sizeof got) != 0)
        return tn_fail(ctx, TN_ERR_CHECK, "%s[%zu] moves from %.9g to %.9g", name, o, (double)before,
                       (double)got);
    return TN_OK;
}

static tn_status output_hold(tn_context *ctx, const tn_problem *p, const clean_side *clean, int out,
                             const unsigned char *before, poison_place nan) {
    const tn_tensor *t = &p->tensors[out];
    for (size_t o = 0; o < t->count; o++) {
        if (t->type == TN_F32) {
            float got, was;
            memcpy(&got, clean->results[out] + 4 * o, 4);
            memcpy(&was, before + 4 * o, 4);
            TN_TRY(element_hold(ctx, p, out, o, nan, t->f64[o], clean->wants[out][o], got, was));
            continue;
        }
        int32_t got = clean->results[out][o], was = before[o];
        if (t->type == TN_I32) {
            memcpy(&got, clean->results[out] + 4 * o, 4);
            memcpy(&was, before + 4 * o, 4);
        }
        if (got != t->i32[o] || (nan.tensor < 0 && got != was))
            return tn_fail(ctx, TN_ERR_CHECK, "%s[%zu] is %d, the reference has %d, without poison %d",
                           t->name, o, got, t->i32[o], was);
    }
    return TN_OK;
}

/* Runs the device and the reference on the inputs as they stand. */
static tn_status hold(tn_context *ctx, tn_problem *p, clean_side *clean, unsigned char *const *before,
                      poison_place nan, const char *what) {
    tn_status status = tn_problem_run(ctx, p, clean->results);
    if (status == TN_OK)
        p->c->reference(&p->shape, p->pass, p->tensors);
    for (int i = 0; i < p->tensor_count && status == TN_OK; i++)
        if (is_output(&p->tensors[i]))
            status = output_hold(ctx, p, clean, i, before[i], nan);
    if (status == TN_ERR_CHECK && nan.tensor >= 0)
        return tn_fail_prefix(ctx, "NaN in %s[%zu]%s", p->tensors[nan.tensor].name, nan.element, what);
    return status == TN_ERR_CHECK ? tn_fail_prefix(ctx, "with%s", what) : status;
}

/* A random element of the tensor that something sees. */
static bool seen_element(const clean_side *clean, int tensor, size_t count, tn_rng *rng, size_t *out) {
    for (int tries = 0; tries < 64; tries++) {
        *out = tn_rng_below(rng, (uint32_t)count);
        if (!clean->hidden[tensor] || !clean->hidden[tensor][*out])
            return true;
    }
    return false;
}

tn_status tn_problem_poison(tn_context *ctx, tn_problem *p, unsigned char *const *before, uint64_t seed,
                            int most, tn_poison_tally *tally) {
    static const uint32_t nans[] = {0x7fc00000, 0xffc00000, 0x7fc0dead, 0xffffffff};
    clean_side clean = {{NULL}, {NULL}, {NULL}, {NULL}};
    tn_rng rng = tn_rng_make(seed, TN_RNG_CASE, 11);
    tn_status status = TN_OK;
    int hidden = 0;
    for (int i = 0; i < p->tensor_count; i++) /* what sees what is asked of the inputs, not of results */
        if (p->tensors[i].count && p->tensors[i].role == TN_INOUT && p->tensors[i].type != TN_F32)
            memcpy(p->tensors[i].i32, p->initial[i], p->tensors[i].count * sizeof *p->tensors[i].i32);
    TN_GO(clean_make(ctx, p, &clean));
    p->has_reference = false;
    for (int i = 0; i < p->tensor_count; i++)
        hidden += clean.hidden[i] != NULL;
    tally->hidden += hidden;
    if (hidden) {
        inputs_reset(p, &clean, true, value_of(nans[tn_rng_below(&rng, 4)]));
        TN_GO(hold(ctx, p, &clean, before, (poison_place){-1, 0}, " NaN where nothing sees it"));
    }
    for (int n = 0, from = (int)tn_rng_below(&rng, (uint32_t)p->tensor_count);
         n < p->tensor_count && most > 0; n++) {
        poison_place nan = {(from + n) % p->tensor_count, 0};
        const tn_tensor *t = &p->tensors[nan.tensor];
        if (!is_poisonable(t) || t->derived ||
            !seen_element(&clean, nan.tensor, t->count, &rng, &nan.element))
            continue;
        inputs_reset(p, &clean, true, n % 2 ? -INFINITY : INFINITY);
        set(p, nan.tensor, nan.element, value_of(nans[tn_rng_below(&rng, 4)]));
        derive(p, &clean);
        TN_GO(hold(ctx, p, &clean, before, nan, hidden ? ", infinity where nothing sees it" : ""));
        tally->passes |= 1u << p->pass;
        tally->seen++;
        most--;
    }
cleanup:
    if (clean.inputs[0] || status == TN_OK)
        inputs_reset(p, &clean, false, 0);
    clean_free(ctx, &clean);
    return status;
}
