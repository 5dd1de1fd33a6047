/* Ops by the names that they had in an earlier version: in rows and samples, tuned files, TURNOUT_TUNE, --op.
 */
#include "support.h"

#include "comparison.h"
#include "file.h"
#include "folder.h"
#include "launch.h"
#include "old_names.h"
#include "program.h"
#include "samples.h"
#include "made_up_op.h"
#include "suite.h"
#include "tuned.h"

#include <string.h>

static tn_context ctx;
static tn_device *dev;

static void enter(void) {
    ctx = (tn_context){.quiet = true};
    test_folder_enter();
}

static void leave(void) {
    test_folder_leave();
    ck_assert_int_eq(ctx.live, 0);
}

static void open_device(void) {
    ck_ok(&ctx, tn_device_open_selected(&ctx, getenv("TURNOUT_DEVICE"), &dev));
}

/* Each `from` in a file becomes `to`. */
static void replace(const char *path, const char *from, const char *to) {
    char *bytes;
    size_t size, count = 0;
    ck_ok(&ctx, tn_file_read(&ctx, path, &bytes, &size));
    FILE *stream = fopen(path, "w");
    ck_assert_ptr_nonnull(stream);
    for (const char *p = bytes; *p;) {
        const bool here = strncmp(p, from, strlen(from)) == 0;
        if (here)
            fputs(to, stream);
        else
            fputc(*p, stream);
        count += here;
        p += here ? strlen(from) : 1;
    }
    fclose(stream);
    tn_free(&ctx, bytes);
    ck_assert_msg(count > 0, "%s does not say %s", path, from);
}

static void old_names_into(const char *path) {
    replace(path, "partial_sums", "part_sum");
    replace(path, "conv_track", "cheap_track");
}

START_TEST(names) {
    char key[40], *list;
    ck_assert_str_eq(tn_op_current_name("part_sum"), "partial_sums");
    ck_assert_str_eq(tn_op_current_name("cheap_track"), "conv_track");
    ck_assert_str_eq(tn_op_current_name("cheap_tracks"), "cheap_tracks");
    ck_assert_str_eq(tn_op_current_name("gemm"), "gemm");
    tn_op_current_key("cheap_track:few", key, sizeof key);
    ck_assert_str_eq(key, "conv_track:few");
    tn_op_current_key("gemm:part_sum", key, sizeof key);
    ck_assert_str_eq(key, "gemm:part_sum");
    ck_ok(&ctx, tn_op_current_list(&ctx, "part_sum.LANES=1,gemm.TM=2,cheap_track=fused,,part_sum", &list));
    ck_assert_str_eq(list, "partial_sums.LANES=1,gemm.TM=2,conv_track=fused,,partial_sums");
    tn_free(&ctx, list);
    ck_ok(&ctx, tn_op_current_list(&ctx, "", &list));
    ck_assert_str_eq(list, "");
    tn_free(&ctx, list);
}
END_TEST

/* A row of an op and one of a layer's part, with samples. */
static void write_rows(const char *name) {
    tn_cost_row rows[2];
    const tn_raw raw = {.wall = 9, .wall_ms = {1.01, 1.02, 1.03, 1.04, 1.05, 1.06, 1.07, 1.08, 1.09}};
    char csv[32], jsonl[32];
    snprintf(csv, sizeof csv, "%s.csv", name);
    snprintf(jsonl, sizeof jsonl, "%s.jsonl", name);
    FILE *to = fopen(csv, "w"), *samples = fopen(jsonl, "w");
    ck_assert(to && samples);
    tn_rows_begin(to, TN_ROW_CSV);
    for (int i = 0; i < 2; i++) {
        tn_cost_row *row = &rows[i];
        tn_row_init(row);
        snprintf(row->host, sizeof row->host, "box");
        snprintf(row->platform, sizeof row->platform, "P");
        snprintf(row->device, sizeof row->device, "D");
        snprintf(row->kind, sizeof row->kind, "cpu");
        snprintf(row->level, sizeof row->level, "%s", i ? "layer" : "op");
        snprintf(row->op, sizeof row->op, "%s", i ? "mixer" : "partial_sums");
        snprintf(row->pass, sizeof row->pass, "forward");
        snprintf(row->part, sizeof row->part, "%s", i ? "conv_track" : "");
        snprintf(row->shape, sizeof row->shape, "parts=8,count=64,stride=64");
        row->T = 7 + i;
        row->n = 9;
        row->wall_ms = 1.05;
        row->wall_ms_q1 = 1.03;
        row->wall_ms_q3 = 1.07;
        tn_rows_write(to, TN_ROW_CSV, i, row);
        ck_ok(&ctx, tn_samples_write(&ctx, samples, row, &raw));
    }
    tn_rows_end(to, TN_ROW_CSV);
    fclose(to);
    fclose(samples);
}

START_TEST(rows_of_both_names_compare) {
    const tn_compare_options options = {.threshold_pct = 5, .noise_pct = -1};
    tn_comparison c;
    write_rows("new");
    write_rows("old");
    old_names_into("old.csv");
    old_names_into("old.jsonl");
    ck_ok(&ctx, tn_comparison_make(&ctx, "old.csv", "new.csv", &options, &c));
    ck_assert_uint_eq(c.count, 2);
    ck_assert_uint_eq(c.strays, 0);
    ck_assert_uint_eq(c.verdicts[TN_VERDICT_SAME] + c.verdicts[TN_VERDICT_UNKNOWN], 2); /* on both sides */
    for (size_t i = 0; i < c.count; i++)
        ck_assert(c.rows[i].ratio.by_samples);
    tn_comparison_free(&c);
}
END_TEST

