#include "axis.h"

#include "pairs.h"

#include <math.h>
#include <string.h>

static tn_status refuse(tn_context *ctx, const tn_axis_kind *k, const char *item, const char *why) {
    return tn_fail(ctx, TN_ERR_ARG, "--%s: '%s' %s; a list is %s", k->name, item, why, k->example);
}

/* The number at the beginning of the rest, which is left behind it. */
static tn_status number(tn_context *ctx, const tn_axis_kind *k, const char *item, const char **p,
                        double *out) {
    tn_number n;
    *out = 0;
    if (k->n > 0 && **p == 'N') {
        *out = k->n;
        ++*p;
        return TN_OK;
    }
    size_t length = tn_number_read(tn_slice_of(*p), &n);
    if (length == 0 || !isfinite(n.real))
        return refuse(ctx, k, item, "is no number and no range");
    *out = n.real;
    *p += length;
    return TN_OK;
}

static tn_status add(tn_context *ctx, const tn_axis_kind *k, const char *item, double value, tn_axis *out) {
    char why[120];
    if (k->whole)
        value = round(value);
    if (!(value >= k->low && value <= k->high)) {
        snprintf(why, sizeof why, "gives %.10g, and a value lies in %.10g..%.10g", value, k->low, k->high);
        return refuse(ctx, k, item, why);
    }
    for (int i = 0; i < out->count; i++)
        if (fabs(out->v[i] - value) <= 1e-12 * fabs(value))
            return TN_OK;
    if (out->count == TN_AXIS_MAX) {
        snprintf(why, sizeof why, "makes more than %d values", TN_AXIS_MAX);
        return refuse(ctx, k, item, why);
    }
    out->v[out->count++] = value;
    return TN_OK;
}

static tn_status range(tn_context *ctx, const tn_axis_kind *k, const char *item, double from, const char *p,
                       tn_axis *out) {
    double to, by;
    TN_TRY(number(ctx, k, item, &p, &to));
    char how = *p;
    if (how != '*' && how != '+')
        return refuse(ctx, k, item, "is a range without *FACTOR or +STEP");
    p++;
    TN_TRY(number(ctx, k, item, &p, &by));
    if (*p)
        return refuse(ctx, k, item, "has something behind its range");
    if (how == '*' ? !(by > 1 && from > 0) : !(by > 0))
        return refuse(ctx, k, item,
                      how == '*' ? "wants a factor above 1, and a start above 0" : "wants a step above 0");
    if (!(from <= to))
        return refuse(ctx, k, item, "goes downwards");
    for (int i = 0; i <= TN_AXIS_MAX; i++) {
        double value = how == '*' ? from * pow(by, i) : from + by * i;
        if (value >= to * (1 - 1e-9))
            break;
        TN_TRY(add(ctx, k, item, value, out));
    }
    return add(ctx, k, item, to, out);
}

static tn_status item_parse(tn_context *ctx, const tn_axis_kind *k, const char *item, tn_axis *out) {
    const char *p = item;
    double value;
    TN_TRY(number(ctx, k, item, &p, &value));
    if (k->whole && value != floor(value))
        return refuse(ctx, k, item, "is no whole number");
    if (strncmp(p, "..", 2) == 0)
        return range(ctx, k, item, value, p + 2, out);
    return *p ? refuse(ctx, k, item, "is no number and no range") : add(ctx, k, item, value, out);
}

static bool next_item(const char **text, char *item, size_t size) {
    tn_slice slice;
    if (!tn_item_next(text, &slice))
        return false;
    snprintf(item, size, "%.*s", tn_slice_shown(slice), slice.at);
    return true;
}

tn_status tn_axis_parse(tn_context *ctx, const tn_axis_kind *kind, const char *text, tn_axis *out) {
    char item[120];
    out->count = 0;
    while (next_item(&text, item, sizeof item))
        TN_TRY(item_parse(ctx, kind, item, out));
    return TN_OK;
}

static tn_status unknown_word(tn_context *ctx, const char *name, const char *word,
                              const char *const *choices) {
    char list[1024] = "";
    size_t used = 0;
    for (int i = 0; choices[i] && used < sizeof list; i++)
        used += (size_t)snprintf(list + used, sizeof list - used, "%s%s", i ? ", " : "", choices[i]);
    return tn_fail(ctx, TN_ERR_ARG, "--%s: '%s' is none of %s; a list is %s%s%s", name, word, list,
                   choices[0], choices[1] ? "," : "", choices[1] ? choices[1] : "");
}

tn_status tn_words_parse(tn_context *ctx, const char *name, const char *text, const char *const *choices,
                         tn_words *out) {
    char word[48];
    out->count = 0;
    while (next_item(&text, word, sizeof word)) {
        int i = 0;
        while (choices[i] && strcmp(choices[i], word) != 0)
            i++;
        if (!choices[i])
            return unknown_word(ctx, name, word, choices);
        if (out->count && tn_words_allow(out, word))
            continue;
        if (out->count == TN_WORDS_MAX)
            return tn_fail(ctx, TN_ERR_ARG, "--%s: more than %d words", name, TN_WORDS_MAX);
        snprintf(out->v[out->count++], sizeof out->v[0], "%s", word);
    }
    return TN_OK;
}

bool tn_words_allow(const tn_words *words, const char *word) {
    for (int i = 0; i < words->count; i++)
        if (strcmp(words->v[i], word) == 0)
            return true;
    return words->count == 0;
}
