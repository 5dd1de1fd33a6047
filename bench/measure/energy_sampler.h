/* A counter of joules made of a power reading: a thread asks for watts at a steady interval and adds up
 * trapezoids. For devices that tell their power and count no energy. */
#ifndef TN_ENERGY_SAMPLER_H
#define TN_ENERGY_SAMPLER_H

#include "energy.h"

enum {
    TN_SAMPLER_INTERVAL_MS = 20,
    TN_SAMPLER_GAP_MS = 200 /* what the power was between samples further apart nobody knows */
};

typedef struct tn_sampler tn_sampler;
/* False and why where the device does not say. Called by one thread at a time. */
typedef bool (*tn_sampler_watts)(void *data, double *watts, char why[TN_ENERGY_WHY]);

/* `data` is borrowed until the sampler is stopped. TN_ERR_MEMORY where no thread can be had. */
tn_status tn_sampler_start(tn_context *ctx, tn_sampler_watts watts, void *data, tn_sampler **out);
void tn_sampler_stop(tn_sampler *sampler); /* NULL is fine */
/* Microjoules since the start, up to now. False, for good, once a sample failed or came too late. */
bool tn_sampler_microjoules(tn_sampler *sampler, uint64_t *out, char why[TN_ENERGY_WHY]);

#endif
