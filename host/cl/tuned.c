#include "tuned.h"

#include "internal.h"

#include "clock.h"
#include "file.h"
#include "kernels.h"
#include "old_names.h"

#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

static const char schema[] = "turnout-tuned-2", old_schema[] = "turnout-tuned-1";

/* What a file must have been made for: names and values of its identity fields. */
enum { IDENTITY = 6 };
typedef struct tn_tuned_identity {
    const char *name, *value;
} tn_tuned_identity;

/* Of the program the release alone: whether values fit kernels that were edited since, their hashes say. */
static void identity_of(const tn_device_info *info, tn_tuned_identity out[IDENTITY]) {
    out[0] = (tn_tuned_identity){"schema", schema};
    out[1] = (tn_tuned_identity){"program", TN_RELEASE};
    out[2] = (tn_tuned_identity){"platform", info->platform_name};
    out[3] = (tn_tuned_identity){"device", info->name};
    out[4] = (tn_tuned_identity){"driver", info->driver};
    out[5] = (tn_tuned_identity){"version", info->version};
}

/* "" where the file cannot be or is not wanted. */
static tn_status path_of(tn_context *ctx, const tn_device_info *info, char *out, size_t size) {
    const char *off = getenv("TURNOUT_TUNED"), *named = getenv("TURNOUT_TUNED_DIR");
    const char *const parts[] = {info->platform_name, info->name, info->driver, info->version};
    char *folder = NULL;
    XXH64_hash_t hash = 0;
    out[0] = '\0';
    if (off && strcmp(off, "0") == 0)
        return TN_OK;
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++)
        hash = XXH3_64bits_withSeed(parts[i], strlen(parts[i]), hash);
    if (named && named[0])
        TN_TRY(tn_strdup(ctx, named, &folder));
    else
        TN_TRY(tn_cache_home(ctx, "tuned", &folder));
    if (folder)
        snprintf(out, size, "%s/%016llx.json", folder, (unsigned long long)hash);
    tn_free(ctx, folder);
    return TN_OK;
}

/* Hash of all kernel files of an op or class, as they would be built now: 16 digits. */
static tn_status kernel_hash(tn_context *ctx, const char *key, char out[17]) {
    char op[sizeof((tn_tuned_entry *)0)->op];
    XXH64_hash_t hash = 0;
    tn_op_current_key(key, op, sizeof op);
    op[strcspn(op, ":")] = '\0';
    for (int i = 0; i < tn_kernel_source_count; i++) {
        const tn_kernel_source *file = &tn_kernel_sources[i];
        char *text;
        size_t size;
        if (!tn_source_is_of(file->name, op))
            continue;
        TN_TRY(tn_source_load(ctx, file->name, &text, &size));
        hash = XXH3_64bits_withSeed(text, size, hash);
        tn_free(ctx, text);
    }
    snprintf(out, 17, "%016llx", (unsigned long long)hash);
    return TN_OK;
}

static tn_status unusable(tn_context *ctx, const char *path, const char *why) {
    return tn_fail(ctx, TN_ERR_INPUT, "the tuned file %s cannot be used: %s; turnout tune writes it anew",
                   path, why);
}

static tn_status load_json(tn_context *ctx, const tn_device_info *info, const char *path, json_t **out) {
    char *bytes, why[256];
    size_t size;
    json_error_t error;
    tn_tuned_identity wanted[IDENTITY];
    *out = NULL;
    TN_TRY(tn_file_read(ctx, path, &bytes, &size));
    json_t *root = json_loadb(bytes, size, JSON_REJECT_DUPLICATES, &error);
    tn_free(ctx, bytes);
    if (!root) {
        snprintf(why, sizeof why, "line %d: %.160s", error.line, error.text);
        return unusable(ctx, path, why);
    }
    identity_of(info, wanted);
    for (int i = 0; i < IDENTITY; i++) {
        const char *have = json_string_value(json_object_get(root, wanted[i].name));
        if (have && strcmp(have, wanted[i].value) == 0)
            continue;
        if (have && i == 0 && strcmp(have, old_schema) == 0) {
            i++; /* it is of an earlier program: read for one version */
            continue;
        }
        snprintf(why, sizeof why, "its %s is '%.80s', not '%.80s'", wanted[i].name, have ? have : "",
                 wanted[i].value);
        json_decref(root);
        return unusable(ctx, path, why);
    }
    *out = root;
    return TN_OK;
}

static double real_of(const json_t *o, const char *name) {
    const json_t *value = json_object_get(o, name);
    return json_is_number(value) ? json_number_value(value) : NAN;
}

