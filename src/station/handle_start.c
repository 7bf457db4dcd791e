/* StartTransaction: rules X1 to X6, X12, X15, A5, A6.
 *
 * Always answered with an id, whatever it holds (X1); the tag's verdict stands beside it. Steps: is
 * it a repeat (X3)? may the tag charge? store, then answer (X4), then on.start. A failing store is
 * the only way to an error: the charger repeats then. */
#include "base/mem.h"
#include "station/decide.h"
#include "station/decimal.h"
#include "station/effects.h"
#include "station/limit.h"
#include "station/moment.h"
#include "station/pending.h"

struct start {
    int64_t evse, connector;
    const char *id_tag; /* "" if missing */
    struct moment when;
    int64_t start_ms; /* in the repeat key */
    int64_t meter_start_wh, reservation_id;
    int64_t flags;
    struct ask ask;
    struct decision decision;
    struct record *row;
};

/* ---- reading it ---- */

static int64_t member_int(const struct call *call, const char *name)
{
    int64_t value;
    return json_int(json_get(call->frame.payload, name), &value) ? value : ABSENT;
}

static void read_meter(struct call *call, struct start *start)
{
    start->meter_start_wh = member_int(call, "meterStart");
    if (start->meter_start_wh == ABSENT && call->meter_text &&
        !decimal_scaled(span_of(call->meter_text), 0, &start->meter_start_wh))
        start->meter_start_wh = ABSENT;
    if (!decimal_fits(start->meter_start_wh)) { /* no register says that; ABSENT neither fits */
        start->meter_start_wh = ABSENT;
        start->flags |= TX_SUSPECT_METER | (call->meter_text ? 0 : TX_INCOMPLETE);
    }
}

static void read_time(struct call *call, struct start *start)
{
    start->when = moment_read(call, json_gets(call->frame.payload, "timestamp"));
    start->start_ms = start->when.parsed_ms;
    if (start->when.suspect)
        start->flags |= TX_SUSPECT_CLOCK;
    if (start->start_ms == ABSENT) {
        start->start_ms = call->received_ms;
        start->flags |= TX_SUSPECT_CLOCK | TX_INCOMPLETE;
    }
    if (call->received_ms - start->when.at_ms > call->st->settings.late_after_ms)
        start->flags |= TX_LATE; /* X5 */
}

static struct start *start_read(struct call *call)
{
    struct start *start = ARENA_NEW(&call->arena, struct start);
    int64_t connector_id = member_int(call, "connectorId");
    start->evse = connector_id == ABSENT ? 0 : connector_id;
    start->connector = connector_number(start->evse);
    start->id_tag = id_tag_normal(call->cp, &call->arena, json_gets(call->frame.payload, "idTag"));
    if (connector_id == ABSENT || !start->id_tag)
        start->flags |= TX_INCOMPLETE;
    if (!start->id_tag)
        start->id_tag = "";
    start->reservation_id = member_int(call, "reservationId");
    if (start->reservation_id == 0) /* Q27 */
        start->reservation_id = ABSENT;
    read_meter(call, start);
    read_time(call, start);
    return start;
}

/* ---- answering ---- */

static void answer(struct call *call, int64_t id, const struct decision *decision)
{
    struct json *payload = call_object(call);
    json_add(&call->arena, payload, "idTagInfo", decision_info(call, decision));
    json_addi(&call->arena, payload, "transactionId", id);
    call_answer(call, payload);
}

/* X3: same id, same verdict, nothing else. */
static void answer_repeat(struct call *call, const struct record_start *first)
{
    const struct decision decision = {
        .status = arena_strdup(&call->arena, first->out_verdict ? first->out_verdict : "Invalid"),
        .parent_id_tag = arena_strdup(&call->arena, first->out_parent_id_tag),
        .expiry = arena_strdup(&call->arena, first->out_expiry)};
    call->st->counters.repeats++;
    call->note = "repeated StartTransaction";
    answer(call, first->out_id, &decision);
}

/* ---- storing ---- */

