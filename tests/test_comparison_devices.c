/* Which device is held against which: cards of one name stay apart, one card under two drivers does not. */
#include "comparison.h"
#include "folder.h"
#include "program.h"
#include "suite.h"

#include <math.h>
#include <unistd.h>

#define HEADER                                                                                               \
    "schema,version,utc,host,cpu,platform,device,driver,kind,compute_units,pci,level,op,pass,mixer,B,T,D,H," \
    "Dh,K,rho,schedule,status,reason,n,wall_ms,wall_ms_q1,wall_ms_q3,event_ms,event_ok,flops,bytes,gflops,"  \
    "gbs,roofline_pct,energy_j,energy_source,seed,shape,selector\n"

static tn_context ctx;
static int seconds; /* of the rows' dates: each is of its own moment */

typedef struct card {
    const char *host, *device, *kind, *pci, *selector;
    double ms; /* of every row */
} card;

static void make_folder(void) {
    ctx = (tn_context){.quiet = true};
    seconds = 0;
    test_folder_enter();
}

static void remove_folder(void) {
    test_folder_leave();
    ck_assert_int_eq(ctx.live, 0);
}

enum { ROWS = 6 };

static void write_row(FILE *csv, const card *c, int second, int T, double ms, const char *seed) {
    fprintf(csv,
            "turnout-cost-1,0,2026-01-01T00:%02d:%02dZ,%s,,P,\"%s\",1,%s,2,%s,op,gelu,forward,,1,%d,,,,,,,ok,"
            ",9,%g,%g,%g"
            ",,,,,,,,,,%s,N=1,%s\n",
            second / 60, second % 60, c->host, c->device, c->kind, c->pci, T, ms, 0.999 * ms, 1.001 * ms,
            seed, c->selector);
}

/* NULL-ended by a card without a device. */
static void write_cards(const char *path, const card *cards) {
    FILE *csv = fopen(path, "w");
    ck_assert_ptr_nonnull(csv);
    fputs(HEADER, csv);
    for (; cards->device; cards++)
        for (int T = 1; T <= ROWS; T++)
            write_row(csv, cards, seconds++, T, cards->ms * T, "1");
    fclose(csv);
}

static tn_status compare(const char *before, const char *after, tn_compare_options options,
                         tn_comparison *c) {
    options.threshold_pct = 5;
    options.noise_pct = 0;
    return tn_comparison_make(&ctx, before, after, &options, c);
}

/* Verdicts of two files of cards. */
static void verdicts(const card *before, const card *after, size_t same, size_t slower, size_t only_old,
                     size_t only_new) {
    tn_comparison c;
    write_cards("a.csv", before);
    write_cards("b.csv", after);
    ck_assert_msg(compare("a.csv", "b.csv", (tn_compare_options){0}, &c) == TN_OK, "%s", ctx.message);
    for (size_t i = 0; i < c.count; i++)
        for (int s = 0; s < 2; s++)
            ck_assert_uint_le(c.rows[i].side[s].times.count, 1); /* nothing is pooled */
    ck_assert_uint_eq(c.verdicts[TN_VERDICT_SAME], same * ROWS);
    ck_assert_uint_eq(c.verdicts[TN_VERDICT_SLOWER], slower * ROWS);
    ck_assert_uint_eq(c.verdicts[TN_VERDICT_ONLY_OLD], only_old * ROWS);
    ck_assert_uint_eq(c.verdicts[TN_VERDICT_ONLY_NEW], only_new * ROWS);
    tn_comparison_free(&c);
}

#define CARDS(...) ((const card[]){__VA_ARGS__, {0}})
#define OLD_NAME   "AMD Radeon RX 7900 XTX (radeonsi, navi31, LLVM 15.0.6, DRM 3.54, 6.5.0-1)"
#define NEW_NAME   "AMD Radeon RX 7900 XTX (radeonsi, navi31, ACO, DRM 3.57, 6.8.0-31)"

