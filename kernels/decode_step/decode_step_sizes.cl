/* What a launch of decode_step's kernels is told by value, and where a layer's weights stand: plain C too,
 * which the host includes. */
typedef struct decode_step_sizes {
    int rows;     /* tokens of this step, each of another sequence */
    int slots;    /* sequences, and */
    int capacity; /* positions of each, that there is room for in the state */
    int layers;
    /* Parts of the layers that are run: 2i, layer i up to its attention; 2i + 1, the rest of it. */
    int from, to;
    int of_step;      /* which of the steps that `steps`, decisions and results have room for */
    int chunks;       /* of keys, of the longest sequence that takes part */
    float eps, scale; /* of the norms; of scores */
} decode_step_sizes;

/* A row of the table of weights: floats in front of each in the buffer of all. Behind the rows of all layers:
 * those of the embedding, the last norm and the head. */
enum {
    AT_NORM1,
    AT_CONV,
    AT_CONV_BIAS,
    AT_CONV_OUT,
    AT_Q,
    AT_K,
    AT_V,
    AT_O,
    AT_ROUTER,
    AT_ROUTER_BIAS,
    AT_NORM2,
    AT_UP,
    AT_UP_BIAS,
    AT_DOWN,
    AT_DOWN_BIAS,
    WEIGHTS_OF_LAYER,
    AT_EMBED = 0,
    AT_NORM,
    AT_HEAD,
    WEIGHTS_BESIDE
};
