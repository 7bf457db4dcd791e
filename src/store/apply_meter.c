/* Meter values: one row each, what was sampled as `kind=text` lines with interned kinds (X13, V3).
 *
 * 84 bytes a message instead of 873 (LIBRARIES.md §3), and nothing that the charger sent is lost:
 * the value texts are kept as received; a line break or backslash in one is written as \n or \\. */
#include <inttypes.h>
#include <stdint.h>

#include "store/apply.h"

static const char *or_empty(const char *text)
{
    return text ? text : "";
}

static int64_t load_kind(struct applier *a, const struct record_sample *s)
{
    sqlite3_stmt *row =
        sql_bind(a->sql, SQL_FIND_KIND, "tttttt", or_empty(s->measurand), or_empty(s->context),
                 or_empty(s->format), or_empty(s->phase), or_empty(s->location), or_empty(s->unit));
    if (!sql_row(a->sql, row)) {
        row = sql_bind(a->sql, SQL_ADD_KIND, "tttttt", or_empty(s->measurand), or_empty(s->context),
                       or_empty(s->format), or_empty(s->phase), or_empty(s->location),
                       or_empty(s->unit));
        if (!sql_row(a->sql, row))
            return 0;
    }
    int64_t id = sql_int(row, 0);
    sql_done(a->sql, row);
    return id;
}

static int64_t intern(struct applier *a, const struct record_sample *s)
{
    strbuf_reset(&a->key);
    strbuf_addf(&a->key, "%s\n%s\n%s\n%s\n%s\n%s", or_empty(s->measurand), or_empty(s->context),
                or_empty(s->format), or_empty(s->phase), or_empty(s->location), or_empty(s->unit));
    struct span key = {a->key.at, a->key.len};
    int64_t id = (int64_t)(intptr_t)map_get(&a->kinds, key);
    if (id)
        return id;
    id = load_kind(a, s);
    if (id)
        map_put(&a->kinds, key, (void *)(intptr_t)id);
    return id;
}

static void write_samples(struct applier *a, const struct record_meter_value *r)
{
    strbuf_reset(&a->text);
    for (size_t i = 0; i < r->sample_count; i++) {
        strbuf_addf(&a->text, "%s%" PRId64 "=", i ? "\n" : "", intern(a, &r->samples[i]));
        for (const char *c = or_empty(r->samples[i].value); *c; c++) {
            if (*c == '\\' || *c == '\n')
                strbuf_addc(&a->text, '\\');
            strbuf_addc(&a->text, *c == '\n' ? 'n' : *c);
        }
    }
}

/* Q8: a foreign id is no place for these values. */
static int64_t owned_transaction(struct applier *a, const struct record_meter_value *r)
{
    if (r->transaction_id <= 0)
        return 0;
    sqlite3_stmt *row = sql_bind(a->sql, SQL_OWNS_TRANSACTION, "it", r->transaction_id, r->cp);
    bool owns = sql_row(a->sql, row);
    if (owns)
        sql_done(a->sql, row);
    return owns ? r->transaction_id : 0;
}

void apply_meter_value(struct applier *a, struct record *record, struct arena *arena)
{
    (void)arena;
    const struct record_meter_value *r = &record->meter_value;
    int64_t seq = 0, tx = owned_transaction(a, r),
            ts = r->ts_ms == ABSENT ? r->received_ms : r->ts_ms;
    write_samples(a, r);
    sqlite3_stmt *row =
        sql_bind(a->sql, SQL_FIND_METER_VALUE, "itiii", tx, r->cp, r->evse, r->connector, ts);
    while (sql_row(a->sql, row)) {
        if (text_is(sql_text(row, 1), strbuf_text(&a->text))) { /* X13: sent before */
            sqlite3_reset(row);
            return;
        }
        seq = sql_int(row, 0) + 1;
    }
    sql_done(a->sql, sql_bind(a->sql, SQL_ADD_METER_VALUE, "itiiiiioooit", tx, r->cp, r->evse,
                              r->connector, ts, seq, r->received_ms, r->energy_wh, r->power_w,
                              r->soc, (int64_t)r->implausible, strbuf_text(&a->text)));
}
