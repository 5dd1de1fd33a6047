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
    if (c->window < 0 || c->window > INT32_MAX)
        return tn_fail(ctx, TN_ERR_ARG, "a window of %lld positions: 1 to %lld, or 0 for all of them",
                       (long long)c->window, (long long)INT32_MAX);
    if (c->window > 0 && !tn_mixer_has_attention(c))
        return tn_fail(ctx, TN_ERR_ARG, "a window belongs to attention, which no layer of this model has");
    if (c->match < 0 || c->match > TN_MODEL_MAX_MATCH)
        return tn_fail(ctx, TN_ERR_ARG, "repeats of %lld tokens are to be known: 1 to %d, or 0 for none",
                       (long long)c->match, (int)TN_MODEL_MAX_MATCH);
    if (c->matched > c->match)
        return tn_fail(
            ctx, TN_ERR_ARG,
            "match:%lld routes rows whose last %lld tokens stood before, and no more than %lld are "
            "looked for; give --match %lld",
            (long long)c->matched, (long long)c->matched, (long long)c->match, (long long)c->matched);
    if (c->added && !tn_mixer_has_choice(c))
        return tn_fail(
            ctx, TN_ERR_ARG,
            "attention is added to a routed row's convolution, and no layer of this model routes rows");
    if (c->listed != 0 && c->listed != c->layers)
        return tn_fail(ctx, TN_ERR_ARG,
                       "a list of %lld mixers for %lld layers: it wants one a layer, or --layers %lld",
                       (long long)c->listed, (long long)c->layers, (long long)c->listed);
    if (!(c->rms_eps > 0 && c->rms_eps < 1))
        return tn_fail(ctx, TN_ERR_ARG, "rms_eps is %g; it must lie between 0 and 1", c->rms_eps);
    return TN_OK;
}

static const char *const mixer_names[] = {"conv",     "attention", "routed", "random",
                                          "periodic", "oracle",    "match"};

/* "random:R", "periodic:M" and "match:N"; *found: whether the text is one of them. */
static tn_status numbered_parse(tn_context *ctx, const char *text, tn_model_config *c, tn_mixer *out,
                                bool *found) {
    tn_slice value;
    *found = true;
    if (tn_named_value(text, "random", &value)) {
        *out = TN_MIXER_RANDOM;
        return tn_number_real(ctx, "the mixer random:R", value, 0, 1, &c->random_rho);
    }
    if (tn_named_value(text, "periodic", &value)) {
        *out = TN_MIXER_PERIODIC;
        return tn_number_int(ctx, "the mixer periodic:M", value, 1, INT32_MAX, &c->period);
    }
    *found = tn_named_value(text, "match", &value);
    if (!*found)
        return TN_OK;
    *out = TN_MIXER_MATCH;
    return tn_number_int(ctx, "the mixer match:N", value, 1, TN_MODEL_MAX_MATCH, &c->matched);
}

/* One word of a list. */
static tn_status word_parse(tn_context *ctx, const char *text, tn_slice word, tn_model_config *c,
                            tn_mixer *out) {
    char copy[40];
    bool found;
    tn_model_config given = *c;
    snprintf(copy, sizeof copy, "%.*s", (int)(word.length < 39 ? word.length : 39), word.at);
    for (int i = TN_MIXER_CONV; i <= TN_MIXER_ROUTED; i++)
        if (strcmp(copy, mixer_names[i]) == 0) {
            *out = (tn_mixer)i;
            return TN_OK;
        }
    TN_TRY(numbered_parse(ctx, copy, &given, out, &found));
    if (!found)
        return tn_fail(ctx, TN_ERR_ARG,
                       "'%s' in the list of mixers '%.100s': a layer's is conv, attention or routed, or "
                       "random:R, periodic:M or match:N",
                       copy, text);
    const bool differs =
        given.random_rho != c->random_rho || given.period != c->period || given.matched != c->matched;
    for (int64_t i = 0; differs && i < c->listed; i++)
        if (c->list[i] == *out)
            return tn_fail(ctx, TN_ERR_ARG, "'%s' in the list of mixers '%.100s': %s has one number in it",
                           copy, text, mixer_names[*out]);
    *c = given;
    return TN_OK;
}

