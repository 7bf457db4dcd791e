/* Bodies that are pulled from a source: waking, stalls, clients that leave, and the server's end.
 */
#include "rig.h"

#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

#include "rig.c"

static const char get[] = "GET /x HTTP/1.1\r\nHost: h\r\n\r\n";
static const char head[] = "HEAD /x HTTP/1.1\r\nHost: h\r\n\r\n";

/* Gives what is in `text`, then what `then` says: 0 (more may follow), BODY_END, BODY_BROKEN. With
 * `flood` it gives bytes for ever. */
struct feed {
    struct strbuf text;
    size_t at;
    ptrdiff_t then;
    bool flood, wake_inside;
    int started, closed, reads;
    struct body_waker waker;
    struct body_source source;
};

static void feed_started(void *ctx, const struct body_waker *waker)
{
    struct feed *feed = ctx;
    assert_int_equal(feed->reads, 0);
    feed->started++;
    feed->waker = *waker;
}

static ptrdiff_t feed_read(void *ctx, char *to, size_t room)
{
    struct feed *feed = ctx;
    assert_int_equal(feed->started, 1);
    assert_int_equal(feed->closed, 0);
    assert_true(room > 0);
    feed->reads++;
    if (feed->flood) {
        memset(to, 'f', room);
        return (ptrdiff_t)room;
    }
    size_t left = feed->text.len - feed->at, give = left < room ? left : room;
    if (give == 0) {
        if (feed->wake_inside) {
            feed->wake_inside = false;
            strbuf_adds(&feed->text, "late");
            feed->waker.wake(feed->waker.http, feed->waker.request);
        }
        return feed->then;
    }
    memcpy(to, feed->text.at + feed->at, give);
    feed->at += give;
    return (ptrdiff_t)give;
}

static void feed_close(void *ctx)
{
    struct feed *feed = ctx;
    feed->closed++;
}

static void feed_add(struct feed *feed, const char *text)
{
    strbuf_adds(&feed->text, text);
    feed->waker.wake(feed->waker.http, feed->waker.request);
}

static void feed_init(struct feed *feed, struct rig *rig, const char *text, ptrdiff_t then)
{
    *feed = (struct feed){
        .then = then,
        .source = {feed_started, feed_read, feed_close, feed, .length = -1, .endless = then == 0}};
    strbuf_adds(&feed->text, text);
    rig->answer.source = &feed->source;
    rig->answer.body = (struct span){0};
    rig->answer.content_type = "text/plain";
}

static void feed_done(struct feed *feed)
{
    assert_int_equal(feed->closed, 1);
    strbuf_clear(&feed->text);
}

static bool has(struct client *client, const char *text)
{
    client_pull(client);
    return strstr(strbuf_text(&client->in), text) != NULL;
}

/* ---- whole answers ---- */

static void a_body_of_unknown_length(void **state)
{
    (void)state;
    struct rig rig;
    struct reply reply;
    struct feed feed;
    rig_init(&rig);
    rig_open(&rig);
    feed_init(&feed, &rig, "hello", BODY_END);
    struct client client = client_connect(&rig);
    client_writes(&client, get);
    client_head(&rig, &client, &reply);
    assert_int_equal(reply.status, 200);
    assert_true(reply_has(&reply, "Transfer-Encoding: chunked"));
    assert_true(reply_has(&reply, "Content-Type: text/plain"));
    assert_true(reply_has(&reply, "Cache-Control: no-store"));
    RIG_UNTIL(&rig, has(&client, "5\r\nhello\r\n0\r\n\r\n"));
    rig_turn(&rig, 3);
    assert_int_equal(feed.closed, 1);
    assert_int_equal(http_pending(rig.http), 0);
    feed.waker.wake(feed.waker.http, feed.waker.request); /* too late: nothing */
    client_close(&client);
    rig_clear(&rig);
    feed_done(&feed);
}

