/* Rotary position embedding: (z[i], z[i + Dh/2]) of each head turns by sign·pos·base^(-2i/Dh), pos = rows[r]
 * % T. */
#ifndef TN_ROPE_REF_H
#define TN_ROPE_REF_H

#include <stdint.h>

/* sign 1: forward; -1: backward. y may be x. */
void tn_rope_ref(int64_t R, int64_t T, int64_t H, int64_t Dh, double base, double sign,
                 double *y /* [R,H·Dh] */, const double *x /* [R,H·Dh] */, const int32_t *rows /* [R] */);

#endif
