/* A pass that leaves the number of routed rows to the device: the logits, routes and statistics of one whose
 * host reads it, bit for bit, and no wait; the same of a step's gradients; every mixer, one sequence and
 * several, both styles. */
#include "small_model.h"

#include "workspace.h"

#include <string.h>

enum { LAYERS = 2, LISTING = MIXERS - 2 /* mixers that list rows: all but the first two */ };

typedef struct outcome {
    float logits[N * V];
    uint8_t routes[LAYERS * N];
    tn_layer_stats stats[LAYERS];
    int64_t routed[LAYERS];
} outcome;

static void run(tn_model *m, tn_workspace *ws, const tn_input *in, outcome *out) {
    const int64_t *routed;
    memset(out, 0, sizeof *out);
    ck_ok(&ctx, tn_model_forward(m, ws, in, TN_GATE_COMPACT, out->routes, out->stats));
    ck_ok(&ctx, tn_buffer_read(tn_workspace_logits(ws), 0, (size_t)(in->L * V) * 4, out->logits));
    ck_ok(&ctx, tn_workspace_routed(ws, &routed));
    memcpy(out->routed, routed, sizeof out->routed);
}

static bool lists_rows(const tn_model_config *c) {
    return tn_mixer_has_attention(c) && c->mixer != TN_MIXER_ATTENTION;
}

static int64_t waits_of(tn_model *m, tn_workspace *ws, const tn_input *in) {
    const int64_t before = tn_device_counted(dev).waits;
    ck_ok(&ctx, tn_model_forward(m, ws, in, TN_GATE_COMPACT, NULL, NULL));
    return tn_device_counted(dev).waits - before;
}

static void check(const tn_model_config *c, int64_t sequences, int64_t length) {
    static int32_t tokens[N];
    static uint8_t oracle[N];
    static outcome host, device;
    tn_model *m = make(c, false, 5);
    tn_workspace *ws;
    tn_input in = {.B = sequences,
                   .T = length,
                   .tokens = tokens,
                   .L = sequences * length,
                   .oracle = oracle,
                   .control_seed = 3,
                   .control_index = 8};
    oracle_rows(oracle);
    ck_ok(&ctx, tn_workspace_create(m, sequences, length, &ws));
    for (uint64_t seed = 1; seed <= 2; seed++) { /* the second finds what the first has left */
        random_tokens(tokens, N, seed);
        m->count = TN_COUNT_HOST;
        run(m, ws, &in, &host);
        const int64_t with_host = waits_of(m, ws, &in);
        ck_ok(&ctx, tn_workspace_spoil(ws));
        m->count = TN_COUNT_DEVICE;
        const int64_t before = tn_device_counted(dev).waits;
        run(m, ws, &in, &device);
        /* Decisions, p, counts and the logits, once for all layers. */
        const bool lists = lists_rows(c);
        ck_assert_int_eq(tn_device_counted(dev).waits - before,
                         1 + (lists ? 2 + (tn_mixer_has_router(c) ? 1 : 0) : 0));
        ck_assert_msg(memcmp(host.logits, device.logits, sizeof host.logits) == 0, "not the same logits");
        ck_assert_msg(memcmp(host.routes, device.routes, sizeof host.routes) == 0, "not the same routes");
        ck_assert_msg(memcmp(host.stats, device.stats, sizeof host.stats) == 0, "not the same numbers");
        ck_assert_msg(memcmp(host.routed, device.routed, sizeof host.routed) == 0, "not as many rows");
        ck_assert_int_eq(waits_of(m, ws, &in), 0);
        ck_assert_int_eq(with_host, lists ? LAYERS : 0);
    }
    tn_workspace_destroy(ws);
    tn_model_destroy(m);
}

START_TEST(test_every_mixer) {
    if (_i >= MIXERS)
        setenv("TURNOUT_KIND", "gpu", 1);
    open_device();
    tn_model_config c = small(mixers[_i % MIXERS]);
    c.layers = LAYERS;
    way = TN_ABSORB_NEVER;
    check(&c, B, T);
    check(&c, 1, N);
    c.kv_heads = 1;
    check(&c, B, T);
    c.kv_heads = 0;
    c.positions = TN_POSITIONS_ROPE;
    check(&c, B, T);
    c.positions = TN_POSITIONS_NONE;
    if (tn_mixer_has_choice(&c)) {
        c.added = true;
        check(&c, B, T);
        c.added = false;
    }
    if (tn_mixer_has_router(&c)) {
        c.routing = TN_ROUTING_CAPACITY;
        c.capacity = 0.1;
        check(&c, B, T);
    }
    close_device();
    unsetenv("TURNOUT_KIND");
}
END_TEST

