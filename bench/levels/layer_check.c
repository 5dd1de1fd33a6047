/* The verification of a layer cell. A gradient that is zero but for some rows costs the reference those rows
 * alone, and the device what any other does: so every launch of the timed pass is held against the reference,
 * at the shape that is timed, whatever that is. */
#include "layer_check.h"

#include "agree.h"
#include "launch.h"
#include "mixer_ref.h"
#include "model_reference.h"
#include "rng.h"

#include <math.h>
#include <string.h>

static const double gradient_off = 2e-4;
static const double budget = 1e9; /* processor cycles of the reference of one side */
enum { ROWS = 256 /* sampled at most, of each of two sequences */ };

/* Rows of one side that are held against the reference, and that with its inputs. Its sequences are those of
 * the batch that have such a row, as far as the last of them. */
typedef struct sample {
    layer_run *r;
    const layer_side *side;
    tn_mixer_shape_ref shape; /* B and T of the reference */
    int64_t S;
    uint8_t *chosen; /* [B·T] of the batch */
    bool whole;
    int32_t *rows, *ref_rows; /* [S] of the batch, of the reference */
    uint8_t *took, *h;        /* [S] */
    double *x, *dx, *mid, *dmid, *values, *grads;
    float *got;
    tn_mixer_ref *ref;
} sample;

static bool is_dense(const sample *s) {
    return s->side->model->config.mixer == TN_MIXER_ATTENTION;
}

static bool takes(const sample *s, int64_t n) {
    const tn_mixer_pass pass = tn_mixer_last(s->side->ws, 0);
    return tn_mixer_has_attention(&s->side->model->config) && tn_layer_run_takes(s->r, &pass, n);
}

static double cost_of(const sample *s, int64_t n) {
    tn_mixer_shape_ref one = s->shape;
    one.B = one.T = 0;
    return tn_mixer_ref_cost(&one, 1, takes(s, n) ? (double)(n % s->r->shape->T + 1) : 0);
}

static void choose(sample *s, int64_t n, double *left) {
    if (n < 0 || s->chosen[n])
        return;
    s->chosen[n] = true;
    *left -= cost_of(s, n);
}

/* The nearest wanted row of the sequence at or before n, else -1. */
static int64_t wanted_before(const sample *s, int64_t n) {
    int64_t first = n - n % s->r->shape->T;
    while (n >= first && !s->r->mask[n])
        n--;
    return n >= first ? n : -1;
}

/* The last and the first row, the last routed one with its neighbours, which may be computed and must be
 * dropped, and others anywhere, every second one routed where any is. */
static void choose_some(sample *s, int64_t b, double left) {
    int64_t T = s->r->shape->T, first = b * T, last = first + T - 1, routed = wanted_before(s, last);
    tn_rng rng = tn_rng_make((uint64_t)(s->r->shape->B + T), TN_RNG_MEASURE, (1u << 21) + (uint64_t)b);
    const int64_t always[] = {last, first, routed, routed > first ? routed - 1 : -1,
                              routed >= 0 && routed < last ? routed + 1 : -1};
    for (size_t i = 0; i < sizeof always / sizeof always[0]; i++)
        choose(s, always[i], &left);
    for (int i = 0; i < ROWS; i++) {
        int64_t n = first + tn_rng_below(&rng, (uint32_t)T);
        int64_t near = i % 2 ? wanted_before(s, n) : n;
        if (near >= 0 && cost_of(s, near) <= left)
            choose(s, near, &left);
    }
}

static void choose_rows(sample *s) {
    int64_t B = s->r->shape->B, N = B * s->r->shape->T;
    double pairs = 0;
    for (int64_t n = 0; n < N; n++)
        pairs += takes(s, n) ? (double)(n % s->r->shape->T + 1) : 0;
    s->shape.B = B;
    s->shape.T = s->r->shape->T;
    s->whole = tn_mixer_ref_cost(&s->shape, N, pairs) <= budget;
    if (s->whole) {
        memset(s->chosen, 1, (size_t)N);
        return;
    }
    s->r->sampled = true;
    choose_some(s, B - 1, budget / (B > 1 ? 2 : 1));
    if (B > 1)
        choose_some(s, 0, budget / 2);
}

