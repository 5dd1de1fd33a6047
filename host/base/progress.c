#include "context.h"

#include "terminal.h"

#include <stdarg.h>

void tn_progress(tn_context *ctx, const char *format, ...) {
    char line[1000];
    va_list args;
    if (ctx->quiet)
        return;
    va_start(args, format);
    vsnprintf(line, sizeof line, format, args);
    va_end(args);
    if (tn_terminal_redraws(stderr)) { /* a line that wraps could not be replaced */
        int columns = tn_terminal_columns(stderr);
        fprintf(stderr, "\r\033[K%.*s", tn_text_fitting(line, columns > 1 ? columns - 1 : 0), line);
    } else {
        fprintf(stderr, "%s\n", line);
    }
    fflush(stderr);
}

void tn_progress_end(tn_context *ctx) {
    if (!ctx->quiet && tn_terminal_redraws(stderr))
        fputs("\r\033[K", stderr);
}
