#include "survey_end.h"

#include "build.h"
#include "file.h"
#include "report.h"
#include "verdict.h"

#include <math.h>
#include <string.h>

static const char *text_of(const json_t *object, const char *name) {
    const char *text = json_string_value(json_object_get(object, name));
    return text ? text : "";
}

static double number_of(const json_t *object, const char *name) {
    return json_number_value(json_object_get(object, name));
}

static const json_t *stage_of(const json_t *survey, const char *name) {
    size_t i;
    const json_t *stage;
    json_array_foreach(json_object_get(survey, "stages"), i, stage) {
        if (strcmp(text_of(stage, "name"), name) == 0)
            return stage;
    }
    return NULL;
}

/* Pieces of a stage that a survey of these minutes does not plan. */
static double beyond_of(const json_t *survey, const char *stage) {
    const json_t *entry;
    size_t i;
    double pieces = 0;
    json_array_foreach(json_object_get(survey, "left_out"), i, entry) {
        if (strcmp(text_of(entry, "stage"), stage) == 0 && json_object_get(entry, "minutes"))
            pieces += number_of(entry, "pieces");
    }
    return pieces;
}

/* How many of the ops' programs are right, and what failed of anything. */
static void print_verified(const json_t *survey, const char *bullet, FILE *to) {
    const json_t *stage = stage_of(survey, "verify"), *piece;
    size_t i;
    fprintf(to,
            "%sVerified against double precision: %.0f of the ops' %.0f programs, in the order in which this "
            "device takes them. A row is timed only where its own shape was verified in that run.\n",
            bullet, number_of(stage, "done"), number_of(stage, "pieces") + beyond_of(survey, "verify"));
    json_array_foreach(json_object_get(survey, "pieces"), i, piece) {
        if (strcmp(text_of(piece, "state"), "failed") == 0)
            fprintf(to, "%s**%s failed** (%s): %.300s\n", bullet, text_of(piece, "name"),
                    text_of(piece, "stage"), text_of(piece, "note"));
    }
}

/* "layer 22 of 24" */
static void print_stages(const json_t *survey, const char *bullet, FILE *to) {
    size_t i;
    const json_t *stage;
    const char *joint = "";
    fprintf(to, "%sMeasured in %.0f of %.0f s: ", bullet, number_of(survey, "seconds"),
            60 * number_of(survey, "minutes"));
    json_array_foreach(json_object_get(survey, "stages"), i, stage) {
        if (number_of(stage, "pieces") <= 0)
            continue;
        fprintf(to, "%s%s %.0f of %.0f in %.0f s", joint, text_of(stage, "name"), number_of(stage, "done"),
                number_of(stage, "pieces"), number_of(stage, "seconds"));
        joint = ", ";
    }
    fputs(".\n", to);
}

/* What did not fit, a line a stage: how many pieces, the first of them, and what they would take. */
static void print_left_out(const json_t *survey, const char *bullet, FILE *to) {
    const json_t *list = json_object_get(survey, "left_out"), *entry;
    for (int stage = 0; stage < TN_SURVEY_STAGES; stage++) {
        const char *name = tn_survey_stage_kinds[stage].name, *first = NULL, *why = "";
        double pieces = 0, seconds = 0;
        size_t i;
        json_array_foreach(list, i, entry) {
            if (strcmp(text_of(entry, "stage"), name) != 0 || json_object_get(entry, "minutes"))
                continue;
            first = first ? first : text_of(entry, "name");
            why = why[0] ? why : text_of(entry, "why");
            pieces += number_of(entry, "pieces");
            seconds += number_of(entry, "seconds_about");
        }
        if (pieces <= 0)
            continue;
        fprintf(to, "%sLeft out of %s: %s (%s)", bullet, name, first, why);
        if (pieces > 1)
            fprintf(to, " and %.0f more", pieces - 1);
        fprintf(to, ", about %.0f s.\n", seconds);
    }
}

