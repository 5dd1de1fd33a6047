/* Inside bench: the mixer of one layer for a few rows, naive and in doubles, from host/model/README.md: what
 * a layer cell is held against before it is timed. */
#ifndef TN_LAYER_CHECK_H
#define TN_LAYER_CHECK_H

#include "model.h"

/* One sequence of T positions: x [T,D] → mid [D] of position t. `values` is the flat parameter buffer of `m`
 * on the host; `global`: the row takes attention, else the convolution. `kv` [2,T,D] is room for k and v,
 * made by tn_layer_check_keys. */
void tn_layer_check_keys(const tn_model *m, const float *values, int64_t T, const float *x, double *kv);
void tn_layer_check_row(const tn_model *m, const float *values, int64_t T, const float *x, const double *kv,
                        int64_t t, bool global, double *mid);

#endif
