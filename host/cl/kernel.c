/* Programs and kernels: source from the embedded bytes or a folder, built once per op and options, kept by
 * the device. */
#include "internal.h"

#include "file.h"
#include "kernels.h"
#include "quirks.h"
#include "utf8.h"

#include <stdlib.h>
#include <string.h>

void tn_options_int(tn_options *options, const char *name, long value) {
    size_t used = strlen(options->text);
    snprintf(options->text + used, sizeof options->text - used, "%s-D%s=%ld", used ? " " : "", name, value);
}

void tn_options_rows(tn_options *options, int lanes, int stream_least, int64_t rows, int64_t width) {
    const bool whole = width % lanes == 0;
    tn_options_int(options, "LANES", lanes);
    tn_options_int(options, "WHOLE", whole);
    tn_options_int(options, "STREAM",
                   whole && stream_least > 0 && 4.0 * (double)rows * (double)width >= stream_least);
}

void tn_options_vectors(tn_options *options, int lanes, int64_t width) {
    const bool whole = width % lanes == 0;
    tn_options_int(options, "LANES", lanes);
    tn_options_int(options, "WHOLE", whole);
    tn_options_int(options, "ALIGNED", whole && lanes == 4);
}

int tn_row_lanes(const tn_device *dev, int lanes, int64_t width) {
    const int most = tn_device_style(dev) == TN_STYLE_GROUPS ? tn_quads(width) : lanes;
    return lanes < most ? lanes : most;
}

static const tn_kernel_source *embedded(const char *file) {
    for (int i = 0; i < tn_kernel_source_count; i++)
        if (strcmp(tn_kernel_sources[i].name, file) == 0)
            return &tn_kernel_sources[i];
    return NULL;
}

static tn_status append_source(tn_context *ctx, const char *op, const char *folder, char **text,
                               size_t *size) {
    char *path = NULL, *bytes = NULL;
    size_t more = 0;
    const void *from = NULL;
    tn_status status = TN_OK;
    const tn_kernel_source *built_in = embedded(op);
    if (folder && !(built_in && built_in->extra)) {
        char name[80];
        snprintf(name, sizeof name, "%s.cl", built_in ? built_in->path : op);
        TN_GO(tn_path_join(ctx, folder, name, &path));
        status = tn_file_read(ctx, path, &bytes, &more);
        if (status != TN_OK) {
            tn_fail_prefix(ctx, "TURNOUT_KERNELS=%s needs every kernel file", folder);
            goto cleanup;
        }
        from = bytes;
    } else {
        if (!built_in) {
            status = tn_fail(ctx, TN_ERR_ARG, "there is no kernel file for op '%s'", op);
            goto cleanup;
        }
        from = built_in->bytes;
        more = *built_in->size;
    }
    char *grown = realloc(*text, *size + more + 1);
    if (!grown) {
        status = tn_fail(ctx, TN_ERR_MEMORY, "out of host memory for the source of %s", op);
        goto cleanup;
    }
    if (!*text)
        ctx->live++;
    memcpy(grown + *size, from, more);
    *size += more;
    grown[*size] = '\0';
    *text = grown;
cleanup:
    tn_free(ctx, path);
    tn_free(ctx, bytes);
    return status;
}

bool tn_source_is_of(const char *file, const char *op) {
    const tn_kernel_source *built_in = embedded(file);
    if (!built_in || built_in->op)
        return built_in && strcmp(built_in->op, op) == 0;
    return built_in->behind && tn_source_is_of(built_in->behind, op);
}

/* What a file is built behind, then the file. */
static tn_status append_chain(tn_context *ctx, const char *op, const char *folder, char **text,
                              size_t *size) {
    const tn_kernel_source *built_in = embedded(op);
    if (built_in && built_in->behind)
        TN_TRY(append_chain(ctx, built_in->behind, folder, text, size));
    return append_source(ctx, op, folder, text, size);
}

