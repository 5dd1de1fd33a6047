/* The devices that rows were measured on: two cards of one name are two, on one machine or on two. */
#ifndef TN_DEVICES_H
#define TN_DEVICES_H

#include "csv_table.h"

/* One device. Two rows are of one where all texts but `label` are equal. */
typedef struct tn_device_id {
    const char *platform, *name, *host; /* borrowed from the first table that has it */
    const char *build;                  /* the build that measured, borrowed too; "" where builds are one */
    char mark[32];                      /* tn_device_mark */
    char label[512];                    /* the name, and where others share it what tells it from them */
} tn_device_id;

/* What tells cards of one machine apart: "PCI 0000:01:00.0" names a card for good; without it "device D" of
 * the selector P:D does, within a machine; processors have neither and are one device. */
void tn_device_mark(const tn_csv *t, size_t row, char *mark, size_t size);

typedef struct tn_devices {
    tn_context *ctx;
    tn_device_id *items;
    size_t count, capacity;
    bool any_host; /* machines are not told apart */
    bool builds;   /* builds of the program are: a device measured by two is two */
} tn_devices;

/* `*out`: the device of a cost row, added where it is new. The table must outlive it. */
tn_status tn_devices_find(tn_devices *d, const tn_csv *t, size_t row, size_t *out);
/* Makes every label: "X", or "X, on HOST, PCI 0000:01:00.0, by turnout 0.2.0+g0123456789ab". */
void tn_devices_label(tn_devices *d);
/* Adds all rows of the tables, makes the labels and gives each table's rows theirs. */
tn_status tn_devices_of_tables(tn_devices *d, tn_csv *tables, size_t count);
void tn_devices_free(tn_devices *d); /* fine on a zeroed one */

#endif
