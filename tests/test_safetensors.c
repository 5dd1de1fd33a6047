/* What is written is read back; every kind of damage is refused with words. */
#include "support.h"

#include "file.h"
#include "safetensors.h"

#include <string.h>
#include <unistd.h>

static tn_context ctx;
static const char path[] = "test_safetensors.tmp";

static void write_example(void) {
    static const float a[6] = {1, 2, 3, 4, 5, 6};
    static const unsigned char b[3] = {7, 8, 9};
    tn_st_tensor tensors[] = {
        {.name = "a", .dtype = "F32", .rank = 2, .dims = {2, 3}, .data = a, .bytes = sizeof a},
        {.name = "b", .dtype = "U8", .rank = 1, .dims = {3}, .data = b, .bytes = sizeof b}};
    tn_st_pair meta[] = {{"vocab", "192"}, {"mixer", "routed \"quoted\""}};
    ck_ok(&ctx, tn_safetensors_write(&ctx, path, meta, 2, tensors, 2));
}

static void write_bytes(const char *bytes, size_t size) {
    FILE *stream = fopen(path, "wb");
    ck_assert(stream && fwrite(bytes, 1, size, stream) == size && fclose(stream) == 0);
}

static void refused(const char *what) {
    tn_safetensors file;
    ck_assert_msg(tn_safetensors_read(&ctx, path, &file) == TN_ERR_INPUT, "accepted: %s", what);
    ck_assert_msg(strstr(ctx.message, path) != NULL, "%s: the message does not name the file: %s", what,
                  ctx.message);
    ck_assert_int_eq(ctx.live, 0);
}

START_TEST(test_round_trip) {
    tn_safetensors file;
    write_example();
    ck_ok(&ctx, tn_safetensors_read(&ctx, path, &file));
    const tn_st_tensor *a = tn_safetensors_find(&file, "a"), *b = tn_safetensors_find(&file, "b");
    ck_assert(a && b && !tn_safetensors_find(&file, "c"));
    ck_assert(a->rank == 2 && a->dims[0] == 2 && a->dims[1] == 3 && a->bytes == 24 && b->bytes == 3);
    ck_assert(((const unsigned char *)b->data)[2] == 9);
    float last;
    memcpy(&last, (const char *)a->data + 20, 4);
    ck_assert(last == 6);
    ck_assert_str_eq(tn_safetensors_meta(&file, "mixer"), "routed \"quoted\"");
    ck_assert(!tn_safetensors_meta(&file, "heads"));
    tn_safetensors_free(&ctx, &file);
    ck_assert_int_eq(ctx.live, 0);
    unlink(path);
}
END_TEST

/* Another program's file: a header that is not padded, a byte tensor in front of floats. */
START_TEST(test_alignment) {
    static const char header[] = "{\"u\":{\"dtype\":\"U8\",\"shape\":[3],\"data_offsets\":[0,3]},"
                                 "\"f\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[3,11]}}";
    static const float values[2] = {1.5f, -2};
    for (size_t spaces = 0; spaces < 8; spaces++) {
        char bytes[256] = {0};
        tn_safetensors file;
        size_t at = 8 + strlen(header) + spaces;
        bytes[0] = (char)(at - 8);
        memcpy(bytes + 8, header, strlen(header));
        memset(bytes + 8 + strlen(header), ' ', spaces);
        memcpy(bytes + at, "abc", 3);
        memcpy(bytes + at + 3, values, sizeof values);
        write_bytes(bytes, at + 11);
        ck_ok(&ctx, tn_safetensors_read(&ctx, path, &file));
        const tn_st_tensor *f = tn_safetensors_find(&file, "f"), *u = tn_safetensors_find(&file, "u");
        ck_assert(f && u && memcmp(u->data, "abc", 3) == 0);
        ck_assert_uint_eq((uintptr_t)f->data % sizeof(float), 0);
        ck_assert(((const float *)f->data)[0] == 1.5f && ((const float *)f->data)[1] == -2);
        tn_safetensors_free(&ctx, &file);
        ck_assert_int_eq(ctx.live, 0);
    }
    unlink(path);
}
END_TEST

START_TEST(test_damage) {
    char *whole;
    size_t size;
    write_example();
    ck_ok(&ctx, tn_file_read(&ctx, path, &whole, &size));
    char *copy = malloc(size + 1);
    memcpy(copy, whole, size);
    tn_free(&ctx, whole);
    for (size_t cut = 0; cut < size; cut++) {
        write_bytes(copy, cut);
        refused("a truncated file");
    }
    copy[size] = 'x';
    write_bytes(copy, size + 1);
    refused("a file with more behind it");
    static const char *const headers[] = {
        "[]",
        "{\"a\":1}",
        "{\"a\":{\"dtype\":\"F64\",\"shape\":[1],\"data_offsets\":[0,8]}}",
        "{\"a\":{\"dtype\":\"F32\",\"shape\":[-1],\"data_offsets\":[0,4]}}",
        "{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[4,8]}}",
        "{\"a\":{\"dtype\":\"F32\",\"shape\":[4611686018427387904,4],\"data_offsets\":[0,0]}}",
        "{\"a\":{\"dtype\":\"U8\",\"shape\":[0],\"data_offsets\":[0,0]},\"a\":{\"dtype\":\"U8\",\"shape\":[0]"
        ","
        "\"data_offsets\":[0,0]}}",
        "not json"};
    for (size_t i = 0; i < sizeof headers / sizeof headers[0]; i++) {
        char bytes[400] = {(char)strlen(headers[i])};
        memcpy(bytes + 8, headers[i], strlen(headers[i]));
        write_bytes(bytes, 8 + strlen(headers[i]));
        refused(headers[i]);
    }
    static const char shared[] = "{\"a\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1]},"
                                 "\"b\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1]}}";
    char bytes[400] = {(char)strlen(shared)};
    snprintf(bytes + 8, sizeof bytes - 8, "%sxy", shared);
    write_bytes(bytes, 8 + strlen(shared) + 2);
    refused("a byte of two tensors, and one of none");
    free(copy);
    unlink(path);
    refused("no file at all");
}
END_TEST

int main(void) {
    Suite *suite = suite_create("safetensors");
    TCase *t = tcase_create("files");
    tcase_set_timeout(t, 60);
    tcase_add_test(t, test_round_trip);
    tcase_add_test(t, test_alignment);
    tcase_add_test(t, test_damage);
    suite_add_tcase(suite, t);
    return tn_test_main(suite);
}
