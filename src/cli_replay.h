/* `chargebridge replay`: recorded messages through other policies. Private to the command line. */
#ifndef CLI_REPLAY_H
#define CLI_REPLAY_H

#include "conf.h"

struct replay_options {
    const char *policies; /* the candidate's folder; NULL: that of the configuration */
    const char *against;  /* a second folder, or NULL: what was recorded */
    const char *from;     /* the database; NULL: that of the configuration */
    const char *since;    /* a date or time, or NULL */
};

/* Prints the differences and a summary to stdout, progress to stderr; EXIT_REFUSED where there is a
 * difference, a handler failed that did not on the other side, or something could not be read. */
int cli_replay(const struct conf *conf, const struct replay_options *options);

#endif
