/* The way of an exchange: answered at once or later, by whom, in which order, and how it all ends.
 */
#include "rig.h"

#include <stdio.h>
#include <string.h>

#include "rig.c"

static const char get[] = "GET /x HTTP/1.1\r\nHost: h\r\n\r\n";

static void answered_later(void **state)
{
    (void)state;
    struct rig rig;
    struct reply reply;
    rig_init(&rig);
    rig.hold = true;
    rig_open(&rig);
    struct client client = client_connect(&rig);
    client_writes(&client, get);
    RIG_UNTIL(&rig, rig.held_count == 1);
    client_expect_nothing(&rig, &client);
    assert_false(http_wants_run(rig.http));
    assert_int_equal(http_timeout_ms(rig.http), -1);
    rig_answer(&rig, 0, 201, "{\"later\":1}");
    assert_true(http_wants_run(rig.http)); /* epoll alone would not wake */
    assert_int_equal(http_timeout_ms(rig.http), 0);
    client_reply(&rig, &client, &reply);
    assert_int_equal(reply.status, 201);
    assert_string_equal(reply.body, "{\"later\":1}");
    client_close(&client);
    rig_clear(&rig);
}

static void answered_once(void **state)
{
    (void)state;
    struct rig rig;
    struct reply reply;
    rig_init(&rig);
    rig.hold = true;
    rig_open(&rig);
    struct client client = client_connect(&rig);
    client_writes(&client, get);
    RIG_UNTIL(&rig, rig.held_count == 1);
    assert_false(http_respond(rig.http, rig.held[0] + 1, &rig.answer));
    assert_true(http_respond(rig.http, rig.held[0], &rig.answer));
    assert_false(http_respond(rig.http, rig.held[0], &rig.answer));
    client_reply(&rig, &client, &reply);
    assert_false(http_respond(rig.http, rig.held[0], &rig.answer));
    client_expect_nothing(&rig, &client);
    client_close(&client);
    rig_clear(&rig);
}

/* The response is copied: what it pointed to may go at once. */
static void the_response_is_copied(void **state)
{
    (void)state;
    struct rig rig;
    struct reply reply;
    char name[] = "X-Name", value[] = "value", body[] = "body", type[] = "text/plain";
    struct name_value header = {name, value};
    struct response response = {200, type, {body, 4}, &header, 1, NULL};
    rig_init(&rig);
    rig.hold = true;
    rig_open(&rig);
    struct client client = client_connect(&rig);
    client_writes(&client, get);
    RIG_UNTIL(&rig, rig.held_count == 1);
    assert_true(http_respond(rig.http, rig.held[0], &response));
    memset(name, 0, sizeof(name));
    memset(value, 0, sizeof(value));
    memset(body, 0, sizeof(body));
    memset(type, 0, sizeof(type));
    client_reply(&rig, &client, &reply);
    assert_true(reply_has(&reply, "X-Name: value") &&
                reply_has(&reply, "Content-Type: text/plain"));
    assert_string_equal(reply.body, "body");
    client_close(&client);
    rig_clear(&rig);
}

/* Requests in one packet are answered in order, the next one begins when the last was answered. */
static void pipelined_requests(void **state)
{
    (void)state;
    struct rig rig;
    struct reply reply;
    rig_init(&rig);
    rig.hold = true;
    rig_open(&rig);
    struct client client = client_connect(&rig);
    client_writes(
        &client, "GET /1 HTTP/1.1\r\nHost: h\r\n\r\nPOST /2 HTTP/1.1\r\nHost: h\r\nContent-Length: "
                 "2\r\n\r\n{}GET /3 HTTP/1.1\r\nHost: h\r\n\r\n");
    for (size_t i = 0; i < 3; i++) {
        char body[24], line[32];
        RIG_UNTIL(&rig, rig.held_count == i + 1);
        snprintf(line, sizeof(line), " /%zu\n", i + 1);
        assert_non_null(strstr(rig.seen.at, line));
        client_expect_nothing(&rig, &client);
        snprintf(body, sizeof(body), "%zu", i + 1);
        rig_answer(&rig, i, 200, body);
        client_reply(&rig, &client, &reply);
        assert_string_equal(reply.body, body);
    }
    client_close(&client);
    rig_clear(&rig);
}

