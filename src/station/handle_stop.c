/* StopTransaction: rules X7 to X13, X15, A4, Q4, Q7, Q8.
 *
 * Always answered with a result (X7). Three ways: the transaction is open here; its id could be
 * ours but is not open, so only the store can tell (a repeat, an estimate to replace, or unknown);
 * the id is none of ours, so it is attached by what fits, or kept as an orphan (X8). */
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "station/attach.h"
#include "station/decide.h"
#include "station/decimal.h"
#include "station/finish.h"
#include "station/limit.h"
#include "station/meter_rows.h"
#include "station/moment.h"

struct stop {
    int64_t id;         /* as sent, 0 if unreadable; of the transaction as soon as that is known */
    const char *id_tag; /* NULL: none */
    struct moment when;
    int64_t meter_stop_wh;
    const char *reason;
    const struct json *data;
    struct ask ask;
    struct decision decision;
    bool attached;         /* X8 */
    bool asked, with_info; /* policies were asked; the answer carries idTagInfo */
    int64_t energy_wh, flags;
    struct meter_list meter; /* transactionData, if the transaction is open */
    struct record *row;
};

/* ---- reading it ---- */

static struct stop *stop_read(struct call *call)
{
    const struct json *payload = call->frame.payload;
    struct stop *stop = ARENA_NEW(&call->arena, struct stop);
    json_int(json_get(payload, "transactionId"), &stop->id);
    stop->id_tag = id_tag_normal(call->cp, &call->arena, json_gets(payload, "idTag"));
    stop->when = moment_read(call, json_gets(payload, "timestamp"));
    stop->reason = json_gets(payload, "reason");
    if (!stop->reason)
        stop->reason = "Local"; /* X10 */
    stop->data = json_get(payload, "transactionData");
    stop->energy_wh = ABSENT;
    bool read =
        json_int(json_get(payload, "meterStop"), &stop->meter_stop_wh) ||
        (call->meter_text && decimal_scaled(span_of(call->meter_text), 0, &stop->meter_stop_wh));
    if (!read || !decimal_fits(stop->meter_stop_wh)) { /* no register says that */
        stop->meter_stop_wh = ABSENT;
        stop->flags |= TX_SUSPECT_METER | (call->meter_text ? 0 : TX_INCOMPLETE);
    }
    if (stop->meter_stop_wh != ABSENT && stop->meter_stop_wh < 0) /* Q7 */
        stop->flags |= TX_SUSPECT_METER;
    if (stop->when.suspect)
        stop->flags |= TX_SUSPECT_CLOCK;
    if (stop->when.parsed_ms == ABSENT)
        stop->flags |= TX_INCOMPLETE;
    return stop;
}

static void fill_row(struct call *call, const struct stop *stop, struct record_stop *row,
                     struct arena *arena)
{
    *row = (struct record_stop){
        .cp = arena_strdup(arena, call->cp->id),
        .id = stop->id,
        .id_tag = arena_strdup(arena, stop->id_tag),
        .stop_ms = stop->when.at_ms,
        .stop_text = arena_strdup(arena, stop->when.text),
        .received_ms = call->received_ms,
        .meter_stop_wh = stop->meter_stop_wh,
        .meter_stop_text = arena_strdup(arena, call->meter_text),
        .reason = arena_strdup(arena, stop->reason),
        .energy_wh = stop->energy_wh,
        .set_flags = stop->flags,
        .due = finish_wanted(call->st),
    };
}

/* ---- answering ---- */

static void answer(struct call *call, const struct stop *stop)
{
    struct json *payload = call_object(call);
    if (stop->with_info) /* X10: only if the tag was there */
        json_add(&call->arena, payload, "idTagInfo", decision_info(call, &stop->decision));
    call_answer(call, payload);
}

static void remember_for_repeats(struct call *call, const struct stop *stop)
{
    struct lane *lane = call->lane;
    lane->last_stop_id = stop->id;
    XFREE(lane->last_stop_info);
    if (!stop->with_info)
        return;
    struct strbuf text = {0};
    json_write(&text, decision_info(call, &stop->decision));
    lane->last_stop_info = strbuf_take(&text, NULL);
}

static void store_failed(struct call *call)
{
    call_error(call, OCPP_INTERNAL_ERROR, ""); /* X4: it will be repeated */
}

/* ---- the tag (A4) ---- */

/* A tag of the same group may stop it. A card that is blocked or expired stays so in the answer:
 * the charger would keep `Accepted` in its cache. */
