#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "csv_read.h"
#include "folder.h"
#include "suite.h"

static tn_context ctx;
static const char path[] = "rows.csv";

static void write_bytes(const char *bytes, size_t size) {
    FILE *stream = fopen(path, "wb");
    ck_assert_ptr_nonnull(stream);
    ck_assert_uint_eq(fwrite(bytes, 1, size, stream), size);
    fclose(stream);
}

/* The file is refused, and the message names the file and `words`. */
static void refused(const char *bytes, size_t size, const char *words) {
    tn_csv t;
    write_bytes(bytes, size);
    ck_assert_int_eq(tn_csv_read(&ctx, path, &t), TN_ERR_INPUT);
    ck_assert_ptr_nonnull(strstr(ctx.message, path));
    ck_assert_msg(strstr(ctx.message, words) != NULL, "'%s' is not in: %s", words, ctx.message);
    ck_assert_int_eq(ctx.live, 0);
}

#define REFUSED(text, words) refused(text, sizeof(text) - 1, words)

START_TEST(test_reads) {
    static const char text[] = "a,b,c\n1,\"x, \"\"y\"\"\nz\",\n-2.5e3,nan,ρ\r\n\n7,0x,1e999\n";
    tn_csv t;
    double value;
    write_bytes(text, sizeof text - 1);
    ck_assert_msg(tn_csv_read(&ctx, path, &t) == TN_OK, "%s", ctx.message);
    ck_assert_uint_eq(t.columns, 3);
    ck_assert_uint_eq(t.rows, 3);
    ck_assert_int_eq(tn_csv_column(&t, "c"), 2);
    ck_assert_int_eq(tn_csv_column(&t, "d"), -1);
    ck_assert_str_eq(tn_csv_text(&t, 0, 1), "x, \"y\"\nz");
    ck_assert_str_eq(tn_csv_text(&t, 1, 2), "ρ");
    ck_assert_str_eq(tn_csv_text(&t, 1, -1), "");
    ck_assert(tn_csv_number(&t, 1, 0, &value) && value == -2500);
    ck_assert(!tn_csv_number(&t, 0, 2, &value) && isnan(value)); /* empty is no number, and not 0 */
    ck_assert(!tn_csv_number(&t, 1, 1, &value));                 /* not finite */
    ck_assert(!tn_csv_number(&t, 2, 1, &value));                 /* words after the number */
    ck_assert(!tn_csv_number(&t, 2, 2, &value));
    ck_assert(!tn_csv_number(&t, 2, -1, &value));
    ck_assert_int_eq(t.lines[1], 3); /* the quoted line break counts */
    ck_assert_int_eq(t.lines[3], 6);
    tn_csv_free(&t);
    ck_assert_int_eq(ctx.live, 0);
}
END_TEST

START_TEST(test_byte_order_mark) {
    static const char text[] = "\xEF\xBB\xBF"
                               "a\n1\n";
    tn_csv t;
    write_bytes(text, sizeof text - 1);
    ck_assert_int_eq(tn_csv_read(&ctx, path, &t), TN_OK);
    ck_assert_int_eq(tn_csv_column(&t, "a"), 0);
    tn_csv_free(&t);
}
END_TEST

START_TEST(test_refuses) {
    REFUSED("", "empty");
    REFUSED("\n\n", "blank lines");
    REFUSED("a,b\n1,2\n3", "line 3: the last line is cut off");
    REFUSED("a,b\n1,2\n3\n", "line 3: 1 cells where the header names 2");
    REFUSED("a,b\n1,2,3\n", "line 2: 3 cells");
    REFUSED("a,b\n1,\"2\n", "never ends");
    REFUSED("a,b\n1,\"2\"3\n", "line 2");
    REFUSED("a,b\n1,\0\n", "line 2: binary");
    REFUSED("\x7F"
            "ELF\x01\x02\n",
            "binary");
    REFUSED("a,b,a\n1,2,3\n", "twice");
    REFUSED("schema,b\nturnout-cost-1,2\nturnout-cost-9,2\n", "line 3: schema 'turnout-cost-9'");
}
END_TEST

/* Each damage says what it is, and no cell of a file so damaged is read. */
START_TEST(test_other_programs_files) {
    REFUSED("a;b\n1,5;2\n", "line 1: semicolons");
    REFUSED("a\tb\n1\t2\n", "line 1: tabs");
    REFUSED("\xFF\xFE"
            "a\0,\0b\0\n\0",
            "UTF-16");
    REFUSED("a,b\r1,2\r", "CR alone");
    REFUSED("a,b\n1,2", "end it with a line break");
    REFUSED("a,,b\n1,2,3\n", "column 2 has no name");
    REFUSED("a,,\n1,,3\n", "line 2: 3 cells");
    REFUSED("schema,b\nturnout-cost-1,2\nschema,c\n", "line 3: a second header");
    static char wide[100000] = "a,b\n1,\"";
    size_t used = strlen(wide);
    memset(wide + used, 'x', 70000);
    strcpy(wide + used + 70000, "\"\n");
    refused(wide, strlen(wide), "none that was written here has so many");
}
END_TEST

