/* For rows.c: a row in which every column is empty. */
#ifndef TN_ROW_CLEAR_H
#define TN_ROW_CLEAR_H

#include "rows.h"

void tn_row_clear(tn_cost_row *row);

#endif
