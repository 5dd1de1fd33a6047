#include "config.h"

#include "causal_conv.h"
#include "pairs.h"

#include <stdlib.h>
#include <string.h>

tn_model_config tn_model_config_default(int64_t vocab) {
    return (tn_model_config){.vocab = vocab,
                             .d_model = 64,
                             .layers = 4,
                             .heads = 2,
                             .conv_taps = 4,
                             .mlp_width = 128,
                             .mixer = TN_MIXER_ROUTED,
                             .routing = TN_ROUTING_THRESHOLD,
                             .positions = TN_POSITIONS_NONE,
                             .rms_eps = 1e-5};
}

void tn_model_config_trim(tn_model_config *c) {
    if (c->kv_heads == c->heads)
        c->kv_heads = 0;
}

static tn_status in_range(tn_context *ctx, const char *name, int64_t value, int64_t low, int64_t high) {
    if (value >= low && value <= high)
        return TN_OK;
    return tn_fail(ctx, TN_ERR_ARG, "%s is %lld; it must lie in %lld..%lld", name, (long long)value,
                   (long long)low, (long long)high);
}

tn_status tn_model_config_check(tn_context *ctx, const tn_model_config *c) {
    TN_TRY(in_range(ctx, "vocab", c->vocab, 2, 1 << 20));
    TN_TRY(in_range(ctx, "d_model", c->d_model, 1, 8192));
    TN_TRY(in_range(ctx, "layers", c->layers, 1, 64));
    TN_TRY(in_range(ctx, "heads", c->heads, 1, 128));
    TN_TRY(in_range(ctx, "conv_taps", c->conv_taps, 1, TN_CAUSAL_CONV_TAPS));
    TN_TRY(in_range(ctx, "mlp_width", c->mlp_width, 1, 32768));
    int64_t width = c->d_model / c->heads;
    if (c->d_model % c->heads != 0 || width < 16 || width > 128 || width % 4 != 0)
        return tn_fail(ctx, TN_ERR_ARG,
                       "d_model %lld over %lld heads: a head must be 16 to 128 wide, a multiple of 4",
                       (long long)c->d_model, (long long)c->heads);
    if (c->kv_heads != 0 && (c->kv_heads < 0 || c->heads % c->kv_heads != 0))
        return tn_fail(ctx, TN_ERR_ARG,
                       "%lld heads of keys and values for %lld heads: heads must be a multiple of them",
                       (long long)c->kv_heads, (long long)c->heads);
    if (!(c->rms_eps > 0 && c->rms_eps < 1))
        return tn_fail(ctx, TN_ERR_ARG, "rms_eps is %g; it must lie between 0 and 1", c->rms_eps);
    return TN_OK;
}

tn_status tn_mixer_parse(tn_context *ctx, const char *text, tn_model_config *c) {
    static const struct {
        const char *name;
        tn_mixer mixer;
    } plain[] = {{"conv", TN_MIXER_CONV},
                 {"attention", TN_MIXER_ATTENTION},
                 {"routed", TN_MIXER_ROUTED},
                 {"oracle", TN_MIXER_ORACLE}};
    tn_slice value;
    for (size_t i = 0; i < sizeof plain / sizeof plain[0]; i++)
        if (strcmp(text, plain[i].name) == 0) {
            c->mixer = plain[i].mixer;
            return TN_OK;
        }
    if (tn_named_value(text, "random", &value)) {
        c->mixer = TN_MIXER_RANDOM;
        return tn_number_real(ctx, "the mixer random:R", value, 0, 1, &c->random_rho);
    }
    if (tn_named_value(text, "periodic", &value)) {
        c->mixer = TN_MIXER_PERIODIC;
        return tn_number_int(ctx, "the mixer periodic:M", value, 1, INT32_MAX, &c->period);
    }
    return tn_fail(ctx, TN_ERR_ARG,
                   "unknown mixer '%s'; there is conv, attention, routed, random:R, periodic:M, oracle",
                   text);
}

tn_status tn_routing_parse(tn_context *ctx, const char *text, tn_model_config *c) {
    tn_slice value;
    c->routing = TN_ROUTING_THRESHOLD;
    if (strcmp(text, "threshold") == 0)
        return TN_OK;
    if (!tn_named_value(text, "capacity", &value))
        return tn_fail(ctx, TN_ERR_ARG, "unknown routing '%s'; there is threshold and capacity:R", text);
    c->routing = TN_ROUTING_CAPACITY;
    return tn_number_real(ctx, "the routing capacity:R", value, 0, 1, &c->capacity);
}

tn_status tn_positions_parse(tn_context *ctx, const char *text, tn_model_config *c) {
    bool rope = strcmp(text, "rope") == 0;
    if (!rope && strcmp(text, "none") != 0)
        return tn_fail(ctx, TN_ERR_ARG, "unknown positions '%s'; there is none and rope", text);
    c->positions = rope ? TN_POSITIONS_ROPE : TN_POSITIONS_NONE;
    return TN_OK;
}

