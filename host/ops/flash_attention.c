#include "flash_attention.h"

#include "launch.h"

#include <math.h>

typedef struct tn_attention_plan {
    int64_t tq, tk, kb, vw, dh, chunk, most, passes, kw, group, heads, staged;
    int64_t tiles, per_item,
        items;      /* of tq rows in the longest list; of them an item has; items a sequence */
    int64_t chunks; /* of keys, each with items of its own; 0: an item takes them all */
    size_t local;
} tn_attention_plan;

/* Tiles and blocks that an item of the largest kernel holds. */
static size_t private_bytes(const tn_attention_plan *p) {
    int64_t rows = 2 * p->kb + 6 * p->tq + 6 * p->tk, scores = 64 * (p->tq + p->tk) + p->tq * p->kb;
    if (p->passes == 1) {
        rows += 5 * p->kw;
        scores += 2 * p->group * p->tq * p->kw;
    }
    return (size_t)(rows * p->dh + scores) * sizeof(float);
}

static double scale_of(const tn_flash_attention_shape *s) {
    return s->scale > 0 ? s->scale : 1 / sqrt((double)s->Dh);
}

/* Floats of a part for each of `chunks` chunks of keys of each row and head. */
static int64_t parts_floats(const tn_flash_attention_shape *s, int64_t chunks) {
    return s->R * s->H * chunks * (s->Dh + 2);
}

/* Can the device hold them, and kernels count them? */
static bool parts_fit(const tn_device *dev, double floats) {
    const double most = (double)tn_device_get_info(dev)->max_alloc_bytes;
    return floats <= (double)TN_MOST_ELEMENTS && (most == 0 || floats * sizeof(float) <= most);
}

/* Short lists get short tiles. What leaves part of the device idle is split over chunks of keys when the list
 * is short and what they leave fits, else into items of fewer tiles. Bits depend on none of that. */
static tn_attention_plan plan_of(const tn_device *dev, const tn_flash_attention_shape *s) {
    tn_attention_plan p = {.tq = tn_tunable_ask(dev, "flash_attention", "TQ", 12, 1),
                           .tk = tn_tunable_ask(dev, "flash_attention", "TK", 12, 1),
                           .kb = tn_tunable_ask(dev, "flash_attention", "KB", 64, 32),
                           .vw = tn_tunable_ask(dev, "flash_attention", "VW", 16, 4),
                           .chunk = tn_tunable_ask(dev, "flash_attention", "CHUNK", 512, 1024),
                           .most = tn_tunable_ask(dev, "flash_attention", "TILES", 16, 1),
                           .passes = tn_tunable_ask(dev, "flash_attention", "PASSES", 1, 2),
                           .kw = tn_tunable_ask(dev, "flash_attention", "KW", 64, 64),
                           .group = tn_tunable_ask(dev, "flash_attention", "GROUP", 4, 4),
                           .heads = tn_tunable_ask(dev, "flash_attention", "HEADS", 16, 16),
                           .staged = tn_tunable_ask(dev, "flash_attention", "STAGED", 0, 1),
                           .dh = s->Dh,
                           .local = (size_t)tn_tunable_ask(dev, "flash_attention", "LOCAL", 1, 64)};
    p.local = tn_private_group(dev, p.local, private_bytes(&p));
    int64_t wanted = 4 * (int64_t)(tn_device_get_info(dev)->compute_units * p.local);
    int64_t chunks = tn_ceil_div(s->T, p.chunk), heads = s->B * s->H;
    while (p.vw > 4 && s->Dh % p.vw != 0)
        p.vw /= 2;
    if (s->max_rows <= 2 && p.tq > 2)
        p.tq = 2;
    else if (s->max_rows <= 6 && p.tq > 4)
        p.tq = 4;
    p.tiles = tn_ceil_div(s->max_rows, p.tq);
    if (p.tiles == 0)
        return p;
    p.items = tn_ceil_div(p.tiles, p.most);
    if (chunks > 1 && heads * p.items < wanted &&
        parts_fit(dev, (double)s->R * (double)s->H * (double)chunks * (double)(s->Dh + 2)))
        p.chunks = chunks;
    int64_t least = tn_ceil_div(2 * wanted, heads * (p.chunks ? p.chunks : 1));
    if (p.items < least)
        p.items = least < p.tiles ? least : p.tiles;
    p.per_item = tn_ceil_div(p.tiles, p.items);
    p.items = tn_ceil_div(p.tiles, p.per_item);
    return p;
}

