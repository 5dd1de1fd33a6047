/* Every subcommand, one file each. Adding one: its file, a line here, a line in the table of program.c, a
 * line in CMakeLists.txt. */
#ifndef TN_CLI_COMMANDS_H
#define TN_CLI_COMMANDS_H

#include "options.h"

extern const tn_cli_command tn_cmd_devices;
extern const tn_cli_command tn_cmd_verify;
extern const tn_cli_command tn_cmd_bench;
extern const tn_cli_command tn_cmd_tune;
extern const tn_cli_command tn_cmd_train;
extern const tn_cli_command tn_cmd_eval;
extern const tn_cli_command tn_cmd_infer;
extern const tn_cli_command tn_cmd_generate;
extern const tn_cli_command tn_cmd_report;
extern const tn_cli_command tn_cmd_study;
extern const tn_cli_command tn_cmd_survey;
extern const tn_cli_command tn_cmd_compare;
extern const tn_cli_command tn_cmd_sweep;
extern const tn_cli_command tn_cmd_completion;
extern const tn_cli_command tn_cmd_help;
extern const tn_cli_command tn_cmd_trial; /* hidden: sets of tunables for tune */
extern const tn_cli_command tn_cmd_cell;  /* hidden: one cell of a sweep */

extern const tn_cli_command *const tn_commands[]; /* all of them, NULL-ended */
const tn_cli_command *tn_command_find(const char *name);
/* TN_ERR_ARG with the nearest command. */
tn_status tn_command_unknown(tn_context *ctx, const char *name);
void tn_help_all(FILE *to);

/* The whole program but for process set-up; returns the exit code. */
int tn_program_run(int argc, char **argv);

#endif
