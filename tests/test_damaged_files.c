/* Cost files as spreadsheets, editors and cuts leave them, given to the program: a sentence and the right
 * exit code. */
#include "file.h"
#include "folder.h"
#include "program.h"
#include "suite.h"

#include <sys/stat.h>

static tn_context ctx;

static void make_folder(void) {
    ctx = (tn_context){.quiet = true};
    test_folder_enter();
    ck_assert_int_eq(system("cp " TN_TEST_DATA "/cost.csv good.csv"), 0);
}

static void remove_folder(void) {
    test_folder_leave();
    ck_assert_int_eq(ctx.live, 0);
}

static void write_bytes(const char *path, const char *bytes, size_t size) {
    FILE *stream = fopen(path, "wb");
    ck_assert_ptr_nonnull(stream);
    ck_assert_uint_eq(fwrite(bytes, 1, size, stream), size);
    fclose(stream);
}

/* Runs a shell line that makes bad.csv. */
static void make(const char *line) {
    ck_assert_msg(system(line) == 0, "%s", line);
}

static bool page_says(const char *words) {
    char *bytes;
    size_t size;
    ck_assert_int_eq(tn_file_read(&ctx, "page.html", &bytes, &size), TN_OK);
    bool found = strstr(bytes, words) != NULL;
    tn_free(&ctx, bytes);
    return found;
}

/* The row of line 2 with another wall_ms or status: named on stderr and on the page, and used nowhere on it.
 */
START_TEST(rows_of_a_spreadsheet) {
    static const struct {
        const char *edit, *said;
    } edits[] = {
        {"s/,0.385544,/,\"0,385544\",/", "good.csv, line 2: wall_ms '0,385544': a decimal comma"},
        {"s/,0.385544,/,nan,/", "good.csv, line 2: wall_ms 'nan': not finite"},
        {"s/,0.385544,/,-5,/", "good.csv, line 2: wall_ms '-5': not above 0"},
        {"s/,0.385544,/,0,/", "good.csv, line 2: wall_ms '0': not above 0"},
        {"s/,dense,ok,/,dense,OK,/",
         "good.csv, line 2: status 'OK': none of ok, unsupported, error, timeout"},
        {"s/,0.385544,/,385544,/", "good.csv, line 2: wall_ms '385544': not between its quartiles"},
        {"s/,348.125,/,348125,/",
         "good.csv, line 2: gflops '348125': flops / wall_ms is 348.126: one of the three"},
        {"s/,87.0313,/,870.313,/", "good.csv, line 2: roofline_pct '870.313': above what the device"},
    };
    for (size_t i = 0; i < sizeof edits / sizeof *edits; i++) {
        char line[256];
        snprintf(line, sizeof line, "cp " TN_TEST_DATA "/cost.csv good.csv && sed -i '2%s' good.csv",
                 edits[i].edit);
        make(line);
        program_gives(0, "report good.csv -o page.html", edits[i].said, "good.csv: 1 row is not used");
        ck_assert(page_says("\"line\":2,\"column\":"));
        ck_assert(page_says("\"rows_unused\":1"));
        program_gives(0, "report good.csv --table", edits[i].said);
        bool ceiling = strstr(edits[i].said, "roofline") != NULL; /* its time is a time */
        program_gives(ceiling ? 0 : 2, "compare good.csv " TN_TEST_DATA "/cost.csv",
                      ceiling ? "rows compared" : edits[i].said);
    }
    /* all of them: no page that looks as if there were something */
    make("sed 's/,ok,/,OK,/' " TN_TEST_DATA "/cost.csv > bad.csv");
    program_gives(2, "report bad.csv -o none.html", "no row of bad.csv can be used", "line 2: status 'OK'");
    ck_assert(!tn_file_exists("none.html"));
}
END_TEST

