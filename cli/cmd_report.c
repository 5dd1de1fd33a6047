#include "commands.h"

#include "file.h"
#include "report.h"
#include "summary_table.h"

/* Without -o the table goes to stdout; with it the page is written too. */
static tn_status run(tn_context *ctx, const tn_cli_args *args) {
    const char *path = tn_cli_string(args, "output", NULL);
    const char *database = tn_cli_string(args, "sqlite", NULL);
    if (!path && !database && !tn_cli_given(args, "table"))
        return tn_fail(ctx, TN_ERR_ARG,
                       "it wants a file for the page, -o report.html, --table for the terminal, or --sqlite "
                       "results.db");
    if (tn_cli_given(args, "table"))
        TN_TRY(tn_stdout_need(ctx));
    if (path || database)
        TN_TRY(tn_report_keep(ctx, args->arguments, (size_t)args->count, path, database));
    if (path)
        tn_progress(ctx, "wrote %s", path);
    if (!tn_cli_given(args, "table"))
        return TN_OK;
    tn_table_format format = TN_TABLE_TEXT;
    const char *name = tn_cli_format(args);
    if (name)
        TN_TRY(tn_table_format_parse(ctx, name, &format));
    for (int i = 0; i < args->count; i++) {
        tn_status status = tn_summary_print(ctx, args->arguments[i], stdout, format, !path);
        TN_TRY(tn_stdout_check(ctx)); /* before what the writer made of it */
        TN_TRY(status);
    }
    return TN_OK;
}

static const char *const formats[] = {"text", "md", "csv", "json", NULL};
static const tn_cli_option options[] = {
    TN_CLI_OUTPUT("the page: one HTML file with everything in it"),
    {"sqlite", 0, "FILE.db", TN_CLI_WRITES,
     "put every row, run and device into this SQLite file; what is there already changes nothing"},
    {"table", 0, NULL, TN_CLI_FLAG, "print the runs and break-evens to stdout"},
    {"format", 0, "text|md|csv|json", TN_CLI_STRING, "of the table (text)", 0, 0, formats},
    TN_CLI_JSON("the same as --format json"),
    TN_CLI_QUIET,
    {NULL},
};

const tn_cli_command tn_cmd_report = {
    "report",
    "Make one HTML page of cost files and run folders",
    "FILE.csv|DIR|FILE.db...",
    1,
    TN_CLI_MAX_ARGUMENTS,
    options,
    run,
    "A folder is a run of `turnout train`, or holds runs and cost*.csv. FILE.db is what --sqlite wrote; "
    "'FILE.db?device=A40'\n"
    "is of devices with that in their names alone; so version= and host=, "
    "joined by '&'."};
