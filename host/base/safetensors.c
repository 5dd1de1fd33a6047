#include "safetensors.h"

#include "file.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

static size_t dtype_size(const char *dtype) {
    static const struct {
        const char *name;
        size_t size;
    } known[] = {{"F32", 4}, {"I32", 4}, {"I64", 8}, {"U8", 1}};
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
        if (strcmp(known[i].name, dtype) == 0)
            return known[i].size;
    return 0;
}

static json_t *header_json(const tn_st_pair *meta, int meta_count, const tn_st_tensor *tensors, int count) {
    json_t *root = json_object(), *pairs = json_object();
    size_t at = 0;
    for (int i = 0; i < meta_count; i++)
        json_object_set_new(pairs, meta[i].key, json_string(meta[i].value));
    json_object_set_new(root, "__metadata__", pairs);
    for (int i = 0; i < count; i++) {
        json_t *shape = json_array();
        for (int d = 0; d < tensors[i].rank; d++)
            json_array_append_new(shape, json_integer(tensors[i].dims[d]));
        json_object_set_new(root, tensors[i].name,
                            json_pack("{s:s, s:o, s:[I,I]}", "dtype", tensors[i].dtype, "shape", shape,
                                      "data_offsets", (json_int_t)at, (json_int_t)(at + tensors[i].bytes)));
        at += tensors[i].bytes;
    }
    return root;
}

static void write_all(FILE *stream, const char *header, const tn_st_tensor *tensors, int count) {
    size_t length = strlen(header), padded = (length + 7) / 8 * 8;
    for (int i = 0; i < 8; i++)
        fputc((int)((uint64_t)padded >> (8 * i) & 0xff), stream);
    fwrite(header, 1, length, stream);
    for (size_t i = length; i < padded; i++)
        fputc(' ', stream);
    for (int i = 0; i < count; i++)
        fwrite(tensors[i].data, 1, tensors[i].bytes, stream); /* commit looks at the stream's error flag */
}

tn_status tn_safetensors_write(tn_context *ctx, const char *path, const tn_st_pair *meta, int meta_count,
                               const tn_st_tensor *tensors, int count) {
    tn_outfile file;
    json_t *root = header_json(meta, meta_count, tensors, count);
    char *header = json_dumps(root, JSON_COMPACT);
    json_decref(root);
    if (!header)
        return tn_fail(ctx, TN_ERR_MEMORY, "out of host memory for the header of %s", path);
    tn_status status = tn_outfile_open(ctx, path, &file);
    if (status == TN_OK) {
        write_all(file.stream, header, tensors, count);
        status = tn_outfile_commit(ctx, &file);
    }
    free(header);
    return status;
}

static tn_status damaged(tn_context *ctx, const char *path, const char *what) {
    return tn_fail(ctx, TN_ERR_INPUT,
                   "%s is not a whole safetensors file: %s; write it again, or name another", path, what);
}

static tn_status read_tensor(tn_context *ctx, const char *path, const char *name, json_t *entry,
                             const char *data, size_t data_bytes, tn_st_tensor *t) {
    const char *dtype;
    json_t *shape, *offsets;
    json_int_t begin, end;
    if (json_unpack(entry, "{s:s, s:o, s:o}", "dtype", &dtype, "shape", &shape, "data_offsets", &offsets) !=
            0 ||
        !json_is_array(shape) || json_unpack(offsets, "[I,I!]", &begin, &end) != 0)
        return damaged(ctx, path, "a tensor's entry lacks dtype, shape or data_offsets");
    size_t size = dtype_size(dtype), count = 1;
    if (size == 0)
        return tn_fail(ctx, TN_ERR_INPUT, "%s: tensor %.60s has dtype %.20s; F32, I32, I64 and U8 are read",
                       path, name, dtype);
    if (json_array_size(shape) > TN_ST_RANK || strlen(name) >= TN_ST_NAME)
        return tn_fail(ctx, TN_ERR_INPUT, "%s: tensor %.60s has more than %d dimensions or too long a name",
                       path, name, TN_ST_RANK);
    snprintf(t->name, sizeof t->name, "%s", name);
    snprintf(t->dtype, sizeof t->dtype, "%s", dtype);
    t->rank = (int)json_array_size(shape);
    for (int d = 0; d < t->rank; d++) {
        json_t *value = json_array_get(shape, (size_t)d);
        t->dims[d] = json_integer_value(value);
        if (!json_is_integer(value) || t->dims[d] < 0 ||
            (t->dims[d] > 0 && count > data_bytes / (size_t)t->dims[d]))
            return damaged(ctx, path, "a tensor's shape makes no sense");
        count *= (size_t)t->dims[d];
    }
    if (begin < 0 || end < begin || (size_t)end > data_bytes || (size_t)(end - begin) != count * size)
        return damaged(ctx, path, "a tensor's bytes lie outside the file or do not fit its shape");
    t->data = data + begin;
    t->bytes = count * size;
    return TN_OK;
}

static tn_status read_meta(tn_context *ctx, const char *path, json_t *meta, tn_safetensors *out) {
    const char *key;
    json_t *value;
    if (!json_is_object(meta))
        return damaged(ctx, path, "__metadata__ is not an object");
    TN_TRY(tn_alloc(ctx, json_object_size(meta), sizeof(char *), &out->keys));
    TN_TRY(tn_alloc(ctx, json_object_size(meta), sizeof(char *), &out->values));
    json_object_foreach(meta, key, value) {
        if (!json_is_string(value))
            return damaged(ctx, path, "__metadata__ holds something that is no string");
        TN_TRY(tn_strdup(ctx, key, &out->keys[out->meta_count]));
        out->meta_count++;
        TN_TRY(tn_strdup(ctx, json_string_value(value), &out->values[out->meta_count - 1]));
    }
    return TN_OK;
}

