/* Hidden: one cell of a sweep, in the process the sweep gave it. Writes one row of CSV, or for the ceilings
 * one line of numbers. */
#include "commands.h"

#include "common.h"
#include "pairs.h"
#include "sweep_cell.h"
#include "samples.h"
#include "topology.h"

#include <math.h>
#include <string.h>

static tn_status cell_make(tn_context *ctx, const tn_cli_args *args, const tn_device_info *info,
                           tn_sweep_cell *cell) {
    *cell = (tn_sweep_cell){
        .info = info, .B = -1, .T = -1, .D = -1, .H = -1, .K = -1, .rho = tn_cli_real(args, "rho", NAN)};
    const bool decode = strcmp(tn_cli_string(args, "level", "op"), "decode") == 0;
    tn_pair_field fields[] = {{.name = "B", .whole = &cell->B, .low = 1, .high = INT32_MAX},
                              {.name = decode ? "context" : "T",
                               .whole = decode ? &cell->context : &cell->T,
                               .low = 1,
                               .high = INT32_MAX},
                              {.name = "D", .whole = &cell->D, .low = 1, .high = INT32_MAX},
                              {.name = "H", .whole = &cell->H, .low = 1, .high = INT32_MAX},
                              {.name = "K", .whole = &cell->K, .low = 1, .high = INT32_MAX}};
    const char *layer = tn_cli_string(args, "layer", "");
    TN_TRY(tn_pairs_read(ctx, "--layer", layer, fields, sizeof fields / sizeof fields[0]));
    for (size_t i = 0; layer[0] && i < sizeof fields / sizeof fields[0]; i++)
        if (!fields[i].seen)
            return tn_fail(ctx, TN_ERR_ARG, "--layer wants B=…,%s=…,D=…,H=…,K=…, not '%s'", fields[1].name,
                           layer);
    if (decode && !layer[0])
        return tn_fail(ctx, TN_ERR_ARG, "--level decode wants --layer");
    cell->ragged = tn_cli_given(args, "ragged");
    if (!tn_execution_parse(tn_cli_string(args, "execution", "compacted"), &cell->execution))
        return tn_fail(ctx, TN_ERR_ARG, "--execution %s: there is none",
                       tn_cli_string(args, "execution", ""));
    cell->cold = strcmp(tn_cli_string(args, "cache", "warm"), "cold") == 0;
    cell->cores = (int)tn_cli_int(args, "cores", 0);
    snprintf(cell->level, sizeof cell->level, "%s", tn_cli_string(args, "level", "op"));
    snprintf(cell->op, sizeof cell->op, "%s", tn_cli_string(args, "op", ""));
    snprintf(cell->pass, sizeof cell->pass, "%s", tn_cli_string(args, "pass", "forward"));
    snprintf(cell->shape, sizeof cell->shape, "%s", tn_cli_string(args, "shape", ""));
    snprintf(cell->mixer, sizeof cell->mixer, "%s", tn_cli_string(args, "mixer", ""));
    return TN_OK;
}

static bool is_roofline(const tn_cli_args *args) {
    return strcmp(tn_cli_string(args, "level", ""), "roofline") == 0;
}

static tn_status ceilings(tn_device *dev, const tn_cli_args *args) {
    tn_roofline r;
    tn_energy *energy = NULL;
    double rate;
    char text[TN_ROOFLINE_TEXT];
    tn_status status = TN_OK;
    if (tn_cli_energy(args))
        TN_TRY(tn_energy_open(tn_device_context(dev), tn_device_get_info(dev), &energy));
    status = tn_energy_measure_idle(energy, dev); /* before there is work */
    const double idle = tn_energy_idle(energy), update = tn_energy_update(energy);
    tn_energy_close(energy);
    TN_TRY(status);
    TN_TRY(tn_roofline_measure(dev, &r));
    TN_TRY(tn_sweep_cell_attention_rate(dev, &rate));
    tn_roofline_print(&r, text);
    printf("%s,%.17g,%.17g,%.17g\n", text, rate, idle, update);
    return TN_OK;
}

/* A row of a cell that cannot begin as it is wanted; ceilings have no row, and so no such end. */
static tn_status row_of_failure(tn_context *ctx, const tn_device_info *info, const tn_cli_args *args,
                                tn_status failure) {
    char message[sizeof((tn_cost_row *)0)->reason];
    tn_topology topology;
    tn_sweep_cell cell;
    tn_cost_row row;
    if ((failure != TN_ERR_UNSUPPORTED && failure != TN_ERR_MEMORY) || is_roofline(args))
        return failure;
    snprintf(message, sizeof message, "%.*s", (int)sizeof message - 1, ctx->message);
    TN_TRY(cell_make(ctx, args, info, &cell));
    TN_TRY(tn_topology_read(ctx, &topology));
    tn_sweep_cell_identify(&cell, tn_cli_uint64(args, "seed", 1), topology.cpu_model, &row);
    tn_row_set_failure(&row, failure, message);
    tn_rows_write(stdout, TN_ROW_CSV, 0, &row);
    return TN_OK;
}

