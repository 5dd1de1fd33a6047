#include "task_options.h"

#include <string.h>

const char *const tn_cli_task_fillers[] = {"random", "zero", NULL};
const char *const tn_cli_task_kinds[] = {"recall", "mqar", "text", NULL};

tn_status tn_cli_task(tn_context *ctx, const tn_cli_args *args, tn_task_config *task) {
    static const struct {
        const char *name;
        bool kinds[3]; /* recall, mqar, text */
    } fits[] = {{"distance", {true, false, false}},
                {"length", {false, true, true}},
                {"pairs", {false, true, false}},
                {"filler", {false, true, false}},
                {"data", {false, false, true}}};
    for (size_t i = 0; i < sizeof fits / sizeof fits[0]; i++)
        if (tn_cli_given(args, fits[i].name) && !fits[i].kinds[task->kind])
            return tn_fail(ctx, TN_ERR_ARG, "--%s does not belong to the task %s", fits[i].name,
                           tn_task_kind_name(task->kind));
    task->distance = tn_cli_int(args, "distance", task->distance);
    task->length = tn_cli_int(args, "length", task->length);
    task->pairs = tn_cli_int(args, "pairs", task->pairs);
    const char *filler = tn_cli_string(args, "filler", task->filler_zero ? "zero" : "random");
    task->filler_zero = filler[0] == 'z';
    const char *data = tn_cli_string(args, "data", task->data);
    if (strlen(data) >= TN_TASK_PATH)
        return tn_fail(ctx, TN_ERR_ARG, "--data: the path is longer than %d", TN_TASK_PATH - 1);
    if (strcmp(data, task->data) != 0)
        task->data_hash = 0; /* nobody has read that yet */
    if (data != task->data)
        snprintf(task->data, TN_TASK_PATH, "%s", data);
    return tn_task_config_check(ctx, task);
}
