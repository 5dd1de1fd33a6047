/* What the suites share: a context that must end with nothing alive, a device, and the fuzz test every op
 * has. */
#ifndef TN_TEST_SUPPORT_H
#define TN_TEST_SUPPORT_H

#include <stdint.h>
#include <stdlib.h>

#include "buffer.h"
#include "case.h"
#include "context.h"
#include "suite.h"

/* Fails the running test with the recorded words. */
#define ck_ok(ctx, expr)                                                                                     \
    do {                                                                                                     \
        tn_status ck_status_ = (expr);                                                                       \
        ck_assert_msg(ck_status_ == TN_OK, "%s: %s", #expr, (ctx)->message);                                 \
    } while (0)

/* Suite of one op: `cases` random shapes, of tn_test_seed, of every pass on the default device
 * (TURNOUT_DEVICE selects another), gradients, by every variant, and the same in the style of a GPU. A
 * variant of the device's style, and the portable one, must fit some shape in each of its passes. Add further
 * tests to the returned suite. */
Suite *tn_test_op_suite(const char *op, int cases);
/* Adds the same cases with one set of tunables, as TURNOUT_TUNE has them ("gelu.STREAM=1"). Once a suite. */
void tn_test_op_tuned(Suite *suite, const char *tune);
/* Every pass at the shape against the reference: how many ran. A variant that is tried may refuse the shape,
 * the default not. */
int tn_test_shape_hold(tn_device *dev, const tn_case *c, const tn_shape *shape);
/* Buffers of counts[i] floats: the first `inputs` hold normal numbers, times 1/8 where `weights` has the bit
 * i, the rest zeros. */
void tn_test_buffers_make(tn_device *dev, const size_t *counts, int inputs, unsigned weights, int count,
                          tn_buffer **out);
/* What buffers first … end − 1 hold, one behind the other; caller frees. */
float *tn_test_buffers_read(tn_buffer *const *buffers, const size_t *counts, int first, int end,
                            size_t *floats);
void tn_test_buffers_destroy(tn_buffer **buffers, int count);
/* What two variants gave, held against each other bit for bit; frees both. */
void tn_test_same_bits(float *fused, size_t floats, float *composed, size_t others);

#endif
