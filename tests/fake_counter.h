/* What the made-up libraries of GPU vendors have in common: joules that grow with the clock at a power the
 * test chooses, and trouble on demand. Each library has its own. */
#ifndef TN_TEST_FAKE_COUNTER_H
#define TN_TEST_FAKE_COUNTER_H

#include <math.h>
#include <stdint.h>
#include <time.h>

void fake_power(double watts);    /* from now on */
void fake_fail(const char *call); /* that one fails from now on; NULL: none */
void fake_back(double joules);    /* the counter goes back */
void fake_tiles(
    int count);      /* Level Zero: no domain of the card, so many of its parts; 0: one of the device */
int fake_open(void); /* initialised and not shut down */

static double fake_joules = 5000, fake_watts = 100, fake_since;
static const char *fake_failing;
static int fake_tile_count = -1, fake_users;

static double fake_now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

void fake_power(double watts) {
    double now = fake_now();
    fake_joules += fake_since > 0 ? fake_watts * (now - fake_since) : 0;
    fake_since = now;
    fake_watts = watts;
}

void fake_fail(const char *call) {
    fake_failing = call;
}

void fake_back(double joules) {
    fake_joules -= joules;
}

void fake_tiles(int count) {
    fake_tile_count = count;
}

int fake_open(void) {
    return fake_users;
}

/* Joules as the counter last saw them: it moves every `update` seconds. */
static inline double fake_energy(double update) {
    double now = floor(fake_now() / update) * update;
    if (fake_since <= 0)
        fake_power(fake_watts);
    return fake_joules + fake_watts * (now > fake_since ? now - fake_since : 0);
}

static inline int fake_fails(const char *call, int code) {
    const char *a = fake_failing;
    while (a && *a && *a == *call) {
        a++;
        call++;
    }
    return a && !*a && !*call ? code : 0;
}

#endif
