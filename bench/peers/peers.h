/* The same work through other implementations and through ours, in turn, with results compared: rows. */
#ifndef TN_PEERS_H
#define TN_PEERS_H

#include "bench_op.h"
#include "peer.h"
#include "peer_work.h"

typedef struct tn_peer_kind {
    const char *name;       /* as --peer takes it */
    const char *program;    /* in the folder of peers; NULL: in this process */
    bool script;            /* for Python */
    bool ways;              /* can be asked for several ways of doing its work */
    bool cards;             /* works on cards too, by PCI address; else on the processor alone */
    const char *const *ops; /* what it can be asked for; NULL ends */
} tn_peer_kind;

extern const tn_peer_kind tn_peer_kinds[]; /* ends with a NULL name */
enum { TN_PEER_KINDS = 8, TN_PEER_WAYS = 20, TN_PEER_WAY = 200 };

/* One way of a kind to do its work, as a process of its own; the first is what it does when left alone. */
typedef struct tn_peer_way {
    char word[TN_PEER_WAY]; /* its argument */
    tn_peer *running;
    int deaths;
    int slow;     /* times in a row that another was much faster */
    bool dropped; /* wrong, broken, or slow every time */
} tn_peer_way;

/* Peers stay up from one row to the next. One that crashed or hung is started again, but only once more. */
typedef struct tn_peers {
    const char *folder; /* of the programs */
    const char *python; /* that runs the scripts */
    bool on_card;       /* ours runs on a card: peers must, too, */
    char card[24];      /* at this PCI address; "" where the driver tells none */
    tn_peer_way ways[TN_PEER_KINDS][TN_PEER_WAYS];
    int way_count[TN_PEER_KINDS]; /* 0: not asked yet */
} tn_peers;

void tn_peers_stop(tn_peers *peers);
bool tn_peer_kind_does(int kind, const char *op);
/* The running process of a way of a kind, started where there is none. Borrowed. */
tn_status tn_peers_process(tn_context *ctx, tn_peers *peers, int kind, int way, tn_peer **out);
/* The process that does this work fastest among those whose result is right beside `ours`, ready to run it.
 */
tn_status tn_peers_choose(tn_peers *peers, int kind, const tn_peer_work *work, const float *ours,
                          tn_peer **out);

/* Fills the whole row. A peer that is missing, breaks, or comes to another result is a row whose status and
 * reason say so, and TN_OK; only Ctrl-C and a shape that makes no sense are failures. Ours is verified
 * against its reference as tn_bench_op does it. */
tn_status tn_peers_measure(tn_peers *peers, tn_device *dev, int kind, const tn_peer_task *task,
                           const tn_case *c, const tn_shape *shape, const tn_bench_options *options,
                           tn_cost_row *row);

/* A remark in the row, and a warning, where a peer stays below a third of the arithmetic ceiling at a large
 * shape that nothing else bounds: it says more about its settings than about ours. `roofline` may be NULL. */
void tn_peers_doubt(tn_device *dev, const tn_roofline *roofline, tn_cost_row *row);

#endif
