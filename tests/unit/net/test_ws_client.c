/* The client against the real server on one loop: opening, refusals, ends. */
#include "rig.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "net/ws_client.h"

#include "rig.c"

struct caller {
    struct ws_client *client;
    int opened, messages, closed;
    int status, code;
    char subprotocol[64], why[200];
    struct strbuf last;
    bool free_on_message, free_on_opened;
};

static void caller_opened(void *ctx, const char *subprotocol)
{
    struct caller *caller = ctx;
    caller->opened++;
    text_copy(caller->subprotocol, sizeof(caller->subprotocol), span_of(subprotocol));
    if (caller->free_on_opened) {
        ws_client_free(caller->client);
        caller->client = NULL;
    }
}

static void caller_message(void *ctx, const char *text, size_t len)
{
    struct caller *caller = ctx;
    caller->messages++;
    strbuf_reset(&caller->last);
    strbuf_add(&caller->last, text, len);
    if (caller->free_on_message) {
        ws_client_free(caller->client);
        caller->client = NULL;
    }
}

static void caller_closed(void *ctx, int status, int code, const char *why)
{
    struct caller *caller = ctx;
    caller->closed++;
    caller->status = status;
    caller->code = code;
    text_copy(caller->why, sizeof(caller->why), span_of(why));
    ws_client_free(caller->client); /* allowed here */
    caller->client = NULL;
}

static struct ws_client_settings settings_for(int port)
{
    return (struct ws_client_settings){.host = "127.0.0.1",
                                       .port = port,
                                       .path = "/ocpp/CP1",
                                       .subprotocols = "ocpp1.6",
                                       .connect_timeout_ms = 10000};
}

static void call(struct ws_client_context *context, struct caller *caller,
                 const struct ws_client_settings *settings)
{
    const struct ws_client_hooks hooks = {
        .opened = caller_opened, .message = caller_message, .closed = caller_closed, .ctx = caller};
    struct reason why;
    caller->client = ws_client_open(context, settings, &hooks, &why);
    assert_non_null(caller->client);
    assert_int_equal(caller->closed, 0);
}

struct both {
    struct rig rig;
    struct ws_client_context *context;
};

static void both_init(struct both *both)
{
    struct reason why;
    rig_init(&both->rig);
    rig_open(&both->rig);
    both->context = ws_client_context_open(both->rig.loop, &why);
    assert_non_null(both->context);
}

static void both_clear(struct both *both)
{
    ws_client_context_free(both->context);
    rig_clear(&both->rig);
}

static void echo(struct rig *rig, uint64_t connection, const char *text, size_t len)
{
    ws_server_send(rig->server, connection, text, len);
}

static void test_opens_talks_and_closes(void **state)
{
    (void)state;
    struct both both;
    both_init(&both);
    both.rig.on_message = echo;
    struct caller caller = {0};
    struct ws_client_settings settings = settings_for(ws_server_port(both.rig.server));
    settings.path = "/ocpp/a%2Fb";
    call(both.context, &caller, &settings);
    RIG_UNTIL(&both.rig, caller.opened == 1);
    assert_string_equal(caller.subprotocol, "ocpp1.6");
    assert_string_equal(both.rig.opened[0].identity, "a/b");
    assert_true(ws_client_send(caller.client, "hello", 5));
    RIG_UNTIL(&both.rig, caller.messages == 1);
    assert_string_equal(strbuf_text(&caller.last), "hello");
    ws_client_close(caller.client, 1000, "done");
    assert_false(ws_client_send(caller.client, "x", 1));
    RIG_UNTIL(&both.rig, caller.closed == 1);
    assert_int_equal(caller.code, 1000);
    RIG_UNTIL(&both.rig, both.rig.closes == 1);
    assert_string_equal(both.rig.opened[0].why, "closed by the peer: 1000 done");
    strbuf_clear(&caller.last);
    both_clear(&both);
}

static void test_a_refusal_carries_its_status(void **state)
{
    (void)state;
    static const int statuses[] = {401, 404, 503};
    struct both both;
    both_init(&both);
    for (size_t i = 0; i < ARRAY_LEN(statuses); i++) {
        struct caller caller = {0};
        struct ws_client_settings settings = settings_for(ws_server_port(both.rig.server));
        both.rig.status = statuses[i];
        call(both.context, &caller, &settings);
        RIG_UNTIL(&both.rig, caller.closed == 1);
        assert_int_equal(caller.opened, 0);
        assert_int_equal(caller.status, statuses[i]);
        assert_int_equal(caller.code, 1006);
    }
    both_clear(&both);
}

