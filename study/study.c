#include "study.h"

#include "clock.h"
#include "file.h"
#include "row_price.h"
#include "run_finish.h"
#include "run_folder.h"
#include "study_bits.h"
#include "study_estimate.h"
#include "study_fill.h"
#include "study_folder.h"
#include "study_table.h"

#include <math.h>
#include <string.h>
#include <unistd.h>

/* The attention mixer is timed beside a row where one pass of it takes no longer than this; and an evaluation
 * that would take longer than that, because a router sends too many rows, is not begun. */
static const double longest_pass_s = TN_SAVINGS_LONGEST_PASS_S, longest_evaluation_s = 7200;

typedef struct study {
    tn_context *ctx;
    const tn_device_list *list;
    double seconds; /* of timing an evaluation */
    tn_device *dev;
    tn_study_plan plan;
    tn_study_folder folder;
    tn_study_rows rows;
    char shard[TN_SHARD_TEXT];
    double start, work_done, work_left;
    tn_study_result result;
} study;

/* λ of a run that measures it: from its folder, else, once there is a device, from that. */
static tn_status price(const study *s, const tn_study_item *item, tn_train_config *out) {
    bool found;
    char *folder;
    TN_TRY(tn_study_folder_run(&s->folder, item->run, &folder));
    tn_status status = tn_row_price_recorded(s->ctx, folder, out, &found);
    if (status == TN_OK && !found && s->dev)
        status = tn_row_price_measure(s->dev, out);
    tn_free(s->ctx, folder);
    return status;
}

static tn_status row_of(const study *s, const char *name, const char *what, const tn_study_row **row) {
    *row = tn_study_rows_find(&s->rows, name);
    if (*row && tn_study_row_ok(*row))
        return TN_OK;
    return tn_fail(s->ctx, TN_ERR_INPUT, "it takes the %s of %s, which has no good row", what, name);
}

/* The config an item trains with: what it takes of other runs is known once those have rows. */
static tn_status config_of(const study *s, const tn_study_item *item, tn_train_config *out) {
    *out = item->config;
    if (item->price_measured)
        return price(s, item, out);
    if (item->matched[0]) {
        const tn_study_row *routed;
        TN_TRY(row_of(s, item->matched, "routed fraction", &routed));
        *out = tn_study_match(item, tn_study_row_value(routed, "attention_pct"));
    }
    if (item->seconds_of[0]) {
        const tn_study_row *other, *own;
        TN_TRY(row_of(s, item->seconds_of, "seconds of training", &other));
        TN_TRY(row_of(s, item->timed, "seconds of a step", &own));
        *out = tn_study_steps(item, tn_study_row_value(other, "train_s"), tn_study_row_value(own, "train_s"));
    }
    return TN_OK;
}

/* A run that is there with another config (other defaults of another version, say) must not be mixed in. One
 * that cannot be read is left to its own row. */
static tn_status check_run(const study *s, const tn_study_item *item) {
    tn_train_config mine, kept;
    char *folder = NULL, *path = NULL;
    if (config_of(s, item, &mine) != TN_OK)
        return TN_OK;
    TN_TRY(tn_study_folder_run(&s->folder, item->run, &folder));
    tn_status status = tn_path_join(s->ctx, folder, "config.json", &path);
    if (status == TN_OK && tn_file_exists(path) && tn_train_config_load(s->ctx, path, &kept) == TN_OK) {
        status = tn_train_config_same(s->ctx, &kept, &mine);
        if (status != TN_OK)
            tn_fail_prefix(s->ctx, "%s", folder);
    }
    tn_free(s->ctx, folder);
    tn_free(s->ctx, path);
    return status;
}

static int64_t length_of(const tn_task_config *t) {
    return t->kind == TN_TASK_RECALL ? t->distance + 2 : t->length;
}

typedef struct work {
    const tn_study_item *item;
    tn_train_config config; /* evaluated: the item's task */
    tn_device *dev;         /* evaluates */
    char *folder;
    tn_train_result trained;
    tn_run_summary summary;
} work;

/* Beside the attention mixer where that fits in time and memory, else alone. */
static tn_status evaluate(study *s, work *w) {
    const tn_study_item *item = w->item;
    const tn_savings_options timing = {.seconds = s->seconds,
                                       .longest_pass_s = longest_pass_s,
                                       .pass_s = tn_study_estimate_item(&s->rows, item).pass_s};
    bool own = w->dev == s->dev && length_of(&item->task) == length_of(&item->config.task);
    return (own ? tn_run_finish : tn_run_evaluate)(w->dev, &w->config, w->folder, &w->trained,
                                                   item->sequences, &timing, &w->summary);
}

/* Training time of the attention mixer on the same task and seed, NaN where no row has it. */
static double attention_seconds(const study *s, const tn_study_item *item) {
    for (size_t i = 0; i < s->rows.count; i++) {
        const tn_study_row *row = &s->rows.items[i];
        if (item->attention[0] && tn_study_row_ok(row) &&
            strcmp(tn_study_row_text(row, "run"), item->attention) == 0)
            return tn_study_row_value(row, "train_s");
    }
    return NAN;
}

