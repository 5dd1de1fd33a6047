/* A grid of work cut into parts that several processes take, each on its own: which part one of them has, and
 * which works are in it. A work's part follows from the work's own name and the number of parts alone, so the
 * parts of one grid have no work in common and together all of it, whoever lists it and wherever. */
#ifndef TN_SHARD_H
#define TN_SHARD_H

#include "context.h"

enum { TN_SHARD_MOST = 1000000, TN_SHARD_TEXT = 24 };

typedef struct tn_shard {
    int64_t index, count; /* 1 ≤ index ≤ count; count 0: the whole grid, nobody asked for a part */
} tn_shard;

/* "2/4", or "auto": the place that the launcher gave this process, by the first of these that is set
 *   OMPI_COMM_WORLD_RANK of OMPI_COMM_WORLD_SIZE   (mpirun of Open MPI)
 *   PMI_RANK of PMI_SIZE                           (mpirun of MPICH and others, srun --mpi=pmi2)
 *   SLURM_PROCID of SLURM_NTASKS                   (srun)
 * and, where SLURM_ARRAY_TASK_ID is set, by the task's place in its array (SLURM_ARRAY_TASK_COUNT, _MIN,
 * _STEP): an array of 3 jobs with 4 processes each has 12 parts. NULL: the whole. TN_ERR_ARG for any other
 * text, and for "auto" where no launcher says anything or what it says makes no sense. */
tn_status tn_shard_parse(tn_context *ctx, const char *text, tn_shard *out);

/* Whether the work called `name` is in this part; every work is in the whole. */
bool tn_shard_has(const tn_shard *shard, const char *name);

/* "2/4"; "" for the whole. */
void tn_shard_print(const tn_shard *shard, char text[TN_SHARD_TEXT]);

#endif
