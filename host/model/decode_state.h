/* Inside host/model: what decode.c, decode_state.c, decode_past.c and decode_prefill.c know of a decoder. */
#ifndef TN_DECODE_STATE_H
#define TN_DECODE_STATE_H

#include "decode.h"
#include "decode_step.h"
#include "launch.h"
#include "match.h"

/* What a sequence of a model that is told of repeats has read: on the host. */
typedef struct tn_decoder_past {
    int32_t *tokens;
    size_t room; /* for tokens */
    tn_match match;
} tn_decoder_past;

/* Activations of the piece of a prompt that is being read, [rows,D] unless noted. */
typedef struct tn_decoder_rows {
    tn_buffer *tokens /* i32 */, *codes /* i32 */, *x, *u, *rstd,
        *reach /* of u, with rows before the piece in front */, *s, *conv /* silu(dwconv(u)) of reach */,
        *mid, *p, *h /* u8 */, *list /* i32 */, *uq, *q, *a, *lse, *o,
        *waiting /* of u, whose keys are made */, *k, *v /* [..,width] */, *positions /* i32, of those */,
        *starts /* i32 [4] */, *u2, *rstd2, *act /* [..,F] */, *out, *last /* [1,D] */, *normed, *logits;
    int64_t rows;        /* there is room for; 0: nothing is there */
    uint8_t *h_host;     /* [rows] */
    int32_t *int_host;   /* [rows + ring_rows] */
    int32_t *codes_host; /* [rows] */
} tn_decoder_rows;

struct tn_decoder {
    tn_model *m;                         /* borrowed */
    int64_t slots, capacity;             /* sequences; positions */
    int64_t width, ring_rows;            /* of keys and values, 0 without attention; of u that are kept */
    int64_t *lengths;                    /* [slots] */
    tn_decoder_past *past;               /* [slots], NULL for models that are not told of repeats */
    tn_buffer *table;                    /* as decode_step has it */
    tn_buffer *ring, *k, *v, *projected; /* state, as decode_step has it */
    tn_buffer *steps, *given;
    tn_buffer *results, *logits, *routes; /* the last two are views of the first, so one read brings both */
    unsigned char *results_host;
    size_t logits_room, routes_room; /* bytes */
    int32_t *steps_host;             /* [count,4,rows], as decode_step has them */
    uint8_t *given_host;             /* [count,layers,rows] */
    size_t steps_room, given_room;
    int64_t count, rows; /* of the last call of tn_decoder_step */
    double seen, routed; /* decisions of routers and controls that the host has seen, and those to route */
    tn_decoder_rows piece;
};

tn_status tn_decoder_slot_check(const tn_decoder *d, int64_t slot);
/* Of layers that have attention, those before `layer`: the number of its cache. */
int64_t tn_decoder_caches(const tn_model_config *c, int64_t layer);
/* Does a router or a control decide in the layer? */
bool tn_decoder_chooses(const tn_model_config *c, int64_t layer);
/* TN_ERR_ARG where a control needs a mask, by what its caller knows alone, and there is none. */
tn_status tn_decoder_given_check(const tn_decoder *d, const uint8_t *given);
/* The code of a token that a sequence reads at `position`, with all before it known; 0 where the model is not
 * told of repeats. */
tn_status tn_decoder_code(tn_decoder *d, int64_t slot, int64_t position, int32_t token, int32_t *code);
void tn_decoder_past_free(tn_decoder *d);
/* Tokens of `from` become those of `to`. */
tn_status tn_decoder_past_copy(tn_decoder *d, int64_t to, int64_t from);
/* Room for `positions` of each sequence. */
tn_status tn_decoder_reserve(tn_decoder *d, int64_t positions);
void tn_decoder_rows_free(tn_decoder *d);
/* Decisions of layers where rows are chosen that the host has come to see; those that are the router's yet
 * are not counted. */
void tn_decoder_saw(tn_decoder *d, const uint8_t *decisions, int64_t count);

#endif