tn_status tn_source_load(tn_context *ctx, const char *op, char **text, size_t *size) {
    const char *folder = getenv("TURNOUT_KERNELS");
    if (folder && !folder[0])
        folder = NULL;
    *text = NULL;
    *size = 0;
    tn_status status = append_chain(ctx, op, folder, text, size);
    if (status != TN_OK) {
        tn_free(ctx, *text);
        *text = NULL;
    }
    return status;
}

/* The build log without what no terminal or table can hold; line breaks stay. Caller frees with free(). */
static char *build_log(const tn_device *dev, cl_program program) {
    size_t size = 0;
    char *log = NULL;
    clGetProgramBuildInfo(program, dev->info.cl_device, CL_PROGRAM_BUILD_LOG, 0, NULL, &size);
    if (!size || (log = calloc(size + 1, 1)) == NULL)
        return NULL;
    clGetProgramBuildInfo(program, dev->info.cl_device, CL_PROGRAM_BUILD_LOG, size, log, NULL);
    char *to = log, *from = log;
    while (*from) {
        size_t length = strcspn(from, "\n");
        char end = from[length];
        from[length] = '\0';
        tn_utf8_clean(from);
        size_t kept = strlen(from);
        memmove(to, from, kept);
        to += kept;
        from += length + (end != '\0');
        *to = end;
        to += end != '\0';
    }
    *to = '\0';
    return log;
}

/* The line of a build log in which the driver says that the device cannot do what the kernel wants, as the
 * compilers of NVIDIA, AMD, Intel, Mesa and PoCL put it; NULL where the kernel itself seems wrong. */
static const char *lacking(char *log) {
    static const char *const phrases[] = {"not supported", "unsupported", "requires ",
                                          "shared data",   "exceeds",     "too many resources"};
    for (char *line = log; line && *line;) {
        char *end = strchr(line, '\n');
        if (end)
            *end = '\0';
        for (size_t i = 0; i < sizeof phrases / sizeof phrases[0]; i++)
            if (strstr(line, "error") && strcasestr(line, phrases[i]))
                return line;
        if (end)
            *end = '\n';
        line = end ? end + 1 : NULL;
    }
    return NULL;
}

static tn_status build_fail(tn_device *dev, const char *op, const char *options, cl_program program,
                            cl_int code) {
    if (tn_device_loses(dev, code))
        return tn_device_fail(dev, code, "building %s.cl with \"%s\"", op, options);
    char *log = build_log(dev, program);
    const char *why;
    tn_status status;
    if (code == CL_COMPILER_NOT_AVAILABLE)
        status = tn_fail(dev->ctx, TN_ERR_UNSUPPORTED, "%s has no kernel compiler", dev->info.name);
    else if (log && (why = lacking(log)) != NULL)
        status = tn_fail(dev->ctx, TN_ERR_UNSUPPORTED, "%s cannot do what %s.cl needs with \"%s\": %s",
                         dev->info.name, op, options, why);
    else
        status = tn_fail(dev->ctx, TN_ERR_DEVICE, "building %s.cl for %s with \"%s\": %s (%d)\n%.3500s", op,
                         dev->info.name, options, tn_cl_error_name(code), code,
                         log && log[0] ? log : "(the driver left no build log)");
    free(log);
    return status;
}

static tn_status program_build(tn_device *dev, const char *op, const char *options, cl_program *out) {
    char *text;
    size_t size;
    tn_context *ctx = dev->ctx;
    cl_program program = NULL;
    TN_TRY(tn_source_load(ctx, op, &text, &size));
    tn_status status = tn_cache_load(dev, text, size, options, &program);
    if (status == TN_OK && !program) {
        cl_int code;
        cl_device_id id = dev->info.cl_device;
        program = clCreateProgramWithSource(dev->context, 1, (const char **)&text, &size, &code);
        if (!program) {
            status = tn_device_fail(dev, code, "reading the source of %s", op);
        } else if ((code = clBuildProgram(program, 1, &id, options, NULL, NULL)) != CL_SUCCESS) {
            status = build_fail(dev, op, options, program, code);
            clReleaseProgram(program);
        } else {
            tn_cache_store(dev, text, size, options, program);
        }
    }
    tn_free(ctx, text);
    *out = program;
    return status;
}

