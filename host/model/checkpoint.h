/* Models on disk: model.safetensors for everyone (README.md gives names and shapes), state.safetensors to go
 * on training. Nothing that is not finite is written, and nothing that is not finite is read. */
#ifndef TN_CHECKPOINT_H
#define TN_CHECKPOINT_H

#include "model.h"

/* A training model's parameters and moments at one moment, on the host: both files are made from it. */
typedef struct tn_snapshot {
    tn_model *m;                       /* borrowed */
    float *values, *moment1, *moment2; /* flat, as in params.h */
} tn_snapshot;

/* Waits for the device. TN_ERR_CHECK, naming the first of them, where a value is not finite. Free it also
 * after a failure. */
tn_status tn_snapshot_take(tn_model *m, tn_snapshot *out);
void tn_snapshot_free(tn_snapshot *s);

/* float32 tensors, config as strings in __metadata__, and as `run` the text that says which run's weights
 * these are. */
tn_status tn_checkpoint_save(const tn_snapshot *s, const char *path, const char *run);
/* Makes a model for inference from a checkpoint; every tensor must be there with its shape, every value
 * finite. `run`, where not NULL: its text, NULL where it has none; caller frees. */
tn_status tn_checkpoint_open(tn_device *dev, const char *path, tn_model **out, char **run);
tn_status tn_checkpoint_load(tn_device *dev, const char *path, tn_model **out); /* without the text */

enum { TN_STATE_STEERING = 3 };
/* Values, both moments, the step and the seed, and of a run that is steered some numbers, else NULL: all that
 * the next step depends on. */
tn_status tn_state_save(const tn_snapshot *s, const char *path, int64_t step, uint64_t seed,
                        const double steering[TN_STATE_STEERING], const char *run);
/* Into a training model of the same config; TN_ERR_INPUT when the file is another's, a value is not finite or
 * the step lies past `most`, or it has no steering where that is asked for, not NULL. `run` as in
 * tn_checkpoint_open. */
tn_status tn_state_load(tn_model *m, const char *path, uint64_t seed, int64_t most, int64_t *step,
                        double steering[TN_STATE_STEERING], char **run);

#endif
