/* Runs of known truth held against each other: files made from a seed, with samples and without. */
#include "comparison.h"
#include "file.h"
#include "folder.h"
#include "program.h"
#include "rng.h"
#include "statistics.h"
#include "suite.h"

#include <math.h>
#include <unistd.h>

#define HEADER                                                                                               \
    "schema,version,utc,host,cpu,platform,device,driver,kind,compute_units,pci,level,op,pass,mixer,B,T,D,H," \
    "Dh,K,rho,"                                                                                              \
    "schedule,status,reason,n,wall_ms,wall_ms_q1,wall_ms_q3,event_ms,event_ok,flops,bytes,gflops,gbs,"       \
    "roofline_pct,"                                                                                          \
    "energy_j,energy_source,shape,drift_pct,selector,peer\n"

static tn_context ctx;

typedef struct run {
    const char *name; /* of the files, without ending */
    int first, rows;  /* rows first … first + rows − 1 */
    int n;
    double noise;       /* of a batch, as a log */
    double jitter;      /* of a row from run to run */
    double serial;      /* correlation of neighbouring batches */
    double shift;       /* of all rows, a factor */
    int odd;            /* this row … */
    double factor;      /* … takes so many times as long */
    const char *odd_is; /* its status, NULL: ok */
    bool samples;
    uint64_t seed;
} run;

static void make_folder(void) {
    ctx = (tn_context){.quiet = true};
    test_folder_enter();
}

static void remove_folder(void) {
    test_folder_leave();
    ck_assert_int_eq(ctx.live, 0);
}

static FILE *open_file(const char *name, const char *ending) {
    char path[64];
    snprintf(path, sizeof path, "%s%s", name, ending);
    FILE *stream = fopen(path, "w");
    ck_assert_ptr_nonnull(stream);
    return stream;
}

static void draw(const run *r, int row, double *ms) {
    tn_rng rng = tn_rng_make(r->seed, TN_RNG_CASE, (uint64_t)row);
    double wave = tn_rng_normal(&rng), fresh = sqrt(1 - r->serial * r->serial);
    double level = exp(0.1 * row) * (r->shift > 0 ? r->shift : 1) * exp(r->jitter * tn_rng_normal(&rng));
    if (row == r->odd && r->factor > 0)
        level *= r->factor;
    for (int i = 0; i < r->n; i++) {
        ms[i] = level * exp(r->noise * wave);
        wave = r->serial * wave + fresh * tn_rng_normal(&rng);
    }
}

static void write_run(run r) {
    FILE *csv = open_file(r.name, ".csv"), *lines = r.samples ? open_file(r.name, ".jsonl") : NULL;
    fputs(HEADER, csv);
    for (int row = r.first; row < r.first + r.rows; row++) {
        double ms[200], sorted[200];
        bool ok = row != r.odd || !r.odd_is;
        draw(&r, row, ms);
        memcpy(sorted, ms, sizeof sorted);
        double median = tn_median(sorted, (size_t)r.n);
        fprintf(
            csv,
            "turnout-cost-1,0.%d,2026-01-01T00:00:%02dZ,box,,P,D,%llu,cpu,2,,op,gemm,nn,,1,%d,,,,,,,%s,%s,",
            (int)r.seed, row % 60, (unsigned long long)r.seed, row, ok ? "ok" : r.odd_is,
            ok ? "" : "it is lost");
        if (ok)
            fprintf(csv, "%d,%.6g,%.6g,%.6g", r.n, median, tn_quantile(sorted, r.n, 0.25),
                    tn_quantile(sorted, r.n, 0.75));
        else
            fputs(",,,", csv);
        fputs(",,,,,,,,,,\"M=1,N=2\",,,\n", csv);
        if (!lines || !ok)
            continue;
        fprintf(
            lines,
            "{\"schema\": \"turnout-samples-1\", \"utc\": \"2026-01-01T00:00:%02dZ\", \"platform\": \"P\", "
            "\"device\": \"D\", \"level\": \"op\", \"op\": \"gemm\", \"pass\": \"nn\", \"B\": 1, \"T\": %d, "
            "\"rho\": null, \"shape\": \"M=1,N=2\", \"wall_ms\": [",
            row % 60, row);
        for (int i = 0; i < r.n; i++)
            fprintf(lines, "%s%.9g", i ? ", " : "", ms[i]);
        fputs("]}\n", lines);
    }
    fclose(csv);
    if (lines)
        fclose(lines);
}

