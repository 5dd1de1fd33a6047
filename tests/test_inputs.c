#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bits_table.h"
#include "breakeven.h"
#include "folder.h"
#include "inputs.h"
#include "suite.h"
#include "summary_table.h"

static tn_context ctx;
static void remove_in_folder(const char *name) {
    char path[256];
    snprintf(path, sizeof path, "%s/%s", test_folder, name);
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
    refused(test_folder, "holds no run");
    test_folder_write("config.json", "{\"mixer\": \"conv\", ");
    refused(test_folder, "config.json, line 1");
    test_folder_write("config.json", "[1]");
    refused(test_folder, "no JSON object");
    test_folder_write("config.json", "{\"mixer\": \"conv\"}");
    test_folder_write("metrics.csv", "step,phase\n1,1\n");
    refused(test_folder, "metrics of a run");
    remove_in_folder("metrics.csv");
    static const char *const routes[] = {"0,0,1.5,3,1,0", "0,0,-1,3,1,0", "0,0,1,3,2,0", "0,0,1,3,,0",
                                         "0,0,1,3,1,x"};
    for (size_t i = 0; i < sizeof routes / sizeof routes[0]; i++) {
        char text[160];
        snprintf(text, sizeof text, "sequence,layer,position,token,routed,oracle\n0,0,0,3,1,\n%s\n",
                 routes[i]);
        test_folder_write("routes.csv", text);
        refused(test_folder, "routes.csv, line 3");
    }
    test_folder_write("routes.csv", "sequence,layer\n0,0\n");
    refused(test_folder, "routes of a run");
    remove_in_folder("routes.csv");
    remove_in_folder("config.json");
}
END_TEST

