/* What chargers accepted becomes rows: C4, C5, C8, C9, P3, P4, W1, W2, W4, G5, N5. */
#include "fake.h"

#include "base/digest.h"

/* The charger answers the CALL that was sent last with this payload. */
static void answer(struct fake *f, const char *payload)
{
    const char *at = NULL;
    for (size_t i = f->sent.count; i > 0 && !at; i--)
        at = strstr(f->sent.at[i - 1], "[2,\"");
    assert_non_null(at);
    char *text = xprintf("[3,\"%.36s\",%s]", at + 4, payload);
    say(f, "CP1", text);
    xfree(text);
}

static void ask(struct fake *f, const char *action, const char *payload, const char *response)
{
    assert_true(station_call(f->st, "CP1", action, payload, 0, NULL, NULL) != 0);
    answer(f, response);
}

#define ACCEPTED "{\"status\":\"Accepted\"}"
#define REJECTED "{\"status\":\"Rejected\"}"

static void c5_keys_as_the_charger_tells_them(void **state)
{
    (void)state;
    struct fake *f = fake_with_cp1();
    ask(f, "GetConfiguration", "{}",
        "{\"configurationKey\":[{\"key\":\"A\",\"readonly\":true,\"value\":\"1\"},"
        "{\"key\":\"B\",\"readonly\":false},{\"key\":\"C\",\"value\":\"3\"},"
        "{\"key\":\"E\",\"readonly\":false,\"value\":\"\"},"
        "{\"key\":\"authorizationkey\",\"readonly\":false,\"value\":\"0123456789ABCDEF\"}],"
        "\"unknownKey\":[\"D\"]}");
    EXPECT_ROWS(f, 6, "CONFIGURATION cp=CP1 known=1752470408000");
    EXPECT_ROWS(f, 1, "CONFIGURATION key=A value=1 readonly=1 unknown=0 told=1");
    EXPECT_ROWS(f, 1, "CONFIGURATION key=B value=- readonly=0");
    EXPECT_ROWS(f, 1, "CONFIGURATION key=C value=3 readonly=-");
    EXPECT_ROWS(f, 1, "CONFIGURATION key=E value=(empty) readonly=0"); /* not absent */
    EXPECT_ROWS(f, 1, "CONFIGURATION key=D value=- unknown=1");
    EXPECT_ROWS(f, 1, "CONFIGURATION key=authorizationkey value=-");
    for (size_t i = 0; i < f->rows.count; i++)
        assert_null(strstr(f->rows.at[i], "0123456789ABCDEF"));
    fake_free(f);
}

static void c5_changed_keys(void **state)
{
    (void)state;
    struct fake *f = fake_with_cp1();
    ask(f, "ChangeConfiguration", "{\"key\":\"A\",\"value\":\"1\"}", ACCEPTED);
    ask(f, "ChangeConfiguration", "{\"key\":\"B\",\"value\":\"2\"}",
        "{\"status\":\"RebootRequired\"}");
    ask(f, "ChangeConfiguration", "{\"key\":\"C\",\"value\":\"3\"}",
        "{\"status\":\"NotSupported\"}");
    ask(f, "ChangeConfiguration", "{\"key\":\"D\",\"value\":\"4\"}", REJECTED);
    EXPECT_ROWS(f, 3, "CONFIGURATION");
    EXPECT_ROWS(f, 1, "CONFIGURATION key=A value=1 unknown=0 reboot=0 readonly=-");
    EXPECT_ROWS(f, 1, "CONFIGURATION key=B value=2 reboot=1 told=0");
    EXPECT_ROWS(f, 1, "CONFIGURATION key=C value=- unknown=1");
    fake_free(f);
}

#define KEY_1 "000102030405060708090a0b0c0d0e0f"

static void change_key(struct fake *f, const char *value, const char *response)
{
    char *payload = xprintf("{\"key\":\"AuthorizationKey\",\"value\":\"%s\"}", value);
    ask(f, "ChangeConfiguration", payload, response);
    xfree(payload);
}

static bool password_is(struct fake *f, const void *bytes, size_t len)
{
    const char *hash = station_find(f->st, "CP1")->password_hash;
    return hash && secret_matches((struct span){bytes, len}, hash);
}

