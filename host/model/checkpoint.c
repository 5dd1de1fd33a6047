#include "checkpoint.h"

#include "safetensors.h"

#include <stdlib.h>
#include <string.h>

static tn_st_tensor spec(const tn_param *p, const void *data) {
    tn_st_tensor t = {.dtype = "F32",
                      .rank = p->rank,
                      .dims = {p->dims[0], p->dims[1]},
                      .data = data,
                      .bytes = p->count * sizeof(float)};
    snprintf(t.name, sizeof t.name, "%s", p->name);
    return t;
}

/* A flat buffer of the parameter table as host floats. Caller frees. */
static tn_status flat_read(tn_model *m, const tn_buffer *buffer, float **out) {
    tn_context *ctx = tn_device_context(m->dev);
    TN_TRY(tn_alloc(ctx, m->params.floats, sizeof(float), out));
    tn_status status = tn_buffer_read(buffer, 0, m->params.floats * sizeof(float), *out);
    if (status != TN_OK) {
        tn_free(ctx, *out);
        *out = NULL;
    }
    return status;
}

static int metadata(const tn_model_config *c, char texts[TN_CONFIG_FIELDS][TN_CONFIG_TEXT],
                    tn_st_pair *pairs) {
    for (int i = 0; i < TN_CONFIG_FIELDS; i++) {
        pairs[i].key = tn_model_config_field(c, i, texts[i]);
        pairs[i].value = texts[i];
    }
    return TN_CONFIG_FIELDS;
}

tn_status tn_checkpoint_save(tn_model *m, const char *path) {
    tn_context *ctx = tn_device_context(m->dev);
    char texts[TN_CONFIG_FIELDS][TN_CONFIG_TEXT];
    tn_st_pair pairs[TN_CONFIG_FIELDS];
    tn_st_tensor *tensors = NULL;
    float *values = NULL;
    tn_status status = TN_OK;
    int count = metadata(&m->config, texts, pairs);
    TN_GO(tn_alloc(ctx, (size_t)m->params.count, sizeof *tensors, &tensors));
    TN_GO(flat_read(m, m->params.values, &values));
    for (int i = 0; i < m->params.count; i++)
        tensors[i] = spec(&m->params.items[i], values + m->params.items[i].offset);
    TN_GO(tn_safetensors_write(ctx, path, pairs, count, tensors, m->params.count));
cleanup:
    tn_free(ctx, tensors);
    tn_free(ctx, values);
    return status;
}

static tn_status config_of(tn_context *ctx, const char *path, const tn_safetensors *file,
                           tn_model_config *out) {
    char unused[TN_CONFIG_TEXT];
    *out = tn_model_config_default(2);
    for (int i = 0; i < TN_CONFIG_FIELDS; i++) {
        const char *key = tn_model_config_field(out, i, unused);
        const char *value = tn_safetensors_meta(file, key);
        if (!value)
            return tn_fail(ctx, TN_ERR_INPUT, "%s is not a checkpoint of ours: its metadata lacks '%s'", path,
                           key);
        if (tn_model_config_set(ctx, out, key, value) != TN_OK)
            return tn_fail_prefix(ctx, "%s", path);
    }
    if (tn_model_config_check(ctx, out) != TN_OK) {
        tn_fail_prefix(ctx, "%s", path);
        return ctx->status = TN_ERR_INPUT;
    }
    return TN_OK;
}

tn_status tn_checkpoint_config(tn_context *ctx, const char *path, tn_model_config *out) {
    tn_safetensors file;
    TN_TRY(tn_safetensors_read(ctx, path, &file));
    tn_status status = config_of(ctx, path, &file, out);
    tn_safetensors_free(ctx, &file);
    return status;
}

static bool same_shape(const tn_st_tensor *t, const tn_param *p) {
    return strcmp(t->dtype, "F32") == 0 && t->rank == p->rank && t->dims[0] == p->dims[0] &&
           (p->rank < 2 || t->dims[1] == p->dims[1]);
}

