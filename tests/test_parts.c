/* Files with parts of one grid as report and compare read them: together one grid; what is missing, there
 * twice or damaged is named by file and line. */
#include "breakeven.h"
#include "comparison.h"
#include "csv_table.h"
#include "folder.h"
#include "inputs.h"
#include "suite.h"

#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static tn_context ctx;

static void enter(void) {
    ctx = (tn_context){.quiet = true};
    test_folder_enter();
}

static void leave(void) {
    ck_assert_int_eq(chdir("/"), 0);
    test_folder_remove();
    ck_assert_int_eq(ctx.live, 0);
}

/* A cell of a grid, and where and when it was measured; NULL: the usual. */
typedef struct cell {
    const char *shard, *mixer, *rho;
    double ms;
    const char *version, *host, *pci, *selector, *utc, *device;
} cell;

static const char * or (const char *text, const char *usual) {
    return text ? text : usual;
}

static const char *value_of(const cell *c, const char *column, char number[32]) {
    const struct {
        const char *column, *text;
    } given[] = {{"schema", "turnout-cost-1"},
                 {"version", or (c->version, "0.2.0+g1")},
                 {"utc", or (c->utc, "2026-01-01T00:00:00Z")},
                 {"host", or (c->host, "node1")},
                 {"platform", "CUDA"},
                 {"device", or (c->device, "H100")},
                 {"driver", "580"},
                 {"kind", "gpu"},
                 {"pci", or (c->pci, "")},
                 {"selector", or (c->selector, "0:0")},
                 {"level", "layer"},
                 {"op", "mixer"},
                 {"pass", "forward"},
                 {"mixer", c->mixer},
                 {"B", "1"},
                 {"T", "1024"},
                 {"D", "64"},
                 {"H", "2"},
                 {"Dh", "32"},
                 {"K", "4"},
                 {"rho", c->rho},
                 {"schedule", "compacted"},
                 {"status", "ok"},
                 {"n", "9"},
                 {"seed", "1"},
                 {"shard", c->shard},
                 {"cache", "warm"}};
    for (size_t i = 0; i < sizeof given / sizeof given[0]; i++)
        if (strcmp(given[i].column, column) == 0)
            return given[i].text;
    snprintf(number, 32, "%g",
             strcmp(column, "dense_ratio") == 0     ? 4 / c->ms
             : strcmp(column, "dense_wall_ms") == 0 ? 4.0
                                                    : c->ms);
    return strcmp(column, "wall_ms") == 0 || strncmp(column, "dense_", 6) == 0 ? number : "";
}

static void write_cells(const char *name, const cell *cells, size_t count) {
    FILE *stream = fopen(name, "w");
    ck_assert_ptr_nonnull(stream);
    for (int c = 0; c < TN_COLUMNS; c++)
        fprintf(stream, "%s%s", c ? "," : "", tn_cost_columns[c].name);
    fputc('\n', stream);
    for (size_t i = 0; i < count; i++)
        for (int c = 0; c < TN_COLUMNS; c++) {
            char number[32];
            const char *column = tn_cost_columns[c].name;
            bool quartile = strstr(column, "_q1") || strstr(column, "_q3");
            fprintf(stream, "%s%s", quartile ? "" : value_of(&cells[i], column, number),
                    c + 1 < TN_COLUMNS ? "," : "\n");
        }
    fclose(stream);
}

#define WRITE(name, ...)                                                                                     \
    do {                                                                                                     \
        const cell cells_[] = {__VA_ARGS__};                                                                 \
        write_cells(name, cells_, sizeof cells_ / sizeof cells_[0]);                                         \
    } while (0)

/* The grid of four cells in three parts, on three machines. */
static void write_grid(void) {
    WRITE("cost-1.csv", {"1/3", "attention", "", 4, .host = "node1", .pci = "0000:01:00.0"},
          {"1/3", "routed", "0.1", 1, .host = "node1", .pci = "0000:01:00.0"});
    WRITE("cost-2.csv", {"2/3", "routed", "0.5", 3, .host = "node2", .pci = "0000:41:00.0"});
    WRITE("cost-3.csv", {"3/3", "routed", "1", 6, .host = "node3", .pci = "0000:c1:00.0", .selector = "0:2"});
}

static void read_folder(tn_inputs *in) {
    const char *path = ".";
    ck_assert_msg(tn_inputs_read(&ctx, &path, 1, in) == TN_OK, "%s", ctx.message);
}

