/* All products of a pass in one launch, a work-group a tile of one of them
 * (kernels/attention_absorb/attention_absorb_groups.cl). */
#include "attention_absorb_variants.h"

enum { DEPTH = 16 /* BK of the kernels */ };
enum { TILE, TUNABLES };
static const tn_tunable tunables[] = {
    [TILE] = TN_TUNABLE("TILE", "rows and columns of a work-group's tile", 32, 32, 0, 32, 64),
};

static size_t items_of(const int *values) {
    return (size_t)(values[TILE] / 8) * 16;
}

static bool fits(const tn_device *dev, int pass, const void *shape, const int *values, char *why,
                 size_t size) {
    const tn_device_info *info = tn_device_get_info(dev);
    const size_t bytes = (size_t)(4 * DEPTH * (values[TILE] + 4)) * sizeof(float);
    (void)pass;
    (void)shape;
    if (info->max_work_group >= items_of(values) && info->local_bytes >= bytes)
        return true;
    snprintf(why, size, "tiles of %d want work-groups of %zu items and %zu bytes of local memory",
             values[TILE], items_of(values), bytes);
    return false;
}

static tn_status plan_make(tn_device *dev, int pass, const void *shape, const int *values, void *out) {
    const tn_attention_absorb_key *s = shape;
    const bool backward = pass == TN_ATTENTION_ABSORB_BACKWARD;
    const int64_t D = s->H * s->Dh, tile = values[TILE];
    const size_t items = items_of(values),
                 tiles = (size_t)(tn_ceil_div(D, tile) * tn_ceil_div(backward ? s->Dh : D, tile));
    tn_options options = {""};
    tn_launch_plan *p = out;
    tn_options_int(&options, "LANES", 4);
    tn_options_int(&options, "TILE", (long)tile);
    tn_options_int(&options, "QUADS", s->Dh % 4 == 0);
    TN_TRY(tn_kernel_get(dev, "attention_absorb_groups",
                         backward ? "attention_absorb_backward_groups" : "attention_absorb_forward_groups",
                         &options, &p->kernel));
    TN_TRY(tn_kernel_check_group(dev, p->kernel, items));
    p->range = tn_range_2d(tiles * items, (size_t)((backward ? 4 : 2) * s->H), items, 1);
    return TN_OK;
}

static tn_status run(tn_device *dev, int pass, const void *shape, const void *planned, const void *args) {
    const tn_attention_absorb_key *s = shape;
    const tn_attention_absorb_args *a = args;
    const tn_launch_plan *p = planned;
    if (pass == TN_ATTENTION_ABSORB_FORWARD)
        return tn_launch(dev, p->kernel, p->range, tn_arg_buffer(a->mq), tn_arg_buffer(a->mo),
                         tn_arg_buffer(a->wq), tn_arg_buffer(a->wk), tn_arg_buffer(a->wv),
                         tn_arg_buffer(a->wo), tn_arg_i32(s->H), tn_arg_i32(s->Dh));
    return tn_launch(dev, p->kernel, p->range, tn_arg_buffer(a->dwq), tn_arg_buffer(a->dwk),
                     tn_arg_buffer(a->dwv), tn_arg_buffer(a->dwo), tn_arg_buffer(a->dmq),
                     tn_arg_buffer(a->dmo), tn_arg_buffer(a->wq), tn_arg_buffer(a->wk), tn_arg_buffer(a->wv),
                     tn_arg_buffer(a->wo), tn_arg_i32(s->H), tn_arg_i32(s->Dh));
}

const tn_variant tn_attention_absorb_groups = {.name = "groups",
                                               .style = TN_STYLE_GROUPS,
                                               .tunable_count = TUNABLES,
                                               .tunables = tunables,
                                               .fits = fits,
                                               .plan = plan_make,
                                               .run = run};
