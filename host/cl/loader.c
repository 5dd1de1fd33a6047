#include "loader.h"

#include "utf8.h"

#include <ctype.h>
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

void tn_note_add(char *text, size_t size, const char *format, ...) {
    size_t used = strlen(text);
    if (used + 2 >= size)
        return;
    if (used)
        text[used++] = '\n';
    va_list args;
    va_start(args, format);
    vsnprintf(text + used, size - used, format, args);
    va_end(args);
    tn_utf8_clean(text + used);
}

/* A list of lines that grows. */
typedef struct lines {
    char *text;
    size_t size;
} lines;

static void check_library(const char *library, const char *named_by, lines *out) {
    void *handle = dlopen(library, RTLD_LAZY | RTLD_LOCAL);
    const char *why = handle ? NULL : dlerror();
    if (!handle)
        tn_note_add(out->text, out->size, "%s: %s does not load: %s", named_by, library,
                    why ? why : "no reason given");
    else if (!dlsym(handle, "clGetExtensionFunctionAddress"))
        tn_note_add(out->text, out->size,
                    "%s: %s is no OpenCL driver: it lacks clGetExtensionFunctionAddress", named_by, library);
    if (handle)
        dlclose(handle);
}

/* An .icd file holds the name of a library, in one line that need not end. */
static void check_icd(const char *path, lines *out) {
    char line[1024] = "";
    FILE *file = fopen(path, "r");
    if (!file) {
        tn_note_add(out->text, out->size, "%s cannot be read: %s", path, strerror(errno));
        return;
    }
    char *got = fgets(line, sizeof line, file);
    fclose(file);
    char *end = line + strlen(line);
    while (end > line && isspace((unsigned char)end[-1]))
        *--end = '\0';
    if (!got || !line[0])
        tn_note_add(out->text, out->size, "%s names no library: it is empty", path);
    else
        check_library(line, path, out);
}

static bool ends_with(const char *text, const char *end) {
    size_t a = strlen(text), b = strlen(end);
    return a >= b && strcmp(text + a - b, end) == 0;
}

static int is_icd(const struct dirent *entry) {
    return ends_with(entry->d_name, ".icd");
}

static void check_folder(const char *folder, lines *out) {
    struct dirent **entries;
    int count = scandir(folder, &entries, is_icd, alphasort);
    if (count < 0) {
        tn_note_add(out->text, out->size, "%s cannot be read: %s", folder, strerror(errno));
        return;
    }
    if (count == 0)
        tn_note_add(out->text, out->size, "%s holds no .icd file: no driver is registered", folder);
    for (int i = 0; i < count; i++) {
        char path[2048];
        snprintf(path, sizeof path, "%s/%s", folder, entries[i]->d_name);
        check_icd(path, out);
        free(entries[i]);
    }
    free(entries);
}

/* A folder, an .icd file or a library, whichever it is. */
static void check_entry(const char *entry, const char *named_by, lines *out) {
    struct stat info;
    if (stat(entry, &info) == 0 && S_ISDIR(info.st_mode))
        check_folder(entry, out);
    else if (ends_with(entry, ".icd"))
        check_icd(entry, out);
    else
        check_library(entry, named_by, out);
}

static void check_variable(const char *name, lines *out) {
    char *list = strdup(getenv(name)), *rest = list;
    for (char *one; list && (one = strsep(&rest, ":")) != NULL;)
        if (one[0])
            check_entry(one, name, out);
    free(list);
}

static bool is_set(const char *name) {
    const char *text = getenv(name);
    return text && text[0];
}

void tn_loader_faults(char *text, size_t size) {
    lines out = {text, size};
    if (is_set("OCL_ICD_FILENAMES"))
        check_variable("OCL_ICD_FILENAMES", &out);
    if (is_set("OCL_ICD_VENDORS"))
        check_variable("OCL_ICD_VENDORS", &out);
    else if (is_set("OPENCL_VENDOR_PATH"))
        check_variable("OPENCL_VENDOR_PATH", &out);
    else if (!is_set("OCL_ICD_FILENAMES"))
        check_folder("/etc/OpenCL/vendors", &out);
}

/* Makes the folder and those above it, as PoCL would; false with the reason in errno where files cannot be
 * made in it. */
static bool can_write(const char *path) {
    char folder[2048];
    snprintf(folder, sizeof folder, "%s", path);
    for (char *slash = strchr(folder + 1, '/');; slash = strchr(slash + 1, '/')) {
        if (slash)
            *slash = '\0';
        if (mkdir(folder, 0777) != 0 && errno != EEXIST)
            return false;
        if (!slash)
            return access(folder, W_OK | X_OK) == 0;
        *slash = '/';
    }
}

static const char cache_reason[] = "PoCL cannot write its cache";

void tn_loader_empty_reason(const char *platform_name, char *text, size_t size) {
    char folder[2048];
    text[0] = '\0';
    if (strstr(platform_name, "rusticl") && !is_set("RUSTICL_ENABLE"))
        snprintf(text, size, "RUSTICL_ENABLE names the drivers it may use, and is not set");
    if (!strstr(platform_name, "Portable Computing Language"))
        return;
    /* As PoCL chooses its cache of kernels; without one it shows nothing. */
    if (is_set("POCL_CACHE_DIR"))
        snprintf(folder, sizeof folder, "%s", getenv("POCL_CACHE_DIR"));
    else if (is_set("XDG_CACHE_HOME"))
        snprintf(folder, sizeof folder, "%s/pocl/kcache", getenv("XDG_CACHE_HOME"));
    else if (is_set("HOME"))
        snprintf(folder, sizeof folder, "%s/.cache/pocl/kcache", getenv("HOME"));
    else
        snprintf(folder, sizeof folder, "/tmp/pocl/kcache");
    if (!can_write(folder))
        snprintf(text, size, "%s, %s (%s); set POCL_CACHE_DIR to a folder that can be written", cache_reason,
                 folder, strerror(errno));
}

tn_status tn_loader_no_device(tn_context *ctx, const char *what, const char *notes) {
    const char *advice =
        "install your GPU vendor's driver with its entry in /etc/OpenCL/vendors, or PoCL for any CPU";
    if (strstr(notes, cache_reason))
        advice = "nothing else is missing";
    else if (access("/etc/debian_version", F_OK) == 0 && geteuid() == 0)
        advice = "install your GPU vendor's driver, or PoCL for any CPU:\n"
                 "    apt-get update && apt-get install -y --no-install-recommends pocl-opencl-icd";
    else if (access("/etc/debian_version", F_OK) == 0)
        advice =
            "install your GPU vendor's driver, or PoCL for any CPU (who has no root asks who has):\n"
            "    sudo sh -c 'apt-get update && apt-get install -y --no-install-recommends pocl-opencl-icd'";
    return tn_fail(ctx, TN_ERR_DEVICE, "%s\n%s%s%s\n`turnout devices` shows what is found", what, notes,
                   notes[0] ? "\n" : "", advice);
}
