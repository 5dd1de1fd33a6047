/* The k largest p of each sequence, an earlier position winning a tie: radix select on the bits of p, which
 * order as unsigned numbers because p is not negative. A work-item owns a sequence; counts are private, so
 * there are no atomics. */

kernel void route_capacity_forward(global uchar *restrict mask, /* [B,T] */
                                   const global float *restrict p /* [B,T], each in 0..1 */, int B, int T,
                                   int k) {
    const int b = get_global_id(0);
    if (b >= B)
        return;
    const global float *x = p + b * T;
    global uchar *m = mask + b * T;
    uint prefix = 0; /* the top bits of the k-th largest value, as far as they are known */
    int need = k;    /* how many of the values that share them are taken */
    for (int shift = 24; shift >= 0; shift -= 8) {
        int counts[256];
        const uint known = shift == 24 ? 0u : 0xffffffffu << (shift + 8);
        for (int i = 0; i < 256; i++)
            counts[i] = 0;
        for (int t = 0; t < T; t++) {
            const uint bits = as_uint(x[t]);
            if ((bits & known) == prefix)
                counts[(bits >> shift) & 255u]++;
        }
        int digit = 255;
        while (digit > 0 && counts[digit] < need) {
            need -= counts[digit];
            digit--;
        }
        prefix |= (uint)digit << shift;
    }
    for (int t = 0; t < T; t++) {
        const uint bits = as_uint(x[t]);
        const int tie = bits == prefix && need > 0;
        m[t] = bits > prefix || tie ? 1 : 0;
        need -= tie;
    }
}