static int by_place(const void *a, const void *b) {
    const tn_st_tensor *x = *(const tn_st_tensor *const *)a, *y = *(const tn_st_tensor *const *)b;
    if (x->data != y->data)
        return (const char *)x->data > (const char *)y->data ? 1 : -1;
    return (x->bytes > y->bytes) - (x->bytes < y->bytes);
}

/* Every byte of the data belongs to one tensor, as the format wants it: two that share bytes would be one
 * weight under two names. */
static tn_status check_cover(tn_context *ctx, const char *path, const char *data, size_t data_bytes,
                             const tn_safetensors *file) {
    const tn_st_tensor **sorted;
    size_t covered = 0, count = (size_t)file->count;
    TN_TRY(tn_alloc(ctx, count, sizeof *sorted, &sorted));
    for (size_t i = 0; i < count; i++)
        sorted[i] = &file->tensors[i];
    qsort(sorted, count, sizeof *sorted, by_place);
    bool whole = true;
    for (size_t i = 0; i < count; i++) {
        whole = whole && (const char *)sorted[i]->data == data + covered;
        covered += sorted[i]->bytes;
    }
    tn_free(ctx, sorted);
    return whole && covered == data_bytes
               ? TN_OK
               : damaged(ctx, path, "its tensors do not cover its data, each byte once");
}

static tn_status read_entries(tn_context *ctx, const char *path, json_t *root, const char *data,
                              size_t data_bytes, tn_safetensors *out) {
    const char *name;
    json_t *entry;
    TN_TRY(tn_alloc(ctx, json_object_size(root), sizeof *out->tensors, &out->tensors));
    json_object_foreach(root, name, entry) {
        if (strcmp(name, "__metadata__") == 0) {
            TN_TRY(read_meta(ctx, path, entry, out));
            continue;
        }
        TN_TRY(read_tensor(ctx, path, name, entry, data, data_bytes, &out->tensors[out->count]));
        out->count++;
    }
    return check_cover(ctx, path, data, data_bytes, out);
}

/* Files of other programs need not lie as a processor wants to read them: then the data moves into room of
 * its own. */
static tn_status align_data(tn_context *ctx, tn_safetensors *file) {
    enum { STEP = 8 };
    bool aligned = true;
    size_t room = 0;
    char *moved;
    for (int i = 0; i < file->count; i++) {
        aligned = aligned && (uintptr_t)file->tensors[i].data % dtype_size(file->tensors[i].dtype) == 0;
        room += (file->tensors[i].bytes + STEP - 1) / STEP * STEP;
    }
    if (aligned)
        return TN_OK;
    TN_TRY(tn_alloc(ctx, room, 1, &moved));
    room = 0;
    for (int i = 0; i < file->count; i++) {
        tn_st_tensor *t = &file->tensors[i];
        memcpy(moved + room, t->data, t->bytes);
        t->data = moved + room;
        room += (t->bytes + STEP - 1) / STEP * STEP;
    }
    tn_free(ctx, file->bytes);
    file->bytes = moved;
    return TN_OK;
}

tn_status tn_safetensors_read(tn_context *ctx, const char *path, tn_safetensors *out) {
    size_t size;
    *out = (tn_safetensors){0};
    TN_TRY(tn_file_read(ctx, path, &out->bytes, &size));
    uint64_t header = 0;
    json_t *root = NULL;
    tn_status status = TN_OK;
    for (size_t i = 0; i < 8 && i < size; i++)
        header |= (uint64_t)(unsigned char)out->bytes[i] << (8 * i);
    if (size < 10 || header > size - 8)
        status = damaged(ctx, path, "it is shorter than its header says");
    if (status == TN_OK) {
        root = json_loadb(out->bytes + 8, (size_t)header, JSON_REJECT_DUPLICATES, NULL);
        status = json_is_object(root)
                     ? read_entries(ctx, path, root, out->bytes + 8 + header, size - 8 - (size_t)header, out)
                     : damaged(ctx, path, "its header is not a JSON object");
    }
    json_decref(root);
    if (status == TN_OK)
        status = align_data(ctx, out);
    if (status != TN_OK)
        tn_safetensors_free(ctx, out);
    return status;
}

void tn_safetensors_free(tn_context *ctx, tn_safetensors *file) {
    for (int i = 0; i < file->meta_count; i++) {
        tn_free(ctx, file->keys[i]);
        tn_free(ctx, file->values[i]);
    }
    tn_free(ctx, file->keys);
    tn_free(ctx, file->values);
    tn_free(ctx, file->tensors);
    tn_free(ctx, file->bytes);
    *file = (tn_safetensors){0};
}

const tn_st_tensor *tn_safetensors_find(const tn_safetensors *file, const char *name) {
    for (int i = 0; i < file->count; i++)
        if (strcmp(file->tensors[i].name, name) == 0)
            return &file->tensors[i];
    return NULL;
}

const char *tn_safetensors_meta(const tn_safetensors *file, const char *key) {
    for (int i = 0; i < file->meta_count; i++)
        if (strcmp(file->keys[i], key) == 0)
            return file->values[i];
    return NULL;
}
