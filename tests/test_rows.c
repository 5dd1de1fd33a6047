/* Rows: the header the contract fixes, quoting, empty cells, and the way back from text. */
#include "build.h"
#include "samples.h"
#include "suite.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static tn_context ctx;

static const char contract[] = "schema,version,utc,host,cpu,platform,device,driver,kind,compute_units,pci,"
                               "level,op,pass,mixer,B,T,D,H,Dh,K,rho,"
                               "schedule,status,reason,n,wall_ms,wall_ms_q1,wall_ms_q3,event_ms,event_ok,"
                               "flops,bytes,gflops,gbs,roofline_pct,"
                               "energy_j,energy_source,seed,event_ms_launches,dense_wall_ms,dense_ratio,"
                               "ideal_ratio,share_of_ideal_pct,shape";

static char *written(const tn_cost_row *row, tn_row_format format) {
    char *text = NULL;
    size_t size = 0;
    FILE *stream = open_memstream(&text, &size);
    if (row)
        tn_rows_write(stream, format, 0, row);
    else
        tn_rows_begin(stream, format);
    fclose(stream);
    return text;
}

START_TEST(header_is_the_contract) {
    char *text = written(NULL, TN_ROW_CSV);
    ck_assert_int_eq(strncmp(text, contract, strlen(contract)), 0);
    ck_assert_ptr_null(strstr(text, "nan"));
    free(text);
}
END_TEST

static int commas(const char *text) {
    int count = 0;
    for (; *text; text++)
        count += *text == ',';
    return count;
}

START_TEST(a_row_says_its_build) {
    tn_cost_row row, back;
    tn_row_init(&row);
    ck_assert_str_eq(row.version, tn_build_version());
    snprintf(row.version, sizeof row.version,
             "0.2.0+g0123456789ab-dirty.01234567"); /* the longest there is */
    char *line = written(&row, TN_ROW_CSV);
    ck_assert_int_eq(tn_row_parse(&ctx, line, &back), TN_OK);
    ck_assert_str_eq(back.version, row.version);
    free(line);
}
END_TEST

START_TEST(empty_cells_and_no_nan) {
    tn_cost_row row;
    tn_row_init(&row);
    char *line = written(&row, TN_ROW_CSV), *header = written(NULL, TN_ROW_CSV);
    char *json = written(&row, TN_ROW_JSON), *table = written(&row, TN_ROW_TABLE);
    ck_assert_int_eq(commas(line), commas(header));
    ck_assert_ptr_null(strcasestr(line, "nan"));
    ck_assert_ptr_null(strcasestr(json, "nan"));
    ck_assert_ptr_null(strcasestr(table, "nan"));
    ck_assert_ptr_null(strstr(line, ",-1"));
    free(line);
    free(header);
    free(json);
    free(table);
}
END_TEST

/* A row of a second's work on a device of 100 operations and 10 bytes a second. */
static void sample_of(tn_cost_row *row, double flops, double bytes, double seconds) {
    tn_roofline r = {.flops = 100, .copy_bytes = 10, .read_bytes = 8};
    tn_row_init(row);
    tn_row_set_sample(row, &(tn_sample){.n = 3, .wall_ms = 1e3 * seconds}, flops, bytes, &r);
}

START_TEST(past_the_roof_is_an_error) {
    tn_cost_row row;
    sample_of(&row, 90, 1, 1);
    ck_assert_str_eq(row.status, "ok");
    ck_assert_double_eq_tol(row.roofline_pct, 90, 1e-9);
    sample_of(&row, 104, 1, 1); /* what measuring may be off */
    ck_assert_str_eq(row.status, "ok");
    sample_of(&row, 221, 1, 1);
    ck_assert_str_eq(row.status, "error");
    ck_assert_msg(strstr(row.reason, "221 %") && strstr(row.reason, "GFLOP/s"), "%s", row.reason);
    tn_row_set_status(&row, "ok", "a remark");
    ck_assert_str_eq(row.status, "error");
    sample_of(&row, 1, 30, 1);
    ck_assert_str_eq(row.status, "error");
    ck_assert_msg(strstr(row.reason, "300 %") && strstr(row.reason, "GB/s"), "%s", row.reason);
    sample_of(&row, 0, 0, 1e-9); /* nothing to do, done at once */
    ck_assert_str_eq(row.status, "ok");
    ck_assert(isnan(row.roofline_pct));
}
END_TEST

START_TEST(there_and_back) {
    tn_cost_row row, back;
    tn_row_init(&row);
    snprintf(row.device, sizeof row.device, "A \"quoted\", device");
    tn_row_set_status(&row, "error", "two\nlines, and a \"quote\"");
    row.T = 4096;
    row.rho = 0.01;
    row.wall_ms = 1.25;
    row.event_ok = 0;
    char *line = written(&row, TN_ROW_CSV);
    ck_assert_ptr_eq(strchr(line, '\n'), line + strlen(line) - 1); /* one line a row */
    ck_assert_msg(tn_row_parse(&ctx, line, &back) == TN_OK, "%s", ctx.message);
    ck_assert_str_eq(back.device, row.device);
    ck_assert_str_eq(back.reason, "two lines, and a \"quote\"");
    ck_assert_int_eq(back.T, 4096);
    ck_assert_int_eq(back.B, -1);
    ck_assert_int_eq(back.event_ok, 0);
    ck_assert(back.rho == 0.01 && back.wall_ms == 1.25 && isnan(back.energy_j));
    free(line);
}
END_TEST

