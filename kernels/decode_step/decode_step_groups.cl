/* The stages of a layer for work-groups. RUN neighbouring items have an output of a product, each every
 * RUN-th quad of its weights; a group has GROUP / RUN outputs at once, of ROWS rows of the step. Rows are
 * whole quads that begin at multiples of 16 bytes. Sums go over local memory in an order that RUN and GROUP
 * fix. */

#ifndef GROUP
#define GROUP 256 /* items of a work-group: a power of two */
#endif
#ifndef RUN
#define RUN 16 /* items of an output: a power of two, GROUP at most */
#endif
#ifndef ROWS
#define ROWS 4 /* rows that a group takes at once */
#endif
#ifndef STAGE
#define STAGE 0 /* of decode_step_groups_product, below */
#endif

#define OUTPUTS (GROUP / RUN)
#define MY_LANE ((int)get_local_id(0) % RUN)
#define MY_OUT  ((int)get_local_id(0) / RUN)
/* Parts of sums lie a lane beside the other, with room between that keeps a run of 32 items in 32 banks. */
#define PITCH     (OUTPUTS + (RUN < 32 ? 32 / RUN : 1))
#define ROW_PARTS (RUN * PITCH)

/* The sum of `part` over the group, for all its items; `parts` has GROUP floats. */
ALWAYS_INLINE float group_total(float part, local float *parts) {
    const int id = get_local_id(0);
    parts[id] = part;
    barrier(CLK_LOCAL_MEM_FENCE);
    for (int half_ = GROUP / 2; half_ > 0; half_ /= 2) {
        if (id < half_)
            parts[id] += parts[id + half_];
        barrier(CLK_LOCAL_MEM_FENCE);
    }
    const float sum = parts[0];
    barrier(CLK_LOCAL_MEM_FENCE);
    return sum;
}

/* 1 over the root of the mean square of a row of D in global memory. */
ALWAYS_INLINE float group_rstd(const global float *x, float eps, local float *parts) {
    float squares = 0.0f;
    for (int d = get_local_id(0) * 4; d < D; d += GROUP * 4)
        squares += dot(QUAD(x + d), QUAD(x + d));
    return 1.0f / sqrt(group_total(squares, parts) / D + eps);
}

/* What row r comes in with: its token's row of the embedding, or its row of x_in. With a code's row beside it
 * the sum is in `work`, of which an item may read the quads that it has in a loop like this one. */
ALWAYS_INLINE const global float *group_first_row(global float *work, const global float *x_in,
                                                  const global float *values, const global int *beside,
                                                  const global int *now, int r, int rows) {
    const global float *const x = V > 0 ? values + beside[AT_EMBED] + now[r] * D : x_in + r * D;
#if CODED
    for (int d = get_local_id(0) * 4; d < D; d += GROUP * 4)
        *(global float4 *)(work + r * D + d) =
            QUAD(x + d) + QUAD(values + beside[AT_CODES] + now[3 * rows + r] * D + d);
    return work + r * D;
#else
    return x;
#endif
}

