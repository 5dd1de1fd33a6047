/* The verdict over made-up rows: each sentence, what is missing, several devices. */
#include "verdict.h"

#include "cost_columns.h"
#include "folder.h"
#include "suite.h"

#include <math.h>
#include <string.h>

static tn_context ctx;
static tn_inputs in;
static tn_verdicts found;

/* Adds a cost row to `name`: "column=value column=value", on a device; the header where the file is new. */
static void row(const char *name, const char *device, const char *cells) {
    char path[256];
    snprintf(path, sizeof path, "%s/%s", test_folder, name);
    FILE *file = fopen(path, "ab");
    ck_assert_ptr_nonnull(file);
    if (ftell(file) == 0)
        for (int i = 0; i < TN_COLUMNS; i++)
            fprintf(file, "%s%s", tn_cost_columns[i].name, i + 1 < TN_COLUMNS ? "," : "\n");
    for (int i = 0; i < TN_COLUMNS; i++) {
        char key[80], value[200] = "";
        const char *column = tn_cost_columns[i].name;
        snprintf(key, sizeof key, " %s=", column);
        const char *at = strstr(cells, key);
        if (at)
            snprintf(value, sizeof value, "%.*s", (int)strcspn(at + strlen(key), " "), at + strlen(key));
        else if (strcmp(column, "schema") == 0)
            snprintf(value, sizeof value, "turnout-cost-1");
        else if (strcmp(column, "device") == 0)
            snprintf(value, sizeof value, "%s", device);
        else if (strcmp(column, "status") == 0)
            snprintf(value, sizeof value, "ok");
        else if (strcmp(column, "platform") == 0)
            snprintf(value, sizeof value, "P");
        else if (strcmp(column, "kind") == 0)
            snprintf(value, sizeof value, "gpu");
        else if (strcmp(column, "n") == 0 && !strstr(cells, " status="))
            snprintf(value, sizeof value, "5");
        fprintf(file, "%s%s", value, i + 1 < TN_COLUMNS ? "," : "\n");
    }
    ck_assert_int_eq(fclose(file), 0);
}

static void layer(const char *device, int T, double rho, double ratio, double ms) {
    char cells[400];
    snprintf(
        cells, sizeof cells,
        " level=layer pass=forward mixer=routed schedule=compacted B=1 T=%d D=64 H=2 Dh=32 K=4 rho=%g "
        "wall_ms=%g "
        "wall_ms_q1=%g wall_ms_q3=%g dense_ratio=%g dense_ratio_q1=%g dense_ratio_q3=%g dense_wall_ms=%g",
        T, rho, ms, 0.98 * ms, 1.02 * ms, ratio, 0.95 * ratio, 1.05 * ratio, ratio * ms);
    row("cost.csv", device, cells);
}

static void study(const char *device, const char *energy, const char *right) {
    char path[256];
    snprintf(path, sizeof path, "%s/study.csv", test_folder);
    FILE *file = fopen(path, "ab");
    ck_assert_ptr_nonnull(file);
    if (ftell(file) == 0)
        fputs("name,task,distance,trained_distance,mixer,seed,device,platform,accuracy,attention_pct,"
              "score_flops_saved_pct,all_flops_saved_pct,time_saved_pct,time_saved_pct_q1,time_saved_pct_q3,"
              "energy_saved_pct,eval_ms_per_sequence,status\n",
              file);
    fprintf(file, "near,recall,62,62,routed,1,%s,P,1,0.5,99,40,50,45,55,%s,0.3,ok\n", device, energy);
    fprintf(file, "far,recall,8190,62,routed,1,%s,P,%s,0.003,99,96,93.6,93,95,%s,50,ok\n", device, right,
            energy);
    ck_assert_int_eq(fclose(file), 0);
}

static void make(void) {
    const char *folder = test_folder;
    ck_assert_msg(tn_inputs_read(&ctx, &folder, 1, &in) == TN_OK, "%s", ctx.message);
    ck_assert_msg(tn_verdicts_make(&in, &found) == TN_OK, "%s", ctx.message);
}

static void drop(void) {
    tn_verdicts_free(&found);
    tn_inputs_free(&in);
    ck_assert_int_eq(ctx.live, 0);
}

static void says(size_t device, tn_topic topic, const char *text) {
    const char *sentence = found.items[device].findings[topic].sentence;
    ck_assert_msg(strstr(sentence, text) != NULL, "\"%s\" is not in: %s", text, sentence);
}

