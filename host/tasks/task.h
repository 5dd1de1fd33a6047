/* Tasks: endless streams of sequences with labels. A sequence is a function of (seed, purpose, index), so a
 * batch can be made again at any time; training and evaluation draw from different purposes (rng.h) and never
 * share a sequence. */
#ifndef TN_TASK_H
#define TN_TASK_H

#include "context.h"

typedef enum tn_task_kind {
    TN_TASK_RECALL, /* key, value, fillers, the key again: which value? */
    TN_TASK_MQAR,   /* multi-query associative recall (Arora et al., Zoology, 2023) */
    TN_TASK_TEXT    /* bytes of a file: which byte is next? */
} tn_task_kind;

enum { TN_TASK_PATH = 1024 };

typedef struct tn_task_config {
    tn_task_kind kind;
    int64_t distance;        /* recall: T = distance + 2 */
    int64_t length, pairs;   /* mqar: L and P; text: length */
    bool filler_zero;        /* mqar: other positions hold token 0 instead of random ones */
    char data[TN_TASK_PATH]; /* text: path; "" elsewhere */
    uint64_t seed;
} tn_task_config;

/* TN_ERR_ARG with a sentence when sizes make no sense. */
tn_status tn_task_config_check(tn_context *ctx, const tn_task_config *c);
/* Zeroes what the task does not have: two configs of one task are the same, wherever they come from. */
void tn_task_config_trim(tn_task_config *c);
const char *tn_task_kind_name(tn_task_kind kind);
tn_status tn_task_kind_parse(tn_context *ctx, const char *text, tn_task_kind *out);

typedef struct tn_task tn_task;

tn_status tn_task_make(tn_context *ctx, const tn_task_config *c, tn_task **out);
void tn_task_free(tn_context *ctx, tn_task *task); /* NULL is fine */
int64_t tn_task_vocab(const tn_task *task);        /* V */
int64_t tn_task_length(const tn_task *task);       /* T */
int64_t tn_task_labels_per_sequence(const tn_task *task);
/* Rows a sequence that need far context, in one layer: 1 (recall), P (mqar); 0: nobody knows (text). */
double tn_task_floor_rows(const tn_task *task);
/* How many different held-out sequences there are; 0: as many as one wants. */
int64_t tn_task_held_out(const tn_task *task);

typedef struct tn_batch {
    int B, T;
    int32_t *tokens; /* [B,T] */
    int32_t *labels; /* [B,T], −1: none */
    uint8_t *oracle; /* [B,T], 1: a row that needs far context */
    bool has_oracle; /* the task knows */
} tn_batch;

tn_status tn_batch_make(tn_context *ctx, int64_t B, int64_t T, tn_batch *out);
void tn_batch_free(tn_context *ctx, tn_batch *batch);

/* Sequences `first` … `first + B − 1` of the stream `purpose` (TN_RNG_TRAIN, TN_RNG_EVAL). */
tn_status tn_task_fill(tn_context *ctx, const tn_task *task, uint32_t purpose, uint64_t first,
                       tn_batch *batch);
/* Σ over sequences of the share of labels that `predicted` has right; predicted: one a label, in order of
 * positions. */
double tn_task_score(const tn_task *task, const tn_batch *batch, const int32_t *predicted);

#endif
