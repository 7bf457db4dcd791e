/* Every kind of record written and read back through the query that lists it; meter values. */
#include "rig.h"

/* Stores one record and asks for it. */
static const char *round_trip(struct rig *rig, struct record from, const char *query)
{
    struct batch *batch = rig_batch(rig);
    struct record *record = batch_add(batch, from.kind);
    struct record *next = record->next;
    *record = from;
    record->next = next;
    assert_true(rig_store(rig, batch));
    batch_free(batch);
    return query ? rig_rows(rig, query, NULL) : NULL;
}

static void test_status(void **state)
{
    struct rig *rig = *state;
    struct record record = {
        .kind = RECORD_STATUS,
        .status = {"CP1", 2, 1, "Faulted", "OtherError", "i", "v", "e", 1000, 2000, true}};
    assert_string_equal(
        round_trip(rig, record, "statuses"),
        "[{\"id\":1,\"cpid\":\"CP1\",\"connectorId\":2,\"status\":\"Faulted\","
        "\"errorCode\":\"OtherError\",\"info\":\"i\",\"vendorId\":\"v\","
        "\"vendorErrorCode\":\"e\",\"tsMs\":1000,\"receivedMs\":2000,\"repeat\":true}]");
    record.status.ts_ms = ABSENT;
    record.status.info = NULL;
    record.status.repeat = false;
    const char *rows = round_trip(rig, record, "statuses");
    assert_non_null(strstr(rows, "\"info\":null"));
    assert_non_null(strstr(rows, "\"tsMs\":null,\"receivedMs\":2000,\"repeat\":false"));
}

static void test_message(void **state)
{
    struct rig *rig = *state;
    /* the text is not NUL-terminated: its length counts */
    struct record record = {.kind = RECORD_MESSAGE,
                            .message = {"CP1", 7, 1000, true, "[2,\"1\"]tail", 7, "note"}};
    assert_string_equal(round_trip(rig, record, "messages"),
                        "[{\"id\":1,\"cpid\":\"CP1\",\"connection\":7,\"tsMs\":1000,"
                        "\"outgoing\":true,\"text\":\"[2,\\\"1\\\"]\",\"note\":\"note\"}]");
    record.message.text = "a\0b";
    record.message.len = 3;
    assert_non_null(strstr(round_trip(rig, record, "messages"), "\"text\":\"a\\u0000b\""));
}

static void test_decision(void **state)
{
    struct rig *rig = *state;
    struct record record = {.kind = RECORD_DECISION,
                            .decision = {"CP1", 1000, "start", "Tag", 1, 2, 3, "Accepted", "listed",
                                         "a.lua", 12, 4, "{\"n\":1}"}};
    assert_string_equal(
        round_trip(rig, record, "decisions"),
        "[{\"id\":1,\"cpid\":\"CP1\",\"tsMs\":1000,\"event\":\"start\",\"idTag\":\"Tag\","
        "\"connectorId\":1,\"transactionId\":3,\"verdict\":\"Accepted\",\"why\":\"listed\","
        "\"file\":\"a.lua\",\"line\":12,\"generation\":4,\"inputs\":{\"n\":1},\"answer\":null}]");
    assert_int_equal(rig_number(rig, "SELECT connector FROM decision"), 2);
    record.decision.evse = record.decision.transaction_id = ABSENT;
    record.decision.id_tag = record.decision.inputs = record.decision.file = NULL;
    const char *rows = round_trip(rig, record, "decisions");
    assert_non_null(strstr(rows, "\"idTag\":null,\"connectorId\":null,\"transactionId\":null"));
    assert_non_null(strstr(rows, "\"inputs\":null"));
}

static void test_security_event(void **state)
{
    struct rig *rig = *state;
    struct record record = {.kind = RECORD_SECURITY_EVENT,
                            .security_event = {"CP1", "InvalidCert", "t", ABSENT, 9}};
    assert_string_equal(round_trip(rig, record, "security_events"),
                        "[{\"id\":1,\"cpid\":\"CP1\",\"type\":\"InvalidCert\",\"techInfo\":\"t\","
                        "\"tsMs\":null,\"receivedMs\":9}]");
}

static void test_job_status(void **state)
{
    struct rig *rig = *state;
    struct record record = {.kind = RECORD_JOB_STATUS,
                            .job_status = {"CP1", "firmware", "Installed", 5, 9}};
    assert_string_equal(round_trip(rig, record, "job_statuses"),
                        "[{\"id\":1,\"cpid\":\"CP1\",\"kind\":\"firmware\","
                        "\"status\":\"Installed\",\"requestId\":5,\"tsMs\":9,\"job\":null}]");
}

