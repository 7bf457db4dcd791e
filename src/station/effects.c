/* What a charger accepted is recorded, whoever asked: rules C4, C5, C8, C9, P3, P4, W1, W2, G5, N5.
 *
 * One function an action, in the table at the end; a new action that leaves something behind is one
 * row there. Each gets the request as it was sent and the answer, and writes rows of the turn. The
 * charger's answer counts, not our intent (C9); what it did not answer leaves no trace but that of
 * the command (C3). A BootNotification clears nothing (B5). */
#include "station/effects.h"

#include <string.h>

#include "base/digest.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/timetext.h"
#include "station/limit.h"
#include "station/asked.h"
#include "station/messages.h"
#include "station/password.h"
#include "station/pending.h"

struct effect {
    struct station *st;
    struct charge_point *cp;
    const struct outcall *call;
    const struct json *request, *response;
    const char *status; /* of the response, "" if it has none */
};

static bool accepted(const struct effect *e)
{
    return text_is(e->status, "Accepted");
}

static int64_t int_of(const struct json *object, const char *name)
{
    int64_t value;
    return json_int(json_get(object, name), &value) ? value : ABSENT;
}

static wall_t time_of(const struct json *object, const char *name)
{
    wall_t at;
    const char *text = json_gets(object, name);
    return text && timetext_parse(span_of(text), 0, &at) ? at : ABSENT;
}

static struct record *add_row(const struct effect *e, enum record_kind kind, struct arena **arena,
                              char **cp)
{
    struct record *row = station_row(e->st, kind, arena);
    *cp = arena_strdup(*arena, e->cp->id);
    return row;
}

/* ---- configuration (C5, G4, G5) ---- */

static bool is_secret(const char *key)
{
    return text_is_ci(key, "AuthorizationKey");
}

static struct record_configuration *add_key(const struct effect *e, const char *key,
                                            const char *value)
{
    struct arena *arena;
    char *cp;
    struct record_configuration *row =
        &add_row(e, RECORD_CONFIGURATION, &arena, &cp)->configuration;
    *row =
        (struct record_configuration){.cp = cp,
                                      .key = arena_strdup(arena, key),
                                      .value = is_secret(key) ? NULL : arena_strdup(arena, value),
                                      .readonly = ABSENT,
                                      .known_ms = wall_now()};
    return row;
}

static void get_configuration(const struct effect *e)
{
    const struct json *keys = json_get(e->response, "configurationKey");
    for (const struct json *item = keys ? keys->child : NULL; item; item = item->next) {
        const char *key = json_gets(item, "key");
        const char *value = json_gets(item, "value");
        const struct json *readonly = json_get(item, "readonly");
        if (!key)
            continue;
        struct record_configuration *row = add_key(e, key, value);
        row->told = true;
        if (value && value[0])
            limit_learn(e->st, e->cp, key, value);
        if (readonly && readonly->type == JSON_BOOL)
            row->readonly = readonly->boolean;
    }
    const struct json *unknown = json_get(e->response, "unknownKey");
    for (const struct json *item = unknown ? unknown->child : NULL; item; item = item->next) {
        if (json_text(item))
            add_key(e, json_text(item), NULL)->unknown = true;
    }
}

enum { KEY_BYTES_MAX = 64 };

/* G3: over the wire it is hex, in the header it will be the bytes; some chargers take plain text.
 */
static struct span key_bytes(const char *value, unsigned char bytes[KEY_BYTES_MAX])
{
    size_t len = KEY_BYTES_MAX;
    struct span key = span_of(value);
    if (key.len >= 32 && key.len <= 40 && hex_decode(key, bytes, &len))
        key = (struct span){(const char *)bytes, len};
    return key;
}

/* G5: on Accepted the new one only; refused, what counted before; after a reboot it will show. */
static void new_key(const struct effect *e, const char *value)
{
    unsigned char bytes[KEY_BYTES_MAX];
    if (accepted(e)) {
        password_set(e->st, e->cp, key_bytes(value, bytes));
        LOG(LOG_INFO, "the charge point has a new password", L_STR("cp", e->cp->id));
    } else if (asked_of(e->call)->offered && !text_is(e->status, "RebootRequired")) {
        password_withdraw(e->st, e->cp);
    }
}

void effects_sending(struct station *st, struct charge_point *cp, const struct outcall *call)
{
    if (!text_is(call->action, "ChangeConfiguration"))
        return;
    struct arena arena = {0};
    unsigned char bytes[KEY_BYTES_MAX];
    const struct json *request =
        json_parse(&arena, call->payload, strlen(call->payload), NULL, NULL);
    const char *key = json_gets(request, "key");
    const char *value = json_gets(request, "value");
    if (key && value && is_secret(key))
        asked_of(call)->offered = password_offer(st, cp, key_bytes(value, bytes));
    arena_clear(&arena);
}

static void change_configuration(const struct effect *e)
{
    const char *key = json_gets(e->request, "key");
    const char *value = json_gets(e->request, "value");
    bool reboot = text_is(e->status, "RebootRequired");
    if (!key || !value)
        return;
    if (text_is(e->status, "NotSupported"))
        add_key(e, key, NULL)->unknown = true;
    else if (accepted(e) || reboot)
        add_key(e, key, value)->reboot = reboot;
    if (is_secret(key))
        new_key(e, value);
}

