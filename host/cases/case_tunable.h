/* The table of tunables of a case: the tuner, the tests and `turnout tune --list` read it. */
#ifndef TN_CASE_TUNABLE_H
#define TN_CASE_TUNABLE_H

#include <stdbool.h>

/* What `turnout tune` may set: a name that the op asks tn_tunable for, and its candidates. The default of
 * each kind of device is a candidate too. Every value is right beside every value of the others, wherever the
 * device takes the set: what cannot stand together is refused by the op with TN_ERR_UNSUPPORTED. */
typedef struct tn_case_tunable {
    const char *name, *meaning;
    bool bits; /* another value may move last bits of a result (an order of summing) */
    int count;
    const int *values;
} tn_case_tunable;
#define TN_CASE_TUNABLE_VALUES(...)                                                                          \
    (int)(sizeof((const int[]){__VA_ARGS__}) / sizeof(int)), (const int[]) {                                 \
        __VA_ARGS__                                                                                          \
    }
#define TN_CASE_TUNABLE(name, meaning, ...)                                                                  \
    { name, meaning, false, TN_CASE_TUNABLE_VALUES(__VA_ARGS__) }
#define TN_CASE_TUNABLE_BITS(name, meaning, ...)                                                             \
    { name, meaning, true, TN_CASE_TUNABLE_VALUES(__VA_ARGS__) }
/* What most ops with one-dimensional groups have. */
#define TN_CASE_TUNABLE_LOCAL TN_CASE_TUNABLE("LOCAL", "work-items of a group", 1, 16, 32, 64, 128, 256)
/* Nothing below what a cache holds: timing a kernel alone does not see what its reader loses. */
#define TN_CASE_TUNABLE_STREAM                                                                               \
    TN_CASE_TUNABLE("STREAM", "bytes from which results bypass the caches, 0 for never", 0, 32 << 20,        \
                    128 << 20)

#endif
