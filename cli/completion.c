#include "completion.h"

#include "words.h"

#include <string.h>

const char *const tn_cli_shells[] = {"bash", "zsh", "fish", NULL};

static void print_words(FILE *to, const char *const *words) {
    for (int i = 0; words[i]; i++)
        fprintf(to, "%s%s", i ? " " : "", words[i]);
}

/* The text with a backslash before each of `special`; a quote ends and begins again, as zsh has it. */
static void escaped(FILE *to, const char *text, const char *special) {
    for (; *text; text++) {
        if (strchr(special, *text))
            fputc('\\', to);
        fputc(*text, to);
    }
}

/* What stands in the place of an argument: commands for help, shells for completion, else files. */
static const char *const *argument_words(const tn_cli_command *c, const tn_cli_command *const *commands,
                                         const char *names[64]) {
    int count = 0;
    if (strcmp(c->name, "completion") == 0)
        return tn_cli_shells;
    if (strcmp(c->name, "help") != 0)
        return NULL;
    for (int i = 0; commands[i] && count < 63; i++)
        if (commands[i]->summary)
            names[count++] = commands[i]->name;
    names[count] = NULL;
    return names;
}

/* bash: a pattern of the case below, and the words or kind of file. */
static void bash_value(FILE *to, const char *command, const tn_cli_option *o) {
    tn_cli_words words;
    if (!o->help || o->type == TN_CLI_FLAG)
        return;
    tn_cli_words_of(o, &words);
    fprintf(to, "    %s:--%s", command, o->name);
    if (o->letter)
        fprintf(to, " | %s:-%c", command, o->letter);
    fputs(")\n        ", to);
    if (words.value == TN_CLI_VALUE_WORDS) {
        fprintf(to, "_turnout_%s \"", words.list ? "list" : "words");
        print_words(to, words.words);
        fputs("\"\n", to);
    } else if (words.value == TN_CLI_VALUE_NONE) {
        fputs("COMPREPLY=()\n", to);
    } else {
        fprintf(to, "mapfile -t COMPREPLY < <(compgen -%c -- \"$cur\")\n",
                words.value == TN_CLI_VALUE_FOLDER ? 'd' : 'f');
    }
    fputs("        return ;;\n", to);
}

static void bash_options(FILE *to, const tn_cli_command *c, const tn_cli_command *const *commands) {
    const char *names[64], *const *words = argument_words(c, commands, names);
    fprintf(to, "    %s)\n        options=\"--help", c->name);
    for (const tn_cli_option *o = c->options; o->name; o++)
        if (o->help)
            fprintf(to, " --%s", o->name);
    fputs("\"", to);
    if (words) {
        fputs("\n        arguments=\"", to);
        print_words(to, words);
        fputs("\"", to);
    }
    fputs(" ;;\n", to);
}

