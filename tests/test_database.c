/* Results kept in SQLite: what went in comes out, twice is once, and what cannot be stored is not stored by
 * half. */
#include "csv_text.h"
#include "database.h"
#include "folder.h"
#include "inputs.h"
#include "program.h"
#include "report_data.h"
#include "suite.h"

#include <sqlite3.h>
#include <sys/stat.h>
#include <unistd.h>

#define MACHINES TN_TEST_SOURCE "/machines.py"
static tn_context ctx;

static void make_folder(void) {
    ctx = (tn_context){.quiet = true};
    test_folder_enter();
}

static void remove_folder(void) {
    test_folder_leave();
    ck_assert_int_eq(ctx.live, 0);
}

static void shell(const char *line) {
    ck_assert_msg(system(line) == 0, "%s", line);
}

/* The first value of a query. */
static long asked(const char *path, const char *sql) {
    sqlite3 *db;
    sqlite3_stmt *statement;
    ck_assert_int_eq(sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE, NULL), SQLITE_OK);
    ck_assert_msg(sqlite3_prepare_v2(db, sql, -1, &statement, NULL) == SQLITE_OK, "%s: %s", sql,
                  sqlite3_errmsg(db));
    ck_assert_int_eq(sqlite3_step(statement), SQLITE_ROW);
    long value = (long)sqlite3_column_int64(statement, 0);
    sqlite3_finalize(statement);
    sqlite3_close(db);
    return value;
}

static json_t *data_of(const char *const *paths, size_t count) {
    tn_inputs in;
    json_t *data;
    ck_assert_msg(tn_inputs_read(&ctx, paths, count, &in) == TN_OK, "%s", ctx.message);
    ck_assert_msg(tn_report_data(&in, &data) == TN_OK, "%s", ctx.message);
    tn_inputs_free(&in);
    json_object_del(data, "written");
    return data;
}

static void store(const char *const *paths, size_t count, tn_database_count *out) {
    tn_inputs in;
    ck_assert_msg(tn_inputs_gather(&ctx, paths, count, &in) == TN_OK, "%s", ctx.message);
    ck_assert_msg(tn_database_store(&ctx, "r.db", &in, out) == TN_OK, "%s", ctx.message);
    tn_inputs_free(&in);
}

static void same_data(const char *const *paths, size_t count) {
    static const char *const database[] = {"r.db"};
    json_t *files = data_of(paths, count), *kept = data_of(database, 1);
    const char *name;
    json_t *value;
    json_object_foreach(files, name, value)
        ck_assert_msg(json_equal(value, json_object_get(kept, name)), "%s is another", name);
    json_decref(files);
    json_decref(kept);
}

static const char *const everything[] = {TN_TEST_DATA "/demo",       TN_TEST_DATA "/decode.csv",
                                         TN_TEST_DATA "/energy.csv", TN_TEST_DATA "/study.csv",
                                         TN_TEST_DATA "/text",       TN_TEST_DATA "/bits.csv"};

START_TEST(test_same_report) {
    tn_database_count count;
    store(everything, 6, &count);
    ck_assert_uint_gt(count.rows, 100);
    ck_assert_uint_gt(count.runs, 3);
    same_data(everything, 6);
}
END_TEST

/* Damaged rows and rows that are not ok are kept with the rest, and said of again. */
START_TEST(test_damaged_rows) {
    static const char *const paths[] = {"bad.csv"};
    tn_database_count count;
    shell("sed -e '3s/,ok,/,OK,/' -e '5s/,ok,,/,timeout,late,/' " TN_TEST_DATA "/decode.csv > bad.csv");
    store(paths, 1, &count);
    same_data(paths, 1);
    ck_assert_int_eq(asked("r.db", "SELECT count(*) FROM cost WHERE status = 'timeout' AND NOT used"), 1);
}
END_TEST

START_TEST(test_again) {
    static const char *const grown[] = {"a.csv"}, *const other[] = {"moved.csv"};
    tn_database_count count;
    store(everything, 6, &count);
    shell("cp r.db before.db");
    store(everything, 6, &count);
    ck_assert_uint_eq(count.rows + count.runs + count.rows_other, 0);
    ck_assert_uint_gt(count.rows_known, 100);
    shell("cmp r.db before.db && rm r.db");
    shell("head -20 " TN_TEST_DATA "/decode.csv > a.csv");
    store(grown, 1, &count);
    ck_assert_uint_eq(count.rows, 19);
    shell("cp " TN_TEST_DATA "/decode.csv moved.csv"); /* by another name, and longer */
    store(other, 1, &count);
    ck_assert_uint_eq(count.rows_known, 19);
    ck_assert_int_eq(asked("r.db", "SELECT count(*) FROM files"), 1);
    shell("sed 's/,[0-9.]*,\\([0-9.]*,[0-9.]*,1,\\)/,7.5,\\1/' moved.csv > changed.csv; ! cmp -s moved.csv "
          "changed.csv");
    program_gives(0, "report changed.csv --sqlite r.db",
                  "are there already with other cells, and stay as they are");
}
END_TEST

