#include "gemm.h"

#include "clock.h"
#include "gelu.h"
#include "launch.h"
#include "quirks.h"
#include "style.h"
#include "rng.h"

#define CL_TARGET_OPENCL_VERSION 120
#include <clblast_c.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum {
    PART_K = 512,       /* k that one part of a split sum takes: fixed, so bits do not move */
    PART_ROWS = 256,    /* rows of a part of a bias gradient */
    PACK_K = 64,        /* k that an item packs */
    PLACE_N = 64,       /* B up to this width is read as it lies: its rows share no cache set yet */
    PLACE_NK = 1 << 13, /* and one up to this size, which fits beside them all the same */
    SPLIT_MN = 1 << 16  /* a product of more elements than this has work enough without splitting its k */
};

/* What a product ends in. */
typedef enum tn_gemm_gelu { GELU_NONE, GELU_VALUE, GELU_SLOPE } tn_gemm_gelu;

typedef struct tn_gemm_tiles {
    int64_t vw, nv, tm, tiles, kc, cache, ask;
    bool copy_a;
    size_t local;
} tn_gemm_tiles;

static tn_gemm_tiles tiles_of(const tn_device *dev) {
    return (tn_gemm_tiles){.vw = tn_tunable_ask(dev, "gemm", "VW", 16, 4),
                           .nv = tn_tunable_ask(dev, "gemm", "NV", 2, 1),
                           .tm = tn_tunable_ask(dev, "gemm", "TM", 12, 4),
                           .tiles = tn_tunable_ask(dev, "gemm", "TILES", 8, 1),
                           .kc = tn_tunable_ask(dev, "gemm", "KC", 512, 512),
                           .cache = tn_tunable_ask(dev, "gemm", "CACHE", 1024, 1024),
                           .copy_a = tn_tunable_ask(dev, "gemm", "COPY_A", 1, 0),
                           .local = (size_t)tn_tunable_ask(dev, "gemm", "LOCAL", 1, 64)};
}

/* A B far past a unit's cache is read from memory for every block of rows: blocks four times as high then, k
 * in shorter pieces, and all panels an item, so that the copy of A pays. */
static tn_gemm_tiles tall_tiles_of(const tn_device *dev, const tn_gemm_shape *s) {
    tn_gemm_tiles t = tiles_of(dev);
    /* Asked for, whatever the size: a tunable is seen by its use. An A that stays in a unit's cache needs
     * none. */
    const int64_t ask = tn_tunable_ask_cpus(dev, "gemm", "ASK", 8);
    t.ask = s->M * s->K * (int64_t)sizeof(float) > t.cache << 9 ? ask : 0;
    if (t.copy_a && s->K * s->N * (int64_t)sizeof(float) > 8 * (t.cache << 10)) {
        t.tiles *= 4;
        t.kc /= 2;
        t.cache = INT32_MAX;
    }
    return t;
}

static tn_status kernel_with(tn_device *dev, const tn_gemm_tiles *t, bool a_rows, tn_gemm_gelu gelu,
                             const char *file, const char *name, tn_kernel **out) {
    tn_options options = {""};
    if (gelu) {
        tn_options_int(&options, "ACT", gelu == GELU_SLOPE ? 2 : 1);
        tn_options_int(&options, "LANES", (long)t->vw);
    }
    tn_options_int(&options, "VW", (long)t->vw);
    tn_options_int(&options, "NV", (long)t->nv);
    tn_options_int(&options, "TM", (long)t->tm);
    tn_options_int(&options, "TILES", (long)t->tiles);
    tn_options_int(&options, "KC", (long)t->kc);
    tn_options_int(&options, "COPY_A", t->copy_a);
    tn_options_int(&options, "ASK", (long)t->ask);
    tn_options_int(&options, "A_ROWS", a_rows);
    tn_options_int(&options, "PACK_K", PACK_K);
    return tn_kernel_get(dev, file, name, &options, out);
}

static tn_status kernel(tn_device *dev, const tn_gemm_tiles *t, bool a_rows, const char *file,
                        const char *name, tn_kernel **out) {
    return kernel_with(dev, t, a_rows, GELU_NONE, file, name, out);
}

