/* See replay_world.h: the ports of the station, and the chargers that the record speaks for. */
#include "policy/replay_world.h"

#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/random.h"
#include "base/timetext.h"
#include "ocpp/frame.h"
#include "policy/policy.h"

enum { TURNS_AT_END = 10000 };

/* ---- facts ---- */

static void take_fact(struct world *world, const struct record *row)
{
    struct arena arena = {0};
    struct fact fact;
    if (row->kind == RECORD_DECISION)
        fact_of_decision(&arena, &row->decision, &fact);
    else
        fact_of_command(&arena, &row->command, &fact);
    diff_add(world->diff, world->side, &fact);
    arena_clear(&arena);
}

/* Queued is when a command is told for the first time. */
static bool is_fact(const struct record *row)
{
    return (row->kind == RECORD_DECISION && decision_counts(&row->decision)) ||
           (row->kind == RECORD_COMMAND && text_is(row->command.state, "queued") &&
            row->command.asked_by && strncmp(row->command.asked_by, "policy ", 7) == 0);
}

/* ---- the store ---- */

/* `id` is for the StartTransaction in it, if there is one that is new. */
static void commit(struct world *world, struct batch *batch, int64_t id)
{
    for (struct record *row = batch->first; row; row = row->next) {
        if (row->kind == RECORD_START_FIND) {
            replayed_find(&world->store, &batch->arena, &row->start);
        } else if (row->kind == RECORD_START &&
                   !replayed_find(&world->store, &batch->arena, &row->start)) {
            row->start.out_id = id;
            replayed_keep(&world->store, &row->start);
        } else if (row->kind == RECORD_STOP) {
            replayed_stop(&world->store, &row->stop);
        }
        if (world->compares && is_fact(row))
            take_fact(world, row);
    }
    if (batch->done)
        batch->done(batch->ctx, batch);
    else
        batch_free(batch);
}

/* The charge point whose new transaction is in it, or NULL. */
static const char *starts_at(struct world *world, struct batch *batch)
{
    for (struct record *row = batch->first; row; row = row->next) {
        struct record_start seen;
        if (row->kind != RECORD_START)
            continue;
        seen = row->start;
        return replayed_find(&world->store, &batch->arena, &seen) ? NULL : row->start.cp;
    }
    return NULL;
}

/* Its StartTransaction was never answered, so the charger will repeat it (X4). */
static void fail_held(struct world *world, const char *cp)
{
    struct batch *batch = map_remove(&world->held, span_of(cp));
    if (!batch)
        return;
    batch->failed = true;
    batch->done(batch->ctx, batch);
}

static void store_next(struct world *world)
{
    struct batch *batch = world->batches;
    world->batches = batch->next;
    if (!world->batches)
        world->batches_end = &world->batches;
    const char *cp = starts_at(world, batch);
    if (cp)
        map_put(&world->held, span_of(cp), batch); /* one at most: a lane handles one CALL */
    else
        commit(world, batch, 0);
}

/* ---- ports ---- */

static bool port_send(void *ctx, uint64_t connection, const char *text, size_t len)
{
    struct world *world = ctx;
    struct world_frame *frame = xmalloc(sizeof(*frame) + len + 1);
    *frame = (struct world_frame){.connection = connection, .len = len};
    memcpy(frame->text, text, len);
    frame->text[len] = '\0';
    *world->frames_end = frame;
    world->frames_end = &frame->next;
    return true;
}

static void port_close(void *ctx, uint64_t connection, int code, const char *reason)
{
    (void)ctx;
    (void)connection;
    (void)code;
    (void)reason;
}

static void port_pause(void *ctx, uint64_t connection, bool paused)
{
    (void)ctx;
    (void)connection;
    (void)paused;
}

static void port_submit(void *ctx, struct batch *batch)
{
    struct world *world = ctx;
    batch->next = NULL;
    *world->batches_end = batch;
    world->batches_end = &batch->next;
}

struct told {
    struct world *world;
    event_done done;
    void *ctx;
};

static void on_verdict(void *ctx, const struct verdict *verdict)
{
    struct told told = *(struct told *)ctx;
    struct world *world = told.world;
    xfree(ctx);
    if (verdict->kind == VERDICT_FAILED && world->compares) {
        struct policy_error *first = &world->totals->first_failure[world->side];
        if (world->totals->failures[world->side]++ == 0) {
            text_copy(first->file, sizeof(first->file),
                      span_of(verdict->file ? verdict->file : ""));
            text_copy(first->message, sizeof(first->message),
                      span_of(verdict->why ? verdict->why : ""));
            first->line = (int)verdict->line;
        }
    }
    told.done(told.ctx, verdict);
}

