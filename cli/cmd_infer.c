#include "commands.h"

#include "common.h"
#include "decode.h"
#include "infer.h"
#include "run_folder.h"
#include "safetensors.h"

#include <math.h>
#include <string.h>

typedef struct infer_run {
    tn_infer of;
    tn_workspace *ws;
    tn_safetensors in;
    uint8_t *one; /* [layers,T] */
} infer_run;

static tn_status read_tokens(infer_run *r, const char *path) {
    tn_context *ctx = r->of.ctx;
    TN_TRY(tn_safetensors_read(ctx, path, &r->in));
    const tn_st_tensor *t = tn_safetensors_find(&r->in, "tokens");
    if (!t || strcmp(t->dtype, "I32") != 0 || t->rank != 2 || t->dims[0] < 1 || t->dims[1] < 1)
        return tn_fail(ctx, TN_ERR_INPUT,
                       "%s: it wants a tensor 'tokens' of type I32 and shape [B,T], not empty", path);
    r->of.tokens = t->data;
    r->of.B = t->dims[0];
    r->of.T = t->dims[1];
    return TN_OK;
}

static int64_t rows_of(const tn_infer *r) {
    return r->last ? 1 : r->T;
}

static tn_status stopped(const tn_infer *r, int64_t done) {
    return tn_fail(r->ctx, TN_ERR_INTERRUPTED, "stopped after %lld of %lld sequences; nothing was written",
                   (long long)done, (long long)r->B);
}

static tn_status check_finite(infer_run *r, const tn_input *in, int64_t b) {
    const int64_t count = rows_of(&r->of) * r->of.m->config.vocab;
    const float *logits = r->of.logits + b * count;
    for (int64_t i = 0; i < count; i++)
        if (!isfinite(logits[i])) {
            tn_model_blame(r->of.m, r->ws, in, TN_GATE_COMPACT);
            return tn_fail_prefix(r->of.ctx, "sequence %lld", (long long)b);
        }
    return TN_OK;
}

static tn_status one_sequence(infer_run *r, int64_t b) {
    tn_infer *of = &r->of;
    const int64_t T = of->T, layers = of->m->config.layers, rows = rows_of(of),
                  width = rows * of->m->config.vocab;
    const int32_t last = (int32_t)T - 1;
    const tn_input in = {.B = 1,
                         .T = T,
                         .tokens = of->tokens + b * T,
                         .L = rows,
                         .label_rows = of->last ? &last : NULL,
                         .control_seed = 1,
                         .control_index = (uint64_t)b};
    TN_TRY(tn_model_forward(of->m, r->ws, &in, TN_GATE_COMPACT, r->one, NULL));
    TN_TRY(
        tn_buffer_read(tn_workspace_logits(r->ws), 0, (size_t)width * sizeof(float), of->logits + b * width));
    TN_TRY(check_finite(r, &in, b));
    for (int64_t i = 0; i < layers; i++)
        memcpy(of->routes + (i * of->B + b) * T, r->one + i * T, (size_t)T);
    return TN_OK;
}

/* One sequence at a time: a sequence alone gives the bits it gives in a batch, and memory stays small. */
static tn_status infer(infer_run *r) {
    TN_TRY(tn_workspace_create(r->of.m, 1, r->of.T, &r->ws));
    TN_TRY(tn_alloc(r->of.ctx, (size_t)(r->of.m->config.layers * r->of.T), 1, &r->one));
    for (int64_t b = 0; b < r->of.B; b++) {
        const tn_status status = one_sequence(r, b);
        if (status == TN_ERR_INTERRUPTED)
            return stopped(&r->of, b);
        TN_TRY(status);
        if (tn_interrupted())
            return stopped(&r->of, b + 1);
    }
    return TN_OK;
}

static tn_status results_allocate(tn_infer *r) {
    const tn_model_config *c = &r->m->config;
    TN_TRY(tn_alloc(r->ctx, (size_t)(r->B * rows_of(r) * c->vocab), sizeof(float), &r->logits));
    return tn_alloc(r->ctx, (size_t)(c->layers * r->B * r->T), 1, &r->routes);
}

static tn_status write(const tn_infer *r, const char *path) {
    const tn_model_config *c = &r->m->config;
    tn_st_tensor tensors[] = {{.name = "logits",
                               .dtype = "F32",
                               .rank = 3,
                               .dims = {r->B, rows_of(r), c->vocab},
                               .data = r->logits,
                               .bytes = (size_t)(r->B * rows_of(r) * c->vocab) * sizeof(float)},
                              {.name = "routes",
                               .dtype = "U8",
                               .rank = 3,
                               .dims = {c->layers, r->B, r->T},
                               .data = r->routes,
                               .bytes = (size_t)(c->layers * r->B * r->T)}};
    return tn_safetensors_write(r->ctx, path, NULL, 0, tensors, 2);
}

static tn_status run(tn_context *ctx, const tn_cli_args *args) {
    infer_run r = {.of = {.ctx = ctx, .last = tn_cli_given(args, "last")}};
    tn_device *dev = NULL;
    const char *tokens = tn_cli_string(args, "tokens", NULL), *logits = tn_cli_string(args, "logits", NULL);
    tn_status status = TN_OK;
    if (!tokens || !logits)
        return tn_fail(ctx, TN_ERR_ARG, "it wants --tokens IN.safetensors and --logits OUT.safetensors");
    TN_GO(read_tokens(&r, tokens));
    TN_GO(tn_device_open_selected(ctx, tn_cli_string(args, "device", NULL), &dev));
    TN_GO(tn_run_load(dev, args->arguments[0], NULL, &r.of.m));
    if (tn_cli_given(args, "decode"))
        TN_GO(tn_decoder_check(r.of.m, 1, r.of.T));
    TN_GO(results_allocate(&r.of));
    TN_GO(tn_cli_given(args, "decode") ? tn_infer_decode(&r.of) : infer(&r));
    TN_GO(write(&r.of, logits));
cleanup:
    tn_workspace_destroy(r.ws);
    tn_model_destroy(r.of.m);
    tn_device_close(dev);
    tn_safetensors_free(ctx, &r.in);
    tn_free(ctx, r.of.logits);
    tn_free(ctx, r.of.routes);
    tn_free(ctx, r.one);
    return status;
}

static const tn_cli_option options[] = {
    {"tokens", 0, "IN", TN_CLI_READS, "safetensors with `tokens` I32 [B,T]"},
    {"logits", 0, "OUT", TN_CLI_WRITES, "gets `logits` F32 [B,T,V] and `routes` U8 [layers,B,T]"},
    {"decode", 0, NULL, TN_CLI_FLAG,
     "a token at a time, from what is kept of those before it; not of routing by capacity"},
    {"last", 0, NULL, TN_CLI_FLAG, "`logits` of each sequence's last position alone: F32 [B,1,V]"},
    TN_CLI_DEVICE,
    TN_CLI_QUIET,
    {NULL},
};

const tn_cli_command tn_cmd_infer = {"infer",
                                     "Logits and routes of a trained model for given tokens",
                                     "DIR",
                                     1,
                                     1,
                                     options,
                                     run,
                                     "So that another program can hold our model against its own: "
                                     "host/model/README.md specifies it. Logits with "
                                     "--decode are the same to 1e-5, and routes the same."};
