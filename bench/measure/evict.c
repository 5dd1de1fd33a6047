#include "evict.h"

#include "launch.h"
#include "style.h"
#include "topology.h"

struct tn_evict {
    tn_device *dev; /* borrowed */
    tn_buffer *buffer;
    int lanes, group;
    int64_t vectors, items;
};

static const size_t unknown_cache = (size_t)64 << 20, most = (size_t)1 << 30;

/* What is shared by all of the machine counts: a CPU's own answer is often that of one cache. */
static tn_status cache_bytes(tn_device *dev, size_t *out) {
    const tn_device_info *info = tn_device_get_info(dev);
    tn_topology topology;
    *out = info->cache_bytes;
    if (info->kind == TN_KIND_CPU) {
        TN_TRY(tn_topology_read(tn_device_context(dev), &topology));
        size_t l2 = topology.l2_bytes * (size_t)topology.cores,
               l3 = topology.l3_bytes * (size_t)topology.packages;
        *out = *out > l2 ? *out : l2;
        *out = *out > l3 ? *out : l3;
    }
    if (*out == 0)
        *out = unknown_cache;
    return TN_OK;
}

static size_t least(size_t a, size_t b) {
    return a < b ? a : b;
}

tn_status tn_evict_create(tn_device *dev, tn_evict **out) {
    tn_context *ctx = tn_device_context(dev);
    const tn_device_info *info = tn_device_get_info(dev);
    bool cpu = tn_device_style(dev) == TN_STYLE_THREADS;
    size_t caches, bytes;
    *out = NULL;
    TN_TRY(cache_bytes(dev, &caches));
    bytes = least(least(caches + caches / 2, most), least(info->max_alloc_bytes, info->global_bytes / 4));
    if (bytes <= caches)
        tn_warn(
            ctx,
            "%s: a buffer of %zu MiB does not write over caches of %zu MiB wholly; times are less than cold",
            info->name, bytes >> 20, caches >> 20);
    TN_TRY(tn_alloc(ctx, 1, sizeof **out, out));
    tn_evict *e = *out;
    e->dev = dev;
    e->lanes = cpu ? 16 : 4;
    e->group = cpu ? 1 : 256;
    e->items = (int64_t)(info->compute_units ? info->compute_units : 1) * (cpu ? 64 : 2048);
    e->vectors = (int64_t)(bytes / sizeof(float)) / e->lanes;
    tn_status status = tn_buffer_create(dev, (size_t)(e->vectors * e->lanes) * sizeof(float), &e->buffer);
    if (status == TN_OK)
        status = tn_buffer_zero(e->buffer);
    if (status != TN_OK) {
        tn_fail_prefix(ctx, "cold caches");
        tn_evict_destroy(e);
        *out = NULL;
    }
    return status;
}

void tn_evict_destroy(tn_evict *e) {
    if (!e)
        return;
    tn_buffer_destroy(e->buffer);
    tn_free(tn_device_context(e->dev), e);
}

size_t tn_evict_bytes(const tn_evict *e) {
    return tn_buffer_bytes(e->buffer);
}

tn_status tn_evict_run(tn_evict *e) {
    tn_options options = {""};
    tn_kernel *k;
    tn_options_int(&options, "LANES", e->lanes);
    tn_options_int(&options, "CHUNKED", e->group == 1);
    TN_TRY(tn_kernel_get(e->dev, "roofline", "roofline_touch", &options, &k));
    TN_TRY(tn_launch(e->dev, k, tn_range_1d((size_t)e->items, tn_kernel_group(k, (size_t)e->group)),
                     tn_arg_buffer(e->buffer), tn_arg_i32(e->vectors), tn_arg_i32(e->items)));
    return tn_device_finish(e->dev);
}
