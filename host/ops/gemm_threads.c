/* A work-item owns blocks of rows × panels of columns, with a tile of the sums in registers
 * (kernels/gemm/gemm_threads.cl). Where items are threads with a stack, each copies its rows of A side by
 * side first; elsewhere it reads them where they lie. */
#include "gemm_pack.h"
#include "gemm_variants.h"

#include "gemm/gemm_sizes.cl"

enum {
    PLACE_N = 64,      /* B up to this width is read as it lies: its rows share no cache set yet */
    SPLIT_MN = 1 << 16 /* a product of more elements than this has work enough without splitting its k */
};

enum { VW, NV, TM, TILES, KC, ASK, CACHE, PLACE, LOCAL, TUNABLES };
static const tn_tunable tunables[TUNABLES] = {
    [VW] = TN_TUNABLE("VW", "lanes of a vector", 16, 4, TN_TUNABLE_LAYOUT, 4, 8, 16),
    [NV] = TN_TUNABLE("NV", "vectors side by side in a tile", 2, 1, TN_TUNABLE_LAYOUT, 1, 2),
    [TM] = TN_TUNABLE("TM", "rows of a tile", 12, 4, TN_TUNABLE_LAYOUT, 1, 2, 4, 6, 8, 12),
    [TILES] =
        TN_TUNABLE("TILES", "tiles of a work-item, one below the other, at most", 8, 1, 0, 1, 2, 4, 8, 16),
    [KC] = TN_TUNABLE("KC", "k of a block, where an item copies its rows of A", 512, 512, 0, 128, 256, 512),
    [ASK] = TN_TUNABLE("ASK", "prefetch distance, in rows, of the copy of a large A; 0: off", 8, 0,
                       TN_TUNABLE_CPU, 0, 4, 8, 16),
    [CACHE] = TN_TUNABLE("CACHE", "KiB of B that stay in a compute unit's cache", 1024, 1024, 0, 256, 512,
                         1024, 2048),
    [PLACE] = TN_TUNABLE("PLACE", "KiB up to which a wide B is read as it lies, not packed", 32, 32, 0, 0, 32,
                         128, 512),
    [LOCAL] = TN_TUNABLE_LOCAL(64),
};

typedef struct plan {
    tn_kernel *kernel;
    tn_range range;
    gemm_sizes sizes;
    int64_t parts;
    tn_gemm_packing packing; /* kernel NULL: B is taken as it comes */
} plan;
_Static_assert(sizeof(plan) <= TN_PLAN_BYTES, "gemm's plan");
_Static_assert(sizeof(gemm_sizes) == 11 * sizeof(int32_t), "gemm_sizes as kernels see it");

typedef struct tiles {
    int64_t vw, nv, tm, tiles, kc, cache, ask;
    bool copy_a;
} tiles;

static int64_t copy_bytes(const tiles *t) {
    return t->tiles * t->tm * (t->kc + 16) * (int64_t)sizeof(float);
}

/* A B far past a unit's cache is read from memory for every block of rows: blocks four times as high then, k
 * in shorter pieces, and all panels an item, so that the copy of A pays. */
static tiles tiles_of(const tn_device *dev, const tn_gemm_key *s, const int *v) {
    const int64_t room = (int64_t)tn_device_private_bytes(dev);
    tiles t = {.vw = v[VW], .nv = v[NV], .tm = v[TM], .tiles = v[TILES], .kc = v[KC], .cache = v[CACHE]};
    t.copy_a = tn_device_style(dev) == TN_STYLE_THREADS && copy_bytes(&t) <= room;
    /* An A that stays in a unit's cache needs no prefetch. */
    t.ask = s->M * s->K * (int64_t)sizeof(float) > t.cache << 9 ? v[ASK] : 0;
    if (t.copy_a && s->K * s->N * (int64_t)sizeof(float) > 8 * (t.cache << 10)) {
        const tiles tall = {t.vw, t.nv, t.tm, 4 * t.tiles, t.kc / 2, INT32_MAX, t.ask, true};
        return copy_bytes(&tall) <= room ? tall : t;
    }
    return t;
}

static tn_status kernel(tn_device *dev, const tiles *t, bool a_rows, int64_t gelu, tn_kernel **out) {
    tn_options options = {""};
    if (gelu)
        tn_options_int(&options, "ACT", gelu == TN_GEMM_GELU_SLOPE ? 2 : 1);
    tn_options_int(&options, "LANES", (long)t->vw);
    tn_options_int(&options, "NV", (long)t->nv);
    tn_options_int(&options, "TM", (long)t->tm);
    tn_options_int(&options, "TILES", (long)t->tiles);
    tn_options_int(&options, "KC", (long)t->kc);
    tn_options_int(&options, "COPY_A", t->copy_a);
    tn_options_int(&options, "ASK", (long)t->ask);
    tn_options_int(&options, "A_ROWS", a_rows);
    return tn_kernel_get(dev, "gemm_threads", "gemm_tiles", &options, out);
}

