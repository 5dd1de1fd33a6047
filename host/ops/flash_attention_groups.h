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

/* What all its kernels are built with. tm: rows of a work-item. */
void tn_flash_groups_options(tn_options *options, const tn_flash_attention_key *key, const int *values,
                             int64_t tm);

#endif
