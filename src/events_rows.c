/* The table of events: one row a record kind, with the members of its JSON object.
 *
 * Members are named as the REST answers name them. Every object begins with cpid and timestamp;
 * what is absent in the record is left out. */
#include "events_rows.h"

#include <stddef.h>

#include "base/json.h"
#include "base/mem.h"
#include "base/timetext.h"
#include "events.h"

enum how {
    TEXT,     /* const char *, NULL is left out */
    NUMBER,   /* int64_t, ABSENT is left out */
    POSITIVE, /* the same, 0 is left out too */
    TIME,     /* int64_t milliseconds, as RFC 3339; 0 is left out too */
    FLAG,     /* bool */
    TRUTH,    /* int64_t 0, 1 or ABSENT */
    RAW,      /* const char *, JSON text */
    YES       /* always true; no place */
};

struct member { /* name NULL ends a list */
    const char *name;
    enum how how;
    size_t at;
};

struct row {
    enum record_kind kind;
    const char *name;
    size_t cp, timestamp; /* NOWHERE: of no charge point; now */
    const struct member *members;
    bool (*told)(const struct record *record); /* NULL: always */
};

#define NOWHERE SIZE_MAX
#define AT(member) offsetof(struct record, member)

/* clang-format off: tables read best as such */
static const struct member status_members[] = {
    {"connectorId", NUMBER, AT(status.evse)},
    {"status", TEXT, AT(status.status)},
    {"errorCode", TEXT, AT(status.error_code)},
    {"info", TEXT, AT(status.info)},
    {"vendorId", TEXT, AT(status.vendor_id)},
    {"vendorErrorCode", TEXT, AT(status.vendor_error_code)},
    {"receivedAt", TIME, AT(status.received_ms)},
    {"repeat", FLAG, AT(status.repeat)},
    {0}};
static const struct member start_members[] = {{"transactionId", NUMBER, AT(start.out_id)},
                                              {"connectorId", NUMBER, AT(start.evse)},
                                              {"idTag", TEXT, AT(start.id_tag)},
                                              {"parentIdTag", TEXT, AT(start.parent_id_tag)},
                                              {"meterStart", NUMBER, AT(start.meter_start_wh)},
                                              {"startTime", TIME, AT(start.start_ms)},
                                              {"reservationId", NUMBER, AT(start.reservation_id)},
                                              {"verdict", TEXT, AT(start.verdict)},
                                              {0}};
static const struct member stop_members[] = {
    {"transactionId", NUMBER, AT(stop.id)}, {"connectorId", NUMBER, AT(stop.out_evse)},
    {"idTag", TEXT, AT(stop.id_tag)},       {"meterStop", NUMBER, AT(stop.meter_stop_wh)},
    {"energy", NUMBER, AT(stop.energy_wh)}, {"stopTime", TIME, AT(stop.stop_ms)},
    {"reason", TEXT, AT(stop.reason)},      {0}};
static const struct member price_members[] = {{"transactionId", NUMBER, AT(price.id)},
                                              {"currency", TEXT, AT(price.currency)},
                                              {"total", NUMBER, AT(price.total)},
                                              {"digits", NUMBER, AT(price.digits)},
                                              {"lines", RAW, AT(price.lines)},
                                              {"tariff", TEXT, AT(price.tariff)},
                                              {0}};
static const struct member meter_members[] = {
    {"connectorId", NUMBER, AT(meter_value.evse)},
    {"transactionId", POSITIVE, AT(meter_value.transaction_id)},
    {"energyWh", NUMBER, AT(meter_value.energy_wh)},
    {"powerW", NUMBER, AT(meter_value.power_w)},
    {"soc", NUMBER, AT(meter_value.soc)},
    {"implausible", FLAG, AT(meter_value.implausible)},
    {0}};
static const struct member message_members[] = {
    {"connection", NUMBER, AT(message.connection)}, {"note", TEXT, AT(message.note)}, {0}};
static const struct member decision_members[] = {
    {"event", TEXT, AT(decision.event)},
    {"idTag", TEXT, AT(decision.id_tag)},
    {"connectorId", POSITIVE, AT(decision.evse)},
    {"transactionId", POSITIVE, AT(decision.transaction_id)},
    {"verdict", TEXT, AT(decision.verdict)},
    {"why", TEXT, AT(decision.why)},
    {"file", TEXT, AT(decision.file)},
    {"line", POSITIVE, AT(decision.line)},
    {"generation", NUMBER, AT(decision.generation)},
    {"inputs", RAW, AT(decision.inputs)},
    {"answer", RAW, AT(decision.answer)},
    {0}};
