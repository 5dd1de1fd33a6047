/* Cold caches: a buffer larger than the last of them is written over before each timed call. */
#ifndef TN_EVICT_H
#define TN_EVICT_H

#include "buffer.h"

typedef struct tn_evict tn_evict;

/* One and a half times the caches that the device or the machine tells of, at most a gibibyte and what the
 * device allows; a warning says where that is less than the caches. */
tn_status tn_evict_create(tn_device *dev, tn_evict **out);
void tn_evict_destroy(tn_evict *evict); /* NULL is fine */
size_t tn_evict_bytes(const tn_evict *evict);

/* Reads and writes all of it, and waits. */
tn_status tn_evict_run(tn_evict *evict);

#endif
