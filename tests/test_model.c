/* The model against its naive double: logits, routes, gradients of every gate; causality bit for bit for
 * every mixer; the same logits whatever the batch. */
#include "model_checks.h"

#include "cost.h"
#include "workspace.h"

#include <math.h>
#include <string.h>

START_TEST(test_forward) {
    open_device();
    check_every_forward(small_of(_i));
    close_device();
}
END_TEST

START_TEST(test_gradients) {
    open_device();
    tn_model_config c = small_of(_i);
    check_gradients(&c, TN_GATE_COMPACT);
    if (c.mixer == TN_MIXER_ROUTED) {
        check_gradients(&c, TN_GATE_DENSE);
        check_gradients(&c, TN_GATE_SOFT);
        price_known = true;
        check_gradients(&c, TN_GATE_COMPACT);
        check_gradients(&c, TN_GATE_DENSE);
        price_known = false;
    }
    if (c.mixer == TN_MIXER_ROUTED || c.mixer == TN_MIXER_ATTENTION) {
        c.positions = TN_POSITIONS_ROPE;
        check_gradients(&c, TN_GATE_COMPACT);
    }
    close_device();
}
END_TEST

/* Heads that share keys and values: one head of them, or two for four. */
START_TEST(test_shared_heads) {
    open_device();
    tn_model_config c = small(mixers[_i / 2]);
    c.d_model = 64;
    c.heads = 4;
    c.kv_heads = _i % 2 ? 2 : 1;
    way = TN_ABSORB_ALWAYS; /* which these never are */
    check_forward(&c, TN_GATE_COMPACT);
    check_gradients(&c, TN_GATE_COMPACT);
    if (c.mixer == TN_MIXER_ROUTED)
        check_gradients(&c, TN_GATE_DENSE);
    c.positions = TN_POSITIONS_ROPE;
    check_forward(&c, TN_GATE_COMPACT);
    if (c.mixer == TN_MIXER_ROUTED || c.mixer == TN_MIXER_ATTENTION)
        check_gradients(&c, TN_GATE_COMPACT);
    tn_model *m = make(&c, false, 5);
    ck_assert_int_eq(tn_cost_parameters(&c), m->params.trainable);
    tn_model_destroy(m);
    close_device();
}
END_TEST

/* What is not said of heads of keys and values means as many as heads. */
START_TEST(test_kv_heads_of_config) {
    char text[TN_CONFIG_TEXT], other[TN_CONFIG_TEXT];
    open_device();
    tn_model_config c = small("routed"), same = c;
    c.heads = same.heads = same.kv_heads = 2;
    ck_assert(tn_model_config_differs(&c, &same, text, other) == NULL);
    ck_assert_str_eq(tn_model_config_field(&c, TN_CONFIG_USUAL - 1, text), "kv_heads");
    ck_assert_str_eq(text, "2");
    tn_model_config_trim(&same);
    ck_assert_int_eq(same.kv_heads, 0);
    ck_ok(&ctx, tn_model_config_set(&ctx, &c, "kv_heads", "1"));
    ck_assert_int_eq(tn_model_config_kv_width(&c), 16);
    ck_assert_str_eq(tn_model_config_differs(&c, &same, text, other), "kv_heads");
    tn_model *m = make(&same, false, 1);
    ck_assert_int_eq(m->config.kv_heads, 2);
    tn_model_destroy(m);
    for (int64_t bad = -1; bad <= 4; bad++) {
        c.kv_heads = bad;
        ck_assert_int_eq(tn_model_config_check(&ctx, &c),
                         bad == 0 || bad == 1 || bad == 2 ? TN_OK : TN_ERR_ARG);
    }
    close_device();
}
END_TEST

/* Changing tokens after t changes no logit at or before t, not by a bit. Oracle rows come from the task: left
 * as they are. */
