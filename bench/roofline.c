#include "roofline.h"

#include "launch.h"

#include <math.h>

enum { CHAINS = 12 };
static const double scale = 0.75, shift = 0.5; /* converges to 2: nothing overflows, nothing is constant */

typedef struct ceiling {
    tn_device *dev;
    int lanes, group;
    int64_t items, vectors;
    int rounds;       /* of multiply-adds: enough that a launch is nothing beside them */
    tn_buffer *a, *b; /* [vectors] each */
    tn_buffer *out;   /* [items] */
    const char *copy; /* the kernel that copies */
    bool wait;
} ceiling;

static tn_status get(const ceiling *c, const char *name, tn_kernel **k) {
    tn_options options = {""};
    tn_options_int(&options, "LANES", c->lanes);
    tn_options_int(&options, "CHUNKED", c->group == 1);
    return tn_kernel_get(c->dev, "roofline", name, &options, k);
}

static tn_range range(const ceiling *c, const tn_kernel *k) {
    return tn_range_1d((size_t)c->items, tn_kernel_group(k, (size_t)c->group));
}

static tn_status run_mad(tn_device *dev, void *data) {
    const ceiling *c = data;
    tn_kernel *k;
    TN_TRY(get(c, "roofline_mad", &k));
    return tn_launch(dev, k, range(c, k), tn_arg_buffer(c->out), tn_arg_f32(scale), tn_arg_f32(shift),
                     tn_arg_i32(c->rounds), tn_arg_i32(c->items));
}

static tn_status run_copy(tn_device *dev, void *data) {
    const ceiling *c = data;
    tn_kernel *k;
    TN_TRY(get(c, c->copy, &k));
    return tn_launch(dev, k, range(c, k), tn_arg_buffer(c->b), tn_arg_buffer(c->a), tn_arg_i32(c->vectors),
                     tn_arg_i32(c->items));
}

/* The run-time's own copy: on CPUs often the C library's, which writes past the caches. */
static tn_status run_copy_buffer(tn_device *dev, void *data) {
    const ceiling *c = data;
    (void)dev;
    return tn_buffer_copy(c->b, 0, c->a, 0, tn_buffer_bytes(c->a));
}

static tn_status run_read(tn_device *dev, void *data) {
    const ceiling *c = data;
    tn_kernel *k;
    TN_TRY(get(c, "roofline_read", &k));
    return tn_launch(dev, k, range(c, k), tn_arg_buffer(c->out), tn_arg_buffer(c->a), tn_arg_i32(c->vectors),
                     tn_arg_i32(c->items));
}

static tn_status run_empty(tn_device *dev, void *data) {
    const ceiling *c = data;
    tn_kernel *k;
    TN_TRY(get(c, "roofline_empty", &k));
    TN_TRY(tn_launch(dev, k, tn_range_1d(1, 1), tn_arg_buffer(c->out)));
    return c->wait ? tn_device_finish(dev) : TN_OK;
}

static tn_status check_mad(tn_context *ctx, const ceiling *c) {
    float *got;
    tn_status status = TN_OK;
    TN_TRY(tn_alloc(ctx, (size_t)c->items, sizeof *got, &got));
    TN_GO(tn_buffer_read(c->out, 0, (size_t)c->items * sizeof *got, got));
    for (int64_t i = 0; i < c->items; i++) {
        double want = 0;
        for (int chain = 0; chain < CHAINS; chain++) {
            double v = (double)(i & 7) + chain;
            for (int r = 0; r < c->rounds && v != scale * v + shift; r++)
                v = scale * v + shift;
            want += c->lanes * v;
        }
        if (!(fabs(got[i] - want) <= 1e-5 * want)) {
            status = tn_fail(ctx, TN_ERR_CHECK, "roofline: multiply-add of item %lld gave %.8g, not %.8g",
                             (long long)i, (double)got[i], want);
            goto cleanup;
        }
        if (i >= 7)
            i += 8 * (c->items / 64); /* the eight starts once, then samples: the host is slow at this */
    }
cleanup:
    tn_free(ctx, got);
    return status;
}

/* The pattern copied and summed: small whole numbers, so that any order of adding gives the same sum. */
enum { PERIOD = 5 * 2 * 4096 };
static float pattern(int64_t i) {
    return (float)(i % 5 - 2 + (i / 4096) % 2);
}

static tn_status check_copy(tn_context *ctx, const ceiling *c, float *host) {
    int64_t count = c->vectors * c->lanes;
    TN_TRY(tn_buffer_read(c->b, 0, (size_t)count * sizeof *host, host));
    for (int64_t i = 0; i < count; i++)
        if (host[i] != (i < PERIOD ? pattern(i) : host[i - PERIOD]))
            return tn_fail(ctx, TN_ERR_CHECK, "roofline: the copy differs at element %lld", (long long)i);
    return TN_OK;
}

