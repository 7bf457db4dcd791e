/* Query and body of a route as declared: `query = { limit = "limit", cpid = "string?" }`.
 *
 * Types: string, integer, number, boolean, object, array, time, limit, any, or words ("a|b"); with
 * `?` the member may be left out. What is not declared is refused by name, so that a misspelt
 * filter never silently means "all". */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/timetext.h"
#include "policy/router.h"

#define INTEGER_MAX ((int64_t)1 << 53)

static const char *const type_names[] = {
    [SHAPE_STRING] = "string",   [SHAPE_INTEGER] = "integer", [SHAPE_NUMBER] = "number",
    [SHAPE_BOOLEAN] = "boolean", [SHAPE_OBJECT] = "object",   [SHAPE_ARRAY] = "array",
    [SHAPE_TIME] = "time",       [SHAPE_LIMIT] = "limit",     [SHAPE_WORDS] = "words",
    [SHAPE_ANY] = "any"};

/* ---- reading a shape ---- */

static bool read_type(struct shape_member *member, struct span text)
{
    if (text.len && text.at[text.len - 1] == '?') {
        member->optional = true;
        text.len--;
    }
    if (memchr(text.at, '|', text.len)) {
        member->type = SHAPE_WORDS;
        member->words = xstrndup(text.at, text.len);
        return true;
    }
    for (size_t i = 0; i < ARRAY_LEN(type_names); i++) {
        if (i != SHAPE_WORDS && span_is(text, type_names[i])) {
            member->type = (enum shape_type)i;
            member->optional = member->optional || i == SHAPE_LIMIT;
            return true;
        }
    }
    return false;
}

static int compare_members(const void *a, const void *b)
{
    return strcmp(((const struct shape_member *)a)->name, ((const struct shape_member *)b)->name);
}

static void read_members(lua_State *L, struct shape *shape, int index, const char *what);

/* `{ "string" }` or `{ { … } }`: a list of such items. */
static bool is_list_of(lua_State *L, int index)
{
    bool list = lua_rawgeti(L, index, 1) != LUA_TNIL;
    lua_pop(L, 1);
    return list;
}

/* The declaration of a member is on top. */
static void read_member(lua_State *L, struct shape_member *member, const char *what)
{
    int index = lua_gettop(L);
    size_t len = strlen(member->name);
    if (lua_type(L, index) == LUA_TSTRING) {
        if (!read_type(member, span_of(lua_tostring(L, index))))
            api_raise(L, "route: %s.%s: \"%s\" is no type", what, member->name,
                      lua_tostring(L, index));
        return;
    }
    if (!lua_istable(L, index) || !lua_checkstack(L, 8))
        api_raise(L, "route: %s must be a table such as { name = \"string\" }", what);
    if (len > 1 && member->name[len - 1] == '?') {
        member->name[len - 1] = '\0';
        member->optional = true;
    }
    member->inner = xcalloc(1, sizeof(*member->inner));
    member->type = SHAPE_OBJECT;
    if (!is_list_of(L, index)) {
        read_members(L, member->inner, index, what);
        return;
    }
    member->type = SHAPE_ARRAY;
    struct shape *inner = member->inner;
    inner->members = xgrow(NULL, 0, &inner->room, sizeof(*inner->members));
    inner->members[inner->count++] = (struct shape_member){.name = xstrdup("")};
    lua_rawgeti(L, index, 1);
    read_member(L, &inner->members[0], what);
    lua_settop(L, index);
}

static void read_members(lua_State *L, struct shape *shape, int index, const char *what)
{
    shape->declared = true;
    for (lua_pushnil(L); lua_next(L, index); lua_pop(L, 1)) {
        if (lua_type(L, -2) != LUA_TSTRING)
            api_raise(L, "route: %s must be a table such as { name = \"string\" }", what);
        shape->members = xgrow(shape->members, shape->count, &shape->room, sizeof(*shape->members));
        struct shape_member *member = &shape->members[shape->count++];
        *member = (struct shape_member){.name = xstrdup(lua_tostring(L, -2))};
        read_member(L, member, what);
    }
    if (shape->count)
        qsort(shape->members, shape->count, sizeof(*shape->members), compare_members);
}

