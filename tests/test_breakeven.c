#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "breakeven.h"
#include "csv_read.h"
#include "folder.h"
#include "paying.h"
#include "suite.h"

static tn_context ctx;
static const char path[] = "rows.csv";

#define HEADER                                                                                               \
    "platform,device,level,pass,mixer,B,T,D,rho,status,wall_ms,flops,dense_wall_ms,dense_ratio,ideal_"       \
    "ratio\n"

static void add_under(const char *header, const char *rows, tn_csv *t, tn_breakevens *b) {
    FILE *stream = fopen(path, "wb");
    ck_assert_ptr_nonnull(stream);
    fputs(header, stream);
    fputs(rows, stream);
    fclose(stream);
    ck_assert_msg(tn_csv_read(&ctx, path, t) == TN_OK, "%s", ctx.message);
    *b = (tn_breakevens){0};
    ck_assert_msg(tn_breakevens_add(&ctx, t, b) == TN_OK, "%s", ctx.message);
}

static void add(const char *rows, tn_csv *t, tn_breakevens *b) {
    add_under(HEADER, rows, t, b);
}

static void drop(tn_csv *t, tn_breakevens *b) {
    tn_breakevens_free(b);
    tn_csv_free(t);
    ck_assert_int_eq(ctx.live, 0);
}

static void near(double got, double want) {
    ck_assert_msg(fabs(got - want) <= 1e-12, "%.17g is not %.17g", got, want);
}

START_TEST(test_crossing) {
    tn_csv t;
    tn_breakevens b;
    /* dense takes 10 ms; routed 4, 8, 16: crosses a quarter of the way from 0.2 to 0.6. Rows out of order. */
    add("P,X,layer,forward,routed,1,64,8,0.6,ok,16,60,,,\n"
        "P,X,layer,forward,attention,1,64,8,1,ok,10,100,,,\n"
        "P,X,layer,forward,routed,1,64,8,0.2,ok,8,25,,,\n"
        "P,X,layer,forward,routed,1,64,8,0,ok,4,10,,,\n"
        "P,X,layer,forward,routed,1,64,8,0.4,error,1,1,,,\n"
        "P,X,layer,backward,routed,1,64,8,0.4,ok,1,1,,,\n"
        "P,X,layer,forward,random,1,64,8,0.4,ok,1,1,,,\n"
        "P,X,op,forward,routed,1,64,8,0.4,ok,1,1,,,\n",
        &t, &b);
    ck_assert_uint_eq(b.count, 1);
    ck_assert_int_eq(b.items[0].even.kind, TN_BREAKEVEN_FOUND);
    ck_assert_uint_eq(b.items[0].count, 3);
    near(b.items[0].even.rho, 0.3);
    near(b.items[0].points[0].speedup, 2.5);
    near(b.items[0].points[0].ideal, 10);
    near(b.items[0].points[0].share_pct, 25);
    near(b.items[0].points[2].dense_ms, 10);
    char text[32];
    tn_breakeven_text(&b.items[0].even, text, sizeof text);
    ck_assert_str_eq(text, "0.3");
    drop(&t, &b);
}
END_TEST

/* One core, all of them and cold caches are devices of their own. */
START_TEST(test_cores_and_caches_apart) {
    tn_csv t;
    tn_breakevens b;
    add_under("device,level,pass,mixer,T,rho,status,wall_ms,dense_ratio,cores,cache\n",
              "X,layer,forward,routed,64,0.1,ok,1,2,,warm\n"
              "X,layer,forward,routed,64,0.1,ok,1,3,1,warm\n"
              "X,layer,forward,routed,64,0.1,ok,1,4,2,warm\n"
              "X,layer,forward,routed,64,0.1,ok,1,5,2,cold\n",
              &t, &b);
    ck_assert_uint_eq(b.count, 4);
    ck_assert_str_eq(b.items[0].device, "X");
    ck_assert_str_eq(b.items[1].device, "X, 1 core");
    ck_assert_str_eq(b.items[2].device, "X, 2 cores");
    ck_assert_str_eq(b.items[3].device, "X, 2 cores, cold caches");
    for (int i = 0; i < 4; i++)
        near(b.items[i].points[0].speedup, 2 + i);
    drop(&t, &b);
}
END_TEST

