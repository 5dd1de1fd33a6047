/* The OpenCL layer: finding and choosing devices, buffers and their limits, kernels, the cache of binaries.
 */
#include "support.h"

#include "build.h"
#include "case.h"
#include "file.h"
#include "folder.h"
#include "launch.h"
#include "quirks.h"
#include "topology.h"
#include "tune_set.h"
#include "tuned.h"
#include "variant.h"

#include <dirent.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static tn_context ctx;
static tn_device *dev;

static void open_device(void) {
    ck_ok(&ctx, tn_device_open_selected(&ctx, getenv("TURNOUT_DEVICE"), &dev));
}

static void close_device(void) {
    tn_device_close(dev);
    ck_assert_int_eq(ctx.live, 0);
}

START_TEST(test_selectors) {
    tn_device_list list;
    const tn_device_info *one;
    ck_ok(&ctx, tn_device_list_make(&ctx, &list));
    ck_ok(&ctx, tn_device_select(&ctx, &list, NULL, &one));
    char text[64];
    snprintf(text, sizeof text, "%d:%d", one->platform, one->index);
    const tn_device_info *again;
    ck_ok(&ctx, tn_device_select(&ctx, &list, text, &again));
    ck_assert(one == again);
    static const char *const bad[] = {"7:9", "nosuchdevice", "0000:ff:1f.7", "1:"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        ck_assert_int_eq(tn_device_select(&ctx, &list, bad[i], &one), TN_ERR_ARG);
        ck_assert_msg(strstr(ctx.message, again->name) != NULL, "%s: the message lists no device: %s", bad[i],
                      ctx.message);
    }
    /* A number alone is never a name, though many names hold one: the P:D that it may have meant are listed.
     */
    char number[8];
    snprintf(number, sizeof number, "%d", again->index);
    for (const char *digit = "0123456789"; *digit; digit++) {
        const char bare[] = {*digit, '\0'};
        ck_assert_int_eq(tn_device_select(&ctx, &list, bare, &one), TN_ERR_ARG);
        ck_assert_msg(strstr(ctx.message, "number alone") != NULL, "%s: %s", bare, ctx.message);
        ck_assert(strstr(ctx.message, text) != NULL || strcmp(bare, number) != 0);
    }
    const tn_device_info **all = calloc((size_t)list.count, sizeof *all);
    int count = 0;
    ck_ok(&ctx, tn_device_select_all(&ctx, &list, "all", all, &count));
    ck_assert_int_ge(count, 1);
    for (int i = 0; i < list.count; i++)
        ck_assert(list.items[i].skip_reason[0] || list.items[i].max_work_group > 0);
    free(all);
    tn_device_list_free(&ctx, &list);
    ck_assert_int_eq(ctx.live, 0);
}
END_TEST

START_TEST(test_topology) {
    tn_topology topology;
    tn_place place;
    open_device();
    ck_ok(&ctx, tn_topology_read(&ctx, &topology));
    ck_assert(topology.packages >= 1 && topology.cores >= 1 && topology.threads >= topology.cores);
    ck_ok(&ctx, tn_topology_place(&ctx, tn_device_get_info(dev), &place));
    ck_assert(place.method[0] != '\0');
    close_device();
}
END_TEST

