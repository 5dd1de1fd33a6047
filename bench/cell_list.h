/* Which cells a sweep has: a preset, and what the command line puts in its place. */
#ifndef TN_CELL_LIST_H
#define TN_CELL_LIST_H

#include "axis.h"
#include "cell.h"

/* What was given replaces what the preset has; an axis without values (count 0) stays as it is there.
 *   level  op, layer, model
 *   op     of op cells; without levels, op cells alone
 *   pass   of op cells those they have; of a layer forward, backward, step; of a model forward, step
 *   T, D, H, K, batch   of layers and models; of ops those dimensions that they have by that name (Dh = D /
 * H) rho    of routed layers and models; of ops those that name their routed rows beside their positions */
typedef struct tn_sweep_axes {
    tn_axis T, D, H, K, batch, rho;
    tn_words level, op, pass;
} tn_sweep_axes;

typedef struct tn_cell_list {
    tn_cell *items;
    size_t count, capacity;
} tn_cell_list;

/* Appends the cells of a preset ("quick", "full") on one device. Axes that cross at a shape that cannot be
 * are left out, and told on stderr where `tell`. With TURNOUT_TEST_CELLS=1 in the environment, cells that
 * hang, crash and fail stand in for real ones. TN_ERR_ARG where no cell is left. */
tn_status tn_cells_make(tn_context *ctx, const char *preset, const tn_sweep_axes *axes,
                        const tn_device_info *info, bool tell, tn_cell_list *list);
void tn_cell_list_free(tn_context *ctx, tn_cell_list *list);
void tn_cells_shuffle(tn_cell_list *list, uint64_t seed);

#endif
