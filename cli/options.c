#include "options.h"

#include "number.h"
#include "terminal.h"

#include <math.h>
#include <string.h>

const char *const tn_cli_caches[] = {"warm", "cold", NULL};

static int option_count(const tn_cli_command *command) {
    int count = 0;
    while (command->options[count].name && count < TN_CLI_MAX_OPTIONS)
        count++;
    return count;
}

static int smallest(int a, int b, int c) {
    int least = a < b ? a : b;
    return least < c ? least : c;
}

/* Levenshtein's distance, one row at a time. */
static int distance(const char *a, const char *b) {
    int row[64], length = (int)strlen(b);
    if (length >= 64)
        return 64;
    for (int j = 0; j <= length; j++)
        row[j] = j;
    for (int i = 0; a[i]; i++) {
        int corner = row[0];
        row[0] = i + 1;
        for (int j = 0; j < length; j++) {
            int above = row[j + 1];
            row[j + 1] = smallest(above + 1, row[j] + 1, corner + (a[i] != b[j]));
            corner = above;
        }
    }
    return row[length];
}

const char *tn_cli_nearest(const char *given, const char *const *words, int count) {
    const char *best = NULL;
    int least = 0;
    for (int i = 0; i < count; i++) {
        int d = distance(given, words[i]);
        if (strlen(given) >= 3 && strncmp(given, words[i], strlen(given)) == 0)
            d = 1; /* a beginning is surely meant */
        if (!best || d < least) {
            best = words[i];
            least = d;
        }
    }
    return best && least <= 1 + (int)strlen(best) / 3 ? best : NULL;
}

static tn_status unknown(tn_context *ctx, const tn_cli_command *command, const char *given, size_t length) {
    const char *words[TN_CLI_MAX_OPTIONS + 1];
    char name[64];
    int count = 0;
    for (int i = 0; i < option_count(command); i++)
        if (command->options[i].help)
            words[count++] = command->options[i].name;
    words[count++] = "help";
    snprintf(name, sizeof name, "%.*s", (int)length, given);
    const char *nearest = name[0] == '-' && name[1] == '-' ? tn_cli_nearest(name + 2, words, count) : NULL;
    if (nearest)
        return tn_fail(ctx, TN_ERR_ARG, "unknown option %s; did you mean --%s?", name, nearest);
    return tn_fail(ctx, TN_ERR_ARG, "unknown option %s; see turnout %s --help", name, command->name);
}

static bool is_choice(const tn_cli_option *o, const char *text) {
    for (int i = 0; o->choices && o->choices[i]; i++)
        if (strcmp(o->choices[i], text) == 0)
            return true;
    return false;
}

/* A number within the option's bounds, as number.h reads it. */
static tn_status value_number(tn_context *ctx, const tn_cli_option *o, const char *text, tn_cli_args *out,
                              int i) {
    char what[80];
    int64_t whole = 0;
    out->number[i] = NAN;
    if (is_choice(o, text))
        return TN_OK;
    snprintf(what, sizeof what, "--%s%s%s%s", o->name, o->choices ? ", if not " : "",
             o->choices ? o->choices[0] : "", o->choices ? "," : "");
    if (o->type == TN_CLI_REAL)
        return tn_number_real(ctx, what, tn_slice_of(text), o->low, o->high, &out->number[i]);
    if (o->type == TN_CLI_UINT64)
        return tn_number_uint64(ctx, what, tn_slice_of(text), &out->whole[i]);
    TN_TRY(tn_number_int(ctx, what, tn_slice_of(text), (int64_t)o->low, (int64_t)o->high, &whole));
    out->whole[i] = (uint64_t)whole;
    return TN_OK;
}

static tn_status value_string(tn_context *ctx, const tn_cli_option *o, const char *text) {
    char list[512] = "";
    size_t used = 0;
    if (!text[0])
        return tn_fail(ctx, TN_ERR_ARG, "--%s wants a value, not an empty text", o->name);
    if (!o->choices || is_choice(o, text))
        return TN_OK;
    for (int i = 0; o->choices[i] && used < sizeof list; i++)
        used += (size_t)snprintf(list + used, sizeof list - used, "%s%s", i ? ", " : "", o->choices[i]);
    return tn_fail(ctx, TN_ERR_ARG, "--%s is one of %s, not '%s'", o->name, list, text);
}