int64_t tn_flash_attention_block(const tn_device *dev, const tn_flash_attention_shape *s) {
    tn_attention_plan p = plan_of(dev, s);
    return p.staged ? (int64_t)p.local : p.tq;
}

int64_t tn_flash_attention_parts(const tn_device *dev, const tn_flash_attention_shape *s) {
    return parts_floats(s, plan_of(dev, s).chunks);
}

static tn_status kernel(tn_device *dev, const tn_attention_plan *p, const char *file, const char *name,
                        tn_kernel **out) {
    tn_options options = {""};
    tn_options_int(&options, "DH", (long)p->dh);
    tn_options_int(&options, "VW", (long)p->vw);
    tn_options_int(&options, "TQ", (long)p->tq);
    tn_options_int(&options, "TK", (long)p->tk);
    tn_options_int(&options, "KB", (long)p->kb);
    tn_options_int(&options, "CHUNK", (long)p->chunk);
    tn_options_int(&options, "TILES", (long)p->most);
    tn_options_int(&options, "KW", (long)p->kw);
    tn_options_int(&options, "GROUP", (long)p->group);
    return tn_kernel_get(dev, file, name, &options, out);
}

static tn_status check(tn_device *dev, const tn_flash_attention_shape *s) {
    tn_context *ctx = tn_device_context(dev);
    int64_t D = s->H * s->Dh;
    if (s->Dh < 16 || s->Dh > 128 || s->Dh % 4 != 0)
        return tn_fail(ctx, TN_ERR_UNSUPPORTED,
                       "flash_attention: a head width of %lld; it must be 16 to 128, a multiple of 4",
                       (long long)s->Dh);
    /* Positions are counted, whether or not a tensor has them all; packed rows are whole panels. */
    TN_TRY(tn_elements_check(ctx, "flash_attention: a batch of positions", s->B, s->T));
    TN_TRY(tn_elements_check(ctx, "flash_attention: a tensor of queries", s->R + 32 * s->B, D));
    return tn_elements_check(ctx, "flash_attention: a tensor of keys", s->Rkv + 32 * s->B, D);
}

static int64_t panels_of(int64_t rows, int64_t B) {
    return rows / 32 + B;
}

/* Rows → panels of 32 in scratch `slot`. */
static tn_status pack(tn_device *dev, const tn_attention_plan *p, const tn_flash_attention_shape *s, int slot,
                      int64_t rows, const tn_buffer *x, const tn_buffer *start, tn_buffer **out) {
    tn_kernel *k;
    size_t panels = (size_t)panels_of(rows, s->B);
    TN_TRY(kernel(dev, p, "flash_attention_pack", "flash_attention_pack", &k));
    TN_TRY(tn_device_scratch(dev, slot, panels * 32 * (size_t)(s->H * s->Dh) * sizeof(float), out));
    return tn_launch(dev, k, tn_range_2d(panels, (size_t)s->H, tn_kernel_group(k, p->local), 1),
                     tn_arg_buffer(*out), tn_arg_buffer(x), tn_arg_buffer(start), tn_arg_i32(s->B),
                     tn_arg_i32(s->H), tn_arg_i32((int64_t)panels));
}

