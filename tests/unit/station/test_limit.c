/* Limits on their way to chargers: P1 to P5, Q28, and the guard of the fuse. */
#include "limit_rig.h"

/* ---- shape ---- */

static void amperes_rounded_down(void **state)
{
    (void)state;
    static const struct {
        double amps;
        const char *text;
    } cases[] = {{16, "16"},  {16.27, "16.2"}, {31.999, "31.9"}, {6, "6"},
                 {5.99, "0"}, {0, "0"},        {7.3, "7.3"}};
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct rig *r = rig_new(1);
        int64_t id = rig_start(r, 1);
        assert_true(station_limit(r->f->st, id, cases[i].amps));
        rig_turn(r);
        char *wanted = xprintf("CP1 keys; CP1 TxProfile c=1 tx=1 A %s", cases[i].text);
        rig_said(r, wanted);
        xfree(wanted);
        rig_free(r);
    }
}

static void the_whole_profile(void **state)
{
    (void)state;
    struct rig *r = rig_new(1);
    int64_t id = rig_start(r, 1);
    station_limit(r->f->st, id, 16);
    rig_turn(r);
    assert_non_null(
        strstr(r->f->sent.at[r->f->sent.count - 1],
               "\"SetChargingProfile\",{\"connectorId\":1,\"csChargingProfiles\":{"
               "\"chargingProfileId\":911001,\"transactionId\":1,\"stackLevel\":0,"
               "\"chargingProfilePurpose\":\"TxProfile\",\"chargingProfileKind\":\"Relative\","
               "\"chargingSchedule\":{\"chargingRateUnit\":\"A\",\"chargingSchedulePeriod\":["
               "{\"startPeriod\":0,\"limit\":16}]}}}]"));
    EXPECT_ROWS(r->f, 2, "COMMAND state=accepted by=limits");
    rig_free(r);
}

