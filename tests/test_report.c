#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "build.h"
#include "file.h"
#include "folder.h"
#include "report.h"
#include "report_paths.h"
#include "suite.h"

static tn_context ctx;
static const char path[] = "report.html";

static const char *const everything[] = {TN_TEST_DATA "/cost.csv", TN_TEST_DATA "/demo",
                                         TN_TEST_DATA "/study.csv"};

/* The page's data, parsed back from between its tags. */
static json_t *page_of(const char *const *paths, size_t count, char **page) {
    static const char opening[] = "<script type=\"application/json\" id=\"data\">";
    size_t size;
    ck_assert_msg(tn_report_write(&ctx, paths, count, path) == TN_OK, "%s", ctx.message);
    ck_assert_msg(tn_file_read(&ctx, path, page, &size) == TN_OK, "%s", ctx.message);
    char *start = strstr(*page, opening);
    ck_assert_ptr_nonnull(start);
    start += strlen(opening);
    char *end = strstr(start, "</script>");
    ck_assert_ptr_nonnull(end);
    json_error_t error;
    json_t *data = json_loadb(start, (size_t)(end - start), 0, &error);
    ck_assert_msg(data != NULL, "%s", error.text);
    return data;
}

static json_t *read_page(char **page) {
    return page_of(everything, 3, page);
}

static size_t count_of(const json_t *data, const char *name) {
    return json_array_size(json_object_get(data, name));
}

START_TEST(test_data) {
    char *page;
    json_t *data = read_page(&page);
    ck_assert_uint_eq(count_of(data, "devices"), 2);
    ck_assert_uint_eq(count_of(data, "runs"), 10);
    ck_assert_uint_eq(count_of(data, "breakevens"), 10);
    ck_assert_uint_eq(count_of(data, "failures"), 3);
    /* a device whose rows have no quartiles, and one whose rows do; masked at one length */
    const json_t *a = json_array_get(json_object_get(data, "breakevens"), 1);
    const json_t *b = json_array_get(json_object_get(data, "breakevens"), 4);
    ck_assert(json_is_null(json_object_get(a, "interval")));
    ck_assert_str_eq(json_string_value(json_object_get(a, "interval_text")), "no quartiles");
    const json_t *low = json_object_get(json_object_get(b, "interval"), "low");
    ck_assert_str_eq(json_string_value(json_object_get(low, "verdict")), "found");
    ck_assert_double_lt(json_real_value(json_object_get(low, "rho")),
                        json_real_value(json_object_get(b, "rho")));
    ck_assert_double_eq(json_real_value(json_object_get(b, "masked_speedup")), 0.9);
    ck_assert(json_is_null(json_object_get(a, "skip")));
    ck_assert_str_eq(json_string_value(json_object_get(json_object_get(b, "skip"), "verdict")), "found");
    const json_t *point = json_array_get(json_object_get(b, "points"), 1);
    ck_assert_double_eq(json_real_value(json_object_get(point, "blocks_speedup")), 4);
    ck_assert_str_eq(json_string_value(json_object_get(json_object_get(b, "compact"), "verdict")), "found");
    ck_assert_uint_eq(count_of(data, "files"), 6);
    const json_t *run = json_array_get(json_object_get(data, "runs"), 2);
    ck_assert_str_eq(json_string_value(json_object_get(run, "name")), "routed");
    const json_t *energy = json_object_get(json_object_get(run, "summary"), "energy_saved_pct");
    ck_assert_str_eq(json_string_value(energy), "unmeasured");
    /* no counter: null, not 0 */
    size_t i, without = 0;
    const json_t *cell;
    json_array_foreach(json_object_get(data, "cells"), i, cell) {
        without += json_is_null(json_object_get(cell, "energy_j"));
        ck_assert(!(json_number_value(json_object_get(cell, "energy_j")) == 0 &&
                    json_is_number(json_object_get(cell, "energy_j"))));
    }
    ck_assert_uint_gt(without, 0);
    json_decref(data);
    tn_free(&ctx, page);
    ck_assert_int_eq(ctx.live, 0);
}
END_TEST

