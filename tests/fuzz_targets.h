/* What reads text or files that somebody else made, as functions of bytes: for a fuzzer (fuzz_main.c) and for
 * the inputs it once found, which are kept and tried again (test_fuzz.c). */
#ifndef TN_FUZZ_TARGETS_H
#define TN_FUZZ_TARGETS_H

#include <stddef.h>
#include <stdint.h>

typedef struct tn_fuzz_target {
    const char *name;
    void (*run)(const uint8_t *bytes, size_t size); /* any bytes: no crash, no hang, nothing alive after it */
} tn_fuzz_target;

extern const tn_fuzz_target tn_fuzz_targets[]; /* ends with a NULL name */
const tn_fuzz_target *tn_fuzz_find(const char *name);

#endif
