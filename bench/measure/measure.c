#include "measure.h"

#include "clock.h"
#include "quirks.h"

#include <math.h>
#include <string.h>

enum { MAX_BATCHES = TN_BATCHES_MAX, ENOUGH = 9, LEAST = 3 };

typedef struct series {
    tn_measure_run run;
    tn_measure_timed timed; /* instead of run: clocked where it runs */
    void *data;
    tn_evict *evict;
    bool warm; /* a call goes before each batch: who ran last had the caches and let the threads sleep */
    int calls, n;
    double ms[MAX_BATCHES]; /* per call, in order of time */
} series;

static tn_measure_options with_defaults(const tn_measure_options *given) {
    tn_measure_options o = given ? *given : (tn_measure_options){0};
    o.seconds = o.seconds > 0 ? o.seconds : 0.4;
    o.batch_seconds = o.batch_seconds > 0 ? o.batch_seconds : 0.005;
    o.spread = o.spread > 0 ? o.spread : 0.01;
    if (o.evict)
        o.energy = NULL;
    return o;
}

/* Wall seconds of `calls` calls and the wait for them. */
static tn_status batch(tn_device *dev, const series *s, int calls, double *seconds) {
    double start = tn_clock_seconds();
    for (int i = 0; s->run && i < calls; i++)
        TN_TRY(s->run(dev, s->data));
    TN_TRY(tn_device_finish(dev));
    *seconds = tn_clock_seconds() - start;
    if (s->timed)
        TN_TRY(s->timed(dev, s->data, calls, seconds));
    if (tn_interrupted())
        return tn_fail(tn_device_context(dev), TN_ERR_INTERRUPTED, "stopped while measuring");
    return TN_OK;
}

/* Warm-up, then calls a batch. The first call builds kernels; the second still fills caches and tables, but
 * where it lasts `long_call` seconds that is nothing beside it, and it counts as a batch. */
static tn_status calibrate(tn_device *dev, series *s, double wanted, double long_call) {
    double seconds;
    TN_TRY(batch(dev, s, 1, &seconds));
    s->calls = 1;
    TN_TRY(batch(dev, s, 1, &seconds));
    if (seconds >= long_call && !s->evict) /* which was warm */
        s->ms[s->n++] = 1e3 * seconds;
    while (!s->evict && seconds < wanted && s->calls < 1 << 20) {
        double factor = seconds > 0 ? 1.2 * wanted / seconds : 16;
        s->calls = (int)ceil(s->calls * (factor > 16 ? 16 : factor < 1.5 ? 1.5 : factor));
        TN_TRY(batch(dev, s, s->calls, &seconds));
    }
    return TN_OK;
}

/* What must be outside of the time and of the events. */
static tn_status make_cold(const series *s) {
    return s->evict ? tn_evict_run(s->evict) : TN_OK;
}

static tn_status add_batch(tn_device *dev, series *s) {
    double seconds;
    TN_TRY(make_cold(s));
    if (s->warm && s->calls > 1)
        TN_TRY(batch(dev, s, 1, &seconds));
    TN_TRY(batch(dev, s, s->calls, &seconds));
    s->ms[s->n++] = 1e3 * seconds / s->calls;
    return TN_OK;
}

static void summarise(const series *s, tn_summary *out) {
    double sorted[MAX_BATCHES];
    memcpy(sorted, s->ms, sizeof sorted[0] * (size_t)s->n);
    tn_summarise(sorted, s->n, out);
}

/* Looked at every fourth batch: each look at a growing sample is one more chance to stop on a lucky spread.
 */
static bool settled(const series *s, double spread) {
    tn_summary summary;
    if (s->n < ENOUGH || s->n % 4 != 1)
        return false;
    summarise(s, &summary);
    return tn_spread(&summary) <= spread;
}

static bool time_is_up(int n, double start, double seconds) {
    double spent = tn_clock_seconds() - start;
    return n >= MAX_BATCHES || (spent >= seconds && n >= LEAST) || spent >= 3 * seconds;
}

static void fill_sample(const series *s, tn_sample *out) {
    tn_summary summary;
    summarise(s, &summary);
    *out = (tn_sample){.n = s->n,
                       .calls = s->calls,
                       .wall_ms = summary.median,
                       .q1_ms = summary.q1,
                       .q3_ms = summary.q3,
                       .drift = tn_trend(s->ms, s->n)};
}

static void keep(const series *s, int *count, double *ms) {
    *count = s->n;
    memcpy(ms, s->ms, sizeof *ms * (size_t)s->n);
}

static void keep_events(const tn_sample *sample, tn_raw *raw) {
    raw->event = sample->event_ok;
    raw->event_ms[0] = sample->event_ms;
}

