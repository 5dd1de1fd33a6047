/* Rows as a table for people, in Markdown: aligned on a terminal, and fit to be pasted where Markdown is
 * read. */
#ifndef TN_ROW_TABLE_H
#define TN_ROW_TABLE_H

#include "rows.h"

void tn_row_table_begin(FILE *to);
void tn_row_table_write(FILE *to, const tn_cost_row *row);

#endif