static tn_status take(tn_context *ctx, const tn_cli_command *command, int i, const char *text,
                      tn_cli_args *out) {
    const tn_cli_option *o = &command->options[i];
    out->given[i] = true;
    out->text[i] = text;
    if (out->every_count == TN_CLI_MAX_ARGUMENTS)
        return tn_fail(ctx, TN_ERR_ARG, "--%s is one option too many", o->name);
    out->every[out->every_count].option = i;
    out->every[out->every_count++].text = text;
    switch (o->type) {
    case TN_CLI_FLAG:
        return TN_OK;
    case TN_CLI_STRING:
    case TN_CLI_READS:
    case TN_CLI_WRITES:
        return value_string(ctx, o, text);
    case TN_CLI_INT:
    case TN_CLI_UINT64:
    case TN_CLI_REAL:
        return value_number(ctx, o, text, out, i);
    }
    return TN_OK;
}

/* Where one option's value comes from: the rest of its own word or the next word. */
static tn_status option_value(tn_context *ctx, const tn_cli_command *command, int i, const char *attached,
                              int argc, char **argv, int *at, tn_cli_args *out) {
    const tn_cli_option *o = &command->options[i];
    if (o->type == TN_CLI_FLAG)
        return attached ? tn_fail(ctx, TN_ERR_ARG, "--%s takes no value", o->name)
                        : take(ctx, command, i, "", out);
    if (!attached) {
        if (*at + 1 >= argc)
            return tn_fail(ctx, TN_ERR_ARG, "--%s wants a value: --%s %s", o->name, o->name, o->metavar);
        attached = argv[++*at];
    }
    return take(ctx, command, i, attached, out);
}

static tn_status long_option(tn_context *ctx, const tn_cli_command *command, int argc, char **argv, int *at,
                             tn_cli_args *out) {
    const char *word = argv[*at] + 2, *equals = strchr(word, '=');
    size_t length = equals ? (size_t)(equals - word) : strlen(word);
    if (length == 4 && strncmp(word, "help", 4) == 0) {
        out->help = true;
        return TN_OK;
    }
    for (int i = 0; i < option_count(command); i++)
        if (strlen(command->options[i].name) == length &&
            strncmp(command->options[i].name, word, length) == 0)
            return option_value(ctx, command, i, equals ? equals + 1 : NULL, argc, argv, at, out);
    return unknown(ctx, command, argv[*at], length + 2);
}

/* -d cpu, -dcpu, -qd cpu */
static tn_status short_options(tn_context *ctx, const tn_cli_command *command, int argc, char **argv, int *at,
                               tn_cli_args *out) {
    for (const char *p = argv[*at] + 1; *p; p++) {
        int found = -1;
        if (*p == 'h') {
            out->help = true;
            continue;
        }
        for (int i = 0; i < option_count(command); i++)
            if (command->options[i].letter == *p)
                found = i;
        if (found < 0) {
            char word[3] = {'-', *p, '\0'};
            return unknown(ctx, command, word, 2);
        }
        bool flag = command->options[found].type == TN_CLI_FLAG;
        TN_TRY(option_value(ctx, command, found, !flag && p[1] ? p + 1 : NULL, argc, argv, at, out));
        if (!flag)
            break;
    }
    return TN_OK;
}

tn_status tn_cli_parse(tn_context *ctx, const tn_cli_command *command, int argc, char **argv,
                       tn_cli_args *out) {
    bool only_arguments = false;
    *out = (tn_cli_args){.command = command};
    for (int at = 0; at < argc; at++) {
        const char *word = argv[at];
        if (!only_arguments && strcmp(word, "--") == 0) {
            only_arguments = true;
        } else if (!only_arguments && word[0] == '-' && word[1] == '-') {
            TN_TRY(long_option(ctx, command, argc, argv, &at, out));
        } else if (!only_arguments && word[0] == '-' && word[1]) {
            TN_TRY(short_options(ctx, command, argc, argv, &at, out));
        } else {
            if (out->count >= command->most || out->count == TN_CLI_MAX_ARGUMENTS)
                return tn_fail(ctx, TN_ERR_ARG, "'%s' is one argument too many; see turnout %s --help", word,
                               command->name);
            out->arguments[out->count++] = word;
        }
    }
    if (!out->help && out->count < command->least)
        return tn_fail(ctx, TN_ERR_ARG, "it wants %s; see turnout %s --help", command->arguments,
                       command->name);
    return TN_OK;
}

