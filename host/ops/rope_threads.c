/* An item owns a vector of pairs in each head of some rows. */
#include "rope_turns.h"
#include "rope_variants.h"

enum { LANES, ROWS, LOCAL };
static const tn_tunable tunables[] = {
    [LANES] = TN_TUNABLE("LANES", "lanes of a vector", 16, 4, 0, 1, 4, 8, 16),
    [ROWS] = TN_TUNABLE("ROWS", "rows of a work-item", 16, 2, 0, 1, 2, 4, 8, 16, 32),
    [LOCAL] = TN_TUNABLE_LOCAL(256),
};

typedef struct plan {
    tn_kernel *kernel;
    tn_range range;
    tn_rope_table *table;
} plan;
_Static_assert(sizeof(plan) <= TN_PLAN_BYTES, "rope's plan");

static tn_status make(tn_device *dev, int pass, const void *shape, const int *values, void *out) {
    const tn_rope_key *s = shape;
    tn_options options = {""};
    plan *p = out;
    (void)pass;
    TN_TRY(tn_rope_table_of(dev, &p->table));
    /* More lanes than a GPU takes: where every row is whole vectors too, it is slower by a third on a CPU to
     * say so. Four where no row is whole vectors leave a GPU's compiler short of registers. */
    const int most = values[LANES] > 4 ? values[LANES] : tn_quads(s->Dh / 2),
              lanes = values[LANES] < most ? values[LANES] : most;
    if (lanes > 4)
        tn_options_int(&options, "LANES", lanes);
    else
        tn_options_vectors(&options, lanes, s->Dh / 2);
    tn_options_int(&options, "ROWS", values[ROWS]);
    TN_TRY(tn_kernel_get(dev, "rope", "rope_turn", &options, &p->kernel));
    /* A group is as wide as half a head where it can be, else items past its end would idle. */
    const size_t group = tn_kernel_group(p->kernel, (size_t)values[LOCAL]),
                 across = (size_t)tn_ceil_div(s->Dh / 2, lanes), wide = across < group ? across : group;
    p->range = tn_range_2d(across, (size_t)tn_ceil_div(s->R, values[ROWS]), wide, group / wide);
    return TN_OK;
}

static tn_status run(tn_device *dev, int pass, const void *shape, const void *plan_, const void *args) {
    const tn_rope_key *s = shape;
    const tn_rope_args *a = args;
    const plan *p = plan_;
    const tn_buffer *turns;
    TN_TRY(tn_rope_turns(dev, p->table, s->Dh, a->base, &turns));
    return tn_launch(dev, p->kernel, p->range, tn_arg_buffer(a->y), tn_arg_buffer(a->x),
                     tn_arg_buffer(a->rows), tn_arg_buffer(turns), tn_arg_buffer(a->count),
                     tn_arg_f32(pass == TN_ROPE_FORWARD ? 1 : -1), tn_arg_i32(s->R), tn_arg_i32(s->T),
                     tn_arg_i32(s->H), tn_arg_i32(s->Dh / 2));
}

const tn_variant tn_rope_threads = {.name = "threads",
                                    .style = TN_STYLE_THREADS,
                                    .portable = true,
                                    .counted = 1u << TN_ROPE_FORWARD | 1u << TN_ROPE_BACKWARD,
                                    .tunable_count = sizeof tunables / sizeof tunables[0],
                                    .tunables = tunables,
                                    .plan = make,
                                    .run = run};