static tn_range tiles_range(const tn_kernel *k, const tn_attention_plan *p, const tn_flash_attention_shape *s,
                            int64_t tiles) {
    return tn_range_2d((size_t)(s->B * tiles), (size_t)s->H, tn_kernel_group(k, p->local), 1);
}

typedef struct tn_attention_inputs {
    const tn_buffer *q, *k, *v, *rows, *q_start, *kv_start, *segments, *lengths;
} tn_attention_inputs;

/* Scratch for the sums of each chunk, and the kernel that adds them up. */
static tn_status parts_make(tn_device *dev, const tn_attention_plan *p, const tn_flash_attention_shape *s,
                            tn_buffer **parts, tn_kernel **join) {
    TN_TRY(kernel(dev, p, "flash_attention_forward", "flash_attention_join", join));
    return tn_device_scratch(dev, 1, (size_t)parts_floats(s, p->chunks) * sizeof(float), parts);
}

static tn_status parts_join(tn_device *dev, const tn_attention_plan *p, const tn_flash_attention_shape *s,
                            tn_buffer *o, tn_buffer *lse, const tn_attention_inputs *in,
                            const tn_buffer *parts, tn_kernel *join) {
    return tn_launch(dev, join, tn_range_2d((size_t)s->R, (size_t)s->H, tn_kernel_group(join, p->local), 1),
                     tn_arg_buffer(o), tn_arg_buffer(lse), tn_arg_buffer(parts), tn_arg_buffer(in->rows),
                     tn_arg_buffer(in->kv_start), tn_arg_buffer(in->lengths), tn_arg_i32(s->R),
                     tn_arg_i32(s->T), tn_arg_i32(s->H), tn_arg_i32(s->window), tn_arg_i32(p->chunks));
}

static tn_status forward_split(tn_device *dev, const tn_attention_plan *p, const tn_flash_attention_shape *s,
                               tn_buffer *o, tn_buffer *lse, const tn_attention_inputs *in) {
    tn_kernel *split, *join;
    tn_buffer *parts;
    TN_TRY(parts_make(dev, p, s, &parts, &join));
    TN_TRY(kernel(dev, p, "flash_attention_forward", "flash_attention_split", &split));
    tn_range range = tn_range_3d((size_t)(s->B * p->items), (size_t)s->H, (size_t)p->chunks,
                                 tn_kernel_group(split, p->local), 1, 1);
    TN_TRY(tn_launch(dev, split, range, tn_arg_buffer(parts), tn_arg_i32(p->chunks), tn_arg_buffer(in->q),
                     tn_arg_buffer(in->k), tn_arg_buffer(in->v), tn_arg_buffer(in->rows),
                     tn_arg_buffer(in->q_start), tn_arg_buffer(in->kv_start), tn_arg_buffer(in->segments),
                     tn_arg_buffer(in->lengths), tn_arg_i32(s->B), tn_arg_i32(s->T), tn_arg_i32(p->tiles),
                     tn_arg_i32(p->per_item), tn_arg_i32(s->H), tn_arg_i32(s->window),
                     tn_arg_f32(scale_of(s))));
    return parts_join(dev, p, s, o, lse, in, parts, join);
}

