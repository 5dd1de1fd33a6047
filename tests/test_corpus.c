/* Documents of files, folders and patterns: kept apart, held out whole, and in an order that names do not
 * change. Byte values tell which document a window is of. */
#include "support.h"

#include "corpus.h"
#include "folder.h"
#include "rng.h"
#include "task.h"

#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static tn_context ctx;

enum { DOCUMENTS = 30 };

static const char *at(const char *name) {
    static char paths[4][300];
    static int next;
    char *path = paths[next++ % 4];
    snprintf(path, sizeof paths[0], "%s/%s", test_folder, name);
    return path;
}

static void put(const char *name, const char *bytes, size_t size) {
    FILE *stream = fopen(at(name), "wb");
    ck_assert_ptr_nonnull(stream);
    ck_assert(fwrite(bytes, 1, size, stream) == size && fclose(stream) == 0);
}

/* Document i holds the byte i + 1 alone, but for its last: 100; the first of them is shorter than a window.
 */
static void documents(const char *below, bool turned) {
    char bytes[600], name[60];
    ck_assert(mkdir(at(below), 0777) == 0);
    for (int i = 0; i < DOCUMENTS; i++) {
        int size = i == 0 ? 5 : 200 + 10 * i;
        memset(bytes, i + 1, (size_t)size);
        bytes[size - 1] = 100;
        snprintf(name, sizeof name, "%s/%02d.txt", below, turned ? DOCUMENTS - i : i);
        put(name, bytes, (size_t)size);
    }
}

static void setup(void) {
    test_folder_make();
    documents("one", false);
    documents("two", true);
    put("one/empty.txt", "", 0);
    put("one/zero.bin", "a\0b", 3);
    ck_assert(mkdir(at("one/deep"), 0777) == 0);
    put("one/deep/copy.txt", "\1\1\1\1d", 5);
    put("one/deep/code.c", "int x;", 6);
    ck_assert(symlink("..", at("one/deep/loop")) == 0);
}

static void teardown(void) {
    test_folder_remove();
    ck_assert_int_eq(ctx.live, 0);
}

START_TEST(test_names) {
    tn_corpus c, d;
    char list[900];
    ck_ok(&ctx, tn_corpus_read(&ctx, at("one"), &c));
    ck_assert(c.files == DOCUMENTS + 4 && c.empty == 1 && c.binary == 1 && c.copies == 1);
    ck_assert_uint_eq(c.count, DOCUMENTS + 1);
    tn_corpus_free(&ctx, &c);
    ck_ok(&ctx, tn_corpus_read(&ctx, at("one/**/*.c"), &c));
    ck_assert(c.files == 1 && !c.separated && c.count == 2);
    tn_corpus_free(&ctx, &c);
    /* The same bytes under other names: the same documents in the same order, and the same held out. */
    ck_ok(&ctx, tn_corpus_read(&ctx, at("one/*.txt"), &c));
    snprintf(list, sizeof list, "%s,%s", at("two/0*.txt"), at("two"));
    ck_ok(&ctx, tn_corpus_read(&ctx, list, &d));
    ck_assert(c.count == DOCUMENTS && d.count == c.count && d.learned == c.learned && c.hash == d.hash);
    for (size_t i = 0; i < c.count; i++)
        ck_assert(c.documents[i].size == d.documents[i].size &&
                  memcmp(c.text + c.documents[i].at, d.text + d.documents[i].at, c.documents[i].size) == 0);
    tn_corpus_free(&ctx, &c);
    tn_corpus_free(&ctx, &d);
}
END_TEST

START_TEST(test_bad_names) {
    static const char *const bad[] = {"none",
                                      "one/*.h",
                                      "one/**/*.h",
                                      "one/**/deep/*.c",
                                      "one/empty.txt",
                                      "one/deep/code.c,none",
                                      "one/deep/loop/deep/gone"};
    tn_corpus c;
    char list[900];
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        snprintf(list, sizeof list, "%s/%s", test_folder, bad[i]);
        ck_assert_msg(tn_corpus_read(&ctx, list, &c) == TN_ERR_INPUT, "%s was read", bad[i]);
    }
    ck_assert_int_eq(tn_corpus_read(&ctx, ",", &c), TN_ERR_INPUT);
}
END_TEST