START_TEST(a_row_is_of_the_cell_that_it_was_of) {
    tn_cost_row row, back;
    char before[1400], after[1400], *text = NULL;
    size_t size;
    write_rows("old");
    ck_ok(&ctx, tn_file_read(&ctx, "old.csv", &text, &size));
    ck_ok(&ctx, tn_row_parse(&ctx, strtok(strchr(text, '\n') + 1, "\n"), &row));
    tn_free(&ctx, text);
    old_names_into("old.csv");
    ck_ok(&ctx, tn_file_read(&ctx, "old.csv", &text, &size));
    ck_ok(&ctx, tn_row_parse(&ctx, strtok(strchr(text, '\n') + 1, "\n"), &back));
    tn_free(&ctx, text);
    ck_assert_str_eq(back.op, "partial_sums");
    tn_row_key(&row, before, sizeof before);
    tn_row_key(&back, after, sizeof after);
    ck_assert_str_eq(before, after);

    old_names_into("old.jsonl");
    ck_ok(&ctx, tn_file_read(&ctx, "old.jsonl", &text, &size));
    ck_ok(&ctx, tn_samples_row(&ctx, strtok(strchr(text, '\n') + 1, "\n"), &back));
    tn_free(&ctx, text);
    ck_assert_str_eq(back.part, "conv_track");
}
END_TEST

static const tn_op conv_track = MADE_UP_OP("conv_track"), partial_sums = MADE_UP_OP("partial_sums");

static int tiles_of(const tn_op *op, tn_tunable_source *source) {
    int values[TN_VARIANT_TUNABLES];
    tn_variant_values(dev, op, &made_up_threads, 0, -1, values, source);
    return values[tn_variant_tunable(&made_up_threads, "TILES")];
}

START_TEST(a_tuned_file_of_old_names_is_used) {
    static tn_tuned tuned;
    const tn_tuned_entry track = {.op = "conv_track", .count = 1, .values = {{"TILES", 3}}};
    tn_tunable_source source;
    setenv("TURNOUT_TUNED_DIR", ".", 1);
    unsetenv("TURNOUT_TUNED");
    unsetenv("TURNOUT_KIND");
    open_device();
    const tn_device_info *info = tn_device_get_info(dev);
    ck_ok(&ctx, tn_tuned_store(&ctx, info, "conv_track", &track, 1));
    ck_ok(&ctx, tn_tuned_read(&ctx, info, &tuned));
    replace(tuned.path, "conv_track", "cheap_track");
    tn_device_close(dev);

    open_device();
    ck_assert_int_eq(tiles_of(&conv_track, &source), 3);
    ck_assert_int_eq(source, TN_TUNABLE_TUNED);
    ck_ok(&ctx,
          tn_tuned_store(&ctx, tn_device_get_info(dev), "gelu", NULL, 0)); /* today's name from then on */
    tn_device_close(dev);
    replace(tuned.path, "\"conv_track\"", "\"conv_track\"");
}
END_TEST

START_TEST(the_environment_by_old_names) {
    tn_tunable_source source;
    setenv("TURNOUT_TUNE", "gelu.LANES=2,part_sum/threads.TILES=4,cheap_track.TILES=5", 1);
    open_device();
    ck_assert_int_eq(tiles_of(&partial_sums, &source), 4);
    ck_assert_int_eq(tiles_of(&conv_track, &source), 5);
    ck_assert_int_eq(source, TN_TUNABLE_ENVIRONMENT);
    unsetenv("TURNOUT_TUNE");
    tn_device_close(dev);
}
END_TEST

START_TEST(the_program_by_old_names) {
    program_gives(0, "verify --op part_sum --cases 1", "--op part_sum is called partial_sums now",
                  "partial_sums ");
    ck_assert_int_eq(program_run("verify --op part_sums --cases 1"), 2);
    program_gives(0, "sweep --op part_sum,rope --pass forward --seconds 0.01 -o x.csv",
                  "--op part_sum,rope is called partial_sums,rope now");
    replace("x.csv", ",partial_sums,", ",part_sum,");
    program_gives(0, "sweep --op partial_sums,rope --pass forward --seconds 0.01 -o x.csv",
                  "nothing is measured again");
    ck_assert_int_eq(program_run("report x.csv -o x.html"), 0);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("old_names");
    TCase *tests = tcase_create("old_names");
    tcase_set_timeout(tests, 240);
    tcase_add_checked_fixture(tests, enter, leave);
    tcase_add_test(tests, names);
    tcase_add_test(tests, rows_of_both_names_compare);
    tcase_add_test(tests, a_row_is_of_the_cell_that_it_was_of);
    tcase_add_test(tests, a_tuned_file_of_old_names_is_used);
    tcase_add_test(tests, the_environment_by_old_names);
    tcase_add_test(tests, the_program_by_old_names);
    suite_add_tcase(suite, tests);
    return tn_test_main(suite);
}
