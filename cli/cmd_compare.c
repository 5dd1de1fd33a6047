#include "commands.h"

#include "across.h"
#include "comparison.h"
#include "file.h"
#include "history.h"

static tn_status result(tn_context *ctx, const tn_comparison *c) {
    size_t slower = c->verdicts[TN_VERDICT_SLOWER], broken = c->verdicts[TN_VERDICT_BROKEN];
    if (c->notes)
        tn_warn(ctx, "%zu notes on the files (bytes, comments, rounded numbers); turnout report lists them",
                c->notes);
    if (c->same_files)
        tn_warn(ctx, "a file stands on both sides: what it is held against is itself");
    if (c->strays)
        tn_warn(ctx, "%zu lines of samples belong to no row of the files they were given with", c->strays);
    if (slower + broken == 0)
        return TN_OK;
    return tn_fail(ctx, TN_ERR_CHECK, "%zu row%s slower, %zu not ok any more", slower,
                   slower == 1 ? " got" : "s got", broken);
}

static tn_status compare(tn_context *ctx, const tn_cli_args *args) {
    const char *path = tn_cli_string(args, "output", NULL);
    const char *name = tn_cli_format(args);
    tn_table_format format = tn_table_format_of_path(path);
    tn_comparison c = {0};
    const char *maps[TN_CLI_MAX_ARGUMENTS];
    tn_outfile out;
    tn_status status = TN_OK;
    if (name)
        TN_TRY(tn_table_format_parse(ctx, name, &format));
    TN_GO(tn_comparison_make(ctx, args->arguments[0], args->arguments[1],
                             &(tn_compare_options){.noise_pct = tn_cli_real(args, "noise", -1),
                                                   .threshold_pct = tn_cli_real(args, "threshold", 5),
                                                   .relative = tn_cli_given(args, "relative"),
                                                   .quartiles = tn_cli_given(args, "quartiles"),
                                                   .any_host = tn_cli_given(args, "any-host"),
                                                   .maps = maps,
                                                   .map_count = tn_cli_every(args, "map", maps)},
                             &c));
    TN_GO(tn_outfile_open(ctx, path, &out));
    TN_GO(tn_outfile_end(ctx, &out, tn_comparison_print(&c, out.stream, format)));
    status = result(ctx, &c);
cleanup:
    tn_comparison_free(&c);
    return status;
}

static tn_table_format format_of(tn_context *ctx, const tn_cli_args *args, tn_status *status) {
    const char *name = tn_cli_format(args);
    tn_table_format format = tn_table_format_of_path(tn_cli_string(args, "output", NULL));
    *status = name ? tn_table_format_parse(ctx, name, &format) : TN_OK;
    return format;
}

static tn_lineup_options lineup_options(const tn_cli_args *args) {
    return (tn_lineup_options){.noise_pct = tn_cli_real(args, "noise", -1),
                               .threshold_pct = tn_cli_real(args, "threshold", 5),
                               .relative = tn_cli_given(args, "relative")};
}

static void warn_of(tn_context *ctx, const tn_lineup *l) {
    if (l->twice)
        tn_warn(ctx, "%zu rows stand in two files and count once", l->twice);
}

static tn_status across(tn_context *ctx, const tn_cli_args *args) {
    const tn_lineup_options options = lineup_options(args);
    tn_across a = {0};
    tn_outfile out;
    tn_status status;
    tn_table_format format = format_of(ctx, args, &status);
    TN_TRY(status);
    TN_GO(tn_across_make(ctx, args->arguments, (size_t)args->count, tn_cli_given(args, "any-host"), &options,
                         &a));
    TN_GO(tn_outfile_open(ctx, tn_cli_string(args, "output", NULL), &out));
    TN_GO(tn_outfile_end(ctx, &out, tn_across_print(&a, out.stream, format)));
    warn_of(ctx, &a.lineup);
cleanup:
    tn_across_free(&a);
    return status;
}

static tn_status history(tn_context *ctx, const tn_cli_args *args) {
    const tn_lineup_options options = lineup_options(args);
    tn_history h = {0};
    tn_outfile out;
    tn_status status;
    tn_table_format format = format_of(ctx, args, &status);
    TN_TRY(status);
    TN_GO(tn_history_make(ctx, args->arguments, (size_t)args->count, tn_cli_given(args, "any-host"), &options,
                          &h));
    TN_GO(tn_outfile_open(ctx, tn_cli_string(args, "output", NULL), &out));
    TN_GO(tn_outfile_end(ctx, &out, tn_history_print(&h, out.stream, format)));
    warn_of(ctx, &h.lineup);
    size_t slower = h.now[TN_CHANGE_SLOWER], broken = h.now[TN_CHANGE_BROKEN];
    if (slower + broken > 0)
        status = tn_fail(ctx, TN_ERR_CHECK, "%zu work%s slower than before, %zu not ok any more", slower,
                         slower == 1 ? " is" : "s are", broken);
cleanup:
    tn_history_free(&h);
    return status;
}

