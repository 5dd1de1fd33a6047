/* Which command is meant, and what becomes of its failure. */
#include "commands.h"

#include "file.h"
#include "json_memory.h"
#include "name_pattern.h"
#include "ops.h"
#include "paths.h"
#include "version.h"

#include <string.h>

static bool takes_device(const tn_cli_command *command) {
    for (const tn_cli_option *o = command->options; o && o->name; o++)
        if (strcmp(o->name, "device") == 0)
            return true;
    return false;
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
    if (tn_cli_given(&args, "json") && strcmp(tn_cli_string(&args, "format", "json"), "json") != 0)
        return tn_fail(ctx, TN_ERR_ARG, "--json is --format json, not %s; leave one of them out",
                       tn_cli_string(&args, "format", ""));
    TN_TRY(tn_cli_names_fill(ctx, &args));
    TN_TRY(tn_cli_paths_check(ctx, &args));
    if (takes_device(command))
        TN_TRY(tn_ops_environment_check(ctx));
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

static bool is_any(const char *word, const char *const *words) {
    while (*words && strcmp(*words, word) != 0)
        words++;
    return *words != NULL;
}

int tn_program_run(int argc, char **argv) {
    static const char *const versions[] = {"--version", "-V", "version", NULL}, *const helps[] = {"--help",
                                                                                                  "-h", NULL};
    static tn_context ctx; /* static for its size: the message holds build logs */
    if (argc < 2) {
        tn_help_all(stderr);
        return tn_status_exit_code(TN_ERR_ARG);
    }
    if (is_any(argv[1], versions))
        return version(&ctx, argc - 2, argv + 2);
    const tn_cli_command *command = is_any(argv[1], helps) ? &tn_cmd_help : tn_command_find(argv[1]);
    if (!command)
        return end(&ctx, "", tn_command_unknown(&ctx, argv[1]));
    return end(&ctx, command->name, run(&ctx, command, argc, argv));
}