static void many_wait_at_once(void **state)
{
    (void)state;
    enum { MANY = 100 };
    struct rig rig;
    struct reply reply;
    struct client clients[MANY];
    rig_init(&rig);
    rig.settings.connections_per_address = MANY;
    rig.hold = true;
    rig_open(&rig);
    for (size_t i = 0; i < MANY; i++) {
        clients[i] = client_connect(&rig);
        client_writes(&clients[i], get);
        RIG_UNTIL(&rig, rig.held_count == i + 1);
    }
    assert_int_equal(http_pending(rig.http), MANY);
    for (size_t i = MANY; i-- > 0;) { /* the last first, all before anything runs */
        char body[24];
        snprintf(body, sizeof(body), "%zu", i);
        rig_answer(&rig, i, 200, body);
    }
    assert_int_equal(http_pending(rig.http), 0);
    for (size_t i = 0; i < MANY; i++) {
        char body[24];
        snprintf(body, sizeof(body), "%zu", i);
        client_reply(&rig, &clients[i], &reply);
        assert_string_equal(reply.body, body);
        client_close(&clients[i]);
    }
    rig_clear(&rig);
}

static void answer_the_first(struct rig *rig, uint64_t number)
{
    (void)number;
    if (rig->held_count == 1) {
        rig->hold = false;
        rig_answer(rig, 0, 200, "by the second");
    }
}

static void a_handler_may_answer_another_request(void **state)
{
    (void)state;
    struct rig rig;
    struct reply reply;
    rig_init(&rig);
    rig.hold = true;
    rig_open(&rig);
    struct client first = client_connect(&rig), second = client_connect(&rig);
    client_writes(&first, get);
    RIG_UNTIL(&rig, rig.held_count == 1);
    rig.on_request = answer_the_first;
    client_writes(&second, get);
    client_reply(&rig, &second, &reply);
    assert_string_equal(reply.body, "{\"ok\":true}");
    client_reply(&rig, &first, &reply);
    assert_string_equal(reply.body, "by the second");
    client_close(&first);
    client_close(&second);
    rig_clear(&rig);
}

static void a_client_that_left_while_it_waited(void **state)
{
    (void)state;
    struct rig rig;
    rig_init(&rig);
    rig.hold = true;
    rig_open(&rig);
    for (size_t i = 0; i < 5; i++) {
        struct client client = client_connect(&rig);
        client_writes(&client, get);
        RIG_UNTIL(&rig, rig.held_count == i + 1);
        client_close(&client);
        rig_turn(&rig, 5);
    }
    for (size_t i = 0; i < 5; i++)
        rig_answer(&rig, i, 200, "nobody reads this");
    RIG_UNTIL(&rig, rig.timers.count == 0); /* all of it is gone */
    rig.hold = false;
    assert_int_equal(ask_status(&rig, get), 200);
    rig_clear(&rig);
}

static void a_client_that_left_with_half_a_body(void **state)
{
    (void)state;
    struct rig rig;
    rig_init(&rig);
    rig_open(&rig);
    struct client client = client_connect(&rig);
    client_writes(&client, "POST /x HTTP/1.1\r\nHost: h\r\nContent-Length: 100\r\n\r\n{\"half\":");
    rig_turn(&rig, 5);
    client_close(&client);
    RIG_UNTIL(&rig, rig.timers.count == 0);
    assert_int_equal(rig.handled, 0);
    rig_clear(&rig);
}

static void draining(void **state)
{
    (void)state;
    struct rig rig;
    struct reply reply;
    rig_init(&rig);
    rig.hold = true;
    rig_open(&rig);
    struct client waiting = client_connect(&rig);
    client_writes(&waiting, get);
    RIG_UNTIL(&rig, rig.held_count == 1);
    http_drain(rig.http);
    ask(&rig, "POST /x HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\n{}", &reply);
    assert_int_equal(reply.status, 503);
    assert_true(reply_has(&reply, "Content-Type: application/problem+json"));
    assert_int_equal(rig.handled, 1);
    rig_answer(&rig, 0, 200, "still served");
    client_reply(&rig, &waiting, &reply);
    assert_string_equal(reply.body, "still served");
    client_close(&waiting);
    rig_clear(&rig);
}

