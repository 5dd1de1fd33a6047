/* How many of the last tokens stood before: against looking everywhere. */
#include "support.h"

#include "match.h"
#include "model_ref.h"
#include "rng.h"

#include <string.h>

static void check(tn_match *m, const int32_t *tokens, int64_t T) {
    static int32_t codes[400];
    memset(codes, 0x7f, sizeof codes);
    tn_match_find(m, tokens, T, codes);
    for (int64_t t = 0; t < T; t++) {
        const int64_t want = tn_model_ref_matched(m->most, tokens, t, T);
        ck_assert_msg(codes[t] == want, "T %lld, most %lld, position %lld: %d, not %lld", (long long)T,
                      (long long)m->most, (long long)t, codes[t], (long long)want);
    }
    ck_assert_int_eq(codes[T], 0x7f7f7f7f);
}

/* One room for sequences of many lengths: nothing of one is left for the next. */
START_TEST(test_drawn) {
    static int32_t tokens[300];
    tn_context ctx = {0};
    tn_rng rng = tn_rng_make(5, TN_RNG_CASE, (uint64_t)_i);
    const int64_t most = 1 + _i % 9;
    tn_match m;
    ck_ok(&ctx, tn_match_make(&ctx, 300, most, &m));
    for (int round = 0; round < 20; round++) {
        const int64_t T = round == 0 ? 1 : tn_rng_range(&rng, 1, 300);
        const uint32_t kinds = 1 + tn_rng_below(&rng, round % 2 ? 3 : 60);
        for (int64_t t = 0; t < T; t++)
            tokens[t] = (int32_t)tn_rng_below(&rng, kinds) - (round == 7 ? INT32_MAX : 0);
        check(&m, tokens, T);
    }
    tn_match_free(&ctx, &m);
    ck_assert_int_eq(ctx.live, 0);
}
END_TEST

START_TEST(test_named) {
    static const int32_t tokens[] = {'a', 'b', 'c', 'a', 'b', 'c', 'c', 'c', 'c', 'b'},
                         want[] = {0, 0, 0, 1, 2, 3, 1, 2, 3, 1};
    int32_t codes[10];
    tn_context ctx = {0};
    tn_match m;
    ck_ok(&ctx, tn_match_make(&ctx, 10, 8, &m));
    tn_match_find(&m, tokens, 10, codes);
    ck_assert(memcmp(codes, want, sizeof want) == 0);
    tn_match_free(&ctx, &m);
    ck_assert_int_eq(tn_match_make(&ctx, INT32_MAX, 2, &m), TN_ERR_ARG);
    ck_assert(strstr(ctx.message, "too long") != NULL);
    ck_assert_int_eq(ctx.live, 0);
}
END_TEST

/* Tokens come and go: what is left gives the codes of tokens that came alone. */
START_TEST(test_cut) {
    enum { MOST = 300 };
    static int32_t tokens[MOST], codes[MOST];
    tn_context ctx = {0};
    tn_rng rng = tn_rng_make(6, TN_RNG_CASE, (uint64_t)_i);
    tn_match m;
    ck_ok(&ctx, tn_match_make(&ctx, MOST, 1 + _i % 9, &m));
    for (int round = 0; round < 300; round++) {
        const int64_t to = tn_rng_below(&rng, 9) ? m.count - tn_rng_range(&rng, 0, 20) : 0;
        tn_match_cut(&m, tokens, to > 0 ? to : 0);
        ck_assert_int_eq(m.count, to > 0 ? to : 0);
        for (int64_t n = tn_rng_range(&rng, 0, 30); n > 0 && m.count < MOST; n--) {
            tokens[m.count] = (int32_t)tn_rng_below(&rng, 1 + (uint32_t)_i);
            codes[m.count] = tn_match_add(&m, tokens);
        }
        for (int64_t t = 0; t < m.count; t++)
            ck_assert_int_eq(codes[t], tn_model_ref_matched(m.most, tokens, t, MOST));
    }
    tn_match_cut(&m, tokens, 0);
    for (size_t i = 0; i < m.slot_count; i++)
        ck_assert_int_eq(m.slots[i], -1);
    tn_match_free(&ctx, &m);
    ck_assert_int_eq(ctx.live, 0);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("match");
    TCase *t = tcase_create("match");
    tcase_set_timeout(t, 60);
    tcase_add_loop_test(t, test_drawn, 0, 9);
    tcase_add_loop_test(t, test_cut, 0, 9);
    tcase_add_test(t, test_named);
    suite_add_tcase(suite, t);
    return tn_test_main(suite);
}
