/* Inside host/tasks: one sequence of each kind. Rows point at T entries; labels come as −1, oracle as 0,
 * tokens as 0. */
#ifndef TN_TASK_KINDS_H
#define TN_TASK_KINDS_H

#include "corpus.h"
#include "rng.h"
#include "task.h"

struct tn_task {
    tn_task_config config;
    int64_t length, labels; /* T, labels a sequence */
    double floor_rows;
    tn_corpus corpus; /* of text */
    /* Of text: windows in the documents before each one, of those that are learned from and of those that are
     * held out: [learned + 1] and [count − learned + 1]. */
    uint32_t *learned_before, *held_before;
    tn_text_facts facts;
};

enum { TN_RECALL_KINDS = 64 }; /* keys, values and fillers: three ranges of 64 tokens */
enum { TN_MQAR_VOCAB = 8192, TN_BYTES = 256 };

typedef struct tn_sequence {
    int32_t *tokens, *labels;
    uint8_t *oracle;
} tn_sequence;

void tn_recall_sequence(const tn_task *task, tn_rng *rng, tn_sequence s);
tn_status tn_mqar_sequence(tn_context *ctx, const tn_task *task, tn_rng *rng, tn_sequence s);
tn_status tn_text_open(tn_context *ctx, tn_task *task);
void tn_text_close(tn_context *ctx, tn_task *task);
void tn_text_sequence(const tn_task *task, tn_rng *rng, uint32_t purpose, uint64_t index, tn_sequence s);

#endif
