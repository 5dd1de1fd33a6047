/* Taking a survey's folder, and going on with what it has. */
#include "survey_state.h"

#include "build.h"
#include "clock.h"
#include "file.h"

#include <math.h>
#include <string.h>

static const char *text_of(const json_t *root, const char *name) {
    const char *text = json_string_value(json_object_get(root, name));
    return text ? text : "";
}

static double number_of(const json_t *root, const char *name) {
    return json_number_value(json_object_get(root, name));
}

/* Of the same device and build, and for no less time: else rows would stand side by side that are not one
 * survey's. */
static tn_status check_kept(const tn_survey *s, const json_t *kept) {
    const char *version = text_of(kept, "version"), *device = text_of(kept, "device");
    char selector[32], shard[TN_SHARD_TEXT];
    snprintf(selector, sizeof selector, "%d:%d", s->info->platform, s->info->index);
    tn_shard_print(&s->o->shard, shard);
    if (json_object_get(kept, "folders"))
        return tn_fail(s->ctx, TN_ERR_ARG,
                       "%s holds a survey of several devices; go on with -d all, or name another folder",
                       s->folder);
    if (strcmp(device, s->info->name) != 0 || strcmp(text_of(kept, "driver"), s->info->driver) != 0 ||
        strcmp(text_of(kept, "selector"), selector) != 0)
        return tn_fail(s->ctx, TN_ERR_ARG,
                       "%s holds a survey of %s %s, driver %s, and this one is of %s %s, driver %s; name "
                       "another folder",
                       s->folder, text_of(kept, "selector"), device, text_of(kept, "driver"), selector,
                       s->info->name, s->info->driver);
    if (strcmp(version, tn_build_version()) != 0)
        return tn_fail(
            s->ctx, TN_ERR_ARG,
            "%s holds a survey that turnout %s made, and this is %s; go on with that build, or name "
            "another folder",
            s->folder, version, tn_build_version());
    if (strcmp(text_of(kept, "shard"), shard) != 0)
        return tn_fail(s->ctx, TN_ERR_ARG,
                       "%s holds %s%s of a survey, and this is %s%s; name another folder for each part",
                       s->folder, text_of(kept, "shard")[0] ? "shard " : "the whole", text_of(kept, "shard"),
                       shard[0] ? "shard " : "the whole", shard);
    if (s->minutes < number_of(kept, "minutes"))
        return tn_fail(s->ctx, TN_ERR_ARG,
                       "%s holds a survey of %g minutes; go on with as many or more, or name another folder",
                       s->folder, number_of(kept, "minutes"));
    return TN_OK;
}

static tn_survey_item *find_item(tn_survey *s, const char *stage, const char *name) {
    for (size_t i = 0; i < s->plan.count; i++)
        if (strcmp(s->plan.items[i].name, name) == 0 &&
            strcmp(tn_survey_stage_kinds[s->plan.items[i].stage].name, stage) == 0)
            return &s->plan.items[i];
    return NULL;
}

/* What was cut begins anew, or goes on, as if it were pending. */
static void take_items(tn_survey *s, const json_t *pieces) {
    size_t i;
    json_t *object;
    json_array_foreach(pieces, i, object) {
        tn_survey_item *item = find_item(s, text_of(object, "stage"), text_of(object, "name"));
        const char *state = text_of(object, "state");
        if (!item)
            continue;
        item->seconds = number_of(object, "seconds");
        if (strcmp(state, "done") == 0)
            item->state = TN_SURVEY_DONE;
        else if (strcmp(state, "failed") == 0)
            item->state = TN_SURVEY_FAILED;
        if (item->state != TN_SURVEY_PENDING)
            snprintf(item->note, sizeof item->note, "%s", text_of(object, "note"));
        s->failed += item->state == TN_SURVEY_FAILED;
    }
}

static void take_stages(tn_survey *s, const json_t *stages) {
    size_t i;
    json_t *object;
    json_array_foreach(stages, i, object) {
        if (i < TN_SURVEY_STAGES)
            s->stage_s[i] = number_of(object, "seconds");
    }
}

