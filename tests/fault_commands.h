/* The commands that faults are tried on, and what their results must be like. */
#ifndef TN_FAULT_COMMANDS_H
#define TN_FAULT_COMMANDS_H

#include "context.h"

typedef enum command_id {
    TRAIN,
    EVAL,
    INFER,
    VERIFY,
    BENCH,
    SWEEP,
    REPORT,
    COMPARE,
    DATABASE,
    DECODE,
    COMMANDS
} command_id;

typedef struct command {
    const char *name;
    const char *line;   /* run in a folder that holds trained/ and tokens.safetensors */
    const char *result; /* what holds the result there */
    bool keeps;         /* a failure may leave a part behind, to go on from */
    bool no_device;     /* it reads files alone */
} command;
extern const command commands[COMMANDS];

typedef struct text {
    char *bytes;
    size_t size;
} text;

extern tn_context fault_ctx;
extern char why[2048]; /* what is wrong with the point at hand */

void die(const char *what);                           /* the test itself cannot go on */
text read_text(const char *folder, const char *name); /* bytes NULL: it is not there */
void drop(text *t);
/* Leaves the words in `why`; false. */
bool wrong(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* What a run without a fault left in `folder` is what its command has to give. */
void golden_take(command_id c, const char *folder);
void golden_drop(void);
/* An exit code of 0: is the result there and right? */
bool result_right(command_id c, const char *folder);
/* What a failure left in `folder`: whole files, and nothing aside but what is meant to be gone on from. */
bool folder_clean(command_id c, const char *folder);

#endif
