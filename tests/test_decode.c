/* Decoding against the forward pass: logits and routes of every position, whatever the pieces that a prompt
 * comes in; sequences of different lengths beside each other; cut back, copied, grown; what is refused. */
#include "small_model.h"

#include "decode.h"
#include "decode_step.h"

#include <math.h>
#include <string.h>

enum { LONG = 200, LAYERS = 2 }; /* past the ring's end, and past the rows that wait for their keys */

static bool whole_test(void) {
    const char *all = getenv("TURNOUT_TEST_ALL");
    return all && strcmp(all, "1") == 0;
}

/* What is decoded as models with one mixer are, behind those: layers that differ, windows, repeats that the
 * model is told of. */
static const struct {
    const char *mixer;
    int64_t match, window, kv_heads;
    bool added, rope;
} mixed[] = {{"conv,attention", 0, 0, 0, false, true}, {"attention,routed", 3, 9, 1, true, false},
             {"routed,conv", 2, 0, 0, true, true},     {"match:1,routed", 3, 0, 1, false, false},
             {"conv,match:2", 4, 0, 0, true, true},    {"periodic:3,attention", 0, 5, 0, false, false},
             {"routed,random:0.3", 0, 0, 0, true},     {"attention", 0, 40, 0, false, true},
             {"routed", 1, 7, 1, true, false},         {"match:1", 1, 1, 0, false, true},
             {"conv", 8, 0, 0, false, false},          {"random:0.4", 2, 100, 0, true, false}};
enum { MIXED = sizeof mixed / sizeof mixed[0], CONFIGS = 3 * MIXERS + MIXED };

static tn_model_config mixed_of(int i) {
    tn_model_config c = small(mixed[i].mixer);
    c.match = mixed[i].match;
    c.window = mixed[i].window;
    c.kv_heads = mixed[i].kv_heads;
    c.added = mixed[i].added;
    c.positions = mixed[i].rope ? TN_POSITIONS_ROPE : TN_POSITIONS_NONE;
    return c;
}

/* Every mixer without and with rope, and with fewer key heads; every second that routes has both tracks. */
static tn_model_config config_of(int i) {
    way = TN_ABSORB_NEVER;
    if (i >= 3 * MIXERS)
        return mixed_of(i - 3 * MIXERS);
    tn_model_config c = small(mixers[i / 3]);
    c.mlp_width = i % 2 ? 40 : 48;
    c.kv_heads = i % 3 == 2 && tn_mixer_has_attention(&c) ? 1 : c.kv_heads;
    c.added = i % 2 && tn_mixer_has_choice(&c);
    c.positions = i % 3 == 1 && tn_mixer_has_attention(&c) ? TN_POSITIONS_ROPE : TN_POSITIONS_NONE;
    return c;
}

/* Of a control that knows rows by more than its tokens. */
static bool wants_mask(const tn_model_config *c) {
    bool any = false;
    for (int i = 0; i < LAYERS; i++)
        any = any || (tn_layer_mixer(c, i) >= TN_MIXER_RANDOM && tn_layer_mixer(c, i) <= TN_MIXER_ORACLE);
    return any;
}

/* What the forward pass says of a sequence. */
typedef struct told {
    int32_t tokens[LONG];
    uint8_t oracle[LONG], routes[LAYERS * LONG];
    float logits[LONG * V];
    int T;
} told;

static void tell(tn_model *m, told *t, int T_, uint64_t seed) {
    tn_workspace *ws;
    t->T = T_;
    random_tokens(t->tokens, T_, seed);
    for (int n = 0; m->config.match && n < T_; n++)
        t->tokens[n] %= 12; /* so that runs of two stood before, and of others not */
    for (int n = 0; n < T_; n++)
        t->oracle[n] = n % 7 == 3;
    const tn_input in = {.B = 1,
                         .T = T_,
                         .tokens = t->tokens,
                         .L = T_,
                         .oracle = t->oracle,
                         .control_seed = seed,
                         .control_index = 2};
    ck_ok(&ctx, tn_workspace_create(m, 1, T_, &ws));
    logits_of(m, ws, &in, TN_GATE_COMPACT, t->routes, t->logits);
    tn_workspace_destroy(ws);
}

