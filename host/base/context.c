#include "context.h"

#include "aside.h"

#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

tn_status tn_fail_at(tn_context *ctx, tn_status status, const char *file, int line, const char *format, ...) {
    const char *slash = strrchr(file, '/');
    va_list args;
    va_start(args, format);
    int used = vsnprintf(ctx->message, sizeof ctx->message, format, args);
    va_end(args);
    if (used < 0)
        used = 0;
    /* Mistakes of a user need no source line; failures of a device or of memory do. */
    if (status == TN_ERR_DEVICE || status == TN_ERR_LOST || status == TN_ERR_MEMORY ||
        status == TN_ERR_UNSUPPORTED) {
        if ((size_t)used < sizeof ctx->message)
            snprintf(ctx->message + used, sizeof ctx->message - (size_t)used, " [%s:%d]",
                     slash ? slash + 1 : file, line);
    }
    ctx->status = status;
    return status;
}

tn_status tn_fail_prefix(tn_context *ctx, const char *format, ...) {
    char old[sizeof ctx->message];
    memcpy(old, ctx->message, sizeof old);
    va_list args;
    va_start(args, format);
    int used = vsnprintf(ctx->message, sizeof ctx->message, format, args);
    va_end(args);
    if (used >= 0 && (size_t)used + 3 < sizeof ctx->message) {
        size_t left =
            sizeof ctx->message - (size_t)used - 3; /* a long message loses its end, not its prefix */
        snprintf(ctx->message + used, left + 3, ": %.*s", (int)left, old);
    }
    return ctx->status;
}

const char *tn_status_name(tn_status status) {
    switch (status) {
    case TN_OK:
        return "ok";
    case TN_ERR_CHECK:
        return "check failed";
    case TN_ERR_ARG:
        return "bad argument";
    case TN_ERR_INPUT:
        return "bad input";
    case TN_ERR_OUTPUT:
        return "cannot write";
    case TN_ERR_WRITE:
        return "writing failed";
    case TN_ERR_MEMORY:
        return "out of memory";
    case TN_ERR_DEVICE:
        return "device failure";
    case TN_ERR_LOST:
        return "device lost";
    case TN_ERR_UNSUPPORTED:
        return "unsupported";
    case TN_ERR_INTERRUPTED:
        return "interrupted";
    }
    return "unknown status";
}

int tn_status_exit_code(tn_status status) {
    switch (status) {
    case TN_OK:
        return 0;
    case TN_ERR_CHECK:
        return 1;
    case TN_ERR_ARG:
    case TN_ERR_INPUT:
    case TN_ERR_OUTPUT:
        return 2;
    default:
        return 3;
    }
}

tn_status tn_alloc(tn_context *ctx, size_t count, size_t size, void *out) {
    void *block = calloc(count ? count : 1, size ? size : 1);
    memcpy(out, &block, sizeof block);
    if (!block)
        return tn_fail(ctx, TN_ERR_MEMORY,
                       "out of host memory for %zu × %zu bytes; try a smaller batch or length", count, size);
    ctx->live++;
    return TN_OK;
}

void tn_free(tn_context *ctx, void *block) {
    if (!block)
        return;
    free(block);
    ctx->live--;
}

tn_status tn_strdup(tn_context *ctx, const char *text, char **out) {
    size_t length = strlen(text) + 1;
    TN_TRY(tn_alloc(ctx, length, 1, out));
    memcpy(*out, text, length);
    return TN_OK;
}

tn_status tn_grow(tn_context *ctx, void *block, size_t *capacity, size_t need, size_t size) {
    if (need <= *capacity)
        return TN_OK;
    size_t wanted = *capacity ? *capacity : 16;
    while (wanted < need)
        wanted *= 2;
    void *old;
    memcpy(&old, block, sizeof old);
    void *grown = realloc(old, wanted * size);
    if (!grown)
        return tn_fail(ctx, TN_ERR_MEMORY, "out of host memory for %zu × %zu bytes", wanted, size);
    if (!old)
        ctx->live++;
    memset((char *)grown + *capacity * size, 0, (wanted - *capacity) * size);
    memcpy(block, &grown, sizeof grown);
    *capacity = wanted;
    return TN_OK;
}

void tn_warn(tn_context *ctx, const char *format, ...) {
    (void)ctx;
    va_list args;
    va_start(args, format);
    fputs("turnout: ", stderr);
    vfprintf(stderr, format, args);
    fputc('\n', stderr);
    va_end(args);
}

static volatile sig_atomic_t interrupt_seen, interrupt_told;

/* What runs on a device cannot be called back: whoever waits is told what the second signal does. */
static void on_interrupt(int number) {
    static const char words[] = "\nstopping when the work at hand is done; once more ends it at once\n";
    if (interrupt_seen) {
        tn_aside_unlink_all();
        signal(number, SIG_DFL);
        raise(number);
    }
    interrupt_seen = 1;
    if (interrupt_told && write(STDERR_FILENO, words, sizeof words - 1) < 0)
        interrupt_told = 0;
}

void tn_interrupt_install(void) {
    struct sigaction action, before;
    memset(&action, 0, sizeof action);
    interrupt_told = isatty(STDERR_FILENO);
    action.sa_handler = on_interrupt;
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    if (sigaction(SIGHUP, NULL, &before) == 0 && before.sa_handler != SIG_IGN) /* nohup wants it ignored */
        sigaction(SIGHUP, &action, NULL);
}

bool tn_interrupted(void) {
    return interrupt_seen != 0;
}
