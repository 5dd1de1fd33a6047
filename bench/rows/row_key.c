#include "rows.h"

#include "execution.h"

void tn_row_key(const tn_cost_row *r, char *key, size_t size) {
    tn_execution execution;
    bool other = tn_execution_parse(r->schedule, &execution) && execution != TN_EXECUTION_COMPACTED;
    snprintf(key, size, "%s|%s|%s|%s|%s|%s|%s|%s|%s|%lld|%lld|%lld|%lld|%lld|%.6g|%s|%s|%lld|%s%s%s",
             r->platform, r->device, r->selector, r->driver, r->version, r->level, r->op, r->pass, r->mixer,
             (long long)r->B, (long long)r->T, (long long)r->D, (long long)r->H, (long long)r->K,
             r->rho >= 0 ? r->rho : -1.0, r->shape, r->seed, (long long)r->cores, r->cache, other ? "|" : "",
             other ? r->schedule : "");
}
