/* Matrix products, row-major, fp32 (kernels/gemm).
 *
 * A row of NN and NT has the same bits whatever M is, which causality bit for bit rests on: with routing, M
 * is the number of routed rows. Variant clblast, which hands products to the CLBlast library, does not
 * promise that: it takes part only where it is asked for by name, and, for TN (weight gradients), where it
 * was found the faster one. */
#ifndef TN_GEMM_H
#define TN_GEMM_H

#include "partial_sums.h"

typedef enum tn_gemm_form {
    TN_GEMM_NN, /* C = A·B,  A [M,K], B [K,N] */
    TN_GEMM_NT, /* C = A·Bᵀ, A [M,K], B [N,K] */
    TN_GEMM_TN  /* C = Aᵀ·B, A [K,M], B [K,N] */
} tn_gemm_form;

typedef struct tn_gemm_shape {
    tn_gemm_form form;
    int64_t M, N, K;
    const tn_buffer *count; /* i32 [1]: how many of the rows of A there are, M of NN and NT at most, K of TN;
                               NULL: all (variant.h, tn_op_rows). Borrowed */
} tn_gemm_shape;

extern const struct tn_op tn_gemm_op; /* its passes: the forms, then bias_backward */

/* C = product (+ bias on every row) (+ add). bias, add: NULL when absent; add may be C. K of 0 gives bias +
 * add. */
tn_status tn_gemm_forward(tn_device *dev, const tn_gemm_shape *s, tn_buffer *c /* [M,N] */,
                          const tn_buffer *a, const tn_buffer *b, const tn_buffer *bias /* [N] */,
                          const tn_buffer *add /* [M,N] */);
/* The same with B [N,K] of NT also at hand as tn_gemm_pack_all left it; packed may be NULL. */
tn_status tn_gemm_with_packed(tn_device *dev, const tn_gemm_shape *s, tn_buffer *c, const tn_buffer *a,
                              const tn_buffer *b, const tn_buffer *packed /* tn_gemm_packed_floats(N, K) */,
                              const tn_buffer *bias, const tn_buffer *add);
/* c = product (+ bias), act = gelu(c), in one launch where it can be. act may be c, and then
 * the product itself is not kept. */
tn_status tn_gemm_gelu_forward(tn_device *dev, const tn_gemm_shape *s, tn_buffer *c /* [M,N] */,
                               tn_buffer *act /* [M,N] */, const tn_buffer *a, const tn_buffer *b,
                               const tn_buffer *packed /* as above, or NULL */, const tn_buffer *bias);
/* c = product · gelu'(at), element by element: the gradient before the gelu of `at`. */
tn_status tn_gemm_gelu_backward(tn_device *dev, const tn_gemm_shape *s, tn_buffer *c /* [M,N] */,
                                const tn_buffer *a, const tn_buffer *b, const tn_buffer *at /* [M,N] */);

/* Do products on this device want B packed? Only those of variant threads; in style GROUPS tiles are brought
 * to local memory as B lies. */
bool tn_gemm_takes_packed(const tn_device *dev);
/* B as panels, the layout that variant threads wants of it: floats of a packed B [N,K] of NT, and the blocks
 * in which it is packed. */
int64_t tn_gemm_packed_floats(const tn_device *dev, int64_t N, int64_t K);
int64_t tn_gemm_packed_blocks(const tn_device *dev, int64_t N, int64_t K);
/* Matrices [N,K] of the buffer `from` into that layout, all in one launch. Row i of the table: floats to skip
 * in `packed`, in `from`; N; K; blocks of matrices 0 … i together. */
tn_status tn_gemm_pack_all(tn_device *dev, int64_t count, int64_t blocks /* all */, tn_buffer *packed,
                           const tn_buffer *from, const tn_buffer *table /* i32 [count,5] */);

/* Up to three products in one launch that reads what they share once; s holds the sizes of all together:
 *   NT: c[i] [M,N/count] = A·B_iᵀ       B [N,K], packed too when not NULL
 *   NN: c[0] = Σ_i a[i]·B_i (+ add)      a[i] [M,K/count], B [K,N]
 *   TN: c[0] = rows a[i]ᵀ·B, stacked     a[i] [K,M/count], c[0] [M,N]
 * TN_ERR_ARG where tn_gemm_can_group(width of one) is false: panels or tiles do not end where a group does.
 */
tn_status tn_gemm_grouped(tn_device *dev, const tn_gemm_shape *s, int count, tn_buffer *const *c,
                          const tn_buffer *const *a, const tn_buffer *b, const tn_buffer *packed,
                          const tn_buffer *add, tn_partial_sums *later /* as below; with TN alone */);
bool tn_gemm_can_group(const tn_device *dev, int64_t width);

/* dw = dyᵀ·x, the gradient of a linear layer's weight from K rows. later: where its parts may wait, or NULL.
 * count: as a shape's. The parts of a long sum span TN_GEMM_PART_K rows each, so that what a count leaves out
 * changes no bit. */
tn_status tn_gemm_weight_grad(tn_device *dev, int64_t M, int64_t N, int64_t K, const tn_buffer *count,
                              tn_buffer *dw /* [M,N] */, const tn_buffer *dy /* [K,M] */,
                              const tn_buffer *x /* [K,N] */, tn_partial_sums *later);
/* db[n] = Σ_m dy[m,n] */
tn_status tn_gemm_bias_backward(tn_device *dev, int64_t M, int64_t N, tn_buffer *db /* [N] */,
                                const tn_buffer *dy /* [M,N] */, tn_partial_sums *later);

/* Whether the variant that such a product takes has its rows counted on the device (s->count); tensors: as
 * many as tn_gemm_grouped has, else 1. */
tn_status tn_gemm_counts(tn_device *dev, const tn_gemm_shape *s, int tensors, bool packed, bool *counts);
/* Whether what such a product is to be added to comes behind its sum, as if added by a call of its own; else
 * sums begin with it, and last bits differ. */
tn_status tn_gemm_adds_last(tn_device *dev, const tn_gemm_shape *s, int tensors, bool *last);

/* The product by CLBlast alone, whatever is chosen: what `bench --peers` holds ours against.
 * TN_ERR_UNSUPPORTED where it is not used on this device or refuses the shape. */
tn_status tn_gemm_through_clblast(tn_device *dev, const tn_gemm_shape *s, tn_buffer *c, const tn_buffer *a,
                                  const tn_buffer *b);

#endif
