/* A work-group makes a tile of C from tiles of A and B in local memory (kernels/gemm/gemm_groups.cl). Which
 * tile changes no bits: every element is one chain of multiply-adds over k. So a shape takes the tile that
 * should end first on this device. */
#include "gemm_groups.h"

#include "gemm_pack.h"
#include "gemm_variants.h"

#include "gemm/gemm_groups_sizes.cl"
#include "lib/tile_index.cl"

enum {
    SPLIT_MN = 1 << 16 /* a product of more elements than this has groups enough without splitting its k */
};

/* Speed: multiply-adds among the instructions of the hot loop as NVIDIA's assembler makes it (sm_90, NT), in
 * per cent; of the flattest tile less, since it reads four times as much of B for an element of C. */
const tn_gemm_tile tn_gemm_tiles[TN_GEMM_TILES] = {
    {128, 128, 16, 8, 8, 90}, {128, 128, 8, 8, 8, 88}, {64, 64, 16, 8, 4, 84}, {64, 64, 16, 4, 4, 79},
    {32, 64, 16, 4, 4, 77},   {32, 32, 16, 4, 4, 75},  {8, 32, 64, 1, 4, 25},  {8, 32, 32, 1, 4, 25},
};

enum { TILE, TUNABLES };
static const tn_tunable tunables[TUNABLES] = {
    [TILE] = TN_TUNABLE("TILE", "row of the table of tiles, from 1; 0: the one that should end first", 0, 0,
                        0, 0, 1, 2, 3, 4, 5, 6, 7, 8),
};

typedef struct plan {
    tn_kernel *kernel;
    tn_range range;
    gemm_groups_sizes sizes;
    int64_t parts;
} plan;
_Static_assert(sizeof(plan) <= TN_PLAN_BYTES, "gemm's plan");
_Static_assert(sizeof(gemm_groups_sizes) == 9 * sizeof(int32_t), "gemm_groups_sizes as kernels see it");

int tn_gemm_tile_items(const tn_gemm_tile *t) {
    return t->bm / t->tm * (t->bn / t->tn);
}

size_t tn_gemm_tile_local_bytes(const tn_gemm_tile *t) {
    return (size_t)(2 * t->bk * (tile_ld(t->bm) + tile_ld(t->bn))) * sizeof(float);
}

static int64_t a_width(const tn_gemm_key *s, int pass) {
    return (pass == TN_GEMM_TN ? s->M : s->K) / s->a_count;
}

/* Whether the device has room for it, and no tile lies in two of several tensors. */
static bool tile_fits(const tn_device *dev, int pass, const tn_gemm_key *s, const tn_gemm_tile *t) {
    const tn_device_info *info = tn_device_get_info(dev);
    return (size_t)tn_gemm_tile_items(t) <= info->max_work_group &&
           tn_gemm_tile_local_bytes(t) <= info->local_bytes &&
           (s->c_count == 1 || s->N / s->c_count % t->bn == 0) &&
           (s->a_count == 1 || a_width(s, pass) % (pass == TN_GEMM_TN ? t->bm : t->bk) == 0);
}

/* What the busiest compute unit takes, in multiply-adds a step of k at the rate of full speed. A unit that
 * has few items does not reach it: 256 hide what an access to memory takes. */
static double tile_time(const tn_device *dev, const tn_gemm_key *s, int64_t parts, const tn_gemm_tile *t) {
    enum { ITEMS_AT_SPEED = 256 };
    const int64_t units = tn_device_get_info(dev)->compute_units,
                  groups = tn_ceil_div(s->M, t->bm) * tn_ceil_div(s->N, t->bn) * parts,
                  busiest = tn_ceil_div(groups, units < 1 ? 1 : units);
    const double items = (double)busiest * tn_gemm_tile_items(t),
                 busy = items < ITEMS_AT_SPEED ? items / ITEMS_AT_SPEED : 1;
    return (double)busiest * t->bm * t->bn / (t->speed * busy);
}

static bool fits(const tn_device *dev, int pass, const void *shape, const int *values, char *why,
                 size_t size) {
    for (int i = 0; i < TN_GEMM_TILES; i++)
        if ((values[TILE] == 0 || values[TILE] == i + 1) && tile_fits(dev, pass, shape, &tn_gemm_tiles[i]))
            return true;
    snprintf(why, size,
             "no tile of its table has room in a work-group of %zu items, %zu bytes of local memory",
             tn_device_get_info(dev)->max_work_group, tn_device_get_info(dev)->local_bytes);
    return false;
}

static tn_status kernel(tn_device *dev, int pass, const tn_gemm_key *s, const gemm_groups_sizes *sizes,
                        const tn_gemm_tile *t, tn_kernel **out) {
    tn_options options = {""};
    tn_options_int(&options, "LANES", 4);
    tn_options_int(&options, "BM", t->bm);
    tn_options_int(&options, "BN", t->bn);
    tn_options_int(&options, "BK", t->bk);
    tn_options_int(&options, "TM", t->tm);
    tn_options_int(&options, "TN", t->tn);
    tn_options_int(&options, "A_TURNED", pass != TN_GEMM_TN);
    tn_options_int(&options, "B_TURNED", pass == TN_GEMM_NT);
    tn_options_int(&options, "A_QUADS", sizes->lda % 4 == 0);
    tn_options_int(&options, "B_QUADS", sizes->ldb % 4 == 0);
    tn_options_int(&options, "C_QUADS", sizes->c_width % 4 == 0);
    tn_options_int(&options, "A_COUNT", (long)s->a_count);
    tn_options_int(&options, "C_COUNT", (long)s->c_count);
    tn_options_int(&options, "ACT", s->gelu == TN_GEMM_GELU_SLOPE ? 2 : s->gelu == TN_GEMM_GELU_VALUE);
    return tn_kernel_get(dev, "gemm_groups", "gemm_groups", &options, out);
}