/* A file of decoding: contexts, what stays beside them, and from where routing pays. */
START_TEST(test_decoding) {
    char *page;
    static const char *const file[] = {TN_TEST_DATA "/decode.csv"};
    json_t *data = page_of(file, 1, &page);
    ck_assert_uint_eq(count_of(data, "breakevens"), 8);
    ck_assert_uint_eq(count_of(data, "paying"), 8);
    ck_assert_uint_eq(count_of(data, "cells"), 56);
    const json_t *b = json_array_get(json_object_get(data, "breakevens"), 3);
    ck_assert(json_is_null(json_object_get(b, "T")));
    ck_assert_double_eq(json_real_value(json_object_get(b, "context")), 32768);
    ck_assert_str_eq(json_string_value(json_object_get(b, "contexts")), "equal");
    const json_t *p = json_array_get(json_object_get(data, "paying"), 1);
    ck_assert_double_eq(json_real_value(json_object_get(p, "rho")), 0.01);
    ck_assert_str_eq(json_string_value(json_object_get(p, "verdict")), "found");
    ck_assert_uint_eq(json_array_size(json_object_get(p, "points")), 6);
    const json_t *failure = json_array_get(json_object_get(data, "failures"), 0);
    ck_assert_double_eq(json_number_value(json_object_get(failure, "context")), 1048576);
    const json_t *cell = json_array_get(json_object_get(data, "cells"), 1);
    ck_assert_double_gt(json_number_value(json_object_get(cell, "state_bytes")), 0);
    ck_assert_double_gt(json_number_value(json_object_get(cell, "tokens_per_s")), 0);
    json_decref(data);
    tn_free(&ctx, page);
    ck_assert_int_eq(ctx.live, 0);
}
END_TEST

static json_int_t at(const json_t *array, size_t i) {
    return json_integer_value(json_array_get(array, i));
}

/* Of the long sequence the file leaves out what is routed in no layer; position 400 is listed in one layer.
 */
START_TEST(test_routes) {
    char *page;
    json_t *data = read_page(&page);
    const json_t *run = json_array_get(json_object_get(data, "runs"), 2);
    const json_t *routes = json_object_get(run, "routes");
    ck_assert_int_eq(json_integer_value(json_object_get(routes, "layers")), 2);
    ck_assert_uint_eq(count_of(routes, "sequences"), 2);
    const json_t *sequence = json_array_get(json_object_get(routes, "sequences"), 1);
    const json_t *routed = json_object_get(sequence, "routed"), *needed = json_object_get(sequence, "needed");
    ck_assert_uint_eq(count_of(sequence, "positions"), 19);
    ck_assert_int_eq(at(json_object_get(sequence, "positions"), 8), 400);
    ck_assert_int_eq(at(json_object_get(sequence, "tokens"), 8), 400 * 7 % 50);
    ck_assert_uint_eq(json_array_size(needed), 2);
    ck_assert_int_eq(at(needed, 1), 501);
    ck_assert_uint_eq(json_array_size(json_array_get(routed, 0)), 1);
    ck_assert_int_eq(at(json_array_get(routed, 0), 0), 400);
    ck_assert_int_eq(at(json_array_get(routed, 1), 0), 500);
    /* a run without the file has null */
    ck_assert(json_is_null(json_object_get(json_array_get(json_object_get(data, "runs"), 0), "routes")));
    json_decref(data);
    tn_free(&ctx, page);
    ck_assert_int_eq(ctx.live, 0);
}
END_TEST

static const char *text_in(const json_t *data, const char *list, size_t i, const char *name) {
    const char *text =
        json_string_value(json_object_get(json_array_get(json_object_get(data, list), i), name));
    return text ? text : "";
}

/* Two cards of one name on one machine and one on another: three devices, three curves. A row past its
 * ceiling and one whose status nobody knows are named, and are in no list of results. */
