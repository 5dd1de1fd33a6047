#include "survey_state.h"

#include "build.h"
#include "clock.h"
#include "file.h"
#include "json_memory.h"

#include <dirent.h>
#include <math.h>
#include <string.h>

enum { END_S = 4 }; /* for the verdict and the page */

double tn_survey_spent(const tn_survey *s) {
    return s->spent_s + (s->start > 0 ? tn_clock_seconds() - s->start : 0);
}

double tn_survey_limit(const tn_survey *s) {
    return 60 * s->minutes - END_S;
}

/* Also with what a survey leaves that was killed before its first survey.json. */
static bool is_empty(const char *folder) {
    DIR *open = opendir(folder);
    bool empty = true;
    for (struct dirent *entry; open && empty && (entry = readdir(open)) != NULL;)
        empty = strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0 ||
                strcmp(entry->d_name, "tuned") == 0 || strncmp(entry->d_name, "survey.json.", 12) == 0;
    if (open)
        closedir(open);
    return empty;
}

tn_status tn_survey_read(tn_context *ctx, const char *folder, json_t **out) {
    char *path, *bytes = NULL;
    size_t size;
    *out = NULL;
    TN_TRY(tn_path_join(ctx, folder, "survey.json", &path));
    tn_status status = TN_OK;
    if (!tn_file_exists(path)) {
        if (!is_empty(folder))
            status = tn_fail(ctx, TN_ERR_ARG,
                             "%s holds something else than a survey; name another folder, or an empty one",
                             folder);
        goto cleanup;
    }
    TN_GO(tn_file_read(ctx, path, &bytes, &size));
    *out = json_loadb(bytes, size, JSON_REJECT_DUPLICATES, NULL);
    const char *schema = json_string_value(json_object_get(*out, "schema"));
    if (!schema || strcmp(schema, TN_SURVEY_SCHEMA) != 0)
        status = tn_fail(ctx, TN_ERR_INPUT,
                         "%s is no survey.json of a survey of this version; name another folder", path);
cleanup:
    if (status != TN_OK) {
        json_decref(*out);
        *out = NULL;
    }
    tn_free(ctx, bytes);
    tn_free(ctx, path);
    return status;
}

tn_status tn_survey_write(tn_context *ctx, const char *folder, const json_t *root) {
    char *path;
    tn_outfile file;
    TN_TRY(tn_path_join(ctx, folder, "survey.json", &path));
    tn_status status = tn_outfile_open(ctx, path, &file);
    tn_free(ctx, path);
    TN_TRY(status);
    json_dumpf(root, file.stream, JSON_INDENT(2) | JSON_REAL_PRECISION(12)); /* commit sees a refusal */
    fputc('\n', file.stream);
    return tn_outfile_end(ctx, &file, tn_json_memory_check(ctx));
}

static json_t *seconds_json(double seconds) {
    return json_real(round(10 * seconds) / 10);
}

static const char *state_name(tn_survey_state state) {
    static const char *const names[] = {"pending", "done", "failed", "cut"};
    return names[state];
}

static bool is_planned(const tn_survey *s, const tn_survey_item *item) {
    return item->tier <= s->tier || item->state != TN_SURVEY_PENDING;
}

/* Pieces that no time of this survey is meant for, by stage. */
static void add_beyond(const tn_survey *s, json_t *list) {
    for (int stage = 0; stage < TN_SURVEY_STAGES; stage++)
        for (int tier = s->tier + 1; tier <= 4; tier++) {
            int count = 0;
            double seconds = 0;
            for (size_t i = 0; i < s->plan.count; i++)
                if ((int)s->plan.items[i].stage == stage && s->plan.items[i].tier == tier &&
                    !is_planned(s, &s->plan.items[i])) {
                    count++;
                    seconds += s->plan.items[i].nominal_s;
                }
            if (count > 0)
                json_array_append_new(
                    list, json_pack("{s:s, s:s, s:i, s:s, s:o, s:f}", "stage",
                                    tn_survey_stage_kinds[stage].name, "name", "more of the same", "pieces",
                                    count, "why", "not of a survey this short", "seconds_about",
                                    seconds_json(seconds), "minutes", tn_survey_tier_minutes(tier)));
        }
}