/* A word a layer. */
static tn_status list_parse(tn_context *ctx, const char *text, tn_model_config *c) {
    bool same = true;
    for (const char *at = text; at; at = strchr(at, ',') ? strchr(at, ',') + 1 : NULL) {
        tn_mixer mixer = TN_MIXER_CONV;
        TN_TRY(word_parse(ctx, text, (tn_slice){at, strcspn(at, ",")}, c, &mixer));
        if (c->listed == TN_MODEL_MAX_LAYERS)
            return tn_fail(ctx, TN_ERR_ARG, "a list of more than %d mixers; a model has no more layers",
                           (int)TN_MODEL_MAX_LAYERS);
        c->list[c->listed++] = (uint8_t)mixer;
        same = same && mixer == c->list[0];
    }
    c->mixer = same ? (tn_mixer)c->list[0] : TN_MIXER_LAYERS;
    return TN_OK;
}

static tn_status mixer_parse(tn_context *ctx, const char *text, tn_model_config *c) {
    static const tn_mixer plain[] = {TN_MIXER_CONV, TN_MIXER_ATTENTION, TN_MIXER_ROUTED, TN_MIXER_ORACLE};
    bool found;
    c->listed = c->matched = 0;
    if (strchr(text, ','))
        return list_parse(ctx, text, c);
    for (size_t i = 0; i < sizeof plain / sizeof plain[0]; i++)
        if (strcmp(text, mixer_names[plain[i]]) == 0) {
            c->mixer = plain[i];
            return TN_OK;
        }
    TN_TRY(numbered_parse(ctx, text, c, &c->mixer, &found));
    return found ? TN_OK
                 : tn_fail(ctx, TN_ERR_ARG,
                           "unknown mixer '%s'; there is conv, attention, routed, random:R, periodic:M, "
                           "match:N, oracle, and a list of all but the last, one a layer",
                           text);
}