/* An item's copied rows are private memory, which a GPU has little of. */
static tn_status place_copy(const tn_device *dev, tn_gemm_tiles *t) {
    const tn_device_info *info = tn_device_get_info(dev);
    int64_t bytes = t->tiles * t->tm * (t->kc + 16) * (int64_t)sizeof(float);
    if (!t->copy_a)
        return TN_OK;
    t->local = tn_private_group(dev, t->local, (size_t)bytes);
    if (bytes <= (int64_t)tn_device_private_bytes(dev))
        return TN_OK;
    return tn_fail(tn_device_context(dev), TN_ERR_UNSUPPORTED,
                   "gemm: an item's copy of A would take %lld KiB of private memory on %s; take COPY_A=0",
                   (long long)bytes >> 10, info->name);
}

typedef enum tn_gemm_policy { POLICY_OWN, POLICY_AUTO, POLICY_CLBLAST, POLICY_UNKNOWN } tn_gemm_policy;

static tn_gemm_policy policy(void) {
    const char *text = getenv("TURNOUT_GEMM");
    if (!text || !text[0] || strcmp(text, "own") == 0)
        return POLICY_OWN;
    if (strcmp(text, "clblast") == 0)
        return POLICY_CLBLAST;
    return strcmp(text, "auto") == 0 ? POLICY_AUTO : POLICY_UNKNOWN;
}

typedef struct tn_operands {
    tn_buffer *const *c;       /* [count of them] where NT is grouped, else one */
    const tn_buffer *const *a; /* as many where NN or TN is grouped, else one */
    int64_t c_width, a_width;  /* columns of each */
    int c_count, a_count;
    const tn_buffer *b, *packed; /* packed may be NULL */
    const tn_buffer *bias, *add;
    tn_gemm_gelu gelu;
    const tn_buffer *act;   /* [M,N] of gelu: written as its value, read for its slope */
    tn_partial_sums *later; /* where the sums of a split k may wait, or NULL */
} tn_operands;

static tn_status pack(tn_device *dev, const tn_gemm_tiles *t, bool transposed, int64_t N, int64_t K,
                      const tn_buffer *b, int slot, tn_buffer **packed) {
    int64_t width = t->vw * t->nv, count = tn_ceil_div(N, width);
    tn_kernel *k;
    TN_TRY(tn_device_scratch(dev, slot, (size_t)(count * K * width) * sizeof(float), packed));
    TN_TRY(kernel(dev, t, true, "gemm_pack", "gemm_pack", &k));
    return tn_launch(
        dev, k, tn_range_2d((size_t)tn_ceil_div(K, PACK_K), (size_t)count, 1, tn_kernel_group(k, t->local)),
        tn_arg_buffer(*packed), tn_arg_buffer(b), tn_arg_i32(N), tn_arg_i32(K), tn_arg_i32(transposed));
}

tn_status tn_gemm_pack(tn_device *dev, int64_t N, int64_t K, const tn_buffer *b, int slot,
                       tn_buffer **packed) {
    tn_gemm_tiles t = tiles_of(dev);
    return pack(dev, &t, true, N, K, b, slot, packed);
}

tn_gemm_layout tn_gemm_layout_of(const tn_device *dev) {
    tn_gemm_tiles t = tiles_of(dev);
    return (tn_gemm_layout){t.vw, t.nv, t.tm, PART_K, PART_ROWS, policy() == POLICY_OWN};
}

/* B as panels: as it lies where rows are whole panels, else packed into scratch 0. */
static tn_status panels(tn_device *dev, const tn_gemm_tiles *t, const tn_gemm_shape *s, const tn_operands *o,
                        bool split, const tn_buffer **out, int64_t *panel, int64_t *ldb) {
    int64_t width = t->vw * t->nv;
    if (o->packed) {
        *out = o->packed;
        *panel = s->K * width;
        *ldb = width;
        return TN_OK;
    }
    if (s->form != TN_GEMM_NT && s->N % width == 0 && (s->N <= PLACE_N || s->N * s->K <= PLACE_NK || split)) {
        *out = o->b;
        *panel = width;
        *ldb = s->N;
        return TN_OK;
    }
    tn_buffer *packed;
    TN_TRY(pack(dev, t, s->form == TN_GEMM_NT, s->N, s->K, o->b, 0, &packed));
    *out = packed;
    *panel = s->K * width;
    *ldb = width;
    return TN_OK;
}

/* Tiles of a work-item, at most t->tiles: the number that leaves the busiest unit the least to do. Of a
 * transposed A not fewer than half of that where there are enough: the copy of one tile reads a part of a
 * line of every row, and each row is in another page. */
