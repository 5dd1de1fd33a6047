/* Decoding: a model with what it has read of some sequences so far, a token of each at a time.
 *
 * Of a sequence a state keeps, in each layer, the last rows of the mixer's input, for the convolution and for
 * keys that are not made yet, and where it has attention keys and values of all positions. A token that is
 * not routed reads none of these but the convolution's: its cost does not depend on how long the sequence is.
 * Logits are those of tn_model_forward at the same position to 1e-5 (sums are in another order), and the
 * decisions its decisions. A model that is told of repeats has its tokens on the host too, and what they
 * repeat is found there. Routing by capacity ranks a whole sequence, which a token at a time cannot:
 * TN_ERR_ARG. */
#ifndef TN_DECODE_H
#define TN_DECODE_H

#include "control.h"
#include "model.h"

typedef struct tn_decoder tn_decoder;

/* Device memory of a state of `slots` sequences of up to `positions` positions, in bytes. */
double tn_decoder_bytes_of(const tn_model_config *c, int64_t slots, int64_t positions);
/* TN_ERR_ARG where the model cannot be decoded, or `slots` × `positions` are more than kernels count;
 * TN_ERR_MEMORY with the bytes it would take where they are more than the device has. Allocates nothing. */
tn_status tn_decoder_check(const tn_model *m, int64_t slots, int64_t positions);

/* All sequences empty, with room for `positions` of each: it doubles when one grows past it. */
tn_status tn_decoder_create(tn_model *m /* borrowed */, int64_t slots, int64_t positions, tn_decoder **out);
void tn_decoder_destroy(tn_decoder *d); /* NULL is fine */

int64_t tn_decoder_length(const tn_decoder *d, int64_t slot); /* tokens read */
int64_t tn_decoder_capacity(const tn_decoder *d);             /* positions that there is room for */
double tn_decoder_bytes(const tn_decoder *d);                 /* device memory of the state as it is */
/* Launches of kernels that the next step of `rows` sequences takes. */
tn_status tn_decoder_launches(tn_decoder *d, int64_t rows, int64_t *out);

/* What a prompt, or a step, is given in one layer for positions rows->first … + rows->count − 1 of a sequence
 * (rows->codes is not read): masks of random and periodic, of the oracle the caller's own;
 * TN_DECODE_STEP_ROUTER in all other layers, where a router, or match:n by the tokens, or nothing decides.
 * given: [rows->count] */
void tn_decoder_given(const tn_model_config *c, const tn_control_rows *rows, int64_t layer, uint8_t *given);

/* Reads `count` tokens into a sequence, behind what it has: the forward pass of many rows at once, whatever
 * the pieces are that a prompt comes in. given: u8 [layers,count], masks of controls (tn_decoder_given); NULL
 * where no layer has one. logits (host, [V]): of the last token, NULL where not wanted; routes (host, u8
 * [layers,count]) likewise. Ctrl-C ends it between layers of a piece: TN_ERR_INTERRUPTED; the sequence then
 * has the whole pieces that were read. */
tn_status tn_decoder_prefill(tn_decoder *d, int64_t slot, const int32_t *tokens, int64_t count,
                             const uint8_t *given, float *logits, uint8_t *routes);

/* `count` steps, one behind the other, with a token in each of each of `rows` sequences: known tokens, or one
 * step where each token depends on the logits before it. Queued; nothing waits for the device. */
typedef struct tn_decoder_steps {
    int64_t count, rows;
    const int64_t *slots;  /* [rows], each once */
    const int32_t *tokens; /* [count,rows] */
    const uint8_t *given;  /* u8 [count,layers,rows]: masks of controls; in layers with a router, decisions
                              in its place; TN_DECODE_STEP_ROUTER leaves one to the router. NULL: all. Where
                              tokens decide, match:n, it is not read */
} tn_decoder_steps;
tn_status tn_decoder_step(tn_decoder *d, const tn_decoder_steps *s);
/* What the last call of tn_decoder_step left: waits for it. Either may be NULL. */
tn_status tn_decoder_read(tn_decoder *d, float *logits /* [count,rows,V] */,
                          uint8_t *routes /* [count,layers,rows] */);

/* The sequence is as it was when it had `length` tokens. That can be a few tokens back
 * (tn_decoder_reach of them), or none at all; further back TN_ERR_ARG: copy a sequence where it shall branch.
 */
tn_status tn_decoder_cut(tn_decoder *d, int64_t slot, int64_t length);
int64_t tn_decoder_reach(const tn_decoder *d);
/* Sequence `to` becomes what `from` is; its own tokens are lost. */
tn_status tn_decoder_copy(tn_decoder *d, int64_t to, int64_t from);

#endif
