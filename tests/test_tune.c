/* The tables of the variants, and what the tuner does with them. */
#include "support.h"

#include "tune.h"
#include "tune_cover.h"

#include <string.h>

static tn_context ctx;
static tn_device *dev;

static void open_device(void) {
    ck_ok(&ctx, tn_device_open_selected(&ctx, getenv("TURNOUT_DEVICE"), &dev));
}

static void close_device(void) {
    tn_device_close(dev);
    ck_assert_int_eq(ctx.live, 0);
}

static void space_make(const tn_op *op, int variant, tn_tune_space *out) {
    tn_tune_space_make(tn_device_get_info(dev), tn_device_style(dev), op, variant, out);
}

static void table_is_sound(const tn_op *op, const tn_variant *v) {
    ck_assert_int_le(v->tunable_count, TN_VARIANT_TUNABLES);
    ck_assert(v->run != NULL && tn_variant_find(op, v->name) == v);
    for (int k = 0; k < v->tunable_count; k++) {
        const tn_tunable *t = &v->tunables[k];
        ck_assert_int_le(t->count + TN_STYLES, TN_TUNE_VALUES);
        ck_assert_msg(t->meaning[0] && t->count > 0, "%s/%s.%s", op->name, v->name, t->name);
        ck_assert_msg(tn_variant_tunable(v, t->name) == k, "%s/%s.%s twice", op->name, v->name, t->name);
        ck_assert_msg(!(t->flags & TN_TUNABLE_CPU) || t->defaults[TN_STYLE_GROUPS] == 0, "%s/%s.%s", op->name,
                      v->name, t->name);
        for (int i = 1; i < t->count; i++)
            ck_assert_msg(t->values[i - 1] < t->values[i], "%s/%s.%s: not ascending", op->name, v->name,
                          t->name);
    }
}

/* One portable variant an op; passes as its case names them. */
START_TEST(test_tables) {
    for (int i = 0; i < tn_op_count; i++) {
        const tn_op *op = tn_ops[i];
        int count = 0, passes = 0, portable = 0;
        ck_assert_str_eq(op->name, tn_cases[i]->op);
        ck_assert(tn_op_find(op->name) == op);
        for (; op->passes[passes]; passes++)
            ck_assert_str_eq(op->passes[passes], tn_cases[i]->passes[passes]);
        ck_assert_ptr_null(tn_cases[i]->passes[passes]);
        for (; op->variants[count]; count++) {
            const tn_variant *v = op->variants[count];
            table_is_sound(op, v);
            portable += v->portable;
            /* decode_step's refuses what a driver that cuts long loops short would leave unfinished. */
            const bool refuses = v->fits && strcmp(op->name, "decode_step") != 0;
            ck_assert_msg(!v->portable || (v->passes == 0 && !refuses), "%s/%s does not fit all", op->name,
                          v->name);
        }
        ck_assert_int_eq(portable, 1);
        ck_assert_int_lt(count, TN_TUNE_VARIANTS);
        ck_assert_int_le(tn_tune_unit_count(op), TN_TUNE_UNITS);
        ck_assert(op->shape_bytes % sizeof(int64_t) == 0 && op->shape_bytes <= TN_SHAPE_BYTES);
    }
}
END_TEST

/* A kernel is built for each set: one variant in so many a run, drawn anew, and all with TURNOUT_TEST_ALL. */
static bool of_this_run(const char *list, const tn_op *op, int variant, int share) {
    int number = variant;
    for (int i = 0; tn_ops[i] != op; i++)
        for (int v = 0; tn_ops[i]->variants[v]; v++)
            number++;
    return tn_test_drawn(list, number, share);
}

/* A few sets of each variant, the defaults of both styles among them; `turnout tune --verify-only` goes
 * through all pairs of values. */
START_TEST(test_some_sets_verify) {
    const tn_tune_cover_options options = {.most = 3, .cases = 1, .seed = 5};
    open_device();
    for (int i = 0; i < tn_op_count; i++)
        for (int v = 0; tn_ops[i]->variants[v]; v++) {
            tn_tune_space space;
            tn_tune_tally tally;
            space_make(tn_ops[i], v, &space);
            if (space.tunables == 0 || !of_this_run("sets", tn_ops[i], v, 10))
                continue;
            ck_ok(&ctx, tn_tune_cover(dev, tn_cases[i], &space, &options, &tally));
            ck_assert_msg(tally.wrong == 0, "%s %s: %d wrong sets", tn_cases[i]->op,
                          tn_ops[i]->variants[v]->name, tally.wrong);
            ck_assert(tally.refused < tally.sets || !tn_ops[i]->variants[v]->portable);
            ck_assert(tally.sets == 3 || tally.left == 0);
            ck_assert_int_le(tally.left, tally.pairs);
        }
    close_device();
}
END_TEST

/* An op with two traps: with LANES = 8 it does nothing, which would be the fastest; LANES = 4 is refused. */
static const char trapped[] = "gelu";

