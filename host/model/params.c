#include "params.h"

#include "gemm.h"
#include "rng.h"

#include <math.h>
#include <string.h>

typedef struct tn_param_plan {
    tn_params *params;
    size_t capacity;
} tn_param_plan;

/* Offsets are set later: pointers into `items` are taken once all are there. */
static tn_status add(tn_param_plan *plan, bool decay, int64_t rows, int64_t columns, const char *format,
                     int64_t layer) {
    tn_params *p = plan->params;
    tn_context *ctx = tn_device_context(p->dev);
    TN_TRY(tn_grow(ctx, &p->items, &plan->capacity, (size_t)p->count + 1, sizeof *p->items));
    tn_param *t = &p->items[p->count++];
    *t = (tn_param){.rank = columns ? 2 : 1, .dims = {rows, columns}, .decay = decay};
    t->count = (size_t)rows * (size_t)(columns ? columns : 1);
    int prefix = layer < 0 ? 0 : snprintf(t->name, sizeof t->name, "layers.%lld.", (long long)layer);
    snprintf(t->name + prefix, sizeof t->name - (size_t)prefix, "%s", format);
    return TN_OK;
}

static tn_status plan_layer(tn_param_plan *plan, const tn_model_config *c, int64_t i) {
    int64_t D = c->d_model, F = c->mlp_width;
    TN_TRY(add(plan, false, D, 0, "norm1.weight", i));
    if (tn_layer_has_conv(c, i)) {
        TN_TRY(add(plan, false, D, c->conv_taps, "mixer.conv.weight", i));
        TN_TRY(add(plan, false, D, 0, "mixer.conv.bias", i));
        TN_TRY(add(plan, true, D, D, "mixer.conv_out.weight", i));
    }
    if (tn_layer_has_attention(c, i)) {
        const int64_t width = tn_model_config_kv_width(c);
        TN_TRY(add(plan, true, D, D, "mixer.q.weight", i));
        TN_TRY(add(plan, true, width, D, "mixer.k.weight", i));
        TN_TRY(add(plan, true, width, D, "mixer.v.weight", i));
        TN_TRY(add(plan, true, D, D, "mixer.o.weight", i));
    }
    if (tn_layer_has_router(c, i)) {
        TN_TRY(add(plan, false, D, 0, "mixer.router.weight", i));
        TN_TRY(add(plan, false, 1, 0, "mixer.router.bias", i));
    }
    TN_TRY(add(plan, false, D, 0, "norm2.weight", i));
    TN_TRY(add(plan, true, F, D, "mlp.up.weight", i));
    TN_TRY(add(plan, false, F, 0, "mlp.up.bias", i));
    TN_TRY(add(plan, true, D, F, "mlp.down.weight", i));
    return add(plan, false, D, 0, "mlp.down.bias", i);
}

tn_param *tn_params_find(tn_params *p, const char *name) {
    for (int i = 0; i < p->count; i++)
        if (strcmp(p->items[i].name, name) == 0)
            return &p->items[i];
    return NULL;
}

static tn_param *layer_param(tn_params *p, int64_t layer, const char *rest) {
    char name[64];
    snprintf(name, sizeof name, "layers.%lld.%s", (long long)layer, rest);
    return tn_params_find(p, name);
}

