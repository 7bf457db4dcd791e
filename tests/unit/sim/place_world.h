/* A charger with the place half only: the line half is made of the fakes below.
 *
 * CALLs are kept in order and judged against the table when they are taken or when the world ends,
 * so no test can send what is not valid to the letter. world_take() gives the oldest that was not
 * taken; world_answer() answers it. Time is the fake clock; world_pass() runs timers on the way. */
#ifndef PLACE_WORLD_H
#define PLACE_WORLD_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
/* after the above: */
#include <cmocka.h>

#include "base/mem.h"
#include "base/timetext.h"
#include "sim/place.h"
#include "sim/vehicle.h"

#define WORLD_START 1752469200000 /* 2025-07-14T05:00:00Z */

enum { WORLD_CALLS = 4000 };

static struct world {
    struct charger charger;
    struct timers timers;
    struct sim_call *calls[WORLD_CALLS];
    size_t called, taken;
    bool offline;
    const char *faults[4];
    struct {
        const char *tag, *verdict, *parent;
    } tags[4]; /* local list */
    struct {
        const char *key, *value;
    } keys[16]; /* that differ from the defaults */
    int resets;
    char events[4096]; /* "status 1 Preparing\n" … */
    http_transfer_done http_done;
    void *http_ctx;
    char http_method[8], http_url[256], http_body[512], http_path[64];
    int http_cancelled;
    struct arena arena;
} world;

/* ---- the line half, faked ---- */

static const struct {
    const char *key, *value;
} world_defaults[] = {
    {"AuthorizeRemoteTxRequests", "true"},
    {"ChargeProfileMaxStackLevel", "5"},
    {"ChargingScheduleAllowedChargingRateUnit", "Current,Power"},
    {"ChargingScheduleMaxPeriods", "24"},
    {"ClockAlignedDataInterval", "0"},
    {"ConnectionTimeOut", "30"},
    {"MaxChargingProfilesInstalled", "10"},
    {"MaxEnergyOnInvalidId", "0"},
    {"MeterValueSampleInterval", "10"},
    {"MeterValuesAlignedData", "Energy.Active.Import.Register"},
    {"MeterValuesSampledData", "Energy.Active.Import.Register,Power.Active.Import,Current.Import,"
                               "Voltage,SoC,Temperature"},
    {"ReserveConnectorZeroSupported", "true"},
    {"StopTransactionOnEVSideDisconnect", "true"},
    {"StopTransactionOnInvalidId", "true"},
    {"StopTxnAlignedData", ""},
    {"StopTxnSampledData", ""},
    {"SupportedFeatureProfiles", "Core,Reservation,SmartCharging"},
};

const char *config_text(const struct charger *charger, const char *key)
{
    (void)charger;
    for (size_t i = 0; i < ARRAY_LEN(world.keys); i++)
        if (text_is(world.keys[i].key, key))
            return world.keys[i].value;
    for (size_t i = 0; i < ARRAY_LEN(world_defaults); i++)
        if (text_is(world_defaults[i].key, key))
            return world_defaults[i].value;
    return "";
}

int64_t config_int(const struct charger *charger, const char *key)
{
    int64_t value = 0;
    span_int(span_of(config_text(charger, key)), &value);
    return value;
}

bool config_bool(const struct charger *charger, const char *key)
{
    return text_is(config_text(charger, key), "true");
}

bool charger_may_send(const struct charger *charger)
{
    (void)charger;
    return !world.offline;
}

struct sim_call *charger_call(struct charger *charger, const char *action, char *payload_owned)
{
    (void)charger;
    struct sim_call *call = xcalloc(1, sizeof(*call));
    assert_true(world.called < WORLD_CALLS);
    call->action = action;
    call->payload = payload_owned;
    world.calls[world.called++] = call;
    return call;
}

void charger_tell(struct charger *charger, const char *what, int connector, const char *detail)
{
    (void)charger;
    size_t len = strlen(world.events);
    snprintf(world.events + len, sizeof(world.events) - len, "%s %d %s\n", what, connector, detail);
}

void charger_time_text(struct charger *charger, wall_t at, char out[48])
{
    (void)charger;
    timetext_seconds(at, out);
}

double charger_random(struct charger *charger)
{
    (void)charger;
    return 0.5;
}

bool fault_now(struct charger *charger, const char *name)
{
    (void)charger;
    for (size_t i = 0; i < ARRAY_LEN(world.faults); i++)
        if (text_is(world.faults[i], name))
            return true;
    return false;
}