static const struct member security_members[] = {
    {"type", TEXT, AT(security_event.type)},
    {"techInfo", TEXT, AT(security_event.tech_info)},
    {"receivedAt", TIME, AT(security_event.received_ms)},
    {0}};
static const struct member job_status_members[] = {{"kind", TEXT, AT(job_status.kind)},
                                                   {"status", TEXT, AT(job_status.status)},
                                                   {"requestId", NUMBER, AT(job_status.request_id)},
                                                   {0}};
static const struct member event_members[] = {
    {"kind", TEXT, AT(event.kind)}, {"detail", RAW, AT(event.detail)}, {0}};
static const struct member command_members[] = {
    {"id", TEXT, AT(command.id)},
    {"action", TEXT, AT(command.action)},
    {"state", TEXT, AT(command.state)},
    {"payload", RAW, AT(command.payload)},
    {"askedBy", TEXT, AT(command.asked_by)},
    {"batch", TEXT, AT(command.batch)},
    {"askedAt", TIME, AT(command.asked_ms)},
    {"sentAt", TIME, AT(command.sent_ms)},
    {"endedAt", TIME, AT(command.ended_ms)},
    {"response", RAW, AT(command.response)},
    {"errorCode", TEXT, AT(command.error_code)},
    {"errorDescription", TEXT, AT(command.error_description)},
    {"errorDetails", RAW, AT(command.error_details)},
    {"why", TEXT, AT(command.why)},
    {0}};
static const struct member configuration_members[] = {
    {"key", TEXT, AT(configuration.key)},
    {"value", TEXT, AT(configuration.value)},
    {"readonly", TRUTH, AT(configuration.readonly)},
    {"unknown", FLAG, AT(configuration.unknown)},
    {"reboot", FLAG, AT(configuration.reboot)},
    {0}};
static const struct member reservation_members[] = {
    {"id", NUMBER, AT(reservation.id)},
    {"connectorId", NUMBER, AT(reservation.connector)},
    {"idTag", TEXT, AT(reservation.id_tag)},
    {"parentIdTag", TEXT, AT(reservation.parent_id_tag)},
    {"expiresAt", TIME, AT(reservation.expiry_ms)},
    {0}};
static const struct member reservation_end_members[] = {
    {"id", NUMBER, AT(reservation_end.id)},
    {"connectorId", NUMBER, AT(reservation_end.connector)},
    {"state", TEXT, AT(reservation_end.state)},
    {"transactionId", POSITIVE, AT(reservation_end.transaction_id)},
    {0}};
static const struct member profile_members[] = {
    {"connectorId", NUMBER, AT(charging_profile.connector)},
    {"chargingProfileId", NUMBER, AT(charging_profile.id)},
    {"stackLevel", NUMBER, AT(charging_profile.stack_level)},
    {"purpose", TEXT, AT(charging_profile.purpose)},
    {"transactionId", POSITIVE, AT(charging_profile.transaction_id)},
    {"profile", RAW, AT(charging_profile.profile)},
    {0}};
static const struct member profile_clear_members[] = {
    {"connectorId", NUMBER, AT(charging_profile_clear.connector)},
    {"chargingProfileId", NUMBER, AT(charging_profile_clear.id)},
    {"stackLevel", NUMBER, AT(charging_profile_clear.stack_level)},
    {"purpose", TEXT, AT(charging_profile_clear.purpose)},
    {"transactionId", POSITIVE, AT(charging_profile_clear.transaction_id)},
    {0}};
static const struct member local_list_members[] = {
    {"version", NUMBER, AT(local_list.version)}, {"full", FLAG, AT(local_list.full)}, {0}};
static const struct member availability_members[] = {
    {"connectorId", NUMBER, AT(availability.connector)},
    {"type", TEXT, AT(availability.type)},
    {"status", TEXT, AT(availability.status)},
    {0}};
static const struct member job_members[] = {{"command", TEXT, AT(job.command)},
                                            {"kind", TEXT, AT(job.kind)},
                                            {"action", TEXT, AT(job.action)},
                                            {"location", TEXT, AT(job.location)},
                                            {"file", TEXT, AT(job.file)},
                                            {"requestId", NUMBER, AT(job.request_id)},
                                            {0}};
