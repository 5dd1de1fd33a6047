/* builds FOLDER [OP…]: every build that a GPU's variants ask for, by variants, passes and shapes of every op:
 * at their defaults and at each further value of each tunable. Nothing is built (no_device.h). Writes each
 * program's source once, FOLDER/<file>.cl, and prints a line a launch, tabs between:
 *
 *     launch op variant style pass set chosen size shape file options kernel group
 *     none   op variant style                                      it fitted none of the shapes
 *
 * set: "default" or "NAME=value"; chosen: 1 where a GPU takes this variant at this shape by itself; size:
 * which of the made-up devices. In an order that is always the same. */
#include "internal.h"
#include "kernels.h"
#include "no_device.h"
#include "shapes.h"

#include "file.h"

#include <stdlib.h>
#include <string.h>

enum { DRAWN = 4, FILES = 128, VARIANTS = 16 };
static const double MOST_BYTES = 6e7; /* of a larger shape the host's side takes seconds */

/* A card of a data centre with what NVIDIA allows, and a small one with what AMD does. */
static const struct {
    const char *name;
    no_device_size size;
} sizes[] = {{"large", {132, 48 << 10, 1024}}, {"small", {16, 64 << 10, 256}}};

typedef struct listing {
    tn_context *ctx;
    tn_device *dev;
    const char *folder, *size;
    bool every_value; /* of tunables, not the defaults alone */
    bool fitted[VARIANTS];
    struct {
        const char *name; /* of a kernel file */
        char *text;       /* with what it is built behind */
        bool written;
    } files[FILES];
    int file_count;
    /* what is being run */
    const tn_case *c;
    const tn_op *op;
    const tn_variant *variant;
    int pass;
    const char *set;
    bool chosen, *any;
    char shape[256];
} listing;

static tn_status files_read(listing *l) {
    for (int i = 0; i < tn_kernel_source_count && l->file_count < FILES; i++) {
        size_t size;
        if (tn_kernel_sources[i].extra)
            continue;
        l->files[l->file_count].name = tn_kernel_sources[i].name;
        TN_TRY(tn_source_load(l->ctx, tn_kernel_sources[i].name, &l->files[l->file_count].text, &size));
        l->file_count++;
    }
    return TN_OK;
}

static tn_status file_write(listing *l, int i) {
    char name[80], *path;
    if (l->files[i].written)
        return TN_OK;
    snprintf(name, sizeof name, "%s.cl", l->files[i].name);
    TN_TRY(tn_path_join(l->ctx, l->folder, name, &path));
    FILE *file = fopen(path, "w");
    tn_free(l->ctx, path);
    if (!file)
        return tn_fail(l->ctx, TN_ERR_OUTPUT, "%s cannot be written in %s", name, l->folder);
    fputs(l->files[i].text, file);
    if (fclose(file) != 0)
        return tn_fail(l->ctx, TN_ERR_WRITE, "%s cannot be written in %s", name, l->folder);
    l->files[i].written = true;
    return TN_OK;
}

static const char *file_of(listing *l, const char *source) {
    for (int i = 0; i < l->file_count; i++)
        if (strcmp(l->files[i].text, source) == 0)
            return file_write(l, i) == TN_OK ? l->files[i].name : "?";
    return "?";
}

static void launched(const no_device_launch *launch, void *data) {
    listing *l = data;
    *l->any = true;
    printf("launch\t%s\t%s\t%s\t%s\t%s\t%d\t%s\t%s\t%s\t%s\t%s\t%zu\n", l->c->op, l->variant->name,
           tn_style_name(l->variant->style), l->c->passes[l->pass], l->set, l->chosen, l->size, l->shape,
           file_of(l, launch->source), launch->options, launch->kernel, launch->group);
}

/* A value that does not go with the others at this shape is refused: the next shape may take it. */
static tn_status run(listing *l, tn_problem *p, const char *name, int value) {
    char set[64] = "default";
    TN_TRY(tn_variant_try(l->dev, l->op, l->variant));
    if (name)
        TN_TRY(tn_tunable_try(l->dev, l->op->name, name, value));
    if (name)
        snprintf(set, sizeof set, "%s=%d", name, value);
    l->set = set;
    tn_status status = p->c->run(l->dev, &p->shape, p->pass, p->tensors);
    tn_tunable_untry(l->dev, l->op->name);
    return status == TN_ERR_UNSUPPORTED ? TN_OK : status;
}

static tn_status run_sets(listing *l, tn_problem *p) {
    TN_TRY(run(l, p, NULL, 0));
    for (int i = 0; i < l->variant->tunable_count && l->every_value; i++) {
        const tn_tunable *t = &l->variant->tunables[i];
        if (t->flags & TN_TUNABLE_CPU)
            continue;
        for (int k = -1; k < t->count; k++) {
            const int value = k < 0 ? t->defaults[TN_STYLE_THREADS] : t->values[k];
            if (value != t->defaults[TN_STYLE_GROUPS])
                TN_TRY(run(l, p, t->name, value));
        }
    }
    return TN_OK;
}

