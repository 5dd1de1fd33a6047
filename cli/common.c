#include "common.h"

#include "file.h"
#include "old_names.h"
#include "tuned.h"

#include <jansson.h>
#include <math.h>
#include <string.h>

tn_status tn_cli_op(tn_context *ctx, const char *name, const tn_case **out) {
    char list[1024] = "";
    const char *words[128];
    size_t used = 0;
    *out = NULL;
    if (!name)
        return TN_OK;
    const char *now = tn_op_current_name(name);
    if (now != name)
        tn_warn(ctx, "--op %s is called %s now", name, now);
    *out = tn_case_find(now);
    if (*out)
        return TN_OK;
    for (int i = 0; i < tn_case_count; i++) {
        if (i < 128)
            words[i] = tn_cases[i]->op;
        if (used < sizeof list)
            used += (size_t)snprintf(list + used, sizeof list - used, "%s%s", i ? ", " : "", tn_cases[i]->op);
    }
    const char *nearest = tn_cli_nearest(name, words, tn_case_count < 128 ? tn_case_count : 128);
    return tn_fail(ctx, TN_ERR_ARG, "unknown op '%s'%s%s%s; there is: %s", name,
                   nearest ? " (did you mean " : "", nearest ? nearest : "", nearest ? "?)" : "", list);
}

/* Adds the names of an op's variants that `list` does not have. */
static void variants_list(const tn_op *op, char *list, size_t size) {
    for (int i = 0; op->variants[i]; i++) {
        const char *one = op->variants[i]->name;
        if (!strstr(list, one))
            snprintf(list + strlen(list), size - strlen(list), "%s%s", list[0] ? ", " : "", one);
    }
}

tn_status tn_cli_variant(tn_context *ctx, const tn_case *op, const char *name) {
    const tn_variant *variant;
    char list[256] = "";
    if (!name)
        return TN_OK;
    if (op)
        return tn_variant_named(ctx, "", tn_op_find(op->op), name, &variant);
    for (int i = 0; i < tn_op_count; i++) {
        if (tn_variant_find(tn_ops[i], name))
            return TN_OK;
        variants_list(tn_ops[i], list, sizeof list);
    }
    return tn_fail(ctx, TN_ERR_ARG, "no op has a variant '%s'; there is: %s", name, list);
}

tn_status tn_cli_devices(tn_context *ctx, const tn_cli_args *args, tn_cli_each each, void *data) {
    tn_device_list list;
    const tn_device_info **chosen = NULL;
    int count;
    tn_status failed = TN_OK;
    TN_TRY(tn_device_list_make(ctx, &list));
    tn_status status = TN_OK;
    TN_GO(tn_alloc(ctx, (size_t)list.count, sizeof *chosen, &chosen));
    TN_GO(tn_device_select_all(ctx, &list, tn_cli_string(args, "device", NULL), chosen, &count));
    for (int i = 0; i < count; i++) {
        status = each(ctx, chosen[i], data);
        if (status == TN_OK)
            continue;
        failed = status;
        if (count == 1 || status == TN_ERR_INTERRUPTED || status == TN_ERR_ARG || status == TN_ERR_OUTPUT ||
            status == TN_ERR_WRITE)
            goto cleanup;
        tn_warn(ctx, "%d:%d %s: %s", chosen[i]->platform, chosen[i]->index, chosen[i]->name, ctx->message);
    }
    status = failed;
cleanup:
    tn_free(ctx, chosen);
    tn_device_list_free(ctx, &list);
    return status;
}

void tn_cli_print_tuned(tn_context *ctx, const tn_device_info *info, const char *before, FILE *to) {
    tn_tuned *tuned;
    char text[1200];
    if (tn_alloc(ctx, 1, sizeof *tuned, &tuned) != TN_OK)
        return;
    /* A file that cannot be used was told, or will be, when the device is opened. */
    if (tn_tuned_read(ctx, info, tuned) == TN_OK) {
        tn_tuned_describe(tuned, text, sizeof text);
        if (text[0])
            fprintf(to, "%s%s\n", before, text);
    }
    tn_free(ctx, tuned);
}

json_t *tn_cli_row_json(const tn_device_info *info) {
    char selector[32];
    snprintf(selector, sizeof selector, "%d:%d", info->platform, info->index);
    return json_pack("{s:s, s:s, s:s}", "selector", selector, "device", info->name, "platform",
                     info->platform_name);
}

json_t *tn_cli_words_json(const char *const *words) {
    json_t *list = json_array();
    for (int i = 0; words && words[i]; i++)
        json_array_append_new(list, json_string(words[i]));
    return list;
}

json_t *tn_cli_number_json(double value) {
    return isfinite(value) ? json_real(value) : json_null();
}

tn_status tn_cli_print_json(tn_context *ctx, json_t *root) {
    const int failed = json_dumpf(root, stdout, JSON_INDENT(2) | JSON_REAL_PRECISION(10));
    json_decref(root);
    putchar('\n');
    TN_TRY(tn_stdout_check(ctx));
    return failed ? tn_fail(ctx, TN_ERR_OUTPUT, "the table cannot be written as JSON") : TN_OK;
}

tn_status tn_cli_print_rows(tn_context *ctx, tn_status status, json_t *rows) {
    static tn_context aside; /* static for its size; the command's message is the one that counts */
    if (!rows)
        return status;
    if (status == TN_ERR_ARG) { /* nothing was begun */
        json_decref(rows);
        return status;
    }
    const tn_status printed = tn_cli_print_json(status == TN_OK ? ctx : &aside, rows);
    return status == TN_OK ? printed : status;
}

tn_status tn_cli_shard(tn_context *ctx, const tn_cli_args *args, tn_shard *out) {
    return tn_shard_parse(ctx, tn_cli_string(args, "shard", NULL), out);
}

const char *const tn_cli_on_off[] = {"on", "off", NULL};

bool tn_cli_energy(const tn_cli_args *args) {
    return strcmp(tn_cli_string(args, "energy", "on"), "on") == 0;
}
