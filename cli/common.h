/* What several commands do with their options. */
#ifndef TN_CLI_COMMON_H
#define TN_CLI_COMMON_H

#include "case.h"
#include "options.h"
#include "shard.h"

/* The op of a name, NULL for a NULL name; TN_ERR_ARG with the nearest and all names when there is none. */
tn_status tn_cli_op(tn_context *ctx, const char *name, const tn_case **out);
/* Is there a variant of that name, of `op` or, where that is NULL, of any? TN_ERR_ARG with the names that
 * there are. NULL: TN_OK. */
tn_status tn_cli_variant(tn_context *ctx, const tn_case *op, const char *name);

/* The devices -d means. `each` is called for one after the other; a device that fails is told on stderr when
 * there are others, and the failure is passed up at the end. Stops at once after Ctrl-C. */
typedef tn_status (*tn_cli_each)(tn_context *ctx, const tn_device_info *info, void *data);
tn_status tn_cli_devices(tn_context *ctx, const tn_cli_args *args, tn_cli_each each, void *data);

/* --shard I/N, or auto; the whole grid where it was not given. */
#define TN_CLI_SHARD                                                                                         \
    {                                                                                                        \
        "shard", 0, "I/N|auto", TN_CLI_STRING,                                                               \
            "the I-th of N parts of the grid; auto: as mpirun, srun or an array of SLURM numbers its tasks"  \
    }
tn_status tn_cli_shard(tn_context *ctx, const tn_cli_args *args, tn_shard *out);

/* --energy off leaves counters alone: rows say "unmeasured: not asked for". */
#define TN_CLI_ENERGY                                                                                        \
    {                                                                                                        \
        "energy", 0, "on|off", TN_CLI_STRING, "off: read no energy counter and measure no idle power (on)",  \
            0, 0, tn_cli_on_off                                                                              \
    }
extern const char *const tn_cli_on_off[];
bool tn_cli_energy(const tn_cli_args *args);

/* `before`, then for how many ops a device has tuned values, and in which file; nothing where there are none.
 */
void tn_cli_print_tuned(tn_context *ctx, const tn_device_info *info, const char *before, FILE *to);

struct json_t;
/* The object of a row of a device's table: its selector, device and platform; caller adds the rest. */
struct json_t *tn_cli_row_json(const tn_device_info *info);
struct json_t *tn_cli_words_json(const char *const *words); /* NULL-ended; NULL: none */
struct json_t *tn_cli_number_json(double value);            /* null where it is not finite */
/* The rows of a command that ended with `status`, those that it has, to stdout; takes `rows` over. NULL: they
 * were printed as text. The status of the two that is not TN_OK, the command's before the printing's. */
tn_status tn_cli_print_rows(tn_context *ctx, tn_status status, struct json_t *rows);
/* To stdout, indented; takes `root` over. */
tn_status tn_cli_print_json(tn_context *ctx, struct json_t *root);

#endif