static void g5_a_new_key_is_the_new_password_when_accepted(void **state)
{
    (void)state;
    struct fake *f = fake_with_cp1();
    static const unsigned char bytes[16] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
    const struct charge_point_change old = {
        .password = "the old password", .password_len = 16, .security_profile = ABSENT};
    assert_true(station_register(f->st, "CP1", &old, NULL, NULL, NULL));
    change_key(f, KEY_1, REJECTED);
    change_key(f, KEY_1, "{\"status\":\"NotSupported\"}");
    assert_true(password_is(f, "the old password", 16));
    station_flush(f->st);
    lines_clear(&f->rows);
    change_key(f, KEY_1, ACCEPTED);
    assert_true(password_is(f, bytes, sizeof(bytes)));
    EXPECT_ROWS(f, 2, "CHARGE_POINT id=CP1 profile=1"); /* beside the old one, then alone */
    EXPECT_ROWS(f, 1, "CONFIGURATION key=AuthorizationKey value=- unknown=0 reboot=0");
    change_key(f, "plain text, as some have", ACCEPTED); /* G3 */
    assert_true(password_is(f, "plain text, as some have", 24));
    station_flush(f->st);
    for (size_t i = 0; i < f->rows.count; i++) {
        assert_null(strstr(f->rows.at[i], KEY_1));
        assert_null(strstr(f->rows.at[i], "plain text"));
    }
    fake_free(f);
}

static void g5_a_failing_change_does_not_bring_the_old_key_back(void **state)
{
    (void)state;
    struct fake *f = fake_with_cp1();
    const struct charge_point_change change = {.security_profile = ABSENT, .options = "{}"};
    f->hold = true;
    f->fail = 1;
    assert_true(station_register(f->st, "CP1", &change, NULL, NULL, NULL));
    change_key(f, "0123456789abcdef", ACCEPTED);
    store_release(f);
    assert_true(password_is(f, "0123456789abcdef", 16));
    fake_free(f);
}

#define RESERVE                                                                                    \
    "{\"connectorId\":1,\"expiryDate\":\"2025-07-14T06:20:08Z\",\"idTag\":\"AB\","                 \
    "\"parentIdTag\":\"P\",\"reservationId\":11}"

static void c8_reservations(void **state)
{
    (void)state;
    struct fake *f = fake_with_cp1();
    ask(f, "ReserveNow", RESERVE, "{\"status\":\"Occupied\"}");
    EXPECT_ROWS(f, 0, "RESERVATION");
    ask(f, "ReserveNow", RESERVE, ACCEPTED);
    EXPECT_ROWS(f, 1,
                "RESERVATION cp=CP1 id=11 connector=1 idTag=AB parent=P expiry=1752474008000 "
                "accepted=1752470408000");
    ask(f, "CancelReservation", "{\"reservationId\":11}", REJECTED);
    EXPECT_ROWS(f, 0, "RESERVATION_END");
    ask(f, "CancelReservation", "{\"reservationId\":11}", ACCEPTED);
    EXPECT_ROWS(f, 1,
                "RESERVATION_END cp=CP1 id=11 connector=- state=CANCELLED tx=- "
                "ended=1752470408000");
    fake_free(f);
}

static void c8_a_start_uses_its_reservation(void **state)
{
    (void)state;
    struct fake *f = fake_with_cp1();
    static const char start[] =
        "[2,\"%s\",\"StartTransaction\",{\"connectorId\":1,\"idTag\":\"AB\",\"meterStart\":5,"
        "\"reservationId\":11,\"timestamp\":\"" NOW_TEXT "\"}]";
    char *first = xprintf(start, "1"), *repeat = xprintf(start, "2");
    say(f, "CP1", first);
    EXPECT_ROWS(f, 1, "RESERVATION_END id=11 state=USED tx=1 connector=-");
    say(f, "CP1", repeat);
    EXPECT_ROWS(f, 1, "RESERVATION_END");
    say(f, "CP1",
        "[2,\"3\",\"StartTransaction\",{\"connectorId\":2,\"idTag\":\"AB\",\"meterStart\":5,"
        "\"timestamp\":\"" NOW_TEXT "\"}]");
    EXPECT_ROWS(f, 1, "RESERVATION_END");
    xfree(first);
    xfree(repeat);
    fake_free(f);
}