static void bind_layers(tn_params *p, int64_t layers) {
    for (int64_t i = 0; i < layers; i++)
        p->layers[i] = (tn_layer_params){
            .norm1 = layer_param(p, i, "norm1.weight"),
            .conv_weight = layer_param(p, i, "mixer.conv.weight"),
            .conv_bias = layer_param(p, i, "mixer.conv.bias"),
            .conv_out = layer_param(p, i, "mixer.conv_out.weight"),
            .q = layer_param(p, i, "mixer.q.weight"),
            .k = layer_param(p, i, "mixer.k.weight"),
            .v = layer_param(p, i, "mixer.v.weight"),
            .o = layer_param(p, i, "mixer.o.weight"),
            .router_weight = layer_param(p, i, "mixer.router.weight"),
            .router_bias = layer_param(p, i, "mixer.router.bias"),
            .norm2 = layer_param(p, i, "norm2.weight"),
            .up_weight = layer_param(p, i, "mlp.up.weight"),
            .up_bias = layer_param(p, i, "mlp.up.bias"),
            .down_weight = layer_param(p, i, "mlp.down.weight"),
            .down_bias = layer_param(p, i, "mlp.down.bias"),
        };
    p->embed = tn_params_find(p, "embed.weight");
    p->match = tn_params_find(p, "match.weight");
    p->norm = tn_params_find(p, "norm.weight");
    p->head = tn_params_find(p, "head.weight");
}

size_t tn_params_aligned(const tn_params *p, size_t floats) {
    size_t align = tn_buffer_align(p->dev) / sizeof(float);
    return (floats + align - 1) / align * align;
}

static void place(tn_params *p) {
    size_t at = 0;
    for (int round = 0; round < 2; round++) {
        for (int i = 0; i < p->count; i++) {
            tn_param *t = &p->items[i];
            if (t->decay != (round == 0))
                continue;
            t->offset = at;
            at += tn_params_aligned(p, t->count);
            p->trainable += (int64_t)t->count;
        }
        if (round == 0)
            p->decay_floats = at;
    }
    p->floats = at;
}

void tn_absorbed_destroy(tn_absorbed *a) {
    tn_buffer *all[] = {a->mq, a->mo, a->mq_packed, a->mo_packed, a->both, a->packed};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
        tn_buffer_destroy(all[i]);
    *a = (tn_absorbed){0};
}

static tn_status flat(tn_params *p, tn_buffer **out) {
    TN_TRY(tn_buffer_create(p->dev, p->floats * sizeof(float), out));
    return tn_buffer_zero(*out);
}

static bool is_linear(const tn_param *t) {
    return t->decay && strcmp(t->name, "embed.weight") != 0;
}

/* Packed copies of the linear layers' weights, one after the other as the weights lie. */
static tn_status make_packed(tn_params *p) {
    tn_context *ctx = tn_device_context(p->dev);
    int64_t at = 0, n = 0;
    int32_t *table;
    if (!tn_gemm_takes_packed(p->dev))
        return TN_OK;
    TN_TRY(tn_alloc(ctx, (size_t)p->count * 5, sizeof *table, &table));
    for (int i = 0; i < p->count; i++) {
        tn_param *t = &p->items[i];
        if (!is_linear(t))
            continue;
        t->packed_offset = (size_t)at;
        p->packed_blocks += tn_gemm_packed_blocks(p->dev, t->dims[0], t->dims[1]);
        int32_t row[5] = {(int32_t)at, (int32_t)t->offset, (int32_t)t->dims[0], (int32_t)t->dims[1],
                          (int32_t)p->packed_blocks};
        memcpy(table + 5 * n++, row, sizeof row);
        at += (int64_t)tn_params_aligned(p, (size_t)tn_gemm_packed_floats(p->dev, t->dims[0], t->dims[1]));
    }
    p->packed_count = n;
    tn_status status = TN_OK;
    TN_GO(tn_buffer_create(p->dev, (size_t)at * sizeof(float), &p->packed));
    TN_GO(tn_buffer_create(p->dev, (size_t)n * 5 * 4, &p->packed_table));
    TN_GO(tn_buffer_write(p->packed_table, 0, (size_t)n * 5 * 4, table));
    for (int i = 0; i < p->count; i++) {
        tn_param *t = &p->items[i];
        if (is_linear(t))
            TN_GO(tn_buffer_view(p->packed, t->packed_offset * 4,
                                 (size_t)tn_gemm_packed_floats(p->dev, t->dims[0], t->dims[1]) * 4,
                                 &t->packed));
    }
cleanup:
    tn_free(ctx, table);
    return status;
}

