/* grad_clip where the items of `groups` work-groups take vectors in turn, so that neighbours read neighbours,
 * and a group adds its items' sums; built behind grad_clip.cl. */

#ifndef CLIP_GROUP
#define CLIP_GROUP 256 /* items of a work-group at most; a power of two, as what it has is */
#endif

/* Σ of `part` over the items of the group, for the first one: halves onto halves. */
ALWAYS_INLINE float group_total(float part, local float *parts) {
    const int id = get_local_id(0);
    parts[id] = part;
    for (int half_ = get_local_size(0) / 2; half_ > 0; half_ /= 2) {
        barrier(CLK_LOCAL_MEM_FENCE);
        if (id < half_)
            parts[id] += parts[id + half_];
    }
    return parts[id];
}

kernel void grad_clip_squares_groups(global float *restrict partial, /* [groups] */
                                     const global float *restrict g, /* [n] */
                                     int n) {
    local float parts[CLIP_GROUP];
    const float sum =
        group_total(sum_squares(g, (int)get_global_id(0) * LANES, (int)get_global_size(0) * LANES, n), parts);
    if (get_local_id(0) == 0)
        partial[get_group_id(0)] = sum;
}

/* Grid: one group. */
kernel void grad_clip_scale_groups(global float *restrict scale,         /* [1] */
                                   global float *restrict norm,          /* [1] */
                                   const global float *restrict partial, /* [groups] */
                                   int groups, float max_norm) {
    local float parts[CLIP_GROUP];
    float sum = 0.0f;
    for (int i = get_local_id(0); i < groups; i += get_local_size(0))
        sum += partial[i];
    sum = group_total(sum, parts);
    if (get_local_id(0) == 0)
        put_scale(scale, norm, sum, max_norm);
}
