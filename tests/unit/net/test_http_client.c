/* The HTTP client against a server of one function: what it sends, what it makes of every kind of
 * answer, and that each transfer ends exactly once or, cancelled, not at all. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <uv.h>

#include "base/mem.h"
#include "net/http_client.h"

/* ---- the server: answers `answer` to each whole request, keeps the last request ---- */

struct server {
    uv_tcp_t tcp;
    const char *answer; /* NULL: none, the client waits; "": hangs up */
    size_t whole;       /* bytes that a whole request has; 0: up to the empty line */
    struct strbuf seen;
    int connections, requests, port;
};

struct visit {
    uv_tcp_t tcp;
    struct server *server;
    struct strbuf in;
    char room[65536];
};

struct rig {
    struct loop *loop;
    struct http_client *client;
    struct server server;
    char dir[64], url[64];
    /* the last transfer that ended */
    int ended, status;
    enum http_failure failure;
    struct strbuf body, error, type, headers;
    int64_t bytes;
    void (*then)(struct rig *rig);
};

static void on_visit_closed(uv_handle_t *handle)
{
    struct visit *visit = handle->data;
    strbuf_clear(&visit->in);
    xfree(visit);
}

static void hang_up(struct visit *visit)
{
    if (!uv_is_closing((uv_handle_t *)&visit->tcp))
        uv_close((uv_handle_t *)&visit->tcp, on_visit_closed);
}

static void on_room(uv_handle_t *handle, size_t hint, uv_buf_t *out)
{
    (void)hint;
    struct visit *visit = handle->data;
    *out = uv_buf_init(visit->room, sizeof(visit->room));
}

static void serve(struct visit *visit)
{
    struct server *server = visit->server;
    const char *end = strstr(strbuf_text(&visit->in), "\r\n\r\n");
    if (!end || visit->in.len < server->whole)
        return;
    server->requests++;
    strbuf_reset(&server->seen);
    strbuf_add(&server->seen, visit->in.at, visit->in.len);
    strbuf_reset(&visit->in);
    if (!server->answer)
        return;
    uv_buf_t out = uv_buf_init((char *)(uintptr_t)server->answer, (unsigned)strlen(server->answer));
    if (out.len > 0)
        assert_int_equal(uv_try_write((uv_stream_t *)&visit->tcp, &out, 1), out.len);
    if (out.len == 0 || strstr(server->answer, "Connection: close"))
        hang_up(visit);
}

static void on_bytes(uv_stream_t *stream, ssize_t got, const uv_buf_t *buf)
{
    struct visit *visit = stream->data;
    if (got > 0) {
        strbuf_add(&visit->in, buf->base, (size_t)got);
        serve(visit);
    } else if (got < 0) {
        hang_up(visit);
    }
}

static void on_connection(uv_stream_t *stream, int status)
{
    assert_int_equal(status, 0);
    struct server *server = stream->data;
    struct visit *visit = xcalloc(1, sizeof(*visit));
    visit->server = server;
    visit->tcp.data = visit;
    server->connections++;
    uv_tcp_init(stream->loop, &visit->tcp);
    assert_int_equal(uv_accept(stream, (uv_stream_t *)&visit->tcp), 0);
    uv_read_start((uv_stream_t *)&visit->tcp, on_room, on_bytes);
}

static void close_visits(uv_handle_t *handle, void *ctx)
{
    struct rig *rig = ctx;
    if (handle->type == UV_TCP && handle != (uv_handle_t *)&rig->server.tcp && handle->data)
        hang_up(handle->data);
}

static int rig_setup(void **state)
{
    struct rig *rig = xcalloc(1, sizeof(*rig));
    struct reason why;
    rig->loop = loop_new();
    rig->client = http_client_open(rig->loop, &why);
    assert_non_null(rig->client);
    struct server *server = &rig->server;
    struct sockaddr_in at;
    int len = sizeof(at);
    uv_ip4_addr("127.0.0.1", 0, &at);
    uv_tcp_init(loop_native(rig->loop), &server->tcp);
    server->tcp.data = server;
    assert_int_equal(uv_tcp_bind(&server->tcp, (struct sockaddr *)&at, 0), 0);
    assert_int_equal(uv_listen((uv_stream_t *)&server->tcp, 512, on_connection), 0);
    uv_tcp_getsockname(&server->tcp, (struct sockaddr *)&at, &len);
    server->port = ntohs(at.sin_port);
    server->answer =
        "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 5\r\n\r\nhello";
    snprintf(rig->url, sizeof(rig->url), "http://127.0.0.1:%d/a?b=c", server->port);
    strcpy(rig->dir, "/tmp/http-client-XXXXXX");
    assert_non_null(mkdtemp(rig->dir));
    *state = rig;
    return 0;
}

