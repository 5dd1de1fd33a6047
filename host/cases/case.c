/* The registry of cases, shapes as text, and problems: host and device side of one case, ready to run. */
#include "case.h"

#include "pairs.h"
#include "quirks.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define TN_OP(name) extern const tn_case tn_case_##name;
#include "op_list.def"
#undef TN_OP

const tn_case *const tn_cases[] = {
#define TN_OP(name) &tn_case_##name,
#include "op_list.def"
#undef TN_OP
};
const int tn_case_count = (int)(sizeof tn_cases / sizeof tn_cases[0]);

const tn_case *tn_case_find(const char *op) {
    for (int i = 0; i < tn_case_count; i++)
        if (strcmp(tn_cases[i]->op, op) == 0)
            return tn_cases[i];
    return NULL;
}

int tn_case_pass(const tn_case *c, const char *pass) {
    for (int i = 0; c->passes[i]; i++)
        if (strcmp(c->passes[i], pass) == 0)
            return i;
    return -1;
}

/* Into `shape`; `seen` says of each dimension whether the text has it. */
static tn_status shape_read(tn_context *ctx, const tn_case *c, const char *text, tn_shape *shape,
                            bool seen[TN_CASE_DIMS]) {
    tn_pair_field fields[TN_CASE_DIMS];
    char what[80];
    size_t count = 0;
    for (; c->dims[count]; count++)
        fields[count] =
            (tn_pair_field){.name = c->dims[count], .whole = &shape->v[count], .low = 0, .high = INT32_MAX};
    snprintf(what, sizeof what, "shape of %s", c->op);
    TN_TRY(tn_pairs_read(ctx, what, text, fields, count));
    for (size_t i = 0; i < count; i++)
        seen[i] = fields[i].seen;
    return TN_OK;
}

bool tn_case_is_optional(const tn_case *c, int dim) {
    return c->optional > 0 && dim >= c->optional;
}

tn_status tn_shape_parse(tn_context *ctx, const tn_case *c, const char *text, tn_shape *shape) {
    bool seen[TN_CASE_DIMS] = {false};
    *shape = (tn_shape){0};
    TN_TRY(shape_read(ctx, c, text, shape, seen));
    for (int i = 0; c->dims[i]; i++)
        if (!seen[i] && !tn_case_is_optional(c, i))
            return tn_fail(ctx, TN_ERR_ARG, "shape '%s' of %s: its dimension %s is missing", text, c->op,
                           c->dims[i]);
    return c->check ? c->check(ctx, shape) : TN_OK;
}

tn_status tn_shape_complete(tn_context *ctx, const tn_case *c, const char *text, const tn_shape *base,
                            tn_shape *shape) {
    bool seen[TN_CASE_DIMS] = {false};
    char rest[256] = "";
    size_t used = 0;
    *shape = *base;
    TN_TRY(shape_read(ctx, c, text, shape, seen));
    if (!c->check || c->check(ctx, shape) == TN_OK)
        return TN_OK;
    for (int i = 0; c->dims[i] && used < sizeof rest; i++)
        if (!seen[i])
            used += (size_t)snprintf(rest + used, sizeof rest - used, "%s%s=%lld", used ? "," : "",
                                     c->dims[i], (long long)base->v[i]);
    return rest[0]
               ? tn_fail_prefix(ctx, "shape '%s' of %s, with %s for what it leaves out", text, c->op, rest)
               : ctx->status;
}

void tn_shape_print(const tn_case *c, const tn_shape *shape, char *text, size_t size) {
    size_t used = 0;
    text[0] = '\0';
    for (int i = 0; c->dims[i] && used < size; i++)
        if (shape->v[i] != 0 || !tn_case_is_optional(c, i))
            used += (size_t)snprintf(text + used, size - used, "%s%s=%lld", i ? "," : "", c->dims[i],
                                     (long long)shape->v[i]);
}

double tn_case_work(const tn_case *c, const tn_shape *shape, int pass) {
    return c->flops(shape, pass) + c->bytes(shape, pass) / 4;
}

void tn_problem_least(const tn_problem *p, double *flops, double *bytes) {
    bool any = false;
    for (int i = 0; i < p->tensor_count; i++)
        any =
            any || (p->tensors[i].count > 0 && p->tensors[i].role != TN_IN && p->tensors[i].role != TN_WORK);
    *flops = any ? p->c->flops(&p->shape, p->pass) : 0;
    *bytes = any ? p->c->bytes(&p->shape, p->pass) : 0;
    if (any && p->c->least)
        p->c->least(&p->shape, p->pass, p->tensors, flops, bytes);
}

double tn_case_rms(const double *values, size_t count) {
    double sum = 0;
    for (size_t i = 0; i < count; i++)
        sum += values[i] * values[i];
    return count ? sqrt(sum / (double)count) : 0;
}

static size_t element_size(const tn_tensor *t) {
    return t->type == TN_U8 ? 1 : 4;
}

