/* A REST daemon under test and bare sockets against it, all on one thread and under a fake clock.
 *
 * `struct rig` drives http_run() as the wiring does: when the descriptor is readable, when it wants
 * to, when its timeout says so. Its handler writes down what it was given and answers at once, or
 * keeps the number for later. Waiting is turning until a condition holds, never sleeping. */
#ifndef TESTS_HTTP_RIG_H
#define TESTS_HTTP_RIG_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/log.h"
#include "base/mem.h"
#include "http/http.h"

enum { HELD_MAX = 256 };

struct rig {
    struct timers timers;
    struct http_settings settings;
    struct http *http;
    bool hold; /* keep the numbers in `held` instead of answering */
    uint64_t held[HELD_MAX];
    size_t held_count, handled;
    struct response answer; /* what the handler answers; default 200 {"ok":true} */
    struct strbuf seen;     /* the last request as text, see rig.c */
    /* Called inside the handler, before it answers or holds. */
    void (*on_request)(struct rig *rig, uint64_t number);
};

void rig_init(struct rig *rig); /* defaults; change settings, then rig_open */
void rig_open(struct rig *rig);
void rig_clear(struct rig *rig);
void rig_turn(struct rig *rig, int turns);
void rig_advance(struct rig *rig, int64_t ms); /* moves the fake clock, fires timers, turns */
void rig_answer(struct rig *rig, size_t held, int status, const char *body);

/* Turns until `condition`, and fails after many turns. */
#define RIG_UNTIL(rig, condition)                                                                  \
    do {                                                                                           \
        int turns_left_ = 3000;                                                                    \
        while (!(condition) && turns_left_-- > 0)                                                  \
            rig_turn((rig), 1);                                                                    \
        assert_true(condition);                                                                    \
    } while (0)

struct client {
    int fd;
    struct strbuf in; /* what came and was not taken yet */
    bool eof;         /* closed or reset by the server */
};

struct client client_connect(struct rig *rig);
struct client client_connect_from(struct rig *rig, const char *address); /* 127.0.0.2 … */
void client_write(struct client *client, const void *bytes, size_t len); /* must fit the socket */
void client_writes(struct client *client, const char *text);
bool client_pull(struct client *client); /* always true: for use in conditions */
void client_close(struct client *client);

struct reply {
    int status; /* 0: the connection ended without one */
    char head[2048];
    char body[4096]; /* cut */
    size_t length;   /* of the whole body */
};

/* The next reply on that connection; checks the headers that every reply has. */
void client_reply(struct rig *rig, struct client *client, struct reply *reply);
void client_reply_to_head(struct rig *rig, struct client *client, struct reply *reply);
/* Is there a header line `Name: value`? */
bool reply_has(const struct reply *reply, const char *line);
/* Only the head of a reply; what follows stays in client.in. */
void client_head(struct rig *rig, struct client *client, struct reply *reply);
/* The server ends the connection, with nothing more to say. */
void client_expect_end(struct rig *rig, struct client *client);
void client_expect_nothing(struct rig *rig, struct client *client);

/* Sends `text` on a connection of its own; the reply. */
void ask(struct rig *rig, const char *text, struct reply *reply);
/* The same, and the status is all that matters. */
int ask_status(struct rig *rig, const char *text);

#define RIG_TEST(name) cmocka_unit_test(name)

#endif
