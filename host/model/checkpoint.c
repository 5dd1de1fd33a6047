#include "checkpoint.h"

#include "safetensors.h"

#include <math.h>
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

/* A flat buffer of the parameter table as host floats, all of them finite. */
static tn_status flat_read(tn_model *m, const tn_buffer *buffer, const char *what, float **out) {
    tn_context *ctx = tn_device_context(m->dev);
    TN_TRY(tn_alloc(ctx, m->params.floats, sizeof(float), out));
    TN_TRY(tn_buffer_read(buffer, 0, m->params.floats * sizeof(float), *out));
    return tn_params_finite(&m->params, *out, what, TN_ERR_CHECK);
}

tn_status tn_snapshot_take(tn_model *m, tn_snapshot *out) {
    *out = (tn_snapshot){.m = m};
    TN_TRY(flat_read(m, m->params.values, "", &out->values));
    TN_TRY(flat_read(m, m->params.moment1, "the first moment of ", &out->moment1));
    return flat_read(m, m->params.moment2, "the second moment of ", &out->moment2);
}

void tn_snapshot_free(tn_snapshot *s) {
    if (!s->m)
        return;
    tn_context *ctx = tn_device_context(s->m->dev);
    tn_free(ctx, s->values);
    tn_free(ctx, s->moment1);
    tn_free(ctx, s->moment2);
    *s = (tn_snapshot){0};
}

static int metadata(const tn_model_config *c, char texts[TN_CONFIG_FIELDS][TN_CONFIG_TEXT],
                    tn_st_pair *pairs) {
    int count = 0;
    for (int i = 0; i < TN_CONFIG_FIELDS; i++) {
        const char *key = tn_model_config_field(c, i, texts[i]);
        if (i < TN_CONFIG_USUAL || strcmp(texts[i], "0") != 0)
            pairs[count++] = (tn_st_pair){key, texts[i]};
    }
    return count;
}

tn_status tn_checkpoint_save(const tn_snapshot *s, const char *path, const char *run) {
    const tn_params *p = &s->m->params;
    tn_context *ctx = tn_device_context(p->dev);
    char texts[TN_CONFIG_FIELDS][TN_CONFIG_TEXT];
    tn_st_pair pairs[TN_CONFIG_FIELDS + 1];
    tn_st_tensor *tensors;
    int count = metadata(&s->m->config, texts, pairs);
    pairs[count++] = (tn_st_pair){"run", run};
    TN_TRY(tn_alloc(ctx, (size_t)p->count, sizeof *tensors, &tensors));
    for (int i = 0; i < p->count; i++)
        tensors[i] = spec(&p->items[i], s->values + p->items[i].offset);
    tn_status status = tn_safetensors_write(ctx, path, pairs, count, tensors, p->count);
    tn_free(ctx, tensors);
    return status;
}

