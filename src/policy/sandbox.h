/* What a policy file sees: an allow-list of names, read-only, in an environment of its own (POLICY
 * §4).
 *
 * A file's _ENV is an empty table: reads go through to the names, writes raise. Nothing that could
 * look behind it (rawget, getmetatable, debug) is among the names. Guards bound what a C function
 * of Lua's library may take in one go, because no hook fires inside. Private to policy/. */
#ifndef POLICY_SANDBOX_H
#define POLICY_SANDBOX_H

#include <lua.h>
#include <stdbool.h>
#include <stddef.h>

#include "policy/source.h"

/* Opens the libraries of a fresh state. The API names come later, from api_fill_environment(). */
void sandbox_open(lua_State *L);
/* A fresh _ENV for a file of that kind. */
void sandbox_push_environment(lua_State *L, enum source_kind kind);

/* Is this global name there, and if `field` is given, is it a member of that library? `nearest`
 * (may be NULL) is filled with what was meant, "" if nobody can tell. */
enum sandbox_name {
    SANDBOX_KNOWN,
    SANDBOX_UNKNOWN,
    SANDBOX_ABSENT /* standard Lua that policies do not have */
};
enum { NEAREST_SIZE = 64 };
enum sandbox_name sandbox_look_up(lua_State *L, enum source_kind kind, const char *name,
                                  const char *field, char nearest[NEAREST_SIZE]);

/* For the manual: the names of standard Lua that policies have, and those that they do not. */
void sandbox_print(struct strbuf *out);

/* The guarded functions, for sandbox.c to put into the libraries: sandbox_guard.c, sandbox_time.c.
 */
struct sandbox_guard {
    const char *library, *name; /* library NULL ends */
    lua_CFunction fn;           /* upvalue 1 is the function of Lua's library, if it has one */
};
extern const struct sandbox_guard sandbox_guards[];
int sandbox_time(lua_State *L);
int sandbox_date(lua_State *L);
int sandbox_require(lua_State *L);   /* require.c */
int sandbox_on_define(lua_State *L); /* handlers.c: `on.<event> = function` */
int sandbox_on_read(lua_State *L);
/* pattern.c. `anchors`: ^ at the start is an anchor (not so in gmatch). */
struct pattern_cost {
    double bound; /* of the contract: POLICY §4 */
    double steps; /* at worst */
};
struct pattern_cost pattern_cost(const char *pattern, size_t len, size_t subject, bool anchors);

#endif
