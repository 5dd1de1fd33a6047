/* What the two passes of flash_attention's variant groups share. Private to host/ops. */
#ifndef TN_FLASH_ATTENTION_GROUPS_H
#define TN_FLASH_ATTENTION_GROUPS_H

#include "flash_attention_variants.h"

enum { TN_FLASH_GROUPS_ITEMS = 64 /* of a work-group, as the kernels have it */ };
enum {
    TN_FLASH_GROUPS_TB,
    TN_FLASH_GROUPS_CHUNK,
    TN_FLASH_GROUPS_TM,
    TN_FLASH_GROUPS_DP,
    TN_FLASH_GROUPS_TUNABLES
};

/* What all its kernels are built with (flash_attention_sizes.c). tm: rows of a work-item; piece: of the sum,
 * in a piece. */
void tn_flash_groups_options(tn_options *options, const tn_flash_attention_key *key, const int *values,
                             int64_t tm, int64_t piece);

/* The backward pass (flash_attention_groups_backward.c). */
typedef struct tn_flash_groups_backward {
    tn_kernel *to_q, *to_kv, *join; /* join NULL where a sequence is but one chunk */
    int64_t rows, keys, chunk;      /* of a tile of queries, of a tile of keys; keys of a chunk */
} tn_flash_groups_backward;
/* Rows of a work-item in the larger of its kernels; 0: there is not local memory for one. */
int64_t tn_flash_groups_backward_rows(const tn_device *dev, const tn_flash_attention_key *key,
                                      const int *values);
tn_status tn_flash_groups_backward_plan(tn_device *dev, const tn_flash_attention_key *key, const int *values,
                                        tn_flash_groups_backward *out);
tn_status tn_flash_groups_backward_run(tn_device *dev, const tn_flash_groups_backward *p,
                                       const tn_flash_attention_args *a);

#endif