static tn_comparison compared(const char *before, const char *after, tn_compare_options options) {
    tn_comparison c;
    options.threshold_pct = 5;
    options.noise_pct = -1;
    ck_assert_msg(tn_comparison_make(&ctx, before, after, &options, &c) == TN_OK, "%s", ctx.message);
    return c;
}

START_TEST(identical_runs) {
    run r = {.name = "a", .rows = 30, .n = 40, .noise = 0.01, .odd = -1, .samples = true, .seed = 1};
    for (int samples = 0; samples < 2; samples++) {
        r.samples = samples;
        write_run(r);
        tn_comparison c = compared("a.csv", "a.csv", (tn_compare_options){0});
        ck_assert_uint_eq(c.verdicts[TN_VERDICT_SAME], 30);
        for (size_t i = 0; i < c.count; i++) {
            ck_assert_double_le(fabs(c.rows[i].ratio.log), 1e-8);
            ck_assert_int_eq(c.rows[i].ratio.by_samples, samples);
        }
        tn_comparison_free(&c);
    }
}
END_TEST

START_TEST(one_row_slower) {
    for (int samples = 0; samples < 2; samples++) {
        write_run(
            (run){.name = "a", .rows = 30, .n = 40, .noise = 0.02, .odd = -1, .samples = samples, .seed = 1});
        write_run((run){.name = "b",
                        .rows = 30,
                        .n = 40,
                        .noise = 0.02,
                        .odd = 7,
                        .factor = 1.2,
                        .samples = samples,
                        .seed = 2});
        tn_comparison c = compared("a.csv", "b.csv", (tn_compare_options){0});
        ck_assert_uint_eq(c.verdicts[TN_VERDICT_SLOWER], 1);
        ck_assert_uint_eq(c.verdicts[TN_VERDICT_FASTER], 0);
        ck_assert_str_eq(c.rows[0].key[TN_COLUMN_T], "7");
        ck_assert_double_le(fabs(c.rows[0].ratio.log - log(1.2)), 0.03);
        ck_assert(c.rows[0].ratio.log_low < log(1.2) && c.rows[0].ratio.log_high > log(1.2));
        tn_comparison_free(&c);
        c = compared("b.csv", "a.csv", (tn_compare_options){0});
        ck_assert_uint_eq(c.verdicts[TN_VERDICT_FASTER], 1);
        tn_comparison_free(&c);
    }
    program_gives(1, "compare a.csv b.csv", "slower", "gemm nn", "1 row got slower");
    program_gives(0, "compare b.csv a.csv", "1 faster");
    program_gives(0, "compare a.csv b.csv --threshold 40", "0 slower");
    program_gives(1, "compare a.csv b.csv --format json", "\"verdict\": \"slower\"", "\"T\": 7");
    program_gives(1, "compare a.csv b.csv --format csv", "slower,P,D,op,gemm,nn,,1,7,");
    program_gives(1, "compare a.csv b.csv -o x.md", "1 row got slower");
    program_gives(2, "compare a.csv", "wants");
}
END_TEST

START_TEST(the_machine_is_slower) {
    write_run((run){.name = "a", .rows = 30, .n = 40, .noise = 0.01, .odd = -1, .samples = true, .seed = 1});
    write_run((run){.name = "b",
                    .rows = 30,
                    .n = 40,
                    .noise = 0.01,
                    .odd = 7,
                    .factor = 1.2,
                    .shift = 1.1,
                    .samples = true,
                    .seed = 2});
    tn_comparison c = compared("a.csv", "b.csv", (tn_compare_options){0});
    ck_assert_uint_eq(c.verdicts[TN_VERDICT_SLOWER], 30); /* never silently taken out */
    ck_assert(c.devices[0].common && !c.devices[0].divided);
    ck_assert_double_le(fabs(c.devices[0].log_shift - log(1.1)), 0.005);
    tn_comparison_free(&c);
    c = compared("a.csv", "b.csv", (tn_compare_options){.relative = true});
    ck_assert_uint_eq(c.verdicts[TN_VERDICT_SLOWER], 1);
    ck_assert_uint_eq(c.verdicts[TN_VERDICT_SAME], 29);
    tn_comparison_free(&c);
    program_gives(1, "compare a.csv b.csv", "machine, not kernel?", "--relative");
}
END_TEST

