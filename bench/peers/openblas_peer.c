/* OpenBLAS behind the lines of bench/peers/README.md. The library is loaded when asked for, so that the build
 * needs neither it nor its header. */
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>
#include <unistd.h>

enum { ROW_MAJOR = 101, NO_TRANS = 111, TRANS = 112 };
enum { LINE = 4096, NAME = 160 };

typedef void (*sgemm_function)(int order, int trans_a, int trans_b, int m, int n, int k, float alpha,
                               const float *a, int lda, const float *b, int ldb, float beta, float *c,
                               int ldc);

typedef struct product {
    sgemm_function sgemm;
    int trans_a, trans_b, M, N, K;
    float *a, *b, *c;
} product;

static const char usual_library[] = "libopenblas.so.0";

/* Kernels that a library for many processors may hold; it falls back to others where it has not. */
static const char *const cores[] = {
#if defined(__x86_64__)
    "SkylakeX", "Cooperlake", "Sapphirerapids", "Zen", "Haswell",
#elif defined(__aarch64__)
    "NEOVERSEV1", "NEOVERSEN2", "NEOVERSEN1", "ARMV8SVE", "ARMV8",
#endif
    NULL};

/* Symbols of the library from PyPI begin with scipy_. */
static void *symbol(void *library, const char *name) {
    char other[64];
    void *found = dlsym(library, name);
    snprintf(other, sizeof other, "scipy_%s", name);
    return found ? found : dlsym(library, other);
}

/* `way`: a library, or "library:core" for the kernels of that processor, which are chosen as it is loaded. */
static const char *load(product *p, const char *way, char *name) {
    char file[LINE];
    const char *(*config)(void), *(*core)(void), *colon = strrchr(way, ':');
    int (*threads)(void);
    snprintf(file, sizeof file, "%.*s", colon ? (int)(colon - way) : (int)strlen(way), way);
    if (colon)
        setenv("OPENBLAS_CORETYPE", colon + 1, 1);
    void *library = dlopen(file, RTLD_NOW | RTLD_LOCAL);
    if (!library)
        return "libopenblas.so.0 is not there; on Debian: apt-get install libopenblas0-pthread";
    *(void **)&p->sgemm = symbol(library, "cblas_sgemm");
    if (!p->sgemm)
        return "libopenblas.so.0 has no cblas_sgemm";
    *(void **)&config = symbol(library, "openblas_get_config");
    *(void **)&core = symbol(library, "openblas_get_corename");
    *(void **)&threads = symbol(library, "openblas_get_num_threads");
    if (colon && (!core || strcasecmp(core(), colon + 1) != 0))
        return "it has no kernels for that processor";
    const char *words = config ? config() : "OpenBLAS";
    const char *blank = strchr(words, ' ');
    size_t length = blank ? (size_t)(blank + 1 - words) + strcspn(blank + 1, " ") : strlen(words);
    snprintf(name, NAME, "%.*s %s %d threads", (int)length, words, core ? core() : "of an unknown core",
             threads ? threads() : 1);
    return NULL;
}

/* A newer one from PyPI, where `python` knows scipy-openblas32. */
static void from_python(const char *python, char *file, size_t size) {
    char command[2 * LINE];
    file[0] = '\0';
    if (strchr(python, '\''))
        return;
    snprintf(command, sizeof command,
             "'%s' -c 'import os, scipy_openblas32 as s; print(os.path.join(s.get_lib_dir(), "
             "s.get_library(fullname=True)))' 2>/dev/null",
             python);
    FILE *pipe = popen(command, "r");
    if (pipe && fgets(file, (int)size, pipe))
        file[strcspn(file, "\n")] = '\0';
    if (pipe)
        pclose(pipe);
    if (strpbrk(file, " \t"))
        file[0] = '\0'; /* a line holds words */
}

/* Every library that is found with every kernel it may have; the usual one with its own choice is what this
 * process is without an argument. */
static void ways(FILE *answers, char *python) {
    char newer[LINE];
    const char *given = getenv("TURNOUT_OPENBLAS"), *libraries[] = {usual_library, newer, given ? given : ""};
    python[strcspn(python, "\n")] = '\0';
    from_python(python, newer, sizeof newer);
    fputs("ways", answers);
    for (size_t i = 0; i < sizeof libraries / sizeof libraries[0]; i++) {
        if (!libraries[i][0])
            continue;
        if (i > 0)
            fprintf(answers, " %s", libraries[i]);
        for (const char *const *core = cores; *core; core++)
            fprintf(answers, " %s:%s", libraries[i], *core);
    }
    fputc('\n', answers);
}