static void near(const float *got, const float *want, int t) {
    for (int v = 0; v < V; v++)
        ck_assert_msg(fabs((double)got[v] - want[v]) <= 1e-5 * (1 + fabs((double)want[v])),
                      "position %d, logit %d: %.9g, the forward pass has %.9g", t, v, (double)got[v],
                      (double)want[v]);
}

/* Rows `from` … `from + count − 1` of the routes of a sequence, [layers,count] or, for steps, [count,layers].
 */
static void routes_of(const told *t, int from, int count, bool steps, uint8_t *out) {
    for (int i = 0; i < LAYERS; i++)
        for (int n = 0; n < count; n++)
            out[steps ? n * LAYERS + i : i * count + n] = t->routes[i * t->T + from + n];
}

/* What decisions are given for: not the routers', and not those by the tokens, which nobody asks for. */
static uint8_t given_for(const tn_model_config *c, int64_t layer, uint8_t routed) {
    return tn_layer_mixer(c, layer) == TN_MIXER_MATCH ? !routed
           : tn_layer_has_router(c, layer)            ? TN_DECODE_STEP_ROUTER
                                                      : routed;
}

static void prefill(tn_decoder *d, const tn_model_config *c, int slot, const told *t, int from, int count) {
    static uint8_t routes[LAYERS * LONG], want[LAYERS * LONG], given[LAYERS * LONG];
    float logits[V];
    routes_of(t, from, count, false, want);
    for (int n = 0; n < LAYERS * count; n++)
        given[n] = given_for(c, n / count, want[n]);
    ck_ok(&ctx, tn_decoder_prefill(d, slot, t->tokens + from, count, given, logits, routes));
    near(logits, t->logits + (from + count - 1) * V, from + count - 1);
    ck_assert_msg(memcmp(routes, want, (size_t)(LAYERS * count)) == 0, "routes of a prompt differ");
    ck_assert_int_eq(tn_decoder_length(d, slot), from + count);
}

/* `count` steps of one sequence in one call; masks are given to controls alone. */
static void steps(tn_decoder *d, const tn_model_config *c, int64_t slot, const told *t, int from, int count) {
    static uint8_t routes[LAYERS * LONG], want[LAYERS * LONG], given[LAYERS * LONG];
    static float logits[LONG * V];
    routes_of(t, from, count, true, want);
    for (int n = 0; n < LAYERS * count; n++)
        given[n] = given_for(c, n % LAYERS, want[n]);
    const tn_decoder_steps s = {.count = count,
                                .rows = 1,
                                .slots = &slot,
                                .tokens = t->tokens + from,
                                .given = wants_mask(c) ? given : NULL};
    ck_ok(&ctx, tn_decoder_step(d, &s));
    ck_ok(&ctx, tn_decoder_read(d, logits, routes));
    for (int n = 0; n < count; n++)
        near(logits + n * V, t->logits + (from + n) * V, from + n);
    ck_assert_msg(memcmp(routes, want, (size_t)(LAYERS * count)) == 0, "routes of steps from %d on differ",
                  from);
}

/* A prompt in pieces, then steps, then a prompt again, then steps. */
static void check_sequence(const tn_model_config *c, uint64_t seed) {
    tn_rng rng = tn_rng_make(seed, TN_RNG_CASE, 5);
    static told t;
    tn_decoder *d;
    tn_model *m = make(c, false, seed);
    tell(m, &t, (int)tn_rng_range(&rng, 1, LONG), seed);
    ck_ok(&ctx, tn_decoder_create(m, 2, 1, &d));
    for (int at = 0, n; at < t.T; at += n) {
        n = (int)tn_rng_range(&rng, 1, tn_rng_below(&rng, 3) ? 12 : 90);
        n = n < t.T - at ? n : t.T - at;
        if (tn_rng_below(&rng, 2))
            prefill(d, c, 1, &t, at, n);
        else
            steps(d, c, 1, &t, at, n);
    }
    ck_assert_int_eq(tn_decoder_length(d, 1), t.T);
    ck_assert_int_ge(tn_decoder_capacity(d), t.T);
    tn_decoder_destroy(d);
    tn_model_destroy(m);
}

