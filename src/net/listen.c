/* See listen.h. Start reading at on_connecting. */
#include "net/listen.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "net/socket.h"

enum {
    ACCEPT_AT_ONCE = 64, /* then the others of the loop have their turn */
    REFILL_MS = 20,      /* how often the bucket is looked at while it is empty */
    BACK_OFF_MS = 100    /* without descriptors */
};

struct listener {
    struct loop *loop;
    struct listener_settings settings;
    int fd;
    int spare; /* given up for a moment when there are no descriptors left; -1 = none */
    struct loop_watch *watch; /* NULL while not accepting */
    struct timer resume;
    int64_t tokens_milli; /* bucket of a second's worth, in thousandths of an accept */
    mono_t filled;
    bool no_descriptors; /* said so in the log */
    bool *closed;        /* set by listener_close under on_connecting */
};

static void on_connecting(void *ctx);

static void accept_again(struct listener *self)
{
    if (self->watch == NULL)
        self->watch = loop_watch(self->loop, self->fd, on_connecting, self);
}

static void accept_later(struct listener *self, int64_t delay_ms)
{
    loop_unwatch(self->watch);
    self->watch = NULL;
    timer_start(loop_timers(self->loop), &self->resume, delay_ms);
}

static void on_resume(struct timer *timer)
{
    accept_again(CONTAINER_OF(timer, struct listener, resume));
}

static bool take_token(struct listener *self)
{
    mono_t now = mono_now();
    int64_t most = (int64_t)self->settings.per_second * 1000;
    self->tokens_milli += (now - self->filled) * self->settings.per_second;
    self->filled = now;
    if (self->tokens_milli > most)
        self->tokens_milli = most;
    if (self->tokens_milli < 1000)
        return false;
    self->tokens_milli -= 1000;
    return true;
}

/* P10: turn one caller away with the spare descriptor, so that he does not wait for nothing, then
 * rest. Without this the loop would spin: the socket stays readable. */
static void out_of_descriptors(struct listener *self)
{
    if (!self->no_descriptors)
        LOG(LOG_WARN, "no file descriptors left: chargers are turned away; raise LimitNOFILE");
    self->no_descriptors = true;
    if (self->spare >= 0) {
        close(self->spare);
        int fd = accept4(self->fd, NULL, NULL, SOCK_CLOEXEC);
        if (fd >= 0)
            close(fd);
        self->spare = open("/dev/null", O_RDONLY | O_CLOEXEC);
    }
    accept_later(self, BACK_OFF_MS);
}

/* One connection; false when there is no reason to ask for another now. */
static bool accept_one(struct listener *self)
{
    if (!take_token(self)) {
        accept_later(self, REFILL_MS);
        return false;
    }
    struct sockaddr_storage address;
    socklen_t len = sizeof(address);
    int fd = accept4(self->fd, (struct sockaddr *)&address, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0) {
        int error = errno;
        self->tokens_milli += 1000;
        if (error == EMFILE || error == ENFILE || error == ENOBUFS || error == ENOMEM)
            out_of_descriptors(self);
        return error == ECONNABORTED || error == EINTR;
    }
    self->no_descriptors = false;
    char peer[PEER_SIZE];
    socket_peer_text(&address, peer);
    socket_set_up(fd, self->settings.dead_peer_ms);
    self->settings.accepted(self->settings.ctx, fd, peer);
    return true;
}

static void on_connecting(void *ctx)
{
    struct listener *self = ctx;
    bool closed = false;
    self->closed = &closed;
    for (int i = 0; i < ACCEPT_AT_ONCE; i++) {
        if (!accept_one(self))
            break;
        if (closed)
            return;
    }
    self->closed = NULL;
}

struct listener *listener_open(struct loop *loop, const struct listener_settings *settings,
                               struct reason *why)
{
    int fd = socket_listen(settings->address, settings->port, why);
    if (fd < 0)
        return NULL;
    struct listener *self = xcalloc(1, sizeof(*self));
    self->loop = loop;
    self->settings = *settings;
    if (self->settings.per_second < 1)
        self->settings.per_second = 1;
    self->fd = fd;
    self->spare = open("/dev/null", O_RDONLY | O_CLOEXEC);
    self->resume.fn = on_resume;
    self->filled = mono_now();
    self->tokens_milli = (int64_t)self->settings.per_second * 1000;
    accept_again(self);
    return self;
}

int listener_port(const struct listener *self)
{
    return socket_port(self->fd);
}

void listener_close(struct listener *self)
{
    if (self == NULL)
        return;
    loop_unwatch(self->watch);
    timer_stop(loop_timers(self->loop), &self->resume);
    close(self->fd);
    if (self->spare >= 0)
        close(self->spare);
    if (self->closed != NULL)
        *self->closed = true;
    xfree(self);
}
