/* The folder of a run, for whoever reads it: its model, held against the config beside it. */
#ifndef TN_RUN_FOLDER_H
#define TN_RUN_FOLDER_H

#include "trainer.h"

/* config.json and model.safetensors of `folder`. TN_ERR_INPUT, with what differs, where they are not of one
 * run, and naming the tensor where a weight is not finite. config NULL: config.json is held against the model
 * where it is there, and may be missing. */
tn_status tn_run_load(tn_device *dev, const char *folder, tn_train_config *config, tn_model **out);

/* Whether any file of a run is in the folder. */
tn_status tn_run_exists(tn_context *ctx, const char *folder, bool *out);
/* TN_ERR_ARG: a run that is there is not written over. */
tn_status tn_run_refuse(tn_context *ctx, const char *folder);

#endif
