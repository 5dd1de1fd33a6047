#include "internal.h"

#include <stdlib.h>
#include <string.h>

tn_status tn_elements_check(tn_context *ctx, const char *what, int64_t rows, int64_t width) {
    int64_t count;
    char text[64];
    if (!__builtin_mul_overflow(rows, width, &count) && count <= TN_MOST_ELEMENTS)
        return TN_OK;
    snprintf(text, sizeof text, width == 1 ? "%lld" : "%lld × %lld", (long long)rows, (long long)width);
    return tn_fail(ctx, TN_ERR_UNSUPPORTED,
                   "%s of %s elements is past the %lld that kernels count; try a smaller batch or length",
                   what, text, (long long)TN_MOST_ELEMENTS);
}

/* While launches are watched: a launch that is left out must not find what an earlier buffer left. */
static tn_status clear_watched(tn_buffer *buf) {
    tn_device *dev = buf->dev;
    if (!dev->watch.on)
        return TN_OK;
    dev->watch.on = false; /* this one is not counted */
    tn_status status = tn_buffer_zero(buf);
    dev->watch.on = true;
    return status;
}

tn_status tn_buffer_create(tn_device *dev, size_t bytes, tn_buffer **out) {
    *out = NULL;
    bytes = bytes ? bytes : 4;
    TN_TRY(tn_elements_check(dev->ctx, "a buffer", (int64_t)(bytes / 4), 1));
    /* Asked before the driver is: some answer an oversized request at the first launch only, or by dying. */
    if (dev->info.max_alloc_bytes && bytes > dev->info.max_alloc_bytes)
        return tn_fail(
            dev->ctx, TN_ERR_MEMORY,
            "a buffer of %.1f MiB is past the %.1f MiB that %s allows; try a smaller batch or length",
            (double)bytes / 1048576.0, (double)dev->info.max_alloc_bytes / 1048576.0, dev->info.name);
    tn_buffer *buf;
    TN_TRY(tn_alloc(dev->ctx, 1, sizeof *buf, &buf));
    cl_int code;
    buf->dev = dev;
    buf->bytes = bytes;
    buf->mem = clCreateBuffer(dev->context, CL_MEM_READ_WRITE, bytes, NULL, &code);
    if (!buf->mem) {
        tn_free(dev->ctx, buf);
        return tn_device_fail(dev, code, "a buffer of %zu bytes on %s", bytes, dev->info.name);
    }
    *out = buf;
    return clear_watched(buf);
}

tn_status tn_buffer_need(tn_device *dev, tn_buffer **buf, size_t bytes) {
    if (*buf && tn_buffer_bytes(*buf) >= bytes)
        return TN_OK;
    tn_buffer_destroy(*buf);
    *buf = NULL;
    return tn_buffer_create(dev, bytes, buf);
}

tn_status tn_buffer_view(tn_buffer *parent, size_t offset, size_t bytes, tn_buffer **out) {
    tn_device *dev = parent->dev;
    *out = NULL;
    if (bytes == 0 || offset + bytes > parent->bytes || offset % tn_buffer_align(dev) != 0)
        return tn_fail(dev->ctx, TN_ERR_DEVICE,
                       "view of %zu bytes at %zu does not fit a buffer of %zu (alignment %zu)", bytes, offset,
                       parent->bytes, tn_buffer_align(dev));
    tn_buffer *buf;
    TN_TRY(tn_alloc(dev->ctx, 1, sizeof *buf, &buf));
    cl_int code;
    cl_buffer_region region = {offset, bytes};
    buf->dev = dev;
    buf->bytes = bytes;
    buf->parent = parent;
    buf->offset = offset;
    buf->mem =
        clCreateSubBuffer(parent->mem, CL_MEM_READ_WRITE, CL_BUFFER_CREATE_TYPE_REGION, &region, &code);
    if (!buf->mem) {
        tn_free(dev->ctx, buf);
        return tn_device_fail(dev, code, "a view of %zu bytes at %zu on %s", bytes, offset, dev->info.name);
    }
    *out = buf;
    return TN_OK;
}

void tn_buffer_destroy(tn_buffer *buf) {
    if (!buf)
        return;
    clReleaseMemObject(buf->mem);
    tn_free(buf->dev->ctx, buf);
}

size_t tn_buffer_bytes(const tn_buffer *buf) {
    return buf->bytes;
}

const tn_buffer *tn_buffer_whole(const tn_buffer *buf, size_t *offset) {
    *offset = buf->offset; /* of a view of a view OpenCL makes none */
    return buf->parent ? buf->parent : buf;
}

size_t tn_buffer_align(const tn_device *dev) {
    return dev->info.sub_buffer_align > 64 ? dev->info.sub_buffer_align : 64;
}

void *tn_buffer_raw(const tn_buffer *buf) {
    return buf->mem;
}

static tn_status range_check(const tn_buffer *buf, size_t offset, size_t bytes, const char *what) {
    if (offset <= buf->bytes && bytes <= buf->bytes - offset)
        return TN_OK;
    return tn_fail(buf->dev->ctx, TN_ERR_DEVICE, "%s of %zu bytes at %zu runs past a buffer of %zu bytes",
                   what, bytes, offset, buf->bytes);
}