START_TEST(test_buffers) {
    tn_buffer *a, *b, *view, *none;
    char in[300], out[300];
    open_device();
    for (int i = 0; i < 300; i++)
        in[i] = (char)(i * 7);
    size_t align = tn_buffer_align(dev);
    ck_ok(&ctx, tn_buffer_create(dev, align + 300, &a));
    ck_ok(&ctx, tn_buffer_create(dev, 300, &b));
    ck_ok(&ctx, tn_buffer_view(a, align, 300, &view));
    ck_ok(&ctx, tn_buffer_write(view, 0, 300, in));
    ck_ok(&ctx, tn_buffer_copy(b, 0, a, align, 300));
    ck_ok(&ctx, tn_buffer_read(b, 0, 300, out));
    ck_assert(memcmp(in, out, 300) == 0);
    ck_ok(&ctx, tn_buffer_fill_u32(b, 4, 8, 0x01020304));
    ck_ok(&ctx, tn_buffer_read(b, 0, 16, out));
    ck_assert(out[3] == in[3] && out[4] == 4 && out[11] == 1 && out[12] == in[12]);
    ck_assert(tn_buffer_read(b, 200, 101, out) != TN_OK);
    ck_assert(tn_buffer_write(b, 301, 1, in) != TN_OK);
    ck_assert(tn_buffer_view(a, 1, 8, &none) != TN_OK && none == NULL);
    ck_assert(tn_buffer_view(a, align, 301, &none) != TN_OK && none == NULL);
    size_t limit = tn_device_get_info(dev)->max_alloc_bytes;
    if (limit < (size_t)TN_MOST_ELEMENTS * 4) {
        ck_assert_int_eq(tn_buffer_create(dev, limit + 1, &none), TN_ERR_MEMORY);
        ck_assert(none == NULL && strstr(ctx.message, "MiB") != NULL);
    }
    tn_buffer_destroy(view);
    tn_buffer_destroy(a);
    tn_buffer_destroy(b);
    close_device();
}
END_TEST

/* Kernels count elements in 32 bits: what has more is refused wherever a buffer is made, and by every op's
 * case before anything is made. */
/* A write keeps its own copy and waits for nothing, until there is no more room for copies. */
START_TEST(test_writes_do_not_wait) {
    enum { COUNT = 1000, LARGE = TN_WRITE_STAGED / 4 };
    static int32_t values[LARGE + 1], back[LARGE + 1];
    tn_buffer *b;
    open_device();
    ck_ok(&ctx, tn_buffer_create(dev, sizeof values, &b));
    ck_ok(&ctx, tn_device_finish(dev));
    const tn_device_counts before = tn_device_counted(dev);
    for (int i = 0; i < COUNT; i++) {
        values[0] = i;
        ck_ok(&ctx, tn_buffer_write(b, (size_t)i * 4, 4, values));
    }
    const tn_device_counts after = tn_device_counted(dev);
    ck_assert_int_eq(after.copies - before.copies, COUNT);
    ck_assert_int_eq(after.waits, before.waits);
    ck_assert_int_eq(after.launches, before.launches);
    ck_ok(&ctx, tn_buffer_read(b, 0, COUNT * 4, back));
    ck_assert_int_eq(tn_device_counted(dev).waits, before.waits + 1);
    for (int i = 0; i < COUNT; i++)
        ck_assert_int_eq(back[i], i);
    for (int round = 0; round < 9; round++) { /* of the largest that are copied four fit */
        for (int i = 0; i < LARGE; i++)
            values[i] = round + i;
        ck_ok(&ctx, tn_buffer_write(b, (size_t)(round % 2) * 4, LARGE * 4, values));
    }
    ck_assert_int_eq(tn_device_counted(dev).waits, before.waits + 3);
    ck_ok(&ctx, tn_buffer_write(b, 0, 4, &(int32_t){77}));
    memset(values, 1, sizeof values);
    ck_ok(&ctx, tn_buffer_read(b, 0, sizeof back, back));
    ck_assert_int_eq(back[0], 77);
    for (int i = 1; i < LARGE; i++)
        ck_assert_int_eq(back[i], 8 + i);
    ck_ok(&ctx, tn_buffer_write(b, 0, sizeof values, values)); /* one byte more than is copied */
    ck_assert_int_eq(tn_device_counted(dev).waits, before.waits + 5);
    tn_buffer_destroy(b);
    close_device();
}
END_TEST

