/* A ws_server under test and bare sockets against it, all on one thread.
 *
 * `struct rig` records what the server's hooks said; `struct peer` is a TCP socket that speaks what
 * the test writes. Waiting is turning the loop until a condition holds, never sleeping. */
#ifndef TESTS_NET_RIG_H
#define TESTS_NET_RIG_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/log.h"
#include "base/mem.h"
#include "net/loop.h"
#include "net/ws_server.h"

struct rig;

struct opened {
    uint64_t connection;
    char identity[IDENTITY_MAX + 1];
    bool open;
    char why[300];
};

struct rig {
    struct loop *loop;
    struct ws_server *server;
    struct ws_server_settings settings;
    struct opened *opened; /* in order of opening */
    size_t opened_count, opened_room;
    size_t admits, closes, messages;
    struct strbuf last; /* text of the last message */
    size_t last_len;
    char user_agent[64], peer_seen[64], path_seen[300];
    struct strbuf password; /* of the last handshake with credentials */
    bool done;
    /* What admit says; identity comes from the path below /ocpp. */
    int status;
    bool pong_required, assume_16;
    /* Called inside the hooks, for re-entrancy. */
    void (*on_message)(struct rig *rig, uint64_t connection, const char *text, size_t len);
    void (*on_opened)(struct rig *rig, uint64_t connection);
};

void rig_init(struct rig *rig); /* defaults; change settings, then rig_open */
void rig_open(struct rig *rig);
void rig_clear(struct rig *rig); /* shuts down as main does */
void rig_turn(struct rig *rig, int turns);
void rig_advance(struct rig *rig, int64_t ms); /* moves the fake clock and turns the loop */

/* Turns the loop until `condition`, and fails after many turns. */
#define RIG_UNTIL(rig, condition)                                                                  \
    do {                                                                                           \
        int turns_left_ = 4000;                                                                    \
        while (!(condition) && turns_left_-- > 0)                                                  \
            loop_run_once((rig)->loop, 1);                                                         \
        assert_true(condition);                                                                    \
    } while (0)

struct peer {
    int fd;
    struct strbuf in; /* what the server wrote so far */
    size_t seen;      /* how much of it the test has taken */
    bool eof;
};

struct peer peer_connect(struct rig *rig);
void peer_write(struct peer *peer, const void *bytes, size_t len); /* must fit the socket */
void peer_writes(struct peer *peer, const char *text);
bool peer_pull(struct peer *peer); /* reads what is there; true: something or the end came */
void peer_close(struct peer *peer);
/* The whole head of an answer (until its empty line); "" at EOF. Turns the loop. */
const char *peer_head(struct rig *rig, struct peer *peer, char *out, size_t size);
/* Connects, sends a plain upgrade for `path`, checks the 101. */
struct peer peer_upgrade(struct rig *rig, const char *path, const char *subprotocols);

struct frame_in {
    int opcode; /* -1: end of the connection instead */
    bool fin;
    size_t len;
    const unsigned char *payload; /* in peer->in, until the next pull */
    int close_code;               /* of a Close, 0 = none */
};

void peer_frame(struct peer *peer, int opcode, bool fin, const void *payload, size_t len);
void peer_text(struct peer *peer, const char *text);
struct frame_in peer_next(struct rig *rig, struct peer *peer);
void peer_expect_text(struct rig *rig, struct peer *peer, const char *text);
void peer_expect_close(struct rig *rig, struct peer *peer, int code);

#endif
