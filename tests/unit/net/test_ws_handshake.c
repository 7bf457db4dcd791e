/* The handshake: paths, subprotocols, refusals, odd and hostile requests (T1-T8, Q17-Q19, P14). */
#include "rig.h"

#include <arpa/inet.h>
#include <ifaddrs.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "rig.c"

static void open_rig(struct rig *rig)
{
    rig_init(rig);
    rig_open(rig);
}

static const char key_line[] = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";

/* Sends `request` and returns the head of the answer; the connection must end behind it. */
static const char *ask(struct rig *rig, const char *request, char *out, size_t size)
{
    struct peer peer = peer_connect(rig);
    peer_writes(&peer, request);
    peer_head(rig, &peer, out, size);
    RIG_UNTIL(rig, peer_pull(&peer) && peer.eof);
    peer_close(&peer);
    return out;
}

static int ask_status(struct rig *rig, const char *request)
{
    char answer[1024];
    ask(rig, request, answer, sizeof(answer));
    return strncmp(answer, "HTTP/1.1 ", 9) == 0 ? (int)strtol(answer + 9, NULL, 10) : 0;
}

static void expect_identity(struct rig *rig, const char *path, const char *identity)
{
    size_t before = rig->opened_count;
    struct peer peer = peer_upgrade(rig, path, "ocpp1.6");
    RIG_UNTIL(rig, rig->opened_count == before + 1);
    assert_string_equal(rig->opened[before].identity, identity);
    peer_close(&peer);
}

static void test_identities_of_the_path(void **state)
{
    (void)state;
    struct rig rig;
    open_rig(&rig);
    expect_identity(&rig, "/ocpp/CP1", "CP1");
    expect_identity(&rig, "/ocpp/a%2Fb", "a/b"); /* T1 */
    expect_identity(&rig, "/ocpp/a%252Fb", "a%2Fb");
    expect_identity(&rig, "/ocpp/RDAM%20123", "RDAM 123"); /* T2 */
    expect_identity(&rig, "/ocpp/%C3%A9", "\xc3\xa9");
    expect_identity(&rig, "///ocpp///CP1", "CP1"); /* T3 */
    expect_identity(&rig, "/ocpp/CP1/", "CP1");
    expect_identity(&rig, "/ocpp/CP1?token=x", "CP1");
    assert_string_equal(rig.path_seen, "/ocpp/CP1");
    expect_identity(&rig, "ws://csms.example:9000/ocpp/CP1", "CP1");
    expect_identity(&rig, "/ocpp/a+b.c_d:e*f@g|h=i", "a+b.c_d:e*f@g|h=i"); /* Q19 */
    assert_string_equal(rig.peer_seen, "127.0.0.1");
    rig_clear(&rig);
}

static int upgrade_status(struct rig *rig, const char *path)
{
    char *request = xprintf("GET %s HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\n"
                            "Connection: Upgrade\r\n%sSec-WebSocket-Version: 13\r\n"
                            "Sec-WebSocket-Protocol: ocpp1.6\r\n\r\n",
                            path, key_line);
    int status = ask_status(rig, request);
    xfree(request);
    return status;
}

static void test_paths_that_are_not_ours(void **state)
{
    (void)state;
    struct rig rig;
    open_rig(&rig);
    static const char *const paths[] = {"/",         "/ocpp",        "/ocpp/",       "/other/CP1",
                                        "/ocpp/a%2", "/ocpp/a%zz",   "/ocpp/a%00b",  "/OCPP/CP1",
                                        "/ocpp/a/b", "/ocpp/%FF%FE", "/ocpp/../CP1", "/ocppCP1"};
    for (size_t i = 0; i < ARRAY_LEN(paths); i++)
        assert_int_equal(upgrade_status(&rig, paths[i]), 404);
    assert_int_equal(rig.opened_count, 0);
    assert_int_equal(ws_server_count(rig.server), 0);
    rig_clear(&rig);
}

