/* C = A.B, A.B' or A'.B (+ bias) (+ add), variant groups: a work-group makes a tile of BM x BN, an item TM x
 * TN of it in registers. Tiles of A and B, BK of k deep, lie in local memory twice: while one pair is
 * multiplied, the next is on its way from global memory to registers, and then goes to the other pair, so
 * that one barrier a step is enough. Each element is one chain of multiply-adds over k in ascending order,
 * whatever the tile; bias and add come behind it. The bits of a row do not depend on M. */

#if LANES != 4
#error "LANES is 4 in kernels of work-groups"
#endif

#ifndef BM
#define BM 64 /* rows of a work-group's tile */
#endif
#ifndef BN
#define BN 64 /* columns of it */
#endif
#ifndef BK
#define BK 16 /* k of a step */
#endif
#ifndef TM
#define TM 4 /* rows of an item */
#endif
#ifndef TN
#define TN 4 /* columns of an item */
#endif
#ifndef A_TURNED
#define A_TURNED 1 /* 1: A is [M,K]; 0: A is [K,M] */
#endif
#ifndef B_TURNED
#define B_TURNED 0 /* 1: B is [N,K]; 0: B is [K,N] */
#endif
#ifndef A_QUADS
#define A_QUADS 0 /* 1: rows of A are whole aligned quads */
#endif
#ifndef B_QUADS
#define B_QUADS 0
#endif
#ifndef C_QUADS
#define C_QUADS 0
#endif
#ifndef A_COUNT
#define A_COUNT 1 /* tensors that A lies in, side by side along k, or along m where it is [K,M] */
#endif
#ifndef C_COUNT
#define C_COUNT 1 /* tensors that C lies in, side by side */
#endif
#ifndef ACT
#define ACT 0 /* 1: act = gelu(C), and C too unless act is C; 2: C times the slope of gelu at act */
#endif

#define ITEMS  ((BM / TM) * (BN / TN))
#define ACROSS (BN / TN)

TN_TILE(a_tile, BM, BK, ITEMS, A_TURNED, A_QUADS)
TN_TILE(b_tile, BN, BK, ITEMS, B_TURNED, B_QUADS)
TN_MULTIPLY(tiles, TM, TN, BK, BM, BN)

/* Where the tile of A begins that has row m0 and k in it. */
ALWAYS_INLINE const global float *a_from(const global float *a, const global float *a1,
                                         const global float *a2, const gemm_groups_sizes *s, int m0, int k) {
#if A_COUNT > 1
    const int along = A_TURNED ? k : m0, which = along / s->a_width, at = along % s->a_width;
    const global float *const from = which == 0 ? a : which == 1 ? a1 : a2;
#else
    const int at = A_TURNED ? k : m0;
    const global float *const from = a;
#endif
    return from + (A_TURNED ? m0 * s->lda + at : k * s->lda + at);
}

ALWAYS_INLINE const global float *b_from(const global float *b, const gemm_groups_sizes *s, int n0, int k) {
    return b + (B_TURNED ? n0 * s->ldb + k : k * s->ldb + n0);
}

/* Four sums to C at column n of a row; c, add and act stand at the row's begin. */
ALWAYS_INLINE void put_quad(float4 v, global float *c, const global float *bias, const global float *add,
                            global float *act, int n, int left) {
    if (bias)
        v += TN_LOAD_QUAD(C_QUADS, bias + n, left);
    if (add)
        v += TN_LOAD_QUAD(C_QUADS, add + n, left);
#if ACT == 2
    v *= gelu_slope(TN_LOAD_QUAD(C_QUADS, act + n, left));
#elif ACT == 1
    const float4 value = gelu_value(v);
    TN_STORE_QUAD(C_QUADS, value, act + n, left);
    if (act == c)
        return;
#endif
    TN_STORE_QUAD(C_QUADS, v, c + n, left);
}

/* Rows of C: those that are counted; none in a part of k past what is counted, but in the first. */
ALWAYS_INLINE int rows_there(const gemm_groups_sizes *s, const global int *count, int k0, int K) {
    return A_TURNED ? rows_counted(count, s->M) : k0 == 0 || k0 < K ? s->M : 0;
}

