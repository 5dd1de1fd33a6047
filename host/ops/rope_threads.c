/* An item owns a vector of pairs in each head of some rows. */
#include "rope_variants.h"

#include <math.h>

enum { LANES, ROWS, LOCAL };
static const tn_tunable tunables[] = {
    [LANES] = TN_TUNABLE("LANES", "lanes of a vector", 16, 4, 0, 1, 4, 8, 16),
    [ROWS] = TN_TUNABLE("ROWS", "rows of a work-item", 16, 2, 0, 1, 2, 4, 8, 16, 32),
    [LOCAL] = TN_TUNABLE_LOCAL(256),
};

/* The table of turns, kept by the device: it depends on Dh and base alone. */
typedef struct rope_table {
    int64_t Dh;
    double base;
    tn_buffer *turns; /* u32 [2,Dh/2] */
} rope_table;

static void table_release(tn_device *dev, void *data) {
    (void)dev;
    tn_buffer_destroy(((rope_table *)data)->turns);
}

/* Turns a position, base^(-2i/Dh) / 2π, as 64 bits behind the point: upper halves, then lower halves. */
static tn_status table_write(tn_device *dev, int64_t Dh, double base, tn_buffer *to) {
    tn_context *ctx = tn_device_context(dev);
    uint32_t *turns;
    int64_t half = Dh / 2;
    TN_TRY(tn_alloc(ctx, (size_t)Dh, sizeof *turns, &turns));
    for (int64_t i = 0; i < half; i++) {
        double turn = pow(base, -2.0 * (double)i / (double)Dh) / (2 * 3.14159265358979323846);
        uint64_t fixed = (uint64_t)ldexp(turn, 64);
        turns[i] = (uint32_t)(fixed >> 32);
        turns[half + i] = (uint32_t)fixed;
    }
    tn_status status = tn_buffer_write(to, 0, (size_t)Dh * sizeof *turns, turns);
    tn_free(ctx, turns);
    return status;
}

/* The table as it must be for this width and base. */
static tn_status table_refresh(tn_device *dev, rope_table *table, int64_t Dh, double base) {
    tn_buffer *turns;
    if (table->Dh == Dh && table->base == base)
        return TN_OK;
    TN_TRY(tn_buffer_create(dev, (size_t)Dh * sizeof(uint32_t), &turns));
    tn_status status = table_write(dev, Dh, base, turns);
    if (status == TN_OK && !table->turns)
        status = tn_device_at_close(dev, table_release, table);
    if (status != TN_OK) {
        tn_buffer_destroy(turns);
        return status;
    }
    tn_buffer_destroy(table->turns);
    *table = (rope_table){Dh, base, turns};
    return TN_OK;
}

typedef struct plan {
    tn_kernel *kernel;
    tn_range range;
    rope_table *table;
} plan;
_Static_assert(sizeof(plan) <= TN_PLAN_BYTES, "rope's plan");

static tn_status make(tn_device *dev, int pass, const void *shape, const int *values, void *out) {
    const tn_rope_key *s = shape;
    tn_options options = {""};
    plan *p = out;
    (void)pass;
    TN_TRY(tn_device_state(dev, "rope", sizeof *p->table, (void **)&p->table));
    /* More lanes than a GPU takes: where every row is whole vectors too, it is slower by a third on a CPU to
     * say so. */
    if (values[LANES] > 4)
        tn_options_int(&options, "LANES", values[LANES]);
    else
        tn_options_vectors(&options, values[LANES], s->Dh / 2);
    tn_options_int(&options, "ROWS", values[ROWS]);
    TN_TRY(tn_kernel_get(dev, "rope", "rope_turn", &options, &p->kernel));
    /* A group is as wide as half a head where it can be, else items past its end would idle. */
    const size_t group = tn_kernel_group(p->kernel, (size_t)values[LOCAL]),
                 across = (size_t)tn_ceil_div(s->Dh / 2, values[LANES]),
                 wide = across < group ? across : group;
    p->range = tn_range_2d(across, (size_t)tn_ceil_div(s->R, values[ROWS]), wide, group / wide);
    return TN_OK;
}

static tn_status run(tn_device *dev, int pass, const void *shape, const void *plan_, const void *args) {
    const tn_rope_key *s = shape;
    const tn_rope_args *a = args;
    const plan *p = plan_;
    TN_TRY(table_refresh(dev, p->table, s->Dh, a->base));
    return tn_launch(dev, p->kernel, p->range, tn_arg_buffer(a->y), tn_arg_buffer(a->x),
                     tn_arg_buffer(a->rows), tn_arg_buffer(p->table->turns),
                     tn_arg_f32(pass == TN_ROPE_FORWARD ? 1 : -1), tn_arg_i32(s->R), tn_arg_i32(s->T),
                     tn_arg_i32(s->H), tn_arg_i32(s->Dh / 2));
}

const tn_variant tn_rope_threads = {.name = "threads",
                                    .style = TN_STYLE_THREADS,
                                    .portable = true,
                                    .tunable_count = sizeof tunables / sizeof tunables[0],
                                    .tunables = tunables,
                                    .plan = make,
                                    .run = run};
