/* What the OpenCL loader reads, and which of it cannot work: it passes over broken entries without a word. */
#ifndef TN_LOADER_H
#define TN_LOADER_H

#include "device.h"

/* A line for each entry of OCL_ICD_VENDORS, OCL_ICD_FILENAMES or /etc/OpenCL/vendors whose library does not
 * load: the entry, the library and the reason; for a folder that cannot be read, that. Asked after the loader
 * has loaded what it can: libraries are opened once more here. Lines are added to `text`, each behind a line
 * break but the first. */
void tn_loader_faults(char *text, size_t size);

/* Why the platform of that name may show no device although it is installed; "" where nothing is known. */
void tn_loader_empty_reason(const char *platform_name, char *text, size_t size);

/* Fails with TN_ERR_DEVICE: `what`, the list's notes, and how to get a driver on this system. */
tn_status tn_loader_no_device(tn_context *ctx, const char *what, const char *notes);

/* Adds a line to a text of such lines; what does not fit is cut. */
void tn_note_add(char *text, size_t size, const char *format, ...) __attribute__((format(printf, 3, 4)));

#endif
