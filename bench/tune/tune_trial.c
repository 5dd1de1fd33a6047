/* The side of tuning that opens the device (tune_apart.h). The argument of a job is lines; so is its journal:
 *
 *     search: "seconds seed cases", then the journal so far (tune_journal.h) → its further lines, "result
 * WHOLE WORKLOADS" cover: "most cases seed variant", letters → "begin SET", "done LETTER"…, "tally SETS
 * REFUSED WRONG PAIRS LEFT" */
#include "tune_apart.h"

#include <stdlib.h>
#include <string.h>

static void tell_search(void *data, const char *line) {
    (void)data;
    printf("%s\n", line);
    fflush(stdout);
}

static void tell_cover(void *data, char letter, const tn_tune_set *set) {
    char text[256];
    tn_tune_set_encode(data, set, text, sizeof text);
    if (letter)
        printf("done %c\n", letter);
    else
        printf("begin %s\n", text);
    fflush(stdout);
}

static tn_status misread(tn_context *ctx, const char *job) {
    return tn_fail(ctx, TN_ERR_ARG, "trial: the argument of %s cannot be read", job);
}

/* Behind the first line. */
static const char *rest_of(const char *text) {
    text += strcspn(text, "\n");
    return text + (*text == '\n');
}

static tn_status search(tn_device *dev, const tn_case *c, const char *argument) {
    tn_tune_report report;
    unsigned long long seed;
    tn_tune_options o = {.tell = tell_search, .journal = rest_of(argument)};
    if (sscanf(argument, "%lf %llu %d", &o.seconds, &seed, &o.cases) != 3)
        return misread(tn_device_context(dev), "search");
    o.seed = seed;
    TN_TRY(tn_tune_op(dev, c, &o, &report));
    printf("result %d %d\n", report.whole, report.workloads);
    return TN_OK;
}

static tn_status cover(tn_device *dev, const tn_case *c, const char *argument) {
    tn_tune_space space;
    tn_tune_tally tally;
    unsigned long long seed;
    int variant, count = 0;
    const tn_op *op = tn_op_find(c->op);
    tn_tune_cover_options o = {.tell = tell_cover, .tell_data = &space, .done = rest_of(argument)};
    while (op->variants[count])
        count++;
    if (sscanf(argument, "%d %d %llu %d", &o.most, &o.cases, &seed, &variant) != 4 || variant < 0 ||
        variant >= count)
        return misread(tn_device_context(dev), "cover");
    o.seed = seed;
    tn_tune_space_make(tn_device_get_info(dev), tn_device_style(dev), op, variant, &space);
    TN_TRY(tn_tune_cover(dev, c, &space, &o, &tally));
    printf("tally %d %d %d %d %d\n", tally.sets, tally.refused, tally.wrong, tally.pairs, tally.left);
    return TN_OK;
}

tn_status tn_tune_trial(tn_device *dev, const tn_case *c, const char *job, const char *argument) {
    if (!tn_op_find(c->op))
        return tn_fail(tn_device_context(dev), TN_ERR_ARG, "%s has no variants to try", c->op);
    return strcmp(job, "search") == 0 ? search(dev, c, argument) : cover(dev, c, argument);
}