static const struct member charge_point_members[] = {
    {"registration", TEXT, AT(charge_point.registration)},
    {"version", TEXT, AT(charge_point.version)},
    {"vendor", TEXT, AT(charge_point.vendor)},
    {"model", TEXT, AT(charge_point.model)},
    {"serial", TEXT, AT(charge_point.serial)},
    {"firmware", TEXT, AT(charge_point.firmware)},
    {"lastBootAt", TIME, AT(charge_point.last_boot_ms)},
    {0}};
static const struct member deleted_members[] = {{"deleted", YES, 0}, {0}};
static const struct member tag_members[] = {{"idTag", TEXT, AT(id_tag.id_tag)},
                                            {"status", TEXT, AT(id_tag.status)},
                                            {"expiryDate", TIME, AT(id_tag.expiry_ms)},
                                            {"parentIdTag", TEXT, AT(id_tag.parent_id_tag)},
                                            {"note", TEXT, AT(id_tag.note)},
                                            {"maxActive", NUMBER, AT(id_tag.max_active)},
                                            {0}};
static const struct member tag_deleted_members[] = {
    {"idTag", TEXT, AT(id_tag.id_tag)}, {"deleted", YES, 0}, {0}};

static bool is_priced(const struct record *record)
{
    return record->price.currency != NULL;
}

static bool is_new_start(const struct record *record)
{
    return !record->start.out_repeat;
}

static bool is_new_stop(const struct record *record)
{
    return record->stop.out_outcome == STOP_DONE ||
           record->stop.out_outcome == STOP_REPLACED_ESTIMATE;
}

/* Rows of one name stand together. */
static const struct row rows[] = {
    {RECORD_STATUS, "status", AT(status.cp), AT(status.ts_ms), status_members, NULL},
    {RECORD_START, "transaction_started", AT(start.cp), AT(start.received_ms), start_members,
     is_new_start},
    {RECORD_STOP, "transaction_stopped", AT(stop.cp), AT(stop.received_ms), stop_members,
     is_new_stop},
    {RECORD_PRICE, "transaction_priced", AT(price.cp), AT(price.ts_ms), price_members, is_priced},
    {RECORD_METER_VALUE, "meter", AT(meter_value.cp), AT(meter_value.ts_ms), meter_members, NULL},
    {RECORD_MESSAGE, "message", AT(message.cp), AT(message.ts_ms), message_members, NULL},
    {RECORD_DECISION, "decision", AT(decision.cp), AT(decision.ts_ms), decision_members, NULL},
    {RECORD_SECURITY_EVENT, "security_event", AT(security_event.cp), AT(security_event.ts_ms),
     security_members, NULL},
    {RECORD_JOB_STATUS, "job_status", AT(job_status.cp), AT(job_status.ts_ms), job_status_members,
     NULL},
    {RECORD_EVENT, "event", AT(event.cp), AT(event.ts_ms), event_members, NULL},
    {RECORD_COMMAND, "command", AT(command.cp), NOWHERE, command_members, NULL},
    {RECORD_CONFIGURATION, "configuration", AT(configuration.cp), AT(configuration.known_ms),
     configuration_members, NULL},
    {RECORD_RESERVATION, "reservation", AT(reservation.cp), AT(reservation.accepted_ms),
     reservation_members, NULL},
    {RECORD_RESERVATION_END, "reservation_ended", AT(reservation_end.cp),
     AT(reservation_end.ended_ms), reservation_end_members, NULL},
    {RECORD_CHARGING_PROFILE, "charging_profile", AT(charging_profile.cp),
     AT(charging_profile.accepted_ms), profile_members, NULL},
    {RECORD_CHARGING_PROFILE_CLEAR, "charging_profile_cleared", AT(charging_profile_clear.cp),
     NOWHERE, profile_clear_members, NULL},
    {RECORD_LOCAL_LIST, "local_list", AT(local_list.cp), AT(local_list.known_ms),
     local_list_members, NULL},
    {RECORD_AVAILABILITY, "availability", AT(availability.cp), AT(availability.known_ms),
     availability_members, NULL},
    {RECORD_JOB, "job", AT(job.cp), AT(job.accepted_ms), job_members, NULL},
    {RECORD_CHARGE_POINT, "charge_point", AT(charge_point.id), NOWHERE, charge_point_members, NULL},
    {RECORD_CHARGE_POINT_DELETE, "charge_point", AT(charge_point.id), NOWHERE, deleted_members,
     NULL},
    {RECORD_ID_TAG, "tag", NOWHERE, NOWHERE, tag_members, NULL},
    {RECORD_ID_TAG_DELETE, "tag", NOWHERE, NOWHERE, tag_deleted_members, NULL},
};
/* clang-format on */

