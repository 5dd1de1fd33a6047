/* Which rows of a cost file can be used: each number is one, of a size that such a number can have, and
 * agrees with those it was computed from. What a spreadsheet, an editor or a cut did to a cell is named by
 * its column. */
#ifndef TN_COST_ROWS_H
#define TN_COST_ROWS_H

#include "csv_table.h"

/* Above this share of a ceiling, in percent, a row says that its work was counted too high, or the ceiling
 * measured too low. */
#define TN_COST_MOST_ROOFLINE_PCT 105.0

/* Fills `uses` and adds to `flaws`; nothing for a table that has no columns `status` and `wall_ms`. */
tn_status tn_cost_rows_check(tn_csv *t);
/* TN_ERR_INPUT, naming them, where columns are missing that every cost file has, or that tell rows apart and
 * were taken out: columns are only ever appended, so whoever has a later one had them. */
tn_status tn_cost_columns_check(const tn_csv *t);

#endif