static void a_body_of_known_length(void **state)
{
    (void)state;
    struct rig rig;
    struct reply reply;
    struct feed feed;
    rig_init(&rig);
    rig_open(&rig);
    feed_init(&feed, &rig, "", BODY_END);
    while (feed.text.len < 300000)
        strbuf_adds(&feed.text, "0123456789");
    feed.source.length = (int64_t)feed.text.len;
    struct client client = client_connect(&rig);
    client_writes(&client, get);
    client_reply(&rig, &client, &reply);
    assert_int_equal(reply.length, feed.text.len);
    rig_turn(&rig, 3);
    assert_int_equal(feed.closed, 1);
    rig.answer = (struct response){.status = 204}; /* the connection lives on */
    client_writes(&client, get);
    client_reply(&rig, &client, &reply);
    assert_int_equal(reply.status, 204);
    client_close(&client);
    rig_clear(&rig);
    feed_done(&feed);
}

/* Nobody may take the part for the whole. */
static void a_broken_body_is_cut(void **state)
{
    (void)state;
    struct rig rig;
    struct reply reply;
    struct feed feed;
    for (int known = 0; known < 2; known++) {
        rig_init(&rig);
        rig_open(&rig);
        feed_init(&feed, &rig, "part", BODY_BROKEN);
        feed.source.length = known ? 10 : -1;
        struct client client = client_connect(&rig);
        client_writes(&client, get);
        client_head(&rig, &client, &reply);
        RIG_UNTIL(&rig, client_pull(&client) && client.eof);
        assert_string_equal(strbuf_text(&client.in), known ? "part" : "4\r\npart\r\n");
        client_close(&client);
        rig_clear(&rig);
        feed_done(&feed);
    }
}

static void head_reads_nothing(void **state)
{
    (void)state;
    struct rig rig;
    struct reply reply;
    struct feed feed;
    for (int known = 0; known < 2; known++) {
        rig_init(&rig);
        rig_open(&rig);
        feed_init(&feed, &rig, "text", known ? BODY_END : 0);
        feed.source.length = known ? 4 : -1;
        struct client client = client_connect(&rig);
        client_writes(&client, head);
        client_head(&rig, &client, &reply);
        assert_int_equal(reply.status, 200);
        if (known)
            assert_true(reply_has(&reply, "Content-Length: 4"));
        RIG_UNTIL(&rig, feed.closed == 1);
        assert_int_equal(feed.started, 0);
        if (known)
            client_expect_nothing(&rig, &client);
        else
            client_expect_end(&rig, &client); /* and not the last chunk of nothing */
        client_close(&client);
        rig_clear(&rig);
        feed_done(&feed);
    }
}

/* HTTP/1.0 knows no chunks: the end of the connection ends the body. */
static void an_old_client(void **state)
{
    (void)state;
    struct rig rig;
    struct reply reply;
    struct feed feed;
    rig_init(&rig);
    rig_open(&rig);
    feed_init(&feed, &rig, "hello", BODY_END);
    struct client client = client_connect(&rig);
    client_writes(&client, "GET /x HTTP/1.0\r\n\r\n");
    client_head(&rig, &client, &reply);
    RIG_UNTIL(&rig, client_pull(&client) && client.eof);
    assert_string_equal(strbuf_text(&client.in), "hello");
    client_close(&client);
    rig_clear(&rig);
    feed_done(&feed);
}

/* ---- waking ---- */

static void an_endless_one_is_woken(void **state)
{
    (void)state;
    struct rig rig;
    struct reply reply;
    struct feed feed;
    rig_init(&rig);
    rig_open(&rig);
    feed_init(&feed, &rig, "", 0);
    struct client client = client_connect(&rig);
    client_writes(&client, get);
    client_head(&rig, &client, &reply);
    RIG_UNTIL(&rig, feed.reads == 1);
    rig_turn(&rig, 20);
    assert_int_equal(feed.reads, 1); /* it sleeps, MHD does not ask again */
    assert_int_equal(http_streams(rig.http), 1);
    assert_int_equal(http_pending(rig.http), 0);
    for (int i = 0; i < 5; i++) {
        char text[16], want[32];
        snprintf(text, sizeof(text), "event%d", i);
        snprintf(want, sizeof(want), "6\r\n%s\r\n", text);
        feed_add(&feed, text);
        RIG_UNTIL(&rig, has(&client, want));
    }
    rig_advance(&rig, 3600000); /* silent for an hour: no deadline */
    rig_advance(&rig, 3600000);
    feed_add(&feed, "still");
    RIG_UNTIL(&rig, has(&client, "still"));
    feed.then = BODY_END;
    feed_add(&feed, "");
    RIG_UNTIL(&rig, has(&client, "0\r\n\r\n"));
    rig_turn(&rig, 3);
    assert_int_equal(http_streams(rig.http), 0);
    client_close(&client);
    rig_clear(&rig);
    feed_done(&feed);
}

