/* What every check of a problem is made of: two runs from fresh inputs, and one value beside another. */
#ifndef TN_COMPARE_H
#define TN_COMPARE_H

#include "case.h"

/* Runs twice from fresh inputs. TN_ERR_CHECK when something was written outside a tensor, an input was
 * changed, or the second run gave other bits. results[i]: device bytes of each tensor that was written, NULL
 * for the others; caller frees, after a failure too. */
tn_status tn_compare_runs(tn_context *ctx, tn_problem *p, unsigned char *results[TN_CASE_TENSORS]);

/* Element k as read back. */
double tn_compare_got(const tn_tensor *t, const unsigned char *bytes, size_t k);
/* Within what the tensor's tolerance allows; `rms` is that of the values wanted. TN_ERR_CHECK with index, got
 * and want. *worst: largest error so far as a share of what is allowed. */
tn_status tn_compare_value(tn_context *ctx, const tn_tensor *t, size_t k, double got, double want, double rms,
                           double *worst);
/* No element is still the poison that stood there before, and floats are finite. */
tn_status tn_compare_written(tn_context *ctx, const tn_tensor *t, const unsigned char *bytes);

#endif
