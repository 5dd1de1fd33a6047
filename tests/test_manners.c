/* How the program speaks: help as wide as the terminal, lines that are replaced only where they can be,
 * completion, lists, dry runs, and what it says to a word that it does not know. */
#include "folder.h"
#include "program.h"

#include "commands.h"
#include "suite.h"
#include "words.h"

#include <jansson.h>
#include <pty.h>

/* The same on a terminal of so many columns, with `environment` before it ("TERM=dumb"). */
static int terminal_run(int columns, const char *environment, const char *line) {
    char command[2300];
    const struct winsize size = {.ws_row = 24, .ws_col = (unsigned short)columns};
    int master, status;
    snprintf(command, sizeof command, "exec env -u COLUMNS TERM=xterm %s %s %s", environment, TURNOUT_PROGRAM,
             line);
    pid_t pid = forkpty(&master, NULL, NULL, &size);
    ck_assert(pid >= 0);
    if (pid == 0) {
        execl("/bin/sh", "sh", "-c", command, (char *)NULL);
        _exit(127);
    }
    size_t used = 0;
    for (ssize_t got; used < sizeof program_output - 1 &&
                      (got = read(master, program_output + used, sizeof program_output - 1 - used)) > 0;)
        used += (size_t)got;
    program_output[used] = '\0';
    close(master);
    ck_assert(waitpid(pid, &status, 0) == pid);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

/* Columns of the longest line of the last output, those of escape sequences left out. */
static int widest(void) {
    int most = 0, columns = 0;
    for (const char *p = program_output; *p; p++) {
        if (*p == '\n' || *p == '\r') {
            columns = 0;
        } else if (*p == '\033') {
            p += strcspn(p, "ABCDHJKm");
        } else {
            columns += ((unsigned char)*p & 0xC0) != 0x80;
            most = columns > most ? columns : most;
        }
    }
    return most;
}

START_TEST(help_is_as_wide_as_the_terminal) {
    static const int widths[] = {40, 72, 110};
    for (size_t i = 0; i < 3; i++)
        for (int c = 0; tn_commands[c]; c++) {
            char line[64];
            snprintf(line, sizeof line, "help %s", tn_commands[c]->name);
            ck_assert_int_eq(terminal_run(widths[i], "", line), 0);
            ck_assert_msg(widest() <= widths[i] || widths[i] == 40, "%s is %d columns wide on %d:\n%s", line,
                          widest(), widths[i], program_output);
            ck_assert_msg(widest() > widths[i] / 2, "%s is only %d columns wide", line, widest());
        }
    ck_assert_int_eq(terminal_run(500, "", "help compare"), 0);
    ck_assert_int_le(widest(), 120); /* longer lines are hard to read */
    setenv("COLUMNS", "70", 1);      /* no terminal here */
    program_gives(0, "help sweep", "usage: turnout sweep");
    ck_assert_int_le(widest(), 70);
    setenv("COLUMNS", "7e1x", 1); /* what is no number of columns counts for nothing */
    program_gives(0, "help sweep", "usage: turnout sweep");
    ck_assert(widest() > 70 && widest() <= 100);
    unsetenv("COLUMNS");
}
END_TEST

START_TEST(progress_is_replaced_where_it_can_be) {
    const char *line = "verify --op gelu --cases 2";
    ck_assert_int_eq(terminal_run(80, "", line), 0);
    ck_assert_ptr_nonnull(strstr(program_output, "\r\033[K"));
    ck_assert_ptr_null(strstr(program_output, "\033[3")); /* colour is never used */
    ck_assert_int_eq(terminal_run(80, "NO_COLOR=1", line), 0);
    ck_assert_ptr_null(strstr(program_output, "\033[1"));
    ck_assert_ptr_null(strstr(program_output, "\033[3"));
    ck_assert_int_eq(terminal_run(80, "TERM=dumb", line), 0);
    ck_assert_ptr_null(strchr(program_output, '\033'));
    ck_assert_ptr_nonnull(strstr(program_output, "gelu"));
    ck_assert_int_eq(terminal_run(80, "TERM=", line), 0);
    ck_assert_ptr_null(strchr(program_output, '\033'));
    program_gives(0, line, "gelu");
    ck_assert_ptr_null(strchr(program_output, '\033'));
}
END_TEST

START_TEST(version_and_help) {
    program_gives(0, "-V", "turnout 0.", "hwloc");
    program_gives(0, "-V --json", "\"version\"");
    program_gives(2, "-V now", "not 'now'");
    program_gives(0, "help help", "usage: turnout help", "1e3");
    program_gives(0, "help --help", "usage: turnout help");
    program_gives(0, "--help sweep", "usage: turnout sweep");
    program_gives(2, "help sweeep", "turnout help: unknown command 'sweeep'; did you mean turnout sweep?");
    program_gives(2, "help sweep bench", "'bench' is one argument too many");
    program_gives(2, "help --completion", "unknown option --completion");
}
END_TEST

static const tn_cli_option *option_of(const char *command, const char *name) {
    const tn_cli_command *c = tn_command_find(command);
    ck_assert_ptr_nonnull(c);
    for (const tn_cli_option *o = c->options; o->name; o++)
        if (strcmp(o->name, name) == 0)
            return o;
    ck_abort_msg("%s has no --%s", command, name);
}

START_TEST(every_option_is_read) {
    for (int c = 0; tn_commands[c]; c++) {
        int count = 0;
        while (tn_commands[c]->options[count].name)
            count++;
        ck_assert_msg(count <= TN_CLI_MAX_OPTIONS, "%s has %d options, of which %d are read",
                      tn_commands[c]->name, count, TN_CLI_MAX_OPTIONS);
    }
}
END_TEST

START_TEST(words_of_options) {
    static const char *const wanted[][3] = {
        {"train", "task", "recall"},   {"train", "mixer", "periodic:"},   {"bench", "pass", "backward"},
        {"bench", "peer", "openblas"}, {"study", "only", "lambda"},       {"survey", "device", "all"},
        {"verify", "op", "gemm"},      {"bench", "variant", "threads"},   {"sweep", "preset", "full"},
        {"bench", "level", "step"},    {"sweep", "level", "model"},       {"sweep", "op", "gelu"},
        {"sweep", "pass", "step"},     {"train", "routing", "threshold"}, {"sweep", "device", "all"},
        {"report", "format", "md"},    {"train", "positions", "rope"},    {"train", "mix", "add"},
        {"train", "penalty", "rows"},  {"eval", "filler", "zero"}};
    for (size_t i = 0; i < sizeof wanted / sizeof wanted[0]; i++) {
        tn_cli_words words;
        bool found = false;
        tn_cli_words_of(option_of(wanted[i][0], wanted[i][1]), &words);
        for (int k = 0; words.words[k]; k++)
            found = found || strcmp(words.words[k], wanted[i][2]) == 0;
        ck_assert_msg(found && words.value == TN_CLI_VALUE_WORDS, "%s --%s lacks %s", wanted[i][0],
                      wanted[i][1], wanted[i][2]);
        ck_assert_int_eq(words.list, strcmp(wanted[i][0], "sweep") == 0 ? strlen(wanted[i][1]) < 6
                                                                        : strcmp(wanted[i][1], "only") == 0);
    }
    tn_cli_words words;
    tn_cli_words_of(option_of("train", "device"), &words);
    ck_assert_int_eq(words.count, 2); /* one run has one device */
    tn_cli_words_of(option_of("train", "output"), &words);
    ck_assert_int_eq(words.value, TN_CLI_VALUE_FOLDER);
    tn_cli_words_of(option_of("train", "steps"), &words);
    ck_assert_int_eq(words.value, TN_CLI_VALUE_NONE);
}
END_TEST

START_TEST(completion_for_three_shells) {
    program_gives(0, "completion bash", "complete -o filenames -F _turnout turnout",
                  "_turnout_list \"seed far");
    program_gives(0, "completion zsh", "#compdef turnout", "conv attention routed random\\:");
    program_gives(0, "completion fish", "complete -c turnout -n __fish_use_subcommand -a sweep",
                  "(__turnout_list seed far");
    program_gives(2, "completion tcsh", "no completion for the shell 'tcsh'; there is bash, zsh and fish");
    program_gives(2, "completion", "it wants bash|zsh|fish");
}
END_TEST

/* Exit code 2 and one sentence with the value, what may stand there, and what to try. */
START_TEST(refusals) {
    program_gives(2, "bench --op gemm --shape M=64,Q=3 --seconds 0.01",
                  "shape of gemm: part 2, 'Q=3', names none of its values; there is M, N, K, epilogue");
    program_gives(2, "bench --op gemm --shape M",
                  "part 1, 'M', is not NAME=VALUE; there is M, N, K, epilogue");
    program_gives(2, "bench --op gemm --shape M=1e99", "from 0 to 2147483647, not '1e99'");
    program_gives(2, "bench --op flash_attention --shape Dh=30", "with B=", "for what it leaves out",
                  "flash_attention");
    program_gives(2, "bench --shape M=3", "--shape needs --op");
    program_gives(2, "bench --level step --shape B=32,X=1", "there is B, T, rho, as B=1");
    program_gives(2, "bench --level layer --shape D=65", "D=65", "for example D=64,H=2");
    program_gives(2, "sweep --T 1..8", "without *FACTOR or +STEP");
    program_gives(2, "sweep --rho 2", "'2' gives 2, and a value lies in 0..1");
    program_gives(2, "sweep --preset slow", "--preset is one of quick, full, not 'slow'");
    program_gives(2, "train --mixer random:2 -o x", "the mixer random:R wants a number from 0 to 1, not '2'");
    program_gives(2, "train --mixer periodic:1.5 -o x", "from 1 to 2147483647, not '1.5'");
    program_gives(2, "train --routing capacity:x -o x", "the routing capacity:R wants", "not 'x'");
    program_gives(2, "train --task copy -o x", "--task is one of recall, mqar, text, not 'copy'");
    program_gives(2, "train --distance 1e8 -o x", "--distance wants a whole number from 1 to 16777216");
    program_gives(2, "train --lambda free -o x",
                  "--lambda, if not measured, wants a number from 0 to 1000000");
    program_gives(2, "study --distances 62,x -o x", "from 1 to 16777216, not 'x'");
    program_gives(2, "study --only sed -o x", "a study has no part 'sed'; there is seed, far");
    program_gives(2, "verify --cases 0", "--cases wants a whole number from 1 to 1000000, not '0'");
}
END_TEST

START_TEST(numbers_alike) {
    /* 1e1 is ten, 010 is ten, and what a shape leaves out is as in its first line of bench/shapes. */
    program_gives(0, "bench --op gelu --pass forward --shape N=1e3 --seconds 0.01 --format csv -q", "N=1000");
    program_gives(0, "verify --op gelu --cases 1e0 --seed 1e1", "gelu");
}
END_TEST

START_TEST(lists_of_a_sweep) {
    program_gives(0, "sweep --list", "preset quick:", "preset full:", "256,1024,4096,16384\n",
                  "--rho      0 to 1", "flash_attention", "bias_backward", "wall_ms_q3", "timing_s");
    ck_assert_int_eq(program_run("sweep --list --json"), 0);
    json_t *root = json_loads(program_output, 0, NULL);
    json_t *quick = json_object_get(json_object_get(root, "presets"), "quick"),
           *columns = json_object_get(root, "columns"), *axes = json_object_get(root, "axes");
    ck_assert_int_eq((int)json_array_size(json_object_get(quick, "T")), 4);
    ck_assert_str_eq(json_string_value(json_array_get(columns, 0)), "schema");
    ck_assert(json_number_value(json_object_get(json_object_get(axes, "T"), "to")) == 1 << 24);
    json_decref(root);
}
END_TEST

/* Nothing stands in the folder afterwards, and the cells are those that a sweep then has. */
START_TEST(a_sweep_that_does_not_run) {
    char line[512];
    test_folder_make();
    const char *axes = "--level layer --T 32,64 --rho 0.1,0.5 --seconds 0.01";
    snprintf(line, sizeof line, "sweep %s --dry-run -o %s/a.csv", axes, test_folder);
    program_gives(0, line, "layer attention forward B=64 T=64", "12 cells on 1 device", "at least about 11 s",
                  "none more than 60 s");
    snprintf(line, sizeof line, "sweep %s --dry-run --json -o %s/a.csv", axes, test_folder);
    program_gives(0, line, "\"count\": 12", "\"seconds_at_most\": 720");
    ck_assert_int_eq(rmdir(test_folder), 0);
    program_gives(2, "sweep --dry-run --level model --pass backward", "no cell is left");
    program_gives(2, "sweep --dry-run --format csv --json", "--json is --format json, not csv");
}
END_TEST

START_TEST(a_sweep_on_a_terminal) {
    const char *line = "sweep --op gelu,rope --pass forward --seconds 0.01 -q";
    ck_assert_int_eq(terminal_run(80, "", line), 0);
    const char *head = strstr(program_output, "| what "), *gelu = strstr(program_output, "| gelu forward "),
               *rope = strstr(program_output, "| rope forward ");
    ck_assert_msg(head && gelu && rope && head < gelu && gelu < rope, "%s", program_output); /* in order */
    ck_assert_ptr_null(strstr(program_output, "schema,version"));
    ck_assert_int_le(widest(), 80);
    ck_assert_int_eq(terminal_run(240, "", line), 0);
    ck_assert_ptr_nonnull(strstr(program_output, "GFLOP/s |"));
    ck_assert_ptr_nonnull(strstr(program_output, "| note |"));
    ck_assert_int_eq(terminal_run(80, "", "sweep --op gelu --pass forward --seconds 0.01 -q --format csv"),
                     0);
    ck_assert_ptr_nonnull(strstr(program_output, "schema,version"));
    program_gives(0, "sweep --op gelu --pass forward --seconds 0.01 -q", "schema,version"); /* piped */
    setenv("COLUMNS", "80", 1); /* a file is no terminal */
    program_gives(0, "bench --op gelu --pass forward --seconds 0.01 -q", "GFLOP/s |", "| note |");
    unsetenv("COLUMNS");
}
END_TEST

/* A remark, and a shape that had to be cut, stand whole below their row. */
START_TEST(a_narrow_table_loses_nothing) {
    ck_assert_int_eq(terminal_run(80, "", "sweep --level layer --T 64 --rho 0.5 --seconds 0.01 -q"), 0);
    ck_assert_ptr_nonnull(strstr(program_output, "B=64,T=64,D=64,H=2,rho=0.5, masked; "));
    ck_assert_ptr_nonnull(strstr(program_output, "by operations"));
    ck_assert_int_le(widest(), 80);
}
END_TEST

START_TEST(a_study_that_does_not_run) {
    char line[512];
    test_folder_make();
    snprintf(line, sizeof line,
             "study --dry-run --only seed,far --seeds 1 --distances 1e2,200 --steps 50 -o %s/s", test_folder);
    program_gives(0, line, "seed-recall100-routed-s1", "50 steps", "16 rows, 0 of them done; about ",
                  "a guess");
    ck_assert_int_eq(rmdir(test_folder), 0);
    program_gives(0, "study --dry-run --only seed --seeds 1 --distances 62 --json", "\"count\": 7",
                  "\"done\": false", "\"seconds_about\"");
    program_gives(0, "tune --dry-run --op gemm --seconds 40", "gemm                     few ", "clblast",
                  "about 40 s on this device");
    program_gives(0, "tune --dry-run --op gelu --verify-only", "gelu                     threads ");
    program_gives(2, "study --dry-run --only text -o x", "--data");
    program_gives(2, "study --json -o x", "--json goes with --dry-run");
}
END_TEST

START_TEST(a_survey_that_does_not_run) {
    char line[512];
    test_folder_make();
    snprintf(line, sizeof line, "survey --dry-run --minutes 4 -o %s", test_folder);
    program_gives(0, line, "240 s:", "verify ", "recall ", "a routed model trained",
                  "pieces more from --minutes 10");
    ck_assert_int_eq(rmdir(test_folder), 0);
    program_gives(0, "survey --dry-run --json --minutes 2", "\"seconds\": 120.0", "\"stage\": \"layer\"");
    program_gives(2, "survey --minutes 4", "it wants a folder for the survey: -o DIR");
    program_gives(2, "survey --minutes 1 -o x", "--minutes wants a number from 2");
    program_gives(2, "survey --minutes 1e9 -o x", "from 2 to 10080");
    program_gives(2, "survey -d nosuch -o x", "no usable device matches 'nosuch'");
    program_gives(2, "survey --json -o x", "--json goes with --dry-run");
    program_gives(2, "survey -o /", "/ holds something else than a survey");
    program_gives(2, "survey --dry-run -o /", "/ holds something else than a survey");
}
END_TEST

/* An empty list is an answer, on stdout, and a machine without a device a failure: alike in both forms. */
START_TEST(no_device_at_all) {
    setenv("OCL_ICD_VENDORS", "/nonexistent", 1);
    program_gives(3, "devices", "host", "pocl-opencl-icd");
    program_gives(3, "devices --json", "\"devices\": []", "pocl-opencl-icd");
    ck_assert_int_eq(program_run("devices --json 2>/dev/null #"), 3);
    json_t *root = json_loads(program_output, 0, NULL); /* stdout alone is JSON */
    ck_assert_int_eq((int)json_array_size(json_object_get(root, "devices")), 0);
    ck_assert_ptr_nonnull(json_object_get(root, "host"));
    json_decref(root);
    program_gives(3, "sweep --dry-run", "pocl-opencl-icd");
    unsetenv("OCL_ICD_VENDORS");
    program_gives(0, "devices --json", "\"devices\": [");
}
END_TEST

START_TEST(json_where_there_is_a_table) {
    static const struct {
        const char *line, *field; /* a number in the row */
    } tables[] = {{"bench --op gelu --pass forward --shape N=64 --seconds 0.01 -q --json", "wall_ms"},
                  {"sweep --op gelu --pass forward --seconds 0.01 -q --json", "wall_ms"},
                  {"verify --op gelu --cases 2 -q --json", "worst_pct"},
                  {"tune --op gelu --verify-only --sets 2 --cases 1 -q --json", "possible"},
                  {"tune --op gelu --dry-run -q --json", "op_seconds_about"},
                  {"tune --op gelu --seconds 1 --cases 1 -q --json", "sets"}};
    char folder[80];
    test_folder_make();
    snprintf(folder, sizeof folder, "%s/tuned", test_folder);
    setenv("TURNOUT_TUNED_DIR", folder, 1);
    unsetenv("TURNOUT_TUNED"); /* 0 in the suites, and nothing could be kept */
    for (size_t i = 0; i < sizeof tables / sizeof tables[0]; i++) {
        /* Warnings of a slow build, and sets that do not fit, are on stderr. */
        const int code = program_run("%s 2>/dev/null #", tables[i].line);
        ck_assert_msg(code == 0, "%s: %d", tables[i].line, code);
        json_t *rows = json_loads(program_output, 0, NULL);
        ck_assert_msg(json_array_size(rows) == 1, "%s: %.500s", tables[i].line, program_output);
        ck_assert_str_eq(json_string_value(json_object_get(json_array_get(rows, 0), "op")), "gelu");
        ck_assert_msg(json_is_number(json_object_get(json_array_get(rows, 0), tables[i].field)), "%s: %.900s",
                      tables[i].line, program_output);
        json_decref(rows);
    }
    test_folder_remove();
}
END_TEST

/* A failure leaves the rows that there are; one of the command line leaves none. */
START_TEST(json_of_what_fails) {
    setenv("TURNOUT_KERNELS", "/nonexistent", 1);
    const int code = program_run("verify --op gelu --cases 2 -q --json 2>/dev/null #");
    unsetenv("TURNOUT_KERNELS");
    json_t *rows = json_loads(program_output, 0, NULL);
    ck_assert_int_ne(code, 0);
    ck_assert_msg(json_integer_value(json_object_get(json_array_get(rows, 0), "failed")) > 0, "%.900s",
                  program_output);
    json_decref(rows);
    ck_assert_int_eq(program_run("verify -d nonesuch --json 2>/dev/null #"), 2);
    ck_assert_str_eq(program_output, "");
}
END_TEST

START_TEST(json_of_a_run) {
    char path[80];
    test_folder_make();
    ck_assert_int_eq(program_run("train --distance 6 --steps 2 --batch 2 --width 16 --heads 1 --layers 1 "
                                 "--sequences 8 --seconds 0.02 -q --json -o %s/run 2>/dev/null #",
                                 test_folder),
                     0);
    snprintf(path, sizeof path, "%s/run/summary.json", test_folder);
    json_t *said = json_loads(program_output, 0, NULL), *kept = json_load_file(path, 0, NULL);
    ck_assert_int_eq((int)json_integer_value(json_object_get(said, "steps")), 2);
    ck_assert_msg(json_equal(said, kept), "%.900s", program_output);
    json_decref(said);
    json_decref(kept);
    test_folder_remove();
}
END_TEST

int main(void) {
    Suite *suite = suite_create("manners");
    TCase *tests = tcase_create("manners");
    tcase_set_timeout(tests, 300);
    tcase_add_test(tests, help_is_as_wide_as_the_terminal);
    tcase_add_test(tests, progress_is_replaced_where_it_can_be);
    tcase_add_test(tests, version_and_help);
    tcase_add_test(tests, every_option_is_read);
    tcase_add_test(tests, words_of_options);
    tcase_add_test(tests, completion_for_three_shells);
    tcase_add_test(tests, refusals);
    tcase_add_test(tests, numbers_alike);
    tcase_add_test(tests, lists_of_a_sweep);
    tcase_add_test(tests, a_sweep_that_does_not_run);
    tcase_add_test(tests, a_sweep_on_a_terminal);
    tcase_add_test(tests, a_narrow_table_loses_nothing);
    tcase_add_test(tests, a_study_that_does_not_run);
    tcase_add_test(tests, a_survey_that_does_not_run);
    tcase_add_test(tests, no_device_at_all);
    tcase_add_test(tests, json_where_there_is_a_table);
    tcase_add_test(tests, json_of_what_fails);
    tcase_add_test(tests, json_of_a_run);
    suite_add_tcase(suite, tests);
    return tn_test_main(suite);
}