static void port_ask(void *ctx, const struct event *event, event_done done, void *done_ctx)
{
    struct world *world = ctx;
    struct told *told = xmalloc(sizeof(*told));
    *told = (struct told){world, done, done_ctx};
    hooks_event(world->generation, event, on_verdict, told);
}

static bool port_listens(void *ctx, enum event_kind kind, const char *action)
{
    const struct world *world = ctx;
    return hooks_listens(world->generation, kind, action);
}

/* ---- chargers ---- */

static uint64_t connection_of(const struct world *world, const char *cp)
{
    const struct charge_point *found = station_find(world->station, cp);
    return found ? found->connection : 0;
}

static const char *identity_of(const struct world *world, uint64_t connection)
{
    const struct charge_point *cp;
    size_t at = 0;
    while ((cp = station_next(world->station, &at)) != NULL) {
        if (cp->connection == connection)
            return cp->id;
    }
    return NULL;
}

static void receive(struct world *world, const char *cp, const char *text, size_t len)
{
    uint64_t connection = connection_of(world, cp);
    if (connection)
        station_received(world->station, cp, connection, text, len);
}

/* The charger ends it, as if this had happened now. */
static void cut_transaction(struct world *world, int64_t id, const char *reason, bool no_energy)
{
    struct replayed *kept = replayed_at(&world->store, id);
    const struct transaction *tx = station_transaction(world->station, id);
    char uuid[UUID_SIZE], time[TIMETEXT_SIZE];
    if (!kept || kept->cut || kept->ended || !tx)
        return;
    kept->cut = true;
    bool measured = !no_energy && tx->sample.energy_wh != ABSENT;
    int64_t meter = measured ? tx->sample.energy_wh : tx->meter_start_wh;
    uuid_new(uuid);
    timetext_millis(wall_now(), time);
    char *text =
        xprintf("[2,\"%s\",\"StopTransaction\",{\"transactionId\":%lld,\"meterStop\":%lld,"
                "\"timestamp\":\"%s\",\"reason\":\"%s\"}]",
                uuid, (long long)id, (long long)(meter == ABSENT ? 0 : meter), time, reason);
    receive(world, kept->cp, text, strlen(text));
    xfree(text);
}

/* What a charger that means well says. */
static const char *answer_to(const char *action)
{
    static const struct {
        const char *action, *answer;
    } answers[] = {{"UnlockConnector", "{\"status\":\"Unlocked\"}"},
                   {"GetConfiguration", "{\"configurationKey\":[],\"unknownKey\":[]}"},
                   {"GetLocalListVersion", "{\"listVersion\":0}"},
                   {"GetDiagnostics", "{}"},
                   {"UpdateFirmware", "{}"}};
    for (size_t i = 0; i < ARRAY_LEN(answers); i++) {
        if (text_is(answers[i].action, action))
            return answers[i].answer;
    }
    return "{\"status\":\"Accepted\"}";
}

static void answer_call(struct world *world, const char *cp, const struct frame *frame)
{
    struct strbuf text = {0};
    int64_t id;
    if (map_gets(&world->asked_ours, frame->id))
        return; /* the record answers it */
    frame_write_result(&text, frame->id, span_of(answer_to(frame->action)));
    receive(world, cp, strbuf_text(&text), text.len);
    strbuf_clear(&text);
    if (text_is(frame->action, "RemoteStopTransaction") &&
        json_int(json_get(frame->payload, "transactionId"), &id))
        cut_transaction(world, id, "Remote", false);
}

static void send_next(struct world *world)
{
    struct world_frame *first = world->frames;
    struct arena arena = {0};
    struct frame frame;
    world->frames = first->next;
    if (!world->frames)
        world->frames_end = &world->frames;
    frame_parse(&frame, &arena, &version_16, first->text, first->len);
    const char *cp = frame.kind == FRAME_CALL ? identity_of(world, first->connection) : NULL;
    if (cp) {
        cp = arena_strdup(&arena, cp);
        answer_call(world, cp, &frame);
    }
    arena_clear(&arena);
    xfree(first);
}

/* Until nothing is left to happen at this moment. */
static void settle(struct world *world)
{
    for (;;) {
        if (world->batches) {
            store_next(world);
        } else if (world->frames) {
            send_next(world);
        } else {
            station_flush(world->station);
            if (!world->batches)
                return;
        }
    }
}

/* ---- what the record tells ---- */

int64_t world_next(const struct world *world)
{
    return timers_next(&world->timers);
}

void world_run(struct world *world)
{
    timers_run(&world->timers);
    settle(world);
}

