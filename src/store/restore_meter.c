/* Meter values of transactions that are under way, for the station's series (station/track.h).
 *
 * The numbers are in columns; what only the samples tell (V, A, °C) is read for the last hour, that
 * is as far as anybody looks back at full resolution. Kinds are read once each. */
#include "base/mem.h"
#include "store/parts.h"

enum { SAMPLES_MS = 60 * 60 * 1000 };

const char restore_meter_values[] =
    "SELECT ts_ms, received_ms, energy_wh, power_w, soc, implausible, vals FROM meter_value"
    " WHERE owner = ? ORDER BY ts_ms, seq";
const char restore_meter_kind[] = "SELECT measurand, context, format, phase, location, unit"
                                  " FROM meter_kind WHERE id = ?";

void meter_pour_begin(struct meter_pour *pour, struct sql *sql, const struct restore_sink *sink)
{
    *pour = (struct meter_pour){.sql = sql, .sink = sink};
    if (!sink->meter_value)
        return;
    pour->values = sql_prepare(sql, restore_meter_values, "");
    pour->kind = sql_prepare(sql, restore_meter_kind, "");
}

void meter_pour_end(struct meter_pour *pour)
{
    sqlite3_finalize(pour->values);
    sqlite3_finalize(pour->kind);
    idmap_clear(&pour->kinds);
    arena_clear(&pour->arena);
}

static const char *text_or_null(struct arena *arena, const char *text)
{
    return text && *text ? arena_strdup(arena, text) : NULL;
}

/* A sample without its value; NULL: there is no such kind. */
static const struct record_sample *kind_of(struct meter_pour *pour, int64_t id)
{
    struct record_sample *kind = idmap_get(&pour->kinds, (uint64_t)id);
    if (kind)
        return kind;
    sqlite3_stmt *s = pour->kind;
    sqlite3_bind_int64(s, 1, id);
    if (sql_row(pour->sql, s)) {
        struct arena *arena = &pour->arena;
        kind = ARENA_NEW(arena, struct record_sample);
        *kind = (struct record_sample){.measurand = text_or_null(arena, sql_text(s, 0)),
                                       .context = text_or_null(arena, sql_text(s, 1)),
                                       .format = text_or_null(arena, sql_text(s, 2)),
                                       .phase = text_or_null(arena, sql_text(s, 3)),
                                       .location = text_or_null(arena, sql_text(s, 4)),
                                       .unit = text_or_null(arena, sql_text(s, 5))};
        idmap_put(&pour->kinds, (uint64_t)id, kind);
    }
    sqlite3_reset(s);
    return kind;
}

/* The texts of `vals` without their escapes: numbers have none. */
static void read_samples(struct meter_pour *pour, struct record_meter_value *row, const char *vals,
                         struct arena *arena)
{
    size_t room = 1;
    for (const char *at = vals; *at; at++)
        room += *at == '\n';
    struct record_sample *samples = arena_alloc(arena, room * sizeof(*samples));
    struct span rest = span_of(vals), line, number;
    while (span_cut(&rest, '\n', &line)) {
        int64_t id = 0;
        bool whole = span_cut(&line, '=', &number) && line.at && span_int(number, &id) && id > 0;
        const struct record_sample *kind = whole ? kind_of(pour, id) : NULL;
        if (!kind)
            continue;
        samples[row->sample_count] = *kind;
        samples[row->sample_count++].value = arena_strndup(arena, line.at, line.len);
    }
    row->samples = samples;
}

void meter_pour(struct meter_pour *pour, const struct record_transaction *tx)
{
    sqlite3_stmt *s = pour->values;
    if (!s || !pour->kind)
        return;
    sqlite3_bind_int64(s, 1, tx->id);
    while (sql_row(pour->sql, s)) {
        struct arena arena = {0};
        struct record_meter_value row = {.cp = tx->start.cp,
                                         .evse = tx->start.evse,
                                         .connector = tx->start.connector,
                                         .transaction_id = tx->id,
                                         .ts_ms = sql_int(s, 0),
                                         .received_ms = sql_int(s, 1),
                                         .energy_wh = sql_int(s, 2),
                                         .power_w = sql_int(s, 3),
                                         .soc = sql_int(s, 4),
                                         .implausible = sql_int(s, 5) != 0};
        const char *vals = sql_text(s, 6);
        if (vals && tx->last_sample_ms != ABSENT && row.ts_ms >= tx->last_sample_ms - SAMPLES_MS)
            read_samples(pour, &row, vals, &arena);
        pour->sink->meter_value(pour->sink->ctx, &row);
        arena_clear(&arena);
    }
    sqlite3_reset(s);
}