/* u, the decision, and s of a row that convolves. Grid: rows x GROUP. */
kernel void decode_step_groups_front(
    global float *work, global uchar *routes /* [count,layers,rows] */,
    global float *ring,                /* [layers,slots,RING,D] */
    const global float *restrict x_in, /* [rows,D], V = 0 alone */
    const global int *steps,           /* [count,4,rows]: token, position, slot, code */
    const global uchar *given,         /* [count,layers,rows] or NULL */
    const global float *restrict values, const global int *restrict table, const decode_step_sizes sizes) {
    local float parts[GROUP];
    const decode_step_sizes s = sizes; /* read before anything branches */
    const int r = get_group_id(0), layer = s.from / 2, route = (s.of_step * s.layers + layer) * s.rows + r;
    const global int *const at = table + layer * TABLE_COLUMNS, *const now = steps + s.of_step * 4 * s.rows;
    const int t = now[s.rows + r], asked = given ? given[route] : 2;
    const global float *const x =
        layer ? work + r * D
              : group_first_row(work, x_in, values, table + s.layers * TABLE_COLUMNS, now, r, s.rows);
    global float *const rows = ring + (layer * s.slots + now[2 * s.rows + r]) * RING * D;
    const float rstd = group_rstd(x, s.eps, parts);
    float logit = 0.0f;
    for (int d = get_local_id(0) * 4; d < D; d += GROUP * 4) {
        const float4 u = QUAD(x + d) * rstd * QUAD(values + at[AT_NORM1] + d);
        *(global float4 *)(rows + t % RING * D + d) = u;
#if HAS_ROUTER
        if (LAYER_HAS(at, AT_ROUTER, HAS_ROUTER))
            logit += dot(u, QUAD(values + at[AT_ROUTER] + d));
#endif
    }
    int h = !CONVOLVES(at);
    float gate = 0.0f;
#if HAS_ROUTER
    const float dots = group_total(logit, parts);
    if (LAYER_HAS(at, AT_ROUTER, HAS_ROUTER)) {
        const float z = dots + values[at[AT_ROUTER_BIAS]];
        h = !(z < 0.0f);
        gate = z != z && asked > 1 ? z : 0.0f; /* a gate that is no number makes the row none */
    }
#endif
    if (CONVOLVES(at) && ATTENDS(at))
        h = asked > 1 ? h : asked;
    if (get_local_id(0) == 0)
        routes[route] = h;
    for (int d = get_local_id(0) * 4; d < D; d += GROUP * 4) {
        *(global float4 *)(work + r * D + d) = QUAD(x + d) + gate;
#if HAS_CONV
        if (!CHEAP(at, h))
            continue;
        const float4 u = QUAD(x + d) * rstd * QUAD(values + at[AT_NORM1] + d);
        const global float *const w = values + at[AT_CONV] + d * K;
        float4 y = QUAD(values + at[AT_CONV_BIAS] + d) + (float4)(w[0], w[K], w[2 * K], w[3 * K]) * u;
        for (int j = 1; j < K && j <= t; j++)
            y += (float4)(w[j], w[K + j], w[2 * K + j], w[3 * K + j]) * QUAD(rows + (t - j) % RING * D + d);
        *(global float4 *)(work + AT_S(s) + r * D + d) =
            y / (1.0f + (float4)(exp1(-y.s0), exp1(-y.s1), exp1(-y.s2), exp1(-y.s3)));
#endif
    }
}

/* Of `count` rows of x, `pitch` floats apart and `width` long, with the weights at w: each item leaves its
 * part. */
ALWAYS_INLINE void leave_dots(local float *parts, const global float *w, int width, const global float *x,
                              int pitch, int count) {
    float4 acc[ROWS];
    UNROLL for (int i = 0; i < ROWS; i++) acc[i] = 0.0f;
    for (int k = MY_LANE * 4; k < width; k += RUN * 4) {
        const float4 v = QUAD(w + k);
        UNROLL for (int i = 0; i < ROWS; i++) acc[i] += v * QUAD(x + min(i, count - 1) * pitch + k);
    }
    UNROLL for (int i = 0; i < ROWS; i++) parts[i * ROW_PARTS + MY_LANE * PITCH + MY_OUT] = sum4(acc[i]);
    barrier(CLK_LOCAL_MEM_FENCE);
}

/* The product of output `out` of the group with row i, behind leave_dots. */
ALWAYS_INLINE float dot_left(const local float *parts, int out, int i) {
    float sum = 0.0f;
    UNROLL for (int l = 0; l < RUN; l++) sum += parts[i * ROW_PARTS + l * PITCH + out];
    return sum;
}

