/* Completion for shells, from the same table of commands and options as parsing and help. */
#ifndef TN_CLI_COMPLETION_H
#define TN_CLI_COMPLETION_H

#include "options.h"

extern const char *const tn_cli_shells[]; /* "bash", "zsh", "fish", NULL */

/* `commands`: NULL-ended; those without a summary are left out. */
void tn_completion_print(FILE *to, const char *shell, const tn_cli_command *const *commands);

#endif
