#include "kinds.h"

#include <string.h>

const char *tn_task_kind_name(tn_task_kind kind) {
    static const char *const names[] = {"recall", "mqar", "text"};
    return names[kind];
}

tn_status tn_task_kind_parse(tn_context *ctx, const char *text, tn_task_kind *out) {
    for (int i = TN_TASK_RECALL; i <= TN_TASK_TEXT; i++)
        if (strcmp(text, tn_task_kind_name((tn_task_kind)i)) == 0) {
            *out = (tn_task_kind)i;
            return TN_OK;
        }
    return tn_fail(ctx, TN_ERR_ARG, "unknown task '%s'; there is recall, mqar and text", text);
}

static tn_status check_mqar(tn_context *ctx, const tn_task_config *c) {
    if (c->pairs < 1 || c->length < 1 || c->length % 2 != 0 || c->length > 1 << 20)
        return tn_fail(ctx, TN_ERR_ARG,
                       "mqar needs --length, an even number, and --pairs of at least 1; for example "
                       "--length 64 --pairs 4");
    if ((c->length - 2 * c->pairs) / 2 < c->pairs || c->pairs > TN_MQAR_VOCAB / 8)
        return tn_fail(ctx, TN_ERR_ARG,
                       "mqar: %lld pairs do not fit a length of %lld: it must be 4 times as long",
                       (long long)c->pairs, (long long)c->length);
    return TN_OK;
}

tn_status tn_task_config_check(tn_context *ctx, const tn_task_config *c) {
    if (c->kind == TN_TASK_RECALL) {
        if (c->distance < 1 || c->distance > (1 << 24))
            return tn_fail(
                ctx, TN_ERR_ARG,
                "a recall distance of %lld: it must lie in 1..16777216; for example --distance 126",
                (long long)c->distance);
        return TN_OK;
    }
    if (c->kind == TN_TASK_MQAR)
        return check_mqar(ctx, c);
    if (!c->data[0])
        return tn_fail(ctx, TN_ERR_ARG, "the text task needs something to read: --data FILE or FOLDER");
    if (c->length < 2 || c->length > (1 << 24))
        return tn_fail(ctx, TN_ERR_ARG,
                       "a text length of %lld: it must lie in 2..16777216; for example --length 256",
                       (long long)c->length);
    return TN_OK;
}

void tn_task_config_trim(tn_task_config *c) {
    if (c->kind != TN_TASK_RECALL)
        c->distance = 0;
    if (c->kind == TN_TASK_RECALL)
        c->length = 0;
    if (c->kind != TN_TASK_MQAR) {
        c->pairs = 0;
        c->filler_zero = false;
    }
    if (c->kind != TN_TASK_TEXT)
        c->data[0] = 0;
    if (c->kind != TN_TASK_TEXT)
        c->data_hash = 0;
}

int64_t tn_task_config_vocab(const tn_task_config *c) {
    return c->kind == TN_TASK_RECALL ? 3 * TN_RECALL_KINDS
           : c->kind == TN_TASK_MQAR ? TN_MQAR_VOCAB
                                     : TN_BYTES;
}

static void sizes(tn_task *task) {
    const tn_task_config *c = &task->config;
    if (c->kind == TN_TASK_RECALL) {
        task->length = c->distance + 2;
        task->labels = 1;
        task->floor_rows = 1;
    } else if (c->kind == TN_TASK_MQAR) {
        task->length = c->length;
        task->labels = c->pairs;
        task->floor_rows = (double)c->pairs;
    } else {
        task->length = task->labels = c->length;
        task->floor_rows = 0;
    }
}

tn_status tn_task_make(tn_context *ctx, const tn_task_config *c, tn_task **out) {
    tn_task *task;
    *out = NULL;
    TN_TRY(tn_task_config_check(ctx, c));
    TN_TRY(tn_alloc(ctx, 1, sizeof *task, &task));
    task->config = *c;
    sizes(task);
    tn_status status = c->kind == TN_TASK_TEXT ? tn_text_open(ctx, task) : TN_OK;
    if (status != TN_OK) {
        tn_task_free(ctx, task);
        return status;
    }
    *out = task;
    return TN_OK;
}