static float *read_floats(const char *path, size_t count) {
    float *values = malloc(count * sizeof *values + 1);
    FILE *file = path ? fopen(path, "rb") : NULL;
    size_t got = values && file ? fread(values, sizeof *values, count, file) : 0;
    if (file)
        fclose(file);
    if (got == count)
        return values;
    free(values);
    return NULL;
}

static void once(const product *p) {
    p->sgemm(ROW_MAJOR, p->trans_a, p->trans_b, p->M, p->N, p->K, 1, p->a, p->trans_a == TRANS ? p->M : p->K,
             p->b, p->trans_b == TRANS ? p->K : p->N, 0, p->c, p->N);
}

static void drop(product *p) {
    free(p->a);
    free(p->b);
    free(p->c);
    p->a = p->b = p->c = NULL;
}

/* "gemm nn M=… N=… K=… epilogue=0 A B" */
static const char *prepare(product *p, char *line) {
    char *save, *op = strtok_r(line, " \n", &save), *pass = strtok_r(NULL, " \n", &save), *word;
    const char *paths[2] = {NULL, NULL};
    int count = 0, epilogue = 0;
    drop(p);
    p->M = p->N = p->K = 0;
    if (!op || !pass || strcmp(op, "gemm") != 0 ||
        (strcmp(pass, "nn") != 0 && strcmp(pass, "nt") != 0 && strcmp(pass, "tn") != 0))
        return "unsupported OpenBLAS is asked for gemm nn, nt and tn alone";
    p->trans_a = pass[0] == 't' ? TRANS : NO_TRANS;
    p->trans_b = pass[1] == 't' ? TRANS : NO_TRANS;
    while ((word = strtok_r(NULL, " \n", &save)) != NULL)
        if (sscanf(word, "M=%d", &p->M) != 1 && sscanf(word, "N=%d", &p->N) != 1 &&
            sscanf(word, "K=%d", &p->K) != 1 && sscanf(word, "epilogue=%d", &epilogue) != 1 && count < 2)
            paths[count++] = word;
    if (epilogue)
        return "unsupported sgemm adds no bias; epilogue=0 can be compared";
    if (p->M < 1 || p->N < 1 || p->K < 1 || count != 2)
        return "error a product wants M, N, K and the files of A and B";
    p->a = read_floats(paths[0], (size_t)p->M * (size_t)p->K);
    p->b = read_floats(paths[1], (size_t)p->K * (size_t)p->N);
    p->c = malloc((size_t)p->M * (size_t)p->N * sizeof *p->c);
    if (!p->a || !p->b || !p->c)
        return "error A or B cannot be read, or memory is short";
    once(p);
    once(p);
    return NULL;
}

static double seconds_now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static void run(FILE *answers, const product *p, int calls) {
    double start = seconds_now();
    for (int i = 0; i < calls; i++)
        once(p);
    fprintf(answers, "seconds %.9g\n", seconds_now() - start);
}

static void output(FILE *answers, const product *p, char *path) {
    path[strcspn(path, "\n")] = '\0';
    once(p);
    size_t count = (size_t)p->M * (size_t)p->N;
    FILE *file = fopen(path, "wb");
    int fine = file && fwrite(p->c, sizeof *p->c, count, file) == count;
    fine = file && fclose(file) == 0 && fine;
    fputs(fine ? "written\n" : "error the result cannot be written\n", answers);
}

int main(int argc, char **argv) {
    char line[LINE], name[NAME] = "OpenBLAS";
    product p = {0};
    const char *missing = load(&p, argc > 1 ? argv[1] : usual_library, name);
    FILE *answers = fdopen(dup(1), "w"); /* what a library prints must not stand among answers */
    if (!answers || dup2(2, 1) < 0)
        return 1;
    while (fgets(line, sizeof line, stdin)) {
        if (strncmp(line, "quit", 4) == 0)
            break;
        if (strncmp(line, "ways ", 5) == 0) {
            ways(answers, line + 5);
        } else if (strncmp(line, "prepare ", 8) == 0) {
            const char *refused = missing ? NULL : prepare(&p, line + 8);
            if (missing)
                fprintf(answers, "unsupported %s\n", missing);
            else
                fprintf(answers, refused ? "%s\n" : "ready %s\n", refused ? refused : name);
        } else if (!p.c) {
            fputs("error nothing is prepared\n", answers);
        } else if (strncmp(line, "run ", 4) == 0) {
            run(answers, &p, atoi(line + 4));
        } else if (strncmp(line, "output ", 7) == 0) {
            output(answers, &p, line + 7);
        } else {
            fputs("error that line is not understood\n", answers);
        }
        fflush(answers);
    }
    drop(&p);
    fclose(answers);
    return 0;
}
