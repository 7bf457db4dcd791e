/* API keys: both headers, exact comparison, scopes, hashes, and how often an address may guess. */
#include "rig.h"

#include <stdio.h>
#include <string.h>

#include "base/digest.h"
#include "http/parts.h"

#include "rig.c"

#define SPAN_ROW(literal)                                                                          \
    {                                                                                              \
        (literal), sizeof(literal) - 1                                                             \
    }

static char hash[SECRET_HASH_SIZE];

static void open_with_keys(struct rig *rig)
{
    static struct http_key keys[3];
    rig_init(rig);
    secret_hash(SPAN("hashed-secret"), hash);
    keys[0] = (struct http_key){"stored", SCOPE_READ, NULL, hash};
    keys[1] = (struct http_key){"config", SCOPE_ADMIN, "plain-secret", NULL};
    keys[2] = (struct http_key){"worker", SCOPE_OPERATE, "worker-secret", NULL};
    rig->settings.keys = keys;
    rig->settings.key_count = ARRAY_LEN(keys);
    rig_open(rig);
    memset(keys, 0, sizeof(keys)); /* they were copied */
}

static void request_with(struct client *client, const char *header, size_t len)
{
    client_writes(client, "GET / HTTP/1.1\r\nHost: h\r\n");
    client_write(client, header, len);
    client_writes(client, "\r\n\r\n");
}

static int status_from(struct rig *rig, const char *address, const char *header)
{
    struct reply reply;
    struct client client = client_connect_from(rig, address);
    request_with(&client, header, strlen(header));
    client_reply(rig, &client, &reply);
    client_close(&client);
    rig_turn(rig, 3);
    return reply.status;
}

static int status(struct rig *rig, const char *header)
{
    return status_from(rig, "127.0.0.1", header);
}

/* `who` as the handler saw it: "3 config". */
static void expect_who(struct rig *rig, const char *header, const char *who)
{
    char line[64];
    snprintf(line, sizeof(line), "from 127.0.0.1 %s\n", who);
    assert_int_equal(status(rig, header), 200);
    if (!strstr(rig->seen.at, line))
        fail_msg("%s: %s", header, rig->seen.at);
}

static void a_key_in_either_header(void **state)
{
    (void)state;
    struct rig rig;
    open_with_keys(&rig);
    expect_who(&rig, "X-Other: 1", "0 -");
    expect_who(&rig, "X-API-Key: plain-secret", "3 config");
    expect_who(&rig, "x-api-key: worker-secret", "2 worker");
    expect_who(&rig, "X-API-Key: hashed-secret", "1 stored");
    expect_who(&rig, "Authorization: Bearer plain-secret", "3 config");
    expect_who(&rig, "authorization: bearer worker-secret", "2 worker");
    expect_who(&rig, "Authorization: Bearer   hashed-secret", "1 stored");
    expect_who(&rig, "Authorization: Basic cGxhaW46c2VjcmV0", "0 -");
    expect_who(&rig, "X-API-Key: worker-secret\r\nAuthorization: Bearer plain-secret", "2 worker");
    rig_clear(&rig);
}

static void a_wrong_key_is_nobody(void **state)
{
    (void)state;
    static const char *const wrong[] = {"X-API-Key: plain-secre",
                                        "X-API-Key: plain-secrett",
                                        "X-API-Key: Plain-secret",
                                        "X-API-Key: ",
                                        "X-API-Key: config",
                                        "Authorization: Bearer ",
                                        "Authorization: Bearer",
                                        "X-API-Key: plain",
                                        "Authorization: Bearerplain-secret",
                                        "Authorization: Bearer plain-secret extra"};
    struct rig rig;
    open_with_keys(&rig);
    for (size_t i = 0; i < ARRAY_LEN(wrong); i++)
        expect_who(&rig, wrong[i], "0 -");
    char *header = xprintf("X-API-Key: %s", hash); /* the hash is no key */
    expect_who(&rig, header, "0 -");
    xfree(header);
    rig_clear(&rig);
}

/* Header values are C strings to libmicrohttpd: `key\0x` would equal `key`. */
static void a_nul_ends_no_key(void **state)
{
    (void)state;
    static const struct span headers[] = {SPAN_ROW("X-API-Key: plain-secret\0x"),
                                          SPAN_ROW("X-API-Key: plain-secret\0"),
                                          SPAN_ROW("Authorization: Bearer plain-secret\0"),
                                          SPAN_ROW("X-API-Key: plain-secret\0\r\nX-Other: 1")};
    struct rig rig;
    struct reply reply;
    open_with_keys(&rig);
    for (size_t i = 0; i < ARRAY_LEN(headers); i++) {
        struct client client = client_connect(&rig);
        request_with(&client, headers[i].at, headers[i].len);
        client_reply(&rig, &client, &reply);
        assert_int_equal(reply.status, 400);
        client_close(&client);
    }
    assert_int_equal(rig.handled, 0);
    rig_clear(&rig);
}

