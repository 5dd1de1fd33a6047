/* Names of outputs that say where they were made, so that many machines can be given one command. */
#ifndef TN_CLI_NAME_PATTERN_H
#define TN_CLI_NAME_PATTERN_H

#include "options.h"

/* Of a command that has `patterns`: fills in the values of options of type TN_CLI_WRITES. %h is the machine's
 * name, %d the device's selector P:D as P-D, %% a percent sign. TN_ERR_ARG for any other, and for %d where
 * --device means several. Devices are looked for only where a name asks for one. */
tn_status tn_cli_names_fill(tn_context *ctx, tn_cli_args *args);

#endif