static void take_ceilings(tn_survey *s, const json_t *object) {
    tn_cell_ceilings *c = &s->ceilings;
    const json_t *idle = json_object_get(object, "idle_w");
    snprintf(s->ceilings_text, sizeof s->ceilings_text, "%s", text_of(object, "numbers"));
    c->known = s->ceilings_text[0] && tn_roofline_parse(s->ceilings_text, &c->roofline);
    c->attention_rate = number_of(object, "attention_flops");
    c->update_s = number_of(object, "update_s");
    c->idle_w = json_is_number(idle) ? json_number_value(idle) : NAN;
}

static void take(tn_survey *s, const json_t *kept) {
    const json_t *recall = json_object_get(json_object_get(kept, "recall"), "choice");
    snprintf(s->begun, sizeof s->begun, "%s", text_of(kept, "begun"));
    s->spent_s = number_of(kept, "seconds");
    s->starts = (int)number_of(kept, "starts");
    s->wrong = (int)number_of(kept, "wrong");
    s->whole = json_is_true(json_object_get(kept, "whole")) && s->minutes <= number_of(kept, "minutes");
    s->recall = json_is_integer(recall) ? (int)json_integer_value(recall) : -1;
    if (s->recall >= TN_SURVEY_RECALLS)
        s->recall = -1;
    s->verdict = json_incref(json_object_get(kept, "verdict"));
    s->device = json_incref(json_object_get(kept, "devices"));
    take_items(s, json_object_get(kept, "pieces"));
    take_stages(s, json_object_get(kept, "stages"));
    take_ceilings(s, json_object_get(kept, "ceilings"));
}

/* A row that is there was measured, whatever survey.json had time to say of it. */
static void take_rows(tn_survey *s) {
    for (size_t i = 0; i < s->plan.count; i++) {
        tn_survey_item *item = &s->plan.items[i];
        tn_cost_row like;
        if (!item->is_cell || item->state != TN_SURVEY_PENDING)
            continue;
        tn_sweep_cell_identify(&item->cell, 1, s->o->cpu_model, &like);
        const tn_cost_row *row = tn_survey_rows_find(&s->files[item->file], &like);
        if (row && strcmp(row->status, "timeout") != 0)
            item->state = strcmp(row->status, "error") == 0 ? TN_SURVEY_FAILED : TN_SURVEY_DONE;
    }
}

static tn_status open_folder(tn_survey *s) {
    char *tuned;
    TN_TRY(tn_folder_make(s->ctx, s->folder));
    TN_TRY(tn_path_join(s->ctx, s->folder, "tuned", &tuned));
    tn_status status = tn_folder_make(s->ctx, tuned);
    if (status == TN_OK) /* `study` takes the folder itself */
        status = tn_lock_take(s->ctx, tuned, &s->lock);
    tn_free(s->ctx, tuned);
    return status;
}

tn_status tn_survey_open(tn_survey *s) {
    json_t *kept = NULL;
    tn_status status = TN_OK;
    s->recall = -1;
    s->lock = (tn_lock){.file = -1};
    s->tier = tn_survey_tier(s->minutes);
    TN_GO(tn_survey_plan_make(s->ctx, s->info, &s->plan));
    tn_survey_plan_keep(&s->plan, &s->o->shard);
    TN_GO(tn_survey_read(s->ctx, s->folder, &kept));
    if (kept)
        TN_GO(check_kept(s, kept));
    TN_GO(open_folder(s));
    for (int f = 0; f < TN_SURVEY_FILES; f++)
        TN_GO(tn_survey_rows_load(s->ctx, s->folder, tn_survey_file_names[f], &s->files[f]));
    if (kept)
        take(s, kept);
    else
        tn_clock_utc(s->begun, sizeof s->begun);
    take_rows(s);
    if (!s->whole) {
        s->starts++;
        s->start = tn_clock_seconds();
        TN_GO(tn_survey_save(s));
    }
cleanup:
    json_decref(kept);
    return status;
}

void tn_survey_close(tn_survey *s) {
    tn_lock_release(&s->lock);
    for (int f = 0; f < TN_SURVEY_FILES; f++)
        tn_survey_rows_free(&s->files[f]);
    tn_survey_plan_free(&s->plan);
    json_decref(s->device);
    json_decref(s->verdict);
    tn_free(s->ctx, s->folder);
    s->folder = NULL;
    s->device = s->verdict = NULL;
}
