/* The context every fallible function takes first: it holds the last error's words, counts live objects and
 * says how loud to be. No globals; a program makes one context and passes it down. */
#ifndef TN_CONTEXT_H
#define TN_CONTEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

typedef enum tn_status {
    TN_OK = 0,
    TN_ERR_CHECK,       /* a comparison failed (verify, compare)               → exit 1 */
    TN_ERR_ARG,         /* bad option, shape, op or device name                → exit 2 */
    TN_ERR_INPUT,       /* a file is missing, truncated or of another schema   → exit 2 */
    TN_ERR_OUTPUT,      /* an output cannot be opened: no such folder, a lock  → exit 2 */
    TN_ERR_WRITE,       /* writing failed under way: disk full, closed pipe    → exit 3 */
    TN_ERR_MEMORY,      /* host or device memory ran out                       → exit 3 */
    TN_ERR_DEVICE,      /* OpenCL said no                                      → exit 3 */
    TN_ERR_LOST,        /* the device is gone for this process             → exit 3 */
    TN_ERR_UNSUPPORTED, /* the device or kernel cannot do this shape           → exit 3 */
    TN_ERR_INTERRUPTED  /* Ctrl-C; what was saved stands                       → exit 3 */
} tn_status;

typedef struct tn_context {
    tn_status status;   /* of the last failure */
    char message[8192]; /* of the last failure: what failed, on what, what to try; build log where there is
                           one */
    long live;          /* objects and host blocks not yet destroyed; 0 at the end of every test */
    bool quiet;         /* no progress on stderr */
} tn_context;

/* Records a failure with its place and returns `status`, so `return tn_fail(...)` reads well. */
#define tn_fail(ctx, status, ...) tn_fail_at((ctx), (status), __FILE__, __LINE__, __VA_ARGS__)
tn_status tn_fail_at(tn_context *ctx, tn_status status, const char *file, int line, const char *format, ...)
    __attribute__((format(printf, 5, 6)));

/* Puts "prefix: " before the recorded message: callers add which op, file or row it was. Returns ctx->status.
 */
tn_status tn_fail_prefix(tn_context *ctx, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Passes a failure up. */
#define TN_TRY(expr)                                                                                         \
    do {                                                                                                     \
        tn_status tn_try_status_ = (expr);                                                                   \
        if (tn_try_status_ != TN_OK)                                                                         \
            return tn_try_status_;                                                                           \
    } while (0)

/* The same where something must be released: sets the local `status` and jumps to `cleanup`. */
#define TN_GO(expr)                                                                                          \
    do {                                                                                                     \
        status = (expr);                                                                                     \
        if (status != TN_OK)                                                                                 \
            goto cleanup;                                                                                    \
    } while (0)

const char *tn_status_name(tn_status status);
int tn_status_exit_code(tn_status status);

/* Zeroed host memory, counted in ctx->live. `*out` is set to NULL on failure. Caller frees with tn_free. */
tn_status tn_alloc(tn_context *ctx, size_t count, size_t size, void *out);
void tn_free(tn_context *ctx, void *block);                         /* NULL is fine */
tn_status tn_strdup(tn_context *ctx, const char *text, char **out); /* caller frees */
/* Grows `*block` (from tn_alloc or NULL) to hold at least `need` items, doubling `*capacity`. New items are
 * zero. */
tn_status tn_grow(tn_context *ctx, void *block, size_t *capacity, size_t need, size_t size);

/* A warning or note on stderr, one line, also with `quiet`. */
void tn_warn(tn_context *ctx, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Progress on stderr: nothing with `quiet`. On a terminal the line, cut to its width, replaces the one
 * before it; elsewhere, and where TERM is "dumb", a plain line. */
void tn_progress(tn_context *ctx, const char *format, ...) __attribute__((format(printf, 2, 3)));
void tn_progress_end(tn_context *ctx); /* ends the replaced line, if any */

/* SIGINT, SIGTERM and SIGHUP set a flag; long loops ask for it and stop cleanly. A second signal ends the
 * process, without half-written files; on a terminal the first one says so. */
void tn_interrupt_install(void);
bool tn_interrupted(void);

#endif
