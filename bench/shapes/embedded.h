/* Files of bench/shapes and bench/peers as bytes (kernels/embed.cmake). */
#ifndef TN_EMBEDDED_H
#define TN_EMBEDDED_H

typedef struct tn_shape_file {
    const char *name;           /* "shapes/gemm.txt" */
    const unsigned char *bytes; /* with a NUL behind */
} tn_shape_file;

extern const tn_shape_file tn_shape_files[];
extern const int tn_shape_file_count;

#endif
