/* Talking to a peer that is right, and to those that are not; and the comparison of results, by hand-made
 * ones. */
#include "folder.h"
#include "support.h"

#include "peers.h"

#include <math.h>
#include <string.h>
#include <unistd.h>

static tn_context ctx;
static const float inputs[2][3] = {{1, 2, 3}, {10, 20, 30}};
static const tn_peer_limits impatient = {.prepare_s = 20, .answer_s = 0.5};

static tn_peer *started(const char *how) {
    const char *argv[] = {FAKE_PEER, how, NULL};
    tn_peer *p;
    ctx = (tn_context){.quiet = true};
    ck_assert_msg(tn_peer_start(&ctx, argv, &impatient, &p) == TN_OK, "%s", ctx.message);
    for (int i = 0; i < 2; i++)
        ck_assert_int_eq(tn_peer_input(p, inputs[i], 3), TN_OK);
    ck_assert_msg(tn_peer_prepare(p, "sum forward N=3") == TN_OK, "%s", ctx.message);
    return p;
}

static void stopped(tn_peer *p) {
    tn_peer_stop(p);
    ck_assert_int_eq(ctx.live, 0);
}

START_TEST(a_right_one) {
    setenv("OPENBLAS_CORETYPE", "Prescott", 1);
    tn_peer *p = started("right");
    float out[3];
    double seconds;
    ck_assert_str_eq(tn_peer_name(p), "Fake 1.0 clean");
    ck_assert_int_eq(tn_peer_run(p, 7, &seconds), TN_OK);
    ck_assert_double_eq_tol(seconds, 7e-3, 1e-12);
    ck_assert_int_eq(tn_peer_output(p, out, 3), TN_OK);
    ck_assert(out[0] == 11 && out[1] == 22 && out[2] == 33);
    /* the next problem has inputs of its own */
    ck_assert_int_eq(tn_peer_input(p, inputs[1], 2), TN_OK);
    ck_assert_int_eq(tn_peer_prepare(p, "sum forward N=2"), TN_OK);
    ck_assert_int_eq(tn_peer_output(p, out, 2), TN_OK);
    ck_assert(out[0] == 10 && out[1] == 20);
    stopped(p);
}
END_TEST

START_TEST(one_on_a_card) {
    double seconds, by_events;
    tn_peer *p = started("card");
    ck_assert_int_eq(tn_peer_run_events(p, 5, &seconds, &by_events), TN_OK);
    ck_assert_double_eq_tol(seconds, 1e-2, 1e-12);
    ck_assert_double_eq_tol(by_events, 1e-3, 1e-12);
    stopped(p);
    p = started("right");
    ck_assert_int_eq(tn_peer_run_events(p, 5, &seconds, &by_events), TN_OK);
    ck_assert(isnan(by_events));
    stopped(p);
    p = started("card-odd");
    ck_assert_int_eq(tn_peer_run_events(p, 5, &seconds, &by_events), TN_ERR_DEVICE);
    ck_assert_msg(strstr(ctx.message, "0.5 x") != NULL, "%s", ctx.message);
    stopped(p);
}
END_TEST

/* Beside a card a peer is told which, and one that knows the processor alone is none. */
START_TEST(which_card) {
    tn_peers peers = {.folder = "/nowhere", .python = FAKE_PEER, .on_card = true, .card = "0000:65:00.0"};
    tn_peer *p;
    ctx = (tn_context){.quiet = true};
    for (int k = 0; tn_peer_kinds[k].name; k++) {
        if (!tn_peer_kinds[k].program)
            continue;
        tn_status status = tn_peers_process(&ctx, &peers, k, 0, &p);
        ck_assert_int_eq(status, tn_peer_kinds[k].cards ? TN_OK : TN_ERR_UNSUPPORTED);
        ck_assert_int_eq(tn_peer_kinds[k].cards, strncmp(tn_peer_kinds[k].name, "torch", 5) == 0);
        if (status != TN_OK) {
            ck_assert_msg(strstr(ctx.message, "--peer torch") != NULL, "%s", ctx.message);
            continue;
        }
        ck_assert_int_eq(tn_peer_input(p, inputs[0], 3), TN_OK);
        ck_assert_msg(tn_peer_prepare(p, "sum forward N=3") == TN_OK, "%s", ctx.message);
        ck_assert_msg(strstr(tn_peer_name(p), " card=0000:65:00.0") != NULL, "%s", tn_peer_name(p));
    }
    tn_peers_stop(&peers);
    ck_assert_int_eq(ctx.live, 0);
}
END_TEST

