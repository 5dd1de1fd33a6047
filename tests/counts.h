/* What tests of numbers of rows that the device alone knows share: `most` rows there could be, `count` of
 * them are there; what stands past them is NaN on the way in and must stay 7 on the way out. */
#ifndef TN_TEST_COUNTS_H
#define TN_TEST_COUNTS_H

#include "support.h"

#include "rng.h"
#include "variant.h"

#include <math.h>
#include <string.h>

enum { MOST = 70, WIDE = 40, DEEP = 36, ROWS = 90 };

static tn_context ctx;
static tn_device *dev;

static inline tn_buffer *of(const void *values, size_t bytes) {
    tn_buffer *b;
    ck_ok(&ctx, tn_buffer_create(dev, bytes, &b));
    ck_ok(&ctx, tn_buffer_write(b, 0, bytes, values));
    return b;
}

/* `seen` random floats, then NaN. */
static inline tn_buffer *random_floats(size_t count, size_t seen, uint64_t seed) {
    float *values = calloc(count, sizeof *values);
    tn_rng rng = tn_rng_make(seed, TN_RNG_MEASURE, 3);
    for (size_t i = 0; i < count; i++)
        values[i] = i < seen ? (float)tn_rng_normal(&rng) : NAN;
    tn_buffer *b = of(values, count * sizeof *values);
    free(values);
    return b;
}

static inline tn_buffer *filled(size_t count, float value) {
    tn_buffer *b;
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    ck_ok(&ctx, tn_buffer_create(dev, count * sizeof value, &b));
    ck_ok(&ctx, tn_buffer_fill_u32(b, 0, count * sizeof value, bits));
    return b;
}

/* The first `count` floats of both are the same bits, and behind them nothing was written over 7. */
static inline void hold(const char *what, const tn_buffer *counted, const tn_buffer *exact, size_t count) {
    const size_t bytes = tn_buffer_bytes(counted);
    float *a = malloc(bytes), *b = malloc(bytes);
    ck_ok(&ctx, tn_buffer_read(counted, 0, bytes, a));
    ck_ok(&ctx, tn_buffer_read(exact, 0, bytes, b));
    ck_assert_msg(memcmp(a, b, count * sizeof *a) == 0, "%s: not the bits of a call of so many rows", what);
    for (size_t i = count; i < bytes / sizeof *a; i++)
        ck_assert_msg(a[i] == 7.0f, "%s: float %zu of %zu was written", what, i, count);
    free(a);
    free(b);
}

/* One call over `most` rows, of which `count` are there, and one over so many. */
typedef tn_status (*call)(const tn_buffer *count, int64_t rows, tn_buffer *to, int pass, void *data);

static inline int run_variants(const tn_op *op, int pass, call run, size_t width, void *data, int32_t rows) {
    int tried = 0;
    char what[80];
    for (int v = 0; op->variants[v]; v++) {
        if (op->variants[v]->not_default)
            continue;
        tn_buffer *count = of(&rows, sizeof rows), *counted = filled(MOST * width, 7),
                  *exact = filled(MOST * width, 7);
        snprintf(what, sizeof what, "%s %s, variant %s, %d rows", op->name, op->passes[pass],
                 op->variants[v]->name, rows);
        ck_ok(&ctx, tn_variant_try(dev, op, op->variants[v]));
        tn_status status = run(count, MOST, counted, pass, data);
        const bool unfit = status == TN_ERR_UNSUPPORTED && tn_variant_unfit(dev, op);
        ck_assert_msg(status == TN_OK || unfit, "%s: %s", what, ctx.message);
        if (!unfit) {
            ck_ok(&ctx, run(NULL, rows, exact, pass, data));
            hold(what, counted, exact, (size_t)rows * width);
            tried++;
        }
        tn_tunable_untry(dev, op->name);
        tn_buffer_destroy(count);
        tn_buffer_destroy(counted);
        tn_buffer_destroy(exact);
    }
    return tried;
}

static const int32_t counts[] = {0, 1, 5, 33, MOST};

static inline void open_device(int as_gpu) {
    if (as_gpu)
        setenv("TURNOUT_KIND", "gpu", 1);
    ck_ok(&ctx, tn_device_open_selected(&ctx, getenv("TURNOUT_DEVICE"), &dev));
}

static inline void close_device(void) {
    tn_device_close(dev);
    unsetenv("TURNOUT_KIND");
    ck_assert_int_eq(ctx.live, 0);
}

#endif
