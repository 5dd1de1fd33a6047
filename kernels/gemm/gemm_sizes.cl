/* What a launch of gemm_tiles is told by value: plain C too, which the host includes. */
typedef struct gemm_sizes {
    int M, N, K;
    int panel, ldb;       /* floats from a panel of B to the next, from one k of a panel to the next */
    int part;             /* k of a part */
    int rows, group;      /* of a work-item: rows, at most TM * TILES; panels */
    int c_width, a_width; /* columns of each C, of each A */
    int c_at;             /* floats in front of C */
} gemm_sizes;