static void test_refusals_are_whole_answers(void **state)
{
    (void)state;
    struct rig rig;
    open_rig(&rig);
    char answer[1024];
    char *request = xprintf("GET /ocpp/CP1 HTTP/1.1\r\nUpgrade: websocket\r\n%s"
                            "Authorization: Basic Q1AxOnNlY3JldA==\r\nUser-Agent: box/1\r\n\r\n",
                            key_line);
    rig.status = 401;
    ask(&rig, request, answer, sizeof(answer));
    assert_memory_equal(answer, "HTTP/1.1 401 Unauthorized\r\n", 27);
    assert_non_null(
        strstr(answer, "\r\nWWW-Authenticate: Basic realm=\"ChargeBridge\"\r\n")); /* T5 */
    assert_non_null(strstr(answer, "\r\nConnection: close\r\n"));
    assert_string_equal(rig.user_agent, "box/1");
    rig.status = 503;
    ask(&rig, request, answer, sizeof(answer));
    assert_memory_equal(answer, "HTTP/1.1 503 Service Unavailable\r\n", 34);
    assert_non_null(strstr(answer, "\r\nRetry-After: 30\r\n"));
    rig.status = 404;
    assert_int_equal(ask_status(&rig, request), 404);
    rig.status = 0; /* an admit that decided nothing refuses */
    assert_int_equal(ask_status(&rig, request), 500);
    assert_int_equal(rig.admits, 4);
    xfree(request);
    rig_clear(&rig);
}

static void test_the_clients_first_known_subprotocol(void **state)
{
    (void)state;
    struct rig rig;
    open_rig(&rig);
    struct peer peer = peer_connect(&rig);
    char *request = xprintf("GET /ocpp/CP1 HTTP/1.1\r\nupgrade: WebSocket\r\n%s"
                            "Sec-WebSocket-Protocol: ocpp9.9, foo\r\n"
                            "Sec-WebSocket-Protocol:ocpp1.6 ,ocpp1.6\r\n\r\n",
                            key_line);
    char answer[1024];
    peer_writes(&peer, request);
    peer_head(&rig, &peer, answer, sizeof(answer));
    assert_memory_equal(answer, "HTTP/1.1 101 ", 13);
    assert_non_null(strstr(answer, "\r\nSec-WebSocket-Protocol: ocpp1.6\r\n")); /* T6 */
    assert_null(strstr(answer, "Sec-WebSocket-Extensions"));                    /* T9 */
    xfree(request);
    peer_close(&peer);
    rig_clear(&rig);
}

/* T7: the handshake is finished without the header, then closed at once. */
static void expect_101_then_close(struct rig *rig, const char *subprotocols)
{
    struct peer peer = peer_upgrade(rig, "/ocpp/CP1", subprotocols);
    assert_null(strstr(peer.in.at, "Sec-WebSocket-Protocol"));
    struct frame_in frame = peer_next(rig, &peer);
    assert_int_equal(frame.opcode, 8);
    assert_int_equal(frame.close_code, 1002);
    peer_frame(&peer, 8, true, frame.payload, 2); /* may still answer */
    RIG_UNTIL(rig, peer_pull(&peer) && peer.eof);
    peer_close(&peer);
}

static void test_no_common_subprotocol(void **state)
{
    (void)state;
    struct rig rig;
    open_rig(&rig);
    expect_101_then_close(&rig, "ocpp2.0.1.1, soap");
    expect_101_then_close(&rig, "OCPP1.6"); /* exact */
    expect_101_then_close(&rig, NULL);      /* T8, default off */
    assert_int_equal(rig.opened_count, 0);
    rig_clear(&rig);
}

static void test_a_missing_subprotocol_may_be_assumed(void **state)
{
    (void)state;
    struct rig rig;
    open_rig(&rig);
    rig.assume_16 = true; /* T8 */
    struct peer peer = peer_upgrade(&rig, "/ocpp/CP1", NULL);
    assert_null(strstr(peer.in.at, "Sec-WebSocket-Protocol"));
    RIG_UNTIL(&rig, rig.opened_count == 1);
    peer_text(&peer, "[]");
    RIG_UNTIL(&rig, rig.messages == 1);
    peer_close(&peer);
    rig_clear(&rig);
}

