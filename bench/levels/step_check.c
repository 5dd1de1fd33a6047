#include "step_check.h"

#include "adamw_ref.h"
#include "agree.h"
#include "input.h"
#include "launch.h"
#include "model_reference.h"
#include "mixer.h"
#include "routed_rows.h"

#include <math.h>
#include <string.h>

static const double off = 1e-5;   /* of a logit and a loss */
static const double budget = 1e9; /* processor cycles of the reference of one pass */
enum { PROBES = 5 /* passes at most */ };

/* A pass: the label of some sequences, at a row that may be earlier than its own. */
typedef struct probe {
    int64_t count, T;                        /* sequences; positions that the reference sees of them */
    int32_t *at;                             /* [B] position of the label; −1: the sequence has none */
    bool whole;                              /* every label, where it is */
    int32_t *rows, *labels;                  /* [L] as the device gets them */
    int32_t *tokens, *ref_rows, *ref_labels; /* [count,T], [count], [count] */
    uint8_t *h;                              /* [layers,count,T] */
    double *logits, *loss, *gate, *grads;
} probe;

typedef struct checking {
    tn_step *s;
    const tn_model_config *c;
    int64_t B, T, N, V, layers;
    bool hard;           /* rows are routed one by one: h is */
    uint8_t *h, *routes; /* [layers,B,T] as they should be; as the watched pass has them */
    float *state;        /* values, both moments: as they were */
    double *values;
    float *got; /* room for what is read back */
    double *want;
    tn_batch other; /* another batch and its labels */
    int32_t *other_rows, *other_labels;
} checking;

static int64_t label_of(const checking *k, int64_t b) {
    const tn_input *in = &k->s->in;
    for (int64_t l = 0; l < in->L; l++)
        if (in->label_rows[l] / k->T == b)
            return l;
    return -1;
}

static tn_status prepare(checking *k) {
    tn_step *s = k->s;
    const tn_params *p = &s->model->params;
    size_t floats = p->floats, bytes = floats * sizeof(float), N = (size_t)k->N;
    size_t most = floats > N ? floats : N;
    if ((size_t)(s->in.L * k->V) > most)
        most = (size_t)(s->in.L * k->V);
    TN_TRY(tn_alloc(s->ctx, 3 * floats, sizeof(float), &k->state));
    TN_TRY(tn_alloc(s->ctx, floats, sizeof(double), &k->values));
    TN_TRY(tn_alloc(s->ctx, most, sizeof(float), &k->got));
    TN_TRY(tn_alloc(s->ctx, 3 * floats + N, sizeof(double), &k->want));
    TN_TRY(tn_alloc(s->ctx, (size_t)k->layers * N, 1, &k->h));
    TN_TRY(tn_alloc(s->ctx, (size_t)k->layers * N, 1, &k->routes));
    TN_TRY(tn_alloc(s->ctx, N, 4, &k->other_rows));
    TN_TRY(tn_alloc(s->ctx, N, 4, &k->other_labels));
    TN_TRY(tn_batch_make(s->ctx, k->B, k->T, &k->other));
    TN_TRY(tn_task_fill(s->ctx, s->task, TN_RNG_TRAIN, (uint64_t)k->B, &k->other));
    TN_TRY(tn_buffer_read(p->values, 0, bytes, k->state));
    for (size_t i = 0; i < floats; i++)
        k->values[i] = k->state[i];
    if (s->model->training) {
        TN_TRY(tn_buffer_read(p->moment1, 0, bytes, k->state + floats));
        TN_TRY(tn_buffer_read(p->moment2, 0, bytes, k->state + 2 * floats));
    }
    return k->hard ? tn_model_forward(s->model, s->ws, &s->in, s->gate, k->h, NULL) : TN_OK;
}

