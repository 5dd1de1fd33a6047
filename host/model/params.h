/* The parameter table: one flat buffer each for values, gradients and the two moments, with a view a tensor.
 * Tensors that decay come first, so AdamW is one launch; the padding between views is zero and stays zero. */
#ifndef TN_PARAMS_H
#define TN_PARAMS_H

#include "buffer.h"
#include "config.h"

typedef struct tn_param {
    char name[64]; /* as in the checkpoint: "layers.0.mixer.q.weight" */
    int rank;
    int64_t dims[2];
    size_t offset, count; /* floats in the flat buffers */
    size_t packed_offset; /* floats in the packed buffer, of what stands in it */
    bool decay;           /* weight decay applies: matrices, but not norms, biases, convolution or router */
    tn_buffer *value, *grad; /* views; grad NULL in a model made for inference */
    tn_buffer *packed;       /* view of the packed copy; NULL of what is no weight of a linear layer */
} tn_param;

/* Borrowed pointers into the table, absent ones NULL. */
typedef struct tn_layer_params {
    tn_param *norm1, *conv_weight, *conv_bias, *conv_out, *q, *k, *v, *o, *router_weight, *router_bias;
    tn_param *norm2, *up_weight, *up_bias, *down_weight, *down_bias;
    /* q, k, v as one matrix [3D,D] and its gradient; k, v as one [2·G·Dh,D]. NULL where padding stands
     * between them, or q is wider than k. */
    tn_buffer *qkv, *qkv_grad, *qkv_packed, *kv, *kv_grad, *kv_packed;
} tn_layer_params;

/* A layer's weights multiplied out (attention_absorb.h) and packed, one behind the other; made when first
 * needed. */
typedef struct tn_absorbed {
    tn_buffer *both, *packed;         /* M [H·D,D], then C [D,H·D] */
    tn_buffer *mq, *mo;               /* views of `both` */
    tn_buffer *mq_packed, *mo_packed; /* views of `packed` */
    bool fresh;                       /* made from the values as they are */
} tn_absorbed;

typedef struct tn_params {
    tn_device *dev; /* borrowed */
    tn_param *items;
    int count;
    size_t floats, decay_floats;                   /* of a flat buffer; of its decayed front */
    int64_t trainable;                             /* parameters without padding */
    tn_buffer *values, *grads, *moment1, *moment2; /* the last three NULL when not training */
    tn_buffer *packed, *packed_table;              /* as tn_gemm_pack_all has them */
    int64_t packed_count, packed_blocks;
    int64_t layer_count;
    tn_param *embed, *match, *norm, *head; /* match: NULL in a model without */
    tn_layer_params *layers;
    tn_absorbed *absorbed;     /* [layer_count] */
    tn_buffer *absorbed_table; /* as tn_gemm_pack_all has it, for any layer */
} tn_params;

tn_status tn_params_create(tn_device *dev, const tn_model_config *c, bool training, tn_params *out);
void tn_params_destroy(tn_params *p);
/* Names and shapes alone, nothing on the device; tn_params_destroy frees it. */
tn_status tn_params_outline(tn_device *dev, const tn_model_config *c, tn_params *out);
/* Fails with `failure`, naming the first tensor ("what" before its name), index and value, where `flat`, laid
 * out like the values, holds what is not finite. */
tn_status tn_params_finite(const tn_params *p, const float *flat, const char *what, tn_status failure);
/* Renews the packed copies: what runs linear layers calls it after the values have changed. */
tn_status tn_params_pack(tn_params *p);
/* `floats`, rounded up to where the view of another tensor may begin behind them. */
size_t tn_params_aligned(const tn_params *p, size_t floats);
void tn_absorbed_destroy(tn_absorbed *a);
/* Weights of a layer multiplied out, unless that was done since the last tn_params_pack. */
tn_status tn_params_absorb(tn_params *p, int64_t layer, int64_t heads);
/* Random start from the seed: embedding N(0,1); matrices and convolution N(0, 1/(3·fan-in)); norms 1; biases
 * and router 0. */
tn_status tn_params_init(tn_params *p, uint64_t seed);
/* The head becomes the embedding times `scale`: what a row carries of a token's embedding is then, from the
 * start, a logit for that token. They are two tensors as before. */
tn_status tn_params_head_from_embedding(tn_params *p, double scale);
tn_param *tn_params_find(tn_params *p, const char *name); /* NULL when absent */

#endif