/* Device time from a batch of its own: recording events costs time, so it is kept out of the wall figures. */
static tn_status events(tn_device *dev, const series *s, tn_sample *out) {
    int calls = s->calls < 64 ? s->calls : 64, launches = 0;
    double wall = 0, device = 0;
    TN_TRY(make_cold(s));
    const tn_device_counts before = tn_device_counted(dev);
    TN_TRY(tn_device_profile_begin(dev));
    tn_status status = batch(dev, s, calls, &wall);
    const tn_device_counts after = tn_device_counted(dev);
    tn_status ended = tn_device_profile_end(dev, &device, &launches);
    TN_TRY(status);
    TN_TRY(ended);
    out->event_ms = 1e3 * device / calls;
    out->outside = wall > 0 ? fmax(0, 1 - device / wall) : 0;
    out->launches = launches / calls;
    out->copies = (int)(after.copies - before.copies) / calls;
    out->waits = (int)(after.waits - before.waits - 1) / calls;
    out->event_ok = !(tn_device_get_info(dev)->quirks & TN_QUIRK_EVENTS_USELESS) && launches > 0 &&
                    device >= 0.02 * wall && device <= 1.10 * wall;
    return TN_OK;
}

tn_status tn_measure_events(tn_device *dev, tn_measure_run run, void *data, int calls, tn_sample *out) {
    const series s = {.run = run, .data = data, .calls = calls};
    return events(dev, &s, out);
}

/* More calls, untimed, until the energy's counter has had its updates; *calls is how many there were in all.
 * Who asks for a shorter look than that is not kept waiting: energy stays unmeasured. */
static tn_status fill_window(tn_device *dev, const series *s, const tn_energy *energy,
                             const tn_energy_mark *from, double most_s, double *calls) {
    double seconds;
    bool waits = from->valid && tn_energy_window(energy) <= 1.001 * most_s;
    *calls = (double)s->n * s->calls;
    while (waits && tn_clock_seconds() - from->seconds < tn_energy_window(energy)) {
        TN_TRY(batch(dev, s, s->calls, &seconds));
        *calls += s->calls;
    }
    return TN_OK;
}

tn_status tn_measure(tn_device *dev, tn_measure_run run, void *data, const tn_measure_options *options,
                     tn_sample *out) {
    tn_measure_options o = with_defaults(options);
    series s = {.run = run, .data = data, .evict = o.evict};
    tn_energy_mark from, to;
    double calls;
    *out = (tn_sample){0};
    TN_TRY(calibrate(dev, &s, o.batch_seconds, tn_energy_measured(o.energy) ? INFINITY : o.seconds));
    tn_energy_read(o.energy, &from);
    double start = tn_clock_seconds();
    do
        TN_TRY(add_batch(dev, &s));
    while (!settled(&s, o.spread) && !time_is_up(s.n, start, o.seconds));
    TN_TRY(fill_window(dev, &s, o.energy, &from, o.seconds, &calls));
    tn_energy_read(o.energy, &to);
    fill_sample(&s, out);
    tn_energy_of_calls(o.energy, &from, &to, calls, &out->energy);
    TN_TRY(events(dev, &s, out));
    if (o.raw) {
        keep(&s, &o.raw->wall, o.raw->wall_ms);
        keep_events(out, o.raw);
    }
    return TN_OK;
}

static tn_status in_turn(tn_device *dev, series a, series b, const tn_measure_options *options,
                         tn_pair_sample *out) {
    tn_measure_options o = with_defaults(options);
    a.evict = b.evict = o.evict;
    double ratios[MAX_BATCHES];
    tn_summary summary;
    *out = (tn_pair_sample){0};
    TN_TRY(calibrate(dev, &a, o.batch_seconds, o.seconds));
    TN_TRY(calibrate(dev, &b, o.batch_seconds, o.seconds));
    if (a.n && b.n)
        ratios[0] = b.ms[0] / a.ms[0];
    else
        a.n = b.n = 0; /* the long one alone is no pair */
    double start = tn_clock_seconds();
    do {
        series *first = a.n % 2 ? &b : &a, *second = a.n % 2 ? &a : &b;
        TN_TRY(add_batch(dev, first));
        TN_TRY(add_batch(dev, second));
        ratios[a.n - 1] = b.ms[b.n - 1] / a.ms[a.n - 1];
    } while (!(settled(&a, o.spread) && settled(&b, o.spread)) && !time_is_up(a.n, start, o.seconds));
    fill_sample(&a, &out->a);
    fill_sample(&b, &out->b);
    tn_summarise(ratios, a.n, &summary);
    out->ratio = summary.median;
    out->ratio_q1 = summary.q1;
    out->ratio_q3 = summary.q3;
    if (o.raw) {
        keep(&a, &o.raw->wall, o.raw->wall_ms);
        keep(&b, &o.raw->other, o.raw->other_ms);
    }
    return TN_OK;
}

tn_status tn_measure_pair(tn_device *dev, tn_measure_run run_a, void *data_a, tn_measure_run run_b,
                          void *data_b, const tn_measure_options *options, tn_pair_sample *out) {
    return in_turn(dev, (series){.run = run_a, .data = data_a}, (series){.run = run_b, .data = data_b},
                   options, out);
}

tn_status tn_measure_against(tn_device *dev, tn_measure_run run_a, void *data_a, tn_measure_timed run_b,
                             void *data_b, const tn_measure_options *options, tn_pair_sample *out) {
    return in_turn(dev, (series){.run = run_a, .data = data_a, .warm = true},
                   (series){.timed = run_b, .data = data_b, .warm = true}, options, out);
}
