/* See testkit.h: the station of a test with its ports, and the queues behind them. */
#include "policy/testkit.h"
#include "policy/quirk.h"
#include "policy/site.h"

#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "ocpp/frame.h"

enum { STEPS_AT_END = 10000 };

static const struct station_settings settings = {
    .registration = ADMIT_OPEN,
    .heartbeat_interval_s = 300,
    .pending_interval_s = 60,
    .call_timeout_ms = 30000,
    .queue_timeout_ms = 60000,
    .boot_grace_ms = 10000,
    .clock_tolerance_ms = 5000,
    .remote_start_ms = 300000,
    .late_after_ms = 300000,
    .authorize_default = "Invalid",
    .authorize_failed = "Invalid",
};

/* ---- transactions: what the store would know ---- */

static struct testkit_ended *transaction_of(const struct testkit *kit, int64_t id)
{
    return id >= 1 && (size_t)id <= kit->transaction_count ? &kit->transactions[id - 1] : NULL;
}

const struct testkit_ended *testkit_ended(const struct generation *generation, int64_t id)
{
    return generation->testkit ? transaction_of(generation->testkit, id) : NULL;
}

static void commit_start(struct testkit *kit, struct record_start *row)
{
    kit->transactions = xgrow(kit->transactions, kit->transaction_count, &kit->transaction_room,
                              sizeof(*kit->transactions));
    row->out_id = (int64_t)kit->transaction_count + 1;
    kit->transactions[kit->transaction_count++] =
        (struct testkit_ended){.id = row->out_id,
                               .connector = row->evse,
                               .start_ms = row->start_ms,
                               .meter_start_wh = row->meter_start_wh,
                               .energy_wh = ABSENT,
                               .flags = row->flags,
                               .cp = xstrdup(row->cp),
                               .id_tag = xstrdup_or_null(row->id_tag)};
}

/* JSON text of a member of a JSON object; xfree. NULL: none. */
static char *member_text(const char *object, const char *name)
{
    struct arena arena = {0};
    struct strbuf text = {0};
    const struct json *tree =
        object ? json_parse(&arena, object, strlen(object), NULL, NULL) : NULL;
    const struct json *member = json_get(tree, name);
    if (member)
        json_write(&text, member);
    arena_clear(&arena);
    return member ? strbuf_take(&text, NULL) : NULL;
}

static void commit_stop(struct testkit *kit, struct record_stop *row)
{
    struct testkit_ended *tx = transaction_of(kit, row->id);
    if (!tx || !text_is_ci(tx->cp, row->cp)) {
        row->out_outcome = STOP_UNKNOWN;
        return;
    }
    row->out_outcome = tx->reason ? STOP_REPEAT : STOP_DONE;
    row->out_evse = tx->connector;
    row->out_connector = tx->connector > 0 ? 1 : 0;
    if (tx->reason)
        return;
    tx->reason = xstrdup(row->reason ? row->reason : "Local");
    tx->policy_reason = member_text(row->vars, "stop_reason");
    tx->energy_wh = row->energy_wh;
    tx->stop_ms = row->stop_ms;
    tx->flags |= row->set_flags;
}

static void commit_price(struct testkit *kit, const struct record_price *row)
{
    struct testkit_ended *tx = transaction_of(kit, row->id);
    if (!tx)
        return;
    price_set(&tx->price, row);
    tx->flags |= row->set_flags;
}

static void commit(struct testkit *kit, struct batch *batch)
{
    for (struct record *row = batch->first; row; row = row->next) {
        if (row->kind == RECORD_START)
            commit_start(kit, &row->start);
        else if (row->kind == RECORD_STOP)
            commit_stop(kit, &row->stop);
        else if (row->kind == RECORD_PRICE)
            commit_price(kit, &row->price);
    }
    if (batch->done)
        batch->done(batch->ctx, batch);
    else
        batch_free(batch);
}

/* ---- ports ---- */

static bool port_send(void *ctx, uint64_t connection, const char *text, size_t len)
{
    struct testkit *kit = ctx;
    struct testkit_frame *frame = xmalloc(sizeof(*frame) + len + 1);
    *frame = (struct testkit_frame){.connection = connection, .len = len};
    memcpy(frame->text, text, len);
    frame->text[len] = '\0';
    if (kit->frames_last)
        kit->frames_last->next = frame;
    else
        kit->frames = frame;
    kit->frames_last = frame;
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
    struct testkit *kit = ctx;
    batch->next = NULL;
    if (kit->batches_last)
        kit->batches_last->next = batch;
    else
        kit->batches = batch;
    kit->batches_last = batch;
}

