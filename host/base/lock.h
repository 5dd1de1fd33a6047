/* A folder or a file that one process at a time writes. The lock is the kernel's and goes with the process,
 * however that ends; what its file says is only for the message of whoever comes second. */
#ifndef TN_LOCK_H
#define TN_LOCK_H

#include "context.h"

typedef struct tn_lock {
    tn_context *ctx; /* NULL: not held */
    char *path;      /* FOLDER/.lock, FILE.lock */
    int file;
} tn_lock;

/* Takes the folder, which must exist. TN_ERR_OUTPUT, with the process that has it, where another one does.
 * Where the file system knows no locks a warning says so, and nothing is held. */
tn_status tn_lock_take(tn_context *ctx, const char *folder, tn_lock *out);
/* The same of a file, by the name of an output (file.h). What is written through, as stdout is, may have
 * several writers: nothing is held. */
tn_status tn_lock_take_file(tn_context *ctx, const char *name, tn_lock *out);
void tn_lock_release(tn_lock *lock); /* fine where nothing is held */

#endif
