/* Byte-level language modelling: windows of T bytes, the label of each is the byte after it. A window lies in
 * one document, so no token sees another, whatever the mixers are. Training takes every window of the
 * documents that are learned from with the same probability; a document that is shorter than a window fills
 * its start, and what comes behind has no labels. Evaluation takes whole windows, one after another. */
#include "kinds.h"

#include <string.h>

/* Windows that begin at different bytes; of a short document one. */
static uint32_t windows(const tn_document *d, size_t T) {
    return d->size > T ? (uint32_t)(d->size - T) : 1;
}

static uint32_t whole_windows(const tn_document *d, size_t T) {
    return d->size > T ? (uint32_t)((d->size - 1) / T) : 0;
}

static tn_status count_windows(tn_context *ctx, tn_task *task) {
    const tn_corpus *c = &task->corpus;
    const size_t T = (size_t)task->length, held = c->count - c->learned;
    TN_TRY(tn_alloc(ctx, c->learned + 1, sizeof(uint32_t), &task->learned_before));
    TN_TRY(tn_alloc(ctx, held + 1, sizeof(uint32_t), &task->held_before));
    for (size_t i = 0; i < c->learned; i++)
        task->learned_before[i + 1] = task->learned_before[i] + windows(&c->documents[i], T);
    for (size_t i = 0; i < held; i++)
        task->held_before[i + 1] = task->held_before[i] + whole_windows(&c->documents[c->learned + i], T);
    return TN_OK;
}

static tn_text_facts facts_of(const tn_corpus *c, size_t T) {
    tn_text_facts f = {.files = c->files, .empty = c->empty, .binary = c->binary, .copies = c->copies};
    f.documents = c->separated ? (int64_t)c->count : 1;
    for (size_t i = 0; i < c->count; i++) {
        int64_t bytes = (int64_t)(c->documents[i].size - c->separated);
        f.bytes += bytes;
        if (i >= c->learned) {
            f.held_documents++;
            f.held_bytes += bytes;
        } else {
            f.short_documents += c->documents[i].size <= T;
        }
    }
    return f;
}

const char *tn_text_facts_say(const tn_text_facts *f, char words[TN_TEXT_WORDS]) {
    char left_out[120] = "", brief[80] = "";
    if (f->empty + f->binary + f->copies > 0)
        snprintf(left_out, sizeof left_out, " (left out: %lld empty, %lld binary, %lld copies)",
                 (long long)f->empty, (long long)f->binary, (long long)f->copies);
    if (f->short_documents > 0)
        snprintf(brief, sizeof brief, "; %lld documents are shorter than a window",
                 (long long)f->short_documents);
    if (f->documents == 1)
        snprintf(words, TN_TEXT_WORDS, "text: 1 document of %lld bytes%s; its last %lld bytes are held out",
                 (long long)f->bytes, left_out, (long long)f->held_bytes);
    else
        snprintf(words, TN_TEXT_WORDS,
                 "text: %lld files%s, %lld documents of %lld bytes; held out: %lld documents of %lld bytes%s",
                 (long long)f->files, left_out, (long long)f->documents, (long long)f->bytes,
                 (long long)f->held_documents, (long long)f->held_bytes, brief);
    return words;
}

static tn_status check(tn_context *ctx, const tn_task *task) {
    const tn_task_config *c = &task->config;
    if (c->data_hash && c->data_hash != task->corpus.hash)
        return tn_fail(
            ctx, TN_ERR_INPUT,
            "%s does not hold what the run was trained on any more: what is held out may have been "
            "learned from; put it back, or name other text to evaluate with --data",
            c->data);
    if (task->held_before[task->corpus.count - task->corpus.learned] == 0)
        return tn_fail(
            ctx, TN_ERR_INPUT,
            "%s: of %lld bytes in %lld documents %lld are held out, and hold no window of %lld; name "
            "more text, or a smaller --length",
            c->data, (long long)task->facts.bytes, (long long)task->facts.documents,
            (long long)task->facts.held_bytes, (long long)task->length + 1);
    return TN_OK;
}

tn_status tn_text_open(tn_context *ctx, tn_task *task) {
    TN_TRY(tn_corpus_read(ctx, task->config.data, &task->corpus));
    TN_TRY(count_windows(ctx, task));
    task->facts = facts_of(&task->corpus, (size_t)task->length);
    TN_TRY(check(ctx, task));
    task->config.data_hash = task->corpus.hash;
    return TN_OK;
}

void tn_text_close(tn_context *ctx, tn_task *task) {
    tn_corpus_free(ctx, &task->corpus);
    tn_free(ctx, task->learned_before);
    tn_free(ctx, task->held_before);
}

/* The document that has the window: the last with no more than `window` before it. */
static size_t document_of(const uint32_t *before, size_t count, uint32_t window) {
    size_t low = 0;
    while (count - low > 1) {
        size_t middle = low + (count - low) / 2;
        if (before[middle] <= window)
            low = middle;
        else
            count = middle;
    }
    return low;
}

void tn_text_sequence(const tn_task *task, tn_rng *rng, uint32_t purpose, uint64_t index, tn_sequence s) {
    const tn_corpus *c = &task->corpus;
    const size_t T = (size_t)task->length, held = c->count - c->learned;
    const bool eval = purpose == TN_RNG_EVAL;
    const uint32_t *before = eval ? task->held_before : task->learned_before;
    const size_t count = eval ? held : c->learned;
    const uint32_t window = eval ? (uint32_t)(index % before[count]) : tn_rng_below(rng, before[count]);
    const size_t at = document_of(before, count, window);
    const tn_document *d = &c->documents[eval ? c->learned + at : at];
    const size_t start = (size_t)(window - before[at]) * (eval ? T : 1);
    const unsigned char *text = c->text + d->at + start;
    for (size_t t = 0; t < T && start + t + 1 < d->size; t++) {
        s.tokens[t] = text[t];
        s.labels[t] = text[t + 1];
    }
}
