#include "terminal.h"

#include "number.h"
#include "utf8.h"

#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

int tn_terminal_columns(FILE *stream) {
    static tn_context aside; /* static for its size; that COLUMNS is none is nobody's mistake here */
    const char *columns = getenv("COLUMNS");
    struct winsize size;
    int64_t value;
    if (columns && tn_number_int(&aside, "COLUMNS", tn_slice_of(columns), 20, 1000, &value) == TN_OK)
        return (int)value;
    if (isatty(fileno(stream)) && ioctl(fileno(stream), TIOCGWINSZ, &size) == 0 && size.ws_col >= 20)
        return size.ws_col;
    return 0;
}

bool tn_terminal_redraws(FILE *stream) {
    const char *term = getenv("TERM");
    return isatty(fileno(stream)) && term && term[0] && strcmp(term, "dumb") != 0;
}

static size_t character(const char *p) {
    size_t length = tn_utf8_length(p, strnlen(p, 4));
    return length ? length : 1;
}

int tn_text_fitting(const char *text, int columns) {
    const char *p = text;
    for (int i = 0; *p && (columns == 0 || i < columns); i++)
        p += character(p);
    return (int)(p - text);
}

int tn_text_columns(const char *text) {
    int count = 0;
    for (; *text; text += character(text))
        count++;
    return count;
}

static int columns_of(const char *text, size_t length) {
    int count = 0;
    for (size_t i = 0; i < length; i++)
        count += ((unsigned char)text[i] & 0xC0) != 0x80;
    return count;
}

void tn_text_wrap(FILE *to, const char *text, int column, int indent, int width) {
    bool first = true; /* of its line */
    while (*text) {
        size_t blank = strspn(text, " \n"), length;
        bool paragraph = blank > 1 && memchr(text, '\n', blank) != memrchr(text, '\n', blank);
        text += blank;
        length = strcspn(text, " \n");
        if (length == 0)
            break;
        int word = columns_of(text, length);
        if (!first && (paragraph || column + 1 + word > width)) {
            fprintf(to, paragraph ? "\n\n%*s" : "\n%*s", indent, "");
            column = indent;
            first = true;
        }
        fprintf(to, "%s%.*s", first ? "" : " ", (int)length, text);
        column += word + !first;
        first = false;
        text += length;
    }
    fputc('\n', to);
}
