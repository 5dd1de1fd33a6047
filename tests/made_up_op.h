/* An op of no kernels: what is chosen for it, and with which values. Its name is that of a real one where a
 * tuned file must know it. */
#ifndef TN_MADE_UP_OP_H
#define TN_MADE_UP_OP_H

#include "variant.h"

typedef struct made_up_shape {
    int64_t rows;
} made_up_shape;

enum { MADE_UP_FEW = 16 }; /* rows of class "few" at most; variant "whole" takes multiples of LANES alone */

static bool made_up_fits(const tn_device *device, int pass, const void *shape, const int *values, char *why,
                         size_t size) {
    const made_up_shape *s = shape;
    (void)device;
    (void)pass;
    snprintf(why, size, "%lld rows are no multiple of %d", (long long)s->rows, values[0]);
    return s->rows % values[0] == 0;
}

static tn_status made_up_run(tn_device *device, int pass, const void *shape, const void *plan,
                             const void *args) {
    (void)device;
    (void)pass;
    (void)shape;
    (void)plan;
    (void)args;
    return TN_OK;
}

static int made_up_class(int pass, const void *shape) {
    (void)pass;
    return ((const made_up_shape *)shape)->rows > MADE_UP_FEW;
}

static const tn_tunable made_up_tunables[] = {
    TN_TUNABLE("LANES", "lanes of a vector", 16, 4, 0, 1, 4, 8, 16),
    TN_TUNABLE("TILES", "rows of a tile, in which results lie", 2, 1, TN_TUNABLE_LAYOUT, 1, 2, 3, 4),
    TN_TUNABLE("FETCH", "rows that are prefetched", 8, 0, TN_TUNABLE_CPU, 0, 8, 16),
};
static const char *const made_up_passes[] = {"forward", "backward", NULL};
static const char *const made_up_classes[] = {"few", "many", NULL};
static const tn_variant made_up_whole = {.name = "whole",
                                         .style = TN_STYLE_THREADS,
                                         .passes = 1,
                                         .tunable_count = 3,
                                         .tunables = made_up_tunables,
                                         .fits = made_up_fits,
                                         .run = made_up_run};
static const tn_variant made_up_threads = {.name = "threads",
                                           .style = TN_STYLE_THREADS,
                                           .portable = true,
                                           .tunable_count = 3,
                                           .tunables = made_up_tunables,
                                           .run = made_up_run};
static const tn_variant made_up_groups = {.name = "groups",
                                          .style = TN_STYLE_GROUPS,
                                          .tunable_count = 1,
                                          .tunables = made_up_tunables,
                                          .run = made_up_run};
static const tn_variant *const made_up_variants[] = {&made_up_whole, &made_up_groups, &made_up_threads, NULL};

#define MADE_UP_OP(real_name)                                                                                \
    {                                                                                                        \
        .name = real_name, .passes = made_up_passes, .classes = made_up_classes, .class_of = made_up_class,  \
        .shape_bytes = sizeof(made_up_shape), .variants = made_up_variants                                   \
    }

#endif
