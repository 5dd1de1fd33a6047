/* What becomes of outputs, held over every command that writes: what is no regular file is written through,
 * links are followed, modes stay, inputs are not overwritten, rows that were measured are kept, and a full
 * disk, a closed pipe or a closed stdout is said. Everything happens in a folder of its own; device nodes are
 * ones made there. */
#include "folder.h"
#include "suite.h"

#include <dirent.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <signal.h>
#include <stdbool.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

#define BENCH "$T bench --op row_gather --pass forward --shape R=64,N=4096,D=64 --seconds 0.01 -q"
#define SWEEP "TURNOUT_TEST_CELLS=1 $T sweep --timeout 0.6"
#define TRAIN "$T train --steps 1 --layers 1 --width 32 --distance 14 --sequences 8 --seconds 0.02 -q"
#define INFER "$T infer run --tokens tokens --logits "

static char run[TEST_FOLDER], said[65536]; /* run: of a trained model, made once */

static void make_folder(void) {
    test_folder_enter();
    setenv("T", TURNOUT_PROGRAM, 1);
    ck_assert_int_eq(system("cp " TN_TEST_DATA "/cost.csv x.csv && cp x.csv y.csv"), 0);
}

/* The bytes of a file, NUL behind; "" where there is none. Valid until the next call but three. */
static const char *text_of(const char *path) {
    static char texts[4][1 << 20];
    static int turn;
    char *text = texts[turn++ % 4];
    FILE *stream = fopen(path, "rb");
    size_t size = stream ? fread(text, 1, sizeof texts[0] - 1, stream) : 0;
    text[size] = '\0';
    if (stream)
        fclose(stream);
    return text;
}

/* Exit code of a line of shell within 60 s, in which $T is the program; what it said stands in `said`. The
 * line must end with `code` and say `words` (NULL: anything). */
__attribute__((format(printf, 3, 4))) static void gives(int code, const char *words, const char *format,
                                                        ...) {
    char line[1024], command[1200];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(line, sizeof line, format, arguments);
    va_end(arguments);
    FILE *script = fopen("line.sh", "w");
    ck_assert_ptr_nonnull(script);
    fprintf(script, "%s\n", line);
    fclose(script);
    snprintf(command, sizeof command, "timeout 60 sh line.sh >said 2>&1");
    int status = system(command);
    snprintf(said, sizeof said, "%s", text_of("said"));
    ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) == code, "'%s' ends with %d, not %d: %s", line,
                  WEXITSTATUS(status), code, said);
    ck_assert_msg(!words || strstr(said, words), "'%s' does not say '%s': %s", line, words, said);
}

static int files_like(const char *pattern) {
    int count = 0;
    DIR *open = opendir(".");
    ck_assert_ptr_nonnull(open);
    for (struct dirent *entry; (entry = readdir(open)) != NULL;)
        count += fnmatch(pattern, entry->d_name, 0) == 0;
    closedir(open);
    return count;
}

static mode_t kind_of(const char *path) {
    struct stat info;
    ck_assert_int_eq(lstat(path, &info), 0);
    return info.st_mode & S_IFMT;
}

static int lines_of(const char *path) {
    int count = 0;
    for (const char *p = text_of(path); *p; p++)
        count += *p == '\n';
    return count;
}

/* Every command that writes to one file, with the end of the line for the name; bench, which is slow, last.
 */
static const char *const writers[] = {"$T report x.csv -q -o", "$T compare x.csv y.csv --threshold 900 -o",
                                      SWEEP " -o", INFER, BENCH " -o"};
enum { WRITERS = sizeof writers / sizeof writers[0], QUICK = WRITERS - 1 };

static void make_run(void) {
    static const char header[] = "{\"tokens\":{\"dtype\":\"I32\",\"shape\":[1,16],\"data_offsets\":[0,64]}}";
    const int tokens[16] = {1, 2, 3};
    const unsigned long long length = sizeof header - 1;
    FILE *stream = fopen("tokens", "wb");
    ck_assert_ptr_nonnull(stream);
    fwrite(&length, 8, 1, stream);
    fwrite(header, 1, length, stream);
    fwrite(tokens, sizeof tokens, 1, stream);
    ck_assert_int_eq(fclose(stream), 0);
    gives(0, NULL, "cp -R %s run", run);
}

