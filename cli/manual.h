/* The manual page, from the same table of commands and options as parsing and help. */
#ifndef TN_CLI_MANUAL_H
#define TN_CLI_MANUAL_H

#include "options.h"

/* `commands`: NULL-ended; those without a summary are left out. */
void tn_manual_print(FILE *to, const tn_cli_command *const *commands, const char *version);

#endif
