/* libFuzzer's entry: TURNOUT_FUZZ names the target of fuzz_targets.h. Built by `cmake -DTN_FUZZ=ON` with
 * clang; run as tests/fuzz.sh does. */
#include "fuzz_targets.h"

#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
    static const tn_fuzz_target *target;
    if (!target)
        target = tn_fuzz_find(getenv("TURNOUT_FUZZ"));
    if (!target) {
        fputs("TURNOUT_FUZZ must name a target of tests/fuzz_targets.c\n", stderr);
        abort();
    }
    target->run(bytes, size);
    return 0;
}
