#include "roofline.h"

#include "launch.h"
#include "style.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { CHAINS = 12 };
static const double usual_s = 0.15, brief_s = 0.01; /* of timing one; of one of many */
enum { ASKED = 3 };
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
    bool short_batches;
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
                     tn_arg_i32(c->items), tn_arg_i32(1));
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
    bool cpu = tn_device_style(c->dev) == TN_STYLE_THREADS;
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

/* A ceiling is the best the device can do, and whatever else runs only takes from it: the quickest batch
 * counts.
 */
static tn_status best(ceiling *c, tn_measure_run run, double work, double seconds, double *rate) {
    tn_sample s;
    tn_raw raw = {0};
    tn_measure_options o = {.seconds = seconds, .raw = &raw, .batch_seconds = c->short_batches ? 1e-4 : 0};
    TN_TRY(tn_measure(c->dev, run, c, &o, &s));
    double least = s.wall_ms;
    for (int i = 0; i < raw.wall; i++)
        least = fmin(least, raw.wall_ms[i]);
    *rate = least > 0 ? work / (1e-3 * least) : 0;
    return TN_OK;
}

/* On a busy machine a launch of milliseconds never has all units to itself, and a short kernel may: short
 * launches, too. */
static tn_status best_mad_between(const ceiling *whole, double *rate) {
    ceiling c = *whole;
    double one;
    c.rounds /= 16;
    c.short_batches = true;
    TN_TRY(best(&c, run_mad, 2.0 * CHAINS * c.rounds * c.lanes * (double)c.items, 4 * brief_s, &one));
    *rate = fmax(*rate, one);
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
        TN_TRY(best(c, kernels[i] ? run_copy : run_copy_buffer, 2 * bytes, usual_s, &rate));
        TN_TRY(check_copy(ctx, c, host));
        *best_rate = fmax(*best_rate, rate);
    }
    return TN_OK;
}

static tn_status run_cached(tn_device *dev, void *data) {
    const ceiling *c = data;
    bool reads = strcmp(c->copy, "roofline_read") == 0;
    tn_kernel *k;
    TN_TRY(get(c, c->copy, &k));
    return tn_launch(dev, k, range(c, k), tn_arg_buffer(reads ? c->out : c->b), tn_arg_buffer(c->a),
                     tn_arg_i32(c->vectors), tn_arg_i32(c->items), tn_arg_i32(c->rounds));
}

/* A few values of what the last run of a working set left. */
static tn_status check_cached(tn_context *ctx, const ceiling *c) {
    bool reads = strcmp(c->copy, "roofline_read") == 0, adds = strcmp(c->copy, "roofline_readd") == 0;
    float last = (float)(c->rounds - 1), got[64];
    double sum = 0;
    int64_t count = reads ? 1 : c->vectors * c->lanes;
    for (int64_t i = 0; reads && i < c->items; i += 64) {
        int64_t n = c->items - i < 64 ? c->items - i : 64;
        TN_TRY(tn_buffer_read(c->out, (size_t)i * sizeof *got, (size_t)n * sizeof *got, got));
        for (int64_t k = 0; k < n; k++)
            sum += got[k];
    }
    for (int64_t i = 0; reads && i < c->vectors * c->lanes; i++)
        sum -= (double)c->rounds * pattern(i);
    for (int64_t i = 0, step = count / 16 + 1; !reads && i < count; i += step) {
        float want = pattern(i) + (adds ? pattern(i + count) * last : last);
        TN_TRY(tn_buffer_read(c->b, (size_t)i * sizeof *got, sizeof *got, got));
        sum += got[0] != want;
    }
    return sum == 0 ? TN_OK
                    : tn_fail(ctx, TN_ERR_CHECK, "roofline: %s of %lld vectors is wrong", c->copy,
                              (long long)c->vectors);
}

/* One working set of `bytes` in all, through each of the three. */
static tn_status measure_set(const ceiling *whole, double bytes, double *rate) {
    static const struct {
        const char *name;
        int arrays;
    } ways[] = {{"roofline_recopy", 2}, {"roofline_readd", 3}, {"roofline_read", 1}};
    ceiling c = *whole;
    double one;
    c.short_batches = true;
    c.items = c.group == 1 ? c.items / 64 : c.items; /* on a CPU an item a unit, which keeps its share */
    for (size_t w = 0; w < sizeof ways / sizeof ways[0]; w++) {
        c.copy = ways[w].name;
        c.vectors = (int64_t)bytes / ways[w].arrays / (int64_t)(c.lanes * sizeof(float));
        double moved = (double)(c.vectors * c.lanes) * sizeof(float) * ways[w].arrays;
        if (c.vectors < 1 || c.vectors * 2 > whole->vectors)
            return TN_OK;
        c.rounds = (int)fmin(1024, ceil(32e6 / moved));
        TN_TRY(best(&c, run_cached, moved * c.rounds, brief_s, &one));
        TN_TRY(check_cached(tn_device_context(c.dev), &c));
        *rate = fmax(*rate, one);
    }
    return TN_OK;
}

