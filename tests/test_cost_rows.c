/* One cell of a good row is damaged at a time: the row is named by its column and used no more, or used with
 * a note. */
#include "cost_columns.h"
#include "csv_read.h"
#include "cost_rows.h"
#include "folder.h"
#include "suite.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static tn_context ctx;
static const char path[] = "rows.csv";

static const struct {
    const char *column, *value;
} good[] = {{"schema", TN_CSV_COST_SCHEMA},
            {"utc", "2026-11-28T04:09:00Z"},
            {"level", "layer"},
            {"T", "96"},
            {"rho", "0.25"},
            {"status", "ok"},
            {"reason", ""},
            {"n", "32"},
            {"wall_ms", "0.187126"},
            {"wall_ms_q1", "0.18"},
            {"wall_ms_q3", "0.19"},
            {"flops", "1.34218e+08"},
            {"gflops", "717.26"},
            {"bytes", ""},
            {"gbs", ""},
            {"roofline_pct", "87.5"},
            {"energy_j", ""},
            {"seed", "1"},
            {"dense_wall_ms", "0.4"},
            {"dense_ratio", "2.1"},
            {"dense_ratio_q1", "2"},
            {"dense_ratio_q3", "2.2"},
            {"selector", "0:1"}};
enum { CELLS = sizeof good / sizeof *good };

static const struct {
    const char *column, *value; /* put in the place of the good one */
    const char *why;            /* NULL: nothing is wrong with it */
    tn_row_use use;
} damages[] = {
    {"seed", "1", NULL, TN_ROW_USED},
    {"wall_ms", "0,187126", "decimal comma", TN_ROW_DAMAGED},
    {"flops", "1,34218E+08", "decimal comma", TN_ROW_DAMAGED},
    {"wall_ms", "nan", "not finite", TN_ROW_DAMAGED},
    {"wall_ms", "-INF", "not finite", TN_ROW_DAMAGED},
    {"wall_ms", "1e999", "no number", TN_ROW_DAMAGED},
    {"wall_ms", "-5", "not above 0", TN_ROW_DAMAGED},
    {"wall_ms", "0", "not above 0", TN_ROW_DAMAGED},
    {"wall_ms", "", "empty", TN_ROW_DAMAGED},
    {"wall_ms", " 0.187126", "no number", TN_ROW_DAMAGED},
    {"wall_ms", "0x1p-3", "no number", TN_ROW_DAMAGED},
    {"wall_ms", "187126", "between its quartiles", TN_ROW_DAMAGED}, /* a point taken for groups of three */
    {"flops", "1.34218", "one of the three was changed", TN_ROW_DAMAGED},
    {"flops", "1.34E+08", "rounded", TN_ROW_USED},
    {"flops", "134.218.000", "in groups", TN_ROW_DAMAGED},
    {"flops", "134,218,000", "in groups", TN_ROW_DAMAGED},
    {"flops", "134 218 000", "in groups", TN_ROW_DAMAGED},
    {"flops", "########", "spreadsheet's word", TN_ROW_DAMAGED},
    {"flops", "#DIV/0!", "spreadsheet's word", TN_ROW_DAMAGED},
    {"flops", "=B2*2", "formula", TN_ROW_DAMAGED},
    {"gflops", "717.26 %", "percent sign", TN_ROW_DAMAGED},
    {"T", "Jan 96", "a date", TN_ROW_DAMAGED},
    {"T", "1996-01-01", "a date", TN_ROW_DAMAGED},
    {"T", "96.5", "no whole number", TN_ROW_DAMAGED},
    {"T", "-96", "below 0", TN_ROW_DAMAGED},
    {"rho", "1-2", "a date", TN_ROW_DAMAGED},
    {"rho", "25.01.2026", "a date", TN_ROW_DAMAGED},
    {"rho", "02. Jan", "a date", TN_ROW_DAMAGED},
    {"rho", "6:00:00", "a time of day", TN_ROW_DAMAGED},
    {"rho", "TRUE", "a truth value", TN_ROW_DAMAGED},
    {"rho", "25", "between 0 and 1", TN_ROW_DAMAGED},
    {"n", "0", "below 1", TN_ROW_DAMAGED},
    {"n", "32.5", "no whole number", TN_ROW_DAMAGED},
    {"wall_ms_q1", "0.19", "between its quartiles", TN_ROW_DAMAGED},
    {"dense_ratio", "2100", "one of the three was changed", TN_ROW_DAMAGED},
    {"dense_ratio_q1", "2.15", "left out", TN_ROW_USED},
    {"energy_j", "unmeasured", "no number", TN_ROW_DAMAGED},
    {"status", "OK", "none of ok, unsupported", TN_ROW_DAMAGED},
    {"status", "", "none of ok, unsupported", TN_ROW_DAMAGED},
    {"status", "past ceiling", "none of ok, unsupported", TN_ROW_DAMAGED},
    {"level", "Layer", "none of op, layer", TN_ROW_DAMAGED},
    {"roofline_pct", "221", "above what the device", TN_ROW_PAST_CEILING},
    {"roofline_pct", "104.9", NULL, TN_ROW_USED},
    {"utc", "28.11.2026 04:09", "no moment", TN_ROW_USED},
    {"utc", "", NULL, TN_ROW_USED},
    {"selector", "0:01", "time of day", TN_ROW_USED},
    {"selector", "12:10:00 AM", "time of day", TN_ROW_USED},
    {"selector", "10:12", NULL, TN_ROW_USED},
    {"reason", "any, \"words\" at all", NULL, TN_ROW_USED},
};

