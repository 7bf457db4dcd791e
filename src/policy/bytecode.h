/* Which global names a compiled chunk reads and writes, and which methods it calls (POLICY §3.3,
 * §6): `retrun 'x'` parses as a call and would fail only when it runs.
 *
 * Reads what lua_dump() writes, of Lua 5.4 only. Private to policy/. */
#ifndef POLICY_BYTECODE_H
#define POLICY_BYTECODE_H

#include <stdbool.h>
#include <stddef.h>

struct bytecode_name {
    const char *name;
    const char *field; /* `os.execute`: "execute"; NULL when the name stands alone */
    int line;
    bool write;
    bool method;     /* `x:name(…)` of anything that is no global */
    bool sets_field; /* `name.field = …` or `function name.field()`; not `write` then */
};
typedef void (*bytecode_found)(void *ctx, const struct bytecode_name *name);

/* In order of functions, then of instructions. False: not bytecode that we can read, and what was
 * found until then says nothing. */
bool bytecode_scan(const void *dump, size_t len, bytecode_found found, void *ctx);

#endif
