/* GELU, tanh form: y = ½x·(1 + tanh(√(2/π)·(x + 0.044715·x³))). */
#ifndef TN_GELU_REF_H
#define TN_GELU_REF_H

#include <stdint.h>

void tn_gelu_forward_ref(int64_t count, double *y /* [count] */, const double *x /* [count] */);
/* dx may be dy. */
void tn_gelu_backward_ref(int64_t count, double *dx /* [count] */, const double *dy /* [count] */,
                          const double *x /* [count] */);

#endif