/* A group has queries of one sequence only, so each sequence's list is padded to whole groups. */
static tn_status forward_staged(tn_device *dev, const tn_attention_plan *p, const tn_flash_attention_shape *s,
                                tn_buffer *o, tn_buffer *lse, const tn_attention_inputs *in) {
    tn_kernel *staged, *join = NULL;
    tn_buffer *parts = NULL;
    TN_TRY(kernel(dev, p, "flash_attention_staged", "flash_attention_staged", &staged));
    if (p->chunks)
        TN_TRY(parts_make(dev, p, s, &parts, &join));
    size_t group = tn_kernel_group(staged, p->local);
    int64_t groups = tn_ceil_div(s->max_rows, (int64_t)group);
    tn_range range = tn_range_3d((size_t)(s->B * groups) * group, (size_t)s->H,
                                 p->chunks ? (size_t)p->chunks : 1, group, 1, 1);
    TN_TRY(tn_launch(dev, staged, range, tn_arg_buffer(o), tn_arg_buffer(lse), tn_arg_buffer(parts),
                     tn_arg_buffer(in->q), tn_arg_buffer(in->k), tn_arg_buffer(in->v),
                     tn_arg_buffer(in->rows), tn_arg_buffer(in->q_start), tn_arg_buffer(in->kv_start),
                     tn_arg_buffer(in->segments), tn_arg_buffer(in->lengths), tn_arg_i32(s->B),
                     tn_arg_i32(s->T), tn_arg_i32(groups), tn_arg_i32(s->H), tn_arg_i32(s->window),
                     tn_arg_i32(p->chunks), tn_arg_f32(scale_of(s))));
    return p->chunks ? parts_join(dev, p, s, o, lse, in, parts, join) : TN_OK;
}

tn_status tn_flash_attention_forward(tn_device *dev, const tn_flash_attention_shape *s, tn_buffer *o,
                                     tn_buffer *lse, const tn_buffer *q, const tn_buffer *k,
                                     const tn_buffer *v, const tn_buffer *rows, const tn_buffer *q_start,
                                     const tn_buffer *kv_start, const tn_buffer *segments,
                                     const tn_buffer *lengths) {
    tn_attention_plan p = plan_of(dev, s);
    const tn_attention_inputs in = {q, k, v, rows, q_start, kv_start, segments, lengths};
    tn_kernel *forward;
    TN_TRY(check(dev, s));
    if (s->R == 0)
        return TN_OK;
    if (p.staged)
        return forward_staged(dev, &p, s, o, lse, &in);
    if (p.chunks)
        return forward_split(dev, &p, s, o, lse, &in);
    TN_TRY(kernel(dev, &p, "flash_attention_forward", "flash_attention_forward", &forward));
    return tn_launch(dev, forward, tiles_range(forward, &p, s, p.items), tn_arg_buffer(o), tn_arg_buffer(lse),
                     tn_arg_buffer(q), tn_arg_buffer(k), tn_arg_buffer(v), tn_arg_buffer(rows),
                     tn_arg_buffer(q_start), tn_arg_buffer(kv_start), tn_arg_buffer(segments),
                     tn_arg_buffer(lengths), tn_arg_i32(s->B), tn_arg_i32(s->T), tn_arg_i32(p.tiles),
                     tn_arg_i32(p.per_item), tn_arg_i32(s->H), tn_arg_i32(s->window),
                     tn_arg_f32(scale_of(s)));
}

typedef struct tn_attention_gradients {
    tn_buffer *dq, *dk, *dv, *delta;
    const tn_buffer *dout, *q, *k, *v, *o, *lse, *rows, *q_start, *kv_start, *segments, *lengths;
} tn_attention_gradients;

