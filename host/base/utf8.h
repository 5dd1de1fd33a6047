/* Text that others wrote (drivers, files): made into UTF-8 that tables, CSV and JSON can hold. */
#ifndef TN_UTF8_H
#define TN_UTF8_H

#include <stddef.h>

/* Bytes of the UTF-8 character that begins at `p`, 1 to 4, of which at most `left` are there; 0 where none
 * does: a stray or cut byte, an overlong form, a surrogate, beyond U+10FFFF. NUL counts as a character of one
 * byte. */
size_t tn_utf8_length(const char *p, size_t left);

/* In place, never longer than it was: each byte that belongs to no character becomes '?', each control
 * character (line breaks and tabs too) a blank. */
void tn_utf8_clean(char *text);

#endif
