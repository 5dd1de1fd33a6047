/* What a cost row is of, in words, from the columns that rows are matched by (TN_COL_WORK). */
#ifndef TN_WORK_TEXT_H
#define TN_WORK_TEXT_H

#include <stddef.h>

/* `key` [TN_COLUMNS]: texts of those columns. */
void tn_work_what(const char *const *key, char *text,
                  size_t size); /* "gemm nn", "layer routed forward compacted" */
void tn_work_shape(const char *const *key, char *text,
                   size_t size); /* "N=4096", "B=1,T=4096,D=256,H=4,rho=0.01" */

#endif
