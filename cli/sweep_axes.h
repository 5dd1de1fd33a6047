/* The options of `sweep` that say along which axes it goes. */
#ifndef TN_CLI_SWEEP_AXES_H
#define TN_CLI_SWEEP_AXES_H

#include "cell_list.h"
#include "options.h"

#define TN_SWEEP_AXES                                                                                        \
    {"level", 0, "LIST", TN_CLI_STRING,                                                                      \
     "op, layer, model, decode instead of the preset's levels (quick: op,layer; full: and model)"},          \
        {"op", 0, "LIST", TN_CLI_STRING, "ops; without --level, op cells alone"},                            \
        {"pass", 0, "LIST", TN_CLI_STRING, "forward, backward, step (both), or as an op names it"},          \
        {"T", 0, "LIST", TN_CLI_STRING, "positions in a sequence, as 256..65536*2"},                         \
        {"D", 0, "LIST", TN_CLI_STRING, "model widths"},                                                     \
        {"H", 0, "LIST", TN_CLI_STRING, "heads (2 below D = 128, else D / 64)"},                             \
        {"K", 0, "LIST", TN_CLI_STRING, "taps of the convolution (4)"},                                      \
        {"batch", 0, "LIST", TN_CLI_STRING, "sequences in a batch (4096 / T, at least 1; decode 1)"},        \
        {"rho", 0, "LIST", TN_CLI_STRING, "routed fractions, as 0,0.001..1*10; rounded up to whole rows"},   \
        {"context", 0, "LIST", TN_CLI_STRING, "of decode: positions in the cache, as 1024..262144*4"},       \
        {"ragged", 0, "LIST", TN_CLI_STRING, "of decode: 1, contexts of a batch drawn; 0, all alike; 0,1"},  \
    {                                                                                                        \
        "cores", 0, "LIST", TN_CLI_STRING, "cores of CPU devices, N for all: 1..N*2; bound, on a sub-device" \
    }
#define TN_SWEEP_AXES_HELP                                                                                   \
    "A LIST is values and ranges with commas: 256,1024 or 256..65536*2 or 0..1+0.25, both ends included. "   \
    "What is given\n"                                                                                        \
    "replaces what the preset has there; an op takes the sizes it has by that name, the others stay."

/* An axis of numbers: the option's name, what it may hold, and its place in tn_sweep_axes. */
typedef struct tn_sweep_axis {
    tn_axis_kind kind;
    size_t offset;
} tn_sweep_axis;

extern const tn_sweep_axis tn_sweep_axis_table[]; /* ends with a NULL name */

/* Every pass of every op, and those of layers, once; NULL-ended. */
void tn_sweep_passes(const char *words[TN_WORDS_MAX + 1]);

/* machine_cores: what N means. TN_ERR_ARG with the offending item and an example. */
tn_status tn_sweep_axes_read(tn_context *ctx, const tn_cli_args *args, int machine_cores, tn_sweep_axes *out);

#endif
