#include "variant.h"

#include "internal.h"
#include "old_names.h"
#include "pairs.h"

#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

static tn_status setting_copy(tn_context *ctx, const char *name, char **out) {
    const char *text = getenv(name);
    tn_free(ctx, *out);
    *out = NULL;
    if (!text || !text[0])
        return TN_OK;
    TN_TRY(tn_op_current_list(ctx, text, out));
    for (char *at = *out; (at = strchr(at, ':')) != NULL;)
        *at = '/'; /* "gemm:few.VW" of an earlier version */
    return TN_OK;
}

/* What stands behind "KEY=" in a list "a=1,b=2"; NULL where the key does not stand there. */
static const char *in_list(const char *list, const char *key) {
    const size_t length = strlen(key);
    for (tn_slice item; tn_item_next(&list, &item);)
        if (item.length > length && strncmp(item.at, key, length) == 0 && item.at[length] == '=')
            return item.at + length + 1;
    return NULL;
}

/* TURNOUT_GEMM of versions before 0.2: clblast, where TURNOUT_VARIANT says nothing of gemm. */
static tn_status older_gemm_setting(tn_device *dev) {
    const char *gemm = getenv("TURNOUT_GEMM"), *list = dev->settings.variant;
    char text[200];
    if (!gemm || !gemm[0])
        return TN_OK;
    if (strcmp(gemm, "own") != 0 && strcmp(gemm, "auto") != 0 && strcmp(gemm, "clblast") != 0)
        return tn_fail(dev->ctx, TN_ERR_ARG, "TURNOUT_GEMM=%s is unknown; take TURNOUT_VARIANT=gemm=clblast",
                       gemm);
    tn_warn(dev->ctx, "TURNOUT_GEMM is read for the last time: %s",
            strcmp(gemm, "clblast") == 0 ? "take TURNOUT_VARIANT=gemm=clblast"
            : strcmp(gemm, "own") == 0   ? "gemm takes its own kernels unless told otherwise"
                                         : "leave it out, and `turnout tune` finds what is faster");
    if (strcmp(gemm, "clblast") != 0 || in_list(list, "gemm"))
        return TN_OK;
    snprintf(text, sizeof text, "gemm=clblast%s%.150s", list ? "," : "", list ? list : "");
    tn_free(dev->ctx, dev->settings.variant);
    dev->settings.variant = NULL;
    return tn_strdup(dev->ctx, text, &dev->settings.variant);
}

tn_status tn_device_settings_reload(tn_device *dev) {
    tn_settings *s = &dev->settings;
    const char *kind = getenv("TURNOUT_KIND");
    s->kind_forced = kind && kind[0];
    s->forced_style = kind && strcmp(kind, "gpu") == 0 ? TN_STYLE_GROUPS : TN_STYLE_THREADS;
    tn_plans_forget(dev);
    TN_TRY(setting_copy(dev->ctx, "TURNOUT_TUNE", &s->tune));
    TN_TRY(setting_copy(dev->ctx, "TURNOUT_VARIANT", &s->variant));
    return older_gemm_setting(dev);
}

void tn_settings_free(tn_device *dev) {
    tn_free(dev->ctx, dev->settings.tune);
    tn_free(dev->ctx, dev->settings.variant);
}

const tn_variant *tn_variant_find(const tn_op *op, const char *name) {
    for (int i = 0; op->variants[i]; i++)
        if (strcmp(op->variants[i]->name, name) == 0)
            return op->variants[i];
    return NULL;
}

tn_status tn_variant_named(tn_context *ctx, const char *where, const tn_op *op, const char *name,
                           const tn_variant **out) {
    char list[256] = "";
    *out = tn_variant_find(op, name);
    if (*out)
        return TN_OK;
    for (int i = 0; op->variants[i]; i++)
        snprintf(list + strlen(list), sizeof list - strlen(list), "%s%s", i ? ", " : "",
                 op->variants[i]->name);
    return tn_fail(ctx, TN_ERR_ARG, "%s%s has no variant '%s'; there is %s", where, op->name, name, list);
}

int tn_variant_tunable(const tn_variant *variant, const char *name) {
    for (int i = 0; i < variant->tunable_count; i++)
        if (strcmp(variant->tunables[i].name, name) == 0)
            return i;
    return -1;
}

bool tn_variant_has_pass(const tn_variant *variant, int pass) {
    return !variant->passes || (variant->passes >> pass & 1u);
}

bool tn_variant_is_tuned(const tn_variant *variant, int pass) {
    return tn_variant_has_pass(variant, pass) && !(variant->untuned >> pass & 1u);
}

