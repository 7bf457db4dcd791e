/* An actor of a play: a charger as a bare socket, so that it can also do what no library allows.
 *
 * Non-blocking; everything it hears is queued until the play asks. Answers pings by itself unless
 * told not to. The server runs in the same thread: whoever waits must turn its loop (stage.h). */
#ifndef ACTOR_H
#define ACTOR_H

#include "base/strbuf.h"

enum heard_kind { HEARD_TEXT, HEARD_BINARY, HEARD_CLOSE, HEARD_PONG };

struct heard {
    struct heard *next;
    enum heard_kind kind;
    char *text;
    size_t len;
    int code; /* HEARD_CLOSE */
};

struct actor {
    char *name;
    int fd;                     /* -1: not connected */
    bool upgraded, ended, mute; /* mute: does not answer pings */
    int in_fragments;
    bool deaf;         /* reads nothing */
    int status;        /* of the handshake answer, 0 until it came */
    char *subprotocol; /* chosen by the server, "" if none */
    struct strbuf in;
    struct heard *first, *last;
    void (*turn)(void *ctx); /* turns the server's loop while the kernel's buffer is full */
    void *turn_ctx;
};

struct actor_connect {
    int port;
    const char *path;
    const char *subprotocols; /* NULL: no header */
    const char *user, *password;
    const char *extra; /* more header lines, each ending in CRLF, or NULL */
};

struct actor *actor_new(const char *name);
void actor_free(struct actor *actor);
bool actor_connect(struct actor *actor, const struct actor_connect *how);
/* Connects and sends raw bytes in place of a handshake. */
bool actor_connect_raw(struct actor *actor, int port, const char *bytes, size_t len);
/* Opcode 1 text, 2 binary, 8 close, 9 ping; `fin` false starts or continues a fragment. */
bool actor_send(struct actor *actor, int opcode, bool fin, const char *data, size_t len);
bool actor_send_bytes(struct actor *actor, const char *bytes, size_t len);
/* Reads what has arrived; call after each turn of the loop. */
void actor_poll(struct actor *actor);
struct heard *actor_next(struct actor *actor); /* the caller's: heard_free */
void heard_free(struct heard *heard);
void actor_drop(struct actor *actor); /* ends TCP without a word */

#endif
