/* The plan of a survey, said beforehand. */
#include "survey.h"

#include "file.h"
#include "survey_end.h"
#include "survey_plan.h"

#include <string.h>

enum { END_S = 4 };

typedef struct part {
    int pieces, beyond;
    double seconds, share;
} part;

static void add_up(const tn_survey_plan *plan, int tier, double seconds, part parts[TN_SURVEY_STAGES]) {
    double all = 0;
    memset(parts, 0, TN_SURVEY_STAGES * sizeof *parts);
    for (size_t i = 0; i < plan->count; i++) {
        part *p = &parts[plan->items[i].stage];
        if (plan->items[i].tier > tier) {
            p->beyond++;
            continue;
        }
        p->pieces++;
        p->seconds += plan->items[i].nominal_s;
    }
    for (int i = 0; i < TN_SURVEY_STAGES; i++)
        all += parts[i].pieces ? tn_survey_stage_kinds[i].share : 0;
    for (int i = 0; i < TN_SURVEY_STAGES; i++)
        parts[i].share = parts[i].pieces ? seconds * tn_survey_stage_kinds[i].share / all : 0;
}

static json_t *to_json(const tn_survey_plan *plan, int tier, const part *parts, double seconds) {
    json_t *stages = json_array(), *pieces = json_array();
    char selector[32];
    for (int i = 0; i < TN_SURVEY_STAGES; i++)
        json_array_append_new(stages,
                              json_pack("{s:s, s:s, s:i, s:i, s:f, s:f}", "name",
                                        tn_survey_stage_kinds[i].name, "what", tn_survey_stage_kinds[i].what,
                                        "pieces", parts[i].pieces, "beyond", parts[i].beyond, "seconds",
                                        parts[i].share, "least_seconds", tn_survey_stage_kinds[i].least_s));
    for (size_t i = 0; i < plan->count; i++)
        if (plan->items[i].tier <= tier)
            json_array_append_new(pieces,
                                  json_pack("{s:s, s:s, s:f}", "stage",
                                            tn_survey_stage_kinds[plan->items[i].stage].name, "name",
                                            plan->items[i].name, "seconds_about", plan->items[i].nominal_s));
    snprintf(selector, sizeof selector, "%d:%d", plan->info->platform, plan->info->index);
    return json_pack("{s:s, s:s, s:f, s:o, s:o}", "selector", selector, "device", plan->info->name, "seconds",
                     seconds, "stages", stages, "pieces", pieces);
}

static void print(const tn_survey_plan *plan, const part *parts, double seconds) {
    printf("%d:%d %s, %.0f s:\n", plan->info->platform, plan->info->index, plan->info->name, seconds);
    printf("%-9s %8s %7s %12s  %s\n", "stage", "share s", "pieces", "about s", "what");
    for (int i = 0; i < TN_SURVEY_STAGES; i++)
        printf("%-9s %8.0f %7d %12.0f  %s\n", tn_survey_stage_kinds[i].name, parts[i].share, parts[i].pieces,
               parts[i].seconds, tn_survey_stage_kinds[i].what);
    printf("%-9s %8d %7s %12s  %s\n", "report", END_S, "", "", "the verdict, survey.md and report.html");
}

static void print_tail(const part *parts, int tier) {
    int beyond = 0;
    for (int i = 0; i < TN_SURVEY_STAGES; i++)
        beyond += parts[i].beyond;
    puts("about: on two cores of a server's CPU. What a stage leaves of its share goes to those behind it, "
         "what does\n"
         "not fit is named in survey.md with what it would take.");
    if (tier < 4 && beyond > 0)
        printf("%d pieces more from --minutes %.0f on.\n", beyond, tn_survey_tier_minutes(tier + 1));
}

static tn_status show(tn_context *ctx, const tn_device_info *info, const tn_survey_options *o, bool last,
                      json_t *list) {
    const double minutes = o->minutes / o->device_count;
    tn_survey_plan plan;
    part parts[TN_SURVEY_STAGES];
    const double seconds = 60 * minutes;
    const int tier = tn_survey_tier(minutes);
    tn_status status = tn_survey_plan_make(ctx, info, &plan);
    if (status == TN_OK) {
        tn_survey_plan_keep(&plan, &o->shard);
        add_up(&plan, tier, seconds - END_S, parts);
        if (list)
            json_array_append_new(list, to_json(&plan, tier, parts, seconds));
        else
            print(&plan, parts, seconds);
        if (!list && last)
            print_tail(parts, tier);
    }
    tn_survey_plan_free(&plan);
    return status;
}

tn_status tn_survey_show(tn_context *ctx, const tn_survey_options *o) {
    json_t *list, *kept = NULL;
    tn_status status = TN_OK;
    if (o->folder) /* what a survey there would be refused for is said now */
        TN_TRY(tn_survey_read(ctx, o->folder, &kept));
    json_decref(kept);
    list = o->json ? json_array() : NULL;
    for (int i = 0; i < o->device_count && status == TN_OK; i++)
        status = show(ctx, o->devices[i], o, i + 1 == o->device_count, list);
    if (status == TN_OK && list) {
        json_dumpf(list, stdout, JSON_INDENT(2) | JSON_REAL_PRECISION(6));
        puts("");
    }
    json_decref(list);
    return status == TN_OK ? tn_stdout_check(ctx) : status;
}