/* What the environment says of a variant, "op/variant.NAME=v", before what it says of all that the op has. */
static const char *from_environment(const tn_device *dev, const tn_op *op, const tn_variant *v,
                                    const char *name) {
    char key[112];
    snprintf(key, sizeof key, "%s/%s.%s", op->name, v->name, name);
    const char *text = in_list(dev->settings.tune, key);
    if (text)
        return text;
    snprintf(key, sizeof key, "%s.%s", op->name, name);
    return in_list(dev->settings.tune, key);
}

static int value_of(const tn_device *dev, const tn_op *op, const tn_variant *v, const tn_tunable *t, int pass,
                    int class_, tn_tunable_source *source) {
    const char *text;
    /* What passes share is one value for all of them. */
    const bool apart = class_ >= 0 && !(t->flags & TN_TUNABLE_LAYOUT);
    int value = t->defaults[tn_device_style(dev)];
    *source = TN_TUNABLE_DEFAULT;
    if (tn_tunable_tried(dev, op->name, t->name, &value)) {
        *source = TN_TUNABLE_TRIED;
    } else if ((text = from_environment(dev, op, v, t->name)) != NULL) {
        *source = TN_TUNABLE_ENVIRONMENT;
        value = atoi(text);
    } else if (dev->settings.kind_forced) {
        *source = TN_TUNABLE_ENVIRONMENT;
    } else if (tn_tuned_value(dev->tuned, op->name, v->name, apart ? op->passes[pass] : NULL,
                              apart ? tn_op_class(op, class_) : NULL, t->name, &value)) {
        *source = TN_TUNABLE_TUNED;
    }
    return (t->flags & TN_TUNABLE_CPU) && !tn_quirk_cpu_builtins(&dev->info) ? 0 : value;
}

void tn_variant_values(const tn_device *dev, const tn_op *op, const tn_variant *variant, int pass, int class_,
                       int *values, tn_tunable_source *source) {
    tn_tunable_source highest = TN_TUNABLE_DEFAULT, one;
    for (int i = 0; i < variant->tunable_count; i++) {
        values[i] = value_of(dev, op, variant, &variant->tunables[i], pass, class_, &one);
        highest = one > highest ? one : highest;
    }
    if (source)
        *source = highest;
}

const char *tn_op_class(const tn_op *op, int class_) {
    return op->classes ? op->classes[class_] : "";
}

static int class_of(const tn_op *op, int pass, const void *shape) {
    return op->class_of ? op->class_of(pass, shape) : 0;
}

static bool fits(tn_device *dev, const tn_op *op, const tn_variant *v, int pass, const void *shape,
                 tn_choice *out, char *why, size_t size) {
    out->variant = v;
    why[0] = '\0';
    tn_variant_values(dev, op, v, pass, class_of(op, pass, shape), out->values, &out->source);
    if (!tn_variant_has_pass(v, pass)) {
        snprintf(why, size, "it has no pass %s", op->passes[pass]);
        return false;
    }
    return !v->fits || v->fits(dev, pass, shape, out->values, why, size);
}

static tn_tried_variant *tried_row(const tn_device *dev, const tn_op *op) {
    for (int i = 0; i < TN_TRIED_VARIANTS; i++)
        if (dev->tried[i].op == op)
            return (tn_tried_variant *)&dev->tried[i];
    return NULL;
}

const tn_variant *tn_variant_tried(const tn_device *dev, const tn_op *op) {
    const tn_tried_variant *row = tried_row(dev, op);
    return row ? row->variant : NULL;
}

bool tn_variant_unfit(const tn_device *dev, const tn_op *op) {
    const tn_tried_variant *row = tried_row(dev, op);
    return row && row->unfit;
}

/* *out is NULL where the environment names none for this op. */
static tn_status environment_variant(tn_device *dev, const tn_op *op, const tn_variant **out) {
    const char *text = in_list(dev->settings.variant, op->name);
    char name[32];
    *out = NULL;
    if (!text)
        return TN_OK;
    snprintf(name, sizeof name, "%.*s", (int)strcspn(text, ","), text);
    return tn_variant_named(dev->ctx, "TURNOUT_VARIANT: ", op, name, out);
}

static unsigned bit_of(const tn_op *op, const tn_variant *variant) {
    int i = 0;
    while (op->variants[i] && op->variants[i] != variant)
        i++;
    return 1u << i;
}

