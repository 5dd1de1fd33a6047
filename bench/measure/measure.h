/* Timing of device work: warm-up, batches long enough for the clock, a stop when the spread is small, median
 * and quartiles. The wall clock is the truth; event times are reported beside it when they are plausible. */
#ifndef TN_MEASURE_H
#define TN_MEASURE_H

#include "energy.h"
#include "evict.h"
#include "statistics.h"

/* Queues the work of one call on `dev`, or fails. It need not wait: a batch ends with a wait for the queue.
 */
typedef tn_status (*tn_measure_run)(tn_device *dev, void *data);

enum { TN_BATCHES_MAX = 512 };

/* Every batch behind a sample, per call and in order of time: what medians and quartiles are made of. */
typedef struct tn_raw {
    int wall, event, other;          /* how many there are of each */
    double wall_ms[TN_BATCHES_MAX];  /* of the work, a of a pair */
    double event_ms[1];              /* its batch with events, where they are believed */
    double other_ms[TN_BATCHES_MAX]; /* of b, neighbour by neighbour with wall_ms */
} tn_raw;

typedef struct tn_measure_options {
    double seconds;       /* time to spend at most once warm; 0: 0.4. One call is always finished */
    double batch_seconds; /* calls are repeated until a batch lasts this long; 0: 0.005 */
    double spread;        /* stop when (q3 − q1) / median is at most this with ≥ 9 batches; 0: 0.01 */
    tn_energy *energy;    /* read around the batches, and calls go on until its window is full, if that is no
                             longer than `seconds`; NULL: none */
    tn_evict *evict; /* cold: run before every batch, outside its time, and a batch is one call; NULL: warm.
                        Energy is not measured then: its counter cannot leave the writing out */
    tn_raw *raw; /* gets the batches, and keeps what was not measured by this call; NULL: nobody wants them */
} tn_measure_options;

typedef struct tn_sample {
    int n;                        /* batches; each value below is per call */
    int calls;                    /* in a batch */
    double wall_ms, q1_ms, q3_ms; /* median and quartiles over batches */
    double event_ms; /* Σ END − START over the launches of a call, from one batch of its own */
    bool event_ok;   /* false: useless by the quirk table, or under 2 % or over 110 % of that batch's wall
                        time: a driver whose clock is made up, or that mixes clocks */
    double outside;  /* share of that batch's wall time in which no kernel ran; when event_ok */
    int launches;    /* kernels a call */
    int copies,
        waits; /* of a call, as tn_device_counts has them; the wait that ends a batch is none of its */
    tn_energy_result energy; /* of tn_measure alone */
    double
        drift; /* share by which the batches rose from first to last; beyond ±0.1 the machine was not quiet */
} tn_sample;

/* `options` may be NULL. The first call is warm-up: it builds kernels and is not counted. Stops with
 * TN_ERR_INTERRUPTED after Ctrl-C. */
tn_status tn_measure(tn_device *dev, tn_measure_run run, void *data, const tn_measure_options *options,
                     tn_sample *out);

/* Event times of `calls` calls (64 at most), launches, copies and waits, into a sample that has none, as
 * tn_measure takes them. */
tn_status tn_measure_events(tn_device *dev, tn_measure_run run, void *data, int calls, tn_sample *out);

typedef struct tn_pair_sample {
    tn_sample a, b; /* no event times and no energy */
    double ratio, ratio_q1,
        ratio_q3; /* wall time b / a over neighbouring batches: above 1 where a is faster */
} tn_pair_sample;

/* Batches of a and b in turn (a b, b a, a b, …), so that drift of the machine touches both alike.
 * options->seconds is for the two together. */
tn_status tn_measure_pair(tn_device *dev, tn_measure_run run_a, void *data_a, tn_measure_run run_b,
                          void *data_b, const tn_measure_options *options, tn_pair_sample *out);

/* Does `calls` calls and says how many seconds they took: work that runs, and is clocked, in another process.
 */
typedef tn_status (*tn_measure_timed)(tn_device *dev, void *data, int calls, double *seconds);
/* The same against such work as b. Where a batch has several calls, one more goes before it, on both sides.
 */
tn_status tn_measure_against(tn_device *dev, tn_measure_run run_a, void *data_a, tn_measure_timed run_b,
                             void *data_b, const tn_measure_options *options, tn_pair_sample *out);

#endif