static tn_status measure(tn_device *dev, const tn_cli_args *args) {
    tn_context *ctx = tn_device_context(dev);
    const tn_device_info *info = tn_device_get_info(dev);
    const char *peaks = tn_cli_string(args, "ceilings", NULL);
    tn_roofline roofline = {0};
    tn_energy *energy = NULL;
    tn_evict *evict = NULL;
    tn_status status = TN_OK;
    tn_topology topology;
    tn_sweep_cell cell;
    tn_cost_row row;
    tn_raw raw = {0};
    if (peaks && !tn_roofline_parse(peaks, &roofline))
        return tn_fail(ctx, TN_ERR_ARG, "--ceilings wants numbers as a roofline cell gives them, not '%s'",
                       peaks);
    roofline.dev = dev;
    TN_TRY(cell_make(ctx, args, info, &cell));
    TN_TRY(tn_topology_read(ctx, &topology));
    if (tn_cli_energy(args))
        TN_TRY(tn_energy_open(ctx, info, &energy));
    if (tn_cli_given(args, "idle"))
        tn_energy_set_idle(energy, tn_cli_real(args, "idle", 0) > 0 ? tn_cli_real(args, "idle", 0) : NAN,
                           tn_cli_real(args, "update", 0));
    TN_GO(tn_energy_measure_idle(energy, dev));
    if (cell.cold && tn_evict_create(dev, &evict) != TN_OK) {
        status = row_of_failure(ctx, info, args, ctx->status);
        goto cleanup;
    }
    TN_GO(tn_sweep_cell_run(dev, &cell,
                            &(tn_bench_options){.seconds = tn_cli_real(args, "seconds", 0.4),
                                                .seed = tn_cli_uint64(args, "seed", 1),
                                                .roofline = peaks ? &roofline : NULL,
                                                .energy = energy,
                                                .cpu_model = topology.cpu_model,
                                                .evict = evict,
                                                .raw = &raw},
                            &row));
    row.timing_s = tn_cli_real(args, "seconds", 0.4);
    tn_rows_write(stdout, TN_ROW_CSV, 0, &row);
    if (tn_cli_given(args, "samples"))
        TN_GO(tn_samples_write(ctx, stdout, &row, &raw));
cleanup:
    tn_evict_destroy(evict);
    tn_energy_close(energy);
    return status;
}

static tn_status run(tn_context *ctx, const tn_cli_args *args) {
    tn_device *dev = NULL;
    tn_device_list list;
    const tn_device_info *info;
    int cores = (int)tn_cli_int(args, "cores", 0);
    tn_status bound, status = TN_OK;
    ctx->quiet = true;
    /* Before the first call of OpenCL: the run-time's threads inherit it. */
    bound = cores > 0 ? tn_topology_bind(ctx, cores) : TN_OK;
    TN_TRY(tn_device_list_make(ctx, &list));
    TN_GO(tn_device_select(ctx, &list, tn_cli_string(args, "device", NULL), &info));
    status = bound == TN_OK ? tn_device_open_cores(ctx, info, cores, &dev) : bound;
    if (status != TN_OK)
        status = row_of_failure(ctx, info, args, status);
    else
        status = is_roofline(args) ? ceilings(dev, args) : measure(dev, args);
cleanup:
    tn_device_close(dev);
    tn_device_list_free(ctx, &list);
    return status;
}

static const char *const levels[] = {"op", "layer", "model", "decode", "test", "roofline", NULL};
static const tn_cli_option options[] = {
    {"level", 0, "LEVEL", TN_CLI_STRING, "what kind of cell", 0, 0, levels},
    {"op", 0, "OP", TN_CLI_STRING, "op of an op cell"},
    {"pass", 0, "PASS", TN_CLI_STRING, "pass of the op or layer"},
    {"shape", 0, "K=V,...", TN_CLI_STRING, "shape of the op"},
    {"mixer", 0, "MIXER", TN_CLI_STRING, "mixer of a layer cell"},
    {"layer", 0, "K=V,...", TN_CLI_STRING, "dimensions of the layer"},
    {"ragged", 0, NULL, TN_CLI_FLAG, "sequences of other contexts in a decode cell"},
    {"execution", 0, "WAY", TN_CLI_STRING, "how a routed layer is run", 0, 0, tn_execution_names},
    {"rho", 0, "R", TN_CLI_REAL, "routed fraction of the layer", 0, 1},
    {"cores", 0, "N", TN_CLI_INT, "cores of a CPU device to run on", 1, 4096},
    {"seed", 's', "S", TN_CLI_UINT64, "seed of the data"},
    {"seconds", 0, "S", TN_CLI_REAL, "of timing", 0.001, 3600},
    {"ceilings", 0, "F,C,R,…", TN_CLI_STRING,
     "the device's flops, copied and read bytes a second, and those of working sets"},
    TN_CLI_ENERGY,
    {"idle", 0, "W", TN_CLI_REAL, "power of the idle device, 0 for unknown; else measured where it can be", 0,
     100000},
    {"update", 0, "S", TN_CLI_REAL, "with --idle: seconds between two moves of its counter", 0, 1000},
    {"samples", 0, NULL, TN_CLI_FLAG, "a line of raw samples behind the row"},
    TN_CLI_CACHE,
    TN_CLI_DEVICE,
    {NULL},
};

const tn_cli_command tn_cmd_cell = {"cell", NULL, NULL, 0, 0, options, run, NULL, true};
