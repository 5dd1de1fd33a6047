/* A tensor of a case, on the host and on the device, and what a run may do with it. */
#ifndef TN_TENSOR_H
#define TN_TENSOR_H

#include "buffer.h"

typedef enum tn_type { TN_F32, TN_I32, TN_U8 } tn_type;

typedef enum tn_role {
    TN_IN,    /* filled, uploaded; must not change */
    TN_OUT,   /* poisoned with NaN (f32) or 0xA5 before the run, compared after */
    TN_INOUT, /* filled and uploaded, changed by the run, compared after */
    TN_WORK   /* poisoned; what the run leaves there, if anything, is its own affair */
} tn_role;

static inline bool tn_role_is_written(tn_role role) {
    return role == TN_OUT || role == TN_WORK; /* holds poison before the run */
}

/* One tensor of a case. The specs give the upper half; the runner makes the lower half. */
typedef struct tn_tensor {
    const char
        *name; /* "x", "dy", … A gradient is called "d" + the name of the forward input it belongs to. */
    tn_type type;
    tn_role role;
    size_t count; /* elements; 0: the tensor is absent (buffer and arrays NULL) */
    double tol; /* OUT, INOUT: allowed |got − want| ≤ tol · (|want| + rms(want)); 0: exact. Ints are always
                   exact */
    double floor; /* OUT, INOUT: allowed on top of that: rounding of terms that cancel, where want may be 0 */

    bool derived; /* IN, INOUT: holds what other inputs give (tn_case.derive); a variant may compute it itself
                   */

    double
        *f64; /* f32 tensors: host values. Inputs hold exact floats; the reference writes its results here */
    int32_t *i32; /* i32 and u8 tensors: host values */
    tn_buffer *buffer;
} tn_tensor;

#endif