/* Nothing is lost of a file whose cells are as they were. */
START_TEST(harmless_files) {
    static const char *const makers[] = {
        "sed 's/$/\\r/' good.csv > bad.csv",                  /* CRLF */
        "(printf '\\357\\273\\277'; cat good.csv) > bad.csv", /* byte order mark */
        "sed 's/$/,,,/' good.csv > bad.csv",                  /* empty columns behind the last */
        "(head -3 good.csv; echo '# a note, mine'; tail -n +4 good.csv) > bad.csv",
        "(cat good.csv; tail -n +1 good.csv | head -1) > bad.csv", /* the header again, at the end */
        "(head -9 good.csv; head -1 good.csv; tail -n +10 good.csv) > bad.csv",
        "sed 's/Synthetic processor B/Synthetic pr\\xE9cessor B/' good.csv > bad.csv",
        "python3 -c \"import csv,sys; r=list(csv.reader(open('good.csv'))); "
        "w=csv.writer(open('bad.csv','w'),quoting=1,"
        "lineterminator='\\r\\n'); [w.writerow(x[::-1]) for x in r]\"", /* quoted everything, columns turned
                                                                           round */
    };
    for (size_t i = 0; i < sizeof makers / sizeof *makers; i++) {
        make(makers[i]);
        program_gives(0, "report bad.csv -o page.html", "wrote page.html");
        ck_assert_msg(!strstr(program_output, "not used"), "%s: %s", makers[i], program_output);
        ck_assert(!page_says("\"unused\":true"));
        program_gives(0, "report bad.csv --table", "compacted");
    }
    program_gives(0, "report good.csv good.csv -o page.html", "the same rows as good.csv: read once");
}
END_TEST

START_TEST(refused_files) {
    static const struct {
        const char *maker, *said;
    } files[] = {
        {"tr , ';' < good.csv > bad.csv", "bad.csv, line 1: semicolons stand between the cells"},
        {"tr , '\\t' < good.csv > bad.csv", "bad.csv, line 1: tabs stand between the cells"},
        {"iconv -f UTF-8 -t UTF-16 good.csv > bad.csv", "bad.csv is UTF-16"},
        {"tr '\\n' '\\r' < good.csv > bad.csv", "CR alone"},
        {"head -c 5000 good.csv > bad.csv", "the last line is cut off"},
        {"head -1 good.csv > bad.csv", "bad.csv holds a header and no rows"},
        {": > bad.csv", "bad.csv is empty"},
        {"sed '2s/,/\\x00,/' good.csv > bad.csv", "bad.csv, line 2: binary data, not CSV text (byte 0x00)"},
        {"(cat good.csv; sed 's/,seed,/,/;s/,synthetic counter,1,/,synthetic counter,/' good.csv) > bad.csv",
         "44 cells where the header names 47"},
        {"python3 -c \"import csv; r=list(csv.reader(open('good.csv'))); i=r[0].index('shape'); "
         "csv.writer(open('bad.csv','w'),lineterminator='\\n').writerows(x[:i]+x[i+1:] for x in r)\"",
         "column 'shape' was taken out"},
        {"python3 -c \"import csv; r=list(csv.reader(open('good.csv'))); i=r[0].index('wall_ms'); "
         "csv.writer(open('bad.csv','w'),lineterminator='\\n').writerows(x[:i]+x[i+1:] for x in r)\"",
         "1 column is missing: wall_ms"},
    };
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        make(files[i].maker);
        if (strstr(files[i].said, "44 cells")) /* how many of them does not matter */
            program_gives(2, "report bad.csv -o none.html", "cells where the header names");
        else
            program_gives(2, "report bad.csv -o none.html", files[i].said);
        program_gives(2, "compare bad.csv good.csv", "bad.csv");
        ck_assert(!tn_file_exists("none.html"));
    }
}
END_TEST

