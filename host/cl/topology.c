#include "internal.h"
#include "topology.h"
#include "utf8.h"

#include <errno.h>
#include <hwloc.h>
#include <hwloc/opencl.h>
#include <string.h>

static size_t cache_bytes(hwloc_topology_t topology, hwloc_obj_type_t type) {
    hwloc_obj_t cache = hwloc_get_obj_by_type(topology, type, 0);
    return cache ? cache->attr->cache.size : 0;
}

static tn_status load(tn_context *ctx, hwloc_topology_t *out) {
    if (hwloc_topology_init(out) != 0)
        return tn_fail(ctx, TN_ERR_DEVICE, "hwloc cannot start");
    hwloc_topology_set_io_types_filter(*out, HWLOC_TYPE_FILTER_KEEP_IMPORTANT);
    if (hwloc_topology_load(*out) != 0) {
        hwloc_topology_destroy(*out);
        return tn_fail(ctx, TN_ERR_DEVICE, "hwloc cannot read this machine's topology");
    }
    return TN_OK;
}

/* The CPUs that this process may run on: hwloc leaves out what its cgroup forbids, and taskset's mask is that
 * of the calling thread. NULL without memory. */
static hwloc_bitmap_t usable_set(hwloc_topology_t topology) {
    hwloc_bitmap_t set = hwloc_bitmap_alloc();
    if (!set)
        return NULL;
    if (hwloc_get_cpubind(topology, set, HWLOC_CPUBIND_THREAD) != 0)
        hwloc_bitmap_copy(set, hwloc_topology_get_allowed_cpuset(topology));
    hwloc_bitmap_and(set, set, hwloc_topology_get_allowed_cpuset(topology));
    if (hwloc_bitmap_iszero(set))
        hwloc_bitmap_copy(set, hwloc_topology_get_allowed_cpuset(topology));
    return set;
}

/* The topology without the CPUs that this process may not run on; devices that hang on these alone go, too.
 */
static tn_status load_usable(tn_context *ctx, hwloc_topology_t *out) {
    TN_TRY(load(ctx, out));
    hwloc_bitmap_t set = usable_set(*out);
    int code = set ? hwloc_topology_restrict(*out, set, 0) : -1;
    hwloc_bitmap_free(set);
    if (code == 0)
        return TN_OK;
    hwloc_topology_destroy(*out);
    return tn_fail(ctx, TN_ERR_DEVICE, "hwloc cannot keep to the CPUs that this process may use");
}

tn_status tn_topology_usable(tn_context *ctx, int *threads, bool *all) {
    hwloc_topology_t topology;
    TN_TRY(load(ctx, &topology));
    hwloc_bitmap_t set = usable_set(topology);
    int have = hwloc_get_nbobjs_by_type(topology, HWLOC_OBJ_PU);
    *threads = set ? hwloc_bitmap_weight(set) : have;
    *all = *threads >= have;
    hwloc_bitmap_free(set);
    hwloc_topology_destroy(topology);
    return TN_OK;
}

tn_status tn_topology_read(tn_context *ctx, tn_topology *out) {
    *out = (tn_topology){0};
    hwloc_topology_t topology;
    TN_TRY(load_usable(ctx, &topology));
    out->packages = hwloc_get_nbobjs_by_type(topology, HWLOC_OBJ_PACKAGE);
    out->numa_nodes = hwloc_get_nbobjs_by_type(topology, HWLOC_OBJ_NUMANODE);
    out->cores = hwloc_get_nbobjs_by_type(topology, HWLOC_OBJ_CORE);
    out->threads = hwloc_get_nbobjs_by_type(topology, HWLOC_OBJ_PU);
    out->l1d_bytes = cache_bytes(topology, HWLOC_OBJ_L1CACHE);
    out->l2_bytes = cache_bytes(topology, HWLOC_OBJ_L2CACHE);
    out->l3_bytes = cache_bytes(topology, HWLOC_OBJ_L3CACHE);
    hwloc_obj_t package = hwloc_get_obj_by_type(topology, HWLOC_OBJ_PACKAGE, 0);
    const char *model = package ? hwloc_obj_get_info_by_name(package, "CPUModel") : NULL;
    if (!model)
        model = hwloc_obj_get_info_by_name(hwloc_get_root_obj(topology), "CPUModel");
    snprintf(out->cpu_model, sizeof out->cpu_model, "%s", model ? model : "unknown");
    tn_utf8_clean(out->cpu_model);
    hwloc_topology_destroy(topology);
    return TN_OK;
}