/* Rows that a group multiplies for one row of the step: `from` to `to`, x of row m at x + m * D, in a ring of
 * `ring` rows. Results go to rows `pitch` apart; add: to what is there. */
typedef struct group_rows_of {
    const global float *x;
    global float *y;
    int from, to, ring, pitch, add;
} group_rows_of;

/* What a row of the step is to the kinds of outputs: of W_c, of queries, of keys, of values. */
ALWAYS_INLINE void rows_for(group_rows_of *g, int kind, int r, const global int *at, global float *work,
                            const global float *ring, global float *cache, int h, int first, int t,
                            const decode_step_sizes *s) {
    const int due = ATTENDS(at) && keys_are_due(t, h, first);
    g->x = kind ? ring : work + AT_S(*s) + r * D;
    g->y = kind > 1 ? cache : work + (kind ? AT_QS(*s) : 0) + r * D;
    g->from = kind == 0 ? !CHEAP(at, h) : kind == 1 ? t : first;
    g->to = kind == 0 ? 0 : kind == 1 ? (h ? t : -1) : due ? t : -1;
    g->ring = kind ? RING : 1;
    g->pitch = kind > 1 ? KV : 0;
    g->add = kind == 0;
}

/* Grid: groups for the outputs of W_c, then of queries, of keys and of values. No branch has a barrier: PoCL
 * 3.1 then takes the first item's way for all. */
kernel void decode_step_groups_tracks(global float *work, const global uchar *routes,
                                      const global float *ring, global float *keys, global float *cached,
                                      const global int *projected, const global int *steps,
                                      const global float *restrict values, const global int *restrict table,
                                      const decode_step_sizes sizes) {
    local float parts[ROWS * ROW_PARTS];
    const decode_step_sizes s = sizes; /* read before anything branches */
    const int layer = s.from / 2, of_d = (D + OUTPUTS - 1) / OUTPUTS, of_kv = (KV + OUTPUTS - 1) / OUTPUTS;
    const int block = (int)get_group_id(0) + (HAS_CONV ? 0 : of_d), id = get_local_id(0);
    const int kind = block < of_d ? 0 : block < 2 * of_d ? 1 : block < 2 * of_d + of_kv ? 2 : 3;
    const int n0 = (block - (kind == 0 ? 0 : kind == 1 ? of_d : 2 * of_d + (kind - 2) * of_kv)) * OUTPUTS;
    const int which = kind == 0 ? AT_CONV_OUT : kind == 1 ? AT_Q : kind == 2 ? AT_K : AT_V;
    const int width = kind > 1 ? KV : D;
    const global int *const of_layer = table + layer * TABLE_COLUMNS;
    const global float *const w = values + max(0, of_layer[which]) + min(n0 + MY_OUT, width - 1) * D;
    const global int *const now = steps + s.of_step * 4 * s.rows;
    const global uchar *const h = routes + (s.of_step * s.layers + layer) * s.rows;
    for (int r = 0; r < s.rows; r++) {
        const int place = layer * s.slots + now[2 * s.rows + r], t = now[s.rows + r];
        const int of_keys =
            !keys ? 0 : (of_layer[AT_CACHE] * s.slots + now[2 * s.rows + r]) * s.capacity * KV;
        global float *const cache = kind == 2 ? keys : cached;
        group_rows_of g;
        rows_for(&g, kind, r, of_layer, work, ring + place * RING * D, kind > 1 ? cache + of_keys : work,
                 h[r], projected ? min(projected[place], t) : t, t, &s);
        for (int m = g.from, run; m <= g.to; m += run) {
            const int at = m % g.ring; /* of a block that would go round the ring's end, one row at a time */
            run = at + ROWS > g.ring ? 1 : min(ROWS, g.to - m + 1);
            leave_dots(parts, w, D, g.x + at * D, D, run);
            for (int i = id; i < run * OUTPUTS; i += GROUP) {
                const int n = n0 + i % OUTPUTS;
                global float *const y = g.y + (m + i / OUTPUTS) * g.pitch + n;
                if (n < width)
                    *y = dot_left(parts, i % OUTPUTS, i / OUTPUTS) + (g.add ? *y : 0.0f);
            }
            barrier(CLK_LOCAL_MEM_FENCE);
        }
        barrier(CLK_LOCAL_MEM_FENCE);
    }
}

