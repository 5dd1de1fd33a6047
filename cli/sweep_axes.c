#include "sweep_axes.h"

#include "case.h"
#include "old_names.h"
#include "presets.h"

#include <stddef.h>
#include <string.h>

const tn_sweep_axis tn_sweep_axis_table[] = {
    {{"T", "256..65536*2 or 126,510", 1, 1 << 24, true}, offsetof(tn_sweep_axes, T)},
    {{"D", "64..512*2 or 64,192", 1, 8192, true}, offsetof(tn_sweep_axes, D)},
    {{"H", "1..8*2 or 2,4", 1, 128, true}, offsetof(tn_sweep_axes, H)},
    {{"K", "2,4 or 1..16+1", 1, 16, true}, offsetof(tn_sweep_axes, K)},
    {{"batch", "1..32*2 or 1,8", 1, 1 << 16, true}, offsetof(tn_sweep_axes, batch)},
    {{"rho", "0,0.001..1*10 or 0..1+0.25", 0, 1, false}, offsetof(tn_sweep_axes, rho)},
    {{"context", "1024..262144*4 or 4096,32768", 1, INT32_MAX, true}, offsetof(tn_sweep_axes, context)},
    {{"ragged", "0,1", 0, 1, true}, offsetof(tn_sweep_axes, ragged)},
    {{"cores", "1..N*2 or 1,2", 1, 4096, true}, offsetof(tn_sweep_axes, cores)},
    {{NULL}, 0}};

static tn_status number_lists(tn_context *ctx, const tn_cli_args *args, int machine_cores,
                              tn_sweep_axes *out) {
    for (const tn_sweep_axis *a = tn_sweep_axis_table; a->kind.name; a++) {
        const char *text = tn_cli_string(args, a->kind.name, NULL);
        tn_axis_kind kind = a->kind;
        if (strcmp(kind.name, "cores") == 0)
            kind.n = machine_cores;
        if (text)
            TN_TRY(tn_axis_parse(ctx, &kind, text, (tn_axis *)((char *)out + a->offset)));
    }
    return TN_OK;
}

void tn_sweep_passes(const char *words[TN_WORDS_MAX + 1]) {
    static const char *const own[] = {"forward", "backward", "step"};
    int count = 0;
    for (int i = 0; i < 3; i++)
        words[count++] = own[i];
    for (int i = 0; i < tn_case_count; i++)
        for (int p = 0; tn_cases[i]->passes[p]; p++) {
            int at = 0;
            while (at < count && strcmp(words[at], tn_cases[i]->passes[p]) != 0)
                at++;
            if (at == count && count < TN_WORDS_MAX)
                words[count++] = tn_cases[i]->passes[p];
        }
    words[count] = NULL;
}

/* A list of ops, of which some may go by a name that they had. */
static tn_status ops_parse(tn_context *ctx, const char *text, const char *const *ops, tn_words *out) {
    char *now;
    TN_TRY(tn_op_current_list(ctx, text, &now));
    if (strcmp(text, now) != 0)
        tn_warn(ctx, "--op %s is called %s now", text, now);
    tn_status status = tn_words_parse(ctx, "op", now, ops, out);
    tn_free(ctx, now);
    return status;
}

tn_status tn_sweep_axes_read(tn_context *ctx, const tn_cli_args *args, int machine_cores,
                             tn_sweep_axes *out) {
    const char *passes[TN_WORDS_MAX + 1], *ops[128] = {NULL};
    const char *level = tn_cli_string(args, "level", NULL), *op = tn_cli_string(args, "op", NULL),
               *pass = tn_cli_string(args, "pass", NULL);
    *out = (tn_sweep_axes){.cold = strcmp(tn_cli_string(args, "cache", "warm"), "cold") == 0};
    for (int i = 0; i < tn_case_count && i < 127; i++)
        ops[i] = tn_cases[i]->op;
    tn_sweep_passes(passes);
    if (level)
        TN_TRY(tn_words_parse(ctx, "level", level, tn_sweep_levels, &out->level));
    if (op)
        TN_TRY(ops_parse(ctx, op, ops, &out->op));
    if (pass)
        TN_TRY(tn_words_parse(ctx, "pass", pass, passes, &out->pass));
    return number_lists(ctx, args, machine_cores, out);
}
