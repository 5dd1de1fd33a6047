/* Mask → list of routed rows, sequence by sequence, in order of positions. */
#ifndef TN_ROUTE_COMPACT_REF_H
#define TN_ROUTE_COMPACT_REF_H

#include <stdint.h>

/* A position is listed where the mask has it, or another of its block (positions 0 … block−1, …).
 * rows past the list's end are left alone; slot −1: not routed; last −1: no row of the sequence. */
void tn_route_compact_forward_ref(int64_t B, int64_t T, int64_t block, int32_t *rows /* [B·T] */,
                                  int32_t *start /* [B+1] */, int32_t *slot /* [B,T] */,
                                  int32_t *last /* [B] */, const int32_t *mask /* [B,T] */);

#endif