/* A style that is asked for by name is that style's own choice. */
static const tn_variant *tuned_variant(const tn_device *dev, const tn_op *op, int pass, const void *shape) {
    const tn_tuned_entry *winner = dev->settings.kind_forced
                                       ? NULL
                                       : tn_tuned_winner(dev->tuned, op->name, op->passes[pass],
                                                         tn_op_class(op, class_of(op, pass, shape)));
    const tn_variant *variant = winner ? tn_variant_find(op, winner->variant) : NULL;
    return variant && tn_variant_is_tuned(variant, pass) ? variant : NULL;
}

/* The first that fits; `refused` has a bit of each that turned out not to, by its place in the table. */
static tn_status choose(tn_device *dev, const tn_op *op, int pass, const void *shape, unsigned refused,
                        tn_choice *out) {
    char why[160];
    tn_tried_variant *tried = tried_row(dev, op);
    const tn_variant *wanted = tried ? tried->variant : NULL;
    if (tried) {
        tried->unfit = !fits(dev, op, wanted, pass, shape, out, why, sizeof why);
        if (tried->unfit)
            return tn_fail(dev->ctx, TN_ERR_UNSUPPORTED, "%s: variant %s does not fit: %s", op->name,
                           wanted->name, why);
        out->source = TN_TUNABLE_TRIED;
        return TN_OK;
    }
    TN_TRY(environment_variant(dev, op, &wanted));
    if (wanted && !(refused & bit_of(op, wanted)) &&
        fits(dev, op, wanted, pass, shape, out, why, sizeof why)) {
        out->source = TN_TUNABLE_ENVIRONMENT > out->source ? TN_TUNABLE_ENVIRONMENT : out->source;
        return TN_OK;
    }
    wanted = tuned_variant(dev, op, op->pass_of_choice ? op->pass_of_choice(pass, shape) : pass, shape);
    if (wanted && !(refused & bit_of(op, wanted)) &&
        fits(dev, op, wanted, pass, shape, out, why, sizeof why)) {
        out->source = TN_TUNABLE_TUNED > out->source ? TN_TUNABLE_TUNED : out->source;
        return TN_OK;
    }
    for (int i = 0; op->variants[i]; i++)
        if (op->variants[i]->style == tn_device_style(dev) && !op->variants[i]->not_default &&
            !(refused >> i & 1u) && fits(dev, op, op->variants[i], pass, shape, out, why, sizeof why))
            return TN_OK;
    for (int i = 0; op->variants[i]; i++)
        if (op->variants[i]->portable && !(refused >> i & 1u) &&
            fits(dev, op, op->variants[i], pass, shape, out, why, sizeof why))
            return TN_OK;
    if (refused)
        return TN_ERR_UNSUPPORTED; /* in the words of the last that was refused */
    return tn_fail(dev->ctx, TN_ERR_UNSUPPORTED, "%s: none of its variants fits on %s%s%s", op->name,
                   dev->info.name, why[0] ? ": " : "", why);
}

tn_status tn_variant_choose(tn_device *dev, const tn_op *op, int pass, const void *shape, tn_choice *out) {
    return choose(dev, op, pass, shape, 0, out);
}

tn_status tn_variant_try(tn_device *dev, const tn_op *op, const tn_variant *variant) {
    tn_plans_forget(dev);
    for (int i = 0; i < TN_TRIED_VARIANTS; i++)
        if (!dev->tried[i].op || dev->tried[i].op == op) {
            dev->tried[i] = (tn_tried_variant){op, variant, false};
            return TN_OK;
        }
    return tn_fail(dev->ctx, TN_ERR_UNSUPPORTED, "no room to try a variant of %s", op->name);
}

/* Plans: a table of one slot a hash; a shape that meets another's slot takes it. */
struct tn_plan_slot {
    const tn_op *op; /* NULL: empty */
    uint64_t hash, epoch;
    int pass;
    int64_t shape[TN_SHAPE_BYTES / sizeof(int64_t)];
    const tn_variant *variant;
    tn_ran *ran;
    tn_tunable_source source;
    int class_;
    union {
        unsigned char bytes[TN_PLAN_BYTES];
        max_align_t alignment;
    } plan;
};

static tn_ran *ran_of(tn_device *dev, const tn_op *op) {
    int i = 0;
    while (i < TN_RAN_OPS - 1 && dev->ran[i].op && dev->ran[i].op != op)
        i++;
    dev->ran[i].op = op;
    return &dev->ran[i];
}

/* NULL where the op has not run. */
static tn_ran *ran_by_name(const tn_device *dev, const char *op) {
    for (int i = 0; i < TN_RAN_OPS; i++)
        if (dev->ran[i].op && strcmp(dev->ran[i].op->name, op) == 0)
            return (tn_ran *)&dev->ran[i];
    return NULL;
}

const tn_variant *tn_variant_ran(const tn_device *dev, const char *op) {
    const tn_ran *ran = ran_by_name(dev, op);
    return ran ? ran->variant : NULL;
}

