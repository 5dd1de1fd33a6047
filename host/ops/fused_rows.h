/* What the fused variants of mlp and the convolution track have in common, as their kernels do
 * (kernels/fused_rows.cl): a work-item takes rows through all of a pass in its private memory, over weights
 * that stay near its compute unit. Private to host/ops. */
#ifndef TN_FUSED_ROWS_H
#define TN_FUSED_ROWS_H

#include "gemm_pack.h"

/* Of `rows` rows of a batch, each partial sum of a weight spans TN_GEMM_PART_K: how many there are. */
int64_t tn_fused_parts(int64_t rows);
/* Do `bytes` of rows fit an item's private memory, `weights` floats of the largest weight a unit's cache, and
 * has a training step partial sums enough for every unit? false: `why` says what does not. */
bool tn_fused_fits(const tn_device *dev, int64_t bytes, int64_t weights, bool training, int64_t rows,
                   char *why, size_t size);
/* The layout of gemm's panels, the tiles that an item takes at a time, and the span of a partial sum. */
void tn_fused_options(const tn_device *dev, int64_t tiles, tn_options *options);

#endif
