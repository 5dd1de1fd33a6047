#include "report_paths.h"

#include <string.h>

/* Bytes up to and with the last '/' within the first `size` bytes; 0 where there is none. */
static size_t folder_size(const char *path, size_t size) {
    while (size > 0 && path[size - 1] != '/')
        size--;
    return size;
}

/* Bytes that the shared folders take, without the last of them, which says where a file is from. */
static size_t shared_size(const json_t *files) {
    const char *first = NULL;
    size_t shared = 0, i;
    json_t *file;
    json_array_foreach(files, i, file) {
        const char *path = json_string_value(file);
        if (!path || *path != '/')
            continue;
        size_t same = 0;
        if (!first) {
            first = path;
            shared = folder_size(path, strlen(path));
            continue;
        }
        while (same < shared && path[same] == first[same])
            same++;
        shared = folder_size(first, same);
    }
    return shared > 1 ? folder_size(first, shared - 1) : shared;
}

/* NULL where the text is no absolute path. */
static json_t *shortened(const json_t *text, size_t shared) {
    const char *path = json_string_value(text);
    if (!path || *path != '/')
        return NULL;
    size_t left_out = strlen(path) > shared ? shared : folder_size(path, strlen(path));
    return json_string(path + left_out);
}

static void shorten_field(json_t *object, const char *name, size_t shared) {
    json_t *fresh = shortened(json_object_get(object, name), shared);
    if (fresh)
        json_object_set_new(object, name, fresh);
}

static void shorten_config(json_t *run) {
    json_t *config = json_object_get(run, "config"), *value;
    const char *name;
    if (!json_is_object(config))
        return;
    json_t *copy = json_deep_copy(config);
    json_object_foreach(config, name, value) {
        const char *path = json_string_value(value);
        json_t *fresh = path ? shortened(value, folder_size(path, strlen(path))) : NULL;
        if (fresh)
            json_object_set_new(copy, name, fresh);
    }
    json_object_set_new(run, "config", copy);
}

void tn_report_shorten_paths(json_t *root) {
    json_t *files = json_object_get(root, "files"), *list, *item;
    const char *name;
    size_t shared = shared_size(files), i;
    json_object_foreach(root, name, list) json_array_foreach(list, i, item) if (json_is_object(item)) {
        shorten_field(item, "file", shared);
        shorten_field(item, "path", shared);
        shorten_config(item);
    }
    json_array_foreach(files, i, item) {
        json_t *fresh = shortened(item, shared);
        if (fresh)
            json_array_set_new(files, i, fresh);
    }
}
