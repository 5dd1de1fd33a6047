#include "device_name.h"

#include <ctype.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

/* "15.0.6", "6.5.0-1-amd64", "3.54", "22.2.0-devel": digits, then points, digits and what a distribution
 * adds. */
static bool is_version(const char *text) {
    size_t digits = strspn(text, "0123456789");
    if (digits == 0 || (text[digits] != '.' && text[digits] != '\0'))
        return false;
    return !strpbrk(text, " ()");
}

/* One item of a list in brackets that says how the driver was made, not what the device is. */
static bool is_detail(const char *item) {
    static const char *const makers[] = {"LLVM", "DRM", "Mesa", "Vulkan", "kernel", "Linux", "driver"};
    static const char *const words[] = {"radeonsi", "radv", "aco", "llvm"};
    for (size_t i = 0; i < sizeof makers / sizeof *makers; i++) {
        size_t length = strlen(makers[i]);
        if (strncasecmp(item, makers[i], length) == 0 && item[length] == ' ' && is_version(item + length + 1))
            return true;
    }
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (strcasecmp(item, words[i]) == 0)
            return true;
    size_t digits = strspn(item, "0123456789");
    if (digits > 0 && strcmp(item + digits, " bits") == 0)
        return true;
    return is_version(item) && strchr(item, '.');
}

static void append(char *to, const char *text) {
    size_t used = strlen(to);
    snprintf(to + used, TN_STABLE_NAME - used, "%s", text);
}

static void trim(char *text) {
    size_t first = strspn(text, " ");
    memmove(text, text + first, strlen(text + first) + 1);
    for (size_t n = strlen(text); n > 0 && text[n - 1] == ' '; n--)
        text[n - 1] = '\0';
}

static const char *clean(const char *p, char *out, int depth);

/* From behind '(' to behind its ')': the items that stay, joined. */
static const char *clean_list(const char *p, char *out, int depth) {
    char kept[TN_STABLE_NAME] = "";
    while (*p) {
        char item[TN_STABLE_NAME] = "";
        p = clean(p, item, depth);
        trim(item);
        if (*item && !is_detail(item)) {
            append(kept, *kept ? ", " : "");
            append(kept, item);
        }
        if (*p == ',')
            p++;
        else
            break;
    }
    if (*kept) {
        append(out, "(");
        append(out, kept);
        append(out, ")");
    }
    return *p == ')' ? p + 1 : p;
}

/* Text up to the end, or within brackets to the end of an item; brackets in it are cleaned. */
static const char *clean(const char *p, char *out, int depth) {
    while (*p && !(depth > 0 && (*p == ',' || *p == ')'))) {
        if (*p == '(' && depth < 8) {
            p = clean_list(p + 1, out, depth + 1);
            continue;
        }
        if (!(*p == ' ' && *out && out[strlen(out) - 1] == ' ')) /* where brackets went, no two blanks stay */
            append(out, (char[]){*p, '\0'});
        p++;
    }
    return p;
}

/* "pthread-skylake-avx512-Intel …": PoCL's driver, LLVM's word for the core, then the name, which begins with
 * a capital. `basic` and `minimal` run on one thread, so they stay apart. */
static const char *behind_pocl(const char *name) {
    static const char *const drivers[] = {"pthread-", "cpu-"};
    for (size_t i = 0; i < sizeof drivers / sizeof *drivers; i++) {
        size_t length = strlen(drivers[i]);
        if (strncmp(name, drivers[i], length) != 0 || strncmp(name + length, "minimal-", 8) == 0)
            continue;
        for (const char *p = name + length; *p && !isspace((unsigned char)*p); p++)
            if (isupper((unsigned char)*p) && p[-1] == '-')
                return p;
    }
    return name;
}

void tn_device_stable_name(const char *name, char stable[TN_STABLE_NAME]) {
    stable[0] = '\0';
    (void)clean(behind_pocl(name), stable, 0);
    trim(stable);
    if (!*stable)
        snprintf(stable, TN_STABLE_NAME, "%s", name);
}
