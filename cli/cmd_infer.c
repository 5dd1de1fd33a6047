#include "commands.h"

#include "common.h"
#include "run_folder.h"
#include "safetensors.h"

#include <math.h>
#include <string.h>

typedef struct infer_run {
    tn_context *ctx;
    tn_model *m;
    tn_workspace *ws;
    tn_safetensors in;
    const int32_t *tokens; /* [B,T] */
    int64_t B, T;
    float *logits;   /* [B,T,V] */
    uint8_t *routes; /* [layers,B,T] */
    uint8_t *one;    /* [layers,T] */
} infer_run;

static tn_status read_tokens(infer_run *r, const char *path) {
    TN_TRY(tn_safetensors_read(r->ctx, path, &r->in));
    const tn_st_tensor *t = tn_safetensors_find(&r->in, "tokens");
    if (!t || strcmp(t->dtype, "I32") != 0 || t->rank != 2 || t->dims[0] < 1 || t->dims[1] < 1)
        return tn_fail(r->ctx, TN_ERR_INPUT,
                       "%s: it wants a tensor 'tokens' of type I32 and shape [B,T], not empty", path);
    r->tokens = t->data;
    r->B = t->dims[0];
    r->T = t->dims[1];
    return TN_OK;
}

static tn_status stopped(const infer_run *r, int64_t done) {
    return tn_fail(r->ctx, TN_ERR_INTERRUPTED, "stopped after %lld of %lld sequences; nothing was written",
                   (long long)done, (long long)r->B);
}

static tn_status check_finite(infer_run *r, const tn_input *in, int64_t b) {
    const float *logits = r->logits + b * r->T * r->m->config.vocab;
    for (int64_t i = 0; i < r->T * r->m->config.vocab; i++)
        if (!isfinite(logits[i])) {
            tn_model_blame(r->m, r->ws, in, TN_GATE_COMPACT);
            return tn_fail_prefix(r->ctx, "sequence %lld", (long long)b);
        }
    return TN_OK;
}

/* One sequence at a time: a sequence alone gives the bits it gives in a batch, and memory stays small. */
static tn_status infer(infer_run *r) {
    const tn_model_config *c = &r->m->config;
    int64_t T = r->T, V = c->vocab;
    TN_TRY(tn_workspace_create(r->m, 1, T, &r->ws));
    TN_TRY(tn_alloc(r->ctx, (size_t)(r->B * T * V), sizeof(float), &r->logits));
    TN_TRY(tn_alloc(r->ctx, (size_t)(c->layers * r->B * T), 1, &r->routes));
    TN_TRY(tn_alloc(r->ctx, (size_t)(c->layers * T), 1, &r->one));
    for (int64_t b = 0; b < r->B; b++) {
        tn_input in = {.B = 1,
                       .T = T,
                       .tokens = r->tokens + b * T,
                       .L = T,
                       .control_seed = 1,
                       .control_index = (uint64_t)b};
        tn_status status = tn_model_forward(r->m, r->ws, &in, TN_GATE_COMPACT, r->one, NULL);
        if (status == TN_ERR_INTERRUPTED)
            return stopped(r, b);
        TN_TRY(status);
        TN_TRY(tn_buffer_read(tn_workspace_logits(r->ws), 0, (size_t)(T * V) * sizeof(float),
                              r->logits + b * T * V));
        TN_TRY(check_finite(r, &in, b));
        for (int64_t i = 0; i < c->layers; i++)
            memcpy(r->routes + (i * r->B + b) * T, r->one + i * T, (size_t)T);
        if (tn_interrupted())
            return stopped(r, b + 1);
    }
    return TN_OK;
}

static tn_status write(const infer_run *r, const char *path) {
    const tn_model_config *c = &r->m->config;
    tn_st_tensor tensors[] = {{.name = "logits",
                               .dtype = "F32",
                               .rank = 3,
                               .dims = {r->B, r->T, c->vocab},
                               .data = r->logits,
                               .bytes = (size_t)(r->B * r->T * c->vocab) * sizeof(float)},
                              {.name = "routes",
                               .dtype = "U8",
                               .rank = 3,
                               .dims = {c->layers, r->B, r->T},
                               .data = r->routes,
                               .bytes = (size_t)(c->layers * r->B * r->T)}};
    return tn_safetensors_write(r->ctx, path, NULL, 0, tensors, 2);
}

static tn_status run(tn_context *ctx, const tn_cli_args *args) {
    infer_run r = {.ctx = ctx};
    tn_device *dev = NULL;
    const char *tokens = tn_cli_string(args, "tokens", NULL), *logits = tn_cli_string(args, "logits", NULL);
    tn_status status = TN_OK;
    if (!tokens || !logits)
        return tn_fail(ctx, TN_ERR_ARG, "it wants --tokens IN.safetensors and --logits OUT.safetensors");
    TN_GO(read_tokens(&r, tokens));
    TN_GO(tn_device_open_selected(ctx, tn_cli_string(args, "device", NULL), &dev));
    TN_GO(tn_run_load(dev, args->arguments[0], NULL, &r.m));
    TN_GO(infer(&r));
    TN_GO(write(&r, logits));
cleanup:
    tn_workspace_destroy(r.ws);
    tn_model_destroy(r.m);
    tn_device_close(dev);
    tn_safetensors_free(ctx, &r.in);
    tn_free(ctx, r.logits);
    tn_free(ctx, r.routes);
    tn_free(ctx, r.one);
    return status;
}

static const tn_cli_option options[] = {
    {"tokens", 0, "IN", TN_CLI_READS, "safetensors with `tokens` I32 [B,T]"},
    {"logits", 0, "OUT", TN_CLI_WRITES, "gets `logits` F32 [B,T,V] and `routes` U8 [layers,B,T]"},
    TN_CLI_DEVICE,
    TN_CLI_QUIET,
    {NULL},
};

const tn_cli_command tn_cmd_infer = {
    "infer",
    "Logits and routes of a trained model for given tokens",
    "DIR",
    1,
    1,
    options,
    run,
    "So that another program can hold our model against its own: host/model/README.md specifies it."};
