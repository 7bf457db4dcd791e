/* MeterValues: rules V1 to V7, X4, X8, X14.
 *
 * Always answered (V4). What belongs to a transaction is stored before the answer leaves; other
 * values wait for the turn's batch. Values of a transaction that has stopped go by its id: the
 * store knows it (X14). */
#include "base/mem.h"
#include "station/attach.h"
#include "station/meter_rows.h"

static void update_transaction(struct call *call, const struct meter_list *meter)
{
    struct transaction *tx = transaction_of(call->st, call->cp, meter->place.transaction_id);
    if (!tx)
        return;
    tx->sample = meter->frame.last;
    if (meter->frame.session_register)
        tx->flags |= TX_SESSION_REGISTER;
    meter_track(tx, meter);
    struct station_ports *ports = &call->st->ports;
    if (!meter->newest.any || !ports->listens(ports->ctx, EVENT_METER, NULL))
        return;
    struct event event = {.kind = EVENT_METER,
                          .connector = tx->evse,
                          .transaction_id = tx->id,
                          .data = meter_event_data(call, &meter->newest)};
    lane_event(call->lane, &event, false);
}

static void stored(struct call *call, struct batch *batch)
{
    if (batch->failed) { /* X4 */
        call_error(call, OCPP_INTERNAL_ERROR, "");
        return;
    }
    update_transaction(call, call->work);
    call_answer(call, NULL);
}

/* V6: the flag is needed after a restart too. */
static void store_session_flag(struct batch *batch, const struct meter_list *meter,
                               const struct transaction *tx)
{
    if (!tx || !meter->frame.session_register || (tx->flags & TX_SESSION_REGISTER))
        return;
    struct record *row = batch_add(batch, RECORD_TRANSACTION_VARS);
    row->transaction_vars =
        (struct record_transaction_vars){.id = tx->id,
                                         .vars = vars_text(&batch->arena, &tx->vars),
                                         .set_flags = TX_SESSION_REGISTER};
}

static void store_in_transaction(struct call *call, struct meter_list *meter,
                                 struct transaction *tx)
{
    struct batch *batch = call_batch(call);
    if (tx) {
        meter->place = (struct meter_place){tx->evse, tx->connector, tx->id};
        meter->frame = meter_frame_of(call, tx);
    }
    meter_rows(call, batch, meter);
    store_session_flag(batch, meter, tx);
    call_store(call, stored);
}

/* X8: it belongs to a start that was never answered. */
static void store_attached(struct call *call, struct meter_list *meter)
{
    struct transaction *tx =
        attach_by_connector(call->st, call->cp, meter->place.evse, meter->place.connector);
    struct batch *batch = call_batch(call);
    if (tx) {
        attach_event(call, batch, tx->id);
        store_in_transaction(call, meter, tx);
        return;
    }
    call_orphan(call, batch_add(batch, RECORD_ORPHAN), &batch->arena,
                "the transactionId is none of ours and no open transaction fits");
    call_store(call, stored);
}

void handle_meter_values(struct call *call)
{
    const struct json *payload = call->frame.payload;
    struct meter_list *meter = ARENA_NEW(&call->arena, struct meter_list);
    int64_t id = 0;
    call->work = meter;
    json_int(json_get(payload, "connectorId"), &meter->place.evse);
    json_int(json_get(payload, "transactionId"), &id);
    meter->place.connector = connector_number(meter->place.evse);
    meter->values = json_get(payload, "meterValue");
    meter->frame = meter_frame_of(call, NULL);
    if (!call->transaction_id_given) { /* V4: clock-aligned, triggered, before a start */
        meter_rows(call, NULL, meter);
        call_answer(call, NULL);
    } else if (!transaction_id_is_ours(id)) {
        store_attached(call, meter);
    } else {
        meter->place.transaction_id = id;
        store_in_transaction(call, meter, transaction_of(call->st, call->cp, id));
    }
}
