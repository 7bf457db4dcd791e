/* Fleets: names, finding, adding, figures, and cars that come and go the same way each time. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "sim/fleet.h"

struct rig {
    struct loop *loop;
    struct ws_client_context *context;
    struct http_client *http;
    struct fleet *fleet;
    struct strbuf text;
};

static struct charger_settings one(const char *identity)
{
    return (struct charger_settings){.host = "127.0.0.1",
                                     .port = 1,
                                     .path = "/ocpp",
                                     .identity = identity,
                                     .connectors = 2,
                                     .power_w = 120000,
                                     .battery_wh = 75000,
                                     .soc = 20,
                                     .meter_interval_s = 60,
                                     .boot_delay_ms = 3600000000, /* never: nobody is there */
                                     .seed = 7,
                                     .vendor = "V",
                                     .model = "M",
                                     .firmware = "F"};
}

static struct rig rig_open(const struct fleet_settings *settings)
{
    struct reason why;
    struct rig rig = {.loop = loop_new()};
    rig.context = ws_client_context_open(rig.loop, &why);
    rig.http = http_client_open(rig.loop, &why);
    rig.fleet = fleet_new(settings, rig.loop, rig.context, rig.http);
    return rig;
}

static void rig_close(struct rig *rig)
{
    fleet_free(rig->fleet);
    http_client_close(rig->http);
    ws_client_context_free(rig->context);
    loop_free(rig->loop);
    strbuf_clear(&rig->text);
}

static int setup(void **state)
{
    (void)state;
    clock_fake(1750000000000);
    log_mute(true);
    return 0;
}

static void test_one_keeps_its_name(void **state)
{
    (void)state;
    struct fleet_settings settings = {.charger = one("Gresgying02"), .count = 1};
    struct rig rig = rig_open(&settings);
    assert_int_equal(fleet_count(rig.fleet), 1);
    assert_string_equal(charger_identity(fleet_at(rig.fleet, 0)), "Gresgying02");
    assert_ptr_equal(fleet_find(rig.fleet, "GRESGYING02"), fleet_at(rig.fleet, 0));
    assert_null(fleet_find(rig.fleet, "other"));
    assert_null(fleet_at(rig.fleet, 1));
    rig_close(&rig);
}

static void test_many_and_one_more(void **state)
{
    (void)state;
    struct fleet_settings settings = {.charger = one("CB"), .count = 1000, .stagger_ms = 10};
    struct rig rig = rig_open(&settings);
    assert_int_equal(fleet_count(rig.fleet), 1000);
    assert_string_equal(charger_identity(fleet_at(rig.fleet, 0)), "CB-0001");
    assert_ptr_equal(fleet_find(rig.fleet, "cb-1000"), fleet_at(rig.fleet, 999));
    struct charger_settings more = one("cb-0500");
    struct reason why;
    assert_null(fleet_add(rig.fleet, &more, &why));
    assert_string_equal(why.text, "there is a charger cb-0500 already");
    more = one("Other");
    struct charger *added = fleet_add(rig.fleet, &more, &why);
    assert_ptr_equal(fleet_at(rig.fleet, 1000), added);
    assert_ptr_equal(fleet_find(rig.fleet, "other"), added);
    fleet_write_figures(rig.fleet, NULL, &rig.text);
    assert_non_null(strstr(strbuf_text(&rig.text), "{\"chargers\":1001,\"online\":0,"
                                                   "\"accepted\":0,\"charging\":0,"));
    strbuf_reset(&rig.text);
    fleet_write_figures(rig.fleet, added, &rig.text);
    assert_non_null(strstr(strbuf_text(&rig.text), "{\"chargers\":1,"));
    rig_close(&rig);
}

/* Which connectors had a car, minute by minute. */
static char *play(bool busy, uint64_t seed)
{
    const char *const tags[] = {"A", "B"};
    struct fleet_settings settings = {
        .charger = one("CB"), .count = 3, .busy = busy, .tags = tags, .tag_count = 2};
    settings.charger.boot_delay_ms = 0;
    settings.charger.seed = seed;
    struct rig rig = rig_open(&settings);
    for (size_t i = 0; i < 3; i++)
        charger_set_network(fleet_at(rig.fleet, i), false);
    struct strbuf seen = {0};
    for (int minute = 0; minute < 240; minute++) {
        clock_advance(60000);
        loop_run_once(rig.loop, 0);
        for (size_t i = 0; i < 3; i++) {
            strbuf_reset(&rig.text);
            charger_write_state(fleet_at(rig.fleet, i), &rig.text);
            const char *at = strbuf_text(&rig.text);
            while ((at = strstr(at, "\"plugged\":")) != NULL) {
                at += strlen("\"plugged\":");
                strbuf_addc(&seen, *at == 't' ? '1' : '0');
            }
        }
    }
    rig_close(&rig);
    return strbuf_take(&seen, NULL);
}

static void test_cars_come_and_go_the_same_way(void **state)
{
    (void)state;
    char *first = play(true, 7), *again = play(true, 7), *other = play(true, 8),
         *none = play(false, 7);
    assert_int_equal(strlen(first), 240 * 6);
    assert_string_equal(first, again);
    assert_string_not_equal(first, other);
    size_t come = 0, gone = 0; /* of the first connector */
    for (size_t i = 6; i < strlen(first); i += 6) {
        come += first[i] > first[i - 6];
        gone += first[i] < first[i - 6];
    }
    assert_true(come >= 1 && gone >= 1);
    assert_null(strchr(none, '1'));
    xfree(first);
    xfree(again);
    xfree(other);
    xfree(none);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_one_keeps_its_name, setup),
        cmocka_unit_test_setup(test_many_and_one_more, setup),
        cmocka_unit_test_setup(test_cars_come_and_go_the_same_way, setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
