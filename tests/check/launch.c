/* launch OP PASS SHAPE [VARIANT]: one call of an op on the device, with random inputs, and what ran: "op
 * variant style chosen", tabs between. Without VARIANT what the device takes by itself. Exit 4 where VARIANT
 * does not fit. launch --list OP: its variants and passes, a line each: "variant style portable passes…". */
#include "case.h"

#include <string.h>

enum { NOT_FIT = 4 };

static tn_status run(tn_device *dev, const tn_case *c, int pass, const char *text, const char *name,
                     bool *fits) {
    tn_context *ctx = tn_device_context(dev);
    const tn_op *op = tn_op_find(c->op);
    tn_shape shape;
    tn_problem p;
    TN_TRY(tn_shape_parse(ctx, c, text, &shape));
    if (name)
        TN_TRY(tn_variant_try(dev, op, tn_variant_find(op, name)));
    TN_TRY(tn_problem_make(ctx, dev, c, pass, &shape, 1, &p));
    tn_status status = tn_problem_upload(&p);
    if (status == TN_OK)
        status = c->run(dev, &shape, pass, p.tensors);
    *fits = status == TN_OK || !name || !tn_variant_unfit(dev, op);
    if (status == TN_OK)
        status = tn_device_finish(dev);
    if (status == TN_OK)
        printf("%s\t%s\t%s\n", c->op, tn_variant_ran(dev, c->op)->name,
               tn_style_name(tn_variant_ran(dev, c->op)->style));
    tn_problem_free(ctx, &p);
    return status;
}

static void list(const tn_case *c) {
    const tn_op *op = tn_op_find(c->op);
    for (int i = 0; op->variants[i]; i++) {
        printf("%s\t%s\t%d", op->variants[i]->name, tn_style_name(op->variants[i]->style),
               op->variants[i]->portable);
        for (int pass = 0; c->passes[pass]; pass++)
            if (tn_variant_has_pass(op->variants[i], pass))
                printf("\t%s", c->passes[pass]);
        printf("\n");
    }
}

int main(int argc, char **argv) {
    static tn_context ctx;
    for (int i = 0; argc == 2 && strcmp(argv[1], "--list") == 0 && i < tn_case_count; i++)
        printf("%s%s", tn_cases[i]->op, i + 1 < tn_case_count ? " " : "\n");
    if (argc == 2 && strcmp(argv[1], "--list") == 0)
        return 0;
    const tn_case *c =
        argc > 1 ? tn_case_find(argv[strcmp(argv[1], "--list") == 0 && argc > 2 ? 2 : 1]) : NULL;
    const bool listing = argc == 3 && strcmp(argv[1], "--list") == 0;
    if (!c || (!listing && (argc < 4 || tn_case_pass(c, argv[2]) < 0 ||
                            (argc > 4 && !tn_variant_find(tn_op_find(c->op), argv[4]))))) {
        fputs("usage: launch OP PASS SHAPE [VARIANT] | launch --list [OP]\n", stderr);
        return 2;
    }
    if (listing) {
        list(c);
        return 0;
    }
    tn_device *dev;
    bool fits = true;
    tn_status status = tn_device_open_selected(&ctx, NULL, &dev);
    if (status == TN_OK) {
        status = run(dev, c, tn_case_pass(c, argv[2]), argv[3], argc > 4 ? argv[4] : NULL, &fits);
        tn_device_close(dev);
    }
    if (status != TN_OK)
        fprintf(stderr, "launch: %s\n", ctx.message);
    return fits ? tn_status_exit_code(status) : NOT_FIT;
}