START_TEST(test_parts) {
    shell("python3 " MACHINES " m 3");
    program_gives(0, "report m --sqlite r.db", "1500 rows and 0 runs are new");
    program_gives(0, "report m --sqlite r.db -o both.html -q", "");
    ck_assert_int_eq(asked("r.db", "SELECT count(*) FROM devices"), 3);
    program_gives(0, "report 'r.db?device=borealis' --table", "Borealis B20");
    ck_assert_ptr_null(strstr(program_output, "Cinder"));
    program_gives(0, "report 'r.db?host=node-002&version=0.2.0' --table", "Cinder C30");
    program_gives(0, "compare 'r.db?host=node-001' m/cost-node-001.csv -o x.csv", "0 slower, 0 faster",
                  "what it is held against is itself");
    program_gives(0, "compare --across device r.db -o x.csv", "500 works on 3 devices");
    program_gives(2, "report 'r.db?device=zz' --table",
                  "chooses no row; the devices in it are Borealis B20, Cinder C30");
    program_gives(2, "report 'r.db?card=A' --table", "stand device=TEXT");
    program_gives(2, "report 'r.db?' --table", "stand device=TEXT");
    program_gives(2, "report 'r.db?host=a&host=b' --table", "each once at most");
    program_gives(2, "compare r.db r.db -o r.db", "r.db");
}
END_TEST

/* ---- what cannot be ---- */

START_TEST(test_refuses) {
    shell("python3 " MACHINES " m 1; echo hello > text.db; printf 'SQLite format 3\\0broken' > broken.db");
    program_gives(2, "report m --sqlite text.db", "text.db is no SQLite database");
    shell("test \"$(cat text.db)\" = hello");
    program_gives(2, "report text.db -o r.html", "text.db is no SQLite database");
    program_gives(2, "compare text.db m", "text.db is no SQLite database");
    program_gives(2, "report broken.db -o r.html", "broken.db is no SQLite database");
    program_gives(2, "report none.db -o r.html", "there is no file none.db");
    program_gives(2, "report m --sqlite no/such/r.db", "no/such/r.db");
    program_gives(2, "report m --sqlite m", "m");
    program_gives(2, "report m --sqlite -", "stdout");
    program_gives(2, "report nothing.csv --sqlite new.db", "nothing.csv");
    ck_assert_int_ne(access("new.db", F_OK), 0);
    program_gives(2, "report m --sqlite x.db -o x.db", "x.db");
    shell("trap '' XFSZ; ulimit -f 200; " TURNOUT_PROGRAM
          " report m --sqlite large.db >words 2>&1; test $? = 3 && grep -q 'nothing was stored' words && ! "
          "test -e "
          "large.db");
    shell("mkfifo pipe pipe.db");
    program_gives(2, "report pipe -o r.html", "pipe");
    program_gives(2, "report pipe.db -o r.html", "pipe.db is no regular file");
    program_gives(2, "report m --sqlite pipe.db", "pipe.db is no regular file");
    shell(": > empty.db");
    program_gives(2, "report empty.db -o r.html", "empty.db is empty");
    program_gives(0, "report m --sqlite empty.db", "500 rows and 0 runs are new");
    program_gives(0, "report m --sqlite :memory:", "500 rows and 0 runs are new");
    ck_assert_int_eq(access(":memory:", F_OK), 0);
}
END_TEST

