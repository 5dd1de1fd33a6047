/* Rows of level `decode`: what is run is what they say, verified; and sweeps and shapes of them. */
#include "decoding_run.h"
#include "folder.h"
#include "launch.h"
#include "program.h"
#include "rows.h"
#include "support.h"

#include <math.h>
#include <string.h>

static tn_context ctx;
static tn_device *dev;

static void open_device(void) {
    ctx = (tn_context){.quiet = true};
    ck_ok(&ctx, tn_device_open_selected(&ctx, getenv("TURNOUT_DEVICE"), &dev));
}

static void close_device(void) {
    tn_device_close(dev);
    ck_assert_int_eq(ctx.live, 0);
}

static const tn_bench_options brief = {.seconds = 0.002, .seed = 5};

static void measure(const tn_decoding_shape *shape, tn_cost_row *row) {
    ck_ok(&ctx, tn_decoding_measure(dev, shape, &brief, row));
}

/* Short contexts, where a period is longer than the sequence; batches; and as a GPU runs them. */
START_TEST(rows_of_every_mixer) {
    static const struct {
        const char *mixer;
        double rho;
        bool masked;
    } ways[] = {{"conv", NAN},   {"attention", NAN}, {"routed", 0},        {"routed", 0.01},
                {"routed", 0.5}, {"routed", 1},      {"routed", 0.1, true}};
    if (_i % 2)
        setenv("TURNOUT_KIND", "gpu", 1);
    open_device();
    for (size_t i = 0; i < sizeof ways / sizeof ways[0]; i++) {
        tn_decoding_shape s = {.B = _i / 2 ? 3 : 1,
                               .context = _i / 2 ? 256 : 64,
                               .D = 64,
                               .H = 2,
                               .K = 4,
                               .rho = ways[i].rho,
                               .ragged = _i / 2,
                               .masked = ways[i].masked,
                               .mixer = ways[i].mixer};
        const bool routed = strcmp(s.mixer, "routed") == 0;
        tn_cost_row row;
        measure(&s, &row);
        ck_assert_msg(strcmp(row.status, "ok") == 0, "%s %g: %s", s.mixer, s.rho, row.reason);
        ck_assert_str_eq(row.verified, "outputs");
        ck_assert_str_eq(row.level, "decode");
        ck_assert_str_eq(row.schedule, s.masked ? "masked" : routed ? "compacted" : "dense");
        ck_assert(row.context == s.context && row.T == -1 && row.B == s.B);
        ck_assert_str_eq(row.contexts, s.ragged ? "ragged" : "equal");
        ck_assert(s.ragged ? row.context_min < s.context : row.context_min == s.context);
        ck_assert(row.wall_ms > 0 && row.event_ms_launches >= 1 && row.waits == 0);
        ck_assert_double_eq_tol(row.tokens_per_s, 1e3 * (double)s.B / row.wall_ms, 1e-6 * row.tokens_per_s);
        ck_assert(routed == (row.dense_ratio > 0) && routed == (row.rho == s.rho));
    }
    close_device();
    unsetenv("TURNOUT_KIND");
}
END_TEST

/* Every n-th token of every sequence, and that at the context; tokens of a period one behind the other. */
START_TEST(a_span_is_what_rho_says) {
    tn_decoding_shape s = {
        .B = 5, .context = _i ? 300 : 30, .D = 32, .H = 2, .K = 3, .rho = 1.0 / 40, .mixer = "routed"};
    open_device();
    decoding_run r = {.ctx = &ctx, .dev = dev, .shape = &s, .seed = 1};
    ck_ok(&ctx, tn_decoding_run_make(&r));
    const decoding_side *side = &r.sides[0];
    ck_assert_int_eq(side->period, 40);
    for (int64_t b = 0; b < s.B; b++) {
        int routed = 0;
        for (int64_t i = 0; i < 40; i++) {
            const int64_t t = side->steps[(4 * i + 1) * s.B + b],
                          next = side->steps[(4 * ((i + 1) % 40) + 1) * s.B + b];
            ck_assert(t >= 0 && t <= s.context);
            ck_assert(next == t + 1 || (t == s.context && (_i == 0 || next == s.context - 39)));
            if (side->given[i * s.B + b])
                ck_assert_int_eq(t, s.context);
            routed += side->given[i * s.B + b];
        }
        ck_assert_int_eq(routed, 1);
    }
    tn_decoding_run_free(&r);
    close_device();
}
END_TEST

