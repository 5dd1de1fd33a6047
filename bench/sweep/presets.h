/* What a sweep measures when nothing else is asked for. */
#ifndef TN_PRESETS_H
#define TN_PRESETS_H

#include "axis.h"

typedef struct tn_sweep_preset {
    const char *name, *meaning;
    tn_words level, layer_pass, model_pass;
    tn_axis T, D, model_T, model_D, rho, context, decode_D, decode_rho;
    bool every_shape; /* of bench/shapes, else an op's first */
    int block_stride; /* of the fractions, one in so many is run in blocks too, the second first */
    double seconds;   /* of timing a cell at most */
} tn_sweep_preset;

extern const tn_sweep_preset tn_sweep_presets[]; /* ends with a NULL name */
const tn_sweep_preset *tn_sweep_preset_find(const char *name);

/* What layers and models can be asked for; an op has passes of its own. */
extern const char *const tn_sweep_levels[];                     /* "op", "layer", "model", "decode", NULL */
extern const tn_words tn_sweep_layer_pass, tn_sweep_model_pass; /* all there are */

/* "256,1024" */
void tn_axis_print(const tn_axis *axis, char *text, size_t size);
void tn_words_print(const tn_words *words, char *text, size_t size);

#endif