struct asking {
    struct testkit *kit;
    event_done done;
    void *ctx;
};

/* A handler that fails is the test's failure too, unless it is what the test wants to see. */
static void on_verdict(void *ctx, const struct verdict *verdict)
{
    struct asking asking = *(struct asking *)ctx;
    xfree(ctx);
    if (verdict->kind == VERDICT_FAILED && !asking.kit->failure.text[0] &&
        !asking.kit->failures_allowed) {
        const char *why = verdict->why ? verdict->why : "no reason given";
        if (verdict->file && !strstr(why, verdict->file))
            reason_set(&asking.kit->failure, "%s:%lld: %s", verdict->file, (long long)verdict->line,
                       why);
        else
            reason_set(&asking.kit->failure, "%s", why);
    }
    asking.done(asking.ctx, verdict);
}

static void port_ask(void *ctx, const struct event *event, event_done done, void *done_ctx)
{
    struct testkit *kit = ctx;
    struct asking *asking = xmalloc(sizeof(*asking));
    *asking = (struct asking){kit, done, done_ctx};
    hooks_event(kit->generation, event, on_verdict, asking);
}

static bool port_listens(void *ctx, enum event_kind kind, const char *action)
{
    const struct testkit *kit = ctx;
    return hooks_listens(kit->generation, kind, action);
}

/* ---- life ---- */

struct testkit *testkit_new(struct generation *generation)
{
    struct testkit *kit = xcalloc(1, sizeof(*kit));
    const struct station_ports ports = {.ctx = kit,
                                        .send = port_send,
                                        .close = port_close,
                                        .pause = port_pause,
                                        .submit = port_submit,
                                        .ask = port_ask,
                                        .listens = port_listens};
    kit->generation = generation;
    kit->station = station_new(&settings, &ports, &kit->timers);
    generation->station = kit->station;
    generation->testkit = kit;
    everys_start(generation, &kit->timers);
    quirks_start(generation);
    sites_start(generation);
    return kit;
}

static void drop_chargers(struct testkit *kit)
{
    struct charge_point *cp;
    size_t at = 0;
    while ((cp = station_next(kit->station, &at)) != NULL) {
        if (cp->connection) {
            station_disconnected(kit->station, cp->id, cp->connection, "the test is over");
            at = 0;
        }
    }
}

static void free_results(struct testkit *kit)
{
    while (kit->results) {
        struct testkit_result *result = kit->results;
        kit->results = result->next;
        xfree(result->id);
        xfree(result->frame);
        xfree(result);
    }
    while (kit->answers) {
        struct testkit_answer *answer = kit->answers;
        kit->answers = answer->next;
        testkit_read_source(kit, answer, true);
        strbuf_clear(&answer->body);
        xfree(answer);
    }
}

void testkit_free(struct testkit *kit)
{
    struct generation *generation = kit->generation;
    struct testkit_call call;
    kit->failures_allowed = true; /* handlers that are cut off now prove nothing */
    everys_stop(generation, &kit->timers);
    drop_chargers(kit);
    testkit_http_end(kit);
    for (int i = 0; i < STEPS_AT_END && testkit_step(kit, &call); i++)
        drop_chargers(kit);
    testkit_http_end(kit);
    free_results(kit);
    generation->station = NULL;
    generation->timers = NULL;
    generation->testkit = NULL;
    station_free(kit->station);
    timers_clear(&kit->timers);
    for (size_t i = 0; i < kit->transaction_count; i++) {
        xfree(kit->transactions[i].cp);
        xfree(kit->transactions[i].id_tag);
        xfree(kit->transactions[i].reason);
        xfree(kit->transactions[i].policy_reason);
        price_clear(&kit->transactions[i].price);
    }
    xfree(kit->transactions);
    arena_clear(&kit->arena);
    xfree(kit);
}

/* ---- bodies that come piece by piece ---- */