static void test_odd_but_clear_upgrades(void **state)
{
    (void)state;
    struct rig rig;
    open_rig(&rig);
    rig.assume_16 = true;
    static const char keep_alive[] = "GET /ocpp/CP1 HTTP/1.1\r\nUpgrade: websocket\r\n"
                                     "Connection: keep-alive, Upgrade\r\nK\r\n\r\n";
    static const char *const requests[] = {
        keep_alive,
        "GET /ocpp/CP1 HTTP/1.1\r\nUpgrade: websocket\r\nK\r\n\r\n", /* Q18, and no Host */
        "GET /ocpp/CP1 HTTP/1.0\r\nUPGRADE: h2c, WebSocket\r\nK\r\n\r\n",
        "\r\nGET /ocpp/CP1 HTTP/1.1\nUpgrade: websocket\nK\n\n", /* bare line feeds */
        "GET /ocpp/CP1 HTTP/1.1\r\nUpgrade: websocket\r\nContent-Length: 0\r\nK\r\n\r\n",
        "GET /ocpp/CP1 HTTP/1.1\r\nUpgrade: websocket\r\nX-Vendor:  caf\xe9 \t\r\nX:\r\nK\r\n\r\n",
    };
    for (size_t i = 0; i < ARRAY_LEN(requests); i++) {
        struct peer peer = peer_connect(&rig);
        const char *k = strchr(requests[i], 'K');
        peer_write(&peer, requests[i], (size_t)(k - requests[i]));
        peer_writes(&peer, key_line);
        peer_writes(&peer, strchr(k, '\n') + 1); /* K stands for the key's line */
        char answer[1024];
        peer_head(&rig, &peer, answer, sizeof(answer));
        if (strncmp(answer, "HTTP/1.1 101 ", 13) != 0)
            fail_msg("request %zu: %s", i, answer);
        peer_close(&peer);
    }
    rig_clear(&rig);
}