static void fill_row(struct call *call, const struct start *start, struct record_start *row,
                     struct arena *arena)
{
    *row = (struct record_start){
        .cp = arena_strdup(arena, call->cp->id),
        .evse = start->evse,
        .connector = start->connector,
        .id_tag = arena_strdup(arena, start->id_tag),
        .parent_id_tag = arena_strdup(arena, start->decision.parent_id_tag),
        .start_ms = start->start_ms,
        .start_text = arena_strdup(arena, start->when.text),
        .received_ms = call->received_ms,
        .meter_start_wh = start->meter_start_wh,
        .meter_start_text = arena_strdup(arena, call->meter_text),
        .reservation_id = start->reservation_id,
        .verdict = arena_strdup(arena, start->decision.status),
        .expiry = arena_strdup(arena, start->decision.expiry),
        .flags = start->flags,
        .generation = start->decision.generation,
    };
}

/* The open transaction of the connector, if it began after this one (X5: this comes late). */
static const struct transaction *newer_one(struct call *call, const struct start *start,
                                           const struct connector *at)
{
    const struct transaction *tx = transaction_of(call->st, call->cp, at->transaction_id);
    return tx && tx->start_ms > start->when.at_ms ? tx : NULL;
}

static void add_transaction(struct call *call, const struct start *start, int64_t id)
{
    struct transaction *tx = transaction_new(call->cp->id);
    tx->id = id;
    tx->evse = start->evse;
    tx->connector = start->connector;
    tx->id_tag = xstrdup(start->id_tag);
    tx->parent_id_tag = xstrdup_or_null(start->decision.parent_id_tag);
    tx->verdict = xstrdup(start->decision.status);
    tx->start_ms = start->flags & TX_SUSPECT_CLOCK ? call->received_ms : start->start_ms;
    tx->received_ms = call->received_ms;
    tx->meter_start_wh = start->meter_start_wh;
    tx->reservation_id = start->reservation_id;
    tx->flags = start->flags;
    tx->generation = start->decision.generation;
    transaction_add(call->st, tx);
    struct connector *at = station_connector(call->cp, start->evse, start->connector);
    if (at && !newer_one(call, start, at))
        at->transaction_id = id;
}

/* X16: the remote start that led to it brings its vars. Not to one that comes late (X5): it began
 * without it. */
static void take_pending(struct call *call, const struct start *start, int64_t id)
{
    struct transaction *tx = station_transaction(call->st, id);
    if (start->flags & TX_LATE)
        return;
    pending_take(call->st, call->cp, start->evse, start->id_tag, &tx->vars);
    if (tx->vars.dirty)
        transaction_vars_row(call->st, tx);
}

static void stored(struct call *call, struct batch *batch)
{
    struct start *start = call->work;
    if (batch->failed) { /* X4 */
        call_error(call, OCPP_INTERNAL_ERROR, "");
        return;
    }
    const struct record_start *row = &start->row->start;
    if (row->out_repeat) {
        answer_repeat(call, row);
        return;
    }
    int64_t id = row->out_id;
    add_transaction(call, start, id);
    take_pending(call, start, id);
    limit_transaction_began(call->st, station_transaction(call->st, id));
    if (start->reservation_id != ABSENT) /* C8 */
        effects_reservation_used(call->st, call->cp, start->reservation_id, id);
    struct event event = {.kind = EVENT_START,
                          .connector = start->evse,
                          .transaction_id = id,
                          .id_tag = start->ask.id_tag};
    lane_event(call->lane, &event, false);
    answer(call, id, &start->decision);
}

/* X15: what was open on this connector has lost its StopTransaction. */
static void mark_stale(struct call *call, struct batch *batch, const struct start *start,
                       const struct connector *at)
{
    struct transaction *tx = transaction_of(call->st, call->cp, at->transaction_id);
    if (!tx || newer_one(call, start, at))
        return;
    tx->flags |= TX_STALE;
    struct record *row = batch_add(batch, RECORD_TRANSACTION_VARS);
    row->transaction_vars = (struct record_transaction_vars){
        .id = tx->id, .vars = vars_text(&batch->arena, &tx->vars), .set_flags = TX_STALE};
}

