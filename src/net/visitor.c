/* See visitor.h. Start reading at on_readable. */
#include "net/visitor.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "net/http_head.h"
#include "net/ws_lws.h"

enum {
    LINGER_MS = 1000, /* to read our answer; closing at once could destroy it */
    LINGER_READS_A_TURN = 16,
};

struct visitor {
    struct visitors *all;
    struct visitor *previous, *next;
    struct loop_watch *watch;
    struct timer deadline;
    struct strbuf head; /* only when it came in pieces */
    int fd;
    bool answered;
    char peer[PEER_SIZE];
};

static void visitor_free(struct visitor *self)
{
    struct visitors *all = self->all;
    loop_unwatch(self->watch);
    timer_stop(loop_timers(all->loop), &self->deadline);
    if (self->fd >= 0)
        close(self->fd);
    if (self->previous != NULL) {
        self->previous->next = self->next;
    } else {
        all->first = self->next;
    }
    if (self->next != NULL)
        self->next->previous = self->previous;
    all->count--;
    strbuf_clear(&self->head);
    xfree(self);
}

static void leave(struct visitor *self)
{
    struct visitors *all = self->all;
    char peer[PEER_SIZE];
    text_copy(peer, sizeof(peer), span_of(self->peer));
    visitor_free(self);
    all->left(all->ctx, peer);
}

/* The last we say: then wait until the peer has read it, or for the deadline. */
static void say_and_linger(struct visitor *self, const char *text, size_t len)
{
    self->answered = true;
    /* A fresh socket has room for a few hundred bytes; if not, he is not reading anyway. */
    if (send(self->fd, text, len, MSG_NOSIGNAL) < 0) {
        leave(self);
        return;
    }
    shutdown(self->fd, SHUT_WR);
    timer_start(loop_timers(self->all->loop), &self->deadline, LINGER_MS);
}

static void refuse(struct visitor *self, int status, bool head_method, const char *path)
{
    struct strbuf answer = {0};
    http_answer(&answer, status, head_method);
    LOG(LOG_INFO, "handshake refused", L_STR("peer", self->peer), L_INT("status", status),
        L_STR("path", path));
    say_and_linger(self, strbuf_text(&answer), answer.len);
    strbuf_clear(&answer);
}

/* T7: a charger that offers nothing we speak gets its 101, without the header, and a Close. */
static void finish_and_close(struct visitor *self, const struct http_head *head)
{
    static const char reason[] = "no common subprotocol";
    char accept[WS_ACCEPT_SIZE];
    struct strbuf answer = {0};
    ws_accept_key(head->key, accept);
    strbuf_addf(&answer,
                "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
                "Connection: Upgrade\r\nSec-WebSocket-Accept: %s\r\n\r\n",
                accept);
    strbuf_addc(&answer, (char)0x88); /* FIN, Close */
    strbuf_addc(&answer, (char)(2 + sizeof(reason) - 1));
    strbuf_addc(&answer, (char)(WS_PROTOCOL_ERROR >> 8));
    strbuf_addc(&answer, (char)(WS_PROTOCOL_ERROR & 0xff));
    strbuf_adds(&answer, reason);
    LOG(LOG_INFO, "handshake without a subprotocol that we speak", L_STR("peer", self->peer),
        L_STR("path", head->path), L_STR("offered", head->subprotocols));
    say_and_linger(self, strbuf_text(&answer), answer.len);
    strbuf_clear(&answer);
}

/* T6: the client's own spelling of the version that was chosen, the first in its order. */
static const char *chosen_name(const char *offered, const struct version *version,
                               char out[WS_SUBPROTOCOL_MAX + 1])
{
    struct span rest = span_of(offered);
    struct span piece;
    while (offered != NULL && span_cut(&rest, ',', &piece)) {
        bool any;
        piece = span_trim(piece);
        if (piece.len > WS_SUBPROTOCOL_MAX)
            continue;
        text_copy(out, WS_SUBPROTOCOL_MAX + 1, piece);
        if (handshake_version(out, &any) == version)
            return out;
    }
    return NULL;
}

