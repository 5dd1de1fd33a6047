/* Every call of OpenCL, every allocation and every write of a short command fails in turn (fault_layer.c,
 * fault_libc.c), once, or with all calls behind it, as when a device is lost. Whatever fails, the command
 * either ends well with right results, or with a message and exit code 3; it never crashes or hangs, and no
 * file is left half-written under its final name.
 *
 *     test_faults                    some of all points, drawn anew; the seed is printed (TURNOUT_FAULT_SEED)
 *     test_faults COMMAND KIND       every point of one command; KIND: opencl, lost, memory, files
 *     test_faults COMMAND KIND PATH  that one, and where its folder lies
 */
#include "fault_commands.h"
#include "fault_count.h"

#include "clock.h"
#include "file.h"
#include "rng.h"
#include "safetensors.h"

#include <signal.h>
#include <stdarg.h>
#include <sys/wait.h>

enum { PAIRS = 8 /* of a command and a kind */, POINTS = 3 /* of each */, SECONDS_MAX = 120 };

typedef enum kind { OPENCL, LOST, MEMORY, FILES, KINDS } kind;
static const char *const kind_names[] = {"opencl", "lost", "memory", "files"};

static char base[512]; /* holds everything of this run */

static void shell(const char *format, ...) __attribute__((format(printf, 1, 2)));
static void shell(const char *format, ...) {
    char line[3000];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(line, sizeof line, format, arguments);
    va_end(arguments);
    if (system(line) != 0)
        die(line);
}

/* The state file of the next command: which path's which turn fails. */
static tn_fault_state *set_fault(int path, int turn, bool and_after) {
    char file[600];
    snprintf(file, sizeof file, "%s/state", base);
    int fd = open(file, O_RDWR | O_CREAT | O_TRUNC, 0600);
    if (fd < 0 || ftruncate(fd, sizeof(tn_fault_state)) != 0)
        die(file);
    close(fd);
    tn_fault_state *s = tn_fault_map(file);
    if (!s)
        die(file);
    s->path = path;
    s->turn = turn;
    s->and_after = and_after;
    setenv("FAULT_STATE", file, 1);
    return s;
}

/* In the child: becomes `turnout line` in `folder`, its output in files there. No shell: its calls would fail
 * too. */
static void become(const char *folder, const char *line, kind what) {
    char words[1500], *argv[64] = {"turnout"};
    int count = 1;
    snprintf(words, sizeof words, "%s", line);
    for (char *word = strtok(words, " "); word && count < 63; word = strtok(NULL, " "))
        argv[count++] = word;
    if (setpgid(0, 0) != 0 || chdir(folder) != 0 || !freopen("stdout", "w", stdout) ||
        !freopen("stderr", "w", stderr))
        _exit(127);
    if (what == OPENCL || what == LOST)
        setenv("OPENCL_LAYERS", FAULT_LAYER, 1);
    if (what == MEMORY || what == FILES) {
        setenv("FAULT_KIND", kind_names[what], 1);
        setenv("LD_PRELOAD", FAULT_LIBC, 1);
    }
    execv(TURNOUT_PROGRAM, argv);
    _exit(127);
}

/* Runs `turnout line` in `folder` with the faults of `what` (KINDS: with none); exit code, 128 + signal, or
 * −1 when it had to be killed. */