static tn_status program_get(tn_device *dev, const char *op, const char *options, cl_program *out) {
    char key[700];
    snprintf(key, sizeof key, "%s %s", op, options);
    for (size_t i = 0; i < dev->program_count; i++)
        if (strcmp(dev->programs[i].key, key) == 0) {
            *out = dev->programs[i].program;
            return TN_OK;
        }
    TN_TRY(tn_grow(dev->ctx, &dev->programs, &dev->program_capacity, dev->program_count + 1,
                   sizeof *dev->programs));
    tn_program *row = &dev->programs[dev->program_count];
    TN_TRY(tn_strdup(dev->ctx, key, &row->key));
    tn_status status = program_build(dev, op, options, &row->program);
    if (status != TN_OK) {
        tn_free(dev->ctx, row->key);
        row->key = NULL;
        return status;
    }
    dev->program_count++;
    *out = row->program;
    return TN_OK;
}

static void kernel_destroy(tn_context *ctx, tn_kernel *kernel) {
    if (kernel->kernel)
        clReleaseKernel(kernel->kernel);
    tn_free(ctx, kernel->op);
    tn_free(ctx, kernel->name);
    tn_free(ctx, kernel->options);
    tn_free(ctx, kernel);
}

tn_status tn_kernel_check_local(tn_device *dev, const tn_kernel *kernel, size_t more) {
    if (kernel->local_bytes + more <= dev->info.local_bytes)
        return TN_OK;
    return tn_fail(dev->ctx, TN_ERR_UNSUPPORTED,
                   "kernel %s of %s needs %zu bytes of local memory, and %s has %zu for a work-group",
                   kernel->name, kernel->op, kernel->local_bytes + more, dev->info.name,
                   dev->info.local_bytes);
}

tn_status tn_kernel_check_group(tn_device *dev, const tn_kernel *kernel, size_t items) {
    if (tn_kernel_max_work_group(kernel) < items)
        return tn_fail(dev->ctx, TN_ERR_UNSUPPORTED,
                       "kernel %s of %s needs work-groups of %zu items, and %s allows it %zu", kernel->name,
                       kernel->op, items, dev->info.name, tn_kernel_max_work_group(kernel));
    return tn_kernel_check_local(dev, kernel, 0);
}

static tn_status kernel_make(tn_device *dev, const char *op, const char *name, const char *options,
                             tn_kernel **out) {
    tn_context *ctx = dev->ctx;
    tn_kernel *kernel;
    cl_program program;
    char build[640];
    snprintf(build, sizeof build, "-cl-std=CL1.2%s%s", options[0] ? " " : "", options);
    TN_TRY(program_get(dev, op, build, &program));
    TN_TRY(tn_alloc(ctx, 1, sizeof *kernel, &kernel));
    tn_status status = TN_OK;
    cl_int code;
    TN_GO(tn_strdup(ctx, op, &kernel->op));
    TN_GO(tn_strdup(ctx, name, &kernel->name));
    TN_GO(tn_strdup(ctx, options, &kernel->options));
    kernel->kernel = clCreateKernel(program, name, &code);
    if (!kernel->kernel) {
        status = tn_device_fail(dev, code, "kernel %s of %s.cl", name, op);
        goto cleanup;
    }
    cl_ulong local = 0, own = 0;
    code = clGetKernelWorkGroupInfo(kernel->kernel, dev->info.cl_device, CL_KERNEL_WORK_GROUP_SIZE,
                                    sizeof kernel->max_work_group, &kernel->max_work_group, NULL);
    if (code != CL_SUCCESS) {
        status = tn_device_fail(dev, code, "asking the work-group limit of %s", name);
        goto cleanup;
    }
    if (clGetKernelWorkGroupInfo(kernel->kernel, dev->info.cl_device, CL_KERNEL_LOCAL_MEM_SIZE, sizeof local,
                                 &local, NULL) == CL_SUCCESS)
        kernel->local_bytes = (size_t)local;
    if (dev->info.quirks & TN_QUIRK_KERNEL_LIMITS) {
        kernel->max_work_group = dev->info.max_work_group;
        kernel->local_bytes /= 2;
    }
    /* A driver may say more of a kernel than of the device that it is for. */
    if (kernel->max_work_group > dev->info.max_work_group)
        kernel->max_work_group = dev->info.max_work_group;
    if (clGetKernelWorkGroupInfo(kernel->kernel, dev->info.cl_device, CL_KERNEL_PRIVATE_MEM_SIZE, sizeof own,
                                 &own, NULL) == CL_SUCCESS)
        kernel->private_bytes = (size_t)own;
    TN_GO(tn_kernel_check_local(dev, kernel, 0));
    *out = kernel;
    return TN_OK;
cleanup:
    kernel_destroy(ctx, kernel);
    return status;
}