/* Two cards of one name: by PCI address, by host, and by their place where no address is known. */
START_TEST(test_cards_of_one_name_apart) {
    tn_csv t;
    tn_breakevens b;
    add_under(
        "host,device,kind,pci,selector,level,pass,mixer,T,rho,status,wall_ms,dense_ratio\n",
        "h,X,gpu,0000:01:00.0,0:0,layer,forward,routed,64,0.1,ok,1,2\n"
        "h,X,gpu,0000:02:00.0,0:1,layer,forward,routed,64,0.1,ok,1,3\n"
        "i,X,gpu,0000:01:00.0,0:0,layer,forward,routed,64,0.1,ok,1,4\n"
        "h,Y,gpu,,0:0,layer,forward,routed,64,0.1,ok,1,5\n"
        "h,Y,gpu,,0:1,layer,forward,routed,64,0.1,ok,1,6\n"
        "h,Y,gpu,,1:1,layer,forward,routed,64,0.1,ok,1,7\n" /* the same card, its platform listed later */
        "h,Z,cpu,,0:0,layer,forward,routed,64,0.1,ok,1,8\n"
        "h,Z,cpu,,1:1,layer,forward,routed,64,0.1,ok,1,9\n", /* a machine's processor is one device */
        &t, &b);
    static const double speedups[] = {2, 3, 4, 5, 7, 9};
    ck_assert_uint_eq(b.count, 6);
    for (size_t i = 0; i < 6; i++)
        near(b.items[i].points[0].speedup, speedups[i]);
    drop(&t, &b);
}
END_TEST

START_TEST(test_interleaved_dense_wins) {
    tn_csv t;
    tn_breakevens b;
    /* the attention row was timed on a slower day; the time beside the row counts, and its ratio before that
     */
    add("P,X,layer,forward,attention,1,64,8,1,ok,100,100,,,\n"
        "P,X,layer,forward,routed,1,64,8,0,ok,5,10,10,,8\n"
        "P,X,layer,forward,routed,1,64,8,1,ok,20,200,10,0.25,\n",
        &t, &b);
    near(b.items[0].points[0].speedup, 2);
    near(b.items[0].points[0].ideal, 8);
    near(b.items[0].points[0].share_pct, 25);
    near(b.items[0].points[1].speedup, 0.25);
    near(b.items[0].points[1].ideal, 0.5); /* from the flops */
    near(b.items[0].even.rho, 0.5 / 3.5);
    drop(&t, &b);
}
END_TEST

START_TEST(test_always_and_never) {
    tn_csv t;
    tn_breakevens b;
    char text[32];
    add("P,X,layer,forward,routed,1,64,8,0.1,ok,5,,10,,\n"
        "P,X,layer,forward,routed,1,64,8,0.5,ok,9,,10,,\n"
        "P,Y,layer,forward,routed,1,64,8,0.1,ok,11,,10,,\n"
        "P,Y,layer,forward,routed,1,64,8,0.2,ok,9,,10,,\n" /* noise does not make it pay */
        "P,Y,layer,forward,routed,1,128,8,0,ok,11,,10,,\n"
        "P,Y,layer,forward,routed,1,256,8,0,ok,10,,10,,\n"
        "P,Y,layer,forward,routed,1,512,8,0,ok,10,,,,\n", /* nothing to compare with */
        &t, &b);
    ck_assert_uint_eq(b.count, 4);
    ck_assert_int_eq(b.items[0].even.kind, TN_BREAKEVEN_ALWAYS);
    near(b.items[0].even.rho, 0.5);
    tn_breakeven_text(&b.items[0].even, text, sizeof text);
    ck_assert_str_eq(text, "≥ 0.5");
    ck_assert(isnan(b.items[0].points[0].ideal) && isnan(b.items[0].points[0].share_pct));
    ck_assert_int_eq(b.items[1].even.kind, TN_BREAKEVEN_NEVER);
    tn_breakeven_text(&b.items[1].even, text, sizeof text);
    ck_assert_str_eq(text, "< 0.1");
    tn_breakeven_text(&b.items[2].even, text, sizeof text);
    ck_assert_str_eq(text, "none");
    ck_assert_int_eq(b.items[3].even.kind, TN_BREAKEVEN_FOUND);
    near(b.items[3].even.rho, 0);
    drop(&t, &b);
}
END_TEST

