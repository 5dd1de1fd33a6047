/* Inside host/model: activations of a pass and the list of routed rows of each layer. */
#ifndef TN_WORKSPACE_H
#define TN_WORKSPACE_H

#include "match.h"
#include "model.h"
#include "partial_sums.h"

/* One layer's activations. N = B·T rows, R rows that took the global track, P = rows of k and v. [N,D] unless
 * noted. */
typedef struct tn_layer_state {
    tn_buffer *u1, *rstd1 /* [N] */, *s /* where conv_track is not whole */, *c;
    tn_buffer *p /* [N] */, *h /* u8 [N]; both borrowed, of the layer's decisions */;
    tn_buffer *rows /* i32 [N] */, *slot /* i32 [N] */, *bounds /* start [B+1], then last [B], aligned */;
    tn_buffer *start /* view of bounds */, *last /* view of bounds */;
    tn_buffer *kv_start /* i32 [B+1] */, *kv_rows /* i32 [P] */;
    tn_buffer *uq /* [R,D] */, *ukv /* [P,D] */, *q /* [R,D] */, *k, *v /* [P,G·Dh] */, *a /* [R,D] */,
        *lse /* [R,H] */, *o;
    /* absorbed; q and a are [R,H·D] then */
    tn_buffer *query_rows /* i32 [R·H] */, *query_start /* i32 [B+1] */;
    tn_buffer *mid, *u2, *rstd2 /* [N] */, *up, *act /* [N,F] */, *out;
    int64_t R, P, max_rows; /* of the last pass; the most there can be where the device alone knows: */
    const tn_buffer *rows_count, *keys_count; /* i32 [1]: R and P, of the layer's decisions; NULL: known */
    int64_t counted[2];                       /* R and P as tn_mixer_count has read them, or −1 */
    int64_t block;    /* routing was rounded to blocks of so many positions; 1: not at all */
    bool dense;       /* all rows took the global track: lists are the workspace's constant ones */
    bool kv_gathered; /* ukv holds gathered rows; else k and v rows are a prefix of u1's rows */
    bool absorbed;    /* keys and values are rows of u; see attention_absorb.h */
} tn_layer_state;

/* What a layer's router decided; views that outlive the layer, for a pass is read back as a whole. */
typedef struct tn_decisions {
    tn_buffer *h /* u8 [N] */, *p /* [N] */, *rows_count, *keys_count /* i32 [1] */;
    int64_t R, P; /* of the last pass; −1 until they are read, where the device alone knows */
    bool absorbed;
} tn_decisions;

struct tn_workspace {
    tn_model *m;  /* borrowed */
    int64_t B, T; /* capacity */
    int state_count;
    tn_layer_state *states;                 /* one a layer in training, else one for all */
    tn_decisions *decisions;                /* [layers] */
    int64_t *routed;                        /* [layers] */
    tn_buffer *h_all, *p_all, *counts_all;  /* what decisions are views of, a layer behind the other */
    int32_t *bounds_host;                   /* start [B+1], padding, last [B] */
    int32_t *kv_start_host;                 /* [B+1] */
    int32_t *kv_rows_host;                  /* [B·T] */
    uint8_t *mask_host;                     /* [B,T] */
    int32_t *order_host, *token_start_host; /* embedding index, training only */
    tn_match match;                         /* of models with `match`, */
    int32_t *codes_host;                    /* [B·T] and what it has found */
    tn_buffer *tokens, *codes, *iota /* i32 [N] */, *dense_start /* i32 [B+1] */;
    tn_buffer *x0, *label_rows, *labels, *xl /* [L,D] */, *ul /* [L,D] */, *rstdl, *logits /* [L,V] */;
    tn_buffer *loss, *lse, *predicted; /* [L] */
    /* gradients, shared by all layers */
    tn_buffer *dx, *dmid, *du, *dc, *do_, *da, *dq, *dk, *dv, *duq, *dukv, *ds, *dg, *dul, *dxl, *dmq, *dmo;
    tn_buffer *order, *token_start;
    tn_partial_sums *sums; /* gradients of weights that wait, training only */
    bool inspect;          /* a forward pass fails at the first tensor that is not finite */
    double piece_work; /* multiply-adds after which the device is waited for: TN_PIECE_WORK, but in tests */
    double queued;     /* multiply-adds since the device was last waited for, inference only */
    double waited;     /* clock when that began */
    double told;       /* clock of the last word about a long pass */
    tn_buffer *piece_start /* i32 [2] */;
};

