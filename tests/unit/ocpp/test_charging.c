/* Charging profiles: what is read and refused, which limit holds when, the composite schedule. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <string.h>

#include "base/mem.h"
#include "base/timetext.h"
#include "ocpp/charging.h"

#define NO_TIME INT64_MIN
enum { HOUR_MS = 3600 * 1000, DAY_MS = 24 * HOUR_MS, PROFILES = 8 };

static struct arena arena;
static struct charging_profile profiles[PROFILES];
static const struct charging_profile *stack[PROFILES];
static size_t count;
static struct charging_place place;
static wall_t now; /* 2026-03-02T10:00:00Z, a Monday */

static int setup(void **state)
{
    (void)state;
    count = 0;
    place = (struct charging_place){.connector = 1, .volts = 230, .phases = 3};
    assert_true(timetext_parse(SPAN("2026-03-02T10:00:00Z"), 0, &now));
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    arena_clear(&arena);
    return 0;
}

static bool read(const char *text, int64_t connector, struct charging_profile *out,
                 struct reason *why)
{
    char *json = arena_strdup(&arena, text);
    for (char *at = json; *at; at++) /* readable sources */
        *at = *at == '\'' ? '"' : *at;
    const struct json *object = json_parse(&arena, json, strlen(json), NULL, NULL);
    assert_non_null(object);
    return charging_profile_read(&arena, object, connector, out, why);
}

static void add(int64_t connector, const char *text)
{
    struct reason why = {{0}};
    assert_true(count < PROFILES);
    if (!read(text, connector, &profiles[count], &why))
        fail_msg("%s", why.text);
    stack[count] = &profiles[count];
    count++;
}

static double limit_at(wall_t at)
{
    wall_t until;
    return charging_limit(stack, count, &place, at, &until);
}

static void assert_limit(wall_t at, double w)
{
    double limit = limit_at(at);
    if (limit < w - 0.001 || limit > w + 0.001)
        fail_msg("%f instead of %f", limit, w);
}

#define PROFILE(id, level, purpose, kind, schedule)                                                \
    "{'chargingProfileId':" #id ",'stackLevel':" #level ",'chargingProfilePurpose':'" purpose      \
    "','chargingProfileKind':" kind ",'chargingSchedule':{" schedule "}}"
#define START_10 "'startSchedule':'2026-03-02T10:00:00Z',"
#define WATTS(w)                                                                                   \
    "'chargingRateUnit':'W','chargingSchedulePeriod':[{'startPeriod':0,'limit':" #w "}]"

static void test_reads_all_fields(void **state)
{
    (void)state;
    add(2, "{'chargingProfileId':7,'stackLevel':3,'transactionId':12,"
           "'chargingProfilePurpose':'TxProfile','chargingProfileKind':'Absolute',"
           "'validFrom':'2026-03-02T09:00:00Z','validTo':'2026-03-02T11:00:00+00:00',"
           "'chargingSchedule':{'duration':600,'startSchedule':'2026-03-02T10:00:00Z',"
           "'chargingRateUnit':'A','minChargingRate':6.5,'chargingSchedulePeriod':["
           "{'startPeriod':0,'limit':16.5},{'startPeriod':60,'limit':8,'numberPhases':1}]}}");
    const struct charging_profile *p = &profiles[0];
    assert_int_equal(p->id, 7);
    assert_int_equal(p->stack_level, 3);
    assert_int_equal(p->transaction_id, 12);
    assert_int_equal(p->connector, 2);
    assert_int_equal(p->purpose, PURPOSE_TX);
    assert_int_equal(p->kind, PROFILE_ABSOLUTE);
    assert_int_equal(p->valid_from, now - HOUR_MS);
    assert_int_equal(p->valid_to, now + HOUR_MS);
    assert_int_equal(p->schedule_start, now);
    assert_int_equal(p->duration_s, 600);
    assert_int_equal(p->unit, 'A');
    assert_true(p->min_rate == 6.5);
    assert_int_equal(p->period_count, 2);
    assert_true(p->periods[0].limit == 16.5);
    assert_int_equal(p->periods[0].phases, 3);
    assert_int_equal(p->periods[1].start_s, 60);
    assert_int_equal(p->periods[1].phases, 1);
}

static void test_absent_fields(void **state)
{
    (void)state;
    add(1, PROFILE(1, 0, "TxDefaultProfile", "'Relative'", WATTS(5000)));
    const struct charging_profile *p = &profiles[0];
    assert_int_equal(p->transaction_id, 0);
    assert_int_equal(p->valid_from, NO_TIME);
    assert_int_equal(p->valid_to, NO_TIME);
    assert_int_equal(p->schedule_start, NO_TIME);
    assert_int_equal(p->duration_s, NO_TIME);
    assert_true(p->min_rate == 0);
}

