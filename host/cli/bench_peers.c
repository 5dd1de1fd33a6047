#include "bench_peers.h"

#include "shapes.h"

#include <math.h>
#include <string.h>

/* Ratios of the rows of one op, pass and peer. */
typedef struct tally {
    const tn_peer_task *task;
    const char *peer;
    int rows, n; /* n: those with a ratio */
    double logs, worst, best;
} tally;

enum { TALLIES = 64 };

typedef struct session {
    const tn_bench_peers *plan;
    tn_device *dev;
    tn_peers peers;
    tally tallies[TALLIES];
    int count;
} session;

static bool chosen(const char *wanted, const char *name) {
    return !wanted || strcmp(wanted, name) == 0;
}

static bool asked_for(const tn_bench_peers *plan, const tn_peer_task *task, int kind) {
    return chosen(plan->op, task->op) && chosen(plan->pass, task->pass) &&
           chosen(plan->peer, tn_peer_kinds[kind].name) && tn_peer_kind_does(kind, task->op);
}

tn_status tn_bench_peers_check(tn_context *ctx, const tn_bench_peers *plan) {
    char list[1024] = "";
    size_t used = 0;
    for (const tn_peer_task *t = tn_peer_tasks; t->op; t++)
        for (int k = 0; tn_peer_kinds[k].name; k++) {
            if (asked_for(plan, t, k))
                return TN_OK;
            if (tn_peer_kind_does(k, t->op) && used < sizeof list)
                used += (size_t)snprintf(list + used, sizeof list - used, "%s%s %s by %s", used ? ", " : "",
                                         t->op, t->pass, tn_peer_kinds[k].name);
        }
    return tn_fail(ctx, TN_ERR_ARG, "no peer does that; there is: %s", list);
}

static void count_row(tally *t, const tn_cost_row *row) {
    t->rows++;
    if (!isfinite(row->peer_ratio) || !(row->peer_ratio > 0))
        return;
    t->worst = t->n && t->worst < row->peer_ratio ? t->worst : row->peer_ratio;
    t->best = t->n && t->best > row->peer_ratio ? t->best : row->peer_ratio;
    t->logs += log(row->peer_ratio);
    t->n++;
}

static tn_status one_task(session *s, const tn_peer_task *task, int kind, const tn_case *c,
                          const tn_shape *shapes, int shape_count) {
    tn_context *ctx = tn_device_context(s->dev);
    tally *t = &s->tallies[s->count < TALLIES ? s->count++ : TALLIES - 1];
    *t = (tally){.task = task, .peer = tn_peer_kinds[kind].name};
    for (int i = 0; i < shape_count; i++) {
        char text[200];
        tn_cost_row row;
        tn_shape_print(c, &shapes[i], text, sizeof text);
        tn_progress(ctx, "%s %s %s, %s", task->op, task->pass, text, t->peer);
        tn_status status =
            tn_peers_measure(&s->peers, s->dev, kind, task, c, &shapes[i], &s->plan->options, &row);
        tn_progress_end(ctx);
        TN_TRY(status);
        count_row(t, &row);
        s->plan->write(s->plan->data, ctx, &row);
    }
    return TN_OK;
}

static void print_tallies(const session *s) {
    for (int i = 0; i < s->count; i++) {
        const tally *t = &s->tallies[i];
        if (t->n)
            fprintf(stderr, "%s %s: %.3f times as fast as %s (geometric mean of %d; worst %.3f, best %.3f)",
                    t->task->op, t->task->pass, exp(t->logs / t->n), t->peer, t->n, t->worst, t->best);
        else
            fprintf(stderr, "%s %s: not compared with %s", t->task->op, t->task->pass, t->peer);
        if (t->rows > t->n)
            fprintf(stderr, "; %d of %d rows have no ratio, their reasons stand there", t->rows - t->n,
                    t->rows);
        fputc('\n', stderr);
    }
}

static tn_status shapes_of(tn_context *ctx, const tn_bench_peers *plan, const tn_case *c, tn_shape *shapes,
                           int *count) {
    if (!plan->shape)
        return tn_peer_shapes_of(ctx, c, shapes, count);
    *count = 1;
    return tn_shape_parse(ctx, c, plan->shape, &shapes[0]);
}

tn_status tn_bench_peers_run(tn_device *dev, const tn_bench_peers *plan) {
    tn_context *ctx = tn_device_context(dev);
    session s = {.plan = plan, .dev = dev};
    tn_shape shapes[TN_SHAPES_MAX];
    char folder[4200];
    int count;
    tn_status status = TN_OK;
    const char *slash = strrchr(plan->program, '/');
    snprintf(folder, sizeof folder, "%.*s/peers", slash ? (int)(slash - plan->program) : 1,
             slash ? plan->program : ".");
    s.peers.folder = folder;
    s.peers.python = plan->python;
    for (const tn_peer_task *t = tn_peer_tasks; t->op; t++) {
        const tn_case *c = tn_case_find(t->op);
        count = -1; /* a shape that was given is one of the ops asked for */
        for (int k = 0; tn_peer_kinds[k].name; k++) {
            if (!asked_for(plan, t, k))
                continue;
            if (count < 0)
                TN_GO(shapes_of(ctx, plan, c, shapes, &count));
            TN_GO(one_task(&s, t, k, c, shapes, count));
        }
    }
    print_tallies(&s);
cleanup:
    tn_peers_stop(&s.peers);
    return status;
}