/* CLBlast's kernels are none of ours. */
static bool is_ours(const tn_op *op, const tn_variant *variant) {
    return (variant->style == TN_STYLE_GROUPS || variant->portable) &&
           !(strcmp(op->name, "gemm") == 0 && strcmp(variant->name, "clblast") == 0);
}

/* Which variant a GPU takes is asked of a run, for only the op knows the key of its plan. */
static tn_status one_problem(listing *l, tn_problem *p) {
    tn_variant_ran_forget(l->dev, l->op->name);
    no_device_listen(NULL, NULL);
    tn_status status = p->c->run(l->dev, &p->shape, p->pass, p->tensors);
    no_device_listen(launched, l);
    const tn_variant *chosen = status == TN_OK ? tn_variant_ran(l->dev, l->op->name) : NULL;
    if (status != TN_OK && status != TN_ERR_UNSUPPORTED)
        return status;
    for (int i = 0; l->op->variants[i]; i++) {
        l->variant = l->op->variants[i];
        l->chosen = l->variant == chosen;
        l->any = &l->fitted[i];
        if (is_ours(l->op, l->variant) && tn_variant_has_pass(l->variant, p->pass))
            TN_TRY(run_sets(l, p));
    }
    return TN_OK;
}

static tn_status one_shape(listing *l, const tn_shape *shape) {
    tn_shape_print(l->c, shape, l->shape, sizeof l->shape);
    for (l->pass = 0; l->c->passes[l->pass]; l->pass++) {
        tn_problem p;
        TN_TRY(tn_problem_make(l->ctx, l->dev, l->c, l->pass, shape, 1, &p));
        tn_status status = one_problem(l, &p);
        tn_problem_free(l->ctx, &p);
        TN_TRY(status);
    }
    return TN_OK;
}

/* The shapes that are timed, and random ones, which are small and odd. */
static tn_status one_op(listing *l, const char *name) {
    tn_shape shapes[TN_SHAPES_MAX];
    int count;
    l->c = tn_case_find(name);
    l->op = tn_op_find(name);
    if (!l->c || !l->op)
        return tn_fail(l->ctx, TN_ERR_ARG, "there is no op '%s'", name);
    memset(l->fitted, 0, sizeof l->fitted);
    TN_TRY(tn_shapes_of(l->ctx, l->c, shapes, &count));
    for (int i = 0; i < count; i++)
        if (i == 0 || l->c->bytes(&shapes[i], 0) <= MOST_BYTES)
            TN_TRY(one_shape(l, &shapes[i]));
    for (int i = 0; i < DRAWN; i++) {
        tn_rng rng = tn_rng_make(1, TN_RNG_CASE, (uint64_t)i);
        tn_shape shape = {{0}};
        l->c->draw(&rng, &shape);
        TN_TRY(one_shape(l, &shape));
    }
    for (int i = 0; l->op->variants[i]; i++)
        if (is_ours(l->op, l->op->variants[i]) && !l->fitted[i])
            printf("none\t%s\t%s\t%s\n", name, l->op->variants[i]->name,
                   tn_style_name(l->op->variants[i]->style));
    tn_kernels_forget(l->dev);
    return TN_OK;
}

static tn_status on_size(listing *l, int size, char **ops, int count) {
    l->size = sizes[size].name;
    l->every_value = size == 0;
    no_device_set(sizes[size].size);
    TN_TRY(tn_device_open_selected(l->ctx, NULL, &l->dev));
    no_device_listen(launched, l);
    tn_status status = TN_OK;
    for (int i = 0; i < count && status == TN_OK; i++)
        status = one_op(l, ops[i]);
    for (int i = 0; count == 0 && i < tn_case_count && status == TN_OK; i++)
        status = one_op(l, tn_cases[i]->op);
    tn_device_close(l->dev);
    return status;
}

int main(int argc, char **argv) {
    static tn_context ctx;
    static listing l = {.ctx = &ctx};
    if (argc < 2) {
        fputs("usage: builds FOLDER [OP...]\n", stderr);
        return 2;
    }
    l.folder = argv[1];
    setenv("TURNOUT_TUNED", "0", 1);
    setenv("TURNOUT_CACHE", "off", 1);
    setenv("OCL_ICD_VENDORS", l.folder, 1); /* no driver is looked at */
    unsetenv("OCL_ICD_FILENAMES");
    unsetenv("TURNOUT_KIND");
    unsetenv("TURNOUT_TUNE");
    unsetenv("TURNOUT_VARIANT");
    tn_status status = files_read(&l);
    for (int i = 0; i < (int)(sizeof sizes / sizeof sizes[0]) && status == TN_OK; i++)
        status = on_size(&l, i, argv + 2, argc - 2);
    for (int i = 0; i < l.file_count; i++)
        tn_free(&ctx, l.files[i].text);
    if (status != TN_OK)
        fprintf(stderr, "builds: %s\n", ctx.message);
    else if (fflush(stdout) != 0)
        status = TN_ERR_WRITE;
    return tn_status_exit_code(status);
}
