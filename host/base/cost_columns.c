#include "cost_columns.h"

#define COLUMN(name, kind, uses) {#name, TN_COL_##kind, uses},
const tn_cost_column tn_cost_columns[TN_COLUMNS] = {TN_COST_COLUMNS(COLUMN)};