static tn_status restore(const checking *k) {
    const tn_params *p = &k->s->model->params;
    size_t bytes = p->floats * sizeof(float);
    TN_TRY(tn_buffer_write(p->values, 0, bytes, k->state));
    if (!k->s->model->training)
        return TN_OK;
    TN_TRY(tn_buffer_write(p->moment1, 0, bytes, k->state + p->floats));
    return tn_buffer_write(p->moment2, 0, bytes, k->state + 2 * p->floats);
}

static double cost_of(const checking *k, int64_t count, int64_t T) {
    double rho = tn_mixer_has_attention(k->c) ? k->hard ? k->c->capacity : 1 : 0;
    return tn_model_reference_cost(k->c, count, T, rho);
}

static tn_status probe_make(const checking *k, probe *p) {
    TN_TRY(tn_alloc(k->s->ctx, (size_t)k->B, 4, &p->at));
    for (int64_t b = 0; b < k->B; b++)
        p->at[b] = -1;
    return TN_OK;
}

/* As many whole sequences as the budget allows, the last ones, or of one of them as much. */
static void choose_sequences(const checking *k, probe *p) {
    int64_t count = k->B, T = k->T;
    while (count > 1 && cost_of(k, count, T) > budget)
        count--;
    while (T > 8 && cost_of(k, count, T) > budget)
        T -= (T + 15) / 16;
    for (int64_t b = k->B - count; b < k->B; b++)
        p->at[b] = (int32_t)T - 1;
}

/* Tracks of layers that a label at position t of sequence b sends a gradient through: of layer i bit 2i for
 * the global one, where a row sees more than itself, 2i + 1 for the cheap one. `reached` [2,T]. */
static uint64_t tracks_of(const checking *k, int64_t b, int64_t t, uint8_t *reached) {
    uint64_t tracks = 0;
    uint8_t *now = reached, *next = reached + k->T;
    memset(now, 0, (size_t)t + 1);
    now[t] = 1;
    for (int64_t i = k->layers - 1; i >= 0; i--) {
        const uint8_t *h = k->h + i * k->N + b * k->T;
        int64_t all = -1;
        memcpy(next, now, (size_t)t + 1);
        for (int64_t r = 0; r <= t; r++) {
            if (!now[r])
                continue;
            if (h[r])
                all = r;
            else
                tracks |= 2ull << 2 * i;
            for (int64_t j = 1; !h[r] && j < k->c->conv_taps && j <= r; j++)
                next[r - j] = 1;
        }
        if (all > 0)
            tracks |= 1ull << 2 * i;
        if (all >= 0)
            memset(next, 1, (size_t)all + 1);
        uint8_t *swap = now;
        now = next;
        next = swap;
    }
    return tracks;
}

/* Those that any label of the batch could reach, if it stood anywhere. */
static uint64_t tracks_there_are(const checking *k) {
    uint64_t tracks = 0;
    for (int64_t i = 0; i < k->layers; i++)
        for (int64_t n = 0; n < k->N; n++)
            if (!k->h[i * k->N + n])
                tracks |= 2ull << 2 * i;
            else if (n % k->T > 0)
                tracks |= 1ull << 2 * i;
    return tracks;
}

static int bits(uint64_t set) {
    int count = 0;
    for (; set; set &= set - 1)
        count++;
    return count;
}

/* The row whose label reaches most of what is `left`, the earliest of equals. */
static uint64_t choose_row(const checking *k, probe *p, uint64_t left, uint8_t *reached) {
    uint64_t best = 0;
    int64_t best_b = 0, best_t = 0;
    for (int64_t t = 0; t < k->T && cost_of(k, 1, t + 1) <= budget && bits(best & left) < bits(left); t++)
        for (int64_t b = 0; b < k->B && b < 64; b++) {
            uint64_t tracks = tracks_of(k, b, t, reached);
            if (bits(tracks & left) > bits(best & left)) {
                best = tracks;
                best_b = b;
                best_t = t;
            }
        }
    if (best & left)
        p->at[best_b] = (int32_t)best_t;
    return best & left;
}

