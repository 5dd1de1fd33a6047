/* Inside bench: the same model with attention in every row, which a routed one is measured against. */
#ifndef TN_DENSE_WEIGHTS_H
#define TN_DENSE_WEIGHTS_H

#include "params.h"

/* Every tensor that both have goes from `from`, whose flat values on the host are `values`, into `to`, which
 * is then packed. */
tn_status tn_dense_weights(tn_params *from, const float *values, tn_params *to);

#endif
