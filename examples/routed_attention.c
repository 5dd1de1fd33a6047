/* Causal attention for those few positions of a sequence that are routed, held against a naive loop.
 * cc routed_attention.c $(pkg-config --cflags --libs turnout) -lm */
#include <math.h>
#include <stdlib.h>
#include <turnout/turnout.h>

enum { T = 256, H = 2, Dh = 32, D = H * Dh };
static tn_context ctx; /* the words of the last failure */
static tn_device *dev;
static tn_buffer *made[16];
static int count;
static float q[T * D], k[T * D], v[T * D], o[T * D];

static void must(tn_status status) {
    if (status == TN_OK)
        return;
    fprintf(stderr, "%s\n", ctx.message);
    exit(3);
}

static tn_buffer *buffer(size_t bytes, const void *values) {
    must(tn_buffer_create(dev, bytes, &made[count]));
    must(values ? tn_buffer_write(made[count], 0, bytes, values) : TN_OK);
    return made[count++];
}

/* Column c of what position t attends to. */
static double naive(int t, int c) {
    double sum = 0, weighted = 0;
    for (int s = 0; s <= t; s++) {
        double score = 0;
        for (int d = c / Dh * Dh; d < (c / Dh + 1) * Dh; d++)
            score += q[t * D + d] * k[s * D + d];
        sum += exp(score / sqrt(Dh));
        weighted += exp(score / sqrt(Dh)) * v[s * D + c];
    }
    return weighted / sum;
}

int main(void) {
    unsigned char mask[T]; /* 1: routed */
    int rows[T], start[2], dense[2] = {0, T};
    double worst = 0;
    for (int i = 0; i < T * D; i++) {
        q[i] = sinf(1.3f * i), k[i] = sinf(0.7f * i), v[i] = sinf(0.2f * i);
        mask[i / D] = i / D % 16 == 3;
    }
    must(tn_device_open_selected(&ctx, NULL, &dev)); /* the first GPU, else the first CPU */
    tn_buffer *list = buffer(sizeof rows, NULL), *q_start = buffer(sizeof start, NULL);
    tn_buffer *slot = buffer(sizeof rows, NULL), *last = buffer(sizeof(int), NULL), *routed = buffer(T, mask);
    must(tn_route_compact_forward(dev, &(tn_route_compact_shape){.B = 1, .T = T}, list, q_start, slot, last,
                                  routed));
    must(tn_buffer_read(q_start, 0, sizeof start, start));
    must(tn_buffer_read(list, 0, sizeof rows, rows));

    int R = start[1]; /* rows that are routed: queries for those, keys and values for all */
    tn_buffer *queries = buffer(sizeof q, q), *few = buffer(R * D * sizeof(float), NULL);
    must(tn_row_gather_forward(dev, &(tn_row_gather_shape){.R = R, .N = T, .D = D}, few, queries, list));
    tn_buffer *out = buffer(R * D * sizeof(float), NULL), *lse = buffer(R * H * sizeof(float), NULL);
    tn_buffer *keys = buffer(sizeof k, k), *values = buffer(sizeof v, v);
    tn_buffer *kv_start = buffer(sizeof dense, dense);
    tn_flash_attention_shape shape = {.B = 1, .T = T, .R = R, .Rkv = T, .max_rows = R, .H = H, .Dh = Dh};
    must(tn_flash_attention_forward(dev, &shape, out, lse, few, keys, values, list, q_start, kv_start, NULL,
                                    NULL));
    must(tn_buffer_read(out, 0, R * D * sizeof(float), o));

    for (int r = 0; r < R; r++)
        for (int c = 0; c < D; c++)
            worst = fmax(worst, fabs(o[r * D + c] - naive(rows[r], c)));
    printf("%d of %d positions on %s, off by %.1e at most\n", R, T, tn_device_get_info(dev)->name, worst);
    while (count > 0)
        tn_buffer_destroy(made[--count]);
    tn_device_close(dev);
    return ctx.live != 0 || !(worst < 1e-5);
}