/* The tile that should end first among those whose kernels the device takes: some count local memory twice,
 * or allow a kernel with many registers a smaller work-group than others. */
static tn_status choose(tn_device *dev, int pass, const tn_gemm_key *s, int wanted, plan *p,
                        const tn_gemm_tile **out) {
    bool refused[TN_GEMM_TILES] = {false};
    tn_status status = TN_ERR_UNSUPPORTED; /* `fits` has seen one that has room */
    for (;;) {
        int best = -1;
        for (int i = 0; i < TN_GEMM_TILES; i++)
            if (!refused[i] && (wanted == 0 || wanted == i + 1) &&
                tile_fits(dev, pass, s, &tn_gemm_tiles[i]) &&
                (best < 0 || tile_time(dev, s, p->parts, &tn_gemm_tiles[i]) <
                                 tile_time(dev, s, p->parts, &tn_gemm_tiles[best])))
                best = i;
        if (best < 0)
            return status;
        *out = &tn_gemm_tiles[best];
        status = kernel(dev, pass, s, &p->sizes, *out, &p->kernel);
        if (status == TN_OK)
            status = tn_kernel_check_group(dev, p->kernel, (size_t)tn_gemm_tile_items(*out));
        if (status != TN_ERR_UNSUPPORTED)
            return status;
        refused[best] = true;
    }
}

static tn_status plan_make(tn_device *dev, int pass, const void *shape, const int *values, void *out) {
    const tn_gemm_key *s = shape;
    /* As in variant threads: only TN is split, and into parts that depend on nothing but its shape. */
    const bool split = pass == TN_GEMM_TN && s->K > TN_GEMM_PART_K && s->M * s->N <= SPLIT_MN;
    const int64_t part = split ? TN_GEMM_PART_K : s->K;
    const tn_gemm_tile *t = NULL;
    plan *p = out;
    TN_TRY(tn_elements_check(tn_device_context(dev), "gemm: A", s->M, s->K));
    TN_TRY(tn_elements_check(tn_device_context(dev), "gemm: B", s->N, s->K));
    TN_TRY(tn_elements_check(tn_device_context(dev), "gemm: C", s->M, s->N));
    p->parts = tn_ceil_div(s->K, part);
    p->sizes = (gemm_groups_sizes){.M = (int)s->M,
                                   .N = (int)s->N,
                                   .K = (int)s->K,
                                   .lda = (int)a_width(s, pass),
                                   .ldb = (int)(pass == TN_GEMM_NT ? s->K : s->N),
                                   .a_width = (int)a_width(s, pass),
                                   .c_width = (int)(s->N / s->c_count),
                                   .part = (int)part};
    TN_TRY(choose(dev, pass, s, values[TILE], p, &t));
    const size_t items = (size_t)tn_gemm_tile_items(t);
    p->range = tn_range_3d((size_t)tn_ceil_div(s->N, t->bn) * items, (size_t)tn_ceil_div(s->M, t->bm),
                           (size_t)p->parts, items, 1, 1);
    return TN_OK;
}

static tn_status run(tn_device *dev, int pass, const void *shape, const void *planned, const void *args) {
    const tn_gemm_key *s = shape;
    const plan *p = planned;
    const tn_gemm_args *a = args;
    const int64_t count = s->M * s->N;
    tn_buffer *to = a->c[0];
    int64_t at = 0;
    gemm_groups_sizes sizes = p->sizes;
    (void)pass;
    if (p->parts > 1)
        TN_TRY(tn_partial_sums_place(dev, a->later, p->parts * count, 1, &to, &at));
    sizes.c_at = (int)at;
    TN_TRY(tn_launch(
        dev, p->kernel, p->range, tn_arg_buffer(to), tn_arg_buffer(s->c_count > 1 ? a->c[1] : to),
        tn_arg_buffer(s->c_count > 2 ? a->c[2] : to), tn_arg_buffer(a->a[0]),
        tn_arg_buffer(a->a[s->a_count > 1 ? 1 : 0]), tn_arg_buffer(a->a[s->a_count > 2 ? 2 : 0]),
        tn_arg_buffer(a->b), tn_arg_buffer(a->bias), tn_arg_buffer(a->add),
        tn_arg_buffer(a->act ? a->act : a->at), tn_arg_buffer(a->count), tn_arg_bytes(&sizes, sizeof sizes)));
    if (p->parts == 1)
        return TN_OK;
    return tn_partial_sums_add(dev, a->later,
                               &(tn_partial_sums_shape){p->parts, count, count, a->count, TN_GEMM_PART_K},
                               a->c[0], to, at);
}

const tn_variant tn_gemm_groups = {.name = "groups",
                                   .style = TN_STYLE_GROUPS,
                                   .passes = 1u << TN_GEMM_NN | 1u << TN_GEMM_NT | 1u << TN_GEMM_TN,
                                   .counted = 1u << TN_GEMM_NN | 1u << TN_GEMM_NT | 1u << TN_GEMM_TN,
                                   .tunable_count = TUNABLES,
                                   .tunables = tunables,
                                   .fits = fits,
                                   .plan = plan_make,
                                   .run = run};