static void judge_group(struct decision *decision, const struct transaction *tx)
{
    bool same_group = tx && tx->parent_id_tag && decision->parent_id_tag &&
                      text_is_ci(tx->parent_id_tag, decision->parent_id_tag);
    bool hard = text_is(decision->status, "Blocked") || text_is(decision->status, "Expired");
    if (same_group && !hard)
        decision->status = "Accepted";
}

/* The tag that started it: what was said then still holds, but that another transaction ran. */
static void judge_same_tag(struct call *call, struct stop *stop, const struct transaction *tx)
{
    bool refused =
        tx->verdict && !text_is(tx->verdict, "Accepted") && !text_is(tx->verdict, "ConcurrentTx");
    stop->decision =
        (struct decision){.status = refused ? arena_strdup(&call->arena, tx->verdict) : "Accepted",
                          .parent_id_tag = arena_strdup(&call->arena, tx->parent_id_tag)};
}

static void ask_tag(struct call *call, struct stop *stop, const struct transaction *tx,
                    call_decided then)
{
    stop->asked = true;
    stop->ask = (struct ask){.purpose = "stop",
                             .id_tag = stop->id_tag,
                             .connector = tx ? tx->evse : ABSENT,
                             .evse_connector = tx ? tx->connector : 0,
                             .transaction_id = stop->id};
    call_decide(call, &stop->ask, then);
}

static void add_decision(struct call *call, struct stop *stop, struct batch *batch)
{
    if (stop->asked)
        decision_row(call, &stop->ask, &stop->decision, batch_add(batch, RECORD_DECISION),
                     &batch->arena);
}

/* ---- it is open ---- */

/* X11: never negative, and none rather than a wrong one. */
static void measure(struct stop *stop, const struct transaction *tx)
{
    if (stop->meter_stop_wh == ABSENT || tx->meter_start_wh == ABSENT)
        return;
    if (stop->meter_stop_wh < tx->meter_start_wh)
        stop->flags |= TX_SUSPECT_METER;
    else if (stop->meter_stop_wh >= 0)
        stop->energy_wh = stop->meter_stop_wh - tx->meter_start_wh;
}

static void transaction_close(struct call *call, const struct stop *stop, struct transaction *tx)
{
    tx->stopped = true;
    tx->due = stop->row->stop.due;
    tx->stop_ms = stop->when.at_ms;
    tx->meter_stop_wh = stop->meter_stop_wh;
    tx->energy_wh = stop->energy_wh;
    tx->flags |= stop->flags;
    xfree(tx->reason);
    tx->reason = xstrdup(stop->reason);
    struct connector *at = station_connector(call->cp, tx->evse, tx->connector);
    if (at && at->transaction_id == tx->id)
        at->transaction_id = 0;
    limit_transaction_ended(call->st, tx);
    finish_transaction(call->st, call->lane, tx);
}

static void open_stored(struct call *call, struct batch *batch)
{
    struct stop *stop = call->work;
    if (batch->failed) {
        store_failed(call);
        return;
    }
    struct transaction *tx = transaction_of(call->st, call->cp, stop->id);
    if (tx) {
        meter_track(tx, &stop->meter);
        transaction_close(call, stop, tx);
    }
    remember_for_repeats(call, stop);
    answer(call, stop);
}

static void store_open(struct call *call, struct stop *stop)
{
    struct transaction *tx = transaction_of(call->st, call->cp, stop->id);
    struct batch *batch = call_batch(call);
    if (tx) {
        measure(stop, tx);
        stop->meter = (struct meter_list){.values = stop->data,
                                          .place = {tx->evse, tx->connector, tx->id},
                                          .frame = meter_frame_of(call, tx)};
        meter_rows(call, batch, &stop->meter); /* X13 */
        struct connector *at = station_connector(call->cp, tx->evse, tx->connector);
        if (at && stop->meter_stop_wh != ABSENT && !(stop->flags & TX_SUSPECT_METER)) {
            at->last_meter_stop_wh = stop->meter_stop_wh; /* X12 */
            if (!call->cp->deleted)
                row_connector(batch, call->cp, at);
        }
    }
    if (stop->attached)
        attach_event(call, batch, stop->id);
    stop->row = batch_add(batch, RECORD_STOP);
    fill_row(call, stop, &stop->row->stop, &batch->arena);
    if (tx)
        stop->row->stop.vars = vars_text(&batch->arena, &tx->vars);
    add_decision(call, stop, batch);
    call_store(call, open_stored);
}

static void open_decided(struct call *call, const struct decision *decision)
{
    struct stop *stop = call->work;
    stop->decision = *decision;
    judge_group(&stop->decision, transaction_of(call->st, call->cp, stop->id));
    store_open(call, stop);
}

