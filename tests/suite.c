#include "suite.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

int tn_test_main(Suite *suite) {
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

uint64_t tn_test_seed(void) {
    static uint64_t seed;
    if (seed == 0) {
        const char *given = getenv("TURNOUT_TEST_SEED");
        struct timespec now = {0};
        clock_gettime(CLOCK_REALTIME, &now);
        seed =
            given ? strtoull(given, NULL, 10) : (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
        seed += seed == 0;
        printf("random choices of seed %llu (TURNOUT_TEST_SEED)\n", (unsigned long long)seed);
        fflush(stdout); /* a test runs in a child: what stands in the buffer would be printed twice */
    }
    return seed;
}

/* SplitMix64's last steps. */
static uint64_t mix(uint64_t x) {
    x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9u;
    x = (x ^ x >> 27) * 0x94d049bb133111ebu;
    return x ^ x >> 31;
}

bool tn_test_drawn(const char *list, int number, int share) {
    if (getenv("TURNOUT_TEST_ALL"))
        return true;
    uint64_t x = mix(tn_test_seed());
    for (; *list; list++)
        x = mix(x + (unsigned char)*list);
    return (uint64_t)(number % share) == mix(x + (uint64_t)(number / share)) % (uint64_t)share;
}
