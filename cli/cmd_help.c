#include "commands.h"

#include "build.h"
#include "manual.h"

void tn_help_all(FILE *to) {
    fputs("usage: turnout COMMAND [options]\n\n"
          "What routed attention costs and saves on the OpenCL devices of this machine.\n\ncommands:\n",
          to);
    tn_cli_summaries(to, tn_commands);
    fputs("  -V, --version  Version, build and libraries; --version --json as an object\n\n"
          "Exit codes: 0 fine, 1 a check failed, 2 bad arguments or input, 3 device or run-time failure.\n",
          to);
}

static tn_status run(tn_context *ctx, const tn_cli_args *args) {
    if (tn_cli_given(args, "man")) {
        tn_manual_print(stdout, tn_commands, tn_build_release());
        return TN_OK;
    }
    if (args->count == 0) {
        tn_help_all(stdout);
        return TN_OK;
    }
    const tn_cli_command *command = tn_command_find(args->arguments[0]);
    if (!command)
        return tn_command_unknown(ctx, args->arguments[0]);
    tn_cli_help(stdout, command);
    return TN_OK;
}

static const tn_cli_option options[] = {
    {"man", 0, NULL, TN_CLI_FLAG, NULL}, /* what the build asks for */
    {NULL},
};

const tn_cli_command tn_cmd_help = {
    "help",
    "List the commands, or the options of a command: turnout help COMMAND",
    "[COMMAND]",
    0,
    1,
    options,
    run,
    "`turnout COMMAND --help` says the same. Numbers are written alike everywhere: decimal, as 4096, 1e3 or "
    "0.05, or whole ones as 0x1000. The manual page, man turnout, has the environment variables too.",
    true};
