#include "inputs.h"

#include "file.h"
#include "report_routes.h"

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

/* A JSON object, NULL where the file is absent. */
static tn_status read_json(tn_context *ctx, const char *folder, const char *name, json_t **out) {
    *out = NULL;
    if (!holds(ctx, folder, name))
        return TN_OK;
    char *path, *bytes = NULL;
    size_t size;
    json_error_t error;
    TN_TRY(tn_path_join(ctx, folder, name, &path));
    tn_status status = TN_OK;
    TN_GO(tn_file_read(ctx, path, &bytes, &size));
    *out = json_loadb(bytes, size, JSON_REJECT_DUPLICATES, &error);
    if (!*out || !json_is_object(*out)) {
        bool parsed = *out != NULL;
        json_decref(*out);
        *out = NULL;
        status = tn_fail(ctx, TN_ERR_INPUT, "%s, line %d: %s; the file is damaged or cut off, write it again",
                         path, parsed ? 1 : error.line, parsed ? "no JSON object" : error.text);
    }
cleanup:
    tn_free(ctx, bytes);
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
static tn_status read_table(tn_context *ctx, const char *folder, const char *name,
                            tn_status (*read)(tn_context *, const char *, tn_csv *), tn_csv *out) {
    char *path;
    if (!holds(ctx, folder, name))
        return TN_OK;
    TN_TRY(tn_path_join(ctx, folder, name, &path));
    tn_status status = read(ctx, path, out);
    tn_free(ctx, path);
    return status;
}

static tn_status add_run(tn_inputs *in, const char *folder) {
    tn_context *ctx = in->ctx;
    TN_TRY(tn_grow(ctx, &in->runs, &in->run_capacity, in->run_count + 1, sizeof *in->runs));
    tn_run *run = &in->runs[in->run_count++]; /* freed with the inputs, whole or not */
    TN_TRY(tn_strdup(ctx, folder, &run->path));
    TN_TRY(name_of(ctx, folder, 1, &run->name));
    TN_TRY(read_json(ctx, folder, "config.json", &run->config));
    TN_TRY(read_json(ctx, folder, "summary.json", &run->summary));
    TN_TRY(read_table(ctx, folder, "metrics.csv", tn_csv_read_metrics, &run->metrics));
    return read_table(ctx, folder, "routes.csv", tn_routes_read, &run->routes);
}

/* A cell of study.csv as summary.json has it. */
static json_t *study_cell(const tn_csv *t, size_t row, size_t column) {
    double value;
    const char *text = tn_csv_text(t, row, (int)column);
    if (strcmp(tn_csv_name(t, column), "attention_pct_layers") == 0) {
        json_t *layers = json_array();
        for (char *end; *text; text = *end == ';' ? end + 1 : end) {
            json_array_append_new(layers, json_real(strtod(text, &end)));
            if (end == text)
                break;
        }
        return layers;
    }
    if (!*text)
        return json_null();
    if (strcmp(text, "true") == 0 || strcmp(text, "false") == 0)
        return json_boolean(*text == 't');
    return tn_csv_number(t, row, (int)column, &value) ? json_real(value) : json_string(text);
}

static tn_status add_study(tn_inputs *in, const tn_csv *t) {
    static const char *const wanted[] = {"task",           "mixer",         "seed",
                                         "accuracy",       "attention_pct", "score_flops_saved_pct",
                                         "time_saved_pct", "status",        NULL};
    TN_TRY(tn_csv_require(t, "rows of a study", wanted));
    int name = tn_csv_column(t, "name");
    for (size_t row = 0; row < t->rows; row++) {
        char text[160];
        TN_TRY(tn_grow(in->ctx, &in->runs, &in->run_capacity, in->run_count + 1, sizeof *in->runs));
        tn_run *run = &in->runs[in->run_count++];
        snprintf(text, sizeof text, "%s %s, seed %s", tn_csv_text(t, row, tn_csv_column(t, "task")),
                 tn_csv_text(t, row, tn_csv_column(t, "mixer")),
                 tn_csv_text(t, row, tn_csv_column(t, "seed")));
        TN_TRY(tn_strdup(in->ctx, name >= 0 ? tn_csv_text(t, row, name) : text, &run->name));
        TN_TRY(tn_strdup(in->ctx, t->path, &run->path));
        run->summary = json_object();
        for (size_t c = 0; c < t->columns; c++)
            json_object_set_new(run->summary, tn_csv_name(t, c), study_cell(t, row, c));
    }
    return TN_OK;
}

static tn_status add_csv(tn_inputs *in, const char *path) {
    tn_csv t;
    TN_TRY(tn_csv_read(in->ctx, path, &t));
    if (tn_csv_column(&t, "schema") < 0 && tn_csv_column(&t, "score_flops_saved_pct") >= 0) {
        tn_status status = add_study(in, &t);
        tn_csv_free(&t);
        return status;
    }
    if (tn_csv_column(&t, "schema") < 0 && tn_csv_column(&t, "step_ms") >= 0) {
        tn_csv_free(&t);
        return tn_fail(in->ctx, TN_ERR_INPUT, "%s holds the metrics of a run; name the folder it stands in",
                       path);
    }
    tn_csv_free(&t);
    TN_TRY(tn_grow(in->ctx, &in->costs, &in->cost_capacity, in->cost_count + 1, sizeof *in->costs));
    TN_TRY(tn_csv_read_cost(in->ctx, path, &in->costs[in->cost_count]));
    in->cost_count++;
    return TN_OK;
}

static tn_status add_entries(tn_inputs *in, const char *folder, struct dirent **entries, int count) {
    char *path = NULL;
    tn_status status = TN_OK;
    size_t runs = in->run_count;
    for (int i = 0; i < count; i++) {
        const char *name = entries[i]->d_name;
        if (name[0] == '.')
            continue;
        tn_free(in->ctx, path);
        path = NULL;
        TN_GO(tn_path_join(in->ctx, folder, name, &path));
        if (is_folder(path) && holds(in->ctx, path, "config.json"))
            TN_GO(add_run(in, path));
        else if (!is_folder(path) && fnmatch("cost*.csv", name, 0) == 0)
            TN_GO(add_csv(in, path));
    }
    if (in->run_count == runs && holds(in->ctx, folder, "study.csv")) {
        tn_free(in->ctx, path);
        path = NULL;
        TN_GO(tn_path_join(in->ctx, folder, "study.csv", &path));
        TN_GO(add_csv(in, path));
    }
cleanup:
    tn_free(in->ctx, path);
    return status;
}

static tn_status add_folder(tn_inputs *in, const char *folder) {
    struct dirent **entries;
    size_t before = in->run_count + in->cost_count;
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
    if (in->run_count + in->cost_count == before)
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

tn_status tn_inputs_read(tn_context *ctx, const char *const *paths, size_t count, tn_inputs *out) {
    *out = (tn_inputs){.ctx = ctx};
    tn_status status = TN_OK;
    if (count == 0)
        return tn_fail(ctx, TN_ERR_ARG,
                       "nothing to report on; name a .csv of cost rows or the folder of a run");
    for (size_t i = 0; i < count; i++) {
        if (is_folder(paths[i]))
            TN_GO(add_folder(out, paths[i]));
        else if (!tn_file_exists(paths[i]) || ends_with(paths[i], ".csv"))
            TN_GO(add_csv(out, paths[i]));
        else
            TN_GO(tn_fail(ctx, TN_ERR_INPUT,
                          "%s is neither a .csv file nor a folder; name what sweep, bench or train wrote",
                          paths[i]));
    }
    TN_GO(tell_apart(out));
    return TN_OK;
cleanup:
    tn_inputs_free(out);
    return status;
}

void tn_inputs_free(tn_inputs *in) {
    for (size_t i = 0; i < in->cost_count; i++)
        tn_csv_free(&in->costs[i]);
    for (size_t i = 0; i < in->run_count; i++)
        free_run(in->ctx, &in->runs[i]);
    if (in->ctx) {
        tn_free(in->ctx, in->costs);
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
