/* The forward pass of flash_attention; built behind flash_attention.cl, whose helpers it uses. */

#if !PACKED
DEFINE_SCORES(scores_turned, TQ, private)
DEFINE_TURN(turn, private)
#endif

/* What a chunk of keys comes to for each row of a tile: Σ 2^(score − top)·value, Σ 2^(score − top), top. */
typedef struct {
    float sum[TQ * DH], top[TQ];
    VEC weight[TQ];
} chunk_sums;

/* Lifts the tops that fell behind the block of scores p[TQ][KB]. A row's own scores alone decide. */
inline void lift_tops(chunk_sums *c, const float *p, int vectors) {
    IVEC over = 0;
    for (int i = 0; i < TQ; i++) {
        VEC high = LOAD(0, p + i * KB);
        for (int j = 1; j < vectors; j++)
            high = max(high, LOAD(j, p + i * KB));
        over |= high > c->top[i] + MARGIN;
    }
    if (!any(over))
        return;
    for (int i = 0; i < TQ; i++) {
        VEC high = LOAD(0, p + i * KB);
        for (int j = 1; j < vectors; j++)
            high = max(high, LOAD(j, p + i * KB));
        const float now = largest(high);
        if (!(now > c->top[i] + MARGIN))
            continue;
        const VEC shrink = exp2_of((VEC)(c->top[i] - now));
        c->top[i] = now;
        c->weight[i] *= shrink;
        for (int j = 0; j < DV; j++)
            STORE_TILE(LOAD(j, c->sum + i * DH) * shrink, j, c->sum + i * DH);
    }
}

/* Keys first … last, all of one chunk, for the rows of tile[TQ][DH]. `keys`: of this sequence and head,
 * packed or as rows. */
ALWAYS_INLINE void attend(chunk_sums *c, const float *tile, const tile_rows *r, int first, int last,
                          const global float *keys, const global float *values, int D, const global int *seg,
                          int T) {
    float p[TQ * KB];
    for (int i = 0; i < TQ; i++) {
        c->top[i] = LOWEST;
        c->weight[i] = 0.0f;
    }
    for (int j = 0; j < TQ * DV; j++)
        STORE_TILE((VEC)(0.0f), j, c->sum);
    for (int s0 = first / KB * KB; s0 <= last; s0 += KB) {
        const int count = min(KB, last - s0 + 1), vectors = (count + 31) / 32 * NV;
        if (seg && !segments_meet(r, seg, s0, count, T))
            continue;
        for (int s = 0; s < count; s += 32) {
#if PACKED
            scores_q(p + s, KB, tile, keys + (s0 + s) * D);
#else
            float panel[DH * 32];
            turn(panel, keys + (s0 + s) * D, r->keys - s0 - s, D);
            scores_turned(p + s, KB, tile, panel);
#endif
            mask_panel(p + s, KB, s0 + s, r, seg, T);
        }
        lift_tops(c, p, vectors);
        for (int i = 0; i < TQ; i++)
            for (int j = 0; j < vectors; j++) {
                const VEC e = exp2_of(LOAD(j, p + i * KB) - c->top[i]);
                c->weight[i] += e;
                STORE_TILE(e, j, p + i * KB);
            }
        gather_q(c->sum, p, KB, count, values + s0 * D, D);
    }
}

/* A chunk's sum, weight and top of a row onto those of the chunks before it. fma, so that every kernel rounds
 * alike. */
#define DEFINE_FOLD(NAME, SPACE)                                                                             \
    inline void NAME(float *sum, float *weight, float *top, const SPACE float *more, float more_weight,      \
                     float more_top) {                                                                       \
        if (more_weight == 0.0f)                                                                             \
            return;                                                                                          \
        const bool first = *weight == 0.0f;                                                                  \
        const float now = first ? more_top : max(*top, more_top);                                            \
        const VEC old = exp2_of((VEC)(*top - now)), fresh = exp2_of((VEC)(more_top - now));                  \
        *weight = first ? more_weight : fma(more_weight, fresh.s0, *weight * old.s0);                        \
        *top = now;                                                                                          \
        for (int j = 0; j < DV; j++) {                                                                       \
            const VEC m = LOAD(j, more);                                                                     \
            STORE_TILE(first ? m : fma(m, fresh, LOAD(j, sum) * old), j, sum);                               \
        }                                                                                                    \
    }
DEFINE_FOLD(fold, private)
DEFINE_FOLD(fold_part, global)

inline void row_store(global float *o, global float *lse, const float *sum, float weight, float top) {
    const float inverse = weight == 0.0f ? 0.0f : 1.0f / weight;
    *lse = weight == 0.0f ? 0.0f : fma(top, LN2, log(weight));
    for (int j = 0; j < DV; j++)
        STORE(LOAD(j, sum) * inverse, j, o);
}

