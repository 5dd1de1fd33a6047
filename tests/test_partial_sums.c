/* Beyond the case: sums that wait give the bits of those done at once, whatever fills the list or its room,
 * and a pass that failed leaves nothing behind. */
#include "support.h"

#include "partial_sums.h"
#include "rng.h"

#include <string.h>

enum { SUMS = 150, MOST = 700 * 40, RESULTS = SUMS * 704 };

typedef struct fixture {
    tn_context ctx;
    tn_device *dev;
    tn_buffer *results, *others; /* what the views are of */
    tn_buffer *views[SUMS];
    tn_partial_sums_shape shapes[SUMS];
    float values[MOST];
} fixture;

/* In the style of a CPU (0) or a GPU (1): each has its own kernel for sums that wait. */
static void open_all(fixture *f, int style) {
    setenv("TURNOUT_KIND", style ? "gpu" : "cpu", 1);
    tn_rng rng = tn_rng_make(3, TN_RNG_CASE, 5);
    ck_ok(&f->ctx, tn_device_open_selected(&f->ctx, getenv("TURNOUT_DEVICE"), &f->dev));
    ck_ok(&f->ctx, tn_buffer_create(f->dev, RESULTS * 4, &f->results));
    ck_ok(&f->ctx, tn_buffer_create(f->dev, RESULTS * 4, &f->others));
    size_t align = tn_buffer_align(f->dev) > 2816 ? tn_buffer_align(f->dev) : 2816;
    ck_assert(align % tn_buffer_align(f->dev) == 0 && align * SUMS <= RESULTS * 4);
    for (int s = 0; s < SUMS; s++) {
        int64_t count = tn_rng_range(&rng, 1, 700);
        f->shapes[s] = (tn_partial_sums_shape){tn_rng_range(&rng, 1, s % 8 == 0 ? 40 : 9), count, count};
        ck_ok(&f->ctx, tn_buffer_view(f->results, (size_t)s * align, (size_t)count * 4, &f->views[s]));
    }
    for (int i = 0; i < MOST; i++)
        f->values[i] = (float)tn_rng_normal(&rng);
}

static void close_all(fixture *f) {
    for (int s = 0; s < SUMS; s++)
        tn_buffer_destroy(f->views[s]);
    tn_buffer_destroy(f->results);
    tn_buffer_destroy(f->others);
    tn_device_close(f->dev);
    ck_assert_int_eq(f->ctx.live, 0);
}

/* Sum s of values that are its own, at once or later. */
static void add(fixture *f, tn_partial_sums *later, int s, tn_buffer *out) {
    const tn_partial_sums_shape *shape = &f->shapes[s];
    int64_t at, floats = shape->parts * shape->stride;
    tn_buffer *partial;
    f->values[0] = (float)s;
    ck_ok(&f->ctx, tn_partial_sums_place(f->dev, later, floats, 0, &partial, &at));
    ck_ok(&f->ctx, tn_buffer_write(partial, (size_t)at * 4, (size_t)floats * 4, f->values));
    ck_ok(&f->ctx, tn_partial_sums_add(f->dev, later, shape, out, partial, at));
}

static float *all_of(fixture *f, tn_buffer *buf) {
    static float got[2][RESULTS];
    static int turn;
    turn = !turn;
    ck_ok(&f->ctx, tn_buffer_read(buf, 0, sizeof got[0], got[turn]));
    return got[turn];
}

START_TEST(test_later) {
    static fixture f;
    tn_partial_sums *later;
    open_all(&f, _i);
    ck_ok(&f.ctx, tn_partial_sums_create(f.dev, &later));
    ck_ok(&f.ctx, tn_buffer_fill_u32(f.results, 0, RESULTS * 4, 0x7fc00000));
    for (int s = 0; s < SUMS; s++)
        add(&f, NULL, s, f.views[s]);
    const float *now = all_of(&f, f.results);
    for (int pass = 0; pass < 3; pass++) { /* the second uses tables of the first */
        ck_ok(&f.ctx, tn_buffer_fill_u32(f.results, 0, RESULTS * 4, 0x7fc00000));
        tn_partial_sums_begin(later);
        for (int s = 0; s < SUMS; s++)
            add(&f, later, s, f.views[s]);
        ck_ok(&f.ctx, tn_partial_sums_finish(later));
        ck_assert(memcmp(all_of(&f, f.results), now, RESULTS * 4) == 0);
    }
    tn_partial_sums_destroy(later);
    close_all(&f);
}
END_TEST

/* Results in two buffers, turn about; nothing of a pass that was given up. */
START_TEST(test_two_buffers) {
    static fixture f;
    tn_partial_sums *later;
    open_all(&f, _i);
    ck_ok(&f.ctx, tn_partial_sums_create(f.dev, &later));
    add(&f, NULL, 7, f.others);
    const float *now = all_of(&f, f.others);
    ck_ok(&f.ctx, tn_buffer_zero(f.results));
    add(&f, later, 3, f.views[3]); /* never finished */
    tn_partial_sums_begin(later);
    ck_ok(&f.ctx, tn_buffer_fill_u32(f.others, 0, RESULTS * 4, 0));
    add(&f, later, 4, f.views[4]);
    add(&f, later, 7, f.others);
    add(&f, later, 5, f.views[5]);
    ck_ok(&f.ctx, tn_partial_sums_finish(later));
    ck_assert(memcmp(all_of(&f, f.others), now, (size_t)f.shapes[7].count * 4) == 0);
    for (int s = 3; s < 6; s++) {
        float first;
        ck_ok(&f.ctx, tn_buffer_read(f.views[s], 0, 4, &first));
        ck_assert_msg((first != 0) == (s != 3), "sum %d gave %g", s, (double)first);
    }
    tn_partial_sums_destroy(later);
    close_all(&f);
}
END_TEST

/* More parts than the room holds are added up at once. */
START_TEST(test_past_the_room) {
    static fixture f;
    tn_partial_sums *later;
    tn_buffer *partial;
    int64_t at;
    open_all(&f, _i);
    ck_ok(&f.ctx, tn_partial_sums_create(f.dev, &later));
    tn_partial_sums_shape large = {3 << 9, 1024, 1024};
    ck_ok(&f.ctx, tn_partial_sums_place(f.dev, later, large.parts * large.stride, 0, &partial, &at));
    ck_ok(&f.ctx, tn_buffer_fill_u32(partial, 0, (size_t)(large.parts * large.stride) * 4, 0x3f800000));
    ck_ok(&f.ctx, tn_partial_sums_add(f.dev, later, &large, f.others, partial, at));
    const float *got = all_of(&f, f.others);
    for (int i = 0; i < 1024; i++)
        ck_assert(got[i] == (float)large.parts);
    tn_partial_sums_destroy(later);
    close_all(&f);
}
END_TEST

int main(void) {
    Suite *suite = tn_test_op_suite("partial_sums", 16);
    TCase *later = tcase_create("later");
    tcase_set_timeout(later, 120);
    tcase_add_loop_test(later, test_later, 0, 2);
    tcase_add_loop_test(later, test_two_buffers, 0, 2);
    tcase_add_loop_test(later, test_past_the_room, 0, 2);
    suite_add_tcase(suite, later);
    return tn_test_main(suite);
}
