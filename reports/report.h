/* The dashboard: CSV and runs in, one HTML file out that needs no network. */
#ifndef TN_REPORT_H
#define TN_REPORT_H

#include "context.h"

/* Paths as tn_inputs_read takes them. The file is whole or not there: written aside and renamed. Script,
 * style and Chart.js are in it, the data too as JSON, so it can be sent, kept and read years later. */
tn_status tn_report_write(tn_context *ctx, const char *const *paths, size_t count, const char *out_path);
/* The same, after all rows and runs have been stored in the file `database` (tn_database_store). Either of
 * the two may be NULL. */
tn_status tn_report_keep(tn_context *ctx, const char *const *paths, size_t count, const char *out_path,
                         const char *database);

#endif