static tn_status fill(study *s, work *w, tn_study_row *row) {
    char *metrics;
    tn_learning learning;
    tn_study_difference difference;
    TN_TRY(tn_study_fill_summary(s->ctx, &w->summary, row));
    if (w->summary.savings.note[0])
        TN_TRY(tn_study_row_set(s->ctx, row, "reason", "%s", w->summary.savings.note));
    TN_TRY(tn_path_join(s->ctx, w->folder, "metrics.csv", &metrics));
    tn_status status = tn_learning_read(s->ctx, metrics, &learning);
    tn_free(s->ctx, metrics);
    TN_TRY(status);
    TN_TRY(tn_study_fill_learning(s->ctx, &w->summary, &learning, attention_seconds(s, w->item), row));
    if (w->item->part != TN_STUDY_DEVICES)
        return TN_OK;
    TN_TRY(
        tn_study_compare(s->dev, w->dev, w->folder, &w->config.task, TN_STUDY_PROBE_SEQUENCES, &difference));
    return tn_study_fill_difference(s->ctx, &difference, row);
}

static tn_status other_device(study *s, const tn_study_item *item, tn_device **out) {
    const tn_device_info *info, *mine = tn_device_get_info(s->dev);
    *out = s->dev;
    if (!item->device[0])
        return TN_OK;
    TN_TRY(tn_device_select(s->ctx, s->list, item->device, &info));
    if (info->platform == mine->platform && info->index == mine->index)
        return TN_OK;
    return tn_device_open(s->ctx, info, out);
}

/* Text of which no held-out document is as long as the window. */
static tn_status skip_short_text(study *s, const tn_study_item *item, tn_study_row *row, bool *skipped) {
    tn_task *task;
    if (item->task.kind != TN_TASK_TEXT || item->task.length == item->config.task.length)
        return TN_OK;
    *skipped = tn_task_make(s->ctx, &item->task, &task) != TN_OK;
    if (!*skipped) {
        tn_task_free(s->ctx, task);
        return TN_OK;
    }
    TN_TRY(tn_study_row_set(s->ctx, row, "status", "skipped"));
    return tn_study_row_set(s->ctx, row, "reason", "%.1000s", s->ctx->message);
}

/* Sets the row's status and reason where the item is too long to begin. */
static tn_status skip(study *s, const tn_study_item *item, tn_study_row *row, bool *skipped) {
    double seconds = tn_study_estimate_item(&s->rows, item).evaluation_s;
    *skipped = seconds > longest_evaluation_s;
    if (!*skipped)
        return skip_short_text(s, item, row, skipped);
    TN_TRY(tn_study_row_set(s->ctx, row, "status", "skipped"));
    return tn_study_row_set(s->ctx, row, "reason",
                            "not tried: with as many rows routed as at the last distance it would take about "
                            "%.1f h",
                            seconds / 3600);
}

static tn_status train_and_evaluate(study *s, const tn_study_item *item, tn_study_row *row) {
    bool resume, skipped;
    work w = {.item = item};
    tn_lock lock = {.file = -1};
    TN_TRY(tn_study_row_set(s->ctx, row, "shard", "%s", s->shard));
    TN_TRY(tn_study_fill_item(s->ctx, item, &item->config, row));
    TN_TRY(config_of(s, item, &w.config));
    TN_TRY(tn_study_fill_item(s->ctx, item, &w.config, row));
    TN_TRY(skip(s, item, row, &skipped));
    if (skipped)
        return TN_OK;
    TN_TRY(tn_study_folder_run(&s->folder, item->run, &w.folder));
    tn_status status = TN_OK;
    TN_GO(tn_run_exists(s->ctx, w.folder, &resume));
    TN_GO(tn_train(s->dev, &w.config, w.folder, resume, &lock, &w.trained));
    TN_GO(other_device(s, item, &w.dev));
    w.config.task = item->task;
    TN_GO(evaluate(s, &w));
    TN_GO(fill(s, &w, row));
    if (item->task.kind == TN_TASK_TEXT) /* before the row, which says that all is there */
        TN_GO(tn_bits_put(s->ctx, &w.summary, item->name, item->run, s->folder.bits));
cleanup:
    tn_lock_release(&lock);
    if (w.dev != s->dev)
        tn_device_close(w.dev);
    tn_free(s->ctx, w.folder);
    return status;
}

static void announce(const study *s, const tn_study_item *item, size_t number) {
    char left[64] = "";
    double spent = tn_clock_seconds() - s->start;
    if (s->ctx->quiet)
        return;
    if (s->work_done > 0) {
        double rest = spent / s->work_done * s->work_left;
        snprintf(left, sizeof left, rest < 90 ? ", about %.0f s left" : ", about %.0f min left",
                 rest < 90 ? rest : rest / 60);
    }
    tn_progress_end(s->ctx);
    fprintf(stderr, "%zu/%zu %s%s\n", number, s->plan.count, item->name, left);
}