/* Copies a text of at most size - 1 bytes; "" where there is none. */
static bool take_text(const json_t *o, const char *name, char *out, size_t size) {
    const char *text = json_string_value(json_object_get(o, name));
    snprintf(out, size, "%s", text ? text : "");
    return !text || strlen(text) < size;
}

/* NULL, or what is wrong with the entry. */
static const char *take_entry(json_t *o, tn_tuned_entry *out) {
    json_t *values = json_object_get(o, "values"), *value;
    const char *name;
    out->ratio = real_of(o, "ratio");
    out->ratio_q1 = real_of(o, "ratio_q1");
    out->ratio_q3 = real_of(o, "ratio_q3");
    out->n = (int)json_integer_value(json_object_get(o, "n"));
    if (!json_is_object(values))
        return "no values";
    json_object_foreach(values, name, value) {
        json_int_t n = json_integer_value(value);
        if (out->count == TN_TUNED_VALUES || strlen(name) >= sizeof out->values[0].name)
            return "too many values, or too long a name";
        if (!json_is_integer(value) || n < 0 || n > TN_TUNED_LARGEST)
            return "a value that is no count";
        snprintf(out->values[out->count].name, sizeof out->values[0].name, "%s", name);
        out->values[out->count++].value = (int)n;
    }
    return NULL;
}

/* The entry that out->count is the index of, with its op; NULL where there is no room. */
static tn_tuned_entry *entry_make(tn_tuned *out, const char *key) {
    if (out->count == TN_TUNED_MOST)
        return NULL;
    tn_tuned_entry *entry = &out->entries[out->count];
    *entry = (tn_tuned_entry){.count = 0};
    tn_op_current_key(key, entry->op, sizeof entry->op);
    return entry;
}

/* One set of values for an op or, under "op:variant", for one of its variants. */
static const char *take_old_op(const char *key, json_t *o, tn_tuned *out) {
    tn_tuned_entry *entry = entry_make(out, key);
    if (!entry)
        return "too many entries before it";
    char *colon = strchr(entry->op, ':');
    if (colon)
        snprintf(entry->variant, sizeof entry->variant, "%.23s", colon + 1);
    if (colon)
        *colon = '\0';
    const char *wrong = take_entry(o, entry);
    out->count += !wrong && entry->count;
    return wrong;
}

/* NULL, or what is wrong with it. */
static const char *take_op(const char *key, json_t *o, tn_tuned *out) {
    json_t *list = json_object_get(o, "tuned"), *one;
    size_t i;
    if (!json_is_string(json_object_get(o, "kernel")) || strlen(key) >= sizeof out->entries[0].op)
        return "no kernel, or too long a name";
    if (json_object_get(o, "values"))
        return take_old_op(key, o, out);
    if (!json_is_array(list))
        return "no values";
    json_array_foreach(list, i, one) {
        tn_tuned_entry *entry = entry_make(out, key);
        const char *wrong = entry ? take_entry(one, entry) : "too many entries";
        if (wrong)
            return wrong;
        if (!take_text(one, "pass", entry->pass, sizeof entry->pass) ||
            !take_text(one, "shapes", entry->shapes, sizeof entry->shapes) ||
            !take_text(one, "variant", entry->variant, sizeof entry->variant))
            return "too long a name";
        entry->wins = json_is_true(json_object_get(one, "wins"));
        out->count++;
    }
    return NULL;
}

static tn_status take_all(tn_context *ctx, json_t *root, tn_tuned *out) {
    const char *key;
    json_t *o;
    size_t stale = 0;
    take_text(root, "utc", out->utc, sizeof out->utc);
    json_object_foreach(json_object_get(root, "ops"), key, o) {
        char hash[17], why[160];
        const int before = out->count;
        const char *wrong = take_op(key, o, out);
        if (wrong) {
            out->count = 0;
            snprintf(why, sizeof why, "op '%.40s' has %s", key, wrong);
            return unusable(ctx, out->path, why);
        }
        TN_TRY(kernel_hash(ctx, key, hash));
        if (strcmp(hash, json_string_value(json_object_get(o, "kernel"))) == 0)
            continue;
        out->count = before;
        if (stale < sizeof out->stale)
            stale += (size_t)snprintf(out->stale + stale, sizeof out->stale - stale, "%s%s",
                                      stale ? ", " : "", key);
    }
    return TN_OK;
}