static void has_flaw(const tn_csv *t, size_t i, long line, const char *why) {
    ck_assert_uint_lt(i, t->flaw_count);
    ck_assert_int_eq(t->flaws[i].line, line);
    ck_assert_msg(strstr(t->flaws[i].why, why) != NULL, "'%s' is not in: %s", why, t->flaws[i].why);
    ck_assert_int_eq(t->flaws[i].use, TN_ROW_USED);
}

/* What a spreadsheet or a person adds without harm: read, and said. */
START_TEST(test_additions) {
    static const char text[] =
        "\xEF\xBB\xBF# mine,,\r\n\"a\",\"b\",,\r\n\"1\",\"2\",,\r\n# seen, once, twice\r\n,,,\r\n"
        "a,b,,\r\n3,4\r\n";
    tn_csv t;
    write_bytes(text, sizeof text - 1);
    ck_assert_msg(tn_csv_read(&ctx, path, &t) == TN_OK, "%s", ctx.message);
    ck_assert_uint_eq(t.columns, 2);
    ck_assert_uint_eq(t.rows, 2);
    ck_assert_str_eq(tn_csv_text(&t, 0, 1), "2");
    ck_assert_str_eq(tn_csv_text(&t, 1, 0), "3");
    ck_assert_uint_eq(t.flaw_count, 4);
    has_flaw(&t, 0, 1, "comment");
    has_flaw(&t, 1, 4, "comment");
    has_flaw(&t, 2, 5, "empty cells");
    has_flaw(&t, 3, 6, "header again");
    tn_csv_free(&t);
    ck_assert_int_eq(ctx.live, 0);
}
END_TEST

START_TEST(test_bytes_that_are_no_text) {
    static const char text[] = "a,b\n1,\xE9t\xE9 \xC3\xA9\n2,x\xE2\x82\n";
    tn_csv t;
    write_bytes(text, sizeof text - 1);
    ck_assert_msg(tn_csv_read(&ctx, path, &t) == TN_OK, "%s", ctx.message);
    ck_assert_str_eq(tn_csv_text(&t, 0, 1), "\xEF\xBF\xBDt\xEF\xBF\xBD \xC3\xA9");
    ck_assert_str_eq(tn_csv_text(&t, 1, 1), "x\xEF\xBF\xBD\xEF\xBF\xBD");
    has_flaw(&t, 0, 2, "4 bytes");
    tn_csv_free(&t);
    ck_assert_int_eq(ctx.live, 0);
}
END_TEST

START_TEST(test_missing_file) {
    tn_csv t;
    ck_assert_int_eq(tn_csv_read(&ctx, "no/such.csv", &t), TN_ERR_INPUT);
    ck_assert_int_eq(tn_csv_read(&ctx, ".", &t), TN_ERR_INPUT);
    ck_assert_int_eq(ctx.live, 0);
}
END_TEST

START_TEST(test_kinds) {
    tn_csv t;
    static const char other[] = "schema,version\nturnout-cost-1,0\n";
    write_bytes(other, sizeof other - 1);
    ck_assert_int_eq(tn_csv_read_cost(&ctx, path, &t), TN_ERR_INPUT);
    ck_assert_ptr_nonnull(strstr(ctx.message, "utc, host"));
    ck_assert_int_eq(tn_csv_read_metrics(&ctx, path, &t), TN_ERR_INPUT);
    ck_assert_int_eq(tn_csv_read_cost(&ctx, TN_TEST_DATA "/cost.csv", &t), TN_OK);
    ck_assert_uint_gt(t.rows, 0);
    tn_csv_free(&t);
    ck_assert_int_eq(ctx.live, 0);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("csv_table");
    TCase *tests = tcase_create("all");
    tcase_add_checked_fixture(tests, test_folder_enter, test_folder_leave);
    tcase_add_test(tests, test_reads);
    tcase_add_test(tests, test_byte_order_mark);
    tcase_add_test(tests, test_refuses);
    tcase_add_test(tests, test_other_programs_files);
    tcase_add_test(tests, test_additions);
    tcase_add_test(tests, test_bytes_that_are_no_text);
    tcase_add_test(tests, test_missing_file);
    tcase_add_test(tests, test_kinds);
    suite_add_tcase(suite, tests);
    return tn_test_main(suite);
}
