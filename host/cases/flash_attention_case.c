#include "case.h"

#include "flash_attention.h"
#include "flash_attention_ref.h"

#include <math.h>
#include <stdlib.h>

enum { DIM_B, DIM_T, DIM_H, DIM_DH, DIM_R, DIM_WINDOW, DIM_MASKS, DIM_SEED, DIM_HKV };
enum { FORWARD, BACKWARD };
/* bits of `masks`; KEYS_ALL: keys of every position, not only up to the last listed row; TWICE: two queries
 * of every listed position, and half the usual scale */
enum { SEGMENTS = 1, LENGTHS = 2, KEYS_ALL = 4, TWICE = 8 };
/* tensors: outputs and inputs of each pass, then the lists */
enum { F_O, F_LSE, F_Q, F_K, F_V, F_LISTS };
enum { B_DQ, B_DK, B_DV, B_DO, B_Q, B_K, B_V, B_O, B_LSE, B_LISTS };
enum { L_ROWS, L_Q_START, L_KV_START, L_SEGMENTS, L_LENGTHS, L_COUNT };

static void draw(tn_rng *rng, tn_shape *s) {
    static const int64_t widths[] = {16, 32, 64, 128, 20, 24, 40, 32};
    static const int64_t heads[][2] = {{1, 0}, {1, 1}, {2, 0}, {3, 0}, {3, 3}, /* H, Hkv */
                                       {2, 1}, {3, 1}, {4, 2}, {4, 1}, {6, 2}};
    s->v[DIM_B] = tn_rng_range(rng, 1, 3);
    s->v[DIM_T] = tn_rng_below(rng, 5) == 0 ? 1 : tn_rng_range(rng, 1, tn_rng_below(rng, 3) == 0 ? 250 : 80);
    const int64_t *pair = heads[tn_rng_below(rng, 10)];
    s->v[DIM_H] = pair[0];
    s->v[DIM_HKV] = pair[1];
    s->v[DIM_DH] = widths[tn_rng_below(rng, 8)];
    int64_t N = s->v[DIM_B] * s->v[DIM_T];
    uint32_t kind = tn_rng_below(rng, 6);
    s->v[DIM_R] = kind == 0 ? 0 : kind == 1 ? 1 : kind == 2 ? N : tn_rng_range(rng, 1, N);
    s->v[DIM_WINDOW] = tn_rng_below(rng, 2) ? 0 : tn_rng_range(rng, 1, s->v[DIM_T] + 3);
    s->v[DIM_MASKS] = (int64_t)tn_rng_below(rng, 16);
    s->v[DIM_SEED] = (int64_t)tn_rng_below(rng, 1000);
    /* A window past every length, up to the last that the shape may have: a key's position plus this passes
     * 32 bits. */
    if (s->v[DIM_WINDOW] > 0 && s->v[DIM_SEED] % 4 == 0)
        s->v[DIM_WINDOW] = INT32_MAX - s->v[DIM_SEED] % 3;
}

/* Hkv of 0: H. */
static int64_t kv_heads(const tn_shape *s) {
    return s->v[DIM_HKV] ? s->v[DIM_HKV] : s->v[DIM_H];
}

static const int64_t most_positions = 1 << 26;

static tn_status check(tn_context *ctx, const tn_shape *s) {
    int64_t Dh = s->v[DIM_DH];
    if (s->v[DIM_B] < 1 || s->v[DIM_T] < 1 || s->v[DIM_H] < 1 || s->v[DIM_R] > s->v[DIM_B] * s->v[DIM_T] ||
        Dh < 16 || Dh > 128 || Dh % 4 != 0 || s->v[DIM_MASKS] > 15 || s->v[DIM_H] % kv_heads(s) != 0)
        return tn_fail(
            ctx, TN_ERR_ARG,
            "flash_attention: B, T, H at least 1, R at most B·T, Dh 16 to 128 and a multiple of 4, masks "
            "0 to 15 (1 segments, 2 lengths, 4 all keys, 8 two queries a position), H a multiple of Hkv");
    if (s->v[DIM_B] > most_positions / s->v[DIM_T])
        return tn_fail(ctx, TN_ERR_ARG,
                       "flash_attention: B·T at most %lld here: rows are drawn from them one by one",
                       (long long)most_positions);
    return TN_OK;
}

