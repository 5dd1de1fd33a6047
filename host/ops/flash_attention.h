/* Masked attention of a list of query rows over dense keys (kernels/flash_attention.cl), fp32, online softmax
 * (Dao, Fu, Ermon, Rudra, Ré: FlashAttention, 2022): no T×T matrix in memory.
 *
 * Causal always; any of sliding window, segments (packed documents) and per-sequence lengths (padding) on
 * top. A position past its sequence's length attends to nothing. A row with nothing to attend to gives exact
 * zeros. A row's bits do not depend on which rows are listed beside it, nor on keys after it. Launches are
 * sized by max_rows, so the host must know it. */
#ifndef TN_FLASH_ATTENTION_H
#define TN_FLASH_ATTENTION_H

#include "buffer.h"

typedef struct tn_flash_attention_shape {
    int64_t B, T;     /* sequences, positions */
    int64_t R, Rkv;   /* listed query rows; key and value rows */
    int64_t max_rows; /* most query rows of one sequence */
    int64_t H, Dh;    /* heads; head width: 16 to 128, a multiple of 4 */
    int64_t window;   /* a query sees its own and the window − 1 positions before it; 0: all before it */
    double scale;     /* of the scores; 0: 1/√Dh */
} tn_flash_attention_shape;

/* rows [R]: b·T + t, ascending, a position as often as it has queries; sequence b owns q_start[b] …
 * q_start[b+1]−1 of them and the key rows kv_start[b] … kv_start[b+1]−1, which are its positions 0, 1, … and
 * must reach its last listed row. */
tn_status tn_flash_attention_forward(
    tn_device *dev, const tn_flash_attention_shape *s, tn_buffer *o /* [R,H·Dh] */,
    tn_buffer *lse /* [R,H] natural log of Σ exp(score), 0 where nothing is allowed */,
    const tn_buffer *q /* [R,H·Dh] */, const tn_buffer *k /* [Rkv,H·Dh] */,
    const tn_buffer *v /* [Rkv,H·Dh] */, const tn_buffer *rows, const tn_buffer *q_start /* [B+1] */,
    const tn_buffer *kv_start /* [B+1] */, const tn_buffer *segments /* i32 [B,T] or NULL */,
    const tn_buffer *lengths /* i32 [B] or NULL */);
/* Neighbouring rows of a list whose queries go through the keys together, from its first on: the least that a
 * pass over all rows could leave out. */
int64_t tn_flash_attention_block(const tn_device *dev, const tn_flash_attention_shape *s);
/* Floats of scratch that the forward pass keeps sums of chunks of keys in; 0 where an item takes all keys. */
int64_t tn_flash_attention_parts(const tn_device *dev, const tn_flash_attention_shape *s);
/* All of dq, dk and dv is written; zero where a key is not seen. */
tn_status tn_flash_attention_backward(tn_device *dev, const tn_flash_attention_shape *s,
                                      tn_buffer *dq /* [R,H·Dh] */, tn_buffer *dk /* [Rkv,H·Dh] */,
                                      tn_buffer *dv /* [Rkv,H·Dh] */, const tn_buffer *dout /* [R,H·Dh] */,
                                      const tn_buffer *q, const tn_buffer *k, const tn_buffer *v,
                                      const tn_buffer *o, const tn_buffer *lse, const tn_buffer *rows,
                                      const tn_buffer *q_start, const tn_buffer *kv_start,
                                      const tn_buffer *segments, const tn_buffer *lengths);

#endif
