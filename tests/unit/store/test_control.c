/* Commands, configuration, availability and jobs, written and read back (C3, C5, W1, W2); and what
 * holds for all records of what was asked of chargers: whole or not at all, and forgotten with the
 * charge point. */
#include "rig.h"

/* ---- commands (C3) ---- */

static struct record command_of(const char *id, const char *state)
{
    bool ended = !text_is(state, "queued");
    return (struct record){.kind = RECORD_COMMAND,
                           .command = {.id = id,
                                       .cp = "CP1",
                                       .action = "Reset",
                                       .payload = "{\"type\":\"Soft\"}",
                                       .asked_by = "ops",
                                       .batch = "b1",
                                       .state = state,
                                       .asked_ms = 1000,
                                       .sent_ms = ended ? 1001 : ABSENT,
                                       .ended_ms = ended ? 1002 : ABSENT}};
}

#define COMMAND_HEAD                                                                               \
    "[{\"id\":\"u1\",\"cpid\":\"CP1\",\"action\":\"Reset\",\"payload\":{\"type\":\"Soft\"},"       \
    "\"askedBy\":\"ops\",\"batch\":\"b1\","

static void test_command(void **state)
{
    struct rig *rig = *state;
    rig_put(rig, command_of("u1", "queued"));
    assert_rows(rig, "command", "{\"id\":\"U1\"}",
                COMMAND_HEAD "\"state\":\"queued\",\"askedMs\":1000,\"sentMs\":null,"
                             "\"endedMs\":null,\"response\":null,\"errorCode\":null,"
                             "\"errorDescription\":null,\"errorDetails\":null,\"why\":null}]");
    struct record end = command_of("u1", "error");
    end.command.response = "{\"status\":\"Accepted\"}";
    end.command.error_code = "InternalError";
    end.command.error_description = "d";
    end.command.error_details = "{\"a\":1}";
    end.command.why = "w";
    rig_put(rig, end);
    assert_rows(rig, "commands", NULL,
                COMMAND_HEAD "\"state\":\"error\",\"askedMs\":1000,\"sentMs\":1001,"
                             "\"endedMs\":1002,\"response\":{\"status\":\"Accepted\"},"
                             "\"errorCode\":\"InternalError\",\"errorDescription\":\"d\","
                             "\"errorDetails\":{\"a\":1},\"why\":\"w\"}]");
    assert_rows(rig, "command", "{\"id\":\"other\"}", "[]");
}

/* C3: only what was under way is lost; and what is lost stays so, until somebody knows better. */
static void test_command_lost(void **state)
{
    struct rig *rig = *state;
    rig_put(rig, command_of("under-way", "queued"));
    rig_put(rig, command_of("ended", "accepted"));
    assert_int_equal(rig_number(rig, "SELECT count(*) FROM command WHERE state = 'queued'"), 1);
    for (int restarts = 0; restarts < 2; restarts++) {
        rig_reopen(rig);
        rig_rows(rig, "command", "{\"id\":\"under-way\"}");
        assert_non_null(strstr(rig->rows, "\"state\":\"unknown\""));
        assert_non_null(strstr(rig->rows, "\"endedMs\":null"));
        rig_rows(rig, "command", "{\"id\":\"ended\"}");
        assert_non_null(strstr(rig->rows, "\"state\":\"accepted\""));
    }
    rig_put(rig, command_of("under-way", "timeout"));
    rig_rows(rig, "command", "{\"id\":\"under-way\"}");
    assert_non_null(strstr(rig->rows, "\"state\":\"timeout\""));
}

/* `chargebridge keys` opens the file beside a server, whose commands it must not lose. */
static void test_command_kept_by_keys(void **state)
{
    struct rig *rig = *state;
    struct api_key *keys;
    size_t count;
    rig_put(rig, command_of("u1", "queued"));
    assert_true(keys_file_read(rig->path, &keys, &count, &rig->why));
    api_keys_free(keys, count);
    assert_int_equal(rig_number(rig, "SELECT count(*) FROM command WHERE state = 'queued'"), 1);
}

/* ---- configuration ---- */

static struct record key_of(const char *key, const char *value, int64_t readonly)
{
    return (struct record){
        .kind = RECORD_CONFIGURATION,
        .configuration = {
            .cp = "CP1", .key = key, .value = value, .readonly = readonly, .known_ms = 5}};
}

static void test_configuration(void **state)
{
    struct rig *rig = *state;
    struct record unknown = key_of("Zz", NULL, ABSENT);
    unknown.configuration.unknown = true;
    rig_put(rig, unknown);
    rig_put(rig, key_of("HEARTBEATINTERVAL", "60", 1));
    struct record set = key_of("HeartbeatInterval", "300", 0);
    set.configuration.cp = "cp1";
    set.configuration.reboot = true;
    set.configuration.known_ms = 6;
    rig_put(rig, set);
    assert_rows(rig, "configuration", "{\"cpid\":\"CP1\"}",
                "[{\"key\":\"HeartbeatInterval\",\"value\":\"300\",\"readonly\":false,"
                "\"unknown\":false,\"reboot\":true,\"knownMs\":6},"
                "{\"key\":\"Zz\",\"value\":null,\"readonly\":null,\"unknown\":true,"
                "\"reboot\":false,\"knownMs\":5}]");
    assert_rows(rig, "configuration", "{\"cpid\":\"CP1\",\"key\":\"zZ\"}",
                "[{\"key\":\"Zz\",\"value\":null,\"readonly\":null,\"unknown\":true,"
                "\"reboot\":false,\"knownMs\":5}]");
    assert_rows(rig, "configuration", "{\"cpid\":\"CP2\"}", "[]");
}

