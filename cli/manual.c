#include "manual.h"

#include <string.h>

/* Text as roff has it: a hyphen that can be copied, no line that looks like a request. */
static void roff(FILE *to, const char *text) {
    bool start = true;
    for (; *text; text++) {
        if (start && (*text == '.' || *text == '\''))
            fputs("\\&", to);
        start = *text == '\n';
        if (*text == '-')
            fputs("\\-", to);
        else if (*text == '\\')
            fputs("\\e", to);
        else if (*text == '\'')
            fputs("\\(aq", to);
        else if (*text == '`')
            fputs("\\(ga", to);
        else
            fputc(*text, to);
    }
    fputc('\n', to);
}

static void roff_option(FILE *to, const tn_cli_option *o) {
    if (!o->help)
        return;
    fputs(".TP\n", to);
    if (o->letter)
        fprintf(to, "\\fB\\-%c\\fR, ", o->letter);
    fputs("\\fB\\-\\-", to);
    for (const char *p = o->name; *p; p++)
        fprintf(to, *p == '-' ? "\\-" : "%c", *p);
    fputs("\\fR", to);
    if (o->type != TN_CLI_FLAG)
        fprintf(to, " \\fI%s\\fR", o->metavar);
    fputc('\n', to);
    roff(to, o->help);
}

static void roff_command(FILE *to, const tn_cli_command *c) {
    fprintf(to, ".SS turnout %s%s%s%s\n", c->name, c->options[0].name ? " [options]" : "",
            c->arguments ? " " : "", c->arguments ? c->arguments : "");
    fputs(c->summary, to);
    fputs(".\n", to);
    for (const tn_cli_option *o = c->options; o->name; o++)
        roff_option(to, o);
    if (c->more) {
        fputs(".PP\n", to);
        roff(to, c->more);
    }
}

static void roff_list(FILE *to, const char *title, const char *const (*list)[2]) {
    fprintf(to, ".SH %s\n", title);
    for (; (*list)[0]; list++) {
        fputs(".TP\n\\fB", to);
        for (const char *p = (*list)[0]; *p; p++)
            fprintf(to, *p == '-' ? "\\-" : "%c", *p);
        fputs("\\fR\n", to);
        roff(to, (*list)[1]);
    }
}

static const char *const environment[][2] = {
    {"TURNOUT_TUNE", "values of tunables, \"gemm.TM=8,gemm.LOCAL=1\", over all others"},
    {"TURNOUT_TUNED, TURNOUT_TUNED_DIR",
     "0 leaves what `turnout tune` found alone; the folder of its files (~/.cache/turnout/tuned)"},
    {"TURNOUT_KIND", "cpu or gpu: what that kind of device runs, on any device"},
    {"TURNOUT_KERNELS", "a folder of kernels to read instead of those built in"},
    {"TURNOUT_CACHE", "the folder of built kernels, or off"},
    {"TURNOUT_VARIANT", "variants of ops, \"gemm=clblast,mlp=composed\", over what is tuned"},
    {"TURNOUT_COUNT", "auto, host or device: who knows how many rows a layer routes; the host waits for it"},
    {"TURNOUT_TRACE", "1 prints the time by kernel, events that of measured launches by their events"},
    {"TURNOUT_POWERCAP, TURNOUT_HWMON", "folders in place of /sys/class/powercap and /sys/class/hwmon"},
    {"TURNOUT_NVML, TURNOUT_ROCM_SMI, TURNOUT_LEVEL_ZERO",
     "libraries that tell a GPU's energy in place of the installed ones"},
    {"TURNOUT_PYTHON", "Python that has PyTorch, for bench --peers"},
    {NULL, NULL}};

static const char *const codes[][2] = {{"0", "fine"},
                                       {"1", "a check failed: verify, bench, compare, survey"},
                                       {"2", "bad arguments or input"},
                                       {"3", "device or run-time failure"},
                                       {NULL, NULL}};

static const char *const examples[][2] = {
    {"turnout survey -o out", "ten minutes: all of it on one device, and a verdict"},
    {"turnout verify -d gpu", "every kernel against its reference on the GPU"},
    {"turnout sweep --samples cost.jsonl -o cost.csv", "what routing costs and saves, all batches kept"},
    {"turnout compare old.csv cost.csv", "what became slower since"},
    {"turnout report cost.csv -o report.html", "the same as a page"},
    {NULL, NULL}};

void tn_manual_print(FILE *to, const tn_cli_command *const *commands, const char *version) {
    fprintf(to,
            ".TH TURNOUT 1 \"\" \"turnout %s\" \"User Commands\"\n"
            ".SH NAME\nturnout \\- what routed attention costs and saves on OpenCL devices\n"
            ".SH SYNOPSIS\n.B turnout\n.I COMMAND\n[options]\n.br\n.B turnout help\n[\\fICOMMAND\\fR]\n.br\n"
            ".B turnout \\-\\-version\n[\\fB\\-\\-json\\fR]\n"
            ".SH DESCRIPTION\n"
            "Routed attention lets every token choose between a cheap local track, a causal convolution, and "
            "masked\n"
            "attention over all that came before. turnout verifies and times the kernels for it on every "
            "OpenCL device\n"
            "of a machine, trains small models with them, and writes what routing costs and saves there.\n"
            ".PP\nData goes to stdout or to the file of \\fB\\-o\\fR, progress and errors to stderr.\n"
            ".SH COMMANDS\n",
            version);
    for (; *commands; commands++)
        if ((*commands)->summary)
            roff_command(to, *commands);
    roff_list(to, "EXIT STATUS", codes);
    roff_list(to, "ENVIRONMENT", environment);
    roff_list(to, "EXAMPLES", examples);
    fputs(".SH SEE ALSO\n.BR clinfo (1)\n", to);
}
