/* See daemon.h. Signals arrive as loop events, so nothing here runs in a signal handler. */
#include "daemon.h"

#include <signal.h>

#include "base/log.h"
#include "base/mem.h"
#include "notify.h"
#include "server.h"

struct daemon {
    struct loop *loop;
    struct server *server;
    bool stopping;
};

static void on_stopped(void *ctx)
{
    struct daemon *daemon = ctx;
    loop_stop(daemon->loop);
}

static void on_terminate(void *ctx)
{
    struct daemon *daemon = ctx;
    if (daemon->stopping) {
        loop_stop(daemon->loop);
        return;
    }
    daemon->stopping = true;
    notify_stopping();
    LOG(LOG_INFO, "stopping");
    server_stop(daemon->server, on_stopped, daemon);
}

static void on_reloaded(void *ctx, const struct policy_report *report)
{
    (void)ctx;
    (void)report; /* the policies logged the result themselves */
    notify_ready();
}

static void on_hangup(void *ctx)
{
    struct daemon *daemon = ctx;
    struct reason why;
    if (daemon->stopping)
        return;
    notify_reloading();
    if (!server_reload_keys(daemon->server, &why))
        LOG(LOG_ERROR, "API keys not read again", L_STR("reason", why.text));
    policy_reload(server_policy(daemon->server), on_reloaded, daemon);
}

static void log_ready(const struct conf *conf, const struct server *server)
{
    LOG(LOG_INFO, "ready", L_STR("ocpp_address", conf->ocpp.address),
        L_INT("ocpp_port", server_ocpp_port(server)), L_STR("ocpp_path", conf->ocpp_path),
        L_STR("rest_address", conf->http.address), L_INT("rest_port", server_rest_port(server)),
        L_STR("store", conf->store.path));
}

int daemon_run(struct conf *conf)
{
    struct reason why;
    struct daemon daemon = {.loop = loop_new()};
    signal(SIGPIPE, SIG_IGN);
    /* Watched before anything opens: a signal during a long start must not kill it half-way. */
    struct loop_signal *watched[] = {
        loop_signal(daemon.loop, SIGTERM, on_terminate, &daemon),
        loop_signal(daemon.loop, SIGINT, on_terminate, &daemon),
        loop_signal(daemon.loop, SIGHUP, on_hangup, &daemon),
    };
    daemon.server = server_open(daemon.loop, conf, &why);
    if (daemon.server) {
        log_ready(conf, daemon.server);
        notify_ready();
        loop_run(daemon.loop);
    } else {
        LOG(LOG_ERROR, "not started", L_STR("reason", why.text));
    }
    bool ok = daemon.server != NULL;
    server_close(daemon.server);
    for (size_t i = 0; i < ARRAY_LEN(watched); i++)
        loop_unsignal(watched[i]);
    loop_free(daemon.loop);
    if (ok)
        LOG(LOG_INFO, "stopped");
    return ok ? 0 : 1;
}
