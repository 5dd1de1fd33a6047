/* Tasks: endless streams of sequences with labels. A sequence is a function of (seed, purpose, index), so a
 * batch can be made again at any time; training and evaluation draw from different purposes (rng.h) and never
 * share a sequence. */
#ifndef TN_TASK_H
#define TN_TASK_H

#include "context.h"

typedef enum tn_task_kind {
    TN_TASK_RECALL, /* key, value, fillers, the key again: which value? */
    TN_TASK_MQAR,   /* multi-query associative recall (Arora et al., Zoology, 2023) */
    TN_TASK_TEXT    /* bytes of documents: which byte is next? */
} tn_task_kind;

enum { TN_TASK_PATH = 1024 };

typedef struct tn_task_config {
    tn_task_kind kind;
    int64_t distance;        /* recall: T = distance + 2 */
    int64_t length, pairs;   /* mqar: L and P; text: length */
    bool filler_zero;        /* mqar: other positions hold token 0 instead of random ones */
    char data[TN_TASK_PATH]; /* text: files, folders, patterns (corpus.h); "" elsewhere */
    uint64_t data_hash;      /* text: of what was read there, 0: nobody knows yet */
    uint64_t seed;
} tn_task_config;

/* TN_ERR_ARG with a sentence when sizes make no sense. */
tn_status tn_task_config_check(tn_context *ctx, const tn_task_config *c);
/* Zeroes what the task does not have: two configs of one task are the same, wherever they come from. */
void tn_task_config_trim(tn_task_config *c);
const char *tn_task_kind_name(tn_task_kind kind);
tn_status tn_task_kind_parse(tn_context *ctx, const char *text, tn_task_kind *out);

/* What was read for text. */
typedef struct tn_text_facts {
    int64_t files, empty, binary, copies; /* found; of them left out */
    int64_t documents, bytes;             /* in all, separators not counted */
    int64_t held_documents, held_bytes;   /* of them held out */
    int64_t short_documents;              /* learned from, and shorter than a window */
} tn_text_facts;

enum { TN_TEXT_WORDS = 320 };
/* The same in a sentence. Returns words. */
const char *tn_text_facts_say(const tn_text_facts *f, char words[TN_TEXT_WORDS]);

typedef struct tn_task tn_task;

/* TN_ERR_INPUT where text is not what c->data_hash was taken of. */
tn_status tn_task_make(tn_context *ctx, const tn_task_config *c, tn_task **out);
void tn_task_free(tn_context *ctx, tn_task *task);     /* NULL is fine */
int64_t tn_task_config_vocab(const tn_task_config *c); /* V of the task, made or not */
/* Checks c, and of text whose hash nobody knows yet reads it, for the hash. */
tn_status tn_task_config_read(tn_context *ctx, tn_task_config *c);
/* As it was made, and for text with its hash; borrowed. */
const tn_task_config *tn_task_get_config(const tn_task *task);
const tn_text_facts *tn_task_text(const tn_task *task);   /* borrowed; NULL for other tasks */
int64_t tn_task_vocab(const tn_task *task);               /* V */
int64_t tn_task_length(const tn_task *task);              /* T */
int64_t tn_task_labels_per_sequence(const tn_task *task); /* at most: a short document fills no window */
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
double tn_task_score(const tn_batch *batch, const int32_t *predicted);

#endif
