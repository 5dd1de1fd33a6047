#include "bench_peers.h"

#include "file.h"
#include "peer_step.h"
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

/* The shapes of a task: of an op, or of the training step. */
typedef struct shape_list {
    const tn_case *c; /* NULL: steps */
    tn_shape ops[TN_SHAPES_MAX];
    tn_step_shape steps[2];
    int count;
} shape_list;

static tn_status shapes_of(tn_context *ctx, const tn_bench_peers *plan, const tn_peer_task *task,
                           shape_list *out) {
    out->c = tn_case_find(task->op);
    out->count = 1;
    if (!out->c && plan->shape)
        return tn_step_shape_parse(ctx, plan->shape, &out->steps[0]);
    if (plan->shape)
        return tn_shape_asked(ctx, out->c, plan->shape, &out->ops[0]);
    if (out->c)
        return tn_peer_shapes_of(ctx, out->c, out->ops, &out->count);
    out->steps[0] = (tn_step_shape){32, 128, NAN};
    out->steps[1] = (tn_step_shape){32, 512, NAN};
    out->count = 2;
    return TN_OK;
}

static tn_status one_row(session *s, const tn_peer_task *task, int kind, const shape_list *shapes, int i,
                         tn_cost_row *row) {
    tn_context *ctx = tn_device_context(s->dev);
    const tn_bench_options *o = &s->plan->options;
    const char *name = tn_peer_kinds[kind].name;
    char text[200];
    if (shapes->c) {
        tn_shape_print(shapes->c, &shapes->ops[i], text, sizeof text);
        tn_progress(ctx, "%s %s %s, %s", task->op, task->pass, text, name);
        return tn_peers_measure(&s->peers, s->dev, kind, task, shapes->c, &shapes->ops[i], o, row);
    }
    tn_progress(ctx, "step B=%lld T=%lld, %s", (long long)shapes->steps[i].B, (long long)shapes->steps[i].T,
                name);
    return tn_peers_measure_step(&s->peers, s->dev, kind, &shapes->steps[i], o, row);
}

static tn_status one_task(session *s, const tn_peer_task *task, int kind, const shape_list *shapes) {
    tn_context *ctx = tn_device_context(s->dev);
    tally *t = &s->tallies[s->count < TALLIES ? s->count++ : TALLIES - 1];
    *t = (tally){.task = task, .peer = tn_peer_kinds[kind].name};
    for (int i = 0; i < shapes->count; i++) {
        tn_cost_row row;
        tn_status status = one_row(s, task, kind, shapes, i, &row);
        tn_progress_end(ctx);
        TN_TRY(status);
        count_row(t, &row);
        TN_TRY(s->plan->write(s->plan->data, ctx, &row));
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

/* peers/ beside the program, as it is built, else where it is installed. */
static void folder_of_peers(const char *program, char *folder, size_t size) {
    const char *slash = strrchr(program, '/');
    int length = slash ? (int)(slash - program) : 1;
    snprintf(folder, size, "%.*s/peers", length, slash ? program : ".");
    if (!tn_file_exists(folder))
        snprintf(folder, size, "%.*s/../" TN_PEERS_FOLDER, length, slash ? program : ".");
}

tn_status tn_bench_peers_run(tn_device *dev, const tn_bench_peers *plan) {
    tn_context *ctx = tn_device_context(dev);
    session s = {.plan = plan, .dev = dev};
    shape_list shapes;
    char folder[4200];
    tn_status status = TN_OK;
    folder_of_peers(plan->program, folder, sizeof folder);
    s.peers.folder = folder;
    s.peers.python = plan->python;
    s.peers.on_card = tn_device_get_info(dev)->kind != TN_KIND_CPU;
    snprintf(s.peers.card, sizeof s.peers.card, "%s", tn_device_get_info(dev)->pci);
    for (const tn_peer_task *t = tn_peer_tasks; t->op; t++) {
        shapes.count = -1; /* a shape that was given is one of the ops asked for */
        for (int k = 0; tn_peer_kinds[k].name; k++) {
            if (!asked_for(plan, t, k))
                continue;
            if (shapes.count < 0)
                TN_GO(shapes_of(ctx, plan, t, &shapes));
            TN_GO(one_task(&s, t, k, &shapes));
        }
    }
    print_tallies(&s);
cleanup:
    tn_peers_stop(&s.peers);
    return status;
}