tn_status tn_params_pack(tn_params *p) {
    for (int64_t i = 0; i < p->layer_count; i++)
        p->absorbed[i].fresh = false;
    if (!p->packed)
        return TN_OK;
    return tn_gemm_pack_all(p->dev, p->packed_count, p->packed_blocks, p->packed, p->values, p->packed_table);
}

/* Views of `count` equal matrices from t on, where nothing stands between them. */
static tn_status join(tn_params *p, const tn_param *t, int count, tn_buffer **value, tn_buffer **grad,
                      tn_buffer **packed) {
    const size_t each = t->count * 4,
                 place = p->packed ? (size_t)tn_gemm_packed_floats(p->dev, t->dims[0], t->dims[1]) * 4 : each;
    if (each % tn_buffer_align(p->dev) != 0 || place != each)
        return TN_OK;
    TN_TRY(tn_buffer_view(p->values, t->offset * 4, (size_t)count * each, value));
    if (p->grads)
        TN_TRY(tn_buffer_view(p->grads, t->offset * 4, (size_t)count * each, grad));
    return p->packed ? tn_buffer_view(p->packed, t->packed_offset * 4, (size_t)count * each, packed) : TN_OK;
}

static tn_status join_layers(tn_params *p) {
    for (int64_t i = 0; i < p->layer_count; i++) {
        tn_layer_params *l = &p->layers[i];
        if (!l->q || !tn_gemm_can_group(p->dev, l->k->dims[0]))
            continue;
        if (l->q->dims[0] == l->k->dims[0])
            TN_TRY(join(p, l->q, 3, &l->qkv, &l->qkv_grad, &l->qkv_packed));
        TN_TRY(join(p, l->k, 2, &l->kv, &l->kv_grad, &l->kv_packed));
    }
    return TN_OK;
}

static tn_status outline(tn_params *out, const tn_model_config *c) {
    tn_param_plan plan = {.params = out};
    TN_TRY(add(&plan, true, c->vocab, c->d_model, "embed.weight", -1));
    if (c->match > 0)
        TN_TRY(add(&plan, false, c->match + 1, c->d_model, "match.weight", -1));
    for (int64_t i = 0; i < c->layers; i++)
        TN_TRY(plan_layer(&plan, c, i));
    TN_TRY(add(&plan, false, c->d_model, 0, "norm.weight", -1));
    return add(&plan, true, c->vocab, c->d_model, "head.weight", -1);
}

tn_status tn_params_outline(tn_device *dev, const tn_model_config *c, tn_params *out) {
    *out = (tn_params){.dev = dev};
    tn_status status = outline(out, c);
    if (status != TN_OK)
        tn_params_destroy(out);
    return status;
}

tn_status tn_params_finite(const tn_params *p, const float *flat, const char *what, tn_status failure) {
    for (int i = 0; i < p->count; i++) {
        const tn_param *t = &p->items[i];
        for (size_t k = 0; k < t->count; k++)
            if (!isfinite(flat[t->offset + k]))
                return tn_fail(tn_device_context(p->dev), failure, "tensor %s%s is %g at index %zu of %zu",
                               what, t->name, (double)flat[t->offset + k], k, t->count);
    }
    return TN_OK;
}

tn_status tn_params_create(tn_device *dev, const tn_model_config *c, bool training, tn_params *out) {
    tn_context *ctx = tn_device_context(dev);
    *out = (tn_params){.dev = dev};
    tn_status status = TN_OK;
    TN_GO(outline(out, c));
    TN_GO(tn_alloc(ctx, (size_t)c->layers, sizeof *out->layers, &out->layers));
    TN_GO(tn_alloc(ctx, (size_t)c->layers, sizeof *out->absorbed, &out->absorbed));
    place(out);
    bind_layers(out, c->layers);
    out->layer_count = c->layers;
    TN_GO(flat(out, &out->values));
    if (training) {
        TN_GO(flat(out, &out->grads));
        TN_GO(flat(out, &out->moment1));
        TN_GO(flat(out, &out->moment2));
    }
    for (int i = 0; i < out->count; i++) {
        tn_param *t = &out->items[i];
        TN_GO(tn_buffer_view(out->values, t->offset * 4, t->count * 4, &t->value));
        if (training)
            TN_GO(tn_buffer_view(out->grads, t->offset * 4, t->count * 4, &t->grad));
    }
    TN_GO(make_packed(out));
    TN_GO(join_layers(out));
cleanup:
    if (status != TN_OK)
        tn_params_destroy(out);
    return status;
}

