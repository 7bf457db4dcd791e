/* What is known of a charger's limits as a kv row, written when it changed, read at start.
 *
 * After a restart nothing is taken for confirmed: what was on its way when the server died may have
 * been accepted, so it counts as what the charger follows until it was told again. */
#include <string.h>

#include "base/digest.h"
#include "base/log.h"
#include "base/mem.h"
#include "station/limit_parts.h"

static const char key_prefix[] = "chargebridge/limit/";

enum { ID_IN_KEY_MAX = 200 };

static char *key_of(struct arena *arena, const char *cp)
{
    char hash[SHA256_HEX_SIZE];
    if (strlen(cp) > ID_IN_KEY_MAX) {
        sha256_hex(cp, strlen(cp), hash);
        cp = hash;
    }
    return arena_printf(arena, "%s%s", key_prefix, cp);
}

static void put_amps(struct json_out *o, const char *key, double amps)
{
    if (amps < 0)
        return;
    json_key(o, key);
    json_put_double(o, amps);
}

static void put_slot(struct json_out *o, const struct limiter *limiter, const struct slot *slot)
{
    bool sent = slot_is_sent(limiter, slot);
    json_open(o, '{');
    json_key(o, "kind");
    json_put_int(o, slot->kind);
    json_key(o, "connector");
    json_put_int(o, slot->connector);
    json_key(o, "transaction");
    json_put_int(o, slot->transaction);
    json_key(o, "asked");
    json_put_bool(o, slot->wanted);
    put_amps(o, "wanted", slot->wanted_a);
    put_amps(o, "held", sent && limiter->sent_a > slot->held_a ? limiter->sent_a : slot->held_a);
    json_key(o, "sated");
    json_put_bool(o, slot->sated);
    json_close(o, '}');
}

static char *limiter_text(struct arena *arena, const struct limiter *limiter)
{
    struct strbuf text = {0};
    struct json_out o = {.to = &text};
    json_open(&o, '{');
    json_key(&o, "cp");
    json_put_string(&o, limiter->cp);
    json_key(&o, "keys");
    json_put_bool(&o, limiter->keys_known);
    json_key(&o, "A");
    json_put_bool(&o, limiter->units_a);
    json_key(&o, "W");
    json_put_bool(&o, limiter->units_w);
    json_key(&o, "dc");
    json_put_bool(&o, limiter->dc);
    json_key(&o, "shape");
    json_put_int(&o, limiter->shape);
    json_key(&o, "proven");
    json_put_bool(&o, limiter->proven);
    json_key(&o, "slots");
    json_open(&o, '[');
    for (size_t i = 0; i < limiter->count; i++)
        put_slot(&o, limiter, &limiter->slots[i]);
    json_close(&o, ']');
    json_close(&o, '}');
    char *copy = arena_strdup(arena, strbuf_text(&text));
    strbuf_clear(&text);
    return copy;
}

void limiter_keep(struct limiter *limiter)
{
    if (!limiter->dirty)
        return;
    limiter->dirty = false;
    struct arena arena = {0};
    struct reason why;
    bool worth = limiter->count > 0 || limiter->keys_known;
    if (!station_kv_set(limiter->st, key_of(&arena, limiter->cp),
                        worth ? limiter_text(&arena, limiter) : NULL, 0, &why))
        LOG(LOG_WARN, "limits will not survive a restart", L_STR("cp", limiter->cp),
            L_STR("why", why.text));
    arena_clear(&arena);
}

/* ---- at start ---- */

static double amps_of(const struct json *object, const char *key)
{
    double amps;
    return json_double(json_get(object, key), &amps) ? amps : NO_LIMIT;
}

static int64_t int_of(const struct json *object, const char *key)
{
    int64_t value;
    return json_int(json_get(object, key), &value) ? value : -1;
}

static void restore_slot(struct limiter *limiter, const struct json *object)
{
    int64_t kind = int_of(object, "kind"), transaction = int_of(object, "transaction");
    int64_t connector = int_of(object, "connector");
    if (kind < SLOT_FAILSAFE || kind > SLOT_TX || connector < 0 || transaction < 0)
        return;
    struct slot *slot = slot_ensure(limiter, (enum slot_kind)kind, connector, transaction);
    slot->wanted = json_bool(json_get(object, "asked"), false);
    slot->wanted_a = amps_of(object, "wanted");
    slot->held_a = amps_of(object, "held");
    slot->sated = json_bool(json_get(object, "sated"), false);
    slot->doubt_a = slot->wanted_a;
    slot->confirmed = false;
    const struct transaction *tx = station_transaction(limiter->st, transaction);
    slot->ended = kind == SLOT_TX && (!tx || tx->stopped);
}

void limit_restore(struct station *st, const struct record_kv *row)
{
    if (strncmp(row->key, key_prefix, strlen(key_prefix)) != 0)
        return;
    struct arena arena = {0};
    const struct json *object = json_parse(&arena, row->value, strlen(row->value), NULL, NULL);
    const char *cp = json_gets(object, "cp");
    if (cp) {
        struct limiter *limiter = limiter_ensure(st, cp);
        int64_t shape = int_of(object, "shape");
        limiter->keys_known = json_bool(json_get(object, "keys"), false);
        limiter->units_a = json_bool(json_get(object, "A"), true);
        limiter->units_w = json_bool(json_get(object, "W"), false);
        limiter->dc = json_bool(json_get(object, "dc"), false);
        limiter->shape = shape >= 0 && shape < SHAPES ? (enum ladder)shape : SHAPE_TX;
        limiter->proven = json_bool(json_get(object, "proven"), false);
        const struct json *slots = json_get(object, "slots");
        for (const struct json *slot = slots ? slots->child : NULL; slot; slot = slot->next)
            restore_slot(limiter, slot);
    } else {
        LOG(LOG_ERROR, "stored limits cannot be read", L_STR("key", row->key));
    }
    arena_clear(&arena);
}