const char *auth_local_verdict(struct charger *charger, const char *id_tag)
{
    (void)charger;
    for (size_t i = 0; i < ARRAY_LEN(world.tags); i++)
        if (text_is(world.tags[i].tag, id_tag))
            return world.tags[i].verdict;
    return NULL;
}

const char *auth_parent(struct charger *charger, const char *id_tag)
{
    (void)charger;
    for (size_t i = 0; i < ARRAY_LEN(world.tags); i++)
        if (text_is(world.tags[i].tag, id_tag))
            return world.tags[i].parent;
    return NULL;
}

void auth_remember(struct charger *charger, const char *id_tag, const struct json *id_tag_info)
{
    (void)charger;
    assert_non_null(id_tag);
    assert_non_null(id_tag_info);
}

void charger_reset(struct charger *charger, bool soft)
{
    assert_true(soft);
    sessions_stop_all(charger, "SoftReset");
    world.resets++;
}

uint64_t http_client_start(struct http_client *client, const struct http_transfer *transfer,
                           http_transfer_done done, void *ctx, struct reason *why)
{
    (void)client;
    if (strncmp(transfer->url, "http", 4) != 0) {
        reason_set(why, "not http");
        return 0;
    }
    world.http_done = done;
    world.http_ctx = ctx;
    text_copy(world.http_method, sizeof(world.http_method), span_of(transfer->method));
    text_copy(world.http_url, sizeof(world.http_url), span_of(transfer->url));
    text_copy(world.http_body, sizeof(world.http_body), transfer->body);
    text_copy(world.http_path, sizeof(world.http_path),
              span_of(transfer->download_path ? transfer->download_path : ""));
    return 1;
}

void http_client_cancel(struct http_client *client, uint64_t number)
{
    (void)client;
    assert_int_equal(number, 1);
    world.http_cancelled++;
    world.http_done = NULL;
}

/* ---- the world ---- */

static inline int world_open_with(enum car_kind kind, int connectors)
{
    memset(&world, 0, sizeof(world));
    clock_fake(WORLD_START);
    struct charger *charger = &world.charger;
    charger->settings = (struct charger_settings){.identity = "CP/1",
                                                  .connectors = connectors,
                                                  .kind = kind,
                                                  .power_w = kind == CAR_DC ? 120000 : 22000,
                                                  .battery_wh = 75000,
                                                  .soc = 20,
                                                  .vendor = "Vendor",
                                                  .model = "Model",
                                                  .firmware = "1.0"};
    charger->timers = &world.timers;
    charger->http = (struct http_client *)(void *)&world; /* only passed on */
    charger->id_count = 1;
    charger->ids = xgrow(NULL, 0, &charger->id_room, sizeof(*charger->ids));
    charger->ids[0] = 0;
    place_open(charger);
    return 0;
}

static inline int world_open(void **state)
{
    (void)state;
    return world_open_with(CAR_DC, 2);
}

/* The payload as it goes out: with the transactionId that the line adds. */
static inline struct json *world_payload(const struct sim_call *call)
{
    struct strbuf text = {0};
    strbuf_adds(&text, call->payload);
    if (call->start_serial && !text_is(call->action, "StartTransaction"))
        strbuf_addf(&text, ",\"transactionId\":%lld}",
                    (long long)world.charger.ids[call->start_serial]);
    struct reason why = {""};
    struct payload_report report = {0};
    char *kept = arena_strndup(&world.arena, strbuf_text(&text), text.len);
    struct json *payload = json_parse(&world.arena, kept, text.len, &why, NULL);
    strbuf_clear(&text);
    if (!payload)
        fail_msg("%s: %s in %s", call->action, why.text, kept);
    const struct action *action = version_action(&version_16, span_of(call->action));
    if (!payload_check(action->request, payload, &report))
        fail_msg("%s %s: %s", kept, report.faults[0].pointer, report.faults[0].message);
    return payload;
}

static inline int world_close(void **state)
{
    (void)state;
    for (size_t i = 0; i < world.called; i++) {
        if (!world.faults[0]) /* faults may spoil a payload */
            world_payload(world.calls[i]);
        xfree(world.calls[i]->payload);
        xfree(world.calls[i]);
    }
    place_close(&world.charger);
    assert_int_equal(world.timers.count, 0);
    timers_clear(&world.timers);
    xfree(world.charger.ids);
    arena_clear(&world.charger.arena);
    arena_clear(&world.arena);
    clock_real();
    return 0;
}

