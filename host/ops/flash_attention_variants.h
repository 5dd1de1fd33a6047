/* What the variants of flash_attention agree on. Private to host/ops.
 *
 *   forward    threads   tiles of query rows a work-item; split-K over chunks of keys where rows are few
 *              groups    tiles of query rows a work-group, whose items share keys and values; split-K too
 *   backward   onepass   all gradients from one pass over the keys, for vectors of 16 lanes
 *              threads   dq, then dk and dv, over packed panels: scores twice, small tiles */
#ifndef TN_FLASH_ATTENTION_VARIANTS_H
#define TN_FLASH_ATTENTION_VARIANTS_H

#include "flash_attention.h"
#include "launch.h"
#include "variant.h"

enum { TN_FLASH_ATTENTION_FORWARD, TN_FLASH_ATTENTION_BACKWARD };

/* The key of a plan: what kernels and values depend on. Launch geometry, which the numbers of rows change
 * from call to call, is worked out in each call. */
typedef struct tn_flash_attention_key {
    int64_t T, Dh;
    int64_t tile;  /* rows of a tile, at most: lists of one or a few rows fill no taller one */
    int64_t rows;  /* the longest list, up to the next of 8, 16, 32; 64 for all longer ones */
    int64_t share; /* query heads that read one head of keys and values: H/Hkv */
} tn_flash_attention_key;

typedef struct tn_flash_attention_args {
    /* Hkv is at least 1. at_most only where the variant has the pass `counted`: q_start[B] rows are there,
     * and no other entry of `rows` may be read. */
    const tn_flash_attention_shape *s;
    tn_buffer *o, *lse;      /* forward */
    tn_buffer *dq, *dk, *dv; /* backward */
    const tn_buffer *dout;   /* backward */
    const tn_buffer *q, *k, *v;
    const tn_buffer *in_o, *in_lse; /* backward: what forward gave */
    const tn_buffer *rows, *q_start, *kv_start, *segments, *lengths;
} tn_flash_attention_args;

/* By value, for every kernel; attention_sizes in kernels/flash_attention/flash_attention.cl, member by
 * member. */
typedef struct tn_flash_attention_sizes {
    int32_t B, T, R, H, window;
    int32_t tiles, per_item;
    int32_t chunks, chunk;
    int32_t head, heads;
    int32_t whole;
    float scale;
} tn_flash_attention_sizes;
_Static_assert(sizeof(tn_flash_attention_sizes) == 13 * 4, "attention_sizes of the kernels");

extern const tn_variant tn_flash_attention_onepass, tn_flash_attention_threads, tn_flash_attention_groups;

/* B, T, R, H, window and scale of the shape. */
tn_flash_attention_sizes tn_flash_attention_sizes_of(const tn_flash_attention_shape *s);
/* Says how many heads share keys, where any do: else the options are those of a program that knows of none.
 */
void tn_flash_attention_share(tn_options *options, const tn_flash_attention_key *key);
/* A run with no listed row: keys that none asks for have gradients of zero. */
tn_status tn_flash_attention_empty(int pass, const tn_flash_attention_args *a);
/* The widest vector, `wanted` halved, whose multiple a head is. */
int tn_flash_attention_lanes(int64_t Dh, int wanted);
void tn_flash_attention_threads_layout(const tn_device *dev, const tn_flash_attention_shape *s,
                                       const tn_flash_attention_key *key, const int *values,
                                       tn_flash_attention_layout *out);
void tn_flash_attention_groups_layout(const tn_device *dev, const tn_flash_attention_shape *s,
                                      const tn_flash_attention_key *key, const int *values,
                                      tn_flash_attention_layout *out);

/* Split-K (flash_attention_join.c). Chunks of keys that get work-items of their own, where `items` a head of
 * a sequence leave part of a device idle that runs `wanted` at a time, and their partial sums fit; else 0. */
int64_t tn_flash_attention_chunks(const tn_device *dev, const tn_flash_attention_shape *s, int64_t chunk,
                                  int64_t items, int64_t wanted);
int64_t tn_flash_attention_partial(const tn_flash_attention_shape *s, int64_t chunks); /* floats */
/* Whether the device holds so many floats in a buffer, and kernels can count them. */
bool tn_flash_attention_holds(const tn_device *dev, double floats);

typedef struct tn_flash_attention_join {
    tn_kernel *kernel; /* NULL where a sequence is but one chunk */
    size_t group;
} tn_flash_attention_join;
tn_status tn_flash_attention_join_plan(tn_device *dev, const tn_flash_attention_key *key, int lanes,
                                       int chunk, size_t group, tn_flash_attention_join *out);
/* Scratch for the partial sums of sizes->chunks chunks. */
tn_status tn_flash_attention_join_scratch(tn_device *dev, const tn_flash_attention_shape *s, int64_t chunks,
                                          tn_buffer **partial);
tn_status tn_flash_attention_join_run(tn_device *dev, const tn_flash_attention_join *join,
                                      const tn_flash_attention_args *a, const tn_flash_attention_sizes *sizes,
                                      const tn_buffer *partial);

/* The two-pass backward (flash_attention_twopass.c). */
typedef struct tn_flash_attention_twopass {
    tn_kernel *to_q, *to_kv, *pack;
    int64_t tq, tk;
    size_t group_q, group_kv, group_pack;
} tn_flash_attention_twopass;
tn_status tn_flash_attention_twopass_plan(tn_device *dev, const tn_flash_attention_key *key, int lanes,
                                          int tq, int tk, int group, tn_flash_attention_twopass *out);
tn_status tn_flash_attention_twopass_run(tn_device *dev, const tn_flash_attention_twopass *p,
                                         const tn_flash_attention_args *a);

#endif
