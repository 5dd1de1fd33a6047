#include "decode_step.h"

#include "decode_step_variants.h"
#include "quirks.h"

#include <math.h>

_Static_assert((int)TN_DECODE_STEP_WEIGHTS == (int)WEIGHTS_OF_LAYER &&
                   (int)TN_DECODE_STEP_COLUMNS == (int)TABLE_COLUMNS &&
                   (int)TN_DECODE_STEP_BESIDE == (int)WEIGHTS_BESIDE,
               "the table as kernels see it");

static const char *const weights[] = {
    [AT_NORM1] = "norm1.weight",
    [AT_CONV] = "mixer.conv.weight",
    [AT_CONV_BIAS] = "mixer.conv.bias",
    [AT_CONV_OUT] = "mixer.conv_out.weight",
    [AT_Q] = "mixer.q.weight",
    [AT_K] = "mixer.k.weight",
    [AT_V] = "mixer.v.weight",
    [AT_O] = "mixer.o.weight",
    [AT_ROUTER] = "mixer.router.weight",
    [AT_ROUTER_BIAS] = "mixer.router.bias",
    [AT_NORM2] = "norm2.weight",
    [AT_UP] = "mlp.up.weight",
    [AT_UP_BIAS] = "mlp.up.bias",
    [AT_DOWN] = "mlp.down.weight",
    [AT_DOWN_BIAS] = "mlp.down.bias",
    [WEIGHTS_OF_LAYER + AT_EMBED] = "embed.weight",
    [WEIGHTS_OF_LAYER + AT_NORM] = "norm.weight",
    [WEIGHTS_OF_LAYER + AT_HEAD] = "head.weight",
    [WEIGHTS_OF_LAYER + AT_CODES] = "match.weight",
};

const char *tn_decode_step_weight(int i) {
    return weights[i];
}

static const char *const passes[] = {"forward", NULL};
static const tn_variant *const variants[] = {&tn_decode_step_staged, &tn_decode_step_groups,
                                             &tn_decode_step_walk, NULL};
const tn_op tn_decode_step_op = {
    .name = "decode_step", .passes = passes, .shape_bytes = sizeof(tn_decode_step_key), .variants = variants};

int64_t tn_decode_step_ring(int64_t K) {
    int64_t rows = TN_DECODE_STEP_PENDING;
    while (rows < TN_DECODE_STEP_PENDING + K - 1)
        rows *= 2;
    return rows;
}

int tn_decode_step_lanes(const tn_decode_step_key *s, int most) {
    int lanes = most;
    while (lanes > 1 && (s->D % lanes || s->F % lanes || (s->attention && s->D / s->H % lanes)))
        lanes = lanes > 4 ? 4 : 1;
    return lanes;
}

void tn_decode_step_options(const tn_decode_step_key *s, int lanes, int chunk, tn_options *options) {
    tn_options_int(options, "LANES", lanes);
    tn_options_int(options, "D", (long)s->D);
    tn_options_int(options, "HEADS", (long)s->H);
    tn_options_int(options, "KV_HEADS", (long)s->Hkv);
    tn_options_int(options, "K", (long)s->K);
    tn_options_int(options, "F", (long)s->F);
    tn_options_int(options, "V", (long)s->V);
    tn_options_int(options, "HAS_CONV", s->conv > 0);
    tn_options_int(options, "HAS_ATTENTION", s->attention > 0);
    tn_options_int(options, "HAS_ROUTER", (long)s->router);
    tn_options_int(options, "MIXED", (long)s->mixed);
    tn_options_int(options, "CODED", (long)s->coded);
    tn_options_int(options, "ADDED", (long)s->added);
    tn_options_int(options, "TURNED", (long)s->rope);
    tn_options_int(options, "RING", (long)tn_decode_step_ring(s->K));
    tn_options_int(options, "PENDING", TN_DECODE_STEP_PENDING);
    tn_options_int(options, "CHUNK", chunk);
}

