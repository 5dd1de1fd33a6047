#include "energy_sampler.h"

#include "clock.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <time.h>

struct tn_sampler {
    tn_context *ctx;
    tn_sampler_watts watts;
    void *data;
    pthread_t thread;
    pthread_mutex_t lock; /* of all below, and of asking */
    pthread_cond_t wake;
    bool stop, started, lost;
    double last_s, last_w, joules;
    char why[TN_ENERGY_WHY];
};

/* Asks once and adds the trapezoid since the last time; the lock is held. */
static void sample(tn_sampler *s) {
    double watts;
    if (s->lost)
        return;
    if (!s->watts(s->data, &watts, s->why)) {
        s->lost = true;
        return;
    }
    double now = tn_clock_seconds(), gap = now - s->last_s;
    if (s->started && gap > 1e-3 * TN_SAMPLER_GAP_MS) {
        snprintf(s->why, sizeof s->why, "samples of the power came %.0f ms apart", 1e3 * gap);
        s->lost = true;
    }
    if (s->started)
        s->joules += 0.5 * (watts + s->last_w) * gap;
    s->started = true;
    s->last_s = now;
    s->last_w = watts;
}

static void *work(void *data) {
    tn_sampler *s = data;
    struct timespec next;
    pthread_mutex_lock(&s->lock);
    clock_gettime(CLOCK_MONOTONIC, &next);
    while (!s->stop) {
        sample(s);
        next.tv_nsec += TN_SAMPLER_INTERVAL_MS * 1000000L;
        if (next.tv_nsec >= 1000000000L) {
            next.tv_nsec -= 1000000000L;
            next.tv_sec++;
        }
        while (!s->stop && pthread_cond_timedwait(&s->wake, &s->lock, &next) == 0)
            ;
    }
    pthread_mutex_unlock(&s->lock);
    return NULL;
}

tn_status tn_sampler_start(tn_context *ctx, tn_sampler_watts watts, void *data, tn_sampler **out) {
    tn_sampler *s;
    pthread_condattr_t monotonic;
    TN_TRY(tn_alloc(ctx, 1, sizeof *s, &s));
    *s = (tn_sampler){.ctx = ctx, .watts = watts, .data = data};
    pthread_mutex_init(&s->lock, NULL);
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&s->wake, &monotonic);
    pthread_condattr_destroy(&monotonic);
    sample(s);
    int error = pthread_create(&s->thread, NULL, work, s);
    if (error) {
        pthread_cond_destroy(&s->wake);
        pthread_mutex_destroy(&s->lock);
        tn_free(ctx, s);
        return tn_fail(ctx, TN_ERR_MEMORY, "cannot start a thread that samples power: %s", strerror(error));
    }
    *out = s;
    return TN_OK;
}

void tn_sampler_stop(tn_sampler *s) {
    if (!s)
        return;
    pthread_mutex_lock(&s->lock);
    s->stop = true;
    pthread_cond_signal(&s->wake);
    pthread_mutex_unlock(&s->lock);
    pthread_join(s->thread, NULL);
    pthread_cond_destroy(&s->wake);
    pthread_mutex_destroy(&s->lock);
    tn_free(s->ctx, s);
}

bool tn_sampler_microjoules(tn_sampler *s, uint64_t *out, char why[TN_ENERGY_WHY]) {
    pthread_mutex_lock(&s->lock);
    sample(s);
    bool ok = !s->lost;
    *out = (uint64_t)(1e6 * s->joules);
    if (!ok)
        snprintf(why, TN_ENERGY_WHY, "%s", s->why);
    pthread_mutex_unlock(&s->lock);
    return ok;
}
