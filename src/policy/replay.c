/* See replay.h: building both sides, and the way of a recorded message into them. */
#include "policy/replay.h"

#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "ocpp/frame.h"
#include "policy/build_parts.h"
#include "policy/replay_world.h"
#include "policy/testkit.h"

struct replay {
    struct replay_settings settings;
    struct world *sides[2]; /* base (NULL: what was recorded), candidate */
    struct diff diff;
    struct replay_totals totals;
    struct map connections; /* charge point → number of its connection, as the record has it */
    bool begun, was_muted;
    wall_t at;
};

/* ---- life ---- */

static struct world *side_new(struct replay *replay, enum replay_side side, const char *dir,
                              struct policy_report *report)
{
    const struct build_order order = {
        .settings = replay->settings.policy, .dir = dir, .number = 1 + side};
    struct generation *generation = build(&order, report);
    if (!generation)
        return NULL;
    return world_new(side, generation, replay->settings.station, &replay->diff, &replay->totals);
}

struct replay *replay_new(const struct replay_settings *settings, struct policy_report *report,
                          const char **refused)
{
    struct replay *replay = xcalloc(1, sizeof(*replay));
    replay->settings = *settings;
    replay->diff.totals = &replay->totals;
    replay->diff.found = settings->found;
    replay->diff.ctx = settings->ctx;
    replay->connections.ignore_case = true;
    replay->was_muted = log_mute(true);
    *refused = settings->dir;
    replay->sides[SIDE_CANDIDATE] = side_new(replay, SIDE_CANDIDATE, settings->dir, report);
    if (replay->sides[SIDE_CANDIDATE] && settings->against) {
        *refused = settings->against;
        replay->sides[SIDE_BASE] = side_new(replay, SIDE_BASE, settings->against, report);
    }
    if (replay->sides[SIDE_CANDIDATE] && (!settings->against || replay->sides[SIDE_BASE]))
        return replay;
    replay_free(replay);
    return NULL;
}

void replay_free(struct replay *replay)
{
    if (!replay)
        return;
    world_free(replay->sides[SIDE_BASE]);
    world_free(replay->sides[SIDE_CANDIDATE]);
    const struct map_entry *entry;
    size_t at = 0;
    while ((entry = map_next(&replay->connections, &at)) != NULL)
        xfree(entry->value);
    map_clear(&replay->connections);
    if (replay->begun)
        clock_real();
    log_mute(replay->was_muted);
    xfree(replay);
}

/* ---- what both sides begin with ---- */

#define FOR_SIDES(replay, world)                                                                   \
    for (struct world **side_ = (replay)->sides; side_ < (replay)->sides + 2; side_++)             \
        for (struct world *world = *side_; world; world = NULL)

static void restore_charge_point(void *ctx, const struct record_charge_point *row)
{
    struct record_charge_point fresh = *row;
    fresh.vars = NULL; /* as they are now they would tell of the future */
    fresh.registration = "accepted";
    fresh.last_boot_ms = fresh.last_seen_ms = ABSENT;
    FOR_SIDES((struct replay *)ctx, world)
    {
        struct restore_sink sink = station_restore_sink(world->station);
        sink.charge_point(sink.ctx, &fresh);
    }
}

static void restore_tag(void *ctx, const struct record_id_tag *row)
{
    FOR_SIDES((struct replay *)ctx, world)
    {
        struct restore_sink sink = station_restore_sink(world->station);
        sink.id_tag(sink.ctx, row);
    }
}

/* The server's own rows (pending starts, reminders …) belong to the present. */
static void restore_kv(void *ctx, const struct record_kv *row)
{
    static const char own[] = "chargebridge/";
    if (strncmp(row->key, own, sizeof(own) - 1) == 0)
        return;
    FOR_SIDES((struct replay *)ctx, world)
    {
        struct restore_sink sink = station_restore_sink(world->station);
        sink.kv(sink.ctx, row);
    }
}

struct restore_sink replay_sink(struct replay *replay)
{
    return (struct restore_sink){.ctx = replay,
                                 .charge_point = restore_charge_point,
                                 .id_tag = restore_tag,
                                 .kv = restore_kv};
}

/* ---- time ---- */

