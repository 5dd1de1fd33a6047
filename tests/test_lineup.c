/* Devices side by side, and a device over versions: what is planted is found, and noise is not. */
#include "across.h"
#include "folder.h"
#include "history.h"
#include "program.h"
#include "suite.h"

#include <math.h>
#include <unistd.h>

#define HEADER                                                                                               \
    "schema,version,utc,host,cpu,platform,device,driver,kind,compute_units,pci,level,op,pass,mixer,B,T,D,H," \
    "Dh,K,rho,schedule,status,reason,n,wall_ms,wall_ms_q1,wall_ms_q3,event_ms,event_ok,flops,bytes,gflops,"  \
    "gbs,roofline_pct,energy_j,energy_source,seed,shape,selector\n"
enum { WORKS = 20, VERSIONS = 9 };

static tn_context ctx;
static unsigned drawn;

static void make_folder(void) {
    ctx = (tn_context){.quiet = true};
    drawn = 1;
    test_folder_enter();
}

static void remove_folder(void) {
    test_folder_leave();
    ck_assert_int_eq(ctx.live, 0);
}

/* Of mean 0 and standard deviation 1, from a fixed seed. */
static double normal(void) {
    double sum = -6;
    for (int i = 0; i < 12; i++) {
        drawn = drawn * 1664525u + 1013904223u;
        sum += (double)(drawn >> 8) / (1 << 24);
    }
    return sum;
}

static void write_row(FILE *csv, int version, int run, const char *device, int work, double ms, bool ok) {
    fprintf(csv,
            "turnout-cost-1,0.%d,2026-01-%02dT00:%02d:%02dZ,h,,P,%s,1,gpu,2,,op,gelu,forward,,1,%d,,,,,,,",
            version, version, run, work, device, work);
    if (ok)
        fprintf(csv, "ok,,30,%.9g,%.9g,%.9g", ms, 0.995 * ms, 1.005 * ms);
    else
        fputs("error,wrong result,,,,", csv);
    fprintf(csv, ",,,,,,,,,,1,N=%d,0:0\n", work);
}

typedef double (*factor)(int version, int work); /* 0: it fails */

/* v1.csv, v2.csv … with a run each, of the last one `last_runs`; 1 % from run to run. */
static void write_versions(int versions, int last_runs, factor of) {
    for (int v = 1; v <= versions; v++) {
        char name[32];
        snprintf(name, sizeof name, "v%d.csv", v);
        FILE *csv = fopen(name, "w");
        ck_assert_ptr_nonnull(csv);
        fputs(HEADER, csv);
        for (int run = 0; run < (v == versions ? last_runs : 1); run++)
            for (int work = 1; work <= WORKS; work++)
                write_row(csv, v, run, "D", work, work * of(v, work) * exp(0.01 * normal()), of(v, work) > 0);
        fclose(csv);
    }
}

static const char *const files[] = {"v9.csv", "v8.csv", "v7.csv", "v6.csv", "v5.csv",
                                    "v4.csv", "v3.csv", "v2.csv", "v1.csv"};

static void follow(int versions, tn_history *h) {
    const tn_lineup_options options = {.noise_pct = -1, .threshold_pct = 5};
    ck_assert_msg(tn_history_make(&ctx, files + VERSIONS - versions, (size_t)versions, false, &options, h) ==
                      TN_OK,
                  "%s", ctx.message);
    ck_assert_uint_eq(h->lineup.column_count,
                      (size_t)versions); /* by date, whatever the order of the files */
    ck_assert_str_eq(h->lineup.columns[0].name, "0.1");
}

static const tn_change *change_at(const tn_history *h, size_t i, int work) {
    char shape[16];
    snprintf(shape, sizeof shape, "N=%d", work);
    ck_assert_str_eq(h->changes[i].work->key[TN_COLUMN_shape], shape);
    return &h->changes[i];
}

static double none(int version, int work) {
    (void)version;
    (void)work;
    return 1;
}

static double planted(int version, int work) {
    if (work == 3) /* slower since 0.4 */
        return version >= 4 ? 1.25 : 1;
    if (work == 5) /* faster since 0.2, slower again, by less, since 0.6 */
        return version >= 6 ? 0.9 : version >= 2 ? 0.6 : 1;
    if (work == 7) /* one noisy run */
        return version == 5 ? 1.5 : 1;
    return 1;
}

static double at_the_end(int version, int work) {
    return work == 4 && version == 6 ? 1.4 : 1;
}

static double slope(int version, int work) {
    return work == 2 ? pow(1.025, version) : 1;
}

static double failing(int version, int work) {
    return work == 6 && version >= 5 ? 0 : 1;
}

static double machine(int version, int work) {
    return (version >= 4 ? 1.3 : 1) * (work == 9 && version >= 5 ? 1.4 : 1);
}

/* Over all works together a difference is called in one of twenty draws. */
START_TEST(test_nothing_changes) {
    size_t called = 0;
    for (unsigned draw = 1; draw <= 20; draw++) {
        tn_history h;
        drawn = draw;
        write_versions(VERSIONS, 1, none);
        follow(VERSIONS, &h);
        called += h.count > 0;
        tn_history_free(&h);
    }
    ck_assert_uint_le(called, 3);
    program_gives(0, "compare --history v1.csv,v2.csv v3.csv",
                  "20 works followed over 3 versions (0.1 to 0.3)", "0 slower");
}
END_TEST

