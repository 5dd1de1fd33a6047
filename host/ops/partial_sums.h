/* Partial sums added up in order of the parts (kernels/partial_sums): how every gradient of a weight ends,
 * since floats have no atomics here. At once, or many of them in one launch: a backward pass has a dozen a
 * layer, each too short to be worth a launch. Both give the same bits. */
#ifndef TN_PARTIAL_SUMS_H
#define TN_PARTIAL_SUMS_H

#include "buffer.h"

extern const struct tn_op tn_partial_sums_op;

typedef struct tn_partial_sums_shape {
    int64_t parts, count, stride; /* partial sums; results; floats from one part to the next, ≥ count */
    /* Where the device alone knows how many of `parts` there are: i32 [1], the rows that they are made of,
     * and rows of a part. The first is there whatever the count. NULL: all are. Borrowed */
    const tn_buffer *rows;
    int64_t part_rows;
} tn_partial_sums_shape;

/* out[i] = Σ over parts of partial[at + part·stride + i]; parts of 1 and more. With `rows` the bits of a sum
 * over the parts that are there. */
tn_status tn_partial_sums_forward(tn_device *dev, const tn_partial_sums_shape *s,
                                  tn_buffer *out /* [count] */,
                                  const tn_buffer *partial /* at + [parts,stride] */, int64_t at);

/* Sums that wait for each other: their parts lie in a room of their own until finish, or until the room is
 * full. Their results must lie in views of one buffer for that, as the gradients of a model do, and are not
 * there before. An op takes NULL for such a list, and then adds up at once. */
typedef struct tn_partial_sums tn_partial_sums;
tn_status tn_partial_sums_create(tn_device *dev, tn_partial_sums **out);
void tn_partial_sums_destroy(tn_partial_sums *sums); /* NULL is fine */
/* Forgets what a pass that failed has left. */
void tn_partial_sums_begin(tn_partial_sums *sums);
tn_status tn_partial_sums_finish(tn_partial_sums *sums);

/* Where an op leaves `floats` partial sums, from float `at` of `partial` on: in the list's room, or in the
 * device's scratch `slot` where there is no list or its room is too small. Borrowed. */
tn_status tn_partial_sums_place(tn_device *dev, tn_partial_sums *later, int64_t floats, int slot,
                                tn_buffer **partial, int64_t *at);
/* A sum over what was left there (or `at` from some floats on): later where that is the list's room. */
tn_status tn_partial_sums_add(tn_device *dev, tn_partial_sums *later, const tn_partial_sums_shape *s,
                              tn_buffer *out, const tn_buffer *partial, int64_t at);

#endif
