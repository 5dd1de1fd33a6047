/* Files that are whole or absent: written aside, synced, then renamed; and reading of whole files. */
#ifndef TN_FILE_H
#define TN_FILE_H

#include "context.h"

typedef struct tn_outfile {
    FILE *stream; /* write here; owned by the outfile. stdout when opened with path NULL or "-" */
    char *path;   /* final name, NULL for stdout */
    char *aside;  /* temporary name in the same folder */
} tn_outfile;

/* Fails with TN_ERR_OUTPUT, saying which path and why, when the folder is missing or not writable. */
tn_status tn_outfile_open(tn_context *ctx, const char *path, tn_outfile *out);
/* Flush, fsync, close, rename. On failure nothing stands under the final name that was not there before. */
tn_status tn_outfile_commit(tn_context *ctx, tn_outfile *out);
void tn_outfile_abandon(tn_context *ctx, tn_outfile *out); /* removes the temporary; fine after commit */

/* A whole file as bytes with a NUL behind. TN_ERR_INPUT when it cannot be read. Caller frees with tn_free. */
tn_status tn_file_read(tn_context *ctx, const char *path, char **bytes, size_t *size);
tn_status tn_folder_make(tn_context *ctx, const char *path); /* like mkdir -p; fine when it exists */
bool tn_file_exists(const char *path);
/* "folder/name" into a caller-freed string. */
tn_status tn_path_join(tn_context *ctx, const char *folder, const char *name, char **out);

#endif
