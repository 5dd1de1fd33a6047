#include "routed_rows.h"

#include <math.h>

int64_t tn_routed_rows(double rho, int64_t T) {
    return (int64_t)ceil(rho * (double)T - 1e-9);
}