json_t *tn_survey_left_out(const tn_survey *s) {
    json_t *list = json_array();
    for (size_t i = 0; i < s->plan.count; i++) {
        const tn_survey_item *item = &s->plan.items[i];
        if (!is_planned(s, item) || item->state == TN_SURVEY_DONE || item->state == TN_SURVEY_FAILED)
            continue;
        json_array_append_new(list,
                              json_pack("{s:s, s:s, s:i, s:s, s:o}", "stage",
                                        tn_survey_stage_kinds[item->stage].name, "name", item->name, "pieces",
                                        1, "why", item->note[0] ? item->note : "the time was over",
                                        "seconds_about", seconds_json(item->nominal_s)));
    }
    add_beyond(s, list);
    return list;
}

static json_t *stages_json(const tn_survey *s) {
    json_t *list = json_array();
    for (int stage = 0; stage < TN_SURVEY_STAGES; stage++) {
        int count[4] = {0}, all = 0;
        for (size_t i = 0; i < s->plan.count; i++)
            if ((int)s->plan.items[i].stage == stage && is_planned(s, &s->plan.items[i])) {
                count[s->plan.items[i].state]++;
                all++;
            }
        json_array_append_new(list, json_pack("{s:s, s:s, s:o, s:i, s:i, s:i, s:i}", "name",
                                              tn_survey_stage_kinds[stage].name, "what",
                                              tn_survey_stage_kinds[stage].what, "seconds",
                                              seconds_json(s->stage_s[stage]), "pieces", all, "done",
                                              count[TN_SURVEY_DONE], "failed", count[TN_SURVEY_FAILED],
                                              "left_out", count[TN_SURVEY_PENDING] + count[TN_SURVEY_CUT]));
    }
    return list;
}

static json_t *items_json(const tn_survey *s) {
    json_t *list = json_array();
    for (size_t i = 0; i < s->plan.count; i++) {
        const tn_survey_item *item = &s->plan.items[i];
        if (!is_planned(s, item))
            continue;
        json_t *object =
            json_pack("{s:s, s:s, s:s, s:o}", "stage", tn_survey_stage_kinds[item->stage].name, "name",
                      item->name, "state", state_name(item->state), "seconds", seconds_json(item->seconds));
        if (item->note[0])
            json_object_set_new(object, "note", json_string(item->note));
        json_array_append_new(list, object);
    }
    return list;
}

static json_t *ceilings_json(const tn_survey *s) {
    const tn_roofline *r = &s->ceilings.roofline;
    if (!s->ceilings.known)
        return json_null();
    json_t *object =
        json_pack("{s:f, s:f, s:f, s:f, s:f, s:s}", "gflops", 1e-9 * r->flops, "copy_gbs",
                  1e-9 * r->copy_bytes, "read_gbs", 1e-9 * r->read_bytes, "attention_flops",
                  s->ceilings.attention_rate, "update_s", s->ceilings.update_s, "numbers", s->ceilings_text);
    json_object_set_new(object, "idle_w",
                        s->ceilings.idle_w > 0 ? json_real(s->ceilings.idle_w) : json_null());
    return object;
}

tn_status tn_survey_save(tn_survey *s) {
    json_t *root =
        json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:f, s:o, s:i, s:b}", "schema", TN_SURVEY_SCHEMA, "version",
                  tn_build_version(), "begun", s->begun, "device", s->info->name, "platform",
                  s->info->platform_name, "driver", s->info->driver, "minutes", s->minutes, "seconds",
                  seconds_json(tn_survey_spent(s)), "starts", s->starts, "whole", (int)s->whole);
    char selector[32], shard[TN_SHARD_TEXT];
    tn_shard_print(&s->o->shard, shard);
    json_object_set_new(root, "shard", json_string(shard));
    snprintf(selector, sizeof selector, "%d:%d", s->info->platform, s->info->index);
    json_object_set_new(root, "selector", json_string(selector));
    json_object_set_new(root, "wrong", json_integer(s->wrong));
    json_object_set_new(root, "stages", stages_json(s));
    json_object_set_new(root, "left_out", tn_survey_left_out(s));
    json_object_set_new(root, "ceilings", ceilings_json(s));
    json_object_set_new(root, "recall",
                        s->recall < 0 ? json_null()
                                      : json_pack("{s:i, s:I, s:I}", "choice", s->recall, "distance",
                                                  (json_int_t)tn_survey_recalls[s->recall].distance, "steps",
                                                  (json_int_t)tn_survey_recalls[s->recall].steps));
    json_object_set(root, "verdict", s->verdict ? s->verdict : json_null());
    json_object_set(root, "devices", s->device ? s->device : json_null());
    json_object_set_new(root, "pieces", items_json(s));
    tn_status status = tn_survey_write(s->ctx, s->folder, root);
    json_decref(root);
    return status;
}
