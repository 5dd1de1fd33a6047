#include "survey.h"

#include "build.h"
#include "child.h"
#include "clock.h"
#include "file.h"
#include "survey_end.h"
#include "survey_run.h"

#include <stdlib.h>
#include <string.h>

/* Children keep what tuning finds with the survey, and find it there. */
static tn_status use_tuned(const tn_survey *s) {
    char *path, *whole = realpath(s->folder, NULL);
    TN_TRY(tn_path_join(s->ctx, whole ? whole : s->folder, "tuned", &path));
    free(whole);
    const int bad = setenv("TURNOUT_TUNED_DIR", path, 1);
    tn_free(s->ctx, path);
    return bad ? tn_fail(s->ctx, TN_ERR_MEMORY, "no room for TURNOUT_TUNED_DIR") : TN_OK;
}

/* What there is in the machine, as `turnout devices` says it. */
static tn_status describe(tn_survey *s) {
    char *argv[] = {(char *)(uintptr_t)s->o->program, "devices", "--json", NULL};
    tn_child_result r;
    if (s->device)
        return TN_OK;
    TN_TRY(tn_child_run(s->ctx, argv, 30, &r));
    if (r.code == 0 && r.output)
        s->device = json_loads(r.output, 0, NULL);
    tn_child_free(s->ctx, &r);
    return TN_OK;
}

static bool has_rows(const tn_survey *s) {
    for (int f = 0; f < TN_SURVEY_FILES; f++)
        for (size_t i = 0; i < s->files[f].count; i++)
            if (strcmp(s->files[f].items[i].status, "ok") == 0)
                return true;
    return false;
}

/* One device, up to its rows and its survey.json. */
static tn_status measure(tn_survey *s) {
    TN_TRY(tn_survey_open(s));
    TN_TRY(use_tuned(s));
    if (s->whole) {
        tn_progress(s->ctx, "%s is whole already: nothing is measured again", s->folder);
        tn_progress_end(s->ctx);
        return TN_OK;
    }
    TN_TRY(describe(s));
    TN_TRY(tn_survey_measure(s));
    TN_TRY(tn_survey_untried_rows(s));
    s->whole = true;
    return tn_survey_save(s);
}

static tn_status verdict_of(tn_context *ctx, int wrong, bool any) {
    if (wrong > 0)
        return tn_fail(ctx, TN_ERR_CHECK, "%d program%s of the ops gave wrong results; survey.md names %s",
                       wrong, wrong == 1 ? "" : "s", wrong == 1 ? "it" : "them");
    return any ? TN_OK
               : tn_fail(ctx, TN_ERR_DEVICE,
                         "nothing could be measured; survey.json says why, piece by piece");
}

static tn_status survey_one(tn_context *ctx, const tn_survey_options *o) {
    tn_survey *s = NULL;
    json_t *kept = NULL;
    tn_status status = TN_OK;
    TN_TRY(tn_alloc(ctx, 1, sizeof *s, &s)); /* too large for a stack */
    *s = (tn_survey){.ctx = ctx, .o = o, .info = o->devices[0], .minutes = o->minutes};
    TN_GO(tn_strdup(ctx, o->folder, &s->folder));
    TN_GO(measure(s));
    TN_GO(tn_survey_read(ctx, s->folder, &kept));
    json_decref(s->verdict);
    s->verdict = NULL;
    TN_GO(tn_survey_end(ctx, s->folder, (const char *const *)&s->folder, &kept, 1, &s->verdict));
    TN_GO(tn_survey_save(s));
    status = verdict_of(ctx, s->wrong, has_rows(s));
cleanup:
    json_decref(kept);
    tn_survey_close(s);
    tn_free(ctx, s);
    return status;
}

/* ---- several devices ---- */

typedef struct several {
    tn_context *ctx;
    const tn_survey_options *o;
    char **folders;   /* a device each */
    json_t **surveys; /* their survey.json */
    int wrong;
    bool any;
} several;

/* "0-1" of 0:1 */
static tn_status sub_folder(const several *a, int device, char **out) {
    char name[32];
    const tn_device_info *info = a->o->devices[device];
    snprintf(name, sizeof name, "%d-%d", info->platform, info->index);
    return tn_path_join(a->ctx, a->o->folder, name, out);
}

