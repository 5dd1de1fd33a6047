/* Cells written and read back, and what no CSV is. */
#include "csv_text.h"
#include "suite.h"

#include <stdlib.h>
#include <string.h>

enum { CELLS = 32 };

typedef struct seen {
    char text[CELLS][64];
    long line[CELLS];
    int cells, rows;
    long row_line;
    int refuse; /* the cell at which a handler fails; 0: none */
} seen;

static tn_context ctx;

static tn_status take_cell(void *user, long line, const char *text, size_t size) {
    seen *s = user;
    ck_assert_int_lt(s->cells, CELLS);
    ck_assert_uint_eq(strlen(text), size);
    snprintf(s->text[s->cells], sizeof s->text[0], "%s", text);
    s->line[s->cells++] = line;
    return s->cells == s->refuse ? TN_ERR_OUTPUT : TN_OK;
}

static tn_status take_row(void *user, long line) {
    seen *s = user;
    s->rows++;
    s->row_line = line;
    return TN_OK;
}

static tn_status read_text(const char *text, bool trim, seen *s) {
    const tn_csv_handlers handlers = {.user = s, .cell = take_cell, .row = take_row, .trim = trim};
    return tn_csv_parse(&ctx, "x.csv", text, strlen(text), &handlers);
}

START_TEST(there_and_back) {
    static const char *const cells[] = {"plain",    "",   "a,b", "say \"x\"", "two\nlines", "cr\rhere",
                                        " blanks ", "\"", ",",   "\"\"",      "Zürich",     "0.5"};
    enum { COUNT = sizeof cells / sizeof *cells };
    char *text = NULL;
    size_t size = 0;
    seen s = {0};
    FILE *to = open_memstream(&text, &size);
    for (int i = 0; i < COUNT; i++) {
        tn_csv_write_cell(to, cells[i]);
        fputc(i + 1 < COUNT ? ',' : '\n', to);
    }
    fclose(to);
    ck_assert_msg(strncmp(text, "plain,,\"a,b\",\"say \"\"x\"\"\",", 25) == 0, "%s", text);
    ck_assert_msg(read_text(text, false, &s) == TN_OK, "%s", ctx.message);
    ck_assert_int_eq(s.cells, COUNT);
    ck_assert_int_eq(s.rows, 1);
    for (int i = 0; i < COUNT; i++)
        ck_assert_str_eq(s.text[i], cells[i]);
    ck_assert_int_eq(s.row_line, 2); /* of the file: a cell has two */
    free(text);
}
END_TEST

START_TEST(rows_and_lines) {
    seen s = {0};
    ck_assert_int_eq(read_text("a,b\r\n\n1, 2 \nlast,", false, &s), TN_OK);
    ck_assert_int_eq(s.cells, 6);
    ck_assert_int_eq(s.rows, 3); /* a blank line is none */
    ck_assert_str_eq(s.text[1], "b");
    ck_assert_str_eq(s.text[3], " 2 ");
    ck_assert_int_eq(s.line[3], 3);
    ck_assert_str_eq(s.text[5], "");
    s = (seen){0};
    ck_assert_int_eq(read_text("1, 2 ,\" 3 \"\n", true, &s), TN_OK);
    ck_assert_str_eq(s.text[1], "2");
    ck_assert_str_eq(s.text[2], " 3 ");
    s = (seen){0};
    ck_assert_int_eq(read_text("", false, &s), TN_OK);
    ck_assert_int_eq(s.cells + s.rows, 0);
}
END_TEST

START_TEST(what_is_refused) {
    static const char *const bad[] = {"a\n\"open\n", "a\n\"x\"y,\n", "a\nx\"y\n"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        seen s = {0};
        ck_assert_int_eq(read_text(bad[i], false, &s), TN_ERR_INPUT);
        ck_assert_msg(strncmp(ctx.message, "x.csv, line 2: ", 15) == 0, "%s", ctx.message);
        const tn_csv_handlers handlers = {.user = &s, .cell = take_cell};
        s = (seen){0};
        ck_assert_int_eq(tn_csv_parse(&ctx, NULL, bad[i] + 2, strlen(bad[i] + 2), &handlers), TN_ERR_INPUT);
        ck_assert_ptr_nonnull(strstr(ctx.message, "field 1 of a CSV row"));
    }
}
END_TEST

/* A handler's failure ends the reading and is what comes back. */
START_TEST(a_handler_may_refuse) {
    seen s = {.refuse = 3};
    ck_assert_int_eq(read_text("a,b\nc,d\ne,f\n", false, &s), TN_ERR_OUTPUT);
    ck_assert_int_eq(s.cells, 3);
    ck_assert_int_eq(s.rows, 1);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("csv_text");
    TCase *tests = tcase_create("all");
    tcase_add_test(tests, there_and_back);
    tcase_add_test(tests, rows_and_lines);
    tcase_add_test(tests, what_is_refused);
    tcase_add_test(tests, a_handler_may_refuse);
    suite_add_tcase(suite, tests);
    return tn_test_main(suite);
}