enum { CANARY_BYTES = 256 };
static const uint32_t poison = 0x7fc0dead; /* a quiet NaN with a face */
static const unsigned char canary = 0xA5;

static bool exact_buffers(const tn_device *dev) {
    return (tn_device_get_info(dev)->quirks & TN_QUIRK_CHECKS_BOUNDS) != 0;
}

static tn_status device_side(tn_problem *p, int i) {
    tn_tensor *t = &p->tensors[i];
    size_t bytes = t->count * element_size(t);
    if (exact_buffers(p->dev))
        return tn_buffer_create(p->dev, bytes, &t->buffer);
    size_t front = tn_buffer_align(p->dev);
    TN_TRY(tn_buffer_create(p->dev, front + bytes + CANARY_BYTES, &p->parents[i]));
    return tn_buffer_view(p->parents[i], front, bytes, &t->buffer);
}

/* Before anything is made for them: what an op cannot take is said at once. */
static tn_status sizes_check(tn_context *ctx, const tn_problem *p) {
    for (int i = 0; i < p->tensor_count; i++) {
        char what[64];
        snprintf(what, sizeof what, "%s: %s", p->c->op, p->tensors[i].name);
        TN_TRY(tn_elements_check(ctx, what, (int64_t)p->tensors[i].count, 1));
    }
    return TN_OK;
}

/* Drawing a value takes longer than most kernels take with it, so a large tensor repeats its first ones: a
 * prime number of them, which no stride of rows or tiles is a multiple of. */
enum { DRAWN = 262139 };

static tn_status host_side(tn_context *ctx, tn_problem *p, int i, tn_rng *rng) {
    tn_tensor *t = &p->tensors[i];
    if (t->type == TN_F32) {
        TN_TRY(tn_alloc(ctx, t->count, sizeof(double), &t->f64));
        for (size_t k = 0; !tn_role_is_written(t->role) && k < t->count; k++)
            t->f64[k] = k < DRAWN ? tn_rng_normal(rng) : t->f64[k - DRAWN];
        return TN_OK;
    }
    return tn_alloc(ctx, t->count, sizeof(int32_t), &t->i32);
}

static tn_status keep_initial(tn_context *ctx, tn_problem *p, int i) {
    tn_tensor *t = &p->tensors[i];
    if (t->role != TN_INOUT)
        return TN_OK;
    size_t size = t->type == TN_F32 ? sizeof(double) : sizeof(int32_t);
    TN_TRY(tn_alloc(ctx, t->count, size, &p->initial[i]));
    memcpy(p->initial[i], t->type == TN_F32 ? (void *)t->f64 : (void *)t->i32, t->count * size);
    return TN_OK;
}

tn_status tn_problem_make(tn_context *ctx, tn_device *dev, const tn_case *c, int pass, const tn_shape *shape,
                          uint64_t seed, tn_problem *out) {
    *out = (tn_problem){.c = c, .shape = *shape, .pass = pass, .dev = dev};
    tn_rng rng = tn_rng_make(seed, TN_RNG_MEASURE, (uint64_t)pass);
    tn_status status = TN_OK;
    out->tensor_count = c->tensors(shape, pass, out->tensors);
    TN_GO(sizes_check(ctx, out));
    for (int i = 0; i < out->tensor_count; i++)
        if (out->tensors[i].count > 0)
            TN_GO(host_side(ctx, out, i, &rng));
    if (c->fill)
        c->fill(&rng, shape, pass, out->tensors);
    for (int i = 0; i < out->tensor_count; i++) {
        tn_tensor *t = &out->tensors[i];
        if (t->count == 0)
            continue;
        for (size_t k = 0; t->f64 && !tn_role_is_written(t->role) && k < t->count; k++)
            t->f64[k] = (double)(float)t->f64[k];
        TN_GO(keep_initial(ctx, out, i));
        if (dev)
            TN_GO(device_side(out, i));
    }
cleanup:
    if (status != TN_OK)
        tn_problem_free(ctx, out);
    return status;
}

void tn_problem_free(tn_context *ctx, tn_problem *p) {
    for (int i = 0; i < p->tensor_count; i++) {
        tn_buffer_destroy(p->tensors[i].buffer);
        tn_buffer_destroy(p->parents[i]);
        tn_free(ctx, p->tensors[i].f64);
        tn_free(ctx, p->tensors[i].i32);
        tn_free(ctx, p->initial[i]);
    }
    *p = (tn_problem){0};
}

/* Elements of a tensor that go over at a time: a large one as a whole would be a page fault every few of
 * them.
 */
enum { CHUNK = 1 << 18 };

/* Device bytes of `count` elements from `from` on, as a run finds them: floats of the doubles, bytes of the
 * u8 ints; poison where only the run writes. */