static tn_status measure_cached(const ceiling *c, tn_roofline *out) {
    double bytes = TN_ROOFLINE_LEAST;
    for (int i = 0; i < TN_ROOFLINE_SIZES; i++, bytes *= 4)
        TN_TRY(measure_set(c, bytes, &out->cached_bytes[i]));
    for (int i = TN_ROOFLINE_SIZES - 2; i >= 0; i--)
        out->cached_bytes[i] = fmax(out->cached_bytes[i], out->cached_bytes[i + 1]);
    return TN_OK;
}

tn_status tn_roofline_measure(tn_device *dev, tn_roofline *out) {
    tn_context *ctx = tn_device_context(dev);
    ceiling c = {.dev = dev};
    float *host = NULL;
    double rate;
    tn_status status = TN_OK;
    *out = (tn_roofline){.dev = dev};
    TN_GO(prepare(ctx, &c, &host));
    double bytes = (double)c.vectors * c.lanes * sizeof(float);
    TN_GO(best(&c, run_mad, 2.0 * CHAINS * c.rounds * c.lanes * (double)c.items, usual_s, &out->flops));
    TN_GO(check_mad(ctx, &c));
    TN_GO(best_mad_between(&c, &out->flops));
    TN_GO(measure_copies(&c, host, bytes, &out->copy_bytes));
    TN_GO(best(&c, run_read, bytes, usual_s, &out->read_bytes));
    TN_GO(check_read(ctx, &c));
    TN_GO(measure_cached(&c, out));
    TN_GO(best(&c, run_empty, 1, usual_s, &rate));
    out->launch_s = rate > 0 ? 1 / rate : 0;
    c.wait = true;
    TN_GO(best(&c, run_empty, 1, usual_s, &rate));
    out->round_trip_s = rate > 0 ? 1 / rate : 0;
cleanup:
    tn_buffer_destroy(c.a);
    tn_buffer_destroy(c.b);
    tn_buffer_destroy(c.out);
    tn_free(ctx, host);
    return status;
}

bool tn_roofline_again(tn_roofline *r) {
    tn_roofline more;
    if (!r->dev || r->asked >= ASKED)
        return false;
    r->asked++;
    if (tn_roofline_measure(r->dev, &more) != TN_OK)
        return false;
    r->flops = fmax(r->flops, more.flops);
    r->copy_bytes = fmax(r->copy_bytes, more.copy_bytes);
    r->read_bytes = fmax(r->read_bytes, more.read_bytes);
    for (int i = 0; i < TN_ROOFLINE_SIZES; i++)
        r->cached_bytes[i] = fmax(r->cached_bytes[i], more.cached_bytes[i]);
    return true;
}

double tn_roofline_bandwidth(const tn_roofline *r, double bytes) {
    double best = fmax(r->copy_bytes, r->read_bytes), size = TN_ROOFLINE_LEAST;
    int i = 0;
    for (; i < TN_ROOFLINE_SIZES && 4 * size <= bytes / 2; i++)
        size *= 4; /* the largest set that is no larger */
    return i < TN_ROOFLINE_SIZES ? fmax(best, r->cached_bytes[i]) : best;
}

double tn_roofline_pct(const tn_roofline *r, double flops, double bytes, double seconds) {
    double bandwidth = tn_roofline_bandwidth(r, bytes);
    if (!(r->flops > 0) || !(bandwidth > 0) || !(seconds > 0))
        return 0;
    return 100 * fmax(flops / r->flops, bytes / bandwidth) / seconds;
}

void tn_roofline_print(const tn_roofline *r, char text[TN_ROOFLINE_TEXT]) {
    int used = snprintf(text, TN_ROOFLINE_TEXT, "%.9g,%.9g,%.9g", r->flops, r->copy_bytes, r->read_bytes);
    for (int i = 0; i < TN_ROOFLINE_SIZES; i++)
        used += snprintf(text + used, (size_t)(TN_ROOFLINE_TEXT - used), ",%.9g", r->cached_bytes[i]);
}

const char *tn_roofline_parse(const char *text, tn_roofline *out) {
    double *const fields[] = {&out->flops, &out->copy_bytes, &out->read_bytes};
    *out = (tn_roofline){0};
    for (int i = 0; i < 3 + TN_ROOFLINE_SIZES; i++) {
        char *end;
        double value = strtod(text, &end);
        if (end == text || !(value >= 0) || (i < 2 + TN_ROOFLINE_SIZES && *end != ','))
            return NULL;
        *(i < 3 ? fields[i] : &out->cached_bytes[i - 3]) = value;
        text = *end == ',' ? end + 1 : end;
    }
    return text;
}