/* A line of 10 MB, and more rows than anybody measured. */
START_TEST(huge_files) {
    enum { LINE = 10000000, ROWS = 140000 }; /* the reader ends where the limit is, however many follow */
    char *line = malloc(LINE + 16);
    memset(line, 'x', LINE);
    memcpy(line, "schema,a\n1,", 11);
    memcpy(line + LINE, "\n", 2);
    write_bytes("bad.csv", line, LINE + 1);
    program_gives(2, "report bad.csv -o none.html",
                  "bad.csv: the cell that ends on line 2 has 9999989 bytes");
    memset(line, ',', LINE);
    write_bytes("bad.csv", line, LINE);
    program_gives(2, "report bad.csv -o none.html", "bad.csv");
    free(line);
    FILE *csv = fopen("bad.csv", "w");
    fputs("schema,version,utc,host,cpu,platform,device,driver,kind,compute_units,pci,level,op,pass,mixer,B,T,"
          "D,H,Dh,K,rho,"
          "schedule,status,reason,n,wall_ms,wall_ms_q1,wall_ms_q3,event_ms,event_ok,flops,bytes,gflops,gbs,"
          "roofline_pct,"
          "energy_j,energy_source\n",
          csv);
    for (int i = 0; i < ROWS; i++)
        fprintf(csv, "turnout-cost-1,,,h,,P,D,,cpu,,,layer,,forward,routed,1,%d,,,,,,,ok,,5,1,,,,,,,,,,,\n",
                i + 1);
    fclose(csv);
    program_gives(2, "report bad.csv -o none.html", "more than 5 million cells; split the file");
    program_gives(2, "compare bad.csv good.csv", "more than 5 million cells");
    make("head -100002 bad.csv > most.csv");
    program_gives(2, "report most.csv -o none.html", "100001 cost rows, and a page holds 100000 at most");
    /* what is allowed is read in a time that a person waits */
    make("head -20001 bad.csv > most.csv && sed 's/,ok,,5,1,/,ok,,5,1.01,/' most.csv > more.csv");
    program_gives(0, "report most.csv -o page.html", "wrote page.html");
    program_gives(0, "compare most.csv more.csv --format csv -o rows.csv -q", "");
}
END_TEST

#define SAY " >/dev/full 2>err.txt; code=$?; cat err.txt; exit $code"

/* What could not be written is said as that, with the reason, whatever the format. */
START_TEST(full_disks_and_closed_pipes) {
    static const char *const formats[] = {"text", "md", "csv", "json"};
    for (size_t i = 0; i < sizeof formats / sizeof *formats; i++) {
        char line[256];
        snprintf(line, sizeof line, "compare good.csv good.csv -q --format %s" SAY, formats[i]);
        program_gives(3, line, "cannot write to stdout: the disk is full");
        ck_assert(!strstr(program_output, "UTF-8"));
        snprintf(line, sizeof line, "report good.csv --table --format %s" SAY, formats[i]);
        program_gives(3, line, "cannot write to stdout: the disk is full");
        /* the reader is gone before the first byte: an end with a code, no crash and no wait */
        snprintf(line, sizeof line, "compare good.csv good.csv --format %s 2>err.txt | true; cat err.txt",
                 formats[i]);
        program_run("%s", line);
        ck_assert_msg(!strstr(program_output, "UTF-8") && !strstr(program_output, "Sanitizer"), "%s",
                      program_output);
    }
}
END_TEST

int main(void) {
    Suite *suite = suite_create("damaged_files");
    TCase *tests = tcase_create("all");
    tcase_set_timeout(tests, 120);
    tcase_add_checked_fixture(tests, make_folder, remove_folder);
    tcase_add_test(tests, rows_of_a_spreadsheet);
    tcase_add_test(tests, harmless_files);
    tcase_add_test(tests, refused_files);
    TCase *huge = tcase_create("huge");
    tcase_set_timeout(huge, 250);
    tcase_add_checked_fixture(huge, make_folder, remove_folder);
    tcase_add_test(huge, huge_files);
    suite_add_tcase(suite, huge);
    tcase_add_test(tests, full_disks_and_closed_pipes);
    suite_add_tcase(suite, tests);
    return tn_test_main(suite);
}
