/* See actor.h: RFC 6455 from the client's side, as little of it as plays need. */
#include "actor.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/digest.h"
#include "base/mem.h"

struct actor *actor_new(const char *name)
{
    struct actor *actor = xcalloc(1, sizeof(*actor));
    actor->name = xstrdup(name);
    actor->fd = -1;
    return actor;
}

static void forget(struct actor *actor)
{
    struct heard *heard;
    while ((heard = actor_next(actor)))
        heard_free(heard);
    strbuf_clear(&actor->in);
    XFREE(actor->subprotocol);
    actor->upgraded = actor->ended = false;
    actor->status = 0;
}

void actor_drop(struct actor *actor)
{
    if (actor->fd >= 0) {
        struct linger now = {1, 0};
        setsockopt(actor->fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
        close(actor->fd);
    }
    actor->fd = -1;
}

void actor_free(struct actor *actor)
{
    actor_drop(actor);
    forget(actor);
    xfree(actor->name);
    xfree(actor);
}

bool actor_connect_raw(struct actor *actor, int port, const char *bytes, size_t len)
{
    actor_drop(actor);
    forget(actor);
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    actor->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (actor->fd < 0 || connect(actor->fd, (struct sockaddr *)&to, sizeof(to)) != 0)
        return false;
    int on = 1;
    setsockopt(actor->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    fcntl(actor->fd, F_SETFL, fcntl(actor->fd, F_GETFL) | O_NONBLOCK);
    return actor_send_bytes(actor, bytes, len);
}

bool actor_connect(struct actor *actor, const struct actor_connect *how)
{
    struct strbuf head = {0};
    strbuf_addf(&head,
                "GET %s HTTP/1.1\r\nHost: localhost:%d\r\nUpgrade: websocket\r\n"
                "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
                "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n",
                how->path, how->port);
    if (how->subprotocols)
        strbuf_addf(&head, "Sec-WebSocket-Protocol: %s\r\n", how->subprotocols);
    if (how->user) {
        char *pair = xprintf("%s:%s", how->user, how->password);
        strbuf_adds(&head, "Authorization: Basic ");
        base64_encode(pair, strlen(pair), &head);
        strbuf_adds(&head, "\r\n");
        xfree(pair);
    }
    if (how->extra)
        strbuf_adds(&head, how->extra);
    strbuf_adds(&head, "\r\n");
    bool ok = actor_connect_raw(actor, how->port, head.at, head.len);
    strbuf_clear(&head);
    return ok;
}

bool actor_send_bytes(struct actor *actor, const char *bytes, size_t len)
{
    enum { TURNS_MAX = 20000 };
    size_t sent = 0;
    for (int turns = 0; sent < len && turns < TURNS_MAX; turns++) {
        ssize_t n = send(actor->fd, bytes + sent, len - sent, MSG_NOSIGNAL);
        if (n > 0)
            sent += (size_t)n;
        else if (errno == EAGAIN && actor->turn)
            actor->turn(actor->turn_ctx);
        else
            return false;
    }
    return sent == len;
}

bool actor_send(struct actor *actor, int opcode, bool fin, const char *data, size_t len)
{
    static const unsigned char mask[4] = {0x12, 0x34, 0x56, 0x78};
    struct strbuf frame = {0};
    strbuf_addc(&frame, (char)((fin ? 0x80 : 0) | opcode));
    if (len < 126) {
        strbuf_addc(&frame, (char)(0x80 | len));
    } else if (len < 65536) {
        strbuf_addc(&frame, (char)(0x80 | 126));
        strbuf_addc(&frame, (char)(len >> 8));
        strbuf_addc(&frame, (char)len);
    } else {
        strbuf_addc(&frame, (char)(0x80 | 127));
        for (int shift = 56; shift >= 0; shift -= 8)
            strbuf_addc(&frame, (char)((uint64_t)len >> shift));
    }
    strbuf_add(&frame, (const char *)mask, 4);
    for (size_t i = 0; i < len; i++)
        strbuf_addc(&frame, (char)(data[i] ^ (char)mask[i % 4]));
    bool ok = actor->fd >= 0 && actor_send_bytes(actor, frame.at, frame.len);
    strbuf_clear(&frame);
    return ok;
}

static void hear(struct actor *actor, enum heard_kind kind, const char *data, size_t len, int code)
{
    struct heard *heard = xcalloc(1, sizeof(*heard));
    *heard = (struct heard){NULL, kind, xstrndup(data, len), len, code};
    if (actor->last)
        actor->last->next = heard;
    else
        actor->first = heard;
    actor->last = heard;
}

struct heard *actor_next(struct actor *actor)
{
    struct heard *heard = actor->first;
    if (!heard)
        return NULL;
    actor->first = heard->next;
    if (!actor->first)
        actor->last = NULL;
    return heard;
}

void heard_free(struct heard *heard)
{
    xfree(heard->text);
    xfree(heard);
}

static void drop_front(struct actor *actor, size_t len)
{
    memmove(actor->in.at, actor->in.at + len, actor->in.len - len);
    actor->in.len -= len;
}

/* Takes the answer to the handshake off the input; false while it is incomplete. */
static bool take_head(struct actor *actor)
{
    char *end = actor->in.len ? memmem(actor->in.at, actor->in.len, "\r\n\r\n", 4) : NULL;
    if (!end)
        return false;
    *end = '\0';
    sscanf(actor->in.at, "HTTP/1.%*d %d", &actor->status);
    char *name = strcasestr(actor->in.at, "\r\nsec-websocket-protocol:");
    struct span value = {"", 0};
    if (name) {
        value.at = name + strlen("\r\nsec-websocket-protocol:");
        value.len = strcspn(value.at, "\r");
        value = span_trim(value);
    }
    actor->subprotocol = xstrndup(value.at, value.len);
    actor->upgraded = actor->status == 101;
    drop_front(actor, (size_t)(end + 4 - actor->in.at));
    return true;
}

/* Takes one frame off the input; false while it is incomplete. */
static bool take_frame(struct actor *actor)
{
    const unsigned char *in = (const unsigned char *)actor->in.at;
    size_t head = 2, len;
    if (actor->in.len < head)
        return false;
    len = in[1] & 0x7f;
    size_t wide = len == 126 ? 2 : len == 127 ? 8 : 0;
    head += wide;
    if (actor->in.len < head)
        return false;
    if (wide)
        len = 0;
    for (size_t i = 0; i < wide; i++)
        len = len << 8 | in[2 + i];
    if (actor->in.len < head + len)
        return false;
    const char *data = actor->in.at + head;
    int opcode = in[0] & 0x0f;
    if (opcode == 1)
        hear(actor, HEARD_TEXT, data, len, 0);
    else if (opcode == 2)
        hear(actor, HEARD_BINARY, data, len, 0);
    else if (opcode == 8)
        hear(actor, HEARD_CLOSE, data + (len >= 2 ? 2 : 0), len >= 2 ? len - 2 : 0,
             len >= 2 ? (unsigned char)data[0] << 8 | (unsigned char)data[1] : 1005);
    else if (opcode == 9 && !actor->mute)
        actor_send(actor, 10, true, data, len);
    else if (opcode == 10)
        hear(actor, HEARD_PONG, data, len, 0);
    if (opcode == 8) {
        actor_send(actor, 8, true, data, len >= 2 ? 2 : 0);
        shutdown(actor->fd, SHUT_WR);
    }
    drop_front(actor, head + len);
    return true;
}

void actor_poll(struct actor *actor)
{
    char buffer[65536];
    while (actor->fd >= 0 && !actor->ended && !actor->deaf) {
        ssize_t n = recv(actor->fd, buffer, sizeof(buffer), 0);
        if (n < 0 && errno == EAGAIN)
            break;
        if (n <= 0)
            actor->ended = true;
        else
            strbuf_add(&actor->in, buffer, (size_t)n);
    }
    if (actor->status == 0 && !take_head(actor))
        return;
    while (actor->upgraded && actor->in.len && take_frame(actor))
        continue;
}
