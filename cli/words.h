/* What may stand behind an option, for completion: the words of options whose value is one of a known set. */
#ifndef TN_CLI_WORDS_H
#define TN_CLI_WORDS_H

#include "options.h"

enum { TN_CLI_WORDS = 160 };

typedef enum tn_cli_value {
    TN_CLI_VALUE_NONE,  /* a number, or a text that nobody can guess */
    TN_CLI_VALUE_WORDS, /* `words`; one that ends with a colon wants a number behind it */
    TN_CLI_VALUE_FILE,
    TN_CLI_VALUE_FOLDER
} tn_cli_value;

typedef struct tn_cli_words {
    tn_cli_value value;
    bool list; /* several of them with commas */
    int count;
    const char *words[TN_CLI_WORDS + 1]; /* NULL-ended */
} tn_cli_words;

void tn_cli_words_of(const tn_cli_option *option, tn_cli_words *out);

#endif