START_TEST(partial_overlap) {
    write_run((run){.name = "a", .rows = 20, .n = 40, .noise = 0.01, .odd = -1, .seed = 1});
    write_run((run){.name = "b", .first = 15, .rows = 20, .n = 40, .noise = 0.01, .odd = -1, .seed = 2});
    write_run((run){.name = "c", .first = 40, .rows = 5, .n = 40, .noise = 0.01, .odd = -1, .seed = 3});
    tn_comparison c = compared("a.csv", "b.csv", (tn_compare_options){0});
    ck_assert_uint_eq(c.verdicts[TN_VERDICT_SAME], 5);
    ck_assert_uint_eq(c.verdicts[TN_VERDICT_ONLY_OLD], 15);
    ck_assert_uint_eq(c.verdicts[TN_VERDICT_ONLY_NEW], 15);
    tn_comparison_free(&c);
    program_gives(0, "compare c.csv c.csv --relative", "5 same");
    write_run((run){.name = "c", .first = 40, .rows = 4, .n = 40, .noise = 0.01, .odd = -1, .seed = 3});
    program_gives(0, "compare c.csv c.csv --relative", "Too few rows");
    program_gives(0, "compare a.csv b.csv", "Only in old: 15; only in new: 15");
    program_gives(2, "compare a.csv c.csv", "no row of a.csv is in c.csv");
}
END_TEST

START_TEST(rows_that_are_not_ok) {
    write_run((run){.name = "a", .rows = 10, .n = 40, .noise = 0.01, .odd = -1, .seed = 1});
    write_run(
        (run){.name = "b", .rows = 10, .n = 40, .noise = 0.01, .odd = 3, .odd_is = "timeout", .seed = 2});
    program_gives(1, "compare a.csv b.csv", "Not ok on one side", "broken", "it is lost",
                  "1 not ok any more");
    program_gives(0, "compare b.csv a.csv", "fixed");
    program_gives(0, "compare b.csv b.csv", "failing", "1 as before");
    program_gives(1, "compare a.csv a.csv,b.csv", "broken"); /* broken in one of its runs */
}
END_TEST

/* Each row differs by 8 % from run to run: one run a side cannot tell that from a change, three can. */
START_TEST(several_runs_a_side) {
    char name[2][3] = {"a0", "b0"};
    for (int i = 0; i < 3; i++) {
        name[0][1] = name[1][1] = (char)('0' + i);
        write_run((run){.name = name[0],
                        .rows = 20,
                        .n = 40,
                        .noise = 0.01,
                        .jitter = 0.08,
                        .odd = -1,
                        .samples = true,
                        .seed = (uint64_t)(10 + i)});
        write_run((run){.name = name[1],
                        .rows = 20,
                        .n = 40,
                        .noise = 0.01,
                        .jitter = 0.08,
                        .odd = 4,
                        .factor = 2,
                        .samples = true,
                        .seed = (uint64_t)(20 + i)});
    }
    tn_comparison c = compared("a0.csv,a1.csv,a2.csv", "b0.csv,b1.csv,b2.csv", (tn_compare_options){0});
    ck_assert(c.devices[0].repeated);
    ck_assert_double_le(fabs(c.devices[0].between - 0.08), 0.03);
    ck_assert_uint_eq(c.verdicts[TN_VERDICT_SLOWER], 1);
    ck_assert_str_eq(c.rows[0].key[TN_COLUMN_T], "4");
    ck_assert_uint_eq(c.rows[0].side[0].times.count, 3);
    double visible = c.visible;
    tn_comparison_free(&c);
    c = compared("a0.csv", "b0.csv", (tn_compare_options){0});
    ck_assert(!c.devices[0].repeated);
    ck_assert_double_gt(c.visible, visible);
    tn_comparison_free(&c);
    c = compared("a0.csv,a0.jsonl", "b0.csv,b0.jsonl", (tn_compare_options){0});
    ck_assert(c.rows[0].ratio.by_samples && c.strays == 0);
    tn_comparison_free(&c);
}
END_TEST