static tn_status run_with_traps(tn_device *device, const tn_shape *shape, int pass, tn_tensor *t) {
    const tn_op *op = tn_op_find(trapped);
    const tn_variant *tried = tn_variant_tried(device, op), *v = tried ? tried : op->variants[0];
    int values[TN_VARIANT_TUNABLES];
    tn_variant_values(device, op, v, pass, 0, values, NULL);
    const int lanes = values[tn_variant_tunable(v, "LANES")];
    if (lanes == 4)
        return tn_fail(&ctx, TN_ERR_UNSUPPORTED, "four lanes are more than this device can");
    return lanes == 8 ? TN_OK : tn_case_find(trapped)->run(device, shape, pass, t);
}

static tn_case case_with_traps(void) {
    tn_case c = *tn_case_find(trapped);
    c.run = run_with_traps;
    return c;
}

static int portable_of(const tn_op *op) {
    int v = 0;
    while (!op->variants[v]->portable)
        v++;
    return v;
}

START_TEST(test_cover_sees_what_is_wrong) {
    const tn_tune_cover_options options = {.most = 40, .cases = 1, .seed = 1};
    const tn_op *op = tn_op_find(trapped);
    tn_case c = case_with_traps();
    tn_tune_space space;
    tn_tune_tally tally;
    setenv("TURNOUT_KIND", "cpu", 1);
    open_device();
    space_make(op, portable_of(op), &space);
    ck_ok(&ctx, tn_tune_cover(dev, &c, &space, &options, &tally));
    ck_assert_int_gt(tally.wrong, 0);
    ck_assert_int_gt(tally.refused, 0);
    ck_assert_int_lt(tally.wrong + tally.refused, tally.sets);
    unsetenv("TURNOUT_KIND");
    close_device();
}
END_TEST

START_TEST(test_tuning_takes_nothing_wrong) {
    const tn_tune_options options = {.seconds = 12, .seed = 1, .cases = 1}; /* a busy machine too */
    static tn_tune_report report;
    tn_case c = case_with_traps();
    int value = 0;
    setenv("TURNOUT_KIND", "cpu", 1);
    open_device();
    ck_ok(&ctx, tn_tune_op(dev, &c, &options, &report));
    ck_assert_int_gt(report.workloads, 1);
    ck_assert_int_ge(report.wrong, 1);
    ck_assert_int_ge(report.refused, 1);
    for (int i = 0; i < report.count; i++) {
        const tn_tuned_entry *e = &report.entries[i];
        ck_assert_double_gt(e->ratio_q1, 1);
        for (int k = 0; k < e->count; k++)
            ck_assert(strcmp(e->values[k].name, "LANES") != 0 || e->values[k].value == 16 ||
                      e->values[k].value == 1);
    }
    ck_assert(!tn_tunable_tried(dev, trapped, "LANES", &value)); /* nothing is left */
    ck_assert_ptr_null(tn_variant_tried(dev, tn_op_find(trapped)));
    unsetenv("TURNOUT_KIND");
    close_device();
}
END_TEST

/* What is not said to move last bits does not: each value alone against the defaults, on two shapes. */
static void run_for_bytes(const tn_case *c, tn_problem *p, const tn_tune_space *space, const tn_tune_set *set,
                          unsigned char *bytes, size_t *size) {
    ck_ok(&ctx, tn_problem_upload(p));
    ck_ok(&ctx, tn_tune_set_try(dev, space, set));
    tn_status status = c->run(dev, &p->shape, p->pass, p->tensors);
    *size = 0;
    if (status == TN_ERR_UNSUPPORTED)
        return;
    ck_ok(&ctx, status);
    for (int i = 0; i < p->tensor_count; i++) {
        if (p->tensors[i].count == 0 || p->tensors[i].role == TN_IN)
            continue;
        ck_ok(&ctx, tn_problem_read(p, i, bytes + *size));
        *size += p->tensors[i].count * (p->tensors[i].type == TN_U8 ? 1 : 4);
    }
}

static void same_bits(const tn_case *c, const tn_tune_space *space, int pass, int index) {
    enum { MOST = 1 << 22 };
    static unsigned char want[MOST], got[MOST];
    tn_rng rng = tn_rng_make(3, TN_RNG_CASE, (uint64_t)index);
    tn_shape shape = {{0}};
    tn_problem p;
    size_t want_size, size;
    char text[512];
    c->draw(&rng, &shape);
    ck_ok(&ctx, tn_problem_make(&ctx, dev, c, pass, &shape, 3, &p));
    run_for_bytes(c, &p, space, &space->start, want, &want_size);
    ck_assert_uint_lt(want_size, MOST);
    for (int row = 0; row < space->tunables && want_size; row++)
        for (int i = 0; i < space->count[row] && !(space->rows[row]->flags & TN_TUNABLE_BITS); i++) {
            tn_tune_set set = space->start;
            set.values[row] = space->values[row][i];
            if (set.values[row] == space->start.values[row])
                continue;
            run_for_bytes(c, &p, space, &set, got, &size);
            tn_tune_set_print(space, &set, text, sizeof text);
            ck_assert_msg(size == 0 || (size == want_size && memcmp(got, want, size) == 0),
                          "%s %s: other bits with %s", c->op, c->passes[pass], text);
        }
    tn_problem_free(&ctx, &p);
}