void shape_read(lua_State *L, struct shape *shape, int index, const char *what)
{
    if (!lua_istable(L, index))
        api_raise(L, "route: %s must be a table such as { name = \"string\" }", what);
    read_members(L, shape, index, what);
    for (size_t i = 0; text_is(what, "query") && i < shape->count; i++) {
        if (shape->members[i].inner)
            api_raise(L, "route: query.%s: a parameter is no table", shape->members[i].name);
    }
}

void shape_free(struct shape *shape)
{
    for (size_t i = 0; i < shape->count; i++) {
        struct shape_member *member = &shape->members[i];
        xfree(member->name);
        xfree(member->words);
        if (member->inner)
            shape_free(member->inner);
        xfree(member->inner);
    }
    XFREE(shape->members);
}

static const struct shape_member *member_named(const struct shape *shape, struct span name)
{
    for (size_t i = 0; i < shape->count; i++) {
        if (span_is(name, shape->members[i].name))
            return &shape->members[i];
    }
    return NULL;
}

static bool is_word(const char *words, struct span text)
{
    struct span rest = span_of(words), word;
    while (span_cut(&rest, '|', &word)) {
        if (word.len == text.len && memcmp(word.at, text.at, text.len) == 0)
            return true;
    }
    return false;
}

static void add_words(struct strbuf *out, const char *words)
{
    struct span rest = span_of(words), word;
    bool first = true;
    while (span_cut(&rest, '|', &word)) {
        strbuf_addf(out, "%s\"%.*s\"",
                    first     ? ""
                    : rest.at ? ", "
                              : " or ",
                    (int)word.len, word.at);
        first = false;
    }
}

static const char *expected(const struct shape_member *member, struct strbuf *out)
{
    switch (member->type) {
    case SHAPE_STRING:
        return "a string";
    case SHAPE_INTEGER:
        return "an integer";
    case SHAPE_NUMBER:
        return "a number";
    case SHAPE_BOOLEAN:
        return "true or false";
    case SHAPE_OBJECT:
        return "an object";
    case SHAPE_ARRAY:
        return "an array";
    case SHAPE_TIME:
        return "a time such as \"2026-05-01T12:00:00Z\"";
    case SHAPE_LIMIT:
        return "an integer from 1 to 1000";
    case SHAPE_WORDS:
        add_words(out, member->words);
        return strbuf_text(out);
    case SHAPE_ANY:
        break;
    }
    return "a value";
}

/* ---- query ---- */

static bool push_time(lua_State *L, const char *text)
{
    int zone = (int)generation_of(L)->settings->zone_minutes;
    wall_t at;
    if (timetext_parse_date(span_of(text), &at))
        at -= (wall_t)zone * 60000;
    else if (!timetext_parse(span_of(text), zone, &at))
        return false;
    if (at % 1000 == 0)
        lua_pushinteger(L, at / 1000);
    else
        lua_pushnumber(L, (double)at / 1000);
    return true;
}

static bool push_boolean(lua_State *L, const char *text)
{
    bool yes = text_is(text, "true") || text_is(text, "1");
    if (!yes && !text_is(text, "false") && !text_is(text, "0"))
        return false;
    lua_pushboolean(L, yes);
    return true;
}

static bool push_value(lua_State *L, const struct shape_member *member, const char *text)
{
    int64_t integer;
    switch (member->type) {
    case SHAPE_LIMIT:
        if (!span_int(span_of(text), &integer) || integer < 1 || integer > LIST_LIMIT_MAX)
            return false;
        lua_pushinteger(L, integer);
        return true;
    case SHAPE_INTEGER:
        if (!span_int(span_of(text), &integer))
            return false;
        lua_pushinteger(L, integer);
        return true;
    case SHAPE_NUMBER:
        return json_is_number(span_of(text)) && lua_stringtonumber(L, text) > 0;
    case SHAPE_BOOLEAN:
        return push_boolean(L, text);
    case SHAPE_TIME:
        return push_time(L, text);
    case SHAPE_WORDS:
        if (!is_word(member->words, span_of(text)))
            return false;
        break;
    default:
        break;
    }
    lua_pushstring(L, text);
    return true;
}