START_TEST(one_that_writes_too_little) {
    tn_peer *p = started("short");
    float out[3];
    ck_assert_int_eq(tn_peer_output(p, out, 3), TN_ERR_DEVICE);
    ck_assert(tn_peer_alive(p));
    stopped(p);
}
END_TEST

/* How it behaves at `run`, what that is called, words of the message, whether it lives on. */
static const struct {
    const char *how;
    tn_status status;
    const char *words;
    bool alive;
} bad[] = {{"crash", TN_ERR_DEVICE, "SIGABRT at 'run 1': about to fall over", false},
           {"hang", TN_ERR_DEVICE, "no answer to 'run 1' within 0.5 s", false},
           {"garbage", TN_ERR_DEVICE, "answered 'hello there'", false},
           {"nan", TN_ERR_DEVICE, "answered 'nan'", false},
           {"endless", TN_ERR_DEVICE, "a line without end", false},
           {"error", TN_ERR_DEVICE, "the disk is on fire", true},
           {"unsupported", TN_ERR_UNSUPPORTED, "install something", true}};

START_TEST(those_that_are_not) {
    double seconds;
    tn_peer *p = started(bad[_i].how);
    ck_assert_int_eq(tn_peer_run(p, 1, &seconds), bad[_i].status);
    ck_assert_msg(strstr(ctx.message, bad[_i].words) != NULL, "%s", ctx.message);
    ck_assert_int_eq(tn_peer_alive(p), bad[_i].alive);
    if (!bad[_i].alive) {
        ck_assert_int_eq(tn_peer_run(p, 1, &seconds), TN_ERR_DEVICE);
        ck_assert_msg(strstr(ctx.message, "is dead") != NULL, "%s", ctx.message);
    }
    stopped(p);
}
END_TEST

START_TEST(one_that_is_not_there) {
    const char *argv[] = {"/nowhere/at/all", NULL};
    tn_peer *p;
    ctx = (tn_context){.quiet = true};
    ck_assert_int_eq(tn_peer_start(&ctx, argv, NULL, &p), TN_OK);
    ck_assert_int_eq(tn_peer_prepare(p, "sum forward"), TN_ERR_DEVICE);
    ck_assert_msg(strstr(ctx.message, "cannot be started: No such file") != NULL, "%s", ctx.message);
    stopped(p);
}
END_TEST

static const tn_peer_task *task_of(const char *op, const char *pass) {
    for (const tn_peer_task *t = tn_peer_tasks; t->op; t++)
        if (strcmp(t->op, op) == 0 && strcmp(t->pass, pass) == 0)
            return t;
    return NULL;
}

