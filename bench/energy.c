#include "energy.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static bool read_text(const char *folder, const char *file, char *text, size_t size) {
    char path[512];
    snprintf(path, sizeof path, "%s/%s", folder, file);
    FILE *stream = fopen(path, "r");
    if (!stream)
        return false;
    bool ok = fgets(text, (int)size, stream) != NULL;
    int error = errno;
    fclose(stream);
    errno = error;
    if (ok)
        text[strcspn(text, "\n")] = '\0';
    return ok;
}

static bool parse_u64(const char *text, uint64_t *out) {
    char *end;
    errno = 0;
    *out = strtoull(text, &end, 10);
    return end != text && *end == '\0' && !errno && text[0] != '-';
}

/* "intel-rapl:0" is a package; "intel-rapl:0:1" a part of one; "intel-rapl-mmio:0" the same counter once
 * more. */
static bool is_package(const char *entry) {
    const char *prefix = "intel-rapl:";
    return strncmp(entry, prefix, strlen(prefix)) == 0 && !strchr(entry + strlen(prefix), ':');
}

static void add_domain(tn_energy *out, const char *root, const char *entry, const char **trouble) {
    char folder[384], name[64], text[64];
    uint64_t now, range;
    snprintf(folder, sizeof folder, "%s/%.100s", root, entry);
    if (!read_text(folder, "name", name, sizeof name) || strncmp(name, "package", 7) != 0)
        return; /* "psys" holds the packages once more */
    if (!read_text(folder, "energy_uj", text, sizeof text)) {
        *trouble = errno == EACCES ? "only root may read the counters" : "the counters cannot be read";
        return;
    }
    if (!parse_u64(text, &now) || !read_text(folder, "max_energy_range_uj", text, sizeof text) ||
        !parse_u64(text, &range)) {
        *trouble = "the counters hold no numbers";
        return;
    }
    size_t used = strlen(out->source);
    snprintf(out->source + used, sizeof out->source - used, "%s%s", used ? "+" : "rapl ", name);
    snprintf(out->path[out->count], sizeof out->path[0], "%.150s/%.80s/energy_uj", root, entry);
    out->range_uj[out->count++] = range;
}

static int by_name(const void *a, const void *b) {
    return strcmp(a, b);
}

void tn_energy_open(const tn_device_info *info, const char *root, tn_energy *out) {
    char names[TN_ENERGY_DOMAINS][64];
    const char *trouble = "no package counter";
    int count = 0;
    *out = (tn_energy){0};
    if (info->kind != TN_KIND_CPU) {
        snprintf(out->source, sizeof out->source, "unmeasured: no counter for this kind of device is read");
        return;
    }
    root = root ? root : "/sys/class/powercap";
    DIR *folder = opendir(root);
    if (!folder)
        trouble = "this kernel has no powercap counters";
    for (struct dirent *e; folder && count < TN_ENERGY_DOMAINS && (e = readdir(folder)) != NULL;)
        if (is_package(e->d_name))
            snprintf(names[count++], sizeof names[0], "%.63s", e->d_name);
    if (folder)
        closedir(folder);
    qsort(names, (size_t)count, sizeof names[0], by_name);
    for (int i = 0; i < count; i++)
        add_domain(out, root, names[i], &trouble);
    if (out->count < count && out->count > 0 && strcmp(trouble, "no package counter") != 0)
        out->count = 0; /* half the packages would be half the truth */
    if (out->count == 0)
        snprintf(out->source, sizeof out->source, "unmeasured: %s", trouble);
}

void tn_energy_read(const tn_energy *energy, tn_energy_mark *out) {
    char text[64];
    *out = (tn_energy_mark){.valid = energy->count > 0};
    for (int i = 0; i < energy->count; i++) {
        FILE *stream = fopen(energy->path[i], "r");
        bool ok = stream && fgets(text, sizeof text, stream);
        if (stream)
            fclose(stream);
        if (ok)
            text[strcspn(text, "\n")] = '\0';
        out->valid = out->valid && ok && parse_u64(text, &out->uj[i]);
    }
}

bool tn_energy_between(const tn_energy *energy, const tn_energy_mark *from, const tn_energy_mark *to,
                       double *joules) {
    uint64_t sum = 0;
    *joules = 0;
    if (!from->valid || !to->valid || energy->count == 0)
        return false;
    for (int i = 0; i < energy->count; i++)
        sum += to->uj[i] >= from->uj[i] ? to->uj[i] - from->uj[i]
                                        : energy->range_uj[i] - from->uj[i] + to->uj[i];
    *joules = 1e-6 * (double)sum;
    return true;
}