int64_t tn_decode_step_floats(const tn_decode_step_key *s) {
    const int64_t width = s->D / s->H * s->Hkv, global = 2 * s->D * s->D + 2 * s->D * width;
    return s->layers * 2 * s->D * s->F + s->conv * s->D * s->D + s->attention * global + s->V * s->D;
}

bool tn_decode_step_convolves(const tn_decode_step_shape *s, int64_t layer) {
    return s->conv && !(s->without_conv >> layer & 1);
}

bool tn_decode_step_attends(const tn_decode_step_shape *s, int64_t layer) {
    return s->attention && !(s->without_attention >> layer & 1);
}

bool tn_decode_step_routes(const tn_decode_step_shape *s, int64_t layer) {
    return s->router && !(s->without_router >> layer & 1);
}

int64_t tn_decode_step_caches(const tn_decode_step_shape *s, int64_t layers) {
    int64_t count = 0;
    for (int64_t i = 0; i < layers; i++)
        count += tn_decode_step_attends(s, i);
    return count;
}

_Static_assert(sizeof(decode_step_sizes) == 11 * sizeof(int32_t), "decode_step_sizes as kernels see it");

int64_t tn_decode_step_seen(const tn_decode_step_call *call) {
    const int64_t context = call->args->context, window = call->shape->window;
    return window > 0 && window < context ? window : context;
}

int64_t tn_decode_step_live(const tn_decode_step_call *call, int64_t chunk) {
    const int64_t seen = tn_decode_step_seen(call), all = tn_ceil_div(call->args->context, chunk),
                  live = tn_ceil_div(seen, chunk) + (seen < call->args->context);
    return live < all ? live : all;
}

decode_step_sizes tn_decode_step_sizes(const tn_decode_step_call *call, int64_t chunk) {
    const tn_decode_step_shape *s = call->shape;
    return (decode_step_sizes){.rows = (int)s->rows,
                               .slots = (int)s->slots,
                               .capacity = (int)s->capacity,
                               .layers = (int)s->layers,
                               .to = 2 * (int)s->layers,
                               .of_step = (int)call->args->step,
                               .chunks = (int)tn_ceil_div(call->args->context, chunk),
                               .window = s->window > 0 && s->window < INT32_MAX ? (int)s->window : INT32_MAX,
                               .eps = (float)call->args->eps,
                               .scale = (float)(1 / sqrt((double)(s->D / s->H)))};
}

tn_status tn_decode_step_sums(tn_device *dev, const decode_step_sizes *sizes, int64_t width,
                              tn_buffer **out) {
    const int64_t chunks = (int64_t)sizes->rows * sizes->chunks;
    TN_TRY(tn_elements_check(tn_device_context(dev), "sums of chunks of keys", chunks, width));
    return tn_device_scratch(dev, 1, (size_t)(chunks * width) * sizeof(float), out);
}

tn_status tn_decode_step_attend(tn_device *dev, tn_kernel *kernel, const tn_decode_step_call *call,
                                const decode_step_sizes *sizes, int64_t chunk, const tn_buffer *work,
                                tn_buffer *sums) {
    const tn_decode_step_args *a = call->args;
    const int64_t most = 8 * tn_device_get_info(dev)->compute_units, live = tn_decode_step_live(call, chunk),
                  items = live < most ? live : most;
    return tn_launch(dev, kernel, tn_range_2d((size_t)items, (size_t)sizes->rows, 1, 1), tn_arg_buffer(sums),
                     tn_arg_buffer(work), tn_arg_buffer(a->k), tn_arg_buffer(a->v), tn_arg_buffer(a->routes),
                     tn_arg_buffer(a->table), tn_arg_buffer(a->steps), tn_arg_bytes(sizes, sizeof *sizes));
}

