/* Names of files that are written aside and are not whole yet: what a signal that ends the program takes with
 * it. */
#ifndef TN_ASIDE_H
#define TN_ASIDE_H

void tn_aside_add(char *name); /* borrowed until it is dropped; of more than 16 the last are not kept */
void tn_aside_drop(const char *name);
void tn_aside_unlink_all(void); /* in a handler of a signal */

#endif