static inline struct sim_connector *world_connector(int id)
{
    return charger_connector(&world.charger, id);
}

/* The next CALL, which is this one. */
static inline struct sim_call *world_take(const char *action)
{
    if (world.taken == world.called)
        fail_msg("expected %s, nothing was sent", action);
    struct sim_call *call = world.calls[world.taken++];
    assert_string_equal(call->action, action);
    return call;
}

static inline void world_nothing(void)
{
    if (world.taken < world.called)
        fail_msg("expected nothing, got %s %s", world.calls[world.taken]->action,
                 world.calls[world.taken]->payload);
}

static inline void world_skip(void)
{
    world.taken = world.called;
}

/* The next CALL is the status of this connector. */
static inline void world_status(int connector, const char *status)
{
    int64_t id = -1;
    struct json *payload = world_payload(world_take("StatusNotification"));
    assert_true(json_int(json_get(payload, "connectorId"), &id));
    assert_int_equal(id, connector);
    assert_string_equal(json_gets(payload, "status"), status);
}

static inline void world_answer(const struct sim_call *call, const char *text)
{
    struct reason why;
    struct json *response = text ? json_parse(&world.arena, text, strlen(text), &why, NULL) : NULL;
    if (call->answered)
        call->answered(&world.charger, call, response);
}

static inline void world_pass(int64_t ms)
{
    mono_t end = mono_now() + ms;
    for (;;) {
        int64_t next = timers_next(&world.timers);
        if (next < 0 || mono_now() + next > end)
            break;
        clock_advance(next);
        timers_run(&world.timers);
    }
    clock_advance(end - mono_now());
}

/* A CALL of the central system. What it answers must be valid; NULL: an error. */
static inline const struct json *world_ask(const char *action, answer_fn fn, const char *text)
{
    struct reason why = {""};
    struct payload_report report = {0};
    const struct action *row = version_action(&version_16, span_of(action));
    struct json *request = json_parse(&world.arena, text, strlen(text), &why, NULL);
    if (!request)
        fail_msg("%s in %s", why.text, text);
    if (!payload_check(row->request, request, &report))
        fail_msg("%s: %s", report.faults[0].pointer, report.faults[0].message);
    struct strbuf answer = {0};
    struct json_out out = {.to = &answer};
    if (fn(&world.charger, request, &out) != OCPP_OK) {
        assert_int_equal(answer.len, 0);
        return NULL;
    }
    char *kept = arena_strndup(&world.arena, strbuf_text(&answer), answer.len);
    struct json *response = json_parse(&world.arena, kept, answer.len, &why, NULL);
    strbuf_clear(&answer);
    if (!response || !payload_check(row->response, response, &report))
        fail_msg("%s answered %s: %s%s", action, kept, why.text, report.faults[0].message);
    return response;
}

static inline void world_ask_expect(const char *action, answer_fn fn, const char *text,
                                    const char *status)
{
    const struct json *response = world_ask(action, fn, text);
    assert_non_null(response);
    assert_string_equal(json_gets(response, "status"), status);
}

/* Plugs in, authorizes and starts transaction `id`; everything that was sent is taken. */
static inline void world_charge(int connector, const char *id_tag, int id)
{
    char text[120];
    assert_true(charger_plug(&world.charger, connector, id_tag, true, NULL));
    world_status(connector, "Preparing");
    world_answer(world_take("Authorize"), "{\"idTagInfo\":{\"status\":\"Accepted\"}}");
    struct sim_call *start = world_take("StartTransaction");
    world_status(connector, "Charging");
    snprintf(text, sizeof(text), "{\"transactionId\":%d,\"idTagInfo\":{\"status\":\"Accepted\"}}",
             id);
    world_answer(start, text);
}

static inline int64_t world_member(const struct json *object, const char *key)
{
    int64_t value = -1;
    if (!json_int(json_get(object, key), &value))
        fail_msg("%s: no integer", key);
    return value;
}

/* The next CALL is a StopTransaction with this reason; its payload. */
static inline const struct json *world_stop(const char *reason)
{
    const struct json *payload = world_payload(world_take("StopTransaction"));
    assert_string_equal(json_gets(payload, "reason"), reason);
    return payload;
}

#endif
