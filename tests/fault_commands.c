#include "fault_commands.h"

#include "csv_read.h"
#include "file.h"
#include "safetensors.h"

#include <dirent.h>
#include <errno.h>
#include <jansson.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

const command commands[COMMANDS] = {
    [TRAIN] = {"train",
               "train --distance 6 --mixer routed --steps 3 --phase1 1 --batch 2 --layers 1 --width 32 "
               "--sequences 2 --seconds 0.02 --checkpoint-every 2 -q -o run",
               "run/model.safetensors", true},
    [EVAL] = {"eval", "eval trained --json --sequences 2 --seconds 0.02 -q", "stdout", false},
    [INFER] = {"infer", "infer trained --tokens tokens.safetensors --logits logits.safetensors -q",
               "logits.safetensors", false},
    [VERIFY] = {"verify", "verify --op row_gather -n 1 -q", "stdout", false},
    [BENCH] =
        {"bench",
         "bench --op row_gather --shape R=3,N=4,D=2 --seconds 0.001 -q -o rows.csv --samples rows.jsonl",
         "rows.csv", false},
    [SWEEP] = {"sweep",
               "sweep --level op,layer --op row_gather --T 16 --batch 1 --rho 0.5 --pass forward --seconds "
               "0.001 -q -o rows.csv",
               "rows.csv", true},
    [REPORT] = {"report", "report cost.csv -o report.html", "report.html", .no_device = true},
    [COMPARE] = {"compare", "compare cost.csv later.csv --format json -o compared.json", "compared.json",
                 .no_device = true},
    [DATABASE] = {"database", "report cost.csv -o report.html --sqlite results.db", "results.db",
                  .no_device = true},
    [DECODE] = {"decode", "infer trained --decode --tokens tokens.safetensors --logits logits.safetensors -q",
                "logits.safetensors", false},
};

tn_context fault_ctx = {.quiet = true};
char why[2048];
static text golden[COMMANDS]; /* results without a fault */
static text golden_metrics;   /* of the training */
static int golden_rows;       /* of the database */

bool wrong(const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(why, sizeof why, format, arguments);
    va_end(arguments);
    return false;
}

void die(const char *what) {
    fprintf(stderr, "test_faults: %s: %s\n", what, strerror(errno));
    exit(1);
}

text read_text(const char *folder, const char *name) {
    char path[1200];
    text t = {NULL, 0};
    snprintf(path, sizeof path, "%s/%s", folder, name);
    if (tn_file_exists(path) && tn_file_read(&fault_ctx, path, &t.bytes, &t.size) != TN_OK)
        die(path);
    return t;
}

void drop(text *t) {
    tn_free(&fault_ctx, t->bytes);
    *t = (text){NULL, 0};
}

static int lines_of(const text *t) {
    int lines = 0;
    for (size_t i = 0; i < t->size; i++)
        lines += t->bytes[i] == '\n';
    return lines;
}

static bool same_bytes(const text *a, const text *b) {
    return a->size == b->size && memcmp(a->bytes, b->bytes, a->size) == 0;
}

static void without_digits(text *t) {
    for (size_t i = 0; i < t->size; i++)
        if (t->bytes[i] >= '0' && t->bytes[i] <= '9')
            t->bytes[i] = '0';
}

static bool same_json(const text *a, const text *b, const char *const *names) {
    json_t *x = json_loadb(a->bytes, a->size, 0, NULL), *y = json_loadb(b->bytes, b->size, 0, NULL);
    bool same = x && y;
    for (int i = 0; same && names[i]; i++)
        same = json_object_get(x, names[i]) &&
               json_equal(json_object_get(x, names[i]), json_object_get(y, names[i]));
    json_decref(x);
    json_decref(y);
    return same;
}

/* Rows without a time have a reason; `ok` ones have a time; at least `least` are ok. */
static bool rows_right(const char *folder, int rows, int least) {
    char path[1200];
    tn_csv table;
    int ok = 0;
    snprintf(path, sizeof path, "%s/rows.csv", folder);
    if (tn_csv_read(&fault_ctx, path, &table) != TN_OK)
        return wrong("rows.csv cannot be read: %s", fault_ctx.message);
    bool right = true;
    int status = tn_csv_column(&table, "status"), reason = tn_csv_column(&table, "reason"),
        wall = tn_csv_column(&table, "wall_ms");
    if (rows >= 0 && (int)table.rows != rows)
        right = wrong("%d rows instead of %d", (int)table.rows, rows);
    for (size_t r = 0; right && r < table.rows; r++) {
        double ms;
        bool fine = strcmp(tn_csv_text(&table, r, status), "ok") == 0;
        ok += fine;
        if (fine && !(tn_csv_number(&table, r, wall, &ms) && ms > 0))
            right = wrong("row %zu is ok without a time", r);
        if (!fine && tn_csv_text(&table, r, reason)[0] == '\0')
            right = wrong("row %zu is %s without a reason", r, tn_csv_text(&table, r, status));
    }
    tn_csv_free(&table);
    return right && (ok >= least || wrong("%d rows are ok", ok));
}