static void refused(const char *line, const char *words) {
    program_gives(2, line, words);
}

static void write_text(const char *name, const char *text) {
    FILE *stream = open_file(name, "");
    fputs(text, stream);
    fclose(stream);
}

START_TEST(damaged_files) {
    char *bytes;
    size_t size;
    write_run((run){.name = "a", .rows = 3, .n = 5, .noise = 0.01, .odd = -1, .samples = true, .seed = 1});
    refused("compare a.csv none.csv", "none.csv");
    refused("compare a.jsonl a.csv", "samples alone");
    write_text("b.csv", HEADER
               "turnout-cost-1,0,,box,,P,D,,cpu,2,,op,gemm,nn,,1,0,,,,,,,ok,,5,nan,1,2,,,,,,,,,,,,,\n");
    refused("compare a.csv b.csv", "b.csv, line 2");
    write_text("b.csv",
               HEADER "turnout-cost-1,0,,box,,P,D,,cpu,2,,op,gemm,nn,,1,0,,,,,,,ok,,5,-1,1,2,,,,,,,,,,,,,\n");
    refused("compare a.csv b.csv", "b.csv, line 2");
    write_text("b.csv", HEADER "turnout-cost-1,0,,box,,P,D,,cpu,2,,op,gemm");
    refused("compare a.csv b.csv", "cut off");
    ck_assert_int_eq(tn_file_read(&ctx, "a.jsonl", &bytes, &size), TN_OK);
    bytes[size - 20] = '\0';
    write_text("a.jsonl", bytes);
    refused("compare a.csv a.csv", "a.jsonl, line 3: the last line is cut off");
    program_gives(0, "compare a.csv a.csv --quartiles", "by quartiles");
    memcpy(strstr(bytes, "wall_ms\": [") + 11, "NaN,", 4);
    write_text("a.jsonl", bytes);
    refused("compare a.csv a.csv", "a.jsonl, line 1");
    write_text("a.jsonl", "{\"schema\": \"turnout-samples-1\", \"utc\": \"\", \"wall_ms\": [1, 0]}\n");
    refused("compare a.csv a.csv", "no time");
    write_text("a.jsonl", "{\"schema\": \"turnout-samples-1\", \"utc\": \"\", \"wall_ms\": [1, 2]}\n");
    program_gives(0, "compare a.csv a.csv", "belong to no row", "by quartiles");
    tn_free(&ctx, bytes);
}
END_TEST

/* Cut anywhere, or with a byte changed: refused or read, never a crash and nothing left behind. */
START_TEST(cut_and_bent_files) {
    static const char *const names[] = {"a.csv", "a.jsonl"};
    tn_rng rng = tn_rng_make(3, TN_RNG_CASE, 0);
    for (int f = 0; f < 2; f++) {
        char *bytes;
        size_t size;
        write_run(
            (run){.name = "a", .rows = 3, .n = 5, .noise = 0.01, .odd = -1, .samples = true, .seed = 1});
        ck_assert_int_eq(tn_file_read(&ctx, names[f], &bytes, &size), TN_OK);
        for (size_t i = 0; i < size; i += 3) {
            tn_comparison c;
            bool cut = i % 2;
            char kept = bytes[i];
            bytes[i] = cut ? '\0' : (char)(1 + tn_rng_below(&rng, 126));
            write_text(names[f], bytes);
            if (tn_comparison_make(&ctx, "a.csv", "a.csv", &(tn_compare_options){.noise_pct = -1}, &c) ==
                TN_OK)
                tn_comparison_free(&c);
            ck_assert_int_eq(ctx.live, 1); /* bytes */
            bytes[i] = kept;
        }
        tn_free(&ctx, bytes);
    }
}
END_TEST