/* ---- names ---- */

const char *const *events_names(void)
{
    static const char *names[ARRAY_LEN(rows) + 1];
    size_t count = 0;
    if (names[0])
        return names;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        if (i == 0 || !text_is(rows[i].name, rows[i - 1].name))
            names[count++] = rows[i].name;
    return names;
}

int event_type(struct span name)
{
    const char *const *names = events_names();
    for (int i = 0; names[i]; i++)
        if (span_is(name, names[i]))
            return i;
    return -1;
}

int event_type_message(void)
{
    static int type = -1;
    if (type < 0)
        type = event_type(SPAN("message"));
    return type;
}

/* ---- members ---- */

static const void *place(const struct record *record, size_t at)
{
    return (const char *)record + at;
}

static const char *text_at(const struct record *record, size_t at)
{
    return *(const char *const *)place(record, at);
}

static int64_t number_at(const struct record *record, size_t at)
{
    return *(const int64_t *)place(record, at);
}

static void put_time(struct json_out *out, int64_t ms)
{
    char text[TIMETEXT_SIZE];
    timetext_millis(ms, text);
    json_put_string(out, text);
}

static bool is_absent(const struct record *record, const struct member *member)
{
    switch (member->how) {
    case TEXT:
    case RAW:
        return text_at(record, member->at) == NULL;
    case NUMBER:
    case TRUTH:
        return number_at(record, member->at) == ABSENT;
    case TIME:
    case POSITIVE:
        return number_at(record, member->at) <= 0;
    default:
        return false;
    }
}

static void put_member(struct json_out *out, const struct record *record,
                       const struct member *member)
{
    if (is_absent(record, member))
        return;
    json_key(out, member->name);
    switch (member->how) {
    case TEXT:
        json_put_string(out, text_at(record, member->at));
        break;
    case RAW:
        json_put_raw(out, span_of(text_at(record, member->at)));
        break;
    case TIME:
        put_time(out, number_at(record, member->at));
        break;
    case FLAG:
        json_put_bool(out, *(const bool *)place(record, member->at));
        break;
    case TRUTH:
        json_put_bool(out, number_at(record, member->at) != 0);
        break;
    case YES:
        json_put_bool(out, true);
        break;
    default:
        json_put_int(out, number_at(record, member->at));
    }
}

/* A frame may be no valid UTF-8 (T10) or hold NUL: then it is told without its text. */
static void put_frame(struct json_out *out, const struct record_message *row)
{
    json_key(out, "direction");
    json_put_string(out, row->outgoing ? "out" : "in");
    if (!utf8_valid(row->text, row->len))
        return;
    json_key(out, "text");
    json_put_span(out, (struct span){row->text, row->len});
}

static const struct row *row_of(enum record_kind kind)
{
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        if (rows[i].kind == kind)
            return &rows[i];
    return NULL;
}

int event_of_record(const struct record *record, struct strbuf *data, const char **cp)
{
    const struct row *row = row_of(record->kind);
    if (!row || (row->told && !row->told(record)))
        return -1;
    struct json_out out = {.to = data};
    *cp = row->cp == NOWHERE ? NULL : text_at(record, row->cp);
    int64_t when = row->timestamp == NOWHERE ? ABSENT : number_at(record, row->timestamp);
    json_open(&out, '{');
    if (*cp) {
        json_key(&out, "cpid");
        json_put_string(&out, *cp);
    }
    json_key(&out, "timestamp");
    put_time(&out, when == ABSENT ? wall_now() : when);
    for (const struct member *member = row->members; member->name; member++)
        put_member(&out, record, member);
    if (record->kind == RECORD_MESSAGE)
        put_frame(&out, &record->message);
    json_close(&out, '}');
    return event_type(span_of(row->name));
}
