#include "partial_sums.h"

#include "launch.h"

#include <string.h>

enum {
    ROOM = 2 << 20, /* bytes of parts that wait: what was written soon before is still in a cache */
    SUMS = 64,      /* that one launch does at most */
    FLUSHES = 8,    /* of a pass whose tables are kept: the same work in the next pass writes none */
    FIELDS = 6      /* of a row of the table, see kernels/partial_sums.cl */
};

struct tn_partial_sums {
    tn_device *dev;         /* borrowed */
    tn_buffer *room;        /* f32 */
    tn_buffer *table;       /* i32 [FLUSHES,SUMS,FIELDS] */
    const tn_buffer *whole; /* the buffer that all results so far are views of; borrowed */
    int64_t used, blocks;
    int count, flush;
    int32_t waiting[SUMS * FIELDS], written[FLUSHES][SUMS * FIELDS];
};

static int64_t lanes(const tn_device *dev) {
    return tn_tunable_ask(dev, "partial_sums", "LANES", 16, 1);
}

static int64_t vectors(const tn_device *dev) {
    return tn_tunable_ask(dev, "partial_sums", "VECTORS", 16, 1);
}

static int64_t blocks_of(const tn_device *dev, int64_t count) {
    return tn_ceil_div(count, lanes(dev) * vectors(dev));
}

static tn_status launch(tn_device *dev, const char *name, int64_t blocks, const tn_arg *args, int count) {
    tn_options options = {""};
    tn_kernel *k;
    tn_options_int(&options, "LANES", (long)lanes(dev));
    tn_options_int(&options, "VECTORS", (long)vectors(dev));
    TN_TRY(tn_kernel_get(dev, "partial_sums", name, &options, &k));
    size_t local = tn_kernel_group(k, (size_t)tn_tunable_ask(dev, "partial_sums", "LOCAL", 1, 64));
    return tn_launch_args(dev, k, tn_range_1d((size_t)blocks, local), args, count);
}

tn_status tn_partial_sums_forward(tn_device *dev, const tn_partial_sums_shape *s, tn_buffer *out,
                                  const tn_buffer *partial, int64_t at) {
    const tn_arg args[] = {tn_arg_buffer(out),   tn_arg_buffer(partial), tn_arg_i32(at),
                           tn_arg_i32(s->parts), tn_arg_i32(s->stride),  tn_arg_i32(s->count)};
    return launch(dev, "partial_sums_forward", blocks_of(dev, s->count), args, 6);
}

tn_status tn_partial_sums_create(tn_device *dev, tn_partial_sums **out) {
    tn_context *ctx = tn_device_context(dev);
    tn_partial_sums *sums;
    tn_status status = TN_OK;
    *out = NULL;
    TN_TRY(tn_alloc(ctx, 1, sizeof *sums, &sums));
    sums->dev = dev;
    TN_GO(tn_buffer_create(dev, ROOM, &sums->room));
    TN_GO(tn_buffer_create(dev, sizeof sums->written, &sums->table));
    *out = sums;
    return TN_OK;
cleanup:
    tn_partial_sums_destroy(sums);
    return status;
}

void tn_partial_sums_destroy(tn_partial_sums *sums) {
    if (!sums)
        return;
    tn_buffer_destroy(sums->room);
    tn_buffer_destroy(sums->table);
    tn_free(tn_device_context(sums->dev), sums);
}

void tn_partial_sums_begin(tn_partial_sums *sums) {
    sums->used = sums->blocks = 0;
    sums->count = sums->flush = 0;
}

/* Does what waits. */
static tn_status flush(tn_partial_sums *sums) {
    int row = sums->flush % FLUSHES;
    size_t bytes = (size_t)sums->count * FIELDS * sizeof(int32_t);
    if (sums->count == 0)
        return TN_OK;
    if (memcmp(sums->written[row], sums->waiting, bytes) != 0) {
        memcpy(sums->written[row], sums->waiting, bytes);
        TN_TRY(tn_buffer_write(sums->table, (size_t)row * sizeof sums->waiting, bytes, sums->waiting));
    }
    const tn_arg args[] = {tn_arg_buffer(sums->whole), tn_arg_buffer(sums->room), tn_arg_buffer(sums->table),
                           tn_arg_i32((int64_t)row * SUMS), tn_arg_i32(sums->count)};
    TN_TRY(launch(sums->dev, "partial_sums_many", sums->blocks, args, 5));
    sums->flush++;
    sums->used = sums->blocks = 0;
    sums->count = 0;
    return TN_OK;
}

tn_status tn_partial_sums_finish(tn_partial_sums *sums) {
    TN_TRY(flush(sums));
    sums->flush = 0;
    return TN_OK;
}

tn_status tn_partial_sums_place(tn_device *dev, tn_partial_sums *later, int64_t floats, int slot,
                                tn_buffer **partial, int64_t *at) {
    int64_t room = later ? (int64_t)(tn_buffer_bytes(later->room) / sizeof(float)) : 0;
    *at = 0;
    if (floats > room)
        return tn_device_scratch(dev, slot, (size_t)floats * sizeof(float), partial);
    if (later->used + floats > room)
        TN_TRY(flush(later));
    *partial = later->room;
    *at = later->used;
    later->used += tn_ceil_div(floats, 16) * 16; /* every part begins at a cache line */
    return TN_OK;
}

tn_status tn_partial_sums_add(tn_device *dev, tn_partial_sums *later, const tn_partial_sums_shape *s,
                              tn_buffer *out, const tn_buffer *partial, int64_t at) {
    size_t offset;
    const tn_buffer *whole = tn_buffer_whole(out, &offset);
    if (!later || partial != later->room)
        return tn_partial_sums_forward(dev, s, out, partial, at);
    if (later->count > 0 && (whole != later->whole || later->count == SUMS)) {
        /* The parts of this sum stay where they are: nobody has taken their place yet. */
        int64_t used = later->used;
        TN_TRY(flush(later));
        later->used = used;
    }
    later->whole = whole;
    later->blocks += blocks_of(dev, s->count);
    const int32_t row[FIELDS] = {(int32_t)later->blocks,
                                 (int32_t)(offset / sizeof(float)),
                                 (int32_t)at,
                                 (int32_t)s->parts,
                                 (int32_t)s->stride,
                                 (int32_t)s->count};
    memcpy(later->waiting + later->count++ * FIELDS, row, sizeof row);
    return TN_OK;
}