/* Lists of the chosen rows, and the part of x that the reference sees. */
static tn_status make_lists(sample *s) {
    const layer_run *r = s->r;
    int64_t T = r->shape->T, D = r->shape->D, N = r->shape->B * T, at = 0, sequences = 0, longest = 0;
    for (int64_t n = 0; n < N; n++)
        s->S += s->chosen[n];
    TN_TRY(tn_alloc(r->ctx, (size_t)s->S, 4, &s->rows));
    TN_TRY(tn_alloc(r->ctx, (size_t)s->S, 4, &s->ref_rows));
    TN_TRY(tn_alloc(r->ctx, (size_t)s->S, 1, &s->took));
    TN_TRY(tn_alloc(r->ctx, (size_t)s->S, 1, &s->h));
    for (int64_t n = 0; n < N; n++) {
        if (!s->chosen[n])
            continue;
        s->rows[at] = (int32_t)n;
        s->took[at] = takes(s, n);
        s->h[at] = is_dense(s) || r->mask[n];
        sequences += at == 0 || s->rows[at - 1] / T != n / T;
        longest = n % T + 1 > longest ? n % T + 1 : longest;
        at++;
    }
    s->shape.B = sequences;
    s->shape.T = longest;
    TN_TRY(tn_alloc(r->ctx, (size_t)(sequences * longest * D), sizeof(double), &s->x));
    int64_t b = -1;
    for (int64_t i = 0; i < s->S; i++) {
        int64_t first = s->rows[i] - s->rows[i] % T;
        if (i == 0 || s->rows[i - 1] < first) {
            b++;
            for (int64_t k = 0; k < longest * D; k++)
                s->x[b * longest * D + k] = r->host_x[first * D + k];
        }
        s->ref_rows[i] = (int32_t)(b * longest + s->rows[i] - first);
    }
    return TN_OK;
}

static tn_status doubles(sample *s, const tn_buffer *from, size_t count, double *to) {
    TN_TRY(tn_buffer_read(from, 0, count * sizeof *s->got, s->got));
    for (size_t i = 0; i < count; i++)
        to[i] = s->got[i];
    return TN_OK;
}

static tn_status make_reference(sample *s) {
    const layer_run *r = s->r;
    const tn_params *p = &s->side->model->params;
    int64_t N = r->shape->B * r->shape->T, D = r->shape->D;
    size_t rows = (size_t)(s->S * D), most = (size_t)(N * D) > p->floats ? (size_t)(N * D) : p->floats;
    TN_TRY(tn_alloc(r->ctx, most, sizeof *s->got, &s->got));
    TN_TRY(tn_alloc(r->ctx, p->floats, sizeof(double), &s->values));
    TN_TRY(tn_alloc(r->ctx, rows, sizeof(double), &s->mid));
    TN_TRY(doubles(s, p->values, p->floats, s->values));
    tn_mixer_tensors_ref values = tn_reference_mixer(&p->layers[0], s->values);
    return tn_mixer_ref_make(r->ctx, &s->shape, &values, s->S, s->ref_rows, s->took, s->h, &s->ref);
}

static tn_status make_gradients(sample *s) {
    const layer_run *r = s->r;
    int64_t D = r->shape->D;
    TN_TRY(tn_alloc(r->ctx, s->side->model->params.floats, sizeof(double), &s->grads));
    TN_TRY(tn_alloc(r->ctx, (size_t)(s->S * D), sizeof(double), &s->dmid));
    TN_TRY(tn_alloc(r->ctx, (size_t)(s->shape.B * s->shape.T * D), sizeof(double), &s->dx));
    for (int64_t i = 0; i < s->S; i++)
        for (int64_t d = 0; d < D; d++)
            s->dmid[i * D + d] = r->host_dmid[s->rows[i] * D + d];
    return TN_OK;
}

/* The device's dmid, where it is not that of the timed pass: zeros but for the chosen rows. */
static tn_status write_dmid(sample *s) {
    layer_run *r = s->r;
    int64_t D = r->shape->D, N = r->shape->B * r->shape->T;
    size_t bytes = (size_t)(N * D) * sizeof(float);
    if (s->whole)
        return TN_OK;
    memset(s->got, 0, bytes);
    for (int64_t i = 0; i < s->S; i++)
        memcpy(s->got + s->rows[i] * D, r->host_dmid + s->rows[i] * D, (size_t)D * sizeof(float));
    return tn_buffer_write(r->dmid, 0, bytes, s->got);
}

