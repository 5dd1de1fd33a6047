#include "corpus.h"

#include "file.h"
#include "file_names.h"

#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

typedef struct found {
    XXH64_hash_t hash;
    const unsigned char *text;
    tn_document document;
} found;

static int by_hash(const void *a, const void *b) {
    const found *x = a, *y = b;
    if (x->hash != y->hash)
        return x->hash < y->hash ? -1 : 1;
    if (x->document.size != y->document.size)
        return x->document.size < y->document.size ? -1 : 1;
    return memcmp(x->text + x->document.at, y->text + y->document.at, x->document.size);
}

/* One file's bytes and a separator behind what there is. */
static tn_status append(tn_context *ctx, tn_corpus *c, size_t *room, const char *path, bool alone) {
    char *bytes;
    size_t size;
    TN_TRY(tn_file_read(ctx, path, &bytes, &size));
    tn_status status = TN_OK;
    c->files++;
    if (size == 0) {
        c->empty++;
    } else if (!alone && memchr(bytes, 0, size)) {
        c->binary++;
    } else if (c->text_size + size + 1 > UINT32_MAX) {
        status = tn_fail(ctx, TN_ERR_INPUT, "with %s there are more than 4 GiB of text; name less", path);
    } else {
        status = tn_grow(ctx, &c->text, room, c->text_size + size + 1, 1);
        if (status == TN_OK) {
            memcpy(c->text + c->text_size, bytes, size + 1); /* the byte behind is 0 */
            c->documents[c->count++] = (tn_document){c->text_size, size + 1};
            c->text_size += size + 1;
        }
    }
    tn_free(ctx, bytes);
    return status;
}

/* By their bytes, copies left out. */
static tn_status sort(tn_context *ctx, tn_corpus *c) {
    found *all;
    TN_TRY(tn_alloc(ctx, c->count, sizeof *all, &all));
    for (size_t i = 0; i < c->count; i++) {
        tn_document d = c->documents[i];
        all[i] = (found){XXH64(c->text + d.at, d.size, 0), c->text, d};
    }
    qsort(all, c->count, sizeof *all, by_hash);
    size_t kept = 0;
    for (size_t i = 0; i < c->count; i++)
        if (i == 0 || by_hash(&all[i - 1], &all[i]) != 0)
            c->documents[kept++] = all[i].document;
    c->copies = (int64_t)(c->count - kept);
    c->count = kept;
    tn_free(ctx, all);
    return TN_OK;
}

/* The hash of all, and who is held out. */
static void split(tn_corpus *c) {
    XXH64_hash_t hash = 0;
    c->separated = true;
    size_t bytes = 0, held = 0;
    for (size_t i = 0; i < c->count; i++) {
        hash = XXH64(c->text + c->documents[i].at, c->documents[i].size, hash);
        bytes += c->documents[i].size;
    }
    c->hash = hash >> 11 ? hash >> 11 : 1;
    for (c->learned = c->count; c->learned > 1 && held < bytes / 10; c->learned--)
        held += c->documents[c->learned - 1].size;
}

/* A single document: its last tenth is held out, and nothing stands behind it. */
static void split_one(tn_corpus *c) {
    tn_document all = c->documents[0];
    size_t size = all.size - 1, held = size / 10;
    c->documents[0] = (tn_document){all.at, size - held};
    c->documents[1] = (tn_document){all.at + size - held, held};
    c->count = 2;
    c->learned = 1;
    c->hash = XXH64(c->text + all.at, size, 0) >> 11;
    c->hash += c->hash == 0;
}

static tn_status read_all(tn_context *ctx, const char *names, const tn_file_names *files, tn_corpus *c) {
    size_t room = 0;
    TN_TRY(tn_alloc(ctx, files->count + 1, sizeof *c->documents, &c->documents));
    for (size_t i = 0; i < files->count; i++)
        TN_TRY(append(ctx, c, &room, files->items[i], files->count == 1));
    if (c->count == 0)
        return tn_fail(ctx, TN_ERR_INPUT, "%s: there is no text in it (%lld files, %lld of them empty)",
                       names, (long long)c->files, (long long)c->empty);
    TN_TRY(sort(ctx, c));
    if (c->count == 1)
        split_one(c);
    else
        split(c);
    return TN_OK;
}

tn_status tn_corpus_read(tn_context *ctx, const char *names, tn_corpus *out) {
    tn_file_names files;
    *out = (tn_corpus){0};
    tn_status status = tn_file_names_find(ctx, names, &files);
    if (status == TN_OK)
        status = read_all(ctx, names, &files, out);
    tn_file_names_free(&files);
    if (status != TN_OK)
        tn_corpus_free(ctx, out);
    return status;
}

void tn_corpus_free(tn_context *ctx, tn_corpus *corpus) {
    tn_free(ctx, corpus->text);
    tn_free(ctx, corpus->documents);
    *corpus = (tn_corpus){0};
}