tn_status tn_tuned_read(tn_context *ctx, const tn_device_info *info, tn_tuned *out) {
    json_t *root;
    *out = (tn_tuned){.count = 0};
    TN_TRY(path_of(ctx, info, out->path, sizeof out->path));
    if (!out->path[0] || !tn_file_exists(out->path))
        return TN_OK;
    TN_TRY(load_json(ctx, info, out->path, &root));
    tn_status status = take_all(ctx, root, out);
    json_decref(root);
    return status;
}

static json_t *entry_json(const tn_tuned_entry *e) {
    json_t *values = json_object(), *o = json_object();
    const struct {
        const char *name, *text;
    } texts[] = {{"pass", e->pass}, {"shapes", e->shapes}, {"variant", e->variant}};
    const struct {
        const char *name;
        double value;
    } reals[] = {{"ratio", e->ratio}, {"ratio_q1", e->ratio_q1}, {"ratio_q3", e->ratio_q3}};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        if (texts[i].text[0])
            json_object_set_new(o, texts[i].name, json_string(texts[i].text));
    if (e->pass[0])
        json_object_set_new(o, "wins", json_boolean(e->wins));
    for (int i = 0; i < e->count; i++)
        json_object_set_new(values, e->values[i].name, json_integer(e->values[i].value));
    json_object_set_new(o, "values", values);
    for (size_t i = 0; i < sizeof reals / sizeof reals[0]; i++)
        json_object_set_new(o, reals[i].name,
                            isfinite(reals[i].value) ? json_real(reals[i].value) : json_null());
    json_object_set_new(o, "n", json_integer(e->n));
    return o;
}

static json_t *op_json(const tn_tuned_entry *entries, int count, const char *hash) {
    json_t *list = json_array();
    for (int i = 0; i < count; i++)
        json_array_append_new(list, entry_json(&entries[i]));
    return json_pack("{s:s, s:o}", "kernel", hash, "tuned", list);
}

/* Values for kernels that have changed since say nothing any more, and those of `op` make way for newer ones.
 * The others stay, under today's names. */
static tn_status drop_stale(tn_context *ctx, json_t *ops, const char *op) {
    const char *key;
    json_t *o, *kept = json_object();
    char hash[17], now[sizeof((tn_tuned_entry *)0)->op];
    tn_status status = TN_OK;
    json_object_foreach(ops, key, o) {
        const char *have = json_string_value(json_object_get(o, "kernel"));
        TN_GO(kernel_hash(ctx, key, hash));
        tn_op_current_key(key, now, sizeof now);
        const size_t length = strcspn(now, ":"); /* older files have "op:variant" */
        if (have && strcmp(hash, have) == 0 && (strlen(op) != length || strncmp(now, op, length) != 0))
            json_object_set(kept, now, o);
    }
    json_object_clear(ops);
    json_object_update(ops, kept);
cleanup:
    json_decref(kept);
    return status;
}

/* The file as it stands when it is good, else an empty one for this device. */
static json_t *base_json(tn_context *ctx, const tn_device_info *info, const char *path) {
    tn_tuned_identity fields[IDENTITY];
    json_t *root = NULL;
    if (tn_file_exists(path) && load_json(ctx, info, path, &root) == TN_OK &&
        json_is_object(json_object_get(root, "ops"))) {
        json_object_set_new(root, "schema", json_string(schema));
        json_object_set_new(root, "program", json_string(TN_RELEASE));
        return root;
    }
    json_decref(root);
    root = json_object();
    identity_of(info, fields);
    for (int i = 0; i < IDENTITY; i++)
        json_object_set_new(root, fields[i].name, json_string(fields[i].value));
    json_object_set_new(root, "ops", json_object());
    return root;
}

/* The folder of the file. */
static tn_status make_folder(tn_context *ctx, const char *path) {
    char *folder;
    TN_TRY(tn_strdup(ctx, path, &folder));
    *strrchr(folder, '/') = '\0';
    tn_status status = tn_folder_make(ctx, folder);
    tn_free(ctx, folder);
    return status;
}

static tn_status write_json(tn_context *ctx, const char *path, const json_t *root) {
    tn_outfile file;
    TN_TRY(make_folder(ctx, path));
    TN_TRY(tn_outfile_open(ctx, path, &file));
    json_dumpf(root, file.stream, JSON_INDENT(2) | JSON_REAL_PRECISION(6));
    fputc('\n', file.stream); /* commit looks at the stream's error flag */
    return tn_outfile_commit(ctx, &file);
}