START_TEST(test_last_of_a_repeated_cell) {
    tn_csv t;
    tn_breakevens b;
    add("P,X,layer,forward,routed,1,64,8,0.1,ok,50,,10,,\n"
        "P,X,layer,forward,routed,1,64,8,0.1,ok,5,,10,,\n"
        "P,X,layer,forward,routed,1,64,8,2,ok,5,,10,,\n" /* no fraction */
        "P,X,layer,forward,routed,1,64,8,,ok,5,,10,,\n"
        "P,X,layer,forward,routed,1,64,8,0.2,ok,0,,10,,\n",
        &t, &b);
    ck_assert_uint_eq(b.count, 1);
    ck_assert_uint_eq(b.items[0].count, 1);
    near(b.items[0].points[0].wall_ms, 5);
    drop(&t, &b);
}
END_TEST

START_TEST(test_fixture) {
    tn_csv t;
    tn_breakevens b = {0};
    ck_assert_msg(tn_csv_read_cost(&ctx, TN_TEST_DATA "/cost.csv", &t) == TN_OK, "%s", ctx.message);
    ck_assert_int_eq(tn_breakevens_add(&ctx, &t, &b), TN_OK);
    ck_assert_uint_eq(b.count,
                      7); /* two devices, three lengths; B in blocks too, behind its compacted ones */
    ck_assert_str_eq(b.items[6].execution, "block-skipping");
    for (size_t i = 0; i < 6; i++) {
        bool on_a = strstr(b.items[i].device, "accelerator A") != NULL;
        ck_assert_uint_eq(b.items[i].count, 7);
        ck_assert(isfinite(b.items[i].points[0].share_pct));
        ck_assert_int_eq(b.items[i].has_interval, !on_a);
        ck_assert_int_eq(isfinite(b.items[i].masked_speedup), b.items[i].T == 1024);
        ck_assert_int_eq(b.items[i].has_blocks, !on_a && b.items[i].T == 1024);
        if (on_a && b.items[i].T == 256)
            ck_assert_int_eq(b.items[i].even.kind, TN_BREAKEVEN_NEVER);
        else if (!on_a && b.items[i].T == 4096)
            ck_assert_int_eq(b.items[i].even.kind, TN_BREAKEVEN_ALWAYS);
        else
            ck_assert_int_eq(b.items[i].even.kind, TN_BREAKEVEN_FOUND);
    }
    drop(&t, &b);
}
END_TEST

/* Parts of a routed layer, and the whole that they are held against, are no points. */
START_TEST(test_parts) {
    tn_csv t;
    tn_breakevens b;
    add_under("device,level,pass,mixer,B,T,D,rho,status,wall_ms,dense_ratio,part\n",
              "X,layer,forward,routed,1,64,8,0.1,ok,4,2,\n"
              "X,layer,forward,routed,1,64,8,0.2,ok,1,9,whole\n"
              "X,layer,forward,routed,1,64,8,0.1,ok,1,9,norm\n",
              &t, &b);
    ck_assert_uint_eq(b.count, 1);
    ck_assert_uint_eq(b.items[0].count, 1);
    near(b.items[0].points[0].wall_ms, 4);
    drop(&t, &b);
}
END_TEST

#define QUARTILES                                                                                            \
    "device,level,pass,mixer,T,rho,status,wall_ms,dense_wall_ms,dense_ratio,dense_ratio_q1,dense_ratio_q3\n"

