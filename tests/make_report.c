/* make_report OUT PATH…: the page as the tests look at it, without the program around it. */
#include "report.h"

int main(int argc, char **argv) {
    tn_context ctx = {.quiet = true};
    if (argc < 3) {
        fputs("usage: make_report OUT PATH...\n", stderr);
        return 2;
    }
    tn_status status = tn_report_write(&ctx, (const char *const *)argv + 2, (size_t)argc - 2, argv[1]);
    if (status != TN_OK)
        fprintf(stderr, "make_report: %s\n", ctx.message);
    return tn_status_exit_code(status);
}
