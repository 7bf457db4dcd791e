/* The local list and the cache: versions, limits, expiry, groups, and who may charge offline. */
#include "line_world.h"

static int setup(void **state)
{
    (void)state;
    world_begin();
    world.settings.boot_delay_ms = 1000000000;
    world_open();
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    world_close();
    return 0;
}

static void configure(const char *key, const char *value)
{
    struct reason why;
    assert_true(charger_configure(world.charger, key, value, &why));
}

/* The connected charger, without a connection: the loop never turns meanwhile. */
static void pretend_online(bool yes)
{
    world.charger->online = world.charger->accepted = yes;
}

static void send_list(const char *payload, const char *status)
{
    struct strbuf text = {0};
    struct json_out out = {.to = &text};
    struct arena arena = {0};
    struct json *request = json_parse(&arena, payload, strlen(payload), NULL, NULL);
    assert_non_null(request);
    assert_int_equal(answer_send_local_list(world.charger, request, &out), OCPP_OK);
    char *expected = xprintf("{\"status\":\"%s\"}", status);
    if (!text_is(text.at, expected))
        fail_msg("%s: %s", payload, text.at);
    xfree(expected);
    strbuf_clear(&text);
    arena_clear(&arena);
}

static void remember(const char *tag, const char *info)
{
    struct arena arena = {0};
    auth_remember(world.charger, tag, json_parse(&arena, info, strlen(info), NULL, NULL));
    arena_clear(&arena);
}

static const char *verdict(const char *tag)
{
    return auth_local_verdict(world.charger, tag);
}

static const char full_list[] =
    "{\"listVersion\":3,\"updateType\":\"Full\",\"localAuthorizationList\":["
    "{\"idTag\":\"Good\",\"idTagInfo\":{\"status\":\"Accepted\",\"parentIdTag\":\"P\"}},"
    "{\"idTag\":\"Bad\",\"idTagInfo\":{\"status\":\"Blocked\"}},"
    "{\"idTag\":\"Old\",\"idTagInfo\":{\"status\":\"Accepted\","
    "\"expiryDate\":\"2025-07-14T06:00:00Z\"}}]}";

static void test_list_versions(void **state)
{
    (void)state;
    assert_int_equal(auth_list_version(world.charger), 0);
    send_list(full_list, "Accepted");
    assert_int_equal(auth_list_version(world.charger), 3);
    send_list("{\"listVersion\":3,\"updateType\":\"Differential\"}", "VersionMismatch");
    send_list("{\"listVersion\":2,\"updateType\":\"Differential\"}", "VersionMismatch");
    send_list("{\"listVersion\":4,\"updateType\":\"Differential\",\"localAuthorizationList\":["
              "{\"idTag\":\"BAD\"},{\"idTag\":\"New\",\"idTagInfo\":{\"status\":\"Accepted\"}}]}",
              "Accepted");
    assert_int_equal(auth_list_version(world.charger), 4);
    assert_string_equal(verdict("New"), "Accepted");
    assert_string_equal(verdict("Bad"), "Invalid"); /* no longer there */
    assert_string_equal(verdict("Good"), "Accepted");
    send_list("{\"listVersion\":2,\"updateType\":\"Full\"}", "Accepted"); /* empties it */
    assert_int_equal(auth_list_version(world.charger), 0);
    send_list("{\"listVersion\":0,\"updateType\":\"Full\"}", "Failed");
    configure("LocalAuthListEnabled", "false");
    assert_int_equal(auth_list_version(world.charger), -1);
    send_list(full_list, "NotSupported");
}

static void test_a_failed_list_changes_nothing(void **state)
{
    (void)state;
    static const char three[] =
        "{\"listVersion\":9,\"updateType\":\"%s\",\"localAuthorizationList\":["
        "{\"idTag\":\"X1\",\"idTagInfo\":{\"status\":\"Accepted\"}},"
        "{\"idTag\":\"X2\",\"idTagInfo\":{\"status\":\"Accepted\"}},"
        "{\"idTag\":\"X3\",\"idTagInfo\":{\"status\":\"Accepted\"}}]}";
    char text[400];
    send_list(full_list, "Accepted");
    configure("SendLocalListMaxLength", "2");
    snprintf(text, sizeof(text), three, "Full");
    send_list(text, "Failed");
    configure("SendLocalListMaxLength", "10");
    configure("LocalAuthListMaxLength", "5");
    snprintf(text, sizeof(text), three, "Differential");
    send_list(text, "Failed"); /* 3 + 3 */
    send_list("{\"listVersion\":9,\"updateType\":\"Full\",\"localAuthorizationList\":["
              "{\"idTag\":\"A\",\"idTagInfo\":{\"status\":\"Accepted\"}},"
              "{\"idTag\":\"a\",\"idTagInfo\":{\"status\":\"Accepted\"}}]}",
              "Failed"); /* twice */
    send_list("{\"listVersion\":9,\"updateType\":\"Full\",\"localAuthorizationList\":["
              "{\"idTag\":\"A\"}]}",
              "Failed"); /* no idTagInfo */
    assert_int_equal(auth_list_version(world.charger), 3);
    assert_string_equal(verdict("Good"), "Accepted");
    assert_string_equal(verdict("X1"), "Invalid");
    snprintf(text, sizeof(text), three, "Full");
    send_list(text, "Accepted"); /* 3 fit */
    assert_string_equal(verdict("Good"), "Invalid");
}