START_TEST(a_fraction_is_one_over_a_number) {
    ck_assert_double_eq(tn_decoding_rho(0), 0);
    ck_assert_double_eq(tn_decoding_rho(0.01), 0.01);
    ck_assert_double_eq(tn_decoding_rho(0.3), 1.0 / 3);
    ck_assert_double_eq(tn_decoding_rho(0.9), 1);
}
END_TEST

/* Attention reads all keys and values, a token of the convolution none, a routed layer its share. */
START_TEST(work_is_what_is_read) {
    tn_decoding_shape s = {.B = 1, .context = 2000, .D = 64, .H = 2, .K = 4, .rho = NAN, .mixer = "conv"};
    tn_cost_row conv, attention, routed;
    const double cache = 2 * 4 * 2001 * 64.0;
    open_device();
    measure(&s, &conv);
    s.mixer = "attention";
    measure(&s, &attention);
    s.mixer = "routed";
    s.rho = 0.1;
    measure(&s, &routed);
    ck_assert_double_ge(attention.bytes, cache + 4 * 4 * 64 * 64);
    ck_assert_double_le(attention.bytes, 1.1 * cache);
    ck_assert_double_le(conv.bytes, 4 * (64 * 64 + 20 * 64));
    ck_assert_double_gt(routed.bytes, conv.bytes + 0.1 * cache);
    ck_assert_double_lt(routed.bytes, conv.bytes + 0.2 * attention.bytes);
    ck_assert_double_gt(routed.ideal_ratio, 1);
    ck_assert(attention.state_bytes > cache && conv.state_bytes < cache / 10);
    close_device();
}
END_TEST

/* A launch that is left out makes what is read wrong. */
START_TEST(a_wrong_token_is_an_error) {
    static const char *const mixers[] = {"conv", "attention", "routed"};
    tn_decoding_shape s = {.B = 2, .context = 90, .D = 64, .H = 2, .K = 4, .rho = 0.25, .mixer = mixers[_i]};
    tn_cost_row row;
    open_device();
    measure(&s, &row);
    ck_assert_str_eq(row.status, "ok");
    const int launches = tn_launch_watched(dev);
    ck_assert_int_ge(launches, _i == 2 ? 5 : 1);
    for (int i = 1; i <= launches; i++) {
        tn_launch_drop(dev, i);
        measure(&s, &row);
        ck_assert_msg(strcmp(row.status, "error") == 0, "%s without launch %d is %s", mixers[_i], i,
                      row.status);
        ck_assert_str_eq(row.verified, "");
    }
    close_device();
}
END_TEST

START_TEST(ragged_contexts) {
    tn_decoding_shape s = {.B = 64, .context = 4096, .ragged = true};
    int64_t one[64], again[64], other[64];
    int same = 0, low = 0;
    tn_decoding_run_contexts(&s, 3, one);
    tn_decoding_run_contexts(&s, 3, again);
    tn_decoding_run_contexts(&s, 4, other);
    ck_assert_mem_eq(one, again, sizeof one);
    ck_assert_int_eq(one[0], 4096);
    for (int i = 0; i < 64; i++) {
        ck_assert(one[i] >= 256 && one[i] <= 4096);
        same += one[i] == other[i];
        low += one[i] < 1024; /* half of them: equally many in each octave */
    }
    ck_assert_int_lt(same, 10);
    ck_assert(low > 16 && low < 48);
}
END_TEST

START_TEST(shapes) {
    static const char *const wrong[] = {"context=0",
                                        "context=-1",
                                        "context=40000000",
                                        "rho=1.01",
                                        "rho=1e-9",
                                        "rho=nan",
                                        "B=0",
                                        "D=65",
                                        "ragged=2",
                                        "B=64,context=1000000",
                                        "T=5",
                                        "context=64,",
                                        "H=3",
                                        "context=99999999999"};
    tn_context quiet = {.quiet = true};
    tn_decoding_shape s;
    ck_assert_int_eq(tn_decoding_parse(&quiet, "", &s), TN_OK);
    ck_assert(s.context == 4096 && s.B == 1 && s.D == 64 && s.H == 2 && s.K == 4 && isnan(s.rho));
    ck_assert_int_eq(tn_decoding_parse(&quiet, "context=100,D=256,ragged=1,rho=0.3", &s), TN_OK);
    ck_assert(s.context == 100 && s.B == 8 && s.H == 4 && s.ragged && s.rho == 1.0 / 3);
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        ck_assert_msg(tn_decoding_parse(&quiet, wrong[i], &s) == TN_ERR_ARG, "'%s' is taken", wrong[i]);
        ck_assert_int_eq(program_run("bench -q --level decode --shape %s", wrong[i]), 2);
        ck_assert_ptr_eq(strchr(program_output, '\n'), strrchr(program_output, '\n')); /* one sentence */
    }
}
END_TEST