bool tn_variant_ran_as(const tn_device *dev, const char *op, int *pass, int *class_) {
    const tn_ran *ran = ran_by_name(dev, op);
    if (!ran || !ran->variant)
        return false;
    *pass = ran->pass;
    *class_ = ran->class_;
    return true;
}

void tn_variant_ran_forget(tn_device *dev, const char *op) {
    tn_ran *ran = ran_by_name(dev, op);
    if (ran)
        ran->variant = NULL;
}

/* Filled aside: choosing and planning may call other ops, whose plans may want the same slot. What a kernel
 * takes of a device is known once it is built: a variant whose plan is refused leaves its turn to the next
 * that fits. */
static tn_status slot_fill(tn_device *dev, const tn_op *op, int pass, const void *shape, uint64_t hash,
                           tn_plan_slot *slot) {
    tn_choice choice;
    tn_plan_slot fresh;
    tn_status status;
    unsigned refused = 0;
    do {
        fresh = (tn_plan_slot){.hash = hash, .pass = pass};
        TN_TRY(choose(dev, op, pass, shape, refused, &choice));
        status = choice.variant->plan
                     ? choice.variant->plan(dev, pass, shape, choice.values, fresh.plan.bytes)
                     : TN_OK;
        refused |= bit_of(op, choice.variant);
    } while (status == TN_ERR_UNSUPPORTED && !tried_row(dev, op));
    TN_TRY(status);
    memcpy(fresh.shape, shape, op->shape_bytes);
    fresh.variant = choice.variant;
    fresh.source = choice.source;
    fresh.class_ = class_of(op, pass, shape);
    fresh.ran = ran_of(dev, op);
    fresh.op = op;
    fresh.epoch = dev->epoch;
    *slot = fresh;
    return TN_OK;
}

static tn_status slot_of(tn_device *dev, const tn_op *op, int pass, const void *shape, tn_plan_slot **out) {
    if (!dev->plans)
        TN_TRY(tn_alloc(dev->ctx, TN_PLAN_SLOTS, sizeof *dev->plans, &dev->plans));
    const uint64_t hash = XXH3_64bits_withSeed(shape, op->shape_bytes, (uintptr_t)op + (unsigned)pass);
    tn_plan_slot *slot = &dev->plans[hash % TN_PLAN_SLOTS];
    *out = slot;
    if (slot->op == op && slot->hash == hash && slot->epoch == dev->epoch && slot->pass == pass &&
        memcmp(slot->shape, shape, op->shape_bytes) == 0)
        return TN_OK;
    return slot_fill(dev, op, pass, shape, hash, slot);
}

tn_status tn_op_variant(tn_device *dev, const tn_op *op, int pass, const void *shape,
                        const tn_variant **out) {
    tn_plan_slot *slot;
    TN_TRY(slot_of(dev, op, pass, shape, &slot));
    *out = slot->variant;
    return TN_OK;
}

tn_status tn_op_counts(tn_device *dev, const tn_op *op, int pass, const void *shape, bool *counts) {
    const tn_variant *variant;
    TN_TRY(tn_op_variant(dev, op, pass, shape, &variant));
    *counts = variant->counted >> pass & 1u;
    return TN_OK;
}

tn_status tn_op_rows(tn_device *dev, const tn_op *op, int pass, const void *shape, const tn_buffer **count,
                     int64_t *rows) {
    int32_t known;
    bool counts = true;
    if (*count)
        TN_TRY(tn_op_counts(dev, op, pass, shape, &counts));
    if (counts)
        return TN_OK;
    TN_TRY(tn_buffer_read(*count, 0, sizeof known, &known));
    if (known < 0 || known > *rows)
        return tn_fail(dev->ctx, TN_ERR_DEVICE, "%s: the device counts %d rows, and there are at most %lld",
                       op->name, known, (long long)*rows);
    *rows = known;
    *count = NULL;
    return TN_OK;
}

tn_status tn_op_run(tn_device *dev, const tn_op *op, int pass, const void *shape, const void *args) {
    tn_plan_slot *slot, mine;
    TN_TRY(slot_of(dev, op, pass, shape, &slot));
    slot->ran->variant = slot->variant;
    slot->ran->source = slot->source;
    slot->ran->pass = pass;
    slot->ran->class_ = slot->class_;
    /* A copy: what the variant calls may take the slot. */
    mine.variant = slot->variant;
    memcpy(&mine.plan, &slot->plan, sizeof mine.plan);
    return mine.variant->run(dev, pass, shape, mine.plan.bytes, args);
}
