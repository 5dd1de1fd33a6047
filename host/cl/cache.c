/* Our own cache of program binaries: $TURNOUT_CACHE, else $XDG_CACHE_HOME/turnout, else ~/.cache/turnout;
 * "off" turns it off, and so does a driver that keeps kernels itself, unless TURNOUT_CACHE names a folder.
 * Key = hash of source, options, device, platform and driver; the file carries the key and a checksum. A
 * cache only saves time: anything doubtful is a miss, and a failure to store is not an error. */
#include "internal.h"

#include "file.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <xxhash.h>

typedef struct tn_cache_header {
    char magic[8];
    uint64_t key_low, key_high, checksum, size;
} tn_cache_header;

static const char magic[8] = {'t', 'n', 'c', 'a', 'c', 'h', 'e', '1'};

static XXH128_hash_t cache_key(const tn_device *dev, const char *source, size_t size, const char *options) {
    const tn_device_info *info = &dev->info;
    const char *parts[] = {options, info->name, info->platform_name, info->driver, info->version};
    XXH3_state_t *state = XXH3_createState();
    XXH128_hash_t hash = {0, 0};
    if (!state)
        return hash;
    XXH3_128bits_reset(state);
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++)
        XXH3_128bits_update(state, parts[i], strlen(parts[i]) + 1); /* the NUL keeps neighbours apart */
    XXH3_128bits_update(state, source, size);
    hash = XXH3_128bits_digest(state);
    XXH3_freeState(state);
    return hash;
}

tn_status tn_cache_home(tn_context *ctx, const char *name, char **out) {
    const char *xdg = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");
    char under[64];
    *out = NULL;
    snprintf(under, sizeof under, "turnout%s%s", name[0] ? "/" : "", name);
    if (xdg && xdg[0])
        return tn_path_join(ctx, xdg, under, out);
    if (!home || !home[0])
        return TN_OK;
    snprintf(under, sizeof under, ".cache/turnout%s%s", name[0] ? "/" : "", name);
    return tn_path_join(ctx, home, under, out);
}

/* The cache's folder, made if need be; NULL when off, useless or impossible. Caller frees. */
static char *cache_folder(tn_device *dev) {
    tn_context *ctx = dev->ctx;
    const char *said = getenv("TURNOUT_CACHE"), *named = said && said[0] ? said : NULL;
    const uint32_t useless = TN_QUIRK_NO_BINARIES | (named ? 0 : TN_QUIRK_KEEPS_KERNELS);
    char *folder = NULL;
    if ((named && strcmp(named, "off") == 0) || dev->info.quirks & useless)
        return NULL;
    tn_status status = named ? tn_strdup(ctx, named, &folder) : tn_cache_home(ctx, "", &folder);
    if (status == TN_OK && folder && tn_folder_make(ctx, folder) != TN_OK) {
        tn_free(ctx, folder);
        folder = NULL;
    }
    return folder;
}

static char *cache_path(tn_device *dev, XXH128_hash_t key) {
    char name[64], *path = NULL, *folder = cache_folder(dev);
    if (!folder)
        return NULL;
    snprintf(name, sizeof name, "%016llx%016llx.clbin", (unsigned long long)key.high64,
             (unsigned long long)key.low64);
    tn_status status = tn_path_join(dev->ctx, folder, name, &path);
    tn_free(dev->ctx, folder);
    return status == TN_OK ? path : NULL;
}

static bool header_fits(const tn_cache_header *header, XXH128_hash_t key, const char *bytes, size_t size) {
    return memcmp(header->magic, magic, sizeof magic) == 0 && header->key_low == key.low64 &&
           header->key_high == key.high64 && header->size == size - sizeof *header &&
           header->checksum == XXH3_64bits(bytes + sizeof *header, header->size);
}

tn_status tn_cache_load(tn_device *dev, const char *source, size_t size, const char *options,
                        cl_program *out) {
    *out = NULL;
    XXH128_hash_t key = cache_key(dev, source, size, options);
    char *bytes = NULL, *path = cache_path(dev, key);
    size_t length = 0;
    tn_cache_header header;
    if (!path)
        return TN_OK;
    if (access(path, R_OK) == 0 && tn_file_read(dev->ctx, path, &bytes, &length) == TN_OK &&
        length > sizeof header) {
        memcpy(&header, bytes, sizeof header);
        if (header_fits(&header, key, bytes, length)) {
            const unsigned char *binary = (const unsigned char *)bytes + sizeof header;
            size_t binary_size = header.size;
            cl_device_id id = dev->info.cl_device;
            cl_int code, binary_code = CL_SUCCESS;
            cl_program program =
                clCreateProgramWithBinary(dev->context, 1, &id, &binary_size, &binary, &binary_code, &code);
            if (program && (code != CL_SUCCESS || binary_code != CL_SUCCESS ||
                            clBuildProgram(program, 1, &id, options, NULL, NULL) != CL_SUCCESS)) {
                clReleaseProgram(program);
                program = NULL;
            }
            *out = program;
        }
    }
    if (!*out)
        unlink(path); /* absent already, or not to be trusted */
    tn_free(dev->ctx, bytes);
    tn_free(dev->ctx, path);
    return TN_OK;
}

void tn_cache_store(tn_device *dev, const char *source, size_t size, const char *options,
                    cl_program program) {
    XXH128_hash_t key = cache_key(dev, source, size, options);
    size_t length = 0;
    unsigned char *binary = NULL;
    tn_outfile file;
    char *path = cache_path(dev, key);
    if (!path)
        return;
    if (clGetProgramInfo(program, CL_PROGRAM_BINARY_SIZES, sizeof length, &length, NULL) != CL_SUCCESS ||
        length == 0 || tn_alloc(dev->ctx, length, 1, &binary) != TN_OK ||
        clGetProgramInfo(program, CL_PROGRAM_BINARIES, sizeof binary, &binary, NULL) != CL_SUCCESS)
        goto cleanup;
    tn_cache_header header = {.key_low = key.low64,
                              .key_high = key.high64,
                              .checksum = XXH3_64bits(binary, length),
                              .size = length};
    memcpy(header.magic, magic, sizeof magic);
    if (tn_outfile_open(dev->ctx, path, &file) != TN_OK)
        goto cleanup;
    if (fwrite(&header, sizeof header, 1, file.stream) == 1 &&
        fwrite(binary, 1, length, file.stream) == length)
        tn_outfile_commit(dev->ctx, &file);
    else
        tn_outfile_abandon(dev->ctx, &file);
cleanup:
    tn_free(dev->ctx, binary);
    tn_free(dev->ctx, path);
}
