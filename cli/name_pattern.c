#include "name_pattern.h"

#include "device.h"

#include <string.h>
#include <unistd.h>

static tn_status host_name(tn_context *ctx, char *out, size_t size) {
    if (gethostname(out, size) != 0 || !memchr(out, '\0', size) || !out[0])
        return tn_fail(ctx, TN_ERR_ARG, "%%h: this machine says no name of its own; write one in its place");
    for (char *p = out; *p; p++)
        *p = *p == '/' ? '-' : *p;
    return TN_OK;
}

static tn_status selector_of(tn_context *ctx, const tn_cli_args *args, char *out, size_t size) {
    tn_device_list list;
    const tn_device_info **chosen = NULL;
    int count;
    TN_TRY(tn_device_list_make(ctx, &list));
    tn_status status = TN_OK;
    TN_GO(tn_alloc(ctx, (size_t)list.count, sizeof *chosen, &chosen));
    TN_GO(tn_device_select_all(ctx, &list, tn_cli_string(args, "device", NULL), chosen, &count));
    if (count == 1)
        snprintf(out, size, "%d-%d", chosen[0]->platform, chosen[0]->index);
    else
        status = tn_fail(ctx, TN_ERR_ARG,
                         "%%d stands for one device, and --device %s means %d: choose one, or leave %%d out",
                         tn_cli_string(args, "device", ""), count);
cleanup:
    tn_free(ctx, chosen);
    tn_device_list_free(ctx, &list);
    return status;
}

/* What stands for the letter behind a percent sign. */
static tn_status letter(tn_context *ctx, const tn_cli_args *args, const char *option, char which, char *out,
                        size_t size) {
    if (which == 'h')
        return host_name(ctx, out, size);
    if (which == 'd')
        return selector_of(ctx, args, out, size);
    snprintf(out, size, "%%");
    if (which == '%')
        return TN_OK;
    return tn_fail(ctx, TN_ERR_ARG,
                   "--%s: there is no '%%%.1s': %%h is the machine, %%d the device, and a percent sign is "
                   "written %%%%",
                   option, &which);
}

static tn_status fill(tn_context *ctx, const tn_cli_args *args, const char *option, const char *pattern,
                      char out[TN_CLI_NAME]) {
    size_t used = 0;
    for (const char *p = pattern; *p; p++) {
        char text[256] = {*p, '\0'};
        if (*p == '%') {
            const char which = *++p;
            TN_TRY(letter(ctx, args, option, which, text, sizeof text));
        }
        used += (size_t)snprintf(out + used, TN_CLI_NAME - used, "%s", text);
        if (used >= TN_CLI_NAME)
            return tn_fail(ctx, TN_ERR_ARG, "--%s: the name is longer than %d", option, TN_CLI_NAME - 1);
    }
    return TN_OK;
}

tn_status tn_cli_names_fill(tn_context *ctx, tn_cli_args *args) {
    const tn_cli_option *options = args->command->options;
    int filled = 0;
    for (int i = 0; args->command->patterns && options[i].name; i++) {
        if (options[i].type != TN_CLI_WRITES || !args->text[i] || !strchr(args->text[i], '%'))
            continue;
        if (filled == TN_CLI_NAMES)
            return tn_fail(ctx, TN_ERR_ARG, "--%s: %d names with a percent sign are all there can be",
                           options[i].name, TN_CLI_NAMES);
        TN_TRY(fill(ctx, args, options[i].name, args->text[i], args->names[filled]));
        args->text[i] = args->names[filled++];
    }
    return TN_OK;
}
