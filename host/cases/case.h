/* One descriptor an op: its shapes, data, run, reference, work and tolerance. verify, bench, tune, the fuzz
 * loop and the tests all run these, so an op that has one is checked and timed without another line. */
#ifndef TN_CASE_H
#define TN_CASE_H

#include "ops.h"
#include "poison.h"
#include "rng.h"
#include "tensor.h"

enum { TN_CASE_DIMS = 12, TN_CASE_TENSORS = 24, TN_CASE_PASSES = 4, TN_ANY_OUTPUT = -1 };

/* Values of the case's dims, in the order of tn_case.dims. */
typedef struct tn_shape {
    int64_t v[TN_CASE_DIMS];
} tn_shape;

typedef struct tn_case {
    const char *op;
    const char *const *dims;   /* NULL-terminated names: "B", "T", "D", … */
    int optional;              /* dims from here on may be left out, are 0 then, and not printed; 0: none */
    const char *const *passes; /* NULL-terminated, at most TN_CASE_PASSES: "forward", "backward", … */
    /* A random shape; small, and often an ugly one (1, odd, T < K, nothing, everything). */
    void (*draw)(tn_rng *rng, tn_shape *shape);
    /* TN_ERR_ARG with a sentence when the shape makes no sense. May be NULL. */
    tn_status (*check)(tn_context *ctx, const tn_shape *shape);
    /* Writes the specs of this pass and returns how many (≤ TN_CASE_TENSORS). Buffers are in the order of
     * specs. */
    int (*tensors)(const tn_shape *shape, int pass, tn_tensor *specs);
    /* Optional: f32 inputs already hold normal random floats and ints 0; this sets what must be otherwise
     * (indices, masks, saved activations of a forward pass…). Values put in f64 are rounded to float by the
     * runner afterwards. */
    void (*fill)(tn_rng *rng, const tn_shape *shape, int pass, tn_tensor *t);
    void (*derive)(const tn_shape *shape, int pass, tn_tensor *t); /* writes derived f32 inputs anew */
    tn_status (*run)(tn_device *dev, const tn_shape *shape, int pass, tn_tensor *t);
    void (*reference)(const tn_shape *shape, int pass,
                      tn_tensor *t); /* reads inputs, writes f64/i32 of outputs */
    /* Optional: element k of output t[out] (an int as a double), from the inputs as filled alone. Where the
     * whole reference is too slow this checks a sample of the very shape that is timed. */
    double (*element)(const tn_shape *shape, int pass, const tn_tensor *t, int out, size_t k);
    /* May element o of output `out` depend on element i of input `in` (out TN_ANY_OUTPUT: may any element of
     * any output)? f32 inputs alone are asked for. NULL: everything sees everything. */
    bool (*sees)(const tn_shape *shape, int pass, const tn_tensor *t, int out, size_t o, int in, size_t i);
    double (*flops)(const tn_shape *shape, int pass); /* least floating-point operations */
    double (*bytes)(const tn_shape *shape,
                    int pass); /* least memory traffic: inputs read once, outputs written once */
    /* Optional, where it depends on the values drawn (masks, labels, lists): lowers both to what they leave.
     */
    void (*least)(const tn_shape *shape, int pass, const tn_tensor *t, double *flops, double *bytes);
    /* For finite differences: pass 1 ("backward") inputs named as in pass 0 are inputs of both; output "y" of
     * pass 0 pairs with input "dy" of pass 1; each output "dX" of pass 1 is the gradient of input X. false:
     * no gradient check. */
    bool has_gradient;
    bool (*smooth)(
        const tn_shape *shape); /* NULL: everywhere; else finite differences hold for these shapes only */
} tn_case;

extern const tn_case *const tn_cases[]; /* in order of the list in kernels/CMakeLists.txt */
extern const int tn_case_count;
const tn_case *tn_case_find(const char *op);          /* NULL when unknown */
int tn_case_pass(const tn_case *c, const char *pass); /* −1 when unknown */
bool tn_case_is_optional(const tn_case *c, int dim);

/* "B=2 T=128 D=64" or with commas → shape; every dim must be there once, unless it is optional. TN_ERR_ARG
 * otherwise. */
tn_status tn_shape_parse(tn_context *ctx, const tn_case *c, const char *text, tn_shape *shape);
/* The same, and what is left out is as in `base`. */
tn_status tn_shape_complete(tn_context *ctx, const tn_case *c, const char *text, const tn_shape *base,
                            tn_shape *shape);
