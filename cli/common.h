/* What several commands do with their options. */
#ifndef TN_CLI_COMMON_H
#define TN_CLI_COMMON_H

#include "case.h"
#include "options.h"

/* The op of a name, NULL for a NULL name; TN_ERR_ARG with the nearest and all names when there is none. */
tn_status tn_cli_op(tn_context *ctx, const char *name, const tn_case **out);
/* Is there a variant of that name, of `op` or, where that is NULL, of any? TN_ERR_ARG with the names that
 * there are. NULL: TN_OK. */
tn_status tn_cli_variant(tn_context *ctx, const tn_case *op, const char *name);

/* The devices -d means. `each` is called for one after the other; a device that fails is told on stderr when
 * there are others, and the failure is passed up at the end. Stops at once after Ctrl-C. */
typedef tn_status (*tn_cli_each)(tn_context *ctx, const tn_device_info *info, void *data);
tn_status tn_cli_devices(tn_context *ctx, const tn_cli_args *args, tn_cli_each each, void *data);

/* `before`, then for how many ops a device has tuned values, and in which file; nothing where there are none.
 */
void tn_cli_print_tuned(tn_context *ctx, const tn_device_info *info, const char *before, FILE *to);

#endif