/* Tiles of a work-item, at most t->tiles: the count that minimises the slowest compute unit's load. Of a
 * transposed A not fewer than half of that where there are enough: the copy of one tile reads a part of a
 * line of every row, and each row is in another page. */
static int64_t tiles_an_item(const tn_device *dev, const tiles *t, int64_t M, int64_t others,
                             bool transposed) {
    int64_t units = tn_device_get_info(dev)->compute_units, total = tn_ceil_div(M, t->tm), best = 1,
            least = 0,
            fewest = transposed && t->copy_a && total * others > units * t->tiles ? t->tiles / 2 : 1;
    for (int64_t n = t->tiles; n >= 1 && n >= fewest; n--) {
        int64_t load = tn_ceil_div(tn_ceil_div(total, n) * others, units) * n;
        if (n == t->tiles || load < least) {
            least = load;
            best = n;
        }
    }
    return best;
}

/* Panels of a work-item: as many as stay in a unit's cache from one block of rows to the next, fewer where
 * the blocks of rows alone are too few for the device. */
static int64_t panels_an_item(const tn_device *dev, const tiles *t, const tn_gemm_key *s, int64_t parts) {
    const int64_t count = tn_ceil_div(s->N, t->vw * t->nv);
    if (!t->copy_a)
        return 1;
    int64_t group = (t->cache << 10) / (s->K / parts * t->vw * t->nv * (int64_t)sizeof(float));
    int64_t wanted = 4 * (int64_t)tn_device_get_info(dev)->compute_units;
    int64_t blocks = tn_ceil_div(s->M, t->tm * t->tiles) * parts;
    group = group < 1 ? 1 : group > count ? count : group;
    if (blocks * tn_ceil_div(count, group) < wanted)
        group = tn_ceil_div(count, tn_ceil_div(wanted, blocks));
    return group;
}

/* B as panels: as it lies where rows are whole panels, else packed. */
static tn_status panels(tn_device *dev, int pass, const tn_gemm_key *s, int64_t width, int64_t place,
                        bool split, plan *p) {
    const bool small = s->N <= PLACE_N || s->N * s->K * (int64_t)sizeof(float) <= place << 10;
    p->sizes.panel = (int)(s->K * width);
    p->sizes.ldb = (int)width;
    if (s->packed)
        return TN_OK;
    if (pass != TN_GEMM_NT && s->N % width == 0 && (small || split)) {
        p->sizes.panel = (int)width;
        p->sizes.ldb = (int)s->N;
        return TN_OK;
    }
    return tn_gemm_packing_make(dev, s->N, s->K, pass == TN_GEMM_NT, &p->packing);
}

static tn_status bias_plan(tn_device *dev, const tn_gemm_key *s, const int *v, plan *p) {
    p->parts = tn_ceil_div(s->M, TN_GEMM_PART_ROWS);
    TN_TRY(tn_kernel_get(dev, "gemm_bias", "gemm_bias_backward", NULL, &p->kernel));
    p->range = tn_range_2d((size_t)tn_ceil_div(s->N, 16), (size_t)p->parts,
                           tn_kernel_group(p->kernel, v[LOCAL] > 8 ? 8 : (size_t)v[LOCAL]), 1);
    return TN_OK;
}

static tn_status plan_make(tn_device *dev, int pass, const void *shape, const int *values, void *out) {
    const tn_gemm_key *s = shape;
    const tiles t = tiles_of(dev, s, values);
    /* Only TN is split: its k runs over all rows of a batch, while M and N are widths of the model. */
    const bool split = pass == TN_GEMM_TN && s->K > TN_GEMM_PART_K && s->M * s->N <= SPLIT_MN;
    const int64_t part = split ? TN_GEMM_PART_K : s->K;
    plan *p = out;
    if (pass == TN_GEMM_BIAS_BACKWARD)
        return bias_plan(dev, s, values, p);
    TN_TRY(tn_elements_check(tn_device_context(dev), "gemm: A", s->M, s->K));
    TN_TRY(tn_elements_check(tn_device_context(dev), "gemm: B", s->N, s->K));
    TN_TRY(tn_elements_check(tn_device_context(dev), "gemm: C", s->M, s->N));
    p->parts = tn_ceil_div(s->K, part);
    TN_TRY(kernel(dev, &t, pass != TN_GEMM_TN, s->gelu, &p->kernel));
    TN_TRY(panels(dev, pass, s, t.vw * t.nv, values[PLACE], split, p));
    const int64_t group = panels_an_item(dev, &t, s, p->parts),
                  groups = tn_ceil_div(tn_ceil_div(s->N, t.vw * t.nv), group),
                  rows = t.tm * tiles_an_item(dev, &t, s->M, groups * p->parts, pass == TN_GEMM_TN);
    size_t local = (size_t)values[LOCAL];
    if (t.copy_a)
        local = tn_private_group(dev, local, (size_t)copy_bytes(&t));
    p->range = tn_range_3d((size_t)tn_ceil_div(s->M, rows), (size_t)groups, (size_t)p->parts,
                           tn_kernel_group(p->kernel, local), 1, 1);
    p->sizes.M = (int)s->M;
    p->sizes.N = (int)s->N;
    p->sizes.K = (int)s->K;
    p->sizes.part = (int)part;
    p->sizes.rows = (int)rows;
    p->sizes.group = (int)group;
    p->sizes.c_width = (int)(s->N / s->c_count);
    p->sizes.a_width = (int)((pass == TN_GEMM_TN ? s->M : s->K) / s->a_count);
    return TN_OK;
}

