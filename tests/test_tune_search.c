/* The search over sets of tunables, on a made-up device. */
#include "support.h"

#include "tune.h"
#include "tune_cards.h"

#include <string.h>

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

/* What a known card sets out with is tried before all others, is taken where it wins, and only there. */
START_TEST(test_search_sets_out) {
    static const tn_tune_set sets[] = {{TN_TUNE_ANY_VARIANT, {8, 2, 0, 5}},
                                       {TN_TUNE_ANY_VARIANT, {4, 1, 0, 5}},
                                       {TN_TUNE_ANY_VARIANT, {8, 4, 7, 5}}};
    fake f = {.noise = 0.02, .budget = 1};
    const tn_tune_judge judge = {&f, fake_accept, fake_compare, fake_has_time, NULL, &sets[_i]};
    tn_tune_found found;
    ck_ok(&ctx, tn_tune_search(&ctx, &fake_space, &fake_start, &judge, &found));
    ck_assert(_i == 2 || f.compared == 1); /* the third is refused, and another has its turn */
    ck_assert_int_eq(tn_tune_set_equal(&fake_space, &found.best, &sets[_i]), _i == 0);
    ck_assert(!found.whole && !f.took_wrong);
    f = (fake){.noise = 0.02, .budget = 1000};
    ck_ok(&ctx, tn_tune_search(&ctx, &fake_space, &fake_start, &judge, &found));
    ck_assert(found.best.values[0] == 8 && found.best.values[1] == 4 && found.whole && !f.took_wrong);
    ck_assert_int_eq(ctx.live, 0);
}
END_TEST

static const tn_variant *variant_of(const tn_op *op, const char *name) {
    ck_assert_ptr_nonnull(op);
    const tn_variant *v = tn_variant_find(op, name);
    ck_assert_msg(v != NULL, "cards.txt: %s has no variant %s", op->name, name);
    return v;
}

/* Every class says whether it was run, whom it is for, and values that there are; what it sets, a search may
 * try. */
START_TEST(test_known_cards) {
    tn_tune_card card;
    int classes = 0;
    for (; tn_tune_card_at(classes, &card); classes++) {
        char op[64], variant[64], name[64];
        int value, values = 0;
        ck_assert_msg(strcmp(card.state, "untested") == 0 || strncmp(card.state, "run ", 4) == 0, "%s: '%s'",
                      card.name, card.state);
        for (; tn_tune_card_value(&card, values, op, variant, name, sizeof op, &value); values++) {
            const tn_variant *v = variant_of(tn_op_find(op), variant);
            const int at = tn_variant_tunable(v, name);
            ck_assert_msg(at >= 0, "%s: %s/%s has no %s", card.name, op, variant, name);
            bool known = value == v->tunables[at].defaults[TN_STYLE_GROUPS];
            for (int i = 0; i < v->tunables[at].count; i++)
                known = known || v->tunables[at].values[i] == value;
            ck_assert_msg(known, "%s: %s/%s.%s=%d is no candidate", card.name, op, variant, name, value);
        }
        ck_assert_int_gt(values, 0);
    }
    ck_assert_int_ge(classes, 4);
    static const char *const known[][2] = {{"NVIDIA H100 80GB HBM3", "nvidia-hopper"},
                                           {"NVIDIA GeForce RTX 4090", "nvidia-ampere-and-ada"},
                                           {"gfx90a:sramecc+:xnack- (AMD Instinct MI250X)", "amd-cdna"},
                                           {"gfx1100 (AMD Radeon RX 7900 XTX)", "amd-rdna"},
                                           {"Intel(R) Arc(TM) A770 Graphics", "intel-xe"}};
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        ck_assert_msg(tn_tune_card_of(known[i][0], &card), "%s is of no class", known[i][0]);
        ck_assert_str_eq(card.name, known[i][1]);
    }
    ck_assert(!tn_tune_card_of("pthread-skylake-avx512-AMD EPYC", &card));
    tn_tune_space space;
    const tn_op *gemm = tn_op_find("gemm");
    int variant = 0;
    while (strcmp(gemm->variants[variant]->name, "groups") != 0)
        variant++;
    tn_tune_space_make(&(tn_device_info){.kind = TN_KIND_GPU}, TN_STYLE_GROUPS, gemm, variant, &space);
    tn_tune_set set = space.start;
    ck_assert(tn_tune_card_of("NVIDIA H100", &card) && tn_tune_card_set(&card, &space, &set));
    ck_assert(!tn_tune_set_equal(&space, &set, &space.start));
    tn_tune_space_make(&(tn_device_info){.kind = TN_KIND_GPU}, TN_STYLE_GROUPS, tn_op_find("gelu"), 0,
                       &space);
    set = space.start;
    ck_assert(!tn_tune_card_set(&card, &space, &set));
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
    tcase_add_loop_test(search, test_search_sets_out, 0, 3);
    tcase_add_test(search, test_known_cards);
    tcase_add_test(search, test_search_wants_more_than_noise);
    tcase_add_test(search, test_search_ends_in_time);
    suite_add_tcase(suite, search);
    return tn_test_main(suite);
}
