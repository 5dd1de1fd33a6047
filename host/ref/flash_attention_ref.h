/* Masked attention on doubles: o = softmax(q·kᵀ/√Dh over allowed positions)·v for the listed query rows. A
 * score past the range of fp32 is infinite: −∞ weighs nothing beside a finite one; +∞, or −∞ alone, gives
 * NaN, and so does a NaN. */
#ifndef TN_FLASH_ATTENTION_REF_H
#define TN_FLASH_ATTENTION_REF_H

#include <stdbool.h>
#include <stdint.h>

typedef struct tn_attention_rows {
    int64_t B, T, H, Dh, window; /* window 0: none */
    int64_t Hkv;                 /* heads of keys and values: head h reads head h / (H/Hkv). 0: H */
    double scale;                /* 0: 1/√Dh */
    const int32_t *rows;         /* [R] b·T + t, ascending, a position as often as it has queries */
    const int32_t *q_start;      /* [B+1] */
    const int32_t *kv_start;     /* [B+1] keys of a sequence are positions 0, 1, … */
    const int32_t *segments;     /* [B,T] or NULL */
    const int32_t *lengths;      /* [B] or NULL */
} tn_attention_rows;

/* Key s may be seen from position t of sequence b: s ≤ t, inside the window, in t's segment, t inside the
 * length. */
bool tn_attention_allowed(const tn_attention_rows *a, int64_t b, int64_t t, int64_t s);
void tn_flash_attention_forward_ref(const tn_attention_rows *a, double *o /* [R,H·Dh] */,
                                    double *lse /* [R,H] */, const double *q /* [R,H·Dh] */, const double *k,
                                    const double *v /* [Rkv,Hkv·Dh] */);
void tn_flash_attention_backward_ref(const tn_attention_rows *a, double *dq, double *dk, double *dv,
                                     const double *dout, const double *q, const double *k, const double *v,
                                     const double *o, const double *lse);

int64_t tn_attention_kv_heads(const tn_attention_rows *a); /* Hkv, at least 1 */

/* One query of sequence b at position t and one head: its o [Dh] and lse; pointers at the row's q and at the
 * head of the sequence's first key. */
void tn_flash_attention_row_ref(const tn_attention_rows *a, int64_t b, int64_t t, double *o, double *lse,
                                const double *q, const double *k, const double *v);
/* The same query's dq [Dh]; what it gives to dk and dv is added there, unless they are NULL. */
void tn_flash_attention_row_backward_ref(const tn_attention_rows *a, int64_t b, int64_t t, double lse,
                                         double *dq, double *dk, double *dv, const double *dout,
                                         const double *q, const double *k, const double *v, const double *o);
/* Column `at` (of Hkv·Dh) of dk, or of dv, of key s of sequence b; whole tensors. */
double tn_flash_attention_key_backward_ref(const tn_attention_rows *a, int64_t b, int64_t s, int64_t at,
                                           bool of_value, const double *dout, const double *q,
                                           const double *k, const double *v, const double *o,
                                           const double *lse);

#endif
