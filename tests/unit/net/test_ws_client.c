/* The client against the real server on one loop: opening, refusals, ends. */
#include "rig.h"

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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_opens_talks_and_closes),
        cmocka_unit_test(test_a_refusal_carries_its_status),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
