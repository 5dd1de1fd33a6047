/* Rows of one grid that several processes measured in parts (column `shard`, "2/4"): whether a part is
 * missing, a cell is there twice, or builds were mixed. Rows of whole grids, whose shard is empty, are none
 * of this. */
#ifndef TN_SHARDS_H
#define TN_SHARDS_H

#include "csv_table.h"
#include "name_index.h"

/* Where something stands. */
typedef struct tn_shard_place {
    const char *file; /* of `texts`, as all that is borrowed here */
    long line;
} tn_shard_place;

/* All parts of one grid: the same device, seed, build and number of parts. */
typedef struct tn_shard_set {
    tn_shard_place at; /* the first row of it */
    const char *device, *version;
    const char *command; /* "sweep" or "study" */
    long count;          /* of parts */
    long *parts;         /* [part_count] those that have rows, some several times */
    size_t part_count, part_capacity;
    size_t family; /* equal of sets that differ by the build alone */
} tn_shard_set;

typedef struct tn_shards {
    tn_context *ctx;
    tn_names set_names, families, cells, texts;
    tn_shard_set *sets; /* [set_names.count] */
    size_t set_capacity;
    tn_shard_place *first; /* [cells.count] where each cell came first */
    size_t first_capacity;
} tn_shards;

tn_shards tn_shards_none(tn_context *ctx);
/* Adds the rows of a cost table, and finds out whether it has several cards of one name; of a study's table
 * one row. TN_ERR_INPUT, naming both files and lines, where a cell is there already: two measurements of one
 * cell are not one grid. */
tn_status tn_shards_add(tn_shards *s, tn_csv *costs);
tn_status tn_shards_add_study(tn_shards *s, const tn_csv *study, size_t row);

/* One call for each part that is missing and each further build, behind the last row: where, and what. */
typedef tn_status (*tn_shard_note)(void *user, const tn_shard_place *at, const char *why);
tn_status tn_shards_notes(tn_shards *s, tn_shard_note note, void *user);
/* TN_ERR_INPUT, naming both, where two builds measured parts of one grid. */
tn_status tn_shards_one_build(const tn_shards *s);
void tn_shards_free(tn_shards *s); /* fine on a zeroed one */

/* Files with parts of one grid become one table, called "a.csv and 3 more": its curves have points in all of
 * them. Fewer tables are left in `*count`. */
tn_status tn_shards_join(tn_context *ctx, tn_csv *tables, size_t *count);

#endif
