#include "gemm_pack.h"

#include "gemm_variants.h"

enum { PACK_K = 64 /* k that a work-item packs */ };

bool tn_gemm_takes_packed(const tn_device *dev) {
    return tn_device_style(dev) == TN_STYLE_THREADS;
}

static int value_of(const tn_device *dev, const char *name) {
    int values[TN_VARIANT_TUNABLES];
    tn_variant_values(dev, &tn_gemm_op, &tn_gemm_threads, TN_GEMM_NT, -1, values, NULL);
    return values[tn_variant_tunable(&tn_gemm_threads, name)];
}

tn_gemm_layout tn_gemm_layout_of(const tn_device *dev) {
    return (tn_gemm_layout){value_of(dev, "VW"), value_of(dev, "NV"), value_of(dev, "TM")};
}

static int64_t panels_of(const tn_device *dev, int64_t N, int64_t *width) {
    const tn_gemm_layout layout = tn_gemm_layout_of(dev);
    *width = layout.lanes * layout.vectors;
    return tn_ceil_div(N, *width);
}

int64_t tn_gemm_packed_floats(const tn_device *dev, int64_t N, int64_t K) {
    int64_t width, panels = panels_of(dev, N, &width);
    return panels * width * K;
}

int64_t tn_gemm_packed_blocks(const tn_device *dev, int64_t N, int64_t K) {
    int64_t width;
    return panels_of(dev, N, &width) * tn_ceil_div(K, PACK_K);
}

static tn_status kernel(tn_device *dev, const char *name, tn_kernel **out) {
    const tn_gemm_layout layout = tn_gemm_layout_of(dev);
    tn_options options = {""};
    tn_options_int(&options, "LANES", (long)layout.lanes);
    tn_options_int(&options, "NV", (long)layout.vectors);
    tn_options_int(&options, "PACK_K", PACK_K);
    return tn_kernel_get(dev, "gemm_pack", name, &options, out);
}

tn_status tn_gemm_packing_make(tn_device *dev, int64_t N, int64_t K, bool transposed, tn_gemm_packing *out) {
    int64_t width, panels = panels_of(dev, N, &width);
    *out = (tn_gemm_packing){.N = N, .K = K, .floats = panels * K * width, .transposed = transposed};
    TN_TRY(kernel(dev, "gemm_pack", &out->kernel));
    out->range = tn_range_2d((size_t)tn_ceil_div(K, PACK_K), (size_t)panels, 1,
                             tn_kernel_group(out->kernel, (size_t)value_of(dev, "LOCAL")));
    return TN_OK;
}

tn_status tn_gemm_packing_run(tn_device *dev, const tn_gemm_packing *p, int slot, const tn_buffer *b,
                              const tn_buffer *count, tn_buffer **packed) {
    TN_TRY(tn_device_scratch(dev, slot, (size_t)p->floats * sizeof(float), packed));
    return tn_launch(dev, p->kernel, p->range, tn_arg_buffer(*packed), tn_arg_buffer(b), tn_arg_buffer(count),
                     tn_arg_i32(p->N), tn_arg_i32(p->K), tn_arg_i32(p->transposed));
}

tn_status tn_gemm_pack_all(tn_device *dev, int64_t count, int64_t blocks, tn_buffer *packed,
                           const tn_buffer *from, const tn_buffer *table) {
    tn_kernel *k;
    TN_TRY(kernel(dev, "gemm_pack_all", &k));
    return tn_launch(dev, k, tn_range_1d((size_t)blocks, tn_kernel_group(k, (size_t)value_of(dev, "LOCAL"))),
                     tn_arg_buffer(packed), tn_arg_buffer(from), tn_arg_buffer(table), tn_arg_i32(count));
}