/* Is row n listed, when `left` of the rows from n on are: selection sampling, so that exactly R are. */
static bool listed(tn_rng *rng, int64_t n, int64_t N, int64_t left) {
    return left > 0 && tn_rng_uniform(rng) * (double)(N - n) < (double)left;
}

static int64_t queries(const tn_shape *s) {
    return s->v[DIM_MASKS] & TWICE ? 2 : 1;
}

static double scale(const tn_shape *s) {
    return s->v[DIM_MASKS] & TWICE ? 0.5 / sqrt((double)s->v[DIM_DH]) : 0;
}

/* Calls back nothing: fills what is not NULL and returns the number of key rows. */
static int64_t plan(const tn_shape *s, int32_t *rows, int32_t *q_start, int32_t *kv_start) {
    int64_t B = s->v[DIM_B], T = s->v[DIM_T], R = 0, keys = 0, each = queries(s);
    tn_rng rng = tn_rng_make((uint64_t)s->v[DIM_SEED], TN_RNG_CASE, 5);
    for (int64_t b = 0; b < B; b++) {
        int64_t last = s->v[DIM_MASKS] & KEYS_ALL ? T : 0;
        if (q_start)
            q_start[b] = (int32_t)(R * each);
        if (kv_start)
            kv_start[b] = (int32_t)keys;
        for (int64_t t = 0; t < T; t++)
            if (listed(&rng, b * T + t, B * T, s->v[DIM_R] - R)) {
                for (int64_t i = 0; rows && i < each; i++)
                    rows[R * each + i] = (int32_t)(b * T + t);
                R++;
                last = last > t + 1 ? last : t + 1;
            }
        keys += last;
    }
    if (q_start)
        q_start[B] = (int32_t)(R * each);
    if (kv_start)
        kv_start[B] = (int32_t)keys;
    return keys;
}

static int tensors(const tn_shape *s, int pass, tn_tensor *t) {
    size_t B = (size_t)s->v[DIM_B], T = (size_t)s->v[DIM_T], H = (size_t)s->v[DIM_H];
    size_t R = (size_t)(s->v[DIM_R] * queries(s));
    size_t D = H * (size_t)s->v[DIM_DH];
    size_t keys = (size_t)(plan(s, NULL, NULL, NULL) * kv_heads(s) * s->v[DIM_DH]);
    tn_tensor *l = t + (pass == FORWARD ? F_LISTS : B_LISTS);
    if (pass == FORWARD) {
        t[F_O] = (tn_tensor){"o", TN_F32, TN_OUT, R * D, 1e-5};
        t[F_LSE] = (tn_tensor){"lse", TN_F32, TN_OUT, R * H, 4e-6};
        t[F_Q] = (tn_tensor){"q", TN_F32, TN_IN, R * D};
        t[F_K] = (tn_tensor){"k", TN_F32, TN_IN, keys};
        t[F_V] = (tn_tensor){"v", TN_F32, TN_IN, keys};
    } else {
        /* With one key, do·v and do·o are the same sum of Dh products by two roads and cancel to their
         * rounding: chains of Dh additions of normal products are off by about 2^-24 Dh/√6, times k/√Dh. A
         * multiple of that for the largest of many; dk has as many of them as heads share the key. */
        double floor = 3e-7 * sqrt((double)s->v[DIM_DH]), share = (double)(s->v[DIM_H] / kv_heads(s));
        t[B_DQ] = (tn_tensor){"dq", TN_F32, TN_OUT, R * D, 2e-5, floor};
        t[B_DK] = (tn_tensor){"dk", TN_F32, TN_OUT, keys, 2e-5, floor * sqrt(share)};
        t[B_DV] = (tn_tensor){"dv", TN_F32, TN_OUT, keys, 2e-5};
        t[B_DO] = (tn_tensor){"do", TN_F32, TN_IN, R * D};
        t[B_Q] = (tn_tensor){"q", TN_F32, TN_IN, R * D};
        t[B_K] = (tn_tensor){"k", TN_F32, TN_IN, keys};
        t[B_V] = (tn_tensor){"v", TN_F32, TN_IN, keys};
        t[B_O] = (tn_tensor){"o", TN_F32, TN_IN, R * D};
        t[B_LSE] = (tn_tensor){"lse", TN_F32, TN_IN, R * H};
    }
    l[L_ROWS] = (tn_tensor){"rows", TN_I32, TN_IN, R};
    l[L_Q_START] = (tn_tensor){"q_start", TN_I32, TN_IN, B + 1};
    l[L_KV_START] = (tn_tensor){"kv_start", TN_I32, TN_IN, B + 1};
    l[L_SEGMENTS] = (tn_tensor){"segments", TN_I32, TN_IN, s->v[DIM_MASKS] & SEGMENTS ? B * T : 0};
    l[L_LENGTHS] = (tn_tensor){"lengths", TN_I32, TN_IN, s->v[DIM_MASKS] & LENGTHS ? B : 0};
    return (int)(l - t) + L_COUNT;
}