static void test_orphan(void **state)
{
    struct rig *rig = *state;
    struct record record = {
        .kind = RECORD_ORPHAN,
        .orphan = {"CP1", "StopTransaction", "{\"transactionId\":-1}", "unknown", 9}};
    assert_string_equal(round_trip(rig, record, "orphans"),
                        "[{\"id\":1,\"cpid\":\"CP1\",\"action\":\"StopTransaction\","
                        "\"payload\":{\"transactionId\":-1},\"why\":\"unknown\",\"tsMs\":9}]");
}

static void test_event(void **state)
{
    struct rig *rig = *state;
    struct record record = {.kind = RECORD_EVENT, .event = {NULL, "gap", "{\"wh\":1}", 9}};
    assert_string_equal(
        round_trip(rig, record, "events"),
        "[{\"id\":1,\"cpid\":null,\"kind\":\"gap\",\"detail\":{\"wh\":1},\"tsMs\":9}]");
}

static void test_tags_and_kv(void **state)
{
    struct rig *rig = *state;
    struct record tag = {.kind = RECORD_ID_TAG,
                         .id_tag = {"Tag", "Accepted", ABSENT, NULL, NULL, ABSENT}};
    struct record value = {.kind = RECORD_KV, .kv = {"a", "1", ABSENT}};
    round_trip(rig, tag, NULL);
    tag.id_tag.id_tag = "TAG";
    round_trip(rig, tag, NULL);
    assert_int_equal(rig_number(rig, "SELECT count(*) FROM id_tag"), 1);
    assert_int_equal(rig_number(rig, "SELECT id_tag = 'TAG' COLLATE BINARY FROM id_tag"), 1);
    tag.kind = RECORD_ID_TAG_DELETE;
    tag.id_tag.id_tag = "tag";
    round_trip(rig, tag, NULL);
    assert_int_equal(rig_number(rig, "SELECT count(*) FROM id_tag"), 0);
    round_trip(rig, value, NULL);
    value.kv.value = "2";
    round_trip(rig, value, NULL);
    value.kv.key = "A"; /* keys of scripts have case */
    round_trip(rig, value, NULL);
    assert_int_equal(rig_number(rig, "SELECT count(*) FROM kv"), 2);
    assert_int_equal(rig_number(rig, "SELECT value FROM kv WHERE key = 'a'"), 2);
    value.kind = RECORD_KV_DELETE;
    round_trip(rig, value, NULL);
    assert_int_equal(rig_number(rig, "SELECT count(*) FROM kv WHERE key = 'a'"), 1);
}

static void test_charge_point(void **state)
{
    struct rig *rig = *state;
    struct record cp = {.kind = RECORD_CHARGE_POINT,
                        .charge_point = {.id = "CP1", .registration = "pending", .created_ms = 5}};
    struct record connector = {
        .kind = RECORD_CONNECTOR,
        .connector = {"CP1", 1, 1, "Available", "NoError", NULL, NULL, NULL, 7, ABSENT, ABSENT}};
    round_trip(rig, cp, NULL);
    round_trip(rig, connector, NULL);
    cp.charge_point.id = "cp1";
    cp.charge_point.registration = "accepted";
    cp.charge_point.created_ms = 6;
    round_trip(rig, cp, NULL);
    connector.connector.cp = "cp1";
    connector.connector.status = "Charging";
    round_trip(rig, connector, NULL);
    assert_int_equal(rig_number(rig, "SELECT count(*) FROM charge_point WHERE registration ="
                                     " 'accepted' AND created_ms = 5"),
                     1);
    assert_int_equal(rig_number(rig, "SELECT count(*) FROM connector"), 1);
    assert_int_equal(rig_number(rig, "SELECT status = 'Charging' FROM connector"), 1);
    cp.kind = RECORD_CHARGE_POINT_DELETE;
    round_trip(rig, cp, NULL);
    assert_int_equal(rig_number(rig, "SELECT count(*) FROM charge_point"), 0);
    assert_int_equal(rig_number(rig, "SELECT count(*) FROM connector"), 0);
}

/* ---- meter values ---- */

static const struct record_sample samples[] = {
    {"Energy.Active.Import.Register", "Sample.Periodic", "Raw", NULL, "Outlet", "Wh", "12.50"},
    {"Voltage", "Sample.Periodic", "Raw", "L1-N", "Outlet", "V", "a\\b\nc=d"},
};

static struct record_meter_value meter_of(const char *cp, int64_t tx, int64_t at)
{
    return (struct record_meter_value){.cp = cp,
                                       .evse = 1,
                                       .connector = 1,
                                       .transaction_id = tx,
                                       .ts_ms = at,
                                       .received_ms = at + 1,
                                       .energy_wh = 12,
                                       .power_w = ABSENT,
                                       .soc = ABSENT,
                                       .samples = samples,
                                       .sample_count = 2};
}

static void put_meter(struct rig *rig, struct record_meter_value in)
{
    struct record record = {.kind = RECORD_METER_VALUE, .meter_value = in};
    round_trip(rig, record, NULL);
}

