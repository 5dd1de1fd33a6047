/* What the variants of decode_step agree on. Private to host/ops. */
#ifndef TN_DECODE_STEP_VARIANTS_H
#define TN_DECODE_STEP_VARIANTS_H

#include "decode_step.h"
#include "variant.h"

#include "decode_step/decode_step_sizes.cl"

/* The key of a plan: a shape but for the room of the state, which grows. */
typedef struct tn_decode_step_key {
    int64_t rows, layers, D, H, Hkv, K, F, V;
    int64_t conv, attention; /* how many layers have it */
    int64_t router, rope, added, mixed, coded;
} tn_decode_step_key;
_Static_assert(sizeof(tn_decode_step_key) <= TN_SHAPE_BYTES, "decode_step's key");

typedef struct tn_decode_step_call {
    const tn_decode_step_shape *shape;
    const tn_decode_step_args *args;
    int64_t *launches; /* counts alone, nothing is run, where it is not NULL */
} tn_decode_step_call;

/* The most lanes, of 16, 4 and 1, that end where rows, heads and the hidden width do. */
int tn_decode_step_lanes(const tn_decode_step_key *s, int most);
/* What all its kernels are built with. */
void tn_decode_step_options(const tn_decode_step_key *s, int lanes, int chunk, tn_options *options);
/* Floats of weights that a step reads of layers and head. */
int64_t tn_decode_step_floats(const tn_decode_step_key *s);
/* Does an item that takes `rows` rows stay within the rounds of loops that the driver goes (quirks.h: some
 * leave them after so many, without an error)? An upper bound. false: `why` says so. */
bool tn_decode_step_ends(const tn_device *dev, const tn_decode_step_key *s, int lanes_at_most, int chunk,
                         int64_t rows, char *why, size_t size);
/* What all launches of a call are told; `chunk`: keys of a chunk. */
decode_step_sizes tn_decode_step_sizes(const tn_decode_step_call *call, int64_t chunk);
/* Keys that the row with the longest context sees; chunks of them that have one of those. */
int64_t tn_decode_step_seen(const tn_decode_step_call *call);
int64_t tn_decode_step_live(const tn_decode_step_call *call, int64_t chunk);
/* Keys of rows that take attention, chunks side by side, of layer sizes->from / 2: to sums [rows,chunks,..].
 */
tn_status tn_decode_step_attend(tn_device *dev, tn_kernel *kernel, const tn_decode_step_call *call,
                                const decode_step_sizes *sizes, int64_t chunk, const tn_buffer *work,
                                tn_buffer *sums);
/* Room for the sums of each row's chunks of keys, `width` floats a chunk; scratch. */
tn_status tn_decode_step_sums(tn_device *dev, const decode_step_sizes *sizes, int64_t width, tn_buffer **out);

extern const tn_variant tn_decode_step_staged, tn_decode_step_groups, tn_decode_step_walk;

#endif
