#include "text_bits.h"

#include <math.h>

const char *const tn_bits_by_names[TN_BITS_BYS] = {"kind", "distance", "position"};

enum { NEAREST_LOG = 5 }; /* the nearest bucket ends below 2^5 bytes */

static int distance_bucket(int64_t distance) {
    int log = 0;
    if (distance == 0)
        return 0;
    while (distance >> (log + 1))
        log++;
    return log < NEAREST_LOG ? 1 : log - NEAREST_LOG + 2;
}

static void add(tn_bits_bucket *b, double nats, int64_t routed) {
    b->bytes++;
    b->routed += routed;
    b->nats += nats;
}

void tn_text_bits_add(tn_text_bits *b, const tn_text_places *places, int64_t labelled, const float *losses,
                      const uint8_t *routes, int64_t stride) {
    for (int64_t t = 0; t < labelled; t++) {
        int64_t routed = 0;
        for (int64_t i = 0; i < b->layers; i++)
            routed += routes[i * stride + t] != 0;
        double nats = (double)losses[t];
        add(&b->buckets[TN_BITS_KIND][places->kinds[t]], nats, routed);
        add(&b->buckets[TN_BITS_DISTANCE][distance_bucket(places->repeat[t])], nats, routed);
        add(&b->buckets[TN_BITS_POSITION][TN_BITS_QUARTERS * t / b->T], nats, routed);
    }
}

int tn_text_bits_count(const tn_text_bits *b, tn_bits_by by) {
    if (by == TN_BITS_KIND)
        return TN_TEXT_KINDS;
    return by == TN_BITS_POSITION ? TN_BITS_QUARTERS : distance_bucket(b->T - 1) + 1;
}

const char *tn_text_bits_name(tn_bits_by by, int bucket, char name[TN_BITS_NAME]) {
    long long from = 1LL << (bucket + NEAREST_LOG - 2);
    if (by == TN_BITS_KIND)
        snprintf(name, TN_BITS_NAME, "%s", tn_text_kind_names[bucket]);
    else if (by == TN_BITS_POSITION)
        snprintf(name, TN_BITS_NAME, "%d", bucket + 1);
    else if (bucket == 0)
        snprintf(name, TN_BITS_NAME, "none");
    else
        snprintf(name, TN_BITS_NAME, "%lld..%lld", bucket == 1 ? 1 : from, 2 * from - 1);
    return name;
}

double tn_bits_per_byte(const tn_bits_bucket *b) {
    return b->bytes ? b->nats / (double)b->bytes / log(2) : NAN;
}

double tn_bits_routed_pct(const tn_text_bits *b, const tn_bits_bucket *bucket) {
    return bucket->bytes ? 100 * (double)bucket->routed / (double)(b->layers * bucket->bytes) : NAN;
}

double tn_text_bits_last_quarter(const tn_text_bits *b) {
    return tn_bits_per_byte(&b->buckets[TN_BITS_POSITION][TN_BITS_QUARTERS - 1]);
}
