/* What a launch of gemm_groups is told by value: plain C too, which the host includes. */
typedef struct gemm_groups_sizes {
    int M, N, K;
    int lda, ldb;         /* floats from a row to the next: of one A, of B */
    int a_width, c_width; /* columns of each A, of each C: no tile straddles two of several */
    int part;             /* k of a part */
    int c_at;             /* floats in front of C */
} gemm_groups_sizes;