START_TEST(results_are_compared) {
    tn_device *dev;
    tn_peer_work w;
    tn_shape shape;
    double worst;
    ctx = (tn_context){.quiet = true};
    ck_assert_msg(tn_device_open_selected(&ctx, getenv("TURNOUT_DEVICE"), &dev) == TN_OK, "%s", ctx.message);
    const tn_case *c = tn_case_find("causal_conv");
    ck_assert_int_eq(tn_shape_parse(&ctx, c, "B=2 T=5 D=3 K=4 silu=1", &shape), TN_OK);
    ck_assert_int_eq(tn_peer_work_make(dev, task_of("causal_conv", "forward+backward"), c, &shape, 3, &w),
                     TN_OK);
    size_t count = tn_peer_work_output_count(&w);
    ck_assert_uint_eq(count, 30 + 12 + 3);
    float ours[45], theirs[45];
    ck_assert_int_eq(tn_peer_work_outputs(&w, ours), TN_OK);
    memcpy(theirs, ours, sizeof ours);
    ck_assert_int_eq(tn_peer_work_compare(&w, "x", ours, theirs, &worst), TN_OK);
    ck_assert(worst == 0);
    theirs[43] *= 1.000001f;
    ck_assert_int_eq(tn_peer_work_compare(&w, "x", ours, theirs, &worst), TN_OK);
    ck_assert(worst > 0);
    theirs[43] *= 1.1f; /* of db, the last of the outputs */
    ck_assert_int_eq(tn_peer_work_compare(&w, "x", ours, theirs, &worst), TN_ERR_CHECK);
    ck_assert_msg(strstr(ctx.message, "db[1] is") != NULL, "%s", ctx.message);
    theirs[43] = NAN;
    ck_assert_int_eq(tn_peer_work_compare(&w, "x", ours, theirs, &worst), TN_ERR_CHECK);
    memset(theirs, 0, sizeof theirs); /* a peer that did nothing */
    ck_assert_int_eq(tn_peer_work_compare(&w, "x", ours, theirs, &worst), TN_ERR_CHECK);
    tn_peer_work_free(&w);
    ck_assert_int_eq(tn_shape_parse(&ctx, c, "B=2 T=5 D=3 K=4 silu=0", &shape), TN_OK);
    ck_assert_int_eq(tn_peer_work_make(dev, task_of("causal_conv", "forward"), c, &shape, 3, &w),
                     TN_ERR_UNSUPPORTED);
    tn_device_close(dev);
    ck_assert_int_eq(ctx.live, 0);
}
END_TEST

/* A row of gemm nn, 1×1×1, with the fake in OpenBLAS's place. */
static void one_row(tn_device *dev, tn_peers *peers, const char *how, tn_cost_row *row) {
    const tn_case *c = tn_case_find("gemm");
    tn_shape shape;
    setenv("FAKE_PEER", how, 1);
    ck_assert_int_eq(tn_shape_parse(&ctx, c, "M=1 N=1 K=1 epilogue=0", &shape), TN_OK);
    ck_assert_msg(tn_peers_measure(peers, dev, 0, task_of("gemm", "nn"), c, &shape,
                                   &(tn_bench_options){.seconds = 0.05, .seed = 3}, row) == TN_OK,
                  "%s", ctx.message);
}

/* A device, and a folder with the fake in the place of the first kind. */
static tn_device *with_fake(void) {
    tn_device *dev;
    char program[64];
    ctx = (tn_context){.quiet = true};
    ck_ok(&ctx, tn_device_open_selected(&ctx, getenv("TURNOUT_DEVICE"), &dev));
    test_folder_make();
    snprintf(program, sizeof program, "%s/%s", test_folder, tn_peer_kinds[0].program);
    ck_assert_int_eq(symlink(FAKE_PEER, program), 0);
    return dev;
}

static void without_fake(tn_device *dev, tn_peers *peers) {
    tn_peers_stop(peers);
    test_folder_remove();
    tn_device_close(dev);
    ck_assert_int_eq(ctx.live, 0);
}

START_TEST(rows_survive_their_peers) {
    tn_cost_row row;
    ck_assert_str_eq(tn_peer_kinds[0].name, "openblas");
    tn_device *dev = with_fake();
    tn_peers peers = {.folder = test_folder, .python = "python3"};

    one_row(dev, &peers, "product", &row);
    ck_assert_msg(strcmp(row.status, "ok") == 0, "%s", row.reason);
    ck_assert_str_eq(row.peer, "Fake 1.0 clean");
    ck_assert_double_eq_tol(row.peer_wall_ms, 1, 1e-6);
    ck_assert(row.peer_ratio > 0 && row.wall_ms > 0 && row.peer_max_diff < 1e-6);
    tn_peers_stop(&peers);

    one_row(dev, &peers, "right", &row); /* a sum is no product */
    ck_assert_str_eq(row.status, "error");
    ck_assert_msg(strstr(row.reason, "c[0] is") != NULL, "%s", row.reason);
    ck_assert(row.peer_max_diff > 0 && isnan(row.peer_ratio));
    tn_peers_stop(&peers);

    one_row(dev, &peers, "refuse", &row);
    ck_assert_str_eq(row.status, "unsupported");
    ck_assert_str_eq(row.peer, "openblas");
    ck_assert_msg(strstr(row.reason, "install something") != NULL, "%s", row.reason);
    tn_peers_stop(&peers);

    for (int i = 0; i < 3; i++) { /* started again once, then left alone */
        one_row(dev, &peers, "crash", &row);
        ck_assert_str_eq(row.status, "error");
        ck_assert_msg(strstr(row.reason, i < 2 ? "SIGABRT" : "is left alone") != NULL, "%s", row.reason);
    }
    without_fake(dev, &peers);
}
END_TEST

