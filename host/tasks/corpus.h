/* Text to learn from: files, folders and patterns of names, as documents in an order that does not depend on
 * what they are called. */
#ifndef TN_CORPUS_H
#define TN_CORPUS_H

#include "context.h"

typedef struct tn_document {
    size_t at, size; /* of tn_corpus.text */
} tn_document;

typedef struct tn_corpus {
    unsigned char *text;
    size_t text_size;
    tn_document *documents; /* [count] */
    bool separated;         /* several documents: the last byte of each is a 0 that the files do not have */
    size_t count, learned;  /* the first `learned` are learned from, the others are held out */
    int64_t files, empty, binary, copies; /* files found; of them left out */
    uint64_t hash;                        /* of all documents, below 2^53; never 0 */
} tn_corpus;

/* `names`: a file, a folder with all below it, or a pattern as of a shell, where DIR followed by two stars
 * and a name stands for such files at any depth of DIR; or several of these with commas between. Left out are
 * files without a byte, with a byte 0 (they are no text) and with the same bytes as another. Documents come
 * in the order of a hash of their bytes; the last of them are held out, a tenth of all bytes or just over. Of
 * a single file, which may hold any bytes, the last tenth is held out. TN_ERR_INPUT where nothing is found,
 * cannot be read, or is longer than 4 GiB. Caller frees. */
tn_status tn_corpus_read(tn_context *ctx, const char *names, tn_corpus *out);
void tn_corpus_free(tn_context *ctx, tn_corpus *corpus);

#endif