static void woken_while_it_reads(void **state)
{
    (void)state;
    struct rig rig;
    struct feed feed;
    rig_init(&rig);
    rig_open(&rig);
    feed_init(&feed, &rig, "first", 0);
    feed.wake_inside = true;
    struct client client = client_connect(&rig);
    client_writes(&client, get);
    RIG_UNTIL(&rig, has(&client, "4\r\nlate\r\n"));
    client_close(&client);
    feed_add(&feed, "on");
    feed_add(&feed, "and on");
    rig_clear(&rig);
    feed_done(&feed);
}

/* ---- clients that leave, or do not read ---- */

static void a_client_leaves(void **state)
{
    (void)state;
    struct rig rig;
    struct feed feed;
    for (int busy = 0; busy < 2; busy++) {
        rig_init(&rig);
        rig_open(&rig);
        feed_init(&feed, &rig, "text", 0);
        feed.flood = busy;
        struct client client = client_connect(&rig);
        client_writes(&client, get);
        RIG_UNTIL(&rig, feed.reads > 0 && (busy || has(&client, "text")));
        client_close(&client);
        for (int i = 0; i < 10 && !feed.closed; i++) {
            feed_add(&feed, "ping");
            rig_turn(&rig, 3);
        }
        assert_int_equal(feed.closed, 1);
        assert_int_equal(http_streams(rig.http), 0);
        assert_int_equal(http_connections(rig.http), 0);
        rig_clear(&rig);
        feed_done(&feed);
    }
}

static void a_client_is_gone_before_the_answer(void **state)
{
    (void)state;
    struct rig rig;
    struct feed feed;
    rig_init(&rig);
    rig.hold = true;
    rig_open(&rig);
    feed_init(&feed, &rig, "text", 0);
    struct client client = client_connect(&rig);
    client_writes(&client, get);
    RIG_UNTIL(&rig, rig.held_count == 1);
    client_close(&client);
    http_respond(rig.http, rig.held[0], &rig.answer);
    RIG_UNTIL(&rig, feed.closed || (feed.reads && http_connections(rig.http) == 1));
    for (int i = 0; i < 10 && !feed.closed; i++) {
        feed_add(&feed, "ping");
        rig_turn(&rig, 3);
    }
    assert_int_equal(feed.closed, 1);
    assert_false(http_respond(rig.http, rig.held[0], &rig.answer)); /* such a number is unknown */
    assert_int_equal(feed.closed, 2);
    feed.closed = 1;
    rig_clear(&rig);
    feed_done(&feed);
}

/* How long until it is closed, in steps of five seconds. */
static int64_t closed_after(struct rig *rig, struct feed *feed, int64_t most)
{
    int64_t passed = 0;
    for (; passed < most && !feed->closed; passed += 5000)
        rig_advance(rig, 5000);
    return passed;
}

static void a_client_that_takes_nothing(void **state)
{
    (void)state;
    static const struct {
        ptrdiff_t then;
        int64_t least;
    } cases[] = {{0, 60000}, {BODY_END, 120000}};
    struct rig rig;
    struct feed feed;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        rig_init(&rig);
        rig_open(&rig);
        feed_init(&feed, &rig, "", cases[i].then);
        feed.flood = true;
        struct client client = client_connect(&rig);
        client_writes(&client, get);
        RIG_UNTIL(&rig, feed.reads > 10);
        rig_turn(&rig, 300); /* until the socket is full */
        int64_t after = closed_after(&rig, &feed, 2 * cases[i].least);
        assert_in_range(after, cases[i].least, cases[i].least * 3 / 2);
        client_close(&client);
        rig_clear(&rig);
        feed_done(&feed);
    }
}

