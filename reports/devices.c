#include "devices.h"

#include <string.h>
#include <strings.h>

void tn_device_mark(const tn_csv *t, size_t row, char *mark, size_t size) {
    const char *pci = tn_csv_text(t, row, tn_csv_column(t, "pci"));
    const char *selector = tn_csv_text(t, row, tn_csv_column(t, "selector"));
    const char *number = strchr(selector, ':');
    const bool shard = tn_shard_row(t, row);
    *mark = '\0';
    if (shard && !t->cards)
        return;
    if (*pci && !shard)
        snprintf(mark, size, "PCI %s", pci);
    else if (number && strcmp(tn_csv_text(t, row, tn_csv_column(t, "kind")), "cpu") != 0)
        snprintf(mark, size, "device %s", number + 1);
}

tn_status tn_devices_find(tn_devices *d, const tn_csv *t, size_t row, size_t *out) {
    tn_device_id id = {
        .platform = tn_csv_text(t, row, tn_csv_column(t, "platform")),
        .name = tn_csv_text(t, row, tn_csv_column(t, "device")),
        .host = d->any_host || tn_shard_row(t, row) ? "" : tn_csv_text(t, row, tn_csv_column(t, "host")),
        .build = d->builds ? tn_csv_text(t, row, tn_csv_column(t, "version")) : ""};
    tn_device_mark(t, row, id.mark, sizeof id.mark);
    for (*out = 0; *out < d->count; ++*out) {
        const tn_device_id *known = &d->items[*out];
        if (strcmp(known->mark, id.mark) == 0 && strcmp(known->name, id.name) == 0 &&
            strcmp(known->host, id.host) == 0 && strcmp(known->platform, id.platform) == 0 &&
            strcmp(known->build, id.build) == 0)
            return TN_OK;
    }
    TN_TRY(tn_grow(d->ctx, &d->items, &d->capacity, d->count + 1, sizeof *d->items));
    d->items[d->count++] = id;
    return TN_OK;
}

void tn_devices_label(tn_devices *d) {
    for (size_t i = 0; i < d->count; i++) {
        tn_device_id *id = &d->items[i];
        bool platform = false, host = false, mark = false, build = false;
        for (size_t k = 0; k < d->count; k++) {
            const tn_device_id *other = &d->items[k];
            if (strcmp(other->name, id->name) != 0)
                continue;
            platform = platform || strcmp(other->platform, id->platform) != 0;
            host = host || strcmp(other->host, id->host) != 0;
            mark = mark || strcmp(other->mark, id->mark) != 0;
            build = build || strcmp(other->build, id->build) != 0;
        }
        snprintf(id->label, sizeof id->label, "%s%s%s%s%s%s%s%s%s", id->name, platform ? ", " : "",
                 platform ? id->platform : "", host ? ", on " : "", host ? id->host : "",
                 mark && *id->mark ? ", " : "", mark ? id->mark : "", build ? ", by turnout " : "",
                 build ? id->build : "");
    }
}

tn_status tn_devices_of_tables(tn_devices *d, tn_csv *tables, size_t count) {
    size_t at;
    for (size_t f = 0; f < count; f++)
        for (size_t row = 0; row < tables[f].rows; row++)
            TN_TRY(tn_devices_find(d, &tables[f], row, &at));
    tn_devices_label(d);
    for (size_t f = 0; f < count; f++) {
        tn_csv *t = &tables[f];
        TN_TRY(tn_alloc(t->ctx, t->rows, sizeof *t->labels, &t->labels));
        for (size_t row = 0; row < t->rows; row++) {
            TN_TRY(tn_devices_find(d, t, row, &at));
            t->labels[row] = d->items[at].label;
        }
    }
    return TN_OK;
}

void tn_devices_free(tn_devices *d) {
    if (d->ctx)
        tn_free(d->ctx, d->items);
    *d = (tn_devices){0};
}