static int rig_teardown(void **state)
{
    struct rig *rig = *state;
    http_client_close(rig->client);
    uv_close((uv_handle_t *)&rig->server.tcp, NULL);
    uv_walk(loop_native(rig->loop), close_visits, rig);
    loop_free(rig->loop);
    struct strbuf *bufs[] = {&rig->body, &rig->error, &rig->type, &rig->headers, &rig->server.seen};
    for (size_t i = 0; i < ARRAY_LEN(bufs); i++)
        strbuf_clear(bufs[i]);
    assert_int_equal(rmdir(rig->dir), 0); /* each test removes its files */
    xfree(rig);
    return 0;
}

static void set(struct strbuf *buf, const char *text, size_t len)
{
    strbuf_reset(buf);
    strbuf_add(buf, text, len);
}

static void on_done(void *ctx, const struct http_transferred *what)
{
    struct rig *rig = ctx;
    rig->ended++;
    rig->status = what->status;
    rig->failure = what->failure;
    rig->bytes = what->bytes;
    const char *error = what->error ? what->error : "";
    const char *type = what->content_type ? what->content_type : "";
    set(&rig->body, what->body.at, what->body.len);
    set(&rig->error, error, strlen(error));
    set(&rig->type, type, strlen(type));
    strbuf_reset(&rig->headers);
    for (size_t i = 0; i < what->header_count; i++)
        strbuf_addf(&rig->headers, "%s=%s;", what->headers[i].name, what->headers[i].value);
    assert_true(what->ms >= 0 && what->ms < 60000);
    if (rig->then)
        rig->then(rig);
}

static void until_ended(struct rig *rig, int ended)
{
    for (int turns = 4000; rig->ended < ended && turns > 0; turns--)
        loop_run_once(rig->loop, 10);
    assert_int_equal(rig->ended, ended);
}

static struct http_transfer get(const struct rig *rig)
{
    return (struct http_transfer){
        .method = "GET", .url = rig->url, .timeout_ms = 30000, .max_body = 1000};
}

static uint64_t start(struct rig *rig, struct http_transfer transfer)
{
    struct reason why = {""};
    uint64_t number = http_client_start(rig->client, &transfer, on_done, rig, &why);
    if (number == 0)
        fail_msg("%s", why.text);
    assert_int_equal(rig->ended, 0); /* never from inside the call */
    return number;
}

static void transfer(struct rig *rig, struct http_transfer transfer)
{
    rig->ended = 0;
    start(rig, transfer);
    until_ended(rig, 1);
    assert_int_equal(http_client_active(rig->client), 0);
}

static const char *seen(const struct rig *rig)
{
    return strbuf_text(&rig->server.seen);
}

/* ---- what it sends and gets ---- */

static void test_get(void **state)
{
    struct rig *rig = *state;
    const char *const headers[] = {"X-One: 1", NULL};
    struct http_transfer what = get(rig);
    what.headers = headers;
    transfer(rig, what);
    assert_int_equal(rig->status, 200);
    assert_string_equal(strbuf_text(&rig->error), "");
    assert_string_equal(strbuf_text(&rig->body), "hello");
    assert_string_equal(strbuf_text(&rig->type), "text/plain");
    assert_int_equal(rig->bytes, 5);
    assert_ptr_equal(strstr(seen(rig), "GET /a?b=c HTTP/1.1\r\n"), seen(rig));
    assert_non_null(strstr(seen(rig), "X-One: 1\r\n"));
    assert_null(strstr(seen(rig), "Content-Type"));
    /* The connection is kept. */
    transfer(rig, get(rig));
    assert_int_equal(rig->server.connections, 1);
    assert_int_equal(rig->server.requests, 2);
}