START_TEST(two_cards_of_one_name) {
    /* one machine, by address */
    verdicts(CARDS({"h", "X", "gpu", "0000:01:00.0", "0:0", 1}, {"h", "X", "gpu", "0000:02:00.0", "0:1", 2}),
             CARDS({"h", "X", "gpu", "0000:01:00.0", "0:0", 1}, {"h", "X", "gpu", "0000:02:00.0", "0:1", 3}),
             1, 1, 0, 0);
    /* the other way round on the new side, and another machine's name: the address tells */
    verdicts(CARDS({"h", "X", "gpu", "0000:01:00.0", "0:0", 1}, {"h", "X", "gpu", "0000:02:00.0", "0:1", 2}),
             CARDS({"i", "X", "gpu", "0000:02:00.0", "0:0", 2}, {"i", "X", "gpu", "0000:01:00.0", "0:1", 1}),
             2, 0, 0, 0);
    /* one machine, no address */
    verdicts(CARDS({"h", "X", "gpu", "", "0:0", 1}, {"h", "X", "gpu", "", "0:1", 2}),
             CARDS({"h", "X", "gpu", "", "1:0", 1}, {"h", "X", "gpu", "", "1:1", 3}), 1, 1, 0, 0);
    /* two machines */
    verdicts(CARDS({"h", "X", "gpu", "0000:01:00.0", "0:0", 1}, {"i", "X", "gpu", "0000:01:00.0", "0:0", 2}),
             CARDS({"h", "X", "gpu", "0000:01:00.0", "0:0", 3}, {"i", "X", "gpu", "0000:01:00.0", "0:0", 2}),
             1, 1, 0, 0);
    verdicts(CARDS({"h", "Z", "cpu", "", "0:0", 1}, {"i", "Z", "cpu", "", "0:0", 2}),
             CARDS({"h", "Z", "cpu", "", "1:0", 1}, {"i", "Z", "cpu", "", "0:0", 3}), 1, 1, 0, 0);
    /* one of two is not there any more */
    verdicts(CARDS({"h", "X", "gpu", "0000:01:00.0", "0:0", 1}, {"h", "X", "gpu", "0000:02:00.0", "0:1", 2}),
             CARDS({"h", "X", "gpu", "0000:02:00.0", "0:0", 2}, {"h", "X", "gpu", "0000:03:00.0", "0:1", 1}),
             1, 0, 1, 1);
}
END_TEST

START_TEST(one_card_under_two_drivers) {
    verdicts(CARDS({"h", OLD_NAME, "gpu", "0000:01:00.0", "0:0", 1}),
             CARDS({"h", NEW_NAME, "gpu", "0000:01:00.0", "0:0", 1}), 1, 0, 0, 0);
    /* the new driver has no address, or another platform order, or it is another machine's: one a side is one
     */
    verdicts(CARDS({"h", OLD_NAME, "gpu", "0000:01:00.0", "0:0", 1}),
             CARDS({"h", NEW_NAME, "gpu", "", "1:0", 3}), 0, 1, 0, 0);
    verdicts(CARDS({"h", OLD_NAME, "gpu", "0000:01:00.0", "0:0", 1}),
             CARDS({"i", NEW_NAME, "gpu", "0000:07:00.0", "0:0", 1}), 1, 0, 0, 0);
    /* two of them stay two */
    verdicts(CARDS({"h", OLD_NAME, "gpu", "0000:01:00.0", "0:0", 1},
                   {"h", OLD_NAME, "gpu", "0000:02:00.0", "0:1", 2}),
             CARDS({"h", NEW_NAME, "gpu", "0000:01:00.0", "0:0", 1},
                   {"h", NEW_NAME, "gpu", "0000:02:00.0", "0:1", 2}),
             2, 0, 0, 0);
    verdicts(CARDS({"h", "llvmpipe (LLVM 15.0.6, 256 bits)", "cpu", "", "0:0", 1}),
             CARDS({"h", "llvmpipe (LLVM 19.1.7, 512 bits)", "cpu", "", "0:0", 1}), 1, 0, 0, 0);
    program_gives(0, "compare a.csv b.csv",
                  "Old: llvmpipe (LLVM 15.0.6, 256 bits), on h; new: llvmpipe (LLVM 19");
}
END_TEST

START_TEST(cards_in_what_is_printed) {
    write_cards("a.csv", CARDS({"h", "X", "gpu", "0000:01:00.0", "0:0", 1},
                               {"h", "X", "gpu", "0000:02:00.0", "0:1", 2}));
    write_cards("b.csv", CARDS({"h", "X", "gpu", "0000:01:00.0", "0:0", 1},
                               {"h", "X", "gpu", "0000:02:00.0", "0:1", 3}));
    program_gives(1, "compare a.csv b.csv", "slower   X, PCI 0000:02:00.0", "X, PCI 0000:01:00.0");
    program_gives(1, "compare a.csv b.csv --format json", "\"old_device\": \"X, PCI 0000:02:00.0\"");
    program_gives(0, "report a.csv --table", "");
}
END_TEST