static void put(FILE *stream, const char *text) {
    fputc('"', stream);
    for (; *text; text++)
        fputs(*text == '"' ? "\"\"" : (char[]){*text, '\0'}, stream);
    fputc('"', stream);
}

/* The good row, and after it one with another value in a column. */
static void read_with(const char *column, const char *value, tn_csv *t) {
    FILE *stream = fopen(path, "wb");
    ck_assert_ptr_nonnull(stream);
    for (int row = -1; row < 2; row++)
        for (int i = 0; i < CELLS; i++) {
            bool here = row == 1 && strcmp(good[i].column, column) == 0;
            /* the rows differ, so that neither is the other again */
            const char *text = row < 0                                           ? good[i].column
                               : here                                            ? value
                               : row == 1 && strcmp(good[i].column, "seed") == 0 ? "2"
                                                                                 : good[i].value;
            put(stream, text);
            fputc(i + 1 < CELLS ? ',' : '\n', stream);
        }
    fclose(stream);
    ck_assert_msg(tn_csv_read(&ctx, path, t) == TN_OK, "%s", ctx.message);
}

START_TEST(test_damages) {
    for (size_t i = 0; i < sizeof damages / sizeof *damages; i++) {
        tn_csv t;
        const char *column = damages[i].column, *value = damages[i].value;
        read_with(column, value, &t);
        if (strcmp(column, "seed") != 0) {
            ck_assert_int_eq(tn_csv_use(&t, 0), TN_ROW_USED);
            ck_assert_msg(tn_csv_use(&t, 1) == damages[i].use, "%s '%s' makes a row of use %d", column, value,
                          tn_csv_use(&t, 1));
            bool said = false;
            for (size_t k = 0; k < t.flaw_count; k++) {
                const tn_csv_flaw *flaw = &t.flaws[k];
                ck_assert_int_eq(flaw->line, 3);
                ck_assert_msg(flaw->use == damages[i].use, "%s '%s': %s", column, value, flaw->why);
                said = said || (damages[i].why && strstr(flaw->why, damages[i].why));
            }
            ck_assert_msg(said == (damages[i].why != NULL) && (said || t.flaw_count == 0),
                          "%s '%s' has %zu flaws: %s", column, value, t.flaw_count,
                          t.flaw_count ? t.flaws[0].why : "");
        }
        tn_csv_free(&t);
    }
    ck_assert_int_eq(ctx.live, 0);
}
END_TEST

/* Rows that hold no number may hold anything else. */
START_TEST(test_not_measured) {
    static const char *const states[] = {"unsupported", "error", "timeout"};
    for (size_t i = 0; i < 3; i++) {
        tn_csv t;
        read_with("status", states[i], &t);
        ck_assert_int_eq(tn_csv_use(&t, 1), TN_ROW_NOT_MEASURED);
        ck_assert_uint_eq(t.flaw_count, 0);
        tn_csv_free(&t);
    }
}
END_TEST

