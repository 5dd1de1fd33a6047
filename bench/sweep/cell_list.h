/* Which cells a sweep has: a preset, and what the command line puts in its place. */
#ifndef TN_CELL_LIST_H
#define TN_CELL_LIST_H

#include "axis.h"
#include "shard.h"
#include "sweep_cell.h"

/* What was given replaces what the preset has; an axis without values (count 0) stays as it is there. Of an
 * op, T, D, H, K and batch are those dimensions that it has by that name (Dh = D / H), and rho its routed
 * rows where it names them beside its positions. */
typedef struct tn_sweep_axes {
    tn_axis T, D, H, K, batch;
    tn_axis rho;             /* of routed layers and models */
    tn_axis context, ragged; /* of decoding: positions in the cache; 1: of sequences of other lengths */
    tn_axis cores;           /* of CPU devices, each with all the rest; other devices stay whole */
    bool cold;               /* caches written over before each call */
    tn_words level;          /* op, layer, model, decode, which no preset has */
    tn_words op;             /* of op cells; without levels, op cells alone */
    tn_words pass; /* of an op those it has; of a layer forward, backward, step; of a model forward, step */
} tn_sweep_axes;

typedef struct tn_cell_list {
    tn_sweep_cell *items;
    size_t count, capacity;
} tn_cell_list;

/* Appends the cells of a preset ("quick", "full") on one device. Axes that cross at a shape that cannot be
 * are left out, and told on stderr where `tell`. With TURNOUT_TEST_CELLS=1 in the environment, cells that
 * hang, crash and fail stand in for real ones. TN_ERR_ARG where no cell is left. */
tn_status tn_cells_make(tn_context *ctx, const char *preset, const tn_sweep_axes *axes,
                        const tn_device_info *info, bool tell, tn_cell_list *list);
/* Leaves the cells of one part. A cell's part follows from its work: level, op, pass, sizes; the device has
 * no say, so that tasks on machines that name or number theirs in other ways share the grid all the same. */
void tn_cells_keep(tn_cell_list *list, const tn_shard *shard);
void tn_cell_list_free(tn_context *ctx, tn_cell_list *list);
void tn_cells_shuffle(tn_cell_list *list, uint64_t seed);

#endif