static void bash(FILE *to, const tn_cli_command *const *commands) {
    fputs("# Completion of turnout for bash, made by `turnout completion bash`.\n"
          "_turnout_words() {\n"
          "    mapfile -t COMPREPLY < <(compgen -W \"$1\" -- \"$cur\")\n"
          "    [[ ${#COMPREPLY[@]} -eq 1 && ${COMPREPLY[0]} == *: ]] && compopt -o nospace 2>/dev/null\n"
          "}\n"
          "_turnout_list() {\n"
          "    local before=\n"
          "    [[ $cur == *,* ]] && before=${cur%,*},\n"
          "    mapfile -t COMPREPLY < <(compgen -P \"$before\" -W \"$1\" -- \"${cur##*,}\")\n"
          "}\n"
          "_turnout() {\n"
          "    local cur prev command options= arguments= commands=\"--version",
          to);
    for (int i = 0; commands[i]; i++)
        if (commands[i]->summary)
            fprintf(to, " %s", commands[i]->name);
    fputs("\"\n"
          "    cur=${COMP_WORDS[COMP_CWORD]}\n"
          "    prev=${COMP_WORDS[COMP_CWORD - 1]}\n"
          "    command=${COMP_WORDS[1]}\n"
          "    if [[ $COMP_CWORD -eq 1 ]]; then\n"
          "        _turnout_words \"$commands\"\n"
          "        return\n"
          "    fi\n"
          "    [[ $cur == = ]] && cur=\n" /* --option=value is three words */
          "    [[ $prev == = ]] && prev=${COMP_WORDS[COMP_CWORD - 2]}\n"
          "    case $command:$prev in\n",
          to);
    for (int i = 0; commands[i]; i++)
        for (const tn_cli_option *o = commands[i]->options; commands[i]->summary && o->name; o++)
            bash_value(to, commands[i]->name, o);
    fputs("    esac\n    case $command in\n", to);
    for (int i = 0; commands[i]; i++)
        if (commands[i]->summary)
            bash_options(to, commands[i], commands);
    fputs("    esac\n"
          "    if [[ $cur == -* ]]; then\n"
          "        _turnout_words \"$options\"\n"
          "    elif [[ $arguments ]]; then\n"
          "        _turnout_words \"$arguments\"\n"
          "    else\n"
          "        mapfile -t COMPREPLY < <(compgen -f -- \"$cur\")\n"
          "    fi\n"
          "}\n"
          "complete -o filenames -F _turnout turnout\n",
          to);
}

static void zsh_words(FILE *to, const tn_cli_words *words) {
    fputs(words->list ? "_values -s , word" : "(", to);
    for (int i = 0; i < words->count; i++) {
        if (i > 0 || words->list)
            fputc(' ', to);
        escaped(to, words->words[i], ":");
    }
    fputs(words->list ? "" : ")", to);
}

/* "[one op instead of all]:OP:(gemm mlp)" behind the option's name, within quotes */
static void zsh_value(FILE *to, const tn_cli_option *o) {
    tn_cli_words words;
    fputc('[', to);
    for (const char *p = o->help; *p; p++)
        if (*p == '\'')
            fputs("'\\''", to);
        else
            fprintf(to, strchr("[]:\\", *p) ? "\\%c" : "%c", *p);
    fputc(']', to);
    if (o->type != TN_CLI_FLAG) {
        tn_cli_words_of(o, &words);
        fputc(':', to);
        escaped(to, o->metavar, "[]:\\");
        fputc(':', to);
        if (words.value == TN_CLI_VALUE_WORDS)
            zsh_words(to, &words);
        else if (words.value == TN_CLI_VALUE_NONE)
            fputc(' ', to);
        else
            fputs(words.value == TN_CLI_VALUE_FOLDER ? "_files -/" : "_files", to);
    }
    fputs("' \\\n", to);
}

static void zsh_command(FILE *to, const tn_cli_command *c, const tn_cli_command *const *commands) {
    const char *names[64], *const *words = argument_words(c, commands, names);
    fprintf(to, "    %s)\n        _arguments -s \\\n", c->name);
    for (const tn_cli_option *o = c->options; o->name; o++) {
        if (!o->help)
            continue;
        fprintf(to, "            '*--%s%s", o->name, o->type == TN_CLI_FLAG ? "" : "=");
        zsh_value(to, o);
        if (o->letter) {
            fprintf(to, "            '*-%c%s", o->letter, o->type == TN_CLI_FLAG ? "" : "+");
            zsh_value(to, o);
        }
    }
    fputs("            '--help[this text]' \\\n            ", to);
    if (words) {
        fputs("'1:word:(", to);
        print_words(to, words);
        fputs(")' ;;\n", to);
    } else {
        fputs(c->most > 0 ? "'*:file:_files' ;;\n" : "&& return ;;\n", to);
    }
}