/* The note that has the words, which must be there. */
static const tn_input_flaw *note(const tn_inputs *in, const char *words) {
    for (size_t i = 0; i < in->flaw_count; i++)
        if (strstr(in->flaws[i].flaw.why, words))
            return &in->flaws[i];
    ck_abort_msg("no note says '%s'; the first of %zu: %s", words, in->flaw_count,
                 in->flaw_count ? in->flaws[0].flaw.why : "");
    return NULL;
}

static void refused(const char *first, const char *second) {
    tn_inputs in;
    const char *path = ".";
    ck_assert_int_eq(tn_inputs_read(&ctx, &path, 1, &in), TN_ERR_INPUT);
    ck_assert_msg(strstr(ctx.message, first) && strstr(ctx.message, second), "%s", ctx.message);
}

START_TEST(parts_are_one_grid) {
    tn_inputs in;
    tn_breakevens found = {.ctx = &ctx};
    write_grid();
    read_folder(&in);
    ck_assert_uint_eq(in.cost_count, 1);
    ck_assert_uint_eq(in.costs[0].rows, 4);
    ck_assert_uint_eq(in.flaw_count, 0);
    ck_assert_uint_eq(in.devices.count, 1);
    ck_assert_str_eq(in.devices.items[0].label, "H100"); /* three machines, one kind of card */
    ck_assert_ptr_nonnull(strstr(in.costs[0].path, "cost-1.csv and 2 more"));
    ck_assert_int_eq(tn_breakevens_add(&ctx, &in.costs[0], &found), TN_OK);
    ck_assert_uint_eq(found.count, 1);
    ck_assert_uint_eq(found.items[0].count, 3);
    ck_assert(found.items[0].points[0].rho == 0.1 && found.items[0].points[2].rho == 1);
    ck_assert(found.items[0].even.kind == TN_BREAKEVEN_FOUND);
    tn_breakevens_free(&found);
    tn_inputs_free(&in);
}
END_TEST

START_TEST(a_part_that_is_missing) {
    tn_inputs in;
    write_grid();
    ck_assert_int_eq(unlink("cost-2.csv"), 0);
    read_folder(&in);
    const tn_input_flaw *f = note(&in, "no row of shard 2 of 3 on H100");
    ck_assert_str_eq(f->file, "./cost-1.csv");
    ck_assert_int_eq(f->flaw.line, 2);
    ck_assert_ptr_nonnull(strstr(f->flaw.why, "sweep --dry-run --shard 2/3"));
    ck_assert_uint_eq(in.costs[0].rows, 3); /* the rest is used */
    tn_inputs_free(&in);
    WRITE("cost-1.csv", {"7/1000000", "routed", "0.1", 1});
    ck_assert_int_eq(unlink("cost-3.csv"), 0);
    read_folder(&in);
    note(&in, "no row of shard 1, 2, 3, 4, 5, 6, 8, 9 … of 1000000");
    tn_inputs_free(&in);
}
END_TEST

START_TEST(a_cell_twice) {
    tn_inputs in;
    write_grid();
    /* measured again, elsewhere and later */
    WRITE("cost-9.csv", {"2/3", "routed", "0.5", 3.1, .host = "node9", .utc = "2026-01-02T00:00:00Z"});
    refused("./cost-2.csv, line 2", "./cost-9.csv, line 2");
    WRITE("cost-9.csv", {"2/3", "routed", "0.7", 3.1},
          {"2/3", "routed", "0.5", 3.1, .utc = "2026-01-02T00:00:00Z"});
    refused("./cost-2.csv, line 2", "./cost-9.csv, line 3");
    /* the same file by another name is read once */
    ck_assert_int_eq(system("cp cost-2.csv cost-9.csv"), 0);
    read_folder(&in);
    note(&in, "the same rows as ./cost-2.csv");
    ck_assert_uint_eq(in.costs[0].rows, 4);
    tn_inputs_free(&in);
    /* another seed is another grid, and a whole grid is no part */
    WRITE("cost-9.csv", {"", "routed", "0.5", 3.1});
    read_folder(&in);
    ck_assert_uint_eq(in.cost_count, 2);
    ck_assert_uint_eq(in.flaw_count, 0);
    tn_inputs_free(&in);
}
END_TEST

