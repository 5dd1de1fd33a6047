#include "rope_turns.h"

#include "device.h"

#include <math.h>

struct tn_rope_table {
    int64_t Dh;
    double base;
    tn_buffer *turns; /* u32 [2,Dh/2] */
};

static void table_release(tn_device *dev, void *data) {
    (void)dev;
    tn_buffer_destroy(((tn_rope_table *)data)->turns);
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
static tn_status table_refresh(tn_device *dev, tn_rope_table *table, int64_t Dh, double base) {
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
    *table = (tn_rope_table){Dh, base, turns};
    return TN_OK;
}

tn_status tn_rope_table_of(tn_device *dev, tn_rope_table **out) {
    return tn_device_state(dev, "rope", sizeof **out, (void **)out);
}

tn_status tn_rope_turns(tn_device *dev, tn_rope_table *table, int64_t Dh, double base,
                        const tn_buffer **out) {
    TN_TRY(table_refresh(dev, table, Dh, base));
    *out = table->turns;
    return TN_OK;
}