/* A device like /dev/null, never the real one; false, and told, where only root may make one, or nobody. */
static bool make_node(void) {
    static bool told;
    unlink("node");
    if (mknod("node", S_IFCHR | 0600, makedev(1, 3)) == 0 && access("node", W_OK) == 0)
        return true;
    if (!told)
        fprintf(stderr, "no device node can be made here: FIFOs alone are tried\n");
    told = true;
    return false;
}

START_TEST(what_is_no_file_is_written_through) {
    make_run();
    for (int i = 0; i < WRITERS; i++) {
        if (make_node()) {
            gives(0, NULL, "%s node", writers[i]);
            ck_assert_msg(kind_of("node") == S_IFCHR, "'%s' replaces a device node", writers[i]);
        }
        if (i >= QUICK)
            continue;
        gives(0, NULL, "rm -f p got; mkfifo p; cat p >got & %s p; code=$?; wait; exit $code", writers[i]);
        ck_assert_msg(kind_of("p") == S_IFIFO, "'%s' replaces a FIFO", writers[i]);
        ck_assert_msg(text_of("got")[0], "'%s' writes nothing into a FIFO", writers[i]);
    }
    ck_assert_int_eq(files_like("*.part*"), 0);
}
END_TEST

START_TEST(links_are_followed_and_modes_stay) {
    struct stat info;
    make_run();
    for (int i = 0; i < QUICK; i++) {
        gives(0, NULL,
              "mkdir -p there; rm -f there/* l k; ln -s there/target l; ln -s l k; echo old >there/target; "
              "chmod 640 there/target; %s k",
              writers[i]);
        ck_assert_msg(kind_of("k") == S_IFLNK && kind_of("l") == S_IFLNK, "'%s' replaces a link", writers[i]);
        ck_assert_int_eq(stat("there/target", &info), 0);
        ck_assert_msg((info.st_mode & 0777) == 0640, "'%s' leaves mode %o", writers[i], info.st_mode & 0777);
        ck_assert_msg(strcmp(text_of("there/target"), "old\n") != 0, "'%s' does not write", writers[i]);
    }
    gives(0, NULL, "rm there/target; $T report x.csv -q -o k"); /* a link may lead to what is not there yet */
    ck_assert(kind_of("k") == S_IFLNK && kind_of("there/target") == S_IFREG);
    gives(2, "Too many levels", "ln -sf l k; ln -sf k l; $T report x.csv -q -o k");
    ck_assert_int_eq(files_like("*.part*"), 0);
}
END_TEST

/* A link of ours to /proc/self/fd stands for /dev/stdout. */
START_TEST(descriptors_by_name) {
    static const char *const names[] = {"-", "out", "/dev/fd/1"};
    gives(0, NULL, "ln -s /proc/self/fd/1 out");
    for (int i = 0; i < 3; i++)
        for (int k = 1; k <= (i == 1 ? 2 : 1); k++) { /* compare; once sweep too */
            gives(0, NULL, "echo first >got; %s %s --format csv >>got", writers[k], names[i]);
            ck_assert_msg(strncmp(text_of("got"), "first\n", 6) == 0 && lines_of("got") > 2,
                          "'%s %s' does not append", writers[k], names[i]);
        }
    ck_assert(kind_of("out") == S_IFLNK);
    gives(0, NULL, "$T report x.csv -q -o /dev/fd/3 3>page");
    ck_assert_ptr_nonnull(strstr(text_of("page"), "</html>"));
    gives(2, "not open for writing", "$T report x.csv -q -o /dev/fd/7");
    gives(2, "not open for writing", "$T report x.csv -q -o /dev/fd/0 </dev/null");
    ck_assert_int_eq(files_like("-*"), 0);
    ck_assert_int_eq(files_like("*.part*"), 0);
}
END_TEST