/* The products behind attention. STAGE 0: x += W_o times attention, of routed rows; 1: act = gelu(W1 times
 * the norm of x + b1); 2: x += W2 times act + b2; 3: logits = W_h times the norm of x. */
#define STAGE_N    (STAGE == 1 ? F : STAGE == 3 ? V : D)
#define STAGE_K    (STAGE == 2 ? F : D)
#define STAGE_NORM (STAGE == 1 || STAGE == 3)

/* One output of one row. */
ALWAYS_INLINE void stage_store(global float *out, global float *work, const global float *values,
                               const global int *at, const decode_step_sizes *s, int r, int n, float sum) {
#if STAGE == 0
    work[r * D + n] += sum;
#elif STAGE == 1
    floatv lanes = sum + values[at[AT_UP_BIAS] + n];
    lanes = gelu_value(lanes);
    float first[LANES];
    STOREV(lanes, first);
    work[AT_ACT(*s) + r * F + n] = first[0];
#elif STAGE == 2
    work[r * D + n] += sum + values[at[AT_DOWN_BIAS] + n];
#else
    out[(s->of_step * s->rows + r) * V + n] = sum;
#endif
}

/* Grid: groups for the outputs. */
kernel void decode_step_groups_product(global float *out, global float *work, const global uchar *routes,
                                       const global float *restrict values, const global int *restrict table,
                                       const decode_step_sizes sizes) {
    local float parts[ROW_PARTS];
#if STAGE_NORM
    local float squares[GROUP];
#endif
    const decode_step_sizes s = sizes; /* read before anything branches */
    const int layer = s.from / 2, n0 = (int)get_group_id(0) * OUTPUTS, n = n0 + MY_OUT;
    const global int *const at = table + (STAGE == 3 ? s.layers : layer) * TABLE_COLUMNS;
    const int which = STAGE == 0 ? AT_O : STAGE == 1 ? AT_UP : STAGE == 2 ? AT_DOWN : AT_HEAD;
    const global float *const w = values + at[which] + min(n, STAGE_N - 1) * STAGE_K;
#if STAGE_NORM
    const global float *const norm = values + at[STAGE == 3 ? AT_NORM : AT_NORM2];
#endif
    routes += (s.of_step * s.layers + layer) * s.rows;
    for (int r = 0; r < s.rows; r++) {
        const global float *const x = STAGE == 0   ? work + AT_S(s) + r * D
                                      : STAGE == 2 ? work + AT_ACT(s) + r * F
                                                   : work + r * D;
        const int there = STAGE > 0 || routes[r], o = n0 + (int)get_local_id(0);
        float4 acc = 0.0f;
#if STAGE_NORM
        const float rstd = group_rstd(x, s.eps, squares);
        for (int k = MY_LANE * 4; k < STAGE_K; k += RUN * 4)
            acc += QUAD(w + k) * (QUAD(x + k) * rstd * QUAD(norm + k));
#else
        for (int k = MY_LANE * 4; k < (there ? STAGE_K : 0); k += RUN * 4)
            acc += QUAD(w + k) * QUAD(x + k);
#endif
        parts[MY_LANE * PITCH + MY_OUT] = sum4(acc);
        barrier(CLK_LOCAL_MEM_FENCE);
        if (there && (int)get_local_id(0) < OUTPUTS && o < STAGE_N)
            stage_store(out, work, values, at, &s, r, o, dot_left(parts, get_local_id(0), 0));
        barrier(CLK_LOCAL_MEM_FENCE);
    }
}
