/* Rows' sum and its reverse: a bias onto every row, and its gradient. */

/* Column sums of a part of the rows, for partial_sums. Grid: column groups of 16 × parts. */
kernel void gemm_bias_backward(global float *restrict partial,  /* `at` floats, then [parts,N] */
                               const global float *restrict dy, /* [M,N] */
                               int partial_at, int M, int N, int part) {
    const int n0 = get_global_id(0) * 16;
    const int z = get_global_id(1);
    const int m0 = z * part, m1 = min(M, m0 + part);
    global float *const to = partial + partial_at + z * N;
    if (n0 >= N || m0 >= M)
        return;
    if (n0 + 16 <= N) {
        float16 sum = 0.0f;
        for (int m = m0; m < m1; m++)
            sum += vload16(0, dy + m * N + n0);
        vstore16(sum, 0, to + n0);
        return;
    }
    for (int n = n0; n < N; n++) {
        float sum = 0.0f;
        for (int m = m0; m < m1; m++)
            sum += dy[m * N + n];
        to[n] = sum;
    }
}

/* c += bias, where the product came from elsewhere. Grid: elements. */
kernel void gemm_bias(global float *c, const global float *restrict bias, int M, int N) {
    const int i = get_global_id(0);
    if (i < M * N)
        c[i] += bias[i % N];
}