/* Nothing is routed, in some sequences and in all of them. */
START_TEST(test_no_rows) {
    if (_i)
        setenv("TURNOUT_KIND", "gpu", 1);
    open_device();
    tn_model_config c = small("random:0");
    way = TN_ABSORB_NEVER;
    check(&c, B, T);
    c = small("random:1");
    check(&c, B, T);
    close_device();
    unsetenv("TURNOUT_KIND");
}
END_TEST

/* A step that trains: loss and gradients. */
typedef struct step {
    double loss;
    float *gradients;
    tn_layer_stats stats[LAYERS];
} step;

static void train(tn_model *m, tn_workspace *ws, const tn_input *in, step *out) {
    ck_ok(&ctx, tn_model_forward(m, ws, in, TN_GATE_COMPACT, NULL, NULL));
    ck_ok(&ctx, tn_model_loss(m, ws, in));
    ck_ok(&ctx, tn_model_backward(m, ws, in, TN_GATE_COMPACT, 0.01));
    out->gradients = realloc(out->gradients, m->params.floats * sizeof(float));
    ck_ok(&ctx, tn_model_loss_read(ws, in, &out->loss, NULL));
    ck_ok(&ctx, tn_buffer_read(m->params.grads, 0, m->params.floats * sizeof(float), out->gradients));
    memset(out->stats, 0, sizeof out->stats);
    ck_ok(&ctx, tn_workspace_observe(ws, in, NULL, out->stats));
}

static int64_t waits_of_step(tn_model *m, tn_workspace *ws, const tn_input *in) {
    const int64_t before = tn_device_counted(dev).waits;
    ck_ok(&ctx, tn_model_forward(m, ws, in, TN_GATE_COMPACT, NULL, NULL));
    ck_ok(&ctx, tn_model_loss(m, ws, in));
    ck_ok(&ctx, tn_model_backward(m, ws, in, TN_GATE_COMPACT, 0.01));
    return tn_device_counted(dev).waits - before;
}

static void same_step(const tn_model *m, const step *host, const step *device) {
    for (int p = 0; p < m->params.count; p++) {
        const tn_param *tensor = &m->params.items[p];
        ck_assert_msg(memcmp(host->gradients + tensor->offset, device->gradients + tensor->offset,
                             tensor->count * sizeof(float)) == 0,
                      "not the same gradient of %s", tensor->name);
    }
    ck_assert_msg(memcmp(&host->loss, &device->loss, sizeof host->loss) == 0, "not the same loss");
    ck_assert_msg(memcmp(host->stats, device->stats, sizeof host->stats) == 0, "not the same numbers");
}

/* counted: whether the device's count is taken at all. */
static void check_step(const tn_model_config *c, int64_t sequences, int64_t length, bool counted) {
    const int64_t rows = sequences * length;
    int32_t *tokens = malloc((size_t)rows * 8), *labels = tokens + rows;
    uint8_t *oracle = calloc((size_t)rows, 1);
    step host = {0}, device = {0};
    tn_model *m = make(c, true, 5);
    tn_workspace *ws;
    tn_input in = {.B = sequences,
                   .T = length,
                   .tokens = tokens,
                   .L = rows,
                   .labels = labels,
                   .oracle = oracle,
                   .control_seed = 3,
                   .control_index = 8};
    for (int64_t n = 0; n < rows; n++)
        oracle[n] = n / length != 1 && n % length % 5 == 4;
    ck_ok(&ctx, tn_workspace_create(m, sequences, length, &ws));
    for (uint64_t seed = 1; seed <= 2; seed++) {
        random_tokens(tokens, (int)(2 * rows), seed);
        m->count = TN_COUNT_HOST;
        train(m, ws, &in, &host);
        ck_assert_int_eq(waits_of_step(m, ws, &in), LAYERS);
        ck_ok(&ctx, tn_workspace_spoil(ws));
        m->count = TN_COUNT_DEVICE;
        train(m, ws, &in, &device);
        same_step(m, &host, &device);
        ck_assert_int_eq(waits_of_step(m, ws, &in), counted ? 0 : LAYERS);
    }
    free(host.gradients);
    free(device.gradients);
    free(tokens);
    free(oracle);
    tn_workspace_destroy(ws);
    tn_model_destroy(m);
}