static int find(const tn_cli_args *args, const char *name) {
    for (int i = 0; i < option_count(args->command); i++)
        if (strcmp(args->command->options[i].name, name) == 0)
            return args->given[i] ? i : -1;
    return -1;
}

bool tn_cli_given(const tn_cli_args *args, const char *name) {
    return find(args, name) >= 0;
}

const char *tn_cli_string(const tn_cli_args *args, const char *name, const char *fallback) {
    int i = find(args, name);
    return i < 0 ? fallback : args->text[i];
}

size_t tn_cli_every(const tn_cli_args *args, const char *name, const char **out) {
    size_t count = 0;
    int wanted = find(args, name);
    for (int i = 0; i < args->every_count; i++)
        if (args->every[i].option == wanted)
            out[count++] = args->every[i].text;
    return count;
}

int64_t tn_cli_int(const tn_cli_args *args, const char *name, int64_t fallback) {
    int i = find(args, name);
    return i < 0 ? fallback : (int64_t)args->whole[i];
}

uint64_t tn_cli_uint64(const tn_cli_args *args, const char *name, uint64_t fallback) {
    int i = find(args, name);
    return i < 0 ? fallback : args->whole[i];
}

double tn_cli_real(const tn_cli_args *args, const char *name, double fallback) {
    int i = find(args, name);
    return i < 0 ? fallback : args->number[i];
}

const char *tn_cli_format(const tn_cli_args *args) {
    return tn_cli_given(args, "json") ? "json" : tn_cli_string(args, "format", NULL);
}

/* Columns of help: the terminal's, but lines longer than 120 are hard to read. */
static int help_width(FILE *to) {
    int columns = tn_terminal_columns(to);
    return columns == 0 ? 100 : columns > 120 ? 120 : columns;
}

static void option_line(FILE *to, const tn_cli_option *o, int width) {
    char left[80];
    const int indent = width < 60 ? 8 : 30;
    if (!o->help)
        return;
    int used = snprintf(left, sizeof left, "  %c%c%c --%s%s%s", o->letter ? '-' : ' ',
                        o->letter ? o->letter : ' ', o->letter ? ',' : ' ', o->name,
                        o->type == TN_CLI_FLAG ? "" : " ", o->type == TN_CLI_FLAG ? "" : o->metavar);
    fputs(left, to);
    fprintf(to, used >= indent ? "\n%*s" : "%*s", used >= indent ? indent : indent - used, "");
    tn_text_wrap(to, o->help, indent, indent, width);
}

void tn_cli_help(FILE *to, const tn_cli_command *command) {
    char summary[200];
    const int width = help_width(to);
    fprintf(to, "usage: turnout %s [options]%s%s\n\n", command->name, command->arguments ? " " : "",
            command->arguments ? command->arguments : "");
    snprintf(summary, sizeof summary, "%s.",
             command->summary ? command->summary : "For the program's own use");
    tn_text_wrap(to, summary, 0, 0, width);
    fputs("\noptions:\n", to);
    for (int i = 0; i < option_count(command); i++)
        option_line(to, &command->options[i], width);
    option_line(to, &(tn_cli_option){"help", 'h', NULL, TN_CLI_FLAG, "this text"}, width);
    if (command->more) {
        fputc('\n', to);
        tn_text_wrap(to, command->more, 0, 0, width);
    }
}

void tn_cli_summaries(FILE *to, const tn_cli_command *const *commands) {
    const int width = help_width(to);
    for (; *commands; commands++)
        if ((*commands)->summary) {
            fprintf(to, "  %-11s ", (*commands)->name);
            tn_text_wrap(to, (*commands)->summary, 14, 14, width);
        }
}
