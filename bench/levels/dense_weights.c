#include "dense_weights.h"

tn_status tn_dense_weights(tn_params *from, const float *values, tn_params *to) {
    for (int i = 0; i < to->count; i++) {
        const tn_param *mine = &to->items[i], *theirs = tn_params_find(from, mine->name);
        if (theirs)
            TN_TRY(tn_buffer_write(mine->value, 0, mine->count * sizeof(float), values + theirs->offset));
    }
    return tn_params_pack(to);
}
