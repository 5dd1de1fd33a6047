#include "commands.h"

#include "completion.h"

#include <string.h>

static tn_status run(tn_context *ctx, const tn_cli_args *args) {
    const char *shell = args->arguments[0];
    for (int i = 0; tn_cli_shells[i]; i++)
        if (strcmp(tn_cli_shells[i], shell) == 0) {
            tn_completion_print(stdout, shell, tn_commands);
            return TN_OK;
        }
    return tn_fail(ctx, TN_ERR_ARG, "no completion for the shell '%s'; there is bash, zsh and fish", shell);
}

static const tn_cli_option options[] = {{NULL}};

const tn_cli_command tn_cmd_completion = {
    "completion",
    "Print the completion of commands, options and their values for a shell",
    "bash|zsh|fish",
    1,
    1,
    options,
    run,
    "bash: source <(turnout completion bash). zsh: source <(turnout completion zsh) behind compinit, or a "
    "file "
    "_turnout in a folder of $fpath. fish: turnout completion fish | source. What is installed brings them.",
    true};
