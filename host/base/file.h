/* Files that are whole or absent: written aside, synced, then renamed; and reading of whole files. One rule
 * for all outputs. */
#ifndef TN_FILE_H
#define TN_FILE_H

#include "context.h"

typedef struct tn_outfile {
    FILE *stream; /* write here; owned by the outfile, but for stdout */
    char *path;   /* the file that will be replaced, links followed; the given name where written through;
                     NULL for stdout */
    char *aside;  /* temporary name in the same folder; NULL where written through */
} tn_outfile;

/* What a name of an output means, for every writer: NULL, "-" and /dev/stdout are stdout, and /dev/fd/N is
 * that descriptor; a device node, a FIFO or another thing that is no regular file is written through, never
 * replaced; a symbolic link is followed, and what it leads to is replaced whole, as is a regular file.
 * `*file`: the name of what will be replaced, or made; NULL where the output is written through. Caller
 * frees. TN_ERR_OUTPUT for a folder, and for a file that may not be written. */
tn_status tn_output_path(tn_context *ctx, const char *path, char **file);

/* Could an output be written there? Asked before work that takes long; leaves nothing behind. */
tn_status tn_output_check(tn_context *ctx, const char *path);

/* Fails with TN_ERR_OUTPUT, saying which path and why, when the folder is missing or not writable. A FIFO
 * that nobody reads is waited for; Ctrl-C ends that. */
tn_status tn_outfile_open(tn_context *ctx, const char *path, tn_outfile *out);
/* TN_ERR_WRITE as soon as something could not be written: what goes on for long asks after each row. */
tn_status tn_outfile_check(tn_context *ctx, const tn_outfile *out);
/* Flush, fsync, close, rename; the mode of a file that is replaced stays. On failure (TN_ERR_WRITE) nothing
 * stands under the final name that was not there before. */
tn_status tn_outfile_commit(tn_context *ctx, tn_outfile *out);
/* All that was written so far is on disk under the final name, and what follows grows there: for rows that
 * each took long to measure, which are kept whatever ends the process. From then on abandon removes nothing.
 */
tn_status tn_outfile_publish(tn_context *ctx, tn_outfile *out);
/* The end of a writer: commits where `status`, its own, is TN_OK, else abandons and returns it; but where the
 * stream had refused, that is the failure, whatever the writer made of it. */
tn_status tn_outfile_end(tn_context *ctx, tn_outfile *out, tn_status status);
void tn_outfile_abandon(tn_context *ctx, tn_outfile *out); /* removes the temporary; fine after commit */

/* Puts `from`, on disk and complete, in the place of `to` at once; the mode of `to` stays. */
tn_status tn_file_replace(tn_context *ctx, const char *from, const char *to);
/* As tn_outfile_check for what is printed to stdout. */
tn_status tn_stdout_check(tn_context *ctx);
/* All that went to `stream`, the file `path` (NULL: stdout), is on disk, where there is one. */
tn_status tn_stream_sync(tn_context *ctx, FILE *stream, const char *path);
tn_status tn_stdout_need(tn_context *ctx); /* TN_ERR_WRITE where the program was started with it closed */
/* Opens /dev/null for each of stdin, stdout and stderr that is closed, so that no file opened later takes its
 * number and gets what is meant for it. First thing in main. What is written to such a stdout fails. */
void tn_descriptors_fill(void);

/* Do both names mean one file? Links of both kinds count; a name that is not there yet is one with the same
 * name in the same folder. Never for terminals and other character devices, where nothing is lost. */
bool tn_file_same(const char *a, const char *b);

/* A whole regular file as bytes with a NUL behind. TN_ERR_INPUT when it cannot be read, or is a pipe, a
 * device or a folder: these may have no end. Caller frees with tn_free. */
tn_status tn_file_read(tn_context *ctx, const char *path, char **bytes, size_t *size);
tn_status tn_folder_make(tn_context *ctx, const char *path); /* like mkdir -p; fine when it exists */
bool tn_file_exists(const char *path);
/* "folder/name" into a caller-freed string. */
tn_status tn_path_join(tn_context *ctx, const char *folder, const char *name, char **out);

#endif
