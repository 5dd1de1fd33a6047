/* Forward in one launch: a work-group takes a tile of rows through norm, products and gelu and keeps what
 * lies between in local memory (kernels/mlp/mlp_groups.cl). Same bits as variant composed with rms_norm's and
 * gemm's variants groups at their defaults, and whichever tile. Backward is composed's: its products are sums
 * over all rows. */
#include "mlp_variants.h"

#include "lib/tile_index.cl"

/* D and F at most: tiles have room for no more, and one group reads all weights in the time of a launch. */
enum { WIDEST = 128, DEEPEST = 256 };

/* Speed: that of its hot loops with their multiply-adds, of flatter tiles less, since they read the weights
 * more often. The last one has more of them yet (89 % against 83 on sm_90) and is for who tries: on gfx1100
 * it spills. */
typedef struct row_tile {
    int bm, tm, bk; /* rows of a work-group, of an item; depth of a step */
    int speed;
} row_tile;
static const row_tile tiles[] = {{64, 4, 16, 83}, {32, 4, 16, 80}, {32, 4, 8, 79},
                                 {16, 4, 16, 76}, {16, 4, 8, 74},  {64, 8, 16, 89}};
enum { TILES = sizeof tiles / sizeof tiles[0], LAST = TILES - 1, MOST_LOCAL = 48 << 10 };

enum { TILE, TUNABLES };
static const tn_tunable tunables[] = {
    [TILE] = TN_TUNABLE("TILE", "row of the table of tiles, from 1; 0: the one that should end first", 0, 0,
                        0, 0, 1, 2, 3, 4, 5, 6),
};

static bool is_wanted(int i, int wanted) {
    return wanted == 0 ? i != LAST : wanted == i + 1;
}

/* Columns of a product's tile, BD of the kernel. */
static int columns_of(const tn_mlp_key *s) {
    return s->D <= 32 ? 32 : s->D <= 64 ? 64 : 128;
}

static size_t items_of(const row_tile *t, int columns) {
    return (size_t)(t->bm / t->tm * (columns / 4));
}

static bool tile_fits(const tn_device *dev, const tn_mlp_key *s, const row_tile *t) {
    const tn_device_info *info = tn_device_get_info(dev);
    const int columns = columns_of(s);
    const size_t bytes =
        (size_t)(2 * columns * tile_ld(t->bm) + 2 * t->bk * tile_ld(columns)) * sizeof(float);
    return columns >= 8 * t->tm && info->max_work_group >= items_of(t, columns) &&
           info->local_bytes >= bytes && bytes <= MOST_LOCAL;
}

/* What the busiest compute unit takes, as for gemm's tiles; an item has sixteen sums under way at once, so
 * that half as many of them hide what memory takes. */
static double tile_time(const tn_device *dev, const tn_mlp_key *s, const row_tile *t) {
    enum { ITEMS_AT_SPEED = 128 };
    const int64_t units = tn_device_get_info(dev)->compute_units,
                  busiest = tn_ceil_div(tn_ceil_div(s->N, t->bm), units < 1 ? 1 : units);
    const double items = (double)busiest * (double)items_of(t, columns_of(s)),
                 busy = items < ITEMS_AT_SPEED ? items / ITEMS_AT_SPEED : 1;
    return (double)busiest * t->bm / (t->speed * busy);
}

static bool fits(const tn_device *dev, int pass, const void *shape, const int *values, char *why,
                 size_t size) {
    const tn_mlp_key *s = shape;
    (void)pass;
    if (s->D % 4 != 0 || s->F % 4 != 0 || s->D > WIDEST || s->F > DEEPEST) {
        snprintf(why, size, "D=%lld, F=%lld: it takes multiples of 4, up to %d and %d", (long long)s->D,
                 (long long)s->F, WIDEST, DEEPEST);
        return false;
    }
    for (int i = 0; i < TILES; i++)
        if (is_wanted(i, values[TILE]) && tile_fits(dev, s, &tiles[i]))
            return true;
    snprintf(why, size,
             "no tile of rows of D=%lld has room in a work-group of %zu items, %zu bytes of local memory",
             (long long)s->D, tn_device_get_info(dev)->max_work_group, tn_device_get_info(dev)->local_bytes);
    return false;
}

/* The tile that should end first; one has room, as `fits` has seen. */
static const row_tile *choose(const tn_device *dev, const tn_mlp_key *s, int wanted) {
    const row_tile *best = NULL;
    for (int i = 0; i < TILES; i++)
        if (is_wanted(i, wanted) && tile_fits(dev, s, &tiles[i]) &&
            (!best || tile_time(dev, s, &tiles[i]) < tile_time(dev, s, best)))
            best = &tiles[i];
    return best;
}

static tn_status plan_make(tn_device *dev, int pass, const void *shape, const int *values, void *out) {
    const tn_mlp_key *s = shape;
    tn_launch_plan *p = out;
    tn_options options = {""};
    if (pass == TN_MLP_BACKWARD)
        return TN_OK;
    const row_tile *t = choose(dev, s, values[TILE]);
    const size_t items = items_of(t, columns_of(s));
    tn_options_int(&options, "LANES", 4);
    tn_options_int(&options, "BD", columns_of(s));
    tn_options_int(&options, "BM", t->bm);
    tn_options_int(&options, "BK", t->bk);
    tn_options_int(&options, "TM", t->tm);
    TN_TRY(tn_kernel_get(dev, "mlp_groups", "mlp_forward_groups", &options, &p->kernel));
    TN_TRY(tn_kernel_check_group(dev, p->kernel, items));
    p->range = tn_range_1d((size_t)tn_ceil_div(s->N, t->bm) * items, items);
    return TN_OK;
}

static tn_status run(tn_device *dev, int pass, const void *shape, const void *planned, const void *args) {
    const tn_mlp_key *s = shape;
    const tn_mlp_args *a = args;
    const tn_launch_plan *p = planned;
    if (pass == TN_MLP_BACKWARD)
        return tn_mlp_composed.run(dev, pass, shape, NULL, args);
    const tn_mlp_weights *w = a->weights;
    return tn_launch(dev, p->kernel, p->range, tn_arg_buffer(a->y), tn_arg_buffer(a->saved->rstd),
                     tn_arg_buffer(a->saved->up), tn_arg_buffer(s->training ? a->saved->u : NULL),
                     tn_arg_buffer(s->training ? a->saved->act : NULL), tn_arg_buffer(a->x),
                     tn_arg_buffer(w->norm), tn_arg_buffer(w->up), tn_arg_buffer(w->up_bias),
                     tn_arg_buffer(w->down), tn_arg_buffer(w->down_bias), tn_arg_i32(s->N), tn_arg_i32(s->D),
                     tn_arg_i32(s->F), tn_arg_f32(a->eps));
}

const tn_variant tn_mlp_fused_groups = {.name = "fused_groups",
                                        .style = TN_STYLE_GROUPS,
                                        .tunable_count = TUNABLES,
                                        .tunables = tunables,
                                        .fits = fits,
                                        .plan = plan_make,
                                        .run = run};
