/* What a stream's terminal can do. */
#ifndef TN_TERMINAL_H
#define TN_TERMINAL_H

#include <stdbool.h>
#include <stdio.h>

/* Columns to fill: COLUMNS from 20 to 1000 where it is set, else those of the terminal; 0 where there is
 * none.
 */
int tn_terminal_columns(FILE *stream);

/* A line there can be replaced by another: a terminal, and TERM is set and not "dumb". Nothing is ever
 * coloured, so there is nothing for NO_COLOR to switch off. */
bool tn_terminal_redraws(FILE *stream);

/* Bytes of `text` that fill at most `columns`, a character a column; all of it where columns is 0. */
int tn_text_fitting(const char *text, int columns);
/* Characters of a text, for padding beside others. */
int tn_text_columns(const char *text);

/* The text in lines of at most `width` columns, the first begun at `column`, the others behind `indent`
 * blanks; a line break in it is a blank, an empty line stays. Ends with a line break. */
void tn_text_wrap(FILE *to, const char *text, int column, int indent, int width);

#endif
