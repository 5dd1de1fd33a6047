#include "peer_work.h"

#include <math.h>
#include <string.h>

const tn_peer_task tn_peer_tasks[] = {
    {"gemm", "nn", {"a", "b"}, {"c"}},
    {"gemm", "nt", {"a", "b"}, {"c"}},
    {"gemm", "tn", {"a", "b"}, {"c"}},
    {"flash_attention", "forward", {"q", "k", "v"}, {"o"}},
    {"flash_attention", "forward+backward", {"q", "k", "v", "do"}, {"dq", "dk", "dv"}},
    {"causal_conv", "forward", {"u", "w", "b"}, {"y"}},
    {"causal_conv", "forward+backward", {"u", "w", "b", "dy", "du"}, {"du", "dw", "db"}},
    {"step", "step", {NULL}, {NULL}}, /* peer_step.c */
    {NULL}};

static int64_t value_of(const tn_case *c, const tn_shape *shape, const char *name) {
    for (int i = 0; c->dims[i]; i++)
        if (strcmp(c->dims[i], name) == 0)
            return shape->v[i];
    return 0;
}

static tn_status comparable(tn_context *ctx, const tn_case *c, const tn_shape *s) {
    if (strcmp(c->op, "gemm") == 0 && value_of(c, s, "epilogue") != 0)
        return tn_fail(ctx, TN_ERR_UNSUPPORTED,
                       "a product with bias or addition has no peer; epilogue=0 has");
    if (strcmp(c->op, "flash_attention") == 0 &&
        (value_of(c, s, "R") != value_of(c, s, "B") * value_of(c, s, "T") || value_of(c, s, "window") != 0 ||
         value_of(c, s, "masks") != 0 || value_of(c, s, "Hkv") % value_of(c, s, "H") != 0))
        return tn_fail(ctx, TN_ERR_UNSUPPORTED,
                       "causal attention of every row has peers: R = B*T, window=0, masks=0, no heads of "
                       "keys that several heads read");
    if (strcmp(c->op, "causal_conv") == 0 && value_of(c, s, "silu") == 0)
        return tn_fail(ctx, TN_ERR_UNSUPPORTED, "the convolution is compared with its activation: silu=1");
    return TN_OK;
}

static int find(const tn_problem *p, const char *name) {
    for (int i = 0; p->c && i < p->tensor_count; i++)
        if (strcmp(p->tensors[i].name, name) == 0 && p->tensors[i].count)
            return i;
    return -1;
}

tn_status tn_peer_work_make(tn_device *dev, const tn_peer_task *task, const tn_case *c, const tn_shape *shape,
                            uint64_t seed, tn_peer_work *out) {
    tn_context *ctx = tn_device_context(dev);
    int pass = tn_case_pass(c, task->pass);
    tn_status status = TN_OK;
    *out = (tn_peer_work){.task = task};
    TN_GO(comparable(ctx, c, shape));
    TN_GO(tn_problem_make(ctx, dev, c, pass < 0 ? 0 : pass, shape, seed, &out->first));
    if (pass >= 0)
        return TN_OK;
    TN_GO(tn_problem_make(ctx, dev, c, tn_case_pass(c, "backward"), shape, seed, &out->second));
    for (int i = 0; i < out->second.tensor_count; i++) {
        int same = find(&out->first, out->second.tensors[i].name);
        out->joined[i] = out->second.tensors[i];
        if (same >= 0)
            out->joined[i].buffer = out->first.tensors[same].buffer;
    }
cleanup:
    if (status != TN_OK)
        tn_peer_work_free(out);
    return status;
}

void tn_peer_work_free(tn_peer_work *work) {
    if (work->second.c)
        tn_problem_free(tn_device_context(work->second.dev), &work->second);
    if (work->first.c)
        tn_problem_free(tn_device_context(work->first.dev), &work->first);
    *work = (tn_peer_work){0};
}