static void test_bodies_go_as_they_are(void **state)
{
    struct rig *rig = *state;
    const char *const headers[] = {"Content-Type: application/json", NULL};
    struct http_transfer what = get(rig);
    what.method = "POST";
    what.body = SPAN("{\"a\":1}");
    what.headers = headers;
    transfer(rig, what);
    assert_ptr_equal(strstr(seen(rig), "POST /a?b=c"), seen(rig));
    assert_non_null(strstr(seen(rig), "Content-Type: application/json\r\n"));
    assert_non_null(strstr(seen(rig), "Content-Length: 7\r\n"));
    what.method = "PUT";
    what.body = (struct span){NULL, 0};
    what.headers = NULL;
    transfer(rig, what);
    assert_ptr_equal(strstr(seen(rig), "PUT /a?b=c"), seen(rig));
    assert_non_null(strstr(seen(rig), "Content-Length: 0\r\n"));
    assert_null(strstr(seen(rig), "Content-Type"));
    what.method = "DELETE";
    transfer(rig, what);
    assert_ptr_equal(strstr(seen(rig), "DELETE /a?b=c"), seen(rig));
    assert_null(strstr(seen(rig), "Content-Length"));
    what.method = "HEAD";
    transfer(rig, what);
    assert_int_equal(rig->status, 200);
    assert_int_equal(rig->bytes, 0);
}

static void test_upload_sends_a_file(void **state)
{
    struct rig *rig = *state;
    char path[100];
    snprintf(path, sizeof(path), "%s/log", rig->dir);
    size_t len = 100000;
    char *text = xcalloc(1, len);
    memset(text, 'x', len);
    int fd = open(path, O_CREAT | O_WRONLY, 0600);
    assert_int_equal(write(fd, text, len), len);
    close(fd);
    struct http_transfer what = get(rig);
    what.method = "PUT";
    what.upload_path = path;
    rig->server.whole = len;
    transfer(rig, what);
    unlink(path);
    xfree(text);
    assert_int_equal(rig->status, 200);
    assert_ptr_equal(strstr(seen(rig), "PUT /a?b=c"), seen(rig));
    assert_non_null(strstr(seen(rig), "Content-Length: 100000\r\n"));
    assert_null(strstr(seen(rig), "Expect:"));
    struct reason why;
    assert_int_equal(http_client_start(rig->client, &what, on_done, rig, &why), 0);
    assert_non_null(strstr(why.text, "cannot read"));
    what.upload_path = rig->dir;
    assert_int_equal(http_client_start(rig->client, &what, on_done, rig, &why), 0);
    assert_non_null(strstr(why.text, "expected a plain file"));
}

static void test_download_fills_a_file(void **state)
{
    struct rig *rig = *state;
    char path[100], text[100] = "";
    snprintf(path, sizeof(path), "%s/firmware", rig->dir);
    struct http_transfer what = get(rig);
    what.download_path = path;
    transfer(rig, what);
    assert_int_equal(rig->status, 200);
    assert_int_equal(rig->bytes, 5);
    assert_string_equal(strbuf_text(&rig->body), "");
    int fd = open(path, O_RDONLY);
    assert_int_equal(read(fd, text, sizeof(text)), 5);
    close(fd);
    assert_string_equal(text, "hello");
    unlink(path);
    what.download_path = "/proc/nowhere/x";
    struct reason why;
    assert_int_equal(http_client_start(rig->client, &what, on_done, rig, &why), 0);
    assert_non_null(strstr(why.text, "cannot write"));
    if (access("/dev/full", W_OK) == 0) {
        what.download_path = "/dev/full";
        transfer(rig, what);
        assert_non_null(strstr(strbuf_text(&rig->error), "cannot write the answer"));
    }
}

/* ---- what goes wrong ---- */

static void test_a_redirect_is_an_answer(void **state)
{
    struct rig *rig = *state;
    rig->server.answer = "HTTP/1.1 302 Found\r\nLocation: /b\r\nContent-Length: 0\r\n\r\n";
    transfer(rig, get(rig));
    assert_int_equal(rig->status, 302);
    assert_string_equal(strbuf_text(&rig->error), "");
    assert_int_equal(rig->server.requests, 1);
}

