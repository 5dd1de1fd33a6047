/* Products of attention's weights (attention_absorb_threads.cl), variant groups: a work-group makes a tile of
 * TILE x TILE of one of them, an item TM x 4 of it in registers. All products of a pass are one launch, since
 * weights are small and a launch is not: which one a group has decides where its operands lie, and whether
 * along the sum or across it, but not the loop. Tiles of both operands, BK of k deep, lie in local memory
 * twice, as in gemm_groups.cl. Every element is one chain of multiply-adds over k in ascending order. */

#if LANES != 4
#error "LANES is 4 in kernels of work-groups"
#endif

#ifndef TILE
#define TILE 32 /* rows and columns of a work-group's tile */
#endif
#ifndef QUADS
#define QUADS 0 /* 1: each head's rows and columns begin at aligned quads */
#endif

#define BK     16
#define TM     (TILE / 8)
#define ACROSS (TILE / 4)
#define ITEMS  (8 * ACROSS)

TN_TILE(along, TILE, BK, ITEMS, 0, QUADS)
TN_TILE(turned, TILE, BK, ITEMS, 1, QUADS)
TN_MULTIPLY(tiles, TM, 4, BK, TILE, TILE)

/* Element (w, k) is p[w * ld + k] where it lies along the sum, else p[k * ld + w]; `wide` of w. */
typedef struct operand {
    const global float *p;
    int ld, by_k, wide;
} operand;

/* c [a.wide,b.wide], rows ldc apart: the sum over k < K of a(m, k) * b(n, k). */
typedef struct product {
    global float *c;
    operand a, b;
    int ldc, K;
} product;

ALWAYS_INLINE void places_of(uint *places, const operand *o, int w0) {
    if (o->by_k)
        turned_places(places, o->ld, o->wide - w0);
    else
        along_places(places, o->ld, o->wide - w0);
}

/* A step from k on; the last one may be short. */
ALWAYS_INLINE void fetch(float4 *quads, const uint *places, const operand *o, int w0, int k, int K) {
    if (o->by_k)
        turned_fetch_part(quads, places, o->p + w0 * o->ld + k, o->wide - w0, K - k);
    else
        along_fetch_part(quads, places, o->p + k * o->ld + w0, o->wide - w0, K - k);
}

ALWAYS_INLINE void put(local float *tile, const float4 *quads, const operand *o) {
    if (o->by_k)
        turned_put(tile, quads);
    else
        along_put(tile, quads);
}

/* The tile of this group: rows from group_id(0) / columns on. */
ALWAYS_INLINE void make_tile(const product *s, local float *tiles) {
    const int columns = (s->b.wide + TILE - 1) / TILE, group = get_group_id(0);
    const int m0 = group / columns * TILE, n0 = group % columns * TILE, item = get_local_id(0);
    const int across = tile_across(item, ACROSS), down = tile_down(item, ACROSS);
    float4 sums[TM][1], a_next[along_QUADS], b_next[along_QUADS];
    uint a_places[along_QUADS], b_places[along_QUADS];
    int turn = 0;
    places_of(a_places, &s->a, m0);
    places_of(b_places, &s->b, n0);
    fetch(a_next, a_places, &s->a, m0, 0, s->K);
    fetch(b_next, b_places, &s->b, n0, 0, s->K);
    TN_ZERO(sums, TM, 4);
    for (int k = BK;; k += BK, turn ^= 1) {
        local float *const a_now = tiles + 2 * turn * TILE_FLOATS(TILE, BK);
        local float *const b_now = a_now + TILE_FLOATS(TILE, BK);
        put(a_now, a_next, &s->a);
        put(b_now, b_next, &s->b);
        barrier(CLK_LOCAL_MEM_FENCE);
        if (k < s->K) { /* of the whole group */
            fetch(a_next, a_places, &s->a, m0, k, s->K);
            fetch(b_next, b_places, &s->b, n0, k, s->K);
        }
        tiles_multiply(sums, a_now, b_now, down, across);
        if (k >= s->K)
            break;
    }
    /* for PoCL 3.1, as in flash_attention_groups.cl: chunk_end */
    barrier(CLK_LOCAL_MEM_FENCE);
    UNROLL for (int i = 0; i < TM; i++) {
        const int m = m0 + tile_own(down, i, TM, TILE), n = n0 + tile_own(across, 0, 4, TILE);
        if (m < s->a.wide)
            TN_STORE_QUAD(QUADS, sums[i][0], s->c + m * s->ldc + n, s->b.wide - n);
    }
}

/* M_h = W_kʰᵀ·W_qʰ, C_h = W_oʰ·W_vʰ. Grid: tiles of [D,D] x 2·H. */
kernel __attribute__((reqd_work_group_size(ITEMS, 1, 1))) void attention_absorb_forward_groups(
    global float *mq /* [H·D,D] M */, global float *mo /* [D,H·D] C */, const global float *wq,
    const global float *wk, const global float *wv, const global float *wo /* [D,D] each */, int H, int Dh) {
    LOCAL_TILE(tiles, 4 * TILE_FLOATS(TILE, BK));
    const int D = H * Dh, block = get_group_id(1), h = block % H, head = h * Dh * D;
    const product m = {mq + head * H, {wk + head, D, 0, D}, {wq + head, D, 0, D}, D, Dh},
                  c = {mo + h * D, {wo + h * Dh, D, 1, D}, {wv + head, D, 0, D}, H * D, Dh},
                  s = block < H ? m : c;
    make_tile(&s, tiles);
}

/* dW_q = W_k·dM, dW_v = W_oᵀ·dC, dW_k = W_q·dMᵀ, dW_o = dC·W_vᵀ. Grid: tiles of [Dh,D], as many as of
 * [D,Dh], x 4·H. */
kernel __attribute__((reqd_work_group_size(ITEMS, 1, 1))) void attention_absorb_backward_groups(
    global float *dwq, global float *dwk, global float *dwv, global float *dwo /* [D,D] each */,
    const global float *dmq /* [H·D,D] */, const global float *dmo /* [D,H·D] */, const global float *wq,
    const global float *wk, const global float *wv, const global float *wo /* [D,D] each */, int H, int Dh) {
    LOCAL_TILE(tiles, 4 * TILE_FLOATS(TILE, BK));
    const int D = H * Dh, block = get_group_id(1), which = block / H, h = block % H, head = h * Dh * D;
    const global float *const dm = dmq + head * H, *const dc = dmo + h * D;
    const product q = {dwq + head, {wk + head, D, 1, Dh}, {dm, D, 0, D}, D, D},
                  v = {dwv + head, {wo + h * Dh, D, 0, Dh}, {dc, H * D, 0, D}, D, D},
                  k = {dwk + head, {wq + head, D, 1, Dh}, {dm, D, 1, D}, D, D},
                  o = {dwo + h * Dh, {dc, H * D, 1, D}, {wv + head, D, 1, Dh}, D, D},
                  s = which == 0   ? q
                      : which == 1 ? v
                      : which == 2 ? k
                                   : o;
    make_tile(&s, tiles);
}