static void encode(const tn_problem *p, int i, size_t from, size_t count, unsigned char *bytes) {
    const tn_tensor *t = &p->tensors[i];
    const double *f64 = t->role == TN_INOUT ? p->initial[i] : t->f64;
    const int32_t *i32 = t->role == TN_INOUT && t->type != TN_F32 ? p->initial[i] : t->i32;
    bool written = tn_role_is_written(t->role);
    for (size_t k = 0; t->type == TN_F32 && k < count; k++) {
        float f = (float)f64[from + k];
        memcpy(bytes + 4 * k, written ? (const void *)&poison : &f, 4);
    }
    if (t->type != TN_F32 && written)
        memset(bytes, canary, count * element_size(t));
    for (size_t k = 0; t->type == TN_U8 && !written && k < count; k++)
        bytes[k] = (unsigned char)i32[from + k];
    if (t->type == TN_I32 && !written)
        memcpy(bytes, i32 + from, 4 * count);
}

typedef tn_status (*chunk_take)(tn_problem *p, int i, size_t from, size_t count, unsigned char *room);

/* Calls `take` for one chunk of tensor i after the other; the room is for twice the bytes of a chunk. */
static tn_status each_chunk(tn_problem *p, int i, chunk_take take) {
    tn_context *ctx = tn_device_context(p->dev);
    unsigned char *room;
    size_t count = p->tensors[i].count;
    tn_status status = TN_OK;
    TN_TRY(tn_alloc(ctx, 2 * 4 * (size_t)CHUNK, 1, &room));
    for (size_t from = 0; from < count && status == TN_OK; from += CHUNK)
        status = take(p, i, from, count - from < CHUNK ? count - from : CHUNK, room);
    tn_free(ctx, room);
    return status;
}

static tn_status upload_chunk(tn_problem *p, int i, size_t from, size_t count, unsigned char *room) {
    const tn_tensor *t = &p->tensors[i];
    encode(p, i, from, count, room);
    return tn_buffer_write(t->buffer, from * element_size(t), count * element_size(t), room);
}

static tn_status compare_chunk(tn_problem *p, int i, size_t from, size_t count, unsigned char *room) {
    const tn_tensor *t = &p->tensors[i];
    size_t size = count * element_size(t);
    encode(p, i, from, count, room);
    TN_TRY(tn_buffer_read(t->buffer, from * element_size(t), size, room + size));
    return memcmp(room, room + size, size) == 0 ? TN_OK
                                                : tn_fail(tn_device_context(p->dev), TN_ERR_CHECK,
                                                          "the input %s was changed by the kernel", t->name);
}

tn_status tn_problem_input_same(tn_problem *p, int i) {
    return each_chunk(p, i, compare_chunk);
}

static tn_status tensor_upload(tn_problem *p, int i) {
    tn_tensor *t = &p->tensors[i];
    size_t size = t->count * element_size(t);
    TN_TRY(each_chunk(p, i, upload_chunk));
    if (!p->parents[i])
        return TN_OK;
    unsigned char guard[CANARY_BYTES];
    size_t front = tn_buffer_align(p->dev);
    memset(guard, canary, sizeof guard);
    size_t shown = front < sizeof guard ? front : sizeof guard;
    TN_TRY(tn_buffer_write(p->parents[i], front - shown, shown, guard));
    return tn_buffer_write(p->parents[i], front + size, sizeof guard, guard);
}

tn_status tn_problem_upload(tn_problem *p) {
    for (int i = 0; i < p->tensor_count; i++)
        if (p->tensors[i].count > 0)
            TN_TRY(tensor_upload(p, i));
    return TN_OK;
}

tn_status tn_problem_upload_written(tn_problem *p) {
    for (int i = 0; i < p->tensor_count; i++)
        if (p->tensors[i].count > 0 && p->tensors[i].role != TN_IN)
            TN_TRY(tensor_upload(p, i));
    return TN_OK;
}

tn_status tn_problem_canaries(tn_problem *p) {
    for (int i = 0; i < p->tensor_count; i++) {
        const tn_tensor *t = &p->tensors[i];
        if (!p->parents[i])
            continue;
        unsigned char guard[2 * CANARY_BYTES];
        size_t front = tn_buffer_align(p->dev), size = t->count * element_size(t);
        size_t shown = front < CANARY_BYTES ? front : CANARY_BYTES;
        TN_TRY(tn_buffer_read(p->parents[i], front - shown, shown, guard));
        TN_TRY(tn_buffer_read(p->parents[i], front + size, CANARY_BYTES, guard + shown));
        for (size_t k = 0; k < shown + CANARY_BYTES; k++)
            if (guard[k] != canary)
                return tn_fail(tn_device_context(p->dev), TN_ERR_CHECK, "tensor %s was written %s its bounds",
                               t->name, k < shown ? "before" : "past");
    }
    return TN_OK;
}

tn_status tn_problem_read(tn_problem *p, int i, unsigned char *bytes) {
    const tn_tensor *t = &p->tensors[i];
    return tn_buffer_read(t->buffer, 0, t->count * element_size(t), bytes);
}
