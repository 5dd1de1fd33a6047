#include "words.h"

#include "case.h"
#include "peers.h"
#include "presets.h"
#include "study_plan.h"
#include "sweep_axes.h"
#include "variant.h"

#include <string.h>

static void add(tn_cli_words *out, const char *word) {
    for (int i = 0; i < out->count; i++)
        if (strcmp(out->words[i], word) == 0)
            return;
    if (out->count < TN_CLI_WORDS)
        out->words[out->count++] = word;
}

static void add_all(tn_cli_words *out, const char *const *words) {
    for (; *words; words++)
        add(out, *words);
}

static void ops(tn_cli_words *out) {
    for (int i = 0; i < tn_case_count; i++)
        add(out, tn_cases[i]->op);
}

static void passes(tn_cli_words *out) {
    const char *words[TN_WORDS_MAX + 1];
    tn_sweep_passes(words);
    add_all(out, words);
}

static void variants(tn_cli_words *out) {
    for (int i = 0; i < tn_op_count; i++)
        for (int k = 0; tn_ops[i] && tn_ops[i]->variants[k]; k++)
            add(out, tn_ops[i]->variants[k]->name);
}

static void peers(tn_cli_words *out) {
    for (int i = 0; tn_peer_kinds[i].name; i++)
        add(out, tn_peer_kinds[i].name);
}

static void parts(tn_cli_words *out) {
    for (int i = 0; i < TN_STUDY_PARTS; i++)
        add(out, tn_study_part_name((tn_study_part)i));
}

static void levels(tn_cli_words *out) {
    add_all(out, tn_sweep_levels);
}

static void mixers(tn_cli_words *out) {
    static const char *const words[] = {
        "conv", "attention", "routed", "random:", "periodic:", "oracle", NULL};
    add_all(out, words);
}

static void layer_mixers(tn_cli_words *out) {
    static const char *const words[] = {"conv", "attention", "routed", NULL};
    add_all(out, words);
}

static void routings(tn_cli_words *out) {
    static const char *const words[] = {"threshold", "capacity:", NULL};
    add_all(out, words);
}

static void devices(tn_cli_words *out) {
    static const char *const words[] = {"cpu", "gpu", NULL};
    add_all(out, words);
}

static const struct {
    const char *option;
    void (*fill)(tn_cli_words *out);
} fillers[] = {{"op", ops},           {"pass", passes},   {"variant", variants}, {"peer", peers},
               {"only", parts},       {"level", levels},  {"mixer", mixers},     {"mixers", layer_mixers},
               {"routing", routings}, {"device", devices}};

static bool begins(const char *text, const char *with) {
    return text && strncmp(text, with, strlen(with)) == 0;
}

void tn_cli_words_of(const tn_cli_option *o, tn_cli_words *out) {
    *out = (tn_cli_words){.list = o->metavar && (strstr(o->metavar, ",...") || begins(o->metavar, "LIST"))};
    if (o->type == TN_CLI_FLAG)
        return;
    if (o->choices)
        add_all(out, o->choices);
    for (size_t i = 0; i < sizeof fillers / sizeof fillers[0] && !o->choices; i++)
        if (strcmp(fillers[i].option, o->name) == 0)
            fillers[i].fill(out);
    if (strcmp(o->name, "device") == 0 && begins(o->help, "all"))
        add(out, "all");
    if (out->count > 0)
        out->value = TN_CLI_VALUE_WORDS;
    else if (begins(o->metavar, "DIR"))
        out->value = TN_CLI_VALUE_FOLDER;
    else if (o->type == TN_CLI_READS || o->type == TN_CLI_WRITES || begins(o->metavar, "PATH"))
        out->value = TN_CLI_VALUE_FILE;
}
