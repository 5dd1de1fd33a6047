/* Looking up tunables: a row for each that was asked for, tried, or read from the tuned file. */
#include "tunable.h"

#include "internal.h"

#include <stdlib.h>
#include <string.h>

static bool is_row(const tn_tunable_row *row, const char *op, const char *name) {
    return strcmp(row->name, name) == 0 && strcmp(row->op, op) == 0;
}

/* Op code asks at every call, with the same literals: their addresses find the row without comparing all. */
static tn_tunable_row *find(const tn_device *dev, const char *op, const char *name) {
    tn_tunables *all = dev->tunables;
    for (int i = 0; i < all->count; i++)
        if (all->rows[i].name_at == name && all->rows[i].op_at == op && is_row(&all->rows[i], op, name))
            return &all->rows[i];
    for (int i = 0; i < all->count; i++)
        if (is_row(&all->rows[i], op, name)) {
            all->rows[i].op_at = op;
            all->rows[i].name_at = name;
            return &all->rows[i];
        }
    return NULL;
}

tn_tunable_row *tn_tunable_row_make(const tn_device *dev, const char *op, const char *name) {
    tn_tunables *all = dev->tunables;
    tn_tunable_row *row = find(dev, op, name);
    if (row || all->count == TN_TUNABLE_ROWS || strlen(op) >= sizeof row->op ||
        strlen(name) >= sizeof row->name)
        return row;
    row = &all->rows[all->count++];
    snprintf(row->op, sizeof row->op, "%s", op);
    snprintf(row->name, sizeof row->name, "%s", name);
    return row;
}

/* TURNOUT_TUNE="gemm.TILE_M=8,gemm.LOCAL=1": true and the value when `op.name` stands in it. */
static bool from_environment(const tn_device *dev, const char *op, const char *name, int *value) {
    const char *text = dev->settings.tune;
    char wanted[96];
    int length = snprintf(wanted, sizeof wanted, "%s.%s=", op, name);
    if (!text || length < 0 || (size_t)length >= sizeof wanted)
        return false;
    while (*text) {
        if (strncmp(text, wanted, (size_t)length) == 0) {
            *value = atoi(text + length);
            return true;
        }
        const char *comma = strchr(text, ',');
        if (!comma)
            return false;
        text = comma + 1;
    }
    return false;
}

/* Rows of a key and, for a class of an op's shapes, of the op itself: what is not set for the class holds for
 * all. */
static int look_up(const tn_device *dev, tn_tunable_row *const rows[2], int cpu_default, int gpu_default,
                   tn_tunable_source *source) {
    int value;
    *source = TN_TUNABLE_TRIED;
    for (int i = 0; i < 2; i++)
        if (rows[i] && rows[i]->is_tried)
            return rows[i]->tried;
    *source = TN_TUNABLE_ENVIRONMENT;
    for (int i = 0; i < 2; i++)
        if (rows[i] && from_environment(dev, rows[i]->op, rows[i]->name, &value))
            return value;
    if (!dev->settings.kind_forced) {
        *source = TN_TUNABLE_TUNED;
        for (int i = 0; i < 2; i++)
            if (rows[i] && rows[i]->is_tuned)
                return rows[i]->tuned;
        *source = TN_TUNABLE_DEFAULT;
    }
    return tn_device_style(dev) == TN_STYLE_THREADS ? cpu_default : gpu_default;
}

int tn_tunable_ask(const tn_device *dev, const char *op, const char *name, int cpu_default, int gpu_default) {
    tn_tunable_source source;
    const char *colon = strchr(op, ':');
    char whole[sizeof((tn_tunable_row *)0)->op];
    tn_tunable_row *rows[2] = {tn_tunable_row_make(dev, op, name), NULL};
    if (colon) {
        snprintf(whole, sizeof whole, "%.*s", (int)(colon - op), op);
        rows[1] = tn_tunable_row_make(dev, whole, name);
    }
    int value = look_up(dev, rows, cpu_default, gpu_default, &source);
    if (rows[0]) {
        rows[0]->is_asked = true;
        rows[0]->source = source;
        rows[0]->cpu_default = cpu_default;
        rows[0]->gpu_default = gpu_default;
    }
    return value;
}

const char *tn_tunable_source_name(tn_tunable_source source) {
    static const char *const names[] = {"default", "tuned", "environment", "tried"};
    return names[source];
}

static bool belongs(const char *key, const char *op) {
    size_t length = strlen(op);
    return strncmp(key, op, length) == 0 && (key[length] == '\0' || key[length] == ':');
}

static bool ran(const tn_device *dev, const char *key) {
    for (int i = 0; i < TN_RAN_OPS; i++)
        if (dev->ran[i].op && belongs(key, dev->ran[i].op->name))
            return true;
    return false;
}

tn_tunable_source tn_tunable_source_of(const tn_device *dev, const char *op) {
    tn_tunable_source highest = TN_TUNABLE_DEFAULT;
    for (int i = 0; i < dev->tunables->count; i++) {
        const tn_tunable_row *row = &dev->tunables->rows[i];
        if (row->is_asked && row->source > highest && (!op || belongs(row->op, op)) && !ran(dev, row->op))
            highest = row->source;
    }
    for (int i = 0; i < TN_RAN_OPS; i++)
        if (dev->ran[i].op && dev->ran[i].source > highest && (!op || strcmp(dev->ran[i].op->name, op) == 0))
            highest = dev->ran[i].source;
    return highest;
}

tn_status tn_tunable_try(tn_device *dev, const char *op, const char *name, int value) {
    tn_tunable_row *row = tn_tunable_row_make(dev, op, name);
    if (!row)
        return tn_fail(dev->ctx, TN_ERR_UNSUPPORTED, "no room for the tunable %s.%s", op, name);
    tn_plans_forget(dev);
    row->is_tried = true;
    row->tried = value;
    return TN_OK;
}

bool tn_tunable_tried(const tn_device *dev, const char *op, const char *name, int *value) {
    for (int i = 0; i < dev->tunables->count; i++) {
        const tn_tunable_row *row = &dev->tunables->rows[i];
        if (row->is_tried && is_row(row, op, name)) {
            *value = row->tried;
            return true;
        }
    }
    return false;
}

static void variants_untry(tn_device *dev, const char *op) {
    tn_plans_forget(dev);
    for (int i = 0; i < TN_TRIED_VARIANTS; i++)
        if (dev->tried[i].op && (!op || strcmp(dev->tried[i].op->name, op) == 0))
            dev->tried[i].op = NULL;
}

void tn_tunable_untry(tn_device *dev, const char *op) {
    variants_untry(dev, op);
    for (int i = 0; i < dev->tunables->count; i++)
        if (!op || strcmp(dev->tunables->rows[i].op, op) == 0)
            dev->tunables->rows[i].is_tried = false;
}

bool tn_tunable_asked_at(const tn_device *dev, int index, tn_tunable_asked *out) {
    for (int i = 0; i < dev->tunables->count; i++) {
        const tn_tunable_row *row = &dev->tunables->rows[i];
        if (!row->is_asked || index-- > 0)
            continue;
        *out =
            (tn_tunable_asked){row->op,
                               row->name,
                               row->cpu_default,
                               row->gpu_default,
                               tn_device_style(dev) == TN_STYLE_THREADS ? row->cpu_default : row->gpu_default,
                               row->is_fixed};
        return true;
    }
    return false;
}
