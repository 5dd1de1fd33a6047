/* Device memory. Buffers only, counted as live objects; views share a parent's memory. */
#ifndef TN_BUFFER_H
#define TN_BUFFER_H

#include "device.h"

typedef struct tn_buffer tn_buffer;

/* Kernels count elements in 32 bits, floats and ints alike, and the last, padded items of a launch begin past
 * the end of what there is to do: no buffer has more elements of 4 bytes. */
#define TN_MOST_ELEMENTS ((int64_t)INT32_MAX - (1 << 27))
/* TN_ERR_UNSUPPORTED where `rows` × `width` elements of `what` are more; counts of any size. */
tn_status tn_elements_check(tn_context *ctx, const char *what, int64_t rows, int64_t width);

/* Exactly `bytes` long (0 gives 4): kernels may not read past the end. TN_ERR_UNSUPPORTED past
 * TN_MOST_ELEMENTS, TN_ERR_MEMORY past the device's allocation limit, saying both sizes. */
tn_status tn_buffer_create(tn_device *dev, size_t bytes, tn_buffer **out);
/* Makes `*buf`, or NULL there, at least `bytes` long; contents are lost when it grows. NULL after a failure.
 */
tn_status tn_buffer_need(tn_device *dev, tn_buffer **buf, size_t bytes);
/* A view of `bytes` at `offset` (a multiple of tn_buffer_align) of `parent`, which must outlive it. */
tn_status tn_buffer_view(tn_buffer *parent, size_t offset, size_t bytes, tn_buffer **out);
void tn_buffer_destroy(tn_buffer *buf); /* NULL is fine */

size_t tn_buffer_bytes(const tn_buffer *buf);
/* The buffer that `buf` is a view of, itself where it is none, and the bytes before it there. Borrowed. */
const tn_buffer *tn_buffer_whole(const tn_buffer *buf, size_t *offset);
size_t tn_buffer_align(const tn_device *dev); /* alignment of views in bytes, at least 64 */
void *tn_buffer_raw(const tn_buffer *buf);    /* cl_mem, for ops/gemm.c and CLBlast */

/* write has its own copy of what is at `host` before it returns, and does not wait for the device up to
 * TN_WRITE_STAGED bytes; read waits for all queued work. Offsets and sizes in bytes, checked. */
enum { TN_WRITE_STAGED = 1 << 20 };
tn_status tn_buffer_write(tn_buffer *buf, size_t offset, size_t bytes, const void *host);
tn_status tn_buffer_read(const tn_buffer *buf, size_t offset, size_t bytes, void *host);
tn_status tn_buffer_copy(tn_buffer *to, size_t to_offset, const tn_buffer *from, size_t from_offset,
                         size_t bytes);
/* Fills with a repeated 32-bit pattern; offset and bytes are multiples of 4. tn_buffer_zero: all of it with
 * zeros. */
tn_status tn_buffer_fill_u32(tn_buffer *buf, size_t offset, size_t bytes, uint32_t pattern);
tn_status tn_buffer_zero(tn_buffer *buf);

/* Scratch for one op's inside, valid until the same slot (0..3) is asked for again; in-order queue makes that
 * safe across ops. Borrowed: never destroy it. Grows when needed, so a step that has run once allocates
 * nothing. */
enum { TN_SCRATCH_SLOTS = 4 };
tn_status tn_device_scratch(tn_device *dev, int slot, size_t bytes, tn_buffer **out);

#endif
