/* The wiring: one loop, one store, one station, one set of policies, two listeners.
 *
 * This is the only file that knows all rooms. It fills the ports of station and policy, decides the
 * order of start and stop, and holds no rules of its own. The daemon (daemon.c) runs it until
 * SIGTERM; the wire plays of the tests open one on a loop of their own and drive it turn by turn.
 */
#ifndef SERVER_H
#define SERVER_H

#include "conf.h"

struct server;

/* Opens everything in order: store, station, policies, listeners. NULL and a reason: nothing is
 * left open; findings of the policies are logged one by one before. The conf is borrowed until
 * server_close(). */
struct server *server_open(struct loop *loop, const struct conf *conf, struct reason *why);
/* Asks all chargers to leave (1012), lets what runs finish (5 s at most), then calls stopped(ctx).
 */
void server_stop(struct server *server, void (*stopped)(void *ctx), void *ctx);
/* Commits what is queued and frees everything; after server_stop() or without it. */
void server_close(struct server *server);

int server_ocpp_port(const struct server *server);
int server_rest_port(const struct server *server);
struct policy *server_policy(struct server *server);
struct store *server_store(struct server *server);
/* Reads the stored API keys again (SIGHUP). False: the old ones stay. */
bool server_reload_keys(struct server *server, struct reason *why);
/* No CALL, event, task, query or batch is under way: a test may look at the results. */
bool server_idle(const struct server *server);

#endif
