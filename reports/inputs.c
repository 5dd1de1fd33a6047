#include "inputs.h"

#include "bits_table.h"
#include "csv_read.h"
#include "database_read.h"
#include "file.h"
#include "report_routes.h"
#include "study_input.h"
#include "text_file.h"

#include <dirent.h>
#include <fnmatch.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static bool is_folder(const char *path) {
    struct stat info;
    return stat(path, &info) == 0 && S_ISDIR(info.st_mode);
}

static bool ends_with(const char *text, const char *ending) {
    size_t length = strlen(text), tail = strlen(ending);
    return length >= tail && strcmp(text + length - tail, ending) == 0;
}

static bool holds(tn_context *ctx, const char *folder, const char *name) {
    char *path;
    if (tn_path_join(ctx, folder, name, &path) != TN_OK)
        return false;
    bool there = tn_file_exists(path) && !is_folder(path);
    tn_free(ctx, path);
    return there;
}

static tn_status keep_flaw(tn_inputs *in, const char *file, const tn_csv_flaw *flaw) {
    TN_TRY(tn_grow(in->ctx, &in->flaws, &in->flaw_capacity, in->flaw_count + 1, sizeof *in->flaws));
    in->flaws[in->flaw_count].flaw = *flaw;
    return tn_strdup(in->ctx, file, &in->flaws[in->flaw_count++].file);
}

/* Those of a table that was read. */
static tn_status keep_flaws(tn_inputs *in, const tn_csv *t) {
    for (size_t i = 0; i < t->flaw_count; i++)
        TN_TRY(keep_flaw(in, t->path, &t->flaws[i]));
    return TN_OK;
}

/* A JSON object, NULL where the file is absent. */
static tn_status read_json(tn_inputs *in, const char *folder, const char *name, json_t **out) {
    tn_context *ctx = in->ctx;
    *out = NULL;
    if (!holds(ctx, folder, name))
        return TN_OK;
    char *path;
    tn_text_file file = {0};
    json_error_t error;
    TN_TRY(tn_path_join(ctx, folder, name, &path));
    tn_status status = TN_OK;
    TN_GO(tn_text_read(ctx, path, &file));
    if (file.mended > 0)
        TN_GO(keep_flaw(in, path,
                        &(tn_csv_flaw){.line = file.line, .why = "bytes that are no UTF-8 stand as U+FFFD"}));
    *out = json_loadb(file.bytes, file.size, JSON_REJECT_DUPLICATES, &error);
    if (!*out || !json_is_object(*out)) {
        bool parsed = *out != NULL;
        json_decref(*out);
        *out = NULL;
        status = tn_fail(ctx, TN_ERR_INPUT, "%s, line %d: %s; the file is damaged or cut off, write it again",
                         path, parsed ? 1 : error.line, parsed ? "no JSON object" : error.text);
    }
cleanup:
    tn_free(ctx, file.bytes);
    tn_free(ctx, path);
    return status;
}

static void free_run(tn_context *ctx, tn_run *run) {
    tn_free(ctx, run->name);
    tn_free(ctx, run->path);
    json_decref(run->config);
    json_decref(run->summary);
    tn_csv_free(&run->metrics);
    tn_csv_free(&run->routes);
    *run = (tn_run){0};
}

/* The last part of a path; with `parts` 2 the folder above too. */
static tn_status name_of(tn_context *ctx, const char *path, int parts, char **out) {
    TN_TRY(tn_strdup(ctx, path, out));
    char *text = *out;
    for (size_t n = strlen(text); n > 1 && text[n - 1] == '/'; n--)
        text[n - 1] = '\0';
    char *start = text + strlen(text);
    for (; start > text; start--)
        if (start[-1] == '/' && --parts == 0)
            break;
    memmove(text, start, strlen(start) + 1);
    return TN_OK;
}

/* A table of the folder; `out` stays as it is where there is none. */
static tn_status read_table(tn_inputs *in, const char *folder, const char *name,
                            tn_status (*read)(tn_context *, const char *, tn_csv *), tn_csv *out) {
    char *path;
    if (!holds(in->ctx, folder, name))
        return TN_OK;
    TN_TRY(tn_path_join(in->ctx, folder, name, &path));
    tn_status status = read(in->ctx, path, out);
    if (status == TN_OK)
        status = keep_flaws(in, out);
    tn_free(in->ctx, path);
    return status;
}