/* The pass that is timed, on outputs that hold no number. */
static tn_status run_pass(sample *s) {
    layer_run *r = s->r;
    layer_side *side = (layer_side *)s->side;
    tn_status status = TN_OK;
    TN_TRY(tn_layer_run_usual(r));
    if (tn_layer_run_has_backward(r))
        TN_TRY(write_dmid(s));
    TN_TRY(tn_workspace_spoil(side->ws));
    if (!tn_layer_run_has_forward(r))
        TN_TRY(tn_layer_run_forward(r->dev, side));
    else
        TN_TRY(tn_agree_poison(tn_mixer_last(side->ws, 0).mid));
    TN_TRY(tn_agree_poison(r->dx));
    TN_TRY(tn_agree_poison(side->model->params.grads));
    tn_launch_watch(r->dev, r->watched);
    if (tn_layer_run_has_forward(r))
        TN_GO(tn_layer_run_forward(r->dev, side));
    if (tn_layer_run_has_backward(r))
        TN_GO(tn_layer_run_backward(r->dev, side));
cleanup:
    r->watched = tn_launch_unwatch(r->dev);
    return status;
}

static tn_status check_routed(const sample *s) {
    TN_TRY(tn_mixer_count(s->side->ws, 0));
    const tn_mixer_pass pass = tn_mixer_last(s->side->ws, 0);
    int64_t N = s->r->shape->B * s->r->shape->T, wanted = 0;
    for (int64_t n = 0; n < N; n++)
        wanted += takes(s, n);
    return pass.R == wanted ? TN_OK
                            : tn_fail(s->r->ctx, TN_ERR_CHECK, "%lld rows were routed instead of %lld",
                                      (long long)pass.R, (long long)wanted);
}

static const char *mixer_of(const sample *s) {
    return is_dense(s) ? "attention" : s->r->shape->mixer;
}

static tn_status check_mid(sample *s) {
    int64_t D = s->r->shape->D, N = s->r->shape->B * s->r->shape->T;
    TN_TRY(tn_buffer_read(tn_mixer_last(s->side->ws, 0).mid, 0, (size_t)(N * D) * sizeof *s->got, s->got));
    for (int64_t i = 0; i < s->S * D; i++) {
        int64_t n = s->rows[i / D], d = i % D;
        if (!(fabs(s->got[n * D + d] - s->mid[i]) <= 2e-5 * (1 + fabs(s->mid[i]))))
            return tn_fail(s->r->ctx, TN_ERR_CHECK,
                           "the %s layer is wrong at row %lld, column %lld: %g, reference %g", mixer_of(s),
                           (long long)n, (long long)d, (double)s->got[n * D + d], s->mid[i]);
    }
    return TN_OK;
}

/* Of every row of the batch; what the reference does not see gets none, but of itself. */
static tn_status check_dx(sample *s) {
    const layer_run *r = s->r;
    int64_t T = r->shape->T, D = r->shape->D, N = r->shape->B * T;
    double *want;
    char what[80];
    TN_TRY(tn_alloc(r->ctx, (size_t)(N * D), sizeof *want, &want));
    for (int64_t i = 0; i < s->S; i++) {
        int64_t first = s->rows[i] - s->rows[i] % T, from = s->ref_rows[i] - s->ref_rows[i] % s->shape.T;
        if (i == 0 || s->rows[i - 1] < first)
            memcpy(want + first * D, s->dx + from * D, (size_t)(s->shape.T * D) * sizeof *want);
    }
    snprintf(what, sizeof what, "the gradient of the %s layer's input", mixer_of(s));
    tn_status status = tn_buffer_read(r->dx, 0, (size_t)(N * D) * sizeof *s->got, s->got);
    if (status == TN_OK)
        status = tn_agree_rows(r->ctx, what, N, D, s->got, want, gradient_off);
    tn_free(r->ctx, want);
    return status;
}