START_TEST(test_causality) {
    static int32_t tokens[N], changed[N];
    static uint8_t oracle[N];
    static float before[N * V], after[N * V];
    open_device();
    tn_model_config c = small_of(_i);
    tn_model *m = make(&c, false, 21);
    tn_workspace *ws;
    tn_input in = {.B = B, .T = T, .tokens = tokens, .L = N, .oracle = oracle};
    random_tokens(tokens, N, 3);
    oracle_rows(oracle);
    ck_ok(&ctx, tn_workspace_create(m, B, T, &ws));
    logits_of(m, ws, &in, TN_GATE_COMPACT, NULL, before);
    for (int t = 0; t < T; t++) {
        memcpy(changed, tokens, sizeof changed);
        for (int n = 0; n < N; n++)
            if (n % T > t)
                changed[n] = (tokens[n] + 1 + (n * 7 + t) % (V - 1)) % V;
        in.tokens = changed;
        logits_of(m, ws, &in, TN_GATE_COMPACT, NULL, after);
        for (int n = 0; n < N; n++)
            if (n % T <= t)
                ck_assert_msg(memcmp(before + n * V, after + n * V, V * 4) == 0,
                              "%s: tokens after %d reach the logits at %d of sequence %d", mixers[_i / 2], t,
                              n % T, n / T);
        ck_assert_msg(t == T - 1 || memcmp(before, after, sizeof before) != 0,
                      "the later logits did not move");
    }
    tn_workspace_destroy(ws);
    tn_model_destroy(m);
    close_device();
}
END_TEST

/* A sequence alone gives the bits it gives in a batch. */
START_TEST(test_batch_independence) {
    static int32_t tokens[N];
    static uint8_t oracle[N];
    static float batch[N * V];
    open_device();
    tn_model_config c = small_of(_i);
    if (c.mixer != TN_MIXER_RANDOM) { /* its mask is drawn by the batch */
        tn_model *m = make(&c, false, 31);
        tn_workspace *ws;
        random_tokens(tokens, N, 4);
        oracle_rows(oracle);
        ck_ok(&ctx, tn_workspace_create(m, B, T, &ws));
        tn_input in = {.B = B, .T = T, .tokens = tokens, .L = N, .oracle = oracle};
        logits_of(m, ws, &in, TN_GATE_COMPACT, NULL, batch);
        check_alone(m, ws, &in, batch, mixers[_i / 2]);
        tn_workspace_destroy(ws);
        tn_model_destroy(m);
    }
    close_device();
}
END_TEST

/* A long list of rows in one launch and in many: the same bits, in both styles. */
START_TEST(test_pieces) {
    enum { LONG = 5000, LAST = LONG - 1 };
    static const char *const ways[] = {"attention", "routed", "random:0.5", "random:0.5"};
    static int32_t tokens[LONG];
    static float logits[2][LONG * V];
    if (_i >= 4)
        setenv("TURNOUT_KIND", "gpu", 1);
    open_device();
    tn_model_config c = small(ways[_i % 4]);
    c.layers = 1;
    c.d_model = 16;
    c.heads = 1;
    c.positions = _i % 4 == 2 ? TN_POSITIONS_ROPE : TN_POSITIONS_NONE;
    way = _i % 4 == 3 ? TN_ABSORB_ALWAYS : TN_ABSORB_NEVER;
    tn_model *m = make(&c, false, 6);
    m->count = TN_COUNT_HOST; /* who knows how long the list is */
    tn_input in = {.B = 1, .T = LONG, .tokens = tokens, .L = LONG, .control_seed = 3};
    random_tokens(tokens, LONG, 2);
    for (int i = 0; i < 2; i++) {
        tn_workspace *ws;
        ck_ok(&ctx, tn_workspace_create(m, 1, LONG, &ws));
        if (i == 1)
            ws->piece_work = 1;
        logits_of(m, ws, &in, TN_GATE_COMPACT, NULL, logits[i]);
        const int64_t *routed;
        ck_ok(&ctx, tn_workspace_routed(ws, &routed));
        ck_assert_int_gt(routed[0], 1024); /* more than one piece */
        ck_assert((ws->piece_start != NULL) == (i == 1));
        tn_workspace_destroy(ws);
    }
    ck_assert(memcmp(logits[0], logits[1], sizeof logits[0]) == 0);
    ck_assert(isfinite(logits[1][LAST * V]));
    tn_model_destroy(m);
    close_device();
    unsetenv("TURNOUT_KIND");
}
END_TEST

