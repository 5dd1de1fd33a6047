#include "rope.h"

#include "launch.h"

#include <math.h>

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
static tn_status table_write(tn_device *dev, const tn_rope_shape *s, tn_buffer *to) {
    tn_context *ctx = tn_device_context(dev);
    uint32_t *turns;
    int64_t half = s->Dh / 2;
    TN_TRY(tn_alloc(ctx, (size_t)s->Dh, sizeof *turns, &turns));
    for (int64_t i = 0; i < half; i++) {
        double turn = pow(s->base, -2.0 * (double)i / (double)s->Dh) / (2 * 3.14159265358979323846);
        uint64_t fixed = (uint64_t)ldexp(turn, 64);
        turns[i] = (uint32_t)(fixed >> 32);
        turns[half + i] = (uint32_t)fixed;
    }
    tn_status status = tn_buffer_write(to, 0, (size_t)s->Dh * sizeof *turns, turns);
    tn_free(ctx, turns);
    return status;
}

static tn_status table_get(tn_device *dev, const tn_rope_shape *s, tn_buffer **out) {
    rope_table *table;
    TN_TRY(tn_device_state(dev, "rope", sizeof *table, (void **)&table));
    if (table->Dh != s->Dh || table->base != s->base) {
        tn_buffer *turns;
        TN_TRY(tn_buffer_create(dev, (size_t)s->Dh * sizeof(uint32_t), &turns));
        tn_status status = table_write(dev, s, turns);
        if (status == TN_OK && !table->turns)
            status = tn_device_at_close(dev, table_release, table);
        if (status != TN_OK) {
            tn_buffer_destroy(turns);
            return status;
        }
        tn_buffer_destroy(table->turns);
        *table = (rope_table){s->Dh, s->base, turns};
    }
    *out = table->turns;
    return TN_OK;
}

static tn_status turn(tn_device *dev, const tn_rope_shape *s, tn_buffer *y, const tn_buffer *x,
                      const tn_buffer *rows, double sign) {
    const int64_t lanes = tn_tunable_ask(dev, "rope", "LANES", 16, 1),
                  own = tn_tunable_ask(dev, "rope", "ROWS", 16, 1);
    tn_options options = {""};
    tn_kernel *k;
    tn_buffer *turns;
    if (s->Dh < 2 || s->Dh % 2 || !(s->base > 1) || s->T < 1)
        return tn_fail(
            tn_device_context(dev), TN_ERR_ARG,
            "rope with head width %lld, base %g, T = %lld: the width must be even, the base above 1, T "
            "at least 1",
            (long long)s->Dh, s->base, (long long)s->T);
    TN_TRY(table_get(dev, s, &turns));
    tn_options_int(&options, "LANES", (long)lanes);
    tn_options_int(&options, "ROWS", (long)own);
    TN_TRY(tn_kernel_get(dev, "rope", "rope_turn", &options, &k));
    size_t chunks = (size_t)((s->Dh / 2 + lanes - 1) / lanes), items = (size_t)((s->R + own - 1) / own);
    return tn_launch(dev, k,
                     tn_range_2d(chunks, items,
                                 tn_kernel_group(k, (size_t)tn_tunable_ask(dev, "rope", "LOCAL", 1, 16)), 1),
                     tn_arg_buffer(y), tn_arg_buffer(x), tn_arg_buffer(rows), tn_arg_buffer(turns),
                     tn_arg_f32(sign), tn_arg_i32(s->R), tn_arg_i32(s->T), tn_arg_i32(s->H),
                     tn_arg_i32(s->Dh / 2));
}

tn_status tn_rope_forward(tn_device *dev, const tn_rope_shape *s, tn_buffer *y, const tn_buffer *x,
                          const tn_buffer *rows) {
    return turn(dev, s, y, x, rows, 1);
}

tn_status tn_rope_backward(tn_device *dev, const tn_rope_shape *s, tn_buffer *dx, const tn_buffer *dy,
                           const tn_buffer *rows) {
    return turn(dev, s, dx, dy, rows, -1);
}
