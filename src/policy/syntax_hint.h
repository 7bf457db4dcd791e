/* What was probably meant where Lua's parser gave up: `lcoal x`, `retrun x`, `if a = b`, `a != b`.
 *
 * The parser names a line and the token it stumbled over; the slip is that token or the word before
 * it. Only hints: nothing depends on them. Private to policy/. */
#ifndef POLICY_SYNTAX_HINT_H
#define POLICY_SYNTAX_HINT_H

#include <stdbool.h>
#include <stddef.h>

/* `message` as luaL_loadbufferx() gives it. False: no idea. */
bool syntax_hint(const char *source, size_t len, const char *message, char *out, size_t size);

#endif
