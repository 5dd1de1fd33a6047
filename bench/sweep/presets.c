#include "presets.h"

#include <string.h>

#define ALL_LAYER_PASSES                                                                                     \
    { {"forward", "backward", "step"}, 3 }
#define ALL_MODEL_PASSES                                                                                     \
    { {"forward", "step"}, 2 }
#define FRACTIONS                                                                                            \
    { {0.001, 0.01, 0.05, 0.1, 0.25, 0.5, 1}, 7 }

const char *const tn_sweep_levels[] = {"op", "layer", "model", "decode", NULL};
const tn_words tn_sweep_layer_pass = ALL_LAYER_PASSES, tn_sweep_model_pass = ALL_MODEL_PASSES;

const tn_sweep_preset tn_sweep_presets[] = {
    {.name = "quick",
     .meaning = "every op at its first shape, the routed layer forward; minutes a device",
     .level = {{"op", "layer"}, 2},
     .layer_pass = {{"forward"}, 1},
     .model_pass = ALL_MODEL_PASSES,
     .T = {{256, 1024, 4096, 16384}, 4},
     .D = {{64}, 1},
     .model_T = {{256, 1024, 4096}, 3},
     .model_D = {{64}, 1},
     .rho = FRACTIONS,
     .context = {{1024, 4096, 32768, 262144}, 4},
     .decode_D = {{64}, 1},
     .decode_rho = {{0, 0.01, 0.1, 1}, 4},
     .block_stride = 7,
     .seconds = 0.2},
    {.name = "full",
     .meaning = "every op at all its shapes, layers and models in all passes; an hour and more a device",
     .level = {{"op", "layer", "model"}, 3},
     .layer_pass = ALL_LAYER_PASSES,
     .model_pass = ALL_MODEL_PASSES,
     .T = {{256, 1024, 4096, 16384, 65536}, 5},
     .D = {{64, 256, 512}, 3},
     .model_T = {{256, 1024, 4096}, 3},
     .model_D = {{64, 256}, 2},
     .rho = FRACTIONS,
     .context = {{1024, 4096, 16384, 65536, 262144, 1048576}, 6},
     .decode_D = {{64, 256}, 2},
     .decode_rho = {{0, 0.001, 0.01, 0.1, 0.5, 1}, 6},
     .every_shape = true,
     .block_stride = 1,
     .seconds = 0.4},
    {.name = NULL}};

const tn_sweep_preset *tn_sweep_preset_find(const char *name) {
    for (const tn_sweep_preset *p = tn_sweep_presets; p->name; p++)
        if (strcmp(p->name, name) == 0)
            return p;
    return NULL;
}

void tn_axis_print(const tn_axis *axis, char *text, size_t size) {
    size_t used = 0;
    text[0] = '\0';
    for (int i = 0; i < axis->count && used < size; i++)
        used += (size_t)snprintf(text + used, size - used, "%s%.10g", i ? "," : "", axis->v[i]);
}

void tn_words_print(const tn_words *words, char *text, size_t size) {
    size_t used = 0;
    text[0] = '\0';
    for (int i = 0; i < words->count && used < size; i++)
        used += (size_t)snprintf(text + used, size - used, "%s%s", i ? "," : "", words->v[i]);
}
