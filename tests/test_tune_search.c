/* The search over sets of tunables, on a made-up device. */
#include "support.h"

#include "tune.h"

static tn_context ctx;

/* A made-up device: time is a product of factors; what `accept` says no to would be the fastest. */
typedef struct fake {
    double noise;
    int budget; /* sets that may still be looked at */
    int compared;
    bool took_wrong;
} fake;

static double fake_time(const tn_tune_set *set) {
    double lanes = set->values[0] == 8 ? 0.5 : 1, rows = set->values[1] == 4   ? 0.8
                                                         : set->values[1] == 2 ? 0.9
                                                                               : 1;
    return lanes * rows * (set->values[2] == 7 ? 0.01 : 1);
}

static tn_status fake_accept(void *data, const tn_tune_set *set, bool *accepted) {
    (void)data;
    *accepted = set->values[2] != 7;
    return TN_OK;
}

static tn_status fake_compare(void *data, const tn_tune_set *best, const tn_tune_set *candidate,
                              tn_tune_gain *out) {
    fake *f = data;
    double ratio = fake_time(best) / fake_time(candidate);
    f->compared++;
    f->budget--;
    f->took_wrong = f->took_wrong || best->values[2] == 7 || candidate->values[2] == 7;
    *out = (tn_tune_gain){ratio, ratio * (1 - f->noise), ratio * (1 + f->noise), false, 10};
    return TN_OK;
}

static bool fake_has_time(void *data) {
    return ((fake *)data)->budget > 0;
}

static const tn_tune_space fake_space = {
    .tunables = 4, .count = {4, 3, 2, 0}, .values = {{1, 4, 8, 16}, {1, 2, 4}, {0, 7}}};
static const tn_tune_set fake_start = {TN_TUNE_ANY_VARIANT, {16, 1, 0, 5}};

static tn_tune_found fake_search(fake *f) {
    const tn_tune_judge judge = {f, fake_accept, fake_compare, fake_has_time};
    tn_tune_found found;
    ck_ok(&ctx, tn_tune_search(&ctx, &fake_space, &fake_start, &judge, &found));
    ck_assert_int_eq(ctx.live, 0);
    return found;
}

START_TEST(test_search_finds_the_best) {
    fake f = {.noise = 0.02, .budget = 1000};
    tn_tune_found found = fake_search(&f);
    ck_assert_int_eq(found.best.values[0], 8);
    ck_assert_int_eq(found.best.values[1], 4);
    ck_assert_int_eq(found.best.values[2], 0);
    ck_assert_int_eq(found.best.values[3], 5);
    ck_assert(found.whole);
    ck_assert(!f.took_wrong);
    ck_assert_int_lt(found.accepted, found.seen);
    ck_assert_int_eq(f.compared, found.accepted);
    ck_assert_int_lt(found.seen, 24); /* none has two turns */
}
END_TEST

START_TEST(test_search_wants_more_than_noise) {
    fake f = {.noise = 0.3, .budget = 1000};
    tn_tune_found found = fake_search(&f);
    ck_assert_int_eq(found.best.values[0], 8); /* twice as fast */
    ck_assert_int_eq(found.best.values[1], 1); /* a tenth and a quarter are within the quartiles */
    tn_tune_gain gain = {1.5, 1.2, 1.6, false, 9};
    ck_assert(tn_tune_wins(&gain));
    gain.loses = true;
    ck_assert(!tn_tune_wins(&gain));
    gain = (tn_tune_gain){1.005, 1.004, 1.006, false, 9};
    ck_assert(!tn_tune_wins(&gain));
    gain = (tn_tune_gain){0.0 / 0.0, 0.0 / 0.0, 0.0 / 0.0, false, 9};
    ck_assert(!tn_tune_wins(&gain));
}
END_TEST

START_TEST(test_search_ends_in_time) {
    fake f = {.noise = 0.02, .budget = 2};
    tn_tune_found found = fake_search(&f);
    ck_assert_int_eq(f.compared, 2);
    ck_assert(!found.whole);
    ck_assert_int_eq(found.best.values[0], 8); /* nearest first: 8, then 4 */
}
END_TEST

int main(void) {
    Suite *suite = suite_create("tune_search");
    TCase *search = tcase_create("search");
    tcase_add_test(search, test_search_finds_the_best);
    tcase_add_test(search, test_search_wants_more_than_noise);
    tcase_add_test(search, test_search_ends_in_time);
    suite_add_tcase(suite, search);
    return tn_test_main(suite);
}