START_TEST(test_one_row_twice) {
    tn_csv t;
    read_with("seed", "1", &t); /* cell for cell the row above it */
    ck_assert_int_eq(tn_csv_use(&t, 0), TN_ROW_USED);
    ck_assert_int_eq(tn_csv_use(&t, 1), TN_ROW_DAMAGED);
    ck_assert_uint_eq(t.flaw_count, 1);
    ck_assert_ptr_nonnull(strstr(t.flaws[0].why, "line 2 again"));
    char text[200];
    tn_csv_flaw_text(&t, &t.flaws[0], text, sizeof text);
    ck_assert(strncmp(text, path, strlen(path)) == 0 && strstr(text, ", line 3: the row of line 2"));
    tn_csv_free(&t);
    ck_assert_int_eq(ctx.live, 0);
}
END_TEST

/* A long value is cut where a character begins. */
START_TEST(test_long_value) {
    tn_csv t;
    read_with("T",
              "\xC3\xA4\xC3\xA4\xC3\xA4\xC3\xA4\xC3\xA4\xC3\xA4\xC3\xA4\xC3\xA4\xC3\xA4\xC3\xA4\xC3\xA4\xC3"
              "\xA4\xC3\xA4"
              "\xC3\xA4\xC3\xA4\xC3\xA4\xC3\xA4\xC3\xA4\xC3\xA4\xC3\xA4\xC3\xA4\xC3\xA4\xC3\xA4\xC3\xA4\xC3"
              "\xA4\xC3\xA4"
              "\xC3\xA4\xC3\xA4\xC3\xA4\xC3\xA4\xC3\xA4\xC3\xA4\xC3\xA4\xC3\xA4\xC3\xA4\xC3\xA4\xC3\xA4\xC3"
              "\xA4\xC3\xA4",
              &t);
    ck_assert_uint_eq(t.flaw_count, 1);
    ck_assert_uint_lt(strlen(t.flaws[0].value), sizeof t.flaws[0].value);
    ck_assert_ptr_nonnull(strstr(t.flaws[0].value, "\xC3\xA4\xE2\x80\xA6"));
    tn_csv_free(&t);
}
END_TEST

/* Whoever has a later column had the earlier ones. */
START_TEST(test_columns_taken_out) {
    for (size_t out = 0; out < TN_COLUMNS; out++) {
        const char *name = tn_cost_columns[out].name;
        static const char *const apart[] = {"shape", "selector", "peer",    "part",
                                            "cores", "cache",    "context", "contexts"};
        bool wanted = out < 38;
        for (size_t i = 0; i < sizeof apart / sizeof *apart; i++)
            wanted = wanted || strcmp(name, apart[i]) == 0;
        FILE *stream = fopen(path, "wb");
        for (int row = 0; row < 2; row++) {
            bool first = true;
            for (size_t i = 0; i < TN_COLUMNS; i++) {
                const char *column = tn_cost_columns[i].name;
                if (i == out)
                    continue;
                fprintf(stream, "%s%s", first ? "" : ",",
                        row == 0                        ? column
                        : strcmp(column, "schema") == 0 ? TN_CSV_COST_SCHEMA
                        : strcmp(column, "status") == 0 ? "error"
                        : strcmp(column, "level") == 0  ? "op"
                                                        : "");
                first = false;
            }
            fputc('\n', stream);
        }
        fclose(stream);
        tn_csv t;
        tn_status status = tn_csv_read_cost(&ctx, path, &t);
        ck_assert_msg(status == (wanted ? TN_ERR_INPUT : TN_OK), "without %s: %s", name, ctx.message);
        if (wanted)
            ck_assert_msg(strstr(ctx.message, name) != NULL, "without %s: %s", name, ctx.message);
        tn_csv_free(&t);
    }
    ck_assert_int_eq(ctx.live, 0);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("cost_rows");
    TCase *tests = tcase_create("all");
    tcase_add_checked_fixture(tests, test_folder_enter, test_folder_leave);
    tcase_add_test(tests, test_damages);
    tcase_add_test(tests, test_not_measured);
    tcase_add_test(tests, test_one_row_twice);
    tcase_add_test(tests, test_long_value);
    tcase_add_test(tests, test_columns_taken_out);
    suite_add_tcase(suite, tests);
    return tn_test_main(suite);
}
