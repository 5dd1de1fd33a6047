/* Strict reading of a CSV file (libcsv): every row has the cells its header names, or the file is refused. A
 * wrong number is worse than none, so nothing is guessed from a damaged file: a row that holds one is not
 * used, and is named. */
#ifndef TN_CSV_TABLE_H
#define TN_CSV_TABLE_H

#include "context.h"

#define TN_CSV_COST_SCHEMA "turnout-cost-1"
#define TN_CSV_BITS_SCHEMA "turnout-bits-1"

enum {
    TN_CSV_DEVICE = 600, /* bytes of a device's name with what tells it from others */
    TN_CSV_LONGEST_CELL = 65536,
    TN_CSV_MOST_CELLS = 5000000, /* 75 000 cost rows */
    TN_CSV_MOST_PARTS = 1000000  /* as the program itself takes them */
};

typedef enum tn_row_use {
    TN_ROW_USED,
    TN_ROW_NOT_MEASURED, /* its status says that it holds no number */
    TN_ROW_PAST_CEILING, /* of files that call it ok: faster than the device was measured to be able to */
    TN_ROW_DAMAGED       /* a flaw says why */
} tn_row_use;

/* Something that was not taken as it stands. */
typedef struct tn_csv_flaw {
    long line;          /* of the file, from 1 */
    const char *column; /* a constant; NULL: the row or the file */
    char value[64];     /* of the cell, cut */
    char why[200];
    tn_row_use use; /* what became of the row: TN_ROW_USED, as `why` says */
} tn_csv_flaw;

typedef struct tn_csv {
    tn_context *ctx;
    char *path;           /* as given */
    size_t columns, rows; /* rows without the header */
    char *text;           /* every cell, each with a NUL behind */
    size_t text_size, text_capacity;
    size_t *cells; /* [1 + rows, columns] offsets into text, the header first */
    size_t cell_count, cell_capacity;
    long *lines; /* [1 + rows] line of the file on which a row ends, from 1 */
    size_t line_count, line_capacity;
    tn_csv_flaw *flaws;
    size_t flaw_count, flaw_capacity;
    unsigned char *uses; /* [rows] tn_row_use of cost rows (tn_cost_rows_check); NULL: no cost rows */
    bool kept;           /* it comes from a database: at `path` may stand another file by now */
    bool cards; /* of rows of parts of a grid: several cards of one name are told apart (tn_shards_add) */
    const char **labels; /* [rows] the device's name with what tells it from others (tn_devices_label),
                            borrowed; NULL: the name alone */
} tn_csv;

/* TN_ERR_INPUT, naming the file, the line and the reason: missing, empty, binary, UTF-16, cut off in its last
 * line, other separators than commas, a row with another number of cells than the header, a column named
 * twice, a `schema` other than TN_CSV_COST_SCHEMA (where there is a column `bucket`, than
 * TN_CSV_BITS_SCHEMA), a cell or a file that is too long. Comments (#), rows of empty cells, columns without
 * name and cells, a header repeated and bytes that are no UTF-8 are flaws of a file that is read. */
tn_status tn_csv_read_cells(tn_context *ctx, const char *path, tn_csv *out);
/* The same of bytes that are UTF-8. `lines` [rows]: on which line of the file
 * that they come from the rows stand, NULL: as in `bytes`. The table is marked as `kept`. */
tn_status tn_csv_of_bytes(tn_context *ctx, const char *path, const char *bytes, size_t size,
                          const long *lines, size_t rows, tn_csv *out);
void tn_csv_free(tn_csv *t); /* fine on a zeroed or failed table */

/* TN_ERR_INPUT, naming those that are missing, unless the header has all of `names` (NULL-ended). `what` says
 * what the file should have been, "cost rows". */
tn_status tn_csv_require(const tn_csv *t, const char *what, const char *const *names);

/* `column` NULL: of the row. */
tn_status tn_csv_flaw_add(tn_csv *t, long line, const char *column, const char *value, tn_row_use use,
                          const char *format, ...) __attribute__((format(printf, 6, 7)));
/* "FILE, line N: COLUMN 'VALUE': WHY" */
void tn_csv_flaw_text(const tn_csv *t, const tn_csv_flaw *flaw, char *text, size_t size);
/* One file by two names, or two with the same cells. */
bool tn_csv_same(const tn_csv *a, const tn_csv *b);
/* Of a cost row; of any other by its status. */
tn_row_use tn_csv_use(const tn_csv *t, size_t row);

/* "2/4" into 2 and 4; false for what is no part. */
bool tn_shard_of_text(const char *text, long *index, long *count);
/* Whether a row is of a part of a grid. Neither machine nor address tells the device of such a row from
 * others (tn_device_mark): whoever parts a grid among equal devices wants the results of one. */
bool tn_shard_row(const tn_csv *t, size_t row);
/* Puts the rows of `more`, which has the same columns, behind those of `t`, with their lines and what became
 * of them; `more` is freed. */
tn_status tn_csv_append(tn_csv *t, tn_csv *more);
/* Puts another text into a cell. */
tn_status tn_csv_set(tn_csv *t, size_t row, int column, const char *text);

int tn_csv_column(const tn_csv *t, const char *name); /* −1 where there is none */
const char *tn_csv_name(const tn_csv *t, size_t column);
/* "" for a column of −1: a column that older files lack reads as empty. Borrowed from the table. */
/* What a cost row was measured on: the device (the row's label where it has one), and where they are not its
 * own, cores and caches: "name, 2 cores, cold caches". */
void tn_csv_device(const tn_csv *t, size_t row, char *text, size_t size);
const char *tn_csv_text(const tn_csv *t, size_t row, int column);
/* False, with NaN, where the cell is empty, is not a number or is not finite. */
bool tn_csv_number(const tn_csv *t, size_t row, int column, double *out);

#endif
