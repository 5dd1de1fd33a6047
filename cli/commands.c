#include "commands.h"

#include <string.h>

const tn_cli_command *const tn_commands[] = {
    &tn_cmd_survey,  &tn_cmd_devices,    &tn_cmd_verify, &tn_cmd_bench,    &tn_cmd_tune,  &tn_cmd_sweep,
    &tn_cmd_train,   &tn_cmd_eval,       &tn_cmd_infer,  &tn_cmd_generate, &tn_cmd_study, &tn_cmd_report,
    &tn_cmd_compare, &tn_cmd_completion, &tn_cmd_help,   &tn_cmd_cell,     &tn_cmd_trial, NULL,
};
enum { COMMANDS = sizeof tn_commands / sizeof tn_commands[0] - 1 };

const tn_cli_command *tn_command_find(const char *name) {
    for (int i = 0; i < COMMANDS; i++)
        if (strcmp(tn_commands[i]->name, name) == 0)
            return tn_commands[i];
    return NULL;
}

tn_status tn_command_unknown(tn_context *ctx, const char *name) {
    const char *words[COMMANDS];
    int count = 0;
    for (int i = 0; i < COMMANDS; i++)
        if (tn_commands[i]->summary)
            words[count++] = tn_commands[i]->name;
    const char *nearest = tn_cli_nearest(name, words, count);
    return nearest ? tn_fail(ctx, TN_ERR_ARG, "unknown command '%s'; did you mean turnout %s?", name, nearest)
                   : tn_fail(ctx, TN_ERR_ARG, "unknown command '%s'; see turnout help", name);
}