START_TEST(test_as_forward) {
    open_device();
    const tn_model_config c = config_of(_i);
    const uint64_t seed = tn_test_seed();
    for (int n = 0; n < (whole_test() ? 200 : 3); n++)
        check_sequence(&c, seed + (uint64_t)n);
    close_device();
}
END_TEST

/* Sequences of different lengths in one step have the bits that each has alone. */
START_TEST(test_ragged) {
    enum { SLOTS = 5 };
    static const int lengths[SLOTS] = {1, 70, 3, 130, 64};
    static told t[SLOTS];
    static uint8_t given[LAYERS * SLOTS];
    float together[SLOTS * V], alone[V];
    tn_decoder *d, *one;
    open_device();
    const tn_model_config c = config_of(_i);
    tn_model *m = make(&c, false, 9);
    ck_ok(&ctx, tn_decoder_create(m, SLOTS, LONG, &d));
    ck_ok(&ctx, tn_decoder_create(m, 1, LONG, &one));
    for (int i = 0; i < SLOTS; i++) {
        tell(m, &t[i], lengths[i] + 3, 20 + (uint64_t)i);
        prefill(d, &c, i, &t[i], 0, lengths[i]);
    }
    for (int n = 0; n < 3; n++) { /* without the second and in another order */
        const int64_t slots[] = {4, 0, 3, 2};
        int32_t tokens[4];
        for (int r = 0; r < 4; r++) {
            tokens[r] = t[slots[r]].tokens[lengths[slots[r]] + n];
            for (int i = 0; i < LAYERS; i++)
                given[i * 4 + r] =
                    given_for(&c, i, t[slots[r]].routes[i * t[slots[r]].T + lengths[slots[r]] + n]);
        }
        const tn_decoder_steps s = {1, 4, slots, tokens, wants_mask(&c) ? given : NULL};
        ck_ok(&ctx, tn_decoder_step(d, &s));
        ck_ok(&ctx, tn_decoder_read(d, together, NULL));
        for (int r = 0; r < 4; r++)
            near(together + r * V, t[slots[r]].logits + (lengths[slots[r]] + n) * V, lengths[slots[r]] + n);
    }
    prefill(one, &c, 0, &t[3], 0, lengths[3]);
    steps(one, &c, 0, &t[3], lengths[3], 3);
    float last[3 * V];
    ck_ok(&ctx, tn_decoder_read(one, last, NULL));
    memcpy(alone, last + 2 * V, sizeof alone);
    ck_assert_msg(memcmp(alone, together + 2 * V, sizeof alone) == 0, "a sequence alone has other bits");
    ck_assert_int_eq(tn_decoder_length(d, 1), lengths[1]);
    tn_decoder_destroy(one);
    tn_decoder_destroy(d);
    tn_model_destroy(m);
    close_device();
}
END_TEST

START_TEST(test_cut_and_copy) {
    static told t, other;
    tn_decoder *d;
    open_device();
    const tn_model_config c = config_of(_i);
    tn_model *m = make(&c, false, 31);
    tell(m, &t, 180, 1);
    tell(m, &other, 180, 2);
    memcpy(other.tokens, t.tokens, 150 * sizeof *t.tokens); /* they part at 150 */
    ck_ok(&ctx, tn_decoder_create(m, 2, 64, &d));
    const int reach = (int)tn_decoder_reach(d);
    ck_assert_int_ge(reach, 60);
    prefill(d, &c, 0, &t, 0, 140);
    steps(d, &c, 0, &t, 140, 10);
    ck_ok(&ctx, tn_decoder_copy(d, 1, 0));
    steps(d, &c, 0, &t, 150, 30);
    ck_assert_int_eq(tn_decoder_length(d, 1), 150);
    steps(d, &c, 1, &t, 150, 30);
    ck_ok(&ctx, tn_decoder_cut(d, 0, 180 - reach)); /* as far as it goes, and the same again */
    steps(d, &c, 0, &t, 180 - reach, reach);
    ck_assert_int_eq(tn_decoder_cut(d, 0, 180 - reach - 1), TN_ERR_ARG);
    ck_assert_int_eq(tn_decoder_cut(d, 0, 181), TN_ERR_ARG);
    ck_assert_int_eq(tn_decoder_length(d, 0), 180);
    ck_ok(&ctx, tn_decoder_cut(d, 1, 0)); /* empty, and another one in its place */
    prefill(d, &c, 1, &t, 0, 20);
    tn_decoder_destroy(d);
    tn_model_destroy(m);
    close_device();
}
END_TEST

