/* An OpenCL without a device: one made-up GPU that builds and runs nothing. A program that links it, in place
 * of the loader, makes plans and launches as on a GPU, and learns of each launch what was to be built. */
#ifndef NO_DEVICE_H
#define NO_DEVICE_H

#include <stddef.h>

typedef struct no_device_size {
    unsigned compute_units;
    size_t local_bytes, work_group;
} no_device_size;

typedef struct no_device_launch {
    const char *source, *options, *kernel; /* borrowed while the program stands */
    size_t group;                          /* work-items of a work-group; 0: left to the run-time */
} no_device_launch;

/* What the device says of itself from here on: set before it is opened. */
void no_device_set(no_device_size size);
/* Called for each launch. */
void no_device_listen(void (*launched)(const no_device_launch *launch, void *data), void *data);

#endif
