/* What the variants of attention_absorb agree on. Private to host/ops. */
#ifndef TN_ATTENTION_ABSORB_VARIANTS_H
#define TN_ATTENTION_ABSORB_VARIANTS_H

#include "attention_absorb.h"
#include "launch.h"
#include "variant.h"

enum { TN_ATTENTION_ABSORB_FORWARD, TN_ATTENTION_ABSORB_BACKWARD };

/* The key of a plan. */
typedef struct tn_attention_absorb_key {
    int64_t H, Dh;
} tn_attention_absorb_key;

typedef struct tn_attention_absorb_args {
    tn_buffer *mq, *mo;               /* forward */
    tn_buffer *dwq, *dwk, *dwv, *dwo; /* backward */
    const tn_buffer *dmq, *dmo;       /* backward */
    const tn_buffer *wq, *wk, *wv, *wo;
} tn_attention_absorb_args;

extern const tn_variant tn_attention_absorb_groups, tn_attention_absorb_threads;

/* The lists of queries (tn_attention_absorb_rows): a key of nothing, for the kernel is the same for all. */
typedef struct tn_attention_absorb_lists {
    int64_t R, H;
    tn_buffer *to;
    const tn_buffer *rows;
} tn_attention_absorb_lists;
extern const tn_variant tn_attention_absorb_list_threads;

#endif