/* The least --minutes that would have more. */
static void print_beyond(const json_t *survey, const char *bullet, FILE *to) {
    const json_t *entry;
    size_t i;
    double least = INFINITY, pieces = 0;
    json_array_foreach(json_object_get(survey, "left_out"), i, entry) {
        if (json_object_get(entry, "minutes"))
            least = fmin(least, number_of(entry, "minutes"));
    }
    json_array_foreach(json_object_get(survey, "left_out"), i, entry) {
        if (json_object_get(entry, "minutes") && number_of(entry, "minutes") <= least)
            pieces += number_of(entry, "pieces");
    }
    if (pieces > 0)
        fprintf(to,
                "%sNot of a survey this short: %.0f pieces more that `--minutes %.0f` has; the same command "
                "with it goes "
                "on from here.\n",
                bullet, pieces, least);
}

static void print_survey(const json_t *survey, bool named, const char *bullet, FILE *to) {
    if (named)
        fprintf(to, "\n%s %s, %s:\n\n", text_of(survey, "selector"), text_of(survey, "device"),
                text_of(survey, "platform"));
    print_verified(survey, bullet, to);
    print_stages(survey, bullet, to);
    print_left_out(survey, bullet, to);
    print_beyond(survey, bullet, to);
}

static void print_head(const json_t *survey, FILE *to) {
    fprintf(to, "- %s %s (%s, driver %s)\n", text_of(survey, "selector"), text_of(survey, "device"),
            text_of(survey, "platform"), text_of(survey, "driver"));
}

static tn_status write_page(tn_context *ctx, const char *folder, const tn_verdicts *verdicts,
                            json_t *const *surveys, size_t count) {
    char *path;
    tn_outfile file;
    TN_TRY(tn_path_join(ctx, folder, "survey.md", &path));
    tn_status status = tn_outfile_open(ctx, path, &file);
    tn_free(ctx, path);
    TN_TRY(status);
    fprintf(file.stream, "# Turnout's survey of %s\n\nturnout %s, begun %s\n\n",
            count == 1 ? "a device" : "several devices", tn_build_version(), text_of(surveys[0], "begun"));
    for (size_t i = 0; i < count; i++)
        print_head(surveys[i], file.stream);
    fputs("\n## Verdict\n\n", file.stream);
    if (verdicts)
        status = tn_verdicts_print(verdicts, file.stream, TN_TABLE_MARKDOWN);
    else
        fputs("Not measured: no row came of it.\n", file.stream);
    fputs("\n## What it rests on\n\n", file.stream);
    for (size_t i = 0; i < count; i++)
        print_survey(surveys[i], count > 1, "- ", file.stream);
    fputs("\nAll rows: cost.csv, parts.csv, step.csv, decode.csv, study.csv; report.html shows them.\n",
          file.stream);
    return tn_outfile_end(ctx, &file, status);
}

static tn_status print_terminal(const tn_verdicts *verdicts, json_t *const *surveys, size_t count) {
    if (verdicts)
        TN_TRY(tn_verdicts_print(verdicts, stdout, TN_TABLE_TEXT));
    else
        puts("Not measured: no row came of it.");
    fputs("\n", stdout);
    for (size_t i = 0; i < count; i++)
        print_survey(surveys[i], count > 1, "  ", stdout);
    return TN_OK;
}

tn_status tn_survey_end(tn_context *ctx, const char *folder, const char *const *folders,
                        json_t *const *surveys, size_t count, json_t **verdict) {
    static tn_context aside; /* static for its size: where there is no row, that is no failure */
    tn_inputs in = {0};
    tn_verdicts verdicts = {0};
    char *path = NULL;
    tn_status status = TN_OK;
    aside = (tn_context){.quiet = true};
    *verdict = NULL;
    const bool has_rows = tn_inputs_read(&aside, folders, count, &in) == TN_OK;
    tn_inputs_free(&in);
    if (has_rows) {
        TN_GO(tn_inputs_read(ctx, folders, count, &in));
        TN_GO(tn_verdicts_make(&in, &verdicts));
        *verdict = tn_verdicts_json(&verdicts);
        TN_GO(tn_path_join(ctx, folder, "report.html", &path));
        TN_GO(tn_report_write(ctx, folders, count, path));
    }
    TN_GO(write_page(ctx, folder, has_rows ? &verdicts : NULL, surveys, count));
    TN_GO(print_terminal(has_rows ? &verdicts : NULL, surveys, count));
    status = tn_stdout_check(ctx);
cleanup:
    tn_free(ctx, path);
    tn_verdicts_free(&verdicts);
    tn_inputs_free(&in);
    return status;
}
