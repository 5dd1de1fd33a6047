#include "rng.h"

#include <math.h>

#include <Random123/philox.h>

tn_rng tn_rng_make(uint64_t seed, uint32_t purpose, uint64_t index) {
    tn_rng rng = {.key = {(uint32_t)seed, (uint32_t)(seed >> 32)},
                  .counter = {0, purpose, (uint32_t)index, (uint32_t)(index >> 32)},
                  .left = 0};
    return rng;
}

void tn_rng_seek(tn_rng *rng, uint64_t number) {
    rng->counter[0] = (uint32_t)(number / 4);
    rng->left = 0;
    for (uint64_t i = 0; i < number % 4; i++)
        (void)tn_rng_u32(rng);
}

uint32_t tn_rng_u32(tn_rng *rng) {
    if (rng->left == 0) {
        philox4x32_key_t key = {{rng->key[0], rng->key[1]}};
        philox4x32_ctr_t counter = {{rng->counter[0], rng->counter[1], rng->counter[2], rng->counter[3]}};
        philox4x32_ctr_t block = philox4x32(counter, key);
        for (int i = 0; i < 4; i++)
            rng->block[i] = block.v[i];
        rng->counter[0]++;
        rng->left = 4;
    }
    return rng->block[4 - rng->left--];
}

uint32_t tn_rng_below(tn_rng *rng, uint32_t bound) {
    /* Lemire's method: multiply and reject the few values that would bias the low results. */
    uint64_t product = (uint64_t)tn_rng_u32(rng) * bound;
    if ((uint32_t)product < bound) {
        uint32_t threshold = -bound % bound;
        while ((uint32_t)product < threshold)
            product = (uint64_t)tn_rng_u32(rng) * bound;
    }
    return (uint32_t)(product >> 32);
}

double tn_rng_uniform(tn_rng *rng) {
    return tn_rng_u32(rng) * (1.0 / 4294967296.0);
}

double tn_rng_normal(tn_rng *rng) {
    double u = (tn_rng_u32(rng) + 1.0) * (1.0 / 4294967296.0); /* (0, 1]: the logarithm stays finite */
    double v = tn_rng_uniform(rng);
    return sqrt(-2.0 * log(u)) * cos(6.283185307179586476925 * v);
}

int64_t tn_rng_range(tn_rng *rng, int64_t low, int64_t high) {
    return low + (int64_t)tn_rng_below(rng, (uint32_t)(high - low + 1));
}
