/* A peer that behaves as its argument or FAKE_PEER says. It "computes" the sum of its inputs, element by
 * element, or as "product" their product, which is a right matrix product of one by one. As "choosy" it can
 * be started in other ways: one that is wrong and very fast, one that is right and fast, one that is right
 * and slow, one that crashes, and one that is not there; left alone it is right and slower still. As "card"
 * it tells times by events, too. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static float sum[4096];
static char card[64]; /* its second argument, behind its name */
static size_t count;

static void add_file(const char *path, int multiply) {
    float values[4096];
    FILE *file = fopen(path, "rb");
    if (!file)
        exit(9);
    count = fread(values, sizeof values[0], 4096, file);
    fclose(file);
    for (size_t i = 0; i < count; i++)
        sum[i] = multiply ? sum[i] * values[i] : sum[i] + values[i];
}

static void misbehave(const char *how) {
    if (strcmp(how, "crash") == 0) {
        fprintf(stderr, "about to fall over\n");
        abort();
    }
    if (strcmp(how, "hang") == 0)
        for (;;)
            pause();
    if (strcmp(how, "garbage") == 0)
        puts("hello there");
    if (strcmp(how, "error") == 0)
        puts("error the disk is on fire");
    if (strcmp(how, "unsupported") == 0)
        puts("unsupported install something");
    if (strcmp(how, "nan") == 0)
        puts("seconds nan");
    if (strcmp(how, "endless") == 0)
        for (int i = 0; i < 100000; i++)
            putchar('x');
}

static int multiplies(const char *how) {
    return strcmp(how, "product") == 0 || strcmp(how, "choosy") == 0 || strcmp(how, "way-fast") == 0 ||
           strcmp(how, "way-slow") == 0;
}

/* Seconds of a call. */
static double seconds_of(const char *how) {
    return strcmp(how, "choosy") == 0      ? 8e-3
           : strcmp(how, "way-slow") == 0  ? 4e-3
           : strcmp(how, "way-wrong") == 0 ? 1e-4
                                           : 1e-3;
}

static void answer(char *line, const char *how) {
    if (strncmp(line, "ways ", 5) == 0) {
        puts(strcmp(how, "choosy") == 0 ? "ways way-wrong way-fast way-slow crash way-none way-fast"
                                        : "error there is one way");
    } else if (strncmp(line, "prepare ", 8) == 0) {
        int files = 0;
        memset(sum, 0, sizeof sum);
        for (char *word = strtok(line + 8, " \n"); word; word = strtok(NULL, " \n"))
            if (word[0] == '/')
                add_file(word, files++ && multiplies(how));
        if (strcmp(how, "refuse") == 0 || strcmp(how, "way-none") == 0) {
            puts("unsupported install something");
            return;
        }
        printf("ready Fake 1.0 %s%s%s\n", getenv("OPENBLAS_CORETYPE") ? "with a core type" : "clean",
               strncmp(how, "way-", 4) == 0 ? how + 3 : "", card);
    } else if (strncmp(line, "run ", 4) == 0) {
        misbehave(how);
        if (strncmp(how, "card", 4) == 0)
            printf("seconds %.9g %s\n", 2e-3 * atoi(line + 4),
                   strcmp(how, "card-odd") == 0 ? "0.5 x" : "0.001");
        if (strcmp(how, "right") == 0 || strcmp(how, "short") == 0 || multiplies(how) ||
            strcmp(how, "way-wrong") == 0)
            printf("seconds %.9g\n", seconds_of(how) * atoi(line + 4));
    } else if (strncmp(line, "output ", 7) == 0) {
        if (strcmp(how, "crash") == 0)
            misbehave(how);
        line[strcspn(line, "\n")] = '\0';
        FILE *file = fopen(line + 7, "wb");
        fwrite(sum, sizeof sum[0], strcmp(how, "short") == 0 ? count / 2 : count, file);
        fclose(file);
        puts("written");
    }
}

int main(int argc, char **argv) {
    char line[4096];
    const char *how = argc > 1 ? argv[1] : getenv("FAKE_PEER");
    how = how ? how : "right";
    if (argc > 2)
        snprintf(card, sizeof card, " %s", argv[2]);
    while (fgets(line, sizeof line, stdin) && strncmp(line, "quit", 4) != 0) {
        answer(line, how);
        fflush(stdout);
    }
    return 0;
}
