/* Bodies that go into a sink: asked at the head, bounded by stalls, closed exactly once. */
#include "rig.h"

#include <stdio.h>
#include <string.h>

#include "rig.c"

/* What the hook says about `/sink…` and what its sink got; other paths go into memory. */
struct store {
    struct strbuf got;
    int asked, closed, whole;
    bool full; /* the sink gives up */
    int64_t max;
    enum key_scope scope, least; /* of the key; what /large asks for */
    uint64_t upload;             /* as the handler saw it */
};

static struct store *current;

static bool sink_write(void *ctx, const char *data, size_t len)
{
    struct store *store = ctx;
    assert_int_equal(store->closed, 0);
    if (store->full)
        return false;
    strbuf_add(&store->got, data, len);
    return true;
}

static void sink_close(void *ctx, bool whole)
{
    struct store *store = ctx;
    store->closed++;
    store->whole += whole;
}

static bool hook(void *ctx, const struct request *head, struct http_sink *sink,
                 struct response *refusal)
{
    struct store *store = ctx;
    store->asked++;
    store->scope = head->scope;
    assert_int_equal(head->body.len, 0);
    assert_string_equal(head->peer, "127.0.0.1");
    if (strncmp(head->path, "/no", 3) == 0)
        *refusal = (struct response){
            .status = 404, .content_type = "text/plain", .body = SPAN("no such place")};
    if (strncmp(head->path, "/large", 6) == 0 && head->scope >= store->least)
        sink->max = store->max; /* into memory, as /memory, but more of it */
    if (strncmp(head->path, "/sink", 5) != 0)
        return false;
    *sink = (struct http_sink){sink_write, sink_close, store, store->max, 77};
    return true;
}

static void store_open(struct store *store, struct rig *rig)
{
    *store = (struct store){.max = 1 << 20};
    current = store;
    rig_init(rig);
    rig_open(rig);
    http_on_upload(rig->http, hook, store);
}

