/* Reservations: each answer, each way in which one ends. */
#include "place_world.h"

static struct charger *const cp = &world.charger;

static void reserve(int id, int connector, const char *id_tag, const char *more, const char *status)
{
    char text[300];
    snprintf(text, sizeof(text),
             "{\"reservationId\":%d,\"connectorId\":%d,\"idTag\":\"%s\"%s,"
             "\"expiryDate\":\"2025-07-14T06:00:00Z\"}",
             id, connector, id_tag, more);
    world_ask_expect("ReserveNow", answer_reserve_now, text, status);
}

static void cancel(int id, const char *status)
{
    char text[60];
    snprintf(text, sizeof(text), "{\"reservationId\":%d}", id);
    world_ask_expect("CancelReservation", answer_cancel_reservation, text, status);
}

static void test_answers(void **state)
{
    (void)state;
    reserve(1, 1, "TAG", "", "Accepted");
    world_status(1, "Reserved");
    reserve(2, 1, "OTHER", "", "Occupied");
    reserve(2, 3, "OTHER", "", "Rejected");
    charger_set_fault(cp, 2, "OtherError", NULL);
    world_status(2, "Faulted");
    reserve(2, 2, "OTHER", "", "Faulted");
    charger_clear_fault(cp, 2, NULL);
    world_ask_expect("ChangeAvailability", answer_change_availability,
                     "{\"connectorId\":2,\"type\":\"Inoperative\"}", "Accepted");
    reserve(2, 2, "OTHER", "", "Unavailable");
    world_ask_expect("ReserveNow", answer_reserve_now,
                     "{\"reservationId\":9,\"connectorId\":1,\"idTag\":\"TAG\","
                     "\"expiryDate\":\"2025-07-14T04:59:59Z\"}",
                     "Rejected");
    world.keys[0].key = "SupportedFeatureProfiles";
    world.keys[0].value = "Core";
    reserve(2, 1, "OTHER", "", "Rejected");
}

static void test_plugged_is_occupied(void **state)
{
    (void)state;
    charger_plug(cp, 1, NULL, false, NULL);
    reserve(1, 1, "TAG", "", "Occupied");
}

static void test_used(void **state)
{
    (void)state;
    struct reason why;
    reserve(5, 1, "TAG", "", "Accepted");
    world_status(1, "Reserved");
    charger_plug(cp, 1, NULL, false, NULL);
    world_status(1, "Preparing");
    assert_false(charger_start(cp, 1, "OTHER", &why));
    assert_string_equal(why.text, "reserved for another tag");
    assert_true(charger_start(cp, 1, "tag", NULL));
    world_answer(world_take("Authorize"), "{\"idTagInfo\":{\"status\":\"Accepted\"}}");
    assert_int_equal(world_member(world_payload(world_take("StartTransaction")), "reservationId"),
                     5);
    world_status(1, "Charging");
    cancel(5, "Rejected");
    charger_stop(cp, 1, NULL, NULL);
    charger_unplug(cp, 1, NULL);
    world_stop("Local");
    world_status(1, "Finishing");
    world_status(1, "Available");
}

static void test_used_by_the_group(void **state)
{
    (void)state;
    reserve(5, 1, "TAG", ",\"parentIdTag\":\"GROUP\"", "Accepted");
    charger_plug(cp, 1, NULL, false, NULL);
    world_skip();
    assert_true(charger_start(cp, 1, "STRANGER", NULL)); /* only Authorize can tell */
    world_answer(world_take("Authorize"), "{\"idTagInfo\":{\"status\":\"Accepted\"}}");
    world_nothing();
    assert_true(charger_start(cp, 1, "FAMILY", NULL));
    world_answer(world_take("Authorize"),
                 "{\"idTagInfo\":{\"status\":\"Accepted\",\"parentIdTag\":\"GROUP\"}}");
    assert_int_equal(world_member(world_payload(world_take("StartTransaction")), "reservationId"),
                     5);
}

static void test_expiry(void **state)
{
    (void)state;
    reserve(5, 1, "TAG", "", "Accepted");
    world_status(1, "Reserved");
    world_pass(3600000 - 1);
    world_nothing();
    world_pass(1);
    world_status(1, "Available");
    cancel(5, "Rejected");
}

static void test_cancel(void **state)
{
    (void)state;
    reserve(5, 1, "TAG", "", "Accepted");
    world_status(1, "Reserved");
    cancel(6, "Rejected");
    world_nothing();
    cancel(5, "Accepted");
    world_status(1, "Available");
}

static void test_same_id_replaces(void **state)
{
    (void)state;
    reserve(5, 1, "TAG", "", "Accepted");
    world_status(1, "Reserved");
    reserve(5, 1, "OTHER", "", "Accepted");
    world_nothing();
    reserve(5, 2, "OTHER", "", "Accepted");
    world_status(1, "Available");
    world_status(2, "Reserved");
    charger_plug(cp, 1, NULL, false, NULL);
    world_status(1, "Preparing");
    reserve(5, 1, "OTHER", "", "Occupied"); /* the old one stays */
    cancel(5, "Accepted");
    world_status(2, "Available");
}

static void test_fault_ends_it(void **state)
{
    (void)state;
    reserve(5, 1, "TAG", "", "Accepted");
    charger_set_fault(cp, 1, "OtherError", NULL);
    charger_clear_fault(cp, 1, NULL);
    world_status(1, "Reserved");
    world_status(1, "Faulted");
    world_status(1, "Available");
    cancel(5, "Rejected");
}

static void test_connector_zero(void **state)
{
    (void)state;
    struct reason why;
    reserve(5, 0, "TAG", "", "Accepted");
    world_nothing();
    reserve(6, 0, "OTHER", "", "Accepted");
    reserve(7, 0, "THIRD", "", "Occupied");
    cancel(6, "Accepted");
    assert_true(charger_plug(cp, 1, "ANYBODY", true, NULL)); /* one is left for TAG */
    world_status(1, "Preparing");
    world_take("Authorize");
    charger_plug(cp, 2, NULL, false, NULL);
    world_status(2, "Preparing");
    assert_false(charger_start(cp, 2, "SOMEBODY", &why));
    assert_true(charger_start(cp, 2, "TAG", NULL));
    world_answer(world_take("Authorize"), "{\"idTagInfo\":{\"status\":\"Accepted\"}}");
    assert_int_equal(world_member(world_payload(world_take("StartTransaction")), "reservationId"),
                     5);
    world.keys[0].key = "ReserveConnectorZeroSupported";
    world.keys[0].value = "false";
    reserve(8, 0, "TAG", "", "Rejected");
}

static void test_remote_start_on_a_reserved_one(void **state)
{
    (void)state;
    reserve(5, 1, "TAG", "", "Accepted");
    world_status(1, "Reserved");
    world_ask_expect("RemoteStartTransaction", answer_remote_start,
                     "{\"connectorId\":1,\"idTag\":\"OTHER\"}", "Rejected");
    world_ask_expect("RemoteStartTransaction", answer_remote_start,
                     "{\"connectorId\":1,\"idTag\":\"TAG\"}", "Accepted");
    world_take("Authorize");
    world_status(1, "Preparing");
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, world_open, world_close)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_answers),
        CASE(test_plugged_is_occupied),
        CASE(test_used),
        CASE(test_used_by_the_group),
        CASE(test_expiry),
        CASE(test_cancel),
        CASE(test_same_id_replaces),
        CASE(test_fault_ends_it),
        CASE(test_connector_zero),
        CASE(test_remote_start_on_a_reserved_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