tn_status tn_kernel_get(tn_device *dev, const char *op, const char *name, const tn_options *options,
                        tn_kernel **out) {
    const char *text = options ? options->text : "";
    for (size_t i = 0; i < dev->kernel_count; i++) {
        tn_kernel *k = dev->kernels[i];
        if (strcmp(k->name, name) == 0 && strcmp(k->op, op) == 0 && strcmp(k->options, text) == 0) {
            *out = k;
            return TN_OK;
        }
    }
    if (strlen(text) + 1 >= sizeof options->text)
        return tn_fail(dev->ctx, TN_ERR_UNSUPPORTED, "options of %s are too long: %s", op, text);
    TN_TRY(
        tn_grow(dev->ctx, &dev->kernels, &dev->kernel_capacity, dev->kernel_count + 1, sizeof *dev->kernels));
    TN_TRY(kernel_make(dev, op, name, text, &dev->kernels[dev->kernel_count]));
    *out = dev->kernels[dev->kernel_count++];
    return TN_OK;
}

size_t tn_kernel_max_work_group(const tn_kernel *kernel) {
    return kernel->max_work_group;
}

size_t tn_kernels_private_seen(const tn_device *dev) {
    return dev->private_seen;
}

void tn_kernels_limit_private(tn_device *dev, size_t most) {
    dev->private_most = most;
}

size_t tn_kernel_group(const tn_kernel *kernel, size_t wanted) {
    while (wanted > 1 && wanted > kernel->max_work_group)
        wanted /= 2;
    return wanted;
}

size_t tn_private_group(const tn_device *dev, size_t wanted, size_t bytes) {
    enum { STACK = 2 << 20 }; /* a quarter of what a thread usually has */
    while (wanted > 1 && dev->info.kind == TN_KIND_CPU && wanted * bytes > STACK)
        wanted /= 2;
    return wanted;
}

void tn_kernels_release(tn_device *dev) {
    for (size_t i = 0; i < dev->kernel_count; i++)
        kernel_destroy(dev->ctx, dev->kernels[i]);
    for (size_t i = 0; i < dev->program_count; i++) {
        clReleaseProgram(dev->programs[i].program);
        tn_free(dev->ctx, dev->programs[i].key);
    }
    dev->running = NULL;
    tn_free(dev->ctx, dev->kernels);
    tn_free(dev->ctx, dev->programs);
    dev->kernels = NULL;
    dev->programs = NULL;
    dev->kernel_count = dev->program_count = 0;
    dev->kernel_capacity = dev->program_capacity = 0;
}

tn_status tn_kernel_get_group(tn_device *dev, const char *op, const char *kernel, const tn_options *options,
                              const char *name, size_t *group, tn_kernel **out) {
    for (;; *group /= 2) {
        tn_options with = *options;
        tn_options_int(&with, name, (long)*group);
        TN_TRY(tn_kernel_get(dev, op, kernel, &with, out));
        if (*group <= 1 || *group <= tn_kernel_max_work_group(*out))
            return TN_OK;
    }
}

void tn_kernels_forget(tn_device *dev) {
    clFinish(dev->queue);
    tn_plans_forget(dev);
    tn_kernels_release(dev);
}
