/* `quirk { name = …, vendor = …, …switches }`: switches for every charger of a make, declared while
 * files load. The packs are kept with the generation and given to the station at the swap; which
 * switches there are says station/options.c, and nothing here. */
#include <string.h>

#include "base/mem.h"
#include "policy/api_parts.h"
#include "policy/quirk.h"
#include "station/quirk.h"

enum { PATTERN_MAX = 100, NAME_MAX_BYTES = 64 };

struct quirk_list {
    struct quirk items[QUIRKS_MAX];
    size_t count;
};

static const char what[] = "quirk";
static const char *const pattern_names[] = {"identity", "vendor", "model", "firmware"};

/* ---- with the generation ---- */

size_t quirks_count(const struct generation *generation)
{
    return generation->quirks ? generation->quirks->count : 0;
}

void quirks_start(struct generation *generation)
{
    if (generation->station)
        station_quirks_define(generation->station,
                              generation->quirks ? generation->quirks->items : NULL,
                              quirks_count(generation));
}

void quirks_free(struct generation *generation)
{
    for (size_t i = 0; i < quirks_count(generation); i++) {
        const struct quirk *quirk = &generation->quirks->items[i];
        const char *const texts[] = {quirk->name,  quirk->identity, quirk->vendor,
                                     quirk->model, quirk->firmware, quirk->options};
        for (size_t t = 0; t < ARRAY_LEN(texts); t++)
            xfree((void *)texts[t]);
    }
    XFREE(generation->quirks);
}

static void keep(struct generation *generation, const struct quirk *quirk)
{
    if (!generation->quirks)
        generation->quirks = xcalloc(1, sizeof(*generation->quirks));
    generation->quirks->items[generation->quirks->count++] =
        (struct quirk){.name = xstrdup(quirk->name),
                       .identity = xstrdup_or_null(quirk->identity),
                       .vendor = xstrdup_or_null(quirk->vendor),
                       .model = xstrdup_or_null(quirk->model),
                       .firmware = xstrdup_or_null(quirk->firmware),
                       .options = xstrdup(quirk->options)};
}

/* ---- reading one ---- */

static const char *take_text(lua_State *L, const char *name, const char *member, size_t most)
{
    int type = lua_getfield(L, 1, member);
    if (type == LUA_TNIL)
        return NULL;
    const char *text = type == LUA_TSTRING ? lua_tostring(L, -1) : NULL;
    if (!text || text[0] == '\0' || strlen(text) > most)
        api_raise(L, "%s%s%s%s: %s must be a text of 1 to %d bytes", what, name ? " \"" : "",
                  name ? name : "", name ? "\"" : "", member, (int)most);
    return text;
}

static bool is_pattern(const char *member)
{
    for (size_t i = 0; i < ARRAY_LEN(pattern_names); i++) {
        if (text_is(member, pattern_names[i]))
            return true;
    }
    return text_is(member, "name");
}

/* The switches alone, as a table on top; whether there are any. */
static bool push_switches(lua_State *L, const char *name)
{
    bool any = false;
    lua_newtable(L);
    int table = lua_gettop(L);
    for (lua_pushnil(L); lua_next(L, 1); lua_pop(L, 1)) {
        if (lua_type(L, -2) != LUA_TSTRING)
            api_raise(L, "%s \"%s\": write { vendor = …, replyDelayMs = …, … }", what, name);
        if (is_pattern(lua_tostring(L, -2)))
            continue;
        lua_pushvalue(L, -2);
        lua_pushvalue(L, -2);
        lua_rawset(L, table);
        any = true;
    }
    return any;
}

static void check_declarable(lua_State *L, const struct quirk *quirk)
{
    const struct generation *generation = generation_of(L);
    for (size_t i = 0; i < quirks_count(generation); i++) {
        if (text_is(generation->quirks->items[i].name, quirk->name))
            api_raise(L, "%s \"%s\" is declared twice", what, quirk->name);
    }
    if (quirks_count(generation) == QUIRKS_MAX)
        api_raise(L, "%s \"%s\": more than %d", what, quirk->name, QUIRKS_MAX);
    if (!quirk->identity && !quirk->vendor && !quirk->model && !quirk->firmware)
        api_raise(L, "%s \"%s\": for which chargers? Give vendor, model, firmware or identity",
                  what, quirk->name);
}

static int quirk_declare(lua_State *L)
{
    struct generation *generation = generation_of(L);
    struct quirk quirk = {0};
    struct reason why;
    lua_settop(L, 1);
    api_arg_table(L, what, 1, "what");
    if (generation->phase != PHASE_LOADING || generation->loading_file < 0)
        return api_raise(L, "%s can only be used while a policy file loads", what);
    quirk.name = take_text(L, NULL, "name", NAME_MAX_BYTES);
    if (!quirk.name)
        return api_raise(L, "%s: name is needed", what);
    quirk.identity = take_text(L, quirk.name, pattern_names[0], PATTERN_MAX);
    quirk.vendor = take_text(L, quirk.name, pattern_names[1], PATTERN_MAX);
    quirk.model = take_text(L, quirk.name, pattern_names[2], PATTERN_MAX);
    quirk.firmware = take_text(L, quirk.name, pattern_names[3], PATTERN_MAX);
    check_declarable(L, &quirk);
    if (!push_switches(L, quirk.name))
        return api_raise(L, "%s \"%s\" switches nothing", what, quirk.name);
    quirk.options = api_push_as_text(L, -1, what);
    if (!quirk_valid(NULL, &quirk, &why))
        return api_raise(L, "%s \"%s\": %s", what, quirk.name, why.text);
    keep(generation, &quirk);
    return 0;
}

static const struct api_row rows[] = {
    {"quirk", quirk_declare,
     "fun(what: { name: string, vendor?: string, model?: string, firmware?: string, identity?: "
     "string, [string]: any })",
     "While a file loads: switches for all chargers that fit the patterns (`*` stands for "
     "anything, "
     "case does not matter): quirk { name = \"keba\", vendor = \"KEBA*\", tagCutAt = \"_\" }. The "
     "switches are those of `options` of PUT /api/v1/chargepoints/{cpid}, which has the last word: "
     "strict, acceptTxBeforeBoot, pongRequired, assumeProtocol, zoneMinutes, replyDelayMs, "
     "ratingW, "
     "phases, dc, energyUnit, powerUnit, currentUnit, tagStrip, tagCutAt, noTriggerBoot, "
     "profileUnit, profileShape.",
     false},
    {NULL, NULL, NULL, NULL, false}};

const struct api_table api_table_quirk = {
    .on = "", .class_doc = "Quirks of chargers.", .rows = rows};