static tn_status add_run(tn_inputs *in, const char *folder) {
    tn_context *ctx = in->ctx;
    TN_TRY(tn_grow(ctx, &in->runs, &in->run_capacity, in->run_count + 1, sizeof *in->runs));
    tn_run *run = &in->runs[in->run_count++]; /* freed with the inputs, whole or not */
    TN_TRY(tn_strdup(ctx, folder, &run->path));
    TN_TRY(name_of(ctx, folder, 1, &run->name));
    TN_TRY(read_json(in, folder, "config.json", &run->config));
    TN_TRY(read_json(in, folder, "summary.json", &run->summary));
    TN_TRY(read_table(in, folder, "metrics.csv", tn_csv_read_metrics, &run->metrics));
    return read_table(in, folder, "routes.csv", tn_routes_read, &run->routes);
}

/* Of a row of text where its run was trained: the routes that stand below the study. One seed is enough. */
static tn_status add_routes(tn_inputs *in, const char *study, tn_run *run) {
    char folder[1024];
    const char *slash = strrchr(study, '/'), *name = tn_run_text(run, "run");
    if (strcmp(tn_run_text(run, "task"), "text") != 0 || strchr(name, '/') ||
        tn_run_number(run, "seed") != 1 ||
        tn_run_number(run, "length") != tn_run_number(run, "trained_length"))
        return TN_OK;
    int above = slash ? (int)(slash + 1 - study) : 0;
    if (snprintf(folder, sizeof folder, "%.*sruns/%s", above, study, name) >= (int)sizeof folder)
        return TN_OK;
    return read_table(in, folder, "routes.csv", tn_routes_read, &run->routes);
}

static tn_status add_study(tn_inputs *in, tn_csv *t) {
    static const char *const wanted[] = {"task",           "mixer",         "seed",
                                         "accuracy",       "attention_pct", "score_flops_saved_pct",
                                         "time_saved_pct", "status",        NULL};
    TN_TRY(tn_csv_require(t, "rows of a study", wanted));
    int name = tn_csv_column(t, "name");
    for (size_t row = 0; row < t->rows; row++) {
        char text[160];
        bool good;
        TN_TRY(tn_study_input_check(t, row, &good));
        if (!good)
            continue;
        TN_TRY(tn_shards_add_study(&in->shards, t, row));
        TN_TRY(tn_grow(in->ctx, &in->runs, &in->run_capacity, in->run_count + 1, sizeof *in->runs));
        tn_run *run = &in->runs[in->run_count++];
        snprintf(text, sizeof text, "%s %s, seed %s", tn_csv_text(t, row, tn_csv_column(t, "task")),
                 tn_csv_text(t, row, tn_csv_column(t, "mixer")),
                 tn_csv_text(t, row, tn_csv_column(t, "seed")));
        TN_TRY(tn_strdup(in->ctx, name >= 0 ? tn_csv_text(t, row, name) : text, &run->name));
        TN_TRY(tn_strdup(in->ctx, t->path, &run->path));
        run->summary = tn_study_input_json(t, row);
        TN_TRY(add_routes(in, t->path, run));
    }
    return TN_OK;
}

/* Takes the table over. */
static tn_status add_cost(tn_inputs *in, tn_csv *t) {
    size_t used = 0, bad = 0, rows = t->rows;
    TN_TRY(tn_csv_need_cost(t));
    for (size_t i = 0; i < in->cost_count; i++) {
        rows += in->costs[i].rows;
        if (!tn_csv_same(&in->costs[i], t))
            continue;
        tn_csv_flaw again = {.line = 1, .use = TN_ROW_DAMAGED};
        snprintf(again.why, sizeof again.why, "the same rows as %.150s: read once", in->costs[i].path);
        return keep_flaw(in, t->path, &again);
    }
    if (rows > TN_INPUTS_MOST_ROWS)
        return tn_fail(
            in->ctx, TN_ERR_INPUT,
            "%s: with it there are %zu cost rows, and a page holds %d at most; name fewer files, or their "
            "parts one by one",
            t->path, rows, TN_INPUTS_MOST_ROWS);
    for (size_t row = 0; row < t->rows; row++) {
        used += tn_csv_use(t, row) == TN_ROW_USED;
        bad += tn_csv_use(t, row) == TN_ROW_DAMAGED || tn_csv_use(t, row) == TN_ROW_PAST_CEILING;
    }
    if (used == 0 && bad > 0) {
        char text[512];
        size_t first = 0;
        while (t->flaws[first].use == TN_ROW_USED)
            first++;
        tn_csv_flaw_text(t, &t->flaws[first], text, sizeof text);
        return tn_fail(in->ctx, TN_ERR_INPUT, "no row of %s can be used; %s; use the file as it was written",
                       t->path, text);
    }
    TN_TRY(keep_flaws(in, t));
    TN_TRY(tn_grow(in->ctx, &in->costs, &in->cost_capacity, in->cost_count + 1, sizeof *in->costs));
    in->costs[in->cost_count++] = *t;
    *t = (tn_csv){0};
    return tn_shards_add(&in->shards, &in->costs[in->cost_count - 1]);
}