static void reads(const tn_breakeven *b, const char *want) {
    char text[80];
    tn_breakeven_interval_text(b, text, sizeof text);
    ck_assert_str_eq(text, want);
}

/* Inverses, routed / dense: 0.5 to 2, lower quartiles of the ratio 0.8 to 2.5, upper 0.4 to 1.6. */
START_TEST(test_interval) {
    tn_csv t;
    tn_breakevens b;
    add_under(QUARTILES,
              "X,layer,forward,routed,64,0.6,ok,20,,0.5,0.4,0.625\n"
              "X,layer,forward,routed,64,0.2,ok,5,,2,1.25,2.5\n",
              &t, &b);
    ck_assert_uint_eq(b.count, 1);
    ck_assert(b.items[0].has_interval);
    near(b.items[0].points[0].speedup_q1, 1.25);
    near(b.items[0].points[1].speedup_q3, 0.625);
    near(b.items[0].even.rho, 0.2 + 0.4 * 0.5 / 1.5);
    ck_assert_int_eq(b.items[0].low.kind, TN_BREAKEVEN_FOUND);
    near(b.items[0].low.rho, 0.2 + 0.4 * 0.2 / 1.7);
    ck_assert_int_eq(b.items[0].high.kind, TN_BREAKEVEN_FOUND);
    near(b.items[0].high.rho, 0.4);
    reads(&b.items[0], "0.247 … 0.4");
    drop(&t, &b);
}
END_TEST

/* Down, up and down again: the first crossing of each line, that of the upper quartiles comes behind the
 * hump.
 */
START_TEST(test_interval_of_two_crossings) {
    tn_csv t;
    tn_breakevens b;
    add_under(QUARTILES,
              "X,layer,forward,routed,64,0,ok,5,,2,1.25,2.5\n"
              "X,layer,forward,routed,64,0.2,ok,20,,0.5,0.4,1.25\n"
              "X,layer,forward,routed,64,0.4,ok,5,,2,1.25,2.5\n"
              "X,layer,forward,routed,64,0.6,ok,20,,0.5,0.4,0.625\n",
              &t, &b);
    near(b.items[0].low.rho, 0.2 * 0.2 / 1.7);
    near(b.items[0].even.rho, 0.2 * 0.5 / 1.5);
    near(b.items[0].high.rho, 0.5);
    reads(&b.items[0], "0.0235 … 0.5");
    drop(&t, &b);
}
END_TEST

/* The flags stand on either side by themselves. */
START_TEST(test_interval_at_the_ends) {
    tn_csv t;
    tn_breakevens b;
    add_under(QUARTILES,
              "A,layer,forward,routed,64,0.1,ok,5,,0.8,0.5,0.9\n"
              "A,layer,forward,routed,64,0.5,ok,5,,2,1.25,2.5\n"
              "B,layer,forward,routed,64,0.1,ok,5,,0.8,0.5,1.25\n"
              "B,layer,forward,routed,64,0.5,ok,5,,0.5,0.4,0.625\n"
              "C,layer,forward,routed,64,0,ok,5,,0.8,0.5,1.25\n"
              "C,layer,forward,routed,64,0.4,ok,5,,0.5,0.4,0.625\n"
              "D,layer,forward,routed,64,0.1,ok,5,,2,1.25,2.5\n"
              "D,layer,forward,routed,64,0.5,ok,5,,1.25,0.8,1.6\n"
              "E,layer,forward,routed,64,0.1,ok,5,,2,1.25,2.5\n"
              "E,layer,forward,routed,64,0.5,ok,5,,1.6,1.25,2\n"
              "F,layer,forward,routed,64,0,ok,5,,1.25,0.8,1.6\n"
              "F,layer,forward,routed,64,1,ok,5,,1.25,0.8,1.6\n",
              &t, &b);
    ck_assert_uint_eq(b.count, 6);
    ck_assert_int_eq(b.items[0].even.kind, TN_BREAKEVEN_NEVER); /* nor does a later point count */
    reads(&b.items[0], "< 0.1");
    ck_assert_int_eq(b.items[1].even.kind, TN_BREAKEVEN_NEVER);
    ck_assert_int_eq(b.items[1].low.kind, TN_BREAKEVEN_NEVER);
    near(b.items[1].high.rho, 0.2);
    reads(&b.items[1], "< 0.1 … 0.2");
    reads(&b.items[2], "none … 0.1");
    ck_assert_int_eq(b.items[3].high.kind, TN_BREAKEVEN_ALWAYS);
    near(b.items[3].low.rho, 0.1 + 0.4 * 0.2 / 0.45);
    reads(&b.items[3], "0.278 … ≥ 0.5");
    reads(&b.items[4], "≥ 0.5");
    reads(&b.items[5], "none … ≥ 1");
    drop(&t, &b);
}
END_TEST