/* The first step is the short one. A group past the count, of rows or, with A_TURNED = 0, of k, takes one
 * step of zeros and writes nothing: PoCL 3.1 makes wrong code of a return before these barriers. Grid: groups
 * of ITEMS, tiles of columns x tiles of rows x parts of k. With several parts C is s.c_at floats and then
 * [parts,M,N], for partial_sums; bias and add go to the first. */
kernel __attribute__((reqd_work_group_size(ITEMS, 1, 1))) void gemm_groups(
    global float *c, global float *c1, global float *c2, /* [M,c_width] each */
    const global float *a, const global float *a1,
    const global float *a2,         /* [M,a_width] each, or [K,a_width] with A_TURNED = 0 */
    const global float *restrict b, /* [K,N], or [N,K] with B_TURNED */
    const global float *bias,       /* [N] or NULL */
    const global float *add,        /* [M,N] or NULL; may be c */
    global float *act,              /* [M,N] with ACT, one part and one C */
    const global int *count,        /* [1] or NULL: rows of A that there are, and of C with A_TURNED */
    const gemm_groups_sizes given) {
    LOCAL_TILE(a_tiles, 2 * TILE_FLOATS(BM, BK));
    LOCAL_TILE(b_tiles, 2 * TILE_FLOATS(BN, BK));
    const gemm_groups_sizes s = given;
    const int n0 = get_group_id(0) * BN, m0 = get_group_id(1) * BM, z = get_group_id(2), k0 = z * s.part;
    const int K = A_TURNED ? s.K : rows_counted(count, s.K), M = rows_there(&s, count, k0, K);
    const int k1 = m0 < M ? min(K, k0 + s.part) : k0, left = max(1, M - m0);
    const int item = get_local_id(0), across = tile_across(item, ACROSS), down = tile_down(item, ACROSS);
    float4 sums[TM][TN / 4], a_next[a_tile_QUADS], b_next[b_tile_QUADS];
    uint a_places[a_tile_QUADS], b_places[b_tile_QUADS];
    int turn = 0, k = k0 + ((k1 - k0) % BK ? (k1 - k0) % BK : min(BK, k1 - k0));
    a_tile_places(a_places, s.lda, left);
    b_tile_places(b_places, s.ldb, s.N - n0);
    a_tile_fetch_part(a_next, a_places, a_from(a, a1, a2, &s, m0, k0), left, k - k0);
    b_tile_fetch_part(b_next, b_places, b_from(b, &s, n0, k0), s.N - n0, k - k0);
    TN_ZERO(sums, TM, TN);
    for (;; k += BK, turn ^= 1) {
        local float *const a_now = a_tiles + turn * TILE_FLOATS(BM, BK), *const b_now =
                                                                             b_tiles +
                                                                             turn * TILE_FLOATS(BN, BK);
        a_tile_put(a_now, a_next);
        b_tile_put(b_now, b_next);
        barrier(CLK_LOCAL_MEM_FENCE);
        if (k < k1) { /* of the whole group */
            a_tile_fetch(a_next, a_places, a_from(a, a1, a2, &s, m0, k), left);
            b_tile_fetch(b_next, b_places, b_from(b, &s, n0, k), s.N - n0);
        }
        tiles_multiply(sums, a_now, b_now, down, across);
        if (k >= k1)
            break;
    }
    /* for PoCL 3.1, as in flash_attention_groups.cl: chunk_end */
    barrier(CLK_LOCAL_MEM_FENCE);
#if C_COUNT > 1
    const int which = n0 / s.c_width, before = which * s.c_width;
    global float *const to = which == 0 ? c : which == 1 ? c1 : c2;
#else
    const int before = 0;
    global float *const to = c + s.c_at + z * s.M * s.N;
#endif
    UNROLL for (int i = 0; i < TM; i++) {
        const int m = m0 + tile_own(down, i, TM, BM), row = m * s.N + before;
        if (m < M)
            UNROLL for (int j = 0; j < TN / 4; j++) {
                const int n = n0 - before + tile_own(across, 4 * j, TN, BN);
                put_quad(sums[i][j], to + m * s.c_width, bias && z == 0 ? bias + before : 0,
                         add && z == 0 ? add + row : 0, act ? act + row : act, n, s.c_width - n);
            }
    }
}
