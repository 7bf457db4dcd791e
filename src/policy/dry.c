/* See dry.h. Two halves: the list of effects of one event, and the overlay of a dry generation.
 *
 * The overlay is a map from "place subject" to a map from key to value; it is bounded, because a
 * candidate may write as much as it likes for as long as it is watched. */
#include "policy/dry.h"

#include <lauxlib.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "policy/api_parts.h"
#include "policy/shadow.h"
#include "policy/task_parts.h"

enum { OVERLAY_BYTES = 8 << 20, OWNER_SIZE = 320, DETAIL_MAX = 4096, ENTRY_COST = 96 };

/* ---- effects ---- */

static struct effects *effects_of(lua_State *L)
{
    const struct task *task = generation_of(L)->running;
    return task ? task->effects : NULL;
}

static void add(struct effects *effects, const char *effect, const char *subject,
                const char *detail, bool aside)
{
    effects->count++;
    if (effects->count > EFFECTS_MAX)
        return;
    struct effect *item = ARENA_NEW(&effects->arena, struct effect);
    item->effect = arena_strdup(&effects->arena, effect);
    item->subject = arena_strdup(&effects->arena, subject ? subject : "");
    item->detail = arena_strdup(&effects->arena, detail);
    item->aside = aside;
    if (effects->last)
        effects->last->next = item;
    else
        effects->first = item;
    effects->last = item;
}

bool dry_is(lua_State *L)
{
    return generation_of(L)->dry != NULL;
}

bool dry_wanted(lua_State *L)
{
    return effects_of(L) != NULL || dry_is(L);
}

bool dry_note(lua_State *L, const char *effect, const char *subject, const char *detail)
{
    struct effects *effects = effects_of(L);
    if (effects)
        add(effects, effect, subject, detail, false);
    return dry_is(L);
}

bool dry_note_aside(lua_State *L, const char *effect, const char *subject, const char *detail)
{
    if (!dry_is(L)) /* nobody asks what the live ones say: it is in the log */
        return false;
    struct effects *effects = effects_of(L);
    if (effects)
        add(effects, effect, subject, detail, true);
    return true;
}

void dry_incomparable(lua_State *L)
{
    struct effects *effects = effects_of(L);
    if (effects)
        effects->incomparable = true;
}

void effects_clear(struct effects *effects)
{
    arena_clear(&effects->arena);
    *effects = (struct effects){0};
}

static const struct effect *skip_asides(const struct effect *at)
{
    while (at && at->aside)
        at = at->next;
    return at;
}

bool effects_equal(const struct effects *a, const struct effects *b)
{
    const struct effect *x = skip_asides(a->first), *y = skip_asides(b->first);
    for (; x && y; x = skip_asides(x->next), y = skip_asides(y->next)) {
        if (strcmp(x->effect, y->effect) != 0 || strcmp(x->subject, y->subject) != 0 ||
            strcmp(x->detail ? x->detail : "", y->detail ? y->detail : "") != 0)
            return false;
    }
    return !x && !y;
}

struct json *effects_json(const struct effects *effects, struct arena *arena, bool asides)
{
    struct json *list = json_new(arena, JSON_ARRAY);
    for (const struct effect *at = effects->first; at; at = at->next) {
        if (at->aside && !asides)
            continue;
        struct json *item = json_new(arena, JSON_OBJECT);
        json_adds(arena, item, "effect", at->effect);
        if (at->subject[0])
            json_adds(arena, item, "subject", at->subject);
        struct json *detail = NULL;
        if (at->detail) {
            char *text = arena_strdup(arena, at->detail);
            detail = json_parse(arena, text, strlen(text), NULL, NULL);
            if (!detail)
                detail = json_new_string(arena, span_of(text));
        }
        if (detail)
            json_add(arena, item, "detail", detail);
        json_add(arena, list, NULL, item);
    }
    return list;
}

/* ---- the overlay ---- */

struct kept {
    bool deleted;
    char text[];
};

struct owned { /* of one place and subject */
    struct map values;
};

struct dry {
    struct map owners;
    size_t bytes, overflow;
};

struct dry *dry_new(void)
{
    return xcalloc(1, sizeof(struct dry));
}

static const char *owner_of(char out[OWNER_SIZE], const char *place, const char *subject)
{
    snprintf(out, OWNER_SIZE, "%s %s", place, subject);
    return out;
}

static size_t cost(const char *key, const struct kept *kept)
{
    return ENTRY_COST + strlen(key) + strlen(kept->text);
}

static void clear_owned(struct dry *dry, struct owned *owned)
{
    const struct map_entry *entry;
    size_t at = 0;
    while ((entry = map_next(&owned->values, &at)) != NULL) {
        dry->bytes -= cost(entry->key, entry->value);
        xfree(entry->value);
    }
    map_clear(&owned->values);
    xfree(owned);
}

void dry_free(struct dry *dry)
{
    if (!dry)
        return;
    const struct map_entry *entry;
    size_t at = 0;
    while ((entry = map_next(&dry->owners, &at)) != NULL)
        clear_owned(dry, entry->value);
    map_clear(&dry->owners);
    xfree(dry);
}

static const struct kept *find(const struct dry *dry, const char *place, const char *subject,
                               const char *key)
{
    char owner[OWNER_SIZE];
    const struct owned *owned = map_gets(&dry->owners, owner_of(owner, place, subject));
    return owned ? map_gets(&owned->values, key) : NULL;
}