static void test_offline(void **state)
{
    (void)state;
    send_list(full_list, "Accepted");
    remember("Cached", "{\"status\":\"Accepted\"}");
    remember("Refused", "{\"status\":\"Expired\"}");
    assert_string_equal(verdict("gOOd"), "Accepted");
    assert_string_equal(verdict("Bad"), "Blocked");
    assert_string_equal(verdict("Old"), "Accepted");
    clock_advance(3600000);
    assert_string_equal(verdict("Old"), "Expired"); /* A3 */
    assert_string_equal(verdict("Cached"), "Accepted");
    assert_string_equal(verdict("Refused"), "Expired");
    assert_string_equal(verdict("Nobody"), "Invalid");
    configure("AllowOfflineTxForUnknownId", "true");
    assert_string_equal(verdict("Nobody"), "Accepted");
    assert_string_equal(verdict("Bad"), "Blocked");
    configure("LocalAuthorizeOffline", "false");
    assert_string_equal(verdict("Good"), "Invalid");
}

static void test_online_the_central_system_is_asked(void **state)
{
    (void)state;
    send_list(full_list, "Accepted");
    pretend_online(true);
    assert_null(verdict("Good"));
    configure("LocalPreAuthorize", "true");
    assert_string_equal(verdict("Good"), "Accepted");
    assert_null(verdict("Bad")); /* it may have been let in meanwhile */
    assert_null(verdict("Nobody"));
    configure("LocalAuthListEnabled", "false");
    assert_null(verdict("Good"));
    pretend_online(false);
}

static void test_parents(void **state)
{
    (void)state;
    send_list(full_list, "Accepted");
    remember("Cached", "{\"status\":\"Accepted\",\"parentIdTag\":\"Q\"}");
    remember("Alone", "{\"status\":\"Accepted\",\"parentIdTag\":\"\"}");
    assert_string_equal(auth_parent(world.charger, "good"), "P");
    assert_string_equal(auth_parent(world.charger, "CACHED"), "Q");
    assert_null(auth_parent(world.charger, "Alone"));
    assert_null(auth_parent(world.charger, "Bad"));
    assert_null(auth_parent(world.charger, "Nobody"));
}

static void test_the_cache(void **state)
{
    (void)state;
    struct strbuf text = {0};
    struct json_out out = {.to = &text};
    remember("A", "{\"status\":\"Accepted\"}");
    remember("A", "{\"status\":\"ConcurrentTx\"}"); /* A5 */
    assert_string_equal(verdict("A"), "Accepted");
    remember("A", "{\"status\":\"Blocked\"}");
    assert_string_equal(verdict("A"), "Blocked");
    answer_clear_cache(world.charger, NULL, &out);
    assert_string_equal(text.at, "{\"status\":\"Accepted\"}");
    assert_string_equal(verdict("A"), "Invalid");
    configure("AuthorizationCacheEnabled", "false");
    remember("B", "{\"status\":\"Accepted\"}");
    strbuf_reset(&text);
    out.comma = false;
    answer_clear_cache(world.charger, NULL, &out);
    assert_string_equal(text.at, "{\"status\":\"Rejected\"}");
    configure("AuthorizationCacheEnabled", "true");
    assert_string_equal(verdict("B"), "Invalid"); /* was not kept */
    strbuf_clear(&text);
}

static void test_a_full_cache_forgets_the_oldest(void **state)
{
    (void)state;
    for (int i = 0; i < 510; i++) {
        char tag[20];
        snprintf(tag, sizeof(tag), "T%d", i);
        remember(tag, "{\"status\":\"Accepted\"}");
    }
    assert_string_equal(verdict("T9"), "Invalid");
    assert_string_equal(verdict("T10"), "Accepted");
    assert_string_equal(verdict("T509"), "Accepted");
}

static void test_a_conflict_is_told(void **state)
{
    (void)state;
    send_list(full_list, "Accepted");
    pretend_online(true);
    remember("Good", "{\"status\":\"Accepted\"}");
    assert_null(world.charger->first);
    remember("Good", "{\"status\":\"Blocked\"}");
    assert_non_null(world.charger->first);
    assert_string_equal(world.charger->first->action, "StatusNotification");
    assert_non_null(strstr(world.charger->first->payload, "\"LocalListConflict\""));
    pretend_online(false);
    assert_string_equal(verdict("Good"), "Accepted"); /* the list stays until it is sent anew */
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_list_versions),
        TEST(test_a_failed_list_changes_nothing),
        TEST(test_offline),
        TEST(test_online_the_central_system_is_asked),
        TEST(test_parents),
        TEST(test_the_cache),
        TEST(test_a_full_cache_forgets_the_oldest),
        TEST(test_a_conflict_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