/* dq by tiles of queries, then dk and dv by tiles of keys: every product of scores twice, but small tiles. */
static tn_status backward_two_passes(tn_device *dev, const tn_attention_plan *p,
                                     const tn_flash_attention_shape *s, const tn_attention_gradients *g) {
    tn_kernel *to_q, *to_kv;
    tn_buffer *kp, *vp, *qp, *dop;
    int64_t kv_tiles = tn_ceil_div(s->T, p->tk);
    TN_TRY(kernel(dev, p, "flash_attention_backward", "flash_attention_backward_q", &to_q));
    TN_TRY(kernel(dev, p, "flash_attention_backward", "flash_attention_backward_kv", &to_kv));
    TN_TRY(pack(dev, p, s, 0, s->Rkv, g->k, g->kv_start, &kp));
    TN_TRY(pack(dev, p, s, 1, s->Rkv, g->v, g->kv_start, &vp));
    TN_TRY(tn_launch(dev, to_q, tiles_range(to_q, p, s, p->tiles), tn_arg_buffer(g->dq),
                     tn_arg_buffer(g->delta), tn_arg_buffer(g->dout), tn_arg_buffer(g->q), tn_arg_buffer(kp),
                     tn_arg_buffer(vp), tn_arg_buffer(g->k), tn_arg_buffer(g->o), tn_arg_buffer(g->lse),
                     tn_arg_buffer(g->rows), tn_arg_buffer(g->q_start), tn_arg_buffer(g->kv_start),
                     tn_arg_buffer(g->segments), tn_arg_buffer(g->lengths), tn_arg_i32(s->B),
                     tn_arg_i32(s->T), tn_arg_i32(p->tiles), tn_arg_i32(s->H), tn_arg_i32(s->window),
                     tn_arg_f32(scale_of(s))));
    TN_TRY(pack(dev, p, s, 0, s->R, g->q, g->q_start, &qp));
    TN_TRY(pack(dev, p, s, 1, s->R, g->dout, g->q_start, &dop));
    return tn_launch(dev, to_kv, tiles_range(to_kv, p, s, kv_tiles), tn_arg_buffer(g->dk),
                     tn_arg_buffer(g->dv), tn_arg_buffer(g->delta), tn_arg_buffer(g->dout),
                     tn_arg_buffer(dop), tn_arg_buffer(g->q), tn_arg_buffer(qp), tn_arg_buffer(g->k),
                     tn_arg_buffer(g->v), tn_arg_buffer(g->lse), tn_arg_buffer(g->rows),
                     tn_arg_buffer(g->q_start), tn_arg_buffer(g->kv_start), tn_arg_buffer(g->segments),
                     tn_arg_buffer(g->lengths), tn_arg_i32(s->B), tn_arg_i32(s->T), tn_arg_i32(kv_tiles),
                     tn_arg_i32(s->H), tn_arg_i32(s->window), tn_arg_f32(scale_of(s)));
}

/* One launch for heads h0 … h0 + heads − 1, and the sum of its parts. */
static tn_status backward_heads(tn_device *dev, const tn_attention_plan *p, const tn_flash_attention_shape *s,
                                const tn_attention_gradients *g, tn_buffer *parts, int64_t h0, int64_t heads,
                                int64_t chunk, int64_t chunks, bool whole) {
    tn_kernel *one, *sum;
    TN_TRY(kernel(dev, p, "flash_attention_onepass", "flash_attention_backward", &one));
    TN_TRY(tn_launch(
        dev, one,
        tn_range_2d((size_t)(whole ? s->B : s->B * chunks), (size_t)heads, tn_kernel_group(one, p->local), 1),
        tn_arg_buffer(g->dk), tn_arg_buffer(g->dv), tn_arg_buffer(g->dq), tn_arg_buffer(parts),
        tn_arg_buffer(g->delta), tn_arg_buffer(g->dout), tn_arg_buffer(g->q), tn_arg_buffer(g->k),
        tn_arg_buffer(g->v), tn_arg_buffer(g->lse), tn_arg_buffer(g->rows), tn_arg_buffer(g->q_start),
        tn_arg_buffer(g->kv_start), tn_arg_buffer(g->segments), tn_arg_buffer(g->lengths), tn_arg_i32(s->B),
        tn_arg_i32(s->T), tn_arg_i32(s->R), tn_arg_i32(p->tiles), tn_arg_i32(s->H), tn_arg_i32(s->window),
        tn_arg_i32(h0), tn_arg_i32(heads), tn_arg_i32(chunk), tn_arg_i32(chunks), tn_arg_i32(whole),
        tn_arg_f32(scale_of(s))));
    if (whole)
        return TN_OK;
    TN_TRY(kernel(dev, p, "flash_attention_onepass", "flash_attention_sum", &sum));
    return tn_launch(dev, sum, tn_range_1d((size_t)tn_ceil_div(s->R, 16), tn_kernel_group(sum, p->local)),
                     tn_arg_buffer(g->dq), tn_arg_buffer(parts), tn_arg_buffer(g->rows), tn_arg_i32(s->T),
                     tn_arg_i32(s->R), tn_arg_i32(s->H), tn_arg_i32(s->window), tn_arg_i32(h0),
                     tn_arg_i32(heads), tn_arg_i32(chunk));
}

