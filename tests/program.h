/* Running the built program from a test, as a user would. */
#ifndef TN_TEST_PROGRAM_H
#define TN_TEST_PROGRAM_H

#include <check.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static char program_output[65536]; /* stdout and stderr of the last run */

/* Exit code of `turnout <line>`, or 128 + the signal. */
__attribute__((format(printf, 1, 2))) static inline int program_run(const char *format, ...) {
    char line[2048], command[2300];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(line, sizeof line, format, arguments);
    va_end(arguments);
    snprintf(command, sizeof command, "%s %s 2>&1", TURNOUT_PROGRAM, line);
    FILE *pipe = popen(command, "r");
    ck_assert(pipe != NULL);
    size_t used = fread(program_output, 1, sizeof program_output - 1, pipe);
    program_output[used] = '\0';
    int status = pclose(pipe);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

/* Starts `turnout <line>`, what it says going to the file `words`. */
static inline pid_t program_start(const char *line, const char *words) {
    char command[2600];
    snprintf(command, sizeof command, "exec %s %s >%s 2>&1", TURNOUT_PROGRAM, line, words);
    pid_t pid = fork();
    ck_assert(pid >= 0);
    if (pid == 0) {
        execl("/bin/sh", "sh", "-c", command, (char *)NULL);
        _exit(127);
    }
    return pid;
}

/* Starts it in silence and sends `number` after `ms`; the exit status as waitpid gives it. */
static inline int program_signal(const char *line, int number, unsigned ms) {
    pid_t pid = program_start(line, "/dev/null");
    usleep(ms * 1000);
    kill(pid, number);
    int status;
    ck_assert(waitpid(pid, &status, 0) == pid);
    return status;
}

/* Fails unless the run ends with `code` and says every one of `words` (NULL-ended). */
#define program_gives(code, line, ...)                                                                       \
    do {                                                                                                     \
        const char *words_[] = {__VA_ARGS__, NULL};                                                          \
        int got_ = program_run("%s", line);                                                                  \
        ck_assert_msg(got_ == (code), "'%s' exits with %d instead of %d: %s", line, got_, code,              \
                      program_output);                                                                       \
        for (int i_ = 0; words_[i_]; i_++)                                                                   \
            ck_assert_msg(strstr(program_output, words_[i_]) != NULL, "'%s' does not say '%s': %s", line,    \
                          words_[i_], program_output);                                                       \
    } while (0)

#endif