START_TEST(bad_requests) {
    static const char *const wrong[] = {"bench --level decode --op gemm",
                                        "bench --level decode --cache cold",
                                        "bench --level decode --peers",
                                        "bench --level decode --variant walk",
                                        "sweep --level decode --cache cold",
                                        "sweep --level decode --context 0",
                                        "sweep --level decode --context 2000000000",
                                        "sweep --level decode --rho 1.5",
                                        "sweep --level decode --rho 1e-7",
                                        "sweep --level decode --ragged 2",
                                        "cell --level decode"};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        ck_assert_msg(program_run("%s", wrong[i]) == 2, "%s: %s", wrong[i], program_output);
}
END_TEST

/* The state is as large as it says, and what does not fit is refused before anything is allocated. */
START_TEST(too_large_is_unsupported) {
    tn_decoding_shape s = {.B = 1, .context = 31000000, .D = 64, .H = 2, .K = 4, .mixer = "attention"};
    const double host = (double)sysconf(_SC_PHYS_PAGES) * (double)sysconf(_SC_PAGESIZE);
    tn_cost_row row;
    if (host > 60e9)
        return; /* it would be run */
    open_device();
    measure(&s, &row);
    ck_assert_str_eq(row.status, "unsupported");
    ck_assert_msg(strstr(row.reason, " bytes ") && strstr(row.reason, "31000064"), "%s", row.reason);
    close_device();
}
END_TEST

static size_t line_end(const char *text, int lines) {
    const char *at = text;
    for (int i = 0; i < lines; i++)
        at = strchr(at, '\n') + 1;
    return (size_t)(at - text);
}

/* One that was stopped goes on: rows that are there are kept. */
START_TEST(a_sweep_goes_on) {
    static const char command[] =
        "sweep -q --level decode --context 64 --rho 0.1 --ragged 0,1 --seconds 0.01 "
        "--energy off -o";
    char path[2][200], text[40000];
    test_folder_make();
    for (int i = 0; i < 2; i++)
        snprintf(path[i], sizeof path[i], "%s/%d.csv", test_folder, i);
    ck_assert_msg(program_run("%s %s", command, path[0]) == 0, "%s", program_output);
    FILE *f = fopen(path[0], "r");
    ck_assert_ptr_nonnull(f);
    size_t size = fread(text, 1, sizeof text - 1, f);
    text[size] = '\0';
    fclose(f);
    ck_assert_ptr_null(strstr(text, ",error,"));
    char part[220];
    snprintf(part, sizeof part, "%s.part", path[1]);
    f = fopen(part, "w");
    ck_assert_ptr_nonnull(f);
    fwrite(text, 1, line_end(text, 4), f);
    fclose(f);
    ck_assert_msg(program_run("sweep%s %s", command + 8, path[1]) == 0, "%s", program_output);
    ck_assert_msg(strstr(program_output, "8 rows: 8 ok") &&
                      strstr(program_output, "3 of them from an earlier"),
                  "%s", program_output);
    test_folder_remove();
}
END_TEST

int main(void) {
    Suite *suite = suite_create("decoding");
    TCase *t = tcase_create("decoding");
    tcase_set_timeout(t, 600);
    tn_test_add_drawn(t, rows_of_every_mixer, 0, 4, 2);
    tcase_add_loop_test(t, a_span_is_what_rho_says, 0, 2);
    tcase_add_test(t, a_fraction_is_one_over_a_number);
    tcase_add_test(t, work_is_what_is_read);
    tcase_add_loop_test(t, a_wrong_token_is_an_error, 0, 3);
    tcase_add_test(t, ragged_contexts);
    tcase_add_test(t, shapes);
    tcase_add_test(t, bad_requests);
    tcase_add_test(t, too_large_is_unsupported);
    tcase_add_test(t, a_sweep_goes_on);
    suite_add_tcase(suite, t);
    return tn_test_main(suite);
}
