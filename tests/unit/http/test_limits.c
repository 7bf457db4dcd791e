/* Limits: bodies, connections, and a deadline on each phase of a request. */
#include "rig.h"

#include <stdio.h>
#include <string.h>

#include "http/parts.h"

#include "rig.c"

static const char get[] = "GET /x HTTP/1.1\r\nHost: h\r\n\r\n";

/* ---- bodies ---- */

static void post_head(struct client *client, const char *more)
{
    char head[256];
    snprintf(head, sizeof(head), "POST /x HTTP/1.1\r\nHost: h\r\n%s\r\n\r\n", more);
    client_writes(client, head);
}

static void post_length(struct client *client, size_t length)
{
    char more[64];
    snprintf(more, sizeof(more), "Content-Length: %zu", length);
    post_head(client, more);
}

static void write_bytes(struct rig *rig, struct client *client, size_t length)
{
    char block[4096];
    memset(block, 'x', sizeof(block));
    while (length) {
        size_t n = length < sizeof(block) ? length : sizeof(block);
        client_write(client, block, n);
        length -= n;
        rig_turn(rig, 1);
    }
}

static void a_body_of_just_the_limit(void **state)
{
    (void)state;
    struct rig rig;
    struct reply reply;
    rig_init(&rig);
    rig_open(&rig);
    struct client client = client_connect(&rig);
    post_length(&client, 65536);
    write_bytes(&rig, &client, 65536);
    client_reply(&rig, &client, &reply);
    assert_int_equal(reply.status, 200);
    assert_int_equal(rig.handled, 1);
    client_close(&client);
    rig_clear(&rig);
}

/* The body is on its way: it is read to its end, so that the answer is not lost to a reset. */
static void a_body_of_one_byte_more(void **state)
{
    (void)state;
    struct rig rig;
    struct reply reply;
    rig_init(&rig);
    rig_open(&rig);
    struct client client = client_connect(&rig);
    post_length(&client, 65537);
    client_expect_nothing(&rig, &client);
    write_bytes(&rig, &client, 65537);
    client_reply(&rig, &client, &reply);
    assert_int_equal(reply.status, 413);
    assert_true(reply_has(&reply, "Content-Type: application/problem+json"));
    assert_non_null(strstr(reply.body, "the body may have 65536 bytes at most"));
    client_writes(&client, get); /* and the connection lives on */
    client_reply(&rig, &client, &reply);
    assert_int_equal(reply.status, 200);
    assert_int_equal(rig.handled, 1);
    client_close(&client);
    rig_clear(&rig);
}

static void a_body_that_waits_for_leave_or_is_huge(void **state)
{
    (void)state;
    static const char *const heads[] = {"Content-Length: 65537\r\nExpect: 100-continue",
                                        "Content-Length: 99999999999"};
    struct rig rig;
    struct reply reply;
    rig_init(&rig);
    rig_open(&rig);
    for (size_t i = 0; i < ARRAY_LEN(heads); i++) {
        struct client client = client_connect(&rig);
        post_head(&client, heads[i]);
        client_reply(&rig, &client, &reply);
        assert_int_equal(reply.status, 413);
        client_expect_end(&rig, &client);
        client_close(&client);
    }
    assert_int_equal(rig.handled, 0);
    rig_clear(&rig);
}

static void leave_to_send_is_given(void **state)
{
    (void)state;
    struct rig rig;
    struct reply reply;
    rig_init(&rig);
    rig_open(&rig);
    struct client client = client_connect(&rig);
    post_head(&client, "Content-Length: 2\r\nExpect: 100-continue");
    client_reply(&rig, &client, &reply);
    assert_int_equal(reply.status, 100);
    client_writes(&client, "{}");
    client_reply(&rig, &client, &reply);
    assert_int_equal(reply.status, 200);
    client_close(&client);
    rig_clear(&rig);
}

static void chunks_beyond_the_limit(void **state)
{
    (void)state;
    struct rig rig;
    struct reply reply;
    char chunk[1100];
    rig_init(&rig);
    rig_open(&rig);
    struct client client = client_connect(&rig);
    post_head(&client, "Transfer-Encoding: chunked");
    snprintf(chunk, sizeof(chunk), "400\r\n%01024d\r\n", 0);
    for (int i = 0; i < 65; i++) {
        client_writes(&client, chunk);
        rig_turn(&rig, 1);
    }
    client_writes(&client, "0\r\n\r\n");
    client_reply(&rig, &client, &reply);
    assert_int_equal(reply.status, 413);
    assert_int_equal(rig.handled, 0);
    client_close(&client);
    rig_clear(&rig);
}