static void admit(struct visitor *self, const struct http_head *head)
{
    struct visitors *all = self->all;
    struct handshake hs = {.path = head->path,
                           .subprotocols = head->subprotocols,
                           .authorization = head->authorization,
                           .peer = self->peer};
    struct ws_admission admission = {0};
    all->admit(all->ctx, &hs, head->headers, head->header_count, &admission);
    if (admission.status != 101) {
        refuse(self, admission.status, false, head->path);
        return;
    }
    if (admission.version == NULL) {
        finish_and_close(self, head);
        return;
    }
    char name[WS_SUBPROTOCOL_MAX + 1];
    const char *subprotocol = chosen_name(head->subprotocols, admission.version, name);
    char peer[PEER_SIZE];
    text_copy(peer, sizeof(peer), span_of(self->peer));
    int fd = self->fd;
    self->fd = -1;
    visitor_free(self); /* also stops watching: lws watches the descriptor next */
    all->admitted(all->ctx, fd, peer, head->key, subprotocol, &admission);
}

static void judge(struct visitor *self, char *text, size_t len)
{
    struct http_head head;
    struct strbuf merged = {.cap = HTTP_HEAD_MAX};
    int status = http_head_parse(text, len, &head, &merged);
    if (status == 101) {
        admit(self, &head);
    } else {
        refuse(self, status, head.head_method, head.path);
    }
    strbuf_clear(&merged);
}

/* What has come so far, and how much of it is the head. */
static void on_head_bytes(struct visitor *self, char *text, size_t len, long head)
{
    if (head < 0) {
        refuse(self, 400, false, NULL);
    } else if (head > HTTP_HEAD_MAX || (head == 0 && len >= HTTP_HEAD_MAX)) {
        refuse(self, 431, false, NULL);
    } else if (head > 0) {
        judge(self, text, (size_t)head);
    }
}

/* Looks first, then consumes only what belongs to the head: frames behind it are for lws. */
static void read_head(struct visitor *self)
{
    char chunk[HTTP_HEAD_MAX];
    ssize_t got = recv(self->fd, chunk, sizeof(chunk), MSG_PEEK);
    if (got <= 0) {
        if (got == 0 || (errno != EAGAIN && errno != EINTR))
            leave(self);
        return;
    }
    struct strbuf pieces = self->head; /* ours now: judging frees the visitor */
    self->head = (struct strbuf){0};
    size_t before = pieces.len;
    if (before > 0)
        strbuf_add(&pieces, chunk, (size_t)got);
    char *text = before > 0 ? pieces.at : chunk;
    size_t len = before + (size_t)got;
    long head = http_head_length(text, len);
    size_t consume = head > 0 ? (size_t)head - before : (size_t)got;
    if (recv(self->fd, chunk, consume, 0) != (ssize_t)consume) { /* the same bytes once more */
        leave(self);
    } else if (head == 0 && len < HTTP_HEAD_MAX) {
        if (before == 0)
            strbuf_add(&pieces, chunk, (size_t)got);
        self->head = pieces;
        return;
    } else {
        on_head_bytes(self, text, len, head);
    }
    strbuf_clear(&pieces);
}

static void read_and_forget(struct visitor *self)
{
    char chunk[4096];
    for (int i = 0; i < LINGER_READS_A_TURN; i++) {
        ssize_t got = recv(self->fd, chunk, sizeof(chunk), 0);
        if (got > 0)
            continue;
        if (got == 0 || (errno != EAGAIN && errno != EINTR))
            leave(self);
        return;
    }
}

static void on_readable(void *ctx)
{
    struct visitor *self = ctx;
    if (self->answered) {
        read_and_forget(self);
    } else {
        read_head(self);
    }
}

static void on_deadline(struct timer *timer)
{
    struct visitor *self = CONTAINER_OF(timer, struct visitor, deadline);
    if (self->answered) {
        leave(self);
    } else {
        refuse(self, 408, false, NULL);
    }
}

void visitor_start(struct visitors *all, int fd_owned, const char *peer)
{
    struct visitor *self = xcalloc(1, sizeof(*self));
    self->all = all;
    self->fd = fd_owned;
    text_copy(self->peer, sizeof(self->peer), span_of(peer));
    self->deadline.fn = on_deadline;
    self->next = all->first;
    if (all->first != NULL)
        all->first->previous = self;
    all->first = self;
    all->count++;
    timer_start(loop_timers(all->loop), &self->deadline, all->timeout_ms);
    self->watch = loop_watch(all->loop, fd_owned, on_readable, self);
}

void visitors_clear(struct visitors *all)
{
    while (all->first != NULL)
        visitor_free(all->first);
}