static void test_credentials_are_bytes(void **state)
{
    (void)state;
    struct both both;
    both_init(&both);
    struct caller caller = {0};
    struct ws_client_settings settings = settings_for(ws_server_port(both.rig.server));
    settings.user = "CP1";
    settings.password = "\x00\xff:x";
    settings.password_len = 4;
    call(both.context, &caller, &settings);
    RIG_UNTIL(&both.rig, caller.opened == 1);
    assert_int_equal(both.rig.password.len, 4);
    assert_memory_equal(both.rig.password.at, "\x00\xff:x", 4);
    ws_client_free(caller.client); /* open: no hook, and the server is told */
    RIG_UNTIL(&both.rig, both.rig.closes == 1);
    assert_int_equal(caller.closed, 0);
    assert_string_equal(both.rig.opened[0].why, "closed by the peer: 1001 ");
    both_clear(&both);
}

static void test_without_a_subprotocol(void **state)
{
    (void)state;
    struct both both;
    both_init(&both);
    struct caller caller = {0};
    struct ws_client_settings settings = settings_for(ws_server_port(both.rig.server));
    settings.subprotocols = NULL;
    both.rig.assume_16 = true;
    call(both.context, &caller, &settings);
    RIG_UNTIL(&both.rig, caller.opened == 1);
    assert_string_equal(caller.subprotocol, "");
    ws_client_free(caller.client);
    caller = (struct caller){0};
    settings.subprotocols = "soap, ocpp2.0.1";
    call(both.context, &caller, &settings);
    RIG_UNTIL(&both.rig, caller.closed == 1);
    assert_int_equal(caller.opened, 1); /* T7 */
    assert_int_equal(caller.code, 1002);
    assert_int_equal(caller.status, 0);
    both_clear(&both);
}

static void test_the_servers_close_is_reported(void **state)
{
    (void)state;
    struct both both;
    both_init(&both);
    struct caller caller = {0};
    struct ws_client_settings settings = settings_for(ws_server_port(both.rig.server));
    call(both.context, &caller, &settings);
    RIG_UNTIL(&both.rig, caller.opened == 1);
    ws_server_close(both.rig.server, both.rig.opened[0].connection, 4000, "replaced");
    RIG_UNTIL(&both.rig, caller.closed == 1);
    assert_int_equal(caller.code, 4000);
    assert_string_equal(caller.why, "closed by the peer: 4000 replaced");
    RIG_UNTIL(&both.rig, both.rig.closes == 1); /* the client's echo ended it, not 5 s */
    both_clear(&both);
}

static void test_drop_sends_no_close(void **state)
{
    (void)state;
    struct both both;
    both_init(&both);
    struct caller caller = {0};
    struct ws_client_settings settings = settings_for(ws_server_port(both.rig.server));
    call(both.context, &caller, &settings);
    RIG_UNTIL(&both.rig, caller.opened == 1);
    ws_client_drop(caller.client);
    assert_int_equal(caller.closed, 0); /* later */
    assert_false(ws_client_send(caller.client, "x", 1));
    RIG_UNTIL(&both.rig, caller.closed == 1);
    assert_int_equal(caller.code, 1006);
    RIG_UNTIL(&both.rig, both.rig.closes == 1);
    assert_string_equal(both.rig.opened[0].why, "connection lost");
    both_clear(&both);
}

static void test_pings_of_the_server_are_answered(void **state)
{
    (void)state;
    struct both both;
    both_init(&both);
    struct caller caller = {0};
    struct ws_client_settings settings = settings_for(ws_server_port(both.rig.server));
    call(both.context, &caller, &settings);
    RIG_UNTIL(&both.rig, caller.opened == 1);
    for (int i = 0; i < 20; i++)
        rig_advance(&both.rig, 60000);
    assert_int_equal(both.rig.closes, 0);
    ws_client_close(caller.client, 1000, NULL);
    RIG_UNTIL(&both.rig, caller.closed == 1);
    both_clear(&both);
}