/* Rows of a whole database, 0 of one that nothing was put into yet; -1: it is broken. */
static int database_rows(const char *folder, const char *name) {
    static const char *const questions[] = {"PRAGMA integrity_check",
                                            "SELECT count(*) FROM sqlite_master WHERE name = 'measurements'",
                                            "SELECT count(*) FROM measurements"};
    char path[1200];
    sqlite3 *db = NULL;
    int rows = 1;
    snprintf(path, sizeof path, "%s/%s", folder, name);
    bool whole = sqlite3_open(path, &db) == SQLITE_OK;
    for (int i = 0; whole && rows > 0 && i < 3; i++) {
        sqlite3_stmt *answer = NULL;
        whole = sqlite3_prepare_v2(db, questions[i], -1, &answer, NULL) == SQLITE_OK &&
                sqlite3_step(answer) == SQLITE_ROW;
        if (whole && i == 0)
            whole = strcmp((const char *)sqlite3_column_text(answer, 0), "ok") == 0;
        else if (whole)
            rows = sqlite3_column_int(answer, 0);
        sqlite3_finalize(answer);
    }
    sqlite3_close(db);
    return whole ? rows : -1;
}

bool result_right(command_id c, const char *folder) {
    static const char *const figures[] = {"accuracy",       "cross_entropy", "attention_pct",
                                          "eval_sequences", "status",        NULL};
    text got = read_text(folder, commands[c].result);
    bool right = got.bytes != NULL || wrong("exit 0 and no %s", commands[c].result);
    if (!right)
        return false;
    switch (c) {
    case TRAIN:
    case INFER:
    case DECODE:
    case COMPARE:
        right = same_bytes(&got, &golden[c]) || wrong("exit 0 and another %s", commands[c].result);
        break;
    case REPORT: /* it says when it was made */
        without_digits(&got);
        right = same_bytes(&got, &golden[c]) || wrong("exit 0 and another %s", commands[c].result);
        break;
    case DATABASE:
        right = database_rows(folder, commands[c].result) == golden_rows || wrong("exit 0 and not all rows");
        break;
    case EVAL:
        right = same_json(&got, &golden[c], figures) || wrong("exit 0 and other figures: %.900s", got.bytes);
        break;
    case VERIFY:
        right = lines_of(&got) == lines_of(&golden[c]) || wrong("exit 0 and: %.900s", got.bytes);
        break;
    default:
        right = rows_right(folder, lines_of(&golden[c]) - 1, c == BENCH ? 1 : 0);
    }
    drop(&got);
    if (c == TRAIN && right) {
        text metrics = read_text(folder, "run/metrics.csv");
        right = (metrics.bytes && lines_of(&metrics) == lines_of(&golden_metrics)) ||
                wrong("exit 0 and metrics.csv lacks lines");
        drop(&metrics);
    }
    return right;
}

static bool ends_with(const char *name, const char *end) {
    size_t n = strlen(name), m = strlen(end);
    return n >= m && strcmp(name + n - m, end) == 0;
}

/* A file under its final name is whole. */
static bool file_whole(const char *folder, const char *path, const char *name) {
    bool whole = true;
    if (ends_with(name, ".safetensors")) {
        tn_safetensors file;
        whole = tn_safetensors_read(&fault_ctx, path, &file) == TN_OK ||
                wrong("%s is broken: %s", name, fault_ctx.message);
        if (whole)
            tn_safetensors_free(&fault_ctx, &file);
    } else if (ends_with(name, ".csv")) {
        tn_csv table;
        whole = tn_csv_read(&fault_ctx, path, &table) == TN_OK ||
                wrong("%s is broken: %s", name, fault_ctx.message);
        tn_csv_free(&table);
    } else if (ends_with(name, ".json")) {
        json_t *object = json_load_file(path, 0, NULL);
        whole = object || wrong("%s is no JSON", name);
        json_decref(object);
    } else if (ends_with(name, ".db")) { /* all rows or none */
        int rows = database_rows(folder, name);
        whole = rows == 0 || rows == golden_rows || wrong("%s has %d rows of %d", name, rows, golden_rows);
    }
    return whole;
}

bool folder_clean(command_id c, const char *folder) {
    bool clean = true;
    DIR *dir = opendir(folder);
    if (!dir)
        return true; /* it was not made */
    for (struct dirent *e; clean && (e = readdir(dir)) != NULL;) {
        char path[1500];
        struct stat info;
        if (e->d_name[0] == '.')
            continue;
        snprintf(path, sizeof path, "%s/%s", folder, e->d_name);
        if (stat(path, &info) == 0 && S_ISDIR(info.st_mode)) {
            clean = folder_clean(c, path);
            continue;
        }
        bool part = strstr(e->d_name, ".part") != NULL;
        if (part && (!commands[c].keeps || strstr(e->d_name, ".part-")))
            clean = wrong("%s is left behind", e->d_name);
        clean = clean && (part || file_whole(folder, path, e->d_name));
    }
    closedir(dir);
    return clean;
}

void golden_take(command_id c, const char *folder) {
    golden[c] = read_text(folder, commands[c].result);
    if (c == REPORT)
        without_digits(&golden[c]);
    if (c == DATABASE && (golden_rows = database_rows(folder, commands[c].result)) < 1)
        die("a database without rows");
    if (c == TRAIN)
        golden_metrics = read_text(folder, "run/metrics.csv");
}

void golden_drop(void) {
    for (int c = 0; c < COMMANDS; c++)
        drop(&golden[c]);
    drop(&golden_metrics);
}
