/* Packing for the two-pass backward: rows of a tensor into transposed panels of 32. */

DEFINE_TURN(turn, global)

/* Panels are padded with zeros past the end of a sequence. Grid: panels (at most rows/32 + B) × H. */
kernel void flash_attention_pack(global float *restrict packed,
                                 const global float *restrict x /* [rows,H·DH] */,
                                 const global int *restrict start /* [B+1] */, int B, int H, int panels) {
    const int p = get_global_id(0), h = get_global_id(1), D = H * DH;
    if (p >= min(panels, panel_base(start, B)) || h >= H)
        return;
    int b = 0, end = B; /* the last sequence whose first panel is not past p */
    while (end - b > 1) {
        const int middle = (b + end) / 2;
        if (panel_base(start, middle) <= p)
            b = middle;
        else
            end = middle;
    }
    const int r0 = start[b] + (p - panel_base(start, b)) * 32;
    turn(packed + (p * H + h) * DH * 32, x + r0 * D + h * DH, clamp(start[b + 1] - r0, 0, 32), D);
}