void tn_params_destroy(tn_params *p) {
    if (!p->dev)
        return;
    tn_context *ctx = tn_device_context(p->dev);
    for (int i = 0; i < p->count; i++) {
        tn_buffer_destroy(p->items[i].value);
        tn_buffer_destroy(p->items[i].grad);
        tn_buffer_destroy(p->items[i].packed);
    }
    for (int64_t i = 0; i < p->layer_count; i++) {
        tn_layer_params *l = &p->layers[i];
        tn_buffer *views[] = {l->qkv, l->qkv_grad, l->qkv_packed, l->kv, l->kv_grad, l->kv_packed};
        for (size_t v = 0; v < sizeof views / sizeof views[0]; v++)
            tn_buffer_destroy(views[v]);
        tn_absorbed_destroy(&p->absorbed[i]);
    }
    tn_buffer_destroy(p->absorbed_table);
    tn_buffer_destroy(p->packed);
    tn_buffer_destroy(p->packed_table);
    tn_buffer_destroy(p->values);
    tn_buffer_destroy(p->grads);
    tn_buffer_destroy(p->moment1);
    tn_buffer_destroy(p->moment2);
    tn_free(ctx, p->items);
    tn_free(ctx, p->layers);
    tn_free(ctx, p->absorbed);
    *p = (tn_params){0};
}

/* Standard deviation of a tensor's start, or its constant when the deviation is 0. */
static double start_deviation(const tn_param *t, double *constant) {
    size_t length = strlen(t->name);
    *constant = strstr(t->name, "norm") ? 1 : 0;
    if (strcmp(t->name, "embed.weight") == 0)
        return 1;
    if (t->rank == 1 || strcmp(t->name, "match.weight") == 0 || strstr(t->name, "bias") ||
        strstr(t->name, "router") || length == 0)
        return 0;
    return sqrt(1.0 / (3.0 * (double)t->dims[1]));
}

tn_status tn_params_init(tn_params *p, uint64_t seed) {
    tn_context *ctx = tn_device_context(p->dev);
    float *host;
    TN_TRY(tn_alloc(ctx, p->floats, sizeof *host, &host));
    for (int i = 0; i < p->count; i++) {
        const tn_param *t = &p->items[i];
        tn_rng rng = tn_rng_make(seed, TN_RNG_INIT, (uint64_t)i);
        double constant, deviation = start_deviation(t, &constant);
        for (size_t k = 0; k < t->count; k++)
            host[t->offset + k] = (float)(deviation > 0 ? deviation * tn_rng_normal(&rng) : constant);
    }
    tn_status status = tn_buffer_write(p->values, 0, p->floats * sizeof(float), host);
    tn_free(ctx, host);
    return status;
}

tn_status tn_params_head_from_embedding(tn_params *p, double scale) {
    float *host;
    size_t count = p->embed->count;
    TN_TRY(tn_alloc(tn_device_context(p->dev), count, sizeof *host, &host));
    tn_status status = tn_buffer_read(p->embed->value, 0, count * sizeof *host, host);
    for (size_t k = 0; k < count; k++)
        host[k] = (float)(scale * host[k]);
    if (status == TN_OK)
        status = tn_buffer_write(p->head->value, 0, count * sizeof *host, host);
    tn_free(tn_device_context(p->dev), host);
    return status;
}