/* As path_of, and there must be one. */
static tn_status path_to_write(tn_context *ctx, const tn_device_info *info, char *out, size_t size) {
    TN_TRY(path_of(ctx, info, out, size));
    return out[0] ? TN_OK
                  : tn_fail(ctx, TN_ERR_OUTPUT,
                            "there is nowhere to keep tuned values: TURNOUT_TUNED is 0, or neither "
                            "TURNOUT_TUNED_DIR nor HOME is set");
}

tn_status tn_tuned_check(tn_context *ctx, const tn_device_info *info) {
    char path[sizeof((tn_tuned *)0)->path];
    TN_TRY(path_to_write(ctx, info, path, sizeof path));
    TN_TRY(make_folder(ctx, path));
    return tn_output_check(ctx, path);
}

tn_status tn_tuned_store(tn_context *ctx, const tn_device_info *info, const char *op,
                         const tn_tuned_entry *entries, int count) {
    char path[sizeof((tn_tuned *)0)->path], utc[24], hash[17];
    TN_TRY(path_to_write(ctx, info, path, sizeof path));
    json_t *root = base_json(ctx, info, path), *ops = json_object_get(root, "ops");
    tn_status status = TN_OK;
    tn_clock_utc(utc, sizeof utc);
    json_object_set_new(root, "utc", json_string(utc));
    TN_GO(drop_stale(ctx, ops, op));
    TN_GO(kernel_hash(ctx, op, hash));
    json_object_set_new(ops, op, op_json(entries, count, hash));
    status = write_json(ctx, path, root);
cleanup:
    json_decref(root);
    return status;
}

void tn_tuned_describe(const tn_tuned *tuned, char *text, size_t size) {
    int better = 0; /* ops; the entries of one stand together */
    for (int i = 0; i < tuned->count; i++)
        better += i == 0 || strcmp(tuned->entries[i].op, tuned->entries[i - 1].op) != 0;
    text[0] = '\0';
    if (better)
        snprintf(text, size, "%d op%s, %s (%s)", better, better == 1 ? "" : "s", tuned->utc, tuned->path);
}

const tn_tuned_entry *tn_tuned_winner(const tn_tuned *tuned, const char *op, const char *pass,
                                      const char *shapes) {
    for (int i = 0; tuned && i < tuned->count; i++) {
        const tn_tuned_entry *e = &tuned->entries[i];
        if (e->wins && strcmp(e->op, op) == 0 && strcmp(e->pass, pass) == 0 && strcmp(e->shapes, shapes) == 0)
            return e;
    }
    return NULL;
}

static bool value_in(const tn_tuned_entry *e, const char *name, int *value) {
    for (int i = 0; i < e->count; i++)
        if (strcmp(e->values[i].name, name) == 0) {
            *value = e->values[i].value;
            return true;
        }
    return false;
}

bool tn_tuned_value(const tn_tuned *tuned, const char *op, const char *variant, const char *pass,
                    const char *shapes, const char *name, int *value) {
    for (int any = pass == NULL; any < 2; any++) /* what is said of the pass goes before what holds for all */
        for (int i = 0; tuned && i < tuned->count; i++) {
            const tn_tuned_entry *e = &tuned->entries[i];
            const bool mine =
                any ? !e->pass[0] : strcmp(e->pass, pass) == 0 && strcmp(e->shapes, shapes) == 0;
            if (mine && strcmp(e->op, op) == 0 && (!e->variant[0] || strcmp(e->variant, variant) == 0) &&
                value_in(e, name, value))
                return true;
        }
    return false;
}

void tn_tuned_leave(tn_device *dev, const char *op) {
    tn_tuned *tuned = dev->tuned;
    int kept = 0;
    for (int i = 0; tuned && i < tuned->count; i++)
        if (strcmp(tuned->entries[i].op, op) != 0)
            tuned->entries[kept++] = tuned->entries[i];
    if (tuned)
        tuned->count = kept;
    tn_plans_forget(dev);
}

void tn_tuned_load(tn_device *dev) {
    tn_tuned *tuned;
    tn_status status = tn_alloc(dev->ctx, 1, sizeof *tuned, &tuned);
    if (status == TN_OK)
        status = tn_tuned_read(dev->ctx, &dev->info, tuned);
    if (status != TN_OK)
        tn_warn(dev->ctx, "%s; the defaults are used", dev->ctx->message);
    else if (tuned->stale[0])
        tn_warn(dev->ctx, "tuned values of %s are for other kernels and not used; run turnout tune",
                tuned->stale);
    if (status == TN_OK && tuned->count)
        dev->tuned = tuned;
    else
        tn_free(dev->ctx, tuned);
}
