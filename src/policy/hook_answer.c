/* Judging answers: the allowed words of each event, and the tables that may come with them.
 *
 * Everything that is not exactly an answer raises with the place of the handler (POLICY §1: "an
 * unknown word is an error, not a pass"). */
#include <string.h>

#include "base/mem.h"
#include "policy/api_parts.h"
#include "policy/hook_parts.h"

const char *hook_name(lua_State *L, const struct asking *asking)
{
    return lua_pushfstring(L, "on.%s",
                           asking->kind == EVENT_ACTION ? asking->action : asking->row->name);
}

static const struct handler *handler_of(const struct asking *asking)
{
    return &asking->list->items[asking->at];
}

/* The handler has returned, so its frame is gone: its definition is the place. */
static int wrong(lua_State *L, const struct asking *asking, const char *format, ...)
{
    const struct handler *handler = handler_of(asking);
    va_list args;
    lua_pushfstring(L, "%s:%d: ", generation_file_name(asking->generation, handler->file),
                    handler->line);
    hook_name(L, asking);
    va_start(args, format);
    lua_pushvfstring(L, format, args);
    va_end(args);
    lua_concat(L, 3);
    return lua_error(L);
}

static void add_list(luaL_Buffer *b, const char *const *names)
{
    for (size_t i = 0; names[i]; i++) {
        if (i > 0)
            luaL_addstring(b, ", ");
        luaL_addstring(b, names[i]);
    }
}

/* " (did you mean X?): A, B, C" */
static const char *push_choice(lua_State *L, const char *word, const char *const *names)
{
    size_t count = 0;
    while (names[count])
        count++;
    const char *near = text_nearest(word, names, count, sizeof(*names));
    luaL_Buffer b;
    luaL_buffinit(L, &b);
    if (near) {
        luaL_addstring(&b, " (did you mean ");
        luaL_addstring(&b, near);
        luaL_addstring(&b, "?)");
    }
    luaL_addstring(&b, "; possible: ");
    add_list(&b, names);
    luaL_pushresult(&b);
    return lua_tostring(L, -1);
}

static const char *check_word(lua_State *L, struct asking *asking, int index,
                              const char *const *words)
{
    if (lua_type(L, index) != LUA_TSTRING)
        wrong(L, asking, " returned a %s; it answers with a word", luaL_typename(L, index));
    const char *word = lua_tostring(L, index);
    for (size_t i = 0; words[i]; i++) {
        if (strcmp(words[i], word) == 0)
            return words[i];
    }
    wrong(L, asking, " returned '%s'%s", word, push_choice(L, word, words));
    return NULL;
}

static const struct json *read_object(lua_State *L, struct asking *asking, int index)
{
    struct reason why;
    const struct json *node = api_read_json(L, index, &asking->arena, &why);
    if (!node)
        wrong(L, asking, " returned a table that is no JSON: %s", why.text);
    if (node->type == JSON_ARRAY && node->count == 0)
        return json_new(&asking->arena, JSON_OBJECT); /* `{}` */
    if (node->type != JSON_OBJECT)
        wrong(L, asking, " returned a list; a table with names is expected");
    return node;
}

/* ---- the second value ---- */

enum member_type { MEMBER_TEXT, MEMBER_NUMBER, MEMBER_TEXT_OR_NUMBER };

struct member {
    const char *name;
    enum member_type type;
};

static const struct member authorize_members[] = {
    {"parentIdTag", MEMBER_TEXT}, {"expiryDate", MEMBER_TEXT_OR_NUMBER}, {"why", MEMBER_TEXT}};
static const struct member boot_members[] = {{"interval", MEMBER_NUMBER}, {"why", MEMBER_TEXT}};

static bool fits(const struct json *value, enum member_type type)
{
    bool number = value->type == JSON_INT || value->type == JSON_NUMBER;
    bool text = value->type == JSON_STRING;
    return (number && type != MEMBER_TEXT) || (text && type != MEMBER_NUMBER);
}

static void check_members(lua_State *L, struct asking *asking, const struct json *extra,
                          const struct member *members, size_t count)
{
    const char *names[8] = {NULL};
    for (size_t i = 0; i < count; i++)
        names[i] = members[i].name;
    for (const struct json *value = extra->child; value; value = value->next) {
        size_t i = 0;
        while (i < count && !span_is(value->key, members[i].name))
            i++;
        const char *key = arena_strndup(&asking->arena, value->key.at, value->key.len);
        if (i == count)
            wrong(L, asking, " returned an unknown member '%s'%s", key, push_choice(L, key, names));
        if (!fits(value, members[i].type))
            wrong(L, asking, " returned %s = %s", key, json_type_name(value->type));
    }
}

