/* See stage.h. */
#include "stage.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"

static void on_log(void *ctx, const char *line, size_t len)
{
    struct stage *stage = ctx;
    strbuf_add(&stage->log, line, len);
    if (len == 0 || line[len - 1] != '\n')
        strbuf_addc(&stage->log, '\n');
}

struct stage *stage_new(const char *default_policies)
{
    struct stage *stage = xcalloc(1, sizeof(*stage));
    const char *tmp = getenv("TMPDIR");
    stage->dir = xprintf("%s/chargebridge-play-XXXXXX", tmp ? tmp : "/tmp");
    if (!mkdtemp(stage->dir)) {
        perror(stage->dir);
        exit(2);
    }
    stage->policies = xstrdup(default_policies);
    log_setup(LOG_INFO, false);
    log_redirect(on_log, stage);
    return stage;
}

static int remove_one(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
    (void)st, (void)flag, (void)ftw;
    return remove(path);
}

static void close_server(struct stage *stage)
{
    server_close(stage->server);
    stage->server = NULL;
    if (stage->loop)
        loop_free(stage->loop);
    stage->loop = NULL;
    conf_clear(&stage->conf);
}

struct asking { /* a request on its way to its answer */
    int fd;
    struct strbuf in;
    bool ended;
};

static void asking_free(struct asking *asking)
{
    close(asking->fd);
    strbuf_clear(&asking->in);
    xfree(asking);
}

static void asked_clear(struct stage *stage)
{
    const struct map_entry *entry;
    size_t at = 0;
    while ((entry = map_next(&stage->asked, &at)) != NULL)
        asking_free(entry->value);
    map_clear(&stage->asked);
}