static int64_t tiles_an_item(const tn_device *dev, const tn_gemm_tiles *t, int64_t M, int64_t others,
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
static int64_t panels_an_item(const tn_device *dev, const tn_gemm_tiles *t, int64_t M, int64_t K,
                              int64_t count, int64_t parts) {
    if (!t->copy_a)
        return 1;
    int64_t group = (t->cache << 10) / (K / parts * t->vw * t->nv * (int64_t)sizeof(float));
    int64_t wanted = 4 * (int64_t)tn_device_get_info(dev)->compute_units;
    int64_t blocks = tn_ceil_div(M, t->tm * t->tiles) * parts;
    group = group < 1 ? 1 : group > count ? count : group;
    if (blocks * tn_ceil_div(count, group) < wanted)
        group = tn_ceil_div(count, tn_ceil_div(wanted, blocks));
    return group;
}

static tn_status own(tn_device *dev, const tn_gemm_shape *s, const tn_operands *o) {
    tn_gemm_tiles t = tall_tiles_of(dev, s);
    tn_kernel *k;
    const tn_buffer *packed;
    tn_buffer *to = o->c[0];
    int64_t panel, ldb, at = 0, count = tn_ceil_div(s->N, t.vw * t.nv);
    /* Only TN is split: its k runs over all rows of a batch, while M and N are widths of the model. */
    bool split = s->form == TN_GEMM_TN && s->K > PART_K && s->M * s->N <= SPLIT_MN;
    int64_t part = split ? PART_K : s->K, parts = tn_ceil_div(s->K, part);
    TN_TRY(place_copy(dev, &t));
    TN_TRY(kernel_with(dev, &t, s->form != TN_GEMM_TN, o->gelu, "gemm", "gemm_tiles", &k));
    TN_TRY(panels(dev, &t, s, o, split, &packed, &panel, &ldb));
    if (parts > 1)
        TN_TRY(tn_partial_sums_place(dev, o->later, parts * s->M * s->N, 1, &to, &at));
    int64_t group = panels_an_item(dev, &t, s->M, s->K, count, parts);
    int64_t groups = tn_ceil_div(count, group),
            tiles = tiles_an_item(dev, &t, s->M, groups * parts, s->form == TN_GEMM_TN);
    tn_range range = tn_range_3d((size_t)tn_ceil_div(s->M, t.tm * tiles), (size_t)groups, (size_t)parts,
                                 tn_kernel_group(k, t.local), 1, 1);
    const tn_buffer *a1 = o->a[o->a_count > 1 ? 1 : 0], *a2 = o->a[o->a_count > 2 ? 2 : 0];
    const tn_buffer *c1 = o->c_count > 1 ? o->c[1] : to, *c2 = o->c_count > 2 ? o->c[2] : to;
    TN_TRY(tn_launch(dev, k, range, tn_arg_buffer(to), tn_arg_buffer(c1), tn_arg_buffer(c2),
                     tn_arg_buffer(o->a[0]), tn_arg_buffer(a1), tn_arg_buffer(a2), tn_arg_buffer(packed),
                     tn_arg_buffer(o->bias), tn_arg_buffer(o->add), tn_arg_buffer(o->act), tn_arg_i32(s->M),
                     tn_arg_i32(s->N), tn_arg_i32(s->K), tn_arg_i32(panel), tn_arg_i32(ldb), tn_arg_i32(part),
                     tn_arg_i32(tiles * t.tm), tn_arg_i32(group), tn_arg_i32(o->c_width),
                     tn_arg_i32(o->a_width), tn_arg_i32(at)));
    tn_partial_sums_shape sum = {parts, s->M * s->N, s->M * s->N};
    return parts > 1 ? tn_partial_sums_add(dev, o->later, &sum, o->c[0], to, at) : TN_OK;
}

int64_t tn_gemm_packed_floats(const tn_device *dev, int64_t N, int64_t K) {
    tn_gemm_tiles t = tiles_of(dev);
    return tn_ceil_div(N, t.vw * t.nv) * t.vw * t.nv * K;
}

int64_t tn_gemm_packed_blocks(const tn_device *dev, int64_t N, int64_t K) {
    tn_gemm_tiles t = tiles_of(dev);
    return tn_ceil_div(N, t.vw * t.nv) * tn_ceil_div(K, PACK_K);
}

tn_status tn_gemm_pack_all(tn_device *dev, int64_t count, int64_t blocks, tn_buffer *packed,
                           const tn_buffer *from, const tn_buffer *table) {
    tn_gemm_tiles t = tiles_of(dev);
    tn_kernel *k;
    TN_TRY(kernel(dev, &t, true, "gemm_pack", "gemm_pack_all", &k));
    return tn_launch(dev, k, tn_range_1d((size_t)blocks, tn_kernel_group(k, t.local)), tn_arg_buffer(packed),
                     tn_arg_buffer(from), tn_arg_buffer(table), tn_arg_i32(count));
}

bool tn_gemm_can_group(const tn_device *dev, int64_t width) {
    tn_gemm_tiles t = tiles_of(dev);
    return policy() == POLICY_OWN && width % (t.vw * t.nv) == 0 && (t.copy_a || width % t.tm == 0);
}

tn_status tn_gemm_grouped(tn_device *dev, const tn_gemm_shape *s, int count, tn_buffer *const *c,
                          const tn_buffer *const *a, const tn_buffer *b, const tn_buffer *packed,
                          const tn_buffer *add, tn_partial_sums *later) {
    bool columns = s->form == TN_GEMM_NT;
    int64_t grouped = columns ? s->N : s->form == TN_GEMM_NN ? s->K : s->M;
    if (count < 1 || count > 3 || grouped % count != 0 || !tn_gemm_can_group(dev, grouped / count))
        return tn_fail(tn_device_context(dev), TN_ERR_ARG, "gemm: %lld cannot be taken in %d groups here",
                       (long long)grouped, count);
    if (s->M == 0)
        return TN_OK;
    tn_operands o = {.c = c, .a = a, .b = b, .packed = packed, .add = add, .later = later};
    o.c_count = columns ? count : 1;
    o.a_count = columns ? 1 : count;
    o.c_width = s->N / o.c_count;
    o.a_width = (s->form == TN_GEMM_TN ? s->M : s->K) / o.a_count;
    return own(dev, s, &o);
}

tn_status tn_gemm_bias_backward(tn_device *dev, int64_t M, int64_t N, tn_buffer *db, const tn_buffer *dy,
                                tn_partial_sums *later) {
    tn_gemm_tiles t = tiles_of(dev);
    tn_kernel *k;
    tn_buffer *partial;
    int64_t at, parts = tn_ceil_div(M, PART_ROWS);
    if (M == 0)
        return tn_buffer_zero(db);
    TN_TRY(kernel(dev, &t, true, "gemm", "gemm_bias_backward", &k));
    TN_TRY(tn_partial_sums_place(dev, later, parts * N, 1, &partial, &at));
    TN_TRY(tn_launch(dev, k,
                     tn_range_2d((size_t)tn_ceil_div(N, 16), (size_t)parts,
                                 tn_kernel_group(k, t.local > 8 ? 8 : t.local), 1),
                     tn_arg_buffer(partial), tn_arg_buffer(dy), tn_arg_i32(at), tn_arg_i32(M), tn_arg_i32(N),
                     tn_arg_i32(PART_ROWS)));
    return tn_partial_sums_add(dev, later, &(tn_partial_sums_shape){parts, N, N}, db, partial, at);
}

static void forget_clblast(tn_device *dev, void *data) {
    (void)dev;
    (void)data;
    CLBlastClearCache(); /* its programs must go before the context they belong to */
}

typedef struct tn_gemm_state {
    bool hooked;
    bool probed[3];
    tn_gemm_back_end chosen[3];
} tn_gemm_state;

static tn_status clblast(tn_device *dev, const tn_gemm_shape *s, tn_buffer *c, const tn_buffer *a,
                         const tn_buffer *b, const tn_buffer *bias, const tn_buffer *add) {
    tn_context *ctx = tn_device_context(dev);
    tn_gemm_state *state;
    if (tn_device_get_info(dev)->quirks & TN_QUIRK_CLBLAST_UNSAFE)
        return tn_fail(ctx, TN_ERR_UNSUPPORTED, "CLBlast is not used on %s: see the quirk table",
                       tn_device_get_info(dev)->name);
    TN_TRY(tn_device_state(dev, "gemm", sizeof *state, (void **)&state));
    if (!state->hooked)
        TN_TRY(tn_device_at_close(dev, forget_clblast, NULL));
    state->hooked = true;
    if (add && add != c)
        TN_TRY(tn_buffer_copy(c, 0, add, 0, (size_t)(s->M * s->N) * sizeof(float)));
    bool ta = s->form == TN_GEMM_TN, tb = s->form == TN_GEMM_NT;
    cl_command_queue queue = tn_device_raw_queue(dev);
    cl_event event = NULL;
    CLBlastStatusCode code =
        tn_launch_dropped(dev, "clblast")
            ? CLBlastSuccess
            : CLBlastSgemm(CLBlastLayoutRowMajor, ta ? CLBlastTransposeYes : CLBlastTransposeNo,
                           tb ? CLBlastTransposeYes : CLBlastTransposeNo, (size_t)s->M, (size_t)s->N,
                           (size_t)s->K, 1.0f, tn_buffer_raw(a), 0, (size_t)(ta ? s->M : s->K),
                           tn_buffer_raw(b), 0, (size_t)(tb ? s->K : s->N), add ? 1.0f : 0.0f,
                           tn_buffer_raw(c), 0, (size_t)s->N, &queue,
                           tn_device_profiling(dev) ? &event : NULL);
    if (code != CLBlastSuccess)
        return tn_fail(ctx, TN_ERR_UNSUPPORTED, "CLBlast gave status %d for gemm M=%lld N=%lld K=%lld on %s",
                       (int)code, (long long)s->M, (long long)s->N, (long long)s->K,
                       tn_device_get_info(dev)->name);
    if (event)
        TN_TRY(tn_device_profile_add(dev, event));
    if (!bias)
        return TN_OK;
    tn_gemm_tiles t = tiles_of(dev);
    tn_kernel *k;
    TN_TRY(kernel(dev, &t, true, "gemm", "gemm_bias", &k));
    return tn_launch(dev, k, tn_range_1d((size_t)(s->M * s->N), tn_kernel_group(k, 64)), tn_arg_buffer(c),
                     tn_arg_buffer(bias), tn_arg_i32(s->M), tn_arg_i32(s->N));
}

static tn_status without_product(tn_device *dev, const tn_gemm_shape *s, tn_buffer *c, const tn_buffer *bias,
                                 const tn_buffer *add) {
    if (!add)
        TN_TRY(tn_buffer_fill_u32(c, 0, (size_t)(s->M * s->N) * sizeof(float), 0));
    else if (add != c)
        TN_TRY(tn_buffer_copy(c, 0, add, 0, (size_t)(s->M * s->N) * sizeof(float)));
    if (!bias)
        return TN_OK;
    tn_gemm_tiles t = tiles_of(dev);
    tn_kernel *k;
    TN_TRY(kernel(dev, &t, true, "gemm", "gemm_bias", &k));
    return tn_launch(dev, k, tn_range_1d((size_t)(s->M * s->N), tn_kernel_group(k, 64)), tn_arg_buffer(c),
                     tn_arg_buffer(bias), tn_arg_i32(s->M), tn_arg_i32(s->N));
}

/* One tensor each. */
static tn_operands operands(const tn_gemm_shape *s, tn_buffer *const *c, const tn_buffer *const *a,
                            const tn_buffer *b) {
    return (tn_operands){.c = c,
                         .a = a,
                         .c_width = s->N,
                         .a_width = s->form == TN_GEMM_TN ? s->M : s->K,
                         .c_count = 1,
                         .a_count = 1,
                         .b = b};
}

static tn_status run(tn_device *dev, tn_gemm_back_end back_end, const tn_gemm_shape *s, tn_buffer *c,
                     const tn_buffer *a, const tn_buffer *b, const tn_buffer *packed, const tn_buffer *bias,
                     const tn_buffer *add) {
    if (s->M == 0 || s->N == 0)
        return TN_OK;
    if (s->K == 0)
        return without_product(dev, s, c, bias, add);
    if (back_end == TN_GEMM_CLBLAST)
        return clblast(dev, s, c, a, b, bias, add);
    tn_operands o = operands(s, &c, &a, b);
    o.packed = packed;
    o.bias = bias;
    o.add = add;
    return own(dev, s, &o);
}

tn_status tn_gemm_run(tn_device *dev, tn_gemm_back_end back_end, const tn_gemm_shape *s, tn_buffer *c,
                      const tn_buffer *a, const tn_buffer *b, const tn_buffer *bias, const tn_buffer *add) {
    return run(dev, back_end, s, c, a, b, NULL, bias, add);
}

static tn_status choose(tn_device *dev, tn_gemm_form form, tn_gemm_back_end *out) {
    tn_gemm_policy p = policy();
    tn_gemm_state *state;
    *out = TN_GEMM_OWN;
    if (p == POLICY_UNKNOWN)
        return tn_fail(tn_device_context(dev), TN_ERR_ARG,
                       "TURNOUT_GEMM=%s is unknown; there is own, auto and clblast", getenv("TURNOUT_GEMM"));
    if (p == POLICY_OWN || (p == POLICY_AUTO && form != TN_GEMM_TN))
        return TN_OK;
    TN_TRY(tn_device_state(dev, "gemm", sizeof *state, (void **)&state));
    if (!state->probed[form]) {
        tn_gemm_probe_result result;
        TN_TRY(tn_gemm_probe(dev, form, &result));
        if (p == POLICY_CLBLAST && !result.usable[TN_GEMM_CLBLAST])
            return tn_fail(tn_device_context(dev), TN_ERR_UNSUPPORTED, "TURNOUT_GEMM=clblast, but %s",
                           result.reason[TN_GEMM_CLBLAST]);
        state->chosen[form] = p == POLICY_CLBLAST ? TN_GEMM_CLBLAST : result.chosen;
        state->probed[form] = true;
    }
    *out = state->chosen[form];
    return TN_OK;
}

tn_status tn_gemm_forward(tn_device *dev, const tn_gemm_shape *s, tn_buffer *c, const tn_buffer *a,
                          const tn_buffer *b, const tn_buffer *bias, const tn_buffer *add) {
    return tn_gemm_with_packed(dev, s, c, a, b, NULL, bias, add);
}

tn_status tn_gemm_with_packed(tn_device *dev, const tn_gemm_shape *s, tn_buffer *c, const tn_buffer *a,
                              const tn_buffer *b, const tn_buffer *packed, const tn_buffer *bias,
                              const tn_buffer *add) {
    tn_gemm_back_end back_end;
    TN_TRY(choose(dev, s->form, &back_end));
    return run(dev, back_end, s, c, a, b, packed, bias, add);
}

tn_status tn_gemm_weight_grad(tn_device *dev, int64_t M, int64_t N, int64_t K, tn_buffer *dw,
                              const tn_buffer *dy, const tn_buffer *x, tn_partial_sums *later) {
    tn_gemm_shape s = {TN_GEMM_TN, M, N, K};
    tn_gemm_back_end back_end;
    TN_TRY(choose(dev, s.form, &back_end));
    if (back_end != TN_GEMM_OWN || K == 0)
        return run(dev, back_end, &s, dw, dy, x, NULL, NULL, NULL);
    tn_operands o = operands(&s, &dw, &dy, x);
    o.later = later;
    return own(dev, &s, &o);
}

/* One launch where our own kernel does the product whole; else the product, then gelu. */
static bool fusible(const tn_gemm_shape *s, tn_gemm_back_end back_end) {
    return back_end == TN_GEMM_OWN && s->form != TN_GEMM_TN && s->K > 0 && s->M > 0 && s->N > 0;
}

tn_status tn_gemm_gelu_forward(tn_device *dev, const tn_gemm_shape *s, tn_buffer *c, tn_buffer *act,
                               const tn_buffer *a, const tn_buffer *b, const tn_buffer *packed,
                               const tn_buffer *bias) {
    tn_gemm_back_end back_end;
    TN_TRY(choose(dev, s->form, &back_end));
    if (fusible(s, back_end)) {
        tn_operands o = operands(s, &c, &a, b);
        o.packed = packed;
        o.bias = bias;
        o.gelu = GELU_VALUE;
        o.act = act;
        return own(dev, s, &o);
    }
    TN_TRY(run(dev, back_end, s, c, a, b, packed, bias, NULL));
    return tn_gelu_forward(dev, s->M * s->N, act, c);
}

tn_status tn_gemm_gelu_backward(tn_device *dev, const tn_gemm_shape *s, tn_buffer *c, const tn_buffer *a,
                                const tn_buffer *b, const tn_buffer *at) {
    tn_gemm_back_end back_end;
    TN_TRY(choose(dev, s->form, &back_end));
    if (fusible(s, back_end)) {
        tn_operands o = operands(s, &c, &a, b);
        o.gelu = GELU_SLOPE;
        o.act = at;
        return own(dev, s, &o);
    }
    TN_TRY(run(dev, back_end, s, c, a, b, NULL, NULL, NULL));
    return tn_gelu_backward(dev, s->M * s->N, c, c, at);
}