/* A point without quartiles, quartiles of no ratio or on the wrong side of it, and a file without the
 * columns. */
START_TEST(test_no_interval) {
    tn_csv t;
    tn_breakevens b;
    add_under(QUARTILES,
              "A,layer,forward,routed,64,0.2,ok,5,,2,1.25,2.5\n"
              "A,layer,forward,routed,64,0.4,ok,5,,2,,\n"
              "A,layer,forward,routed,64,0.6,ok,20,,0.5,0.4,0.625\n"
              "B,layer,forward,routed,64,0.2,ok,5,10,,1.25,2.5\n"
              "C,layer,forward,routed,64,0.2,ok,5,,2,2.25,2.5\n"
              "D,layer,forward,routed,64,0.2,ok,5,,2,1.25,1.5\n"
              "E,layer,forward,routed,64,0.2,ok,5,,2,1.25,\n",
              &t, &b);
    ck_assert_uint_eq(b.count, 5);
    for (size_t i = 0; i < b.count; i++) {
        ck_assert(!b.items[i].has_interval);
        reads(&b.items[i], "no quartiles");
        near(b.items[i].points[0].speedup, 2); /* the median stays */
    }
    near(b.items[0].even.rho, 0.4 + 0.2 * 0.5 / 1.5);
    drop(&t, &b);
    add("P,X,layer,forward,routed,1,64,8,0.1,ok,5,,,2,\n", &t, &b);
    ck_assert(!b.items[0].has_interval);
    drop(&t, &b);
}
END_TEST

#define SCHEDULES "device,level,pass,mixer,T,rho,schedule,status,wall_ms,dense_wall_ms,dense_ratio\n"

/* Masked is at 0.8 of dense attention. A falls from 4 to 0.5 between 0 and 1: 0.8 over it goes from 0.2
 * to 1.6. */
START_TEST(test_masked) {
    tn_csv t;
    tn_breakevens b;
    add_under(SCHEDULES,
              "A,layer,forward,routed,64,0.5,masked,ok,9,,0.1\n"
              "A,layer,forward,routed,64,1,compacted,ok,20,,0.5\n"
              "A,layer,forward,routed,64,0,compacted,ok,2,,4\n"
              "A,layer,forward,routed,64,0.5,masked,ok,12.5,,0.8\n" /* the later row */
              "A,layer,forward,routed,64,0.5,masked,error,1,,9\n"
              "A,layer,backward,routed,64,0.5,masked,ok,1,,9\n"
              "A,layer,forward,routed,128,0.5,masked,ok,1,,9\n" /* another shape, alone */
              "B,layer,forward,routed,64,0,compacted,ok,2,,4\n"
              "B,layer,forward,routed,64,1,compacted,ok,2,,1\n"
              "B,layer,forward,routed,64,1,masked,ok,12.5,10,\n" /* 0.8 of two medians */
              "C,layer,forward,routed,64,0.2,compacted,ok,20,,0.5\n"
              "C,layer,forward,routed,64,0.2,masked,ok,12.5,,0.8\n"
              "D,layer,forward,routed,64,0.2,compacted,ok,20,,0.5\n",
              &t, &b);
    ck_assert_uint_eq(b.count, 4);
    ck_assert_uint_eq(b.items[0].count, 2);
    near(b.items[0].masked_speedup, 0.8);
    ck_assert_int_eq(b.items[0].compact.kind, TN_BREAKEVEN_FOUND);
    near(b.items[0].compact.rho, 0.8 / 1.4);
    near(b.items[0].even.rho, 0.75 / 1.75); /* is not moved by it */
    near(b.items[1].masked_speedup, 0.8);
    ck_assert_int_eq(b.items[1].compact.kind, TN_BREAKEVEN_ALWAYS);
    near(b.items[1].compact.rho, 1);
    ck_assert_int_eq(b.items[2].compact.kind, TN_BREAKEVEN_NEVER);
    near(b.items[2].compact.rho, 0.2);
    ck_assert(isnan(b.items[3].masked_speedup));
    drop(&t, &b);
}
END_TEST