START_TEST(broken_lines_are_refused) {
    tn_cost_row row, back;
    tn_row_init(&row);
    char *line = written(&row, TN_ROW_CSV);
    ck_assert_int_eq(tn_row_parse(&ctx, "", &back), TN_ERR_INPUT);
    ck_assert_int_eq(tn_row_parse(&ctx, "turnout-cost-1,0.1", &back), TN_ERR_INPUT);
    ck_assert_int_eq(tn_row_parse(&ctx, "other-schema-9,a,b\n", &back), TN_ERR_INPUT);
    ck_assert_int_eq(tn_row_parse(&ctx, "turnout-cost-1,\"open", &back), TN_ERR_INPUT);
    for (size_t i = 0; i + 2 < strlen(line); i += 3) { /* cut anywhere: never a crash */
        char *cut = strndup(line, i);
        (void)tn_row_parse(&ctx, cut, &back);
        free(cut);
    }
    free(line);
}
END_TEST

/* As many cells in every line as in the title, whatever the reason says. */
START_TEST(a_table_that_can_be_pasted) {
    tn_cost_row row;
    tn_row_init(&row);
    snprintf(row.level, sizeof row.level, "layer");
    row.T = 256;
    row.rho = 0.5;
    row.peer_ratio = 1.5;
    tn_row_set_status(&row, "error", "either a | or b");
    char *title = written(NULL, TN_ROW_TABLE), *line = written(&row, TN_ROW_TABLE);
    int bars[3] = {0}, n = 0;
    for (const char *p = title; *p && n < 2; p++) {
        bars[n] += *p == '|';
        n += *p == '\n';
    }
    for (const char *p = line; *p; p++)
        bars[2] += *p == '|' && (p == line || p[-1] != '\\');
    ck_assert_int_eq(bars[1], bars[0]);
    ck_assert_int_eq(bars[2], bars[0]);
    ck_assert_ptr_nonnull(strstr(line, "either a \\| or b"));
    ck_assert_ptr_eq(strchr(line, '\n'), line + strlen(line) - 1);
    free(title);
    free(line);
}
END_TEST

START_TEST(samples_of_a_row) {
    tn_cost_row row, back;
    tn_raw raw = {.wall = 2, .wall_ms = {1.25, 2}, .other = 2, .other_ms = {3, 4}};
    char *text = NULL;
    size_t size = 0;
    tn_row_init(&row);
    snprintf(row.device, sizeof row.device, "A \"quoted\" device");
    row.T = 4096;
    row.rho = 41.0 / 4096;
    FILE *stream = open_memstream(&text, &size);
    ck_assert_int_eq(tn_samples_write(&ctx, stream, &row, &raw), TN_OK);
    tn_row_set_status(&row, "error", "broken");
    ck_assert_int_eq(tn_samples_write(&ctx, stream, &row, &raw), TN_OK); /* nothing */
    fclose(stream);
    ck_assert_ptr_eq(strchr(text, '\n'), text + size - 1);
    ck_assert_ptr_nonnull(strstr(text, "\"wall_ms\": [1.25, 2.0], \"dense_wall_ms\": [3.0, 4.0]"));
    ck_assert_ptr_null(strstr(text, "event_ms"));
    ck_assert_int_eq(tn_samples_row(&ctx, text, &back), TN_OK);
    ck_assert_str_eq(back.device, row.device);
    ck_assert(back.T == 4096 && back.rho == 0.0100098 && back.B == -1);
    ck_assert_int_eq(tn_samples_row(&ctx, "{\"torn", &back), TN_ERR_INPUT);
    ck_assert_int_eq(tn_samples_row(&ctx, "{}", &back), TN_ERR_INPUT);
    free(text);
}
END_TEST

START_TEST(formats) {
    ck_assert_int_eq(tn_row_format_choose(NULL, "a.csv", TN_ROW_TABLE), TN_ROW_CSV);
    ck_assert_int_eq(tn_row_format_choose("json", "a.csv", TN_ROW_TABLE), TN_ROW_JSON);
    ck_assert_int_eq(tn_row_format_choose(NULL, NULL, TN_ROW_TABLE), TN_ROW_TABLE);
    ck_assert_int_eq(tn_row_format_choose(NULL, "a.txt", TN_ROW_CSV), TN_ROW_CSV);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("rows");
    TCase *tests = tcase_create("rows");
    tcase_add_test(tests, header_is_the_contract);
    tcase_add_test(tests, a_row_says_its_build);
    tcase_add_test(tests, empty_cells_and_no_nan);
    tcase_add_test(tests, past_the_roof_is_an_error);
    tcase_add_test(tests, there_and_back);
    tcase_add_test(tests, broken_lines_are_refused);
    tcase_add_test(tests, a_table_that_can_be_pasted);
    tcase_add_test(tests, samples_of_a_row);
    tcase_add_test(tests, formats);
    suite_add_tcase(suite, tests);
    return tn_test_main(suite);
}