static void put(struct client *client, const char *path, const char *more)
{
    char head[256];
    snprintf(head, sizeof(head), "PUT %s HTTP/1.1\r\nHost: h\r\n%s\r\n\r\n", path, more);
    client_writes(client, head);
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

static void note_upload(struct rig *rig, uint64_t number)
{
    (void)number;
    current->upload = strstr(rig->seen.at, "upload 77") ? 77 : 0;
    assert_int_equal(current->closed, current->upload ? 1 : 0); /* whole before it is told */
}

static void a_whole_upload(void **state)
{
    (void)state;
    struct rig rig;
    struct store store;
    struct reply reply;
    store_open(&store, &rig);
    rig.on_request = note_upload;
    struct client client = client_connect(&rig);
    put(&client, "/sink", "Content-Length: 200000"); /* beyond max_body */
    write_bytes(&rig, &client, 200000);
    client_reply(&rig, &client, &reply);
    assert_int_equal(reply.status, 200);
    assert_int_equal(store.got.len, 200000);
    assert_int_equal(store.upload, 77);
    assert_int_equal(store.closed, 1);
    assert_int_equal(store.whole, 1);
    put(&client, "/memory", "Content-Length: 2"); /* asked, and not wanted */
    client_writes(&client, "{}");
    store.closed = 0;
    client_reply(&rig, &client, &reply);
    assert_int_equal(reply.status, 200);
    assert_non_null(strstr(rig.seen.at, "body {}"));
    assert_int_equal(store.asked, 2);
    put(&client, "/sink", "Content-Length: 0"); /* no body: not asked */
    client_reply(&rig, &client, &reply);
    assert_int_equal(store.asked, 2);
    client_close(&client);
    rig_clear(&rig);
    assert_int_equal(store.closed, 0);
    strbuf_clear(&store.got);
}

static void leave_is_asked_first(void **state)
{
    (void)state;
    struct rig rig;
    struct store store;
    struct reply reply;
    store_open(&store, &rig);
    struct client client = client_connect(&rig);
    put(&client, "/sink", "Content-Length: 3\r\nExpect: 100-continue");
    client_reply(&rig, &client, &reply);
    assert_int_equal(reply.status, 100);
    client_writes(&client, "abc");
    client_reply(&rig, &client, &reply);
    assert_int_equal(reply.status, 200);
    assert_string_equal(store.got.at, "abc");
    client_close(&client);
    client = client_connect(&rig);
    put(&client, "/no", "Content-Length: 3\r\nExpect: 100-continue");
    client_reply(&rig, &client, &reply);
    assert_int_equal(reply.status, 404);
    assert_string_equal(reply.body, "no such place");
    client_expect_end(&rig, &client);
    client_close(&client);
    rig_clear(&rig);
    assert_int_equal(store.closed, 1);
    strbuf_clear(&store.got);
}

/* The body of a refused one is read, so that the answer is not lost to a reset; a long one is not.
 */
static void refused_at_the_head(void **state)
{
    (void)state;
    struct rig rig;
    struct store store;
    struct reply reply;
    store_open(&store, &rig);
    struct client client = client_connect(&rig);
    put(&client, "/no", "Content-Length: 100000");
    client_expect_nothing(&rig, &client);
    write_bytes(&rig, &client, 100000);
    client_reply(&rig, &client, &reply);
    assert_int_equal(reply.status, 404);
    put(&client, "/no", "Content-Length: 100000000");
    client_reply(&rig, &client, &reply);
    assert_int_equal(reply.status, 404);
    client_close(&client);
    assert_int_equal(rig.handled, 0);
    rig_clear(&rig);
    assert_int_equal(store.closed, 0);
}

static void too_large(void **state)
{
    (void)state;
    static const char *const heads[] = {"Content-Length: 2001", "Transfer-Encoding: chunked"};
    struct rig rig;
    struct store store;
    struct reply reply;
    for (size_t i = 0; i < ARRAY_LEN(heads); i++) {
        store_open(&store, &rig);
        store.max = 2000;
        struct client client = client_connect(&rig);
        put(&client, "/sink", heads[i]);
        char chunk[1100];
        snprintf(chunk, sizeof(chunk), "400\r\n%01024d\r\n", 0);
        if (i == 0)
            write_bytes(&rig, &client, 2001);
        else
            for (int n = 0; n < 3; n++, rig_turn(&rig, 1))
                client_writes(&client, chunk);
        if (i == 1)
            client_writes(&client, "0\r\n\r\n");
        client_reply(&rig, &client, &reply);
        assert_int_equal(reply.status, 413);
        assert_non_null(strstr(reply.body, "the body may have 2000 bytes at most"));
        assert_int_equal(store.closed, 1);
        assert_int_equal(store.whole, 0);
        client_close(&client);
        assert_int_equal(rig.handled, 0);
        rig_clear(&rig);
        strbuf_clear(&store.got);
    }
}

/* Chunks without end after the limit: a mebibyte is swallowed, then the connection ends. */
static void too_large_without_end(void **state)
{
    (void)state;
    struct rig rig;
    struct store store;
    store_open(&store, &rig);
    store.max = 2000;
    struct client client = client_connect(&rig);
    put(&client, "/sink", "Transfer-Encoding: chunked");
    char chunk[1100];
    snprintf(chunk, sizeof(chunk), "400\r\n%01024d\r\n", 0);
    int sent = 0;
    while (!client.eof && sent < 2048) {
        if (send(client.fd, chunk, strlen(chunk), MSG_NOSIGNAL) < 0)
            break;
        rig_turn(&rig, 1);
        client_pull(&client);
        sent++;
    }
    assert_in_range(sent, 1024, 1100);
    assert_int_equal(store.closed, 1);
    client_close(&client);
    rig_clear(&rig);
    strbuf_clear(&store.got);
}

static void a_sink_that_gives_up(void **state)
{
    (void)state;
    struct rig rig;
    struct store store;
    struct reply reply;
    store_open(&store, &rig);
    store.full = true;
    struct client client = client_connect(&rig);
    put(&client, "/sink", "Content-Length: 5000");
    write_bytes(&rig, &client, 5000);
    client_reply(&rig, &client, &reply);
    assert_int_equal(reply.status, 503);
    assert_non_null(strstr(reply.body, "the body could not be kept"));
    client_close(&client);
    rig_clear(&rig);
    assert_int_equal(store.closed, 1);
    assert_int_equal(store.whole, 0);
}

static void slow_but_steady(void **state)
{
    (void)state;
    struct rig rig;
    struct store store;
    struct reply reply;
    store_open(&store, &rig);
    struct client client = client_connect(&rig);
    put(&client, "/sink", "Content-Length: 100");
    rig_turn(&rig, 5);
    for (int i = 0; i < 99; i++) {
        client_writes(&client, "x");
        rig_turn(&rig, 5);
        rig_advance(&rig, 9000); /* 15 minutes in all */
    }
    assert_int_equal(store.got.len, 99);
    assert_int_equal(store.closed, 0);
    client_writes(&client, "x");
    client_reply(&rig, &client, &reply);
    assert_int_equal(reply.status, 200);
    put(&client, "/sink", "Content-Length: 100"); /* and one that stops */
    store.closed = 0;
    client_writes(&client, "x");
    rig_turn(&rig, 5);
    rig_advance(&rig, 10000);
    client_reply(&rig, &client, &reply);
    assert_int_equal(reply.status, 408);
    client_expect_end(&rig, &client);
    assert_int_equal(store.closed, 1);
    assert_int_equal(store.whole, 1); /* the first */
    client_close(&client);
    rig_clear(&rig);
    strbuf_clear(&store.got);
}

static void the_client_leaves(void **state)
{
    (void)state;
    struct rig rig;
    struct store store;
    store_open(&store, &rig);
    struct client client = client_connect(&rig);
    put(&client, "/sink", "Content-Length: 100");
    write_bytes(&rig, &client, 50);
    RIG_UNTIL(&rig, store.got.len == 50);
    client_close(&client);
    RIG_UNTIL(&rig, store.closed == 1);
    assert_int_equal(store.whole, 0);
    rig_clear(&rig);
    assert_int_equal(store.closed, 1);
    assert_int_equal(rig.handled, 0);
    strbuf_clear(&store.got);
}

/* ---- more memory than max_body ---- */

static void a_large_body_in_memory(void **state)
{
    (void)state;
    struct rig rig;
    struct store store;
    struct reply reply;
    store_open(&store, &rig);
    struct client client = client_connect(&rig);
    put(&client, "/large", "Content-Length: 200000");
    write_bytes(&rig, &client, 200000);
    client_reply(&rig, &client, &reply);
    assert_int_equal(reply.status, 200);
    const char *body = strstr(rig.seen.at, "body ") + 5;
    assert_int_equal(strspn(body, "x"), 200000);
    put(&client, "/memory", "Content-Length: 65537"); /* others are as they were */
    write_bytes(&rig, &client, 65537);
    client_reply(&rig, &client, &reply);
    assert_int_equal(reply.status, 413);
    assert_non_null(strstr(reply.body, "the body may have 65536 bytes at most"));
    put(&client, "/large", "Content-Length: 3\r\nExpect: 100-continue");
    client_reply(&rig, &client, &reply);
    assert_int_equal(reply.status, 100);
    client_writes(&client, "abc");
    client_reply(&rig, &client, &reply);
    assert_int_equal(reply.status, 200);
    client_close(&client);
    assert_int_equal(rig.handled, 2);
    assert_int_equal(store.closed, 0);
    rig_clear(&rig);
}

/* By its length and by what came; a limit below max_body holds too. */
static void too_large_for_memory(void **state)
{
    (void)state;
    static const int64_t limits[] = {100000, 2000};
    struct rig rig;
    struct store store;
    struct reply reply;
    char expected[80], length[40];
    for (size_t i = 0; i < 2 * ARRAY_LEN(limits); i++) {
        store_open(&store, &rig);
        store.max = limits[i / 2];
        struct client client = client_connect(&rig);
        snprintf(length, sizeof(length), "Content-Length: %d", (int)store.max + 1);
        put(&client, "/large", i % 2 ? "Transfer-Encoding: chunked" : length);
        char chunk[1100];
        snprintf(chunk, sizeof(chunk), "400\r\n%01024d\r\n", 0);
        if (i % 2 == 0)
            write_bytes(&rig, &client, (size_t)store.max + 1);
        for (int64_t sent = 0; i % 2 && sent <= store.max; sent += 1024, rig_turn(&rig, 1))
            client_writes(&client, chunk);
        if (i % 2)
            client_writes(&client, "0\r\n\r\n");
        client_reply(&rig, &client, &reply);
        assert_int_equal(reply.status, 413);
        snprintf(expected, sizeof(expected), "the body may have %d bytes at most", (int)store.max);
        assert_non_null(strstr(reply.body, expected));
        assert_true(reply_has(&reply, "Content-Type: application/problem+json"));
        client_close(&client);
        assert_int_equal(rig.handled, 0);
        rig_clear(&rig);
    }
}

/* Far too large: answered at once, unread. */
static void too_large_to_wait_for(void **state)
{
    (void)state;
    static const char *const heads[] = {"Content-Length: 100000001",
                                        "Content-Length: 1048577\r\nExpect: 100-continue"};
    struct rig rig;
    struct store store;
    struct reply reply;
    store_open(&store, &rig);
    for (size_t i = 0; i < ARRAY_LEN(heads); i++) {
        struct client client = client_connect(&rig);
        put(&client, "/large", heads[i]);
        client_reply(&rig, &client, &reply);
        assert_int_equal(reply.status, 413);
        client_close(&client);
    }
    assert_int_equal(rig.handled, 0);
    rig_clear(&rig);
}

/* Without the key there is no more room than elsewhere. */
static void a_large_body_needs_a_key(void **state)
{
    (void)state;
    static const struct http_key keys[] = {{"panel", SCOPE_READ, "look", NULL},
                                           {"ops", SCOPE_OPERATE, "secret", NULL}};
    static const struct {
        const char *key;
        int status;
    } cases[] = {{"X-API-Key: secret", 200},
                 {"X-API-Key: look", 413},
                 {"X-API-Key: guess", 413},
                 {"X-Nothing: 1", 413}};
    struct rig rig;
    struct store store = {.max = 1 << 20, .least = SCOPE_OPERATE};
    struct reply reply;
    current = &store;
    rig_init(&rig);
    rig.settings.keys = keys;
    rig.settings.key_count = ARRAY_LEN(keys);
    rig_open(&rig);
    http_on_upload(rig.http, hook, &store);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        char more[100];
        struct client client = client_connect(&rig);
        snprintf(more, sizeof(more), "%s\r\nContent-Length: 70000", cases[i].key);
        put(&client, "/large", more);
        write_bytes(&rig, &client, 70000);
        client_reply(&rig, &client, &reply);
        assert_int_equal(reply.status, cases[i].status);
        client_close(&client);
    }
    assert_int_equal(rig.handled, 1);
    rig_clear(&rig);
}

