#include "peers.h"

#include "gemm.h"

#include <string.h>

static const char *const products[] = {"gemm", NULL};
static const char *const torch_ops[] = {"gemm", "flash_attention", "causal_conv", "step", NULL};
static const char *const steps[] = {"step", NULL};

enum { DEATHS = 2 };

const tn_peer_kind tn_peer_kinds[] = {{"openblas", "turnout-openblas", false, products},
                                      {"clblast", NULL, false, products},
                                      {"torch", "torch_peer.py", true, torch_ops},
                                      {"torch-compile", "torch_peer.py", true, steps},
                                      {NULL}};

bool tn_peer_kind_does(int kind, const char *op) {
    for (const char *const *o = tn_peer_kinds[kind].ops; *o; o++)
        if (strcmp(*o, op) == 0)
            return true;
    return false;
}

void tn_peers_stop(tn_peers *peers) {
    for (int k = 0; k < TN_PEER_KINDS; k++) {
        tn_peer_stop(peers->running[k]);
        peers->running[k] = NULL;
    }
}

tn_status tn_peers_process(tn_context *ctx, tn_peers *peers, int kind, tn_peer **out) {
    const tn_peer_kind *k = &tn_peer_kinds[kind];
    char path[4200];
    const char *argv[] = {peers->python, path, NULL};
    if (peers->running[kind] && !tn_peer_alive(peers->running[kind])) {
        peers->deaths[kind]++;
        tn_peer_stop(peers->running[kind]);
        peers->running[kind] = NULL;
    }
    if (peers->deaths[kind] >= DEATHS)
        return tn_fail(ctx, TN_ERR_DEVICE, "%s crashed or hung %d times in this run and is left alone",
                       k->name, DEATHS);
    if (!peers->running[kind]) {
        snprintf(path, sizeof path, "%s/%s", peers->folder, k->program);
        TN_TRY(tn_peer_start(ctx, k->script ? argv : argv + 1, NULL, &peers->running[kind]));
    }
    *out = peers->running[kind];
    return TN_OK;
}

static tn_status hand_over(tn_peer *peer, const tn_peer_work *w) {
    tn_context *ctx = tn_device_context(w->first.dev);
    char shape[200], what[300];
    for (int i = 0; w->task->inputs[i]; i++) {
        float *values;
        size_t count;
        TN_TRY(tn_peer_work_input(w, i, &values, &count));
        tn_status status = tn_peer_input(peer, values, count);
        tn_free(ctx, values);
        TN_TRY(status);
    }
    tn_shape_print(w->first.c, &w->first.shape, shape, sizeof shape);
    for (char *p = shape; *p; p++)
        *p = *p == ',' ? ' ' : *p;
    snprintf(what, sizeof what, "%s %s %s", w->task->op, w->task->pass, shape);
    return tn_peer_prepare(peer, what);
}

/* The other side of a pair: a process, or CLBlast on our own buffers. */
typedef struct other_side {
    tn_peer *process; /* NULL: CLBlast */
    tn_peer_work *work;
} other_side;

static tn_status run_process(tn_device *dev, void *data, int calls, double *seconds) {
    (void)dev;
    return tn_peer_run(((other_side *)data)->process, calls, seconds);
}

static tn_status run_clblast(tn_device *dev, void *data) {
    const tn_problem *p = &((other_side *)data)->work->first;
    static const tn_gemm_form forms[] = {TN_GEMM_NN, TN_GEMM_NT, TN_GEMM_TN};
    tn_gemm_shape s = {forms[p->pass], p->shape.v[0], p->shape.v[1], p->shape.v[2]};
    return tn_gemm_run(dev, TN_GEMM_CLBLAST, &s, p->tensors[0].buffer, p->tensors[1].buffer,
                       p->tensors[2].buffer, NULL, NULL);
}

