#include "routes.h"

#include "file.h"
#include "input.h"
#include "rng.h"

const char tn_routes_header[] = "sequence,layer,position,token,routed,oracle\n";

typedef struct tn_routes {
    tn_context *ctx;
    tn_workspace *ws;
    tn_batch batch; /* one sequence: its routes do not depend on others */
    int32_t *label_rows, *labels;
    uint8_t *routes; /* [layers,T] */
    bool text;
} tn_routes;

static tn_status prepare(tn_routes *r, tn_model *m, int64_t T) {
    TN_TRY(tn_batch_make(r->ctx, 1, T, &r->batch));
    TN_TRY(tn_alloc(r->ctx, (size_t)T, 4, &r->label_rows));
    TN_TRY(tn_alloc(r->ctx, (size_t)T, 4, &r->labels));
    TN_TRY(tn_alloc(r->ctx, (size_t)(m->config.layers * T), 1, &r->routes));
    return tn_workspace_create(m, 1, T, &r->ws);
}

static void release(tn_routes *r) {
    tn_workspace_destroy(r->ws);
    tn_batch_free(r->ctx, &r->batch);
    tn_free(r->ctx, r->label_rows);
    tn_free(r->ctx, r->labels);
    tn_free(r->ctx, r->routes);
}

/* Whether a row is shown that is neither routed nor needed. */
static bool is_shown(const tn_routes *r, int64_t layer, int64_t t) {
    int64_t T = r->batch.T;
    return T <= TN_ROUTES_WHOLE || t < TN_ROUTES_ENDS || t >= T - TN_ROUTES_ENDS ||
           (r->text && layer == 0 && t < TN_ROUTES_TEXT);
}

static void write_rows(const tn_routes *r, int64_t sequence, int64_t layers, FILE *stream) {
    int64_t T = r->batch.T;
    for (int64_t i = 0; i < layers; i++)
        for (int64_t t = 0; t < T; t++) {
            int routed = r->routes[i * T + t], oracle = r->batch.has_oracle && r->batch.oracle[t];
            if (!routed && !oracle && !is_shown(r, i, t))
                continue;
            fprintf(stream, "%lld,%lld,%lld,%d,%d,%s\n", (long long)sequence, (long long)i, (long long)t,
                    (int)r->batch.tokens[t], routed,
                    !r->batch.has_oracle ? ""
                    : oracle             ? "1"
                                         : "0");
        }
}

static tn_status write_all(tn_routes *r, tn_model *m, const tn_task *task, int64_t count, FILE *stream) {
    fputs(tn_routes_header, stream);
    for (int64_t s = 0; s < count; s++) {
        TN_TRY(tn_task_fill(r->ctx, task, TN_RNG_EVAL, (uint64_t)s, &r->batch));
        tn_input in = tn_batch_input(&r->batch, r->label_rows, r->labels);
        in.control_seed = 1;
        in.control_index = (uint64_t)s;
        TN_TRY(tn_model_forward(m, r->ws, &in, TN_GATE_COMPACT, r->routes, NULL));
        write_rows(r, s, m->config.layers, stream);
    }
    return TN_OK;
}

tn_status tn_routes_write(tn_model *m, const tn_task *task, int64_t count, const char *path) {
    tn_routes r = {.ctx = tn_device_context(m->dev), .text = tn_task_text(task) != NULL};
    tn_outfile file;
    TN_TRY(tn_outfile_open(r.ctx, path, &file));
    tn_status status = prepare(&r, m, tn_task_length(task));
    if (status == TN_OK)
        status = write_all(&r, m, task, count, file.stream);
    release(&r);
    return tn_outfile_end(r.ctx, &file, status);
}