/* 16 A on three phases of 230 V; one phase by the station's option; DC with what it loses. */
static void watts(void **state)
{
    (void)state;
    static const struct {
        const char *units, *options, *text;
    } cases[] = {
        {"Power", NULL, "W 11040"},
        {"Power", "{\"phases\":1}", "W 3680"},
        {"Current,Power", NULL, "A 16"},
        {"Current,Power", "{\"dc\":true}", "W 10267"},
        {"Current,Power", "{\"ratingW\":150000}", "W 10267"},
        {"Current", "{\"dc\":true}", "A 20.5"}, /* of the car, as if it had 500 V */
        {NULL, NULL, "A 16"},
        {"Current", "{\"profileUnit\":\"W\"}", "W 11040"}, /* it is wrong about itself */
        {"Power", "{\"profileUnit\":\"A\"}", "A 16"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct rig *r = rig_new(1);
        struct charge_point_change change = {.security_profile = ABSENT,
                                             .options = cases[i].options};
        if (cases[i].options)
            assert_true(station_register(r->f->st, "CP1", &change, NULL, NULL, NULL));
        r->units = cases[i].units;
        int64_t id = rig_start(r, 1);
        station_limit(r->f->st, id, 16);
        rig_turn(r);
        char *wanted = xprintf("CP1 keys; CP1 TxProfile c=1 tx=1 %s", cases[i].text);
        rig_said(r, wanted);
        xfree(wanted);
        rig_free(r);
    }
}

static void dc_has_no_least(void **state)
{
    (void)state;
    struct rig *r = rig_new(1);
    struct charge_point_change change = {.security_profile = ABSENT, .options = "{\"dc\":true}"};
    station_register(r->f->st, "CP1", &change, NULL, NULL, NULL);
    r->units = "Power";
    int64_t id = rig_start(r, 1);
    station_limit(r->f->st, id, 2);
    rig_turn(r);
    rig_said(r, "CP1 keys; CP1 TxProfile c=1 tx=1 W 1283");
    rig_free(r);
}

static void the_whole_charger(void **state)
{
    (void)state;
    struct rig *r = rig_new(1);
    assert_true(station_limit_charger(r->f->st, "CP1", 20));
    assert_false(station_limit_charger(r->f->st, "CP9", 20));
    rig_turn(r);
    rig_said(r, "CP1 keys; CP1 ChargePointMaxProfile c=0 tx=0 A 20");
    assert_true(station_limit_charger_wanted(r->f->st, "cp1") == 20);
    station_limit_charger(r->f->st, "CP1", NO_LIMIT);
    rig_turn(r);
    rig_said(r, "CP1 Clear 910002");
    rig_free(r);
}

/* ---- what is sent, and when ---- */

static void the_same_sends_nothing(void **state)
{
    (void)state;
    struct rig *r = rig_new(1);
    int64_t id = rig_start(r, 1);
    station_limit(r->f->st, id, 16.21);
    rig_turn(r);
    rig_said(r, "CP1 keys; CP1 TxProfile c=1 tx=1 A 16.2");
    station_limit(r->f->st, id, 16.29); /* rounds to the same */
    rig_later(r, 3600 * 1000);
    rig_said(r, "");
    assert_true(station_limit_wanted(r->f->st, id) == 16.29);
    assert_true(station_limit_held(r->f->st, id) > 16.19);
    rig_free(r);
}

static void one_in_flight_then_the_newest(void **state)
{
    (void)state;
    struct rig *r = rig_new(1);
    int64_t id = rig_start(r, 1);
    station_limit(r->f->st, id, 16);
    rig_turn(r);
    rig_hush(r);
    r->answer = NULL;
    station_limit(r->f->st, id, 10);
    rig_turn(r);
    station_limit(r->f->st, id, 11);
    rig_turn(r);
    station_limit(r->f->st, id, 12);
    rig_turn(r);
    rig_said(r, "CP1 TxProfile c=1 tx=1 A 10");
    r->answer = "Accepted";
    char *text = xprintf("[3,\"%s\",{\"status\":\"Accepted\"}]", r->lost);
    say(r->f, "CP1", text);
    xfree(text);
    rig_turn(r);
    rig_said(r, "CP1 TxProfile c=1 tx=1 A 12");
    rig_free(r);
}

static void no_limit_any_more(void **state)
{
    (void)state;
    struct rig *r = rig_new(1);
    int64_t id = rig_start(r, 1);
    station_limit(r->f->st, id, NO_LIMIT); /* there was none */
    rig_turn(r);
    rig_said(r, "");
    station_limit(r->f->st, id, 16);
    rig_turn(r);
    station_limit(r->f->st, id, NO_LIMIT);
    rig_turn(r);
    rig_said(r, "CP1 keys; CP1 TxProfile c=1 tx=1 A 16; CP1 Clear 911001");
    assert_true(station_limit_wanted(r->f->st, id) < 0);
    rig_free(r);
}

static void it_ends_with_its_transaction(void **state)
{
    (void)state;
    struct rig *r = rig_new(1);
    int64_t id = rig_start(r, 1);
    station_limit(r->f->st, id, 16);
    rig_turn(r);
    rig_stop(r, 1, id);
    assert_false(station_limit(r->f->st, id, 10));
    assert_true(station_limit_wanted(r->f->st, id) < 0);
    rig_hush(r);
    id = rig_start(r, 1);
    rig_said(r, "");
    station_limit(r->f->st, id, 16);
    rig_turn(r);
    rig_said(r, "CP1 TxProfile c=1 tx=2 A 16");
    rig_free(r);
}

static void again_after_it_was_away_or_booted(void **state)
{
    (void)state;
    struct rig *r = rig_new(1);
    int64_t id = rig_start(r, 1);
    station_limit(r->f->st, id, 16);
    rig_turn(r);
    rig_hush(r);
    down(r->f, "CP1", 1);
    rig_later(r, 60000);
    up(r->f, "CP1", 101);
    rig_turn(r);
    rig_said(r, ""); /* B9: not before it booted, or had time to */
    rig_later(r, 10000);
    rig_said(r, "CP1 TxProfile c=1 tx=1 A 16");
    say(r->f, "CP1",
        "[2,\"b2\",\"BootNotification\",{\"chargePointVendor\":\"V\",\"chargePointModel\":\"M\"}]");
    rig_turn(r);
    rig_said(r, "CP1 TxProfile c=1 tx=1 A 16");
    rig_later(r, 3600 * 1000);
    rig_said(r, "");
    rig_free(r);
}

/* ---- refusals (Q28) ---- */

static void the_ladder(void **state)
{
    (void)state;
    struct rig *r = rig_new(1);
    rig_status(r, 1, "Charging");
    int64_t id = rig_start(r, 1);
    r->refuses = "\"TxProfile\"";
    station_limit(r->f->st, id, 16);
    rig_turn(r);
    rig_said(r, "CP1 keys; CP1 TxProfile c=1 tx=1 A 16");
    rig_later(r, 2000);
    rig_said(r, "CP1 TxProfile c=1 tx=1 A 16; CP1 TxProfile c=1 tx=1 A 16; "
                "CP1 TxDefaultProfile c=1 tx=0 A 16");
    station_limit(r->f->st, id, 10); /* what worked is remembered */
    rig_turn(r);
    rig_said(r, "CP1 TxDefaultProfile c=1 tx=0 A 10");
    rig_stop(r, 1, id); /* and does not outlive its transaction */
    rig_said(r, "CP1 Clear 912001");
    rig_free(r);
}

/* A quirk pack, or the operator, knows it already. */
static void a_shape_that_is_known(void **state)
{
    (void)state;
    static const char *const shapes[][2] = {
        {"TxProfileWithDuration", "TxProfile c=1 tx=1 A 16"},
        {"TxDefaultProfile", "TxDefaultProfile c=1 tx=0 A 16"},
        {"ChargePointMaxProfile", "ChargePointMaxProfile c=0 tx=0 A 16"}};
    for (size_t i = 0; i < ARRAY_LEN(shapes); i++) {
        struct rig *r = rig_new(1);
        char *options = xprintf("{\"profileShape\":\"%s\"}", shapes[i][0]);
        const struct charge_point_change change = {.security_profile = ABSENT, .options = options};
        assert_true(station_register(r->f->st, "CP1", &change, NULL, NULL, NULL));
        xfree(options);
        rig_status(r, 1, "Charging");
        int64_t id = rig_start(r, 1);
        r->answer = "Rejected";
        station_limit(r->f->st, id, 16);
        rig_turn(r);
        char *wanted = xprintf("CP1 keys; CP1 %s", shapes[i][1]);
        rig_said(r, wanted);
        xfree(wanted);
        r->answer = "Accepted";
        rig_later(r, 600 * 1000); /* and so no other is tried */
        wanted = xprintf("CP1 %s", shapes[i][1]);
        rig_said(r, wanted);
        xfree(wanted);
        rig_free(r);
    }
}

static void the_second_shape_names_its_times(void **state)
{
    (void)state;
    struct rig *r = rig_new(1);
    r->refuses = "\"Relative\"";
    int64_t id = rig_start(r, 1);
    station_limit(r->f->st, id, 16);
    rig_turn(r);
    rig_later(r, 2000);
    const char *sent = r->f->sent.at[r->f->sent.count - 1];
    assert_non_null(strstr(sent, "\"TxProfile\",\"chargingProfileKind\":\"Absolute\""));
    assert_non_null(strstr(sent, "\"duration\":172800,\"startSchedule\":\"2025-07-13T05:20:10Z\""));
    rig_free(r);
}

static void a_refusal_is_not_for_a_shape_that_worked(void **state)
{
    (void)state;
    struct rig *r = rig_new(1);
    int64_t id = rig_start(r, 1);
    station_limit(r->f->st, id, 16);
    rig_turn(r);
    rig_hush(r);
    r->answer = "Rejected";
    station_limit(r->f->st, id, 10);
    rig_turn(r);
    rig_later(r, 2000);
    rig_said(r, "CP1 TxProfile c=1 tx=1 A 10; CP1 TxProfile c=1 tx=1 A 10");
    r->answer = "Accepted";
    rig_later(r, 4000);
    rig_said(r, "CP1 TxProfile c=1 tx=1 A 10");
    rig_later(r, 3600 * 1000);
    rig_said(r, "");
    rig_free(r);
}

static void who_refuses_everything_is_asked_less_and_less(void **state)
{
    (void)state;
    struct rig *r = rig_new(1);
    r->answer = "!InternalError";
    int64_t id = rig_start(r, 1);
    station_limit(r->f->st, id, 16);
    for (int i = 0; i < 24 * 60; i++)
        rig_later(r, 60000);
    assert_true(r->said.count > 100);
    assert_true(r->said.count < 1000);
    r->answer = "Accepted";
    rig_hush(r);
    rig_later(r, 601000);
    assert_true(station_limit_held(r->f->st, id) == 16);
    rig_free(r);
}

static void who_knows_no_profiles_is_left_alone_until_it_is_back(void **state)
{
    (void)state;
    static const char *const answers[] = {"!NotSupported", "!NotImplemented", "NotSupported"};
    for (size_t i = 0; i < ARRAY_LEN(answers); i++) {
        struct rig *r = rig_new(1);
        r->answer = answers[i];
        int64_t id = rig_start(r, 1);
        station_limit(r->f->st, id, 16);
        rig_later(r, 3600 * 1000);
        rig_said(r, "CP1 keys; CP1 TxProfile c=1 tx=1 A 16");
        down(r->f, "CP1", 1);
        up(r->f, "CP1", 101);
        r->answer = "Accepted";
        rig_later(r, 10000);
        rig_said(r, "CP1 TxProfile c=1 tx=1 A 16");
        rig_free(r);
    }
}

static void silence(void **state)
{
    (void)state;
    struct rig *r = rig_new(1);
    r->answer = NULL;
    int64_t id = rig_start(r, 1);
    station_limit(r->f->st, id, 16);
    rig_turn(r);
    rig_later(r, 30000);
    assert_true(station_limit_held(r->f->st, id) < 0);
    r->answer = "Accepted";
    rig_later(r, 5000);
    rig_said(r, "CP1 keys; CP1 TxProfile c=1 tx=1 A 16; CP1 TxProfile c=1 tx=1 A 16");
    assert_true(station_limit_held(r->f->st, id) == 16);
    rig_free(r);
}

/* Who cannot tell its keys gets amperes. */
static void keys_that_are_not_told(void **state)
{
    (void)state;
    struct rig *r = rig_new(1);
    int64_t id = rig_start(r, 1);
    r->units = "nonsense";
    station_limit(r->f->st, id, 16);
    rig_turn(r);
    rig_said(r, "CP1 keys; CP1 TxProfile c=1 tx=1 A 16");
    rig_free(r);
}

/* ---- the guard ---- */

static void a_raise_waits_for_what_is_lowered(void **state)
{
    (void)state;
    struct rig *r = rig_new(2);
    rig_site(r, 32, 0, 5000);
    rig_turn(r);
    rig_said(r, "CP1 keys; CP2 keys; CP1 TxDefaultProfile c=0 tx=0 A 0; "
                "CP2 TxDefaultProfile c=0 tx=0 A 0");
    int64_t a = rig_start(r, 1), b = rig_start(r, 2);
    station_limit(r->f->st, a, 32);
    rig_turn(r);
    rig_said(r, "CP1 TxProfile c=1 tx=1 A 32");
    station_limit(r->f->st, b, 16); /* asked for first, sent last */
    station_limit(r->f->st, a, 16);
    rig_turn(r);
    rig_said(r, "CP1 TxProfile c=1 tx=1 A 16");
    rig_later(r, 4999);
    rig_said(r, ""); /* the car may still be on its way down */
    rig_later(r, 1);
    rig_said(r, "CP2 TxProfile c=1 tx=2 A 16");
    rig_free(r);
}

static void a_raise_that_nobody_makes_room_for_gets_what_is_left(void **state)
{
    (void)state;
    struct rig *r = rig_new(2);
    rig_site(r, 40, 0, 0);
    rig_turn(r);
    int64_t a = rig_start(r, 1), b = rig_start(r, 2);
    station_limit(r->f->st, a, 25);
    rig_turn(r);
    rig_hush(r);
    station_limit(r->f->st, b, 25);
    rig_turn(r);
    rig_said(r, "CP2 TxProfile c=1 tx=2 A 15");
    rig_stop(r, 1, a); /* its contactor is open: at once */
    rig_said(r, "CP2 TxProfile c=1 tx=2 A 25");
    rig_free(r);
}

static void less_than_six_is_not_left_over(void **state)
{
    (void)state;
    struct rig *r = rig_new(2);
    rig_site(r, 30, 0, 0);
    rig_turn(r);
    int64_t a = rig_start(r, 1), b = rig_start(r, 2);
    station_limit(r->f->st, a, 25);
    station_limit(r->f->st, b, 25);
    rig_turn(r);
    assert_true(station_limit_held(r->f->st, a) == 25);
    assert_true(station_limit_held(r->f->st, b) == 0);
    rig_free(r);
}

static void the_base_load_counts(void **state)
{
    (void)state;
    struct rig *r = rig_new(1);
    rig_site(r, 40, 0, 0);
    rig_turn(r);
    assert_true(station_site_base_load(r->f->st, "depot", 30));
    int64_t id = rig_start(r, 1);
    rig_hush(r);
    station_limit(r->f->st, id, 32);
    rig_turn(r);
    rig_said(r, "CP1 TxProfile c=1 tx=1 A 10");
    station_site_base_load(r->f->st, "depot", 0);
    rig_turn(r);
    rig_said(r, "CP1 TxProfile c=1 tx=1 A 32");
    rig_free(r);
}

/* What a charger may be doing that is away counts, and holds nobody up. */
static void who_is_away_keeps_its_share(void **state)
{
    (void)state;
    struct rig *r = rig_new(2);
    rig_site(r, 32, 0, 5000);
    rig_turn(r);
    int64_t a = rig_start(r, 1), b = rig_start(r, 2);
    station_limit(r->f->st, a, 20);
    rig_turn(r);
    rig_hush(r);
    down(r->f, "CP1", 1);
    station_limit(r->f->st, a, 6);
    station_limit(r->f->st, b, 26);
    rig_turn(r);
    rig_said(r, "CP2 TxProfile c=1 tx=2 A 12");
    up(r->f, "CP1", 101);
    rig_later(r, 10000);
    rig_said(r, "CP1 TxDefaultProfile c=0 tx=0 A 0; CP1 TxProfile c=1 tx=1 A 6");
    rig_later(r, 5000);
    rig_said(r, "CP2 TxProfile c=1 tx=2 A 26");
    rig_free(r);
}

/* An answer that never came: it may follow the old limit or the new one. */
static void doubt_counts_as_the_more(void **state)
{
    (void)state;
    struct rig *r = rig_new(2);
    rig_site(r, 32, 0, 0);
    rig_turn(r);
    int64_t a = rig_start(r, 1), b = rig_start(r, 2);
    r->answer = NULL;
    station_limit(r->f->st, a, 20);
    rig_turn(r);
    down(r->f, "CP1", 1); /* the raise was on its way */
    rig_turn(r);
    rig_hush(r);
    r->answer = "Accepted";
    station_limit(r->f->st, a, 6);
    station_limit(r->f->st, b, 26);
    rig_turn(r);
    rig_said(r, "CP2 TxProfile c=1 tx=2 A 12");
    rig_free(r);
}

static void chargers_of_no_site_are_not_guarded(void **state)
{
    (void)state;
    struct rig *r = rig_new(2);
    int64_t a = rig_start(r, 1), b = rig_start(r, 2);
    station_limit(r->f->st, a, 1000);
    station_limit(r->f->st, b, 1000);
    rig_turn(r);
    rig_said(r, "CP1 keys; CP2 keys; CP1 TxProfile c=1 tx=1 A 1000; CP2 TxProfile c=1 tx=2 A 1000");
    rig_free(r);
}

/* ---- failsafe ---- */

static void the_failsafe(void **state)
{
    (void)state;
    struct rig *r = rig_new(3);
    rig_site(r, 100, 8, 0);
    rig_turn(r);
    rig_said(r, "CP1 keys; CP2 keys; CP3 keys; CP1 TxDefaultProfile c=0 tx=0 A 8; "
                "CP2 TxDefaultProfile c=0 tx=0 A 8; CP3 TxDefaultProfile c=0 tx=0 A 8");
    int64_t id = rig_start(r, 1);
    assert_true(station_limit_held(r->f->st, id) == 8);
    station_limit(r->f->st, id, NO_LIMIT); /* nobody limited it */
    rig_turn(r);
    rig_said(r, "");
    station_limit(r->f->st, id, 20);
    station_limit(r->f->st, id, NO_LIMIT); /* else it would fall back to 8 */
    rig_turn(r);
    rig_said(r, "CP1 TxProfile c=1 tx=1 A 100");
    rig_site(r, 100, 0, 0); /* the policies have another one now */
    rig_turn(r);
    rig_said(r, "CP1 TxDefaultProfile c=0 tx=0 A 0; CP2 TxDefaultProfile c=0 tx=0 A 0; "
                "CP3 TxDefaultProfile c=0 tx=0 A 0");
    station_sites_define(r->f->st, NULL, 0);
    rig_turn(r);
    rig_said(r, "CP1 Clear 910001; CP2 Clear 910001; CP3 Clear 910001; CP1 Clear 911001");
    rig_free(r);
}

static void the_failsafe_that_is_safe(void **state)
{
    (void)state;
    struct rig *r = rig_new(3);
    rig_site(r, 18, NO_LIMIT, 0);
    assert_true(site_failsafe(r->f->st, station_site(r->f->st, "depot")) == 6);
    rig_site(r, 17, NO_LIMIT, 0);
    assert_true(site_failsafe(r->f->st, station_site(r->f->st, "depot")) == 0);
    rig_turn(r);
    rig_free(r);
}

/* ---- who wants power, and how much ---- */

static void wanting(void **state)
{
    (void)state;
    struct rig *r = rig_new(1);
    rig_status(r, 1, "Preparing");
    int64_t id = rig_start(r, 1);
    assert_true(station_wants_power(r->f->st, id));
    rig_status(r, 1, "Charging");
    rig_status(r, 1, "SuspendedEVSE");
    assert_true(station_wants_power(r->f->st, id));
    rig_status(r, 1, "SuspendedEV");
    assert_false(station_wants_power(r->f->st, id));
    rig_status(r, 1, "SuspendedEVSE"); /* our pause: we cannot know */
    assert_false(station_wants_power(r->f->st, id));
    rig_status(r, 1, "Charging");
    assert_true(station_wants_power(r->f->st, id));
    rig_status(r, 1, "Faulted");
    assert_false(station_wants_power(r->f->st, id));
    rig_free(r);
}

static void the_most(void **state)
{
    (void)state;
    struct rig *r = rig_new(1);
    int64_t id = rig_start(r, 1);
    assert_true(station_max_amps(r->f->st, id) < 0);
    rig_site(r, 63, 0, 0);
    assert_true(station_max_amps(r->f->st, id) == 63);
    struct charge_point_change change = {.security_profile = ABSENT,
                                         .options = "{\"ratingW\":22000}"};
    station_register(r->f->st, "CP1", &change, NULL, NULL, NULL);
    double most = station_max_amps(r->f->st, id);
    assert_true(most > 31.79 && most < 31.81);
    rig_turn(r);
    rig_free(r);
}

/* ---- restarts ---- */

static char *row_of(struct fake *f, const char *key)
{
    const char *value = station_kv_get(f->st, key);
    assert_non_null(value);
    return xstrdup(value);
}

static void restore_into(struct fake *f, const char *limits, int64_t id)
{
    struct restore_sink sink = station_restore_sink(f->st);
    const struct record_charge_point cp = {.id = "CP1", .registration = "accepted"};
    const struct record_connector connector = {.cp = "CP1", .evse = 1, .connector = 1};
    const struct record_transaction tx = {.id = id,
                                          .start = {.cp = "CP1",
                                                    .evse = 1,
                                                    .connector = 1,
                                                    .id_tag = "T",
                                                    .start_ms = TEST_NOW,
                                                    .meter_start_wh = 0},
                                          .last_energy_wh = ABSENT,
                                          .last_power_w = ABSENT,
                                          .last_soc = ABSENT,
                                          .last_sample_ms = ABSENT};
    const struct record_kv row = {"chargebridge/limit/CP1", limits, ABSENT};
    sink.charge_point(sink.ctx, &cp);
    sink.connector(sink.ctx, &connector);
    sink.transaction(sink.ctx, &tx);
    sink.kv(sink.ctx, &row);
}

static void they_survive_restarts(void **state)
{
    (void)state;
    struct rig *r = rig_new(1);
    r->units = "Power";
    int64_t id = rig_start(r, 1);
    station_limit(r->f->st, id, 16);
    rig_turn(r);
    char *limits = row_of(r->f, "chargebridge/limit/CP1");
    rig_free(r);

    r = rig_new(0);
    restore_into(r->f, limits, id);
    assert_true(station_limit_wanted(r->f->st, id) == 16);
    assert_true(station_limit_held(r->f->st, id) == 16);
    station_limit(r->f->st, id, 16);
    up(r->f, "CP1", 1);
    rig_later(r, 10000); /* it was away: told again, in its unit, without being asked for it */
    rig_said(r, "CP1 TxProfile c=1 tx=1 W 11040");
    rig_later(r, 3600 * 1000);
    rig_said(r, "");
    rig_free(r);

    r = rig_new(0); /* it ended while the server was down */
    restore_into(r->f, limits, id + 1);
    assert_true(station_limit_wanted(r->f->st, id) < 0);
    up(r->f, "CP1", 1);
    rig_later(r, 10000);
    rig_said(r, "");
    rig_free(r);
    xfree(limits);
}

static void rows_that_cannot_be_read(void **state)
{
    (void)state;
    static const char *const rows[] = {
        "{}", "[]", "nonsense",
        "{\"cp\":\"CP1\",\"slots\":[1,{},{\"kind\":9},{\"kind\":2,\"connector\":-1,"
        "\"transaction\":1},{\"kind\":2,\"connector\":1,\"transaction\":1,\"wanted\":\"x\"}],"
        "\"shape\":77}"};
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct rig *r = rig_new(0);
        restore_into(r->f, rows[i], 1);
        assert_true(station_limit_wanted(r->f->st, 1) < 0);
        up(r->f, "CP1", 1);
        rig_later(r, 10000);
        rig_said(r, "");
        rig_free(r);
    }
}