static bool unknown_parameter(const struct shape *shape, const char *name, struct reason *why)
{
    struct strbuf known = {.cap = 300};
    for (size_t i = 0; i < shape->count; i++)
        strbuf_addf(&known, "%s%s", i ? ", " : "", shape->members[i].name);
    reason_set(why, "unknown query parameter \"%.60s\"; known here: %s", name,
               known.len ? strbuf_text(&known) : "none");
    strbuf_clear(&known);
    return false;
}

/* The parameter into the table on top. */
static bool take_parameter(lua_State *L, const struct shape *shape, const struct name_value *given,
                           struct reason *why)
{
    if (lua_getfield(L, -1, given->name) != LUA_TNIL)
        return reason_set(why, "query parameter \"%.60s\" is given twice", given->name);
    lua_pop(L, 1);
    const struct shape_member *member = member_named(shape, span_of(given->name));
    if (shape->declared && !member)
        return unknown_parameter(shape, given->name, why);
    if (!utf8_valid(given->value, strlen(given->value)))
        return reason_set(why, "query parameter \"%.60s\" is not UTF-8", given->name);
    if (member && !push_value(L, member, given->value)) {
        struct strbuf words = {.cap = 200};
        reason_set(why, "query parameter \"%s\" must be %s", member->name,
                   expected(member, &words));
        strbuf_clear(&words);
        return false;
    }
    if (!member)
        lua_pushstring(L, given->value);
    lua_setfield(L, -2, given->name);
    return true;
}

bool shape_push_query(lua_State *L, const struct shape *shape, const struct request *request,
                      struct reason *why)
{
    int top = lua_gettop(L);
    bool ok = true;
    lua_newtable(L);
    for (size_t i = 0; ok && i < request->query_count; i++)
        ok = take_parameter(L, shape, &request->query[i], why);
    for (size_t i = 0; ok && i < shape->count; i++) {
        const struct shape_member *member = &shape->members[i];
        bool given = lua_getfield(L, -1, member->name) != LUA_TNIL;
        lua_pop(L, 1);
        if (!given && member->type == SHAPE_LIMIT)
            api_set_integer(L, member->name, LIST_LIMIT);
        else if (!given && !member->optional)
            ok = reason_set(why, "query parameter \"%s\" is missing", member->name);
    }
    if (!ok)
        lua_settop(L, top);
    return ok;
}

/* ---- body ---- */

static bool has_type(const struct shape_member *member, const struct json *value)
{
    int64_t integer;
    wall_t at;
    switch (member->type) {
    case SHAPE_STRING:
        return value->type == JSON_STRING;
    case SHAPE_INTEGER:
        /* Beyond 2^53 Lua would get a float that is no integer any more. */
        return json_int(value, &integer) && integer >= -INTEGER_MAX && integer <= INTEGER_MAX;
    case SHAPE_LIMIT:
        return json_int(value, &integer) && integer >= 1 && integer <= LIST_LIMIT_MAX;
    case SHAPE_NUMBER:
        return value->type == JSON_INT || value->type == JSON_NUMBER;
    case SHAPE_BOOLEAN:
        return value->type == JSON_BOOL;
    case SHAPE_OBJECT:
        return value->type == JSON_OBJECT;
    case SHAPE_ARRAY:
        return value->type == JSON_ARRAY;
    case SHAPE_TIME:
        return value->type == JSON_STRING &&
               (timetext_parse(value->text, 0, &at) || timetext_parse_date(value->text, &at));
    case SHAPE_WORDS:
        return value->type == JSON_STRING && is_word(member->words, value->text);
    case SHAPE_ANY:
        break;
    }
    return true;
}

/* Where we are in the body: what its JSON pointer is made of. */
struct place {
    const struct place *outer;
    struct span name; /* absent: an item */
    size_t item;
};