tn_status tn_peer_work_run(tn_device *dev, void *data) {
    tn_peer_work *w = data;
    TN_TRY(w->first.c->run(dev, &w->first.shape, w->first.pass, w->first.tensors));
    return w->second.c ? w->second.c->run(dev, &w->second.shape, w->second.pass, w->joined) : TN_OK;
}

void tn_peer_work_least(const tn_peer_work *w, double *flops, double *bytes) {
    double more_flops = 0, more_bytes = 0;
    tn_problem_least(&w->first, flops, bytes);
    if (w->second.c)
        tn_problem_least(&w->second, &more_flops, &more_bytes);
    *flops += more_flops;
    *bytes += more_bytes;
}

/* Where a named tensor stands; the first pass's where both have it. */
static const tn_problem *holder(const tn_peer_work *w, const char *name, int *index) {
    *index = find(&w->first, name);
    if (*index >= 0)
        return &w->first;
    *index = find(&w->second, name);
    return &w->second;
}

tn_status tn_peer_work_input(const tn_peer_work *w, int index, float **values, size_t *count) {
    int i;
    const tn_problem *p = holder(w, w->task->inputs[index], &i);
    const tn_tensor *t = &p->tensors[i];
    const double *from = p->initial[i] ? p->initial[i] : t->f64;
    *count = t->count;
    TN_TRY(tn_alloc(tn_device_context(p->dev), t->count, sizeof **values, values));
    for (size_t k = 0; k < t->count; k++)
        (*values)[k] = (float)from[k];
    return TN_OK;
}

size_t tn_peer_work_output_count(const tn_peer_work *w) {
    size_t sum = 0;
    for (int o = 0; w->task->outputs[o]; o++) {
        int i;
        const tn_problem *p = holder(w, w->task->outputs[o], &i);
        sum += p->tensors[i].count;
    }
    return sum;
}

tn_status tn_peer_work_outputs(tn_peer_work *w, float *values) {
    tn_device *dev = w->first.dev;
    TN_TRY(tn_problem_upload(&w->first));
    if (w->second.c)
        TN_TRY(tn_problem_upload(&w->second));
    TN_TRY(tn_peer_work_run(dev, w));
    TN_TRY(tn_device_finish(dev));
    for (int o = 0; w->task->outputs[o]; o++) {
        int i;
        const tn_problem *p = holder(w, w->task->outputs[o], &i);
        TN_TRY(tn_buffer_read(p->tensors[i].buffer, 0, 4 * p->tensors[i].count, values));
        values += p->tensors[i].count;
    }
    return TN_OK;
}

/* Each of two right results may be off by what the case allows of the reference. */
static double allowed(const tn_tensor *t, double theirs, double rms) {
    return 2 * (t->tol * (fabs(theirs) + rms) + t->floor);
}

static double rms_of(const float *values, size_t count) {
    double squares = 0;
    for (size_t k = 0; k < count; k++)
        squares += (double)values[k] * (double)values[k];
    return sqrt(squares / (double)count);
}

tn_status tn_peer_work_compare(const tn_peer_work *w, const char *peer, const float *ours,
                               const float *theirs, double *worst) {
    tn_context *ctx = tn_device_context(w->first.dev);
    *worst = 0;
    for (int o = 0; w->task->outputs[o]; o++) {
        int i;
        const tn_problem *p = holder(w, w->task->outputs[o], &i);
        const tn_tensor *t = &p->tensors[i];
        size_t count = t->count;
        double rms = rms_of(theirs, count);
        for (size_t k = 0; k < count; k++) {
            double off = fabs((double)ours[k] - (double)theirs[k]);
            *worst = !(off / rms <= *worst) ? off / rms : *worst;
            if (!(off <= allowed(t, (double)theirs[k], rms))) /* NaN too */
                return tn_fail(
                    ctx, TN_ERR_CHECK, "%s[%zu] is %.9g here, %.9g by %s: off by %.3g, allowed %.3g", t->name,
                    k, (double)ours[k], (double)theirs[k], peer, off, allowed(t, (double)theirs[k], rms));
        }
        ours += count;
        theirs += count;
    }
    return TN_OK;
}
