#include "ops.h"

#include "old_names.h"
#include "pairs.h"
#include "tuned.h"

#include <stdlib.h>
#include <string.h>

#define TN_OP(name) extern const tn_op tn_##name##_op;
#include "op_list.def"
#undef TN_OP

#define TN_OP(name) &tn_##name##_op,
const tn_op *const tn_ops[] = {
#include "op_list.def"
};
#undef TN_OP
const int tn_op_count = sizeof tn_ops / sizeof tn_ops[0];

const tn_op *tn_op_find(const char *name) {
    for (int i = 0; i < tn_op_count; i++)
        if (strcmp(tn_ops[i]->name, name) == 0)
            return tn_ops[i];
    return NULL;
}

/* One setting of a list: "op=variant", "op.NAME=value", "op/variant.NAME=value". */
typedef struct setting {
    char text[120], op[48], variant[32], tunable[32];
} setting;

static void add(char *list, size_t size, const char *word) {
    const size_t used = strlen(list);
    if (used < size)
        snprintf(list + used, size - used, "%s%s", used ? ", " : "", word);
}

/* Copies up to one of the bytes in `ends`, and returns what stands behind. */
static const char *cut(const char *from, const char *ends, char *out, size_t size) {
    const size_t length = strcspn(from, ends);
    snprintf(out, size, "%.*s", (int)length, from);
    return from + length;
}

static tn_status op_of(tn_context *ctx, const char *where, const setting *s, const tn_op **out) {
    char list[1024] = "";
    *out = tn_op_find(s->op);
    if (*out)
        return TN_OK;
    for (int i = 0; i < tn_op_count; i++)
        add(list, sizeof list, tn_ops[i]->name);
    return tn_fail(ctx, TN_ERR_ARG, "%s: '%s' names no op; there is %s", where, s->text, list);
}

static tn_status variant_of(tn_context *ctx, const char *where, const setting *s, const tn_op *op,
                            const tn_variant **out) {
    char before[160];
    snprintf(before, sizeof before, "%s: '%s': ", where, s->text);
    return tn_variant_named(ctx, before, op, s->variant, out);
}

/* Of one variant, or of any where that is NULL. */
static tn_status tunable_of(tn_context *ctx, const setting *s, const tn_op *op, const tn_variant *variant) {
    char list[512] = "";
    for (int v = 0; op->variants[v]; v++) {
        const tn_variant *one = op->variants[v];
        if (variant && variant != one)
            continue;
        if (tn_variant_tunable(one, s->tunable) >= 0)
            return TN_OK;
        for (int i = 0; i < one->tunable_count; i++)
            if (!strstr(list, one->tunables[i].name))
                add(list, sizeof list, one->tunables[i].name);
    }
    return tn_fail(ctx, TN_ERR_ARG, "TURNOUT_TUNE: '%s': %s%s%s has no tunable '%s'; %s%s", s->text, op->name,
                   variant ? "/" : "", variant ? variant->name : "", s->tunable,
                   list[0] ? "there is " : "it has none", list);
}

static tn_status check_variant(tn_context *ctx, setting *s) {
    const tn_op *op;
    const tn_variant *variant;
    const char *behind = cut(s->text, "=", s->op, sizeof s->op);
    if (*behind != '=')
        return tn_fail(ctx, TN_ERR_ARG, "TURNOUT_VARIANT: '%s' is not OP=VARIANT", s->text);
    cut(behind + 1, "", s->variant, sizeof s->variant);
    TN_TRY(op_of(ctx, "TURNOUT_VARIANT", s, &op));
    return variant_of(ctx, "TURNOUT_VARIANT", s, op, &variant);
}

static tn_status check_tunable(tn_context *ctx, setting *s) {
    const tn_op *op;
    const tn_variant *variant = NULL;
    char *end;
    const char *at = cut(s->text, ":/.=", s->op, sizeof s->op);
    if (*at == '/' || *at == ':') /* "op:variant" of an earlier version */
        at = cut(at + 1, ".=", s->variant, sizeof s->variant);
    if (*at == '.')
        at = cut(at + 1, "=", s->tunable, sizeof s->tunable);
    if (*at != '=' || !s->tunable[0])
        return tn_fail(ctx, TN_ERR_ARG,
                       "TURNOUT_TUNE: '%s' is neither OP.NAME=VALUE nor OP/VARIANT.NAME=VALUE", s->text);
    TN_TRY(op_of(ctx, "TURNOUT_TUNE", s, &op));
    const long value = strtol(at + 1, &end, 10);
    if (end == at + 1 || *end || value < 0 || value > TN_TUNED_LARGEST)
        return tn_fail(ctx, TN_ERR_ARG, "TURNOUT_TUNE: '%s': '%s' is no integer from 0 to %d", s->text,
                       at + 1, TN_TUNED_LARGEST);
    if (s->variant[0])
        TN_TRY(variant_of(ctx, "TURNOUT_TUNE", s, op, &variant));
    return tunable_of(ctx, s, op, variant);
}

static tn_status check_list(tn_context *ctx, const char *name, tn_status (*check)(tn_context *, setting *)) {
    const char *text = getenv(name), *rest;
    char *now;
    tn_slice item;
    if (!text || !text[0])
        return TN_OK;
    TN_TRY(tn_op_current_list(ctx, text, &now));
    tn_status status = TN_OK;
    for (rest = now; status == TN_OK && tn_item_next(&rest, &item);) {
        setting s = {.text = ""};
        if (item.length >= sizeof s.text)
            status = tn_fail(ctx, TN_ERR_ARG, "%s: '%.40s…' is longer than any setting", name, item.at);
        snprintf(s.text, sizeof s.text, "%.*s", (int)item.length, item.at);
        if (status == TN_OK && item.length > 0)
            status = check(ctx, &s);
    }
    tn_free(ctx, now);
    return status;
}

tn_status tn_ops_environment_check(tn_context *ctx) {
    TN_TRY(check_list(ctx, "TURNOUT_VARIANT", check_variant));
    return check_list(ctx, "TURNOUT_TUNE", check_tunable);
}
