#include "commands.h"

#include "common.h"
#include "sweep_axes.h"
#include "sweep_show.h"
#include "topology.h"
#include "version.h"

#include <string.h>
#include <unistd.h>

static void summary(const tn_sweep_options *o, const tn_sweep_result *r) {
    if (r->whole)
        fprintf(stderr, "%s is whole already, nothing is measured again; move it away to begin anew\n",
                o->path);
    fprintf(stderr, "%d rows: %d ok, %d unsupported, %d error, %d timeout", r->cells, r->tally.ok,
            r->tally.unsupported, r->tally.errors, r->tally.timeouts);
    if (r->kept && !r->whole)
        fprintf(stderr, "; %d of them from an earlier run", r->kept);
    fprintf(stderr, "%s%s\n", o->path ? "; " : "", o->path ? o->path : "");
}

static void announce(const tn_sweep_options *o) {
    char shard[TN_SHARD_TEXT];
    tn_shard_print(&o->shard, shard);
    fprintf(stderr, "sweep %s%s%s on %d device%s, order and data of seed %llu\n", o->preset,
            shard[0] ? ", shard " : "", shard, o->device_count, o->device_count == 1 ? "" : "s",
            (unsigned long long)o->seed);
}

/* Nothing says where the rows go, and somebody looks on. */
static bool wants_table(const tn_cli_args *args) {
    return !tn_cli_given(args, "output") && !tn_cli_given(args, "format") && !tn_cli_given(args, "json") &&
           isatty(STDOUT_FILENO);
}

static tn_status sweep(tn_context *ctx, const tn_device_list *list, const tn_cli_args *args) {
    const tn_device_info **chosen = NULL;
    char program[4096];
    tn_topology topology;
    tn_sweep_result result;
    tn_row_list rows = {0};
    tn_status status = TN_OK;
    ssize_t length = readlink("/proc/self/exe", program, sizeof program - 1);
    snprintf(program + (length > 0 ? length : 0), sizeof program - (size_t)(length > 0 ? length : 0), "%s",
             length > 0 ? "" : args->program);
    tn_sweep_options o = {
        .program = program,
        .path = tn_cli_string(args, "output", NULL),
        .format = tn_row_format_choose(tn_cli_format(args), tn_cli_string(args, "output", NULL), TN_ROW_CSV),
        .samples = tn_cli_string(args, "samples", NULL),
        .preset = tn_cli_string(args, "preset", "quick"),
        .seed = tn_cli_uint64(args, "seed", 1),
        .timeout_s = tn_cli_real(args, "timeout", 60),
        .seconds = tn_cli_real(args, "seconds", 0),
        .no_energy = !tn_cli_energy(args),
        .cpu_model = topology.cpu_model};
    TN_GO(tn_cli_shard(ctx, args, &o.shard));
    TN_GO(tn_topology_read(ctx, &topology));
    TN_GO(tn_sweep_axes_read(ctx, args, topology.cores, &o.axes));
    TN_GO(tn_alloc(ctx, (size_t)list->count, sizeof *chosen, &chosen));
    TN_GO(tn_device_select_all(ctx, list, tn_cli_string(args, "device", NULL), chosen, &o.device_count));
    o.devices = chosen;
    if (tn_cli_given(args, "dry-run")) {
        status = tn_sweep_show_cells(ctx, &o, tn_cli_given(args, "json"));
        goto cleanup;
    }
    if (wants_table(args))
        o.rows = &rows;
    if (tn_version_slow_build())
        tn_warn(ctx, "%s", tn_version_slow_build());
    if (!ctx->quiet)
        announce(&o);
    status = tn_sweep_run(ctx, &o, &result);
    tn_sweep_show_rows(stdout, &rows); /* also of one that was stopped */
    TN_GO(status);
    if (!ctx->quiet)
        summary(&o, &result);
    if (result.cells == 0 && o.shard.count > 0)
        tn_warn(ctx, "no cell of the grid falls to this shard: there is nothing to measure");
    else if (result.tally.ok == 0)
        status = tn_fail(ctx, TN_ERR_DEVICE,
                         "none of %d rows could be measured; their reasons stand in the rows", result.cells);
cleanup:
    tn_free(ctx, rows.items);
    tn_free(ctx, chosen);
    return status;
}

static tn_status run(tn_context *ctx, const tn_cli_args *args) {
    tn_device_list list;
    tn_shard shard;
    if (tn_cli_given(args, "list"))
        return tn_sweep_show_list(ctx, tn_cli_given(args, "json"));
    TN_TRY(tn_cli_shard(ctx, args, &shard)); /* before devices are looked for */
    TN_TRY(tn_device_list_make(ctx, &list));
    tn_status status = sweep(ctx, &list, args);
    tn_device_list_free(ctx, &list);
    return status;
}

static const char *const formats[] = {"csv", "json", "md", NULL};
static const char *const presets[] = {"quick", "full", NULL};
static const tn_cli_option options[] = {
    {"preset", 0, "quick|full", TN_CLI_STRING, "how much to measure (quick)", 0, 0, presets},
    TN_SWEEP_AXES,
    TN_CLI_CACHE,
    TN_CLI_SHARD,
    {"seed", 's', "S", TN_CLI_UINT64, "seed of the order and of the data (1)"},
    {"timeout", 0, "S", TN_CLI_REAL, "seconds after which a cell is killed (60)", 0.1, 86400},
    {"seconds", 0, "S", TN_CLI_REAL, "of timing a cell at most (quick 0.2, full 0.4)", 0.001, 3600},
    TN_CLI_ENERGY,
    TN_CLI_OUTPUT(
        "write rows to FILE, which grows as FILE.part, a CSV; one that was stopped leaves its rows in both; "
        "its ending chooses the format; %h is the machine, %d the device"),
    {"format", 0, "csv|json|md", TN_CLI_STRING,
     "format of the rows (csv; without -o a table at the end on a terminal)", 0, 0, formats},
    TN_CLI_JSON("the same as --format json; with --list and --dry-run an object"),
    {"list", 0, NULL, TN_CLI_FLAG, "print presets, axes and columns, and stop"},
    {"dry-run", 0, NULL, TN_CLI_FLAG,
     "print the cells and about how long they take, and stop: nothing is run or written"},
    TN_CLI_SAMPLES,
    TN_CLI_DEVICES,
    TN_CLI_QUIET,
    {NULL},
};

const tn_cli_command tn_cmd_sweep = {
    "sweep",
    "Measure ops and the routed layer over lengths and fractions",
    NULL,
    0,
    0,
    options,
    run,
    "Every cell runs in a process of its own: one that hangs, crashes or is refused is a row that says so, "
    "and the\n"
    "others go on. A sweep with -o that was stopped goes on when the same command is given "
    "again, and\none that is whole is not measured again.\nThe parts of --shard I/N have no cell in common "
    "and together all of "
    "them; `turnout report` takes a folder of their files\nfor one grid.\n\n" TN_SWEEP_AXES_HELP,
    .patterns = true};