static int run(const char *folder, const char *line, kind what) {
    fflush(NULL);
    pid_t pid = fork();
    if (pid < 0)
        die("fork");
    if (pid == 0)
        become(folder, line, what);
    setpgid(pid, pid);
    int status = 0;
    double start = tn_clock_seconds();
    while (waitpid(pid, &status, WNOHANG) == 0) {
        if (tn_clock_seconds() - start > SECONDS_MAX) {
            kill(-pid, SIGKILL);
            waitpid(pid, &status, 0);
            return -1;
        }
        usleep(2000);
    }
    kill(-pid, SIGKILL); /* nobody of it lives on */
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

/* What failed can be done again in the same folder, and gives the result of an undisturbed run. */
static bool again(command_id c, const char *folder) {
    char state[1200], line[600];
    snprintf(state, sizeof state, "%s/run/state.safetensors", folder);
    bool resume = c == TRAIN && tn_file_exists(state);
    if (resume)
        snprintf(line, sizeof line, "train --resume -q -o run");
    else
        snprintf(line, sizeof line, "%s", commands[c].line);
    if (c == TRAIN && !resume)
        shell("rm -rf '%s/run'", folder);
    if (c == SWEEP) /* a whole file is the last word of its sweep, failures too: moved away, it begins anew */
        shell("test -e '%s/rows.csv.part' || rm -f '%s/rows.csv'", folder, folder);
    int code = run(folder, line, KINDS);
    text said = read_text(folder, "stderr");
    bool well = code == 0 || wrong("'%s' afterwards ends with %d: %.600s", line, code, said.bytes);
    drop(&said);
    return well && result_right(c, folder);
}

static void make_folder(char *folder, size_t size, const char *name) {
    snprintf(folder, size, "%s/%s", base, name);
    shell("rm -rf '%s' && mkdir '%s' && cp -r '%s/inputs/.' '%s'", folder, folder, base, folder);
}

/* A file that cannot be made is a place that the user chose. */
static bool is_place(const char *name) {
    static const char *const names[] = {"open", "fopen", "fdopen", "mkdir"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (strcmp(name, names[i]) == 0)
            return true;
    return false;
}

/* One point; false with `why`. */
static bool point(command_id c, kind what, int path, int turn, bool redo, char *name, size_t size) {
    char folder[600];
    make_folder(folder, sizeof folder, "point");
    tn_fault_state *s = set_fault(path, turn, what == LOST);
    int code = run(folder, commands[c].line, what);
    snprintf(name, size, "%s", s->failed ? s->name : "nothing");
    bool failed = s->failed > 0, place = failed && is_place(s->name);
    munmap(s, sizeof *s);
    text said = read_text(folder, "stderr");
    bool right;
    if (code == -1)
        right = wrong("hangs");
    else if (code == 0)
        right = result_right(c, folder);
    else if (code == 3 || (code == 2 && place))
        right = (failed && said.size > 10 && memchr(said.bytes, '\n', said.size)) ||
                wrong("exit %d without %s", code, failed ? "a message" : "a fault");
    else
        right = wrong("ends with %d: %.1500s", code, said.bytes ? said.bytes : "");
    drop(&said);
    right = right && folder_clean(c, folder);
    if (right && code == 3 && redo && (c == TRAIN || c == SWEEP))
        right = again(c, folder);
    return right;
}

/* How many paths the command has, and how often each is taken, TURNS_MAX at most. */
static int count_paths(command_id c, kind what, int *turns, int max) {
    char folder[600];
    make_folder(folder, sizeof folder, "point");
    tn_fault_state *s = set_fault(0, 0, false);
    int code = run(folder, commands[c].line, what);
    if (code != 0) {
        text said = read_text(folder, "stderr");
        fprintf(stderr, "%s ends with %d where nothing fails: %s\n", commands[c].name, code, said.bytes);
        exit(1);
    }
    int paths = s->paths < max ? s->paths : max;
    for (int i = 0; i < TN_FAULT_PATHS; i++)
        if (s->table[i].path > 0 && s->table[i].path <= paths)
            turns[s->table[i].path] = s->table[i].turns;
    munmap(s, sizeof *s);
    if (paths < 1) {
        fprintf(stderr, "%s, %s: %d call paths: is the library that fails them loaded?\n", commands[c].name,
                kind_names[what], paths);
        exit(1);
    }
    return paths;
}

static bool show(command_id c, kind what, int path, int turn, bool redo) {
    char name[64];
    why[0] = '\0';
    if (point(c, what, path, turn, redo, name, sizeof name))
        return true;
    printf("FAILED: %s, %s, call path %d (%s), turn %d: %s\n", commands[c].name, kind_names[what], path, name,
           turn, why);
    fflush(stdout);
    return false;
}

/* Every path at its first turn, and at a later one where it has any. */
static int every_point(command_id c, kind what, uint64_t seed) {
    static int turns[TN_FAULT_PATHS];
    int paths = count_paths(c, what, turns, TN_FAULT_PATHS - 1), points = 0, failed = 0;
    tn_rng rng = tn_rng_make(seed, TN_RNG_CASE, (uint64_t)(c * KINDS + what));
    for (int path = 1; path <= paths; path++) {
        points++;
        failed += !show(c, what, path, 1, what == FILES || path % 16 == 0);
        if (turns[path] < 2)
            continue;
        points++;
        failed += !show(c, what, path, 2 + (int)tn_rng_below(&rng, (uint32_t)turns[path] - 1), false);
    }
    printf("%s, %s: %d call paths, %d points, %d not well\n", commands[c].name, kind_names[what], paths,
           points, failed);
    return failed;
}

/* Points of a few pairs of a command and a kind: what a pair's paths are is a run of its own. */
static int some_points(uint64_t seed) {
    static int turns[4096];
    int failed = 0;
    tn_rng rng = tn_rng_make(seed, TN_RNG_CASE, 99);
    for (int pair = 0; pair < PAIRS; pair++) {
        command_id c = (command_id)tn_rng_below(&rng, COMMANDS);
        kind what = (kind)tn_rng_below(&rng, KINDS);
        if (commands[c].no_device && (what == OPENCL || what == LOST))
            what = what == OPENCL ? MEMORY : FILES;
        memset(turns, 0, sizeof turns);
        const int paths = count_paths(c, what, turns, 4095);
        for (int i = 0; i < POINTS; i++) {
            int path = 1 + (int)tn_rng_below(&rng, (uint32_t)paths);
            int many = turns[path] > 0 ? turns[path] : 1;
            failed +=
                !show(c, what, path, 1 + (int)tn_rng_below(&rng, (uint32_t)many), i == 0 && pair % 3 == 0);
        }
    }
    printf("%d passed, %d failed\n", PAIRS * POINTS - failed, failed);
    return failed;
}

static void make_inputs(void) {
    char folder[600], path[1200];
    int32_t tokens[16];
    for (int i = 0; i < 16; i++)
        tokens[i] = 7 * i % 192;
    snprintf(folder, sizeof folder, "%s/inputs", base);
    shell("mkdir '%s'", folder);
    tn_st_tensor t = {
        .name = "tokens", .dtype = "I32", .rank = 2, .dims = {2, 8}, .data = tokens, .bytes = sizeof tokens};
    snprintf(path, sizeof path, "%s/tokens.safetensors", folder);
    if (tn_safetensors_write(&fault_ctx, path, NULL, 0, &t, 1) != TN_OK)
        die(fault_ctx.message);
    shell("cp '%s/cost.csv' '%s' && sed 's/2000-/2001-/' '%s/cost.csv' >'%s/later.csv'", TN_TEST_DATA, folder,
          TN_TEST_DATA, folder);
    for (int c = 0; c < COMMANDS; c++) {
        char where[600];
        make_folder(where, sizeof where, "point");
        int code = run(where, commands[c].line, KINDS);
        if (code != 0) {
            text said = read_text(where, "stderr");
            fprintf(stderr, "%s ends with %d: %s\n", commands[c].name, code, said.bytes);
            exit(1);
        }
        golden_take((command_id)c, where);
        if (c == TRAIN)
            shell("cp -r '%s/run' '%s/trained'", where, folder);
    }
}

static int index_of(const char *name, const char *what) {
    for (int i = 0; i < COMMANDS && strcmp(what, "command") == 0; i++)
        if (strcmp(name, commands[i].name) == 0)
            return i;
    for (int i = 0; i < KINDS && strcmp(what, "kind") == 0; i++)
        if (strcmp(name, kind_names[i]) == 0)
            return i;
    fprintf(stderr, "unknown %s %s\n", what, name);
    exit(2);
}

int main(int argc, char **argv) {
    const char *given = getenv("TURNOUT_FAULT_SEED");
    uint64_t seed = given ? strtoull(given, NULL, 10) : (uint64_t)(1e6 * tn_clock_seconds());
    snprintf(base, sizeof base, "%s/turnout-faults-XXXXXX", getenv("TMPDIR") ? getenv("TMPDIR") : "/tmp");
    if (!mkdtemp(base))
        die(base);
    printf("seed %llu (TURNOUT_FAULT_SEED)\n", (unsigned long long)seed);
    make_inputs();
    int failed;
    if (argc >= 3) {
        command_id c = (command_id)index_of(argv[1], "command");
        kind what = (kind)index_of(argv[2], "kind");
        if (argc >= 4) {
            failed = !show(c, what, atoi(argv[3]), argc > 4 ? atoi(argv[4]) : 1, true);
            printf("%s/point\n", base);
            return failed;
        }
        failed = every_point(c, what, seed);
    } else {
        failed = some_points(seed);
    }
    golden_drop();
    shell("rm -rf '%s'", base);
    return failed != 0 || fault_ctx.live != 0;
}