START_TEST(test_sizes) {
    static const struct {
        const char *op, *shape, *tensor;
    } large[] = {{"softmax_cross_entropy", "L=65536,V=65536", "softmax_cross_entropy: "},
                 {"gemm", "M=65536,N=65536,K=1,epilogue=0", "gemm: "},
                 {"rms_norm", "N=65536,D=65536", "rms_norm: "}};
    tn_buffer *none;
    open_device();
    ((tn_device_info *)tn_device_get_info(dev))->max_alloc_bytes = 0;
    ck_assert_int_eq(tn_buffer_create(dev, (size_t)TN_MOST_ELEMENTS * 4 + 4, &none), TN_ERR_UNSUPPORTED);
    ck_assert_ptr_nonnull(strstr(ctx.message, "2013265920 elements is past the 2013265919"));
    ck_assert_ptr_nonnull(strstr(ctx.message, "try a smaller"));
    ck_assert_int_eq(tn_device_scratch(dev, 0, (size_t)1 << 34, &none), TN_ERR_UNSUPPORTED);
    ck_assert(tn_elements_check(&ctx, "x", INT64_MAX, 3) == TN_ERR_UNSUPPORTED);
    ck_ok(&ctx, tn_elements_check(&ctx, "x", TN_MOST_ELEMENTS, 1));
    for (size_t i = 0; i < sizeof large / sizeof large[0]; i++) {
        const tn_case *c = tn_case_find(large[i].op);
        tn_shape shape;
        tn_problem problem;
        ck_ok(&ctx, tn_shape_parse(&ctx, c, large[i].shape, &shape));
        ck_assert_int_eq(tn_problem_make(&ctx, dev, c, 0, &shape, 1, &problem), TN_ERR_UNSUPPORTED);
        ck_assert_ptr_nonnull(strstr(ctx.message, large[i].tensor));
        ck_assert_ptr_nonnull(strstr(ctx.message, "4294967296 elements"));
    }
    close_device();
}
END_TEST

static tn_status gelu_kernel(tn_kernel **k) {
    tn_options options = {""};
    tn_options_int(&options, "LANES", 4);
    return tn_kernel_get(dev, "gelu", "gelu_forward", &options, k);
}

START_TEST(test_launch_failures) {
    tn_kernel *k;
    open_device();
    ck_assert(tn_kernel_get(dev, "gelu", "gelu_sideways", NULL, &k) != TN_OK);
    ck_assert(strstr(ctx.message, "gelu_sideways") != NULL);
    ck_assert_int_eq(tn_kernel_get(dev, "nosuchop", "f", NULL, &k), TN_ERR_ARG);
    ck_ok(&ctx, gelu_kernel(&k));
    size_t too_many = 2 * tn_kernel_max_work_group(k);
    ck_assert_int_eq(tn_launch(dev, k, tn_range_1d(too_many, too_many), tn_arg_i32(1)), TN_ERR_UNSUPPORTED);
    ck_assert(strstr(ctx.message, "gelu_forward") != NULL);
    ck_assert(tn_launch(dev, k, tn_range_1d(4, 1), tn_arg_i32((int64_t)1 << 40)) != TN_OK);
    ck_ok(&ctx, tn_launch(dev, k, tn_range_1d(0, 1), tn_arg_i32(1))); /* nothing to do */
    ck_assert_int_eq(tn_launch(dev, NULL, tn_range_1d(4, 1), tn_arg_i32(1)), TN_ERR_ARG);
    close_device();
}
END_TEST

START_TEST(test_kernel_folder) {
    tn_kernel *k;
    char path[64], *bytes;
    size_t size;
    test_folder_make();
    setenv("TURNOUT_KERNELS", test_folder, 1);
    open_device();
    ck_assert_int_eq(gelu_kernel(&k), TN_ERR_INPUT);
    ck_assert(strstr(ctx.message, test_folder) != NULL);
    snprintf(path, sizeof path, "%s/lib", test_folder);
    ck_assert_int_eq(mkdir(path, 0700), 0);
    static const char *const files[] = {"lib/vector.cl", "lib/math.cl", "lib/stream.cl", "gelu.cl"};
    for (int i = 0; i < 4; i++) {
        snprintf(path, sizeof path, "%s/%s", test_folder, files[i]);
        FILE *stream = fopen(path, "w");
        fputs(i == 3 ? "kernel void gelu_forward(global float *x) { x[0] = nonsense_here; }\n" : "\n",
              stream);
        fclose(stream);
    }
    ck_assert_int_eq(gelu_kernel(&k), TN_ERR_DEVICE);
    ck_assert_msg(strstr(ctx.message, "nonsense_here") != NULL, "no build log: %s", ctx.message);
    unsetenv("TURNOUT_KERNELS");
    ck_ok(&ctx, gelu_kernel(&k));
    for (int i = 0; i < 4; i++) {
        snprintf(path, sizeof path, "%s/%s", test_folder, files[i]);
        ck_ok(&ctx, tn_file_read(&ctx, path, &bytes, &size));
        tn_free(&ctx, bytes);
    }
    test_folder_remove();
    close_device();
}
END_TEST

