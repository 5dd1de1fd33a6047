/* One training run in a folder: config.json, metrics.csv, model.safetensors, state.safetensors. A run that is
 * cut off goes on from its last state and ends with the same bits as one that was not. */
#ifndef TN_TRAINER_H
#define TN_TRAINER_H

#include "curriculum.h"
#include "lock.h"
#include "task.h"

typedef enum tn_penalty {
    TN_PENALTY_MEAN, /* λ · mean over layers and positions of p: the published form */
    /* λ · Σp / (layers · B · rows that the task needs in a layer of a sequence): priced by the needed row, so
     * it neither fades with length nor, beside a loss that is a mean over the queries, grows with their
     * number. Text, where nobody knows how many: as for one. */
    TN_PENALTY_ROWS
} tn_penalty;
tn_status tn_penalty_parse(tn_context *ctx, const char *text, tn_penalty *out); /* "mean", "rows" */

/* What a row costs on a device: where λ was priced by it. Both 0: λ was given. */
typedef struct tn_row_cost {
    double routed_ms;   /* one more routed row, beyond what every row costs */
    double unrouted_ms; /* a row where none is routed */
} tn_row_cost;

/* mqar: the first `steps` steps are at a shorter length, with as many times fewer pairs and as many times
 * more sequences a step. steps 0: none. */
typedef struct tn_shorter {
    int64_t steps, length;
} tn_shorter;

typedef struct tn_train_config {
    tn_task_config task;
    tn_model_config model;
    tn_curriculum curriculum;
    tn_shorter shorter;
    tn_optimizer optimizer; /* lr is the curriculum's */
    tn_penalty penalty;
    tn_row_cost row_cost; /* behind the curriculum's λ */
    double router_bias;   /* of every router at the start: p = sigmoid(router_bias) for all rows */
    double head_init;     /* the head starts as the embedding times this; 0: at random */
    int64_t batch;
    uint64_t seed;
    int64_t log_every, checkpoint_every; /* steps */
} tn_train_config;

/* Everything as a user would expect it for the task; steps 0: the task's usual number. */
tn_status tn_train_config_default(tn_context *ctx, const tn_task_config *task, int64_t steps,
                                  tn_train_config *out);
/* The published form of routing's training: the mean penalty, routers that start undecided, no margin, no
 * batch run again. */
void tn_train_config_plain(tn_train_config *c);
/* The task of a step: the shorter one or the run's own. */
tn_task_config tn_train_config_task(const tn_train_config *c, int64_t step);
/* TN_ERR_ARG with a sentence when a number makes no sense. */
tn_status tn_train_config_check(tn_context *ctx, const tn_train_config *c);

typedef struct tn_train_result {
    int64_t steps;   /* done in all, those before a resume included */
    double seconds;  /* of all steps, over all resumes */
    double accuracy; /* of the last logged training batch */
    int64_t params;
} tn_train_result;

/* What a row of a batch of B adds to the loss with p = 1 at this λ: the penalty is this times Σp over layers,
 * sequences and positions. */
double tn_penalty_of_row(const tn_train_config *c, const tn_task *task, int64_t B, double lambda);

/* Trains in `folder` (made when missing) and locks it before anything is written; the caller releases the
 * lock, also after a failure, once it has written what follows. resume: goes on from state.safetensors, which
 * must be of the same config; a run that has none but more than its config is refused, and so is, without
 * resume, a folder that holds any file of a run. Ctrl-C ends with TN_ERR_INTERRUPTED after the state was
 * saved. Nothing that is not finite is saved: TN_ERR_DEVICE names the step and the first tensor. */
tn_status tn_train(tn_device *dev, const tn_train_config *c, const char *folder, bool resume, tn_lock *lock,
                   tn_train_result *out);

/* config.json of a run. */
tn_status tn_train_config_save(tn_context *ctx, const tn_train_config *c, const char *path);
tn_status tn_train_config_load(tn_context *ctx, const char *path, tn_train_config *out);
/* Names the first field that differs, in ctx->message with TN_ERR_ARG; steps and intervals included. */
tn_status tn_train_config_same(tn_context *ctx, const tn_train_config *a, const tn_train_config *b);
/* The same as one line, which goes into the files of the run so that they can be told from another's. Caller
 * frees. */
tn_status tn_train_config_text(tn_context *ctx, const tn_train_config *c, char **out);
/* That the file at `path`, which says `run` of itself (NULL: nothing, as older ones), is of the run with the
 * config c. TN_ERR_INPUT with the first field that differs, and both values. */
tn_status tn_train_config_of_file(tn_context *ctx, const tn_train_config *c, const char *path,
                                  const char *run);

#endif