/* A step asks of the device what it says, and waits for nothing: by each variant, split and whole. */
static void check_launches(int config) {
    const int64_t slot = 0;
    const int32_t tokens[] = {1, 2, 3};
    const uint8_t given[3 * LAYERS] = {1, 0, 0, 1, 1, 1};
    tn_decoder *d;
    open_device();
    const tn_model_config c = config_of(config);
    tn_model *m = make(&c, false, 5);
    ck_ok(&ctx, tn_decoder_create(m, 1, 64, &d));
    const tn_decoder_steps s = {3, 1, &slot, tokens, wants_mask(&c) ? given : NULL};
    ck_ok(&ctx, tn_decoder_step(d, &s)); /* builds */
    int64_t each;
    ck_ok(&ctx, tn_decoder_launches(d, 1, &each));
    const tn_device_counts before = tn_device_counted(dev);
    ck_ok(&ctx, tn_decoder_step(d, &s));
    const tn_device_counts after = tn_device_counted(dev);
    ck_assert_int_eq(after.launches - before.launches, 3 * each);
    ck_assert_int_eq(after.waits, before.waits);
    tn_decoder_destroy(d);
    tn_model_destroy(m);
    close_device();
}

enum { WAYS = 4 };

START_TEST(test_launches) {
    static const char *const ways[WAYS][2] = {{"TURNOUT_TUNE", ""},
                                              {"TURNOUT_TUNE", "decode_step.ALONE=0"},
                                              {"TURNOUT_TUNE", "decode_step.LEAST=0"},
                                              {"TURNOUT_KIND", "gpu"}};
    const char *const *way_ = ways[_i % WAYS];
    setenv(way_[0], way_[1], 1);
    check_launches(_i / WAYS);
    unsetenv(way_[0]);
}
END_TEST

/* Past what a table of repeats first has room for, and past one piece of a prompt. */
START_TEST(test_long_repeats) {
    enum { PROMPT = 4500, MORE = 60, ALL = PROMPT + MORE };
    static int32_t tokens[ALL];
    static float logits[MORE * V], want[V];
    const int64_t slot = 0;
    const int32_t rows[] = {PROMPT - 1, ALL - 1};
    tn_workspace *ws;
    tn_decoder *d;
    open_device();
    tn_model_config c = small("conv");
    c.match = 8;
    tn_model *m = make(&c, false, 4);
    random_tokens(tokens, ALL, 4);
    for (int n = 0; n < ALL; n++)
        tokens[n] %= 4;
    ck_ok(&ctx, tn_workspace_create(m, 1, ALL, &ws));
    ck_ok(&ctx, tn_decoder_create(m, 1, 64, &d));
    for (int i = 0; i < 2; i++) {
        const tn_input in = {.B = 1, .T = ALL, .tokens = tokens, .L = 1, .label_rows = &rows[i]};
        logits_of(m, ws, &in, TN_GATE_COMPACT, NULL, want);
        if (i == 0) {
            ck_ok(&ctx, tn_decoder_prefill(d, 0, tokens, PROMPT, NULL, logits, NULL));
        } else {
            const tn_decoder_steps s = {MORE, 1, &slot, tokens + PROMPT, NULL};
            ck_ok(&ctx, tn_decoder_step(d, &s));
            ck_ok(&ctx, tn_decoder_read(d, logits, NULL));
        }
        near(logits + (i ? (MORE - 1) * V : 0), want, rows[i]);
    }
    tn_decoder_destroy(d);
    tn_workspace_destroy(ws);
    tn_model_destroy(m);
    close_device();
}
END_TEST

/* What a GPU would take, on whatever device there is. */
START_TEST(test_as_on_a_gpu) {
    setenv("TURNOUT_KIND", "gpu", 1);
    open_device();
    const tn_model_config c = config_of(_i);
    check_sequence(&c, tn_test_seed() + (uint64_t)_i);
    close_device();
    unsetenv("TURNOUT_KIND");
}
END_TEST

static void refused(tn_status got, tn_status want, const char *word) {
    ck_assert_int_eq(got, want);
    ck_assert_msg(strstr(ctx.message, word), "'%s' says nothing of '%s'", ctx.message, word);
}