/* A part of a grid to which no cell falls is a header alone; the other files of its folder stand. */
static tn_status leave_out_empty(tn_inputs *in, const tn_csv *t, bool *left_out) {
    *left_out = t->rows == 0 && tn_csv_column(t, "schema") >= 0 && tn_csv_column(t, "shard") >= 0;
    return *left_out
               ? keep_flaw(in, t->path,
                           &(tn_csv_flaw){.line = 1, .why = "a header and no rows: a shard without a cell"})
               : TN_OK;
}

/* Takes the table over. */
static tn_status add_bits(tn_inputs *in, tn_csv *t) {
    TN_TRY(tn_bits_check(t));
    for (size_t i = 0; i < in->bits_count; i++)
        if (tn_csv_same(&in->bits[i], t))
            return TN_OK; /* the folder of a study may be named beside one above it */
    TN_TRY(keep_flaws(in, t));
    TN_TRY(tn_grow(in->ctx, &in->bits, &in->bits_capacity, in->bits_count + 1, sizeof *in->bits));
    in->bits[in->bits_count++] = *t;
    *t = (tn_csv){0};
    return TN_OK;
}

static tn_status add_csv(tn_inputs *in, const char *path, bool of_folder) {
    tn_csv t;
    TN_TRY(tn_csv_read(in->ctx, path, &t));
    bool cost = tn_csv_column(&t, "schema") >= 0, left_out = false;
    tn_status status = of_folder ? leave_out_empty(in, &t, &left_out) : TN_OK;
    if (status != TN_OK || left_out)
        ;
    else if (cost && tn_csv_column(&t, "bucket") >= 0) {
        status = add_bits(in, &t);
    } else if (!cost && tn_csv_column(&t, "score_flops_saved_pct") >= 0) {
        status = add_study(in, &t);
        if (status == TN_OK)
            status = keep_flaws(in, &t);
    } else if (!cost && tn_csv_column(&t, "step_ms") >= 0) {
        status = tn_fail(in->ctx, TN_ERR_INPUT, "%s holds the metrics of a run; name the folder it stands in",
                         path);
    } else {
        status = add_cost(in, &t);
    }
    tn_csv_free(&t);
    return status;
}

/* A file of a study, where the folder has it. */
static tn_status add_of_study(tn_inputs *in, const char *folder, const char *name) {
    char *path;
    if (!holds(in->ctx, folder, name))
        return TN_OK;
    TN_TRY(tn_path_join(in->ctx, folder, name, &path));
    tn_status status = add_csv(in, path, false);
    tn_free(in->ctx, path);
    return status;
}

static tn_status add_study_folder(tn_inputs *in, const char *folder) {
    TN_TRY(add_of_study(in, folder, "study.csv"));
    return add_of_study(in, folder, "bits.csv");
}

static tn_status add_folder(tn_inputs *in, const char *folder);

/* A survey keeps its rows in files of several names, and those of several devices in a folder each. */
static bool is_of_survey(const char *name) {
    static const char *const names[] = {"parts.csv", "step.csv", "decode.csv", "peers.csv", NULL};
    int i = 0;
    while (names[i] && strcmp(names[i], name) != 0)
        i++;
    return names[i] != NULL;
}