/* Milliseconds until the first timer of any side; `most` at most. */
static int64_t next_step(const struct replay *replay, int64_t most)
{
    for (size_t i = 0; i < ARRAY_LEN(replay->sides); i++) {
        int64_t next = replay->sides[i] ? world_next(replay->sides[i]) : -1;
        if (next >= 0 && next < most)
            most = next;
    }
    return most;
}

static void run_timers(struct replay *replay)
{
    FOR_SIDES(replay, world)
    {
        if (world_next(world) == 0)
            world_run(world);
    }
}

static void go_to(struct replay *replay, wall_t at)
{
    if (!replay->begun) {
        testkit_fake_clock(at, mono_now());
        replay->begun = true;
        replay->at = at;
    }
    while (replay->at < at) {
        int64_t step = next_step(replay, at - replay->at);
        clock_advance(step);
        replay->at += step;
        run_timers(replay);
    }
    bool compares = replay->settings.since == ABSENT || at >= replay->settings.since;
    FOR_SIDES(replay, world)
    {
        world->compares = compares;
    }
}

/* ---- messages ---- */

static void need_connection(struct replay *replay, const struct replay_message *message)
{
    int64_t *known = map_gets(&replay->connections, message->cp);
    if (known && *known == message->connection)
        return;
    if (!known) {
        known = xmalloc(sizeof(*known));
        map_put(&replay->connections, span_of(message->cp), known);
    }
    *known = message->connection;
    FOR_SIDES(replay, world)
    {
        world_connect(world, message->cp);
    }
}

static void from_charger(struct replay *replay, const struct replay_message *message,
                         const struct frame *frame)
{
    int64_t transaction_id = 0;
    bool is_answer = frame->kind == FRAME_RESULT || frame->kind == FRAME_ERROR;
    json_int(json_get(frame->payload, "transactionId"), &transaction_id);
    FOR_SIDES(replay, world)
    {
        if (is_answer && frame->id)
            world_answered(world, message->cp, frame->id, message->text, message->len);
        else
            world_receive(world, message->cp, transaction_id, message->text, message->len);
    }
}

static bool is_of_people(const struct replay_message *message)
{
    return message->asked_by && strncmp(message->asked_by, "policy ", 7) != 0;
}

static void from_us(struct replay *replay, const struct replay_message *message,
                    const struct frame *frame)
{
    int64_t id;
    const char *verdict = json_gets(json_get(frame->payload, "idTagInfo"), "status");
    bool started =
        frame->kind == FRAME_RESULT && json_int(json_get(frame->payload, "transactionId"), &id);
    bool asked = frame->kind == FRAME_CALL && is_of_people(message);
    FOR_SIDES(replay, world)
    {
        if (started)
            world_started(world, message->cp, id, verdict);
        else if (asked)
            world_command(world, message->cp, frame->id, frame->action, frame->payload);
    }
}

void replay_message(struct replay *replay, const struct replay_message *message)
{
    struct arena arena = {0};
    struct frame frame;
    go_to(replay, message->at);
    if (replay->sides[SIDE_CANDIDATE]->compares)
        replay->totals.messages++;
    need_connection(replay, message);
    char *text = arena_strndup(&arena, message->text, message->len);
    frame_parse(&frame, &arena, &version_16, text, message->len);
    if (message->outgoing)
        from_us(replay, message, &frame);
    else
        from_charger(replay, message, &frame);
    arena_clear(&arena);
}

/* ---- what was recorded at the time ---- */

static void add_recorded(struct replay *replay, const struct fact *fact)
{
    bool wanted = replay->settings.since == ABSENT || fact->at >= replay->settings.since;
    if (!replay->sides[SIDE_BASE] && wanted)
        diff_add(&replay->diff, SIDE_BASE, fact);
}

void replay_recorded_decision(struct replay *replay, const struct record_decision *row)
{
    struct arena arena = {0};
    struct fact fact;
    if (!decision_counts(row))
        return;
    fact_of_decision(&arena, row, &fact);
    add_recorded(replay, &fact);
    arena_clear(&arena);
}

void replay_recorded_command(struct replay *replay, const struct record_command *row)
{
    struct arena arena = {0};
    struct fact fact;
    fact_of_command(&arena, row, &fact);
    add_recorded(replay, &fact);
    arena_clear(&arena);
}

void replay_end(struct replay *replay, struct replay_totals *totals)
{
    FOR_SIDES(replay, world)
    {
        world->compares = false;
    }
    diff_end(&replay->diff);
    *totals = replay->totals;
}