START_TEST(the_fastest_right_way_is_taken) {
    tn_cost_row row;
    setenv("OPENBLAS_CORETYPE", "Prescott", 1);
    tn_device *dev = with_fake();
    tn_peers peers = {.folder = test_folder, .python = "python3"};
    for (int i = 0; i < 2; i++) { /* the second row tries what is left */
        one_row(dev, &peers, "choosy", &row);
        ck_assert_msg(strcmp(row.status, "ok") == 0, "%s", row.reason);
        ck_assert_str_eq(row.peer, "Fake 1.0 clean-fast");
        ck_assert_double_eq_tol(row.peer_wall_ms, 1, 1e-6);
        ck_assert(row.peer_max_diff < 1e-6);
    }
    ck_assert_int_eq(peers.way_count[0], 7);
    for (int w = 0; w < peers.way_count[0]; w++) {
        const char *word = peers.ways[0][w].word;
        bool stays = w == 0 || w == 2 || w == 3; /* the second way-fast is the first again */
        ck_assert_msg(peers.ways[0][w].dropped == !stays, "%d %s", w, word);
    }
    one_row(dev, &peers, "choosy", &row); /* left behind three times, the slow ones go */
    ck_assert(peers.ways[0][0].dropped && peers.ways[0][3].dropped && !peers.ways[0][2].dropped);
    one_row(dev, &peers, "choosy", &row);
    ck_assert_str_eq(row.peer, "Fake 1.0 clean-fast");
    without_fake(dev, &peers);
}
END_TEST

START_TEST(a_peer_far_below_the_ceiling_is_doubted) {
    tn_device *dev;
    tn_cost_row row;
    ctx = (tn_context){.quiet = true};
    ck_assert_msg(tn_device_open_selected(&ctx, getenv("TURNOUT_DEVICE"), &dev) == TN_OK, "%s", ctx.message);
    tn_row_init(&row);
    row.flops = 2e9;
    row.bytes = 12e6;
    row.peer_wall_ms = 100; /* 20 GFLOP/s */
    tn_peers_doubt(dev, &(tn_roofline){.flops = 50e9, .copy_bytes = 50e9}, &row);
    ck_assert_str_eq(row.reason, "");
    tn_peers_doubt(dev, &(tn_roofline){.flops = 90e9, .copy_bytes = 50e9}, &row);
    ck_assert_str_eq(row.status, "ok");
    ck_assert_msg(strstr(row.reason, "20 GFLOP/s") && strstr(row.reason, "22 %"), "%s", row.reason);
    tn_device_close(dev);
    ck_assert_int_eq(ctx.live, 0);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("peer");
    TCase *tests = tcase_create("peer");
    tcase_set_timeout(tests, 60);
    tcase_add_test(tests, a_right_one);
    tcase_add_test(tests, one_on_a_card);
    tcase_add_test(tests, which_card);
    tcase_add_test(tests, one_that_writes_too_little);
    tcase_add_loop_test(tests, those_that_are_not, 0, sizeof bad / sizeof bad[0]);
    tcase_add_test(tests, one_that_is_not_there);
    tcase_add_test(tests, results_are_compared);
    tcase_add_test(tests, rows_survive_their_peers);
    tcase_add_test(tests, the_fastest_right_way_is_taken);
    tcase_add_test(tests, a_peer_far_below_the_ceiling_is_doubted);
    suite_add_tcase(suite, tests);
    return tn_test_main(suite);
}
