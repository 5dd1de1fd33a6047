/* Where a search sets out for known cards (cards.txt): data, a class of cards by part of their names. */
#ifndef TN_TUNE_CARDS_H
#define TN_TUNE_CARDS_H

#include "tune_set.h"

typedef struct tn_tune_card {
    char name[48], state[80]; /* "nvidia-hopper"; "untested", or by whom and when it was run */
    const char *cards;        /* its names in the text, up to the line's end */
    const char *values;       /* its lines behind that, up to an empty one */
} tn_tune_card;

/* Class `index` of the file; false past the last. */
bool tn_tune_card_at(int index, tn_tune_card *out);
/* The first class whose names stand in that of the device, whatever their case. */
bool tn_tune_card_of(const char *device_name, tn_tune_card *out);
/* Value `index` of a class as its parts, each of `size` bytes; false past the last. */
bool tn_tune_card_value(const tn_tune_card *card, int index, char *op, char *variant, char *name, size_t size,
                        int *value);
/* What the class has of the space's variant, over `set`; false where that changes nothing. */
bool tn_tune_card_set(const tn_tune_card *card, const tn_tune_space *space, tn_tune_set *set);

#endif
