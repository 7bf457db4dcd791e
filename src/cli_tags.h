/* Tags in and out of a running server: `chargebridge tags import|export FILE`. Private to the
 * command line.
 *
 * Both talk to rest.address and rest.port of the configuration with rest.key, print what was wrong,
 * and return an exit status. The ending of the file's name tells CSV or JSON; without one, and for
 * a dash, an import looks into the text and an export writes CSV. */
#ifndef CLI_TAGS_H
#define CLI_TAGS_H

#include "conf.h"

/* All rows or none. Faults are told with file, line and field. */
int cli_tags_import(const struct conf *conf, const char *name);
/* All tags; the file is replaced when the last of them is here, else stays as it was. */
int cli_tags_export(const struct conf *conf, const char *name);

#endif