tn_status tn_mixer_parse(tn_context *ctx, const char *text, tn_model_config *c) {
    TN_TRY(mixer_parse(ctx, text, c));
    c->added = c->added && tn_mixer_has_choice(c);
    return TN_OK;
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

tn_status tn_mix_parse(tn_context *ctx, const char *text, tn_model_config *c) {
    c->added = strcmp(text, "add") == 0;
    if (!c->added && strcmp(text, "replace") != 0)
        return tn_fail(ctx, TN_ERR_ARG, "unknown mix '%s'; there is replace and add", text);
    return TN_OK;
}

static const char *const field_names[TN_CONFIG_FIELDS] = {
    "vocab",   "d_model",   "layers",  "heads",    "conv_taps", "mlp_width", "mixer",
    "routing", "positions", "rms_eps", "kv_heads", "window",    "added",     "match"};

static int64_t *size_field(tn_model_config *c, int i) {
    int64_t *const sizes[] = {&c->vocab, &c->d_model, &c->layers, &c->heads, &c->conv_taps, &c->mlp_width};
    return i < 6 ? sizes[i] : NULL;
}

/* A mixer's name with its number, where it has one. */
static void mixer_text(const tn_model_config *c, tn_mixer mixer, char *text, size_t room) {
    if (mixer == TN_MIXER_RANDOM)
        snprintf(text, room, "random:%.9g", c->random_rho);
    else if (mixer == TN_MIXER_PERIODIC)
        snprintf(text, room, "periodic:%lld", (long long)c->period);
    else if (mixer == TN_MIXER_MATCH)
        snprintf(text, room, "match:%lld", (long long)c->matched);
    else
        snprintf(text, room, "%s", mixer_names[mixer]);
}

static void list_text(const tn_model_config *c, char text[TN_CONFIG_TEXT]) {
    size_t at = 0;
    for (int64_t i = 0; i < c->listed && at + 1 < TN_CONFIG_TEXT; i++) {
        if (i)
            text[at++] = ',';
        mixer_text(c, (tn_mixer)c->list[i], text + at, TN_CONFIG_TEXT - at);
        at += strlen(text + at);
    }
}

const char *tn_model_config_field(const tn_model_config *c, int i, char text[TN_CONFIG_TEXT]) {
    tn_model_config copy = *c;
    if (i < 6)
        snprintf(text, TN_CONFIG_TEXT, "%lld", (long long)*size_field(&copy, i));
    else if (i == 6 && c->mixer == TN_MIXER_LAYERS)
        list_text(c, text);
    else if (i == 6)
        mixer_text(c, c->mixer, text, TN_CONFIG_TEXT);
    else if (i == 7 && c->routing == TN_ROUTING_CAPACITY)
        snprintf(text, TN_CONFIG_TEXT, "capacity:%.9g", c->capacity);
    else if (i == 7)
        snprintf(text, TN_CONFIG_TEXT, "threshold");
    else if (i == 8)
        snprintf(text, TN_CONFIG_TEXT, "%s", c->positions == TN_POSITIONS_ROPE ? "rope" : "none");
    else if (i == 9)
        snprintf(text, TN_CONFIG_TEXT, "%.9g", c->rms_eps);
    else if (i == 10)
        snprintf(text, TN_CONFIG_TEXT, "%lld", (long long)tn_model_config_kv_heads(c));
    else if (i == 11)
        snprintf(text, TN_CONFIG_TEXT, "%lld", (long long)c->window);
    else if (i == 12)
        snprintf(text, TN_CONFIG_TEXT, "%d", c->added);
    else
        snprintf(text, TN_CONFIG_TEXT, "%lld", (long long)c->match);
    return field_names[i];
}

tn_status tn_model_config_set(tn_context *ctx, tn_model_config *c, const char *name, const char *text) {
    int i = 0;
    while (i < TN_CONFIG_FIELDS && strcmp(field_names[i], name) != 0)
        i++;
    int64_t added = 0;
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
    else if (i < 12)
        status =
            tn_number_int(ctx, name, tn_slice_of(text), 0, INT32_MAX, i == 10 ? &c->kv_heads : &c->window);
    else if (i == 13)
        status = tn_number_int(ctx, name, tn_slice_of(text), 0, TN_MODEL_MAX_MATCH, &c->match);
    else if ((status = tn_number_int(ctx, name, tn_slice_of(text), 0, 1, &added)) == TN_OK)
        c->added = added;
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

int64_t tn_model_config_keys(const tn_model_config *c, int64_t t) {
    return c->window > 0 && c->window <= t ? c->window : t + 1;
}

double tn_model_config_pairs(const tn_model_config *c, int64_t T) {
    const double most = (double)T, w = (double)tn_model_config_keys(c, T - 1);
    return w * (w + 1) / 2 + (most - w) * w;
}

tn_mixer tn_layer_mixer(const tn_model_config *c, int64_t layer) {
    return c->mixer == TN_MIXER_LAYERS ? (tn_mixer)c->list[layer] : c->mixer;
}

bool tn_layer_has_conv(const tn_model_config *c, int64_t layer) {
    return tn_layer_mixer(c, layer) != TN_MIXER_ATTENTION;
}

bool tn_layer_has_attention(const tn_model_config *c, int64_t layer) {
    return tn_layer_mixer(c, layer) != TN_MIXER_CONV;
}

bool tn_layer_has_router(const tn_model_config *c, int64_t layer) {
    return tn_layer_mixer(c, layer) == TN_MIXER_ROUTED;
}

static bool any(const tn_model_config *c, bool (*has)(const tn_model_config *, int64_t)) {
    const int64_t layers = c->mixer == TN_MIXER_LAYERS ? c->listed : 1;
    for (int64_t i = 0; i < layers; i++)
        if (has(c, i))
            return true;
    return false;
}

bool tn_mixer_has_conv(const tn_model_config *c) {
    return any(c, tn_layer_has_conv);
}

bool tn_mixer_has_attention(const tn_model_config *c) {
    return any(c, tn_layer_has_attention);
}

bool tn_mixer_has_router(const tn_model_config *c) {
    return any(c, tn_layer_has_router);
}

static bool layer_has_mask(const tn_model_config *c, int64_t layer) {
    const tn_mixer mixer = tn_layer_mixer(c, layer);
    return mixer == TN_MIXER_RANDOM || mixer == TN_MIXER_PERIODIC || mixer == TN_MIXER_ORACLE ||
           mixer == TN_MIXER_MATCH;
}

bool tn_mixer_has_mask(const tn_model_config *c) {
    return any(c, layer_has_mask);
}

bool tn_mixer_has_choice(const tn_model_config *c) {
    return tn_mixer_has_router(c) || tn_mixer_has_mask(c);
}

tn_model_config tn_model_config_dense(const tn_model_config *c) {
    tn_model_config dense = *c;
    dense.mixer = TN_MIXER_ATTENTION;
    dense.window = dense.listed = 0;
    dense.added = false;
    return dense;
}

bool tn_mixer_is_dense(const tn_model_config *c) {
    return c->mixer == TN_MIXER_ATTENTION && c->window == 0;
}