void world_connect(struct world *world, const char *cp)
{
    uint64_t before = connection_of(world, cp);
    fail_held(world, cp);
    settle(world);
    if (before)
        station_disconnected(world->station, cp, before, "replay");
    station_connected(world->station, cp, ++world->last_connection, &version_16, "replay");
    settle(world);
}

void world_receive(struct world *world, const char *cp, int64_t transaction_id, const char *text,
                   size_t len)
{
    const struct replayed *tx = replayed_at(&world->store, transaction_id);
    if (tx && tx->cut)
        return;
    receive(world, cp, text, len);
    settle(world);
}

void world_answered(struct world *world, const char *cp, const char *id, const char *text,
                    size_t len)
{
    const char *ours = map_gets(&world->asked, id);
    const char *at = strstr(text, id);
    if (!ours || !at)
        return; /* of a command of a policy, which was answered here already */
    struct strbuf frame = {0};
    strbuf_add(&frame, text, (size_t)(at - text));
    strbuf_add(&frame, ours, strlen(ours));
    strbuf_add(&frame, at + strlen(id), len - (size_t)(at - text) - strlen(id));
    receive(world, cp, strbuf_text(&frame), frame.len);
    strbuf_clear(&frame);
    settle(world);
}

void world_started(struct world *world, const char *cp, int64_t id, const char *verdict)
{
    struct batch *batch = map_remove(&world->held, span_of(cp));
    if (!batch)
        return;
    commit(world, batch, id);
    settle(world);
    const struct replayed *tx = replayed_at(&world->store, id);
    bool let_in = tx && text_is(tx->verdict, "Accepted");
    if (tx && !let_in && text_is(verdict, "Accepted"))
        cut_transaction(world, id, "DeAuthorized", true);
    settle(world);
}

void world_command(struct world *world, const char *cp, const char *id, const char *action,
                   const struct json *payload)
{
    struct strbuf text = {0};
    char ours[UUID_SIZE];
    json_write(&text, payload);
    const struct command command = {
        .action = action, .payload = strbuf_text(&text), .asked_by = "replay"};
    station_command(world->station, cp, &command, ours, NULL, NULL);
    xfree(map_put(&world->asked, span_of(id), xstrdup(ours)));
    map_put(&world->asked_ours, span_of(ours), world);
    strbuf_clear(&text);
    settle(world);
}

/* ---- life ---- */

struct world *world_new(enum replay_side side, struct generation *generation,
                        const struct station_settings *settings, struct diff *diff,
                        struct replay_totals *totals)
{
    struct world *world = xcalloc(1, sizeof(*world));
    const struct station_ports ports = {.ctx = world,
                                        .send = port_send,
                                        .close = port_close,
                                        .pause = port_pause,
                                        .submit = port_submit,
                                        .ask = port_ask,
                                        .listens = port_listens};
    struct station_settings open = *settings;
    open.registration = ADMIT_OPEN; /* who was let in is in the record */
    world->side = side;
    world->generation = generation;
    world->diff = diff;
    world->totals = totals;
    world->frames_end = &world->frames;
    world->batches_end = &world->batches;
    world->held.ignore_case = true;
    world->station = station_new(&open, &ports, &world->timers);
    generation->phase = PHASE_TESTING;
    generation->station = world->station;
    everys_start(generation, &world->timers);
    return world;
}

static void drop_chargers(struct world *world)
{
    struct charge_point *cp;
    size_t at = 0;
    while ((cp = station_next(world->station, &at)) != NULL) {
        if (cp->connection)
            station_disconnected(world->station, cp->id, cp->connection, "the replay is over");
    }
}

static void fail_all_held(struct world *world)
{
    const struct map_entry *entry;
    size_t at = 0;
    while ((entry = map_next(&world->held, &at)) != NULL)
        fail_held(world, entry->key);
}

void world_free(struct world *world)
{
    const struct map_entry *entry;
    size_t at = 0;
    if (!world)
        return;
    world->compares = false; /* what is cut off now proves nothing */
    everys_stop(world->generation, &world->timers);
    for (int i = 0; i < TURNS_AT_END; i++) {
        fail_all_held(world);
        drop_chargers(world);
        settle(world);
        if (world->held.count == 0 && station_idle(world->station))
            break;
    }
    world->generation->station = NULL;
    world->generation->timers = NULL;
    generation_free(world->generation);
    station_free(world->station);
    timers_clear(&world->timers);
    replayed_clear(&world->store);
    while ((entry = map_next(&world->asked, &at)) != NULL)
        xfree(entry->value);
    map_clear(&world->asked);
    map_clear(&world->asked_ours);
    map_clear(&world->held);
    xfree(world);
}
