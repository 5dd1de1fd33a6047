/* What `--list` of verify, bench and tune prints: ops, their passes, dimensions, variants and tunables. */
#ifndef TN_CLI_OP_LIST_H
#define TN_CLI_OP_LIST_H

#include "case.h"
#include "options.h"

#define TN_CLI_LIST(what)                                                                                    \
    { "list", 0, NULL, TN_CLI_FLAG, "print " what ", and stop" }
#define TN_CLI_LIST_JSON TN_CLI_JSON("the table as JSON; with --list, all that is known of the ops")

typedef enum tn_cli_ops {
    TN_CLI_OPS,     /* a line an op: passes, dimensions, variants */
    TN_CLI_TUNABLES /* a line a tunable: defaults by style, candidates, meaning */
} tn_cli_ops;

/* *done: --list stood there, and was printed to stdout. `only`: that op alone; NULL: all. With
 * --json, all that is known of them as an array. */
tn_status tn_cli_list_ops(tn_context *ctx, const tn_cli_args *args, tn_cli_ops what, const tn_case *only,
                          bool *done);

#endif