/* Which document a window is of, all of whose tokens must be its own; how many labels it has. */
static int document_of(const tn_batch *b, int s, int *labels) {
    const int32_t *tokens = b->tokens + s * b->T, *label = b->labels + s * b->T;
    *labels = 0;
    while (*labels < b->T && label[*labels] >= 0)
        ++*labels;
    ck_assert_int_gt(*labels, 0);
    for (int t = 0; t < b->T; t++) {
        bool inside = t < *labels;
        ck_assert(inside ? tokens[t] == tokens[0] || tokens[t] == 100 : tokens[t] == 0 && label[t] == -1);
        if (inside && t + 1 < *labels)
            ck_assert_int_eq(label[t], tokens[t + 1]);
    }
    return tokens[0] - 1;
}

START_TEST(test_windows) {
    enum { B = 50, T = 100 };
    tn_task_config c = {.kind = TN_TASK_TEXT, .length = T, .seed = 3};
    tn_task *task;
    tn_batch b;
    int seen[DOCUMENTS] = {0}, held[DOCUMENTS] = {0}, labels;
    snprintf(c.data, sizeof c.data, "%s", at("two"));
    ck_ok(&ctx, tn_task_make(&ctx, &c, &task));
    ck_ok(&ctx, tn_batch_make(&ctx, B, T, &b));
    for (uint64_t i = 0; i < 4000; i += B) {
        ck_ok(&ctx, tn_task_fill(&ctx, task, TN_RNG_TRAIN, i, &b));
        for (int s = 0; s < B; s++) {
            int document = document_of(&b, s, &labels);
            seen[document]++;
            ck_assert_int_eq(labels, document == 0 ? 5 : T);
        }
    }
    int64_t windows = tn_task_held_out(task), expected = 0;
    b.B = 1;
    for (int64_t i = 0; i < windows; i++) {
        ck_ok(&ctx, tn_task_fill(&ctx, task, TN_RNG_EVAL, (uint64_t)i, &b));
        held[document_of(&b, 0, &labels)]++;
        ck_assert_int_eq(labels, T);
    }
    const tn_text_facts *f = tn_task_text(task);
    int held_documents = 0;
    for (int i = 0; i < DOCUMENTS; i++) {
        ck_assert_msg(!seen[i] || !held[i], "document %d is learned from and held out", i);
        ck_assert_msg(seen[i] || held[i] || i == 0, "document %d is never seen", i);
        held_documents += held[i] > 0;
        expected += held[i] > 0 ? (200 + 10 * i) / T : 0;
        if (seen[i] && i > 0) /* as often as it has windows: 3900 of 10 000 bytes, say */
            ck_assert_msg(seen[i] > 10 * i / 4, "document %d: %d windows", i, seen[i]);
    }
    ck_assert_int_eq(windows, expected);
    ck_assert(f->documents == DOCUMENTS && f->held_documents >= held_documents &&
              10 * f->held_bytes >= f->bytes - 10 && 10 * f->held_bytes < f->bytes + 10 * 500);
    tn_batch_free(&ctx, &b);
    tn_task_free(&ctx, task);
}
END_TEST

/* What a run was trained on cannot be changed under it. */
START_TEST(test_changed) {
    tn_task_config c = {.kind = TN_TASK_TEXT, .length = 30};
    tn_task *task;
    snprintf(c.data, sizeof c.data, "%s", at("two"));
    ck_ok(&ctx, tn_task_make(&ctx, &c, &task));
    c = *tn_task_get_config(task);
    tn_task_free(&ctx, task);
    ck_ok(&ctx, tn_task_make(&ctx, &c, &task));
    tn_task_free(&ctx, task);
    put("two/more.txt", "more", 4);
    ck_assert_int_eq(tn_task_make(&ctx, &c, &task), TN_ERR_INPUT);
    ck_assert_ptr_nonnull(strstr(ctx.message, "trained on"));
    c.data_hash = 0;
    ck_ok(&ctx, tn_task_make(&ctx, &c, &task));
    tn_task_free(&ctx, task);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("corpus");
    TCase *t = tcase_create("corpus");
    tcase_set_timeout(t, 60);
    tcase_add_unchecked_fixture(t, setup, teardown);
    tcase_add_test(t, test_names);
    tcase_add_test(t, test_bad_names);
    tcase_add_test(t, test_windows);
    tcase_add_test(t, test_changed);
    suite_add_tcase(suite, t);
    return tn_test_main(suite);
}
