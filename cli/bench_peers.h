/* `bench --peers`: which rows there are, and what they come to. */
#ifndef TN_CLI_BENCH_PEERS_H
#define TN_CLI_BENCH_PEERS_H

#include "options.h"
#include "peers.h"

typedef struct tn_bench_peers {
    const char *op, *pass, *shape, *peer; /* each NULL for all there is; --shape needs --op */
    const char *python;
    const char *program; /* this program; peers lie in peers/ beside it */
    tn_bench_options options;
    /* Called for every row; the end where it fails. */
    tn_status (*write)(void *data, tn_context *ctx, const tn_cost_row *row);
    void *data;
} tn_bench_peers;

/* TN_ERR_ARG where no peer does what op, pass and peer name together, with what there is. */
tn_status tn_bench_peers_check(tn_context *ctx, const tn_bench_peers *plan);
/* Every row on one device, then the ratios of each op, pass and peer on stderr. */
tn_status tn_bench_peers_run(tn_device *dev, const tn_bench_peers *plan);

#endif
