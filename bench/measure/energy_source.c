#include "energy_source.h"

#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

bool tn_energy_no(char why[TN_ENERGY_WHY], const char *format, ...) {
    va_list args;
    va_start(args, format);
    vsnprintf(why, TN_ENERGY_WHY, format, args);
    va_end(args);
    return false;
}

const char *tn_energy_place(const char *variable, const char *usual) {
    const char *given = getenv(variable);
    return given && given[0] ? given : usual;
}

/* errno says why not. */
static bool read_line(const char *path, char *text, size_t size) {
    FILE *stream = fopen(path, "r");
    if (!stream)
        return false;
    errno = 0;
    bool ok = fgets(text, (int)size, stream) != NULL;
    int error = errno;
    fclose(stream);
    errno = error;
    if (ok)
        text[strcspn(text, "\n")] = '\0';
    return ok;
}

bool tn_energy_line(const char *folder, const char *file, char *text, size_t size) {
    char path[512];
    snprintf(path, sizeof path, "%s/%s", folder, file);
    return read_line(path, text, size);
}

bool tn_energy_number(const char *path, uint64_t *out, char why[TN_ENERGY_WHY]) {
    char text[64], *end;
    if (!read_line(path, text, sizeof text))
        return errno == EACCES || errno == EPERM ? tn_energy_no(why, "only root may read the counters")
                                                 : tn_energy_no(why, "the counters cannot be read");
    errno = 0;
    *out = strtoull(text, &end, 10);
    if (end == text || *end || errno || text[0] == '-')
        return tn_energy_no(why, "the counters hold no numbers");
    return true;
}

bool tn_energy_read_files(tn_energy *energy, uint64_t *raw, char why[TN_ENERGY_WHY]) {
    for (int i = 0; i < energy->count; i++)
        if (!tn_energy_number(energy->counter[i].path, &raw[i], why))
            return false;
    return true;
}

static int by_name(const void *a, const void *b) {
    return strcmp(a, b);
}

int tn_energy_entries(const char *folder, const char *prefix, char names[][64], int most) {
    int count = 0;
    DIR *stream = opendir(folder);
    if (!stream)
        return -1;
    for (struct dirent *e; count < most && (e = readdir(stream)) != NULL;)
        if (strncmp(e->d_name, prefix, strlen(prefix)) == 0)
            snprintf(names[count++], sizeof names[0], "%.63s", e->d_name);
    closedir(stream);
    qsort(names, (size_t)count, sizeof names[0], by_name);
    return count;
}

static bool open_library(tn_energy *energy, const char *given, const char *const *names,
                         char why[TN_ENERGY_WHY]) {
    const char *only[] = {given, NULL};
    const char *first = given ? given : names[0], *error = NULL;
    for (const char *const *name = given ? only : names; *name && !energy->library; name++) {
        energy->library = dlopen(*name, RTLD_NOW | RTLD_LOCAL);
        if (energy->library)
            return true;
        error = dlerror();
        if (error && !strstr(error, "No such file"))
            return tn_energy_no(why, "%.190s", error); /* it is there and cannot be used */
    }
    return tn_energy_no(why, "no %.100s", first);
}

bool tn_energy_library(tn_energy *energy, const char *variable, const char *const *names,
                       const tn_energy_symbol *symbols, char why[TN_ENERGY_WHY]) {
    if (!open_library(energy, tn_energy_place(variable, NULL), names, why))
        return false;
    for (const tn_energy_symbol *s = symbols; s->name; s++) {
        void *address = dlsym(energy->library, s->name);
        memcpy(s->function, &address, sizeof address);
        if (!address && !s->optional)
            return tn_energy_no(why, "%.60s has no %s", names[0], s->name);
    }
    return true;
}

bool tn_energy_sample(tn_energy *energy, tn_sampler_watts watts, void *data, char why[TN_ENERGY_WHY]) {
    double now;
    size_t used = strlen(energy->source);
    if (!watts(data, &now, why))
        return false;
    if (tn_sampler_start(energy->ctx, watts, data, &energy->sampler) != TN_OK)
        return tn_energy_no(why, "%.190s", energy->ctx->message);
    energy->count = 1;
    energy->counter[0].unit_j = 1e-6;
    energy->update_s = 0.1; /* sensors of power renew their value 10 to 50 times a second */
    snprintf(energy->source + used, sizeof energy->source - used, " (power sampled every %d ms)",
             TN_SAMPLER_INTERVAL_MS);
    return true;
}
