/* What clients are sent: the headers of every reply, those of the route, problem documents. */
#include "rig.h"

#include <string.h>

#include "rig.c"

static const char get[] = "GET /x HTTP/1.1\r\nHost: h\r\n\r\n";

static void ask_for(struct rig *rig, const struct response *answer, struct reply *reply)
{
    rig->answer = *answer;
    ask(rig, get, reply);
}

static size_t count_of(const char *text, const char *part)
{
    size_t n = 0;
    while ((text = strstr(text, part))) {
        n++;
        text += strlen(part);
    }
    return n;
}

static void every_reply_has_its_headers(void **state)
{
    (void)state;
    struct rig rig;
    struct reply reply;
    rig_init(&rig);
    rig_open(&rig);
    ask(&rig, get, &reply);
    assert_int_equal(reply.status, 200);
    assert_true(reply_has(&reply, "Content-Type: application/json"));
    assert_true(reply_has(&reply, "Content-Length: 11"));
    assert_true(reply_has(&reply, "Cache-Control: no-store"));
    assert_string_equal(reply.body, "{\"ok\":true}");
    rig_clear(&rig);
}

static void an_empty_body(void **state)
{
    (void)state;
    struct rig rig;
    struct reply reply;
    rig_init(&rig);
    rig_open(&rig);
    ask_for(&rig, &(struct response){.status = 202}, &reply);
    assert_int_equal(reply.status, 202);
    assert_true(reply_has(&reply, "Content-Length: 0"));
    assert_null(strstr(reply.head, "\r\nContent-Type"));
    ask_for(&rig, &(struct response){.status = 204}, &reply);
    assert_int_equal(reply.status, 204);
    rig_clear(&rig);
}

static void a_body_of_any_bytes(void **state)
{
    (void)state;
    struct rig rig;
    struct reply reply;
    struct strbuf body = {0};
    rig_init(&rig);
    rig_open(&rig);
    for (int i = 0; i < 300000; i++)
        strbuf_addc(&body, (char)(i % 251));
    struct response answer = {
        .status = 200, .content_type = "text/csv", .body = {body.at, body.len}};
    rig.answer = answer;
    struct client client = client_connect(&rig);
    client_writes(&client, get);
    client_reply_to_head(&rig, &client, &reply);
    assert_int_equal(reply.length, body.len);
    RIG_UNTIL(&rig, client_pull(&client) && client.in.len == body.len);
    assert_memory_equal(client.in.at, body.at, body.len);
    client_close(&client);
    strbuf_clear(&body);
    rig_clear(&rig);
}

static void headers_of_the_route(void **state)
{
    (void)state;
    struct rig rig;
    struct reply reply;
    const struct name_value headers[] = {{"Location", "/api/v1/commands/7"},
                                         {"cache-control", "max-age=60"},
                                         {"Set-Cookie", "a=1"},
                                         {"Set-Cookie", "b=2"},
                                         {"X-Bad", "a\r\nX-Injected: 1"},
                                         {"Content-Length", "5"},
                                         {"Transfer-Encoding", "chunked"},
                                         {"Connection", "upgrade"}};
    rig_init(&rig);
    rig_open(&rig);
    log_setup(LOG_ERROR, false);
    struct response answer = {.status = 201,
                              .content_type = "text/plain",
                              .body = SPAN("hello world"),
                              .headers = headers,
                              .header_count = ARRAY_LEN(headers)};
    ask_for(&rig, &answer, &reply);
    assert_int_equal(reply.status, 201);
    assert_true(reply_has(&reply, "Location: /api/v1/commands/7"));
    assert_true(reply_has(&reply, "Set-Cookie: a=1") && reply_has(&reply, "Set-Cookie: b=2"));
    assert_null(strstr(reply.head, "Injected"));
    assert_null(strstr(reply.head, "chunked"));
    assert_null(strstr(reply.head, "upgrade"));
    assert_int_equal(count_of(reply.head, "Content-Length"), 1);
    assert_string_equal(reply.body, "hello world");
    rig_clear(&rig);
}

static void a_route_may_let_clients_cache(void **state)
{
    (void)state;
    struct rig rig;
    struct reply reply;
    const struct name_value header = {"Cache-Control", "max-age=60"};
    rig_init(&rig);
    rig_open(&rig);
    struct response answer = {.status = 200, .headers = &header, .header_count = 1};
    ask_for(&rig, &answer, &reply);
    assert_true(reply_has(&reply, "Cache-Control: max-age=60"));
    assert_null(strstr(reply.head, "no-store"));
    rig_clear(&rig);
}

static void a_problem_document(void **state)
{
    (void)state;
    struct strbuf out = {0};
    http_problem(&out, 404, "no \"such\" thing", "/api/v1/x");
    assert_string_equal(out.at, "{\"type\":\"about:blank\",\"title\":\"Not Found\",\"status\":404,"
                                "\"detail\":\"no \\\"such\\\" thing\",\"instance\":\"/api/v1/x\"}");
    strbuf_reset(&out);
    http_problem(&out, 418, NULL, NULL);
    assert_string_equal(out.at, "{\"type\":\"about:blank\",\"title\":\"Error\",\"status\":418}");
    strbuf_clear(&out);
}

static void keep_alive_and_its_end(void **state)
{
    (void)state;
    struct rig rig;
    struct reply reply;
    rig_init(&rig);
    rig_open(&rig);
    struct client client = client_connect(&rig);
    for (int i = 0; i < 3; i++) {
        client_writes(&client, get);
        client_reply(&rig, &client, &reply);
        assert_int_equal(reply.status, 200);
    }
    client_expect_nothing(&rig, &client);
    client_writes(&client, "GET /x HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
    client_reply(&rig, &client, &reply);
    assert_true(reply_has(&reply, "Connection: close"));
    client_expect_end(&rig, &client);
    client_close(&client);
    rig_clear(&rig);
}

static void an_old_client_is_served_and_closed(void **state)
{
    (void)state;
    struct rig rig;
    rig_init(&rig);
    rig_open(&rig);
    struct client client = client_connect(&rig);
    client_writes(&client, "GET /x HTTP/1.0\r\n\r\n");
    RIG_UNTIL(&rig, client_pull(&client) && client.eof);
    assert_non_null(strstr(client.in.at, " 200 OK\r\n"));
    client_close(&client);
    rig_clear(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        RIG_TEST(every_reply_has_its_headers),   RIG_TEST(an_empty_body),
        RIG_TEST(a_body_of_any_bytes),           RIG_TEST(headers_of_the_route),
        RIG_TEST(a_route_may_let_clients_cache), RIG_TEST(a_problem_document),
        RIG_TEST(keep_alive_and_its_end),        RIG_TEST(an_old_client_is_served_and_closed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