static tn_attention_rows rows_of(const tn_shape *s, const tn_tensor *l) {
    return (tn_attention_rows){.B = s->v[DIM_B],
                               .T = s->v[DIM_T],
                               .H = s->v[DIM_H],
                               .Dh = s->v[DIM_DH],
                               .Hkv = s->v[DIM_HKV],
                               .window = s->v[DIM_WINDOW],
                               .scale = scale(s),
                               .rows = l[L_ROWS].i32,
                               .q_start = l[L_Q_START].i32,
                               .kv_start = l[L_KV_START].i32,
                               .segments = l[L_SEGMENTS].i32,
                               .lengths = l[L_LENGTHS].i32};
}

static void round_to_float(tn_tensor *t) {
    for (size_t i = 0; i < t->count; i++)
        t->f64[i] = (double)(float)t->f64[i];
}

/* Of a large shape: o and lse of the size that n keys give, for the gradients take them as given. Scores have
 * variance 1, or a quarter of it at half the scale. */
static void about_forward(const tn_shape *s, const tn_attention_rows *a, tn_tensor *o, tn_tensor *lse) {
    int64_t D = a->H * a->Dh, T = a->T;
    double spread = s->v[DIM_MASKS] & TWICE ? 0.25 : 1;
    for (size_t i = 0; i < lse->count; i++) {
        int64_t r = (int64_t)i / a->H, keys = a->rows[r] % T + 1;
        keys = a->window > 0 && a->window < keys ? a->window : keys;
        lse->f64[i] = log((double)keys) + spread / 2;
        for (int64_t d = 0; d < a->Dh; d++)
            o->f64[r * D + (int64_t)i % a->H * a->Dh + d] *= sqrt(exp(spread) / (double)keys);
    }
}

static void fill(tn_rng *rng, const tn_shape *s, int pass, tn_tensor *t) {
    tn_tensor *l = t + (pass == FORWARD ? F_LISTS : B_LISTS);
    int64_t B = s->v[DIM_B], T = s->v[DIM_T];
    plan(s, l[L_ROWS].i32, l[L_Q_START].i32, l[L_KV_START].i32);
    for (size_t n = 0; n < l[L_SEGMENTS].count; n++) /* documents of about 20 positions */
        l[L_SEGMENTS].i32[n] =
            n % (size_t)T == 0 ? 0 : l[L_SEGMENTS].i32[n - 1] + (tn_rng_below(rng, 20) == 0);
    for (size_t b = 0; b < l[L_LENGTHS].count; b++)
        l[L_LENGTHS].i32[b] = (int32_t)tn_rng_range(rng, 0, T);
    if (pass == FORWARD || s->v[DIM_R] == 0)
        return;
    (void)B;
    round_to_float(&t[B_Q]);
    round_to_float(&t[B_K]);
    round_to_float(&t[B_V]);
    tn_attention_rows a = rows_of(s, l);
    if (l[L_ROWS].count * (size_t)T > (size_t)1 << 22) {
        about_forward(s, &a, &t[B_O], &t[B_LSE]);
        return;
    }
    tn_flash_attention_forward_ref(&a, t[B_O].f64, t[B_LSE].f64, t[B_Q].f64, t[B_K].f64, t[B_V].f64);
}

