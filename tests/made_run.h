/* The folder of a run that was never trained: weights at random, large enough that tokens differ much in what
 * comes behind them and routers decide both ways. */
#ifndef TN_TEST_MADE_RUN_H
#define TN_TEST_MADE_RUN_H

#include "folder.h"
#include "support.h"

#include "checkpoint.h"
#include "rng.h"
#include "trainer.h"

#include <string.h>

typedef struct made_run {
    const char *name; /* of the folder, within test_folder */
    tn_task_kind task;
    const char *mixer;
    const char *routing;    /* NULL: by threshold */
    tn_positions positions; /* where the mixer has attention */
    int64_t vocab;          /* 0: the task's */
    int64_t window, match;
} made_run;

enum { MADE_LAYERS = 2, MADE_WIDTH = 32 };

static inline void made_path(char path[200], const char *run, const char *name) {
    snprintf(path, 200, "%s/%s%s%s", test_folder, run, name[0] ? "/" : "", name);
}

static inline tn_train_config made_config(tn_context *ctx, const made_run *run) {
    tn_task_config task = {.kind = run->task, .distance = 20, .length = 64, .pairs = 4, .seed = 1};
    tn_train_config c;
    if (run->task == TN_TASK_TEXT)
        made_path(task.data, "text", "");
    ck_ok(ctx, tn_train_config_default(ctx, &task, 100, &c));
    c.model.d_model = MADE_WIDTH;
    c.model.layers = MADE_LAYERS;
    c.model.heads = 2;
    c.model.mlp_width = 48;
    ck_ok(ctx, tn_mixer_parse(ctx, run->mixer, &c.model));
    c.curriculum.budget = 0;
    if (run->routing)
        ck_ok(ctx, tn_routing_parse(ctx, run->routing, &c.model));
    c.model.positions = tn_mixer_has_attention(&c.model) ? run->positions : TN_POSITIONS_NONE;
    c.model.window = run->window;
    c.model.match = run->match;
    c.model.vocab = run->vocab ? run->vocab : c.model.vocab;
    return c;
}

static inline void made_weights(tn_context *ctx, tn_model *m, uint64_t seed) {
    ck_ok(ctx, tn_params_init(&m->params, seed));
    for (int i = 0; i < m->params.count; i++) {
        const tn_param *p = &m->params.items[i];
        const bool router = strstr(p->name, "router.weight") != NULL,
                   other = strcmp(p->name, "head.weight") == 0 || strcmp(p->name, "match.weight") == 0;
        tn_rng rng = tn_rng_make(seed, TN_RNG_CASE, (uint64_t)i);
        float *values = calloc(p->count, sizeof *values);
        for (size_t k = 0; k < p->count && (router || other); k++)
            values[k] = (float)(tn_rng_normal(&rng) * (router ? 1 : 0.5));
        if (router || other)
            ck_ok(ctx, tn_buffer_write(p->value, 0, p->count * sizeof *values, values));
        free(values);
    }
}

static inline void made_run_write(tn_device *dev, const made_run *run, uint64_t seed) {
    tn_context *ctx = tn_device_context(dev);
    char path[200], text[3000];
    tn_snapshot snapshot;
    tn_model *m;
    char *config;
    for (size_t i = 0; i < sizeof text; i++)
        text[i] = (char)('a' + i % 26);
    text[sizeof text - 1] = '\0';
    test_folder_write("text", text);
    const tn_train_config c = made_config(ctx, run);
    made_path(path, run->name, "");
    snprintf(text, sizeof text, "mkdir -p %s", path);
    ck_assert_int_eq(system(text), 0);
    made_path(path, run->name, "config.json");
    ck_ok(ctx, tn_train_config_save(ctx, &c, path));
    ck_ok(ctx, tn_train_config_text(ctx, &c, &config));
    ck_ok(ctx, tn_model_create(dev, &c.model, true, &m));
    made_weights(ctx, m, seed);
    ck_ok(ctx, tn_snapshot_take(m, &snapshot));
    made_path(path, run->name, "model.safetensors");
    ck_ok(ctx, tn_checkpoint_save(&snapshot, path, config));
    tn_snapshot_free(&snapshot);
    tn_free(ctx, config);
    tn_model_destroy(m);
}

#endif
