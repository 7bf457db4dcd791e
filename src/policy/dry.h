/* Dry runs: what a policy would do is noted instead of done.
 *
 * A generation with a `struct dry` (eval, shadow) has no effect outside of itself. Its reads see
 * what it wrote (the overlay), CALLs to chargers answer as if they were accepted, and each effect
 * is noted in the list of the event that runs. A live generation that a shadow is compared with
 * notes too, and then does it. One line in an API function that has an effect:
 *
 *     if (dry_note(L, "tx:limit", id_text, "{\"amps\":16}"))
 *         return 0;                                    // what success returns; do nothing
 *
 * `detail` is JSON text or NULL. For values that can be read back use dry_write() and dry_read().
 * CALLs by api_command_wait() are noted there. What a policy only reads needs no line. Nothing here
 * raises. Private to policy/. Loop thread. */
#ifndef POLICY_DRY_H
#define POLICY_DRY_H

#include "policy/task.h"

/* ---- for API functions ---- */

/* Notes an effect of the running handler, if anybody wants to know. True: it must not be done. */
bool dry_note(lua_State *L, const char *effect, const char *subject, const char *detail);
/* The same for what says nothing about how a policy decides (log lines): shown by eval, and never
 * compared. True: it must not be done. */
bool dry_note_aside(lua_State *L, const char *effect, const char *subject, const char *detail);
/* What the handler does from here on depends on an answer from outside that a dry run cannot have
 * (http.post): shadow does not compare this event. */
void dry_incomparable(lua_State *L);
bool dry_is(lua_State *L); /* this generation runs dry */
/* Does anybody want to know of effects, or must they not be done? Saves building a `detail`. */
bool dry_wanted(lua_State *L);

/* A value that policies keep: `place` is "store", "cp.vars", "tx.vars", "site.vars"; `subject`
 * whose
 * ("CP1", "7"; "" for store); `json` NULL deletes. */
struct dry_value {
    const char *effect; /* "store.set", "tx.vars" */
    const char *place, *subject, *key, *json;
    const char *before; /* the value as it is stored now, JSON or NULL: before the write */
};
/* Call right before the write. True: noted and remembered, do not write. */
bool dry_write(lua_State *L, const struct dry_value *value);
/* True: `*json` (NULL: deleted) is what this dry generation sees; else read what is stored. */
bool dry_read(lua_State *L, const char *place, const char *subject, const char *key,
              const char **json);
/* `size_t at = 0; while (dry_next(L, place, subject, &at, &key, &json))`: what the overlay holds
 * over a place, deleted ones (json NULL) included. For pairs() and store.keys(). */
bool dry_next(lua_State *L, const char *place, const char *subject, size_t *at, const char **key,
              const char **json);
/* The results of `build` (see api_command_wait) for a CALL that was accepted, or that could not be
 * sent because the charger is offline. */
int dry_call(lua_State *L, struct station *st, const char *cp, const char *action,
             lua_CFunction build);

/* ---- for eval, shadow and hooks ---- */

enum { EFFECTS_MAX = 100 };

struct effect { /* everything in the list's arena */
    struct effect *next;
    const char *effect, *subject; /* subject "" if there is none */
    const char *detail;           /* JSON or NULL */
    bool aside;
};

struct effects { /* of one event, in order; zeroed = empty */
    struct arena arena;
    struct effect *first, *last;
    size_t count; /* all; the first EFFECTS_MAX are kept */
    bool incomparable;
};
void effects_clear(struct effects *effects);
/* Same effects in the same order, asides left out. */
bool effects_equal(const struct effects *a, const struct effects *b);
/* An array of {effect, subject, detail}. */
struct json *effects_json(const struct effects *effects, struct arena *arena, bool asides);

struct dry; /* the overlay */
struct dry *dry_new(void);
void dry_free(struct dry *dry);
/* Keeps the value that is stored now, unless the overlay has one: then a write of the live policies
 * is not seen by a shadow, which does the same write itself. */
void dry_keep(struct dry *dry, const struct dry_value *value);
/* What is stored is seen again. key NULL: all of that subject. */
void dry_drop(struct dry *dry, const char *place, const char *subject, const char *key);
size_t dry_bytes(const struct dry *dry);
/* Writes that were not remembered because the overlay was full. */
size_t dry_overflow(const struct dry *dry);

#endif
