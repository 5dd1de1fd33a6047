#include "internal.h"

void tn_launch_watch(tn_device *dev, int from) {
    dev->watch.on = true;
    dev->watch.number = from;
}

int tn_launch_unwatch(tn_device *dev) {
    dev->watch.on = false;
    return dev->watch.number;
}

void tn_launch_drop(tn_device *dev, int number) {
    dev->watch = (tn_watch){.drop = number};
}

int tn_launch_watched(const tn_device *dev) {
    return dev->watch.most;
}

const char *tn_launch_watched_name(const tn_device *dev, int number) {
    return number >= 1 && number <= TN_WATCHED ? dev->watch.names[number - 1] : NULL;
}

bool tn_launch_dropped(tn_device *dev, const char *name) {
    tn_watch *w = &dev->watch;
    if (!w->on)
        return false;
    if (++w->number > w->most)
        w->most = w->number;
    if (w->number <= TN_WATCHED)
        w->names[w->number - 1] = name;
    return w->number == w->drop;
}