static void test_meter_value(void **state)
{
    struct rig *rig = *state;
    int64_t id = rig_start(rig, start_of("CP1", "Tag", 1000), NULL);
    put_meter(rig, meter_of("CP1", id, 2000));
    assert_string_equal(
        rig_rows(rig, "meter", "{\"transactionId\":1}"),
        "[{\"tsMs\":2000,\"receivedMs\":2001,\"energyWh\":12,\"powerW\":null,\"soc\":null,"
        "\"implausible\":false,\"samples\":["
        "{\"measurand\":\"Energy.Active.Import.Register\",\"context\":\"Sample.Periodic\","
        "\"format\":\"Raw\",\"location\":\"Outlet\",\"unit\":\"Wh\",\"value\":\"12.50\"},"
        "{\"measurand\":\"Voltage\",\"context\":\"Sample.Periodic\",\"format\":\"Raw\","
        "\"phase\":\"L1-N\",\"location\":\"Outlet\",\"unit\":\"V\",\"value\":\"a\\\\b\\nc=d\"}]}]");
}

/* X13: the same again, from another message or after a restart, is stored once. */
static void test_meter_merge(void **state)
{
    struct rig *rig = *state;
    int64_t id = rig_start(rig, start_of("CP1", "Tag", 1000), NULL);
    struct record_meter_value in = meter_of("CP1", id, 2000);
    put_meter(rig, in);
    in.received_ms = 9999;
    in.cp = "cp1";
    put_meter(rig, in);
    rig_reopen(rig);
    put_meter(rig, in);
    assert_int_equal(rig_number(rig, "SELECT count(*) FROM meter_value"), 1);
    assert_int_equal(rig_number(rig, "SELECT count(*) FROM meter_kind"), 2);
    /* other samples at the same time stand beside them */
    in.sample_count = 1;
    put_meter(rig, in);
    put_meter(rig, in);
    in.sample_count = 0;
    put_meter(rig, in);
    put_meter(rig, in);
    assert_int_equal(rig_number(rig, "SELECT count(*) FROM meter_value"), 3);
    assert_int_equal(rig_number(rig, "SELECT max(seq) FROM meter_value"), 2);
}

static void test_meter_time_absent(void **state)
{
    struct rig *rig = *state;
    int64_t id = rig_start(rig, start_of("CP1", "Tag", 1000), NULL);
    struct record_meter_value in = meter_of("CP1", id, ABSENT);
    in.received_ms = 777;
    in.implausible = true;
    put_meter(rig, in);
    assert_non_null(strstr(rig_rows(rig, "meter", "{\"transactionId\":1}"),
                           "{\"tsMs\":777,\"receivedMs\":777"));
    assert_non_null(strstr(rig->rows, "\"implausible\":true"));
}

/* Q8: a foreign or unknown id is stored as no transaction. */
static void test_meter_foreign(void **state)
{
    struct rig *rig = *state;
    int64_t id = rig_start(rig, start_of("CP1", "Tag", 1000), NULL);
    put_meter(rig, meter_of("CP2", id, 2000));
    put_meter(rig, meter_of("CP1", 99, 2000));
    put_meter(rig, meter_of("CP1", -1, 3000));
    put_meter(rig, meter_of("CP1", 0, 4000));
    put_meter(rig, meter_of("cp1", id, 5000));
    assert_int_equal(rig_number(rig, "SELECT count(*) FROM meter_value WHERE owner < 0"), 4);
    assert_int_equal(rig_number(rig, "SELECT count(*) FROM meter_value WHERE owner = 1"), 1);
}

/* Same text in other places is another kind. */
static void test_meter_kinds(void **state)
{
    struct rig *rig = *state;
    static const struct record_sample odd[] = {
        {"a", "b", NULL, NULL, NULL, NULL, "1"},
        {"a", NULL, "b", NULL, NULL, NULL, "1"},
        {"a\nb", NULL, NULL, NULL, NULL, NULL, "1"},
        {"a", "b", "", "", "", "", NULL},
    };
    struct record_meter_value in = meter_of("CP1", 0, 2000);
    in.samples = odd;
    in.sample_count = 4;
    put_meter(rig, in);
    assert_int_equal(rig_number(rig, "SELECT count(*) FROM meter_kind"), 3);
    assert_int_equal(rig_number(rig, "SELECT vals = '1=1' || char(10) || '2=1' || char(10) ||"
                                     " '3=1' || char(10) || '1=' FROM meter_value"),
                     1);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, rig_setup, rig_teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_status),         TEST(test_message),     TEST(test_decision),
        TEST(test_security_event), TEST(test_job_status),  TEST(test_orphan),
        TEST(test_event),          TEST(test_tags_and_kv), TEST(test_charge_point),
        TEST(test_meter_value),    TEST(test_meter_merge), TEST(test_meter_time_absent),
        TEST(test_meter_foreign),  TEST(test_meter_kinds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
