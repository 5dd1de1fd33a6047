#include "text_places.h"

#include <string.h>

const char *const tn_text_kind_names[TN_TEXT_KINDS] = {
    "indentation", "copy", "copy_start", "name_seen", "name_new", "punctuation", "other"};

enum { NO_NAME, NEW_NAME, SEEN_NAME };

tn_status tn_text_places_make(tn_context *ctx, int64_t T, tn_text_places *out) {
    *out = (tn_text_places){.T = T, .slot_count = 16};
    while ((int64_t)out->slot_count < 2 * (T + 1))
        out->slot_count *= 2;
    tn_status status = TN_OK;
    TN_GO(tn_alloc(ctx, (size_t)T, 1, &out->kinds));
    TN_GO(tn_alloc(ctx, (size_t)T + 1, sizeof *out->repeat, &out->repeat));
    TN_GO(tn_alloc(ctx, (size_t)T + 1, 1, &out->bytes));
    TN_GO(tn_alloc(ctx, (size_t)T + 1, 1, &out->names));
    TN_GO(tn_alloc(ctx, out->slot_count, sizeof *out->slots, &out->slots));
cleanup:
    if (status != TN_OK)
        tn_text_places_free(ctx, out);
    return status;
}

void tn_text_places_free(tn_context *ctx, tn_text_places *p) {
    tn_free(ctx, p->kinds);
    tn_free(ctx, p->repeat);
    tn_free(ctx, p->bytes);
    tn_free(ctx, p->names);
    tn_free(ctx, p->slots);
    *p = (tn_text_places){0};
}

static bool is_blank(unsigned char c) {
    return c == ' ' || c == '\t';
}

static bool is_digit(unsigned char c) {
    return c >= '0' && c <= '9';
}

static bool is_word(unsigned char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || is_digit(c) || c == '_' || c >= 128;
}

static bool is_punctuation(unsigned char c) {
    return c == '\n' || (c > ' ' && c < 127 && !is_word(c));
}

/* The end of the same `size` bytes seen last before `end`, or −1; from now on that is `end`. Bytes are
 * compared, so no two that hash alike are taken for one. */
static int32_t seen_before(tn_text_places *p, int64_t end, size_t size, bool whole_name) {
    const unsigned char *text = p->bytes + end + 1 - (int64_t)size;
    uint64_t hash = 1469598103934665603u;
    for (size_t i = 0; i < size; i++)
        hash = (hash ^ text[i]) * 1099511628211u;
    for (size_t at = (size_t)(hash ^ hash >> 32);; at++) {
        int32_t *slot = &p->slots[at & (p->slot_count - 1)], other = *slot;
        bool same = other >= 0 && other + 1 >= (int32_t)size &&
                    memcmp(p->bytes + other + 1 - (int64_t)size, text, size) == 0;
        /* Of a longer name these may be the last letters. */
        if (same && whole_name && other + 1 > (int32_t)size)
            same = !is_word(p->bytes[other - (int64_t)size]);
        if (other >= 0 && !same)
            continue;
        *slot = (int32_t)end;
        return other;
    }
}

static void clear_slots(tn_text_places *p) {
    memset(p->slots, 0xff, p->slot_count * sizeof *p->slots);
}

static void find_repeats(tn_text_places *p, int64_t n) {
    clear_slots(p);
    for (int64_t i = 0; i <= n; i++) {
        int32_t before = i + 1 < TN_TEXT_REPEAT ? -1 : seen_before(p, i, TN_TEXT_REPEAT, false);
        p->repeat[i] = before < 0 ? 0 : (int32_t)i - before;
    }
}

static void find_names(tn_text_places *p, int64_t n) {
    clear_slots(p);
    memset(p->names, NO_NAME, (size_t)n + 1);
    for (int64_t from = 0, to; from <= n; from = to) {
        for (to = from; to <= n && is_word(p->bytes[to]);)
            to++;
        if (to > from && !is_digit(p->bytes[from])) {
            bool seen = seen_before(p, to - 1, (size_t)(to - from), true) >= 0;
            memset(p->names + from, seen ? SEEN_NAME : NEW_NAME, (size_t)(to - from));
        }
        to += to == from;
    }
}

/* The 8 bytes up to `end` stood earlier. White space alone is no copy: it is everywhere. */
static bool is_copy(const tn_text_places *p, int64_t end) {
    if (!p->repeat[end])
        return false;
    for (int64_t i = end + 1 - TN_TEXT_REPEAT; i <= end; i++)
        if (!is_blank(p->bytes[i]) && p->bytes[i] != '\n' && p->bytes[i] != '\r')
            return true;
    return false;
}

static tn_text_kind kind_of(const tn_text_places *p, int64_t t, int64_t n, bool line_begins) {
    unsigned char next = p->bytes[t + 1];
    if (line_begins && is_blank(next))
        return TN_TEXT_INDENTATION;
    if (is_copy(p, t))
        return TN_TEXT_COPY;
    if (t + TN_TEXT_REPEAT <= n && is_copy(p, t + TN_TEXT_REPEAT) && !is_copy(p, t + TN_TEXT_REPEAT - 1))
        return TN_TEXT_COPY_START;
    if (p->names[t + 1] != NO_NAME)
        return p->names[t + 1] == SEEN_NAME ? TN_TEXT_NAME_SEEN : TN_TEXT_NAME_NEW;
    return is_punctuation(next) ? TN_TEXT_PUNCTUATION : TN_TEXT_OTHER;
}

int64_t tn_text_places_find(tn_text_places *p, const int32_t *tokens, const int32_t *labels) {
    int64_t n = 0;
    for (; n < p->T && labels[n] >= 0; n++)
        p->bytes[n] = (unsigned char)tokens[n];
    if (n == 0)
        return 0;
    p->bytes[n] = (unsigned char)labels[n - 1];
    find_repeats(p, n);
    find_names(p, n);
    bool line_begins = false;
    for (int64_t t = 0; t < n; t++) {
        line_begins = p->bytes[t] == '\n' || (line_begins && is_blank(p->bytes[t]));
        p->kinds[t] = (uint8_t)kind_of(p, t, n, line_begins);
    }
    return n;
}
