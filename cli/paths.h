/* Which files a command line reads and writes. */
#ifndef TN_CLI_PATHS_H
#define TN_CLI_PATHS_H

#include "options.h"

/* Before anything runs: TN_ERR_ARG where an output is also an input, or two outputs are one file, by whatever
 * names and links. Outputs are the options of type TN_CLI_WRITES; inputs those of TN_CLI_READS, the arguments
 * (files, lists of files joined by commas, folders with what runs, sweeps and studies leave there), and the
 * samples beside them. TN_ERR_OUTPUT where an output could not be written. */
tn_status tn_cli_paths_check(tn_context *ctx, const tn_cli_args *args);

#endif
