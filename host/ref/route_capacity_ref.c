#include "route_capacity_ref.h"

void tn_route_capacity_forward_ref(int64_t B, int64_t T, int64_t k, int32_t *mask, const double *p) {
    for (int64_t b = 0; b < B; b++)
        for (int64_t t = 0; t < T; t++) {
            int64_t ahead = 0; /* positions that come before t in the ranking */
            for (int64_t s = 0; s < T; s++)
                ahead += p[b * T + s] > p[b * T + t] || (p[b * T + s] == p[b * T + t] && s < t);
            mask[b * T + t] = ahead < k;
        }
}