/* Passes that together send a gradient through all there is; *left: what none of them reaches. */
static tn_status choose(const checking *k, probe *probes, int *count, uint64_t *left) {
    uint8_t *reached;
    tn_status status = TN_OK;
    TN_TRY(tn_alloc(k->s->ctx, 2 * (size_t)k->T, 1, &reached));
    TN_GO(probe_make(k, &probes[0]));
    choose_sequences(k, &probes[0]);
    *count = 1;
    *left = k->hard && k->layers <= 32 ? tracks_there_are(k) : 0;
    for (int64_t b = 0; b < k->B; b++)
        if (*left && probes[0].at[b] >= 0)
            *left &= ~tracks_of(k, b, probes[0].at[b], reached);
    while (*left && *count < PROBES) {
        TN_GO(probe_make(k, &probes[*count]));
        uint64_t found = choose_row(k, &probes[*count], *left, reached);
        if (!found)
            break; /* a probe without a label is not run */
        *left &= ~found;
        ++*count;
    }
cleanup:
    tn_free(k->s->ctx, reached);
    return status;
}

/* Labels for the device, and the reference's part of the batch. */
static tn_status fill(const checking *k, probe *p) {
    const tn_input *in = &k->s->in;
    tn_context *ctx = k->s->ctx;
    p->whole = true;
    for (int64_t b = 0; b < k->B; b++) {
        p->count += p->at[b] >= 0;
        p->T = p->at[b] + 1 > p->T ? p->at[b] + 1 : p->T;
    }
    size_t seen = (size_t)(p->count * p->T), floats = k->s->model->params.floats;
    TN_TRY(tn_alloc(ctx, (size_t)in->L, 4, &p->rows));
    TN_TRY(tn_alloc(ctx, (size_t)in->L, 4, &p->labels));
    TN_TRY(tn_alloc(ctx, seen, 4, &p->tokens));
    TN_TRY(tn_alloc(ctx, (size_t)p->count, 4, &p->ref_rows));
    TN_TRY(tn_alloc(ctx, (size_t)p->count, 4, &p->ref_labels));
    TN_TRY(tn_alloc(ctx, (size_t)k->layers * seen, 1, &p->h));
    TN_TRY(tn_alloc(ctx, (size_t)(p->count * k->V), sizeof(double), &p->logits));
    TN_TRY(tn_alloc(ctx, (size_t)p->count, sizeof(double), &p->loss));
    TN_TRY(tn_alloc(ctx, (size_t)k->layers * seen, sizeof(double), &p->gate));
    if (k->s->model->training)
        TN_TRY(tn_alloc(ctx, floats, sizeof(double), &p->grads));
    for (int64_t l = 0; l < in->L; l++) {
        int64_t b = in->label_rows[l] / k->T;
        bool has = p->at[b] >= 0;
        p->rows[l] = has ? (int32_t)(b * k->T) + p->at[b] : in->label_rows[l];
        p->labels[l] = has ? in->labels[l] : -1;
        p->whole = p->whole && has && p->rows[l] == in->label_rows[l];
    }
    for (int64_t b = 0, i = 0; b < k->B; b++) {
        if (p->at[b] < 0)
            continue;
        memcpy(p->tokens + i * p->T, in->tokens + b * k->T, (size_t)p->T * 4);
        for (int64_t layer = 0; layer < k->layers; layer++)
            memcpy(p->h + (layer * p->count + i) * p->T, k->h + layer * k->N + b * k->T, (size_t)p->T);
        p->ref_rows[i] = (int32_t)(i * p->T) + p->at[b];
        p->ref_labels[i++] = in->labels[label_of(k, b)];
    }
    return TN_OK;
}

static tn_status reference(const checking *k, probe *p) {
    tn_reference_input in = {.B = p->count,
                             .T = p->T,
                             .L = p->count,
                             .tokens = p->tokens,
                             .label_rows = p->ref_rows,
                             .labels = p->ref_labels,
                             .h = k->hard ? p->h : NULL,
                             .weight = 1 / (double)k->s->in.L};
    tn_reference_output out = {p->logits, p->loss, p->gate, p->grads};
    return tn_model_reference(k->s->ctx, k->c, &k->s->model->params, k->values, &in, &out);
}

