/* safetensors files (huggingface.co/docs/safetensors): 8 bytes of header length, a JSON header, then raw
 * little-endian data. Written whole or not at all; read strictly: anything that is not a complete, consistent
 * file is TN_ERR_INPUT. */
#ifndef TN_SAFETENSORS_H
#define TN_SAFETENSORS_H

#include "context.h"

enum { TN_ST_RANK = 4, TN_ST_NAME = 96 };

typedef struct tn_st_tensor {
    char name[TN_ST_NAME];
    char dtype[8]; /* "F32", "I32", "I64", "U8" */
    int rank;
    int64_t dims[TN_ST_RANK];
    const void *data; /* borrowed; of a file that was read: aligned for every type */
    size_t bytes;
} tn_st_tensor;

typedef struct tn_st_pair {
    const char *key, *value;
} tn_st_pair;

/* `meta` becomes __metadata__. Tensors lie in the order given. */
tn_status tn_safetensors_write(tn_context *ctx, const char *path, const tn_st_pair *meta, int meta_count,
                               const tn_st_tensor *tensors, int count);

typedef struct tn_safetensors {
    char *bytes; /* the file, or its data moved to where it is aligned */
    tn_st_tensor *tensors;
    int count;
    char **keys, **values; /* of __metadata__ */
    int meta_count;
} tn_safetensors;

tn_status tn_safetensors_read(tn_context *ctx, const char *path, tn_safetensors *out);
void tn_safetensors_free(tn_context *ctx, tn_safetensors *file);
const tn_st_tensor *tn_safetensors_find(const tn_safetensors *file, const char *name); /* NULL when absent */
const char *tn_safetensors_meta(const tn_safetensors *file, const char *key);          /* NULL when absent */

#endif
