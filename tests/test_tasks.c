/* Sequences are what the task says, the same whenever they are asked for, and never the same in training and
 * evaluation. */
#include "support.h"

#include "rng.h"
#include "task.h"

#include <math.h>
#include <string.h>
#include <unistd.h>

static tn_context ctx;

static void make(const tn_task_config *c, int B, tn_task **task, tn_batch *batch) {
    ck_ok(&ctx, tn_task_make(&ctx, c, task));
    ck_ok(&ctx, tn_batch_make(&ctx, B, tn_task_length(*task), batch));
}

static void drop(tn_task *task, tn_batch *batch) {
    tn_batch_free(&ctx, batch);
    tn_task_free(&ctx, task);
    ck_assert_int_eq(ctx.live, 0);
}

START_TEST(test_recall) {
    tn_task *task;
    tn_batch b;
    tn_task_config c = {.kind = TN_TASK_RECALL, .distance = 9, .seed = 5};
    make(&c, 50, &task, &b);
    ck_assert_int_eq(tn_task_length(task), 11);
    ck_assert_int_eq(tn_task_vocab(task), 192);
    ck_ok(&ctx, tn_task_fill(&ctx, task, TN_RNG_TRAIN, 7, &b));
    for (int s = 0; s < 50; s++) {
        const int32_t *x = b.tokens + s * 11;
        ck_assert(x[0] >= 0 && x[0] < 64 && x[1] >= 64 && x[1] < 128 && x[10] == x[0]);
        for (int t = 2; t < 10; t++)
            ck_assert(x[t] >= 128 && x[t] < 192);
        for (int t = 0; t < 11; t++) {
            ck_assert_int_eq(b.labels[s * 11 + t], t == 10 ? x[1] : -1);
            ck_assert_int_eq(b.oracle[s * 11 + t], t == 10);
        }
    }
    drop(task, &b);
}
END_TEST

START_TEST(test_streams) {
    tn_task *task;
    tn_batch a, b;
    tn_task_config c = {.kind = TN_TASK_RECALL, .distance = 126, .seed = 5};
    make(&c, 8, &task, &a);
    ck_ok(&ctx, tn_batch_make(&ctx, 8, 128, &b));
    ck_ok(&ctx, tn_task_fill(&ctx, task, TN_RNG_TRAIN, 100, &a));
    ck_ok(&ctx, tn_task_fill(&ctx, task, TN_RNG_TRAIN, 104, &b));
    ck_assert(memcmp(a.tokens + 4 * 128, b.tokens, 4 * 128 * 4) == 0);
    ck_ok(&ctx, tn_task_fill(&ctx, task, TN_RNG_EVAL, 100, &b));
    for (int s = 0; s < 8; s++)
        for (int q = 0; q < 8; q++)
            ck_assert(memcmp(a.tokens + s * 128, b.tokens + q * 128, 128 * 4) != 0);
    int32_t predicted[8];
    for (int s = 0; s < 8; s++)
        predicted[s] = s < 6 ? a.labels[s * 128 + 127] : 0;
    ck_assert(tn_task_score(&a, predicted) == 6);
    tn_batch_free(&ctx, &b);
    drop(task, &a);
}
END_TEST