START_TEST(every_sentence) {
    for (int T = 256; T <= 16384; T *= 4) {
        layer("X", T, 0.01, T == 256 ? 0.9 : T / 512.0, 2);
        layer("X", T, 0.5, T == 4096 ? 1.5 : 0.8, 4);
        layer("X", T, 1, 0.75, 8);
    }
    row("cost.csv", "X", " level=op op=gemm pass=nn shape=M=1 roofline_pct=60 wall_ms=1 energy_j=1");
    row("cost.csv", "X", " level=op op=mlp pass=forward shape=N=1 roofline_pct=40 wall_ms=1");
    row("cost.csv", "X", " level=op op=gelu pass=forward shape=N=2 roofline_pct=3 wall_ms=0.02");
    row("cost.csv", "X",
        " level=decode op=mixer pass=token mixer=attention B=1 D=64 context=262144 contexts=equal wall_ms=30 "
        "energy_j=4");
    row("cost.csv", "X",
        " level=decode op=mixer pass=token mixer=routed schedule=compacted B=1 D=64 context=262144 "
        "contexts=equal rho=0.01 "
        "wall_ms=1 dense_ratio=25 dense_ratio_q1=20 dense_ratio_q3=40 energy_j=0.2");
    row("cost.csv", "X",
        " level=model op=model pass=step mixer=routed B=32 T=128 D=64 rho=0.0156 wall_ms=10 dense_ratio=2 "
        "energy_j=3");
    row("cost.csv", "X",
        " level=model op=model pass=step mixer=routed B=32 T=128 D=64 wall_ms=20 energy_j=6");
    study("X", "80", "1");
    make();
    ck_assert_uint_eq(found.count, 1);
    says(0, TN_TOPIC_PAYS,
         "routing pays from T ≥ 1024: 2 times as fast as dense attention there, quartiles 1.9 … 2.1");
    says(0, TN_TOPIC_PAYS, "32 times at T = 16384");
    ck_assert(found.items[0].findings[TN_TOPIC_PAYS].value == 1024);
    says(0, TN_TOPIC_BREAKEVEN,
         "At T = 4096 a routed layer is faster than a dense one below ρ* = 0.75 (by quartiles ");
    says(0, TN_TOPIC_RECALL,
         "trained at distance 62 and tried at 8190, takes 6.4 % (quartiles 5 … 7) of attention's time "
         "and 20 % of its energy; it answers 100 % right with 0.003 % of the rows routed.");
    says(0, TN_TOPIC_DECODE,
         "context of 262144 (D = 64) takes 4 % (quartiles 2.5 … 5) of attention's time and 5 % of its "
         "energy.");
    says(0, TN_TOPIC_STEP, "takes 50 % of a dense step's time and 50 % of its energy.");
    says(0, TN_TOPIC_CEILINGS,
         "40 % of the device's measured ceilings (median of 3, quartiles 21.5 … 50); weakest: gelu "
         "forward at 3 %, where a call takes 0.02 ms.");
    drop();
}
END_TEST

/* No number where no row has one, and what there is stays. */
START_TEST(what_is_missing) {
    row("cost.csv", "X", " level=op op=gemm pass=nn shape=M=1 roofline_pct=60 wall_ms=1");
    row("cost.csv", "X",
        " level=layer pass=forward mixer=routed schedule=compacted B=1 T=4096 D=64 rho=0.01 status=timeout "
        "reason=late");
    row("cost.csv", "X",
        " level=decode op=mixer pass=token mixer=routed B=1 D=64 context=1024 contexts=equal rho=0.01 "
        "wall_ms=1");
    study("X", "unmeasured", "0.4");
    make();
    says(0, TN_TOPIC_PAYS, "not measured");
    says(0, TN_TOPIC_BREAKEVEN, "not measured");
    says(0, TN_TOPIC_DECODE, "not measured");
    says(0, TN_TOPIC_STEP, "not measured");
    says(0, TN_TOPIC_RECALL, "of attention's time; its energy was not measured");
    says(0, TN_TOPIC_RECALL, "40 % right");
    says(0, TN_TOPIC_RECALL, "has not learned the task well");
    for (int topic = 0; topic < TN_TOPICS; topic++) {
        const tn_finding *f = &found.items[0].findings[topic];
        ck_assert_msg(!strstr(f->sentence, "nan") && !strstr(f->figure, "nan") && !strstr(f->detail, "nan"),
                      "%s | %s", f->sentence, f->detail);
        ck_assert(f->measured || strcmp(f->figure, "not measured") == 0);
        ck_assert(f->measured || isnan(f->value));
    }
    json_t *root = tn_verdicts_json(&found);
    char *text = json_dumps(root, 0);
    json_decref(root);
    ck_assert(text && !strstr(text, "nan"));
    free(text);
    drop();
}
END_TEST