static tn_status write_rows(study *s) {
    TN_TRY(tn_study_rows_save(&s->rows, s->folder.csv));
    return tn_study_table_save(s->ctx, s->folder.csv, s->folder.markdown);
}

/* Rows that are there may be held against the new one, as it against them. */
static tn_status save(study *s, tn_study_row *row) {
    bool changed;
    TN_TRY(tn_study_rows_put(&s->rows, row));
    TN_TRY(tn_study_fill_kept(&s->rows, &changed));
    return write_rows(s);
}

/* A failure becomes a row; one to write the rows, or Ctrl-C, ends the study. */
static tn_status one_item(study *s, const tn_study_item *item) {
    tn_study_row row = {{0}};
    bool quiet = s->ctx->quiet;
    s->ctx->quiet =
        quiet || !isatty(STDERR_FILENO); /* a log wants a line a run, not a line every ten steps */
    tn_status status = train_and_evaluate(s, item, &row);
    tn_progress_end(s->ctx);
    s->ctx->quiet = quiet;
    /* After Ctrl-C a failure is no result of the run: a driver's compiler may have been cut off. */
    if (status != TN_OK && tn_interrupted())
        status = TN_ERR_INTERRUPTED;
    if (status != TN_OK && status != TN_ERR_INTERRUPTED) {
        tn_warn(s->ctx, "%s: %.1000s", item->name, s->ctx->message);
        s->result.errors++;
        status = tn_study_fill_error(s->ctx, &row);
    } else if (status == TN_OK && tn_study_row_ok(&row)) {
        s->result.ok++;
    } else if (status == TN_OK) {
        s->result.skipped++;
    }
    if (status == TN_OK)
        status = save(s, &row);
    tn_study_row_free(s->ctx, &row);
    return status;
}

static bool is_done(const study *s, const tn_study_item *item) {
    const tn_study_row *row = tn_study_rows_find(&s->rows, item->name);
    return row && strcmp(tn_study_row_text(row, "status"), "error") != 0;
}

static tn_status run_all(study *s) {
    s->start = tn_clock_seconds();
    for (size_t i = 0; i < s->plan.count; i++)
        if (!is_done(s, &s->plan.items[i]))
            s->work_left += s->plan.items[i].work;
    for (size_t i = 0; i < s->plan.count; i++) {
        const tn_study_item *item = &s->plan.items[i];
        if (is_done(s, item)) {
            s->result.kept++;
            continue;
        }
        announce(s, item, i + 1);
        tn_status status = tn_interrupted() ? TN_ERR_INTERRUPTED : one_item(s, item);
        if (status == TN_ERR_INTERRUPTED)
            return tn_fail(s->ctx, status,
                           "stopped with %d of %d rows done; the state is saved, the same command goes on",
                           s->result.kept + s->result.ok + s->result.skipped, s->result.rows);
        TN_TRY(status);
        TN_TRY(tn_device_check(s->dev)); /* the other rows could only fail */
        s->work_done += item->work;
        s->work_left -= item->work;
    }
    return TN_OK;
}

static tn_status run(study *s, const tn_device_info *device) {
    TN_TRY(tn_study_rows_load(s->ctx, s->folder.csv, &s->rows));
    for (size_t i = 0; i < s->plan.count; i++)
        TN_TRY(check_run(s, &s->plan.items[i]));
    TN_TRY(tn_device_open(s->ctx, device, &s->dev));
    bool changed; /* rows of an earlier version, which knew no more than those before them */
    TN_TRY(tn_study_fill_kept(&s->rows, &changed));
    if (changed)
        TN_TRY(write_rows(s));
    TN_TRY(run_all(s));
    if (!s->result.errors)
        return TN_OK;
    tn_fail(s->ctx, TN_ERR_CHECK,
            "%d of %d rows failed: column reason of %s says why; the same command tries "
            "them again",
            s->result.errors, s->result.rows, s->folder.csv);
    return s->ctx->status = TN_ERR_DEVICE; /* what it is for the caller; the message needs no source line */
}

tn_status tn_study_run(tn_context *ctx, const tn_study_options *o, const char *path, double seconds,
                       const tn_device_list *list, const tn_device_info *device, tn_study_result *out) {
    study s = {.ctx = ctx, .list = list, .seconds = seconds};
    tn_status status = tn_study_plan_make(ctx, o, &s.plan);
    if (status == TN_OK)
        status = tn_study_folder_open(ctx, path, o, device, &s.folder);
    s.result.rows = (int)s.plan.count;
    tn_shard_print(&o->shard, s.shard);
    if (status == TN_OK)
        status = run(&s, device);
    tn_device_close(s.dev);
    tn_study_rows_free(&s.rows);
    tn_study_folder_close(&s.folder);
    tn_study_plan_free(&s.plan);
    *out = s.result;
    return status;
}
