/* What happened to a cell that should hold a number. */
#ifndef TN_DAMAGE_H
#define TN_DAMAGE_H

/* For a text that is not empty and no number: "a decimal comma …", "a date …", else "no number". A constant.
 */
const char *tn_damage_name(const char *text);

#endif
