#include "run_folder.h"

#include "checkpoint.h"
#include "file.h"

static tn_status check(tn_context *ctx, const char *config_path, const char *model_path,
                       const tn_train_config *c, const tn_model *m, const char *run) {
    char mine[TN_CONFIG_TEXT], theirs[TN_CONFIG_TEXT];
    const char *field = tn_model_config_differs(&c->model, &m->config, mine, theirs);
    if (field)
        return tn_fail(ctx, TN_ERR_INPUT,
                       "%s says %s %s, %s is a model with %s %s; put the two of one run together",
                       config_path, field, mine, model_path, field, theirs);
    return tn_train_config_of_file(ctx, c, model_path, run);
}

tn_status tn_run_load(tn_device *dev, const char *folder, tn_train_config *config, tn_model **out) {
    tn_context *ctx = tn_device_context(dev);
    char *config_path = NULL, *model_path = NULL, *run = NULL;
    tn_train_config kept;
    tn_model *m = NULL;
    tn_status status = TN_OK;
    *out = NULL;
    TN_GO(tn_path_join(ctx, folder, "config.json", &config_path));
    TN_GO(tn_path_join(ctx, folder, "model.safetensors", &model_path));
    bool has_config = config || tn_file_exists(config_path);
    if (has_config)
        TN_GO(tn_train_config_load(ctx, config_path, &kept));
    TN_GO(tn_checkpoint_open(dev, model_path, &m, &run));
    if (has_config)
        TN_GO(check(ctx, config_path, model_path, &kept, m, run));
    if (config)
        *config = kept;
    *out = m;
cleanup:
    if (status != TN_OK)
        tn_model_destroy(m);
    tn_free(ctx, config_path);
    tn_free(ctx, model_path);
    tn_free(ctx, run);
    return status;
}

tn_status tn_run_exists(tn_context *ctx, const char *folder, bool *out) {
    static const char *const names[] = {"config.json", "state.safetensors", "model.safetensors",
                                        "metrics.csv", "summary.json"};
    *out = false;
    for (size_t i = 0; i < sizeof names / sizeof names[0] && !*out; i++) {
        char *path;
        TN_TRY(tn_path_join(ctx, folder, names[i], &path));
        *out = tn_file_exists(path);
        tn_free(ctx, path);
    }
    return TN_OK;
}

tn_status tn_run_refuse(tn_context *ctx, const char *folder) {
    return tn_fail(ctx, TN_ERR_ARG, "%s already holds a run; go on with --resume, or name another folder",
                   folder);
}
