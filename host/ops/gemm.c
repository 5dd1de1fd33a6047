#include "gemm_variants.h"

#include "gelu.h"

enum { SMALL = 1 << 21 /* M·N·K of a small product: what a launch costs counts, and caches do not */ };

static const char *const passes[] = {"nn", "nt", "tn", "bias_backward", NULL};
/* few: of at most 8 rows, where B is read for next to nothing; small: below 4 million operations; large: what
 * a device's arithmetic and caches decide. */
static const char *const classes[] = {"few", "small", "large", NULL};
static int class_of(int pass, const void *shape) {
    const tn_gemm_key *s = shape;
    const double work = (double)s->M * (double)s->N * (pass == TN_GEMM_BIAS_BACKWARD ? 1 : (double)s->K);
    return (pass == TN_GEMM_NN || pass == TN_GEMM_NT) && s->M <= TN_GEMM_FEW_ROWS ? 0 : work <= SMALL ? 1 : 2;
}

static const tn_variant *const variants[] = {&tn_gemm_few,     &tn_gemm_clblast, &tn_gemm_groups,
                                             &tn_gemm_columns, &tn_gemm_threads, NULL};
const tn_op tn_gemm_op = {.name = "gemm",
                          .passes = passes,
                          .classes = classes,
                          .class_of = class_of,
                          .shape_bytes = sizeof(tn_gemm_key),
                          .variants = variants};

static tn_status without_product(tn_device *dev, const tn_gemm_shape *s, const tn_gemm_args *args) {
    tn_buffer *c = args->c[0];
    if (!args->add)
        TN_TRY(tn_buffer_fill_u32(c, 0, (size_t)(s->M * s->N) * sizeof(float), 0));
    else if (args->add != c)
        TN_TRY(tn_buffer_copy(c, 0, args->add, 0, (size_t)(s->M * s->N) * sizeof(float)));
    return args->bias ? tn_gemm_bias_forward(dev, s->M, s->N, c, args->bias) : TN_OK;
}

static tn_gemm_key key_of(const tn_gemm_shape *s, tn_gemm_gelu gelu, int c_count, int a_count,
                          const tn_gemm_args *args) {
    return (tn_gemm_key){s->M, s->N, s->K, c_count, a_count, args->packed != NULL, gelu};
}

static tn_status product(tn_device *dev, const tn_gemm_shape *given, tn_gemm_gelu gelu, int c_count,
                         int a_count, const tn_gemm_args *wanted) {
    tn_gemm_shape s = *given;
    tn_gemm_args args = *wanted;
    args.count = s.count;
    tn_gemm_key key = key_of(&s, gelu, c_count, a_count, &args);
    if (args.count && s.M > 0 && s.N > 0 && s.K > 0) {
        TN_TRY(
            tn_op_rows(dev, &tn_gemm_op, (int)s.form, &key, &args.count, s.form == TN_GEMM_TN ? &s.K : &s.M));
        key = key_of(&s, gelu, c_count, a_count, &args);
    }
    if (s.M == 0 || s.N == 0)
        return TN_OK;
    if (s.K == 0)
        return without_product(dev, &s, &args);
    return tn_op_run(dev, &tn_gemm_op, (int)s.form, &key, &args);
}

tn_status tn_gemm_forward(tn_device *dev, const tn_gemm_shape *s, tn_buffer *c, const tn_buffer *a,
                          const tn_buffer *b, const tn_buffer *bias, const tn_buffer *add) {
    return tn_gemm_with_packed(dev, s, c, a, b, NULL, bias, add);
}

tn_status tn_gemm_with_packed(tn_device *dev, const tn_gemm_shape *s, tn_buffer *c, const tn_buffer *a,
                              const tn_buffer *b, const tn_buffer *packed, const tn_buffer *bias,
                              const tn_buffer *add) {
    return product(dev, s, TN_GEMM_GELU_NONE, 1, 1,
                   &(tn_gemm_args){.c = &c, .a = &a, .b = b, .packed = packed, .bias = bias, .add = add});
}

tn_status tn_gemm_weight_grad(tn_device *dev, int64_t M, int64_t N, int64_t K, const tn_buffer *count,
                              tn_buffer *dw, const tn_buffer *dy, const tn_buffer *x,
                              tn_partial_sums *later) {
    return product(dev, &(tn_gemm_shape){TN_GEMM_TN, M, N, K, count}, TN_GEMM_GELU_NONE, 1, 1,
                   &(tn_gemm_args){.c = &dw, .a = &dy, .b = x, .later = later});
}