/* Chunks of keys depend on T alone, and with them the bits of dq. Where there are heads enough, an item takes
 * all chunks of one and there are no parts; else heads go in as many launches as keep the parts small. */
static tn_status backward_one_pass(tn_device *dev, const tn_attention_plan *p,
                                   const tn_flash_attention_shape *s, const tn_attention_gradients *g) {
    const int64_t most_chunks = 16, most_floats = 1 << 26, keys = 128;
    int64_t chunk = tn_ceil_div(s->T, most_chunks * keys) * keys, chunks = tn_ceil_div(s->T, chunk);
    bool whole = chunks == 1 || s->B * s->H >= p->heads * (int64_t)tn_device_get_info(dev)->compute_units ||
                 !parts_fit(dev, (double)(chunks * s->R * s->Dh));
    int64_t slots = whole ? 1 : chunks, heads = most_floats / (slots * s->R * s->Dh);
    tn_buffer *parts = g->dq;
    heads = whole || heads > s->H ? s->H : heads < 1 ? 1 : heads;
    if (chunks > 1)
        TN_TRY(tn_device_scratch(dev, 0, (size_t)(slots * s->R * heads * s->Dh) * sizeof(float), &parts));
    for (int64_t h0 = 0; h0 < s->H; h0 += heads)
        TN_TRY(backward_heads(dev, p, s, g, parts, h0, h0 + heads > s->H ? s->H - h0 : heads, chunk, chunks,
                              whole));
    return TN_OK;
}

tn_status tn_flash_attention_backward(tn_device *dev, const tn_flash_attention_shape *s, tn_buffer *dq,
                                      tn_buffer *dk, tn_buffer *dv, const tn_buffer *dout, const tn_buffer *q,
                                      const tn_buffer *k, const tn_buffer *v, const tn_buffer *o,
                                      const tn_buffer *lse, const tn_buffer *rows, const tn_buffer *q_start,
                                      const tn_buffer *kv_start, const tn_buffer *segments,
                                      const tn_buffer *lengths) {
    tn_attention_plan p = plan_of(dev, s);
    tn_attention_gradients g = {dq, dk,  dv,   NULL,    dout,     q,        k,      v,
                                o,  lse, rows, q_start, kv_start, segments, lengths};
    tn_kernel *delta;
    TN_TRY(check(dev, s));
    if (s->R == 0) {
        TN_TRY(s->Rkv ? tn_buffer_fill_u32(dk, 0, (size_t)(s->Rkv * s->H * s->Dh) * 4, 0) : TN_OK);
        return s->Rkv ? tn_buffer_fill_u32(dv, 0, (size_t)(s->Rkv * s->H * s->Dh) * 4, 0) : TN_OK;
    }
    TN_TRY(tn_device_scratch(dev, 2, (size_t)(s->R * s->H) * sizeof(float), &g.delta));
    if (p.passes == 2 || p.vw < 16)
        return backward_two_passes(dev, &p, s, &g);
    TN_TRY(kernel(dev, &p, "flash_attention_onepass", "flash_attention_delta", &delta));
    TN_TRY(tn_launch(dev, delta, tn_range_1d((size_t)tn_ceil_div(s->R, 16), tn_kernel_group(delta, p.local)),
                     tn_arg_buffer(g.delta), tn_arg_buffer(dout), tn_arg_buffer(o), tn_arg_i32(s->R),
                     tn_arg_i32(s->H)));
    return backward_one_pass(dev, &p, s, &g);
}
