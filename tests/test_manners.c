/* How the program speaks: help as wide as the terminal, lines that are replaced only where they can be,
 * completion, lists, dry runs, and what it says to a word that it does not know. */
#include "program.h"

#include "commands.h"
#include "suite.h"
#include "words.h"

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

START_TEST(words_of_options) {
    static const char *const wanted[][3] = {
        {"train", "task", "recall"},       {"train", "mixer", "periodic:"}, {"bench", "pass", "backward"},
        {"bench", "peer", "openblas"},     {"study", "only", "lambda"},     {"verify", "op", "gemm"},
        {"bench", "variant", "threads"},   {"sweep", "preset", "full"},     {"bench", "level", "step"},
        {"sweep", "level", "model"},       {"sweep", "op", "gelu"},         {"sweep", "pass", "step"},
        {"train", "routing", "threshold"}, {"sweep", "device", "all"},      {"report", "format", "md"},
        {"train", "positions", "rope"},    {"train", "penalty", "rows"},    {"eval", "filler", "zero"}};
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

int main(void) {
    Suite *suite = suite_create("manners");
    TCase *tests = tcase_create("manners");
    tcase_set_timeout(tests, 300);
    tcase_add_test(tests, help_is_as_wide_as_the_terminal);
    tcase_add_test(tests, progress_is_replaced_where_it_can_be);
    tcase_add_test(tests, version_and_help);
    tcase_add_test(tests, words_of_options);
    tcase_add_test(tests, completion_for_three_shells);
    tcase_add_test(tests, refusals);
    tcase_add_test(tests, numbers_alike);
    suite_add_tcase(suite, tests);
    return tn_test_main(suite);
}