/* X12: energy that nobody reported. */
static void check_gap(struct call *call, struct batch *batch, struct start *start,
                      const struct connector *at)
{
    if (at->last_meter_stop_wh == ABSENT || start->meter_start_wh == ABSENT ||
        at->last_meter_stop_wh == start->meter_start_wh)
        return;
    start->flags |= TX_GAP;
    row_event(batch, call->cp->id, "meter_gap",
              arena_printf(&call->arena,
                           "{\"connector\":%lld,\"lastMeterStop\":%lld,\"meterStart\":%lld}",
                           (long long)start->evse, (long long)at->last_meter_stop_wh,
                           (long long)start->meter_start_wh));
}

static void store(struct call *call)
{
    struct start *start = call->work;
    struct batch *batch = call_batch(call);
    struct connector *at = connector_ensure(call->cp, start->evse, start->connector);
    if (at) {
        check_gap(call, batch, start, at);
        mark_stale(call, batch, start, at);
        if (!start->when.suspect && start->start_ms > at->newest_start_ms)
            at->newest_start_ms = start->start_ms;
        if (!call->cp->deleted)
            row_connector(batch, call->cp, at);
    }
    start->row = batch_add(batch, RECORD_START);
    fill_row(call, start, &start->row->start, &batch->arena);
    decision_row(call, &start->ask, &start->decision, batch_add(batch, RECORD_DECISION),
                 &batch->arena);
    call_store(call, stored);
}

/* ---- deciding ---- */

static void decided(struct call *call, const struct decision *decision)
{
    struct start *start = call->work;
    start->decision = *decision;
    if (!text_is(decision->status, "Accepted"))
        start->flags |= TX_REFUSED; /* X6 */
    store(call);
}

static void decide(struct call *call)
{
    struct start *start = call->work;
    start->ask = (struct ask){.purpose = "start",
                              .id_tag = start->id_tag,
                              .connector = start->evse,
                              .evse_connector = start->connector};
    call_decide(call, &start->ask, decided);
}

/* ---- repeats (X3) ---- */

static void found(struct call *call, struct batch *batch)
{
    struct start *start = call->work;
    if (batch->failed) {
        call_error(call, OCPP_INTERNAL_ERROR, "");
        return;
    }
    const struct record_start *row = &start->row->start;
    bool open = row->out_repeat && transaction_of(call->st, call->cp, row->out_id);
    if (row->out_repeat && (open || !start->when.suspect)) {
        answer_repeat(call, row);
        return;
    }
    /* A clock that always shows the same time makes every start look like the first one. After the
     * stop of that one it cannot be a repeat: the charger stops only what was answered. */
    if (row->out_repeat)
        start->start_ms = call->received_ms;
    decide(call);
}

static void find(struct call *call)
{
    struct start *start = call->work;
    struct batch *batch = call_batch(call);
    start->row = batch_add(batch, RECORD_START_FIND);
    fill_row(call, start, &start->row->start, &batch->arena);
    call_store(call, found);
}

/* Without a time there is no key; the same tag and meter on a connector that waits for its stop is
 * the same start. */
static const struct transaction *repeat_without_time(struct call *call, const struct start *start,
                                                     const struct connector *at)
{
    if (!at || start->when.parsed_ms != ABSENT || start->meter_start_wh == ABSENT)
        return NULL;
    const struct transaction *tx = transaction_of(call->st, call->cp, at->transaction_id);
    bool same = tx && text_is_ci(tx->id_tag, start->id_tag) &&
                tx->meter_start_wh == start->meter_start_wh && (tx->flags & TX_SUSPECT_CLOCK);
    return same ? tx : NULL;
}

void handle_start_transaction(struct call *call)
{
    struct start *start = start_read(call);
    call->work = start;
    const struct connector *at = station_connector(call->cp, start->evse, start->connector);
    const struct transaction *same = repeat_without_time(call, start, at);
    if (same) {
        const struct record_start first = {.out_id = same->id,
                                           .out_verdict = same->verdict,
                                           .out_parent_id_tag = same->parent_id_tag};
        answer_repeat(call, &first);
        return;
    }
    int64_t newest = at ? at->newest_start_ms : ABSENT;
    bool may_be_repeat = start->when.suspect || (newest != ABSENT && start->start_ms <= newest);
    if (may_be_repeat && start->when.parsed_ms != ABSENT)
        find(call);
    else
        decide(call);
}
