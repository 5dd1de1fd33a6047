#include "route_compact_ref.h"

#include <stdbool.h>

static bool is_listed(int64_t T, int64_t block, const int32_t *mask /* [T] */, int64_t t) {
    int64_t first = t - t % block;
    for (int64_t i = first; i < first + block && i < T; i++)
        if (mask[i])
            return true;
    return false;
}

void tn_route_compact_forward_ref(int64_t B, int64_t T, int64_t block, int32_t *rows, int32_t *start,
                                  int32_t *slot, int32_t *last, const int32_t *mask) {
    int32_t at = 0;
    for (int64_t b = 0; b < B; b++) {
        start[b] = at;
        last[b] = -1;
        for (int64_t t = 0; t < T; t++) {
            int64_t n = b * T + t;
            bool listed = is_listed(T, block, mask + b * T, t);
            slot[n] = listed ? at : -1;
            if (listed) {
                rows[at++] = (int32_t)n;
                last[b] = (int32_t)t;
            }
        }
    }
    start[B] = at;
}