/* ---- time ---- */

/* One byte now and then: libmicrohttpd's own timeout would never end it. */
static void a_body_that_drips(void **state)
{
    (void)state;
    struct rig rig;
    struct reply reply;
    rig_init(&rig);
    rig_open(&rig);
    struct client client = client_connect(&rig);
    post_length(&client, 1000);
    rig_turn(&rig, 5);
    for (int i = 0; i < 9; i++) {
        rig_advance(&rig, 1100);
        client_writes(&client, "x");
        client_expect_nothing(&rig, &client);
    }
    rig_advance(&rig, 100);
    client_reply(&rig, &client, &reply);
    assert_int_equal(reply.status, 408);
    assert_true(reply_has(&reply, "Connection: close"));
    assert_true(reply_has(&reply, "Content-Type: application/problem+json"));
    client_expect_end(&rig, &client);
    assert_int_equal(rig.handled, 0);
    client_close(&client);
    rig_clear(&rig);
}

static void a_head_that_drips(void **state)
{
    (void)state;
    struct rig rig;
    rig_init(&rig);
    rig_open(&rig);
    struct client client = client_connect(&rig);
    client_writes(&client, "GET /x HT");
    rig_turn(&rig, 5);
    rig_advance(&rig, 9999);
    client_writes(&client, "TP");
    client_expect_nothing(&rig, &client);
    rig_advance(&rig, 1);
    client_expect_end(&rig, &client);
    client_close(&client);
    rig_clear(&rig);
}

/* Head and body have their time each, and so has each request on a connection. */
static void each_phase_has_its_own_time(void **state)
{
    (void)state;
    struct rig rig;
    struct reply reply;
    rig_init(&rig);
    rig_open(&rig);
    struct client client = client_connect(&rig);
    rig_turn(&rig, 5);
    for (int i = 0; i < 3; i++) {
        rig_advance(&rig, 9000);
        post_length(&client, 2);
        rig_turn(&rig, 5);
        rig_advance(&rig, 9000);
        client_writes(&client, "{}");
        client_reply(&rig, &client, &reply);
        assert_int_equal(reply.status, 200);
        rig_turn(&rig, 5);
    }
    client_close(&client);
    rig_clear(&rig);
}

static void an_idle_connection_ends(void **state)
{
    (void)state;
    struct rig rig;
    struct reply reply;
    rig_init(&rig);
    rig_open(&rig);
    struct client silent = client_connect(&rig), idle = client_connect(&rig);
    client_writes(&idle, get);
    client_reply(&rig, &idle, &reply);
    rig_turn(&rig, 5);
    rig_advance(&rig, 9999);
    client_expect_nothing(&rig, &silent);
    client_expect_nothing(&rig, &idle);
    rig_advance(&rig, 1);
    client_expect_end(&rig, &silent);
    client_expect_end(&rig, &idle);
    client_close(&silent);
    client_close(&idle);
    rig_clear(&rig);
}

static void a_handler_that_never_answers(void **state)
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
    rig_advance(&rig, 119999);
    client_expect_nothing(&rig, &client);
    assert_int_equal(http_pending(rig.http), 1);
    rig_advance(&rig, 1);
    client_reply(&rig, &client, &reply);
    assert_int_equal(reply.status, 504);
    assert_int_equal(http_pending(rig.http), 0);
    assert_false(http_respond(rig.http, rig.held[0], &rig.answer)); /* too late */
    client_close(&client);
    rig_clear(&rig);
}

static void a_client_that_does_not_read(void **state)
{
    (void)state;
    struct rig rig;
    struct strbuf body = {0};
    rig_init(&rig);
    rig_open(&rig);
    while (body.len < 16 << 20)
        strbuf_adds(&body, "0123456789abcdef0123456789abcdef");
    rig.answer.body = (struct span){body.at, body.len};
    struct client client = client_connect(&rig);
    client_writes(&client, get);
    RIG_UNTIL(&rig, rig.handled == 1);
    rig_advance(&rig, 119999);
    assert_int_equal(rig.timers.count, 1);
    rig_advance(&rig, 1);
    assert_int_equal(rig.timers.count, 0); /* it is gone */
    RIG_UNTIL(&rig, client_pull(&client) && client.eof);
    assert_true(client.in.len < body.len);
    client_close(&client);
    strbuf_clear(&body);
    rig_clear(&rig);
}

/* ---- connections ---- */

