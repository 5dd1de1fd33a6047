#include <check.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "breakeven.h"
#include "inputs.h"
#include "summary_table.h"

static tn_context ctx;
static char folder[] = "inputs_XXXXXX";

static void write_in_folder(const char *name, const char *text) {
    char path[256];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *stream = fopen(path, "wb");
    ck_assert_ptr_nonnull(stream);
    fputs(text, stream);
    fclose(stream);
}

static void remove_in_folder(const char *name) {
    char path[256];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    unlink(path);
}

static void refused(const char *path, const char *words) {
    tn_inputs in;
    ck_assert_int_eq(tn_inputs_read(&ctx, &path, 1, &in), TN_ERR_INPUT);
    ck_assert_msg(strstr(ctx.message, words) != NULL, "'%s' is not in: %s", words, ctx.message);
    ck_assert_int_eq(ctx.live, 0);
}

START_TEST(test_demo_folder) {
    const char *paths[] = {TN_TEST_DATA "/demo/", TN_TEST_DATA "/demo/routed", TN_TEST_DATA "/cost.csv"};
    tn_inputs in;
    ck_assert_msg(tn_inputs_read(&ctx, paths, 3, &in) == TN_OK, "%s", ctx.message);
    ck_assert_uint_eq(in.cost_count, 2);
    ck_assert_uint_eq(in.run_count, 4);
    ck_assert_str_eq(in.runs[0].name, "attention");
    ck_assert_str_eq(in.runs[2].name, "demo/routed"); /* named twice */
    ck_assert_str_eq(tn_run_text(&in.runs[2], "mixer"), "routed");
    ck_assert_str_eq(tn_run_text(&in.runs[2], "energy_saved_pct"), "unmeasured");
    ck_assert(isnan(tn_run_number(&in.runs[2], "energy_saved_pct")));
    ck_assert(isnan(tn_run_number(&in.runs[2], "length")));
    ck_assert(tn_run_number(&in.runs[2], "d_model") == 64); /* from the config */
    ck_assert_uint_gt(in.runs[2].metrics.rows, 10);
    tn_inputs_free(&in);
    ck_assert_int_eq(ctx.live, 0);
}
END_TEST

START_TEST(test_refuses) {
    tn_inputs in;
    ck_assert_int_eq(tn_inputs_read(&ctx, NULL, 0, &in), TN_ERR_ARG);
    refused("no/such.csv", "no/such.csv");
    refused("no/such/folder", "no/such/folder");
    refused(TN_TEST_DATA "/README.md", "neither a .csv file nor a folder");
    refused(TN_TEST_DATA "/demo/conv/metrics.csv", "name the folder");
    refused(folder, "holds no run");
    write_in_folder("config.json", "{\"mixer\": \"conv\", ");
    refused(folder, "config.json, line 1");
    write_in_folder("config.json", "[1]");
    refused(folder, "no JSON object");
    write_in_folder("config.json", "{\"mixer\": \"conv\"}");
    write_in_folder("metrics.csv", "step,phase\n1,1\n");
    refused(folder, "metrics of a run");
    remove_in_folder("metrics.csv");
    static const char *const routes[] = {"0,0,1.5,3,1,0", "0,0,-1,3,1,0", "0,0,1,3,2,0", "0,0,1,3,,0",
                                         "0,0,1,3,1,x"};
    for (size_t i = 0; i < sizeof routes / sizeof routes[0]; i++) {
        char text[160];
        snprintf(text, sizeof text, "sequence,layer,position,token,routed,oracle\n0,0,0,3,1,\n%s\n",
                 routes[i]);
        write_in_folder("routes.csv", text);
        refused(folder, "routes.csv, line 3");
    }
    write_in_folder("routes.csv", "sequence,layer\n0,0\n");
    refused(folder, "routes of a run");
    remove_in_folder("routes.csv");
    remove_in_folder("config.json");
}
END_TEST

START_TEST(test_run_without_summary) {
    const char *path = folder;
    tn_inputs in;
    write_in_folder("config.json", "{\"mixer\": \"conv\"}");
    ck_assert_int_eq(tn_inputs_read(&ctx, &path, 1, &in), TN_OK);
    ck_assert_uint_eq(in.run_count, 1);
    ck_assert_ptr_null(in.runs[0].summary);
    ck_assert_ptr_null(in.runs[0].metrics.ctx);
    tn_inputs_free(&in);
    remove_in_folder("config.json");
    ck_assert_int_eq(ctx.live, 0);
}
END_TEST

START_TEST(test_study) {
    const char *path = folder;
    tn_inputs in;
    write_in_folder("study.csv",
                    "task,mixer,seed,accuracy,attention_pct,attention_pct_layers,score_flops_saved_pct,"
                    "time_saved_pct,energy_saved_pct,status\n"
                    "recall,routed,7,1,0.4,0;1.5;0.1,99,12.5,unmeasured,ok\n");
    ck_assert_msg(tn_inputs_read(&ctx, &path, 1, &in) == TN_OK, "%s", ctx.message);
    ck_assert_uint_eq(in.run_count, 1);
    ck_assert_str_eq(in.runs[0].name, "recall routed, seed 7");
    ck_assert_uint_eq(json_array_size(tn_run_field(&in.runs[0], "attention_pct_layers")), 3);
    ck_assert(tn_run_number(&in.runs[0], "time_saved_pct") == 12.5);
    tn_inputs_free(&in);
    remove_in_folder("study.csv");
    ck_assert_int_eq(ctx.live, 0);
}
END_TEST

START_TEST(test_summary) {
    char *text = NULL;
    size_t size = 0;
    FILE *stream = open_memstream(&text, &size);
    ck_assert_msg(tn_summary_print(&ctx, TN_TEST_DATA "/demo", stream, TN_TABLE_TEXT, true) == TN_OK, "%s",
                  ctx.message);
    fclose(stream);
    if (getenv("TN_SHOW"))
        puts(text);
    ck_assert_ptr_nonnull(strstr(text, "unmeasured"));
    ck_assert_ptr_nonnull(strstr(text, "routed"));
    ck_assert_ptr_nonnull(strstr(text, "≥ 1"));
    free(text);
    ck_assert_int_eq(ctx.live, 0);
}
END_TEST

int main(void) {
    if (!mkdtemp(folder))
        return EXIT_FAILURE;
    Suite *suite = suite_create("inputs");
    TCase *tests = tcase_create("all");
    tcase_add_test(tests, test_demo_folder);
    tcase_add_test(tests, test_refuses);
    tcase_add_test(tests, test_run_without_summary);
    tcase_add_test(tests, test_study);
    tcase_add_test(tests, test_summary);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    rmdir(folder);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