static void probe_free(const checking *k, probe *p) {
    void *all[] = {p->at, p->rows,   p->labels, p->tokens, p->ref_rows, p->ref_labels,
                   p->h,  p->logits, p->loss,   p->gate,   p->grads};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
        tn_free(k->s->ctx, all[i]);
}

/* What another batch with other weights leaves behind, with one more routed row where a share is routed. */
static tn_status run_other(checking *k) {
    tn_step *s = k->s;
    tn_model_config *c = &s->model->config;
    const double capacity = c->capacity;
    const size_t floats = s->model->params.floats;
    tn_input in = tn_batch_input(&k->other, k->other_rows, k->other_labels);
    for (size_t i = 0; i < floats; i++)
        k->got[i] = 0.75f * k->state[i];
    TN_TRY(tn_buffer_write(s->model->params.values, 0, floats * sizeof *k->got, k->got));
    c->capacity = fmin(1, capacity + 1 / (double)k->T);
    tn_status status = tn_step_gradient(s, &in, s->gate, NULL);
    c->capacity = capacity;
    if (status == TN_OK && s->model->training)
        status = tn_model_update(s->model, &s->optimizer, s->done + 1);
    return status;
}

/* The pass that is timed; the clip at half the gradient's norm, so that it has something to do. */
static tn_status run_pass(const checking *k, const probe *p, tn_optimizer *o, double norm) {
    tn_step *s = k->s;
    tn_input in = s->in;
    tn_status status = TN_OK;
    in.label_rows = p->rows;
    in.labels = p->labels;
    *o = s->optimizer;
    o->clip = 0.5 * norm;
    TN_TRY(restore(k));
    TN_TRY(tn_workspace_spoil(s->ws));
    TN_TRY(tn_agree_poison(tn_workspace_logits(s->ws)));
    TN_TRY(tn_agree_poison(tn_workspace_losses(s->ws)));
    TN_TRY(tn_agree_poison(s->model->params.grads));
    tn_launch_watch(s->model->dev, s->watched_from); /* of every pass the same ones */
    TN_GO(tn_step_gradient(s, &in, s->gate, k->hard ? k->routes : NULL));
    if (s->model->training)
        TN_GO(tn_model_update(s->model, o, s->done + 1));
cleanup:
    s->watched_to = tn_launch_unwatch(s->model->dev);
    return status;
}

static tn_status read_back(const checking *k, const tn_buffer *from, size_t count) {
    return tn_buffer_read(from, 0, count * sizeof *k->got, k->got);
}

/* The pass has routed the rows that it should, as many of each sequence as the capacity says. */
static tn_status check_routes(const checking *k) {
    int64_t wanted = tn_routed_rows(k->c->capacity, k->T), rows = 0;
    for (int64_t n = 0; n < k->layers * k->N; n++) {
        rows += k->h[n];
        if (k->routes[n] != k->h[n])
            return tn_fail(k->s->ctx, TN_ERR_CHECK, "layer %lld routes other rows than before",
                           (long long)(n / k->N));
        if (n % k->T < k->T - 1)
            continue;
        if (rows != wanted)
            return tn_fail(k->s->ctx, TN_ERR_CHECK, "layer %lld routes %lld rows of a sequence, not %lld",
                           (long long)(n / k->N), (long long)rows, (long long)wanted);
        rows = 0;
    }
    return TN_OK;
}

/* The gate of every row that the reference sees, and that no row has a larger one than a routed row: by the
 * device's gates of a layer that keeps them. */
