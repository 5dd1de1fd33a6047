/* Models whose layers differ, and windows: against the naive double, and what is counted of them. */
#include "model_checks.h"

#include "cost.h"

typedef struct way_of {
    const char *mixer;
    int64_t window;
    bool added;
    int64_t match;
} way_of;

static const way_of ways[] = {{"conv,routed,attention,conv", 0},
                              {"routed,attention", 6},
                              {"attention,routed,routed", 0},
                              {"conv,attention", 1},
                              {"attention,conv,attention", 4},
                              {"attention", 6},
                              {"routed", 6},
                              {"random:0.3", 5},
                              {"periodic:4", 3},
                              {"oracle", 7},
                              {"routed", T + 3},
                              {"routed", 0, true},
                              {"conv,routed,attention", 5, true},
                              {"random:0.3", 0, true},
                              {"periodic:4", 3, true},
                              {"conv,routed,attention", 0, true, 2},
                              {"oracle", 0, false, 3},
                              {"match:1", 0, true, 1},
                              {"conv,match:1,routed", 4, true, 2},
                              {"periodic:3,routed,random:0.4", 0, true},
                              {"random:0.2,conv", 3}};
enum { WAYS = sizeof ways / sizeof ways[0] };

static int64_t words(const char *list) {
    int64_t count = 1;
    for (; *list; list++)
        count += *list == ',';
    return count;
}

static tn_model_config config_of(const way_of *w) {
    tn_model_config c = small(w->mixer);
    c.layers = words(w->mixer) > 1 ? words(w->mixer) : 2;
    c.window = w->window;
    c.added = w->added;
    c.match = w->match;
    ck_ok(&ctx, tn_model_config_check(&ctx, &c));
    return c;
}

START_TEST(test_forward) {
    open_device();
    way = _i % 2 ? TN_ABSORB_ALWAYS : TN_ABSORB_NEVER;
    check_every_forward(config_of(&ways[_i / 2]));
    close_device();
}
END_TEST

START_TEST(test_gradients) {
    open_device();
    way = _i % 2 ? TN_ABSORB_ALWAYS : TN_ABSORB_NEVER;
    tn_model_config c = config_of(&ways[_i / 2]);
    check_gradients(&c, TN_GATE_COMPACT);
    if (tn_mixer_has_router(&c)) {
        check_gradients(&c, TN_GATE_DENSE);
        check_gradients(&c, TN_GATE_SOFT);
    }
    close_device();
}
END_TEST

/* Lists, windows and heads at random. */
START_TEST(test_drawn) {
    static const char *const names[] = {"conv", "attention", "routed"};
    char list[64] = "";
    open_device();
    tn_rng rng = tn_rng_make(17, TN_RNG_CASE, (uint64_t)_i);
    way_of w = {list, (int64_t)tn_rng_below(&rng, T + 4)};
    const uint32_t layers = 1 + tn_rng_below(&rng, LAYERS);
    bool attends = false;
    for (uint32_t i = 0; i < layers; i++) {
        const uint32_t which = tn_rng_below(&rng, 3);
        attends = attends || which > 0;
        snprintf(list + strlen(list), sizeof list - strlen(list), "%s%s", i ? "," : "", names[which]);
    }
    if (!attends)
        w.window = 0;
    way = (tn_absorb)tn_rng_below(&rng, 3);
    tn_model_config c = config_of(&w);
    c.layers = layers;
    c.added = tn_mixer_has_router(&c) && tn_rng_below(&rng, 2);
    c.kv_heads = attends ? tn_rng_below(&rng, 2) : 0;
    c.match = tn_rng_below(&rng, 2) ? tn_rng_below(&rng, 5) : 0;
    c.positions = attends && tn_rng_below(&rng, 3) == 0 ? TN_POSITIONS_ROPE : TN_POSITIONS_NONE;
    check_forward(&c, TN_GATE_COMPACT);
    check_gradients(&c, (tn_gate)tn_rng_below(&rng, 3));
    close_device();
}
END_TEST