/* Options that one way of comparing has and the others have not. */
static tn_status refuse(tn_context *ctx, const tn_cli_args *args, const char *way, const char *const *names) {
    for (; *names; names++)
        if (tn_cli_given(args, *names))
            return tn_fail(ctx, TN_ERR_ARG, "--%s does not go with %s", *names, way);
    return TN_OK;
}

static tn_status run(tn_context *ctx, const tn_cli_args *args) {
    static const char *const not_across[] = {"history", "relative", "map", "quartiles", NULL};
    static const char *const not_history[] = {"map", "quartiles", NULL};
    if (tn_cli_given(args, "across")) {
        TN_TRY(refuse(ctx, args, "--across", not_across));
        return across(ctx, args);
    }
    if (tn_cli_given(args, "history")) {
        TN_TRY(refuse(ctx, args, "--history", not_history));
        return history(ctx, args);
    }
    if (args->count != 2)
        return tn_fail(
            ctx, TN_ERR_ARG,
            "it wants two arguments, OLD and NEW, and has %d; several files of a side are joined by commas, "
            "--across device and --history take any number",
            args->count);
    return compare(ctx, args);
}

static const char *const formats[] = {"text", "md", "csv", "json", NULL};
static const char *const acrosses[] = {"device", NULL};
static const tn_cli_option options[] = {
    {"across", 0, "device", TN_CLI_STRING,
     "hold the devices of all files against each other, work by work: which is faster, by how much", 0, 0,
     acrosses},
    {"history", 0, NULL, TN_CLI_FLAG,
     "follow each device through the versions in all files: what became slower or faster, since which"},
    {"threshold", 0, "PCT", TN_CLI_REAL, "a difference of less is the same (5)", 0, 1000},
    {"relative", 0, NULL, TN_CLI_FLAG,
     "judge rows after dividing by what all rows of a device have in common, so that a slower machine is not "
     "taken "
     "for slower kernels"},
    {"noise", 0, "PCT", TN_CLI_REAL,
     "how far a row differs from run to run of one program, beyond its batches; by default from several runs "
     "of a "
     "side, else from how the ratios of a device's rows scatter",
     0, 100},
    {"quartiles", 0, NULL, TN_CLI_FLAG, "leave samples alone and go by the quartiles of the CSV"},
    {"map", 0, "OLD=NEW", TN_CLI_STRING,
     "take the device OLD of the old side and NEW of the new one for the same: names as `devices` prints "
     "them, hosts, or "
     "what the table calls them; may stand several times"},
    {"any-host", 0, NULL, TN_CLI_FLAG,
     "take devices of one name on several machines for one (containers have another host name every run)"},
    TN_CLI_OUTPUT("write to FILE instead of stdout; its ending chooses the format"),
    {"format", 0, "text|md|csv|json", TN_CLI_STRING, "format of the rows (text)", 0, 0, formats},
    TN_CLI_JSON("the same as --format json"),
    TN_CLI_QUIET,
    {NULL},
};

const tn_cli_command tn_cmd_compare = {
    "compare",
    "Hold two sets of cost files against each other: what became faster, what slower",
    "OLD.csv[,...]|DIR|FILE.db NEW",
    1,
    TN_CLI_MAX_ARGUMENTS,
    options,
    run,
    "Several runs a side are joined by commas; they show how far the same program differs from run to run, "
    "and "
    "a row\n"
    "must differ by more than that. X.jsonl beside X.csv (bench, sweep --samples) is used, or named in the "
    "list. "
    "new/old is\n"
    "above 1 where NEW is slower; the interval holds for all rows together at 95 %. Exit code 1 where a row "
    "got "
    "slower\n"
    "or is not ok any more.\n"
    "A device is matched by its name without driver versions; several of one name by machine and PCI "
    "address, or by "
    "--map.\n"
    "A folder stands for the cost*.csv in it: runs, or the parts of one grid (sweep --shard); FILE.db, or a "
    "part of it "
    "as\n"
    "'FILE.db?version=0.2', for what `report --sqlite` stored.\n"
    "--across device FILE... and --history FILE... take any number of files, folders and databases. Of one "
    "run alone "
    "neither\n"
    "claims anything: --history wants several runs of a version or the next version to say the same, "
    "--across takes "
    "10 % from\n"
    "run to run for granted. --history ends with 1 where a work is slower now, or not ok any more."};
