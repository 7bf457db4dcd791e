/* Whole files in and out of the command line; a dash is the standard input or output. Private to
 * it. What goes wrong is printed to stderr, with the name. */
#ifndef CLI_FILE_H
#define CLI_FILE_H

#include "base/strbuf.h"

/* All of it, appended to `out`. False: unreadable, or longer than `most` bytes. */
bool cli_file_read(const char *name, size_t most, struct strbuf *out);
/* Whole or not at all: a file of that name stays as it was until the new one is on disk. */
bool cli_file_write(const char *name, const struct strbuf *text);
/* What messages call it. */
const char *cli_file_title(const char *name, const char *dash);

#endif
