/* What a launch of mlp's kernels is told by value: plain C too, which the host includes. */
typedef struct mlp_sizes {
    int N;                                /* rows */
    int rows;                             /* forward: of a work-item, at most TM * TILES */
    int share;                            /* backward: rows of a partial sum of the norm's gradient */
    int at_w1, at_w2, at_b1, at_b2, at_w; /* backward: floats in front of each gradient's partial sums */
    float eps;
} mlp_sizes;