static void stop_open(struct call *call, struct stop *stop, const struct transaction *tx)
{
    stop->id = tx->id;
    stop->with_info = stop->id_tag != NULL;
    if (stop->id_tag && !text_is_ci(stop->id_tag, tx->id_tag)) {
        ask_tag(call, stop, tx, open_decided);
        return;
    }
    if (stop->id_tag)
        judge_same_tag(call, stop, tx);
    store_open(call, stop);
}

/* ---- it is not open: the store knows more ---- */

static void orphan_stored(struct call *call, struct batch *batch)
{
    if (batch->failed)
        store_failed(call);
    else
        call_answer(call, NULL); /* X7 */
}

static void keep_orphan(struct call *call, const char *why)
{
    struct batch *batch = call_batch(call);
    call_orphan(call, batch_add(batch, RECORD_ORPHAN), &batch->arena, why);
    call_store(call, orphan_stored);
}

static void closed_decided(struct call *call, const struct decision *decision)
{
    struct stop *stop = call->work;
    stop->decision = *decision;
    answer(call, stop);
}

/* The same answer as the first time, as far as we remember it (X9). */
static void answer_closed(struct call *call, struct stop *stop)
{
    const struct lane *lane = call->lane;
    if (!stop->id_tag) {
        call_answer(call, NULL);
    } else if (lane->last_stop_id == stop->id && lane->last_stop_info) {
        struct json *payload = call_object(call);
        const char *info = arena_strdup(&call->arena, lane->last_stop_info);
        json_add(&call->arena, payload, "idTagInfo",
                 json_parse(&call->arena, info, strlen(info), NULL, NULL));
        call_answer(call, payload);
    } else {
        stop->with_info = true;
        ask_tag(call, stop, NULL, closed_decided);
    }
}

static void late_values_stored(struct call *call, struct batch *batch)
{
    if (batch->failed)
        store_failed(call);
    else
        answer_closed(call, call->work);
}

/* X15: the real figures replace the estimate, and bring their values along. */
static void store_late_values(struct call *call, struct stop *stop, const struct record_stop *row)
{
    struct batch *batch = call_batch(call);
    struct meter_list list = {.values = stop->data,
                              .place = {row->out_evse, row->out_connector, stop->id},
                              .frame = meter_frame_of(call, NULL)};
    meter_rows(call, batch, &list);
    if (batch->first)
        call_store(call, late_values_stored);
    else
        answer_closed(call, stop);
}

static void report(struct call *call, const struct stop *stop, const char *kind)
{
    char detail[96];
    snprintf(detail, sizeof(detail), "{\"transactionId\":%lld}", (long long)stop->id);
    station_row_event(call->st, call->cp->id, kind, detail);
}

static void closed_stored(struct call *call, struct batch *batch)
{
    struct stop *stop = call->work;
    if (batch->failed) {
        store_failed(call);
        return;
    }
    const struct record_stop *row = &stop->row->stop;
    switch (row->out_outcome) {
    case STOP_UNKNOWN:
        keep_orphan(call, "no such transaction of this charge point");
        return;
    case STOP_REPLACED_ESTIMATE:
        if (row->out_priced) /* the price stays (finish.h) */
            report(call, stop, "price_of_estimate");
        store_late_values(call, stop, row);
        return;
    case STOP_REPEAT:
        call->st->counters.repeats++;
        call->note = "repeated StopTransaction";
        if (row->out_differs)
            report(call, stop, "stop_differs");
        break;
    case STOP_DONE: /* open in the store only: not foreseen, and just as well */
        break;
    }
    answer_closed(call, stop);
}

static void stop_closed(struct call *call, struct stop *stop)
{
    struct batch *batch = call_batch(call);
    stop->row = batch_add(batch, RECORD_STOP);
    fill_row(call, stop, &stop->row->stop, &batch->arena);
    call_store(call, closed_stored);
}

void handle_stop_transaction(struct call *call)
{
    struct stop *stop = stop_read(call);
    call->work = stop;
    bool ours = transaction_id_is_ours(stop->id);
    const struct transaction *tx =
        ours ? transaction_of(call->st, call->cp, stop->id)
             : attach_by_stop(call->st, call->cp, stop->id_tag, stop->meter_stop_wh);
    stop->attached = !ours;
    if (tx)
        stop_open(call, stop, tx);
    else if (ours)
        stop_closed(call, stop);
    else
        keep_orphan(call, "the transactionId is none of ours and no open transaction fits");
}