/* Copies tensor "<prefix><name>" of every parameter into a flat buffer. */
static tn_status fill_flat(tn_model *m, const char *path, const tn_safetensors *file, const char *prefix,
                           tn_buffer *to) {
    tn_context *ctx = tn_device_context(m->dev);
    float *flat;
    char name[TN_ST_NAME];
    TN_TRY(tn_alloc(ctx, m->params.floats, sizeof(float), &flat));
    tn_status status = TN_OK;
    for (int i = 0; status == TN_OK && i < m->params.count; i++) {
        const tn_param *p = &m->params.items[i];
        snprintf(name, sizeof name, "%s%s", prefix, p->name);
        const tn_st_tensor *t = tn_safetensors_find(file, name);
        if (!t || !same_shape(t, p))
            status = tn_fail(ctx, TN_ERR_INPUT, "%s: tensor %s is %s; is it another model's?", path, name,
                             t ? "of another shape or type" : "missing");
        else
            memcpy(flat + p->offset, t->data, t->bytes);
    }
    if (status == TN_OK)
        status = tn_buffer_write(to, 0, m->params.floats * sizeof(float), flat);
    tn_free(ctx, flat);
    return status;
}

tn_status tn_checkpoint_load(tn_device *dev, const char *path, tn_model **out) {
    tn_context *ctx = tn_device_context(dev);
    tn_safetensors file;
    tn_model_config config;
    tn_model *m = NULL;
    *out = NULL;
    TN_TRY(tn_safetensors_read(ctx, path, &file));
    tn_status status = TN_OK;
    TN_GO(config_of(ctx, path, &file, &config));
    TN_GO(tn_model_create(dev, &config, false, &m));
    if (file.count != m->params.count) {
        status = tn_fail(ctx, TN_ERR_INPUT, "%s holds %d tensors; a model of its config has %d", path,
                         file.count, m->params.count);
        goto cleanup;
    }
    TN_GO(fill_flat(m, path, &file, "", m->params.values));
    *out = m;
cleanup:
    if (status != TN_OK)
        tn_model_destroy(m);
    tn_safetensors_free(ctx, &file);
    return status;
}

tn_status tn_state_save(tn_model *m, const char *path, int64_t step, uint64_t seed) {
    static const char *const prefixes[] = {"value.", "moment1.", "moment2."};
    tn_context *ctx = tn_device_context(m->dev);
    const tn_buffer *buffers[] = {m->params.values, m->params.moment1, m->params.moment2};
    float *flats[3] = {NULL};
    tn_st_tensor *tensors = NULL;
    char step_text[24], seed_text[24];
    tn_status status = TN_OK;
    snprintf(step_text, sizeof step_text, "%lld", (long long)step);
    snprintf(seed_text, sizeof seed_text, "%llu", (unsigned long long)seed);
    tn_st_pair meta[] = {{"kind", "turnout-state-1"}, {"step", step_text}, {"seed", seed_text}};
    int n = m->params.count;
    TN_GO(tn_alloc(ctx, (size_t)(3 * n), sizeof *tensors, &tensors));
    for (int k = 0; k < 3; k++) {
        TN_GO(flat_read(m, buffers[k], &flats[k]));
        for (int i = 0; i < n; i++) {
            tensors[k * n + i] = spec(&m->params.items[i], flats[k] + m->params.items[i].offset);
            snprintf(tensors[k * n + i].name, TN_ST_NAME, "%s%s", prefixes[k], m->params.items[i].name);
        }
    }
    TN_GO(tn_safetensors_write(ctx, path, meta, 3, tensors, 3 * n));
cleanup:
    tn_free(ctx, tensors);
    for (int k = 0; k < 3; k++)
        tn_free(ctx, flats[k]);
    return status;
}

tn_status tn_state_load(tn_model *m, const char *path, int64_t *step, uint64_t seed) {
    tn_context *ctx = tn_device_context(m->dev);
    tn_safetensors file;
    TN_TRY(tn_safetensors_read(ctx, path, &file));
    const char *kind = tn_safetensors_meta(&file, "kind"), *steps = tn_safetensors_meta(&file, "step");
    const char *seeds = tn_safetensors_meta(&file, "seed");
    tn_status status = TN_OK;
    if (!kind || strcmp(kind, "turnout-state-1") != 0 || !steps || !seeds) {
        status =
            tn_fail(ctx, TN_ERR_INPUT, "%s is not the state of a training run; name the folder of one", path);
        goto cleanup;
    }
    if (strtoull(seeds, NULL, 10) != seed) {
        status = tn_fail(ctx, TN_ERR_INPUT, "%s is of a run with seed %s, not %llu", path, seeds,
                         (unsigned long long)seed);
        goto cleanup;
    }
    *step = strtoll(steps, NULL, 10);
    TN_GO(fill_flat(m, path, &file, "value.", m->params.values));
    TN_GO(fill_flat(m, path, &file, "moment1.", m->params.moment1));
    TN_GO(fill_flat(m, path, &file, "moment2.", m->params.moment2));
cleanup:
    tn_safetensors_free(ctx, &file);
    return status;
}