void stage_free(struct stage *stage)
{
    for (size_t i = 0; i < stage->actor_count; i++)
        actor_free(stage->actors[i]);
    asked_clear(stage);
    close_server(stage);
    if (!getenv("PLAY_KEEP"))
        nftw(stage->dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
    log_redirect(NULL, NULL);
    match_names_clear(&stage->names);
    strbuf_clear(&stage->config);
    strbuf_clear(&stage->log);
    xfree(stage->dir);
    xfree(stage->policies);
    xfree(stage);
}

bool stage_write_policy(struct stage *stage, const char *name, const char *text)
{
    if (!stage->own_policies) {
        xfree(stage->policies);
        stage->policies = xprintf("%s/policies", stage->dir);
        stage->own_policies = true;
        mkdir(stage->policies, 0700);
    }
    char *path = xprintf("%s/%s", stage->policies, name);
    char *slash = strrchr(path, '/');
    *slash = '\0';
    mkdir(path, 0700);
    *slash = '/';
    FILE *file = fopen(path, "w");
    bool ok = file && fputs(text, file) >= 0;
    if (file)
        fclose(file);
    xfree(path);
    return ok;
}

/* What every play starts from; its own config lines come after and win. */
static void write_config(const struct stage *stage, struct strbuf *out)
{
    strbuf_addf(out,
                "[ocpp]\naddress = 127.0.0.1\nport = 0\nregistration = open\n"
                "[rest]\nport = 0\n"
                "[policies]\ndir = %s\nrun_kill = 10s\nrun_warn = 10s\nload_file = 60s\n"
                "load_total = 60s\n"
                "[store]\nfile = %s/chargebridge.db\n",
                stage->policies, stage->dir);
}

static bool read_config(struct stage *stage, struct reason *why)
{
    struct conf_errors errors = {0};
    struct strbuf text = {0};
    write_config(stage, &text);
    conf_init(&stage->conf);
    conf_read_text(&stage->conf, "stage", strbuf_text(&text), &errors);
    struct span rest = {strbuf_text(&stage->config), stage->config.len}, line;
    while (span_cut(&rest, '\n', &line)) {
        char *flag = xstrndup(line.at, line.len);
        if (line.len)
            conf_read_flag(&stage->conf, flag, &errors);
        xfree(flag);
    }
    conf_check(&stage->conf, &errors);
    if (errors.count)
        reason_set(why, "config: %s", strbuf_text(&errors.text));
    bool ok = errors.count == 0;
    strbuf_clear(&errors.text);
    strbuf_clear(&text);
    return ok;
}

bool stage_open(struct stage *stage, struct reason *why)
{
    if (stage->server)
        return true;
    if (!read_config(stage, why)) {
        conf_clear(&stage->conf);
        return false;
    }
    stage->loop = loop_new();
    stage->server = server_open(stage->loop, &stage->conf, why);
    return stage->server != NULL;
}

static void on_stopped(void *ctx)
{
    *(bool *)ctx = true;
}

bool stage_restart(struct stage *stage, struct reason *why)
{
    bool stopped = false;
    server_stop(stage->server, on_stopped, &stopped);
    int64_t until = stopwatch_us() + STAGE_PATIENCE_US;
    while (!stopped && stopwatch_us() < until) {
        stage_quiet(stage); /* the disk works in real time, whatever the clock says */
        stage_clock(stage, 20);
    }
    if (!stopped)
        return reason_set(why, "the server did not stop");
    close_server(stage);
    return stage_open(stage, why);
}

static void turn_for_actor(void *ctx)
{
    stage_turn(ctx);
}

struct actor *stage_actor(struct stage *stage, struct span name)
{
    for (size_t i = 0; i < stage->actor_count; i++)
        if (span_is(name, stage->actors[i]->name))
            return stage->actors[i];
    if (stage->actor_count == STAGE_ACTORS_MAX)
        return NULL;
    char *text = xstrndup(name.at, name.len);
    struct actor *actor = actor_new(text);
    actor->turn = turn_for_actor;
    actor->turn_ctx = stage;
    xfree(text);
    return stage->actors[stage->actor_count++] = actor;
}

static void poll_actors(struct stage *stage)
{
    for (size_t i = 0; i < stage->actor_count; i++)
        if (stage->actors[i]->fd >= 0)
            actor_poll(stage->actors[i]);
}

void stage_turn(struct stage *stage)
{
    loop_run_once(stage->loop, 1);
    poll_actors(stage);
}

bool stage_until(struct stage *stage, bool (*holds)(void *ctx), void *ctx)
{
    int64_t until = stopwatch_us() + STAGE_PATIENCE_US;
    while (!holds(ctx)) {
        if (stopwatch_us() > until)
            return false;
        stage_turn(stage);
    }
    return true;
}

static bool is_idle(const struct stage *stage)
{
    return server_idle(stage->server);
}

static bool is_stored(const struct stage *stage)
{
    return store_idle(server_store(stage->server));
}

/* So for several turns in a row: what one socket got may still be on its way to another. */
static bool keeps(struct stage *stage, bool (*holds)(const struct stage *stage))
{
    enum { QUIET_TURNS = 5 };
    int64_t until = stopwatch_us() + STAGE_PATIENCE_US;
    for (int quiet = 0; quiet < QUIET_TURNS;) {
        if (stopwatch_us() > until)
            return false;
        stage_turn(stage);
        quiet = holds(stage) ? quiet + 1 : 0;
    }
    return true;
}

bool stage_settle(struct stage *stage)
{
    return keeps(stage, is_idle);
}

bool stage_quiet(struct stage *stage)
{
    return keeps(stage, is_stored);
}

void stage_clock(struct stage *stage, int64_t ms)
{
    while (ms > 0) {
        int64_t step = timers_next(loop_timers(stage->loop));
        step = step < 0 || step > ms ? ms : step > 0 ? step : 1;
        clock_advance(step);
        ms -= step;
        for (int i = 0; i < 4; i++) {
            loop_run_once(stage->loop, 0);
            poll_actors(stage);
        }
    }
}

/* ---- HTTP ---- */

static bool asking_ended(void *ctx)
{
    struct asking *asking = ctx;
    char buffer[16384];
    ssize_t n;
    while ((n = recv(asking->fd, buffer, sizeof(buffer), MSG_DONTWAIT)) > 0)
        strbuf_add(&asking->in, buffer, (size_t)n);
    if (n == 0 || (n < 0 && errno != EAGAIN))
        asking->ended = true;
    return asking->ended;
}

struct asking *stage_ask(struct stage *stage, const char *request)
{
    struct asking *asking = xcalloc(1, sizeof(*asking));
    struct sockaddr_in to = {.sin_family = AF_INET,
                             .sin_port = htons((uint16_t)server_rest_port(stage->server))};
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    asking->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (connect(asking->fd, (struct sockaddr *)&to, sizeof(to)) == 0 &&
        send(asking->fd, request, strlen(request), MSG_NOSIGNAL) == (ssize_t)strlen(request))
        return asking;
    asking_free(asking);
    return NULL;
}

bool stage_answer(struct stage *stage, struct asking *asking, int *status, struct strbuf *body)
{
    bool ok = stage_until(stage, asking_ended, asking);
    *status = 0;
    if (ok && asking->in.len) {
        sscanf(asking->in.at, "HTTP/1.%*d %d", status);
        const char *end = strstr(asking->in.at, "\r\n\r\n");
        if (end)
            strbuf_adds(body, end + 4);
    }
    asking_free(asking);
    return ok && *status;
}