static tn_status add_entries(tn_inputs *in, const char *folder, struct dirent **entries, int count) {
    char *path = NULL;
    tn_status status = TN_OK;
    size_t runs = in->run_count;
    const bool survey = holds(in->ctx, folder, "survey.json");
    for (int i = 0; i < count; i++) {
        const char *name = entries[i]->d_name;
        if (name[0] == '.')
            continue;
        tn_free(in->ctx, path);
        path = NULL;
        TN_GO(tn_path_join(in->ctx, folder, name, &path));
        if (is_folder(path) && holds(in->ctx, path, "config.json"))
            TN_GO(add_run(in, path));
        else if (!is_folder(path) && (fnmatch("cost*.csv", name, 0) == 0 || (survey && is_of_survey(name))))
            TN_GO(add_csv(in, path, true));
        else if (survey && is_folder(path) && holds(in->ctx, path, "survey.json"))
            TN_GO(add_folder(in, path));
        else if (is_folder(path) && holds(in->ctx, path, "study.csv"))
            TN_GO(add_study_folder(in, path));
    }
    if (in->run_count == runs)
        TN_GO(add_of_study(in, folder, "study.csv"));
    TN_GO(add_of_study(in, folder, "bits.csv"));
cleanup:
    tn_free(in->ctx, path);
    return status;
}

static tn_status add_folder(tn_inputs *in, const char *folder) {
    struct dirent **entries;
    size_t before = in->run_count + in->cost_count + in->bits_count;
    if (holds(in->ctx, folder, "config.json"))
        TN_TRY(add_run(in, folder));
    int count = scandir(folder, &entries, NULL, alphasort);
    if (count < 0)
        return tn_fail(in->ctx, TN_ERR_INPUT, "cannot read the folder %s; is it readable?", folder);
    tn_status status = add_entries(in, folder, entries, count);
    for (int i = 0; i < count; i++)
        free(entries[i]);
    free(entries);
    TN_TRY(status);
    if (in->run_count + in->cost_count + in->bits_count == before)
        return tn_fail(
            in->ctx, TN_ERR_INPUT,
            "the folder %s holds no run (config.json), no cost*.csv and no study.csv; name the folder that "
            "train, study or sweep wrote",
            folder);
    return TN_OK;
}

/* Two runs called "routed" become "recall/routed" and "mqar/routed". */
static tn_status tell_apart(tn_inputs *in) {
    for (size_t i = 0; i < in->run_count; i++) {
        bool alike = false;
        for (size_t j = 0; j < in->run_count && in->runs[i].config; j++) {
            char *other = NULL;
            if (j == i || !in->runs[j].config)
                continue;
            TN_TRY(name_of(in->ctx, in->runs[j].path, 1, &other));
            alike = alike || strcmp(other, in->runs[i].name) == 0;
            tn_free(in->ctx, other);
        }
        if (!alike)
            continue;
        tn_free(in->ctx, in->runs[i].name);
        in->runs[i].name = NULL;
        TN_TRY(name_of(in->ctx, in->runs[i].path, 2, &in->runs[i].name));
    }
    return TN_OK;
}

/* ---- from a database ---- */

static tn_status add_kept_table(void *user, tn_csv *t) {
    return tn_csv_column(t, "bucket") >= 0 ? add_bits(user, t) : add_cost(user, t);
}

static tn_status parse_json(tn_context *ctx, const tn_database_run *from, const char *text, json_t **out) {
    json_error_t error;
    *out = text ? json_loads(text, JSON_REJECT_DUPLICATES, &error) : NULL;
    return text && !json_is_object(*out)
               ? tn_fail(ctx, TN_ERR_INPUT,
                         "the run %s of the database is damaged: no JSON object; store it anew", from->path)
               : TN_OK;
}

static tn_status parse_table(tn_inputs *in, const tn_database_run *from, const char *text,
                             tn_status (*check)(tn_csv *), tn_csv *out) {
    if (!text)
        return TN_OK;
    TN_TRY(tn_csv_of_bytes(in->ctx, from->path, text, strlen(text), NULL, 0, out));
    TN_TRY(check(out));
    return keep_flaws(in, out);
}