START_TEST(test_cards_and_rows_left_out) {
    static const char rows[] =
        "schema,version,utc,host,cpu,platform,device,driver,kind,compute_units,pci,level,op,pass,mixer,B,T,D,"
        "H,Dh,K,"
        "rho,schedule,status,reason,n,wall_ms,wall_ms_q1,wall_ms_q3,event_ms,event_ok,flops,bytes,gflops,gbs,"
        "roofline_pct,energy_j,energy_source,dense_ratio\n"
        "turnout-cost-1,0,1,a,,P,X,1,gpu,8,0000:01:00.0,layer,,forward,routed,1,64,8,,,,0.1,compacted,ok,,5,"
        "1,,,,,,,,,,,,2\n"
        "turnout-cost-1,0,2,a,,P,X,1,gpu,8,0000:02:00.0,layer,,forward,routed,1,64,8,,,,0.1,compacted,ok,,5,"
        "1,,,,,,,,,,,,3\n"
        "turnout-cost-1,0,3,b,,P,X,1,gpu,8,0000:01:00.0,layer,,forward,routed,1,64,8,,,,0.1,compacted,ok,,5,"
        "1,,,,,,,,,,,,4\n"
        "turnout-cost-1,0,4,b,,P,X,1,gpu,8,0000:01:00.0,op,gelu,forward,,,,,,,,,,ok,,5,1,,,,,,,,,221,,,\n"
        "turnout-cost-1,0,5,b,,P,X,1,gpu,8,0000:01:00.0,op,gelu,forward,,,,,,,,,,error,above its "
        "ceiling,,,,,,,,,,,221,,,\n"
        "turnout-cost-1,0,6,b,,P,X,1,gpu,8,0000:01:00.0,op,gelu,forward,,,,,,,,,,past,,5,1,,,,,,,,,,,,\n";
    static const char *const labels[] = {"X, on a, PCI 0000:01:00.0", "X, on a, PCI 0000:02:00.0",
                                         "X, on b, PCI 0000:01:00.0"};
    char csv[] = "report_cards_XXXXXX.csv", *page;
    int file = mkstemps(csv, 4);
    ck_assert_int_eq(write(file, rows, sizeof rows - 1), sizeof rows - 1);
    close(file);
    json_t *data = page_of((const char *const[]){csv}, 1, &page);
    ck_assert_uint_eq(count_of(data, "devices"), 3);
    ck_assert_uint_eq(count_of(data, "breakevens"), 3);
    for (size_t i = 0; i < 3; i++) {
        ck_assert_str_eq(text_in(data, "devices", i, "device"), labels[i]);
        ck_assert_str_eq(text_in(data, "breakevens", i, "device"), labels[i]);
        ck_assert_str_eq(text_in(data, "cells", i, "device"), labels[i]);
    }
    ck_assert_uint_eq(count_of(data, "ops"), 0);
    ck_assert_uint_eq(count_of(data, "failures"), 2);
    ck_assert_str_eq(text_in(data, "failures", 0, "status"), "past its ceiling");
    ck_assert_str_eq(text_in(data, "failures", 1, "reason"), "above its ceiling");
    bool ceiling = false, word = false;
    for (size_t i = 0; i < count_of(data, "flaws"); i++) {
        const json_t *flaw = json_array_get(json_object_get(data, "flaws"), i);
        bool unused = json_is_true(json_object_get(flaw, "unused"));
        ceiling = ceiling || (unused && strcmp(text_in(data, "flaws", i, "column"), "roofline_pct") == 0 &&
                              json_integer_value(json_object_get(flaw, "line")) == 5);
        word = word || (unused && strcmp(text_in(data, "flaws", i, "value"), "past") == 0 &&
                        json_integer_value(json_object_get(flaw, "line")) == 7);
    }
    ck_assert(ceiling && word);
    json_decref(data);
    tn_free(&ctx, page);
    unlink(csv);
    ck_assert_int_eq(ctx.live, 0);
}
END_TEST

/* One card measured by two builds: two curves, each named, and never one made of both. */
START_TEST(test_builds_stay_apart) {
    static const char head[] =
        "schema,version,utc,host,cpu,platform,device,driver,kind,compute_units,pci,level,op,pass,mixer,B,T,D,"
        "H,Dh,K,rho,schedule,status,reason,n,wall_ms,wall_ms_q1,wall_ms_q3,event_ms,event_ok,flops,bytes,"
        "gflops,gbs,roofline_pct,energy_j,energy_source,dense_ratio\n";
    static const char *const builds[] = {"0.2.0+g111111111111", "0.2.0+g222222222222"};
    char csv[] = "report_builds_XXXXXX.csv", *page, label[64];
    FILE *file = fdopen(mkstemps(csv, 4), "w");
    fputs(head, file);
    for (int i = 0; i < 4; i++)
        fprintf(
            file,
            "turnout-cost-1,%s,%d,a,,P,X,1,gpu,8,,layer,,forward,routed,1,64,8,,,,0.%d,compacted,ok,,5,1,,,"
            ",,,,,,,,,2\n",
            builds[i % 2], i, 1 + i / 2);
    fclose(file);
    json_t *data = page_of((const char *const[]){csv}, 1, &page);
    ck_assert_uint_eq(count_of(data, "devices"), 2);
    ck_assert_uint_eq(count_of(data, "breakevens"), 2);
    for (size_t i = 0; i < 2; i++) {
        snprintf(label, sizeof label, "X, by turnout %s", builds[i]);
        ck_assert_str_eq(text_in(data, "devices", i, "device"), label);
        ck_assert_str_eq(text_in(data, "devices", i, "version"), builds[i]);
        ck_assert_str_eq(text_in(data, "breakevens", i, "device"), label);
        ck_assert_str_eq(text_in(data, "cells", i, "device"), label);
    }
    ck_assert_str_eq(json_string_value(json_object_get(data, "version")), tn_build_version());
    json_decref(data);
    tn_free(&ctx, page);
    unlink(csv);
    ck_assert_int_eq(ctx.live, 0);
}
END_TEST

