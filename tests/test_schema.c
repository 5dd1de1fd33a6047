/* docs/schema.md has a row for every column and field that the program writes. */
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "bits_table.h"
#include "cost_columns.h"
#include "file.h"
#include "metrics.h"
#include "routes.h"
#include "rows.h"
#include "run_summary.h"
#include "study_rows.h"
#include "suite.h"

static tn_context ctx;
static char *schema;

/* `name` stands in the first cell of a row, alone or in a list; after the heading `under`. */
static bool is_explained(const char *under, const char *name) {
    const char *at = strstr(schema, under);
    ck_assert_ptr_nonnull(at);
    const char *end = strstr(at, "\n## ");
    for (; (at = strstr(at, "\n| ")) != NULL && (!end || at < end); at++) {
        const char *cell = at + 3, *stop = strchr(cell, '|');
        for (const char *found = cell; (found = strstr(found, name)) != NULL && found < stop; found++) {
            char before = found[-1], after = found[strlen(name)];
            if (before == ' ' && (after == ' ' || after == ','))
                return true;
        }
    }
    return false;
}

static void explained(const char *under, char *header) {
    for (char *name = strtok(header, ",\r\n"); name; name = strtok(NULL, ",\r\n"))
        ck_assert_msg(is_explained(under, name), "docs/schema.md does not explain '%s' under '%s'", name,
                      under);
}

START_TEST(test_cost_rows) {
    char *header = NULL;
    size_t size = 0;
    FILE *stream = open_memstream(&header, &size);
    tn_rows_header(stream);
    fclose(stream);
    explained("## Cost rows", header);
    free(header);
}
END_TEST

/* The sentence between `begin` and `end` names the columns of these uses, and no others. */
static void names_exactly(const char *begin, const char *end, unsigned uses) {
    const char *at = strstr(schema, begin), *stop = at ? strstr(at, end) : NULL;
    ck_assert_msg(stop != NULL, "docs/schema.md has no '%s … %s'", begin, end);
    at += strlen(begin);
    char *words = strndup(at, (size_t)(stop - at)), *rest = words;
    bool named[TN_COLUMNS] = {false};
    for (char *word; (word = strtok_r(rest, " ,\n", &rest)) != NULL;)
        for (int i = 0; i < TN_COLUMNS; i++)
            named[i] = named[i] || strcmp(word, tn_cost_columns[i].name) == 0;
    for (int i = 0; i < TN_COLUMNS; i++)
        ck_assert_msg(named[i] == ((tn_cost_columns[i].uses & uses) != 0), "'%s' of '%s'",
                      tn_cost_columns[i].name, begin);
    free(words);
}

START_TEST(test_identity) {
    names_exactly("It names its row by the\ncolumns", "of the cost row", TN_COL_SAMPLES);
    names_exactly("is refused. The columns", "are those of the cost rows", TN_COL_DEVICE | TN_COL_WORK);
}
END_TEST

START_TEST(test_metrics) {
    tn_metrics m;
    ck_assert_int_eq(tn_metrics_make(&ctx, &m), TN_OK);
    explained("## `metrics.csv`", m.text);
    tn_metrics_free(&m);
}
END_TEST

START_TEST(test_summary) {
    char *text = NULL;
    size_t size = 0;
    tn_run_summary s = {0};
    tn_task_config task = {0};
    s.config.task = task;
    s.model.layers = 1;
    FILE *stream = open_memstream(&text, &size);
    ck_assert_int_eq(tn_run_summary_write(&ctx, &s, stream), TN_OK);
    fclose(stream);
    json_t *root = json_loads(text, 0, NULL);
    ck_assert_ptr_nonnull(root);
    const char *name;
    json_t *value;
    json_object_foreach(root, name, value)
        ck_assert_msg(is_explained("## `summary.json`", name), "docs/schema.md does not explain '%s'", name);
    json_decref(root);
    free(text);
}
END_TEST

/* A column of study.csv is one of summary.json or stands in the table of the others. */
START_TEST(test_study) {
    int count = 0;
    for (; tn_study_columns[count]; count++)
        ck_assert_msg(is_explained("## `summary.json`", tn_study_columns[count]) ||
                          is_explained("## Further columns of `study.csv`", tn_study_columns[count]),
                      "docs/schema.md does not explain column '%s' of study.csv", tn_study_columns[count]);
    ck_assert_int_eq(count, TN_STUDY_COLUMNS);
}
END_TEST

START_TEST(test_bits) {
    for (int i = 0; tn_bits_columns[i]; i++)
        ck_assert_msg(is_explained("## `bits.csv`", tn_bits_columns[i]),
                      "docs/schema.md does not explain column '%s' of bits.csv", tn_bits_columns[i]);
    for (int i = 0; i < TN_TEXT_KINDS; i++) {
        char name[40];
        snprintf(name, sizeof name, "`%s`", tn_text_kind_names[i]);
        ck_assert_msg(is_explained("## `bits.csv`", name), "docs/schema.md does not explain the kind %s",
                      name);
    }
}
END_TEST

START_TEST(test_routes) {
    char header[100];
    snprintf(header, sizeof header, "%s", tn_routes_header);
    explained("## `routes.csv`", header);
}
END_TEST

int main(void) {
    size_t size;
    if (tn_file_read(&ctx, TN_SCHEMA_FILE, &schema, &size) != TN_OK) {
        fprintf(stderr, "%s\n", ctx.message);
        return EXIT_FAILURE;
    }
    Suite *suite = suite_create("schema");
    TCase *tests = tcase_create("all");
    tcase_add_test(tests, test_cost_rows);
    tcase_add_test(tests, test_identity);
    tcase_add_test(tests, test_metrics);
    tcase_add_test(tests, test_summary);
    tcase_add_test(tests, test_study);
    tcase_add_test(tests, test_bits);
    tcase_add_test(tests, test_routes);
    suite_add_tcase(suite, tests);
    int failed = tn_test_main(suite);
    tn_free(&ctx, schema);
    return failed;
}
