/* The Lua API, one row per function: registration, the manual and the editor types derive from it.
 *
 * A row's signature is LuaLS syntax (`fun(action: string, payload?: table): table?, err?`). Rows of
 * the same `on` make one table or class. A new function is one row in the api_*.c that owns its
 * table. Private to policy/. */
#ifndef POLICY_API_H
#define POLICY_API_H

#include "policy/task.h"

struct api_row {
    const char *name; /* NULL ends a table */
    lua_CFunction fn; /* NULL: a field of an object, read through its __index */
    const char *signature;
    const char *doc; /* one line: result, units, errors */
    bool waits;
};

struct api_table {
    const char *on; /* "" = globals; "log", "json", "store" = tables; "cp", "tx" = objects */
    const char *class_doc;
    const struct api_row *rows;
    const char *called; /* of an object that can be called: "({ url: string }): webhook"; or NULL */
    bool privileged;    /* only for lua/ (routes, test kit) */
    bool object;        /* values that scripts get, not a global: cp, tx, req … */
    bool testing;       /* only while the tests of a build run: `test` */
};

/* All of them, in the order of the manual; NULL-terminated. Listed in api.c. */
extern const struct api_table *const api_tables[];

/* Creates the shared, read-only API values of a fresh state (metatables of cp and tx objects …). */
void api_open(lua_State *L, struct generation *generation);
/* Puts every global name into the environment table on top of the stack. */
void api_fill_environment(lua_State *L, bool privileged);

/* Objects are ids (POLICY.md §1): a cp holds its identity, a tx its number. */
void api_push_cp(lua_State *L, const char *identity);
void api_push_tx(lua_State *L, int64_t id);
const char *api_check_cp(lua_State *L, int index); /* raises unless it is one */
int64_t api_check_tx(lua_State *L, int index);
/* An error value that prints well and has .code ("offline", "timeout", "Rejected" …). */
void api_push_error(lua_State *L, const char *code, const char *message);
/* `return nil, err` */
int api_fail(lua_State *L, const char *code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* The typed bridge (lua_json.c): integers stay integers, arrays stay arrays (marked by a metatable
 * so that `[]` comes back as `[]`), null members are left out, null array items become json.null.
 */
void api_push_json(lua_State *L, const struct json *node);
/* NULL and why: a function, a cycle, a mixed table, not finite, too deep. */
struct json *api_read_json(lua_State *L, int index, struct arena *arena, struct reason *why);

#endif