START_TEST(rows_of_two_builds) {
    tn_inputs in;
    write_grid();
    WRITE("cost-2.csv", {"2/3", "routed", "0.5", 3, .version = "0.2.0+g2"});
    read_folder(&in);
    const tn_input_flaw *f = note(&in, "by turnout 0.2.0+g2, and by 0.2.0+g1 on line 2 of ./cost-1.csv");
    ck_assert_str_eq(f->file, "./cost-2.csv");
    ck_assert_int_eq(f->flaw.line, 2);
    note(&in, "no row of shard 2 of 3");
    note(&in, "no row of shard 1, 3 of 3");
    ck_assert_uint_eq(in.devices.count, 2);
    tn_inputs_free(&in);
}
END_TEST

START_TEST(files_that_are_damaged) {
    tn_inputs in;
    write_grid();
    ck_assert_int_eq(system("sed -i 's/turnout-cost-1/turnout-cost-2/' cost-2.csv"), 0);
    refused("./cost-2.csv, line 2", "schema 'turnout-cost-2' is unknown");
    write_grid();
    ck_assert_int_eq(system("printf 'turnout-cost-1,0.2.0,2026-01' >>cost-3.csv"), 0);
    refused("./cost-3.csv, line 3", "cut off");
    write_grid();
    ck_assert_int_eq(system("sed -i 's,\\b3/3,03. Mrz,' cost-3.csv"), 0);
    read_folder(&in);
    const tn_input_flaw *f = note(&in, "no part I/N");
    ck_assert_str_eq(f->file, "./cost-3.csv");
    ck_assert_str_eq(f->flaw.value, "03. Mrz");
    note(&in, "no row of shard 3 of 3");
    tn_inputs_free(&in);
}
END_TEST

START_TEST(a_part_without_a_cell) {
    tn_inputs in;
    const char *file = "cost-2.csv";
    write_grid();
    write_cells(file, NULL, 0);
    read_folder(&in);
    ck_assert_str_eq(note(&in, "a shard without a cell")->file, "./cost-2.csv");
    ck_assert_uint_eq(in.costs[0].rows, 3);
    tn_inputs_free(&in);
    ck_assert_int_eq(tn_inputs_read(&ctx, &file, 1, &in), TN_ERR_INPUT); /* by itself it is nothing */
}
END_TEST

/* All cards of a machine in one file: they are told apart, those of several machines by their numbers. */
START_TEST(several_cards) {
    tn_inputs in;
    WRITE("cost-1.csv", {"1/2", "routed", "0.1", 1, .pci = "1"},
          {"1/2", "routed", "0.1", 2, .pci = "2", .selector = "0:1"});
    WRITE("cost-2.csv", {"2/2", "routed", "0.5", 1, .host = "node2", .pci = "1"},
          {"2/2", "routed", "0.5", 2, .host = "node2", .pci = "2", .selector = "0:1"});
    read_folder(&in);
    ck_assert_uint_eq(in.flaw_count, 0);
    ck_assert_uint_eq(in.devices.count, 2);
    ck_assert_str_eq(in.devices.items[1].label, "H100, device 1");
    tn_inputs_free(&in);
}
END_TEST

static tn_status compare(const char *before, const char *after, tn_comparison *out) {
    const tn_compare_options options = {.noise_pct = 1, .threshold_pct = 5};
    return tn_comparison_make(&ctx, before, after, &options, out);
}

START_TEST(folders_compared) {
    tn_comparison c;
    write_grid();
    ck_assert_int_eq(mkdir("new", 0700), 0);
    /* parted in another way, on other machines, one cell slower */
    WRITE("new/cost-1.csv", {"1/2", "attention", "", 4, .host = "a"},
          {"1/2", "routed", "0.5", 6, .host = "a"});
    WRITE("new/cost-2.csv", {"2/2", "routed", "0.1", 1, .host = "b"}, {"2/2", "routed", "1", 6, .host = "b"});
    ck_assert_msg(compare(".", "new", &c) == TN_OK, "%s", ctx.message);
    ck_assert_uint_eq(c.count, 4);
    ck_assert_uint_eq(c.device_count, 1);
    ck_assert_uint_eq(c.verdicts[TN_VERDICT_ONLY_OLD] + c.verdicts[TN_VERDICT_ONLY_NEW], 0);
    tn_comparison_free(&c);
    ck_assert_msg(compare("cost-1.csv,cost-2.csv,cost-3.csv", "new", &c) == TN_OK, "%s", ctx.message);
    tn_comparison_free(&c);
    WRITE("new/cost-3.csv", {"2/2", "routed", "1", 6.1, .host = "c", .utc = "2026-01-02T00:00:00Z"});
    ck_assert_int_eq(compare(".", "new", &c), TN_ERR_INPUT);
    ck_assert_msg(strstr(ctx.message, "new/cost-2.csv, line 3") &&
                      strstr(ctx.message, "new/cost-3.csv, line 2"),
                  "%s", ctx.message);
    WRITE("new/cost-3.csv", {"2/2", "routed", "0.2", 6.1, .version = "0.3.0"});
    ck_assert_int_eq(compare(".", "new", &c), TN_ERR_INPUT);
    ck_assert_msg(strstr(ctx.message, "new/cost-3.csv, line 2") && strstr(ctx.message, "0.3.0"), "%s",
                  ctx.message);
    write_cells("new/cost-3.csv", NULL, 0);
    ck_assert_msg(compare(".", "new", &c) == TN_OK, "%s", ctx.message);
    tn_comparison_free(&c);
    ck_assert_int_eq(mkdir("empty", 0700), 0);
    ck_assert_int_eq(compare("empty", "new", &c), TN_ERR_INPUT);
    ck_assert_msg(strstr(ctx.message, "the folder empty holds no cost*.csv"), "%s", ctx.message);
    WRITE("new/cost,4.csv", {"2/2", "routed", "0.2", 6.1});
    ck_assert_int_eq(compare(".", "new", &c), TN_ERR_INPUT);
    ck_assert_msg(strstr(ctx.message, "has a comma in its name"), "%s", ctx.message);
}
END_TEST