/* Block-skipping has a break-even of its own, and is met where it was measured beside compacted. */
START_TEST(test_blocks) {
    tn_csv t;
    tn_breakevens b;
    add_under(SCHEDULES,
              "A,layer,forward,routed,64,0.1,block-skipping,ok,5,,2\n"
              "A,layer,forward,routed,64,0.6,block-skipping,ok,10,,1\n"
              "A,layer,forward,routed,64,0.3,block-skipping,ok,10,,1\n" /* compacted has no such point */
              "A,layer,forward,routed,64,0.6,block-skipping,error,10,,9\n"
              "A,layer,forward,routed,64,0.1,compacted,ok,2.5,,4\n"
              "A,layer,forward,routed,64,0.2,compacted,ok,20,,0.5\n" /* blocks have no such point */
              "A,layer,forward,routed,64,0.6,compacted,ok,20,,0.5\n"
              "B,layer,forward,routed,64,0.1,compacted,ok,2.5,,4\n"
              "B,layer,forward,routed,64,0.1,block-skipping,ok,5,,2\n"
              "C,layer,forward,routed,64,0.1,compacted,ok,2.5,,1\n"
              "C,layer,forward,routed,64,0.1,block-skipping,ok,5,,2\n"
              "D,layer,forward,routed,64,0.1,compacted,ok,2.5,,1\n"
              "D,layer,forward,routed,64,0.2,block-skipping,ok,5,,2\n"
              "E,layer,forward,routed,64,0.2,block-skipping,ok,5,,2\n",
              &t, &b);
    ck_assert_uint_eq(b.count, 9);
    ck_assert_str_eq(b.items[0].execution, "compacted"); /* what the run-time takes stands first */
    ck_assert_uint_eq(b.items[0].count, 3);
    ck_assert(b.items[0].has_blocks && !b.items[1].has_blocks);
    near(b.items[0].points[0].blocks_speedup, 2);
    ck_assert(isnan(b.items[0].points[1].blocks_speedup));
    /* compacted over block-skipping, as time: a half at 0.1, twice at 0.6 */
    ck_assert_int_eq(b.items[0].skip.kind, TN_BREAKEVEN_FOUND);
    near(b.items[0].skip.rho, 0.1 + 0.5 * 0.5 / 1.5);
    ck_assert_uint_eq(b.items[1].count, 3);
    near(b.items[1].even.rho, 0.3);
    ck_assert_int_eq(b.items[2].skip.kind, TN_BREAKEVEN_ALWAYS);
    near(b.items[2].skip.rho, 0.1);
    ck_assert_int_eq(b.items[4].skip.kind, TN_BREAKEVEN_NEVER);
    ck_assert_int_eq(b.items[6].has_blocks, false);
    ck_assert_str_eq(b.items[8].execution, "block-skipping");
    drop(&t, &b);
}
END_TEST

#define TOKENS                                                                                               \
    "device,level,pass,mixer,B,D,rho,schedule,context,contexts,status,wall_ms,dense_wall_ms,dense_ratio\n"

