/* AdamW (Loshchilov and Hutter, 2019), one pass over all parameters. A work-item owns VECTORS vectors of
 * LANES. */

#ifndef VECTORS
#define VECTORS 64
#endif

kernel void adamw_forward(global float *restrict p,                /* [n] */
                          global float *restrict m,                /* [n] */
                          global float *restrict v,                /* [n] */
                          const global float *restrict g,          /* [n] */
                          const global float *restrict grad_scale, /* [1] */
                          int n, int n_decay, float lr, float beta1, float rest1, float beta2,
                          float rest2,                    /* rest = 1 - beta, rounded from the exact one */
                          float correct1, float correct2, /* 1/(1 - beta^t) */
                          float eps, float weight_decay) {
    const int first = get_global_id(0) * (VECTORS * LANES);
    const int last = min(first + VECTORS * LANES, n);
    const float scale = grad_scale[0];
    for (int i = first; i < last; i += LANES) {
        const int left = LEFT(i, last);
        const floatv grad = load_part(g + i, left) * scale, before = load_part(p + i, left);
        const floatv mean = beta1 * load_part(m + i, left) + rest1 * grad;
        const floatv square = beta2 * load_part(v + i, left) + rest2 * (grad * grad);
        const floatv decay = i + LANE_NUMBERS < n_decay ? (floatv)(weight_decay) : (floatv)(0.0f);
        store_part(mean, m + i, left);
        store_part(square, v + i, left);
        store_part(before - lr * (mean * correct1 / (sqrt(square * correct2) + eps) + decay * before), p + i,
                   left);
    }
}
