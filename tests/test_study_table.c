/* study.md from a fixed study.csv: medians, every seed, what failed. */
#include "file.h"
#include "csv_read.h"
#include "study_table.h"
#include "suite.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static tn_context ctx;
static char path[] = "study_table_XXXXXX";
static char *text;

static const char head[] =
    "part,name,task,distance,trained_distance,mixer,routing,curriculum,seed,accuracy,attention_pct,floor_pct,"
    "regret,energy_saved_pct,steps_to_999,train_s,status,reason\n";

/* The Markdown of header and rows. */
static void print(const char *rows) {
    tn_csv t;
    size_t size;
    FILE *file = fopen(path, "wb");
    ck_assert_ptr_nonnull(file);
    fprintf(file, "%s%s", head, rows);
    fclose(file);
    ck_assert_msg(tn_csv_read(&ctx, path, &t) == TN_OK, "%s", ctx.message);
    free(text);
    FILE *stream = open_memstream(&text, &size);
    ck_assert_msg(tn_study_table_print(&t, stream) == TN_OK, "%s", ctx.message);
    fclose(stream);
    tn_csv_free(&t);
    ck_assert_int_eq(ctx.live, 0);
}

/* A line of the output that begins with `key` as its first cell, blanks squeezed, below `heading`. */
static const char *line_of(const char *heading, const char *key) {
    static char line[2000];
    char want[100];
    const char *at = strstr(text, heading);
    ck_assert_msg(at != NULL, "no heading '%s' in:\n%s", heading, text);
    snprintf(want, sizeof want, "| %s |", key);
    while ((at = strchr(at, '\n')) != NULL && strncmp(at + 1, "## ", 3) != 0) {
        size_t used = 0;
        for (at++; *at && *at != '\n' && used + 1 < sizeof line; at++)
            if (*at != ' ' || used == 0 || line[used - 1] != ' ')
                line[used++] = *at;
        line[used] = '\0';
        if (strncmp(line, want, strlen(want)) == 0)
            return line;
    }
    ck_abort_msg("no line '%s' below '%s' in:\n%s", key, heading, text);
    return "";
}

START_TEST(seeds_and_medians) {
    print("seed,a,recall,126,126,conv,,,1,0.014,0,0.2,,unmeasured,,10,ok,\n"
          "seed,b,recall,126,126,attention,,,1,1,100,0.2,,unmeasured,90,20,ok,\n"
          "seed,c,recall,126,126,routed,threshold,true,1,0.9999,0.24,0.2,1.2,unmeasured,300,40,ok,\n"
          "seed,d,recall,126,126,routed,threshold,false,1,0.015,0.02,0.2,0.1,unmeasured,,40,ok,\n"
          "seed,e,recall,126,126,routed,threshold,true,2,0.5,0.4,0.2,2,unmeasured,,41,ok,\n"
          "seed,f,recall,126,126,routed,threshold,true,3,0.9,0.3,0.2,1.5,unmeasured,500,43,ok,\n"
          "seed,g,recall,126,126,random:0.0024,,,1,0.02,0.25,0.2,,unmeasured,,12,ok,\n"
          "seed,h,recall,510,510,routed,threshold,true,1,0.25,0.06,0.05,1.2,12.5,,90,ok,\n");
    ck_assert_str_eq(line_of("## Recall: accuracy", "126"),
                     "| 126 | 1.40 | 100.00 | 90.00 (99.99, 50.00, 90.00) | 1.50 | 2.00 | – | – |");
    ck_assert_str_eq(line_of("## Recall: accuracy", "510"), "| 510 | – | – | 25.00 | – | – | – | – |");
    /* of the routed runs with their curriculum alone; the floor is the same for all seeds */
    const char *line = line_of("## Recall: what the router learnt", "126");
    ck_assert_msg(strncmp(line, "| 126 | 0.3 (0.24, 0.4, 0.3) | 0.2 | 1.50 (1.20, 2.00, 1.50) |", 60) == 0,
                  "%s", line);
    ck_assert(strstr(line, "unmeasured")); /* a word stays a word */
    ck_assert(strstr(line_of("## Recall: what the router learnt", "510"), "| 12.5 |"));
    line = line_of("## Recall: what learning to route costs", "126");
    ck_assert_msg(strstr(line, "| 41 (40, 41, 43) |") && strstr(line, "| 20 |") &&
                      strstr(line, "| 400 (300, 500) |"),
                  "%s", line); /* seed 2 never got there */
    ck_assert(!strstr(text, "Rows without numbers") && !strstr(text, "## Text"));
}
END_TEST