static void test_headers_of_the_answer(void **state)
{
    struct rig *rig = *state;
    rig->server.answer = "HTTP/1.1 100 Continue\r\nX-Early: 1\r\n\r\n"
                         "HTTP/1.1 200 OK\r\nX-One:  a: b \r\nCONTENT-length: 0\r\n"
                         "X-Empty:\r\n\r\n";
    transfer(rig, get(rig));
    assert_int_equal(rig->failure, HTTP_DONE);
    assert_string_equal(strbuf_text(&rig->headers), "x-one=a: b;content-length=0;x-empty=;");
}

static void test_too_many_headers_fail(void **state)
{
    struct rig *rig = *state;
    struct strbuf answer = {0};
    strbuf_adds(&answer, "HTTP/1.1 200 OK\r\n");
    for (int i = 0; i < 1100; i++)
        strbuf_addf(&answer, "X-%d: %060d\r\n", i, i);
    strbuf_adds(&answer, "Content-Length: 0\r\n\r\n");
    rig->server.answer = strbuf_text(&answer);
    transfer(rig, get(rig));
    assert_int_equal(rig->failure, HTTP_TOO_LARGE);
    assert_string_equal(strbuf_text(&rig->error),
                        "the answer has more than 65536 bytes of headers");
    strbuf_clear(&answer);
}

static void test_too_long_an_answer_fails(void **state)
{
    struct rig *rig = *state;
    struct http_transfer what = get(rig);
    what.max_body = 4;
    transfer(rig, what);
    assert_string_equal(strbuf_text(&rig->error), "the answer is longer than 4 bytes");
    assert_int_equal(rig->failure, HTTP_TOO_LARGE);
    what.max_body = 5;
    transfer(rig, what);
    assert_string_equal(strbuf_text(&rig->error), "");
}

static void test_broken_answers(void **state)
{
    struct rig *rig = *state;
    rig->server.answer = "";
    transfer(rig, get(rig));
    assert_int_equal(rig->status, 0);
    assert_string_not_equal(strbuf_text(&rig->error), "");
    rig->server.answer = "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 50\r\n\r\nhel";
    transfer(rig, get(rig));
    assert_int_equal(rig->status, 200);
    assert_int_equal(rig->bytes, 3);
    assert_string_not_equal(strbuf_text(&rig->error), "");
    rig->server.answer = "what is this?\r\n\r\nConnection: close";
    transfer(rig, get(rig));
    assert_int_equal(rig->status, 0);
    assert_string_not_equal(strbuf_text(&rig->error), "");
}

static void test_nobody_there(void **state)
{
    struct rig *rig = *state;
    struct http_transfer what = get(rig);
    what.url = "http://127.0.0.1:1/";
    transfer(rig, what);
    assert_int_equal(rig->status, 0);
    assert_non_null(strstr(strbuf_text(&rig->error), "127.0.0.1 port 1"));
    assert_int_equal(rig->failure, HTTP_UNREACHABLE);
    what.url = "http://no-such-host.invalid/";
    transfer(rig, what);
    assert_int_equal(rig->status, 0);
    assert_non_null(strstr(strbuf_text(&rig->error), "no-such-host.invalid"));
}

static void test_timeout(void **state)
{
    struct rig *rig = *state;
    rig->server.answer = NULL;
    struct http_transfer what = get(rig);
    what.timeout_ms = 50;
    transfer(rig, what);
    assert_int_equal(rig->status, 0);
    assert_string_equal(strbuf_text(&rig->error), "not finished within 50 ms");
    assert_int_equal(rig->failure, HTTP_TIMEOUT);
}