static void deleting_the_station_forgets_them(void **state)
{
    (void)state;
    struct rig *r = rig_new(2);
    station_limit_charger(r->f->st, "CP1", 20);
    rig_turn(r);
    r->answer = NULL;
    station_limit_charger(r->f->st, "CP1", 10);
    rig_turn(r);
    assert_true(station_delete(r->f->st, "CP1", NULL, NULL, NULL));
    rig_turn(r);
    assert_null(station_kv_get(r->f->st, "chargebridge/limit/CP1"));
    assert_true(station_limit_charger_wanted(r->f->st, "CP1") < 0);
    rig_free(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(amperes_rounded_down),
        cmocka_unit_test(the_whole_profile),
        cmocka_unit_test(watts),
        cmocka_unit_test(dc_has_no_least),
        cmocka_unit_test(the_whole_charger),
        cmocka_unit_test(the_same_sends_nothing),
        cmocka_unit_test(one_in_flight_then_the_newest),
        cmocka_unit_test(no_limit_any_more),
        cmocka_unit_test(it_ends_with_its_transaction),
        cmocka_unit_test(again_after_it_was_away_or_booted),
        cmocka_unit_test(the_ladder),
        cmocka_unit_test(a_shape_that_is_known),
        cmocka_unit_test(the_second_shape_names_its_times),
        cmocka_unit_test(a_refusal_is_not_for_a_shape_that_worked),
        cmocka_unit_test(who_refuses_everything_is_asked_less_and_less),
        cmocka_unit_test(who_knows_no_profiles_is_left_alone_until_it_is_back),
        cmocka_unit_test(silence),
        cmocka_unit_test(keys_that_are_not_told),
        cmocka_unit_test(a_raise_waits_for_what_is_lowered),
        cmocka_unit_test(a_raise_that_nobody_makes_room_for_gets_what_is_left),
        cmocka_unit_test(less_than_six_is_not_left_over),
        cmocka_unit_test(the_base_load_counts),
        cmocka_unit_test(who_is_away_keeps_its_share),
        cmocka_unit_test(doubt_counts_as_the_more),
        cmocka_unit_test(chargers_of_no_site_are_not_guarded),
        cmocka_unit_test(the_failsafe),
        cmocka_unit_test(the_failsafe_that_is_safe),
        cmocka_unit_test(wanting),
        cmocka_unit_test(the_most),
        cmocka_unit_test(they_survive_restarts),
        cmocka_unit_test(rows_that_cannot_be_read),
        cmocka_unit_test(deleting_the_station_forgets_them),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
