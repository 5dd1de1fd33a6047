/* What a launch of the convolution track's kernels is told by value: plain C too, which the host includes. */
typedef struct conv_track_sizes {
    int B, T;
    int rows;            /* forward: positions of a work-item, at most TM * TILES */
    int at_out, at_taps; /* backward: floats in front of each gradient's partial sums */
    float margin, eps;
} conv_track_sizes;