tn_status tn_topology_bind(tn_context *ctx, int cores) {
    hwloc_topology_t topology;
    char cpus[128];
    TN_TRY(load_usable(ctx, &topology));
    tn_status status = TN_OK;
    int have = hwloc_get_nbobjs_by_type(topology, HWLOC_OBJ_CORE);
    hwloc_bitmap_t set = hwloc_bitmap_alloc();
    for (int i = 0; set && i < cores && i < have; i++)
        hwloc_bitmap_or(set, set, hwloc_get_obj_by_type(topology, HWLOC_OBJ_CORE, (unsigned)i)->cpuset);
    hwloc_bitmap_list_snprintf(cpus, sizeof cpus, hwloc_topology_get_topology_cpuset(topology));
    if (cores > have)
        status = tn_fail(ctx, TN_ERR_UNSUPPORTED, "this process may run on %d core%s (CPU%s %s), not on %d",
                         have, have == 1 ? "" : "s",
                         hwloc_bitmap_weight(hwloc_topology_get_topology_cpuset(topology)) == 1 ? "" : "s",
                         cpus, cores);
    else if (!set || hwloc_set_cpubind(topology, set, HWLOC_CPUBIND_PROCESS) != 0)
        status = tn_fail(ctx, TN_ERR_UNSUPPORTED, "the system does not bind a process to %d of its cores: %s",
                         cores, strerror(errno));
    hwloc_bitmap_free(set);
    hwloc_topology_destroy(topology);
    return status;
}

static void place_from_set(hwloc_topology_t topology, hwloc_const_cpuset_t set, tn_place *out) {
    hwloc_bitmap_list_snprintf(out->cpus, sizeof out->cpus, set);
    hwloc_nodeset_t nodes = hwloc_bitmap_alloc();
    if (nodes) {
        hwloc_cpuset_to_nodeset(topology, set, nodes);
        if (hwloc_bitmap_weight(nodes) == 1)
            out->numa_node = hwloc_bitmap_first(nodes);
        hwloc_bitmap_free(nodes);
    }
}

static bool place_by_address(hwloc_topology_t topology, const char *address, tn_place *out) {
    unsigned domain, bus, slot, function;
    if (sscanf(address, "%x:%x:%x.%x", &domain, &bus, &slot, &function) != 4)
        return false;
    hwloc_obj_t pci = hwloc_get_pcidev_by_busid(topology, domain, bus, slot, function);
    if (pci)
        place_from_set(topology, hwloc_get_non_io_ancestor_obj(topology, pci)->cpuset, out);
    return pci != NULL;
}

tn_status tn_topology_place(tn_context *ctx, const tn_device_info *info, tn_place *out) {
    *out = (tn_place){.numa_node = -1, .method = "unknown"};
    hwloc_topology_t topology;
    TN_TRY(load(ctx, &topology));
    hwloc_bitmap_t set = hwloc_bitmap_alloc();
    if (set && info->kind == TN_KIND_CPU) {
        hwloc_bitmap_free(set);
        set = usable_set(topology);
        if (set)
            place_from_set(topology, set, out);
        out->method = "host cpu";
    } else if (set && place_by_address(topology, info->pci, out)) {
        out->method = "pci address";
    } else if (set && hwloc_opencl_get_device_cpuset(topology, info->cl_device, set) == 0) {
        /* AMD and NVIDIA only; elsewhere hwloc answers with the whole machine, which says nothing. */
        place_from_set(topology, set, out);
        out->method = hwloc_bitmap_isequal(set, hwloc_topology_get_topology_cpuset(topology))
                          ? "unknown"
                          : "hwloc opencl";
    }
    hwloc_bitmap_free(set);
    hwloc_topology_destroy(topology);
    return TN_OK;
}
