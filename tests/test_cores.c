/* Part of a CPU device: the process bound, the device partitioned, and both in the rows of a sweep. */
#include "file.h"
#include "program.h"
#include "rows.h"
#include "suite.h"
#include "topology.h"

#include <sched.h>

static tn_context ctx;

static void check_live(void) {
    ck_assert_int_eq(ctx.live, 0);
}

static int cpus_allowed(void) {
    cpu_set_t set;
    ck_assert_int_eq(sched_getaffinity(0, sizeof set, &set), 0);
    return CPU_COUNT(&set);
}

START_TEST(a_process_is_bound) {
    tn_topology topology;
    ck_assert_int_eq(tn_topology_read(&ctx, &topology), TN_OK);
    ck_assert_int_eq(tn_topology_bind(&ctx, topology.cores + 1), TN_ERR_UNSUPPORTED);
    ck_assert_ptr_nonnull(strstr(ctx.message, ", not on "));
    ck_assert_msg(tn_topology_bind(&ctx, 1) == TN_OK, "%s", ctx.message);
    ck_assert_int_le(cpus_allowed(),
                     topology.threads / topology.cores); /* one core, however many threads it has */
    ck_assert_int_ge(cpus_allowed(), 1);
}
END_TEST

START_TEST(a_device_is_opened_in_part) {
    tn_device_list list;
    const tn_device_info *info;
    tn_device *dev;
    ck_assert_int_eq(tn_device_list_make(&ctx, &list), TN_OK);
    ck_assert_int_eq(tn_device_select(&ctx, &list, "cpu", &info), TN_OK);
    ck_assert_int_eq(tn_device_open_cores(&ctx, info, 4096, &dev), TN_ERR_UNSUPPORTED);
    ck_assert_ptr_null(dev);
    tn_status status = tn_device_open_cores(&ctx, info, 1, &dev);
    ck_assert_msg(status == TN_OK || status == TN_ERR_UNSUPPORTED, "%s", ctx.message);
    if (status == TN_OK)
        ck_assert_int_eq(tn_device_get_info(dev)->compute_units, 1);
    else
        ck_assert_ptr_nonnull(strstr(ctx.message, "gives no sub-device"));
    tn_device_close(dev);
    tn_device_list_free(&ctx, &list);
}
END_TEST

START_TEST(a_sweep_over_cores) {
    char path[64] = "/tmp/turnout-cores-XXXXXX", *bytes;
    size_t size;
    int seen = 0;
    int fd = mkstemp(path);
    ck_assert_int_ge(fd, 0);
    close(fd);
    ck_assert_msg(program_run("sweep -q -d cpu --op gelu --pass forward --cores 1,4096 --seconds 0.01 -o %s",
                              path) == 0,
                  "%s", program_output);
    ck_assert_int_eq(tn_file_read(&ctx, path, &bytes, &size), TN_OK);
    for (const char *line = strchr(bytes, '\n') + 1; *line; line = strchr(line, '\n') + 1, seen++) {
        tn_cost_row row;
        ck_assert_msg(tn_row_parse(&ctx, line, &row) == TN_OK, "%s", ctx.message);
        ck_assert_int_eq(row.compute_units, row.cores);
        if (row.cores == 1 && strcmp(row.status, "ok") == 0)
            ck_assert(row.wall_ms > 0 && row.roofline_pct > 0);
        else
            ck_assert_msg(strcmp(row.status, "unsupported") == 0 && strstr(row.reason, "core"), "%s",
                          row.reason);
    }
    ck_assert_int_eq(seen, 2);
    tn_free(&ctx, bytes);
    unlink(path);
}
END_TEST

START_TEST(all_cores_by_letter) {
    program_gives(2, "sweep --op gelu --cores 1..M*2", "'1..M*2'", "1..N*2");
    program_gives(2, "sweep --op gelu --cores 0", "'0'");
}
END_TEST

int main(void) {
    Suite *suite = suite_create("cores");
    TCase *tests = tcase_create("cores");
    tcase_set_timeout(tests, 120);
    tcase_add_checked_fixture(tests, NULL, check_live);
    tcase_add_test(tests, a_process_is_bound);
    tcase_add_test(tests, a_device_is_opened_in_part);
    tcase_add_test(tests, a_sweep_over_cores);
    tcase_add_test(tests, all_cores_by_letter);
    suite_add_tcase(suite, tests);
    return tn_test_main(suite);
}
