/* Meter values: one row each; what was sampled as `kind=text` lines with interned kinds (V3, X13).
 *
 * About 85 bytes a message instead of 873 (LIBRARIES.md §3), and nothing that the charger sent is
 * lost: the texts are kept as received; a line break or backslash in one is written as \n or \\. */
#include <stdint.h>
#include <string.h>

#include "store/apply.h"

enum { REMEMBERED_MAX = 50000 };

static const char *or_empty(const char *text)
{
    return text ? text : "";
}

static void add_int(struct strbuf *out, int64_t value)
{
    char digits[24], *at = digits + sizeof(digits);
    for (uint64_t rest = (uint64_t)value; rest || at == digits + sizeof(digits); rest /= 10)
        *--at = (char)('0' + rest % 10);
    strbuf_add(out, at, (size_t)(digits + sizeof(digits) - at));
}

/* ---- interning ---- */

static int64_t read_id(struct applier *a, sqlite3_stmt *row)
{
    if (!sql_row(a->sql, row))
        return 0;
    int64_t id = sql_int(row, 0);
    sql_done(a->sql, row);
    return id;
}

static int64_t kind_in_file(struct applier *a, const struct record_sample *s)
{
    for (enum sql_id by = SQL_FIND_KIND; by <= SQL_ADD_KIND; by++) {
        int64_t id =
            read_id(a, sql_bind(a->sql, by, "tttttt", or_empty(s->measurand), or_empty(s->context),
                                or_empty(s->format), or_empty(s->phase), or_empty(s->location),
                                or_empty(s->unit)));
        if (id)
            return id;
    }
    return 0;
}

static int64_t place_in_file(struct applier *a, const struct record_meter_value *r)
{
    for (enum sql_id by = SQL_FIND_PLACE; by <= SQL_ADD_PLACE; by++) {
        int64_t id = read_id(a, sql_bind(a->sql, by, "tii", r->cp, r->evse, r->connector));
        if (id)
            return id;
    }
    return 0;
}

static void remember(struct map *ids, const struct strbuf *key, int64_t id)
{
    if (ids->count >= REMEMBERED_MAX) /* somebody makes up names; the file knows them all */
        map_clear(ids);
    if (id)
        map_put(ids, (struct span){key->at, key->len}, (void *)(intptr_t)id);
}

static int64_t known(const struct map *ids, const struct strbuf *key)
{
    return (int64_t)(intptr_t)map_get(ids, (struct span){key->at, key->len});
}

static int64_t kind_of(struct applier *a, const struct record_sample *s)
{
    const char *const parts[] = {s->measurand, s->context,  s->format,
                                 s->phase,     s->location, s->unit};
    strbuf_reset(&a->key);
    for (int i = 0; i < 6; i++) {
        add_int(&a->key, (int64_t)strlen(or_empty(parts[i]))); /* any byte may be in them */
        strbuf_addc(&a->key, ':');
        strbuf_adds(&a->key, or_empty(parts[i]));
    }
    int64_t id = known(&a->kinds, &a->key);
    if (id)
        return id;
    id = kind_in_file(a, s);
    remember(&a->kinds, &a->key, id);
    return id;
}

static int64_t place_of(struct applier *a, const struct record_meter_value *r)
{
    a->places.ignore_case = true;
    strbuf_reset(&a->key);
    add_int(&a->key, r->evse);
    strbuf_addc(&a->key, '/');
    add_int(&a->key, r->connector);
    strbuf_addc(&a->key, '/');
    strbuf_adds(&a->key, r->cp);
    int64_t id = known(&a->places, &a->key);
    if (id)
        return id;
    id = place_in_file(a, r);
    remember(&a->places, &a->key, id);
    return id;
}

/* ---- the text ---- */

static void write_value(struct strbuf *out, const char *value)
{
    for (size_t plain; plain = strcspn(value, "\\\n"), value[plain]; value += plain + 1) {
        strbuf_add(out, value, plain);
        strbuf_adds(out, value[plain] == '\n' ? "\\n" : "\\\\");
    }
    strbuf_adds(out, value);
}

static void write_samples(struct applier *a, const struct record_meter_value *r)
{
    strbuf_reset(&a->vals);
    for (size_t i = 0; i < r->sample_count; i++) {
        if (i > 0)
            strbuf_addc(&a->vals, '\n');
        add_int(&a->vals, kind_of(a, &r->samples[i]));
        strbuf_addc(&a->vals, '=');
        write_value(&a->vals, or_empty(r->samples[i].value));
    }
}

/* ---- the row ---- */

/* A transaction of another charge point, or none, is no owner of these values (Q8). */
static int64_t owner_of(struct applier *a, const struct record_meter_value *r, int64_t place)
{
    if (r->transaction_id <= 0)
        return -place;
    int64_t owns =
        read_id(a, sql_bind(a->sql, SQL_OWNS_TRANSACTION, "it", r->transaction_id, r->cp));
    return owns ? r->transaction_id : -place;
}

void apply_meter_value(struct applier *a, struct record *record, struct arena *arena)
{
    (void)arena;
    const struct record_meter_value *r = &record->meter_value;
    int64_t place = place_of(a, r);
    int64_t owner = owner_of(a, r, place);
    int64_t ts = r->ts_ms == ABSENT ? r->received_ms : r->ts_ms;
    int64_t seq = 0;
    write_samples(a, r);
    sqlite3_stmt *row = sql_bind(a->sql, SQL_FIND_METER_VALUE, "ii", owner, ts);
    while (sql_row(a->sql, row)) {
        if (sql_int(row, 0) >= seq)
            seq = sql_int(row, 0) + 1;
        if (sql_int(row, 1) == place && text_is(strbuf_text(&a->vals), sql_text(row, 2))) {
            sqlite3_reset(row); /* X13: sent before */
            return;
        }
    }
    sql_done(a->sql, sql_bind(a->sql, SQL_ADD_METER_VALUE, "iiiiioooit", owner, ts, seq, place,
                              r->received_ms, r->energy_wh, r->power_w, r->soc,
                              (int64_t)r->implausible, strbuf_text(&a->vals)));
}