START_TEST(test_since_when) {
    tn_history h;
    write_versions(VERSIONS, 1, planted);
    follow(VERSIONS, &h);
    ck_assert_uint_eq(h.count, 3);
    ck_assert_uint_eq(h.passing, 1); /* the noisy run, whatever it says, is no change */
    const tn_change *again = change_at(&h, 0, 5), *slower = change_at(&h, 1, 3),
                    *faster = change_at(&h, 2, 5);
    ck_assert_int_eq(slower->kind, TN_CHANGE_SLOWER);
    ck_assert_uint_eq(slower->since, 3);
    ck_assert_uint_eq(slower->first, 0);
    ck_assert_uint_eq(slower->before, 2);
    ck_assert(exp(slower->ratio.log_low) < 1.25 && exp(slower->ratio.log_high) > 1.25 &&
              slower->ratio.log_low > 0);
    ck_assert_int_eq(again->kind, TN_CHANGE_SLOWER);
    ck_assert_uint_eq(again->since, 5);
    ck_assert(again->last && !faster->last);
    ck_assert_int_eq(faster->kind, TN_CHANGE_FASTER);
    ck_assert_uint_eq(faster->since, 1);
    ck_assert_uint_eq(h.now[TN_CHANGE_SLOWER], 2);
    tn_history_free(&h);
    program_gives(1, "compare --history v1.csv v2.csv v3.csv v4.csv v5.csv v6.csv v7.csv",
                  "2 works are slower", "0.4", "not any more");
    program_gives(1, "compare --history v1.csv v2.csv v3.csv v4.csv v5.csv v6.csv v7.csv --format csv",
                  "\nslower,D,op,gelu", ",0.4,2026-01-04T");
    program_gives(1, "compare --history v1.csv v2.csv v3.csv v4.csv v5.csv v6.csv v7.csv --json",
                  "\"change\": \"slower\"");
}
END_TEST

START_TEST(test_one_run_is_not_enough) {
    tn_history h;
    write_versions(6, 1, at_the_end);
    follow(6, &h);
    ck_assert_uint_eq(h.count, 1);
    ck_assert_int_eq(change_at(&h, 0, 4)->kind, TN_CHANGE_SLOWER_ONCE);
    ck_assert_uint_eq(h.now[TN_CHANGE_SLOWER], 0);
    tn_history_free(&h);
    program_gives(0, "compare --history v1.csv v2.csv v3.csv v4.csv v5.csv v6.csv", "slower once",
                  "measure again");
    write_versions(6, 3, at_the_end); /* three runs say the same */
    follow(6, &h);
    ck_assert_uint_eq(h.count, 1);
    ck_assert_int_eq(change_at(&h, 0, 4)->kind, TN_CHANGE_SLOWER);
    ck_assert_uint_eq(h.changes[0].after_runs, 3);
    tn_history_free(&h);
}
END_TEST

START_TEST(test_little_by_little) {
    tn_history h;
    write_versions(VERSIONS, 1, slope);
    follow(VERSIONS, &h);
    ck_assert_uint_ge(h.count, 1);
    for (size_t i = 0; i < h.count; i++)
        ck_assert_int_eq(change_at(&h, i, 2)->kind, TN_CHANGE_SLOWER);
    tn_history_free(&h);
}
END_TEST

START_TEST(test_broken) {
    tn_history h;
    write_versions(6, 1, failing);
    follow(6, &h);
    ck_assert_uint_eq(h.count, 1);
    ck_assert_int_eq(change_at(&h, 0, 6)->kind, TN_CHANGE_BROKEN);
    ck_assert_uint_eq(h.changes[0].since, 4);
    ck_assert_str_eq(h.changes[0].reason, "wrong result");
    tn_history_free(&h);
    program_gives(1, "compare --history v1.csv v5.csv v6.csv", "broken", "wrong result", "1 not ok any more");
}
END_TEST

/* Another machine, or a hotter one, is said; --relative judges what is left. */
START_TEST(test_machine) {
    write_versions(VERSIONS, 1, machine);
    program_gives(1, "compare --history v1.csv v2.csv v3.csv v4.csv v5.csv v6.csv",
                  "D, 0.4: the rows together run ", "machine, not kernel?");
    program_gives(1, "compare --history --relative v1.csv v2.csv v3.csv v4.csv v5.csv v6.csv",
                  "1 slower, 0 faster", "0.5");
}
END_TEST