START_TEST(test_refused) {
    const int32_t tokens[] = {1, V};
    const int64_t slots[] = {0, 0};
    tn_decoder *d;
    open_device();
    tn_model_config c = small("routed");
    tn_model *m = make(&c, false, 1);
    const int64_t live = ctx.live;
    const double memory = (double)tn_device_get_info(dev)->global_bytes;
    /* A little more than all of it; kernels cannot count what would fill a large one. */
    const int64_t most = (int64_t)(memory / tn_decoder_bytes_of(&c, 1, 100000) * 101000);
    const bool counted = most * LAYERS * c.d_model < TN_MOST_ELEMENTS;
    refused(tn_decoder_create(m, 1, most, &d), counted ? TN_ERR_MEMORY : TN_ERR_ARG, counted ? "GB" : "keys");
    refused(tn_decoder_create(m, 1, (int64_t)1 << 40, &d), TN_ERR_ARG, "of all layers");
    refused(tn_decoder_create(m, 0, 1, &d), TN_ERR_ARG, "at least one");
    ck_assert_int_eq(ctx.live, live);
    ck_ok(&ctx, tn_decoder_create(m, 2, 1, &d));
    refused(tn_decoder_prefill(d, 0, tokens, 2, NULL, NULL, NULL), TN_ERR_INPUT, "position 1");
    refused(tn_decoder_prefill(d, 0, tokens, 0, NULL, NULL, NULL), TN_ERR_ARG, "empty");
    refused(tn_decoder_prefill(d, 2, tokens, 1, NULL, NULL, NULL), TN_ERR_ARG, "sequence 2");
    refused(tn_decoder_step(d, &(tn_decoder_steps){1, 2, slots, tokens, NULL}), TN_ERR_ARG, "twice");
    refused(tn_decoder_step(d, &(tn_decoder_steps){1, 1, slots, tokens + 1, NULL}), TN_ERR_INPUT,
            "vocabulary");
    tn_decoder_destroy(d);
    tn_model_destroy(m);
    tn_model_config listed = small("conv,random:0.5");
    m = make(&listed, false, 1);
    ck_ok(&ctx, tn_decoder_create(m, 1, 1, &d));
    refused(tn_decoder_prefill(d, 0, tokens, 1, NULL, NULL, NULL), TN_ERR_ARG, "its mask");
    refused(tn_decoder_step(d, &(tn_decoder_steps){1, 1, slots, tokens, NULL}), TN_ERR_ARG, "its mask");
    tn_decoder_destroy(d);
    tn_model_destroy(m);
    ck_ok(&ctx, tn_routing_parse(&ctx, "capacity:0.1", &c));
    m = make(&c, false, 1);
    refused(tn_decoder_create(m, 1, 1, &d), TN_ERR_ARG, "capacity");
    tn_model_destroy(m);
    close_device();
}
END_TEST

int main(void) {
    Suite *suite = suite_create("decode");
    TCase *tests = tcase_create("all");
    tcase_set_timeout(tests, 600);
    tn_test_add_drawn(tests, test_as_forward, 0, 3 * MIXERS, 3);
    tn_test_add_drawn(tests, test_as_forward, 3 * MIXERS, CONFIGS, 4);
    tn_test_add_drawn(tests, test_ragged, 0, 3, 3);
    tn_test_add_drawn(tests, test_ragged, 6, 9, 3);
    tn_test_add_drawn(tests, test_ragged, 3 * MIXERS, CONFIGS, 6);
    tn_test_add_drawn(tests, test_cut_and_copy, 4, 9, 3);
    tn_test_add_drawn(tests, test_cut_and_copy, 3 * MIXERS, CONFIGS, 6);
    tn_test_add_drawn(tests, test_launches, 0, 9 * WAYS, 18);
    tn_test_add_drawn(tests, test_launches, 3 * MIXERS * WAYS, CONFIGS * WAYS, 16);
    tn_test_add_drawn(tests, test_as_on_a_gpu, 3 * MIXERS, CONFIGS, 12);
    tcase_add_test(tests, test_long_repeats);
    tcase_add_test(tests, test_refused);
    suite_add_tcase(suite, tests);
    return tn_test_main(suite);
}