/* Line, and the input that must be as it was. */
START_TEST(an_input_is_no_output) {
    static const struct {
        const char *line, *input;
    } tries[] = {
        {"$T report x.csv -o x.csv", "x.csv"},
        {"$T report x.csv -o ./x.csv", "x.csv"},
        {"ln -sf x.csv soft; $T report x.csv -o soft", "x.csv"},
        {"ln -f x.csv hard; $T report hard -o x.csv", "x.csv"},
        {"cp x.csv cost.csv; $T report . -o cost.csv", "x.csv"},
        {"$T report run -o run/summary.json", "run/summary.json"},
        {"mkdir -p all; ln -sfn ../run all/r; $T report all -o run/metrics.csv", "run/metrics.csv"},
        {"$T compare x.csv y.csv -o y.csv", "y.csv"},
        {"$T compare x.csv,y.csv y.csv -o x.csv", "x.csv"},
        {"cp tokens x.jsonl; $T compare x.csv y.csv -o x.jsonl", "tokens"},
        {INFER "tokens", "tokens"},
        {INFER "run/model.safetensors", "run/model.safetensors"},
        {INFER "run/config.json", "run/config.json"},
        {"$T train --task text --data run/config.json -o run", "run/config.json"},
        {"$T study --data run/metrics.csv -o run", "run/metrics.csv"},
    };
    make_run();
    for (size_t i = 0; i < sizeof tries / sizeof tries[0]; i++) {
        gives(0, NULL, "cp %s before", tries[i].input);
        gives(2, "written over the input", "%s", tries[i].line);
        gives(0, NULL, "cmp before %s", tries[i].input);
    }
    gives(2, "two files", BENCH " --samples z.csv -o z.csv");
    gives(2, "two files", SWEEP " --samples ./z.csv -o z.csv");
    gives(2, "two files", SWEEP " --samples z.csv.part -o z.csv");
    gives(2, "stdout", BENCH " --samples -");
    ck_assert_int_eq(files_like("z.*"), 0);
    gives(0, NULL,
          "$T report run -q -o run/page.html && $T report run -q -o run/page.html"); /* is read by none */
    gives(0, NULL, INFER "run/logits && " INFER "run/logits");
}
END_TEST

/* Whoever starts a program may have closed what it takes for granted. */
START_TEST(closed_at_the_start) {
    static const char *const prints[] = {"devices",
                                         "devices --json",
                                         "help",
                                         "help bench",
                                         "--version",
                                         "compare x.csv y.csv",
                                         "report x.csv --table",
                                         "verify --op row_gather --cases 1",
                                         "tune --list",
                                         "eval run",
                                         "bench --op row_gather",
                                         "sweep --op row_gather",
                                         "train -o run2"};
    for (size_t i = 0; i < sizeof prints / sizeof prints[0]; i++)
        gives(3, "stdout", "$T %s >&-", prints[i]);
    ck_assert_int_eq(files_like("run2"), 0);
    gives(0, NULL, BENCH " --samples s.jsonl -o bare.csv <&- >&- 2>&-");
    gives(0, NULL, "$T report x.csv -o page.html <&- >&- 2>&-");
    ck_assert_int_eq(lines_of("bare.csv"), 2);
    ck_assert_int_eq(strncmp(text_of("bare.csv"), "schema,", 7), 0);
    ck_assert_int_eq(strncmp(text_of("page.html"), "<!doctype", 9), 0);
    ck_assert_int_eq(strncmp(text_of("s.jsonl"), "{", 1), 0);
}
END_TEST

START_TEST(full_disk_and_closed_pipe) {
    static const char *const prints[] = {"$T devices",
                                         "$T devices --json",
                                         "$T help",
                                         "$T --version",
                                         "$T compare x.csv y.csv",
                                         "$T compare x.csv y.csv --format json",
                                         "$T compare x.csv y.csv --format csv",
                                         "$T report x.csv --table",
                                         "$T report x.csv --table --format json",
                                         "$T verify --op row_gather --cases 1",
                                         "$T tune --list",
                                         "$T eval run --sequences 8 --seconds 0.01 --json",
                                         BENCH,
                                         SWEEP};
    make_run();
    for (size_t i = 0; i < sizeof prints / sizeof prints[0]; i++) {
        gives(3, "cannot write to stdout: the disk is full", "%s >/dev/full", prints[i]);
        if (i >=
            sizeof prints / sizeof prints[0] - 3) /* slow; a full disk is to them what a closed pipe is */
            continue;
        gives(3, "reader has gone", "exec 3>&1; mkfifo q; true <q & exec 4>q; wait; { %s 2>&3; } >&4",
              prints[i]);
        unlink("q");
    }
    /* Of a file that would grow too large nothing comes to stand under the name, and nothing beside it. */
    for (int i = 0; i < WRITERS; i++) {
        gives(3, NULL, "rm -f f.csv; echo old >f.csv; ulimit -f 0; %s f.csv 2>/dev/null", writers[i]);
        ck_assert_msg(strcmp(text_of("f.csv"), "old\n") == 0, "'%s' leaves '%s'", writers[i],
                      text_of("f.csv"));
        unlink("f.csv.part"); /* a sweep's, which goes on */
        ck_assert_int_eq(files_like("*.part*"), 0);
    }
}
END_TEST

