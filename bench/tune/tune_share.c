/* How long each op takes as the model runs it, so that tuning begins with what counts (tune_apart.h). */
#include "tune_apart.h"

#include "child.h"
#include "clock.h"
#include "measure.h"
#include "shapes.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static tn_status run_problem(tn_device *dev, void *data) {
    tn_problem *p = data;
    return p->c->run(dev, &p->shape, p->pass, p->tensors);
}

static tn_status time_pass(tn_device *dev, const tn_case *c, int pass, const tn_shape *shape,
                           double *seconds) {
    tn_context *ctx = tn_device_context(dev);
    const tn_measure_options options = {.seconds = 0.01, .batch_seconds = 0.002};
    tn_problem p;
    tn_sample sample = {0};
    tn_status status = tn_problem_make(ctx, dev, c, pass, shape, 1, &p);
    if (status == TN_OK)
        status = tn_problem_upload(&p);
    if (status == TN_OK)
        status = tn_measure(dev, run_problem, &p, &options, &sample);
    tn_problem_free(ctx, &p);
    *seconds += 1e-3 * sample.wall_ms;
    return status;
}

/* Of an op's first shape, which is the model's own, all passes. */
static tn_status time_op(tn_device *dev, const tn_case *c, double *seconds) {
    tn_shape shapes[TN_SHAPES_MAX];
    int count;
    *seconds = 0;
    TN_TRY(tn_shapes_of(tn_device_context(dev), c, shapes, &count));
    for (int pass = 0; count > 0 && c->passes[pass]; pass++)
        TN_TRY(time_pass(dev, c, pass, &shapes[0], seconds));
    return TN_OK;
}

tn_status tn_tune_share(tn_device *dev) {
    for (int i = 0; i < tn_case_count; i++) {
        double seconds;
        tn_status status = time_op(dev, tn_cases[i], &seconds);
        if (status == TN_ERR_INTERRUPTED || status == TN_ERR_LOST)
            return status;
        if (status == TN_OK)
            printf("share %s %.9g\n", tn_cases[i]->op, seconds);
        fflush(stdout);
    }
    return TN_OK;
}

void tn_tune_shares_read(const char *text, double *seconds) {
    char name[48];
    double one;
    for (int i = 0; i < tn_case_count; i++)
        seconds[i] = NAN;
    for (const char *at = text; at && *at; at = strchr(at, '\n'), at += at != NULL)
        for (int i = 0; sscanf(at, "share %47s %lf", name, &one) == 2 && i < tn_case_count; i++)
            if (strcmp(tn_cases[i]->op, name) == 0 && one > 0)
                seconds[i] = one;
}

void tn_tune_order(const double *weights, const double *seconds, int count, int *order, double *shares) {
    const double least = 0.02;
    double sum = 0, known = 0;
    for (int i = 0; i < count; i++) {
        order[i] = i;
        if (weights[i] > 0 && !isnan(seconds[i])) {
            sum += seconds[i];
            known++;
        }
    }
    for (int i = 0; i < count; i++)
        shares[i] =
            weights[i] > 0
                ? weights[i] * (least + (isnan(seconds[i]) ? known > 0 ? 1 / known : 1 : seconds[i] / sum))
                : 0;
    /* The longest first; in the order of the table where nothing tells them apart. */
    for (int i = 1; i < count; i++)
        for (int k = i; k > 0; k--) {
            const int a = order[k - 1], b = order[k];
            const double before = isnan(seconds[a]) ? 0 : seconds[a],
                         after = isnan(seconds[b]) ? 0 : seconds[b];
            if (before >= after)
                break;
            order[k - 1] = b;
            order[k] = a;
        }
}