/* However slowly: it is not cut. */
static void a_client_that_takes_a_little(void **state)
{
    (void)state;
    struct rig rig;
    struct feed feed;
    char some[262144];
    rig_init(&rig);
    rig_open(&rig);
    feed_init(&feed, &rig, "", 0);
    feed.flood = true;
    struct client client = client_connect(&rig);
    client_writes(&client, get);
    rig_turn(&rig, 300);
    for (int i = 0; i < 40; i++) {
        assert_true(recv(client.fd, some, sizeof(some), MSG_DONTWAIT) > 0);
        rig_turn(&rig, 5);
        rig_advance(&rig, 20000);
        assert_int_equal(feed.closed, 0);
    }
    client_close(&client);
    rig_clear(&rig);
    feed_done(&feed);
}

/* A finite one whose source gives nothing for ever. */
static void a_source_that_stops(void **state)
{
    (void)state;
    struct rig rig;
    struct feed feed;
    rig_init(&rig);
    rig_open(&rig);
    feed_init(&feed, &rig, "start", BODY_END);
    feed.then = 0;
    struct client client = client_connect(&rig);
    client_writes(&client, get);
    RIG_UNTIL(&rig, has(&client, "start"));
    assert_int_equal(http_pending(rig.http), 1);
    assert_in_range(closed_after(&rig, &feed, 400000), 120000, 180000);
    RIG_UNTIL(&rig, client_pull(&client) && client.eof);
    assert_null(strstr(client.in.at, "0\r\n\r\n"));
    assert_int_equal(http_pending(rig.http), 0);
    client_close(&client);
    rig_clear(&rig);
    feed_done(&feed);
}

/* ---- many, and the end ---- */

static void one_more_than_allowed(void **state)
{
    (void)state;
    struct rig rig;
    struct reply reply;
    struct feed first, second;
    rig_init(&rig);
    rig.settings.streams_max = 1;
    rig_open(&rig);
    feed_init(&first, &rig, "text", 0);
    struct client client = client_connect(&rig);
    client_writes(&client, get);
    RIG_UNTIL(&rig, has(&client, "text"));
    feed_init(&second, &rig, "text", 0);
    ask(&rig, get, &reply);
    assert_int_equal(reply.status, 503);
    assert_true(reply_has(&reply, "Retry-After: 30"));
    assert_non_null(strstr(reply.body, "too many streams"));
    assert_int_equal(second.closed, 1);
    assert_int_equal(second.reads, 0);
    strbuf_clear(&second.text);
    feed_init(&second, &rig, "text", BODY_END); /* one with an end does not count */
    second.source.length = 4;
    assert_int_equal(ask_status(&rig, get), 200);
    feed_done(&second);
    client_close(&client);
    rig_clear(&rig);
    feed_done(&first);
}

enum { READERS = 1000 };

static void a_thousand_that_do_not_read(void **state)
{
    (void)state;
    struct rig rig;
    struct reply reply;
    struct rlimit files;
    getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
    if (files.rlim_cur < 2 * READERS + 100)
        skip();
    struct feed *feeds = xcalloc(READERS, sizeof(*feeds));
    struct client *clients = xcalloc(READERS, sizeof(*clients));
    rig_init(&rig);
    rig.settings.connections_max = READERS + 10;
    rig.settings.connections_per_address = 0;
    rig_open(&rig);
    for (int i = 0; i < READERS; i++) {
        feed_init(&feeds[i], &rig, "text", 0);
        clients[i] = client_connect(&rig);
        client_writes(&clients[i], get);
        RIG_UNTIL(&rig, feeds[i].reads == 2);
    }
    assert_int_equal(http_streams(rig.http), READERS);
    for (int i = 0; i < READERS; i++)
        feed_add(&feeds[i], "more");
    rig.answer = (struct response){.status = 204};
    ask(&rig, get, &reply);
    assert_int_equal(reply.status, 204);
    http_drain(rig.http);
    RIG_UNTIL(&rig, http_streams(rig.http) == 0);
    for (int i = 0; i < READERS; i++) {
        client_close(&clients[i]);
        feed_done(&feeds[i]);
    }
    rig_clear(&rig);
    xfree(feeds);
    xfree(clients);
}