/* Parameters as counted are those that there are; the mlp's width makes mixers equal. */
START_TEST(test_parameters) {
    open_device();
    tn_model_config c = small(mixers[_i]), routed = small("routed");
    tn_model *m = make(&c, false, 5);
    ck_assert_int_eq(tn_cost_parameters(&c), m->params.trainable);
    tn_model_destroy(m);
    int64_t want = tn_cost_parameters(&routed), column = c.layers * (2 * c.d_model + 1);
    c.mlp_width = tn_cost_equal_width(&c, want);
    ck_assert(llabs(tn_cost_parameters(&c) - want) <= (column + 1) / 2);
    ck_assert_int_eq(tn_cost_equal_width(&c, 0), 1);
    close_device();
}
END_TEST

/* A head from the embedding: its values, every other tensor as at the usual start. */
START_TEST(test_head_from_embedding) {
    open_device();
    tn_model_config c = small("routed");
    tn_model *usual = make(&c, true, 5), *m = make(&c, true, 5);
    ck_ok(&ctx, tn_params_head_from_embedding(&m->params, 0.25));
    double *before = values_of(usual), *after = values_of(m);
    const tn_param *embed = m->params.embed, *head = m->params.head;
    int moved = 0;
    for (size_t k = 0; k < m->params.floats; k++) {
        bool in_head = k >= head->offset && k < head->offset + head->count;
        double want = in_head ? (float)(0.25 * before[embed->offset + k - head->offset]) : before[k];
        ck_assert_msg(!(fabs(after[k] - want) > 0), "value %zu is %g, not %g", k, after[k], want);
        moved += in_head && fabs(after[k] - before[k]) > 0;
    }
    ck_assert_int_eq(moved, (int)head->count);
    free(before);
    free(after);
    tn_model_destroy(usual);
    tn_model_destroy(m);
    close_device();
}
END_TEST

/* What is absorbed and what that counts as: few rows are, all rows are not, and never with rotated positions.
 */
START_TEST(test_absorbing_pays) {
    enum { LONG = 300 };
    static int32_t tokens[LONG];
    static uint8_t oracle[LONG];
    tn_layer_stats stats[2];
    open_device();
    way = TN_ABSORB_AUTO;
    for (int i = 0; i < 3; i++) {
        tn_model_config c = small("oracle");
        c.positions = i == 2 ? TN_POSITIONS_ROPE : TN_POSITIONS_NONE;
        tn_model *m = make(&c, false, 3);
        m->count = TN_COUNT_HOST; /* who can choose */
        tn_workspace *ws;
        tn_input in = {.B = 1, .T = LONG, .tokens = tokens, .L = LONG, .oracle = oracle};
        for (int t = 0; t < LONG; t++)
            oracle[t] = i == 1 || t == LONG - 1;
        ck_ok(&ctx, tn_workspace_create(m, 1, LONG, &ws));
        ck_ok(&ctx, tn_model_forward(m, ws, &in, TN_GATE_COMPACT, NULL, stats));
        ck_assert_int_eq(stats[0].absorbed_rows, i == 0 ? 1 : 0);
        ck_assert_int_eq(stats[0].absorbed_passes, i == 0 ? 1 : 0);
        ck_assert(stats[0].absorbed_pairs == (i == 0 ? LONG : 0)); /* the last row sees them all */
        ck_assert_int_eq(stats[0].kv_rows, i == 0 ? 0 : LONG);
        tn_cost cost = tn_cost_mixer(&c, 0, LONG, &stats[0]);
        double D = 32, H = 2, R = i == 1 ? LONG : 1, scores = 4 * D * (i == 0 ? H * LONG : stats[0].pairs);
        double products = i == 0 ? 4 * D * D * (H * R + D) : 4 * D * D * (R + LONG);
        ck_assert(fabs(cost.score_flops - scores) < 1);
        ck_assert(fabs(cost.flops - scores - products - LONG * (5 * D + 2 * 4 * D + 4 * D + 2 * D * D)) < 1);
        c.added = true;
        ck_assert(fabs(tn_cost_mixer(&c, 0, LONG, &stats[0]).flops - cost.flops - D * R) < 1);
        c.added = false;
        tn_workspace_destroy(ws);
        tn_model_destroy(m);
    }
    close_device();
}
END_TEST

