/* Split-K: partial sums of chunks of keys, and their combination (kernels/flash_attention). */
#include "flash_attention_variants.h"

int64_t tn_flash_attention_partial(const tn_flash_attention_shape *s, int64_t chunks) {
    return s->R * s->H * chunks * (s->Dh + 2);
}

bool tn_flash_attention_holds(const tn_device *dev, double floats) {
    const double most = (double)tn_device_get_info(dev)->max_alloc_bytes;
    return floats <= (double)TN_MOST_ELEMENTS && (most == 0 || floats * sizeof(float) <= most);
}

int64_t tn_flash_attention_chunks(const tn_device *dev, const tn_flash_attention_shape *s, int64_t chunk,
                                  int64_t items, int64_t wanted) {
    const int64_t chunks = tn_ceil_div(s->T, chunk);
    const double floats = (double)s->R * (double)s->H * (double)chunks * (double)(s->Dh + 2);
    const bool few = s->at_most || s->B * s->H * items < wanted; /* there may be but a row */
    return chunks > 1 && few && tn_flash_attention_holds(dev, floats) ? chunks : 0;
}

tn_status tn_flash_attention_join_plan(tn_device *dev, const tn_flash_attention_key *key, int lanes,
                                       int chunk, size_t group, tn_flash_attention_join *out) {
    tn_options options = {""};
    if (key->T <= chunk)
        return TN_OK;
    tn_options_int(&options, "DH", (long)key->Dh);
    tn_options_int(&options, "LANES", lanes);
    tn_options_int(&options, "CHUNK", chunk);
    TN_TRY(tn_kernel_get(dev, "flash_attention_join", "flash_attention_join", &options, &out->kernel));
    out->group = tn_kernel_group(out->kernel, group);
    return TN_OK;
}

tn_status tn_flash_attention_join_scratch(tn_device *dev, const tn_flash_attention_shape *s, int64_t chunks,
                                          tn_buffer **partial) {
    return tn_device_scratch(dev, 1, (size_t)tn_flash_attention_partial(s, chunks) * sizeof(float), partial);
}

tn_status tn_flash_attention_join_run(tn_device *dev, const tn_flash_attention_join *join,
                                      const tn_flash_attention_args *a, const tn_flash_attention_sizes *sizes,
                                      const tn_buffer *partial) {
    return tn_launch(dev, join->kernel, tn_range_2d((size_t)sizes->R, (size_t)sizes->H, join->group, 1),
                     tn_arg_buffer(a->o), tn_arg_buffer(a->lse), tn_arg_buffer(partial),
                     tn_arg_buffer(a->rows), tn_arg_buffer(a->q_start), tn_arg_buffer(a->kv_start),
                     tn_arg_buffer(a->lengths), tn_arg_bytes(sizes, sizeof *sizes));
}
