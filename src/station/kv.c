/* The scripts' durable store: whole in memory, written behind.
 *
 * An entry past its time is gone at once for readers; a timer takes it out once a minute while any
 * entry has a time to live. */
#include <string.h>

#include "base/mem.h"
#include "station/core.h"

enum { KV_KEY_MAX = 255, KV_VALUE_MAX = 64 * 1024, KV_SWEEP_MS = 60 * 1000 };

struct kv_entry {
    char *value;
    wall_t expires_ms; /* or ABSENT */
};

static void entry_free(struct kv_entry *entry)
{
    if (!entry)
        return;
    xfree(entry->value);
    xfree(entry);
}

static bool is_expired(const struct kv_entry *entry)
{
    return entry->expires_ms != ABSENT && entry->expires_ms <= wall_now();
}

static void entry_put(struct station *st, const char *key, const char *value, wall_t expires_ms)
{
    struct kv_entry *entry = xcalloc(1, sizeof(*entry));
    entry->value = xstrdup(value);
    entry->expires_ms = expires_ms;
    entry_free(map_put(&st->kv, span_of(key), entry));
    if (expires_ms != ABSENT && !timer_running(&st->kv_timer))
        timer_start(st->timers, &st->kv_timer, KV_SWEEP_MS);
}

static void row_delete(struct station *st, const char *key)
{
    struct arena *arena;
    struct record *row = station_row(st, RECORD_KV_DELETE, &arena);
    row->kv = (struct record_kv){.key = arena_strdup(arena, key), .expires_ms = ABSENT};
}

static void sweep(struct timer *timer)
{
    struct station *st = CONTAINER_OF(timer, struct station, kv_timer);
    const struct map_entry *at_entry;
    size_t at = 0;
    bool more = false;
    while ((at_entry = map_next(&st->kv, &at)) != NULL) {
        struct kv_entry *entry = at_entry->value;
        if (!is_expired(entry)) {
            more = more || entry->expires_ms != ABSENT;
            continue;
        }
        row_delete(st, at_entry->key);
        map_remove(&st->kv, (struct span){at_entry->key, at_entry->key_len});
        entry_free(entry);
    }
    if (more)
        timer_start(st->timers, timer, KV_SWEEP_MS);
}

void kv_init(struct station *st)
{
    st->kv_timer.fn = sweep;
}

void kv_clear(struct station *st)
{
    timer_stop(st->timers, &st->kv_timer);
    const struct map_entry *entry;
    size_t at = 0;
    while ((entry = map_next(&st->kv, &at)) != NULL)
        entry_free(entry->value);
    map_clear(&st->kv);
}

void kv_restore(struct station *st, const struct record_kv *row)
{
    entry_put(st, row->key, row->value, row->expires_ms);
}

const char *station_kv_get(struct station *st, const char *key)
{
    const struct kv_entry *entry = map_gets(&st->kv, key);
    return entry && !is_expired(entry) ? entry->value : NULL;
}

const char *station_kv_next(struct station *st, size_t *at)
{
    const struct map_entry *entry;
    while ((entry = map_next(&st->kv, at)) != NULL) {
        if (!is_expired(entry->value))
            return entry->key;
    }
    return NULL;
}

static bool fits(const char *key, const char *json, struct reason *why)
{
    if (strlen(key) > KV_KEY_MAX)
        return reason_set(why, "the key has more than %d bytes", KV_KEY_MAX);
    if (json && strlen(json) > KV_VALUE_MAX)
        return reason_set(why, "the value has more than %d bytes", KV_VALUE_MAX);
    return true;
}

static void put(struct station *st, const char *key, const char *json, wall_t expires_ms)
{
    entry_put(st, key, json, expires_ms);
    struct arena *arena;
    struct record *row = station_row(st, RECORD_KV, &arena);
    row->kv = (struct record_kv){arena_strdup(arena, key), arena_strdup(arena, json), expires_ms};
}

void kv_refresh(struct station *st, struct record *record, struct arena *arena)
{
    const struct kv_entry *entry = map_gets(&st->kv, record->kv.key);
    record->kind = entry ? RECORD_KV : RECORD_KV_DELETE;
    record->kv.value = entry ? arena_strdup(arena, entry->value) : NULL;
    record->kv.expires_ms = entry ? entry->expires_ms : ABSENT;
}

bool station_kv_update(struct station *st, const char *key, const char *json, struct reason *why)
{
    const struct kv_entry *before = map_gets(&st->kv, key);
    if (!fits(key, json, why))
        return false;
    put(st, key, json, before && !is_expired(before) ? before->expires_ms : ABSENT);
    return true;
}

bool station_kv_set(struct station *st, const char *key, const char *json, int64_t ttl_ms,
                    struct reason *why)
{
    if (!fits(key, json, why))
        return false;
    if (!json) {
        struct kv_entry *gone = map_remove(&st->kv, span_of(key));
        if (gone)
            row_delete(st, key);
        entry_free(gone);
        return true;
    }
    wall_t expires_ms = ABSENT;
    if (ttl_ms > 0 && __builtin_add_overflow(wall_now(), ttl_ms, &expires_ms))
        expires_ms = ABSENT;
    put(st, key, json, expires_ms);
    return true;
}