START_TEST(slower_and_unsure) {
    layer("X", 256, 0.01, 0.5, 2);
    layer("X", 1024, 0.01, 1.02, 2); /* quartiles hold 1 */
    make();
    says(0, TN_TOPIC_PAYS, "pays at no length measured, up to T = 1024: 1.02 times as fast");
    says(0, TN_TOPIC_BREAKEVEN, "not measured"); /* of one fraction nothing follows */
    tn_verdicts_free(&found);
    tn_inputs_free(&in);
    layer("X", 1024, 0.5, 1.2, 2);
    make();
    says(0, TN_TOPIC_BREAKEVEN,
         "At T = 1024 a routed layer is faster than a dense one at every fraction measured, up to ρ = 0.5");
    drop();
}
END_TEST

static void print_into(char *text, size_t size, tn_table_format format) {
    FILE *file = fmemopen(text, size, "w");
    ck_assert_ptr_nonnull(file);
    ck_assert_int_eq(tn_verdicts_print(&found, file, format), TN_OK);
    ck_assert_int_eq(fclose(file), 0);
}

START_TEST(several_devices) {
    static char text[16384];
    bool sure;
    layer("Fast", 4096, 0.01, 4, 1);
    layer("Slow", 4096, 0.01, 8, 5);
    layer("Other", 1024, 0.01, 9, 0.1); /* another shape: not compared */
    row("cost.csv", "Fast",
        " level=model op=model pass=step mixer=routed B=32 T=128 D=64 rho=0.0156 wall_ms=10 dense_ratio=2 "
        "energy_j=9");
    row("cost.csv", "Slow",
        " level=model op=model pass=step mixer=routed B=32 T=128 D=64 rho=0.0156 wall_ms=20 dense_ratio=2 "
        "energy_j=3");
    study("Slow", "unmeasured", "1");
    make();
    ck_assert_uint_eq(found.count, 3);
    ck_assert_int_eq(tn_verdicts_best(&found, TN_WORK_LAYER, false, &sure), 0);
    ck_assert(sure);
    ck_assert_int_eq(tn_verdicts_best(&found, TN_WORK_STEP, false, &sure), 0);
    ck_assert_int_eq(tn_verdicts_best(&found, TN_WORK_STEP, true, &sure), 1);
    ck_assert_int_eq(tn_verdicts_best(&found, TN_WORK_RECALL, false, &sure), -1); /* one device alone */
    ck_assert_int_eq(tn_verdicts_best(&found, TN_WORK_DECODE, false, &sure), -1);
    print_into(text, sizeof text, TN_TABLE_MARKDOWN);
    const char *const wanted[] = {"| Fast",
                                  "1 *",
                                  "0.1 (another shape)",
                                  "9 ",
                                  "3 *",
                                  "not measured",
                                  "- For a routed layer (T = 4096, B = 1, D = 64, 1 in 100 routed) take "
                                  "Fast: 1 ms; by energy: not measured",
                                  "- For a training step (T = 128, B = 32, D = 64, 1 in 64 routed) take "
                                  "Fast: 10 ms; by energy Slow: 3 J.",
                                  "**On Other:**"};
    for (size_t i = 0; i < sizeof wanted / sizeof wanted[0]; i++)
        ck_assert_msg(strstr(text, wanted[i]) != NULL, "\"%s\" is not in:\n%s", wanted[i], text);
    ck_assert(!strstr(text, "For the recall model") && !strstr(text, "nan"));
    says(1, TN_TOPIC_RECALL, "6.4 %");
    says(0, TN_TOPIC_RECALL, "not measured"); /* the run is the other device's */
    drop();
}
END_TEST

int main(void) {
    Suite *suite = suite_create("verdict");
    TCase *tests = tcase_create("verdict");
    tcase_add_checked_fixture(tests, test_folder_make, test_folder_remove);
    tcase_add_test(tests, every_sentence);
    tcase_add_test(tests, what_is_missing);
    tcase_add_test(tests, slower_and_unsure);
    tcase_add_test(tests, several_devices);
    suite_add_tcase(suite, tests);
    return tn_test_main(suite);
}