/* A port nobody listens on, and one where nobody answers. */
static void test_failing_to_connect(void **state)
{
    (void)state;
    struct both both;
    both_init(&both);
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(to);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&to, sizeof(to)), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&to, &len), 0);
    struct ws_client_settings settings = settings_for(ntohs(to.sin_port));
    struct caller caller = {0};
    call(both.context, &caller, &settings); /* bound, not listening: refused */
    RIG_UNTIL(&both.rig, caller.closed == 1);
    assert_int_equal(caller.status, 0);
    assert_int_equal(caller.code, 1006);

    assert_int_equal(listen(fd, 8), 0);
    caller = (struct caller){0};
    call(both.context, &caller, &settings);
    rig_turn(&both.rig, 20);
    rig_advance(&both.rig, 9999);
    assert_int_equal(caller.closed, 0);
    rig_advance(&both.rig, 1);
    RIG_UNTIL(&both.rig, caller.closed == 1);
    assert_string_equal(caller.why, "connect timeout");
    assert_int_equal(caller.opened, 0);

    caller = (struct caller){0};
    call(both.context, &caller, &settings);
    ws_client_close(caller.client, 1000, "changed my mind");
    rig_turn(&both.rig, 5);
    rig_advance(&both.rig, 100); /* lws forgot the first kill when TCP was there */
    RIG_UNTIL(&both.rig, caller.closed == 1);

    caller = (struct caller){0};
    call(both.context, &caller, &settings);
    ws_client_free(caller.client); /* at once, while connecting */
    rig_turn(&both.rig, 20);
    assert_int_equal(caller.closed, 0);

    settings.host = "256.256.256.256";
    caller = (struct caller){0};
    call(both.context, &caller, &settings);
    RIG_UNTIL(&both.rig, caller.closed == 1);

    struct reason why;
    settings.path = "no slash";
    struct ws_client_hooks hooks = {0};
    assert_null(ws_client_open(both.context, &settings, &hooks, &why));
    close(fd);
    both_clear(&both);
}

static void test_freeing_inside_hooks(void **state)
{
    (void)state;
    struct both both;
    both_init(&both);
    both.rig.on_message = echo;
    struct ws_client_settings settings = settings_for(ws_server_port(both.rig.server));
    struct caller caller = {.free_on_opened = true};
    call(both.context, &caller, &settings);
    RIG_UNTIL(&both.rig, caller.opened == 1);
    RIG_UNTIL(&both.rig, both.rig.closes == 1);

    struct caller other = {.free_on_message = true};
    call(both.context, &other, &settings);
    RIG_UNTIL(&both.rig, other.opened == 1);
    char text[5000];
    memset(text, 'z', sizeof(text));
    assert_true(ws_client_send(other.client, text, sizeof(text)));
    assert_true(ws_client_send(other.client, text, sizeof(text)));
    RIG_UNTIL(&both.rig, other.messages == 1);
    assert_int_equal(other.last.len, 5000);
    RIG_UNTIL(&both.rig, both.rig.closes == 2);
    assert_int_equal(other.messages, 1);
    assert_int_equal(other.closed + caller.closed, 0);
    strbuf_clear(&other.last);
    both_clear(&both);
}

enum { FLEET = 300 };

static void test_a_fleet_connects_at_once(void **state)
{
    (void)state;
    struct both both;
    both_init(&both);
    both.rig.on_message = echo;
    static struct caller fleet[FLEET];
    struct ws_client_settings settings = settings_for(ws_server_port(both.rig.server));
    for (int i = 0; i < FLEET; i++) {
        char path[64];
        snprintf(path, sizeof(path), "/ocpp/CP%d", i);
        settings.path = path; /* borrowed during the call only */
        fleet[i] = (struct caller){0};
        call(both.context, &fleet[i], &settings);
    }
    RIG_UNTIL(&both.rig, both.rig.opened_count == FLEET);
    int opened = 0;
    for (int i = 0; i < FLEET; i++) {
        RIG_UNTIL(&both.rig, fleet[i].opened == 1);
        opened += ws_client_send(fleet[i].client, "hello", 5);
    }
    assert_int_equal(opened, FLEET);
    for (int i = 0; i < FLEET; i++) {
        RIG_UNTIL(&both.rig, fleet[i].messages == 1);
        strbuf_clear(&fleet[i].last);
        if (i % 3 == 0)
            ws_client_free(fleet[i].client);
        else if (i % 3 == 1)
            ws_client_drop(fleet[i].client);
        else
            ws_client_close(fleet[i].client, 1000, "bye");
    }
    RIG_UNTIL(&both.rig, both.rig.closes == FLEET);
    for (int i = 0; i < FLEET; i++)
        RIG_UNTIL(&both.rig, fleet[i].closed == (i % 3 != 0));
    both_clear(&both);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_opens_talks_and_closes),
        cmocka_unit_test(test_a_refusal_carries_its_status),
        cmocka_unit_test(test_credentials_are_bytes),
        cmocka_unit_test(test_without_a_subprotocol),
        cmocka_unit_test(test_the_servers_close_is_reported),
        cmocka_unit_test(test_drop_sends_no_close),
        cmocka_unit_test(test_pings_of_the_server_are_answered),
        cmocka_unit_test(test_failing_to_connect),
        cmocka_unit_test(test_freeing_inside_hooks),
        cmocka_unit_test(test_a_fleet_connects_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
