#include "utf8.h"

#include <stdbool.h>
#include <string.h>

size_t tn_utf8_length(const char *p, size_t left) {
    const unsigned char *b = (const unsigned char *)p;
    if (left == 0)
        return 0;
    if (b[0] < 0x80)
        return 1;
    size_t length = b[0] >= 0xF0 && b[0] <= 0xF4  ? 4
                    : b[0] >= 0xE0 && b[0] < 0xF0 ? 3
                    : b[0] >= 0xC2 && b[0] < 0xE0 ? 2
                                                  : 0;
    if (length > left)
        return 0;
    for (size_t i = 1; i < length; i++)
        if ((b[i] & 0xC0) != 0x80)
            return 0;
    if ((b[0] == 0xE0 && b[1] < 0xA0) || (b[0] == 0xED && b[1] > 0x9F) || (b[0] == 0xF0 && b[1] < 0x90) ||
        (b[0] == 0xF4 && b[1] > 0x8F))
        return 0; /* overlong, a surrogate, or beyond Unicode */
    return length;
}

/* C0, DEL and C1 (U+0080 to U+009F). */
static bool is_control(const char *p) {
    const unsigned char *b = (const unsigned char *)p;
    return b[0] < 0x20 || b[0] == 0x7F || (b[0] == 0xC2 && b[1] < 0xA0);
}

void tn_utf8_clean(char *text) {
    size_t left = strlen(text);
    char *out = text;
    for (const char *p = text; left > 0;) {
        size_t length = tn_utf8_length(p, left);
        if (length == 0)
            *out++ = '?';
        else if (is_control(p))
            *out++ = ' ';
        else
            for (size_t i = 0; i < length; i++)
                *out++ = p[i];
        p += length ? length : 1;
        left -= length ? length : 1;
    }
    *out = '\0';
}
