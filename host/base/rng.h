/* Counter-based random numbers: Philox4x32-10 (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3",
 * SC 2011), from Random123. A stream is (seed, purpose, index); its state is one counter, so any point is
 * reached at once. */
#ifndef TN_RNG_H
#define TN_RNG_H

#include <stdint.h>

typedef struct tn_rng {
    uint32_t key[2];     /* the run's seed */
    uint32_t counter[4]; /* [0] blocks drawn, [1] purpose, [2..3] index */
    uint32_t block[4];
    int left; /* numbers of `block` not handed out yet */
} tn_rng;

/* Purposes keep streams of one seed apart. */
enum tn_rng_purpose {
    TN_RNG_INIT = 1, /* parameter initialisation; index = tensor number */
    TN_RNG_TRAIN,    /* training sequences; index = running number of the sequence */
    TN_RNG_EVAL,     /* held-out sequences; index = number of the sequence */
    TN_RNG_CONTROL,  /* routing of the random control; index = step or batch number */
    TN_RNG_CASE,     /* shapes and data of verify; index = case number */
    TN_RNG_MEASURE,  /* order and data of measurements */
    TN_RNG_GENERATE  /* which token is taken; index = its position */
};

tn_rng tn_rng_make(uint64_t seed, uint32_t purpose, uint64_t index);
void tn_rng_seek(tn_rng *rng, uint64_t number); /* that number of the stream, counted from 0, comes next */
uint32_t tn_rng_u32(tn_rng *rng);
uint32_t tn_rng_below(tn_rng *rng, uint32_t bound); /* uniform in [0, bound), without bias; bound ≥ 1 */
double tn_rng_uniform(tn_rng *rng);                 /* [0, 1), 32 bits */
double tn_rng_normal(tn_rng *rng);                  /* mean 0, deviation 1 (Box–Muller) */
int64_t tn_rng_range(tn_rng *rng, int64_t low, int64_t high); /* uniform in [low, high] */

#endif
