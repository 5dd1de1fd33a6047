#include "peers.h"

#include "gemm.h"

#include <string.h>

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
    return tn_gemm_through_clblast(dev, &s, p->tensors[0].buffer, p->tensors[1].buffer, p->tensors[2].buffer);
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

static tn_status compare(tn_device *dev, const other_side *other, const float *ours, tn_cost_row *row) {
    tn_context *ctx = tn_device_context(dev);
    float *theirs;
    double worst;
    TN_TRY(tn_alloc(ctx, tn_peer_work_output_count(other->work), sizeof *theirs, &theirs));
    tn_status status = their_outputs(dev, other, theirs);
    if (status == TN_OK) {
        status = tn_peer_work_compare(other->work, row->peer, ours, theirs, &worst);
        row->peer_max_diff = worst;
    }
    tn_free(ctx, theirs);
    return status;
}

/* Ours against its reference; briefly, for the whole result is held against the peer's as well. */
static tn_status verify(tn_device *dev, tn_peer_work *w, tn_cost_row *row) {
    const double patience_s = 0.1;
    TN_TRY(tn_bench_verify(dev, &w->first, patience_s, row));
    return w->second.c ? tn_bench_verify(dev, &w->second, patience_s, row) : TN_OK;
}

/* Both sides once more by events of the card: what of the times is launching and waiting, and what is work.
 */
static tn_status time_events(tn_device *dev, other_side *other, tn_pair_sample *pair, tn_cost_row *row) {
    double seconds, by_events;
    TN_TRY(tn_measure_events(dev, tn_peer_work_run, other->work, pair->a.calls, &pair->a));
    if (!other->process)
        return TN_OK;
    TN_TRY(tn_peer_run_events(other->process, pair->b.calls, &seconds, &by_events));
    row->peer_event_ms = 1e3 * by_events / pair->b.calls;
    return TN_OK;
}

static tn_status time_it(tn_device *dev, other_side *other, const tn_bench_options *o, tn_cost_row *row) {
    tn_peer_work *w = other->work;
    tn_measure_options m = {.seconds = o->seconds, .raw = o->raw};
    tn_pair_sample pair;
    if (other->process)
        TN_TRY(tn_measure_against(dev, tn_peer_work_run, w, run_process, other, &m, &pair));
    else
        TN_TRY(tn_measure_pair(dev, tn_peer_work_run, w, run_clblast, other, &m, &pair));
    if (tn_device_get_info(dev)->kind != TN_KIND_CPU)
        TN_TRY(time_events(dev, other, &pair, row));
    tn_row_set_choice(row, dev, w->first.c->op);
    double flops, bytes;
    tn_peer_work_least(w, &flops, &bytes);
    tn_row_set_sample(row, &pair.a, flops, bytes, o->roofline);
    tn_row_set_pair(row, &pair);
    return TN_OK;
}

/* A peer that is slow where nothing but arithmetic takes time says more about its settings than about ours.
 */
void tn_peers_doubt(tn_device *dev, const tn_roofline *r, tn_cost_row *row) {
    const double large = 1e9, share = 1.0 / 3;
    char reason[300];
    double rate = row->flops / (1e-3 * row->peer_wall_ms);
    if (!r || row->flops < large || !(rate < share * r->flops) ||
        row->flops / r->flops < row->bytes / tn_roofline_bandwidth(r, row->bytes))
        return;
    snprintf(
        reason, sizeof reason,
        "the peer reaches %.4g GFLOP/s here, %.0f %% of the measured ceiling: it may not be at its best, and "
        "the ratio says little",
        1e-9 * rate, 100 * rate / r->flops);
    tn_warn(tn_device_context(dev), "%s, %s %s: %s", row->peer, row->op, row->shape, reason);
    tn_row_set_status(row, "ok", reason);
}

static tn_status measure(tn_peers *peers, tn_device *dev, int kind, const tn_peer_task *task,
                         const tn_case *c, const tn_shape *shape, const tn_bench_options *o,
                         tn_cost_row *row) {
    tn_context *ctx = tn_device_context(dev);
    tn_peer_work work;
    other_side other = {.work = &work};
    float *ours = NULL;
    tn_status status = TN_OK;
    TN_TRY(tn_peer_work_make(dev, task, c, shape, o->seed, &work));
    TN_GO(verify(dev, &work, row));
    TN_GO(tn_alloc(ctx, tn_peer_work_output_count(&work), sizeof *ours, &ours));
    TN_GO(tn_peer_work_outputs(&work, ours));
    if (tn_peer_kinds[kind].program) {
        TN_GO(tn_peers_choose(peers, kind, &work, ours, &other.process));
        snprintf(row->peer, sizeof row->peer, "%s", tn_peer_name(other.process));
    } else {
        snprintf(row->peer, sizeof row->peer, "CLBlast %s, its defaults", TN_CLBLAST_VERSION);
    }
    TN_GO(compare(dev, &other, ours, row));
    TN_GO(time_it(dev, &other, o, row));
    tn_peers_doubt(dev, o->roofline, row);
cleanup:
    tn_free(ctx, ours);
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