START_TEST(test_run_without_summary) {
    const char *path = test_folder;
    tn_inputs in;
    test_folder_write("config.json", "{\"mixer\": \"conv\"}");
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
    const char *path = test_folder;
    tn_inputs in;
    test_folder_write("study.csv",
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

/* Beside a study, and once, however often it is named; a row without its numbers is named and left out. */
START_TEST(test_bits) {
    static const char head[] = "schema,name,run,mixer,routing,seed,length,by,bucket,bytes,bits_per_byte,"
                               "routed_pct,window\n";
    char path[100], text[600];
    const char *paths[] = {test_folder, path};
    tn_inputs in;
    snprintf(path, sizeof path, "%s/bits.csv", test_folder);
    snprintf(text, sizeof text,
             "%sturnout-bits-1,a,a,conv,,1,64,position,1,10,2.5,0,\n"
             "turnout-bits-1,a,a,conv,,1,64,position,2,0,,,\n"
             "turnout-bits-1,a,a,conv,,1,64,position,3,10,2.5,101,\n"
             "turnout-bits-1,a,a,conv,,1,64,position,4,1.5,\"2,5\",0,\n",
             head);
    test_folder_write("bits.csv", text);
    ck_assert_msg(tn_inputs_read(&ctx, paths, 2, &in) == TN_OK, "%s", ctx.message);
    ck_assert_uint_eq(in.bits_count, 1);
    ck_assert_uint_eq(in.flaw_count, 3);
    ck_assert_str_eq(in.flaws[0].flaw.column, "routed_pct");
    ck_assert_str_eq(in.flaws[1].flaw.column, "bytes");
    json_t *rows = json_array();
    tn_bits_json(&in.bits[0], rows);
    ck_assert_uint_eq(json_array_size(rows), 2);
    const json_t *first = json_array_get(rows, 0);
    ck_assert_str_eq(json_string_value(json_object_get(first, "bucket")), "1");
    ck_assert(json_number_value(json_object_get(first, "bits_per_byte")) == 2.5);
    ck_assert(json_is_null(json_object_get(json_array_get(rows, 1), "bits_per_byte")));
    json_decref(rows);
    tn_inputs_free(&in);
    snprintf(text, sizeof text, "%sturnout-bits-9,a,a,conv,,1,64,position,1,10,2.5,0,\n", head);
    test_folder_write("bits.csv", text);
    refused(path, "turnout-bits-9");
    test_folder_write("bits.csv", "schema,name,bucket\nturnout-bits-1,a,1\n");
    refused(test_folder, "bits by place");
    remove_in_folder("bits.csv");
    ck_assert_int_eq(ctx.live, 0);
}
END_TEST

/* Rows of a study that a spreadsheet damaged are named and left out, TRUE is true, "unmeasured" stays a word.
 */
START_TEST(test_damaged_study) {
    const char *path = test_folder;
    tn_inputs in;
    test_folder_write(
        "study.csv",
        "task,mixer,seed,accuracy,attention_pct,score_flops_saved_pct,time_saved_pct,energy_saved_pct,"
        "curriculum,status\n"
        "recall,routed,7,1,0.4,99,12.5,unmeasured,TRUE,ok\n"
        "recall,routed,8,\"0,98\",0.4,99,12.5,unmeasured,TRUE,ok\n"
        "recall,routed,9,98,0.4,99,12.5,unmeasured,FALSE,ok\n"
        "recall,routed,10,1,0.4,99,Jan 12,unmeasured,FALSE,ok\n"
        "recall,routed,11,1,0.4,99,12.5,unmeasured,FALSE,fine\n"
        "recall,routed,12,,,,,,FALSE,skipped\n");
    ck_assert_msg(tn_inputs_read(&ctx, &path, 1, &in) == TN_OK, "%s", ctx.message);
    ck_assert_uint_eq(in.run_count, 2);
    ck_assert(json_is_true(tn_run_field(&in.runs[0], "curriculum")));
    ck_assert_str_eq(tn_run_text(&in.runs[1], "status"), "skipped");
    static const struct {
        long line;
        const char *column, *why;
    } flaws[] = {{3, "accuracy", "decimal comma"},
                 {4, "accuracy", "between 0 and 1"},
                 {5, "time_saved_pct", "a date"},
                 {6, "status", "none of ok"}};
    ck_assert_uint_eq(in.flaw_count, 4);
    for (size_t i = 0; i < 4; i++) {
        ck_assert_int_eq(in.flaws[i].flaw.line, flaws[i].line);
        ck_assert_str_eq(in.flaws[i].flaw.column, flaws[i].column);
        ck_assert_ptr_nonnull(strstr(in.flaws[i].flaw.why, flaws[i].why));
        ck_assert_int_eq(in.flaws[i].flaw.use, TN_ROW_DAMAGED);
    }
    tn_inputs_free(&in);
    remove_in_folder("study.csv");
    ck_assert_int_eq(ctx.live, 0);
}
END_TEST

/* A name in another code costs its bytes alone; a loss that is NaN is named. */
START_TEST(test_damaged_run) {
    const char *path = test_folder;
    tn_inputs in;
    test_folder_write("config.json", "{\"mixer\": \"conv\", \"device\": \"caf\xE9\"}");
    test_folder_write("metrics.csv",
                      "step,phase,lambda,lr,loss,cross_entropy,accuracy,attention_pct,attention_pct_soft,"
                      "routed_rows,step_ms,tokens_per_s,elapsed_s\n"
                      "1,1,0,0.1,nan,,0.5,1,1,2,3,4,5\n");
    ck_assert_msg(tn_inputs_read(&ctx, &path, 1, &in) == TN_OK, "%s", ctx.message);
    ck_assert_str_eq(tn_run_text(&in.runs[0], "device"), "caf\xEF\xBF\xBD");
    ck_assert_uint_eq(in.flaw_count, 2);
    ck_assert_ptr_nonnull(strstr(in.flaws[0].file, "config.json"));
    ck_assert_ptr_nonnull(strstr(in.flaws[0].flaw.why, "no UTF-8"));
    ck_assert_str_eq(in.flaws[1].flaw.column, "loss");
    ck_assert_ptr_nonnull(strstr(in.flaws[1].flaw.why, "not finite"));
    tn_inputs_free(&in);
    remove_in_folder("metrics.csv");
    remove_in_folder("config.json");
    ck_assert_int_eq(ctx.live, 0);
}
END_TEST

static char *summary_of(const char *path, tn_table_format format) {
    char *text = NULL;
    size_t size = 0;
    FILE *stream = open_memstream(&text, &size);
    ck_assert_msg(tn_summary_print(&ctx, path, stream, format, true) == TN_OK, "%s", ctx.message);
    fclose(stream);
    return text;
}

/* A saving stands with its quartiles; none is told of the model held against itself, or where 0 lies between
 * them. */
START_TEST(test_savings) {
    test_folder_write("study.csv",
                      "name,task,mixer,seed,accuracy,attention_pct,score_flops_saved_pct,all_flops_saved_pct,"
                      "time_saved_pct,time_saved_pct_q1,time_saved_pct_q3,energy_saved_pct,status\n"
                      "itself,recall,attention,1,1,100,0.5,0.25,-5,-7,-3,-2,ok\n"
                      "told,recall,routed,1,1,0.4,99,43,12.5,10,15,11,ok\n"
                      "untold,recall,routed,2,1,0.4,99,43,2.5,-1.5,4.5,unmeasured,ok\n"
                      "wrong,recall,routed,3,1,0,100,77.7,66.6,66,67,unmeasured,error\n");
    char *text = summary_of(test_folder, TN_TABLE_MARKDOWN);
    ck_assert_msg(strstr(text, "12.5 (10.0 … 15.0)") != NULL, "%s", text);
    ck_assert_msg(strstr(text, "n/a (-1.5 … 4.5)") != NULL, "%s", text);
    ck_assert_ptr_null(strstr(text, "-5.0"));
    ck_assert_ptr_null(strstr(text, " 2.5"));
    ck_assert_ptr_null(strstr(text, "-2.0"));
    ck_assert(!strstr(text, "77.7") && !strstr(text, "66.6") && strstr(text, "error"));
    free(text);
    text = summary_of(test_folder, TN_TABLE_CSV);
    ck_assert_msg(strstr(text, "\nitself,1,100,,,,,,ok,,\n") != NULL, "%s", text);
    ck_assert_msg(strstr(text, "\nuntold,1,0.4,,99.0,43.0,2.5,unmeasured,ok,-1.5,4.5\n") != NULL, "%s", text);
    free(text);
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
    Suite *suite = suite_create("inputs");
    TCase *tests = tcase_create("all");
    tcase_add_checked_fixture(tests, test_folder_make, test_folder_remove);
    tcase_add_test(tests, test_demo_folder);
    tcase_add_test(tests, test_refuses);
    tcase_add_test(tests, test_run_without_summary);
    tcase_add_test(tests, test_study);
    tcase_add_test(tests, test_bits);
    tcase_add_test(tests, test_damaged_study);
    tcase_add_test(tests, test_damaged_run);
    tcase_add_test(tests, test_savings);
    tcase_add_test(tests, test_summary);
    suite_add_tcase(suite, tests);
    return tn_test_main(suite);
}