static void test_what_is_no_upgrade(void **state)
{
    (void)state;
    struct rig rig;
    open_rig(&rig);
    static const struct {
        int status;
        const char *request;
    } cases[] = {
        {426, "GET / HTTP/1.1\r\nHost: h\r\n\r\n"},
        {426, "GET /ocpp/CP1 HTTP/1.1\r\nUpgrade: h2c\r\nHTTP2-Settings: x\r\n\r\n"}, /* P9 */
        {426, "GET /ocpp/CP1 HTTP/1.1\r\nUpgrade: foo\r\n\r\n"},
        {426, "HEAD / HTTP/1.1\r\n\r\n"},
        {426, "GET /x HTTP/1.1\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 8\r\n\r\n"},
        {405, "POST /ocpp/CP1 HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc"},
        {405, "CONNECT h:80 HTTP/1.1\r\n\r\n"},
        {400, "GET /ocpp/CP1 HTTP/1.1\r\nUpgrade: websocket\r\n\r\n"}, /* no key */
        {400, "GET /ocpp/CP1 HTTP/1.1\r\nUpgrade: websocket\r\nSec-WebSocket-Key: a b\r\n\r\n"},
        {400, "GET /ocpp/CP1 HTTP/1.1\r\nUpgrade: websocket\r\nSec-WebSocket-Key: a\r\n"
              "Sec-WebSocket-Key: b\r\n\r\n"},
        {400, "GET /ocpp/CP1 HTTP/1.1\r\nAuthorization: a\r\nAuthorization: b\r\n\r\n"},
        {400, "GET /ocpp/CP1 HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n"},
        {400, "GET /ocpp/CP1 HTTP/1.1\r\nContent-Length: 5\r\n\r\n"},
        {400, "GET /ocpp/CP1 HTTP/1.1\r\n folded: x\r\n\r\n"},
        {400, "GET /ocpp/CP1 HTTP/1.1\r\nname : x\r\n\r\n"},
        {400, "GET /ocpp/CP1 HTTP/1.1\r\nno colon\r\n\r\n"},
        {400, "GET /ocpp/CP1 HTTP/1.1\r\na: b\rc\r\n\r\n"},
        {400, "GET ocpp/CP1 HTTP/1.1\r\n\r\n"},
        {400, "GET /ocpp/CP1\r\n\r\n"},
        {400, "GET /ocpp/CP1 FTP/1.1\r\n\r\n"},
        {400, "GET /a b HTTP/1.1\r\n\r\n"},
        {400, "(bad) / HTTP/1.1\r\n\r\n"},
        {400, "\x16\x03\x01\x02"}, /* a TLS hello is not waited for */
        {505, "GET / HTTP/2.0\r\n\r\n"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        int status = ask_status(&rig, cases[i].request);
        if (status != cases[i].status)
            fail_msg("%d instead of %d: %s", status, cases[i].status, cases[i].request);
    }
    assert_int_equal(rig.admits, 0);
    rig_clear(&rig);
}

static void test_heads_have_limits(void **state)
{
    (void)state;
    struct rig rig;
    open_rig(&rig);
    struct strbuf text = {0};
    strbuf_adds(&text, "GET /ocpp/CP1 HTTP/1.1\r\n");
    for (int i = 0; i < 65; i++)
        strbuf_adds(&text, "a: b\r\n");
    strbuf_adds(&text, "\r\n");
    assert_int_equal(ask_status(&rig, strbuf_text(&text)), 431);
    strbuf_reset(&text);
    strbuf_adds(&text, "GET /ocpp/CP1 HTTP/1.1\r\nX: ");
    while (text.len < 9000)
        strbuf_addc(&text, 'x');
    assert_int_equal(ask_status(&rig, strbuf_text(&text)), 431);
    strbuf_clear(&text);
    rig_clear(&rig);
}

static void test_a_head_in_single_bytes(void **state)
{
    (void)state;
    struct rig rig;
    open_rig(&rig);
    struct peer peer = peer_connect(&rig);
    char *request = xprintf("GET /ocpp/a%%2Fb HTTP/1.1\r\nUpgrade: websocket\r\n%s"
                            "Sec-WebSocket-Protocol: ocpp1.6\r\n\r\n",
                            key_line);
    for (const char *c = request; *c != '\0'; c++) {
        peer_write(&peer, c, 1);
        rig_turn(&rig, 2);
    }
    char answer[1024];
    peer_head(&rig, &peer, answer, sizeof(answer));
    assert_memory_equal(answer, "HTTP/1.1 101 ", 13);
    assert_string_equal(rig.opened[0].identity, "a/b");
    xfree(request);
    peer_close(&peer);
    rig_clear(&rig);
}

/* One deadline for the whole head, however the bytes drip. */
static void test_a_slow_head_is_cut(void **state)
{
    (void)state;
    struct rig rig;
    open_rig(&rig);
    struct peer silent = peer_connect(&rig);
    struct peer slow = peer_connect(&rig);
    rig_turn(&rig, 10);
    for (int i = 0; i < 9; i++) {
        peer_writes(&slow, i == 0 ? "GET /ocpp/CP1 HTTP/1.1\r\nX: " : "x");
        rig_advance(&rig, 1000);
    }
    assert_false(peer_pull(&slow));
    rig_advance(&rig, 1000);
    char answer[512];
    assert_memory_equal(peer_head(&rig, &slow, answer, sizeof(answer)), "HTTP/1.1 408 ", 13);
    assert_memory_equal(peer_head(&rig, &silent, answer, sizeof(answer)), "HTTP/1.1 408 ", 13);
    /* They keep the sockets open and go on writing; we end them a second later. */
    peer_writes(&slow, "more");
    rig_advance(&rig, 1000);
    RIG_UNTIL(&rig, peer_pull(&slow) && slow.eof);
    RIG_UNTIL(&rig, peer_pull(&silent) && silent.eof);
    assert_int_equal(rig.admits, 0);
    peer_close(&silent);
    peer_close(&slow);
    rig_clear(&rig);
}

/* Deterministic mutations of good heads; ASan watches. */
static void test_mutated_heads(void **state)
{
    (void)state;
    struct rig rig;
    rig_init(&rig);
    rig.assume_16 = true;
    rig_open(&rig);
    static const char seed_head[] =
        "GET /ocpp/CP%2F1?x=y HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"
        "Sec-WebSocket-Protocol: ocpp1.6, ocpp2.0.1\r\nAuthorization: Basic Q1AxOg==\r\n"
        "Sec-WebSocket-Extensions: permessage-deflate\r\n\r\n";
    static const char spice[] = "\r\n\0: ,%\t/?#=;\x80\xff\x16";
    uint64_t random = 88172645463325252u;
    for (int round = 0; round < 3000; round++) {
        char head[sizeof(seed_head) + 8];
        size_t len = sizeof(seed_head) - 1;
        memcpy(head, seed_head, len);
        for (int edits = 1 + round % 4; edits > 0; edits--) {
            random ^= random << 13, random ^= random >> 7, random ^= random << 17;
            size_t at = random % len;
            char with = spice[(random >> 24) % (sizeof(spice) - 1)];
            switch ((random >> 40) % 3) {
            case 0:
                head[at] = with;
                break;
            case 1:
                memmove(head + at, head + at + 1, len - at - 1);
                len--;
                break;
            default:
                memmove(head + at + 1, head + at, len - at);
                head[at] = with;
                len++;
            }
        }
        struct peer peer = peer_connect(&rig);
        peer_write(&peer, head, len);
        rig_turn(&rig, 3);
        peer_close(&peer);
        if (round % 16 == 0)
            rig_advance(&rig, 20000);
    }
    rig_advance(&rig, 20000);
    rig_advance(&rig, 20000);
    RIG_UNTIL(&rig, ws_server_count(rig.server) == 0);
    assert_true(rig.opened_count > 100); /* many mutations are harmless */
    assert_true(rig.opened_count < 2500);
    rig_clear(&rig);
}

static void test_visitors_that_leave_at_any_point(void **state)
{
    (void)state;
    struct rig rig;
    open_rig(&rig);
    char *request = xprintf("GET /ocpp/CP1 HTTP/1.1\r\nUpgrade: websocket\r\n%s"
                            "Sec-WebSocket-Protocol: ocpp1.6\r\n\r\n",
                            key_line);
    for (size_t len = 0; len <= strlen(request); len++) {
        struct peer peer = peer_connect(&rig);
        const struct linger reset = {.l_onoff = 1};
        if (len % 2 == 0)
            setsockopt(peer.fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
        peer_write(&peer, request, len);
        if (len % 3 == 0)
            rig_turn(&rig, 2);
        peer_close(&peer);
        rig_turn(&rig, 2);
    }
    xfree(request);
    RIG_UNTIL(&rig, ws_server_count(rig.server) == 0);
    rig_clear(&rig);
}

/* P14: 127.0.0.1 is not reachable by the machine's other addresses. */
static void test_loopback_means_loopback(void **state)
{
    (void)state;
    struct rig rig;
    open_rig(&rig);
    struct ifaddrs *all = NULL;
    assert_int_equal(getifaddrs(&all), 0);
    for (struct ifaddrs *one = all; one != NULL; one = one->ifa_next) {
        if (one->ifa_addr == NULL || one->ifa_addr->sa_family != AF_INET)
            continue;
        struct sockaddr_in to;
        memcpy(&to, one->ifa_addr, sizeof(to));
        bool loopback = ntohl(to.sin_addr.s_addr) >> 24 == 127;
        to.sin_port = htons((uint16_t)ws_server_port(rig.server));
        int fd = socket(AF_INET, SOCK_STREAM, 0);
        int failed = connect(fd, (struct sockaddr *)&to, sizeof(to));
        assert_int_equal(failed == 0, loopback);
        close(fd);
    }
    freeifaddrs(all);
    rig_clear(&rig);
}

static void test_ipv4_on_an_ipv6_listener(void **state)
{
    (void)state;
    int six = socket(AF_INET6, SOCK_STREAM, 0);
    struct sockaddr_in6 any = {.sin6_family = AF_INET6};
    bool available = six >= 0 && bind(six, (struct sockaddr *)&any, sizeof(any)) == 0;
    if (six >= 0)
        close(six);
    if (!available)
        skip();
    struct rig rig;
    rig_init(&rig);
    rig.settings.address = "::";
    rig_open(&rig);
    expect_identity(&rig, "/ocpp/CP1", "CP1");
    assert_string_equal(rig.peer_seen, "127.0.0.1"); /* not ::ffff:127.0.0.1 */
    rig_clear(&rig);
}

static void test_a_taken_port_says_so(void **state)
{
    (void)state;
    struct rig rig;
    open_rig(&rig);
    struct ws_server_settings settings = rig.settings;
    settings.port = ws_server_port(rig.server);
    struct ws_server_hooks hooks = {0};
    struct reason why;
    assert_null(ws_server_open(rig.loop, &settings, &hooks, &why));
    assert_non_null(strstr(why.text, "Address already in use"));
    settings.address = "not an address";
    assert_null(ws_server_open(rig.loop, &settings, &hooks, &why));
    rig_clear(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_identities_of_the_path),
        cmocka_unit_test(test_paths_that_are_not_ours),
        cmocka_unit_test(test_refusals_are_whole_answers),
        cmocka_unit_test(test_the_clients_first_known_subprotocol),
        cmocka_unit_test(test_no_common_subprotocol),
        cmocka_unit_test(test_a_missing_subprotocol_may_be_assumed),
        cmocka_unit_test(test_odd_but_clear_upgrades),
        cmocka_unit_test(test_what_is_no_upgrade),
        cmocka_unit_test(test_heads_have_limits),
        cmocka_unit_test(test_a_head_in_single_bytes),
        cmocka_unit_test(test_a_slow_head_is_cut),
        cmocka_unit_test(test_mutated_heads),
        cmocka_unit_test(test_visitors_that_leave_at_any_point),
        cmocka_unit_test(test_loopback_means_loopback),
        cmocka_unit_test(test_ipv4_on_an_ipv6_listener),
        cmocka_unit_test(test_a_taken_port_says_so),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
