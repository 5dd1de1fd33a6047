#include "file_names.h"

#include "file.h"

#include <dirent.h>
#include <errno.h>
#include <fnmatch.h>
#include <glob.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static tn_status push(tn_file_names *n, const char *path) {
    TN_TRY(tn_grow(n->ctx, &n->items, &n->capacity, n->count + 1, sizeof *n->items));
    TN_TRY(tn_strdup(n->ctx, path, &n->items[n->count]));
    n->count++;
    return TN_OK;
}

static tn_status no_such(tn_context *ctx, const char *path) {
    return tn_fail(ctx, TN_ERR_INPUT, "cannot read %s: %s", path, strerror(errno));
}

static tn_status walk(tn_file_names *n, const char *folder, const char *pattern);

/* Links to folders are not followed: they may lead back. */
static tn_status walk_entry(tn_file_names *n, const char *path, const char *name, const char *pattern) {
    struct stat info;
    if (lstat(path, &info) != 0)
        return no_such(n->ctx, path);
    if (S_ISDIR(info.st_mode))
        return walk(n, path, pattern);
    if (S_ISLNK(info.st_mode) && stat(path, &info) != 0)
        return TN_OK; /* it leads nowhere */
    bool wanted = S_ISREG(info.st_mode) && (!pattern || fnmatch(pattern, name, FNM_PERIOD) == 0);
    return wanted ? push(n, path) : TN_OK;
}

/* Files below the folder, those of the pattern where there is one. */
static tn_status walk(tn_file_names *n, const char *folder, const char *pattern) {
    char path[PATH_MAX];
    DIR *open = opendir(folder);
    if (!open)
        return no_such(n->ctx, folder);
    tn_status status = TN_OK;
    for (struct dirent *entry; status == TN_OK && (entry = readdir(open)) != NULL;) {
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        if (snprintf(path, sizeof path, "%s/%s", folder, entry->d_name) >= (int)sizeof path)
            status = tn_fail(n->ctx, TN_ERR_INPUT, "the names below %s are too long", folder);
        else
            status = walk_entry(n, path, entry->d_name, pattern);
    }
    closedir(open);
    return status;
}

static tn_status add_path(tn_file_names *n, const char *path) {
    struct stat info;
    if (stat(path, &info) != 0)
        return no_such(n->ctx, path);
    return S_ISDIR(info.st_mode) ? walk(n, path, NULL) : push(n, path);
}

/* DIR, two stars, a name. */
static tn_status add_deep(tn_file_names *n, const char *pattern, const char *stars) {
    char folder[PATH_MAX];
    const char *name = stars + strlen("/**/");
    if (strchr(name, '/') || stars - pattern >= (int)sizeof folder)
        return tn_fail(n->ctx, TN_ERR_INPUT, "%s: after ** there is one name, as in src/**/*.c", pattern);
    snprintf(folder, sizeof folder, "%.*s", (int)(stars - pattern), pattern);
    return walk(n, folder, name);
}

static tn_status add_pattern(tn_file_names *n, const char *pattern) {
    const char *stars = strstr(pattern, "/**/");
    glob_t found;
    if (stars)
        return add_deep(n, pattern, stars);
    int bad = glob(pattern, GLOB_NOSORT, NULL, &found);
    tn_status status =
        bad == GLOB_NOSPACE ? tn_fail(n->ctx, TN_ERR_MEMORY, "out of host memory for names") : TN_OK;
    for (size_t i = 0; bad == 0 && status == TN_OK && i < found.gl_pathc; i++)
        status = add_path(n, found.gl_pathv[i]);
    if (bad == 0)
        globfree(&found);
    return status;
}

static tn_status add_item(tn_file_names *n, const char *item) {
    size_t before = n->count;
    if (tn_file_exists(item) || !strpbrk(item, "*?["))
        TN_TRY(add_path(n, item));
    else
        TN_TRY(add_pattern(n, item));
    if (n->count == before)
        return tn_fail(n->ctx, TN_ERR_INPUT, "there is no file in %s", item);
    return TN_OK;
}

static tn_status add_list(tn_file_names *n, const char *names) {
    char *copy, *rest = NULL;
    TN_TRY(tn_strdup(n->ctx, names, &copy));
    tn_status status = TN_OK;
    for (char *item = strtok_r(copy, ",", &rest); item && status == TN_OK; item = strtok_r(NULL, ",", &rest))
        status = add_item(n, item);
    tn_free(n->ctx, copy);
    if (status == TN_OK && n->count == 0)
        status = tn_fail(n->ctx, TN_ERR_INPUT, "'%s' names no file", names);
    return status;
}

static int by_bytes(const void *a, const void *b) {
    return strcmp(*(char *const *)a, *(char *const *)b);
}

tn_status tn_file_names_find(tn_context *ctx, const char *names, tn_file_names *out) {
    *out = (tn_file_names){.ctx = ctx};
    TN_TRY(tn_file_exists(names) ? add_item(out, names) : add_list(out, names));
    qsort(out->items, out->count, sizeof *out->items, by_bytes);
    size_t kept = 1;
    for (size_t i = 1; i < out->count; i++)
        if (strcmp(out->items[i], out->items[kept - 1]) == 0)
            tn_free(ctx, out->items[i]);
        else
            out->items[kept++] = out->items[i];
    out->count = kept;
    return TN_OK;
}

void tn_file_names_free(tn_file_names *names) {
    for (size_t i = 0; i < names->count; i++)
        tn_free(names->ctx, names->items[i]);
    if (names->ctx)
        tn_free(names->ctx, names->items);
    *names = (tn_file_names){0};
}
