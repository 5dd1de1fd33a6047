/* Where each byte of a window of text stands: what kind of place it is, and how far back the text before it
 * stood already. Nothing outside the window counts. */
#ifndef TN_TEXT_PLACES_H
#define TN_TEXT_PLACES_H

#include "context.h"

/* Of a position: what the byte is that it predicts. The first that fits. A name is a run of letters, digits,
 * underscores and bytes above 127 that does not begin with a digit. */
typedef enum tn_text_kind {
    TN_TEXT_INDENTATION, /* a blank or tab with only such between it and the line feed before */
    TN_TEXT_COPY,        /* the 8 bytes before stood earlier, and are not white space alone */
    TN_TEXT_COPY_START,  /* with it begin 8 bytes that stood earlier, and are no copy one byte before */
    TN_TEXT_NAME_SEEN,   /* part of a name that stood earlier as a whole */
    TN_TEXT_NAME_NEW,    /* part of any other name */
    TN_TEXT_PUNCTUATION, /* a line feed or a printable ASCII sign */
    TN_TEXT_OTHER,       /* blanks between words, numbers, control bytes */
    TN_TEXT_KINDS
} tn_text_kind;

extern const char *const tn_text_kind_names[TN_TEXT_KINDS];

enum { TN_TEXT_REPEAT = 8 }; /* bytes that stand again are a copy */

typedef struct tn_text_places {
    int64_t T;
    uint8_t *kinds;       /* [T] tn_text_kind */
    int32_t *repeat;      /* [T + 1] bytes back to where the 8 bytes up to here stood last; 0: nowhere */
    unsigned char *bytes; /* [T + 1] */
    uint8_t *names;       /* [T + 1] of each byte: in no name, a new one, one seen before */
    int32_t *slots;       /* [slot_count] open addressing, −1: empty */
    size_t slot_count;    /* a power of two, above 2·T */
} tn_text_places;

/* Room for windows of T positions. Caller frees. */
tn_status tn_text_places_make(tn_context *ctx, int64_t T, tn_text_places *out);
void tn_text_places_free(tn_context *ctx, tn_text_places *p); /* fine on a zeroed one */
/* Fills kinds and repeat for tokens [T] and labels [T], the bytes after them; a label below 0 ends the text.
 * Returns how many positions have a label. */
int64_t tn_text_places_find(tn_text_places *p, const int32_t *tokens, const int32_t *labels);

#endif