static void zsh(FILE *to, const tn_cli_command *const *commands) {
    fputs("#compdef turnout\n# Completion of turnout for zsh, made by `turnout completion zsh`.\n"
          "_turnout() {\n"
          "    local -a commands\n"
          "    commands=(\n",
          to);
    for (int i = 0; commands[i]; i++)
        if (commands[i]->summary) {
            fprintf(to, "        '%s:", commands[i]->name);
            for (const char *p = commands[i]->summary; *p; p++)
                fprintf(to, *p == '\'' ? "'\\''" : *p == ':' ? "\\:" : "%c", *p);
            fputs("'\n", to);
        }
    fputs("        '--version:Version, build and libraries'\n"
          "    )\n"
          "    if (( CURRENT == 2 )); then\n"
          "        _describe command commands\n"
          "        return\n"
          "    fi\n"
          "    shift words\n"
          "    (( CURRENT-- ))\n"
          "    case $words[1] in\n",
          to);
    for (int i = 0; commands[i]; i++)
        if (commands[i]->summary)
            zsh_command(to, commands[i], commands);
    fputs("    esac\n"
          "}\n"
          "if [[ $funcstack[1] == _turnout ]]; then\n" /* loaded from a folder of $fpath */
          "    _turnout \"$@\"\n"
          "else\n"
          "    compdef _turnout turnout\n"
          "fi\n",
          to);
}

static void fish_option(FILE *to, const char *command, const tn_cli_option *o) {
    tn_cli_words words;
    if (!o->help)
        return;
    tn_cli_words_of(o, &words);
    fprintf(to, "complete -c turnout -n '__fish_seen_subcommand_from %s' -l %s", command, o->name);
    if (o->letter)
        fprintf(to, " -s %c", o->letter);
    if (words.value == TN_CLI_VALUE_WORDS) {
        fprintf(to, " -x -a '%s", words.list ? "(__turnout_list " : "");
        print_words(to, words.words);
        fprintf(to, "%s'", words.list ? ")" : "");
    } else if (words.value == TN_CLI_VALUE_FOLDER) {
        fputs(" -x -a '(__fish_complete_directories)'", to);
    } else if (o->type != TN_CLI_FLAG) {
        fputs(words.value == TN_CLI_VALUE_FILE ? " -r -F" : " -x", to);
    }
    fputs(" -d '", to);
    escaped(to, o->help, "'\\");
    fputs("'\n", to);
}

static void fish_command(FILE *to, const tn_cli_command *c, const tn_cli_command *const *commands) {
    const char *names[64], *const *words = argument_words(c, commands, names);
    fprintf(to, "complete -c turnout -n __fish_use_subcommand -a %s -d '", c->name);
    escaped(to, c->summary, "'\\");
    fputs("'\n", to);
    for (const tn_cli_option *o = c->options; o->name; o++)
        fish_option(to, c->name, o);
    fprintf(to, "complete -c turnout -n '__fish_seen_subcommand_from %s' -l help -s h -d 'this text'\n",
            c->name);
    if (words) {
        fprintf(to, "complete -c turnout -n '__fish_seen_subcommand_from %s' -a '", c->name);
        print_words(to, words);
        fputs("'\n", to);
    } else if (c->most > 0) {
        fprintf(to, "complete -c turnout -n '__fish_seen_subcommand_from %s' -F\n", c->name);
    }
}

static void fish(FILE *to, const tn_cli_command *const *commands) {
    fputs("# Completion of turnout for fish, made by `turnout completion fish`.\n"
          "function __turnout_list\n"
          "    set -l before (commandline -ct | string replace -r '^--[^=]*=' '' | string match -r '^.*,')\n"
          "    for word in $argv\n"
          "        echo \"$before$word\"\n"
          "    end\n"
          "end\n"
          "complete -c turnout -f\n"
          "complete -c turnout -n __fish_use_subcommand -l version -s V -d 'Version, build and libraries'\n",
          to);
    for (int i = 0; commands[i]; i++)
        if (commands[i]->summary)
            fish_command(to, commands[i], commands);
}

void tn_completion_print(FILE *to, const char *shell, const tn_cli_command *const *commands) {
    if (strcmp(shell, "zsh") == 0)
        zsh(to, commands);
    else if (strcmp(shell, "fish") == 0)
        fish(to, commands);
    else
        bash(to, commands);
}
