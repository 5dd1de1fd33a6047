#include "op_list.h"

#include "common.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

static void join(const char *const *words, const char *between, char *text, size_t size) {
    size_t used = 0;
    text[0] = '\0';
    for (int i = 0; words && words[i] && used < size; i++)
        used += (size_t)snprintf(text + used, size - used, "%s%s", i ? between : "", words[i]);
}

static void variants_text(const tn_op *op, char *text, size_t size) {
    const char *names[32] = {NULL};
    for (int i = 0; op->variants[i] && i < 31; i++)
        names[i] = op->variants[i]->name;
    join(names, " ", text, size);
}

/* "B T H [Hkv]": what may be left out of a shape in brackets. */
static void dims_text(const tn_case *c, char *text, size_t size) {
    size_t used = 0;
    text[0] = '\0';
    for (int i = 0; c->dims[i] && used < size; i++) {
        bool optional = tn_case_is_optional(c, i);
        used += (size_t)snprintf(text + used, size - used, "%s%s%s%s", i ? " " : "", optional ? "[" : "",
                                 c->dims[i], optional ? "]" : "");
    }
}

static void print_op(const tn_case *c, const tn_op *op) {
    char passes[80], dims[120], variants[120];
    join(c->passes, " ", passes, sizeof passes);
    dims_text(c, dims, sizeof dims);
    variants_text(op, variants, sizeof variants);
    printf("%-24s %-34s %-40s %s\n", c->op, passes, dims, variants);
}

static void print_tunables(const tn_op *op, const tn_variant *v) {
    for (int k = 0; k < v->tunable_count; k++) {
        const tn_tunable *t = &v->tunables[k];
        char name[80], values[160] = "";
        size_t used = 0;
        snprintf(name, sizeof name, "%s/%s.%s", op->name, v->name, t->name);
        for (int n = 0; n < t->count && used < sizeof values; n++)
            used += (size_t)snprintf(values + used, sizeof values - used, "%s%d", n ? " " : "", t->values[n]);
        printf("%-36s %9d %9d  %-30s %s%s%s%s\n", name, t->defaults[TN_STYLE_THREADS],
               t->defaults[TN_STYLE_GROUPS], values, t->meaning,
               t->flags & TN_TUNABLE_BITS ? "; moves last bits" : "",
               t->flags & TN_TUNABLE_LAYOUT ? "; one value for all passes and shapes" : "",
               t->flags & TN_TUNABLE_CPU ? "; CPUs alone" : "");
    }
}

static void print_all(tn_cli_ops what, const tn_case *only) {
    if (what == TN_CLI_OPS)
        printf("%-24s %-34s %-40s %s\n", "op", "passes", "dimensions", "variants");
    else
        printf("%-36s %9s %9s  %-30s %s\n", "op/variant.TUNABLE", "threads", "groups", "candidates",
               "meaning");
    for (int i = 0; i < tn_case_count; i++) {
        if (only && only != tn_cases[i])
            continue;
        if (what == TN_CLI_OPS)
            print_op(tn_cases[i], tn_ops[i]);
        else
            for (int v = 0; tn_ops[i]->variants[v]; v++)
                print_tunables(tn_ops[i], tn_ops[i]->variants[v]);
    }
}

static json_t *tunable_json(const tn_tunable *t) {
    json_t *values = json_array();
    for (int i = 0; i < t->count; i++)
        json_array_append_new(values, json_integer(t->values[i]));
    return json_pack("{s:s, s:s, s:i, s:i, s:o, s:b, s:b, s:b}", "name", t->name, "meaning", t->meaning,
                     "threads", t->defaults[TN_STYLE_THREADS], "groups", t->defaults[TN_STYLE_GROUPS],
                     "candidates", values, "moves_last_bits", (t->flags & TN_TUNABLE_BITS) != 0,
                     "one_value_for_all", (t->flags & TN_TUNABLE_LAYOUT) != 0, "cpus_alone",
                     (t->flags & TN_TUNABLE_CPU) != 0);
}

static json_t *variant_json(const tn_op *op, const tn_variant *v) {
    json_t *tunables = json_array(), *passes = json_array();
    for (int i = 0; i < v->tunable_count; i++)
        json_array_append_new(tunables, tunable_json(&v->tunables[i]));
    for (int i = 0; op->passes[i]; i++)
        if (tn_variant_has_pass(v, i))
            json_array_append_new(passes, json_string(op->passes[i]));
    return json_pack("{s:s, s:s, s:b, s:o, s:o}", "name", v->name, "style", tn_style_name(v->style),
                     "fits_every_shape", v->portable, "passes", passes, "tunables", tunables);
}

static json_t *op_json(const tn_case *c, const tn_op *op) {
    json_t *variants = json_array();
    for (int i = 0; op->variants[i]; i++)
        json_array_append_new(variants, variant_json(op, op->variants[i]));
    return json_pack("{s:s, s:o, s:o, s:o, s:o}", "op", c->op, "passes", tn_cli_words_json(c->passes),
                     "dimensions", tn_cli_words_json(c->dims), "classes", tn_cli_words_json(op->classes),
                     "variants", variants);
}

static tn_status print_json(tn_context *ctx, const tn_case *only) {
    json_t *list = json_array();
    for (int i = 0; i < tn_case_count; i++)
        if (!only || only == tn_cases[i])
            json_array_append_new(list, op_json(tn_cases[i], tn_ops[i]));
    return tn_cli_print_json(ctx, list);
}

tn_status tn_cli_list_ops(tn_context *ctx, const tn_cli_args *args, tn_cli_ops what, const tn_case *only,
                          bool *done) {
    *done = tn_cli_given(args, "list");
    if (!*done)
        return TN_OK;
    if (tn_cli_given(args, "json"))
        return print_json(ctx, only);
    print_all(what, only);
    return TN_OK;
}