static void connections_of_one_address(void **state)
{
    (void)state;
    struct rig rig;
    struct reply reply;
    struct client clients[3];
    rig_init(&rig);
    rig.settings.connections_per_address = 3;
    rig_open(&rig);
    for (size_t i = 0; i < ARRAY_LEN(clients); i++) {
        clients[i] = client_connect(&rig);
        rig_turn(&rig, 3);
    }
    struct client extra = client_connect(&rig);
    RIG_UNTIL(&rig, client_pull(&extra) && extra.eof);
    client_close(&extra);
    struct client other = client_connect_from(&rig, "127.0.0.2");
    client_writes(&other, get);
    client_reply(&rig, &other, &reply);
    assert_int_equal(reply.status, 200);
    assert_non_null(strstr(rig.seen.at, "from 127.0.0.2 "));
    client_close(&other);
    client_close(&clients[0]); /* makes room for another */
    rig_turn(&rig, 5);
    assert_int_equal(ask_status(&rig, get), 200);
    client_close(&clients[1]);
    client_close(&clients[2]);
    rig_clear(&rig);
}

/* Beyond the total they wait in the kernel, and are served when there is room. */
static void connections_in_all(void **state)
{
    (void)state;
    struct rig rig;
    struct reply reply;
    rig_init(&rig);
    rig.settings.connections_max = 2;
    rig_open(&rig);
    struct client first = client_connect(&rig), second = client_connect(&rig);
    rig_turn(&rig, 5);
    struct client third = client_connect(&rig);
    client_writes(&third, get);
    client_expect_nothing(&rig, &third);
    assert_int_equal(rig.handled, 0);
    client_close(&first);
    client_reply(&rig, &third, &reply);
    assert_int_equal(reply.status, 200);
    client_close(&second);
    client_close(&third);
    rig_clear(&rig);
}

static void an_address_that_cannot_be_listened_on(void **state)
{
    (void)state;
    struct rig rig;
    struct reason why;
    rig_init(&rig);
    rig_open(&rig);
    struct http_settings settings = rig.settings;
    settings.port = http_port(rig.http);
    assert_null(http_open(&settings, &rig.timers, rig_handle, &rig, &why));
    assert_non_null(strstr(why.text, "cannot listen on 127.0.0.1 port"));
    settings.address = "example.org";
    assert_null(http_open(&settings, &rig.timers, rig_handle, &rig, &why));
    assert_string_equal(why.text, "REST: \"example.org\" is no IP address");
    rig_clear(&rig);
}

static void addresses_as_text(void **state)
{
    (void)state;
    static const char *const texts[][2] = {
        {"::1", "::1"}, {"2001:db8::7", "2001:db8::7"}, {"::ffff:10.1.2.3", "10.1.2.3"}};
    char text[PEER_SIZE];
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        struct sockaddr_in6 six = {.sin6_family = AF_INET6};
        assert_int_equal(inet_pton(AF_INET6, texts[i][0], &six.sin6_addr), 1);
        address_text((const struct sockaddr *)&six, text);
        assert_string_equal(text, texts[i][1]);
    }
    address_text(NULL, text);
    assert_string_equal(text, "unknown");
}

static void the_other_families(void **state)
{
    (void)state;
    static const char *const addresses[] = {"localhost", "::1", "::", "0.0.0.0"};
    struct rig rig;
    struct reason why;
    rig_init(&rig);
    for (size_t i = 0; i < ARRAY_LEN(addresses); i++) {
        rig.settings.address = addresses[i];
        struct http *http = http_open(&rig.settings, &rig.timers, rig_handle, &rig, &why);
        if (!http && strstr(why.text, "Address family not supported"))
            continue; /* a machine without IPv6 */
        if (!http && strstr(why.text, "Cannot assign requested address"))
            continue;
        assert_non_null(http);
        assert_true(http_port(http) > 0);
        http_close(http);
    }
    rig_clear(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        RIG_TEST(a_body_of_just_the_limit),
        RIG_TEST(a_body_of_one_byte_more),
        RIG_TEST(a_body_that_waits_for_leave_or_is_huge),
        RIG_TEST(leave_to_send_is_given),
        RIG_TEST(chunks_beyond_the_limit),
        RIG_TEST(a_body_that_drips),
        RIG_TEST(a_head_that_drips),
        RIG_TEST(each_phase_has_its_own_time),
        RIG_TEST(an_idle_connection_ends),
        RIG_TEST(a_handler_that_never_answers),
        RIG_TEST(a_client_that_does_not_read),
        RIG_TEST(connections_of_one_address),
        RIG_TEST(connections_in_all),
        RIG_TEST(an_address_that_cannot_be_listened_on),
        RIG_TEST(addresses_as_text),
        RIG_TEST(the_other_families),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