/* Beyond max_body a slow client has time as long as something comes. */
static void a_large_body_that_stalls(void **state)
{
    (void)state;
    struct rig rig;
    struct store store;
    struct reply reply;
    store_open(&store, &rig);
    struct client client = client_connect(&rig);
    put(&client, "/large", "Content-Length: 100000");
    write_bytes(&rig, &client, 80000);
    for (int i = 0; i < 20; i++) {
        write_bytes(&rig, &client, 100);
        rig_turn(&rig, 5);
        rig_advance(&rig, 9000);
    }
    write_bytes(&rig, &client, 18000);
    client_reply(&rig, &client, &reply);
    assert_int_equal(reply.status, 200);
    put(&client, "/large", "Content-Length: 100000");
    write_bytes(&rig, &client, 80000);
    rig_turn(&rig, 5);
    rig_advance(&rig, 10000);
    client_reply(&rig, &client, &reply);
    assert_int_equal(reply.status, 408);
    client_expect_end(&rig, &client);
    client_close(&client);
    assert_int_equal(rig.handled, 1);
    rig_clear(&rig);
}

/* The rest comes after the draining began, or never. */
static void the_server_stops(void **state)
{
    (void)state;
    struct rig rig;
    struct store store;
    struct reply reply;
    for (int rest = 0; rest < 2; rest++) {
        store_open(&store, &rig);
        struct client client = client_connect(&rig);
        put(&client, "/sink", "Content-Length: 100");
        write_bytes(&rig, &client, 50);
        RIG_UNTIL(&rig, store.got.len == 50);
        http_drain(rig.http);
        if (rest) {
            write_bytes(&rig, &client, 50);
            client_reply(&rig, &client, &reply);
            assert_int_equal(reply.status, 503);
        }
        rig_clear(&rig);
        assert_int_equal(store.closed, 1);
        assert_int_equal(store.whole, 0);
        assert_int_equal(rig.handled, 0);
        client_close(&client);
        strbuf_clear(&store.got);
    }
}

