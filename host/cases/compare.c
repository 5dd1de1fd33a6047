#include "compare.h"

#include <math.h>
#include <string.h>

static size_t tensor_bytes(const tn_tensor *t) {
    return t->count * (t->type == TN_U8 ? 1 : 4);
}

static tn_status run(tn_problem *p) {
    TN_TRY(p->c->run(p->dev, &p->shape, p->pass, p->tensors));
    TN_TRY(tn_device_finish(p->dev));
    return tn_problem_canaries(p);
}

static tn_status same_again(tn_context *ctx, tn_problem *p, int i, const unsigned char *first) {
    const tn_tensor *t = &p->tensors[i];
    const size_t all = tensor_bytes(t), most = 1 << 20;
    unsigned char *second;
    tn_status status = TN_OK;
    TN_TRY(tn_alloc(ctx, all < most ? all : most, 1, &second));
    for (size_t from = 0; from < all && status == TN_OK; from += most) {
        size_t size = all - from < most ? all - from : most;
        status = tn_buffer_read(t->buffer, from, size, second);
        if (status == TN_OK && memcmp(first + from, second, size) != 0)
            status = tn_fail(ctx, TN_ERR_CHECK, "%s differs between two runs on the same inputs", t->name);
    }
    tn_free(ctx, second);
    return status;
}

tn_status tn_problem_run(tn_context *ctx, tn_problem *p, unsigned char **results) {
    TN_TRY(tn_problem_upload(p));
    TN_TRY(run(p));
    for (int i = 0; i < p->tensor_count; i++) {
        const tn_tensor *t = &p->tensors[i];
        if (t->count == 0 || t->role == TN_IN)
            continue;
        if (!results[i])
            TN_TRY(tn_alloc(ctx, tensor_bytes(t), 1, &results[i]));
        TN_TRY(tn_problem_read(p, i, results[i]));
    }
    return TN_OK;
}

tn_status tn_compare_runs(tn_context *ctx, tn_problem *p, unsigned char *results[TN_CASE_TENSORS]) {
    memset(results, 0, TN_CASE_TENSORS * sizeof *results);
    TN_TRY(tn_problem_run(ctx, p, results));
    TN_TRY(tn_problem_upload_written(p));
    TN_TRY(run(p));
    for (int i = 0; i < p->tensor_count; i++)
        if (results[i])
            TN_TRY(same_again(ctx, p, i, results[i]));
        else if (p->tensors[i].count > 0)
            TN_TRY(tn_problem_input_same(p, i));
    return TN_OK;
}

double tn_compare_got(const tn_tensor *t, const unsigned char *bytes, size_t k) {
    float real;
    int32_t whole;
    if (t->type == TN_U8)
        return bytes[k];
    memcpy(&real, bytes + 4 * k, 4);
    memcpy(&whole, bytes + 4 * k, 4);
    return t->type == TN_F32 ? (double)real : whole;
}

tn_status tn_compare_value(tn_context *ctx, const tn_tensor *t, size_t k, double got, double want, double rms,
                           double *worst) {
    double error = fabs(got - want), allowed = t->type == TN_F32 ? t->tol * (fabs(want) + rms) + t->floor : 0;
    if (!(error <= allowed)) /* written so that NaN fails */
        return tn_fail(ctx, TN_ERR_CHECK,
                       "%s[%zu] is %.9g, the reference has %.9g (off by %.3g, allowed %.3g)", t->name, k, got,
                       want, error, allowed);
    if (allowed > 0 && error / allowed > *worst)
        *worst = error / allowed;
    return TN_OK;
}

tn_status tn_compare_written(tn_context *ctx, const tn_tensor *t, const unsigned char *bytes) {
    static const uint32_t untouched = 0xA5A5A5A5; /* as tn_problem_upload leaves ints */
    for (size_t k = 0; k < t->count && t->type != TN_U8; k++) {
        uint32_t bits;
        memcpy(&bits, bytes + 4 * k, 4);
        bool none = t->type == TN_F32 ? (bits & 0x7f800000) == 0x7f800000 : bits == untouched;
        if (none)
            return tn_fail(ctx, TN_ERR_CHECK, "%s[%zu] is %.9g: never written, or no finite number", t->name,
                           k, tn_compare_got(t, bytes, k));
    }
    return TN_OK;
}
