/* One position of each of some sequences through layers of the model, from the state that earlier positions
 * left, on doubles; host/model/README.md is the model. */
#ifndef TN_DECODE_STEP_REF_H
#define TN_DECODE_STEP_REF_H

#include <stdbool.h>
#include <stdint.h>

typedef struct tn_decode_step_ref {
    int64_t rows, slots, capacity, layers;
    int64_t D, H, Hkv, K, F, V;            /* F, V of 0: no mlp; no embedding and no head */
    int64_t conv, attention, router, rope; /* 1: has it */
    int64_t added;                         /* 1: a routed row has both tracks */
    int64_t coded;                         /* 1: a row by a token's code is added to its embedding */
    int64_t window;                        /* positions that a routed row sees; 0: all */
    int64_t ring_rows, pending;            /* rows of u that are kept; that may wait for their keys */
    double eps;
    const int32_t *steps; /* [4,rows]: token, position, slot, code */
    const int32_t *given; /* [layers,rows]: 0, 1, or 2 for the router's; NULL: all the router's */
    const int32_t *table; /* [layers,16], then [4]: where weights stand (decode_step.h) */
    const double *values; /* weights */
    const double *x;      /* [rows,D], where V is 0 */
} tn_decode_step_ref;

/* out [rows,V] logits, or [rows,D] where V is 0. State: ring [layers,slots,ring_rows,D], k and v
 * [caches,slots,capacity,Hkv·D/H], projected [layers,slots]. `scratch`: 8·(D + F) + capacity doubles. */
void tn_decode_step_forward_ref(const tn_decode_step_ref *s, double *out, int32_t *routes /* [layers,rows] */,
                                double *ring, double *k, double *v, int32_t *projected, double *scratch);

#endif
