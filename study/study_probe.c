#include "study_probe.h"

#include "rng.h"
#include "run_folder.h"

#include <math.h>

/* One side: a model and what it said of one sequence. */
typedef struct side {
    tn_model *m;
    tn_workspace *ws;
    uint8_t *routes; /* [layers,T] */
    float *logits;   /* [T,V] */
} side;

static tn_status prepare(tn_context *ctx, tn_device *dev, const char *folder, int64_t T, side *s) {
    TN_TRY(tn_run_load(dev, folder, NULL, &s->m));
    TN_TRY(tn_workspace_create(s->m, 1, T, &s->ws));
    TN_TRY(tn_alloc(ctx, (size_t)(s->m->config.layers * T), 1, &s->routes));
    return tn_alloc(ctx, (size_t)(T * s->m->config.vocab), sizeof(float), &s->logits);
}

static void release(tn_context *ctx, side *s) {
    tn_workspace_destroy(s->ws);
    tn_model_destroy(s->m);
    tn_free(ctx, s->routes);
    tn_free(ctx, s->logits);
}

static tn_status forward(side *s, const tn_batch *batch) {
    tn_input in = {.B = 1,
                   .T = batch->T,
                   .tokens = batch->tokens,
                   .L = batch->T,
                   .oracle = batch->oracle,
                   .control_seed = 1};
    TN_TRY(tn_model_forward(s->m, s->ws, &in, TN_GATE_COMPACT, s->routes, NULL));
    return tn_buffer_read(tn_workspace_logits(s->ws), 0,
                          (size_t)(batch->T * s->m->config.vocab) * sizeof(float), s->logits);
}

static void count(const side *a, const side *b, int64_t T, tn_study_difference *out) {
    int64_t decisions = a->m->config.layers * T, logits = T * a->m->config.vocab;
    out->decisions += decisions;
    for (int64_t i = 0; i < decisions; i++)
        out->differ += a->routes[i] != b->routes[i];
    for (int64_t i = 0; i < logits; i++) {
        double d = fabs((double)a->logits[i] - (double)b->logits[i]);
        if (!isnan(out->largest_logit) && !(d <= out->largest_logit)) /* NaN comes in and stays */
            out->largest_logit = d;
    }
}

tn_status tn_study_compare(tn_device *first, tn_device *second, const char *folder,
                           const tn_task_config *config, int64_t sequences, tn_study_difference *out) {
    tn_context *ctx = tn_device_context(first);
    tn_task *task = NULL;
    tn_batch batch = {0};
    side a = {0}, b = {0};
    *out = (tn_study_difference){0};
    tn_status status = TN_OK;
    TN_GO(tn_task_make(ctx, config, &task));
    TN_GO(tn_batch_make(ctx, 1, tn_task_length(task), &batch));
    TN_GO(prepare(ctx, first, folder, batch.T, &a));
    TN_GO(prepare(ctx, second, folder, batch.T, &b));
    for (int64_t i = 0; i < sequences; i++) {
        TN_GO(tn_task_fill(ctx, task, TN_RNG_EVAL, (uint64_t)i, &batch));
        TN_GO(forward(&a, &batch));
        TN_GO(forward(&b, &batch));
        count(&a, &b, batch.T, out);
        if (!isfinite(out->largest_logit)) {
            status = tn_fail(ctx, TN_ERR_DEVICE,
                             "comparing two devices: logits of sequence %lld are not finite", (long long)i);
            goto cleanup;
        }
    }
cleanup:
    release(ctx, &a);
    release(ctx, &b);
    tn_batch_free(ctx, &batch);
    tn_task_free(ctx, task);
    return status;
}
