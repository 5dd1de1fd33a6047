/* The shapes to time, embedded at build time from bench/shapes/<op>.txt: one a line, # begins a comment, the
 * model's own first. */
#ifndef TN_SHAPES_H
#define TN_SHAPES_H

#include "case.h"

enum { TN_SHAPES_MAX = 64 };

/* At most TN_SHAPES_MAX shapes. TN_ERR_INPUT naming the line that is wrong. */
tn_status tn_shapes_of(tn_context *ctx, const tn_case *c, tn_shape *out, int *count);
/* A shape that somebody asks for: what the text leaves out is as in the first shape of the op. TN_ERR_ARG. */
tn_status tn_shape_asked(tn_context *ctx, const tn_case *c, const char *text, tn_shape *out);
/* The same of bench/peers/<op>.txt: what is compared with other implementations. None where there is no file.
 */
tn_status tn_peer_shapes_of(tn_context *ctx, const tn_case *c, tn_shape *out, int *count);

#endif