/* Can gelu be the product's epilogue? Not of TN, which no caller has with gelu, nor of an empty sum. */
static bool ends_in_gelu(const tn_gemm_shape *s) {
    return s->form != TN_GEMM_TN && s->K > 0;
}

tn_status tn_gemm_gelu_forward(tn_device *dev, const tn_gemm_shape *s, tn_buffer *c, tn_buffer *act,
                               const tn_buffer *a, const tn_buffer *b, const tn_buffer *packed,
                               const tn_buffer *bias) {
    tn_gemm_args args = {.c = &c, .a = &a, .b = b, .packed = packed, .bias = bias, .act = act};
    if (ends_in_gelu(s))
        return product(dev, s, TN_GEMM_GELU_VALUE, 1, 1, &args);
    args.act = NULL;
    TN_TRY(product(dev, s, TN_GEMM_GELU_NONE, 1, 1, &args));
    return tn_gelu_forward(dev, s->M * s->N, act, c);
}

tn_status tn_gemm_gelu_backward(tn_device *dev, const tn_gemm_shape *s, tn_buffer *c, const tn_buffer *a,
                                const tn_buffer *b, const tn_buffer *at) {
    tn_gemm_args args = {.c = &c, .a = &a, .b = b, .at = at};
    if (ends_in_gelu(s))
        return product(dev, s, TN_GEMM_GELU_SLOPE, 1, 1, &args);
    args.at = NULL;
    TN_TRY(product(dev, s, TN_GEMM_GELU_NONE, 1, 1, &args));
    return tn_gelu_backward(dev, s->M * s->N, c, c, at);
}

tn_status tn_gemm_grouped(tn_device *dev, const tn_gemm_shape *s, int count, tn_buffer *const *c,
                          const tn_buffer *const *a, const tn_buffer *b, const tn_buffer *packed,
                          const tn_buffer *add, tn_partial_sums *later) {
    bool columns = s->form == TN_GEMM_NT;
    int64_t grouped = columns ? s->N : s->form == TN_GEMM_NN ? s->K : s->M;
    if (count < 1 || count > 3 || grouped % count != 0 || !tn_gemm_can_group(dev, grouped / count))
        return tn_fail(tn_device_context(dev), TN_ERR_ARG, "gemm: %lld cannot be taken in %d groups here",
                       (long long)grouped, count);
    return product(dev, s, TN_GEMM_GELU_NONE, columns ? count : 1, columns ? 1 : count,
                   &(tn_gemm_args){.c = c, .a = a, .b = b, .packed = packed, .add = add, .later = later});
}

static tn_gemm_key key_of_grouped(const tn_gemm_shape *s, int tensors, bool packed) {
    const bool columns = s->form == TN_GEMM_NT;
    return (tn_gemm_key){
        s->M, s->N, s->K, columns ? tensors : 1, columns ? 1 : tensors, packed, TN_GEMM_GELU_NONE};
}

tn_status tn_gemm_counts(tn_device *dev, const tn_gemm_shape *s, int tensors, bool packed, bool *counts) {
    const tn_gemm_key key = key_of_grouped(s, tensors, packed);
    return tn_op_counts(dev, &tn_gemm_op, (int)s->form, &key, counts);
}

tn_status tn_gemm_adds_last(tn_device *dev, const tn_gemm_shape *s, int tensors, bool *last) {
    const tn_gemm_key key = key_of_grouped(s, tensors, false);
    const tn_variant *variant;
    TN_TRY(tn_op_variant(dev, &tn_gemm_op, (int)s->form, &key, &variant));
    *last = variant == &tn_gemm_groups;
    return TN_OK;
}

tn_status tn_gemm_bias_backward(tn_device *dev, int64_t M, int64_t N, tn_buffer *db, const tn_buffer *dy,
                                tn_partial_sums *later) {
    const tn_gemm_key key = {.M = M, .N = N};
    if (M == 0)
        return tn_buffer_zero(db);
    return tn_op_run(dev, &tn_gemm_op, TN_GEMM_BIAS_BACKWARD, &key,
                     &(tn_gemm_args){.c = &db, .a = &dy, .later = later});
}
