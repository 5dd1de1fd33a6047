/* Leaving a launch out, so that a test can show that a check finds it. */
#ifndef TN_WATCH_H
#define TN_WATCH_H

#include "device.h"

/* From watch to unwatch, which gives the last number, launches are numbered from `from`
 * + 1 on, and the one whose number was given to tn_launch_drop (0: none) is left out. Fills and copies of
 * buffers count too. */
void tn_launch_watch(tn_device *dev, int from);
int tn_launch_unwatch(tn_device *dev);
void tn_launch_drop(tn_device *dev, int number);
/* Since tn_launch_drop: the largest number, and which kernel that number was; NULL for none. */
int tn_launch_watched(const tn_device *dev);
const char *tn_launch_watched_name(const tn_device *dev, int number);
/* Inside launches: whether this one is to be left out. `name` is borrowed. */
bool tn_launch_dropped(tn_device *dev, const char *name);

#endif