struct checking {
    struct shape_fault *faults;
    size_t count, room;
};

/* ~ and / of member names are escaped. */
static void add_place(struct strbuf *out, const struct place *place)
{
    if (!place)
        return;
    add_place(out, place->outer);
    strbuf_addc(out, '/');
    if (!place->name.at)
        strbuf_addf(out, "%zu", place->item);
    for (size_t i = 0; i < place->name.len; i++) {
        if (place->name.at[i] == '~' || place->name.at[i] == '/')
            strbuf_adds(out, place->name.at[i] == '~' ? "~0" : "~1");
        else
            strbuf_addc(out, place->name.at[i]);
    }
}

/* NULL: there is room for no more. */
static struct shape_fault *add_fault(struct checking *c, const struct place *place)
{
    if (c->count == c->room)
        return NULL;
    struct shape_fault *fault = &c->faults[c->count++];
    struct strbuf out = {.cap = sizeof(fault->pointer) - 1};
    add_place(&out, place);
    *fault = (struct shape_fault){0};
    text_copy(fault->pointer, sizeof(fault->pointer), (struct span){strbuf_text(&out), out.len});
    strbuf_clear(&out);
    return fault;
}

static void wrong_type(struct checking *c, const struct place *place,
                       const struct shape_member *member, const struct json *value)
{
    struct shape_fault *fault = add_fault(c, place);
    struct strbuf words = {.cap = 200};
    if (fault)
        snprintf(fault->message, sizeof(fault->message), "expected %s, got %s",
                 expected(member, &words), json_type_name(value->type));
    strbuf_clear(&words);
}

static void unknown_member(struct checking *c, const struct place *place, const struct shape *shape)
{
    struct shape_fault *fault = add_fault(c, place);
    if (!fault)
        return;
    const char *near =
        text_nearest(place->name.at, shape->members, shape->count, sizeof(shape->members[0]));
    snprintf(fault->message, sizeof(fault->message), "unknown field%s%s%s",
             near ? "; did you mean " : "", near ? near : "", near ? "?" : "");
}

static void check_object(struct checking *c, const struct place *place, const struct shape *shape,
                         const struct json *object);

static void check_value(struct checking *c, const struct place *place,
                        const struct shape_member *member, const struct json *value)
{
    if (!has_type(member, value)) {
        wrong_type(c, place, member, value);
    } else if (member->inner && member->type == SHAPE_OBJECT) {
        check_object(c, place, member->inner, value);
    } else if (member->inner) {
        size_t item = 0;
        for (const struct json *child = value->child; child && c->count < c->room;
             child = child->next) {
            const struct place here = {.outer = place, .item = item++};
            check_value(c, &here, &member->inner->members[0], child);
        }
    }
}

static void check_object(struct checking *c, const struct place *place, const struct shape *shape,
                         const struct json *object)
{
    for (const struct json *value = object->child; value && c->count < c->room;
         value = value->next) {
        const struct shape_member *member = member_named(shape, value->key);
        const struct place here = {.outer = place, .name = value->key};
        if (!member)
            unknown_member(c, &here, shape);
        else if (value->type != JSON_NULL || !member->optional)
            check_value(c, &here, member, value);
    }
    for (size_t i = 0; i < shape->count; i++) {
        if (shape->members[i].optional || json_get(object, shape->members[i].name))
            continue;
        const struct place here = {.outer = place, .name = span_of(shape->members[i].name)};
        struct shape_fault *fault = add_fault(c, &here);
        if (fault)
            snprintf(fault->message, sizeof(fault->message), "required");
    }
}

size_t shape_check_body(const struct shape *shape, const struct json *body,
                        struct shape_fault *faults, size_t room)
{
    struct checking c = {faults, 0, room};
    if (!shape->declared || room == 0)
        return 0;
    if (body && body->type == JSON_OBJECT) {
        check_object(&c, NULL, shape, body);
        return c.count;
    }
    faults[0] = (struct shape_fault){.message = "expected an object"};
    return 1;
}