tn_status tn_task_config_read(tn_context *ctx, tn_task_config *c) {
    tn_task *task;
    if (c->kind != TN_TASK_TEXT || c->data_hash)
        return tn_task_config_check(ctx, c);
    TN_TRY(tn_task_make(ctx, c, &task));
    *c = task->config;
    tn_task_free(ctx, task);
    return TN_OK;
}

void tn_task_free(tn_context *ctx, tn_task *task) {
    if (!task)
        return;
    tn_text_close(ctx, task);
    tn_free(ctx, task);
}

const tn_task_config *tn_task_get_config(const tn_task *task) {
    return &task->config;
}

const tn_text_facts *tn_task_text(const tn_task *task) {
    return task->config.kind == TN_TASK_TEXT ? &task->facts : NULL;
}

int64_t tn_task_vocab(const tn_task *task) {
    return tn_task_config_vocab(&task->config);
}

int64_t tn_task_length(const tn_task *task) {
    return task->length;
}

int64_t tn_task_labels_per_sequence(const tn_task *task) {
    return task->labels;
}

double tn_task_floor_rows(const tn_task *task) {
    return task->floor_rows;
}

int64_t tn_task_held_out(const tn_task *task) {
    if (task->config.kind != TN_TASK_TEXT)
        return 0;
    return task->held_before[task->corpus.count - task->corpus.learned];
}

tn_status tn_batch_make(tn_context *ctx, int64_t B, int64_t T, tn_batch *out) {
    *out = (tn_batch){.B = (int)B, .T = (int)T};
    tn_status status = TN_OK;
    if (B < 1 || T < 1 || B > INT32_MAX / T)
        return tn_fail(ctx, TN_ERR_ARG, "a batch of %lld × %lld positions is too large; try a smaller one",
                       (long long)B, (long long)T);
    TN_GO(tn_alloc(ctx, (size_t)(B * T), sizeof(int32_t), &out->tokens));
    TN_GO(tn_alloc(ctx, (size_t)(B * T), sizeof(int32_t), &out->labels));
    TN_GO(tn_alloc(ctx, (size_t)(B * T), 1, &out->oracle));
    return TN_OK;
cleanup:
    tn_batch_free(ctx, out);
    return status;
}

void tn_batch_free(tn_context *ctx, tn_batch *batch) {
    tn_free(ctx, batch->tokens);
    tn_free(ctx, batch->labels);
    tn_free(ctx, batch->oracle);
    *batch = (tn_batch){0};
}

tn_status tn_task_fill(tn_context *ctx, const tn_task *task, uint32_t purpose, uint64_t first,
                       tn_batch *batch) {
    size_t T = (size_t)batch->T, N = (size_t)batch->B * T;
    memset(batch->tokens, 0, N * sizeof(int32_t));
    memset(batch->oracle, 0, N);
    for (size_t n = 0; n < N; n++)
        batch->labels[n] = -1;
    batch->has_oracle = task->config.kind != TN_TASK_TEXT;
    for (int b = 0; b < batch->B; b++) {
        tn_sequence s = {batch->tokens + (size_t)b * T, batch->labels + (size_t)b * T,
                         batch->oracle + (size_t)b * T};
        tn_rng rng = tn_rng_make(task->config.seed, purpose, first + (uint64_t)b);
        if (task->config.kind == TN_TASK_RECALL)
            tn_recall_sequence(task, &rng, s);
        else if (task->config.kind == TN_TASK_MQAR)
            TN_TRY(tn_mqar_sequence(ctx, task, &rng, s));
        else
            tn_text_sequence(task, &rng, purpose, first + (uint64_t)b, s);
    }
    return TN_OK;
}

double tn_task_score(const tn_batch *batch, const int32_t *predicted) {
    double sum = 0;
    int64_t l = 0;
    for (int64_t b = 0; b < batch->B; b++) {
        int64_t right = 0, of = l;
        for (int64_t t = 0; t < batch->T; t++) {
            int32_t label = batch->labels[b * batch->T + t];
            if (label >= 0)
                right += predicted[l++] == label;
        }
        sum += (double)right / (double)(l - of);
    }
    return sum;
}