static tn_status add_kept_run(void *user, const tn_database_run *from) {
    tn_inputs *in = user;
    tn_context *ctx = in->ctx;
    TN_TRY(tn_grow(ctx, &in->runs, &in->run_capacity, in->run_count + 1, sizeof *in->runs));
    tn_run *run = &in->runs[in->run_count++];
    TN_TRY(tn_strdup(ctx, from->path, &run->path));
    TN_TRY(from->of_study ? tn_strdup(ctx, from->name, &run->name) : name_of(ctx, from->path, 1, &run->name));
    TN_TRY(parse_json(ctx, from, from->config, &run->config));
    TN_TRY(parse_json(ctx, from, from->summary, &run->summary));
    TN_TRY(parse_table(in, from, from->metrics, tn_csv_check_metrics, &run->metrics));
    return parse_table(in, from, from->routes, tn_routes_check, &run->routes);
}

static tn_status add_database(tn_inputs *in, const char *input) {
    return tn_database_read(in->ctx, input,
                            &(tn_database_reader){.user = in, .table = add_kept_table, .run = add_kept_run});
}

static tn_status note_shard(void *user, const tn_shard_place *at, const char *why) {
    tn_csv_flaw flaw = {.line = at->line};
    snprintf(flaw.why, sizeof flaw.why, "%s", why);
    return keep_flaw(user, at->file, &flaw);
}

tn_status tn_inputs_gather(tn_context *ctx, const char *const *paths, size_t count, tn_inputs *out) {
    *out = (tn_inputs){.ctx = ctx, .devices = {.ctx = ctx, .builds = true}, .shards = tn_shards_none(ctx)};
    tn_status status = TN_OK;
    if (count == 0)
        return tn_fail(ctx, TN_ERR_ARG,
                       "nothing to report on; name a .csv of cost rows or the folder of a run");
    for (size_t i = 0; i < count; i++) {
        if (is_folder(paths[i]))
            TN_GO(add_folder(out, paths[i]));
        else if (tn_database_named(paths[i]))
            TN_GO(add_database(out, paths[i]));
        else if (!tn_file_exists(paths[i]) || ends_with(paths[i], ".csv"))
            TN_GO(add_csv(out, paths[i], false));
        else
            TN_GO(tn_fail(ctx, TN_ERR_INPUT,
                          "%s is neither a .csv file nor a folder nor a database; name what sweep, bench or "
                          "train wrote",
                          paths[i]));
    }
    status = tell_apart(out);
cleanup:
    if (status != TN_OK)
        tn_inputs_free(out);
    return status;
}

tn_status tn_inputs_join(tn_inputs *in) {
    tn_status status = tn_shards_notes(&in->shards, note_shard, in);
    if (status == TN_OK)
        status = tn_shards_join(in->ctx, in->costs, &in->cost_count);
    if (status == TN_OK)
        status = tn_devices_of_tables(&in->devices, in->costs, in->cost_count);
    if (status != TN_OK)
        tn_inputs_free(in);
    return status;
}

tn_status tn_inputs_read(tn_context *ctx, const char *const *paths, size_t count, tn_inputs *out) {
    TN_TRY(tn_inputs_gather(ctx, paths, count, out));
    return tn_inputs_join(out);
}

void tn_inputs_free(tn_inputs *in) {
    for (size_t i = 0; i < in->cost_count; i++)
        tn_csv_free(&in->costs[i]);
    for (size_t i = 0; i < in->bits_count; i++)
        tn_csv_free(&in->bits[i]);
    for (size_t i = 0; i < in->run_count; i++)
        free_run(in->ctx, &in->runs[i]);
    for (size_t i = 0; i < in->flaw_count; i++)
        tn_free(in->ctx, in->flaws[i].file);
    tn_devices_free(&in->devices);
    tn_shards_free(&in->shards);
    if (in->ctx) {
        tn_free(in->ctx, in->flaws);
        tn_free(in->ctx, in->costs);
        tn_free(in->ctx, in->bits);
        tn_free(in->ctx, in->runs);
    }
    *in = (tn_inputs){0};
}

const json_t *tn_run_field(const tn_run *run, const char *name) {
    const json_t *value = json_object_get(run->summary, name);
    if (!value) /* null in a summary means "does not apply" */
        value = json_object_get(run->config, name);
    return json_is_null(value) ? NULL : value;
}

const char *tn_run_text(const tn_run *run, const char *name) {
    const char *text = json_string_value(tn_run_field(run, name));
    return text ? text : "";
}

double tn_run_number(const tn_run *run, const char *name) {
    const json_t *value = tn_run_field(run, name);
    return json_is_number(value) ? json_number_value(value) : NAN;
}
