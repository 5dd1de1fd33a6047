#include <stdlib.h>
#include <string.h>

#include "text_table.h"
#include "suite.h"

static tn_context ctx;

static char *printed(tn_table_format format) {
    static const char *const titles[] = {"mixer", "ρ", "time", "note"};
    static const char *const rows[][4] = {{"conv", "0", "1.5 ms", ""},
                                          {"routed", "0.25", "12.25 ms", "a|b, \"c\""},
                                          {"attention", NULL, "unmeasured", "λ"}};
    tn_text_table *t;
    ck_assert_int_eq(tn_text_table_make(&ctx, titles, 4, &t), TN_OK);
    for (int i = 0; i < 3; i++)
        ck_assert_int_eq(tn_text_table_add_row(t, rows[i]), TN_OK);
    char *text = NULL;
    size_t size = 0;
    FILE *stream = open_memstream(&text, &size);
    ck_assert_int_eq(tn_text_table_print(t, stream, format), TN_OK);
    fclose(stream);
    tn_text_table_free(t);
    ck_assert_int_eq(ctx.live, 0);
    return text;
}

START_TEST(test_text) {
    char *text = printed(TN_TABLE_TEXT);
    ck_assert_str_eq(text, "mixer         ρ        time  note\n"
                           "---------  ----  ----------  --------\n"
                           "conv          0      1.5 ms\n"
                           "routed     0.25    12.25 ms  a|b, \"c\"\n"
                           "attention        unmeasured  λ\n");
    free(text);
}
END_TEST

START_TEST(test_markdown) {
    char *text = printed(TN_TABLE_MARKDOWN);
    ck_assert_str_eq(text, "| mixer     |    ρ |       time | note      |\n"
                           "| --------- | ---: | ---------: | --------- |\n"
                           "| conv      |    0 |     1.5 ms |           |\n"
                           "| routed    | 0.25 |   12.25 ms | a\\|b, \"c\" |\n"
                           "| attention |      | unmeasured | λ         |\n");
    free(text);
}
END_TEST

START_TEST(test_csv) {
    char *text = printed(TN_TABLE_CSV);
    ck_assert_str_eq(text, "mixer,ρ,time,note\nconv,0,1.5 ms,\nrouted,0.25,12.25 ms,\"a|b, \"\"c\"\"\"\n"
                           "attention,,unmeasured,λ\n");
    free(text);
}
END_TEST

START_TEST(test_json) {
    char *text = printed(TN_TABLE_JSON);
    ck_assert_ptr_nonnull(strstr(text, "\"ρ\": 0.25"));
    ck_assert_ptr_nonnull(strstr(text, "\"ρ\": null"));
    ck_assert_ptr_nonnull(strstr(text, "\"time\": \"12.25 ms\""));
    free(text);
}
END_TEST

START_TEST(test_rows_must_be_full) {
    static const char *const titles[] = {"a", "b"};
    tn_text_table *t;
    ck_assert_int_eq(tn_text_table_make(&ctx, titles, 2, &t), TN_OK);
    ck_assert_int_eq(tn_text_table_cell(t, "%d", 1), TN_OK);
    ck_assert_int_eq(tn_text_table_print(t, stdout, TN_TABLE_TEXT), TN_ERR_ARG);
    ck_assert_int_eq(tn_text_table_add_row(t, titles), TN_ERR_ARG);
    tn_text_table_free(t);
    ck_assert_int_eq(tn_text_table_make(&ctx, titles, 0, &t), TN_ERR_ARG);
    ck_assert_int_eq(ctx.live, 0);
}
END_TEST

START_TEST(test_formats) {
    tn_table_format format;
    ck_assert_int_eq(tn_table_format_of_path("a/b.md"), TN_TABLE_MARKDOWN);
    ck_assert_int_eq(tn_table_format_of_path("a.dir/b"), TN_TABLE_TEXT);
    ck_assert_int_eq(tn_table_format_of_path("x.csv"), TN_TABLE_CSV);
    ck_assert_int_eq(tn_table_format_of_path(NULL), TN_TABLE_TEXT);
    ck_assert_int_eq(tn_table_format_parse(&ctx, "xls", &format), TN_ERR_ARG);
    ck_assert_ptr_nonnull(strstr(ctx.message, "csv"));
}
END_TEST

int main(void) {
    Suite *suite = suite_create("text_table");
    TCase *tests = tcase_create("all");
    tcase_add_test(tests, test_text);
    tcase_add_test(tests, test_markdown);
    tcase_add_test(tests, test_csv);
    tcase_add_test(tests, test_json);
    tcase_add_test(tests, test_rows_must_be_full);
    tcase_add_test(tests, test_formats);
    suite_add_tcase(suite, tests);
    return tn_test_main(suite);
}
