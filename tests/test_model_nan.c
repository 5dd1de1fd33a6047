/* A NaN in a model: one that a position may not see moves no bit of its logits, one that it sees comes out.
 */
#include "small_model.h"

#include <math.h>
#include <string.h>

/* One embedding is no number, of a token at one position: no bit moves before it or in another sequence, and
 * its own logits are none. */
START_TEST(test_nan_causality) {
    enum { AT = T + 9 }; /* in the second sequence, which the oracle does not route */
    static int32_t tokens[N];
    static uint8_t oracle[N];
    static float before[N * V], after[N * V], row[32];
    open_device();
    tn_model_config c = small_of(_i);
    tn_model *m = make(&c, false, 22);
    tn_workspace *ws;
    tn_input in = {.B = B, .T = T, .tokens = tokens, .L = N, .oracle = oracle};
    random_tokens(tokens, N, 6);
    for (int n = 0; n < N; n++)
        tokens[n] = n == AT ? V - 1 : tokens[n] % (V - 1);
    oracle_rows(oracle);
    ck_ok(&ctx, tn_workspace_create(m, B, T, &ws));
    logits_of(m, ws, &in, TN_GATE_COMPACT, NULL, before);
    for (int64_t d = 0; d < c.d_model; d++)
        row[d] = NAN;
    ck_ok(&ctx, tn_buffer_write(m->params.embed->value, (size_t)((V - 1) * c.d_model) * 4,
                                (size_t)c.d_model * 4, row));
    logits_of(m, ws, &in, TN_GATE_COMPACT, NULL, after);
    for (int n = 0; n < N; n++)
        if (n < AT || n / T != AT / T)
            ck_assert_msg(memcmp(before + n * V, after + n * V, V * 4) == 0,
                          "%s: a NaN at row %d reaches the logits of row %d", mixers[_i / 2], AT, n);
    for (int v = 0; v < V; v++)
        ck_assert_msg(isnan(after[AT * V + v]), "%s: a NaN at row %d is lost on the way to its logits",
                      mixers[_i / 2], AT);
    tn_workspace_destroy(ws);
    tn_model_destroy(m);
    close_device();
}
END_TEST

static double loss_of(tn_model *m, tn_workspace *ws, const tn_input *in) {
    double loss;
    ck_ok(&ctx, tn_params_pack(&m->params));
    ck_ok(&ctx, tn_model_forward(m, ws, in, TN_GATE_COMPACT, NULL, NULL));
    ck_ok(&ctx, tn_model_loss(m, ws, in));
    ck_ok(&ctx, tn_model_loss_read(ws, in, &loss, NULL));
    return loss;
}

/* A NaN in any tensor of the model makes the loss one. */
START_TEST(test_nan_weight) {
    static int32_t tokens[N], labels[N];
    static uint8_t oracle[N];
    const float nan = NAN;
    float kept;
    open_device();
    tn_model_config c = small_of(_i);
    tn_model *m = make(&c, false, 23);
    tn_workspace *ws;
    tn_input in = {.B = B, .T = T, .tokens = tokens, .L = N, .labels = labels, .oracle = oracle};
    random_tokens(tokens, N, 7);
    random_tokens(labels, N, 8);
    tokens[0] = 0; /* the first row of the embedding is in use */
    oracle_rows(oracle);
    ck_ok(&ctx, tn_workspace_create(m, B, T, &ws));
    ck_assert(isfinite(loss_of(m, ws, &in)));
    const int64_t *routed;
    ck_ok(&ctx, tn_workspace_routed(ws, &routed));
    for (int64_t i = 0; i < c.layers && c.mixer != TN_MIXER_CONV; i++)
        ck_assert_msg(routed[i] > 0, "layer %d routes nothing: its weights are not read", (int)i);
    for (int i = 0; i < m->params.count; i++) {
        tn_buffer *value = m->params.items[i].value;
        ck_ok(&ctx, tn_buffer_read(value, 0, 4, &kept));
        ck_ok(&ctx, tn_buffer_write(value, 0, 4, &nan));
        double loss = loss_of(m, ws, &in);
        ck_assert_msg(isnan(loss), "%s: a NaN in %s, and the loss is %g", mixers[_i / 2],
                      m->params.items[i].name, loss);
        ck_ok(&ctx, tn_buffer_write(value, 0, 4, &kept));
    }
    tn_workspace_destroy(ws);
    tn_model_destroy(m);
    close_device();
}
END_TEST

int main(void) {
    Suite *suite = suite_create("model_nan");
    TCase *t = tcase_create("model");
    tcase_set_timeout(t, 240);
    tn_test_add_drawn(t, test_nan_causality, 0, 2 * MIXERS, 2);
    tn_test_add_drawn(t, test_nan_weight, 0, 2 * MIXERS, 2);
    suite_add_tcase(suite, t);
    return tn_test_main(suite);
}