/* Contexts are groups of their own, layers come first, and routing pays from where all longer ones say so. */
START_TEST(test_decoding) {
    tn_csv t;
    tn_breakevens b;
    tn_payings p;
    char text[32];
    add_under(TOKENS,
              "A,decode,token,routed,1,64,0.1,compacted,4096,equal,ok,1,,4\n"
              "A,decode,token,routed,1,64,0.1,compacted,256,equal,ok,1,,0.25\n"
              "A,decode,token,routed,1,64,0.5,compacted,4096,equal,ok,4,,0.5\n"
              "A,decode,token,routed,1,64,0.5,compacted,256,equal,ok,4,,0.2\n"
              "A,decode,token,routed,1,64,0.1,masked,4096,equal,ok,4,,0.8\n"
              "A,decode,token,attention,1,64,,dense,4096,equal,ok,4,,\n"
              "A,decode,token,conv,1,64,,dense,4096,equal,ok,4,,\n"
              "A,decode,token,routed,8,64,0.1,compacted,4096,ragged,ok,1,,3\n"
              "A,decode,token,routed,1,64,0.1,compacted,64,equal,ok,1,,2\n" /* noise does not count */
              "A,decode,token,routed,1,64,0.1,compacted,65536,equal,unsupported,,,\n"
              "A,layer,forward,routed,1,64,0.1,compacted,,,ok,1,,2\n",
              &t, &b);
    ck_assert_uint_eq(b.count, 5);
    ck_assert(isnan(b.items[0].context) && b.items[1].context == 64 && b.items[2].context == 256);
    ck_assert(b.items[3].context == 4096 && b.items[3].count == 2 && b.items[4].B == 8);
    near(b.items[3].even.rho, 0.1 + 0.4 * 0.75 / 1.75);
    near(b.items[3].masked_speedup, 0.8);
    ck_assert_str_eq(b.items[4].contexts, "ragged");
    ck_assert_msg(tn_payings_make(&b, &p) == TN_OK, "%s", ctx.message);
    ck_assert_uint_eq(p.count, 3);
    ck_assert(p.items[0].rho == 0.1 && p.items[1].rho == 0.5 && p.items[2].of->B == 8);
    ck_assert_uint_eq(p.items[0].count, 3);
    ck_assert_int_eq(p.items[0].from.kind, TN_BREAKEVEN_FOUND);
    ck_assert_double_eq_tol(p.items[0].from.context, 1024, 1e-9); /* half way on log axes */
    ck_assert(p.items[1].from.kind == TN_BREAKEVEN_NEVER && p.items[1].from.context == 4096);
    ck_assert(p.items[2].from.kind == TN_BREAKEVEN_ALWAYS && p.items[2].from.context == 4096);
    static const char *const texts[] = {"1020", "> 4096", "≤ 4096"};
    for (int i = 0; i < 3; i++) {
        tn_paying_text(&p.items[i].from, text, sizeof text);
        ck_assert_str_eq(text, texts[i]);
    }
    tn_payings_free(&p);
    drop(&t, &b);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("breakeven");
    TCase *tests = tcase_create("all");
    tcase_add_checked_fixture(tests, test_folder_enter, test_folder_leave);
    tcase_add_test(tests, test_crossing);
    tcase_add_test(tests, test_decoding);
    tcase_add_test(tests, test_cores_and_caches_apart);
    tcase_add_test(tests, test_parts);
    tcase_add_test(tests, test_cards_of_one_name_apart);
    tcase_add_test(tests, test_interleaved_dense_wins);
    tcase_add_test(tests, test_always_and_never);
    tcase_add_test(tests, test_last_of_a_repeated_cell);
    tcase_add_test(tests, test_interval);
    tcase_add_test(tests, test_interval_of_two_crossings);
    tcase_add_test(tests, test_interval_at_the_ends);
    tcase_add_test(tests, test_no_interval);
    tcase_add_test(tests, test_masked);
    tcase_add_test(tests, test_blocks);
    tcase_add_test(tests, test_fixture);
    suite_add_tcase(suite, tests);
    return tn_test_main(suite);
}