static bool waits_for_reboot(struct rig *rig)
{
    rig_rows(rig, "configuration", "{\"cpid\":\"CP1\",\"key\":\"k\"}");
    return strstr(rig->rows, "\"reboot\":true") != NULL;
}

static void boot_at(struct rig *rig, int64_t at)
{
    rig_put(rig, (struct record){.kind = RECORD_CHARGE_POINT,
                                 .charge_point = {.id = "CP1",
                                                  .registration = "accepted",
                                                  .created_ms = 1,
                                                  .last_boot_ms = at,
                                                  .last_seen_ms = at}});
}

/* C5: what the charger tells of the key before the boot says nothing of it. */
static void test_reboot_is_required_until_the_boot(void **state)
{
    struct rig *rig = *state;
    struct record change = key_of("k", "new", ABSENT), told = key_of("k", "new", 0);
    change.configuration.reboot = told.configuration.told = true;
    change.configuration.known_ms = 100;
    rig_put(rig, change);
    assert_true(waits_for_reboot(rig)); /* of a charge point that never booted */
    boot_at(rig, 90);
    told.configuration.known_ms = 110;
    rig_put(rig, told);
    assert_true(waits_for_reboot(rig));
    boot_at(rig, 120);
    assert_false(waits_for_reboot(rig));
    change.configuration.known_ms = 130;
    rig_put(rig, change);
    assert_true(waits_for_reboot(rig));
    change.configuration.reboot = false;
    rig_put(rig, change);
    assert_false(waits_for_reboot(rig));
}

/* ---- availability, jobs ---- */

static void available(struct rig *rig, const char *cp, int64_t connector, const char *type,
                      int64_t at)
{
    rig_put(rig, (struct record){.kind = RECORD_AVAILABILITY,
                                 .availability = {cp, connector, type, "Scheduled", at}});
}

static void test_availability(void **state)
{
    struct rig *rig = *state;
    available(rig, "CP1", 0, "Inoperative", 5);
    available(rig, "CP1", 1, "Inoperative", 6);
    available(rig, "cp1", 0, "Operative", 7);
    available(rig, "CP2", 0, "Inoperative", 8);
    assert_rows(rig, "availability", "{\"cpid\":\"CP1\"}",
                "[{\"cpid\":\"CP1\",\"connectorId\":0,\"type\":\"Operative\","
                "\"status\":\"Scheduled\",\"knownMs\":7},"
                "{\"cpid\":\"CP1\",\"connectorId\":1,\"type\":\"Inoperative\","
                "\"status\":\"Scheduled\",\"knownMs\":6}]");
    assert_int_equal(rig_number(rig, "SELECT count(*) FROM availability"), 3);
}

static void job(struct rig *rig, const char *kind, int64_t request_id)
{
    rig_put(rig, (struct record){.kind = RECORD_JOB,
                                 .job = {"u1", "CP1", kind, "Do", "ftp://***@host/", "f.zip",
                                         request_id, 100}});
}

static void job_status(struct rig *rig, const char *kind, const char *status, int64_t request_id)
{
    rig_put(rig, (struct record){.kind = RECORD_JOB_STATUS,
                                 .job_status = {"cp1", kind, status, request_id, 200}});
}

static void test_job(void **state)
{
    struct rig *rig = *state;
    job(rig, "log", 5);
    assert_rows(rig, "jobs", NULL,
                "[{\"id\":1,\"command\":\"u1\",\"cpid\":\"CP1\",\"kind\":\"log\",\"action\":\"Do\","
                "\"location\":\"ftp://***@host/\",\"file\":\"f.zip\",\"requestId\":5,"
                "\"acceptedMs\":100,\"status\":null,\"statusMs\":null}]");
    job_status(rig, "log", "Uploading", 5);
    job_status(rig, "log", "Uploaded", 5);
    rig_rows(rig, "jobs", NULL);
    assert_non_null(strstr(rig->rows, "\"status\":\"Uploaded\",\"statusMs\":200"));
    assert_rows(rig, "job_statuses", "{\"job\":1,\"limit\":1}",
                "[{\"id\":2,\"cpid\":\"cp1\",\"kind\":\"log\",\"status\":\"Uploaded\","
                "\"requestId\":5,\"tsMs\":200,\"job\":1}]");
    assert_string_equal(rig->cursor, "2");
    assert_rows(rig, "job_statuses", "{\"job\":2}", "[]");
}

