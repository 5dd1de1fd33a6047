#include "study_folder.h"

#include "file.h"

#include <dirent.h>
#include <fnmatch.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char schema[] = "turnout-study-1";

/* Options that decide what a row says; which parts there are is not one. Caller releases. */
static json_t *to_json(const tn_study_options *o, const tn_device_info *device) {
    json_t *root = json_object(), *distances = json_array();
    char shard[TN_SHARD_TEXT];
    for (int i = 0; i < o->distance_count; i++)
        json_array_append_new(distances, json_integer(o->distances[i]));
    json_object_set_new(root, "schema", json_string(schema));
    json_object_set_new(root, "device", json_string(device->name));
    json_object_set_new(root, "platform", json_string(device->platform_name));
    json_object_set_new(root, "driver", json_string(device->driver));
    json_object_set_new(root, "steps", json_integer(o->steps));
    json_object_set_new(root, "sequences", json_integer(o->sequences));
    json_object_set_new(root, "distances", distances);
    json_object_set_new(root, "data", json_string(o->data));
    json_object_set_new(root, "seeds", json_integer(o->seeds));
    tn_shard_print(&o->shard, shard);
    json_object_set_new(root, "shard", json_string(shard));
    return root;
}

static tn_status differs(tn_context *ctx, const char *folder, const char *name, const json_t *kept,
                         const json_t *now) {
    char *a = json_dumps(kept, JSON_ENCODE_ANY | JSON_COMPACT);
    char *b = json_dumps(now, JSON_ENCODE_ANY | JSON_COMPACT);
    tn_status status = tn_fail(ctx, TN_ERR_ARG,
                               "the study in %s was made with %s %s, now it would be %s; give it the same "
                               "options, or another folder",
                               folder, name, a ? a : "nothing", b ? b : "nothing");
    free(a);
    free(b);
    return status;
}

/* A file for the text may be named later, and need not be named again for other parts. */
static bool may_differ(const char *name, json_t *kept, json_t *root, const json_t *now) {
    if (strcmp(name, "seeds") == 0)
        return json_is_integer(kept) && json_integer_value(now) >= json_integer_value(kept);
    if (strcmp(name, "shard") == 0) /* a folder of a version that knew none holds a whole study */
        return !kept && json_string_length(now) == 0;
    if (strcmp(name, "data") != 0)
        return false;
    bool unnamed = json_string_length(now) == 0;
    if (unnamed && kept)
        json_object_set(root, name, kept);
    return unnamed || json_string_length(kept) == 0;
}

static tn_status compare(tn_context *ctx, const char *folder, const json_t *kept, json_t *now) {
    const char *name;
    json_t *value;
    void *next;
    json_object_foreach_safe(now, next, name, value) {
        json_t *old = json_object_get(kept, name);
        if (!json_equal(old, value) && !may_differ(name, old, now, value))
            return differs(ctx, folder, name, old, value);
    }
    return TN_OK;
}

static tn_status check_kept(tn_study_folder *f, json_t *now) {
    char *text;
    size_t size;
    json_error_t error;
    if (!tn_file_exists(f->options)) {
        if (tn_file_exists(f->csv))
            return tn_fail(f->ctx, TN_ERR_ARG, "%s holds a study.csv but no study.json; name another folder",
                           f->path);
        return TN_OK;
    }
    TN_TRY(tn_file_read(f->ctx, f->options, &text, &size));
    json_t *kept = json_loadb(text, size, JSON_REJECT_DUPLICATES, &error);
    tn_free(f->ctx, text);
    const char *found = json_string_value(json_object_get(kept, "schema"));
    tn_status status = found && strcmp(found, schema) == 0
                           ? compare(f->ctx, f->path, kept, now)
                           : tn_fail(f->ctx, TN_ERR_INPUT,
                                     "%s is not the study.json of a study of this version", f->options);
    json_decref(kept);
    return status;
}

static tn_status save(tn_study_folder *f, const json_t *now) {
    tn_outfile file;
    TN_TRY(tn_outfile_open(f->ctx, f->options, &file));
    json_dumpf(now, file.stream, JSON_INDENT(2)); /* commit looks at the stream's error flag */
    fputc('\n', file.stream);
    return tn_outfile_commit(f->ctx, &file);
}

/* What a killed study had half written: nobody else writes here now. */
static void sweep_aside(const tn_study_folder *f) {
    DIR *folder = opendir(f->path);
    for (struct dirent *entry; folder && (entry = readdir(folder)) != NULL;)
        if (fnmatch("study.*.part-*", entry->d_name, 0) == 0 ||
            fnmatch("bits.csv.part-*", entry->d_name, 0) == 0)
            unlinkat(dirfd(folder), entry->d_name, 0);
    if (folder)
        closedir(folder);
}

static tn_status take(tn_study_folder *f) {
    TN_TRY(tn_lock_take(f->ctx, f->path, &f->lock));
    sweep_aside(f);
    return TN_OK;
}

tn_status tn_study_folder_open(tn_context *ctx, const char *path, const tn_study_options *o,
                               const tn_device_info *device, tn_study_folder *out) {
    *out = (tn_study_folder){.ctx = ctx, .lock = {.file = -1}};
    json_t *now = to_json(o, device);
    tn_status status = TN_OK;
    TN_GO(tn_strdup(ctx, path, &out->path));
    TN_GO(tn_path_join(ctx, path, "study.csv", &out->csv));
    TN_GO(tn_path_join(ctx, path, "study.md", &out->markdown));
    TN_GO(tn_path_join(ctx, path, "study.json", &out->options));
    TN_GO(tn_path_join(ctx, path, "bits.csv", &out->bits));
    TN_GO(tn_folder_make(ctx, path));
    TN_GO(take(out));
    TN_GO(check_kept(out, now));
    TN_GO(save(out, now));
cleanup:
    json_decref(now);
    if (status != TN_OK)
        tn_study_folder_close(out);
    return status;
}

void tn_study_folder_close(tn_study_folder *f) {
    if (!f->ctx)
        return;
    tn_lock_release(&f->lock);
    tn_free(f->ctx, f->path);
    tn_free(f->ctx, f->csv);
    tn_free(f->ctx, f->markdown);
    tn_free(f->ctx, f->options);
    tn_free(f->ctx, f->bits);
    *f = (tn_study_folder){.lock = {.file = -1}};
}

tn_status tn_study_folder_run(const tn_study_folder *f, const char *run, char **out) {
    char *runs;
    TN_TRY(tn_path_join(f->ctx, f->path, "runs", &runs));
    tn_status status = tn_path_join(f->ctx, runs, run, out);
    tn_free(f->ctx, runs);
    return status;
}
