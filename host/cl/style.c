#include "style.h"

#include "internal.h"

#include <stdlib.h>
#include <string.h>

tn_style tn_device_info_style(const tn_device_info *info) {
    return info->kind == TN_KIND_CPU && !(info->quirks & TN_QUIRK_SHORT_LOOPS) ? TN_STYLE_THREADS
                                                                               : TN_STYLE_GROUPS;
}

tn_style tn_device_style(const tn_device *dev) {
    if (dev->settings.kind_forced)
        return dev->settings.forced_style;
    return tn_device_info_style(&dev->info);
}

const char *tn_style_name(tn_style style) {
    return style == TN_STYLE_THREADS ? "threads" : "groups";
}

size_t tn_device_private_bytes(const tn_device *dev) {
    const bool threads =
        tn_device_info_style(&dev->info) == TN_STYLE_THREADS && tn_device_style(dev) == TN_STYLE_THREADS;
    return threads ? 2 << 20 : 16 << 10;
}