bool tn_decode_step_ends(const tn_device *dev, const tn_decode_step_key *s, int lanes_at_most, int chunk,
                         int64_t rows, char *why, size_t size) {
    enum { MOST_ROUNDS = 65535 };
    const double lanes = tn_decode_step_lanes(s, lanes_at_most), width = (double)s->D / lanes,
                 waiting = 2.0 * TN_DECODE_STEP_PENDING * (double)s->D / lanes,
                 layer = width * ((double)s->K + (4 * (double)s->D + 2 * (double)s->F) / lanes +
                                  (s->attention ? waiting + 2.0 * chunk : 0)),
                 rounds = (double)rows * ((double)s->layers * layer + width * (double)s->V / lanes);
    if (!(tn_device_get_info(dev)->quirks & TN_QUIRK_SHORT_LOOPS) || rounds < MOST_ROUNDS)
        return true;
    snprintf(why, size, "%.0f rounds of loops are more than the %d that the driver goes", rounds,
             MOST_ROUNDS);
    return false;
}

/* Has each layer a track, and each with a router both? */
static bool tracks_go_together(const tn_decode_step_shape *s) {
    for (int64_t i = 0; i < s->layers; i++) {
        const bool conv = tn_decode_step_convolves(s, i), attends = tn_decode_step_attends(s, i);
        if ((!conv && !attends) || (tn_decode_step_routes(s, i) && !(conv && attends)))
            return false;
    }
    return s->conv || s->attention;
}

static tn_status check(tn_device *dev, const tn_decode_step_shape *s, const tn_decode_step_args *a) {
    tn_context *ctx = tn_device_context(dev);
    if (s->H < 1 || s->D % s->H || s->Hkv < 1 || s->H % s->Hkv || s->K < 1 || s->rows > s->slots ||
        ((s->router || s->added) && !(s->conv && s->attention)) || s->layers > 64 ||
        (s->rope && s->D / s->H % 2) || (s->coded && !s->V) || !tracks_go_together(s))
        return tn_fail(ctx, TN_ERR_ARG,
                       "decode_step: D=%lld in H=%lld heads on Hkv=%lld of keys, K=%lld taps, %lld rows of "
                       "%lld sequences, V=%lld and what its %lld layers have and lack do not go together",
                       (long long)s->D, (long long)s->H, (long long)s->Hkv, (long long)s->K,
                       (long long)s->rows, (long long)s->slots, (long long)s->V, (long long)s->layers);
    if (s->rows > 0 && (a->context < 1 || a->context > s->capacity))
        return tn_fail(ctx, TN_ERR_ARG, "decode_step: position %lld of a state with room for %lld",
                       (long long)a->context, (long long)s->capacity);
    return TN_OK;
}

static tn_decode_step_key key_of(const tn_decode_step_shape *s) {
    tn_decode_step_key key = {.rows = s->rows,
                              .layers = s->layers,
                              .D = s->D,
                              .H = s->H,
                              .Hkv = s->Hkv,
                              .K = s->K,
                              .F = s->F,
                              .V = s->V,
                              .attention = tn_decode_step_caches(s, s->layers),
                              .added = s->added,
                              .mixed = s->without_conv || s->without_attention || s->without_router,
                              .coded = s->coded};
    for (int64_t i = 0; i < s->layers; i++) {
        key.conv += tn_decode_step_convolves(s, i);
        key.router |= tn_decode_step_routes(s, i);
    }
    key.rope = s->rope && key.attention;
    return key;
}

/* Variants see a shape that has what one of its layers has. */
static tn_status call_run(tn_device *dev, const tn_decode_step_shape *s, const tn_decode_step_args *a,
                          int64_t *launches) {
    const tn_decode_step_key key = key_of(s);
    tn_decode_step_shape had = *s;
    had.conv = key.conv > 0;
    had.attention = key.attention > 0;
    had.router = key.router;
    had.rope = key.rope;
    return tn_op_run(dev, &tn_decode_step_op, 0, &key, &(tn_decode_step_call){&had, a, launches});
}

tn_status tn_decode_step_forward(tn_device *dev, const tn_decode_step_shape *s,
                                 const tn_decode_step_args *a) {
    TN_TRY(check(dev, s, a));
    return call_run(dev, s, a, NULL);
}

tn_status tn_decode_step_launches(tn_device *dev, const tn_decode_step_shape *s, int64_t context,
                                  double share, int64_t *out) {
    const tn_decode_step_args a = {.context = context, .share = share};
    *out = 0;
    return call_run(dev, s, &a, out);
}
