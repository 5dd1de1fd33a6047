/* Masked attention of listed query rows over dense keys (kernels/flash_attention/), fp32, online softmax
 * (Dao, Fu, Ermon, Rudra, Ré: FlashAttention, 2022): no T×T matrix in memory.
 *
 * Causal always; any of sliding window, segments (packed documents) and per-sequence lengths (padding) on
 * top. A position past its sequence's length attends to nothing. A row with nothing to attend to gives exact
 * zeros. Within a variant, a row's bits do not depend on which rows are listed beside it, nor on keys after
 * it. Launches are sized by max_rows.
 *
 * Shapes are tuned in two classes, by T alone: "short" up to 1024 positions, where keys are a chunk or two
 * and work-items are many rows of tiles; "long" beyond, where keys stream and are split among work-items.
 * Never by the number of rows: it must not choose a row's bits. */
#ifndef TN_FLASH_ATTENTION_H
#define TN_FLASH_ATTENTION_H

#include "buffer.h"

typedef struct tn_flash_attention_shape {
    int64_t B, T;     /* sequences, positions */
    int64_t R, Rkv;   /* listed query rows; key and value rows */
    int64_t max_rows; /* most query rows of one sequence */
    int64_t H, Dh;    /* heads; head width: 16 to 128, a multiple of 4 */
    int64_t Hkv; /* heads of keys and values, of which H is a multiple: head h reads head h / (H/Hkv). 0: H */
    int64_t window; /* a query sees its own and the window − 1 positions before it; 0: all before it */
    double scale;   /* of the scores; 0: 1/√Dh */
    bool at_most;   /* R, Rkv and max_rows are the most there can be: the device alone knows, by q_start and
                       kv_start, how many there are. What no list has is left alone */
} tn_flash_attention_shape;

extern const struct tn_op tn_flash_attention_op;

/* rows [R]: b·T + t, ascending, a position as often as it has queries; sequence b owns q_start[b] …
 * q_start[b+1]−1 of them and the key rows kv_start[b] … kv_start[b+1]−1, which are its positions 0, 1, … and
 * must reach its last listed row. */
tn_status tn_flash_attention_forward(
    tn_device *dev, const tn_flash_attention_shape *s, tn_buffer *o /* [R,H·Dh] */,
    tn_buffer *lse /* [R,H] natural log of Σ exp(score), 0 where nothing is allowed */,
    const tn_buffer *q /* [R,H·Dh] */, const tn_buffer *k /* [Rkv,Hkv·Dh] */,
    const tn_buffer *v /* [Rkv,Hkv·Dh] */, const tn_buffer *rows, const tn_buffer *q_start /* [B+1] */,
    const tn_buffer *kv_start /* [B+1] */, const tn_buffer *segments /* i32 [B,T] or NULL */,
    const tn_buffer *lengths /* i32 [B] or NULL */);
/* How the chosen variant of the forward pass goes about a shape. */
typedef struct tn_flash_attention_layout {
    int64_t block; /* neighbouring rows of a list, from its first on, that go through the keys together: what
                      a pass over all rows could skip at the least */
    int64_t partial; /* floats of scratch for partial sums of chunks of keys (split-K); 0: not split */
} tn_flash_attention_layout;
/* Fails as tn_op_variant does. */
tn_status tn_flash_attention_layout_of(tn_device *dev, const tn_flash_attention_shape *s,
                                       tn_flash_attention_layout *out);
/* Whether a forward pass of this shape, and in training the backward pass too, takes lists whose lengths the
 * device alone knows (s->at_most). */
tn_status tn_flash_attention_counts(tn_device *dev, const tn_flash_attention_shape *s, bool training,
                                    bool *counts);
/* All of dq, dk and dv is written; zero where a key is not seen. */
tn_status tn_flash_attention_backward(tn_device *dev, const tn_flash_attention_shape *s,
                                      tn_buffer *dq /* [R,H·Dh] */, tn_buffer *dk /* [Rkv,Hkv·Dh] */,
                                      tn_buffer *dv /* [Rkv,Hkv·Dh] */, const tn_buffer *dout /* [R,H·Dh] */,
                                      const tn_buffer *q, const tn_buffer *k, const tn_buffer *v,
                                      const tn_buffer *o, const tn_buffer *lse, const tn_buffer *rows,
                                      const tn_buffer *q_start, const tn_buffer *kv_start,
                                      const tn_buffer *segments, const tn_buffer *lengths);

#endif
