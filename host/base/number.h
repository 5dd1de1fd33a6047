/* Numbers in texts that people write: options, shapes, lists, names with a number behind them. One way of
 * writing them everywhere: decimal, with a point and an exponent where wanted (4096, 1e3, .5, 2.5e-3), or
 * hexadecimal for whole numbers (0x1000). A leading zero does not make a number octal; blanks, a plus sign,
 * infinity and NaN are no numbers. */
#ifndef TN_NUMBER_H
#define TN_NUMBER_H

#include "context.h"

/* Part of a text; the text is borrowed. */
typedef struct tn_slice {
    const char *at;
    size_t length;
} tn_slice;

tn_slice tn_slice_of(const char *text);
bool tn_slice_is(tn_slice s, const char *word);
/* What a "%.*s" takes: a length that fits an int. */
int tn_slice_shown(tn_slice s);

typedef struct tn_number {
    double real;
    bool whole;         /* exactly, and below 2^64 */
    bool negative;      /* of a whole number, which then is −magnitude */
    uint64_t magnitude; /* of a whole number */
} tn_number;

/* The number at the beginning of the slice; how many characters it takes, 0 where there is none. A point
 * before another point is not the number's: "1..8" begins with 1. */
size_t tn_number_read(tn_slice text, tn_number *out);

/* The whole slice as one number. TN_ERR_ARG: "WHAT wants a whole number from 1 to 64, not 'x'". */
tn_status tn_number_int(tn_context *ctx, const char *what, tn_slice text, int64_t low, int64_t high,
                        int64_t *out);
tn_status tn_number_uint64(tn_context *ctx, const char *what, tn_slice text, uint64_t *out);
/* low ≤ value ≤ high; any finite value where low = high. */
tn_status tn_number_real(tn_context *ctx, const char *what, tn_slice text, double low, double high,
                         double *out);

#endif
