#include "shard.h"

#include "number.h"

#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

/* A launcher's words for one process's number, from 0, and for how many there are. */
static const struct {
    const char *rank, *size;
} launchers[] = {{"OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE"},
                 {"PMI_RANK", "PMI_SIZE"},
                 {"SLURM_PROCID", "SLURM_NTASKS"}};
enum { LAUNCHERS = sizeof launchers / sizeof launchers[0], SLURM = LAUNCHERS - 1 };

static const char array_id[] = "SLURM_ARRAY_TASK_ID", array_count[] = "SLURM_ARRAY_TASK_COUNT",
                  array_least[] = "SLURM_ARRAY_TASK_MIN", array_step[] = "SLURM_ARRAY_TASK_STEP";

/* The variable's text, NULL where it is not set or empty. */
static const char *variable(const char *name) {
    const char *text = getenv(name);
    return text && text[0] ? text : NULL;
}

static tn_status number_of(tn_context *ctx, const char *name, int64_t low, int64_t *out) {
    const char *text = variable(name);
    char what[80];
    if (!text)
        return tn_fail(ctx, TN_ERR_ARG,
                       "--shard auto: the launcher set no %s, so this process's part is unknown; say --shard "
                       "I/N",
                       name);
    snprintf(what, sizeof what, "--shard auto: %s", name);
    return tn_number_int(ctx, what, tn_slice_of(text), low, INT32_MAX, out);
}

/* sbatch calls its script process 0 of as many as were asked for, though it is one alone: those are started
 * by srun, which numbers its step. */
static bool is_lone_script(int64_t size) {
    return size > 1 && variable("SLURM_JOB_ID") && !variable("SLURM_STEP_ID");
}

/* Rank from 0 and size by the launcher of processes; size 0: there is none. */
static tn_status processes(tn_context *ctx, tn_shard *out) {
    int i = 0;
    *out = (tn_shard){0, 0};
    while (i < LAUNCHERS && !variable(launchers[i].rank) && !variable(launchers[i].size))
        i++;
    /* A job of one task, as those of an array are, has a number and no size. */
    if (i == LAUNCHERS || (i == SLURM && variable(array_id) && !variable(launchers[i].size)))
        return TN_OK;
    TN_TRY(number_of(ctx, launchers[i].rank, 0, &out->index));
    TN_TRY(number_of(ctx, launchers[i].size, 1, &out->count));
    if (out->index >= out->count)
        return tn_fail(ctx, TN_ERR_ARG,
                       "--shard auto: %s is %lld and %s %lld, but numbers go from 0 to %lld; say --shard I/N",
                       launchers[i].rank, (long long)out->index, launchers[i].size, (long long)out->count,
                       (long long)out->count - 1);
    if (i == SLURM && is_lone_script(out->count))
        return tn_fail(ctx, TN_ERR_ARG,
                       "--shard auto: the batch script is one process of a job with room for %lld; start it "
                       "with srun, or say --shard I/N",
                       (long long)out->count);
    return TN_OK;
}

/* The same of SLURM's array. Its numbers may begin anywhere and be a step apart, nothing else. */
static tn_status array_place(tn_context *ctx, tn_shard *out) {
    int64_t id, least, step = 1;
    *out = (tn_shard){0, 0};
    if (!variable(array_id))
        return TN_OK;
    TN_TRY(number_of(ctx, array_id, 0, &id));
    TN_TRY(number_of(ctx, array_count, 1, &out->count));
    TN_TRY(number_of(ctx, array_least, 0, &least));
    if (variable(array_step))
        TN_TRY(number_of(ctx, array_step, 1, &step));
    out->index = (id - least) / step;
    if (id >= least && (id - least) % step == 0 && out->index < out->count)
        return TN_OK;
    return tn_fail(ctx, TN_ERR_ARG,
                   "--shard auto: task %lld is none of the %lld tasks of an array that begins at %lld in "
                   "steps of %lld; number them 1-%lld, or say --shard I/N",
                   (long long)id, (long long)out->count, (long long)least, (long long)step,
                   (long long)out->count);
}

static tn_status from_launcher(tn_context *ctx, tn_shard *out) {
    tn_shard inner, outer;
    TN_TRY(processes(ctx, &inner));
    TN_TRY(array_place(ctx, &outer));
    if (inner.count == 0 && outer.count == 0)
        return tn_fail(
            ctx, TN_ERR_ARG,
            "--shard auto finds no launcher: none of OMPI_COMM_WORLD_RANK, PMI_RANK, SLURM_PROCID, "
            "SLURM_ARRAY_TASK_ID is set; start it with mpirun, srun or sbatch --array, or say "
            "--shard I/N");
    if (inner.count == 0)
        inner.count = 1;
    if (outer.count == 0)
        outer.count = 1;
    out->index = outer.index * inner.count + inner.index + 1;
    out->count = outer.count * inner.count;
    return out->count <= TN_SHARD_MOST
               ? TN_OK
               : tn_fail(ctx, TN_ERR_ARG, "--shard auto: %lld parts are more than %d; say --shard I/N",
                         (long long)out->count, TN_SHARD_MOST);
}

/* Digits alone: a part is no place for 0x1 or 1e0. */
static bool read_whole(const char **text, int64_t *out) {
    size_t digits = strspn(*text, "0123456789");
    *out = digits > 0 && digits <= 9 ? strtoll(*text, NULL, 10) : -1;
    *text += digits;
    return *out >= 0;
}

tn_status tn_shard_parse(tn_context *ctx, const char *text, tn_shard *out) {
    *out = (tn_shard){0, 0};
    if (!text)
        return TN_OK;
    if (strcmp(text, "auto") == 0)
        return from_launcher(ctx, out);
    const char *rest = text;
    bool good = read_whole(&rest, &out->index) && *rest++ == '/' && read_whole(&rest, &out->count) && !*rest;
    if (good && out->index >= 1 && out->index <= out->count && out->count <= TN_SHARD_MOST)
        return TN_OK;
    *out = (tn_shard){0, 0};
    return tn_fail(ctx, TN_ERR_ARG,
                   "--shard '%.40s': the I-th of N parts as I/N, with 1 <= I <= N (at most %d), for example "
                   "2/4, or auto",
                   text, TN_SHARD_MOST);
}

bool tn_shard_has(const tn_shard *shard, const char *name) {
    if (shard->count == 0)
        return true;
    return (int64_t)(XXH64(name, strlen(name), 0) % (uint64_t)shard->count) == shard->index - 1;
}

void tn_shard_print(const tn_shard *shard, char text[TN_SHARD_TEXT]) {
    text[0] = '\0';
    if (shard->count > 0)
        snprintf(text, TN_SHARD_TEXT, "%d/%d", (int)shard->index, (int)shard->count);
}
