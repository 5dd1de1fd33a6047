#include "route_compact_ref.h"

void tn_route_compact_forward_ref(int64_t B, int64_t T, int32_t *rows, int32_t *start, int32_t *slot,
                                  int32_t *last, const int32_t *mask) {
    int32_t at = 0;
    for (int64_t b = 0; b < B; b++) {
        start[b] = at;
        last[b] = -1;
        for (int64_t t = 0; t < T; t++) {
            int64_t n = b * T + t;
            slot[n] = mask[n] ? at : -1;
            if (mask[n]) {
                rows[at++] = (int32_t)n;
                last[b] = (int32_t)t;
            }
        }
    }
    start[B] = at;
}
