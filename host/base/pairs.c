#include "pairs.h"

#include <string.h>

#define BLANKS " \t\r\n"

tn_pairs tn_pairs_of(const char *text) {
    text += strspn(text, BLANKS);
    return (tn_pairs){.at = *text ? text : NULL};
}

bool tn_pairs_next(tn_pairs *pairs, tn_pair *out) {
    if (!pairs->at)
        return false;
    const char *at = pairs->at;
    size_t length = strcspn(at, "," BLANKS);
    const char *rest = at + length + strspn(at + length, BLANKS);
    bool comma = *rest == ',';
    *out = (tn_pair){.part = {at, length}, .index = ++pairs->index};
    if (comma) {
        rest++;
        rest += strspn(rest, BLANKS);
    }
    pairs->at = *rest || comma ? rest : NULL;
    const char *equals = memchr(at, '=', length);
    out->key = (tn_slice){at, equals ? (size_t)(equals - at) : length};
    if (equals)
        out->value = (tn_slice){equals + 1, length - out->key.length - 1};
    return true;
}

static tn_status no_field(tn_context *ctx, const char *what, const tn_pair *pair, const tn_pair_field *fields,
                          size_t count) {
    char list[512] = "";
    size_t used = 0;
    for (size_t i = 0; i < count && used < sizeof list; i++)
        used += (size_t)snprintf(list + used, sizeof list - used, "%s%s", i ? ", " : "", fields[i].name);
    return tn_fail(ctx, TN_ERR_ARG, "%s: part %d, '%.*s', %s; there is %s, as %s=%.10g", what, pair->index,
                   tn_slice_shown(pair->part), pair->part.at,
                   pair->value.at ? "names none of its values" : "is not NAME=VALUE", list, fields[0].name,
                   fields[0].low > 1 ? fields[0].low : 1);
}

static tn_status read_field(tn_context *ctx, const char *what, const tn_pair *pair, tn_pair_field *field) {
    char name[160];
    snprintf(name, sizeof name, "%s: %s", what, field->name);
    if (field->seen)
        return tn_fail(ctx, TN_ERR_ARG, "%s stands twice, again as '%.*s' in part %d; leave one out", name,
                       tn_slice_shown(pair->part), pair->part.at, pair->index);
    field->seen = true;
    if (field->whole)
        return tn_number_int(ctx, name, pair->value, (int64_t)field->low, (int64_t)field->high, field->whole);
    return tn_number_real(ctx, name, pair->value, field->low, field->high, field->real);
}

tn_status tn_pairs_read(tn_context *ctx, const char *what, const char *text, tn_pair_field *fields,
                        size_t count) {
    tn_pair pair;
    for (tn_pairs pairs = tn_pairs_of(text); tn_pairs_next(&pairs, &pair);) {
        size_t i = 0;
        while (i < count && !tn_slice_is(pair.key, fields[i].name))
            i++;
        if (i == count || !pair.value.at)
            return no_field(ctx, what, &pair, fields, count);
        TN_TRY(read_field(ctx, what, &pair, &fields[i]));
    }
    return TN_OK;
}

bool tn_named_value(const char *text, const char *name, tn_slice *value) {
    size_t length = strlen(name);
    if (strncmp(text, name, length) != 0 || text[length] != ':')
        return false;
    *value = tn_slice_of(text + length + 1);
    return true;
}

bool tn_item_next(const char **text, tn_slice *item) {
    if (!*text)
        return false;
    *item = (tn_slice){*text, strcspn(*text, ",")};
    *text = (*text)[item->length] ? *text + item->length + 1 : NULL;
    return true;
}
