/* Where the rows of an imported text stand, for messages that name the line of a fault. Private to
 * the command line. */
#ifndef CLI_ROWS_H
#define CLI_ROWS_H

#include "base/strbuf.h"

/* The line on which row `row` begins: of a CSV text 0 is the line of names and 1 the first below
 * it, of a JSON array 1 is the first item. 0: there is no such row. Lines count from 1. */
size_t cli_rows_csv_line(struct span text, size_t row);
size_t cli_rows_json_line(struct span text, size_t row);

#endif
