/* Text files that others wrote: read whole, made into UTF-8 where they are not. */
#ifndef TN_TEXT_FILE_H
#define TN_TEXT_FILE_H

#include <jansson.h>

#include "context.h"

typedef struct tn_text_file {
    char *bytes; /* NUL behind; caller frees with tn_free */
    size_t size;
    size_t mended; /* bytes that were no UTF-8: each is U+FFFD now */
    long line;     /* of the first of them, from 1; 0: none */
} tn_text_file;

/* TN_ERR_INPUT where it cannot be read. A byte order mark in front is left out. */
tn_status tn_text_read(tn_context *ctx, const char *path, tn_text_file *out);
/* A JSON string of any text: what is no UTF-8 becomes '?'. */
json_t *tn_text_json(const char *text);

#endif