static tn_status run(tn_device *dev, const tn_shape *shape, int pass, tn_tensor *t) {
    tn_tensor *l = t + (pass == FORWARD ? F_LISTS : B_LISTS);
    const int32_t *start = l[L_Q_START].i32;
    tn_flash_attention_shape s = {.B = shape->v[DIM_B],
                                  .T = shape->v[DIM_T],
                                  .R = shape->v[DIM_R] * queries(shape),
                                  .Rkv = l[L_KV_START].i32[shape->v[DIM_B]],
                                  .H = shape->v[DIM_H],
                                  .Dh = shape->v[DIM_DH],
                                  .Hkv = shape->v[DIM_HKV],
                                  .window = shape->v[DIM_WINDOW],
                                  .scale = scale(shape)};
    for (int64_t b = 0; b < s.B; b++)
        s.max_rows = s.max_rows > start[b + 1] - start[b] ? s.max_rows : start[b + 1] - start[b];
    if (pass == FORWARD)
        return tn_flash_attention_forward(dev, &s, t[F_O].buffer, t[F_LSE].buffer, t[F_Q].buffer,
                                          t[F_K].buffer, t[F_V].buffer, l[L_ROWS].buffer, l[L_Q_START].buffer,
                                          l[L_KV_START].buffer, l[L_SEGMENTS].buffer, l[L_LENGTHS].buffer);
    return tn_flash_attention_backward(dev, &s, t[B_DQ].buffer, t[B_DK].buffer, t[B_DV].buffer,
                                       t[B_DO].buffer, t[B_Q].buffer, t[B_K].buffer, t[B_V].buffer,
                                       t[B_O].buffer, t[B_LSE].buffer, l[L_ROWS].buffer, l[L_Q_START].buffer,
                                       l[L_KV_START].buffer, l[L_SEGMENTS].buffer, l[L_LENGTHS].buffer);
}

static void reference(const tn_shape *s, int pass, tn_tensor *t) {
    tn_attention_rows a = rows_of(s, t + (pass == FORWARD ? F_LISTS : B_LISTS));
    if (pass == FORWARD)
        tn_flash_attention_forward_ref(&a, t[F_O].f64, t[F_LSE].f64, t[F_Q].f64, t[F_K].f64, t[F_V].f64);
    else
        tn_flash_attention_backward_ref(&a, t[B_DQ].f64, t[B_DK].f64, t[B_DV].f64, t[B_DO].f64, t[B_Q].f64,
                                        t[B_K].f64, t[B_V].f64, t[B_O].f64, t[B_LSE].f64);
}

static int64_t sequence_of(const int32_t *start, int64_t row) {
    int64_t b = 0;
    while (row >= start[b + 1])
        b++;
    return b;
}

static double element(const tn_shape *s, int pass, const tn_tensor *t, int out, size_t k) {
    const tn_tensor *l = t + (pass == FORWARD ? F_LISTS : B_LISTS);
    tn_attention_rows a = rows_of(s, l);
    int64_t Hkv = tn_attention_kv_heads(&a), D = a.H * a.Dh;
    bool of_key = pass == BACKWARD && out != B_DQ, is_lse = pass == FORWARD && out == F_LSE;
    int64_t wide = is_lse ? a.H : of_key ? Hkv * a.Dh : D;
    int64_t r = (int64_t)k / wide, at = (int64_t)k % wide, head = is_lse ? at : at / a.Dh;
    int64_t b = sequence_of(of_key ? a.kv_start : a.q_start, r), query = r * D + head * a.Dh;
    int64_t first = (a.kv_start[b] * Hkv + head / (a.H / Hkv)) * a.Dh;
    double row[128], lse;
    if (of_key)
        return tn_flash_attention_key_backward_ref(&a, b, r - a.kv_start[b], at, out == B_DV, t[B_DO].f64,
                                                   t[B_Q].f64, t[B_K].f64, t[B_V].f64, t[B_O].f64,
                                                   t[B_LSE].f64);
    if (pass == BACKWARD)
        tn_flash_attention_row_backward_ref(&a, b, a.rows[r] - b * a.T, t[B_LSE].f64[r * a.H + head], row,
                                            NULL, NULL, t[B_DO].f64 + query, t[B_Q].f64 + query,
                                            t[B_K].f64 + first, t[B_V].f64 + first, t[B_O].f64 + query);
    else
        tn_flash_attention_row_ref(&a, b, a.rows[r] - b * a.T, row, &lse, t[F_Q].f64 + query,
                                   t[F_K].f64 + first, t[F_V].f64 + first);
    return is_lse ? lse : row[at % a.Dh];
}

