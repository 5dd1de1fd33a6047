/* What the variants of gemm agree on. Private to host/ops. */
#ifndef TN_GEMM_VARIANTS_H
#define TN_GEMM_VARIANTS_H

#include "gemm.h"
#include "variant.h"

enum {
    TN_GEMM_BIAS_BACKWARD = TN_GEMM_TN + 1, /* the pass behind those of tn_gemm_form */
    TN_GEMM_FEW_ROWS = 8                    /* and fewer are a class of shapes of their own */
};

/* What a product ends in. */
typedef enum tn_gemm_gelu { TN_GEMM_GELU_NONE, TN_GEMM_GELU_VALUE, TN_GEMM_GELU_SLOPE } tn_gemm_gelu;

/* The key of a plan. K > 0; of bias_backward M and N alone. */
typedef struct tn_gemm_key {
    int64_t M, N, K;
    int64_t c_count, a_count; /* tensors side by side: of C in NT, of A in NN and TN; else 1 */
    int64_t packed;           /* B is at hand as panels too */
    int64_t gelu;             /* tn_gemm_gelu; not with TN */
} tn_gemm_key;

typedef struct tn_gemm_args {
    tn_buffer *const *c;       /* [c_count]; of bias_backward db */
    const tn_buffer *const *a; /* [a_count]; of bias_backward dy */
    const tn_buffer *b, *packed, *bias, *add;
    const tn_buffer *count; /* i32 [1], in passes that a variant has `counted`: rows of A, and of C but in TN,
                               that there are; NULL: all */
    tn_buffer *act;         /* [M,N] where the product ends in a gelu; may be c */
    const tn_buffer *at;    /* [M,N] where it ends in a gelu's slope */
    tn_partial_sums *later; /* where the sums of a split k may wait, or NULL */
} tn_gemm_args;

extern const tn_variant tn_gemm_few, tn_gemm_threads, tn_gemm_groups, tn_gemm_clblast, tn_gemm_columns;

/* c += bias, for products that come from elsewhere (gemm_bias.c). */
tn_status tn_gemm_bias_forward(tn_device *dev, int64_t M, int64_t N, tn_buffer *c, const tn_buffer *bias);

#endif
