/* What a model is: sizes, mixer, routing, positions; as options, and as the strings of a checkpoint's
 * metadata. */
#ifndef TN_CONFIG_H
#define TN_CONFIG_H

#include "context.h"

typedef enum tn_mixer {
    TN_MIXER_CONV,      /* convolution track only */
    TN_MIXER_ATTENTION, /* global track only, all rows */
    TN_MIXER_ROUTED,    /* a trained router decides */
    TN_MIXER_RANDOM,    /* control: each position with probability ρ */
    TN_MIXER_PERIODIC,  /* control: positions t with t mod m = 0 */
    TN_MIXER_ORACLE,    /* control: the rows that the task says need it */
    TN_MIXER_MATCH,     /* control: positions whose last n tokens stood before in the sequence */
    TN_MIXER_LAYERS     /* a list: of each layer one of the others but the oracle */
} tn_mixer;

enum { TN_MODEL_MAX_LAYERS = 64, TN_MODEL_MAX_MATCH = 32 };

typedef enum tn_routing { TN_ROUTING_THRESHOLD, TN_ROUTING_CAPACITY } tn_routing;
typedef enum tn_positions { TN_POSITIONS_NONE, TN_POSITIONS_ROPE } tn_positions;

typedef struct tn_model_config {
    int64_t vocab, d_model, layers, heads, conv_taps, mlp_width; /* V, D, layers, H, K, F */
    int64_t kv_heads; /* G, heads of keys and values: query head h reads head h / (H/G). 0, but never in a
                         tn_model: as many as heads */
    bool added;       /* a routed row has attention beside its convolution, not in its place */
    int64_t
        match; /* a token's embedding tells how many of the last tokens stood before, of so many; 0: not */
    int64_t window; /* a row that attends sees its own and the window − 1 positions before it; 0: all */
    tn_mixer mixer;
    int64_t listed; /* words of the list that the mixer was given as, also where all are the same; 0: none */
    uint8_t list[TN_MODEL_MAX_LAYERS]; /* tn_mixer of each layer, of TN_MIXER_LAYERS */
    double random_rho;                 /* of random:ρ, 0..1 */
    int64_t period;                    /* of periodic:m, ≥ 1 */
    int64_t matched;    /* of match:n, 1 to `match`, the same in all such layers; 0: there are none */
    tn_routing routing; /* of the routed mixer */
    double capacity;    /* of capacity:ρ, 0..1: ⌈ρT⌉ rows a sequence */
    tn_positions positions;
    double rms_eps;
} tn_model_config;

/* The recall model: 4 layers, D 64, H 2, K 4, mlp 128, routed by threshold, no positions. */
tn_model_config tn_model_config_default(int64_t vocab);
/* kv_heads of 0 where there are as many as heads, so that there is one way to say it. */
void tn_model_config_trim(tn_model_config *c);
/* TN_ERR_ARG with a sentence when sizes do not fit each other. */
tn_status tn_model_config_check(tn_context *ctx, const tn_model_config *c);

/* "conv", "attention", "routed", "random:0.01", "periodic:64", "oracle", "match:3"; or a word a layer,
 * "conv,match:3", of any but "oracle", as many as tn_model_config_check finds layers; a control has one
 * number. All the same: that mixer. One that routes no rows adds nothing to them. */
tn_status tn_mixer_parse(tn_context *ctx, const char *text, tn_model_config *c);
/* "threshold", "capacity:0.05". */
tn_status tn_routing_parse(tn_context *ctx, const char *text, tn_model_config *c);
tn_status tn_positions_parse(tn_context *ctx, const char *text, tn_model_config *c); /* "none", "rope" */
tn_status tn_mix_parse(tn_context *ctx, const char *text, tn_model_config *c);       /* "replace", "add" */

/* Fields from TN_CONFIG_REQUIRED on may be absent from a checkpoint, which is then older than they are; from
 * TN_CONFIG_USUAL on they are, where they are 0. A text has room for the longest list of mixers. */
enum { TN_CONFIG_REQUIRED = 10, TN_CONFIG_USUAL = 11, TN_CONFIG_FIELDS = 14, TN_CONFIG_TEXT = 1280 };
/* Name and text of field i (0..TN_CONFIG_FIELDS−1); what a checkpoint's metadata holds. */
const char *tn_model_config_field(const tn_model_config *c, int i, char text[TN_CONFIG_TEXT]);
/* Sets one field from its text; TN_ERR_INPUT for an unknown name or a bad value. */
tn_status tn_model_config_set(tn_context *ctx, tn_model_config *c, const char *name, const char *text);

/* The first field in which the two differ, with both texts; NULL where they are the same. */
const char *tn_model_config_differs(const tn_model_config *a, const tn_model_config *b,
                                    char mine[TN_CONFIG_TEXT], char theirs[TN_CONFIG_TEXT]);

int64_t tn_model_config_kv_heads(const tn_model_config *c); /* G, at least 1 */
int64_t tn_model_config_kv_width(const tn_model_config *c); /* G·D/H: of a row of keys or values */

/* Positions that a row at position t sees; what all rows of T positions see together. */
int64_t tn_model_config_keys(const tn_model_config *c, int64_t t);
double tn_model_config_pairs(const tn_model_config *c, int64_t T);

tn_mixer tn_layer_mixer(const tn_model_config *c, int64_t layer);     /* never TN_MIXER_LAYERS */
bool tn_layer_has_conv(const tn_model_config *c, int64_t layer);      /* convolution and W_c exist */
bool tn_layer_has_attention(const tn_model_config *c, int64_t layer); /* q, k, v, o exist */
bool tn_layer_has_router(const tn_model_config *c, int64_t layer);
/* Has any layer? */
bool tn_mixer_has_conv(const tn_model_config *c);
bool tn_mixer_has_attention(const tn_model_config *c);
bool tn_mixer_has_router(const tn_model_config *c);
bool tn_mixer_has_mask(const tn_model_config *c);   /* a control: the mask is given, not learned */
bool tn_mixer_has_choice(const tn_model_config *c); /* rows are listed: a router, or a control */
/* What savings are measured against: attention in every layer, over all positions. */
bool tn_mixer_is_dense(const tn_model_config *c);
tn_model_config tn_model_config_dense(const tn_model_config *c); /* that model, of the same sizes */

#endif
