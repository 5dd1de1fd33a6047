/* Values that are tried in this process, and where those came from that ops ran with. */
#include "tunable.h"

#include "internal.h"

#include <string.h>

static bool is_row(const tn_tried_value *row, const char *op, const char *name) {
    return strcmp(row->name, name) == 0 && strcmp(row->op, op) == 0;
}

const char *tn_tunable_source_name(tn_tunable_source source) {
    static const char *const names[] = {"default", "tuned", "environment", "tried"};
    return names[source];
}

tn_tunable_source tn_tunable_source_of(const tn_device *dev, const char *op) {
    tn_tunable_source highest = TN_TUNABLE_DEFAULT;
    for (int i = 0; i < TN_RAN_OPS; i++)
        if (dev->ran[i].op && dev->ran[i].source > highest && (!op || strcmp(dev->ran[i].op->name, op) == 0))
            highest = dev->ran[i].source;
    return highest;
}

tn_status tn_tunable_try(tn_device *dev, const char *op, const char *name, int value) {
    tn_tried_values *all = dev->tried_values;
    tn_tried_value *row = all->rows, *end = all->rows + all->count;
    while (row < end && !is_row(row, op, name))
        row++;
    if (row == all->rows + TN_TRIED_VALUES || strlen(op) >= sizeof row->op ||
        strlen(name) >= sizeof row->name)
        return tn_fail(dev->ctx, TN_ERR_UNSUPPORTED, "no room to try a value of %s.%s", op, name);
    all->count += row == end;
    snprintf(row->op, sizeof row->op, "%s", op);
    snprintf(row->name, sizeof row->name, "%s", name);
    row->value = value;
    tn_plans_forget(dev);
    return TN_OK;
}

bool tn_tunable_tried(const tn_device *dev, const char *op, const char *name, int *value) {
    const tn_tried_values *all = dev->tried_values;
    for (int i = 0; i < all->count; i++)
        if (is_row(&all->rows[i], op, name)) {
            *value = all->rows[i].value;
            return true;
        }
    return false;
}

static void variants_untry(tn_device *dev, const char *op) {
    for (int i = 0; i < TN_TRIED_VARIANTS; i++)
        if (dev->tried[i].op && (!op || strcmp(dev->tried[i].op->name, op) == 0))
            dev->tried[i].op = NULL;
}

void tn_tunable_untry(tn_device *dev, const char *op) {
    tn_tried_values *all = dev->tried_values;
    int kept = 0;
    for (int i = 0; i < all->count && op; i++)
        if (strcmp(all->rows[i].op, op) != 0)
            all->rows[kept++] = all->rows[i];
    all->count = kept;
    variants_untry(dev, op);
    tn_plans_forget(dev);
}