/* In the background until `file` has so many lines; then the signal, and the exit code. */
static int cut(const char *line, const char *file, int lines, int number) {
    char command[1200];
    snprintf(command, sizeof command, "exec %s >/dev/null 2>said", line);
    pid_t pid = fork();
    ck_assert_int_ge(pid, 0);
    if (pid == 0) {
        execl("/bin/sh", "sh", "-c", command, (char *)NULL);
        _exit(127);
    }
    for (int i = 0; i < 6000 && lines_of(file) < lines; i++)
        usleep(10000);
    kill(pid, number);
    int state;
    ck_assert_int_eq(waitpid(pid, &state, 0), pid);
    return WIFEXITED(state) ? WEXITSTATUS(state) : 128 + WTERMSIG(state);
}

static const int numbers[] = {SIGTERM, SIGINT, SIGHUP, SIGKILL};
START_TEST(bench_keeps_its_rows) {
    int number = numbers[_i];
    gives(0, NULL, "echo old >b.csv");
    int code =
        cut("env $T bench --op row_gather --seconds 0.3 --samples b.jsonl -o b.csv", "b.csv", 3, number);
    ck_assert_msg(code == (number == SIGKILL ? 128 + SIGKILL : 3), "%d: %s", code, text_of("said"));
    ck_assert_msg(number == SIGKILL || strstr(text_of("said"), "cut short, b.csv has the ") != NULL, "%s",
                  text_of("said"));
    ck_assert_int_ge(lines_of("b.csv"), 3);
    /* A row stands before its samples. */
    ck_assert_int_ge(lines_of("b.jsonl"), lines_of("b.csv") - (number == SIGKILL ? 2 : 1));
    ck_assert_int_eq(files_like("*.part*"), 0);
}
END_TEST

START_TEST(a_cut_sweep_goes_on_and_a_whole_one_does_not) {
    static const char *const names[] = {"s.csv", "s.json", "s.md"};
    const char *name = names[_i];
    char line[300], part[64];
    snprintf(line, sizeof line, "env TURNOUT_TEST_CELLS=1 $T sweep --timeout 2 -o %s", name);
    snprintf(part, sizeof part, "%s.part", name);
    ck_assert_int_eq(cut(line, part, 3, numbers[_i]), 3);
    ck_assert_msg(strstr(text_of("said"), "has the rows that are done") != NULL, "%s", text_of("said"));
    int have = lines_of(name);
    ck_assert(kind_of(part) == S_IFREG);
    ck_assert_int_ge(have, 3);
    gives(2, "measured with --seconds 0.2, now it would be --seconds 0.3", "%s --seconds 0.3", line);
    gives(2, "another sweep", "%s --seed 7", line);
    ck_assert_int_eq(lines_of(name), have);
    gives(0, "10 rows: 4 ok, 1 unsupported, 4 error, 1 timeout; ", "%s", line);
    ck_assert_int_eq(files_like("*.part*"), 0);
    gives(0, NULL, "cp %s before", name);
    if (strcmp(name, "s.md") == 0)
        gives(2, "a table cannot be gone on with", "%s", line);
    else
        gives(0, "is whole already", "%s", line);
    gives(2, strcmp(name, "s.md") == 0 ? "gone on with" : "now it would be", "%s --seconds 0.3", line);
    gives(2, NULL, "%s --seed 7", line);
    gives(0, NULL, "cmp before %s", name);
    ck_assert_int_eq(files_like("*.part*"), 0);
}
END_TEST

START_TEST(rows_that_were_cut_off_are_measured) {
    gives(0, NULL, SWEEP " -o s.csv && cp s.csv whole && head -5 whole >s.csv");
    gives(0, "4 of them from an earlier run", SWEEP " -o s.csv");
    gives(0, NULL, "head -5 whole >a; head -5 s.csv >b; cmp a b");
    ck_assert_int_eq(lines_of("s.csv"), 11);
    gives(0, NULL,
          "echo mine >s.csv; " SWEEP " -o s.csv"); /* what is no sweep's is replaced, as everywhere */
    ck_assert_int_eq(lines_of("s.csv"), 11);
    gives(2, "without --samples", SWEEP " -o s.csv --samples s.jsonl");
    gives(2, "another sweep", "cp x.csv s.csv; " SWEEP " -o s.csv");
    gives(0, NULL, "cmp x.csv s.csv");
    gives(2, "line 3", "head -2 whole >s.csv; echo torn,row >>s.csv; " SWEEP " -o s.csv");
    ck_assert_int_eq(files_like("*.part*"), 0);
}
END_TEST