static tn_status their_outputs(tn_device *dev, const other_side *other, float *values) {
    size_t count = tn_peer_work_output_count(other->work);
    if (other->process)
        return tn_peer_output(other->process, values, count);
    tn_buffer *c = other->work->first.tensors[0].buffer;
    TN_TRY(tn_buffer_fill_u32(c, 0, count * sizeof *values, 0x7fc00000)); /* NaN: ours stands there */
    TN_TRY(run_clblast(dev, (void *)other));
    return tn_buffer_read(c, 0, count * sizeof *values, values);
}

static tn_status compare(tn_device *dev, const other_side *other, tn_cost_row *row) {
    tn_context *ctx = tn_device_context(dev);
    float *ours = NULL, *theirs = NULL;
    size_t count = tn_peer_work_output_count(other->work);
    double worst;
    tn_status status = TN_OK;
    TN_GO(tn_alloc(ctx, count, sizeof *ours, &ours));
    TN_GO(tn_alloc(ctx, count, sizeof *theirs, &theirs));
    TN_GO(tn_peer_work_outputs(other->work, ours));
    TN_GO(their_outputs(dev, other, theirs));
    status = tn_peer_work_compare(other->work, row->peer, ours, theirs, &worst);
    row->peer_max_diff = worst;
cleanup:
    tn_free(ctx, theirs);
    tn_free(ctx, ours);
    return status;
}

/* Ours against its reference; briefly, for the whole result is held against the peer's as well. */
static tn_status verify(tn_device *dev, tn_peer_work *w, tn_cost_row *row) {
    const double patience_s = 0.1;
    TN_TRY(tn_bench_verify(dev, &w->first, patience_s, row));
    return w->second.c ? tn_bench_verify(dev, &w->second, patience_s, row) : TN_OK;
}

static tn_status time_it(tn_device *dev, other_side *other, const tn_bench_options *o, tn_cost_row *row) {
    tn_peer_work *w = other->work;
    tn_measure_options m = {.seconds = o->seconds, .raw = o->raw};
    tn_pair_sample pair;
    if (other->process)
        TN_TRY(tn_measure_against(dev, tn_peer_work_run, w, run_process, other, &m, &pair));
    else
        TN_TRY(tn_measure_pair(dev, tn_peer_work_run, w, run_clblast, other, &m, &pair));
    tn_row_set_tuned(row, dev, w->first.c->op);
    double flops, bytes;
    tn_peer_work_least(w, &flops, &bytes);
    tn_row_set_sample(row, &pair.a, flops, bytes, o->roofline);
    tn_row_set_pair(row, &pair);
    return TN_OK;
}

static tn_status measure(tn_peers *peers, tn_device *dev, int kind, const tn_peer_task *task,
                         const tn_case *c, const tn_shape *shape, const tn_bench_options *o,
                         tn_cost_row *row) {
    tn_peer_work work;
    other_side other = {.work = &work};
    tn_status status = TN_OK;
    TN_TRY(tn_peer_work_make(dev, task, c, shape, o->seed, &work));
    if (tn_peer_kinds[kind].program) {
        TN_GO(tn_peers_process(tn_device_context(dev), peers, kind, &other.process));
        TN_GO(hand_over(other.process, &work));
        snprintf(row->peer, sizeof row->peer, "%s", tn_peer_name(other.process));
    } else {
        snprintf(row->peer, sizeof row->peer, "CLBlast %s, its defaults", TN_CLBLAST_VERSION);
    }
    TN_GO(verify(dev, &work, row));
    TN_GO(compare(dev, &other, row));
    TN_GO(time_it(dev, &other, o, row));
cleanup:
    tn_peer_work_free(&work);
    return status;
}

tn_status tn_peers_measure(tn_peers *peers, tn_device *dev, int kind, const tn_peer_task *task,
                           const tn_case *c, const tn_shape *shape, const tn_bench_options *o,
                           tn_cost_row *row) {
    tn_context *ctx = tn_device_context(dev);
    tn_bench_identify(dev, c, task->pass, shape, o, row);
    snprintf(row->peer, sizeof row->peer, "%s", tn_peer_kinds[kind].name);
    tn_status status = measure(peers, dev, kind, task, c, shape, o, row);
    return tn_row_settle(row, status, ctx);
}