static tn_status config_of(tn_context *ctx, const char *path, const tn_safetensors *file,
                           tn_model_config *out) {
    char unused[TN_CONFIG_TEXT];
    *out = tn_model_config_default(2);
    for (int i = 0; i < TN_CONFIG_FIELDS; i++) {
        const char *key = tn_model_config_field(out, i, unused);
        const char *value = tn_safetensors_meta(file, key);
        if (!value && i >= TN_CONFIG_REQUIRED)
            continue;
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

static void shape_text(const char *dtype, int rank, const int64_t *dims, char *text, size_t size) {
    size_t used = (size_t)snprintf(text, size, "%s [", dtype);
    for (int d = 0; d < rank && used < size; d++)
        used += (size_t)snprintf(text + used, size - used, "%s%lld", d ? "," : "", (long long)dims[d]);
    if (used < size)
        snprintf(text + used, size - used, "]");
}

/* Tensor "<prefix><name>" of the file, which must be there as the model has it. */
static tn_status tensor_of(tn_context *ctx, const char *path, const tn_safetensors *file, const char *prefix,
                           const tn_param *p, const tn_st_tensor **out) {
    char name[TN_ST_NAME], mine[120], theirs[120];
    snprintf(name, sizeof name, "%s%s", prefix, p->name);
    *out = tn_safetensors_find(file, name);
    shape_text("F32", p->rank, p->dims, mine, sizeof mine);
    if (!*out)
        return tn_fail(ctx, TN_ERR_INPUT, "%s: tensor %s, %s, is missing; is it another model's?", path, name,
                       mine);
    shape_text((*out)->dtype, (*out)->rank, (*out)->dims, theirs, sizeof theirs);
    if (strcmp(mine, theirs) != 0)
        return tn_fail(ctx, TN_ERR_INPUT, "%s: tensor %s is %s, a model of its config has %s", path, name,
                       theirs, mine);
    return TN_OK;
}

/* Copies tensor "<prefix><name>" of every parameter into a flat buffer. */
static tn_status fill_flat(tn_model *m, const char *path, const tn_safetensors *file, const char *prefix,
                           tn_buffer *to) {
    tn_context *ctx = tn_device_context(m->dev);
    const tn_st_tensor *t;
    float *flat;
    TN_TRY(tn_alloc(ctx, m->params.floats, sizeof(float), &flat));
    tn_status status = TN_OK;
    for (int i = 0; i < m->params.count; i++) {
        TN_GO(tensor_of(ctx, path, file, prefix, &m->params.items[i], &t));
        memcpy(flat + m->params.items[i].offset, t->data, t->bytes);
    }
    status = tn_params_finite(&m->params, flat, prefix, TN_ERR_INPUT);
    if (status != TN_OK) {
        tn_fail_prefix(ctx, "%s", path);
        goto cleanup;
    }
    TN_GO(tn_buffer_write(to, 0, m->params.floats * sizeof(float), flat));
cleanup:
    tn_free(ctx, flat);
    return status;
}

/* The file's tensors are those of a model of its config: known before room for one is asked for. */
static tn_status check_tensors(tn_device *dev, const char *path, const tn_safetensors *file,
                               const tn_model_config *config) {
    tn_context *ctx = tn_device_context(dev);
    const tn_st_tensor *unused;
    tn_params outline;
    TN_TRY(tn_params_outline(dev, config, &outline));
    tn_status status = TN_OK;
    for (int i = 0; status == TN_OK && i < outline.count; i++)
        status = tensor_of(ctx, path, file, "", &outline.items[i], &unused);
    if (status == TN_OK && file->count != outline.count)
        status = tn_fail(ctx, TN_ERR_INPUT, "%s holds %d tensors; a model of its config has %d", path,
                         file->count, outline.count);
    tn_params_destroy(&outline);
    return status;
}

static tn_status run_of(tn_context *ctx, const tn_safetensors *file, char **run) {
    const char *text = tn_safetensors_meta(file, "run");
    if (!run)
        return TN_OK;
    *run = NULL;
    return text ? tn_strdup(ctx, text, run) : TN_OK;
}

tn_status tn_checkpoint_open(tn_device *dev, const char *path, tn_model **out, char **run) {
    tn_context *ctx = tn_device_context(dev);
    tn_safetensors file;
    tn_model_config config;
    tn_model *m = NULL;
    *out = NULL;
    if (run)
        *run = NULL;
    TN_TRY(tn_safetensors_read(ctx, path, &file));
    tn_status status = TN_OK;
    TN_GO(config_of(ctx, path, &file, &config));
    TN_GO(check_tensors(dev, path, &file, &config));
    TN_GO(tn_model_create(dev, &config, false, &m));
    TN_GO(fill_flat(m, path, &file, "", m->params.values));
    TN_GO(run_of(ctx, &file, run));
    *out = m;
cleanup:
    if (status != TN_OK)
        tn_model_destroy(m);
    tn_safetensors_free(ctx, &file);
    return status;
}

tn_status tn_checkpoint_load(tn_device *dev, const char *path, tn_model **out) {
    return tn_checkpoint_open(dev, path, out, NULL);
}

static const char *const state_prefixes[] = {"value.", "moment1.", "moment2."};
static const char state_kind[] = "turnout-state-1";

tn_status tn_state_save(const tn_snapshot *s, const char *path, int64_t step, uint64_t seed,
                        const double steering[TN_STATE_STEERING], const char *run) {
    const tn_params *p = &s->m->params;
    tn_context *ctx = tn_device_context(p->dev);
    const float *flats[] = {s->values, s->moment1, s->moment2};
    tn_st_tensor *tensors;
    char step_text[24], seed_text[24], steering_text[100];
    snprintf(step_text, sizeof step_text, "%lld", (long long)step);
    snprintf(seed_text, sizeof seed_text, "%llu", (unsigned long long)seed);
    tn_st_pair meta[] = {{"kind", state_kind},
                         {"step", step_text},
                         {"seed", seed_text},
                         {"run", run},
                         {"steering", steering_text}};
    if (steering) /* to the last bit */
        snprintf(steering_text, sizeof steering_text, "%a %a %a", steering[0], steering[1], steering[2]);
    int n = p->count;
    TN_TRY(tn_alloc(ctx, (size_t)(3 * n), sizeof *tensors, &tensors));
    for (int k = 0; k < 3; k++)
        for (int i = 0; i < n; i++) {
            tensors[k * n + i] = spec(&p->items[i], flats[k] + p->items[i].offset);
            snprintf(tensors[k * n + i].name, TN_ST_NAME, "%s%s", state_prefixes[k], p->items[i].name);
        }
    tn_status status = tn_safetensors_write(ctx, path, meta, steering ? 5 : 4, tensors, 3 * n);
    tn_free(ctx, tensors);
    return status;
}

/* A whole number from 0 to `most`, written out in full. */
static bool whole_number(const char *text, uint64_t most, uint64_t *out) {
    *out = 0;
    for (const char *p = text; *p; p++) {
        uint64_t digit = (uint64_t)(*p - '0');
        if (*p < '0' || *p > '9' || digit > most || *out > (most - digit) / 10)
            return false;
        *out = *out * 10 + digit;
    }
    return *text != '\0';
}

static tn_status state_header(tn_context *ctx, const char *path, const tn_safetensors *file, uint64_t seed,
                              int64_t most, int64_t *step) {
    const char *kind = tn_safetensors_meta(file, "kind"), *steps = tn_safetensors_meta(file, "step");
    const char *seeds = tn_safetensors_meta(file, "seed");
    uint64_t number;
    if (!kind || strcmp(kind, state_kind) != 0 || !steps || !seeds)
        return tn_fail(ctx, TN_ERR_INPUT, "%s is not the state of a training run; name the folder of one",
                       path);
    if (!whole_number(seeds, UINT64_MAX, &number) || number != seed)
        return tn_fail(ctx, TN_ERR_INPUT, "%s is of a run with seed '%.30s', not %llu", path, seeds,
                       (unsigned long long)seed);
    if (!whole_number(steps, (uint64_t)most, &number))
        return tn_fail(ctx, TN_ERR_INPUT,
                       "%s is of step '%.30s'; that of this run is a whole number from 0 to %lld", path,
                       steps, (long long)most);
    *step = (int64_t)number;
    return TN_OK;
}

static tn_status steering_of(tn_context *ctx, const char *path, const tn_safetensors *file,
                             double steering[TN_STATE_STEERING]) {
    const char *text = tn_safetensors_meta(file, "steering");
    char rest;
    if (!text || sscanf(text, "%la %la %la%c", &steering[0], &steering[1], &steering[2], &rest) != 3 ||
        !(steering[0] > 0) || !isfinite(steering[0]) || !isfinite(steering[1]) || !isfinite(steering[2]))
        return tn_fail(ctx, TN_ERR_INPUT,
                       "%s does not say where its budget has steered λ; the run cannot go on from it", path);
    return TN_OK;
}

tn_status tn_state_load(tn_model *m, const char *path, uint64_t seed, int64_t most, int64_t *step,
                        double steering[TN_STATE_STEERING], char **run) {
    tn_context *ctx = tn_device_context(m->dev);
    tn_safetensors file;
    *run = NULL;
    TN_TRY(tn_safetensors_read(ctx, path, &file));
    tn_buffer *const to[] = {m->params.values, m->params.moment1, m->params.moment2};
    tn_status status = TN_OK;
    TN_GO(state_header(ctx, path, &file, seed, most, step));
    if (steering)
        TN_GO(steering_of(ctx, path, &file, steering));
    for (int k = 0; k < 3; k++)
        TN_GO(fill_flat(m, path, &file, state_prefixes[k], to[k]));
    TN_GO(run_of(ctx, &file, run));
cleanup:
    tn_safetensors_free(ctx, &file);
    return status;
}