static void write_study(const char *folder, const char *shard, const char *name) {
    char path[64];
    ck_assert(mkdir(folder, 0700) == 0 || true);
    snprintf(path, sizeof path, "%s/study.csv", folder);
    FILE *stream = fopen(path, "w");
    ck_assert_ptr_nonnull(stream);
    fprintf(stream, "task,mixer,seed,accuracy,attention_pct,score_flops_saved_pct,time_saved_pct,status,name,"
                    "device,version,shard\n");
    fprintf(stream, "recall,routed,1,1,1,1,1,ok,%s,H100,0.2.0,%s\n", name, shard);
    fclose(stream);
}

START_TEST(parts_of_a_study) {
    tn_inputs in;
    write_study("study-1", "1/3", "seed-recall126-routed-s1");
    write_study("study-2", "2/3", "seed-recall126-routed-s2");
    read_folder(&in);
    ck_assert_uint_eq(in.run_count, 2);
    const tn_input_flaw *f = note(&in, "no row of shard 3 of 3");
    ck_assert_str_eq(f->file, "./study-1/study.csv");
    ck_assert_ptr_nonnull(strstr(f->flaw.why, "study --dry-run --shard 3/3"));
    tn_inputs_free(&in);
    write_study("study-3", "3/3", "seed-recall126-routed-s1");
    refused("./study-1/study.csv, line 2", "./study-3/study.csv, line 2");
}
END_TEST

/* Of a hundred machines: every row is looked at once. */
START_TEST(many_parts) {
    enum { FILES = 100, ROWS = 100 };
    static char rho[ROWS][24], shard[24];
    static cell cells[ROWS];
    for (int f = 0; f < FILES; f++) {
        char name[32];
        snprintf(name, sizeof name, "cost-%03d.csv", f);
        snprintf(shard, sizeof shard, "%d/%d", f + 1, FILES);
        for (int i = 0; i < ROWS; i++) {
            snprintf(rho[i], sizeof rho[i], "%.6g", (f * ROWS + i + 1) / (double)(FILES * ROWS));
            cells[i] = (cell){shard, "routed", rho[i], 1 + i};
        }
        write_cells(name, cells, ROWS);
    }
    tn_inputs in;
    read_folder(&in);
    ck_assert_uint_eq(in.cost_count, 1);
    ck_assert_uint_eq(in.costs[0].rows, FILES * ROWS);
    ck_assert_uint_eq(in.flaw_count, 0);
    tn_inputs_free(&in);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("parts");
    TCase *tests = tcase_create("parts");
    tcase_set_timeout(tests, 60);
    tcase_add_checked_fixture(tests, enter, leave);
    tcase_add_test(tests, parts_are_one_grid);
    tcase_add_test(tests, a_part_that_is_missing);
    tcase_add_test(tests, a_cell_twice);
    tcase_add_test(tests, rows_of_two_builds);
    tcase_add_test(tests, files_that_are_damaged);
    tcase_add_test(tests, a_part_without_a_cell);
    tcase_add_test(tests, several_cards);
    tcase_add_test(tests, folders_compared);
    tcase_add_test(tests, parts_of_a_study);
    tcase_add_test(tests, many_parts);
    suite_add_tcase(suite, tests);
    return tn_test_main(suite);
}
