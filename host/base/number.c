#include "number.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

tn_slice tn_slice_of(const char *text) {
    return (tn_slice){text, strlen(text)};
}

bool tn_slice_is(tn_slice s, const char *word) {
    return strlen(word) == s.length && memcmp(s.at, word, s.length) == 0;
}

int tn_slice_shown(tn_slice s) {
    return s.length < 200 ? (int)s.length : 200;
}

static bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

static int hex_digit(char c) {
    if (is_digit(c))
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* magnitude · base + digit; false beyond 64 bits. */
static bool append(uint64_t *magnitude, unsigned base, unsigned digit) {
    if (*magnitude > (UINT64_MAX - digit) / base)
        return false;
    *magnitude = *magnitude * base + digit;
    return true;
}

/* Digits behind "0x". */
static size_t read_hex(tn_slice t, size_t at, tn_number *n) {
    size_t first = at;
    n->whole = true;
    for (; at < t.length && hex_digit(t.at[at]) >= 0; at++) {
        unsigned digit = (unsigned)hex_digit(t.at[at]);
        n->real = n->real * 16 + digit;
        n->whole = append(&n->magnitude, 16, digit) && n->whole;
    }
    return at > first ? at : 0;
}

enum { EXPONENT_MOST = 100000 };

/* "e-3" at `at`; 0 where that is no exponent, and belongs to what follows. */
static size_t read_exponent(tn_slice t, size_t at, long *out) {
    bool negative = false;
    long value = 0;
    if (at >= t.length || (t.at[at] != 'e' && t.at[at] != 'E'))
        return 0;
    at++;
    if (at < t.length && (t.at[at] == '-' || t.at[at] == '+'))
        negative = t.at[at++] == '-';
    if (at >= t.length || !is_digit(t.at[at]))
        return 0;
    for (; at < t.length && is_digit(t.at[at]); at++)
        if (value < EXPONENT_MOST)
            value = value * 10 + (t.at[at] - '0');
    *out = negative ? -value : value;
    return at;
}

/* Decimal digits with a point somewhere: zeros at the end are counted, so that they can go into the exponent.
 */
typedef struct digits {
    uint64_t magnitude;
    long exponent, zeros; /* zeros: read, but not in the magnitude yet */
    bool fits;
} digits;

static void take_digit(digits *d, char c, bool behind_point) {
    if (c == '0') {
        d->zeros++;
        d->exponent -= behind_point;
        return;
    }
    for (; d->zeros > 0 && d->fits; d->zeros--)
        d->fits = d->magnitude == 0 || append(&d->magnitude, 10, 0);
    d->zeros = 0;
    d->fits = d->fits && append(&d->magnitude, 10, (unsigned)(c - '0'));
    d->exponent -= behind_point;
}

static size_t read_decimal(tn_slice t, size_t at, tn_number *n) {
    digits d = {.fits = true};
    long exponent = 0;
    bool point = false;
    size_t count = 0, end;
    for (; at < t.length; at++) {
        if (is_digit(t.at[at])) {
            take_digit(&d, t.at[at], point);
            count++;
        } else if (t.at[at] == '.' && !point && !(at + 1 < t.length && t.at[at + 1] == '.')) {
            point = true;
        } else {
            break;
        }
    }
    if (count == 0)
        return 0;
    end = read_exponent(t, at, &exponent);
    n->magnitude = d.magnitude;
    n->whole = d.fits;
    exponent += d.exponent + d.zeros;
    if (n->magnitude == 0)
        exponent = 0;
    n->whole = n->whole && exponent >= 0;
    for (; exponent > 0 && n->whole; exponent--)
        n->whole = append(&n->magnitude, 10, 0);
    return end ? end : at;
}

/* As strtod has it: the nearest double to the digits. */
static double real_of(const char *at, size_t length) {
    char few[64], *copy = length < sizeof few ? few : malloc(length + 1);
    if (!copy)
        return NAN;
    memcpy(copy, at, length);
    copy[length] = '\0';
    double value = strtod(copy, NULL);
    if (copy != few)
        free(copy);
    return value;
}

size_t tn_number_read(tn_slice text, tn_number *out) {
    size_t at = text.length > 0 && text.at[0] == '-', end;
    bool hex = text.length > at + 1 && text.at[at] == '0' && (text.at[at + 1] | 32) == 'x';
    *out = (tn_number){.negative = at > 0};
    end = hex ? read_hex(text, at + 2, out) : read_decimal(text, at, out);
    if (end > 0 && !hex)
        out->real = real_of(text.at, end);
    else if (out->negative)
        out->real = -out->real;
    if (out->magnitude == 0 && out->whole)
        out->negative = false;
    return end;
}

static bool read_all(tn_slice text, tn_number *out) {
    return text.length > 0 && tn_number_read(text, out) == text.length;
}

/* −magnitude or magnitude; false where it does not fit. */
static bool signed_of(const tn_number *n, int64_t *out) {
    if (!n->whole || n->magnitude > (uint64_t)INT64_MAX)
        return false;
    *out = n->negative ? -(int64_t)n->magnitude : (int64_t)n->magnitude;
    return true;
}

tn_status tn_number_int(tn_context *ctx, const char *what, tn_slice text, int64_t low, int64_t high,
                        int64_t *out) {
    tn_number n;
    if (read_all(text, &n) && signed_of(&n, out) && *out >= low && *out <= high)
        return TN_OK;
    return tn_fail(ctx, TN_ERR_ARG, "%s wants a whole number from %lld to %lld, not '%.*s'", what,
                   (long long)low, (long long)high, tn_slice_shown(text), text.at);
}

tn_status tn_number_uint64(tn_context *ctx, const char *what, tn_slice text, uint64_t *out) {
    tn_number n;
    if (!read_all(text, &n) || !n.whole || n.negative)
        return tn_fail(ctx, TN_ERR_ARG, "%s wants a whole number from 0 to 2^64-1, not '%.*s'", what,
                       tn_slice_shown(text), text.at);
    *out = n.magnitude;
    return TN_OK;
}

tn_status tn_number_real(tn_context *ctx, const char *what, tn_slice text, double low, double high,
                         double *out) {
    tn_number n;
    bool read = read_all(text, &n) && isfinite(n.real);
    if (read && (low >= high || (n.real >= low && n.real <= high))) {
        *out = n.real;
        return TN_OK;
    }
    if (low < high)
        return tn_fail(ctx, TN_ERR_ARG, "%s wants a number from %.10g to %.10g, not '%.*s'", what, low, high,
                       tn_slice_shown(text), text.at);
    return tn_fail(ctx, TN_ERR_ARG, "%s wants a number, not '%.*s'", what, tn_slice_shown(text), text.at);
}