/* Bytes of the only file in the folder; 0 when there is none. */
static size_t only_file(const char *folder, char *path, size_t room) {
    DIR *dir = opendir(folder);
    size_t found = 0;
    ck_assert(dir != NULL);
    for (struct dirent *entry; (entry = readdir(dir)) != NULL;) {
        if (entry->d_name[0] == '.')
            continue;
        found++;
        snprintf(path, room, "%s/%s", folder, entry->d_name);
    }
    closedir(dir);
    ck_assert_msg(found <= 1, "%zu files in the cache for one program", found);
    return found;
}

/* gelu(1) through a program that comes from the cache or not. */
static float gelu_of_one(void) {
    tn_kernel *k;
    tn_buffer *x, *y;
    float one[8] = {1, 1, 1, 1, 1, 1, 1, 1}, got[8];
    open_device();
    ck_ok(&ctx, gelu_kernel(&k));
    ck_ok(&ctx, tn_buffer_create(dev, sizeof one, &x));
    ck_ok(&ctx, tn_buffer_create(dev, sizeof one, &y));
    ck_ok(&ctx, tn_buffer_write(x, 0, sizeof one, one));
    ck_ok(&ctx, tn_launch(dev, k, tn_range_1d(1, 1), tn_arg_buffer(y), tn_arg_buffer(x), tn_arg_i32(8),
                          tn_arg_i32(8)));
    ck_ok(&ctx, tn_buffer_read(y, 0, sizeof got, got));
    tn_buffer_destroy(x);
    tn_buffer_destroy(y);
    close_device();
    return got[0];
}

START_TEST(test_cache) {
    char path[300];
    test_folder_make();
    setenv("TURNOUT_CACHE", test_folder, 1);
    float want = gelu_of_one();
    ck_assert(want > 0.84f && want < 0.842f);
    open_device();
    bool stores = !(tn_device_get_info(dev)->quirks & TN_QUIRK_NO_BINARIES);
    close_device();
    if (stores)
        ck_assert(only_file(test_folder, path, sizeof path) == 1);
    ck_assert(gelu_of_one() == want);
    static const int damage[] = {0, 1, 2, 3};
    for (size_t i = 0; stores && i < sizeof damage / sizeof damage[0]; i++) {
        FILE *stream = fopen(path, "r+b");
        fseek(stream, 0, SEEK_END);
        long size = ftell(stream);
        if (i == 0)
            ck_assert(ftruncate(fileno(stream), size / 2) == 0);
        else {
            fseek(stream, i == 1 ? 3 : i == 2 ? size - 5 : size / 3, SEEK_SET);
            fputc('!', stream);
            fputc('?', stream);
        }
        fclose(stream);
        ck_assert_msg(gelu_of_one() == want, "a damaged cache changed the result");
    }
    test_folder_remove();
    unsetenv("TURNOUT_CACHE");
}
END_TEST

/* A driver that keeps kernels itself is not asked for binaries, but for a folder that is named. */
START_TEST(test_cache_by_itself) {
    char folder[300], path[300];
    test_folder_make();
    snprintf(folder, sizeof folder, "%s/turnout", test_folder);
    setenv("XDG_CACHE_HOME", test_folder, 1);
    for (int empty = 0; empty < 2; empty++) {
        if (empty)
            setenv("TURNOUT_CACHE", "", 1);
        else
            unsetenv("TURNOUT_CACHE");
        gelu_of_one();
        open_device();
        const bool stores =
            !(tn_device_get_info(dev)->quirks & (TN_QUIRK_NO_BINARIES | TN_QUIRK_KEEPS_KERNELS));
        close_device();
        ck_assert_int_eq(access(folder, F_OK) == 0 && only_file(folder, path, sizeof path) == 1, stores);
    }
    test_folder_remove();
}
END_TEST

