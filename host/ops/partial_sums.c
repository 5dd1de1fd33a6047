#include "partial_sums.h"

#include "partial_sums_variants.h"

#include <string.h>

static const char *const passes[] = {"forward", NULL};
static const tn_variant *const variants[] = {&tn_partial_sums_groups, &tn_partial_sums_threads, NULL};
const tn_op tn_partial_sums_op = {.name = "partial_sums",
                                  .passes = passes,
                                  .shape_bytes = sizeof(tn_partial_sums_key),
                                  .variants = variants};

enum {
    ROOM = 2 << 20, /* bytes of parts that wait: what was written soon before is still in a cache */
    FLUSHES = 8     /* of a pass whose tables are kept: the same work in the next pass writes none */
};

struct tn_partial_sums {
    tn_device *dev;         /* borrowed */
    tn_buffer *room;        /* f32 */
    tn_buffer *table;       /* i32 [FLUSHES,MOST,FIELDS] */
    const tn_buffer *whole; /* the buffer that all results so far are views of; borrowed */
    const tn_buffer *rows;  /* and all numbers of rows that the device alone knows; borrowed */
    int64_t used;
    int count, flush;
    int32_t waiting[TN_PARTIAL_SUMS_MOST * TN_PARTIAL_SUMS_FIELDS],
        written[FLUSHES][TN_PARTIAL_SUMS_MOST * TN_PARTIAL_SUMS_FIELDS];
};

tn_status tn_partial_sums_forward(tn_device *dev, const tn_partial_sums_shape *s, tn_buffer *out,
                                  const tn_buffer *partial, int64_t at) {
    return tn_op_run(dev, &tn_partial_sums_op, TN_PARTIAL_SUMS_FORWARD, &(tn_partial_sums_key){s->count},
                     &(tn_partial_sums_args){.out = out,
                                             .partial = partial,
                                             .rows = s->rows,
                                             .at = at,
                                             .parts = s->parts,
                                             .stride = s->stride,
                                             .part_rows = s->part_rows});
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
    sums->used = 0;
    sums->count = sums->flush = 0;
    sums->rows = NULL;
}

tn_status tn_partial_sums_write(const tn_partial_sums_args *a) {
    const size_t bytes = (size_t)a->count * TN_PARTIAL_SUMS_FIELDS * sizeof(int32_t);
    const int64_t first = a->slot * TN_PARTIAL_SUMS_MOST;
    if (memcmp(a->written, a->waiting, bytes) == 0)
        return TN_OK;
    memcpy(a->written, a->waiting, bytes);
    return tn_buffer_write(a->table, (size_t)first * TN_PARTIAL_SUMS_FIELDS * sizeof(int32_t), bytes,
                           a->waiting);
}

/* Does what waits. */
static tn_status flush(tn_partial_sums *sums) {
    const int slot = sums->flush % FLUSHES;
    if (sums->count == 0)
        return TN_OK;
    TN_TRY(tn_op_run(sums->dev, &tn_partial_sums_op, TN_PARTIAL_SUMS_MANY, &(tn_partial_sums_key){0},
                     &(tn_partial_sums_args){.out = sums->whole,
                                             .partial = sums->room,
                                             .rows = sums->rows,
                                             .table = sums->table,
                                             .waiting = sums->waiting,
                                             .written = sums->written[slot],
                                             .slot = slot,
                                             .count = sums->count}));
    sums->flush++;
    sums->used = 0;
    sums->count = 0;
    sums->rows = NULL;
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
    size_t offset, place = 0;
    const tn_buffer *whole = tn_buffer_whole(out, &offset),
                    *rows = s->rows ? tn_buffer_whole(s->rows, &place) : NULL;
    if (!later || partial != later->room)
        return tn_partial_sums_forward(dev, s, out, partial, at);
    if (later->count > 0 && (whole != later->whole || (rows && later->rows && rows != later->rows) ||
                             later->count == TN_PARTIAL_SUMS_MOST)) {
        /* The parts of this sum stay where they are: nobody has taken their place yet. */
        int64_t used = later->used;
        TN_TRY(flush(later));
        later->used = used;
    }
    later->whole = whole;
    later->rows = rows ? rows : later->rows;
    const int32_t row[TN_PARTIAL_SUMS_FIELDS] = {0,
                                                 (int32_t)(offset / sizeof(float)),
                                                 (int32_t)at,
                                                 (int32_t)s->parts,
                                                 (int32_t)s->stride,
                                                 (int32_t)s->count,
                                                 0,
                                                 rows ? (int32_t)(place / sizeof(int32_t)) : -1,
                                                 (int32_t)s->part_rows};
    memcpy(later->waiting + later->count++ * TN_PARTIAL_SUMS_FIELDS, row, sizeof row);
    return TN_OK;
}
