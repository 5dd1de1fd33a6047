/* What bytes of held-out text cost, and how many of them took attention, by what stands before them in the
 * window. */
#ifndef TN_TEXT_BITS_H
#define TN_TEXT_BITS_H

#include "text_places.h"

typedef enum tn_bits_by {
    TN_BITS_KIND,     /* a bucket a tn_text_kind */
    TN_BITS_DISTANCE, /* bytes back to where the last 8 bytes stood before: none, 1..31, 32..63, 64..127 … */
    TN_BITS_POSITION, /* quarter of the window */
    TN_BITS_BYS
} tn_bits_by;

extern const char *const tn_bits_by_names[TN_BITS_BYS];

enum { TN_BITS_BUCKETS = 32, TN_BITS_QUARTERS = 4, TN_BITS_NAME = 32 };

typedef struct tn_bits_bucket {
    int64_t bytes;
    int64_t routed; /* (layer, byte) pairs that took attention */
    double nats;    /* Σ loss */
} tn_bits_bucket;

/* Zeroed before the first window; each byte is in one bucket of every `by`. */
typedef struct tn_text_bits {
    int64_t layers, T; /* layers 0: no text was seen */
    tn_bits_bucket buckets[TN_BITS_BYS][TN_BITS_BUCKETS];
} tn_text_bits;

/* Adds a window: losses of its `labelled` bytes, in nats, at the places found last; routes: u8, of layer i
 * and position t at [i · stride + t]. */
void tn_text_bits_add(tn_text_bits *b, const tn_text_places *places, int64_t labelled, const float *losses,
                      const uint8_t *routes, int64_t stride);

/* Buckets that a window of this length can fill. */
int tn_text_bits_count(const tn_text_bits *b, tn_bits_by by);
/* "copy", "none", "64..127", "4". Returns name. */
const char *tn_text_bits_name(tn_bits_by by, int bucket, char name[TN_BITS_NAME]);
double tn_bits_per_byte(const tn_bits_bucket *b);                               /* NaN where it is empty */
double tn_bits_routed_pct(const tn_text_bits *b, const tn_bits_bucket *bucket); /* the same */
/* Bits a byte of the last quarter of the window; NaN where no text was seen. */
double tn_text_bits_last_quarter(const tn_text_bits *b);

#endif
