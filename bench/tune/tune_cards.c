#include "tune_cards.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

extern const unsigned char tn_kernel_bytes_tune_cards[]; /* cards.txt, with a NUL behind */

static const char *next_line(const char *at) {
    at += strcspn(at, "\n");
    return at + (*at == '\n');
}

static void copy_line(const char *from, char *to, size_t size) {
    snprintf(to, size, "%.*s", (int)strcspn(from, "\n"), from);
}

bool tn_tune_card_at(int index, tn_tune_card *out) {
    const char *at = (const char *)tn_kernel_bytes_tune_cards;
    for (; *at; at = next_line(at)) {
        if (strncmp(at, "class ", 6) != 0 || index-- > 0)
            continue;
        copy_line(at + 6, out->name, sizeof out->name);
        at = next_line(at);
        copy_line(at, out->state, sizeof out->state);
        at = next_line(at);
        if (strncmp(at, "cards ", 6) != 0)
            return false;
        out->cards = at + 6;
        out->values = next_line(at);
        return true;
    }
    return false;
}

/* Does one of the names, with commas between them, stand in `device`? */
static bool names(const char *list, const char *device) {
    const char *end = list + strcspn(list, "\n");
    while (list < end) {
        char name[48];
        size_t length = strcspn(list, ",\n");
        snprintf(name, sizeof name, "%.*s", (int)length, list);
        if (name[0] && strcasestr(device, name))
            return true;
        list += length + 1;
        list += strspn(list, " ");
    }
    return false;
}

bool tn_tune_card_of(const char *device_name, tn_tune_card *out) {
    for (int i = 0; tn_tune_card_at(i, out); i++)
        if (names(out->cards, device_name))
            return true;
    return false;
}

bool tn_tune_card_value(const tn_tune_card *card, int index, char *op, char *variant, char *name, size_t size,
                        int *value) {
    const char *at = card->values;
    char parts[3][64], line[160];
    while (index-- > 0 && *at && *at != '\n')
        at = next_line(at);
    copy_line(at, line, sizeof line);
    if (sscanf(line, "%63[^/]/%63[^.].%63[^=]=%d", parts[0], parts[1], parts[2], value) != 4)
        return false;
    snprintf(op, size, "%s", parts[0]);
    snprintf(variant, size, "%s", parts[1]);
    snprintf(name, size, "%s", parts[2]);
    return true;
}

bool tn_tune_card_set(const tn_tune_card *card, const tn_tune_space *space, tn_tune_set *set) {
    const tn_tune_set before = *set;
    char op[64], variant[64], name[64];
    int value;
    if (space->variant == TN_TUNE_ANY_VARIANT)
        return false;
    for (int i = 0; tn_tune_card_value(card, i, op, variant, name, sizeof op, &value); i++) {
        if (strcmp(op, space->op->name) != 0 ||
            strcmp(variant, space->op->variants[space->variant]->name) != 0)
            continue;
        for (int row = 0; row < space->tunables; row++)
            if (space->count[row] && strcmp(space->rows[row]->name, name) == 0)
                set->values[row] = value;
    }
    return !tn_tune_set_equal(space, set, &before);
}