/* Long enough that sums over rows have several parts, and attention several chunks of keys. In style threads
 * the host counts where there are several sequences (route_counts.c). */
START_TEST(test_steps) {
    const bool groups = _i >= LISTING;
    if (groups)
        setenv("TURNOUT_KIND", "gpu", 1);
    open_device();
    tn_model_config c = small(mixers[MIXERS - LISTING + _i % LISTING]);
    c.layers = LAYERS;
    way = TN_ABSORB_NEVER;
    ck_assert(lists_rows(&c));
    check_step(&c, B, T, groups);
    check_step(&c, 1, N, true);
    check_step(&c, 4, 700, groups);
    check_step(&c, 1, 1300, true);
    c.positions = TN_POSITIONS_ROPE;
    check_step(&c, B, T, groups);
    c.kv_heads = 1;
    check_step(&c, B, T, groups);
    c.kv_heads = 0;
    if (tn_mixer_has_router(&c)) {
        c.routing = TN_ROUTING_CAPACITY;
        c.capacity = 0.01;
        check_step(&c, 4, 700, groups);
        check_step(&c, 1, 1300, true);
    }
    close_device();
    unsetenv("TURNOUT_KIND");
}
END_TEST

/* No row, every row, and few. */
START_TEST(test_odd_steps) {
    if (_i)
        setenv("TURNOUT_KIND", "gpu", 1);
    open_device();
    static const char *const odd[] = {"random:0", "random:1", "random:0.01"};
    way = TN_ABSORB_NEVER;
    for (size_t i = 0; i < sizeof odd / sizeof odd[0]; i++) {
        tn_model_config c = small(odd[i]);
        c.layers = LAYERS;
        check_step(&c, B, T, _i);
        check_step(&c, 2, 400, _i);
        check_step(&c, 1, N, true);
    }
    close_device();
    unsetenv("TURNOUT_KIND");
}
END_TEST

/* By itself: a small layer on a device of work-groups. */
START_TEST(test_when) {
    static int32_t tokens[N];
    tn_input in = {.B = B, .T = T, .tokens = tokens, .L = N};
    setenv("TURNOUT_KIND", "gpu", 1);
    open_device();
    for (int training = 0; training < 2; training++)
        for (int rotated = 0; rotated < 2; rotated++) {
            tn_model_config c = small("routed");
            c.positions = rotated ? TN_POSITIONS_ROPE : TN_POSITIONS_NONE;
            way = TN_ABSORB_AUTO;
            tn_model *m = make(&c, training, 5);
            tn_workspace *ws;
            ck_ok(&ctx, tn_workspace_create(m, B, T, &ws));
            ck_assert_int_eq(waits_of(m, ws, &in), 0);
            m->count = TN_COUNT_HOST;
            ck_assert_int_eq(waits_of(m, ws, &in), c.layers);
            tn_workspace_destroy(ws);
            tn_model_destroy(m);
        }
    close_device();
    unsetenv("TURNOUT_KIND");
    open_device(); /* threads */
    tn_model_config c = small("routed");
    tn_model *m = make(&c, false, 5);
    tn_workspace *ws;
    ck_ok(&ctx, tn_workspace_create(m, B, T, &ws));
    ck_assert_int_eq(waits_of(m, ws, &in), c.layers);
    tn_workspace_destroy(ws);
    tn_model_destroy(m);
    setenv("TURNOUT_COUNT", "nobody", 1);
    ck_assert_int_eq(tn_model_create(dev, &c, false, &m), TN_ERR_ARG);
    ck_assert(strstr(ctx.message, "TURNOUT_COUNT=nobody") && strstr(ctx.message, "device"));
    unsetenv("TURNOUT_COUNT");
    close_device();
}
END_TEST

int main(void) {
    Suite *suite = suite_create("model_counts");
    TCase *t = tcase_create("model_counts");
    tcase_set_timeout(t, 240);
    tn_test_add_drawn(t, test_every_mixer, 0, 2 * MIXERS, 2);
    tn_test_add_drawn(t, test_no_rows, 0, 2, 2);
    tn_test_add_drawn(t, test_steps, 0, 2 * LISTING, 2);
    tn_test_add_drawn(t, test_odd_steps, 0, 2, 2);
    tcase_add_test(t, test_when);
    suite_add_tcase(suite, t);
    return tn_test_main(suite);
}
