/* Choosing among the machine's devices by the selectors of the command line. */
#include "internal.h"

#include "loader.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

static bool contains(const char *text, const char *part) {
    return part[0] && strcasestr(text, part) != NULL;
}

/* "1", "01", "-1": meant as a place, and half of one. Never part of a name. */
static bool is_bare_number(const char *selector) {
    const char *digits = selector + (*selector == '-' || *selector == '+');
    return *digits && digits[strspn(digits, "0123456789")] == '\0';
}

static bool selector_matches(const tn_device_info *info, const char *selector) {
    char place[32];
    snprintf(place, sizeof place, "%d:%d", info->platform, info->index);
    if (strcmp(selector, place) == 0)
        return true;
    if (strcasecmp(selector, "cpu") == 0)
        return info->kind == TN_KIND_CPU;
    if (strcasecmp(selector, "gpu") == 0)
        return info->kind == TN_KIND_GPU;
    if (info->pci[0] && (strcasecmp(selector, info->pci) == 0 || strcasecmp(selector, info->pci + 5) == 0))
        return true;
    int p, d;
    char rest;
    if (sscanf(selector, "%d:%d%c", &p, &d, &rest) == 2)
        return false; /* meant as P:D: never matched against names that hold such a text */
    if (is_bare_number(selector))
        return false;
    return contains(info->name, selector) || contains(info->platform_name, selector);
}

static tn_status selection_fail(tn_context *ctx, const tn_device_list *list, const char *selector,
                                const char *why) {
    char lines[4096] = "";
    size_t used = 0;
    if (list->count == 0)
        return tn_loader_no_device(ctx, "no OpenCL platform shows a device", list->notes);
    int number = is_bare_number(selector) ? atoi(selector) : -1;
    bool meant = false; /* some P:D has that number: these alone are listed */
    for (int i = 0; i < list->count && number >= 0; i++)
        meant = meant || list->items[i].platform == number || list->items[i].index == number;
    for (int i = 0; i < list->count && used < sizeof lines; i++) {
        const tn_device_info *d = &list->items[i];
        if (meant && d->platform != number && d->index != number)
            continue;
        used += (size_t)snprintf(lines + used, sizeof lines - used, "\n  %d:%d  %s (%s, %s)%s%s", d->platform,
                                 d->index, d->name, tn_device_kind_name(d->kind), d->platform_name,
                                 d->skip_reason[0] ? " — left out: " : "", d->skip_reason);
    }
    if (is_bare_number(selector))
        return tn_fail(ctx, TN_ERR_ARG, "'%s' is a number alone and names no device; %s:%s", selector,
                       meant ? "write P:D" : "there is", lines);
    /* Nobody asked for one: then it is the devices that fail, not the words. */
    return tn_fail(ctx, strcmp(selector, "default") == 0 ? TN_ERR_DEVICE : TN_ERR_ARG, "%s '%s'; there is:%s",
                   why, selector, lines);
}

tn_status tn_device_select_all(tn_context *ctx, const tn_device_list *list, const char *selector,
                               const tn_device_info **out, int *count) {
    *count = 0;
    if (!selector) {
        const tn_device_info *one;
        TN_TRY(tn_device_select(ctx, list, NULL, &one));
        out[(*count)++] = one;
        return TN_OK;
    }
    bool all = strcasecmp(selector, "all") == 0;
    for (int i = 0; i < list->count; i++)
        if (!list->items[i].skip_reason[0] && (all || selector_matches(&list->items[i], selector)))
            out[(*count)++] = &list->items[i];
    return *count ? TN_OK : selection_fail(ctx, list, selector, "no usable device matches");
}

tn_status tn_device_select(tn_context *ctx, const tn_device_list *list, const char *selector,
                           const tn_device_info **out) {
    *out = NULL;
    if (!selector) {
        const tn_device_kind order[] = {TN_KIND_GPU, TN_KIND_CPU, TN_KIND_OTHER};
        for (int k = 0; k < 3; k++)
            for (int i = 0; i < list->count; i++)
                if (list->items[i].kind == order[k] && !list->items[i].skip_reason[0]) {
                    *out = &list->items[i];
                    return TN_OK;
                }
        return selection_fail(ctx, list, "default", "no usable device for");
    }
    int matches = 0;
    for (int i = 0; i < list->count; i++) {
        if (list->items[i].skip_reason[0] || !selector_matches(&list->items[i], selector))
            continue;
        if (matches++ == 0)
            *out = &list->items[i];
    }
    /* "cpu" and "gpu" mean the first of the kind; a name that fits several devices is a mistake. */
    if (matches > 1 && strcasecmp(selector, "cpu") != 0 && strcasecmp(selector, "gpu") != 0)
        return selection_fail(ctx, list, selector, "several devices match");
    return matches ? TN_OK : selection_fail(ctx, list, selector, "no usable device matches");
}

const char *tn_device_kind_name(tn_device_kind kind) {
    return kind == TN_KIND_CPU ? "cpu" : kind == TN_KIND_GPU ? "gpu" : "other";
}