START_TEST(test_alone_and_escaped) {
    char *page;
    json_t *data = read_page(&page);
    /* a reason of the fixture holds this very markup */
    ck_assert_ptr_null(strstr(page, "<script>alert"));
    ck_assert_ptr_nonnull(strstr(page, "\\u003cscript>alert"));
    const json_t *failure = json_array_get(json_object_get(data, "failures"), 0);
    ck_assert_ptr_nonnull(
        strstr(json_string_value(json_object_get(failure, "reason")), "<script>alert(1)</script>"));
    ck_assert_ptr_null(strstr(page, "src=\"http"));
    ck_assert_ptr_null(strstr(page, "@import"));
    ck_assert_ptr_nonnull(strstr(page, "Chart.js"));
    /* elements end: the data, Chart.js and our twelve scripts; nothing ends within them */
    size_t ends = 0;
    for (char *at = page; (at = strstr(at, "</script")) != NULL; at++)
        ends++;
    ck_assert_uint_eq(ends, 14);
    json_decref(data);
    tn_free(&ctx, page);
    ck_assert_int_eq(ctx.live, 0);
}
END_TEST

static void shortens(const char *before, const char *after) {
    json_t *root = json_loads(before, 0, NULL), *wanted = json_loads(after, 0, NULL);
    ck_assert(root && wanted);
    tn_report_shorten_paths(root);
    char *is = json_dumps(root, JSON_COMPACT);
    ck_assert_msg(json_equal(root, wanted), "%s becomes %s", before, is);
    free(is);
    json_decref(root);
    json_decref(wanted);
}

START_TEST(test_paths_tell_no_folders) {
    shortens(
        "{\"files\": [\"/a/b/c/x.csv\", \"/a/b/d/e/x.csv\", \"f/x.csv\"],"
        " \"flaws\": [{\"file\": \"/a/b/d/e/x.csv\", \"line\": 3}], \"runs\": [{\"path\": \"/a/b/c/x.csv\","
        " \"config\": {\"data\": \"/home/t/text.txt\", \"task\": \"text\", \"seed\": 1}}]}",
        "{\"files\": [\"b/c/x.csv\", \"b/d/e/x.csv\", \"f/x.csv\"],"
        " \"flaws\": [{\"file\": \"b/d/e/x.csv\", \"line\": 3}], \"runs\": [{\"path\": \"b/c/x.csv\","
        " \"config\": {\"data\": \"text.txt\", \"task\": \"text\", \"seed\": 1}}]}");
    shortens("{\"files\": [\"/a/b/c.csv\"]}", "{\"files\": [\"b/c.csv\"]}"); /* one file keeps its folder */
    shortens("{\"files\": [\"/ab/x.csv\", \"/ac/x.csv\"]}", "{\"files\": [\"ab/x.csv\", \"ac/x.csv\"]}");
    shortens("{\"files\": [\"/x.csv\"]}", "{\"files\": [\"x.csv\"]}");
    shortens("{\"files\": [\"a/x.csv\", \"../y.csv\"]}", "{\"files\": [\"a/x.csv\", \"../y.csv\"]}");
}
END_TEST

START_TEST(test_failures_leave_nothing) {
    const char *const damaged[] = {TN_TEST_DATA "/cost.csv", TN_TEST_DATA "/README.md"};
    unlink(path);
    ck_assert_int_eq(tn_report_write(&ctx, damaged, 2, path), TN_ERR_INPUT);
    ck_assert(!tn_file_exists(path));
    ck_assert_int_eq(tn_report_write(&ctx, everything, 3, "no/such/folder/report.html"), TN_ERR_OUTPUT);
    ck_assert_int_eq(tn_report_write(&ctx, everything, 0, path), TN_ERR_ARG);
    ck_assert_int_eq(ctx.live, 0);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("report");
    TCase *tests = tcase_create("all");
    tcase_add_checked_fixture(tests, test_folder_enter, test_folder_leave);
    tcase_add_test(tests, test_data);
    tcase_add_test(tests, test_decoding);
    tcase_add_test(tests, test_routes);
    tcase_add_test(tests, test_cards_and_rows_left_out);
    tcase_add_test(tests, test_builds_stay_apart);
    tcase_add_test(tests, test_alone_and_escaped);
    tcase_add_test(tests, test_paths_tell_no_folders);
    tcase_add_test(tests, test_failures_leave_nothing);
    suite_add_tcase(suite, tests);
    return tn_test_main(suite);
}