static void expect_last_words(struct client *client)
{
    client_pull(client);
    assert_true(span_starts(span_of(strbuf_text(&client->in)), "HTTP/1.1 503 "));
    assert_non_null(strstr(client->in.at, "the server is stopping"));
    assert_true(client->eof);
    client_close(client);
}

/* libmicrohttpd aborts the process if it is stopped while a connection is suspended. */
static void closing_answers_those_who_wait(void **state)
{
    (void)state;
    struct rig rig;
    struct client clients[20];
    rig_init(&rig);
    rig.hold = true;
    rig_open(&rig);
    for (size_t i = 0; i < ARRAY_LEN(clients); i++) {
        clients[i] = client_connect(&rig);
        client_writes(&clients[i], get);
        RIG_UNTIL(&rig, rig.held_count == i + 1);
    }
    http_close(rig.http);
    rig.http = NULL;
    for (size_t i = 0; i < ARRAY_LEN(clients); i++)
        expect_last_words(&clients[i]);
    rig_clear(&rig);
}

/* What the kernel holds when closing begins must not start to wait any more. */
static void closing_while_a_request_becomes_whole(void **state)
{
    (void)state;
    struct rig rig;
    rig_init(&rig);
    rig.hold = true;
    rig_open(&rig);
    struct client waiting = client_connect(&rig), half = client_connect(&rig);
    client_writes(&waiting, get);
    RIG_UNTIL(&rig, rig.held_count == 1);
    client_writes(&half, "POST /x HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\n{");
    rig_turn(&rig, 5);
    client_writes(&half, "}");
    client_writes(&waiting, get); /* pipelined behind the one that waits */
    struct client fresh = client_connect(&rig);
    client_writes(&fresh, get);
    http_close(rig.http);
    rig.http = NULL;
    assert_int_equal(rig.handled, 1);
    expect_last_words(&half);
    client_close(&waiting);
    client_close(&fresh);
    rig_clear(&rig);
}

static void closing_with_all_sorts_of_connections(void **state)
{
    (void)state;
    struct rig rig;
    struct strbuf body = {0};
    struct reply reply;
    rig_init(&rig);
    rig_open(&rig);
    while (body.len < 16 << 20)
        strbuf_adds(&body, "0123456789abcdef0123456789abcdef");
    struct client silent = client_connect(&rig), idle = client_connect(&rig);
    struct client half_head = client_connect(&rig), reader = client_connect(&rig);
    client_writes(&idle, get);
    client_reply(&rig, &idle, &reply);
    client_writes(&half_head, "GET /x HT");
    rig.answer.body = (struct span){body.at, body.len};
    client_writes(&reader, get);
    RIG_UNTIL(&rig, rig.handled == 2);
    http_close(rig.http);
    rig.http = NULL;
    client_close(&silent);
    client_close(&idle);
    client_close(&half_head);
    client_close(&reader);
    strbuf_clear(&body);
    rig_clear(&rig);
}

static void run_again(struct rig *rig, uint64_t number)
{
    (void)number;
    http_run(rig->http);
}

static void running_inside_a_handler_does_nothing(void **state)
{
    (void)state;
    struct rig rig;
    rig_init(&rig);
    rig.on_request = run_again;
    rig_open(&rig);
    assert_int_equal(ask_status(&rig, get), 200);
    rig_clear(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        RIG_TEST(answered_later),
        RIG_TEST(answered_once),
        RIG_TEST(the_response_is_copied),
        RIG_TEST(pipelined_requests),
        RIG_TEST(many_wait_at_once),
        RIG_TEST(a_handler_may_answer_another_request),
        RIG_TEST(a_client_that_left_while_it_waited),
        RIG_TEST(a_client_that_left_with_half_a_body),
        RIG_TEST(draining),
        RIG_TEST(closing_answers_those_who_wait),
        RIG_TEST(closing_while_a_request_becomes_whole),
        RIG_TEST(closing_with_all_sorts_of_connections),
        RIG_TEST(running_inside_a_handler_does_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
