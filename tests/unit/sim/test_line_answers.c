/* Answers to commands: what the table refuses, triggers, DataTransfer, and the faults of answers.
 */
#include "line_world.h"

static struct reason why;

static int setup(void **state)
{
    (void)state;
    world_start();
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    world_close();
    return 0;
}

static void fault(const char *name, double probability)
{
    assert_true(charger_fault(world.charger, name, probability, &why));
}

/* R11, R12. */
static void test_what_is_refused(void **state)
{
    (void)state;
    ASK("Nonsense", "{}", "\"NotImplemented\"");
    ASK("Heartbeat", "{}", "\"NotSupported\""); /* the other direction */
    ASK("getConfiguration", "{}", "\"NotImplemented\"");
    ASK("Reset", "{}", "\"ProtocolError\"");
    ASK("Reset", "{\"type\":\"Warm\"}", "\"PropertyConstraintViolation\"");
    ASK("Reset", "{\"type\":1}", "\"TypeConstraintViolation\"");
    ASK("Reset", "[]", "\"FormationViolation\"");
    world_put("[2,\"bad\",\"Reset\",{\"type\":}]");
    world_until(world.count > 0 && text_is(world.frames[world.count - 1].id, "bad"));
    assert_non_null(strstr(world.frames[world.count - 1].text, "FormationViolation"));
    assert_true(world.charger->rebooting == REBOOT_NONE);
}

static void test_unreadable_ones_get_no_answer(void **state)
{
    (void)state;
    size_t before = world.count;
    world_put("not JSON");
    world_put("[]");
    world_put("[2,5,\"Reset\",{}]");
    world_put("");
    world_turn();
    assert_int_equal(world.count, before);
    assert_true(world.charger->online);
}

/* Every action of the central system has an answer, and the table takes it. */
static void test_all_of_them(void **state)
{
    (void)state;
    static const char digest[] =
        "{\"hashAlgorithm\":\"SHA256\",\"issuerNameHash\":\"a\",\"issuerKeyHash\":\"b\","
        "\"serialNumber\":\"c\"}";
    char *delete = xprintf("{\"certificateHashData\":%s}", digest);
    const char *const asked[][2] = {
        {"CancelReservation", "{\"reservationId\":5}"},
        {"CertificateSigned", "{\"certificateChain\":\"x\"}"},
        {"ChangeAvailability", "{\"connectorId\":1,\"type\":\"Operative\"}"},
        {"ChangeConfiguration", "{\"key\":\"CpoName\",\"value\":\"Seed\"}"},
        {"ClearCache", "{}"},
        {"ClearChargingProfile", "{}"},
        {"DataTransfer", "{\"vendorId\":\"x\"}"},
        {"DeleteCertificate", delete},
        {"ExtendedTriggerMessage", "{\"requestedMessage\":\"Heartbeat\"}"},
        {"GetCompositeSchedule", "{\"connectorId\":1,\"duration\":60}"},
        {"GetConfiguration", "{}"},
        {"GetInstalledCertificateIds", "{\"certificateType\":\"CentralSystemRootCertificate\"}"},
        {"GetLocalListVersion", "{}"},
        {"InstallCertificate",
         "{\"certificateType\":\"CentralSystemRootCertificate\",\"certificate\":\"x\"}"},
        {"RemoteStartTransaction", "{\"idTag\":\"A\",\"connectorId\":9}"},
        {"RemoteStopTransaction", "{\"transactionId\":77}"},
        {"ReserveNow", "{\"connectorId\":9,\"expiryDate\":\"2025-07-15T00:00:00Z\","
                       "\"idTag\":\"A\",\"reservationId\":1}"},
        {"SendLocalList", "{\"listVersion\":1,\"updateType\":\"Full\"}"},
        {"SetChargingProfile",
         "{\"connectorId\":9,\"csChargingProfiles\":{\"chargingProfileId\":1,\"stackLevel\":0,"
         "\"chargingProfilePurpose\":\"TxDefaultProfile\",\"chargingProfileKind\":\"Relative\","
         "\"chargingSchedule\":{\"chargingRateUnit\":\"W\",\"chargingSchedulePeriod\":"
         "[{\"startPeriod\":0,\"limit\":1000}]}}}"},
        {"TriggerMessage", "{\"requestedMessage\":\"Heartbeat\"}"},
        {"UnlockConnector", "{\"connectorId\":1}"},
        {"Reset", "{\"type\":\"Soft\"}"},
    };
    for (size_t i = 0; i < ARRAY_LEN(asked); i++)
        ASK(asked[i][0], asked[i][1], "[3,");
    xfree(delete);
}