START_TEST(failures_are_told_and_not_counted) {
    print("seed,a,recall,126,126,conv,,,1,0.01,0,0.2,,unmeasured,,10,ok,\n"
          "seed,b,recall,126,126,conv,,,2,0.99,0,0.2,,unmeasured,,10,error,\"out of memory, twice\"\n"
          "far,c,recall,510,126,routed,threshold,true,1,1,0.06,0.05,1.2,unmeasured,,10,ok,\n");
    ck_assert(strstr(line_of("## Recall: accuracy", "126"), "| 126 | 1.00 |"));
    ck_assert(strstr(text, "- b, error: out of memory, twice\n"));
    ck_assert(strncmp(line_of("## Far beyond", "126"), "| 126 | 510 |", 13) == 0);
    print("");
    ck_assert(!strstr(text, "##"));
}
END_TEST

/* Where 0 lies between the quartiles of a run nothing is told; the median keeps its value. */
START_TEST(savings_that_are_told) {
    tn_csv t;
    size_t size;
    FILE *file = fopen(path, "wb");
    fputs("part,name,task,distance,trained_distance,mixer,routing,curriculum,seed,accuracy,attention_pct,"
          "time_saved_pct,"
          "time_saved_pct_q1,time_saved_pct_q3,status,reason,window\n"
          "far,a,recall,510,126,routed,threshold,TRUE,1,1,0.06,3,-1,5,ok,,\n"
          "far,b,recall,510,126,routed,threshold,TRUE,2,1,0.06,7,5,9,ok,,\n"
          "far,c,recall,1022,126,routed,threshold,TRUE,1,1,0.06,3,-1,5,ok,,\n"
          "text,d,text,,,attention,,,1,1,100,-5,-6,-4,ok,,\n"
          "text,e,text,,,attention,,,1,1,100,-6.5,-7,-6,ok,,32\n"
          "text,f,text,,,attention,,,2,1,100,-8.5,-9,-8,ok,,32\n"
          "text,g,text,,,attention,,,1,1,100,-9.5,-10,-9,ok,,64\n",
          file);
    fclose(file);
    ck_assert_msg(tn_csv_read(&ctx, path, &t) == TN_OK, "%s", ctx.message);
    free(text);
    FILE *stream = open_memstream(&text, &size);
    ck_assert_int_eq(tn_study_table_print(&t, stream), TN_OK);
    fclose(stream);
    tn_csv_free(&t);
    ck_assert_ptr_nonnull(strstr(line_of("## Far beyond", "126"), "| 5.0 (n/a, 7.0) |"));
    ck_assert_ptr_null(strstr(text, "3.0"));
    ck_assert_ptr_null(strstr(text, "-5.0"));
    ck_assert_ptr_nonnull(strstr(line_of("## Text", "attention"), "| n/a |"));
    /* with a window it is another model, which is held against attention without */
    ck_assert_ptr_nonnull(strstr(line_of("## Text", "attention, window 32"), "| -7.5 (-6.5, -8.5) |"));
    ck_assert_ptr_nonnull(strstr(line_of("## Text", "attention, window 64"), "| -9.5 |"));
}
END_TEST

START_TEST(a_file_and_what_is_none) {
    char *bytes;
    size_t size;
    print("seed,a,recall,126,126,conv,,,1,0.014,0,0.2,,unmeasured,,10,ok,\n");
    ck_assert_int_eq(tn_study_table_save(&ctx, path, "study_table.md"), TN_OK);
    ck_assert_int_eq(tn_file_read(&ctx, "study_table.md", &bytes, &size), TN_OK);
    ck_assert_str_eq(bytes, text);
    tn_free(&ctx, bytes);
    unlink("study_table.md");
    FILE *file = fopen(path, "wb");
    fputs("a,b\n1,2\n", file);
    fclose(file);
    ck_assert_int_eq(tn_study_table_save(&ctx, path, "study_table.md"), TN_ERR_INPUT);
    ck_assert(!tn_file_exists("study_table.md"));
    ck_assert_int_eq(ctx.live, 0);
}
END_TEST

static void setup(void) {
    memcpy(path + sizeof path - 7, "XXXXXX", 6);
    close(mkstemp(path));
}

static void teardown(void) {
    unlink(path);
    free(text);
    text = NULL;
}

int main(void) {
    Suite *suite = suite_create("study_table");
    TCase *tests = tcase_create("all");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, seeds_and_medians);
    tcase_add_test(tests, failures_are_told_and_not_counted);
    tcase_add_test(tests, savings_that_are_told);
    tcase_add_test(tests, a_file_and_what_is_none);
    suite_add_tcase(suite, tests);
    return tn_test_main(suite);
}