/* Intel's compiler for GPUs ends the program at a prefetch: neither set there nor tried. */
START_TEST(test_what_only_cpus_take) {
    const tn_op *op = tn_op_find("causal_conv");
    const tn_variant *v = tn_variant_find(op, "threads");
    const int stream = tn_variant_tunable(v, "STREAM");
    int values[TN_VARIANT_TUNABLES];
    tn_tune_space space;
    setenv("TURNOUT_TUNE", "causal_conv.STREAM=1", 1);
    open_device();
    tn_device_info *info = (tn_device_info *)tn_device_get_info(dev);
    tn_variant_values(dev, op, v, 0, 0, values, NULL);
    ck_assert_int_eq(values[stream], 1);
    info->kind = TN_KIND_GPU;
    tn_variant_values(dev, op, v, 0, 0, values, NULL);
    ck_assert_int_eq(values[stream], 0);
    unsetenv("TURNOUT_TUNE");
    ck_ok(&ctx, tn_device_settings_reload(dev));
    int at = 0;
    while (op->variants[at] != v)
        at++;
    tn_tune_space_make(info, TN_STYLE_THREADS, op, at, &space);
    ck_assert_str_eq(space.rows[stream]->name, "STREAM");
    ck_assert_int_eq(space.count[stream], 0);
    ck_assert_int_eq(space.start.values[stream], 0);
    info->kind = TN_KIND_CPU;
    close_device();
}
END_TEST

/* Of the program a tuned file names the release, not the commit: another build of the release reads it. */
START_TEST(test_tuned_outlives_a_commit) {
    static const tn_tuned_entry op = {.op = "gelu", .count = 1, .values = {{"LANES", 4}}, .ratio = 1.5};
    static tn_tuned tuned;
    char *text, line[80];
    size_t size;
    test_folder_enter();
    setenv("TURNOUT_TUNED_DIR", test_folder, 1);
    setenv("TURNOUT_TUNED", "1", 1);
    open_device();
    ck_ok(&ctx, tn_tuned_store(&ctx, tn_device_get_info(dev), "gelu", &op, 1));
    ck_ok(&ctx, tn_tuned_read(&ctx, tn_device_get_info(dev), &tuned));
    ck_assert_int_eq(tuned.count, 1);
    ck_ok(&ctx, tn_file_read(&ctx, tuned.path, &text, &size));
    snprintf(line, sizeof line, "\"program\": \"%s\"", tn_build_release());
    ck_assert_ptr_nonnull(strstr(text, line));
    ck_assert(!tn_build_commit()[0] || !strstr(text, strstr(tn_build_version(), "+g")));
    tn_free(&ctx, text);
    close_device();
    test_folder_leave();
}
END_TEST

START_TEST(test_quirks) {
    int count;
    const tn_quirk_row *rows = tn_quirk_table(&count);
    for (int i = 0; i < count; i++)
        ck_assert_msg(rows[i].bits != 0 && rows[i].reason && strlen(rows[i].reason) > 10,
                      "quirk %d has no reason", i);
    const char *reason = NULL;
    ck_assert(tn_quirk_lookup("rusticl", "llvmpipe (LLVM 15)", "22.3", &reason) & TN_QUIRK_EVENTS_USELESS);
    ck_assert(tn_quirk_lookup("Clover", "AMD RADEON", "22.3", &reason) & TN_QUIRK_SKIP_DEVICE);
    ck_assert(reason != NULL);
    ck_assert(tn_quirk_lookup("Portable Computing Language", "pthread", "3.1", &reason) ==
              TN_QUIRK_KEEPS_KERNELS);
    ck_assert(tn_quirk_lookup("NVIDIA CUDA", "NVIDIA H100", "570", &reason) == 0);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("cl");
    TCase *t = tcase_create("cl");
    tcase_set_timeout(t, 100);
    tcase_add_test(t, test_selectors);
    tcase_add_test(t, test_topology);
    tcase_add_test(t, test_buffers);
    tcase_add_test(t, test_writes_do_not_wait);
    tcase_add_test(t, test_sizes);
    tcase_add_test(t, test_launch_failures);
    tcase_add_test(t, test_kernel_folder);
    tcase_add_test(t, test_cache);
    tcase_add_test(t, test_cache_by_itself);
    tcase_add_test(t, test_what_only_cpus_take);
    tcase_add_test(t, test_tuned_outlives_a_commit);
    tcase_add_test(t, test_quirks);
    suite_add_tcase(suite, t);
    return tn_test_main(suite);
}