START_TEST(test_history_refuses) {
    write_versions(2, 1, none);
    program_gives(2, "compare --history v1.csv", "all rows are of one version, 0.1");
    program_gives(2, "compare --history v1.csv v2.csv --map A=B", "--map does not go with --history");
    program_gives(2, "compare v1.csv", "wants two arguments");
    program_gives(2, "compare v1.csv v2.csv v1.csv", "has 3");
    program_gives(2, "compare --history --across device v1.csv v2.csv",
                  "--history does not go with --across");
    program_gives(2, "compare --across host v1.csv v2.csv", "across");
    program_gives(2, "compare --across device v1.csv v2.csv", "all rows are of one device, D");
    program_gives(2, "compare --history v1.csv no.csv", "no.csv");
    ck_assert_int_eq(system("sed 's/,ok,,30,[0-9.]*,/,ok,,30,1\\xc2\\xa0000,/' v2.csv > bad.csv"), 0);
    program_gives(2, "compare --history v1.csv bad.csv", "bad.csv, line 2", "wall_ms");
    program_gives(0, "compare --history v1.csv v2.csv,v2.csv v1.csv", "0 slower"); /* read once */
}
END_TEST

/* ---- devices ---- */

static void write_device(const char *path, const char *device, int runs, double speed, int most,
                         double noise) {
    FILE *csv = fopen(path, "w");
    ck_assert_ptr_nonnull(csv);
    fputs(HEADER, csv);
    for (int run = 0; run < runs; run++)
        for (int work = 1; work <= most; work++)
            write_row(csv, 1, run, device, work,
                      work / speed * (work > 10 ? speed : 1) * exp(noise * normal()), true);
    fclose(csv);
}

static void hold(const char *const *paths, size_t count, tn_across *a) {
    const tn_lineup_options options = {.noise_pct = -1, .threshold_pct = 5};
    ck_assert_msg(tn_across_make(&ctx, paths, count, false, &options, a) == TN_OK, "%s", ctx.message);
}

START_TEST(test_two_devices) {
    static const char *const paths[] = {"a.csv", "b.csv"};
    tn_across a;
    write_device("a.csv", "A", 4, 1, WORKS, 0.01);
    write_device("b.csv", "B", 4, 1.5, WORKS - 2, 0.01); /* works above 10 are as fast on both */
    hold(paths, 2, &a);
    ck_assert_uint_eq(a.count, WORKS - 2);
    ck_assert_uint_eq(a.alone, 2);
    for (size_t w = 0; w < a.count; w++) {
        const tn_across_work *work = &a.works[w];
        const tn_ratio *r = &work->places[1].ratio;
        ck_assert_int_eq(work->sure, w < 10);
        if (w < 10)
            ck_assert_uint_eq(work->places[0].cell->column, 1);
        ck_assert(exp(r->log_low) < (w < 10 ? 1.5 : 1.001) && exp(r->log_high) > (w < 10 ? 1.5 : 1));
    }
    ck_assert(a.devices[1].repeated && a.devices[1].between < 0.03);
    tn_across_free(&a);
    program_gives(0, "compare --across device a.csv b.csv", "A ms", "B ms", "second/first",
                  "in 10 one is the fastest for certain");
    program_gives(0, "compare --across device a.csv b.csv --format csv",
                  "device,place,ms,ratio,ratio_low,ratio_high,verdict,runs,n\n", ",B,1,", "fastest,4,120");
    program_gives(0, "compare --across device a.csv,b.csv --format md", "|  A ms |");
}
END_TEST

/* Of one run a device 10 % are assumed: 15 % are not claimed, a factor of three is. */
START_TEST(test_single_runs) {
    static const char *const paths[] = {"a.csv", "b.csv", "c.csv"};
    tn_across a;
    write_device("a.csv", "A", 1, 1, 10, 0);
    write_device("b.csv", "B", 1, 1.15, 10, 0);
    write_device("c.csv", "C", 1, 3.45, 10, 0);
    hold(paths, 2, &a);
    ck_assert_int_eq(a.works[0].places[1].call, TN_CALL_OPEN);
    tn_across_free(&a);
    hold(paths, 3, &a);
    ck_assert(a.works[0].sure);
    ck_assert_uint_eq(a.works[0].count, 3);
    ck_assert_uint_eq(a.devices[2].sure, 10);
    ck_assert_double_eq_tol(a.devices[0].behind, 3.45, 1e-6);
    tn_across_free(&a);
    program_gives(0, "compare --across device a.csv b.csv", "in 0 one is the fastest for certain",
                  "10 % are assumed");
    program_gives(0, "compare --across device a.csv b.csv --noise 1", "in 10 one is the fastest for certain");
    program_gives(0, "compare --across device a.csv b.csv c.csv", "next/fastest", "surely");
}
END_TEST

int main(void) {
    Suite *suite = suite_create("lineup");
    TCase *tests = tcase_create("all");
    tcase_set_timeout(tests, 60);
    tcase_add_checked_fixture(tests, make_folder, remove_folder);
    tcase_add_test(tests, test_nothing_changes);
    tcase_add_test(tests, test_since_when);
    tcase_add_test(tests, test_one_run_is_not_enough);
    tcase_add_test(tests, test_little_by_little);
    tcase_add_test(tests, test_broken);
    tcase_add_test(tests, test_machine);
    tcase_add_test(tests, test_history_refuses);
    tcase_add_test(tests, test_two_devices);
    tcase_add_test(tests, test_single_runs);
    suite_add_tcase(suite, tests);
    return tn_test_main(suite);
}