static void n5_a_lost_connector_ends_its_reservations(void **state)
{
    (void)state;
    struct fake *f = fake_with_cp1();
    static const struct {
        const char *connector, *status, *at;
    } said[] = {{"2", "Reserved", NOW_TEXT},
                {"2", "Faulted", NOW_TEXT},
                {"2", "Faulted", NOW_TEXT}, /* a repeat */
                {"1", "Available", NOW_TEXT},
                {"1", "Faulted", "2025-07-14T04:00:00Z"}, /* N2: not the state now */
                {"0", "Unavailable", NOW_TEXT}};
    for (size_t i = 0; i < ARRAY_LEN(said); i++) {
        char *text = xprintf("[2,\"%zu\",\"StatusNotification\",{\"connectorId\":%s,"
                             "\"errorCode\":\"NoError\",\"status\":\"%s\",\"timestamp\":\"%s\"}]",
                             i, said[i].connector, said[i].status, said[i].at);
        say(f, "CP1", text);
        xfree(text);
    }
    EXPECT_ROWS(f, 2, "RESERVATION_END state=FAULTED id=- tx=-");
    EXPECT_ROWS(f, 1, "RESERVATION_END connector=2");
    EXPECT_ROWS(f, 1, "RESERVATION_END connector=0");
    fake_free(f);
}

#define PROFILE(purpose, more)                                                                     \
    "{\"connectorId\":1,\"csChargingProfiles\":{\"chargingProfileId\":7,\"stackLevel\":3,"         \
    "\"chargingProfilePurpose\":\"" purpose "\"," more                                             \
    "\"chargingProfileKind\":\"Relative\",\"chargingSchedule\":{\"chargingRateUnit\":\"W\","       \
    "\"chargingSchedulePeriod\":[{\"startPeriod\":0,\"limit\":11000.0}]}}}"

static void p4_profiles(void **state)
{
    (void)state;
    struct fake *f = fake_with_cp1();
    ask(f, "SetChargingProfile", PROFILE("TxDefaultProfile", ""), REJECTED);
    EXPECT_ROWS(f, 0, "PROFILE");
    ask(f, "SetChargingProfile", PROFILE("TxDefaultProfile", ""), ACCEPTED);
    EXPECT_ROWS(f, 1, "PROFILE cp=CP1 connector=1 id=7 level=3 purpose=TxDefaultProfile tx=-");
    assert_non_null(strstr(f->rows.at[f->rows.count - 2], "\"limit\":11000.0}]}}")); /* as sent */
    ask(f, "SetChargingProfile", PROFILE("TxProfile", ""), ACCEPTED);
    EXPECT_ROWS(f, 1, "PROFILE purpose=TxProfile tx=-");
    say(f, "CP1",
        "[2,\"1\",\"StartTransaction\",{\"connectorId\":1,\"idTag\":\"AB\",\"meterStart\":5,"
        "\"timestamp\":\"" NOW_TEXT "\"}]");
    ask(f, "SetChargingProfile", PROFILE("TxProfile", ""), ACCEPTED);
    EXPECT_ROWS(f, 1, "PROFILE purpose=TxProfile tx=1");
    ask(f, "SetChargingProfile", PROFILE("TxProfile", "\"transactionId\":9,"), ACCEPTED);
    EXPECT_ROWS(f, 1, "PROFILE purpose=TxProfile tx=9");
    fake_free(f);
}

/* The profile that goes with a remote start is one of the transaction that comes of it. */
static void c7_the_profile_of_a_remote_start(void **state)
{
    static const char start[] =
        "{\"connectorId\":1,\"idTag\":\"AB\",\"chargingProfile\":{\"chargingProfileId\":8,"
        "\"stackLevel\":0,\"chargingProfilePurpose\":\"TxProfile\",\"chargingProfileKind\":"
        "\"Relative\",\"chargingSchedule\":{\"chargingRateUnit\":\"W\",\"chargingSchedulePeriod\":"
        "[{\"startPeriod\":0,\"limit\":11000}]}}}";
    (void)state;
    struct fake *f = fake_with_cp1();
    ask(f, "RemoteStartTransaction", start, REJECTED);
    EXPECT_ROWS(f, 0, "PROFILE");
    ask(f, "RemoteStartTransaction", start, ACCEPTED);
    EXPECT_ROWS(f, 1, "PROFILE cp=CP1 connector=1 id=8 level=0 purpose=TxProfile tx=-");
    say(f, "CP1",
        "[2,\"1\",\"StartTransaction\",{\"connectorId\":1,\"idTag\":\"XY\",\"meterStart\":5,"
        "\"timestamp\":\"" NOW_TEXT "\"}]");
    ask(f, "RemoteStartTransaction", start, ACCEPTED); /* for the next one, not for that of XY */
    EXPECT_ROWS(f, 2, "PROFILE id=8 tx=-");
    assert_true(station_call(f->st, "CP1", "RemoteStartTransaction", start, 0, NULL, NULL) != 0);
    say(f, "CP1",
        "[2,\"2\",\"StartTransaction\",{\"connectorId\":1,\"idTag\":\"AB\",\"meterStart\":5,"
        "\"timestamp\":\"" NOW_TEXT "\"}]");
    answer(f, ACCEPTED); /* C2: the start has overtaken it */
    EXPECT_ROWS(f, 1, "PROFILE id=8 tx=2");
    fake_free(f);
}

