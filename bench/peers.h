/* The same work through other implementations and through ours, in turn, with results compared: rows. */
#ifndef TN_PEERS_H
#define TN_PEERS_H

#include "op.h"
#include "peer.h"
#include "peer_work.h"

typedef struct tn_peer_kind {
    const char *name;       /* as --peer takes it */
    const char *program;    /* in the folder of peers; NULL: in this process */
    bool script;            /* for Python */
    const char *const *ops; /* what it can be asked for; NULL ends */
} tn_peer_kind;

extern const tn_peer_kind tn_peer_kinds[]; /* ends with a NULL name */
enum { TN_PEER_KINDS = 8 };

/* Peers stay up from one row to the next. One that crashed or hung is started again, but only once more. */
typedef struct tn_peers {
    const char *folder; /* of the programs */
    const char *python; /* that runs the scripts */
    tn_peer *running[TN_PEER_KINDS];
    int deaths[TN_PEER_KINDS];
} tn_peers;

void tn_peers_stop(tn_peers *peers);
bool tn_peer_kind_does(int kind, const char *op);
/* The running process of a kind, started where there is none. Borrowed. */
tn_status tn_peers_process(tn_context *ctx, tn_peers *peers, int kind, tn_peer **out);

/* Fills the whole row. A peer that is missing, breaks, or comes to another result is a row whose status and
 * reason say so, and TN_OK; only Ctrl-C and a shape that makes no sense are failures. Ours is verified
 * against its reference as tn_bench_op does it. */
tn_status tn_peers_measure(tn_peers *peers, tn_device *dev, int kind, const tn_peer_task *task,
                           const tn_case *c, const tn_shape *shape, const tn_bench_options *options,
                           tn_cost_row *row);

#endif