/* Endless ones end, those with an end go on, new ones are refused. */
static void draining(void **state)
{
    (void)state;
    struct rig rig;
    struct feed endless, finite;
    rig_init(&rig);
    rig_open(&rig);
    feed_init(&endless, &rig, "text", 0);
    struct client one = client_connect(&rig), two = client_connect(&rig);
    client_writes(&one, get);
    RIG_UNTIL(&rig, has(&one, "text"));
    feed_init(&finite, &rig, "text", BODY_END);
    finite.then = 0;
    client_writes(&two, get);
    RIG_UNTIL(&rig, has(&two, "text"));
    http_drain(rig.http);
    RIG_UNTIL(&rig, has(&one, "0\r\n\r\n"));
    assert_int_equal(finite.closed, 0);
    assert_int_equal(http_pending(rig.http), 1);
    assert_int_equal(ask_status(&rig, get), 503);
    finite.then = BODY_END;
    feed_add(&finite, "rest");
    RIG_UNTIL(&rig, has(&two, "4\r\nrest\r\n0\r\n\r\n"));
    rig_turn(&rig, 3);
    assert_int_equal(http_pending(rig.http), 0);
    client_close(&one);
    client_close(&two);
    rig_clear(&rig);
    feed_done(&endless);
    feed_done(&finite);
}

static void closing_with_all_kinds(void **state)
{
    (void)state;
    static const struct {
        ptrdiff_t then;
        bool flood, endless;
    } kinds[] = {{0, false, true}, {0, false, false}, {0, true, true}, {0, true, false}};
    struct rig rig;
    struct feed feeds[ARRAY_LEN(kinds)];
    struct client clients[ARRAY_LEN(kinds)];
    rig_init(&rig);
    rig_open(&rig);
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
        feed_init(&feeds[i], &rig, "text", kinds[i].then);
        feeds[i].flood = kinds[i].flood;
        feeds[i].source.endless = kinds[i].endless;
        clients[i] = client_connect(&rig);
        client_writes(&clients[i], get);
        RIG_UNTIL(&rig, feeds[i].reads > 1);
    }
    rig_clear(&rig);
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
        while (!clients[i].eof)
            client_pull(&clients[i]);
        assert_non_null(strstr(clients[i].in.at, kinds[i].flood ? "fff" : "4\r\ntext\r\n"));
        if (!kinds[i].endless) /* a part is no whole */
            assert_null(strstr(clients[i].in.at, "0\r\n\r\n"));
        client_close(&clients[i]);
        feed_done(&feeds[i]);
    }
}

/* The answer is there, and the connection still suspended, when the server closes. */
static void closing_before_the_first_read(void **state)
{
    (void)state;
    struct rig rig;
    struct feed feed;
    rig_init(&rig);
    rig.hold = true;
    rig_open(&rig);
    feed_init(&feed, &rig, "text", 0);
    struct client client = client_connect(&rig);
    client_writes(&client, get);
    RIG_UNTIL(&rig, rig.held_count == 1);
    assert_true(http_respond(rig.http, rig.held[0], &rig.answer));
    rig_clear(&rig);
    assert_int_equal(feed.started, 0);
    client_close(&client);
    feed_done(&feed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        RIG_TEST(a_body_of_unknown_length),
        RIG_TEST(a_body_of_known_length),
        RIG_TEST(a_broken_body_is_cut),
        RIG_TEST(head_reads_nothing),
        RIG_TEST(an_old_client),
        RIG_TEST(an_endless_one_is_woken),
        RIG_TEST(woken_while_it_reads),
        RIG_TEST(a_client_leaves),
        RIG_TEST(a_client_is_gone_before_the_answer),
        RIG_TEST(a_client_that_takes_nothing),
        RIG_TEST(a_client_that_takes_a_little),
        RIG_TEST(a_source_that_stops),
        RIG_TEST(one_more_than_allowed),
        RIG_TEST(a_thousand_that_do_not_read),
        RIG_TEST(draining),
        RIG_TEST(closing_with_all_kinds),
        RIG_TEST(closing_before_the_first_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
