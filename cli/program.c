/* Which command is meant, and what becomes of its failure. */
#include "commands.h"

#include "build.h"
#include "file.h"
#include "json_memory.h"
#include "manual.h"
#include "paths.h"
#include "version.h"

#include <string.h>

static const tn_cli_command *const commands[] = {
    &tn_cmd_devices, &tn_cmd_verify, &tn_cmd_bench, &tn_cmd_tune,  &tn_cmd_sweep,
    &tn_cmd_train,   &tn_cmd_eval,   &tn_cmd_infer, &tn_cmd_study, &tn_cmd_report,
    &tn_cmd_compare, &tn_cmd_cell,   &tn_cmd_trial, NULL,
};
enum { COMMANDS = sizeof commands / sizeof commands[0] - 1 };

static const tn_cli_command *find(const char *name) {
    for (int i = 0; i < COMMANDS; i++)
        if (strcmp(commands[i]->name, name) == 0)
            return commands[i];
    return NULL;
}

static void help_all(FILE *to) {
    fputs("usage: turnout COMMAND [options]\n\n"
          "What routed attention costs and saves on the OpenCL devices of this machine.\n\ncommands:\n",
          to);
    for (int i = 0; i < COMMANDS; i++)
        if (commands[i]->summary)
            fprintf(to, "  %-10s %s\n", commands[i]->name, commands[i]->summary);
    fputs("  help       This list, or the options of a command: turnout help COMMAND\n"
          "  --version  Version, build and libraries; --version --json as an object\n\n"
          "Exit codes: 0 fine, 1 a check failed, 2 bad arguments or input, 3 device or run-time failure.\n",
          to);
}

static int unknown(const char *name) {
    const char *words[COMMANDS + 1];
    int count = 0;
    for (int i = 0; i < COMMANDS; i++)
        if (commands[i]->summary)
            words[count++] = commands[i]->name;
    words[count++] = "help";
    const char *nearest = tn_cli_nearest(name, words, count);
    if (nearest)
        fprintf(stderr, "turnout: unknown command '%s'; did you mean turnout %s?\n", name, nearest);
    else
        fprintf(stderr, "turnout: unknown command '%s'; see turnout help\n", name);
    return tn_status_exit_code(TN_ERR_ARG);
}

/* --man and --completion are what the build asks for; help does not list them. */
static int help(const char *name) {
    if (!name) {
        help_all(stdout);
        return 0;
    }
    if (strcmp(name, "--man") == 0) {
        tn_manual_print(stdout, commands, tn_build_release());
        return 0;
    }
    if (strcmp(name, "--completion") == 0) {
        tn_completion_print(stdout, commands);
        return 0;
    }
    const tn_cli_command *command = find(name);
    if (!command)
        return unknown(name);
    tn_cli_help(stdout, command);
    return 0;
}

static tn_status run(tn_context *ctx, const tn_cli_command *command, int argc, char **argv) {
    tn_cli_args args;
    TN_TRY(tn_cli_parse(ctx, command, argc - 2, argv + 2, &args));
    args.program = argv[0];
    if (args.help) {
        tn_cli_help(stdout, command);
        return TN_OK;
    }
    ctx->quiet = tn_cli_given(&args, "quiet");
    TN_TRY(tn_cli_paths_check(ctx, &args));
    if (command->prints)
        TN_TRY(tn_stdout_need(ctx));
    return command->run(ctx, &args);
}

/* What was printed must have arrived: else it is a failure, whatever the command thought. */
static int end(tn_context *ctx, const char *name, tn_status status) {
    if (status == TN_OK)
        status = tn_stdout_check(ctx);
    else if (tn_status_exit_code(status) == 2 && tn_json_memory_check(ctx) != TN_OK)
        status = ctx->status; /* an input is not bad because memory was short */
    if (status != TN_OK)
        fprintf(stderr, "turnout%s%s: %s\n", name[0] ? " " : "", name, ctx->message);
    return tn_status_exit_code(status);
}

static int version(tn_context *ctx, int count, char **words) {
    bool json = count == 1 && strcmp(words[0], "--json") == 0;
    if (count > 0 && !json)
        return end(ctx, "--version",
                   tn_fail(ctx, TN_ERR_ARG, "it takes --json or nothing, not '%s'",
                           words[count > 1 && strcmp(words[0], "--json") == 0]));
    (json ? tn_version_json : tn_version_print)(stdout);
    return end(ctx, "", TN_OK);
}

int tn_program_run(int argc, char **argv) {
    static tn_context ctx; /* static for its size: the message holds build logs */
    if (argc < 2) {
        help_all(stderr);
        return tn_status_exit_code(TN_ERR_ARG);
    }
    if (strcmp(argv[1], "--version") == 0 || strcmp(argv[1], "version") == 0) {
        return version(&ctx, argc - 2, argv + 2);
    }
    if (strcmp(argv[1], "help") == 0 || strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0) {
        int code = help(argc > 2 ? argv[2] : NULL);
        return code ? code : end(&ctx, "help", TN_OK);
    }
    const tn_cli_command *command = find(argv[1]);
    if (!command)
        return unknown(argv[1]);
    return end(&ctx, command->name, run(&ctx, command, argc, argv));
}
