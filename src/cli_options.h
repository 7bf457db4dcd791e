/* The options of the command line, and what is said about wrong ones. Private to the command line.
 *
 * Flags stay text here: they become values when the file and the environment were read. */
#ifndef CLI_OPTIONS_H
#define CLI_OPTIONS_H

#include "base/strbuf.h"

enum { EXIT_OK = 0, EXIT_REFUSED = 1, EXIT_USAGE = 2, OPTION_SHORTS = 4 };

struct options {
    const char *config;
    const char *flags[128]; /* section.key=value */
    size_t flag_count;
    struct strbuf made[OPTION_SHORTS];  /* flags made of short names, e.g. --port */
    const char *scope;                  /* keys add */
    const char *from, *against, *since; /* replay */
    bool manual, help, version;
    const char *rest[16];
    int rest_count;
};

/* False, after a message to stderr: an unknown option, one without its value, too many words. */
bool options_read(struct options *o, int argc, char **argv);
void options_clear(struct options *o);
/* An option that was given and means nothing to this word (NULL: the server); NULL if all do. */
const char *options_foreign(const struct options *o, const char *word);

/* Both print to stderr and return EXIT_USAGE. */
int cli_usage(const char *format, ...) __attribute__((format(printf, 1, 2)));
int cli_unknown(const char *what, const char *word, const char *near);

#endif