enum { STAGE = 4 * TN_WRITE_STAGED };

/* *out: a copy of `bytes` at `host` that stands until the device has been waited for; NULL where it is too
 * large for one. The queue is in order: whatever was waited for, all copies before it have been read. */
static tn_status stage(tn_device *dev, size_t bytes, const void *host, const void **out) {
    *out = NULL;
    if (bytes > TN_WRITE_STAGED)
        return TN_OK;
    if (!dev->staged.bytes)
        dev->staged.bytes = malloc(STAGE);
    if (!dev->staged.bytes)
        return tn_fail(dev->ctx, TN_ERR_MEMORY, "no memory for copies of what is written to the device");
    if (dev->staged.used + bytes > STAGE)
        TN_TRY(tn_device_finish(dev));
    unsigned char *at = dev->staged.bytes + dev->staged.used;
    memcpy(at, host, bytes);
    dev->staged.used += (bytes + 63) / 64 * 64;
    *out = at;
    return TN_OK;
}

const unsigned char *tn_staged_kept;

void tn_staged_free(tn_device *dev, bool done) {
    if (done || dev->staged.used == 0)
        free(dev->staged.bytes);
    else
        tn_staged_kept = dev->staged.bytes;
    dev->staged.bytes = NULL;
}

tn_status tn_buffer_write(tn_buffer *buf, size_t offset, size_t bytes, const void *host) {
    const void *copy;
    tn_device *dev = buf->dev;
    TN_TRY(range_check(buf, offset, bytes, "a write"));
    if (bytes == 0)
        return TN_OK;
    TN_TRY(stage(dev, bytes, host, &copy));
    cl_int code = clEnqueueWriteBuffer(dev->queue, buf->mem, copy ? CL_FALSE : CL_TRUE, offset, bytes,
                                       copy ? copy : host, 0, NULL, NULL);
    if (code != CL_SUCCESS)
        return tn_device_fail(dev, code, "writing %zu bytes to the device", bytes);
    dev->counts.copies++;
    if (!copy)
        tn_device_waited(dev);
    return TN_OK;
}

tn_status tn_buffer_read(const tn_buffer *buf, size_t offset, size_t bytes, void *host) {
    TN_TRY(range_check(buf, offset, bytes, "a read"));
    if (bytes == 0)
        return tn_device_finish(buf->dev);
    cl_int code = clEnqueueReadBuffer(buf->dev->queue, buf->mem, CL_TRUE, offset, bytes, host, 0, NULL, NULL);
    if (code != CL_SUCCESS)
        return tn_device_fail(buf->dev, code, "reading %zu bytes from the device", bytes);
    buf->dev->counts.copies++;
    tn_device_waited(buf->dev);
    return TN_OK;
}

tn_status tn_buffer_copy(tn_buffer *to, size_t to_offset, const tn_buffer *from, size_t from_offset,
                         size_t bytes) {
    TN_TRY(range_check(to, to_offset, bytes, "a copy"));
    TN_TRY(range_check(from, from_offset, bytes, "a copy"));
    if (bytes == 0 || tn_launch_dropped(to->dev, "a copy"))
        return TN_OK;
    to->dev->counts.copies++;
    cl_int code =
        clEnqueueCopyBuffer(to->dev->queue, from->mem, to->mem, from_offset, to_offset, bytes, 0, NULL, NULL);
    return code == CL_SUCCESS ? TN_OK
                              : tn_device_fail(to->dev, code, "copying %zu bytes on the device", bytes);
}

tn_status tn_buffer_fill_u32(tn_buffer *buf, size_t offset, size_t bytes, uint32_t pattern) {
    TN_TRY(range_check(buf, offset, bytes, "a fill"));
    if (bytes == 0 || tn_launch_dropped(buf->dev, "a fill"))
        return TN_OK;
    buf->dev->counts.copies++;
    cl_int code = clEnqueueFillBuffer(buf->dev->queue, buf->mem, &pattern, sizeof pattern, offset, bytes, 0,
                                      NULL, NULL);
    return code == CL_SUCCESS ? TN_OK
                              : tn_device_fail(buf->dev, code, "filling %zu bytes on the device", bytes);
}

tn_status tn_buffer_zero(tn_buffer *buf) {
    return tn_buffer_fill_u32(buf, 0, buf->bytes / 4 * 4, 0);
}

tn_status tn_device_scratch(tn_device *dev, int slot, size_t bytes, tn_buffer **out) {
    tn_buffer **kept = &dev->scratch[slot];
    if (!*kept || (*kept)->bytes < bytes) {
        /* The old block may still be read by queued kernels: OpenCL keeps it alive until they are done. */
        size_t grown = *kept ? (*kept)->bytes + (*kept)->bytes / 2 : 0;
        if (grown > (size_t)TN_MOST_ELEMENTS * 4 ||
            (dev->info.max_alloc_bytes && grown > dev->info.max_alloc_bytes))
            grown = 0;
        tn_buffer *fresh;
        TN_TRY(tn_buffer_create(dev, bytes > grown ? bytes : grown, &fresh));
        tn_buffer_destroy(*kept);
        *kept = fresh;
    }
    *out = *kept;
    return TN_OK;
}