/* Of every parameter. Without a routed row nothing writes those of the global track. */
static tn_status check_grads(sample *s) {
    const tn_params *p = &s->side->model->params;
    const tn_layer_params *lp = &p->layers[0];
    const bool global = tn_mixer_last(s->side->ws, 0).R > 0;
    const tn_param *all[] = {lp->norm1,          lp->conv_weight,   lp->conv_bias,      lp->conv_out,
                             lp->router_weight,  lp->router_bias,   global ? lp->q : 0, global ? lp->k : 0,
                             global ? lp->v : 0, global ? lp->o : 0};
    TN_TRY(tn_buffer_read(p->grads, 0, p->floats * sizeof *s->got, s->got));
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        char what[160];
        if (!all[i])
            continue;
        size_t offset = all[i]->offset;
        double scale = 0; /* a single number has none of its own: it adds up what its neighbour does */
        if (all[i] == lp->router_bias)
            scale = tn_agree_rms(lp->router_weight->count, s->grads + lp->router_weight->offset);
        snprintf(what, sizeof what, "the %s layer's gradient of %s", mixer_of(s), all[i]->name);
        TN_TRY(tn_agree_tensor(s->r->ctx, what, all[i]->count, s->got + offset, s->grads + offset,
                               gradient_off, scale));
    }
    return TN_OK;
}

static void sample_free(sample *s) {
    void *all[] = {s->chosen, s->rows, s->ref_rows, s->took,   s->h,     s->x,
                   s->dx,     s->mid,  s->dmid,     s->values, s->grads, s->got};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
        tn_free(s->r->ctx, all[i]);
    tn_mixer_ref_free(s->ref);
}

/* What another input leaves behind; the lists of rows that the choice of rows needs among it. */
static tn_status run_other(layer_run *r, layer_side *side) {
    TN_TRY(tn_layer_run_other(r));
    TN_TRY(tn_layer_run_forward(r->dev, side));
    return tn_layer_run_has_backward(r) ? tn_layer_run_backward(r->dev, side) : TN_OK;
}

static tn_status check_side(layer_run *r, layer_side *side) {
    const tn_model_config *c = &side->model->config;
    sample s = {.r = r, .side = side};
    tn_status status = TN_OK;
    s.shape = (tn_mixer_shape_ref){.D = c->d_model,
                                   .H = c->heads,
                                   .G = c->kv_heads,
                                   .K = c->conv_taps,
                                   .eps = c->rms_eps,
                                   .added = c->added};
    TN_GO(tn_alloc(r->ctx, (size_t)(r->shape->B * r->shape->T), 1, &s.chosen));
    TN_GO(run_other(r, side));
    choose_rows(&s);
    TN_GO(make_lists(&s));
    TN_GO(make_reference(&s));
    if (tn_layer_run_has_backward(r))
        TN_GO(make_gradients(&s));
    TN_GO(run_pass(&s));
    if (c->mixer != TN_MIXER_CONV)
        TN_GO(check_routed(&s));
    tn_mixer_ref_forward(s.ref, s.mid, s.x);
    TN_GO(check_mid(&s));
    if (tn_layer_run_has_backward(r)) {
        tn_mixer_tensors_ref grads = tn_reference_mixer(&side->model->params.layers[0], s.grads);
        tn_mixer_ref_backward(s.ref, s.dx, &grads, s.dmid, 0);
        TN_GO(check_dx(&s));
        TN_GO(check_grads(&s));
        TN_GO(
            tn_buffer_write(r->dmid, 0, (size_t)(r->shape->B * r->shape->T * r->shape->D) * 4, r->host_dmid));
    }
cleanup:
    sample_free(&s);
    return status;
}

tn_status tn_layer_run_check(layer_run *r) {
    r->watched = 0;
    r->sampled = false;
    TN_TRY(check_side(r, &r->mine));
    if (r->dense.model)
        TN_TRY(check_side(r, &r->dense));
    return tn_layer_run_usual(r);
}

const char *tn_layer_run_verified(const layer_run *r) {
    const char *outputs = r->sampled ? "sampled outputs" : "outputs";
    if (!tn_layer_run_has_backward(r))
        return outputs;
    if (!tn_layer_run_has_forward(r))
        return "gradients";
    return r->sampled ? "sampled outputs, gradients" : "outputs, gradients";
}