/* A device that fails is told, and the others go on. */
static tn_status survey_device(several *a, int device) {
    tn_survey *s = NULL;
    tn_survey_options o = *a->o;
    tn_status status = TN_OK;
    TN_TRY(tn_alloc(a->ctx, 1, sizeof *s, &s));
    o.minutes = a->o->minutes / a->o->device_count;
    *s = (tn_survey){.ctx = a->ctx, .o = &o, .info = a->o->devices[device], .minutes = o.minutes};
    TN_GO(tn_strdup(a->ctx, a->folders[device], &s->folder));
    TN_GO(measure(s));
    a->wrong += s->wrong;
    a->any = a->any || has_rows(s);
    status = tn_survey_read(a->ctx, s->folder, &a->surveys[device]);
cleanup:
    tn_survey_close(s);
    tn_free(a->ctx, s);
    return status;
}

/* survey.json above those of the devices. */
static tn_status save_all(const several *a, json_t *verdict, bool whole) {
    json_t *folders = json_array();
    double seconds = 0;
    for (int i = 0; i < a->o->device_count; i++) {
        json_array_append_new(folders, json_string(strrchr(a->folders[i], '/') + 1));
        seconds += json_number_value(json_object_get(a->surveys[i], "seconds"));
    }
    json_t *root =
        json_pack("{s:s, s:s, s:f, s:f, s:b, s:o}", "schema", TN_SURVEY_SCHEMA, "version", tn_build_version(),
                  "minutes", a->o->minutes, "seconds", seconds, "whole", (int)whole, "folders", folders);
    json_object_set(root, "verdict", verdict ? verdict : json_null());
    tn_status status = tn_survey_write(a->ctx, a->o->folder, root);
    json_decref(root);
    return status;
}

static tn_status check_all(const several *a) {
    json_t *kept;
    TN_TRY(tn_survey_read(a->ctx, a->o->folder, &kept));
    const bool single = kept && !json_object_get(kept, "folders");
    json_decref(kept);
    if (single)
        return tn_fail(a->ctx, TN_ERR_ARG,
                       "%s holds a survey of one device; go on with its -d, or name another folder",
                       a->o->folder);
    return tn_folder_make(a->ctx, a->o->folder);
}

static tn_status survey_all(several *a) {
    json_t *verdict = NULL;
    const int count = a->o->device_count;
    tn_status status = TN_OK;
    TN_TRY(check_all(a));
    for (int i = 0; i < count; i++)
        TN_TRY(sub_folder(a, i, &a->folders[i]));
    TN_TRY(save_all(a, NULL, false));
    for (int i = 0; i < count; i++)
        TN_TRY(survey_device(a, i));
    status = tn_survey_end(a->ctx, a->o->folder, (const char *const *)a->folders, a->surveys, (size_t)count,
                           &verdict);
    if (status == TN_OK)
        status = save_all(a, verdict, true);
    json_decref(verdict);
    return status == TN_OK ? verdict_of(a->ctx, a->wrong, a->any) : status;
}

tn_status tn_survey_check(tn_context *ctx, const tn_survey_options *o) {
    if (o->minutes >= TN_SURVEY_LEAST_MINUTES * o->device_count)
        return TN_OK;
    return tn_fail(
        ctx, TN_ERR_ARG,
        "--minutes %g is too short for %d devices, each of which takes %d at least; --minutes %d, or one "
        "of them with -d",
        o->minutes, o->device_count, TN_SURVEY_LEAST_MINUTES, TN_SURVEY_LEAST_MINUTES * o->device_count);
}

tn_status tn_survey_run(tn_context *ctx, const tn_survey_options *options) {
    several a = {.ctx = ctx, .o = options};
    tn_status status = TN_OK;
    if (!options->each)
        return survey_one(ctx, options);
    TN_GO(tn_alloc(ctx, (size_t)options->device_count, sizeof *a.folders, &a.folders));
    TN_GO(tn_alloc(ctx, (size_t)options->device_count, sizeof *a.surveys, &a.surveys));
    status = survey_all(&a);
cleanup:
    for (int i = 0; i < options->device_count; i++) {
        if (a.folders)
            tn_free(ctx, a.folders[i]);
        if (a.surveys)
            json_decref(a.surveys[i]);
    }
    tn_free(ctx, a.folders);
    tn_free(ctx, a.surveys);
    return status;
}
