/* routes.csv of a run as the page shows it. */
#ifndef TN_REPORT_ROUTES_H
#define TN_REPORT_ROUTES_H

#include <jansson.h>

#include "csv_table.h"

/* TN_ERR_INPUT, naming the line, where a row is not what a run writes: sequence, layer and position count
 * from 0, layers below TN_ROUTES_LAYERS, routed and oracle are 0 or 1 (oracle may be empty). */
tn_status tn_routes_read(tn_context *ctx, const char *path, tn_csv *out);
tn_status tn_routes_check(tn_csv *t); /* the same of a table that is read */
enum { TN_ROUTES_LAYERS = 1024 };

/* *out = {layers, sequences: [{id, positions, tokens, needed (null where the task cannot say), routed (a list
 * a layer)}]}, lists in order of position; JSON null for a table of which `ctx` is NULL. Positions that the
 * file leaves out in one layer or all are not routed there. */
tn_status tn_routes_json(const tn_csv *t, json_t **out);

#endif