void tn_shape_print(const tn_case *c, const tn_shape *shape, char *text, size_t size);

/* Host and device side of one problem, ready to run. */
typedef struct tn_problem {
    const tn_case *c;
    tn_shape shape;
    int pass, tensor_count;
    tn_tensor tensors[TN_CASE_TENSORS];
    tn_device *dev; /* borrowed; NULL: host side only */
    tn_buffer
        *parents[TN_CASE_TENSORS];  /* with guards around each tensor; NULL on devices that check bounds */
    void *initial[TN_CASE_TENSORS]; /* INOUT tensors as filled (double or int32_t) */
    bool has_reference;             /* the host's outputs hold what the reference gives */
} tn_problem;
tn_status tn_problem_make(tn_context *ctx, tn_device *dev, const tn_case *c, int pass, const tn_shape *shape,
                          uint64_t seed, tn_problem *out);
void tn_problem_free(tn_context *ctx, tn_problem *problem);
tn_status tn_problem_upload(tn_problem *problem); /* inputs as filled, outputs poisoned, canaries set */
tn_status tn_problem_upload_written(tn_problem *problem); /* the same, but for inputs that no run changes */
tn_status tn_problem_canaries(
    tn_problem *problem); /* TN_ERR_CHECK when something was written outside a tensor */
tn_status tn_problem_read(tn_problem *problem, int tensor,
                          unsigned char *bytes);                  /* count × 4, or × 1 for u8 */
tn_status tn_problem_input_same(tn_problem *problem, int tensor); /* TN_ERR_CHECK when a run changed it */
/* Runs from fresh inputs and reads every tensor that was written back into `results`, allocated where NULL.
 */
tn_status tn_problem_run(tn_context *ctx, tn_problem *problem, unsigned char **results);
/* Runs once, reads back and holds all outputs against the reference (which it runs the first time).
 * TN_ERR_CHECK with tensor, index, got, want and a line that reproduces it. Also: canaries whole, inputs
 * unchanged, a second run gives the same bits. */
tn_status tn_problem_verify(tn_context *ctx, tn_problem *problem, double *worst);
/* The same within about `patience_s` of the host's time: where the case can name single elements and the
 * whole reference takes longer, every element is looked at for being written and finite, and a sample spread
 * over each output is held against the reference. *sampled says so. */
tn_status tn_problem_verify_within(tn_context *ctx, tn_problem *problem, double patience_s, double *worst,
                                   bool *sampled);
/* Least operations and traffic of a call on the inputs as filled. Nothing where no output has an element. */
void tn_problem_least(const tn_problem *problem, double *flops, double *bytes);
/* Reference gradients against central differences of the reference (doubles). TN_ERR_CHECK when they differ.
 */
tn_status tn_problem_gradient_check(tn_context *ctx, const tn_case *c, const tn_shape *shape, uint64_t seed);

typedef struct tn_verify_result {
    int cases, failed;
    int fitted[TN_CASE_PASSES]; /* shapes that a pass ran on; fewer than cases where a variant is tried */
    double worst;               /* largest error as a share of what is allowed */
    double seconds;
    tn_poison_tally poison;
} tn_verify_result;
/* Random shape number `index` of `seed`: every pass on the device, held to its reference and to the rule of
 * poison.h. Adds to fitted, worst and poison of `out`. Where a variant is tried (tn_variant_try) a pass that
 * it does not fit is left out. */
tn_status tn_verify_passes(tn_device *dev, const tn_case *c, uint64_t seed, int index, tn_verify_result *out);
/* The same, and the gradient check, which is of the reference: once, where variants are tried in turn. */
tn_status tn_verify_case(tn_device *dev, const tn_case *c, uint64_t seed, int index, tn_verify_result *out);
/* `cases` random shapes of every pass of one op. Each failure is a line on stderr; TN_ERR_CHECK at the end if
 * any failed. */
tn_status tn_verify_op(tn_device *dev, const tn_case *c, int cases, uint64_t seed, tn_verify_result *out);

/* What the naive reference has to do: operations, and values touched. */
double tn_case_work(const tn_case *c, const tn_shape *shape, int pass);

double tn_case_rms(const double *values, size_t count);

#endif
