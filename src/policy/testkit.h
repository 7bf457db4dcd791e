/* The world in which policy tests run: a real station, fake chargers, a store that never fails.
 *
 * Nothing in it happens by itself: frames and batches wait in queues until testkit_step() lets one
 * through, timers until the clock is moved. So a test is the same every time, and a handler that
 * waits is resumed from the test, never from inside of the station. Private to testkit*.c. */
#ifndef POLICY_TESTKIT_H
#define POLICY_TESTKIT_H

#include "policy/api_parts.h"

struct testkit_frame { /* sent by the server */
    struct testkit_frame *next;
    uint64_t connection;
    size_t len;
    char text[];
};

struct testkit_result { /* of a CALL that a fake charger sent */
    struct testkit_result *next;
    char *id, *frame;
};

struct testkit_call { /* of the server, for a fake charger to answer; lives in the arena of a step
                       */
    const char *cp, *id, *action;
    const struct json *payload;
};

struct testkit_answer { /* of a REST request; status 0: not there yet */
    struct testkit_answer *next;
    int status;
    bool json;
    struct strbuf body;
    bool has_source; /* the body comes piece by piece; ours until it is read to its end */
    struct body_source source;
};

struct testkit {
    struct generation *generation;
    struct station *station;
    struct timers timers;
    struct testkit_frame *frames, *frames_last;
    struct batch *batches, *batches_last;
    struct testkit_result *results;
    struct testkit_ended *transactions; /* all that were started */
    size_t transaction_count, transaction_room;
    uint64_t last_connection;
    struct testkit_answer *answers;
    struct testkit_http *http; /* asked and not answered yet: testkit_http.c */
    uint64_t http_numbers;
    struct arena arena;    /* of the newest step */
    struct reason failure; /* the first handler that failed in this test; "" if none did */
    bool failures_allowed;
};

struct testkit *testkit_new(struct generation *generation);
/* Drops the chargers, lets everything end, frees. */
void testkit_free(struct testkit *kit);
/* Lets through what is ready until a charger has to answer a CALL (true), or nothing is left. */
bool testkit_step(struct testkit *kit, struct testkit_call *call);
/* The identity behind a connection, or NULL once it is closed or replaced. */
const char *testkit_identity(struct testkit *kit, uint64_t connection);
uint64_t testkit_connection(struct testkit *kit, const char *cp); /* 0 = offline */
void testkit_connect(struct testkit *kit, const char *cp);
void testkit_disconnect(struct testkit *kit, const char *cp);
/* From the charger to the server. */
void testkit_receive(struct testkit *kit, const char *cp, const char *text, size_t len);
/* The answer to the CALL with that id, once: the frame's text (xfree), or NULL. */
char *testkit_take_result(struct testkit *kit, const char *id);
/* Reads what is there of a body that comes piece by piece; closes it at its end, or if `last`. */
void testkit_read_source(struct testkit *kit, struct testkit_answer *answer, bool last);
/* ---- HTTP and webhooks: testkit_http.c ---- */

/* As outside_start() and outside_cancel(). */
uint64_t testkit_http_start(struct testkit *kit, const struct policy_http *what,
                            policy_http_done done, void *ctx);
void testkit_http_cancel(struct testkit *kit, uint64_t number);
void testkit_http_end(struct testkit *kit); /* what is left fails; webhooks are forgotten */
/* What a webhook was given; `payload` is JSON. */
void testkit_webhook(lua_State *L, const char *webhook, const char *id, const char *event,
                     const char *payload);
int testkit_next_http(lua_State *L);
int testkit_http_answer(lua_State *L);
int testkit_http_fail(lua_State *L);
int testkit_webhooks(lua_State *L);

/* The world of the running test, or raises. */
struct testkit *testkit_of(lua_State *L);
/* Fakes both clocks of this thread; timers go by the second. */
void testkit_fake_clock(wall_t wall, mono_t mono);
/* The functions of `kit`, the argument of lua/testkit.lua: testkit_lua.c. */
void testkit_push_functions(lua_State *L);

#endif
