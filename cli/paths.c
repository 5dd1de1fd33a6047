#include "paths.h"

#include "file.h"

#include <dirent.h>
#include <fnmatch.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>

/* What is read of a folder. */
static const char *const kept[] = {
    "config.json", "model.safetensors", "state.safetensors", "metrics.csv", "routes.csv",  "summary.json",
    "study.csv",   "study.json",        "bits.csv",          "cost*.csv",   "cost*.jsonl", "survey.json",
    "parts.csv",   "step.csv",          "decode.csv",        "peers.csv",   NULL};
enum { DEPTH = 3 }; /* a study's runs stand two folders down */

typedef struct output {
    const char *option, *path;
    bool folder; /* it is made, and written into */
} output;

typedef struct lists {
    tn_context *ctx;
    output outputs[8];
    int count;
} lists;

static bool is_folder(const char *path) {
    struct stat info;
    return stat(path, &info) == 0 && S_ISDIR(info.st_mode);
}

static bool is_kept(const char *name) {
    for (int i = 0; kept[i]; i++)
        if (fnmatch(kept[i], name, 0) == 0)
            return true;
    return false;
}

/* The file of a folder that is `path`, into `found`. */
static bool folder_has(const char *folder, const char *path, int depth, char found[PATH_MAX]) {
    char name[PATH_MAX];
    bool has = false;
    DIR *open = depth > 0 ? opendir(folder) : NULL;
    for (struct dirent *entry; open && !has && (entry = readdir(open)) != NULL;) {
        if (entry->d_name[0] == '.' ||
            snprintf(name, sizeof name, "%s/%s", folder, entry->d_name) >= (int)sizeof name)
            continue;
        if (is_folder(name))
            has = folder_has(name, path, depth - 1, found);
        else if (is_kept(entry->d_name) && tn_file_same(name, path)) {
            snprintf(found, PATH_MAX, "%s", name);
            has = true;
        }
    }
    if (open)
        closedir(open);
    return has;
}

static tn_status refuse(const lists *l, const output *out, const char *input) {
    return tn_fail(l->ctx, TN_ERR_ARG, "--%s %s would be written over the input %s; name another file",
                   out->option, out->path, input);
}

/* One input, a file or a folder, against all outputs. */
static tn_status check_input(const lists *l, const char *path) {
    char found[PATH_MAX];
    for (int i = 0; i < l->count; i++) {
        const output *out = &l->outputs[i];
        if (strcmp(out->path, "-") == 0)
            continue;
        if (is_folder(out->path)) {
            if (folder_has(out->path, path, DEPTH, found))
                return refuse(l, out, path);
        } else if (is_folder(path)) {
            if (tn_file_exists(out->path) && folder_has(path, out->path, DEPTH, found))
                return refuse(l, out, found);
        } else if (tn_file_exists(path) && tn_file_same(path, out->path)) {
            return refuse(l, out, path);
        }
    }
    return TN_OK;
}

/* X.jsonl beside X.csv is read with it. */
static tn_status check_with_samples(const lists *l, const char *path) {
    char samples[PATH_MAX];
    size_t length = strlen(path);
    TN_TRY(check_input(l, path));
    if (length < 4 || strcmp(path + length - 4, ".csv") != 0)
        return TN_OK;
    if (snprintf(samples, sizeof samples, "%.*s.jsonl", (int)length - 4, path) >= (int)sizeof samples)
        return TN_OK;
    return check_input(l, samples);
}

static tn_status check_argument(const lists *l, const char *argument) {
    char path[PATH_MAX];
    if (tn_file_exists(argument) || !strchr(argument, ','))
        return check_with_samples(l, argument);
    for (const char *p = argument; *p;) {
        size_t length = strcspn(p, ",");
        if (snprintf(path, sizeof path, "%.*s", (int)length, p) < (int)sizeof path)
            TN_TRY(check_with_samples(l, path));
        p += length + (p[length] == ',');
    }
    return TN_OK;
}

/* The same file, or the one that the other grows in until it is whole. */
static bool clash(const char *a, const char *b) {
    char part[PATH_MAX];
    if (strcmp(a, "-") == 0 || strcmp(b, "-") == 0)
        return strcmp(a, b) == 0;
    if (tn_file_same(a, b))
        return true;
    return snprintf(part, sizeof part, "%s.part", b) < (int)sizeof part && tn_file_same(a, part);
}

static tn_status check_names(const lists *l) {
    for (int i = 0; i < l->count; i++)
        for (int j = 0; j < l->count; j++)
            if (i != j && clash(l->outputs[i].path, l->outputs[j].path))
                return tn_fail(l->ctx, TN_ERR_ARG,
                               "--%s and --%s would both be written to %s; name two files",
                               l->outputs[i].option, l->outputs[j].option,
                               strcmp(l->outputs[i].path, "-") == 0 ? "stdout" : l->outputs[i].path);
    return TN_OK;
}

/* What cannot be kept need not be worked out. Folders are made by who writes into them. */
static tn_status check_writable(const lists *l) {
    for (int i = 0; i < l->count; i++)
        if (strcmp(l->outputs[i].path, "-") != 0 && !l->outputs[i].folder)
            TN_TRY(tn_output_check(l->ctx, l->outputs[i].path));
    return TN_OK;
}

tn_status tn_cli_paths_check(tn_context *ctx, const tn_cli_args *args) {
    lists l = {.ctx = ctx};
    const tn_cli_option *options = args->command->options;
    for (int i = 0; options[i].name; i++) {
        if (options[i].type != TN_CLI_WRITES || l.count == 8)
            continue;
        const char *fallback = strcmp(options[i].name, "output") == 0 ? "-" : NULL;
        const char *path = tn_cli_string(args, options[i].name, fallback);
        if (path)
            l.outputs[l.count++] = (output){options[i].name, path, strcmp(options[i].metavar, "DIR") == 0};
    }
    TN_TRY(check_names(&l));
    for (int i = 0; options[i].name; i++) {
        const char *path =
            options[i].type == TN_CLI_READS ? tn_cli_string(args, options[i].name, NULL) : NULL;
        if (path)
            TN_TRY(check_input(&l, path));
    }
    for (int i = 0; i < args->count; i++)
        TN_TRY(check_argument(&l, args->arguments[i]));
    return check_writable(&l);
}