static void take_extra(lua_State *L, struct asking *asking, int index)
{
    if (lua_isnoneornil(L, index))
        return;
    if (!lua_istable(L, index))
        wrong(L, asking, " returned a %s as second value; a table is expected",
              luaL_typename(L, index));
    const struct json *extra = read_object(L, asking, index);
    if (asking->kind == EVENT_AUTHORIZE)
        check_members(L, asking, extra, authorize_members, ARRAY_LEN(authorize_members));
    else if (asking->kind == EVENT_BOOT)
        check_members(L, asking, extra, boot_members, ARRAY_LEN(boot_members));
    asking->verdict.extra = extra;
    asking->verdict.why = json_gets(extra, "why");
}

/* ---- raw actions ---- */

static const char *const data_transfer_words[] = {"Accepted", "Rejected", "UnknownMessageId",
                                                  "UnknownVendorId", NULL};

/* `return "Accepted", "data"`, `return "Accepted", {data = …}`, or the whole answer as a table. */
static void judge_data_transfer(lua_State *L, struct asking *asking, int first, int count)
{
    struct verdict *verdict = &asking->verdict;
    if (lua_istable(L, first)) {
        verdict->extra = read_object(L, asking, first);
        const char *status = json_gets(verdict->extra, "status");
        lua_pushstring(L, status ? status : "");
        check_word(L, asking, -1, data_transfer_words);
        return;
    }
    verdict->word = check_word(L, asking, first, data_transfer_words);
    if (count < 2 || lua_isnil(L, first + 1))
        return;
    if (lua_istable(L, first + 1)) {
        verdict->extra = read_object(L, asking, first + 1);
    } else if (lua_type(L, first + 1) == LUA_TSTRING) {
        struct span text;
        text.at = lua_tolstring(L, first + 1, &text.len);
        if (!utf8_valid(text.at, text.len))
            wrong(L, asking, " returned data that is not UTF-8");
        struct json *extra = json_new(&asking->arena, JSON_OBJECT);
        verdict->extra =
            json_add(&asking->arena, extra, "data", json_new_string(&asking->arena, text));
    } else {
        wrong(L, asking, " returned a %s as data; a string is expected",
              luaL_typename(L, first + 1));
    }
}

static void judge_action(lua_State *L, struct asking *asking, int first, int count)
{
    if (strcmp(asking->action, "DataTransfer") == 0) {
        judge_data_transfer(L, asking, first, count);
        return;
    }
    if (!lua_istable(L, first))
        wrong(L, asking, " returned a %s; the answer's payload is a table",
              luaL_typename(L, first));
    asking->verdict.extra = read_object(L, asking, first);
}

/* ---- prices ---- */

static void judge_price(lua_State *L, struct asking *asking, int first)
{
    struct reason why;
    if (!lua_istable(L, first))
        wrong(L, asking,
              " returned a %s; a price is a table: { currency = \"EUR\", energy = 1.23 }",
              luaL_typename(L, first));
    const struct json *price = api_read_price(L, first, &asking->arena, &why);
    if (!price)
        wrong(L, asking, " returned no price: %s", why.text);
    asking->verdict.extra = price;
    asking->verdict.word = json_gets(price, "text");
    asking->verdict.why = json_gets(price, "why");
}

/* ---- all of them ---- */

bool hook_wants_answer(const struct asking *asking)
{
    if (asking->kind == EVENT_PRICE)
        return true;
    return asking->kind == EVENT_ACTION ? !asking->observe : asking->row->words != NULL;
}

bool hook_judge(lua_State *L, struct asking *asking, int first, int count)
{
    if (count == 0 || lua_isnil(L, first))
        return false; /* no opinion */
    if (!lua_checkstack(L, 20))
        luaL_error(L, "stack overflow");
    const struct handler *handler = handler_of(asking);
    if (!hook_wants_answer(asking))
        wrong(L, asking, " returned a %s, but nobody waits for an answer: return nothing",
              luaL_typename(L, first));
    if (asking->kind == EVENT_ACTION) {
        judge_action(L, asking, first, count);
    } else if (asking->kind == EVENT_PRICE) {
        judge_price(L, asking, first);
    } else {
        asking->verdict.word = check_word(L, asking, first, asking->row->words);
        if (count >= 2)
            take_extra(L, asking, first + 1);
    }
    asking->verdict.kind = VERDICT_GIVEN;
    asking->verdict.file = generation_file_name(asking->generation, handler->file);
    asking->verdict.line = handler->line;
    return true;
}