START_TEST(mapped) {
    write_cards("a.csv", CARDS({"h", "gfx1100", "gpu", "", "0:0", 1}));
    write_cards("b.csv", CARDS({"h", "AMD Radeon RX 7900 XTX", "gpu", "0000:01:00.0", "0:0", 1}));
    program_gives(2, "compare a.csv b.csv", "no row of a.csv is in b.csv",
                  "of old: gfx1100; of new: AMD Radeon", "--map");
    program_gives(0, "compare a.csv b.csv --map 'gfx1100=AMD Radeon RX 7900 XTX'", "6 rows compared");
    program_gives(2, "compare a.csv b.csv --map gfx1100=Radeon",
                  "'Radeon' names no device of the new side, which has 'AMD");
    program_gives(2, "compare a.csv b.csv --map gfx=X", "'gfx' names no device of the old side");
    program_gives(2, "compare a.csv b.csv --map gfx1100", "OLD=NEW");
    program_gives(2, "compare a.csv b.csv --map gfx1100=", "OLD=NEW");
    program_gives(2, "compare a.csv b.csv --map '=x'", "OLD=NEW");
    /* several of a name: the name is mapped, address and machine tell the cards apart; or each by what it is
     * called */
    write_cards("a.csv", CARDS({"h", "A", "gpu", "0000:01:00.0", "0:0", 1},
                               {"h", "A", "gpu", "0000:02:00.0", "0:1", 2}));
    write_cards("b.csv", CARDS({"h", "B", "gpu", "0000:02:00.0", "0:0", 2},
                               {"h", "B", "gpu", "0000:01:00.0", "0:1", 1}));
    program_gives(0, "compare a.csv b.csv --map A=B", "12 rows compared: 0 slower, 0 faster");
    program_gives(1,
                  "compare a.csv b.csv --map 'A, PCI 0000:01:00.0=B, PCI 0000:02:00.0' --map "
                  "'A, PCI 0000:02:00.0=B, PCI 0000:01:00.0'",
                  "12 rows compared: 6 slower, 6 faster");
    program_gives(2,
                  "compare a.csv b.csv --map 'A, PCI 0000:01:00.0=B, PCI 0000:02:00.0' --map 'A, PCI "
                  "0000:01:00.0=B, PCI 0000:01:00.0'",
                  "mapped already");
}
END_TEST

/* A container has another host name every run. */
START_TEST(any_host) {
    tn_comparison c;
    write_cards("a.csv", CARDS({"c1", "Z", "cpu", "", "0:0", 1}));
    write_cards("b.csv", CARDS({"c2", "Z", "cpu", "", "0:0", 1}));
    write_cards("c.csv", CARDS({"c3", "Z", "cpu", "", "0:0", 1}));
    ck_assert_int_eq(compare("a.csv,b.csv", "c.csv", (tn_compare_options){0}, &c), TN_ERR_INPUT);
    ck_assert_ptr_nonnull(strstr(ctx.message, "Z, on c1; Z, on c2; of new: Z."));
    ck_assert_int_eq(compare("a.csv,b.csv", "c.csv", (tn_compare_options){.any_host = true}, &c), TN_OK);
    ck_assert_uint_eq(c.rows[0].side[0].times.count, 2);
    tn_comparison_free(&c);
    program_gives(0, "compare a.csv,b.csv c.csv --any-host", "6 rows compared");
}
END_TEST