#define TILE_ARGUMENTS                                                                                       \
    const global float *restrict q /* [R,H·DH] */,                                                           \
        const global float *restrict k /* packed, or [Rkv,H·DH] */,                                          \
        const global float *restrict v /* [Rkv,H·DH] */, const global int *restrict rows /* [R] */,          \
        const global int *restrict q_start /* [B+1] */, const global int *restrict kv_start /* [B+1] */,     \
        const global int *segments /* [B,T] or NULL */, const global int *lengths /* [B] or NULL */, int B,  \
        int T, int tiles, int H, int window, float scale
#if PACKED
#define KEYS_OF(r) (k + (panel_base(kv_start, (r).b) * H + h) * DH * 32)
#else
#define KEYS_OF(r) (k + kv_start[(r).b] * D + h * DH)
#endif

/* Grid: B · tiles (of TQ rows) × H. A row with nothing to attend to gives o = 0 and lse = 0. */
kernel void flash_attention_forward(global float *restrict o,   /* [R,H·DH] */
                                    global float *restrict lse, /* [R,H] natural log of Σ exp(score) */
                                    TILE_ARGUMENTS) {
    const int h = get_global_id(1), D = H * DH;
    const tile_rows r =
        tile_of(get_global_id(0), tiles, B, T, window, rows, q_start, kv_start, segments, lengths);
    if (h >= H || r.count == 0)
        return;
    float tile[TQ * DH], sum[TQ * DH], top[TQ], weight[TQ];
    chunk_sums chunk;
    tile_load(tile, q + h * DH, r.first, r.count, D, scale * LOG2E);
    for (int i = 0; i < TQ; i++)
        top[i] = weight[i] = 0.0f;
    for (int j = 0; j < TQ * DV; j++)
        STORE_TILE((VEC)(0.0f), j, sum);
    for (int s0 = r.to < 0 ? 1 : r.from / CHUNK * CHUNK; s0 <= r.to; s0 += CHUNK) {
        attend(&chunk, tile, &r, max(r.from, s0), min(r.to, s0 + CHUNK - 1), KEYS_OF(r),
               v + kv_start[r.b] * D + h * DH, D, segments ? segments + r.b * T : segments, T);
        for (int i = 0; i < r.count; i++)
            fold(sum + i * DH, &weight[i], &top[i], chunk.sum + i * DH, total(chunk.weight[i]), chunk.top[i]);
    }
    for (int i = 0; i < r.count; i++) {
        const int at = r.first + i;
        row_store(o + at * D + h * DH, lse + at * H + h, sum + i * DH, weight[i], top[i]);
    }
}

/* Few rows: an item a chunk, its sums to `parts`. Grid: B · tiles × H × chunks. */
kernel void flash_attention_split(global float *restrict parts, /* [R,H,chunks,DH+2] sum, weight, top */
                                  int chunks, TILE_ARGUMENTS) {
    const int h = get_global_id(1), D = H * DH, n = get_global_id(2);
    const tile_rows r =
        tile_of(get_global_id(0), tiles, B, T, window, rows, q_start, kv_start, segments, lengths);
    const int first = max(r.from, n * CHUNK), last = min(r.to, n * CHUNK + CHUNK - 1);
    if (h >= H || n >= chunks || r.count == 0 || first > last)
        return;
    float tile[TQ * DH];
    chunk_sums chunk;
    tile_load(tile, q + h * DH, r.first, r.count, D, scale * LOG2E);
    attend(&chunk, tile, &r, first, last, KEYS_OF(r), v + kv_start[r.b] * D + h * DH, D,
           segments ? segments + r.b * T : segments, T);
    for (int i = 0; i < r.count; i++) {
        global float *to = parts + (((r.first + i) * H + h) * chunks + n) * (DH + 2);
        for (int j = 0; j < DV; j++)
            STORE(LOAD(j, chunk.sum + i * DH), j, to);
        to[DH] = total(chunk.weight[i]);
        to[DH + 1] = chunk.top[i];
    }
}

/* Grid: R × H. */
kernel void flash_attention_join(global float *restrict o, global float *restrict lse,
                                 const global float *restrict parts, const global int *restrict rows,
                                 const global int *restrict kv_start, const global int *lengths, int R, int T,
                                 int H, int window, int chunks) {
    const int r = get_global_id(0), h = get_global_id(1);
    if (r >= R || h >= H)
        return;
    const int b = rows[r] / T, t = rows[r] - b * T;
    const int to = min(last_key(t, b, T, lengths), kv_start[b + 1] - kv_start[b] - 1);
    float sum[DH], weight = 0.0f, top = 0.0f;
    for (int j = 0; j < DV; j++)
        STORE_TILE((VEC)(0.0f), j, sum);
    for (int n = first_key(t, window) / CHUNK; n * CHUNK <= to; n++) {
        const global float *part = parts + ((r * H + h) * chunks + n) * (DH + 2);
        fold_part(sum, &weight, &top, part, part[DH], part[DH + 1]);
    }
    row_store(o + (r * H + h) * DH, lse + r * H + h, sum, weight, top);
}