static tn_status check_gate(const checking *k, const probe *p, int64_t layer) {
    int64_t at = 0;
    TN_TRY(read_back(k, tn_mixer_last(k->s->ws, layer).p, (size_t)k->N));
    for (int64_t b = 0; b < k->B; b++) {
        float least = INFINITY, most = -INFINITY;
        for (int64_t t = 0; t < k->T; t++) {
            float gate = k->got[b * k->T + t];
            bool routed = k->hard && k->h[layer * k->N + b * k->T + t];
            if (k->hard && routed)
                least = fminf(least, gate);
            else if (k->hard)
                most = fmaxf(most, gate);
            if (p->at[b] < 0 || t >= p->T)
                continue;
            double want = p->gate[layer * p->count * p->T + at++];
            if (!(fabs(gate - want) <= 1e-4))
                return tn_fail(k->s->ctx, TN_ERR_CHECK,
                               "the gate of layer %lld is wrong at row %lld: %g, reference %g",
                               (long long)layer, (long long)(b * k->T + t), (double)gate, want);
        }
        if (most > least)
            return tn_fail(
                k->s->ctx, TN_ERR_CHECK,
                "layer %lld leaves out a row of sequence %lld with a larger gate than a routed one",
                (long long)layer, (long long)b);
    }
    return TN_OK;
}

static tn_status check_outputs(const checking *k, const probe *p) {
    tn_context *ctx = k->s->ctx;
    const tn_input *in = &k->s->in;
    TN_TRY(read_back(k, tn_workspace_logits(k->s->ws), (size_t)(in->L * k->V)));
    /* A backward pass puts its gradient over the logits: (softmax − label) / L. */
    for (int64_t l = 0, i = 0; !k->s->model->training && l < in->L; l++)
        for (int64_t v = 0; p->labels[l] >= 0 && v <= k->V; v++) {
            if (v == k->V) {
                i++;
                break;
            }
            double want = p->logits[i * k->V + v];
            if (!(fabs(k->got[l * k->V + v] - want) <= off * (1 + fabs(want))))
                return tn_fail(ctx, TN_ERR_CHECK, "logit %lld of label %lld is wrong: %g, reference %g",
                               (long long)v, (long long)l, (double)k->got[l * k->V + v], want);
        }
    TN_TRY(read_back(k, tn_workspace_losses(k->s->ws), (size_t)in->L));
    for (int64_t l = 0, i = 0; l < in->L; l++) {
        double want = p->labels[l] >= 0 ? p->loss[i++] : 0;
        if (!(fabs(k->got[l] - want) <= off * (1 + fabs(want))))
            return tn_fail(ctx, TN_ERR_CHECK, "the loss of label %lld is wrong: %g, reference %g",
                           (long long)l, (double)k->got[l], want);
    }
    return TN_OK;
}

static tn_status check_gradients(const checking *k, const probe *p) {
    const tn_params *params = &k->s->model->params;
    char what[120];
    TN_TRY(read_back(k, params->grads, params->floats));
    for (int i = 0; i < params->count; i++) {
        const tn_param *t = &params->items[i];
        double scale = 0; /* a bias of one number adds up what its weights do */
        for (int64_t layer = 0; layer < k->layers; layer++)
            if (t == params->layers[layer].router_bias)
                scale = tn_agree_rms(params->layers[layer].router_weight->count,
                                     p->grads + params->layers[layer].router_weight->offset);
        snprintf(what, sizeof what, "the step's gradient of %s", t->name);
        TN_TRY(tn_agree_tensor(k->s->ctx, what, t->count, k->got + t->offset, p->grads + t->offset, 5e-4,
                               scale));
    }
    return TN_OK;
}