START_TEST(one_measurement_twice) {
    card one = {"h", "X", "gpu", "", "0:0", 1};
    write_cards("a.csv", CARDS({"h", "X", "gpu", "", "0:0", 1}));
    write_cards("b.csv", CARDS({"h", "X", "gpu", "", "0:0", 1}));
    ck_assert_int_eq(system("cp a.csv copy.csv && ln a.csv link.csv && ln -s a.csv soft.csv"), 0);
    static const char *const twice[] = {"a.csv,a.csv b.csv", "a.csv,copy.csv b.csv", "b.csv a.csv,link.csv",
                                        "a.csv,soft.csv b.csv", "a.csv,b.csv,./a.csv b.csv"};
    for (size_t i = 0; i < sizeof twice / sizeof *twice; i++) {
        char line[128];
        snprintf(line, sizeof line, "compare %s", twice[i]);
        program_gives(2, line, "hold the same rows", "name each run once");
    }
    program_gives(0, "compare a.csv b.csv", "6 rows compared");
    program_gives(0, "compare a.csv a.csv", "a file stands on both sides");
    /* a row again, cell for cell; and with another cell changed, which makes it no other measurement */
    for (int again = 1; again <= 2; again++) {
        FILE *csv = fopen("a.csv", "w");
        fputs(HEADER, csv);
        for (int T = 1; T <= ROWS; T++)
            write_row(csv, &one, T, T, T, "1");
        write_row(csv, &one, 1, 1, 1, again == 1 ? "1" : "2");
        fclose(csv);
        if (again == 1)
            program_gives(2, "compare a.csv b.csv", "a.csv, line 8: the row of line 2 again");
        else
            program_gives(2, "compare a.csv b.csv", "a.csv, line 2, and a.csv, line 8, are one measurement");
    }
    /* the same row in another file */
    ck_assert_int_eq(system("(head -1 b.csv; sed -n 3p b.csv) > part.csv"), 0);
    write_cards("a.csv", CARDS({"h", "X", "gpu", "", "0:0", 1}));
    program_gives(2, "compare a.csv b.csv,part.csv",
                  "b.csv, line 3, and part.csv, line 2, are one measurement");
    program_gives(0, "compare a.csv part.csv", "Only in old: 5");
    /* of another build it is another measurement */
    ck_assert_int_eq(system("sed -i 's/^turnout-cost-1,0,/turnout-cost-1,0.2.0+g1,/' part.csv"), 0);
    program_gives(0, "compare a.csv b.csv,part.csv", "6 rows compared");
}
END_TEST

/* Samples go to the card they are of, though both have the same date, work and times. */
START_TEST(samples_of_two_cards) {
    card cards[] = {{"h", "X", "gpu", "0000:01:00.0", "0:0", 1}, {"h", "X", "gpu", "0000:02:00.0", "0:1", 1}};
    for (int f = 0; f < 2; f++) {
        FILE *csv = fopen(f ? "b.csv" : "a.csv", "w"), *lines = fopen(f ? "b.jsonl" : "a.jsonl", "w");
        fputs(HEADER, csv);
        for (int i = 0; i < 2; i++) {
            write_row(csv, &cards[i], 7 + f, 1, 1, i ? "2" : "1");
            fprintf(lines,
                    "{\"schema\": \"turnout-samples-1\", \"utc\": \"2026-01-01T00:00:%02dZ\", \"host\": "
                    "\"h\", \"platform\": "
                    "\"P\", \"device\": \"X\", \"pci\": \"%s\", \"selector\": \"%s\", \"level\": \"op\", "
                    "\"op\": \"gelu\", "
                    "\"pass\": \"forward\", \"B\": 1, \"T\": 1, \"shape\": \"N=1\", \"wall_ms\": [1, 1, 1, "
                    "1, 1, 1, 1, 1, "
                    "%d]}\n",
                    7 + f, cards[1 - i].pci, cards[1 - i].selector,
                    3 - i); /* the second card's first: 2, then 3 */
        }
        fclose(csv);
        fclose(lines);
    }
    tn_comparison c;
    ck_assert_msg(compare("a.csv", "b.csv", (tn_compare_options){0}, &c) == TN_OK, "%s", ctx.message);
    ck_assert_uint_eq(c.strays, 0);
    ck_assert_uint_eq(c.count, 2);
    for (size_t i = 0; i < c.count; i++)
        for (int s = 0; s < 2; s++) {
            bool second = strcmp(c.devices[c.rows[i].device].side[s]->mark, "PCI 0000:02:00.0") == 0;
            ck_assert_double_eq(c.rows[i].side[s].times.items[0].ms[8], second ? 3 : 2);
        }
    tn_comparison_free(&c);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("comparison_devices");
    TCase *tests = tcase_create("all");
    tcase_set_timeout(tests, 60);
    tcase_add_checked_fixture(tests, make_folder, remove_folder);
    tcase_add_test(tests, two_cards_of_one_name);
    tcase_add_test(tests, one_card_under_two_drivers);
    tcase_add_test(tests, cards_in_what_is_printed);
    tcase_add_test(tests, mapped);
    tcase_add_test(tests, any_host);
    tcase_add_test(tests, one_measurement_twice);
    tcase_add_test(tests, samples_of_two_cards);
    suite_add_tcase(suite, tests);
    return tn_test_main(suite);
}