static void run_sql(const char *path, const char *sql) {
    sqlite3 *db;
    ck_assert_int_eq(sqlite3_open(path, &db), SQLITE_OK);
    ck_assert_int_eq(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
}

START_TEST(test_other_schema) {
    shell("python3 " MACHINES " m 1");
    run_sql("other.db", "CREATE TABLE t (x)");
    program_gives(2, "report m --sqlite other.db", "is the database of another program");
    program_gives(2, "report other.db -o r.html", "is the database of another program");
    ck_assert_int_eq(asked("other.db", "SELECT count(*) FROM sqlite_master"), 1);
    program_gives(0, "report m --sqlite r.db", "500 rows");
    /* of a version that lacked a column: it is added, and the view shows it */
    run_sql("r.db", "DROP VIEW cost; ALTER TABLE measurements DROP COLUMN tokens_per_s");
    program_gives(0, "report m --sqlite r.db", "0 rows and 0 runs are new");
    ck_assert_int_eq(
        asked("r.db", "SELECT count(*) FROM cost WHERE tokens_per_s IS NULL AND work LIKE 'op|gelu|%'"), 16);
    run_sql("r.db", "PRAGMA user_version = 2");
    program_gives(2, "report m --sqlite r.db", "has schema 2, and this version of turnout knows 1");
    program_gives(2, "report r.db -o r.html", "has schema 2");
}
END_TEST

START_TEST(test_locked) {
    sqlite3 *db;
    int status;
    shell("python3 " MACHINES " m 1");
    program_gives(0, "report m --sqlite r.db", "500 rows");
    ck_assert_int_eq(sqlite3_open("r.db", &db), SQLITE_OK);
    ck_assert_int_eq(sqlite3_exec(db, "BEGIN EXCLUSIVE", NULL, NULL, NULL), SQLITE_OK);
    pid_t one = program_start("report m --sqlite r.db", "one"), two = program_start("compare r.db m", "two");
    ck_assert(waitpid(one, &status, 0) == one && WEXITSTATUS(status) == 2);
    ck_assert(waitpid(two, &status, 0) == two && WEXITSTATUS(status) == 2);
    shell(
        "grep -q 'r.db is locked by another program' one && grep -q 'r.db is locked by another program' two");
    sqlite3_close(db);
}
END_TEST

/* As another user where the test runs as root, whom nothing stops. */
START_TEST(test_read_only) {
    char line[600];
    const char *as = geteuid() == 0 ? "setpriv --reuid=65534 --regid=65534 --clear-groups " : "";
    shell("python3 " MACHINES " m 1");
    program_gives(0, "report m --sqlite r.db", "500 rows");
    shell("chmod -R a+rX . && chmod 444 r.db && cp r.db before.db");
    snprintf(line, sizeof line, "%stest -x %s", as, TURNOUT_PROGRAM);
    if (system(line) != 0)
        return; /* the build's folder is closed to others */
    snprintf(
        line, sizeof line,
        "%s%s report m --sqlite r.db >words 2>&1; test $? = 2 && grep -q 'r.db' words && cmp r.db before.db",
        as, TURNOUT_PROGRAM);
    shell(line);
    snprintf(line, sizeof line, "%s%s report 'r.db?host=node' --table -q >words 2>&1", as,
             TURNOUT_PROGRAM); /* reading needs no more */
    shell(line);
}
END_TEST

/* Two at once wait for each other; one that is killed leaves all or nothing. */
START_TEST(test_several_writers) {
    int status;
    shell("python3 " MACHINES " m 3");
    pid_t one = program_start("report m --sqlite r.db", "one"),
          two = program_start("report m --sqlite r.db", "two");
    ck_assert(waitpid(one, &status, 0) == one && status == 0);
    ck_assert(waitpid(two, &status, 0) == two && status == 0);
    ck_assert_int_eq(asked("r.db", "SELECT count(*) FROM measurements"), 1500);
    for (unsigned ms = 20; ms < 180; ms += 60) {
        unlink("k.db");
        unlink("k.db-journal");
        (void)program_signal("report m --sqlite k.db", SIGKILL, ms);
        struct stat info;
        if (stat("k.db", &info) == 0 && info.st_size > 0)
            ck_assert_int_eq(asked("k.db", "SELECT count(*) FROM sqlite_master")
                                 ? asked("k.db", "SELECT count(*) FROM measurements") % 1500
                                 : 0,
                             0);
        program_gives(0, "report m --sqlite k.db", "rows");
        ck_assert_int_eq(asked("k.db", "SELECT count(*) FROM measurements"), 1500);
    }
}
END_TEST

/* ---- the queries of docs/schema.md ---- */

/* The n-th ```sql block. */
static void query(int n, char *sql, size_t size) {
    char line[400];
    size_t used = 0;
    FILE *file = fopen(TN_SCHEMA_FILE, "r");
    bool in = false;
    ck_assert_ptr_nonnull(file);
    *sql = '\0';
    while (fgets(line, sizeof line, file)) {
        if (strcmp(line, "```\n") == 0)
            in = false;
        if (in)
            used += (size_t)snprintf(sql + used, size - used, "%s", line);
        if (strcmp(line, "```sql\n") == 0)
            in = n-- == 0;
    }
    fclose(file);
    ck_assert_msg(used > 0, "docs/schema.md has too few queries");
}

/* Rows of the query as lines, "a|b|c". */
static void answer(int n, char *out, size_t size) {
    char sql[2000];
    sqlite3 *db;
    sqlite3_stmt *statement;
    size_t used = 0;
    query(n, sql, sizeof sql);
    ck_assert_int_eq(sqlite3_open("r.db", &db), SQLITE_OK);
    ck_assert_msg(sqlite3_prepare_v2(db, sql, -1, &statement, NULL) == SQLITE_OK, "%s: %s", sql,
                  sqlite3_errmsg(db));
    *out = '\0';
    while (sqlite3_step(statement) == SQLITE_ROW && used < size) {
        for (int c = 0; c < sqlite3_column_count(statement); c++)
            used += (size_t)snprintf(out + used, size - used, "%s%s", c ? "|" : "",
                                     (const char *)sqlite3_column_text(statement, c));
        used += (size_t)snprintf(out + used, size - used, "\n");
    }
    sqlite3_finalize(statement);
    sqlite3_close(db);
}

static void write_query_rows(const char *version, int day, double gelu, double layer) {
    char name[64];
    FILE *csv;
    snprintf(name, sizeof name, "cost-%s.csv", version);
    csv = fopen(name, "w");
    ck_assert_ptr_nonnull(csv);
    fputs("schema,version,utc,host,cpu,platform,device,driver,kind,compute_units,pci,level,op,pass,mixer,B,T,"
          "D,H,Dh,K,rho,"
          "schedule,status,reason,n,wall_ms,wall_ms_q1,wall_ms_q3,event_ms,event_ok,flops,bytes,gflops,gbs,"
          "roofline_pct,"
          "energy_j,energy_source,seed,shape,selector\n",
          csv);
    for (int device = 0; device < 2; device++) {
        const char *card = device ? "Card B,1,gpu,8,01" : "Card A,1,gpu,8,02";
        double slow = device ? 2 : 1;
        fprintf(csv,
                "turnout-cost-1,%s,2026-01-%02dT00:00:0%dZ,h,,P,%s,op,gelu,forward,,,,,,,,,,ok,,9,%g,%g,%g,,,"
                ",,,,,,,1,N=4096,0:%d\n",
                version, day, device, card, gelu * slow, gelu * slow * 0.99, gelu * slow * 1.01, device);
        fprintf(csv,
                "turnout-cost-1,%s,2026-01-%02dT00:00:0%dZ,h,,P,%s,layer,mixer,forward,routed,1,4096,256,4,"
                "64,4,0.01,compacted,ok,,9,%g,%g,%g,,,,,,,,,,1,,0:%d\n",
                version, day, device, card, layer / slow, layer / slow * 0.99, layer / slow * 1.01, device);
    }
    fclose(csv);
}

START_TEST(test_queries) {
    char rows[2000];
    write_query_rows("0.2.0", 1, 1, 8);
    write_query_rows("0.3.0", 2, 1.02, 8.4);
    write_query_rows("0.4.0", 3, 1.4, 8.3);
    program_gives(0, "report cost-0.2.0.csv cost-0.3.0.csv cost-0.4.0.csv --sqlite r.db",
                  "12 rows and 0 runs are new");
    answer(0, rows, sizeof rows); /* the best device for a shape */
    ck_assert_msg(strncmp(rows, "Card B|h|0.2.0|4.0\nCard A|h|0.2.0|8.0\n", 38) == 0, "%s", rows);
    answer(1, rows, sizeof rows); /* the history of a device */
    ck_assert_str_eq(rows, "0.2.0|2026-01-01T00:00:00Z|1|1.0\n0.3.0|2026-01-02T00:00:00Z|1|1.02\n0.4.0|2026-"
                           "01-03T00:00:00Z|1|1.4\n");
    answer(2, rows, sizeof rows); /* what is slower since a version */
    ck_assert_ptr_nonnull(strstr(rows, "Card A|op|gelu|forward|"));
    ck_assert_ptr_nonnull(strstr(rows, "Card B|op|gelu|forward|"));
    ck_assert_ptr_nonnull(strstr(rows, "|0.4.0|1.0|1.4|1.4\n"));
    ck_assert_ptr_null(strstr(rows, "layer"));
    ck_assert_ptr_null(strstr(rows, "0.3.0"));
}
END_TEST

int main(void) {
    Suite *suite = suite_create("database");
    TCase *tests = tcase_create("all");
    tcase_set_timeout(tests, 120);
    tcase_add_checked_fixture(tests, make_folder, remove_folder);
    tcase_add_test(tests, test_same_report);
    tcase_add_test(tests, test_damaged_rows);
    tcase_add_test(tests, test_again);
    tcase_add_test(tests, test_parts);
    tcase_add_test(tests, test_refuses);
    tcase_add_test(tests, test_other_schema);
    tcase_add_test(tests, test_locked);
    tcase_add_test(tests, test_read_only);
    tcase_add_test(tests, test_several_writers);
    tcase_add_test(tests, test_queries);
    suite_add_tcase(suite, tests);
    return tn_test_main(suite);
}