static void test_triggers(void **state)
{
    (void)state;
    ASK("TriggerMessage", "{\"requestedMessage\":\"StatusNotification\"}", "\"Accepted\"");
    world_until(world_calls("StatusNotification") == 6); /* 0, 1 and 2 */
    ASK("TriggerMessage", "{\"requestedMessage\":\"StatusNotification\",\"connectorId\":3}",
        "\"Rejected\"");
    ASK("TriggerMessage", "{\"requestedMessage\":\"MeterValues\",\"connectorId\":2}",
        "\"Accepted\"");
    world_until(world_calls("MeterValues") == 1);
    ASK("TriggerMessage", "{\"requestedMessage\":\"MeterValues\"}", "\"Accepted\"");
    world_until(world_calls("MeterValues") == 3);
    ASK("TriggerMessage", "{\"requestedMessage\":\"BootNotification\"}", "\"Accepted\"");
    world_until(world_calls("BootNotification") == 2);
    ASK("TriggerMessage", "{\"requestedMessage\":\"DiagnosticsStatusNotification\"}",
        "\"Accepted\"");
    world_until(world_calls("DiagnosticsStatusNotification") == 1);
    ASK("TriggerMessage", "{\"requestedMessage\":\"FirmwareStatusNotification\"}", "\"Accepted\"");
    world_until(world_calls("FirmwareStatusNotification") == 1);
    ASK("ExtendedTriggerMessage", "{\"requestedMessage\":\"LogStatusNotification\"}",
        "\"Accepted\"");
    world_until(world_calls("LogStatusNotification") == 1);
    ASK("ExtendedTriggerMessage", "{\"requestedMessage\":\"SignChargePointCertificate\"}",
        "\"Accepted\"");
    world_until(world_calls("SignCertificate") == 1);
}

static void test_data_transfer(void **state)
{
    (void)state;
    ASK("DataTransfer", "{\"vendorId\":\"Other\",\"messageId\":\"echo\"}", "\"UnknownVendorId\"");
    ASK("DataTransfer", "{\"vendorId\":\"ChargeBridge\"}", "\"UnknownMessageId\"");
    ASK("DataTransfer", "{\"vendorId\":\"chargebridge\",\"messageId\":\"x\"}",
        "\"UnknownMessageId\"");
    ASK("DataTransfer",
        "{\"vendorId\":\"ChargeBridge\",\"messageId\":\"echo\",\"data\":\"a\\\"b\"}",
        "{\"status\":\"Accepted\",\"data\":\"a\\\"b\"}");
    ASK("DataTransfer", "{\"vendorId\":\"ChargeBridge\",\"messageId\":\"echo\"}",
        "{\"status\":\"Accepted\"}");
}

static int answers(const char *id)
{
    int found = 0;
    for (size_t i = 0; i < world.count; i++)
        found += text_is(world.frames[i].id, id);
    return found;
}