START_TEST(nothing_measured_is_no_success) {
    gives(3, "none of 1 rows",
          "$T bench --op row_gather --pass forward --shape R=64,N=2000000000,D=64 -q -o b.csv");
    ck_assert_int_eq(lines_of("b.csv"), 2);
    gives(3, "none of 1 rows", "$T sweep --op row_gather --pass forward --timeout 0.1 -q -o s.csv");
    ck_assert_int_eq(lines_of("s.csv"), 2);
}
END_TEST

START_TEST(what_cannot_be_kept_is_not_begun) {
    make_run();
    for (int i = 0; i < WRITERS; i++)
        gives(2, "no/such/file", "%s no/such/file %s", writers[i], i >= 2 ? "-d nonesuch" : "");
    gives(2, "in the way", "TURNOUT_TUNED=1 TURNOUT_TUNED_DIR=x.csv $T tune --op row_gather --seconds 1");
    ck_assert_msg(!strstr(said, "default time"), "it searched: %s", said);
    gives(2, "nowhere to keep", "TURNOUT_TUNED=0 $T tune --op row_gather --seconds 1");
    ck_assert_msg(!strstr(said, "default time"), "it searched: %s", said);
}
END_TEST

/* What has no end, or never begins, is not read. */
START_TEST(inputs_that_are_no_files) {
    make_run();
    gives(0, NULL, "mkfifo p p.csv && ln -s /dev/zero zero && ln -s /dev/zero zero.csv");
    gives(2, "it is a pipe", "timeout 5 $T train --task text --data p -o run2");
    gives(2, "it is a pipe", "timeout 5 $T study --only text --data p -o study");
    gives(2, "it is a pipe", "timeout 5 $T infer run --tokens p --logits l");
    gives(2, "it is a pipe", "timeout 5 $T compare p.csv x.csv");
    gives(2, "it is a pipe", "timeout 5 $T report p.csv -o r.html");
    gives(2, "it is a device", "timeout 5 $T train --task text --data zero -o run2");
    gives(2, "it is a device", "timeout 5 $T infer run --tokens zero --logits l");
    gives(2, "it is a device", "timeout 5 $T compare x.csv zero.csv");
    gives(2, "it is a device", "timeout 5 $T report zero.csv -o r.html");
    gives(2, "it is a folder", "timeout 5 $T infer run --tokens run --logits l");
    gives(2, "there is no file", "mkdir empty && timeout 5 $T train --task text --data empty -o run2");
}
END_TEST

int main(void) {
    Suite *suite = suite_create("outputs");
    TCase *tests = tcase_create("outputs");
    tcase_set_timeout(tests, 120);
    tcase_add_checked_fixture(tests, make_folder, test_folder_leave);
    tcase_add_test(tests, what_is_no_file_is_written_through);
    tcase_add_test(tests, links_are_followed_and_modes_stay);
    tcase_add_test(tests, descriptors_by_name);
    tcase_add_test(tests, an_input_is_no_output);
    tcase_add_test(tests, closed_at_the_start);
    tcase_add_test(tests, full_disk_and_closed_pipe);
    tcase_add_loop_test(tests, bench_keeps_its_rows, 2, 4); /* SIGHUP, SIGKILL */
    tcase_add_loop_test(tests, a_cut_sweep_goes_on_and_a_whole_one_does_not, 0, 3);
    tcase_add_test(tests, rows_that_were_cut_off_are_measured);
    tcase_add_test(tests, nothing_measured_is_no_success);
    tcase_add_test(tests, what_cannot_be_kept_is_not_begun);
    tcase_add_test(tests, inputs_that_are_no_files);
    suite_add_tcase(suite, tests);
    if (!folder_make(run))
        return EXIT_FAILURE;
    setenv("T", TURNOUT_PROGRAM, 1);
    setenv("RUN", run, 1);
    int failed = system(TRAIN " -o $RUN >/dev/null") != 0;
    failed += tn_test_main(suite);
    return !folder_remove(run) || failed != 0;
}
