/* A token at a time: one position of each of some sequences through all layers of a model
 * (kernels/decode_step), from what earlier positions left in a state. A row that is not routed reads no key
 * and no value, nor the weights of attention: its cost does not depend on the context. Keys and values of
 * rows that are not routed are made later, of many positions at once: when a row is routed, or
 * TN_DECODE_STEP_PENDING of them wait. */
#ifndef TN_DECODE_STEP_H
#define TN_DECODE_STEP_H

#include "buffer.h"

enum {
    TN_DECODE_STEP_PENDING = 64, /* positions whose keys and values may wait */
    TN_DECODE_STEP_WEIGHTS = 15, /* tensors of a layer, behind which a row of the table has */
    TN_DECODE_STEP_COLUMNS = 16, /* one number more, and tensors */
    TN_DECODE_STEP_BESIDE = 4,   /* beside layers */
    TN_DECODE_STEP_ROUTER = 2    /* in `given`: the router's own decision */
};

typedef struct tn_decode_step_shape {
    int64_t rows;                          /* tokens of this step, each of another sequence */
    int64_t slots, capacity;               /* sequences, and positions of each, that the state has room for */
    int64_t layers, D, H, Hkv, K, F;       /* Hkv: heads of keys and values; F: hidden width, 0: no mlp */
    int64_t V;                             /* vocabulary; 0: rows of x come in and go out */
    int64_t conv, attention, router, rope; /* 1: has it. Without conv all rows take attention */
    int64_t added;                         /* 1: a row that takes attention takes the convolution track too */
    int64_t coded;  /* 1: a row by its token's code is added to the embedding; with V */
    int64_t window; /* positions that a row sees that takes attention, its own the last; 0: all */
    /* Bit i: layer i has it not, though `conv`, `attention` or `router` says 1. 0 all: layers are alike. */
    uint64_t without_conv, without_attention, without_router;
} tn_decode_step_shape;

extern const struct tn_op tn_decode_step_op;

/* Has layer `layer` the convolution, attention, or a router? */
bool tn_decode_step_convolves(const tn_decode_step_shape *s, int64_t layer);
bool tn_decode_step_attends(const tn_decode_step_shape *s, int64_t layer);
bool tn_decode_step_routes(const tn_decode_step_shape *s, int64_t layer);
/* Caches of keys and values of the first `layers` layers: the number of the next one's. */
int64_t tn_decode_step_caches(const tn_decode_step_shape *s, int64_t layers);

/* Positions of u that a state keeps of each sequence: a power of two, TN_DECODE_STEP_PENDING + K − 1 or more.
 */
int64_t tn_decode_step_ring(int64_t K);
/* Name of tensor i of a row of the table, as a checkpoint has it behind "layers.N.": 15, and behind those the
 * 4 beside layers. */
const char *tn_decode_step_weight(int i);

typedef struct tn_decode_step_args {
    tn_buffer *out;       /* [count,rows,V] logits; V = 0: [count,rows,D] */
    tn_buffer *routes;    /* u8 [count,layers,rows]: 1 where a row took attention */
    tn_buffer *ring;      /* [layers,slots,tn_decode_step_ring(K),D], state: u of position t at t mod that */
    tn_buffer *k, *v;     /* [caches,slots,capacity,Hkv·D/H], state; a cache for each layer that has
                             attention; NULL where none has */
    tn_buffer *projected; /* i32 [layers,slots], state: positions that k and v have; likewise. More than
                             the row's own position: as much as that */
    const tn_buffer *x;   /* [rows,D], with V = 0 alone */
    const tn_buffer *steps;  /* i32 [count,4,rows]: tokens, positions (from 0, below capacity), slots (each
                                once), codes  (0 where there are none) */
    const tn_buffer *given;  /* u8 [count,layers,rows]: decisions, or NULL: the router's. Of layers that have
                                both tracks; without a router they are needed */
    const tn_buffer *values; /* weights, floats */
    const tn_buffer *table;  /* i32 [layers,16], then [4]: floats in front of each tensor in values: multiples
                                of 4, below 0 where this layer has none; last in a layer's row: its cache */
    int64_t step;            /* which of `count` steps this is: 0 to count − 1 */
    int64_t context;         /* the largest position of the step + 1: launches are sized by it */
    double share; /* of rows that a layer routes, as far as is known, mean of all layers, 0: not. For speed
                     alone: whether the keys of a row are worth sharing among units. Without conv it is 1 */
    double eps;   /* of the norms */
} tn_decode_step_args;

tn_status tn_decode_step_forward(tn_device *dev, const tn_decode_step_shape *s, const tn_decode_step_args *a);
/* How many launches of kernels a step takes, by the variant that is chosen; context and share as above. */
tn_status tn_decode_step_launches(tn_device *dev, const tn_decode_step_shape *s, int64_t context,
                                  double share, int64_t *out);

#endif