/* Without convolutions before it, a layer's row sees what its window holds, to the bit, and all of that. */
START_TEST(test_reach) {
    enum { WINDOW = 5 };
    static int32_t tokens[T], changed[T];
    static float before[T * V], after[T * V];
    open_device();
    way = TN_ABSORB_AUTO;
    tn_model_config c = small("attention");
    c.layers = 1;
    c.window = WINDOW;
    tn_model *m = make(&c, false, 21);
    tn_workspace *ws;
    tn_input in = {.B = 1, .T = T, .tokens = tokens, .L = T};
    random_tokens(tokens, T, 3);
    ck_ok(&ctx, tn_workspace_create(m, 1, T, &ws));
    logits_of(m, ws, &in, TN_GATE_COMPACT, NULL, before);
    for (int s = 0; s < T; s++) {
        memcpy(changed, tokens, sizeof changed);
        changed[s] = (tokens[s] + 1) % V;
        in.tokens = changed;
        logits_of(m, ws, &in, TN_GATE_COMPACT, NULL, after);
        for (int t = 0; t < T; t++)
            ck_assert_msg((memcmp(before + t * V, after + t * V, V * 4) == 0) == (t < s || t >= s + WINDOW),
                          "a token at %d, and the logits at %d", s, t);
    }
    tn_workspace_destroy(ws);
    tn_model_destroy(m);
    close_device();
}
END_TEST

/* A sequence alone gives the bits it gives in a batch; and the same bits whoever counts the routed rows. */
START_TEST(test_same_bits) {
    static int32_t tokens[N];
    static uint8_t oracle[N];
    static float batch[N * V], other[N * V];
    open_device();
    way = _i % 2 ? TN_ABSORB_ALWAYS : TN_ABSORB_NEVER;
    tn_model_config c = config_of(&ways[_i / 2]);
    tn_model *m = make(&c, false, 31);
    tn_workspace *ws;
    random_tokens(tokens, N, 4);
    oracle_rows(oracle);
    ck_ok(&ctx, tn_workspace_create(m, B, T, &ws));
    tn_input in = {.B = B, .T = T, .tokens = tokens, .L = N, .oracle = oracle};
    m->count = TN_COUNT_HOST;
    logits_of(m, ws, &in, TN_GATE_COMPACT, NULL, batch);
    if (!strstr(ways[_i / 2].mixer, "random")) /* its mask is drawn by the batch */
        check_alone(m, ws, &in, batch, ways[_i / 2].mixer);
    m->count = TN_COUNT_DEVICE;
    logits_of(m, ws, &in, TN_GATE_COMPACT, NULL, other);
    ck_assert(memcmp(other, batch, sizeof batch) == 0);
    tn_workspace_destroy(ws);
    tn_model_destroy(m);
    close_device();
}
END_TEST

