/* The tiles of gemm's variant groups, for its tests. Private to host/ops. */
#ifndef TN_GEMM_GROUPS_H
#define TN_GEMM_GROUPS_H

#include <stddef.h>

typedef struct tn_gemm_tile {
    int bm, bn, bk; /* of a work-group: rows, columns, k of a step */
    int tm, tn;     /* of a work-item */
    int speed;      /* of its hot loop; 100 would be multiply-adds alone */
} tn_gemm_tile;

enum { TN_GEMM_TILES = 8 };
extern const tn_gemm_tile tn_gemm_tiles[TN_GEMM_TILES];

int tn_gemm_tile_items(const tn_gemm_tile *t);          /* work-items of a group */
size_t tn_gemm_tile_local_bytes(const tn_gemm_tile *t); /* local memory of a group */

#endif
