/* The index formulas of kernels/lib/tile_index.cl: every element of a tile is brought by one item and lies in
 * one place; every sum is owned by one item; how often items that run together meet in a bank of local
 * memory. */
#include "support.h"

#include "gemm_groups.h"

#include "lib/tile_index.cl"

#include <string.h>

enum { MOST = 128 * 128 };

static int ceil_div(int a, int b) {
    return (a + b - 1) / b;
}

/* Turns that `banks` banks of four bytes take for the words that `count` items ask for, each word once. */
static int turns_of(const int *words, int count, int banks) {
    int turns = 0;
    for (int bank = 0; bank < banks; bank++) {
        int here = 0;
        for (int i = 0; i < count; i++) {
            bool again = words[i] % banks != bank;
            for (int j = 0; j < i && !again; j++)
                again = words[j] == words[i];
            here += !again;
        }
        turns = here > turns ? here : turns;
    }
    return turns;
}

static int distinct(const int *words, int count) {
    int n = 0;
    for (int i = 0; i < count; i++) {
        bool again = false;
        for (int j = 0; j < i && !again; j++)
            again = words[j] == words[i];
        n += !again;
    }
    return n;
}

/* Worst turns over the least, of all runs of items and all steps that a loop takes. */
typedef struct worst {
    int turns, least;
} worst;

static void meet(worst *w, const int *words, int count, int banks) {
    const int turns = turns_of(words, count, banks), least = ceil_div(distinct(words, count), banks);
    if (w->least == 0 || turns * w->least > w->turns * least)
        *w = (worst){turns, least};
}

/* Loads of the hot loop: each item's quads (or floats) of a row of the tile. */
static worst loads(int items, int wide, int each, int across, bool of_rows, int run, int banks) {
    worst w = {0, 0};
    const int step = each < 4 ? 1 : 4;
    for (int first = 0; first < items; first += run)
        for (int own = 0; own < each; own += step) {
            int words[4 * 64], count = 0;
            for (int i = first; i < first + run && i < items; i++)
                for (int e = 0; e < step; e++)
                    words[count++] =
                        tile_own(of_rows ? tile_down(i, across) : tile_across(i, across), own, each, wide) +
                        e;
            meet(&w, words, count, banks);
        }
    return w;
}

/* Stores of a turned tile: each item's four floats go to four rows, one store each. */
static worst turned_stores(int wide, int deep, int run, int banks) {
    worst w = {0, 0};
    const int total = wide * deep / 4;
    for (int first = 0; first < total; first += run)
        for (int e = 0; e < 4; e++) {
            int words[64], count = 0;
            for (int i = first; i < first + run && i < total; i++)
                words[count++] = (tile_turned_d(i, wide) + e) * tile_ld(wide) + tile_turned_w(i, wide);
            meet(&w, words, count, banks);
        }
    return w;
}

static void check_places(int wide, int deep) {
    static char seen[2][MOST];
    memset(seen, 0, sizeof seen);
    for (int i = 0; i < wide * deep / 4; i++)
        for (int e = 0; e < 4; e++) {
            const int along = tile_along_d(i, wide) * wide + tile_along_w(i, wide) + e,
                      turned = (tile_turned_d(i, wide) + e) * wide + tile_turned_w(i, wide);
            ck_assert(along < wide * deep && !seen[0][along]++);
            ck_assert(turned < wide * deep && !seen[1][turned]++);
        }
}

static void check_owners(const tn_gemm_tile *t) {
    static char seen[MOST];
    const int items = tn_gemm_tile_items(t), across = t->bn / t->tn;
    memset(seen, 0, sizeof seen);
    for (int item = 0; item < items; item++)
        for (int i = 0; i < t->tm; i++)
            for (int j = 0; j < t->tn; j++) {
                const int m = tile_own(tile_down(item, across), i, t->tm, t->bm),
                          n = tile_own(tile_across(item, across), j, t->tn, t->bn);
                ck_assert(m < t->bm && n < t->bn && !seen[m * t->bn + n]++);
            }
}

/* In the hot loop no bank is met twice as often as it must be; stores of turned tiles, once a step, at most
 * twice. */
START_TEST(test_gemm_tiles) {
    const tn_gemm_tile *t = &tn_gemm_tiles[_i];
    const int items = tn_gemm_tile_items(t), across = t->bn / t->tn;
    check_places(t->bm, t->bk);
    check_places(t->bn, t->bk);
    check_owners(t);
    for (int run = 32; run <= 64; run += 32)
        for (int banks = 32; banks <= 64; banks += 32) {
            const worst a = loads(items, t->bm, t->tm, across, true, run, banks),
                        b = loads(items, t->bn, t->tn, across, false, run, banks),
                        put_a = turned_stores(t->bm, t->bk, run, banks),
                        put_b = turned_stores(t->bn, t->bk, run, banks);
            ck_assert_msg(a.turns <= a.least && b.turns <= b.least,
                          "tile %d, runs of %d, %d banks: loads of a take %d turns, least %d; of b %d, %d",
                          _i + 1, run, banks, a.turns, a.least, b.turns, b.least);
            ck_assert_msg(put_a.turns <= 2 * put_a.least && put_b.turns <= 2 * put_b.least,
                          "tile %d, runs of %d, %d banks: stores of a take %d turns, least %d; of b %d, %d",
                          _i + 1, run, banks, put_a.turns, put_a.least, put_b.turns, put_b.least);
        }
}
END_TEST

/* Each tile of the table fits the classes of devices that it is meant for, and one fits the smallest. */
START_TEST(test_gemm_room) {
    bool small = false;
    for (int i = 0; i < TN_GEMM_TILES; i++) {
        const int items = tn_gemm_tile_items(&tn_gemm_tiles[i]);
        const size_t bytes = tn_gemm_tile_local_bytes(&tn_gemm_tiles[i]);
        ck_assert(items >= 64 && items <= 256 && items % 32 == 0 && bytes <= 48 << 10);
        small = small || (items <= 64 && bytes <= 16 << 10);
    }
    ck_assert(small);
}
END_TEST

int main(void) {
    TCase *tc = tcase_create("tile");
    tcase_add_loop_test(tc, test_gemm_tiles, 0, TN_GEMM_TILES);
    tcase_add_test(tc, test_gemm_room);
    Suite *suite = suite_create("tile");
    suite_add_tcase(suite, tc);
    return tn_test_main(suite);
}
