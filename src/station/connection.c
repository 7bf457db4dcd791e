/* Connections and frames of chargers: rules T13, T14, R4, R5, R10, Q12, Q20.
 *
 * A connection is a number; everything that arrives late from an older one compares its number and
 * changes nothing. CALLs go into the lane, answers to our CALLs are handled at once: both
 * directions are independent (R4). */
#include "base/log.h"
#include "base/mem.h"
#include "station/call.h"
#include "station/limit.h"
#include "station/messages.h"

enum { CLOSE_PROTOCOL_ERROR = 1002, CLOSE_REPLACED = 4000 };

static void event_outside(struct charge_point *cp, enum event_kind kind)
{
    struct event event = {.kind = kind, .connector = ABSENT};
    lane_event(cp->lane, &event, false);
}

/* Nothing of the old connection holds for the next one. Gives back our CALLs that are lost. */
static struct outbox reset_lane(struct lane *lane)
{
    ring_clear(&lane->ring);
    lane->unreadable_in_row = 0;
    lane->clock_reported = false;
    lane->paused = false;
    lane->cp->boot_answered = false;
    return command_reset(lane);
}

void station_connected(struct station *st, const char *identity, uint64_t connection,
                       const struct version *version, const char *peer)
{
    if (NEVER(version == NULL) || NEVER(connection == 0))
        return;
    struct charge_point *cp = station_find(st, identity);
    if (!cp)
        cp = charge_point_new(st, identity);
    uint64_t old = cp->connection;
    cp->connection = connection;
    cp->version = version;
    cp->connected_ms = cp->last_seen_ms = wall_now();
    text_copy(cp->peer, sizeof(cp->peer), span_of(peer ? peer : ""));
    struct outbox lost = reset_lane(cp->lane);
    station_row_charge_point(st, cp);
    limit_online(st, cp->id);
    LOG(LOG_INFO, old ? "charge point connected anew" : "charge point connected",
        L_STR("cp", cp->id), L_STR("peer", cp->peer), L_INT("connection", connection));
    if (old) /* T13: the newest wins */
        st->ports.close(st->ports.ctx, old, CLOSE_REPLACED, "replaced");
    else
        event_outside(cp, EVENT_ONLINE);
    command_fail(&lost, CALL_OFFLINE, "the charge point connected anew");
}

void station_disconnected(struct station *st, const char *identity, uint64_t connection,
                          const char *why)
{
    struct charge_point *cp = station_find(st, identity);
    if (!cp || connection == 0 || cp->connection != connection)
        return; /* T13: a late close of a connection that was replaced */
    cp->connection = 0;
    struct outbox lost = reset_lane(cp->lane);
    station_row_charge_point(st, cp);
    LOG(LOG_INFO, "charge point disconnected", L_STR("cp", cp->id), L_STR("why", why),
        L_INT("connection", connection));
    site_changed(st, cp->id);
    event_outside(cp, EVENT_OFFLINE);
    command_fail(&lost, CALL_OFFLINE, "the charge point went offline");
}

/* ---- frames ---- */

static void log_frame(struct charge_point *cp, struct span text, const char *note)
{
    const struct message message = {
        .cp = cp, .connection = cp->connection, .ts_ms = wall_now(), .text = text, .note = note};
    message_log(cp->lane->st, &message);
}

/* R10: a peer that sends nothing readable is no charger. */
static void count_unreadable(struct station *st, struct charge_point *cp, const char *why)
{
    struct lane *lane = cp->lane;
    cp->unreadable++;
    st->counters.unreadable++;
    LOG(LOG_DEBUG, "frame cannot be read", L_STR("cp", cp->id), L_STR("why", why));
    if (++lane->unreadable_in_row == UNREADABLE_MAX)
        st->ports.close(st->ports.ctx, cp->connection, CLOSE_PROTOCOL_ERROR,
                        "frames cannot be read");
}

static void receive_call(struct station *st, struct charge_point *cp, struct arena *arena,
                         const struct frame *frame, struct span text)
{
    cp->calls_in++;
    st->counters.calls_in++;
    call_receive(cp->lane, arena, frame, text);
}

/* True when the arena was taken over. */
static bool receive_bad(struct station *st, struct charge_point *cp, struct arena *arena,
                        const struct frame *frame, struct span text)
{
    bool answered = frame->answer != OCPP_OK;
    count_unreadable(st, cp, frame->why.text);
    if (answered) {
        receive_call(st, cp, arena, frame, text);
        return true;
    }
    log_frame(cp, text, frame->why.text);
    return false;
}

static bool receive_frame(struct station *st, struct charge_point *cp, struct arena *arena,
                          const struct frame *frame, struct span text)
{
    if (frame->kind == FRAME_EMPTY)
        return false; /* T10 */
    if (frame->kind == FRAME_BAD)
        return receive_bad(st, cp, arena, frame, text);
    cp->lane->unreadable_in_row = 0;
    if (frame->kind == FRAME_CALL) {
        receive_call(st, cp, arena, frame, text);
        return true;
    }
    log_frame(cp, text, NULL);
    if (frame->kind == FRAME_RESULT || frame->kind == FRAME_ERROR)
        command_answer(cp->lane, arena, frame);
    return false; /* R5: nothing else is answered */
}

void station_received(struct station *st, const char *identity, uint64_t connection,
                      const char *text, size_t len)
{
    struct charge_point *cp = station_find(st, identity);
    if (!cp || connection == 0 || cp->connection != connection)
        return; /* from a connection that is being closed */
    cp->last_seen_ms = wall_now();
    struct arena arena = {0};
    struct span copy = {arena_strndup(&arena, text, len), len};
    struct frame frame;
    frame_parse(&frame, &arena, cp->version, copy.at, copy.len);
    if (!receive_frame(st, cp, &arena, &frame, copy))
        arena_clear(&arena);
}
