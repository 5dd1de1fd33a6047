/* Another implementation of an op as a process of its own, spoken to in lines (bench/peers/README.md): one
 * that crashes or hangs costs a row, and its threads and allocator stay out of ours. */
#ifndef TN_PEER_H
#define TN_PEER_H

#include "context.h"

typedef struct tn_peer tn_peer;

typedef struct tn_peer_limits {
    double prepare_s, answer_s; /* patience with a prepare and with any other line; 0: 240, 60 */
} tn_peer_limits;

/* argv[0] is looked up in PATH; NULL ends argv. `limits` may be NULL. Variables that choose OpenBLAS's kernel
 * are taken out of its environment, and its threads go to sleep soon after a call. It dies with this process.
 */
tn_status tn_peer_start(tn_context *ctx, const char *const *argv, const tn_peer_limits *limits,
                        tn_peer **out);
void tn_peer_stop(tn_peer *p);        /* NULL is fine; removes its files */
bool tn_peer_alive(const tn_peer *p); /* false once it crashed, hung or talked nonsense and was killed */
const char *tn_peer_name(const tn_peer *p); /* as of the last prepare: "OpenBLAS 0.3.21 …" */

/* Each call below: TN_ERR_UNSUPPORTED or TN_ERR_DEVICE with the peer's own sentence where it says so, and it
 * lives on; TN_ERR_DEVICE where it crashed, hung or answered otherwise than asked, and it is dead then;
 * TN_ERR_INTERRUPTED after Ctrl-C. */

/* One more input of the next prepare, as a file of raw floats. */
tn_status tn_peer_input(tn_peer *p, const float *values, size_t count);
/* `what`: "op pass k=v …". The peer reads its inputs and warms up. */
tn_status tn_peer_prepare(tn_peer *p, const char *what);
/* Other ways of doing its work, as words: each wants a process of its own, with the word as its argument.
 * `python` may help it look. Those that do not fit are left out. */
tn_status tn_peer_ask_ways(tn_peer *p, const char *python, int most, size_t size, char *words, int *count);
/* Seconds that `calls` calls took by the peer's clock. Returns once its threads have come to rest, so that
 * they take nothing from who runs next. */
tn_status tn_peer_run(tn_peer *p, int calls, double *seconds);
/* The same, and by the events of its card; NaN where it tells no such time. */
tn_status tn_peer_run_events(tn_peer *p, int calls, double *seconds, double *event_seconds);
/* The result of one call on the inputs as given: all outputs, one behind the other. */
tn_status tn_peer_output(tn_peer *p, float *values, size_t count);

#endif
