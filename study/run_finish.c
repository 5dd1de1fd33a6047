#include "run_finish.h"

#include "file.h"
#include "routes.h"
#include "run_folder.h"

static tn_status evaluate(tn_model *m, const tn_train_config *c, const tn_train_result *trained,
                          int64_t sequences, const tn_savings_options *timing, tn_run_summary *out) {
    TN_TRY(tn_run_summary_make(m, c, sequences, timing, out));
    out->steps = trained->steps;
    out->train_s = trained->seconds;
    return TN_OK;
}

static tn_status write_routes(tn_model *m, const tn_task_config *config, const char *folder) {
    tn_context *ctx = tn_device_context(m->dev);
    tn_task *task = NULL;
    char *path;
    TN_TRY(tn_path_join(ctx, folder, "routes.csv", &path));
    tn_status status = tn_task_make(ctx, config, &task);
    if (status == TN_OK)
        status = tn_routes_write(m, task, TN_ROUTES_SEQUENCES, path);
    tn_task_free(ctx, task);
    tn_free(ctx, path);
    return status;
}

tn_status tn_run_evaluate(tn_device *dev, const tn_train_config *c, const char *folder,
                          const tn_train_result *trained, int64_t sequences, const tn_savings_options *timing,
                          tn_run_summary *out) {
    tn_model *m;
    TN_TRY(tn_run_load(dev, folder, NULL, &m));
    tn_status status = evaluate(m, c, trained, sequences, timing, out);
    tn_model_destroy(m);
    return status;
}

tn_status tn_run_finish(tn_device *dev, const tn_train_config *c, const char *folder,
                        const tn_train_result *trained, int64_t sequences, const tn_savings_options *timing,
                        tn_run_summary *out) {
    tn_context *ctx = tn_device_context(dev);
    tn_model *m = NULL;
    char *path;
    TN_TRY(tn_path_join(ctx, folder, "summary.json", &path));
    tn_status status = TN_OK;
    TN_GO(tn_run_load(dev, folder, NULL, &m));
    TN_GO(evaluate(m, c, trained, sequences, timing, out));
    if (tn_mixer_has_router(&m->config))
        TN_GO(write_routes(m, &c->task, folder));
    TN_GO(tn_run_summary_save(ctx, out, path));
cleanup:
    tn_model_destroy(m);
    tn_free(ctx, path);
    return status;
}