static tn_status check_read(tn_context *ctx, const ceiling *c) {
    float *got;
    double sum = 0, want = 0;
    TN_TRY(tn_alloc(ctx, (size_t)c->items, sizeof *got, &got));
    tn_status status = tn_buffer_read(c->out, 0, (size_t)c->items * sizeof *got, got);
    for (int64_t i = 0; i < c->items; i++)
        sum += got[i];
    for (int64_t i = 0; i < c->vectors * c->lanes; i++)
        want += pattern(i);
    if (status == TN_OK && sum != want)
        status = tn_fail(ctx, TN_ERR_CHECK, "roofline: reading summed to %.0f, not %.0f", sum, want);
    tn_free(ctx, got);
    return status;
}

static tn_status prepare(tn_context *ctx, ceiling *c, float **host) {
    const tn_device_info *info = tn_device_get_info(c->dev);
    bool cpu = tn_tunable(c->dev, "roofline", "CPU", 1, 0) != 0;
    size_t bytes = (size_t)256 << 20; /* past the last cache of either kind: 64 MiB still fit many a CPU's */
    if (bytes > info->max_alloc_bytes / 4)
        bytes = info->max_alloc_bytes / 4;
    c->lanes = cpu ? 16 : 4;
    c->group = cpu ? 1 : 256;
    c->rounds = cpu ? 1 << 15 : 1 << 11;
    c->items = (int64_t)(info->compute_units ? info->compute_units : 1) * (cpu ? 64 : 2048);
    c->vectors = (int64_t)(bytes / sizeof(float)) / c->lanes;
    bytes = (size_t)(c->vectors * c->lanes) * sizeof(float);
    TN_TRY(tn_alloc(ctx, bytes, 1, host));
    for (int64_t i = 0; i < c->vectors * c->lanes; i++)
        (*host)[i] = i < PERIOD ? pattern(i) : (*host)[i - PERIOD];
    TN_TRY(tn_buffer_create(c->dev, bytes, &c->a));
    TN_TRY(tn_buffer_create(c->dev, bytes, &c->b));
    TN_TRY(tn_buffer_create(c->dev, (size_t)c->items * sizeof(float), &c->out));
    TN_TRY(tn_buffer_write(c->a, 0, bytes, *host));
    return TN_OK;
}

/* A ceiling is the best the device can do, so the lower quartile of the times counts, not their median. */
static tn_status best(ceiling *c, tn_measure_run run, double work, double *rate) {
    tn_sample s;
    TN_TRY(tn_measure(c->dev, run, c, &(tn_measure_options){.seconds = 0.15}, &s));
    *rate = s.q1_ms > 0 ? work / (1e-3 * s.q1_ms) : 0;
    return TN_OK;
}

/* The best of a plain copy, one past the caches, and the run-time's own. */
static tn_status measure_copies(ceiling *c, float *host, double bytes, double *best_rate) {
    static const char *const kernels[] = {"roofline_copy", "roofline_stream", NULL};
    tn_context *ctx = tn_device_context(c->dev);
    *best_rate = 0;
    for (int i = 0; i < 3; i++) {
        double rate;
        c->copy = kernels[i];
        TN_TRY(tn_buffer_zero(c->b));
        TN_TRY(best(c, kernels[i] ? run_copy : run_copy_buffer, 2 * bytes, &rate));
        TN_TRY(check_copy(ctx, c, host));
        *best_rate = fmax(*best_rate, rate);
    }
    return TN_OK;
}

tn_status tn_roofline_measure(tn_device *dev, tn_roofline *out) {
    tn_context *ctx = tn_device_context(dev);
    ceiling c = {.dev = dev};
    float *host = NULL;
    double rate;
    tn_status status = TN_OK;
    *out = (tn_roofline){0};
    TN_GO(prepare(ctx, &c, &host));
    double bytes = (double)c.vectors * c.lanes * sizeof(float);
    TN_GO(best(&c, run_mad, 2.0 * CHAINS * c.rounds * c.lanes * (double)c.items, &out->flops));
    TN_GO(check_mad(ctx, &c));
    TN_GO(measure_copies(&c, host, bytes, &out->copy_bytes));
    TN_GO(best(&c, run_read, bytes, &out->read_bytes));
    TN_GO(check_read(ctx, &c));
    TN_GO(best(&c, run_empty, 1, &rate));
    out->launch_s = rate > 0 ? 1 / rate : 0;
    c.wait = true;
    TN_GO(best(&c, run_empty, 1, &rate));
    out->round_trip_s = rate > 0 ? 1 / rate : 0;
cleanup:
    tn_buffer_destroy(c.a);
    tn_buffer_destroy(c.b);
    tn_buffer_destroy(c.out);
    tn_free(ctx, host);
    return status;
}

double tn_roofline_pct(const tn_roofline *r, double flops, double bytes, double seconds) {
    double bandwidth = fmax(r->copy_bytes, r->read_bytes);
    if (!(r->flops > 0) || !(bandwidth > 0) || !(seconds > 0))
        return 0;
    return 100 * fmax(flops / r->flops, bytes / bandwidth) / seconds;
}