START_TEST(test_mqar) {
    enum { L = 64, P = 8, B = 400 };
    tn_task *task;
    tn_batch b;
    tn_task_config c = {.kind = TN_TASK_MQAR, .length = L, .pairs = P, .seed = 2};
    double first = 0;
    make(&c, B, &task, &b);
    ck_ok(&ctx, tn_task_fill(&ctx, task, TN_RNG_EVAL, 0, &b));
    for (int s = 0; s < B; s++) {
        const int32_t *x = b.tokens + s * L, *y = b.labels + s * L;
        int labels = 0;
        for (int t = 0; t < L; t++) {
            ck_assert(x[t] >= 0 && x[t] < 8192 && (y[t] >= 0) == b.oracle[s * L + t]);
            if (y[t] < 0)
                continue;
            labels++;
            first += t == 2 * P;
            ck_assert(t >= 2 * P && t % 2 == 0);
            int j = 0;
            while (j < P && x[2 * j] != x[t])
                j++;
            ck_assert(j < P && x[2 * j + 1] == y[t]);
        }
        ck_assert_int_eq(labels, P);
        for (int i = 0; i < P; i++) {
            ck_assert(x[2 * i] >= 1 && x[2 * i] < 4096 && x[2 * i + 1] >= 4096);
            for (int j = 0; j < i; j++)
                ck_assert(x[2 * i] != x[2 * j] && x[2 * i + 1] != x[2 * j + 1]);
        }
    }
    /* Weight 1/i^0.99 over 24 slots: the first slot is taken by one of 8 draws in most sequences, far above
     * 8/24. */
    ck_assert_msg(first / B > 0.75, "the first slot is drawn in %g of sequences", first / B);
    drop(task, &b);
}
END_TEST

START_TEST(test_text) {
    static const char path[] = "test_tasks_text.tmp";
    FILE *stream = fopen(path, "wb");
    for (int i = 0; i < 1000; i++)
        fputc(i % 251, stream);
    ck_assert(fclose(stream) == 0);
    tn_task *task;
    tn_batch b;
    tn_task_config c = {.kind = TN_TASK_TEXT, .length = 30, .seed = 2};
    snprintf(c.data, sizeof c.data, "%s", path);
    make(&c, 3, &task, &b);
    ck_assert_int_eq(tn_task_held_out(task), 3);
    ck_ok(&ctx, tn_task_fill(&ctx, task, TN_RNG_EVAL, 0, &b));
    for (int s = 0; s < 3; s++)
        for (int t = 0; t < 30; t++) {
            ck_assert_int_eq(b.tokens[s * 30 + t], (900 + s * 30 + t) % 251);
            ck_assert_int_eq(b.labels[s * 30 + t], (901 + s * 30 + t) % 251);
        }
    for (uint64_t i = 0; i < 300; i += 3) {
        ck_ok(&ctx, tn_task_fill(&ctx, task, TN_RNG_TRAIN, i, &b));
        for (int s = 0; s < 3; s++) /* a training window never reaches the held-out part: 900 % 251 = 147 */
            ck_assert(b.tokens[s * 30 + 29] != 147 || b.tokens[s * 30] != 118 ||
                      b.labels[s * 30 + 29] == 148);
    }
    drop(task, &b);
    c.length = 500;
    ck_assert_int_eq(tn_task_make(&ctx, &c, &task), TN_ERR_INPUT);
    unlink(path);
    ck_assert_int_eq(tn_task_make(&ctx, &c, &task), TN_ERR_INPUT);
    ck_assert_int_eq(ctx.live, 0);
}
END_TEST

START_TEST(test_bad_config) {
    tn_task_config bad[] = {{.kind = TN_TASK_RECALL, .distance = 0},
                            {.kind = TN_TASK_RECALL, .distance = -1},
                            {.kind = TN_TASK_MQAR, .length = 64},
                            {.kind = TN_TASK_MQAR, .length = 63, .pairs = 4},
                            {.kind = TN_TASK_MQAR, .length = 16, .pairs = 8},
                            {.kind = TN_TASK_TEXT, .length = 64}};
    tn_task *task;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        ck_assert_int_eq(tn_task_make(&ctx, &bad[i], &task), TN_ERR_ARG);
    tn_task_kind kind;
    ck_assert_int_eq(tn_task_kind_parse(&ctx, "recal", &kind), TN_ERR_ARG);
    ck_assert_int_eq(ctx.live, 0);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("tasks");
    TCase *t = tcase_create("tasks");
    tcase_add_test(t, test_recall);
    tcase_add_test(t, test_streams);
    tcase_add_test(t, test_mqar);
    tcase_add_test(t, test_text);
    tcase_add_test(t, test_bad_config);
    suite_add_tcase(suite, t);
    return tn_test_main(suite);
}
