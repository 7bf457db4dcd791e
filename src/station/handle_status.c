/* StatusNotification: rules N1 to N5, X14, Q36.
 *
 * The state of a connector is what its newest notification says; nothing here opens or closes a
 * transaction. Policies hear of changes only; repeats are counted. */
#include "base/mem.h"
#include "station/effects.h"
#include "station/limit.h"
#include "station/moment.h"

enum { AHEAD_MS = 5 * 60 * 1000 };

struct status {
    int64_t evse, connector;
    const char *status, *error_code, *info, *vendor_id, *vendor_error_code;
    wall_t at;
    bool repeat;
};

static const char *member(const struct call *call, const char *name)
{
    const char *text = json_gets(call->frame.payload, name);
    return text ? text : "";
}

static struct status status_read(struct call *call)
{
    struct status status = {.status = member(call, "status"),
                            .error_code = member(call, "errorCode"),
                            .info = member(call, "info"),
                            .vendor_id = member(call, "vendorId"),
                            .vendor_error_code = member(call, "vendorErrorCode")};
    if (!status.error_code[0])
        status.error_code = "NoError";
    json_int(json_get(call->frame.payload, "connectorId"), &status.evse);
    status.connector = connector_number(status.evse);
    /* Q25: a clock that runs ahead must not make what comes after it was set look old. */
    wall_t at = moment_read(call, json_gets(call->frame.payload, "timestamp")).at_ms;
    status.at = at < call->received_ms + AHEAD_MS ? at : call->received_ms;
    return status;
}

static bool same(const char *kept, size_t size, const char *text)
{
    char cut[256];
    text_copy(cut, size < sizeof(cut) ? size : sizeof(cut), span_of(text));
    return text_is(kept, cut);
}

static bool is_repeat(const struct connector *at, const struct status *status)
{
    return at->status[0] && same(at->status, sizeof(at->status), status->status) &&
           same(at->error_code, sizeof(at->error_code), status->error_code) &&
           same(at->info, sizeof(at->info), status->info) &&
           same(at->vendor_id, sizeof(at->vendor_id), status->vendor_id) &&
           same(at->vendor_error_code, sizeof(at->vendor_error_code), status->vendor_error_code);
}

static void add_row(struct call *call, const struct status *status)
{
    struct arena *arena;
    struct record *row = station_row(call->st, RECORD_STATUS, &arena);
    row->status = (struct record_status){
        .cp = arena_strdup(arena, call->cp->id),
        .evse = status->evse,
        .connector = status->connector,
        .status = arena_strdup(arena, status->status),
        .error_code = arena_strdup(arena, status->error_code),
        .info = arena_strdup(arena, status->info),
        .vendor_id = arena_strdup(arena, status->vendor_id),
        .vendor_error_code = arena_strdup(arena, status->vendor_error_code),
        .ts_ms = status->at,
        .received_ms = call->received_ms,
        .repeat = status->repeat,
    };
}

#define PUT(field, text) text_copy((field), sizeof(field), span_of(text))

static void apply(struct call *call, struct connector *at, const struct status *status)
{
    bool changed = !same(at->status, sizeof(at->status), status->status) ||
                   !same(at->error_code, sizeof(at->error_code), status->error_code);
    if (changed)
        PUT(at->previous, at->status);
    PUT(at->status, status->status);
    PUT(at->error_code, status->error_code);
    PUT(at->info, status->info);
    PUT(at->vendor_id, status->vendor_id);
    PUT(at->vendor_error_code, status->vendor_error_code);
    at->status_ms = status->at;
    at->received_ms = call->received_ms;
    if (status->repeat) {
        at->repeats++;
        return;
    }
    if (!call->cp->deleted)
        station_row_connector(call->st, call->cp, at);
    if (!changed)
        return;
    limit_status(call->st, call->cp, at);
    bool lost = text_is(at->status, "Faulted") || text_is(at->status, "Unavailable");
    if (lost) /* N5 */
        effects_connector_lost(call->st, call->cp, at->evse);
    struct event event = {.kind = EVENT_STATUS,
                          .connector = at->evse,
                          .status = at->status,
                          .previous = at->previous};
    lane_event(call->lane, &event, false);
}

void handle_status_notification(struct call *call)
{
    struct status status = status_read(call);
    struct connector *at = connector_ensure(call->cp, status.evse, status.connector);
    status.repeat = at && is_repeat(at, &status);
    add_row(call, &status);
    /* N2: a slightly older one that arrives later still wins. */
    int64_t tolerance_ms = call->st->settings.clock_tolerance_ms;
    if (at && (!at->status[0] || status.at >= at->status_ms - tolerance_ms))
        apply(call, at, &status);
    call_answer(call, NULL);
}