/* May listed row r attend to key row n? */
static bool pair_sees(const tn_attention_rows *a, int64_t r, int64_t n) {
    int64_t b = a->rows[r] / a->T, s = n - a->kv_start[b];
    return s >= 0 && tn_attention_allowed(a, b, a->rows[r] % a->T, s);
}

static bool row_sees(const tn_attention_rows *a, int64_t r) {
    int64_t b = a->rows[r] / a->T, keys = a->kv_start[b + 1] - a->kv_start[b];
    for (int64_t s = 0; s < keys; s++)
        if (tn_attention_allowed(a, b, a->rows[r] % a->T, s))
            return true;
    return false;
}

static bool key_is_seen(const tn_attention_rows *a, int64_t n) {
    int64_t b = 0;
    while (a->kv_start[b + 1] <= n)
        b++;
    for (int64_t r = a->q_start[b]; r < a->q_start[b + 1]; r++)
        if (pair_sees(a, r, n))
            return true;
    return false;
}

/* Row, head and column (0 of a log-sum) of element i of a tensor. `head` counts heads of keys, `own` those of
 * queries: −1 of a tensor of keys, which all queries of its head see. */
typedef struct place {
    int64_t row, head, own, column;
} place;

static place place_of(const tn_attention_rows *a, bool of_keys, bool sums, size_t i) {
    int64_t Hkv = tn_attention_kv_heads(a), H = of_keys ? Hkv : a->H, wide = sums ? 1 : a->Dh;
    int64_t h = (int64_t)i / wide % H;
    return (place){.row = (int64_t)i / wide / H,
                   .head = of_keys ? h : h / (a->H / Hkv),
                   .own = of_keys ? -1 : h,
                   .column = (int64_t)i % wide};
}

static bool sees(const tn_shape *s, int pass, const tn_tensor *t, int out, size_t o, int in, size_t i) {
    tn_tensor *l = (tn_tensor *)t + (pass == FORWARD ? F_LISTS : B_LISTS);
    tn_attention_rows a = rows_of(s, l);
    bool of_keys = pass == FORWARD ? in != F_Q : in == B_K || in == B_V;
    bool to_keys = pass == BACKWARD && out != B_DQ, sums = pass == FORWARD && out == F_LSE;
    place from = place_of(&a, of_keys, pass == BACKWARD && in == B_LSE, i), to = {0};
    if (out == TN_ANY_OUTPUT)
        return of_keys ? key_is_seen(&a, from.row) : row_sees(&a, from.row);
    to = place_of(&a, to_keys, sums, o);
    if (from.head != to.head || (from.own != to.own && !of_keys && !to_keys))
        return false;
    if (pass == FORWARD)
        return in == F_Q   ? from.row == to.row
               : in == F_K ? pair_sees(&a, to.row, from.row)
                           : !sums && from.column == to.column && pair_sees(&a, to.row, from.row);
    if (out == B_DQ)
        return of_keys ? pair_sees(&a, to.row, from.row) : from.row == to.row && row_sees(&a, from.row);
    if (out == B_DV && (in == B_V || in == B_O || (in == B_DO && from.column != to.column)))
        return false;
    return of_keys ? from.row == to.row : pair_sees(&a, from.row, to.row);
}

/* Σ over listed rows of the keys that causality and the window leave; `least` counts the rest of the mask. */
static double pairs(const tn_shape *s) {
    double sum = 0;
    int64_t R = s->v[DIM_R] * queries(s), T = s->v[DIM_T], window = s->v[DIM_WINDOW];
    int32_t *rows = malloc((size_t)(R ? R : 1) * sizeof *rows);
    if (!rows)
        return 0;
    plan(s, rows, NULL, NULL);
    for (int64_t r = 0; r < R; r++) {
        int64_t seen = rows[r] % T + 1;
        sum += (double)(window > 0 && window < seen ? window : seen);
    }
    free(rows);
    return sum;
}