START_TEST(test_bits_move_only_where_the_table_says) {
    open_device();
    for (int i = 0; i < tn_op_count; i++) {
        for (int v = 0; tn_ops[i]->variants[v]; v++) {
            tn_tune_space space;
            if (!of_this_run("bits", tn_ops[i], v, 20))
                continue;
            space_make(tn_ops[i], v, &space);
            for (int pass = 0; tn_cases[i]->passes[pass]; pass++)
                if (tn_variant_has_pass(tn_ops[i]->variants[v], pass))
                    same_bits(tn_cases[i], &space, pass, _i);
        }
        tn_tunable_untry(dev, NULL);
        tn_kernels_forget(dev);
    }
    close_device();
}
END_TEST

/* What a process that ended left is gone on with: the journal of another, which this one takes over. */
START_TEST(test_a_journal_is_gone_on_with) {
    static tn_tune_report report;
    tn_tune_journal j;
    tn_tune_space space;
    tn_tune_set set;
    char text[256], line[300];
    const tn_op *op = tn_op_find(trapped);
    const int variant = portable_of(op), unit = tn_tune_unit(op, 0, 0);
    open_device();
    tn_tune_journal_begin(&j, &ctx, tn_device_get_info(dev), tn_device_style(dev), op, &report);
    tn_tune_journal_space(&j, variant, &space);
    set = space.start;
    const int row = tn_variant_tunable(op->variants[variant], "LANES");
    set.values[row] = space.values[row][0];
    tn_tune_set_encode(&space, &set, text, sizeof text);
    snprintf(line, sizeof line, "unit %d", unit);
    ck_ok(&ctx, tn_tune_journal_take(&j, line));
    static const char *const words[] = {"begin", "best", "confirm"};
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        snprintf(line, sizeof line, "%s %s", words[i], text);
        ck_ok(&ctx, tn_tune_journal_take(&j, line));
    }
    ck_assert_int_eq(report.seen, 1);
    ck_assert(j.is_open && j.confirms && j.unit == unit && j.has_best[variant]);
    tn_tune_journal_lost(&j); /* it ended its process while it was confirmed */
    ck_assert(!j.is_open && j.fell_count == 1 && tn_tune_set_equal(&space, &j.fell[0], &set));
    snprintf(line, sizeof line, "entry %d 1 1.5 1.25 1.75 20 %s", unit, text);
    ck_ok(&ctx, tn_tune_journal_take(&j, line));
    ck_assert_int_eq(report.count, 1);
    ck_assert_str_eq(report.entries[0].pass, op->passes[0]);
    ck_assert_str_eq(report.entries[0].variant, op->variants[variant]->name);
    ck_assert(report.entries[0].wins && report.entries[0].ratio_q3 == 1.75);
    for (int k = 0; k < report.entries[0].count; k++)
        ck_assert(strcmp(report.entries[0].values[k].name, "LANES") != 0 ||
                  report.entries[0].values[k].value == set.values[row]);
    snprintf(line, sizeof line, "closed %d", unit);
    ck_ok(&ctx, tn_tune_journal_take(&j, line));
    ck_assert(j.closed[unit] && j.unit == -1);
    static const char *const nonsense[] = {
        "", "unit 99", "closed -1", "begin 9:1", "best 0:1", "entry 1 1 x", "entry 0 1 1 1 1 1 0:1"};
    for (size_t i = 0; i < sizeof nonsense / sizeof nonsense[0]; i++)
        ck_ok(&ctx, tn_tune_journal_take(&j, nonsense[i]));
    ck_assert(report.count == 1 && report.seen == 1 && j.unit == -1);
    tn_tune_journal_end(&j);
    close_device();
}
END_TEST

int main(void) {
    (void)tn_test_seed();
    Suite *suite = suite_create("tune");
    TCase *sets = tcase_create("sets"), *search = tcase_create("search");
    tcase_add_test(sets, test_tables);
    tcase_add_test(sets, test_some_sets_verify);
    tcase_add_test(sets, test_cover_sees_what_is_wrong);
    tcase_add_loop_test(sets, test_bits_move_only_where_the_table_says, 1, 2);
    tcase_set_timeout(sets, 900);
    tcase_add_test(search, test_tuning_takes_nothing_wrong);
    tcase_add_test(search, test_a_journal_is_gone_on_with);
    tcase_set_timeout(search, 400);
    suite_add_tcase(suite, sets);
    suite_add_tcase(suite, search);
    return tn_test_main(suite);
}
