/* The command line: one table of options a command, from which parsing and help are made. */
#ifndef TN_CLI_OPTIONS_H
#define TN_CLI_OPTIONS_H

#include "context.h"

typedef enum tn_cli_type {
    TN_CLI_FLAG,   /* takes no value */
    TN_CLI_STRING, /* any text but the empty one */
    TN_CLI_READS,  /* the same, a file that is read */
    TN_CLI_WRITES, /* the same, a file or a folder that is written */
    TN_CLI_INT,    /* low ≤ value ≤ high; this and the next two as number.h reads them */
    TN_CLI_UINT64, /* a seed: 0 to 2^64-1 */
    TN_CLI_REAL    /* low ≤ value ≤ high; or one of its choices */
} tn_cli_type;

typedef struct tn_cli_option {
    const char *name;    /* without the dashes; NULL ends a table */
    char letter;         /* short form, 0 for none */
    const char *metavar; /* what stands for the value in help */
    tn_cli_type type;
    const char *help; /* one or two lines; NULL: works, but is not shown */
    double low, high; /* bounds of INT and REAL */
    /* NULL-terminated words: of a STRING, NULL for any; of a REAL, what may stand in place of a number */
    const char *const *choices;
} tn_cli_option;

/* Shared by most commands; put them at the end of a table. */
#define TN_CLI_DEVICE                                                                                        \
    {                                                                                                        \
        "device", 'd', "DEV", TN_CLI_STRING,                                                                 \
            "P:D as `turnout devices` prints it, cpu, gpu, a PCI address or part of a name; default: the "   \
            "first GPU, else the first CPU"                                                                  \
    }
#define TN_CLI_DEVICES                                                                                       \
    {                                                                                                        \
        "device", 'd', "DEV", TN_CLI_STRING,                                                                 \
            "all, P:D as `turnout devices` prints it, cpu, gpu, a PCI address or part of a name; default: "  \
            "the first GPU, else the first CPU"                                                              \
    }
#define TN_CLI_CACHE                                                                                         \
    {                                                                                                        \
        "cache", 0, "warm|cold", TN_CLI_STRING,                                                              \
            "cold: write over the caches before each call, outside its time (warm)", 0, 0, tn_cli_caches     \
    }
extern const char *const tn_cli_caches[]; /* "warm", "cold" */
#define TN_CLI_QUIET                                                                                         \
    { "quiet", 'q', NULL, TN_CLI_FLAG, "no progress on stderr" }
#define TN_CLI_SAMPLES                                                                                       \
    {                                                                                                        \
        "samples", 0, "FILE.jsonl", TN_CLI_WRITES,                                                           \
            "write every batch behind the medians to FILE.jsonl, an object a row, for `turnout compare`"     \
    }
#define TN_CLI_SAVINGS_SECONDS(of)                                                                           \
    { "seconds", 0, "X", TN_CLI_REAL, "time for measuring the savings" of " (2)", 0.01, 3600 }
#define TN_CLI_JSON(help)                                                                                    \
    { "json", 0, NULL, TN_CLI_FLAG, help }
#define TN_CLI_OUTPUT(help)                                                                                  \
    { "output", 'o', "FILE", TN_CLI_WRITES, help }

enum { TN_CLI_MAX_OPTIONS = 64, TN_CLI_MAX_ARGUMENTS = 256, TN_CLI_NAMES = 2, TN_CLI_NAME = 4096 };

typedef struct tn_cli_args tn_cli_args;

typedef struct tn_cli_command {
    const char *name;
    const char *summary;   /* one line; NULL: the command works, but help does not list it */
    const char *arguments; /* what follows the options in the usage line, or NULL */
    int least, most;       /* number of arguments that are not options */
    const tn_cli_option *options;
    tn_status (*run)(tn_context *ctx, const tn_cli_args *args);
    const char *more; /* paragraphs at the end of the help, or NULL */
    bool prints;   /* its result goes to stdout whatever the options say: a closed one is refused at once */
    bool patterns; /* names that it writes to may hold %h and %d (name_pattern.h) */
} tn_cli_command;

/* What was given on the command line; the last of a repeated option counts, but for tn_cli_every. */
struct tn_cli_args {
    const tn_cli_command *command;
    const char *program; /* argv[0], for commands that start themselves again */
    bool given[TN_CLI_MAX_OPTIONS];
    const char *text[TN_CLI_MAX_OPTIONS];
    double number[TN_CLI_MAX_OPTIONS];
    uint64_t whole[TN_CLI_MAX_OPTIONS]; /* UINT64, and INT as two's complement */
    const char *arguments[TN_CLI_MAX_ARGUMENTS];
    int count; /* of arguments */
    struct {
        int option;
        const char *text;
    } every[TN_CLI_MAX_ARGUMENTS]; /* all options in order */
    int every_count;
    bool help;                             /* --help or -h stands somewhere */
    char names[TN_CLI_NAMES][TN_CLI_NAME]; /* what `text` points to where a name was filled in */
};

/* argv without program and command name. TN_ERR_ARG names the option and, when it is unknown, the nearest
 * one. */
tn_status tn_cli_parse(tn_context *ctx, const tn_cli_command *command, int argc, char **argv,
                       tn_cli_args *out);

/* Values by the option's long name; the fallback when it was not given. */
bool tn_cli_given(const tn_cli_args *args, const char *name);
const char *tn_cli_string(const tn_cli_args *args, const char *name, const char *fallback);
/* The values of an option that may stand several times, in order: fills `out` (TN_CLI_MAX_ARGUMENTS), returns
 * their number. */
size_t tn_cli_every(const tn_cli_args *args, const char *name, const char **out);
int64_t tn_cli_int(const tn_cli_args *args, const char *name, int64_t fallback);
uint64_t tn_cli_uint64(const tn_cli_args *args, const char *name, uint64_t fallback);
double tn_cli_real(const tn_cli_args *args, const char *name, double fallback); /* NaN for a word */

/* The value of --format, "json" where --json stands in its place, else NULL. */
const char *tn_cli_format(const tn_cli_args *args);

/* As wide as the terminal, or COLUMNS; 100 columns where neither says. */
void tn_cli_help(FILE *to, const tn_cli_command *command);
/* A line a command that has a summary. `commands`: NULL-ended. */
void tn_cli_summaries(FILE *to, const tn_cli_command *const *commands);
/* The word of `words` nearest to `given`, or NULL when none is near enough to be meant. */
const char *tn_cli_nearest(const char *given, const char *const *words, int count);

#endif