/* What a pass counts, by counting it again. */
START_TEST(test_counts) {
    static int32_t tokens[N];
    static uint8_t oracle[N], routes[LAYERS * N];
    tn_layer_stats stats[LAYERS];
    open_device();
    way = _i % 2 ? TN_ABSORB_ALWAYS : TN_ABSORB_NEVER;
    tn_model_config c = config_of(&ways[_i / 2]);
    tn_model *m = make(&c, false, 9);
    tn_workspace *ws;
    random_tokens(tokens, N, 5);
    oracle_rows(oracle);
    ck_ok(&ctx, tn_workspace_create(m, B, T, &ws));
    tn_input in = {.B = B, .T = T, .tokens = tokens, .L = N, .oracle = oracle, .control_seed = 3};
    ck_ok(&ctx, tn_model_forward(m, ws, &in, TN_GATE_COMPACT, routes, stats));
    double scores = 0, all = 0;
    for (int i = 0; i < c.layers; i++) {
        const tn_mixer mixer = tn_layer_mixer(&c, i);
        int64_t routed = 0, pairs = 0;
        for (int n = 0; n < N; n++) {
            const int t = n % T, seen = c.window && c.window < t + 1 ? (int)c.window : t + 1;
            ck_assert(mixer != TN_MIXER_CONV || routes[i * N + n] == 0);
            ck_assert(mixer != TN_MIXER_ATTENTION || routes[i * N + n] == 1);
            routed += routes[i * N + n];
            pairs += routes[i * N + n] ? seen : 0;
            all += t + 1;
        }
        ck_assert_int_eq(stats[i].routed, routed);
        ck_assert_int_eq(stats[i].decided, routed);
        ck_assert(stats[i].pairs == (double)pairs);
        const bool absorbs = way == TN_ABSORB_ALWAYS && routed > 0 && mixer != TN_MIXER_ATTENTION;
        ck_assert(stats[i].absorbed_pairs == (absorbs ? (double)pairs : 0));
        ck_assert_int_eq(stats[i].absorbed_passes, absorbs);
        ck_assert(stats[i].kv_rows == 0 ? routed == 0 || absorbs : stats[i].kv_rows >= routed);
        ck_assert((stats[i].soft > 0) == tn_layer_has_router(&c, i));
        scores += 4 * (double)c.d_model * (double)pairs * (absorbs ? (double)c.heads : 1);
    }
    ck_assert(fabs(tn_cost_forward(&c, N, N, stats).score_flops - scores) < 1);
    ck_assert(fabs(tn_cost_attention(&c, B, T, N).score_flops - 4 * (double)c.d_model * all) < 1);
    ck_assert_int_eq(tn_cost_parameters(&c), m->params.trainable);
    tn_workspace_destroy(ws);
    tn_model_destroy(m);
    close_device();
}
END_TEST

START_TEST(test_config) {
    char text[TN_CONFIG_TEXT], other[TN_CONFIG_TEXT], longest[1000] = "routed";
    open_device();
    tn_model_config c = small("conv,routed,attention"), back = small("conv");
    ck_assert_int_eq(tn_model_config_check(&ctx, &c), TN_ERR_ARG);
    ck_assert(strstr(ctx.message, "3 mixers for 2 layers") != NULL);
    c.layers = back.layers = 3;
    c.window = 9;
    c.added = true;
    c.match = 8;
    ck_ok(&ctx, tn_model_config_check(&ctx, &c));
    for (int i = 0; i < TN_CONFIG_FIELDS; i++)
        ck_ok(&ctx, tn_model_config_set(&ctx, &back, tn_model_config_field(&c, i, text), text));
    ck_assert(tn_model_config_differs(&c, &back, text, other) == NULL);
    tn_model_config_field(&back, 6, text);
    ck_assert_str_eq(text, "conv,routed,attention");
    ck_assert(tn_mixer_has_router(&back) && tn_layer_has_router(&back, 1) && !tn_layer_has_router(&back, 2));
    ck_assert_int_eq(tn_layer_mixer(&back, 2), TN_MIXER_ATTENTION);
    back.window = 8;
    ck_assert_str_eq(tn_model_config_differs(&c, &back, text, other), "window");
    back.window = 9;
    back.added = false;
    ck_assert_str_eq(tn_model_config_differs(&c, &back, text, other), "added");
    back.added = true;
    back.match = 7;
    ck_assert_str_eq(tn_model_config_differs(&c, &back, text, other), "match");

    c = small("routed,routed"); /* one way to say it */
    tn_model_config_field(&c, 6, text);
    ck_assert_str_eq(text, "routed");
    c.layers = 3;
    ck_assert_int_eq(tn_model_config_check(&ctx, &c), TN_ERR_ARG);

    for (int i = 1; i < TN_MODEL_MAX_LAYERS; i++)
        strcat(longest, ",attention");
    c = small(longest);
    c.layers = TN_MODEL_MAX_LAYERS;
    ck_ok(&ctx, tn_model_config_check(&ctx, &c));
    tn_model_config_field(&c, 6, text);
    ck_assert_str_eq(text, longest);
    strcat(longest, ",conv");
    ck_assert_int_eq(tn_mixer_parse(&ctx, longest, &c), TN_ERR_ARG);

    static const char *const bad[] = {"conv,", ",conv", "conv,,conv", "conv,oracle", "conv, routed", ","};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        ck_assert_int_eq(tn_mixer_parse(&ctx, bad[i], &c), TN_ERR_ARG);
        ck_assert_msg(strstr(ctx.message, "conv, attention or routed, or random:R") != NULL, "%s: %s", bad[i],
                      ctx.message);
    }
    c = small("conv");
    c.window = 4;
    ck_assert_int_eq(tn_model_config_check(&ctx, &c), TN_ERR_ARG);
    ck_assert(strstr(ctx.message, "a window belongs to attention") != NULL);
    c = small("routed");
    c.window = -1;
    ck_assert_int_eq(tn_model_config_check(&ctx, &c), TN_ERR_ARG);
    ck_assert_int_eq(tn_model_config_keys(&c, 6), 7);
    close_device();
}
END_TEST