enum { TN_PIECE_ROWS = 1024 }; /* of a list that is taken in pieces: a multiple of so many rows */
/* What may be queued before the device is waited for: a second of a small one's time. */
#define TN_PIECE_WORK 2e10
/* Between pieces of a pass, `work` multiply-adds behind it: in a model for inference Ctrl-C ends the pass
 * here, TN_ERR_INTERRUPTED; in training nothing happens, a step is whole. */
tn_status tn_workspace_pause(tn_workspace *ws, double work);

/* What a forward pass has just left, where ws->inspect is set: TN_ERR_CHECK with the first tensor that is not
 * finite. */
tn_status tn_inspect_embedding(tn_workspace *ws, const tn_input *in);
tn_status tn_inspect_layer(tn_workspace *ws, const tn_input *in, int64_t layer);
tn_status tn_inspect_logits(tn_workspace *ws, const tn_input *in);
tn_status tn_inspect_loss(tn_workspace *ws, const tn_input *in);

/* Room for the decisions of all layers, p where there are routers. */
tn_status tn_decisions_make(tn_workspace *ws);
void tn_decisions_free(tn_workspace *ws);
/* The counts of the layers of the last pass that the device alone knows. */
tn_status tn_decisions_count(tn_workspace *ws);

/* Makes `*buf` at least `bytes` long; contents are lost when it grows. */
tn_status tn_workspace_need(tn_workspace *ws, tn_buffer **buf, size_t bytes);
tn_status tn_workspace_floats(tn_workspace *ws, tn_buffer **buf, int64_t rows, int64_t columns);
tn_layer_state *tn_workspace_state(tn_workspace *ws, int64_t layer);

/* out = W_o · attention of the R listed rows (+ add). */
tn_status tn_global_forward(tn_workspace *ws, const tn_input *in, int64_t layer, tn_buffer *out,
                            const tn_buffer *add);
/* What that is made of: rows of u1 for queries, keys and values, where they are not u1 itself; q, k and v, or
 * only q where the weights are absorbed; attention; W_o. */
tn_status tn_global_gather(tn_workspace *ws, const tn_input *in, int64_t layer);
tn_status tn_global_project(tn_workspace *ws, const tn_input *in, int64_t layer);
tn_status tn_global_attend(tn_workspace *ws, const tn_input *in, int64_t layer);
tn_status tn_global_output(tn_workspace *ws, int64_t layer, tn_buffer *out, const tn_buffer *add);
/* Gradients of the global track from do_ [R,D]; what reaches u1 is added to du, or written where du is empty.
 */
tn_status tn_global_backward(tn_workspace *ws, const tn_input *in, int64_t layer, tn_buffer *du,
                             const tn_buffer *do_, bool du_empty);
/* What is known of a layer's routing before its router has run: whether all rows take the global track. */
tn_status tn_route_begin(tn_workspace *ws, const tn_input *in, tn_gate gate, int64_t layer);
/* Routed rows of a layer: decisions → list, read back, and the plan of k and v rows. */
tn_status tn_route_plan(tn_workspace *ws, const tn_input *in, int64_t layer);
/* Whether a layer's pass leaves the number of its routed rows to the device: as TURNOUT_COUNT says, and where
 * all kernels that work from the list can (route_counts.c). */
tn_status tn_route_counts(tn_workspace *ws, const tn_input *in, int64_t layer, bool *counts);
/* Its two halves for a compacted pass: h by capacity or the control, by threshold it is there already; the
 * list and the plan. */
tn_status tn_route_decide(tn_workspace *ws, const tn_input *in, int64_t layer);
tn_status tn_route_list(tn_workspace *ws, const tn_input *in, int64_t layer);

#endif