static void remember(struct dry *dry, const struct dry_value *value, const char *json)
{
    char owner[OWNER_SIZE];
    const char *text = json ? json : "";
    size_t len = strlen(text);
    if (dry->bytes + ENTRY_COST + strlen(value->key) + len > OVERLAY_BYTES) {
        dry->overflow++;
        return;
    }
    owner_of(owner, value->place, value->subject);
    struct owned *owned = map_gets(&dry->owners, owner);
    if (!owned) {
        owned = xcalloc(1, sizeof(*owned));
        map_put(&dry->owners, span_of(owner), owned);
    }
    struct kept *kept = xmalloc(sizeof(*kept) + len + 1);
    kept->deleted = json == NULL;
    memcpy(kept->text, text, len + 1);
    struct kept *old = map_put(&owned->values, span_of(value->key), kept);
    dry->bytes += cost(value->key, kept);
    if (old)
        dry->bytes -= cost(value->key, old);
    xfree(old);
}

void dry_keep(struct dry *dry, const struct dry_value *value)
{
    if (!find(dry, value->place, value->subject, value->key))
        remember(dry, value, value->before);
}

void dry_drop(struct dry *dry, const char *place, const char *subject, const char *key)
{
    char owner[OWNER_SIZE];
    struct span name = span_of(owner_of(owner, place, subject));
    struct owned *owned = map_get(&dry->owners, name);
    if (!owned)
        return;
    if (key) {
        struct kept *kept = map_remove(&owned->values, span_of(key));
        if (kept)
            dry->bytes -= cost(key, kept);
        xfree(kept);
        return;
    }
    map_remove(&dry->owners, name);
    clear_owned(dry, owned);
}

size_t dry_bytes(const struct dry *dry)
{
    return dry->bytes;
}

size_t dry_overflow(const struct dry *dry)
{
    return dry->overflow;
}

/* ---- values ---- */

static void note_value(struct effects *effects, const struct dry_value *value)
{
    const char *json = value->json ? value->json : "null";
    if (!value->subject[0]) {
        add(effects, value->effect, value->key, json, false);
        return;
    }
    struct strbuf text = {0};
    struct json_out out = {.to = &text};
    json_open(&out, '{');
    json_key(&out, value->key);
    json_put_raw(&out, span_of(json));
    json_close(&out, '}');
    add(effects, value->effect, value->subject, strbuf_text(&text), false);
    strbuf_clear(&text);
}

bool dry_write(lua_State *L, const struct dry_value *value)
{
    struct generation *generation = generation_of(L);
    struct effects *effects = effects_of(L);
    if (effects)
        note_value(effects, value);
    if (generation->dry) {
        remember(generation->dry, value, value->json);
        return true;
    }
    shadow_saw_write(generation, value, effects != NULL);
    return false;
}

bool dry_read(lua_State *L, const char *place, const char *subject, const char *key,
              const char **json)
{
    const struct dry *dry = generation_of(L)->dry;
    const struct kept *kept = dry ? find(dry, place, subject, key) : NULL;
    if (kept)
        *json = kept->deleted ? NULL : kept->text;
    return kept != NULL;
}

bool dry_next(lua_State *L, const char *place, const char *subject, size_t *at, const char **key,
              const char **json)
{
    char owner[OWNER_SIZE];
    const struct dry *dry = generation_of(L)->dry;
    const struct owned *owned =
        dry ? map_gets(&dry->owners, owner_of(owner, place, subject)) : NULL;
    const struct map_entry *entry = owned ? map_next(&owned->values, at) : NULL;
    if (!entry)
        return false;
    const struct kept *kept = entry->value;
    *key = entry->key;
    *json = kept->deleted ? NULL : kept->text;
    return true;
}

/* ---- CALLs ---- */

/* Of the words of an answer the best one. */
static const char *good_word(const char *const *words)
{
    static const char *const good[] = {"Accepted", "Unlocked", "Scheduled"};
    for (size_t i = 0; words && i < ARRAY_LEN(good); i++) {
        for (size_t w = 0; words[w]; w++) {
            if (strcmp(good[i], words[w]) == 0)
                return words[w];
        }
    }
    return words ? words[0] : "";
}

static struct json *yes(struct arena *arena, const struct field *fields);

static struct json *yes_field(struct arena *arena, const struct field *field)
{
    if (field->list)
        return json_new(arena, JSON_ARRAY);
    switch (field->type) {
    case FIELD_INT:
    case FIELD_DECIMAL:
        return json_new_int(arena, 0);
    case FIELD_BOOL:
        return json_new_bool(arena, true);
    case FIELD_OBJECT:
        return yes(arena, field->fields);
    default:
        return json_new_string(arena, span_of(good_word(field->words)));
    }
}

/* The payload of an answer that says yes: what is required and no more. */
static struct json *yes(struct arena *arena, const struct field *fields)
{
    struct json *out = json_new(arena, JSON_OBJECT);
    for (const struct field *field = fields; field && field->name; field++) {
        if (field->required)
            json_add(arena, out, field->name, yes_field(arena, field));
    }
    return out;
}

int dry_call(lua_State *L, struct station *st, const char *cp, const char *action,
             lua_CFunction build)
{
    const struct charge_point *found = station_find(st, cp);
    const struct action *row = version_action(api_version_of(st, cp), span_of(action));
    struct arena arena = {0};
    struct call_result result = {.outcome = CALL_ANSWERED, .id = "dry"};
    if (!found || !found->connection) {
        result.outcome = CALL_OFFLINE;
        result.why = "the charge point is not connected";
    } else {
        result.response = row ? yes(&arena, row->response) : json_new(&arena, JSON_OBJECT);
    }
    int base = lua_gettop(L);
    lua_pushcfunction(L, build);
    lua_pushlightuserdata(L, &result);
    int status = lua_pcall(L, 1, LUA_MULTRET, 0);
    arena_clear(&arena);
    return status == LUA_OK ? lua_gettop(L) - base : lua_error(L);
}
