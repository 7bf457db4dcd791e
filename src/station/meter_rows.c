/* See meter_rows.h. Shared by MeterValues and StopTransaction (X13): the same values give the same
 * rows, whichever way they come, so the store can tell that it has them. */
#include "station/meter_rows.h"

#include "base/mem.h"
#include "station/moment.h"

struct meter_frame meter_frame_of(const struct call *call, const struct transaction *tx)
{
    struct meter_frame frame = {.last = {.energy_wh = ABSENT,
                                         .power_w = ABSENT,
                                         .soc = ABSENT,
                                         .temperature_dc = ABSENT,
                                         .voltage_dv = ABSENT,
                                         .current_da = ABSENT},
                                .meter_start_wh = ABSENT,
                                .rating_w = call->cp->options.rating_w};
    if (tx) {
        frame.last = tx->sample;
        frame.meter_start_wh = tx->meter_start_wh;
        frame.session_register = (tx->flags & TX_SESSION_REGISTER) != 0;
    }
    return frame;
}

static struct record_sample *copy_samples(struct arena *arena, const struct meter_reading *reading)
{
    struct record_sample *samples =
        arena_alloc(arena, reading->sample_count * sizeof(struct record_sample));
    for (size_t i = 0; i < reading->sample_count; i++) {
        const struct record_sample *from = &reading->samples[i];
        samples[i] = (struct record_sample){
            arena_strdup(arena, from->measurand), arena_strdup(arena, from->context),
            arena_strdup(arena, from->format),    arena_strdup(arena, from->phase),
            arena_strdup(arena, from->location),  arena_strdup(arena, from->unit),
            arena_strdup(arena, from->value)};
    }
    return samples;
}

static void add_row(struct call *call, struct batch *batch, const struct meter_place *place,
                    wall_t at, const struct meter_reading *reading)
{
    struct arena *arena = batch ? &batch->arena : NULL;
    struct record *row = batch ? batch_add(batch, RECORD_METER_VALUE)
                               : station_row(call->st, RECORD_METER_VALUE, &arena);
    row->meter_value = (struct record_meter_value){
        .cp = arena_strdup(arena, call->cp->id),
        .evse = place->evse,
        .connector = place->connector,
        .transaction_id = place->transaction_id,
        .ts_ms = at,
        .received_ms = call->received_ms,
        .energy_wh = reading->energy_wh,
        .power_w = reading->power_w,
        .soc = reading->soc,
        .implausible = reading->implausible,
        .samples = copy_samples(arena, reading),
        .sample_count = reading->sample_count,
    };
}

static void keep_taken(struct call *call, struct meter_list *list, wall_t at,
                       const struct meter_reading *reading)
{
    struct meter_taken *taken = ARENA_NEW(&call->arena, struct meter_taken);
    *taken = (struct meter_taken){NULL, at, *reading};
    if (list->taken_last)
        list->taken_last->next = taken;
    else
        list->taken = taken;
    list->taken_last = taken;
}

void meter_rows(struct call *call, struct batch *batch, struct meter_list *list)
{
    struct meter_newest *newest = &list->newest;
    const struct json *item = list->values ? list->values->child : NULL;
    for (; item; item = item->next) {
        struct meter_reading reading;
        meter_normalise(&call->arena, item, &call->cp->options, &reading);
        if (reading.sample_count == 0)
            continue;
        struct moment when = moment_read(call, json_gets(item, "timestamp"));
        meter_judge(&list->frame, when.at_ms, &reading);
        add_row(call, batch, &list->place, when.at_ms, &reading);
        keep_taken(call, list, when.at_ms, &reading);
        if (!newest->any || when.at_ms >= newest->at)
            *newest = (struct meter_newest){true, when.at_ms, reading};
    }
}

void meter_track(struct transaction *tx, const struct meter_list *list)
{
    for (const struct meter_taken *taken = list->taken; taken; taken = taken->next)
        track_add(tx, taken->at, &taken->reading);
}

/* ---- on.meter ---- */

static void add_number(struct call *call, struct json *to, const char *name, int64_t value)
{
    if (value != ABSENT)
        json_addi(&call->arena, to, name, value);
}

static void add_tenths(struct call *call, struct json *to, const char *name, int64_t tenths)
{
    if (tenths != ABSENT)
        json_add(&call->arena, to, name, json_new_double(&call->arena, (double)tenths / 10));
}

static void add_text(struct call *call, struct json *to, const char *name, const char *text)
{
    if (text)
        json_adds(&call->arena, to, name, text);
}

static struct json *sample_data(struct call *call, const struct record_sample *sample)
{
    struct json *data = call_object(call);
    add_text(call, data, "measurand", sample->measurand);
    add_text(call, data, "context", sample->context);
    add_text(call, data, "format", sample->format);
    add_text(call, data, "phase", sample->phase);
    add_text(call, data, "location", sample->location);
    add_text(call, data, "unit", sample->unit);
    add_text(call, data, "value", sample->value);
    return data;
}

struct json *meter_event_data(struct call *call, const struct meter_newest *newest)
{
    const struct meter_reading *reading = &newest->reading;
    struct json *data = call_object(call);
    json_addi(&call->arena, data, "timestamp", newest->at);
    add_number(call, data, "energyWh", reading->energy_wh);
    add_number(call, data, "powerW", reading->power_w);
    add_number(call, data, "soc", reading->soc);
    add_tenths(call, data, "temperatureC", reading->temperature_dc);
    add_tenths(call, data, "voltageV", reading->voltage_dv);
    add_tenths(call, data, "currentA", reading->current_da);
    json_add(&call->arena, data, "implausible", json_new_bool(&call->arena, reading->implausible));
    struct json *samples = json_new(&call->arena, JSON_ARRAY);
    for (size_t i = 0; i < reading->sample_count; i++)
        json_add(&call->arena, samples, NULL, sample_data(call, &reading->samples[i]));
    json_add(&call->arena, data, "samples", samples);
    return data;
}