/* The newest of its kind, or of its request id; a status without a job is kept all the same. */
static void test_job_of_status(void **state)
{
    struct rig *rig = *state;
    job_status(rig, "firmware", "Idle", ABSENT);
    job(rig, "firmware", ABSENT); /* 1 */
    job(rig, "firmware", 7);      /* 2 */
    job(rig, "firmware", 8);      /* 3 */
    job(rig, "diagnostics", 7);   /* 4 */
    job_status(rig, "firmware", "Downloading", 7);
    job_status(rig, "firmware", "Idle", ABSENT);
    job_status(rig, "firmware", "Installed", 99);
    assert_int_equal(rig_number(rig, "SELECT count(*) FROM job WHERE status IS NULL"), 2);
    assert_int_equal(rig_number(rig, "SELECT id FROM job WHERE status = 'Downloading'"), 2);
    assert_int_equal(rig_number(rig, "SELECT id FROM job WHERE status = 'Idle'"), 3);
    assert_int_equal(rig_number(rig, "SELECT count(*) FROM job_status WHERE job IS NULL"), 2);
    assert_int_equal(rig_number(rig, "SELECT count(*) FROM job_status"), 4);
}

/* ---- all of them ---- */

/* One of each, for a charge point of its own. */
static struct batch *full_batch(struct rig *rig, const char *cp)
{
    struct batch *batch = rig_batch(rig);
    struct record_command *command = &batch_add(batch, RECORD_COMMAND)->command;
    *command = command_of(cp, "queued").command;
    command->cp = cp;
    batch_add(batch, RECORD_CONFIGURATION)->configuration =
        (struct record_configuration){.cp = cp, .key = "k"};
    batch_add(batch, RECORD_RESERVATION)->reservation =
        (struct record_reservation){cp, 1, 1, "Tag", NULL, 5, 5};
    batch_add(batch, RECORD_RESERVATION_END)->reservation_end =
        (struct record_reservation_end){cp, 1, 0, "USED", 1, 5};
    batch_add(batch, RECORD_CHARGING_PROFILE)->charging_profile =
        (struct record_charging_profile){cp, 1, 1, 0, "TxProfile", 9, "{}", 5};
    batch_add(batch, RECORD_CHARGING_PROFILE_CLEAR)->charging_profile_clear =
        (struct record_charging_profile_clear){.cp = cp, .id = 77};
    batch_add(batch, RECORD_LOCAL_LIST)->local_list =
        (struct record_local_list){cp, 1, true, "[{\"idTag\":\"x\"}]", 5};
    batch_add(batch, RECORD_AVAILABILITY)->availability =
        (struct record_availability){cp, 0, "Operative", "Accepted", 5};
    batch_add(batch, RECORD_JOB)->job =
        (struct record_job){.cp = cp, .kind = "log", .request_id = ABSENT};
    batch_add(batch, RECORD_JOB_STATUS)->job_status =
        (struct record_job_status){cp, "log", "Idle", ABSENT, 5};
    return batch;
}

static const char *const tables[] = {
    "command",          "configuration", "reservation", "local_list", "charging_profile",
    "local_list_entry", "availability",  "job",         "job_status"};

static int64_t rows_of(struct rig *rig, const char *cp)
{
    int64_t rows = 0;
    for (size_t i = 0; i < ARRAY_LEN(tables); i++) {
        char *text = xprintf("SELECT count(*) FROM %s WHERE cp = '%s'", tables[i], cp);
        rows += rig_number(rig, text);
        xfree(text);
    }
    return rows;
}

/* Whatever step fails, the batch is there whole or not at all. */
static void test_every_step_fails(void **state)
{
    struct rig *rig = *state;
    int64_t n = 1, failures = 0;
    for (bool failed = true; failed; n++) {
        char cp[24];
        snprintf(cp, sizeof(cp), "CP%d", (int)n);
        struct batch *batch = full_batch(rig, cp);
        rig_fail_at(rig, n, SAME_STEP);
        failed = !rig_store(rig, batch);
        rig_fail_no_more(rig);
        assert_int_equal(rows_of(rig, cp), failed ? 0 : (int64_t)ARRAY_LEN(tables));
        failures += failed;
        batch_free(batch);
    }
    assert_true(failures > 12);
}

/* What a deleted charge point holds is forgotten; what happened, and what others hold, is not. */
static void test_charge_point_deleted(void **state)
{
    struct rig *rig = *state;
    for (int i = 0; i < 2; i++) {
        struct batch *batch = full_batch(rig, i ? "CP2" : "CP1");
        assert_true(rig_store(rig, batch));
        batch_free(batch);
    }
    rig_put(rig,
            (struct record){.kind = RECORD_CHARGE_POINT_DELETE, .charge_point = {.id = "cp1"}});
    assert_int_equal(rows_of(rig, "CP1"), 4); /* command, reservation, job and its status */
    assert_int_equal(rows_of(rig, "CP2"), ARRAY_LEN(tables));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, rig_setup, rig_teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_command),
        TEST(test_command_lost),
        TEST(test_command_kept_by_keys),
        TEST(test_configuration),
        TEST(test_reboot_is_required_until_the_boot),
        TEST(test_availability),
        TEST(test_job),
        TEST(test_job_of_status),
        TEST(test_every_step_fails),
        TEST(test_charge_point_deleted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