static void test_slow_late_twice_never(void **state)
{
    (void)state;
    fault("slow_answer", 1);
    world_put("[2,\"slow\",\"ClearCache\",{}]");
    world_turn();
    world_pass(1900);
    assert_int_equal(answers("slow"), 0);
    world_pass(200);
    assert_int_equal(answers("slow"), 1);
    fault("slow_answer", 0);
    fault("late_answer", 1);
    world_put("[2,\"late\",\"ClearCache\",{}]");
    world_turn();
    world_pass(34000);
    assert_int_equal(answers("late"), 0);
    world_pass(2000);
    assert_int_equal(answers("late"), 1);
    fault("late_answer", 0);
    fault("double_answer", 1);
    world_put("[2,\"twice\",\"ClearCache\",{}]");
    world_until(answers("twice") == 2);
    fault("double_answer", 0);
    fault("no_answer", 1);
    world_put("[2,\"never\",\"ClearCache\",{}]");
    world_turn();
    world_pass(60000);
    assert_int_equal(answers("never"), 0);
}

static void test_late_answers_die_with_the_line(void **state)
{
    (void)state;
    fault("late_answer", 1);
    world_put("[2,\"late\",\"ClearCache\",{}]");
    world_turn();
    assert_non_null(world.charger->answers);
    charger_drop_line(world.charger);
    assert_null(world.charger->answers);
    world_pass(40000);
    assert_true(world.charger->online);
    assert_int_equal(answers("late"), 0);
}

static void test_drop_on_command(void **state)
{
    (void)state;
    fault("drop_on_command", 1);
    world_put("[2,\"drop\",\"UnlockConnector\",{\"connectorId\":1}]");
    world_until(world.closed == 1);
    assert_int_equal(answers("drop"), 0);
    fault("drop_on_command", 0);
    world_pass(2000);
    world_until(world.opened == 2);
}

static void test_own_calls(void **state)
{
    (void)state;
    assert_true(charger_send(world.charger, "DataTransfer", "{\"vendorId\":\"x\"}", &why));
    world_until(world_calls("DataTransfer") == 1);
    assert_false(charger_send(world.charger, "Nothing", "{}", &why));
    assert_string_equal(why.text, "unknown action \"Nothing\"");
    assert_false(charger_send(world.charger, "Heartbeat", "{", &why));
    assert_non_null(strstr(why.text, "expected JSON: "));
    charger_set_network(world.charger, false);
    assert_false(charger_send(world.charger, "Heartbeat", "{}", &why));
    assert_string_equal(why.text, "not connected");
}

/* What comes at the server of broken text; a CALL that got none is tried no more. */
static void test_broken_text(void **state)
{
    (void)state;
    static const struct {
        const char *fault;
        enum frame_kind kind;
        bool closes; /* the server does, T10 */
    } rows[] = {
        {"text_cut", FRAME_BAD, false},        {"text_missing_value", FRAME_BAD, false},
        {"text_nested", FRAME_BAD, false},     {"text_empty", FRAME_EMPTY, false},
        {"text_fragments", FRAME_CALL, false}, {"text_bytes", FRAME_CALL, true},
        {"text_huge", FRAME_CALL, true},       {"text_binary", FRAME_CALL, true},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        size_t before = world.count;
        int closed = world.closed;
        fault(rows[i].fault, 1);
        charger_send(world.charger, "DataTransfer", "{\"vendorId\":\"x\",\"data\":\"long enough\"}",
                     &why);
        if (rows[i].closes) {
            world_until(world.closed == closed + 1);
            assert_int_equal(world.count, before);
        } else {
            world_until(world.count == before + 1);
            if (world.frames[before].kind != rows[i].kind)
                fail_msg("%s: %s", rows[i].fault, world.frames[before].text);
        }
        fault(rows[i].fault, 0);
        world_pass(31000);
        world_until(world.charger->online && !world.charger->queued);
    }
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_what_is_refused),
        TEST(test_unreadable_ones_get_no_answer),
        TEST(test_all_of_them),
        TEST(test_triggers),
        TEST(test_data_transfer),
        TEST(test_slow_late_twice_never),
        TEST(test_late_answers_die_with_the_line),
        TEST(test_drop_on_command),
        TEST(test_own_calls),
        TEST(test_broken_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
