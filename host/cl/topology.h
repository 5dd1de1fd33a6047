/* Where a device sits in the machine, through hwloc: package, cores, caches, NUMA node, nearest CPUs of a
 * GPU. */
#ifndef TN_TOPOLOGY_H
#define TN_TOPOLOGY_H

#include "device.h"

typedef struct tn_topology {
    int packages, numa_nodes, cores, threads;
    size_t l1d_bytes, l2_bytes, l3_bytes; /* of one cache; 0 where absent */
    char cpu_model[128];
} tn_topology;

typedef struct tn_place {
    int numa_node;      /* −1 unknown */
    char cpus[128];     /* nearest CPUs as a list, "0-15,32-47"; "" unknown */
    const char *method; /* "host cpu", "hwloc opencl", "pci address", "unknown" */
} tn_place;

/* Of the CPUs that this process may run on: a cgroup and taskset may leave it fewer than the machine has. */
tn_status tn_topology_read(tn_context *ctx, tn_topology *out);
/* How many hardware threads these have; `all`: as many as the system has. */
tn_status tn_topology_usable(tn_context *ctx, int *threads, bool *all);
/* Binds this process, all its threads to come included, to the first `cores` of these cores. Before the first
 * call of OpenCL: a run-time's own threads inherit it. TN_ERR_UNSUPPORTED where there are fewer or the system
 * does not let it. */
tn_status tn_topology_bind(tn_context *ctx, int cores);
tn_status tn_topology_place(tn_context *ctx, const tn_device_info *info, tn_place *out);

#endif