START_TEST(test_bad_input) {
    static int32_t tokens[N];
    open_device();
    tn_model_config c = small("routed");
    tn_model *m;
    tn_workspace *ws;
    c.heads = 3;
    ck_assert_int_eq(tn_model_create(dev, &c, false, &m), TN_ERR_ARG);
    c.heads = 2;
    m = make(&c, false, 1);
    ck_ok(&ctx, tn_workspace_create(m, B, T, &ws));
    tn_input in = {.B = B, .T = T, .tokens = tokens, .L = N};
    tokens[5] = V;
    ck_assert_int_eq(tn_model_forward(m, ws, &in, TN_GATE_COMPACT, NULL, NULL), TN_ERR_INPUT);
    tokens[5] = 0;
    in.T = T + 1;
    ck_assert_int_eq(tn_model_forward(m, ws, &in, TN_GATE_COMPACT, NULL, NULL), TN_ERR_ARG);
    setenv("TURNOUT_ABSORB", "sometimes", 1);
    tn_model *none;
    ck_assert_int_eq(tn_model_create(dev, &c, false, &none), TN_ERR_ARG);
    ck_assert(none == NULL);
    unsetenv("TURNOUT_ABSORB");
    ck_assert_int_eq(tn_mixer_parse(&ctx, "random:1.5", &c), TN_ERR_ARG);
    ck_assert_int_eq(tn_mixer_parse(&ctx, "periodic:0", &c), TN_ERR_ARG);
    ck_assert_int_eq(tn_mixer_parse(&ctx, "ring", &c), TN_ERR_ARG);
    ck_assert_int_eq(tn_routing_parse(&ctx, "capacity:nan", &c), TN_ERR_ARG);
    tn_workspace_destroy(ws);
    tn_model_destroy(m);
    close_device();
}
END_TEST

int main(void) {
    Suite *suite = suite_create("model");
    TCase *t = tcase_create("model");
    tcase_set_timeout(t, 240);
    tn_test_add_drawn(t, test_forward, 0, 2 * MIXERS, 2);
    tn_test_add_drawn(t, test_gradients, 0, 2 * MIXERS, 2);
    tn_test_add_drawn(t, test_causality, 0, 2 * MIXERS, 2);
    tn_test_add_drawn(t, test_batch_independence, 0, 2 * MIXERS, 2);
    tcase_add_loop_test(t, test_parameters, 0, MIXERS);
    tn_test_add_drawn(t, test_shared_heads, 2, 2 * MIXERS, 2);
    tcase_add_test(t, test_kv_heads_of_config);
    tcase_add_test(t, test_head_from_embedding);
    tcase_add_test(t, test_absorbing_pays);
    tcase_add_test(t, test_bad_input);
    suite_add_tcase(suite, t);
    TCase *pieces = tcase_create("pieces");
    tcase_set_timeout(pieces, 240);
    tn_test_add_drawn(pieces, test_pieces, 0, 8, 2);
    suite_add_tcase(suite, pieces);
    return tn_test_main(suite);
}