static tn_status bias_run(tn_device *dev, const tn_gemm_key *s, const plan *p, const tn_gemm_args *a) {
    tn_buffer *partial;
    int64_t at;
    TN_TRY(tn_partial_sums_place(dev, a->later, p->parts * s->N, 1, &partial, &at));
    TN_TRY(tn_launch(dev, p->kernel, p->range, tn_arg_buffer(partial), tn_arg_buffer(a->a[0]), tn_arg_i32(at),
                     tn_arg_i32(s->M), tn_arg_i32(s->N), tn_arg_i32(TN_GEMM_PART_ROWS)));
    return tn_partial_sums_add(dev, a->later, &(tn_partial_sums_shape){p->parts, s->N, s->N}, a->c[0],
                               partial, at);
}

static tn_status run(tn_device *dev, int pass, const void *shape, const void *planned, const void *args) {
    const tn_gemm_key *s = shape;
    const plan *p = planned;
    const tn_gemm_args *a = args;
    const int64_t count = s->M * s->N;
    const tn_buffer *panels_of_b = a->packed ? a->packed : a->b;
    tn_buffer *to = a->c[0], *packed;
    int64_t at = 0;
    gemm_sizes sizes = p->sizes;
    if (pass == TN_GEMM_BIAS_BACKWARD)
        return bias_run(dev, s, p, a);
    if (p->packing.kernel) {
        TN_TRY(tn_gemm_packing_run(dev, &p->packing, 0, a->b, pass == TN_GEMM_TN ? a->count : NULL, &packed));
        panels_of_b = packed;
    }
    if (p->parts > 1)
        TN_TRY(tn_partial_sums_place(dev, a->later, p->parts * count, 1, &to, &at));
    sizes.c_at = (int)at;
    TN_TRY(tn_launch(
        dev, p->kernel, p->range, tn_arg_buffer(to), tn_arg_buffer(s->c_count > 1 ? a->c[1] : to),
        tn_arg_buffer(s->c_count > 2 ? a->c[2] : to), tn_arg_buffer(a->a[0]),
        tn_arg_buffer(a->a[s->a_count > 1 ? 1 : 0]), tn_arg_buffer(a->a[s->a_count > 2 ? 2 : 0]),
        tn_arg_buffer(panels_of_b), tn_arg_buffer(a->bias), tn_arg_buffer(a->add),
        tn_arg_buffer(a->act ? a->act : a->at), tn_arg_buffer(a->count), tn_arg_bytes(&sizes, sizeof sizes)));
    if (p->parts == 1)
        return TN_OK;
    return tn_partial_sums_add(dev, a->later,
                               &(tn_partial_sums_shape){p->parts, count, count, a->count, TN_GEMM_PART_K},
                               a->c[0], to, at);
}

const tn_variant tn_gemm_threads = {.name = "threads",
                                    .style = TN_STYLE_THREADS,
                                    .portable = true,
                                    .counted = 1u << TN_GEMM_NN | 1u << TN_GEMM_NT | 1u << TN_GEMM_TN,
                                    .tunable_count = TUNABLES,
                                    .tunables = tunables,
                                    .plan = plan_make,
                                    .run = run};

bool tn_gemm_can_group(const tn_device *dev, int64_t width) {
    int values[TN_VARIANT_TUNABLES];
    tn_variant_values(dev, &tn_gemm_op, &tn_gemm_threads, TN_GEMM_NT, -1, values, NULL);
    const tiles t = tiles_of(dev, &(tn_gemm_key){.M = 1, .N = width, .K = width}, values);
    return width % (t.vw * t.nv) == 0 && (t.copy_a || width % t.tm == 0);
}
