#include "aside.h"

#include <unistd.h>

enum { ASIDES = 16 };
static char *volatile asides[ASIDES];

void tn_aside_add(char *name) {
    for (int i = 0; i < ASIDES; i++)
        if (!asides[i]) {
            asides[i] = name;
            return;
        }
}

void tn_aside_drop(const char *name) {
    for (int i = 0; i < ASIDES; i++)
        if (asides[i] == name)
            asides[i] = NULL;
}

void tn_aside_unlink_all(void) {
    for (int i = 0; i < ASIDES; i++) {
        char *name = asides[i];
        if (name)
            unlink(name);
    }
}