static const char *const field_names[TN_CONFIG_FIELDS] = {"vocab",     "d_model",   "layers",  "heads",
                                                          "conv_taps", "mlp_width", "mixer",   "routing",
                                                          "positions", "rms_eps",   "kv_heads"};

static int64_t *size_field(tn_model_config *c, int i) {
    int64_t *const sizes[] = {&c->vocab, &c->d_model, &c->layers, &c->heads, &c->conv_taps, &c->mlp_width};
    return i < 6 ? sizes[i] : NULL;
}

const char *tn_model_config_field(const tn_model_config *c, int i, char text[TN_CONFIG_TEXT]) {
    static const char *const mixers[] = {"conv", "attention", "routed", "random", "periodic", "oracle"};
    tn_model_config copy = *c;
    if (i < 6)
        snprintf(text, TN_CONFIG_TEXT, "%lld", (long long)*size_field(&copy, i));
    else if (i == 6 && c->mixer == TN_MIXER_RANDOM)
        snprintf(text, TN_CONFIG_TEXT, "random:%.9g", c->random_rho);
    else if (i == 6 && c->mixer == TN_MIXER_PERIODIC)
        snprintf(text, TN_CONFIG_TEXT, "periodic:%lld", (long long)c->period);
    else if (i == 6)
        snprintf(text, TN_CONFIG_TEXT, "%s", mixers[c->mixer]);
    else if (i == 7 && c->routing == TN_ROUTING_CAPACITY)
        snprintf(text, TN_CONFIG_TEXT, "capacity:%.9g", c->capacity);
    else if (i == 7)
        snprintf(text, TN_CONFIG_TEXT, "threshold");
    else if (i == 8)
        snprintf(text, TN_CONFIG_TEXT, "%s", c->positions == TN_POSITIONS_ROPE ? "rope" : "none");
    else if (i == 9)
        snprintf(text, TN_CONFIG_TEXT, "%.9g", c->rms_eps);
    else
        snprintf(text, TN_CONFIG_TEXT, "%lld", (long long)tn_model_config_kv_heads(c));
    return field_names[i];
}

tn_status tn_model_config_set(tn_context *ctx, tn_model_config *c, const char *name, const char *text) {
    int i = 0;
    while (i < TN_CONFIG_FIELDS && strcmp(field_names[i], name) != 0)
        i++;
    tn_status status = TN_OK;
    if (i == TN_CONFIG_FIELDS)
        return tn_fail(ctx, TN_ERR_INPUT, "unknown model field '%s'", name);
    if (i < 6)
        status = tn_number_int(ctx, name, tn_slice_of(text), 1, INT32_MAX, size_field(c, i));
    else if (i == 6)
        status = tn_mixer_parse(ctx, text, c);
    else if (i == 7)
        status = tn_routing_parse(ctx, text, c);
    else if (i == 8)
        status = tn_positions_parse(ctx, text, c);
    else if (i == 9)
        status = tn_number_real(ctx, name, tn_slice_of(text), 0, 1, &c->rms_eps);
    else
        status = tn_number_int(ctx, name, tn_slice_of(text), 0, INT32_MAX, &c->kv_heads);
    return status == TN_OK ? TN_OK : (ctx->status = TN_ERR_INPUT);
}

const char *tn_model_config_differs(const tn_model_config *a, const tn_model_config *b,
                                    char mine[TN_CONFIG_TEXT], char theirs[TN_CONFIG_TEXT]) {
    for (int i = 0; i < TN_CONFIG_FIELDS; i++) {
        const char *name = tn_model_config_field(a, i, mine);
        tn_model_config_field(b, i, theirs);
        if (strcmp(mine, theirs) != 0)
            return name;
    }
    return NULL;
}

int64_t tn_model_config_kv_heads(const tn_model_config *c) {
    return c->kv_heads ? c->kv_heads : c->heads;
}

int64_t tn_model_config_kv_width(const tn_model_config *c) {
    return c->d_model / c->heads * tn_model_config_kv_heads(c);
}

bool tn_mixer_has_conv(const tn_model_config *c) {
    return c->mixer != TN_MIXER_ATTENTION;
}

bool tn_mixer_has_attention(const tn_model_config *c) {
    return c->mixer != TN_MIXER_CONV;
}

bool tn_mixer_has_router(const tn_model_config *c) {
    return c->mixer == TN_MIXER_ROUTED;
}

bool tn_mixer_has_mask(const tn_model_config *c) {
    return c->mixer == TN_MIXER_RANDOM || c->mixer == TN_MIXER_PERIODIC || c->mixer == TN_MIXER_ORACLE;
}