/* Values, moments and the norm after the update, from the device's own gradient, which is in k->got. */
static tn_status check_update(const checking *k, const tn_optimizer *o) {
    const tn_params *p = &k->s->model->params;
    tn_context *ctx = k->s->ctx;
    size_t n = p->floats;
    double *v = k->want, *m1 = v + n, *m2 = m1 + n, squares = 0, norm;
    double *g;
    tn_status status = TN_OK;
    TN_TRY(tn_alloc(ctx, n, sizeof *g, &g));
    for (size_t i = 0; i < n; i++) {
        g[i] = k->got[i];
        squares += g[i] * g[i];
        v[i] = k->state[i];
        m1[i] = k->state[n + i];
        m2[i] = k->state[2 * n + i];
    }
    tn_adamw_settings_ref settings = {
        o->lr, o->beta1, o->beta2, o->eps, o->weight_decay, fmin(1, o->clip / sqrt(squares)), k->s->done + 1};
    tn_adamw_forward_ref((int64_t)n, (int64_t)p->decay_floats, &settings, v, m1, m2, g);
    TN_GO(tn_model_gradient_norm(k->s->model, &norm));
    if (!(fabs(norm - sqrt(squares)) <= 1e-5 * sqrt(squares)))
        TN_GO(tn_fail(ctx, TN_ERR_CHECK, "the gradient's norm is %g, reference %g", norm, sqrt(squares)));
    TN_GO(read_back(k, p->moment1, n));
    TN_GO(tn_agree_tensor(ctx, "the first moment after a step", n, k->got, m1, 1e-5, 0));
    TN_GO(read_back(k, p->moment2, n));
    TN_GO(tn_agree_tensor(ctx, "the second moment after a step", n, k->got, m2, 1e-5, 0));
    TN_GO(read_back(k, p->values, n));
    TN_GO(tn_agree_tensor(ctx, "the parameters after a step", n, k->got, v, 1e-6, 1e4 * o->lr));
cleanup:
    tn_free(ctx, g);
    return status;
}

static tn_status check(checking *k, probe *p) {
    tn_optimizer o;
    double squares = 0;
    TN_TRY(fill(k, p));
    TN_TRY(reference(k, p));
    for (size_t i = 0; p->grads && i < k->s->model->params.floats; i++)
        squares += p->grads[i] * p->grads[i];
    TN_TRY(run_other(k));
    TN_TRY(run_pass(k, p, &o, sqrt(squares)));
    if (k->hard)
        TN_TRY(check_routes(k));
    for (int64_t i = 0; tn_mixer_has_router(k->c) && k->s->model->training && i < k->layers; i++)
        TN_TRY(check_gate(k, p, i));
    TN_TRY(check_outputs(k, p));
    if (!k->s->model->training)
        return TN_OK;
    TN_TRY(check_gradients(k, p));
    return check_update(k, &o);
}

tn_status tn_step_check(tn_step *s) {
    probe probes[PROBES] = {{0}};
    const tn_model_config *c = &s->model->config;
    checking k = {.s = s,
                  .c = c,
                  .B = s->in.B,
                  .T = s->in.T,
                  .N = s->in.B * s->in.T,
                  .V = c->vocab,
                  .layers = c->layers,
                  .hard = s->gate == TN_GATE_COMPACT && tn_mixer_has_router(c)};
    int count = 0;
    uint64_t left = 0;
    tn_status status = TN_OK;
    if (c->mixer == TN_MIXER_LAYERS || c->window > 0 || c->match > 0)
        return tn_fail(s->ctx, TN_ERR_UNSUPPORTED,
                       "a step with a list of mixers, a window or repeats has no check");
    TN_GO(prepare(&k));
    TN_GO(choose(&k, probes, &count, &left));
    for (int i = 0; i < count; i++)
        TN_GO(check(&k, &probes[i]));
    TN_GO(restore(&k));
    snprintf(s->verified, sizeof s->verified, "%soutputs%s", probes[0].whole ? "" : "sampled ",
             s->model->training && !left ? ", gradients" : "");
cleanup:
    for (int i = 0; i < PROBES; i++)
        probe_free(&k, &probes[i]);
    void *all[] = {k.state, k.values, k.got, k.want, k.h, k.routes, k.other_rows, k.other_labels};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
        tn_free(s->ctx, all[i]);
    tn_batch_free(s->ctx, &k.other);
    return status;
}