/* forward: q·k and p·v; backward: q·k again, do·v, and three sums. The exponentials are not counted. */
static double flops(const tn_shape *s, int pass) {
    return pairs(s) * (double)(s->v[DIM_H] * s->v[DIM_DH]) * (pass == FORWARD ? 4 : 10);
}

static double bytes(const tn_shape *s, int pass) {
    double D = (double)(s->v[DIM_H] * s->v[DIM_DH]), R = (double)(s->v[DIM_R] * queries(s));
    double keys = (double)(plan(s, NULL, NULL, NULL) * kv_heads(s) * s->v[DIM_DH]);
    return 4 * (pass == FORWARD ? 2 * D * R + 2 * keys : 4 * D * R + 4 * keys);
}

/* First key that position t of sequence b sees; past t where it sees none. A segment is taken for the run of
 * equal ids that ends at t. */
static int64_t first_key(const tn_attention_rows *a, int64_t b, int64_t t, const int32_t *run_start) {
    int64_t first = a->window > 0 && t - a->window + 1 > 0 ? t - a->window + 1 : 0;
    if (a->lengths && t >= a->lengths[b])
        return t + 1;
    return run_start && run_start[b * a->T + t] > first ? run_start[b * a->T + t] : first;
}

/* What the mask leaves: pairs of a row and a key that it sees, rows that see any, keys that any sees. */
static void count_seen(const tn_attention_rows *a, const int32_t *run_start, double *pairs, double *rows,
                       double *keys) {
    *pairs = *rows = *keys = 0;
    for (int64_t b = 0; b < a->B; b++) {
        int64_t counted = 0; /* keys below it */
        for (int64_t r = a->q_start[b]; r < a->q_start[b + 1]; r++) {
            int64_t t = a->rows[r] - b * a->T, first = first_key(a, b, t, run_start);
            *pairs += (double)(t + 1 - first);
            *rows += first <= t;
            first = first > counted ? first : counted;
            *keys += first <= t ? (double)(t + 1 - first) : 0;
            counted = first <= t ? t + 1 : counted;
        }
    }
}

/* Queries without a key and keys without a query need not be read; outputs are written all the same. */
static void least(const tn_shape *s, int pass, const tn_tensor *t, double *flops, double *bytes) {
    const tn_tensor *l = t + (pass == FORWARD ? F_LISTS : B_LISTS);
    tn_attention_rows a = rows_of(s, l);
    double D = (double)(a.H * a.Dh), R = (double)l[L_ROWS].count, seen, rows, keys, all = a.kv_start[a.B];
    double D_kv = (double)(tn_attention_kv_heads(&a) * a.Dh);
    int32_t *run_start = a.segments ? malloc(l[L_SEGMENTS].count * sizeof *run_start) : NULL;
    for (int64_t n = 0; run_start && n < (int64_t)l[L_SEGMENTS].count; n++) {
        bool same = n % a.T > 0 && a.segments[n] == a.segments[n - 1];
        run_start[n] = same ? run_start[n - 1] : (int32_t)(n % a.T);
    }
    count_seen(&a, run_start, &seen, &rows, &keys);
    *flops = seen * D * (pass == FORWARD ? 4 : 10);
    *bytes = 4 * (pass == FORWARD ? D * (rows + R) + 2 * D_kv * keys
                                  : D * (3 * rows + R) + 2 * D_kv * (keys + all));
    free(run_start);
}

static const char *const dims[] = {"B", "T", "H", "Dh", "R", "window", "masks", "seed", "Hkv", NULL};
static const char *const passes[] = {"forward", "backward", NULL};

const tn_case tn_case_flash_attention = {.op = "flash_attention",
                                         .dims = dims,
                                         .optional = DIM_HKV,
                                         .passes = passes,
                                         .draw = draw,
                                         .check = check,
                                         .tensors = tensors,
                                         .fill = fill,
                                         .run = run,
                                         .reference = reference,
                                         .element = element,
                                         .sees = sees,
                                         .flops = flops,
                                         .bytes = bytes,
                                         .least = least,
                                         .has_gradient = true};