/* ---- reservations (C8, N5) ---- */

static void reserve_now(const struct effect *e)
{
    if (!accepted(e))
        return;
    struct arena *arena;
    char *cp;
    struct record_reservation *row = &add_row(e, RECORD_RESERVATION, &arena, &cp)->reservation;
    *row = (struct record_reservation){
        .cp = cp,
        .id = int_of(e->request, "reservationId"),
        .connector = int_of(e->request, "connectorId"),
        .id_tag = arena_strdup(arena, json_gets(e->request, "idTag")),
        .parent_id_tag = arena_strdup(arena, json_gets(e->request, "parentIdTag")),
        .expiry_ms = time_of(e->request, "expiryDate"),
        .accepted_ms = wall_now()};
}

static void reservation_end(struct station *st, const struct charge_point *cp,
                            struct record_reservation_end end)
{
    struct arena *arena;
    struct record *row = station_row(st, RECORD_RESERVATION_END, &arena);
    row->reservation_end = end;
    row->reservation_end.cp = arena_strdup(arena, cp->id);
    row->reservation_end.ended_ms = wall_now();
}

static void cancel_reservation(const struct effect *e)
{
    if (accepted(e))
        reservation_end(e->st, e->cp,
                        (struct record_reservation_end){.id = int_of(e->request, "reservationId"),
                                                        .connector = ABSENT,
                                                        .state = "CANCELLED",
                                                        .transaction_id = ABSENT});
}

void effects_reservation_used(struct station *st, const struct charge_point *cp,
                              int64_t reservation_id, int64_t transaction_id)
{
    reservation_end(st, cp,
                    (struct record_reservation_end){.id = reservation_id,
                                                    .connector = ABSENT,
                                                    .state = "USED",
                                                    .transaction_id = transaction_id});
}

void effects_connector_lost(struct station *st, const struct charge_point *cp, int64_t connector)
{
    reservation_end(
        st, cp,
        (struct record_reservation_end){
            .id = ABSENT, .connector = connector, .state = "FAULTED", .transaction_id = ABSENT});
}

/* ---- charging profiles (P2 to P4) ---- */

/* The transaction that a TxProfile is for: 1.6 lets the request leave it out. */
static int64_t profile_transaction(const struct effect *e, const struct json *profile,
                                   int64_t connector)
{
    int64_t id = int_of(profile, "transactionId");
    if (id != ABSENT || !text_is(json_gets(profile, "chargingProfilePurpose"), "TxProfile"))
        return id;
    const struct connector *at = station_connector(e->cp, connector, connector_number(connector));
    return at && at->transaction_id ? at->transaction_id : ABSENT;
}

static struct record_charging_profile *add_profile(const struct effect *e,
                                                   const struct json *profile, int64_t connector)
{
    struct arena *arena;
    char *cp;
    struct record_charging_profile *row =
        &add_row(e, RECORD_CHARGING_PROFILE, &arena, &cp)->charging_profile;
    *row = (struct record_charging_profile){
        .cp = cp,
        .connector = connector,
        .id = int_of(profile, "chargingProfileId"),
        .stack_level = int_of(profile, "stackLevel"),
        .purpose = arena_strdup(arena, json_gets(profile, "chargingProfilePurpose")),
        .transaction_id = ABSENT,
        .profile = arena_strndup(arena, profile->raw.at, profile->raw.len),
        .accepted_ms = wall_now()};
    return row;
}

static void set_charging_profile(const struct effect *e)
{
    const struct json *profile = json_get(e->request, "csChargingProfiles");
    int64_t connector = int_of(e->request, "connectorId");
    if (accepted(e) && profile)
        add_profile(e, profile, connector)->transaction_id =
            profile_transaction(e, profile, connector);
}

/* P4: `id` overrules the others, else all that are given must match. Unknown: the charger has none
 * that does, so neither have we. */
static void clear_charging_profile(const struct effect *e)
{
    if (!accepted(e) && !text_is(e->status, "Unknown"))
        return;
    struct arena *arena;
    char *cp;
    struct record_charging_profile_clear *row =
        &add_row(e, RECORD_CHARGING_PROFILE_CLEAR, &arena, &cp)->charging_profile_clear;
    *row = (struct record_charging_profile_clear){.cp = cp,
                                                  .id = int_of(e->request, "id"),
                                                  .connector = ABSENT,
                                                  .stack_level = ABSENT,
                                                  .transaction_id = ABSENT};
    if (row->id != ABSENT)
        return;
    row->connector = int_of(e->request, "connectorId");
    row->stack_level = int_of(e->request, "stackLevel");
    row->purpose = arena_strdup(arena, json_gets(e->request, "chargingProfilePurpose"));
}

/* ---- local lists (C9) ---- */

