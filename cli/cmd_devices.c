#include "commands.h"

#include "common.h"
#include "energy.h"
#include "file.h"
#include "loader.h"
#include "quirks.h"
#include "topology.h"

#include <jansson.h>
#include <string.h>

/* Where its energy would be read, or why nowhere. */
static void energy_text(tn_context *ctx, const tn_device_info *d, char *text, size_t size) {
    tn_energy *energy;
    if (tn_energy_open(ctx, d, &energy) != TN_OK) {
        snprintf(text, size, "unmeasured: no memory");
        return;
    }
    snprintf(text, size, "%s", tn_energy_source_text(energy));
    tn_energy_close(energy);
}

static json_t *device_json(tn_context *ctx, const tn_device_info *d) {
    tn_place place = {.numa_node = -1, .method = "unknown"};
    char selector[24], energy[TN_ENERGY_TEXT] = "";
    if (!d->skip_reason[0]) {
        (void)tn_topology_place(ctx, d, &place); /* stays "unknown" where hwloc cannot say */
        energy_text(ctx, d, energy, sizeof energy);
    }
    snprintf(selector, sizeof selector, "%d:%d", d->platform, d->index);
    json_t *o = json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:i, s:i}", "selector", selector, "name",
                          d->name, "vendor", d->vendor, "platform", d->platform_name, "driver", d->driver,
                          "version", d->version, "kind", tn_device_kind_name(d->kind), "compute_units",
                          (int)d->compute_units, "clock_mhz", (int)d->clock_mhz);
    if (!o)
        return NULL;
    json_object_set_new(o, "board", d->board[0] ? json_string(d->board) : json_null());
    json_object_set_new(o, "max_work_group", json_integer((json_int_t)d->max_work_group));
    json_object_set_new(o, "local_bytes", json_integer((json_int_t)d->local_bytes));
    json_object_set_new(o, "global_bytes", json_integer((json_int_t)d->global_bytes));
    json_object_set_new(o, "max_alloc_bytes", json_integer((json_int_t)d->max_alloc_bytes));
    json_object_set_new(o, "fp16", json_boolean(d->has_fp16));
    json_object_set_new(o, "fp64", json_boolean(d->has_fp64));
    json_object_set_new(o, "unified_memory", json_boolean(d->unified_memory));
    json_object_set_new(o, "pci", d->pci[0] ? json_string(d->pci) : json_null());
    json_object_set_new(o, "numa_node", place.numa_node >= 0 ? json_integer(place.numa_node) : json_null());
    json_object_set_new(o, "near_cpus", place.cpus[0] ? json_string(place.cpus) : json_null());
    json_object_set_new(o, "place_method", json_string(place.method));
    json_object_set_new(o, "energy_source", energy[0] ? json_string(energy) : json_null());
    json_object_set_new(o, "skipped", d->skip_reason[0] ? json_string(d->skip_reason) : json_null());
    return o;
}

static json_t *notes_json(const char *notes) {
    json_t *array = json_array();
    for (const char *line = notes; *line; line += strcspn(line, "\n"), line += *line == '\n')
        json_array_append_new(array, json_stringn(line, strcspn(line, "\n")));
    return array;
}

static tn_status print_json(tn_context *ctx, const tn_device_list *list, const tn_topology *t) {
    json_t *root = json_pack("{s:{s:s, s:i, s:i, s:i, s:i}, s:i}", "host", "cpu", t->cpu_model, "packages",
                             t->packages, "numa_nodes", t->numa_nodes, "cores", t->cores, "threads",
                             t->threads, "platforms", list->platforms);
    json_t *host = json_object_get(root, "host"), *devices = json_array();
    bool bad = false;
    json_object_set_new(host, "l1d_bytes", json_integer((json_int_t)t->l1d_bytes));
    json_object_set_new(host, "l2_bytes", json_integer((json_int_t)t->l2_bytes));
    json_object_set_new(host, "l3_bytes", json_integer((json_int_t)t->l3_bytes));
    json_object_set_new(root, "devices", devices);
    json_object_set_new(root, "notes", notes_json(list->notes));
    for (int i = 0; i < list->count; i++)
        bad = json_array_append_new(devices, device_json(ctx, &list->items[i])) != 0 || bad;
    TN_TRY(tn_cli_print_json(ctx, root));
    return bad ? tn_fail(ctx, TN_ERR_OUTPUT, "the list of devices lacks one") : TN_OK;
}

/* "512 KiB", "31.3 GiB" */
static const char *size_text(size_t bytes, char *text, size_t size) {
    const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB"};
    double value = (double)bytes;
    int unit = 0;
    while (value >= 1024 && unit < 4) {
        value /= 1024;
        unit++;
    }
    snprintf(text, size, value >= 100 || value == (double)(long)value ? "%.0f %s" : "%.1f %s", value,
             units[unit]);
    return text;
}

