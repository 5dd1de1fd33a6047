#include "case.h"

#include "route_compact.h"
#include "route_compact_ref.h"

/* block: routing is rounded to so many positions */
enum { DIM_B, DIM_T, DIM_PERMILLE, DIM_BLOCK };
enum { T_ROWS, T_START, T_SLOT, T_LAST, T_MASK };

static void draw(tn_rng *rng, tn_shape *s) {
    static const int64_t permille[] = {0, 1, 10, 100, 500, 1000};
    uint32_t kind = tn_rng_below(rng, 4);
    s->v[DIM_B] = tn_rng_range(rng, 1, 5);
    s->v[DIM_T] = kind == 0 ? 1 : kind == 1 ? tn_rng_range(rng, 4000, 9000) : tn_rng_range(rng, 1, 300);
    s->v[DIM_PERMILLE] = permille[tn_rng_below(rng, 6)];
    s->v[DIM_BLOCK] = tn_rng_below(rng, 2) ? 1 : tn_rng_range(rng, 2, 70);
}

static tn_status check(tn_context *ctx, const tn_shape *s) {
    return s->v[DIM_BLOCK] >= 1
               ? TN_OK
               : tn_fail(ctx, TN_ERR_ARG, "route_compact: a block has one position at least");
}

static int tensors(const tn_shape *s, int pass, tn_tensor *t) {
    (void)pass;
    size_t B = (size_t)s->v[DIM_B], N = B * (size_t)s->v[DIM_T];
    t[T_ROWS] = (tn_tensor){"rows", TN_I32, TN_INOUT, N};
    t[T_START] = (tn_tensor){"start", TN_I32, TN_OUT, B + 1};
    t[T_SLOT] = (tn_tensor){"slot", TN_I32, TN_OUT, N};
    t[T_LAST] = (tn_tensor){"last", TN_I32, TN_OUT, B};
    t[T_MASK] = (tn_tensor){"mask", TN_U8, TN_IN, N};
    return 5;
}

static void fill(tn_rng *rng, const tn_shape *s, int pass, tn_tensor *t) {
    (void)pass;
    for (size_t n = 0; n < t[T_MASK].count; n++)
        t[T_MASK].i32[n] = tn_rng_below(rng, 1000) < (uint32_t)s->v[DIM_PERMILLE];
    for (size_t n = 0; n < t[T_ROWS].count; n++)
        t[T_ROWS].i32[n] = -7; /* shows what is written */
}

static tn_status run(tn_device *dev, const tn_shape *shape, int pass, tn_tensor *t) {
    (void)pass;
    tn_route_compact_shape s = {shape->v[DIM_B], shape->v[DIM_T], shape->v[DIM_BLOCK]};
    return tn_route_compact_forward(dev, &s, t[T_ROWS].buffer, t[T_START].buffer, t[T_SLOT].buffer,
                                    t[T_LAST].buffer, t[T_MASK].buffer);
}

static void reference(const tn_shape *s, int pass, tn_tensor *t) {
    (void)pass;
    tn_route_compact_forward_ref(s->v[DIM_B], s->v[DIM_T], s->v[DIM_BLOCK], t[T_ROWS].i32, t[T_START].i32,
                                 t[T_SLOT].i32, t[T_LAST].i32, t[T_MASK].i32);
}

static double flops(const tn_shape *s, int pass) {
    (void)s;
    (void)pass;
    return 0;
}

/* The mask read once, slot and a list of everything written; `least` has the list as drawn. */
static double bytes(const tn_shape *s, int pass) {
    (void)pass;
    return 9 * (double)s->v[DIM_B] * (double)s->v[DIM_T];
}

/* As drawn: the list has all positions of a block with any routed, and of such a block the mask need be read
 * no further than to the first. */
static void least(const tn_shape *s, int pass, const tn_tensor *t, double *flops, double *bytes) {
    int64_t T = s->v[DIM_T], N = s->v[DIM_B] * T, block = s->v[DIM_BLOCK], read = 0, listed = 0;
    (void)pass;
    (void)flops;
    for (int64_t n = 0; n < N;) {
        int64_t left = T - n % T, end = n + (left < block ? left : block), first = n;
        while (first < end && !t[T_MASK].i32[first])
            first++;
        read += (first < end ? first + 1 : end) - n;
        listed += first < end ? end - n : 0;
        n = end;
    }
    *bytes = (double)read + 4 * (double)(N + listed);
}

static const char *const dims[] = {"B", "T", "permille", "block", NULL};
static const char *const passes[] = {"forward", NULL};

const tn_case tn_case_route_compact = {.op = "route_compact",
                                       .dims = dims,
                                       .passes = passes,
                                       .draw = draw,
                                       .check = check,
                                       .tensors = tensors,
                                       .fill = fill,
                                       .run = run,
                                       .reference = reference,
                                       .flops = flops,
                                       .bytes = bytes,
                                       .least = least};
