/* Inside bench: what a device computed, held against a reference in doubles. */
#ifndef TN_AGREE_H
#define TN_AGREE_H

#include "buffer.h"

/* Gradients are sums of many terms: a row, or a whole tensor, is held to its own root mean square, so that
 * what is small everywhere is checked as closely as what is large. TN_ERR_CHECK names the first that is off.
 */

/* Every row by itself: |got − want| ≤ allowed · (rms of the row + |want|). Rows of zeros must be zero but for
 * 1e-6 of the largest row. */
tn_status tn_agree_rows(tn_context *ctx, const char *what, int64_t rows, int64_t D, const float *got,
                        const double *want, double allowed);
/* |got − want| ≤ allowed · (scale + |want|); scale 0: the tensor's rms. */
tn_status tn_agree_tensor(tn_context *ctx, const char *what, size_t count, const float *got,
                          const double *want, double allowed, double scale);
/* NaN all over a buffer that is to be written: what is not, shows. NULL is fine. */
tn_status tn_agree_poison(tn_buffer *buffer);
double tn_agree_rms(size_t count, const double *values);

#endif