static void print_host(const tn_topology *t) {
    char l1[24], l2[24], l3[24];
    printf("host  %s\n", t->cpu_model);
    printf("      %d package%s, %d core%s, %d thread%s, %d NUMA node%s; L1d %s, L2 %s, L3 %s\n\n",
           t->packages, t->packages == 1 ? "" : "s", t->cores, t->cores == 1 ? "" : "s", t->threads,
           t->threads == 1 ? "" : "s", t->numa_nodes, t->numa_nodes == 1 ? "" : "s",
           size_text(t->l1d_bytes, l1, sizeof l1), size_text(t->l2_bytes, l2, sizeof l2),
           size_text(t->l3_bytes, l3, sizeof l3));
}

static void print_quirks(const tn_device_info *d) {
    int count;
    const tn_quirk_row *rows = tn_quirk_table(&count);
    for (int i = 0; i < count; i++)
        if (!d->skip_reason[0] && tn_quirk_matches(&rows[i], d->platform_name, d->name, d->driver))
            printf("      quirk   %s\n", rows[i].reason);
}

static void print_device(tn_context *ctx, const tn_device_info *d) {
    char a[24], b[24], c[24], energy[TN_ENERGY_TEXT];
    tn_place place;
    printf("%d:%-3d %s\n", d->platform, d->index, d->name);
    if (d->skip_reason[0])
        printf("      left out: %s\n", d->skip_reason);
    char fewer[64] = "";
    if (d->compute_units < d->driver_units)
        snprintf(fewer, sizeof fewer, " of %u, which this process may use,", d->driver_units);
    printf("      kind    %s, %u compute unit%s%s at %u MHz%s%s\n", tn_device_kind_name(d->kind),
           d->compute_units, d->compute_units == 1 ? "" : "s", fewer, d->clock_mhz, d->pci[0] ? ", PCI " : "",
           d->pci);
    printf("      driver  %s, %s (%s)\n", d->platform_name, d->driver, d->version);
    printf("      memory  %s, %s at most in one buffer, %s local%s\n",
           size_text(d->global_bytes, a, sizeof a), size_text(d->max_alloc_bytes, b, sizeof b),
           size_text(d->local_bytes, c, sizeof c), d->unified_memory ? ", shared with the host" : "");
    printf("      groups  up to %zu work-items; fp16 %s, fp64 %s\n", d->max_work_group,
           d->has_fp16 ? "yes" : "no", d->has_fp64 ? "yes" : "no");
    if (!d->skip_reason[0] && tn_topology_place(ctx, d, &place) == TN_OK) {
        printf("      place   ");
        if (place.numa_node >= 0)
            printf("NUMA node %d, ", place.numa_node);
        printf("CPUs %s (%s)\n", place.cpus[0] ? place.cpus : "unknown", place.method);
    }
    if (!d->skip_reason[0]) {
        energy_text(ctx, d, energy, sizeof energy);
        printf("      energy  %s\n", energy);
    }
    print_quirks(d);
    if (!d->skip_reason[0])
        tn_cli_print_tuned(ctx, d, "      tuned   ", stdout);
}

static void print_notes(const char *notes) {
    for (const char *line = notes; *line; line += strcspn(line, "\n"), line += *line == '\n')
        printf("note  %.*s\n", (int)strcspn(line, "\n"), line);
}

static tn_status print(tn_context *ctx, const tn_device_list *list, bool json) {
    tn_topology topology;
    TN_TRY(tn_topology_read(ctx, &topology));
    if (json)
        return print_json(ctx, list, &topology);
    print_host(&topology);
    for (int i = 0; i < list->count; i++)
        print_device(ctx, &list->items[i]);
    if (list->count > 0)
        print_notes(list->notes);
    return tn_stdout_check(ctx);
}

/* A list that is empty is an answer, and stands on stdout; what to install goes to stderr. */
static tn_status run(tn_context *ctx, const tn_cli_args *args) {
    static tn_context
        aside; /* static for its size; the message of a failure to list is the one that counts */
    tn_device_list list;
    const bool json = tn_cli_given(args, "json");
    tn_status status = tn_device_list_make(ctx, &list);
    if (status == TN_ERR_DEVICE) {
        list = (tn_device_list){0};
        (void)print(&aside, &list, json);
        return status;
    }
    TN_TRY(status);
    status = print(ctx, &list, json);
    if (status == TN_OK && list.count == 0)
        status = tn_loader_no_device(ctx, "no OpenCL platform shows a device", list.notes);
    tn_device_list_free(ctx, &list);
    return status;
}

static const tn_cli_option options[] = {
    {"json", 0, NULL, TN_CLI_FLAG, "one JSON object instead of text"},
    {NULL},
};

const tn_cli_command tn_cmd_devices = {
    "devices", "List OpenCL devices: limits, place in the machine, and which are left out",
    NULL,      0,
    0,         options,
    run,       NULL,
    true};