static void send_local_list(const struct effect *e)
{
    const struct json *entries = json_get(e->request, "localAuthorizationList");
    if (!accepted(e))
        return;
    struct arena *arena;
    char *cp;
    struct record_local_list *row = &add_row(e, RECORD_LOCAL_LIST, &arena, &cp)->local_list;
    *row = (struct record_local_list){
        .cp = cp,
        .version = int_of(e->request, "listVersion"),
        .full = text_is(json_gets(e->request, "updateType"), "Full"),
        .entries = entries ? arena_strndup(arena, entries->raw.at, entries->raw.len) : "[]",
        .known_ms = wall_now()};
}

static void get_local_list_version(const struct effect *e)
{
    struct arena *arena;
    char *cp;
    struct record_local_list *row = &add_row(e, RECORD_LOCAL_LIST, &arena, &cp)->local_list;
    *row = (struct record_local_list){
        .cp = cp, .version = int_of(e->response, "listVersion"), .known_ms = wall_now()};
}

/* ---- availability (C4) ---- */

static void change_availability(const struct effect *e)
{
    if (!accepted(e) && !text_is(e->status, "Scheduled"))
        return;
    struct arena *arena;
    char *cp;
    struct record_availability *row = &add_row(e, RECORD_AVAILABILITY, &arena, &cp)->availability;
    *row = (struct record_availability){.cp = cp,
                                        .connector = int_of(e->request, "connectorId"),
                                        .type = arena_strdup(arena, json_gets(e->request, "type")),
                                        .status = arena_strdup(arena, e->status),
                                        .known_ms = wall_now()};
}

/* ---- firmware, diagnostics, logs (W1, W2, W4) ---- */

static void add_job(const struct effect *e, const char *kind, const char *location,
                    const char *file)
{
    struct arena *arena;
    char *cp;
    struct record_job *row = &add_row(e, RECORD_JOB, &arena, &cp)->job;
    char *blanked = arena_strdup(arena, location ? location : "");
    message_blank_location(blanked);
    *row = (struct record_job){.command = arena_strdup(arena, e->call->id),
                               .cp = cp,
                               .kind = kind,
                               .action = arena_strdup(arena, e->call->action),
                               .location = blanked,
                               .file = arena_strdup(arena, file),
                               .request_id = int_of(e->request, "requestId"),
                               .accepted_ms = wall_now()};
}

/* AcceptedCanceled: taken on in place of an older one. */
static bool taken_on(const struct effect *e)
{
    return accepted(e) || text_is(e->status, "AcceptedCanceled");
}

static void update_firmware(const struct effect *e)
{
    add_job(e, "firmware", json_gets(e->request, "location"), NULL);
}

static void signed_update_firmware(const struct effect *e)
{
    if (taken_on(e))
        add_job(e, "firmware", json_gets(json_get(e->request, "firmware"), "location"), NULL);
}

static void get_diagnostics(const struct effect *e)
{
    add_job(e, "diagnostics", json_gets(e->request, "location"),
            json_gets(e->response, "fileName"));
}

static void get_log(const struct effect *e)
{
    if (taken_on(e))
        add_job(e, "log", json_gets(json_get(e->request, "log"), "remoteLocation"),
                json_gets(e->response, "filename"));
}

/* ---- remote starts (X16, C7) ---- */

/* Its profile is a TxProfile for the transaction that comes of it, on the connector that was named:
 * not for one that is open there while this still waits for its start. */
static void remote_start_transaction(const struct effect *e)
{
    const struct json *profile = json_get(e->request, "chargingProfile");
    int64_t connector = int_of(e->request, "connectorId");
    if (!accepted(e))
        pending_refused(e->st, e->call->id);
    else if (profile && connector != ABSENT)
        add_profile(e, profile, connector)->transaction_id =
            pending_waits(e->st, e->call->id) ? int_of(profile, "transactionId")
                                              : profile_transaction(e, profile, connector);
}

static const struct {
    const char *action;
    void (*record)(const struct effect *e);
} effects[] = {
    {"CancelReservation", cancel_reservation},
    {"ChangeAvailability", change_availability},
    {"ChangeConfiguration", change_configuration},
    {"ClearChargingProfile", clear_charging_profile},
    {"GetConfiguration", get_configuration},
    {"GetDiagnostics", get_diagnostics},
    {"GetLocalListVersion", get_local_list_version},
    {"GetLog", get_log},
    {"RemoteStartTransaction", remote_start_transaction},
    {"ReserveNow", reserve_now},
    {"SendLocalList", send_local_list},
    {"SetChargingProfile", set_charging_profile},
    {"SignedUpdateFirmware", signed_update_firmware},
    {"UpdateFirmware", update_firmware},
};

void effects_record(struct station *st, struct charge_point *cp, const struct outcall *call,
                    const struct json *response)
{
    struct arena arena = {0};
    for (size_t i = 0; i < ARRAY_LEN(effects); i++) {
        if (!text_is(effects[i].action, call->action))
            continue;
        const char *status = json_gets(response, "status");
        const struct effect effect = {
            .st = st,
            .cp = cp,
            .call = call,
            .request = json_parse(&arena, call->payload, strlen(call->payload), NULL, NULL),
            .response = response,
            .status = status ? status : ""};
        effects[i].record(&effect);
    }
    arena_clear(&arena);
}