void testkit_read_source(struct testkit *kit, struct testkit_answer *answer, bool last)
{
    char piece[4096];
    ptrdiff_t got = answer->has_source ? 1 : BODY_END;
    while (!last && got > 0) {
        got = answer->source.read(answer->source.ctx, piece, sizeof(piece));
        if (got > 0)
            strbuf_add(&answer->body, piece, (size_t)got);
        if (got == 0 && timers_next(&kit->timers) == 0) { /* who writes it goes on in its turn */
            timers_run(&kit->timers);
            got = 1;
        }
    }
    if (answer->has_source && (last || got < 0)) {
        answer->has_source = false;
        answer->source.close(answer->source.ctx);
    }
}

/* ---- chargers ---- */

uint64_t testkit_connection(struct testkit *kit, const char *cp)
{
    const struct charge_point *found = station_find(kit->station, cp);
    return found ? found->connection : 0;
}

const char *testkit_identity(struct testkit *kit, uint64_t connection)
{
    const struct charge_point *cp;
    size_t at = 0;
    while ((cp = station_next(kit->station, &at)) != NULL) {
        if (cp->connection == connection)
            return cp->id;
    }
    return NULL;
}

void testkit_connect(struct testkit *kit, const char *cp)
{
    station_connected(kit->station, cp, ++kit->last_connection, &version_16, "192.0.2.1");
}

void testkit_disconnect(struct testkit *kit, const char *cp)
{
    uint64_t connection = testkit_connection(kit, cp);
    if (connection)
        station_disconnected(kit->station, cp, connection, "the test said so");
}

void testkit_receive(struct testkit *kit, const char *cp, const char *text, size_t len)
{
    uint64_t connection = testkit_connection(kit, cp);
    if (connection)
        station_received(kit->station, cp, connection, text, len);
}

/* ---- steps ---- */

static void keep_result(struct testkit *kit, const char *id, const struct testkit_frame *frame)
{
    struct testkit_result *result = xmalloc(sizeof(*result));
    *result = (struct testkit_result){kit->results, xstrdup(id), xstrndup(frame->text, frame->len)};
    kit->results = result;
}

char *testkit_take_result(struct testkit *kit, const char *id)
{
    for (struct testkit_result **at = &kit->results; *at; at = &(*at)->next) {
        struct testkit_result *result = *at;
        if (!text_is(result->id, id))
            continue;
        char *frame = result->frame;
        *at = result->next;
        xfree(result->id);
        xfree(result);
        return frame;
    }
    return NULL;
}

/* True: it is a CALL that its charger has to answer. */
static bool take_frame(struct testkit *kit, struct testkit_call *call)
{
    struct testkit_frame *first = kit->frames;
    struct frame frame;
    kit->frames = first->next;
    if (!kit->frames)
        kit->frames_last = NULL;
    arena_clear(&kit->arena);
    char *text = arena_strndup(&kit->arena, first->text, first->len);
    frame_parse(&frame, &kit->arena, &version_16, text, first->len);
    const char *cp = testkit_identity(kit, first->connection);
    bool is_call = frame.kind == FRAME_CALL && cp;
    if (is_call)
        *call = (struct testkit_call){arena_strdup(&kit->arena, cp), frame.id, frame.action,
                                      frame.payload};
    else if ((frame.kind == FRAME_RESULT || frame.kind == FRAME_ERROR) && frame.id)
        keep_result(kit, frame.id, first);
    xfree(first);
    return is_call;
}

/* What belongs to this very moment, such as sharing a site's power anew. */
static bool run_due(struct testkit *kit)
{
    bool due = timers_next(&kit->timers) == 0;
    timers_run(&kit->timers);
    return due;
}

bool testkit_step(struct testkit *kit, struct testkit_call *call)
{
    for (;;) {
        if (kit->batches) {
            struct batch *batch = kit->batches;
            kit->batches = batch->next;
            if (!kit->batches)
                kit->batches_last = NULL;
            commit(kit, batch);
        } else if (kit->frames) {
            if (take_frame(kit, call))
                return true;
        } else {
            station_flush(kit->station);
            if (!kit->batches && !run_due(kit))
                return false;
        }
    }
}

void testkit_fake_clock(wall_t wall, mono_t mono)
{
    clock_fake(wall);
    int64_t ran = mono - mono_now(); /* a fresh fake clock starts its monotonic time anew */
    clock_fake(wall - ran);
    clock_advance(ran);
}
