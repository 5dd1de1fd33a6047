/* Byte-level language modelling of a file: windows of T bytes, the label of each is the byte after it. The
 * last tenth is held out: training windows start at random before it, evaluation takes its windows one after
 * another. */
#include "kinds.h"

#include "file.h"

tn_status tn_text_open(tn_context *ctx, tn_task *task) {
    TN_TRY(tn_file_read(ctx, task->config.data, (char **)&task->text, &task->text_size));
    task->held_from = task->text_size - task->text_size / 10;
    size_t least = (size_t)task->length + 1;
    if (task->text_size - task->held_from < least)
        return tn_fail(ctx, TN_ERR_INPUT,
                       "%s has %zu bytes: its last tenth holds no window of %zu; name a longer file or a "
                       "smaller --length",
                       task->config.data, task->text_size, least);
    return TN_OK;
}

void tn_text_sequence(const tn_task *task, tn_rng *rng, uint32_t purpose, uint64_t index, tn_sequence s) {
    size_t T = (size_t)task->length, start;
    if (purpose == TN_RNG_EVAL)
        start = task->held_from + (size_t)(index % ((task->text_size - task->held_from - 1) / T)) * T;
    else
        start = tn_rng_below(rng, (uint32_t)(task->held_from - T));
    for (size_t t = 0; t < T; t++) {
        s.tokens[t] = task->text[start + t];
        s.labels[t] = task->text[start + t + 1];
    }
}
