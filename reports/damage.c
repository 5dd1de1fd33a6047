#include "damage.h"

#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <strings.h>

/* Whether the whole text fits the pattern, in which 9 stands for one or more digits and any other sign for
 * itself; a sign in front and an exponent behind are passed over. */
static bool fits(const char *text, const char *pattern) {
    text += *text == '-' || *text == '+';
    for (; *pattern; pattern++) {
        size_t digits = strspn(text, "0123456789");
        if (*pattern == '9' ? digits == 0 : *text != *pattern)
            return false;
        text += *pattern == '9' ? digits : 1;
    }
    if (*text == 'e' || *text == 'E') {
        text += 1 + (text[1] == '-' || text[1] == '+');
        text += strspn(text, "0123456789");
    }
    return !*text;
}

static bool has_month(const char *text) {
    static const char *const months[] = {"jan", "feb", "mar", "apr", "may", "jun", "jul", "aug",
                                         "sep", "oct", "nov", "dec", "mai", "okt", "dez"};
    for (size_t i = 0; i < sizeof months / sizeof *months; i++)
        if (strcasestr(text, months[i]) && strpbrk(text, "0123456789"))
            return true;
    return false;
}

/* "1,234,567.8", "1.234.567", "1 234": groups of three. One group behind a comma may be a fraction. */
static bool has_groups(const char *text) {
    text += *text == '-' || *text == '+';
    size_t digits = strspn(text, "0123456789"), groups = 0;
    char sign = text[digits];
    if (digits == 0 || digits > 3 || !sign || !strchr(",. '", sign))
        return false;
    for (text += digits; *text == sign && strspn(text + 1, "0123456789") == 3; text += 4)
        groups++;
    bool fraction = *text == '.' || *text == ',';
    text += fraction ? 1 + strspn(text + 1, "0123456789") : 0;
    return !*text && groups > 0 && (groups > 1 || fraction || sign == ' ' || sign == '\'');
}

const char *tn_damage_name(const char *text) {
    static const char *const dates[] = {"9-9",   "9-9-9",       "9/9",         "9/9/9",
                                        "9.9.9", "9-9-9 9:9:9", "9-9-9T9:9:9Z"};
    static const char *const times[] = {"9:9", "9:9:9", "9:9.9", "9:9:9 AM", "9:9:9 PM", "9:9 AM", "9:9 PM"};
    static const char *const endless[] = {"nan", "-nan", "inf", "-inf", "infinity", "-infinity"};
    static const char *const truths[] = {"true", "false", "wahr", "falsch", "vrai", "faux"};
    if (fits(text, "9,9") || fits(text, ",9"))
        return "a decimal comma: a number here has a point";
    if (has_groups(text))
        return "digits in groups: a number here has a point alone";
    for (size_t i = 0; i < sizeof dates / sizeof *dates; i++)
        if (fits(text, dates[i]))
            return "a date, made of a number by a spreadsheet";
    for (size_t i = 0; i < sizeof times / sizeof *times; i++)
        if (fits(text, times[i]))
            return "a time of day, made of a number by a spreadsheet";
    if (has_month(text))
        return "a date, made of a number by a spreadsheet";
    for (size_t i = 0; i < sizeof endless / sizeof *endless; i++)
        if (strcasecmp(text, endless[i]) == 0)
            return "not finite";
    for (size_t i = 0; i < sizeof truths / sizeof *truths; i++)
        if (strcasecmp(text, truths[i]) == 0)
            return "a truth value, made of a number by a spreadsheet";
    if (*text == '#')
        return "a spreadsheet's word for an error";
    if (*text == '=')
        return "a formula";
    if (text[strlen(text) - 1] == '%')
        return "a percent sign behind a number";
    if (text[strspn(text, " \t")] == '\0')
        return "blanks";
    return "no number";
}
