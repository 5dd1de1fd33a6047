/* Stores past the caches and prefetching, for tensors larger than a CPU's caches. Behind lib/math.cl, in
 * front of every kernel file. */

/* For tensors larger than a CPU's caches. STREAM_STORE bypasses them: the line is not read first, which saves
 * a third of a copy's traffic. p is aligned to its type. The order against other stores is loose until the
 * work-item's thread takes a lock, and every run-time takes one before it calls a kernel done. AHEAD asks for
 * what lies `bytes` behind p, past a tensor's end too: the hardware's own prefetching ends with the page.
 * OpenCL's prefetch() is a function that does nothing here. */
#ifdef __has_builtin
#if __has_builtin(__builtin_nontemporal_store)
#define STREAM_STORE(v, p) __builtin_nontemporal_store(v, p)
#endif
#if __has_builtin(__builtin_prefetch)
#define AHEAD(p, bytes) __builtin_prefetch((const void *)((size_t)(p) + (bytes)))
#endif
#endif
#ifndef STREAM_STORE
#define STREAM_STORE(v, p) (*(p) = (v))
#endif
#ifndef AHEAD
#define AHEAD(p, bytes)
#endif

/* store_part for results that are not read soon. STREAM 1: tensors are larger than the caches; stores bypass
 * them, unless IN_PLACE says that their lines have just been read. p is aligned to whole vectors then
 * (tn_options_rows in host/cl). */
#ifndef STREAM
#define STREAM 0
#endif
#ifndef IN_PLACE
#define IN_PLACE 0
#endif
static inline void store_out(floatv v, global float *p, int left) {
#if STREAM && !IN_PLACE
    if (left >= LANES)
        STREAM_STORE(v, (global floatv *)p);
    else
#endif
        store_part(v, p, left);
}

/* What a CPU's prefetcher should be helped with: the line `ahead` floats behind p, where no pointer may be.
 */
static inline void ask_for(const global float *p, int ahead) {
#if STREAM
    AHEAD(p, 4 * (size_t)ahead);
#endif
}

/* Rows of D floats that lie between a row and the one to ask for meanwhile. */
#define SOON(D) (512 / (D) + 1)

static inline floatv load_ahead(const global float *p, int left) {
    ask_for(p, 512);
    return load_part(p, left);
}