static void p4_clearing(void **state)
{
    (void)state;
    struct fake *f = fake_with_cp1();
    ask(f, "ClearChargingProfile", "{\"id\":6}", "{\"status\":\"Unknown\"}");
    EXPECT_ROWS(f, 1, "PROFILE_CLEAR id=6"); /* it has none such, whatever we believed */
    ask(f, "ClearChargingProfile", "{}", ACCEPTED);
    EXPECT_ROWS(f, 1, "PROFILE_CLEAR cp=CP1 id=- connector=- level=- tx=- purpose=-");
    ask(f, "ClearChargingProfile", "{\"id\":7,\"connectorId\":1,\"stackLevel\":2}", ACCEPTED);
    EXPECT_ROWS(f, 1, "PROFILE_CLEAR id=7 connector=- level=- purpose=-"); /* id overrules */
    ask(f, "ClearChargingProfile",
        "{\"connectorId\":0,\"stackLevel\":2,\"chargingProfilePurpose\":\"TxDefaultProfile\"}",
        ACCEPTED);
    EXPECT_ROWS(f, 1, "PROFILE_CLEAR id=- connector=0 level=2 purpose=TxDefaultProfile");
    fake_free(f);
}

static void c9_local_lists(void **state)
{
    (void)state;
    struct fake *f = fake_with_cp1();
    ask(f, "GetLocalListVersion", "{}", "{\"listVersion\":-1}");
    EXPECT_ROWS(f, 1, "LOCAL_LIST cp=CP1 version=-1 full=0 entries=- known=1752470408000");
    ask(f, "SendLocalList", "{\"listVersion\":4,\"updateType\":\"Differential\"}",
        "{\"status\":\"VersionMismatch\"}");
    EXPECT_ROWS(f, 1, "LOCAL_LIST");
    ask(f, "SendLocalList",
        "{\"listVersion\":4,\"localAuthorizationList\":[{\"idTag\":\"A\"}],"
        "\"updateType\":\"Differential\"}",
        ACCEPTED);
    EXPECT_ROWS(f, 1, "LOCAL_LIST version=4 full=0 entries=[{\"idTag\":\"A\"}]");
    ask(f, "SendLocalList", "{\"listVersion\":5,\"updateType\":\"Full\"}", ACCEPTED);
    EXPECT_ROWS(f, 1, "LOCAL_LIST version=5 full=1 entries=[]");
    fake_free(f);
}

static void c4_availability(void **state)
{
    (void)state;
    struct fake *f = fake_with_cp1();
    ask(f, "ChangeAvailability", "{\"connectorId\":1,\"type\":\"Inoperative\"}", REJECTED);
    EXPECT_ROWS(f, 0, "AVAILABILITY");
    ask(f, "ChangeAvailability", "{\"connectorId\":1,\"type\":\"Inoperative\"}",
        "{\"status\":\"Scheduled\"}");
    EXPECT_ROWS(f, 1, "AVAILABILITY cp=CP1 connector=1 type=Inoperative status=Scheduled");
    ask(f, "ChangeAvailability", "{\"connectorId\":0,\"type\":\"Operative\"}", ACCEPTED);
    EXPECT_ROWS(f, 1, "AVAILABILITY connector=0 type=Operative status=Accepted");
    fake_free(f);
}

