/* Devices side by side by work: which is faster, by how much, and how well that is known. */
#ifndef TN_ACROSS_H
#define TN_ACROSS_H

#include "lineup.h"
#include "text_table.h"

/* A device at a work. */
typedef struct tn_across_place {
    const tn_lineup_cell *cell;
    double ms;      /* geometric mean of its runs' medians */
    tn_ratio ratio; /* it / the fastest; of the fastest itself 1 */
    tn_call call;   /* SLOWER: than the fastest, surely */
} tn_across_place;

typedef struct tn_across_work {
    const tn_lineup_work *work;
    tn_across_place *places; /* [count] fastest first, devices that have it measured */
    size_t count;
    bool sure; /* the fastest is so for certain: the next is slower by the rule that `compare` has */
} tn_across_work;

typedef struct tn_across_device {
    size_t measured, fastest,
        sure;       /* works: measured on it and another; where it is the fastest; surely so */
    double behind;  /* median of its ratios to the fastest */
    double between; /* standard deviation of a row's log from run to run */
    bool repeated;  /* that is from several runs; else given or assumed */
} tn_across_device;

typedef struct tn_across {
    tn_lineup lineup;
    tn_lineup_options options;
    tn_across_work *works; /* those that two devices or more have measured */
    size_t count;
    tn_across_place *places;   /* of all works */
    tn_across_device *devices; /* [lineup.column_count] */
    size_t alone;              /* works that one device has alone */
} tn_across;

/* TN_ERR_INPUT besides what tn_lineup_make has: rows of one device alone, no work in common. */
tn_status tn_across_make(tn_context *ctx, const char *const *paths, size_t count, bool any_host,
                         const tn_lineup_options *options, tn_across *out);
void tn_across_free(tn_across *a); /* fine on a zeroed or failed one */
/* For people two devices as two columns, more as the fastest and the next; CSV and JSON: a row for every work
 * and device (docs/schema.md). */
tn_status tn_across_print(const tn_across *a, FILE *stream, tn_table_format format);

#endif
