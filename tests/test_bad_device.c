/* A sweep over two real devices, one of which hangs, crashes, cannot compile or has no memory (bad_layer.c):
 * every cell is one row, what is wrong stands there in words, and the rows of the good device are what they
 * are without the bad one. */
#include "sweep_cell.h"
#include "file.h"
#include "folder.h"
#include "program.h"
#include "suite.h"

enum { ROWS_MAX = 16 };

typedef struct table {
    tn_cost_row rows[ROWS_MAX];
    char keys[ROWS_MAX][1400];
    int count;
} table;

static table good, found;
static tn_context ctx;

static void set_up(void) {
    ctx = (tn_context){.quiet = true};
    test_folder_make();
}

static void tear_down(void) {
    test_folder_remove();
    ck_assert_int_eq(ctx.live, 0);
}

/* An op, dense attention and a routed layer, compacted, masked and in blocks, on every device. */
static void sweep(const char *name, const char *levels, int timeout_s, table *out) {
    char path[128], *bytes, *line;
    size_t size;
    int code = program_run("sweep -d all -q --level %s --op gelu --pass forward --T 64 --batch 2 --rho 0.1 "
                           "--seconds 0.01 --timeout %d -o %s/%s.csv",
                           levels, timeout_s, test_folder, name);
    ck_assert_msg(code == 0, "%s", program_output);
    snprintf(path, sizeof path, "%s/%s.csv", test_folder, name);
    ck_assert_msg(tn_file_read(&ctx, path, &bytes, &size) == TN_OK, "%s", ctx.message);
    out->count = 0;
    for (line = strchr(bytes, '\n') + 1; *line; line = strchr(line, '\n') + 1) {
        ck_assert_int_lt(out->count, ROWS_MAX);
        tn_cost_row *row = &out->rows[out->count];
        ck_assert_msg(tn_row_parse(&ctx, line, row) == TN_OK, "%s", ctx.message);
        tn_row_key(row, out->keys[out->count++], sizeof out->keys[0]);
    }
    tn_free(&ctx, bytes);
}

static const tn_cost_row *row_of(const table *t, const char *key) {
    const tn_cost_row *row = NULL;
    for (int i = 0; i < t->count; i++)
        if (strcmp(t->keys[i], key) == 0) {
            ck_assert_msg(!row, "two rows of %s", key);
            row = &t->rows[i];
        }
    ck_assert_msg(row != NULL, "no row of %s", key);
    return row;
}

/* Runs the sweep with the layer. Cells on `device` must end with `status` and a reason that holds `words`
 * (NULL-ended), the others as they did without it. */
static void expect(const char *name, const char *setting, const char *device, const char *levels,
                   int timeout_s, const char *status, const char *const *words) {
    const int cells = strcmp(levels, "op") == 0 ? 1 : 5;
    char value[128];
    int bad = 0;
    snprintf(value, sizeof value, "%s:%s", setting, device);
    setenv("BAD_LAYER", value, 1);
    setenv("OPENCL_LAYERS", BAD_LAYER_FILE, 1);
    sweep(name, levels, timeout_s, &found);
    unsetenv("OPENCL_LAYERS");
    ck_assert_int_eq(found.count, 2 * cells);
    for (int i = 0; i < found.count; i++) {
        const tn_cost_row *row = row_of(&found, found.keys[i]);
        ck_assert_ptr_nonnull(row_of(&good, found.keys[i]));
        if (!strstr(row->device, device)) {
            ck_assert_msg(strcmp(row->status, "ok") == 0, "%s: %s", row->status, row->reason);
            ck_assert(row->wall_ms > 0 && row->roofline_pct > 0);
            continue;
        }
        bad++;
        ck_assert_msg(strcmp(row->status, status) == 0, "%s is %s, not %s: %s", row->op, row->status, status,
                      row->reason);
        for (int w = 0; words[w]; w++)
            ck_assert_msg(strstr(row->reason, words[w]) != NULL, "'%s' lacks '%s'", row->reason, words[w]);
        ck_assert(!(row->wall_ms > 0)); /* no number beside a failure */
    }
    ck_assert_int_eq(bad, cells);
    ck_assert_int_ge(good.count, 10);
}

static void every_way(const char *device) {
    /* What hangs is waited for: a level in the short test. */
    const char *const hanging = getenv("TURNOUT_TEST_ALL") ? "op,layer" : "op";
    static const char *const hang[] = {"killed after 30 s without a result", NULL},
                             *const crash[] = {"ended by SIGABRT (6)", NULL},
                             *const lost[] = {"is lost", "kernel ", "another process can go on", NULL},
                             *const build[] = {"CL_BUILD_PROGRAM_FAILURE",
                                               "this compiler is broken on purpose", NULL},
                             *const memory[] = {"CL_MEM_OBJECT_ALLOCATION_FAILURE",
                                                "try a smaller batch or length", NULL},
                             *const resources[] = {"CL_OUT_OF_RESOURCES", "try a smaller batch or length",
                                                   NULL};
    /* A way to fail costs a sweep: layers of one way a run, drawn anew, besides those that are always held.
     */
    const char *levels[5];
    for (int i = 0; i < 5; i++)
        levels[i] = tn_test_drawn(device, i, 5) ? "op,layer" : "op";
    sweep("good", "op,layer", 120,
          &good); /* builds the kernels, too: the watchdog can be shorter after that */
    ck_assert_int_eq(good.count, 10);
    expect("hang", "clEnqueueNDRangeKernel:1:hang", device, hanging, 30, "timeout", hang);
    expect("crash", "clEnqueueNDRangeKernel:1:crash", device, levels[0], 60, "error", crash);
    expect("lost", "clEnqueueNDRangeKernel:1:lost", device, levels[1], 60, "error", lost);
    expect("build", "clBuildProgram:1:-11", device, levels[2], 60, "error", build);
    expect("memory", "clCreateBuffer:1:-4", device, levels[3], 60, "unsupported", memory);
    expect("resources", "clEnqueueNDRangeKernel:1:-5", device, levels[4], 60, "unsupported", resources);
}

START_TEST(a_bad_device_beside_a_good_one) {
    setenv("POCL_DEVICES", "pthread basic", 1);
    every_way("basic-");
}
END_TEST

START_TEST(a_bad_implementation_beside_a_good_one) {
    unsetenv("POCL_DEVICES");
    setenv("RUSTICL_ENABLE", "llvmpipe", 1);
    if (program_run("devices") == 0 && strstr(program_output, "llvmpipe"))
        every_way("llvmpipe");
    else
        puts("not held here: a bad device of rusticl (mesa-opencl-icd is not installed)");
}
END_TEST

int main(void) {
    setenv("POCL_DEVICES", "pthread basic", 1);
    if (system(TURNOUT_PROGRAM " devices | grep -q basic-") != 0) {
        puts("not held here: bad devices (PoCL, which can show two, is not installed)");
        return 77;
    }
    (void)tn_test_seed();
    Suite *suite = suite_create("bad_device");
    TCase *tests = tcase_create("bad_device");
    tcase_set_timeout(tests, 600); /* what hangs is waited for, beside other suites */
    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_add_test(tests, a_bad_device_beside_a_good_one);
    if (getenv("TURNOUT_TEST_ALL"))
        tcase_add_test(tests, a_bad_implementation_beside_a_good_one);
    else
        puts("not held here: a bad device of rusticl (./dev test --all has it)");
    suite_add_tcase(suite, tests);
    return tn_test_main(suite);
}