static void w1_jobs(void **state)
{
    (void)state;
    struct fake *f = fake_with_cp1();
    ask(f, "GetDiagnostics",
        "{\"location\":\"ftp:\\/\\/u:p@h\\/x\\/0123456789abcdef0123456789abcdef\\/\"}",
        "{\"fileName\":\"d.zip\"}");
    EXPECT_ROWS(f, 1,
                "UPLOAD cp=CP1 kind=diagnostics action=GetDiagnostics file=d.zip request=- "
                "location=ftp://***@h/x/********************************/");
    ask(f, "GetDiagnostics", "{\"location\":\"ftp://h/\"}", "{}");
    EXPECT_ROWS(f, 1, "UPLOAD location=ftp://h/ file=-");
    ask(f, "UpdateFirmware",
        "{\"location\":\"https://h/f.bin?sig=ab\",\"retrieveDate\":\"" NOW_TEXT "\"}", "{}");
    EXPECT_ROWS(f, 1, "UPLOAD kind=firmware action=UpdateFirmware location=https://h/f.bin?******");
    fake_free(f);
}

static void w2_jobs_with_request_ids(void **state)
{
    (void)state;
    struct fake *f = fake_with_cp1();
    static const char update[] =
        "{\"requestId\":3,\"firmware\":{\"location\":\"https://h/f\",\"retrieveDateTime\":"
        "\"" NOW_TEXT "\",\"signingCertificate\":\"c\",\"signature\":\"s\"}}";
    ask(f, "SignedUpdateFirmware", update, "{\"status\":\"InvalidCertificate\"}");
    EXPECT_ROWS(f, 0, "UPLOAD");
    ask(f, "SignedUpdateFirmware", update, ACCEPTED);
    EXPECT_ROWS(f, 1, "UPLOAD kind=firmware request=3 location=https://h/f");
    ask(f, "GetLog",
        "{\"log\":{\"remoteLocation\":\"https://u@h/l\"},\"logType\":\"SecurityLog\","
        "\"requestId\":4}",
        "{\"status\":\"AcceptedCanceled\",\"filename\":\"l.txt\"}");
    EXPECT_ROWS(f, 1, "UPLOAD kind=log request=4 file=l.txt location=https://*@h/l");
    ask(f, "GetLog",
        "{\"log\":{\"remoteLocation\":\"https://h/l\"},\"logType\":\"SecurityLog\","
        "\"requestId\":5}",
        REJECTED);
    EXPECT_ROWS(f, 2, "UPLOAD");
    fake_free(f);
}

/* C3: what was not answered leaves no trace but the command's. A cancelled one may be answered. */
static void c3_only_answers_count(void **state)
{
    (void)state;
    struct fake *f = fake_with_cp1();
    station_call(f->st, "CP1", "ReserveNow", RESERVE, 1000, NULL, NULL);
    pass(f, 1000);
    answer(f, ACCEPTED); /* late */
    EXPECT_ROWS(f, 0, "RESERVATION");
    uint64_t serial = station_call(f->st, "CP1", "ReserveNow", RESERVE, 1000, NULL, NULL);
    station_cancel(f->st, "CP1", serial);
    answer(f, ACCEPTED);
    EXPECT_ROWS(f, 1, "RESERVATION");
    fake_free(f);
}

/* What does not parse was the caller's to check: it breaks nothing here. */
static void senseless_requests(void **state)
{
    (void)state;
    struct fake *f = fake_with_cp1();
    ask(f, "ChangeConfiguration", "{\"key\":", ACCEPTED);
    ask(f, "SetChargingProfile", "{}", ACCEPTED);
    ask(f, "GetConfiguration", "{}", "{}");
    EXPECT_ROWS(f, 0, "CONFIGURATION");
    EXPECT_ROWS(f, 0, "PROFILE");
    fake_free(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(c5_keys_as_the_charger_tells_them),
        cmocka_unit_test(c5_changed_keys),
        cmocka_unit_test(g5_a_new_key_is_the_new_password_when_accepted),
        cmocka_unit_test(g5_a_failing_change_does_not_bring_the_old_key_back),
        cmocka_unit_test(c8_reservations),
        cmocka_unit_test(c8_a_start_uses_its_reservation),
        cmocka_unit_test(n5_a_lost_connector_ends_its_reservations),
        cmocka_unit_test(p4_profiles),
        cmocka_unit_test(c7_the_profile_of_a_remote_start),
        cmocka_unit_test(p4_clearing),
        cmocka_unit_test(c9_local_lists),
        cmocka_unit_test(c4_availability),
        cmocka_unit_test(w1_jobs),
        cmocka_unit_test(w2_jobs_with_request_ids),
        cmocka_unit_test(c3_only_answers_count),
        cmocka_unit_test(senseless_requests),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