/* The key is judged with the head, and once: four wrong uploads are four wrong keys. */
static void keys_are_judged_once(void **state)
{
    (void)state;
    static const struct http_key keys[] = {{"ops", SCOPE_OPERATE, "secret", NULL}};
    struct rig rig;
    struct store store;
    struct reply reply;
    store = (struct store){.max = 1000};
    current = &store;
    rig_init(&rig);
    rig.settings.keys = keys;
    rig.settings.key_count = 1;
    rig_open(&rig);
    http_on_upload(rig.http, hook, &store);
    struct client client = client_connect(&rig);
    put(&client, "/sink", "X-API-Key: secret\r\nContent-Length: 1");
    client_writes(&client, "x");
    client_reply(&rig, &client, &reply);
    assert_int_equal(store.scope, SCOPE_OPERATE);
    assert_non_null(strstr(rig.seen.at, "from 127.0.0.1 2 ops"));
    store.closed = 0;
    int wrong = 0;
    do {
        put(&client, "/sink", "X-API-Key: guess\r\nContent-Length: 1");
        client_writes(&client, "x");
        client_reply(&rig, &client, &reply);
        store.closed = 0;
    } while (reply.status == 200 && ++wrong < 100);
    assert_int_equal(reply.status, 429);
    assert_int_equal(store.scope, SCOPE_NONE);
    int plain = 0; /* the same number without a hook */
    rig_advance(&rig, 3600000);
    http_on_upload(rig.http, NULL, NULL);
    client_close(&client);
    client = client_connect(&rig);
    do {
        put(&client, "/sink", "X-API-Key: guess\r\nContent-Length: 1");
        client_writes(&client, "x");
        client_reply(&rig, &client, &reply);
    } while (reply.status == 200 && ++plain < 100);
    assert_int_equal(plain, wrong);
    client_close(&client);
    rig_clear(&rig);
    strbuf_clear(&store.got);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        RIG_TEST(a_whole_upload),           RIG_TEST(leave_is_asked_first),
        RIG_TEST(refused_at_the_head),      RIG_TEST(too_large),
        RIG_TEST(too_large_without_end),    RIG_TEST(a_sink_that_gives_up),
        RIG_TEST(slow_but_steady),          RIG_TEST(the_client_leaves),
        RIG_TEST(the_server_stops),         RIG_TEST(keys_are_judged_once),
        RIG_TEST(a_large_body_in_memory),   RIG_TEST(too_large_for_memory),
        RIG_TEST(too_large_to_wait_for),    RIG_TEST(a_large_body_needs_a_key),
        RIG_TEST(a_large_body_that_stalls),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
