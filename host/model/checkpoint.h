/* Models on disk: model.safetensors for everyone (README.md gives names and shapes), state.safetensors to go
 * on training. */
#ifndef TN_CHECKPOINT_H
#define TN_CHECKPOINT_H

#include "model.h"

/* float32 tensors, config as strings in __metadata__. */
tn_status tn_checkpoint_save(tn_model *m, const char *path);
/* Config of a checkpoint, without making a model. TN_ERR_INPUT for anything that is not a whole checkpoint of
 * ours. */
tn_status tn_checkpoint_config(tn_context *ctx, const char *path, tn_model_config *out);
/* Makes a model for inference from a checkpoint; every tensor must be there with its shape. */
tn_status tn_checkpoint_load(tn_device *dev, const char *path, tn_model **out);

/* Values, both moments, the step and the seed: all that the next step depends on. */
tn_status tn_state_save(tn_model *m, const char *path, int64_t step, uint64_t seed);
/* Into a training model of the same config; TN_ERR_INPUT when the file is another's. */
tn_status tn_state_load(tn_model *m, const char *path, int64_t *step, uint64_t seed);

#endif
