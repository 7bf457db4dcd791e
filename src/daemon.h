/* The daemon: a server on a loop of its own, driven by signals.
 *
 * SIGTERM and SIGINT stop it cleanly, SIGHUP reloads policies and API keys; a second SIGTERM stops
 * at once. Tells systemd (notify.h) when it is ready, reloading and stopping. */
#ifndef DAEMON_H
#define DAEMON_H

#include "conf.h"

/* Runs until it is told to stop. Exit status: 0 ok, 1 refused (the log says why). */
int daemon_run(struct conf *conf);

#endif