START_TEST(test_controls_listed) {
    char text[TN_CONFIG_TEXT];
    open_device();
    tn_model_config c = small("conv,match:3,match:3,periodic:5,random:0.25");
    tn_model_config_field(&c, 6, text);
    ck_assert_str_eq(text, "conv,match:3,match:3,periodic:5,random:0.25");
    ck_assert(tn_mixer_has_mask(&c) && tn_mixer_has_choice(&c) && !tn_mixer_has_router(&c));
    c.layers = 5;
    c.match = 2;
    ck_assert_int_eq(tn_model_config_check(&ctx, &c), TN_ERR_ARG);
    ck_assert(strstr(ctx.message, "give --match 3") != NULL);
    ck_assert_int_eq(tn_mixer_parse(&ctx, "match:2,conv,match:3", &c), TN_ERR_ARG);
    ck_assert(strstr(ctx.message, "match has one number") != NULL);
    ck_assert_int_eq(tn_mixer_parse(&ctx, "match:0", &c), TN_ERR_ARG);
    c = small("conv");
    c.match = TN_MODEL_MAX_MATCH + 1;
    ck_assert_int_eq(tn_model_config_check(&ctx, &c), TN_ERR_ARG);
    ck_assert(strstr(ctx.message, "1 to 32") != NULL);
    close_device();
}
END_TEST

START_TEST(test_added) {
    open_device();
    tn_model_config c = small("conv");
    c.added = true;
    ck_assert_int_eq(tn_model_config_check(&ctx, &c), TN_ERR_ARG);
    ck_assert(strstr(ctx.message, "no layer of this model routes rows") != NULL);
    ck_ok(&ctx, tn_mixer_parse(&ctx, "attention", &c)); /* which has nothing to add to */
    ck_assert(!c.added);
    ck_ok(&ctx, tn_mix_parse(&ctx, "add", &c));
    ck_assert(c.added);
    ck_assert_int_eq(tn_mix_parse(&ctx, "both", &c), TN_ERR_ARG);
    ck_assert_int_eq(tn_model_config_set(&ctx, &c, "added", "2"), TN_ERR_INPUT);
    c = small("random:0.5");
    c.added = true;
    c.window = 3;
    c = tn_model_config_dense(&c);
    ck_ok(&ctx, tn_model_config_check(&ctx, &c));
    ck_assert(tn_mixer_is_dense(&c) && !c.added);
    close_device();
}
END_TEST

int main(void) {
    Suite *suite = suite_create("model_layers");
    TCase *t = tcase_create("model_layers");
    tcase_set_timeout(t, 240);
    tn_test_add_drawn(t, test_forward, 0, 2 * WAYS, 4);
    tn_test_add_drawn(t, test_gradients, 0, 2 * WAYS, 4);
    tn_test_add_drawn(t, test_drawn, 0, 16, 4);
    tcase_add_test(t, test_reach);
    tn_test_add_drawn(t, test_same_bits, 0, 2 * WAYS, 4);
    tn_test_add_drawn(t, test_counts, 0, 2 * WAYS, 4);
    tcase_add_test(t, test_config);
    tcase_add_test(t, test_controls_listed);
    tcase_add_test(t, test_added);
    suite_add_tcase(suite, t);
    return tn_test_main(suite);
}