/* What bench writes, compare finds: the samples of every row, beside its CSV. */
START_TEST(a_real_run) {
    program_gives(0, "bench -q --op gelu --shape N=4096 --seconds 0.02 --samples a.jsonl -o a.csv", "");
    tn_comparison c = compared("a.csv", "a.csv", (tn_compare_options){0});
    ck_assert_uint_eq(c.count, 2);
    ck_assert_uint_eq(c.strays, 0);
    for (size_t i = 0; i < c.count; i++)
        ck_assert(c.rows[i].ratio.by_samples && fabs(c.rows[i].ratio.log) < 1e-8);
    tn_comparison_free(&c);
}
END_TEST

typedef struct rates {
    int calls, found, rows, repetitions;
} rates;

static rates repeat(run before, run after, const char *odd) {
    rates r = {.repetitions = 20};
    for (int i = 0; i < r.repetitions; i++) {
        before.seed = (uint64_t)(1000 + 2 * i);
        after.seed = (uint64_t)(1001 + 2 * i);
        write_run(before);
        write_run(after);
        tn_comparison c = compared("a.csv", "b.csv", (tn_compare_options){0});
        for (size_t k = 0; k < c.count; k++) {
            const tn_compared_row *row = &c.rows[k];
            bool called = row->verdict == TN_VERDICT_SLOWER || row->verdict == TN_VERDICT_FASTER;
            bool is_odd = strcmp(row->key[TN_COLUMN_T], odd) == 0;
            r.found += is_odd && row->verdict == TN_VERDICT_SLOWER;
            r.calls += !is_odd && called;
            r.rows += !is_odd;
        }
        tn_comparison_free(&c);
    }
    return r;
}

/* Same program twice: at most 5 % of rows are called anything, whatever kind of noise there is. */
START_TEST(false_calls) {
    static const struct {
        int n;
        double noise, jitter, serial;
    } kinds[] = {
        {20, 0.05, 0, 0}, {20, 0.05, 0, 0.8}, {9, 0.05, 0, 0}, {60, 0.02, 0.06, 0}, {60, 0.2, 0.02, 0.5}};
    for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++)
        for (int samples = 0; samples < 2; samples++) {
            run a = {.name = "a",
                     .rows = 50,
                     .n = kinds[k].n,
                     .noise = kinds[k].noise,
                     .jitter = kinds[k].jitter,
                     .serial = kinds[k].serial,
                     .odd = -1,
                     .samples = samples};
            run b = a;
            b.name = "b";
            rates r = repeat(a, b, "none");
            ck_assert_msg(r.calls <= r.rows / 20, "noise of kind %zu, samples %d: %d of %d rows called", k,
                          samples, r.calls, r.rows);
        }
}
END_TEST

START_TEST(power) {
    for (int samples = 0; samples < 2; samples++) {
        run a = {.name = "a", .rows = 50, .n = 20, .noise = 0.05, .odd = -1, .samples = samples};
        run b = a;
        b.name = "b";
        b.odd = 9;
        b.factor = 1.2;
        rates r = repeat(a, b, "9");
        ck_assert_msg(r.found >= (samples ? 19 : 16), "samples %d: found %d of %d times", samples, r.found,
                      r.repetitions);
        ck_assert_int_le(r.calls, r.rows / 20);
    }
}
END_TEST

int main(void) {
    Suite *suite = suite_create("comparison");
    TCase *tests = tcase_create("comparison");
    tcase_set_timeout(tests, 120);
    tcase_add_checked_fixture(tests, make_folder, remove_folder);
    tcase_add_test(tests, identical_runs);
    tcase_add_test(tests, one_row_slower);
    tcase_add_test(tests, the_machine_is_slower);
    tcase_add_test(tests, partial_overlap);
    tcase_add_test(tests, rows_that_are_not_ok);
    tcase_add_test(tests, several_runs_a_side);
    tcase_add_test(tests, damaged_files);
    tcase_add_test(tests, cut_and_bent_files);
    tcase_add_test(tests, a_real_run);
    tcase_add_test(tests, false_calls);
    tcase_add_test(tests, power);
    suite_add_tcase(suite, tests);
    return tn_test_main(suite);
}
