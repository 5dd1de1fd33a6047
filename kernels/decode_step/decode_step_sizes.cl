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
    int window;       /* positions that a row sees that attends, its own the last */
    float eps, scale; /* of the norms; of scores */
} decode_step_sizes;

/* A row of the table of weights: floats in front of each in the buffer of all, below 0 where this layer has
 * none though others do; and which of the caches of keys and values is the layer's. Behind the rows of all
 * layers: the embedding, the last norm, the head, and what is added to the embedding of a token with a code.
 */
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
    AT_CACHE = WEIGHTS_OF_LAYER,
    TABLE_COLUMNS,
    AT_EMBED = 0,
    AT_NORM,
    AT_HEAD,
    AT_CODES,
    WEIGHTS_BESIDE
};