static void test_refuses(void **state)
{
    (void)state;
    static const struct {
        int64_t connector;
        const char *text, *field;
    } cases[] = {
        {1, "[]", "csChargingProfiles"},
        {1, PROFILE(1, 0, "TxDefaultProfile", "'Absolute'", WATTS(1)), "startSchedule"},
        {1, PROFILE(1, 0, "TxDefaultProfile", "'Relative'", START_10 WATTS(1)), "startSchedule"},
        {1, PROFILE(1, 0, "TxDefaultProfile", "'Recurring'", START_10 WATTS(1)), "recurrencyKind"},
        {0, PROFILE(1, 0, "TxProfile", "'Relative'", WATTS(1)), "connectorId"},
        {1, PROFILE(1, 0, "ChargePointMaxProfile", "'Relative'", WATTS(1)), "connectorId"},
        {1, PROFILE(1, 0, "MaxProfile", "'Relative'", WATTS(1)), "chargingProfilePurpose"},
        {1, PROFILE(1, 0, "TxProfile", "'Sometimes'", WATTS(1)), "chargingProfileKind"},
        {1, PROFILE(1, -1, "TxProfile", "'Relative'", WATTS(1)), "stackLevel"},
        {1, PROFILE(1, 0, "TxProfile", "'Relative'", WATTS(-1)), "limit"},
        {1, PROFILE(1, 0, "TxProfile", "'Relative'", WATTS(1e300)), "limit"},
        {1, PROFILE(1, 0, "TxProfile", "'Relative'", "'duration':-1," WATTS(1)), "duration"},
        {1, PROFILE(1, 0, "TxProfile", "'Relative'", "'minChargingRate':'x'," WATTS(1)),
         "minChargingRate"},
        {1, PROFILE(1, 0, "TxProfile", "'Absolute'", "'startSchedule':'soon'," WATTS(1)),
         "startSchedule"},
        {1, PROFILE(1, 0, "TxProfile", "'Relative'", "'chargingRateUnit':'V'"), "chargingRateUnit"},
        {1, PROFILE(1, 0, "TxProfile", "'Relative'", "'chargingRateUnit':'W'"),
         "chargingSchedulePeriod"},
        {1,
         PROFILE(1, 0, "TxProfile", "'Relative'",
                 "'chargingRateUnit':'W','chargingSchedulePeriod':[]"),
         "chargingSchedulePeriod"},
        {1,
         PROFILE(1, 0, "TxProfile", "'Relative'",
                 "'chargingRateUnit':'W','chargingSchedulePeriod':[{'startPeriod':1,'limit':1}]"),
         "startPeriod"},
        {1,
         PROFILE(1, 0, "TxProfile", "'Relative'",
                 "'chargingRateUnit':'W','chargingSchedulePeriod':[{'limit':1}]"),
         "startPeriod"},
        {1,
         PROFILE(1, 0, "TxProfile", "'Relative'",
                 "'chargingRateUnit':'W','chargingSchedulePeriod':[{'startPeriod':0,'limit':1},"
                 "{'startPeriod':0,'limit':2}]"),
         "startPeriod"},
        {1,
         PROFILE(1, 0, "TxProfile", "'Relative'",
                 "'chargingRateUnit':'W','chargingSchedulePeriod':[{'startPeriod':0,'limit':1,"
                 "'numberPhases':4}]"),
         "numberPhases"},
        {1,
         "{'stackLevel':0,'chargingProfilePurpose':'TxProfile','chargingProfileKind':'Relative'}",
         "chargingSchedule"},
        {1,
         "{'stackLevel':0,'chargingProfilePurpose':'TxProfile','chargingProfileKind':'Relative',"
         "'validTo':17}",
         "validTo"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct reason why = {{0}};
        struct charging_profile out;
        if (read(cases[i].text, cases[i].connector, &out, &why))
            fail_msg("case %zu was taken", i);
        if (strncmp(why.text, cases[i].field, strlen(cases[i].field)) != 0)
            fail_msg("case %zu: %s", i, why.text);
    }
}

static void test_nothing_limits(void **state)
{
    (void)state;
    wall_t until;
    assert_true(charging_limit(stack, 0, &place, now, &until) == CHARGING_NO_LIMIT);
    assert_int_equal(until, INT64_MAX);
}

/* P2: the highest level that is valid now; the lower one again after its duration. */
static void test_stack_levels(void **state)
{
    (void)state;
    add(1, PROFILE(2, 5, "TxDefaultProfile", "'Absolute'", "'duration':600," START_10 WATTS(2000)));
    add(1, PROFILE(1, 0, "TxDefaultProfile", "'Relative'", WATTS(9000)));
    wall_t until;
    assert_limit(now - 1, 9000);
    assert_true(charging_limit(stack, count, &place, now - 1, &until) > 0);
    assert_int_equal(until, now);
    assert_true(charging_limit(stack, count, &place, now, &until) == 2000);
    assert_int_equal(until, now + 600 * 1000);
    assert_limit(now + 599999, 2000);
    assert_limit(now + 600000, 9000);
    add(1, PROFILE(3, 6, "TxDefaultProfile", "'Absolute'", START_10 WATTS(3000)));
    assert_limit(now + DAY_MS, 3000); /* without duration it never falls back */
}

static void test_validity(void **state)
{
    (void)state;
    add(1, "{'chargingProfileId':1,'stackLevel':0,'chargingProfilePurpose':'TxDefaultProfile',"
           "'chargingProfileKind':'Absolute','validFrom':'2026-03-02T11:00:00Z',"
           "'validTo':'2026-03-02T12:00:00Z','chargingSchedule':{" START_10 WATTS(4000) "}}");
    wall_t until;
    assert_true(charging_limit(stack, count, &place, now, &until) == CHARGING_NO_LIMIT);
    assert_int_equal(until, now + HOUR_MS);
    assert_true(charging_limit(stack, count, &place, now + HOUR_MS, &until) == 4000);
    assert_int_equal(until, now + 2 * HOUR_MS);
    assert_true(charging_limit(stack, count, &place, now + 2 * HOUR_MS, &until) ==
                CHARGING_NO_LIMIT);
    assert_int_equal(until, INT64_MAX);
}

#define TWO_PERIODS                                                                                \
    "'chargingRateUnit':'W','chargingSchedulePeriod':[{'startPeriod':0,'limit':1000},"             \
    "{'startPeriod':3600,'limit':7000}]"

static void test_daily(void **state)
{
    (void)state;
    add(1, PROFILE(1, 0, "TxDefaultProfile", "'Recurring','recurrencyKind':'Daily'",
                   "'duration':7200," START_10 TWO_PERIODS));
    wall_t until;
    assert_true(charging_limit(stack, count, &place, now - 1, &until) == CHARGING_NO_LIMIT);
    assert_int_equal(until, now); /* not before the first one */
    wall_t day5 = now + 5 * (wall_t)DAY_MS;
    assert_true(charging_limit(stack, count, &place, day5, &until) == 1000);
    assert_int_equal(until, day5 + HOUR_MS);
    assert_limit(day5 + HOUR_MS, 7000);
    assert_true(charging_limit(stack, count, &place, day5 + 2 * HOUR_MS, &until) ==
                CHARGING_NO_LIMIT);
    assert_int_equal(until, day5 + DAY_MS);
}

static void test_weekly(void **state)
{
    (void)state;
    add(1, PROFILE(1, 0, "TxDefaultProfile", "'Recurring','recurrencyKind':'Weekly'",
                   START_10 TWO_PERIODS));
    wall_t week3 = now + 21 * (wall_t)DAY_MS;
    wall_t until;
    assert_true(charging_limit(stack, count, &place, week3 - 1, &until) == 7000);
    assert_int_equal(until, week3);
    assert_limit(week3, 1000);
    assert_limit(week3 + HOUR_MS, 7000);
}

/* Without startSchedule: from midnight, of Monday. */
static void test_recurring_without_start(void **state)
{
    (void)state;
    add(1, PROFILE(1, 0, "TxDefaultProfile", "'Recurring','recurrencyKind':'Weekly'", TWO_PERIODS));
    assert_limit(now - 10 * HOUR_MS, 1000);
    assert_limit(now, 7000);
    count = 0;
    add(1, PROFILE(1, 0, "TxDefaultProfile", "'Recurring','recurrencyKind':'Daily'", TWO_PERIODS));
    assert_limit(now + 14 * HOUR_MS, 1000);
    assert_limit(now + 15 * HOUR_MS, 7000);
}

static void test_relative(void **state)
{
    (void)state;
    add(1, PROFILE(1, 0, "TxProfile", "'Relative'", "'duration':7200," TWO_PERIODS));
    assert_limit(now, CHARGING_NO_LIMIT); /* no session */
    place.transaction_id = 4;
    place.session_start_ms = now + 500;
    wall_t until;
    assert_true(charging_limit(stack, count, &place, now, &until) == CHARGING_NO_LIMIT);
    assert_int_equal(until, now + 500);
    assert_limit(now + 500, 1000);
    assert_limit(now + 500 + HOUR_MS, 7000);
    assert_limit(now + 500 + 2 * HOUR_MS, CHARGING_NO_LIMIT);
}

/* P1: the least of the max profile and the TxProfile, else the TxDefaultProfile. */
static void test_purposes(void **state)
{
    (void)state;
    add(1, PROFILE(1, 9, "TxDefaultProfile", "'Relative'", WATTS(3000)));
    assert_limit(now, 3000);
    add(1, PROFILE(2, 0, "TxProfile", "'Relative'", WATTS(9000)));
    assert_limit(now, 3000);
    place.transaction_id = 4;
    place.session_start_ms = now;
    assert_limit(now, 9000); /* whatever the levels of other purposes are */
    add(0, PROFILE(3, 0, "ChargePointMaxProfile", "'Absolute'", START_10 WATTS(5000)));
    assert_limit(now, 5000);
    place.connector = 2;
    assert_limit(now, 5000); /* the others are of connector 1 */
    place.connector = 0;
    assert_limit(now, 5000);
    count = 2;
    assert_limit(now, CHARGING_NO_LIMIT);
}

static void test_transaction_of_tx_profile(void **state)
{
    (void)state;
    add(1, "{'chargingProfileId':1,'stackLevel':0,'transactionId':7,"
           "'chargingProfilePurpose':'TxProfile','chargingProfileKind':'Relative',"
           "'chargingSchedule':{" WATTS(1000) "}}");
    place.transaction_id = 8;
    assert_limit(now, CHARGING_NO_LIMIT);
    place.transaction_id = 7;
    assert_limit(now, 1000);
}

/* P1: a connector's own default replaces that of connector 0, whatever its level. */
static void test_default_of_connector_zero(void **state)
{
    (void)state;
    add(1, PROFILE(1, 0, "TxDefaultProfile", "'Absolute'", "'duration':60," START_10 WATTS(9000)));
    add(0, PROFILE(2, 5, "TxDefaultProfile", "'Relative'", WATTS(3000)));
    assert_limit(now, 9000);
    assert_limit(now + 60000, 3000); /* the own one is over */
    place.connector = 2;
    assert_limit(now, 3000);
}

static void test_units(void **state)
{
    (void)state;
    add(1, PROFILE(1, 0, "TxDefaultProfile", "'Relative'",
                   "'chargingRateUnit':'A','chargingSchedulePeriod':[{'startPeriod':0,'limit':16},"
                   "{'startPeriod':60,'limit':16,'numberPhases':1}]"));
    place.session_start_ms = now;
    assert_limit(now, 16 * 230 * 3);
    assert_limit(now + 60000, 16 * 230);
    place.phases = 1; /* DC */
    place.volts = 400;
    assert_limit(now, 16 * 400);
    place.volts = 0; /* not told */
    assert_limit(now, 16 * 230);
}

static char *composite(wall_t from, int64_t duration_s, char unit)
{
    struct strbuf text = {0};
    struct json_out out = {.to = &text};
    json_open(&out, '{');
    bool any = charging_composite(stack, count, &place, from, duration_s, unit, &out);
    json_close(&out, '}');
    char *result = any ? arena_strdup(&arena, text.at) : NULL;
    if (!any)
        assert_string_equal(text.at, "{}");
    strbuf_clear(&text);
    return result;
}

static void test_composite(void **state)
{
    (void)state;
    add(0, PROFILE(1, 0, "ChargePointMaxProfile", "'Absolute'", START_10 WATTS(11000)));
    add(1, PROFILE(2, 0, "TxDefaultProfile", "'Recurring','recurrencyKind':'Daily'",
                   "'duration':5400," START_10 TWO_PERIODS));
    assert_string_equal(
        composite(now + 600, 86400 + 60, 'W'),
        "{\"duration\":86460,\"startSchedule\":\"2026-03-02T10:00:00Z\",\"chargingRateUnit\":\"W\","
        "\"chargingSchedulePeriod\":[{\"startPeriod\":0,\"limit\":1000},"
        "{\"startPeriod\":3600,\"limit\":7000},{\"startPeriod\":5400,\"limit\":11000},"
        "{\"startPeriod\":86400,\"limit\":1000}]}");
    assert_string_equal(
        composite(now + HOUR_MS, 60, 'A'), /* 7000 / 690 = 10.14 */
        "{\"duration\":60,\"startSchedule\":\"2026-03-02T11:00:00Z\",\"chargingRateUnit\":\"A\","
        "\"chargingSchedulePeriod\":[{\"startPeriod\":0,\"limit\":10.1}]}");
}

static void test_composite_keeps_amperes(void **state)
{
    (void)state;
    add(1,
        PROFILE(1, 0, "TxDefaultProfile", "'Relative'",
                "'chargingRateUnit':'A','chargingSchedulePeriod':[{'startPeriod':0,'limit':13.7},"
                "{'startPeriod':60,'limit':13.7,'numberPhases':1}]"));
    assert_string_equal(
        composite(now, 120, 'A'),
        "{\"duration\":120,\"startSchedule\":\"2026-03-02T10:00:00Z\",\"chargingRateUnit\":\"A\","
        "\"chargingSchedulePeriod\":[{\"startPeriod\":0,\"limit\":13.7},"
        "{\"startPeriod\":60,\"limit\":13.7,\"numberPhases\":1}]}");
}

/* What is not limited is left out at both ends: a period cannot say so. */
static void test_composite_begins_and_ends_with_limits(void **state)
{
    (void)state;
    add(1, PROFILE(1, 0, "TxDefaultProfile", "'Absolute'", "'duration':60," START_10 WATTS(1000)));
    assert_string_equal(
        composite(now - 30000, 600, 'W'),
        "{\"duration\":60,\"startSchedule\":\"2026-03-02T10:00:00Z\",\"chargingRateUnit\":\"W\","
        "\"chargingSchedulePeriod\":[{\"startPeriod\":0,\"limit\":1000}]}");
    assert_null(composite(now + 60000, 600, 'W'));
    assert_null(composite(now, 0, 'W'));
    assert_null(composite(now, -5, 'W'));
}

/* A session begins at any moment, a composite tells seconds: no two periods begin with the same. */
static void test_composite_tells_whole_seconds(void **state)
{
    (void)state;
    add(0, PROFILE(1, 0, "ChargePointMaxProfile", "'Absolute'", START_10 WATTS(11000)));
    add(1, PROFILE(2, 0, "TxDefaultProfile", "'Relative'", TWO_PERIODS));
    place.session_start_ms = now + 600;
    assert_string_equal(
        composite(now + 900, 7200, 'W'),
        "{\"duration\":7200,\"startSchedule\":\"2026-03-02T10:00:00Z\",\"chargingRateUnit\":\"W\","
        "\"chargingSchedulePeriod\":[{\"startPeriod\":0,\"limit\":1000},"
        "{\"startPeriod\":3600,\"limit\":7000}]}");
    count = 0;
    add(1, PROFILE(2, 0, "TxDefaultProfile", "'Relative'", TWO_PERIODS));
    assert_string_equal(
        composite(now - 1000, 7200, 'W'), /* it begins within the composite */
        "{\"duration\":7199,\"startSchedule\":\"2026-03-02T10:00:00Z\",\"chargingRateUnit\":\"W\","
        "\"chargingSchedulePeriod\":[{\"startPeriod\":0,\"limit\":1000},"
        "{\"startPeriod\":3600,\"limit\":7000}]}");
}

static void test_composite_is_bounded(void **state)
{
    (void)state;
    add(1, PROFILE(1, 0, "TxDefaultProfile", "'Recurring','recurrencyKind':'Daily'",
                   START_10 TWO_PERIODS));
    char *text = composite(now, INT64_MAX, 'W');
    assert_non_null(text);
    assert_true(strlen(text) < 64 * 1024);
    assert_null(composite(INT64_MIN, 60, 'W'));
    place.session_start_ms = INT64_MAX;
    assert_non_null(composite(INT64_MAX, INT64_MAX, 'A'));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_reads_all_fields),
        TEST(test_absent_fields),
        TEST(test_refuses),
        TEST(test_nothing_limits),
        TEST(test_stack_levels),
        TEST(test_validity),
        TEST(test_daily),
        TEST(test_weekly),
        TEST(test_recurring_without_start),
        TEST(test_relative),
        TEST(test_purposes),
        TEST(test_transaction_of_tx_profile),
        TEST(test_default_of_connector_zero),
        TEST(test_units),
        TEST(test_composite),
        TEST(test_composite_keeps_amperes),
        TEST(test_composite_begins_and_ends_with_limits),
        TEST(test_composite_tells_whole_seconds),
        TEST(test_composite_is_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
