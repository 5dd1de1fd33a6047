/* The side of tuning that opens the device (tune_apart.h). The argument of a job is lines; so is its journal:
 *
 *     space:  cases, own_alone                                    → "space TEXT"
 *     search: seconds, seed, cases, space, best set, sets seen    → "begin|refused|wrong|right|best|confirm
 * SET"…, "result RATIO Q1 Q3 N WHOLE WORKLOADS STANDS" cover:  most, cases, seed, space, letters → "begin
 * SET", "done LETTER"…, "tally SETS REFUSED WRONG PAIRS LEFT" */
#include "tune_apart.h"

#include <stdlib.h>
#include <string.h>

typedef struct journal {
    const tn_tune_space *space;
} journal;

static void tell_search(void *data, const char *word, const tn_tune_set *set) {
    const journal *j = data;
    char text[256];
    tn_tune_set_encode(j->space, set, text, sizeof text);
    printf("%s %s\n", word, text);
    fflush(stdout);
}

static void tell_cover(void *data, char letter, const tn_tune_set *set) {
    if (!letter) {
        tell_search(data, "begin", set);
        return;
    }
    printf("done %c\n", letter);
    fflush(stdout);
}

static tn_status misread(tn_context *ctx, const char *job) {
    return tn_fail(ctx, TN_ERR_ARG, "trial: the argument of %s cannot be read", job);
}

static tn_status space(tn_device *dev, const tn_case *c, const char *argument) {
    int cases, own_alone;
    tn_tune_space found;
    char text[4096] = "";
    if (sscanf(argument, "%d %d", &cases, &own_alone) != 2)
        return misread(tn_device_context(dev), "space");
    TN_TRY(tn_tune_space_make(dev, c, cases, own_alone != 0, &found));
    tn_tune_space_encode(&found, text, sizeof text);
    printf("space %s\n", text);
    return TN_OK;
}

/* Line number `n` of a text. */
static const char *line_of(const char *text, int n) {
    while (n-- > 0) {
        text += strcspn(text, "\n");
        text += *text == '\n';
    }
    return text;
}

static bool read_space(const char *line, tn_tune_space *out) {
    char text[4096];
    snprintf(text, sizeof text, "%.*s", (int)strcspn(line, "\n"), line);
    return tn_tune_space_decode(text, out);
}

static tn_status search(tn_device *dev, const tn_case *c, const char *argument) {
    enum { MOST_SEEN = 4096 };
    tn_context *ctx = tn_device_context(dev);
    tn_tune_space found;
    tn_tune_set best, *seen = NULL;
    tn_tune_report report;
    journal told = {&found};
    unsigned long long seed;
    tn_tune_options o = {.from = &best, .tell = tell_search, .tell_data = &told};
    const char *at = line_of(argument, 2);
    if (sscanf(argument, "%lf %llu %d", &o.seconds, &seed, &o.cases) != 3 ||
        !read_space(line_of(argument, 1), &found) || !tn_tune_set_decode(&found, &at, &best))
        return misread(ctx, "search");
    TN_TRY(tn_alloc(ctx, MOST_SEEN, sizeof *seen, &seen));
    o.seed = seed;
    o.seen = seen;
    while (*at && o.seen_count < MOST_SEEN && tn_tune_set_decode(&found, &at, &seen[o.seen_count]))
        o.seen_count++;
    tn_status status = tn_tune_op(dev, c, &found, &o, &report);
    if (status == TN_OK)
        printf("result %.17g %.17g %.17g %d %d %d %d\n", report.result.ratio, report.result.ratio_q1,
               report.result.ratio_q3, report.result.n, report.whole, report.workloads,
               report.result.count > 0);
    tn_free(ctx, seen);
    return status;
}

static tn_status cover(tn_device *dev, const tn_case *c, const char *argument) {
    tn_tune_space found;
    journal told = {&found};
    tn_tune_tally tally;
    unsigned long long seed;
    tn_tune_cover_options o = {.tell = tell_cover, .tell_data = &told, .done = line_of(argument, 2)};
    if (sscanf(argument, "%d %d %llu", &o.most, &o.cases, &seed) != 3 ||
        !read_space(line_of(argument, 1), &found))
        return misread(tn_device_context(dev), "cover");
    o.seed = seed;
    TN_TRY(tn_tune_cover(dev, c, &found, &o, &tally));
    printf("tally %d %d %d %d %d\n", tally.sets, tally.refused, tally.wrong, tally.pairs, tally.left);
    return TN_OK;
}

tn_status tn_tune_trial(tn_device *dev, const tn_case *c, const char *job, const char *argument) {
    if (strcmp(job, "space") == 0)
        return space(dev, c, argument);
    return strcmp(job, "search") == 0 ? search(dev, c, argument) : cover(dev, c, argument);
}