static void test_what_is_not_started(void **state)
{
    struct rig *rig = *state;
    static const struct {
        const char *method, *url, *header, *why;
    } rows[] = {
        {"GET", "ftp://127.0.0.1/x", NULL, "expected an http:// or https:// URL, got ftp://"},
        {"GET", "file:///etc/passwd", NULL, "expected an http:// or https:// URL, got file://"},
        {"GET", "", NULL, "not a URL"},
        {"GET", "http://", NULL, "not a URL"},
        {"GET", "http://a:99999/", NULL, "not a URL"},
        {"GET", "http://a/b\r\nX: 1", NULL, "not a URL"},
        {"G ET", "http://127.0.0.1/", NULL, "not a method"},
        {"", "http://127.0.0.1/", NULL, "not a method"},
        {"GET", "http://127.0.0.1/", "no colon", "not a header"},
        {"GET", "http://127.0.0.1/", "A: b\r\nC: d", "not a header"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct reason why = {""};
        const char *const headers[] = {rows[i].header, NULL};
        struct http_transfer what = get(rig);
        what.method = rows[i].method;
        what.url = rows[i].url;
        what.headers = headers;
        assert_int_equal(http_client_start(rig->client, &what, on_done, rig, &why), 0);
        if (!strstr(why.text, rows[i].why))
            fail_msg("row %zu: %s", i, why.text);
    }
    assert_int_equal(http_client_active(rig->client), 0);
    assert_int_equal(rig->ended, 0);
}

/* ---- ending ---- */

static void test_cancelled_is_silent(void **state)
{
    struct rig *rig = *state;
    struct http_transfer slow = get(rig);
    rig->server.answer = NULL;
    uint64_t first = start(rig, slow), second = start(rig, slow);
    assert_int_not_equal(first, second);
    for (int i = 0; i < 4000 && rig->server.requests < 2; i++)
        loop_run_once(rig->loop, 1);
    assert_int_equal(http_client_active(rig->client), 2);
    http_client_cancel(rig->client, first);
    http_client_cancel(rig->client, first); /* once more does nothing */
    http_client_cancel(rig->client, 999);
    assert_int_equal(http_client_active(rig->client), 1);
    slow.url = "http://no-such-host.invalid/"; /* while its name is being resolved */
    http_client_cancel(rig->client, start(rig, slow));
    for (int i = 0; i < 5; i++)
        loop_run_once(rig->loop, 1);
    assert_int_equal(rig->ended, 0);
    /* The second one ends with the client, without `done`: rig_teardown. */
}

static void start_another(struct rig *rig)
{
    struct http_transfer what = get(rig);
    struct reason why;
    if (rig->ended == 1)
        assert_true(http_client_start(rig->client, &what, on_done, rig, &why) > 0);
    http_client_cancel(rig->client, (uint64_t)rig->ended); /* the one that is ending */
}

static void test_done_may_start_the_next(void **state)
{
    struct rig *rig = *state;
    rig->then = start_another;
    start(rig, get(rig));
    until_ended(rig, 2);
    assert_int_equal(rig->server.requests, 2);
    assert_int_equal(http_client_active(rig->client), 0);
}

static void test_many_at_once(void **state)
{
    struct rig *rig = *state;
    for (int i = 0; i < 300; i++)
        start(rig, get(rig));
    assert_int_equal(http_client_active(rig->client), 300);
    until_ended(rig, 300);
    assert_int_equal(rig->server.requests, 300);
}

static void test_connections_are_limited(void **state)
{
    struct rig *rig = *state;
    rig->server.answer = NULL;
    for (int i = 0; i < 300; i++)
        start(rig, get(rig));
    for (int i = 0; i < 4000 && rig->server.requests < 256; i++)
        loop_run_once(rig->loop, 10);
    for (int i = 0; i < 20; i++)
        loop_run_once(rig->loop, 1);
    assert_int_equal(rig->server.connections, 256);
}

#define RIG_TEST(name) cmocka_unit_test_setup_teardown(name, rig_setup, rig_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        RIG_TEST(test_get),
        RIG_TEST(test_bodies_go_as_they_are),
        RIG_TEST(test_upload_sends_a_file),
        RIG_TEST(test_download_fills_a_file),
        RIG_TEST(test_a_redirect_is_an_answer),
        RIG_TEST(test_headers_of_the_answer),
        RIG_TEST(test_too_many_headers_fail),
        RIG_TEST(test_too_long_an_answer_fails),
        RIG_TEST(test_broken_answers),
        RIG_TEST(test_nobody_there),
        RIG_TEST(test_timeout),
        RIG_TEST(test_what_is_not_started),
        RIG_TEST(test_cancelled_is_silent),
        RIG_TEST(test_done_may_start_the_next),
        RIG_TEST(test_many_at_once),
        RIG_TEST(test_connections_are_limited),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