static void a_hash_is_computed_once_a_key(void **state)
{
    (void)state;
    struct rig rig;
    char sum[SHA256_HEX_SIZE];
    open_with_keys(&rig);
    expect_who(&rig, "X-API-Key: worker-secret", "2 worker");
    assert_null(rig.http->keys.items[0].known_sum); /* found without trying the hash */
    expect_who(&rig, "X-API-Key: hashed-secret", "1 stored");
    sha256_hex("hashed-secret", 13, sum);
    assert_string_equal(rig.http->keys.items[0].known_sum, sum);
    /* From now on the sum decides: with the hash gone nothing changes. */
    rig.http->keys.items[0].hash[0] = '!';
    expect_who(&rig, "X-API-Key: hashed-secret", "1 stored");
    expect_who(&rig, "X-API-Key: hashed-secret2", "0 -");
    rig_clear(&rig);
}

static void keys_can_be_replaced(void **state)
{
    (void)state;
    struct rig rig;
    open_with_keys(&rig);
    expect_who(&rig, "X-API-Key: hashed-secret", "1 stored");
    http_set_keys(rig.http, &(struct http_key){"new", SCOPE_READ, "new-secret", NULL}, 1);
    expect_who(&rig, "X-API-Key: hashed-secret", "0 -");
    expect_who(&rig, "X-API-Key: plain-secret", "0 -");
    expect_who(&rig, "X-API-Key: new-secret", "1 new");
    http_set_keys(rig.http, NULL, 0);
    expect_who(&rig, "X-API-Key: new-secret", "0 -");
    rig_clear(&rig);
}

static void guess(struct rig *rig, int times)
{
    for (int i = 0; i < times; i++)
        assert_int_equal(status(rig, "X-API-Key: wrong"), 200);
}

static void after_twenty_wrong_keys_an_address_waits(void **state)
{
    (void)state;
    struct rig rig;
    struct reply reply;
    open_with_keys(&rig);
    guess(&rig, 20);
    ask(&rig, "GET / HTTP/1.1\r\nHost: h\r\nX-API-Key: wrong\r\n\r\n", &reply);
    assert_int_equal(reply.status, 429);
    assert_true(reply_has(&reply, "Retry-After: 61"));
    assert_true(reply_has(&reply, "Content-Type: application/problem+json"));
    assert_int_equal(rig.handled, 20);
    assert_int_equal(status(&rig, "X-API-Key: plain-secret"), 429); /* perhaps just guessed */
    assert_int_equal(status(&rig, "X-Other: 1"), 200);              /* without a key: as ever */
    assert_int_equal(status_from(&rig, "127.0.0.2", "X-API-Key: plain-secret"), 200);
    rig_advance(&rig, 59000);
    ask(&rig, "GET / HTTP/1.1\r\nHost: h\r\nX-API-Key: wrong\r\n\r\n", &reply);
    assert_true(reply_has(&reply, "Retry-After: 2"));
    rig_advance(&rig, 2000);
    expect_who(&rig, "X-API-Key: plain-secret", "3 config");
    rig_clear(&rig);
}

static void where_a_right_key_was_seen_it_goes_on_to_work(void **state)
{
    (void)state;
    struct rig rig;
    open_with_keys(&rig);
    expect_who(&rig, "X-API-Key: hashed-secret", "1 stored");
    guess(&rig, 20);
    assert_int_equal(status(&rig, "X-API-Key: wrong"), 429);
    expect_who(&rig, "X-API-Key: hashed-secret", "1 stored");
    assert_int_equal(status(&rig, "X-API-Key: wrong"), 429);
    rig_clear(&rig);
}

static void the_memory_of_guesses_is_bounded(void **state)
{
    (void)state;
    struct keys keys = {0};
    const char *name;
    int retry_after_s;
    char peer[32];
    clock_fake(0);
    for (int i = 0; i < 10000; i++) {
        snprintf(peer, sizeof(peer), "10.0.%d.%d", i / 256, i % 256);
        assert_int_equal(keys_judge(&keys, SPAN("wrong"), peer, &name, &retry_after_s), SCOPE_NONE);
        assert_true(keys.guesses.count <= 4096);
    }
    keys_clear(&keys);
    clock_real();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        RIG_TEST(a_key_in_either_header),
        RIG_TEST(a_wrong_key_is_nobody),
        RIG_TEST(a_nul_ends_no_key),
        RIG_TEST(a_hash_is_computed_once_a_key),
        RIG_TEST(keys_can_be_replaced),
        RIG_TEST(after_twenty_wrong_keys_an_address_waits),
        RIG_TEST(where_a_right_key_was_seen_it_goes_on_to_work),
        RIG_TEST(the_memory_of_guesses_is_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
