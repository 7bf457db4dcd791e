/* What the api_*.c files share: argument checks, read-only tables, and their rows.
 *
 * Every message names the function and the argument as the author wrote them:
 * `cp:call: argument 1 (action) must be a string, not nil`. Errors carry the script's line.
 * Private to the api_*.c, router*.c and testkit*.c of policy/. */
#ifndef POLICY_API_PARTS_H
#define POLICY_API_PARTS_H

#include <lauxlib.h>

#include "policy/build.h"

/* One table of rows per file; api.c lists them in the order of the manual. */
extern const struct api_table api_table_time, api_table_window_globals, api_table_window;
extern const struct api_table api_table_log;
extern const struct api_table api_table_json, api_table_cp_globals, api_table_cp;
extern const struct api_table api_table_connector, api_table_vars, api_table_err;
extern const struct api_table api_table_site_globals, api_table_site;
extern const struct api_table api_table_tx_globals, api_table_tx, api_table_price;
extern const struct api_table api_table_store;
extern const struct api_table api_table_http, api_table_http_answer;
extern const struct api_table api_table_webhook_globals, api_table_webhook, api_table_quirk;
extern const struct api_table api_table_tags, api_table_tag, api_table_idtag_entry;
extern const struct api_table api_table_every, api_table_route, api_table_route_options;
extern const struct api_table api_table_req, api_table_rest, api_table_test, api_table_t;

/* ---- errors and arguments ---- */

/* Raises `message` with file and line of the calling script. */
int api_raise(lua_State *L, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* "%s: argument %d (%s) must be %s, not %s" */
int api_bad_argument(lua_State *L, const char *function, int index, const char *argument,
                     const char *expected);
const char *api_arg_string(lua_State *L, const char *function, int index, const char *argument);
int64_t api_arg_integer(lua_State *L, const char *function, int index, const char *argument);
double api_arg_number(lua_State *L, const char *function, int index, const char *argument);
void api_arg_function(lua_State *L, const char *function, int index, const char *argument);
void api_arg_table(lua_State *L, const char *function, int index, const char *argument);
/* A number of seconds or a text like "15m"; in milliseconds. */
int64_t api_arg_duration(lua_State *L, const char *function, int index, const char *argument);
/* Raises when the options table at `index` (or nil) has a member that is not in `names`
 * (NULL-terminated). */
void api_check_members(lua_State *L, const char *function, int index, const char *const *names);
/* Member of the options table as text, or NULL; raises if it is something else. The text is kept
 * alive by the table. */
const char *api_opt_string(lua_State *L, const char *function, int index, const char *name);
/* Member as an integer, else `fallback`. */
int64_t api_opt_integer(lua_State *L, const char *function, int index, const char *name,
                        int64_t fallback);
bool api_opt_bool(lua_State *L, const char *function, int index, const char *name, bool fallback);
/* Member as a duration in ms, else `fallback`. */
int64_t api_opt_duration(lua_State *L, const char *function, int index, const char *name,
                         int64_t fallback);
/* "nil", "a string", "a cp" … of any value, for messages; never raises. */
const char *api_type_of(lua_State *L, int index);
/* Tells api_type_of what to call values with the metatable on top ("a cp"); the text is static. */
void api_name_type(lua_State *L, const char *name);

/* ---- values ---- */

/* A number of seconds as a whole one, rounded down; false if it is out of any calendar's range. */
bool api_whole_seconds(double seconds, int64_t *out);

/* Replaces the table on top by a read-only view of it; writing raises "<name> is read-only", and an
 * unknown field raises with the nearest name, unless `lenient` (then it reads nil). */
void api_freeze(lua_State *L, const char *name, bool lenient);
/* Gives the table at `index` the mark that it is a JSON array. */
void api_mark_array(lua_State *L, int index);
bool api_is_array(lua_State *L, int index); /* has the mark */
/* Sets t[name] of the table on top; seconds since 1970 from ms, nil if ABSENT. */
void api_set_seconds(lua_State *L, const char *name, int64_t ms);
void api_set_string(lua_State *L, const char *name, const char *text); /* NULL: not set */
void api_set_integer(lua_State *L, const char *name, int64_t value);   /* ABSENT: not set */
void api_set_bool(lua_State *L, const char *name, bool value);
/* Registers the metatable of a kind of object under `key`; messages call its values `name`. */
void api_open_object(lua_State *L, const void *key, const char *name, const luaL_Reg *metamethods);
/* The userdata at `index` if it is of that kind, else NULL. */
void *api_to_object(lua_State *L, int index, const void *key);
/* A table with weak values under `key`, so that an id gives the same value while it is held. */
void api_open_weak(lua_State *L, const void *key);
bool api_has_row(const struct api_table *table, const char *name);
/* Index metamethod of an object when `key` names none of its fields: raises with the nearest. */
int api_unknown_field(lua_State *L, const char *object, const struct api_table *table,
                      const char *key);

/* The line of the script that called the running C function, and its file (as the chunk is named);
 * false if no script did. */
struct api_place {
    char file[96];
    int line;
};
bool api_caller(lua_State *L, struct api_place *place);

/* The station, or raises: "cp:call cannot be used while a policy file loads". */
struct station *api_station(lua_State *L, const char *what);

/* ---- between the files ---- */

void api_open_json(lua_State *L);      /* lua_json.c: marks of arrays and ordered objects */
void json_add_constants(lua_State *L); /* api_json.c: json.null, to the table on top */
void api_open_errors(lua_State *L);    /* api.c */
void api_open_cp(lua_State *L);
void api_open_tx(lua_State *L);
void api_open_vars(lua_State *L);
void api_open_site(lua_State *L);
void api_open_window(lua_State *L);
void api_open_webhook(lua_State *L);
void api_open_source(lua_State *L); /* api_rest_files.c */
/* api_call.c */
int api_cp_call(lua_State *L);
const struct version *api_version_of(struct station *st, const char *cp);
/* Empty tables of a script become `[]` where the version's table wants a list. */
void api_fix_payload(struct station *st, const char *cp, const char *action, struct json *payload);
/* The err.code of a result that is not ANSWERED. */
const char *api_call_code(const struct call_result *result);
/* `nil, err` for a result that is not ANSWERED. */
int api_call_failed(lua_State *L, const struct call_result *result);
/* "policy 30-stall.lua": for the record of a command; stays on the stack. */
const char *api_push_asker(lua_State *L);
/* Sends the command (its texts alive at least until this yields) and waits for its result: `build`
 * makes the results of the API function from the struct call_result that is its light userdata. */
int api_command_wait(lua_State *L, const char *what, const char *cp, const struct command *command,
                     lua_CFunction build);
/* Notes a CALL for those who want to know of effects (dry.h). True: not to be sent. */
bool api_note_command(lua_State *L, const char *cp, const struct command *command);
int api_cp_configure(lua_State *L);               /* api_configure.c */
int api_cp_action(lua_State *L, const char *key); /* api_actions.c: pushes that method of cp */
int api_tx_stop(lua_State *L);
/* api_price.c. The table at `index`, as on.price returns it: {currency, digits, total, text, lines,
 * tariff?, why?} in whole numbers of the smallest unit. NULL and why; never raises. */
struct json *api_read_price(lua_State *L, int index, struct arena *arena, struct reason *why);
void api_push_price(lua_State *L, const struct price *price); /* nil if there is none */
int api_tx_cost(lua_State *L);
int api_tx_window(lua_State *L); /* api_series.c */
int api_tx_slices(lua_State *L);
int api_tx_remind(lua_State *L);
/* A cp, or the text of an identity; NULL for anything else. */
const char *api_cp_or_name(lua_State *L, int index);
/* api_http.c: adds the headers of the table at `headers` (checked, at most `most`) as lines "Name:
 * value" to the list on top; their number. Raises for what is no header. */
int api_header_lines(lua_State *L, const char *what, int headers, int most);
/* Parses and pushes: 0, or -1 with nothing pushed and why. Raises only without memory. */
int api_push_json_text(lua_State *L, struct span text, struct reason *why);
/* The value as JSON text, kept alive by a value that is pushed; raises "<what>: …" if it is no JSON
 * or longer than 64 KiB. */
const char *api_push_as_text(lua_State *L, int index, const char *what);
/* Runs fn(lightuserdata arg) in a protected call on the main state and moves its results to L,
 * which may be suspended: the way for a task_push to build values. Without memory the results are
 * nil and false. Never raises. */
int api_push_protected(lua_State *L, lua_CFunction fn, void *arg);
/* vars of a charge point (identity) or of a transaction (id). */
void api_push_cp_vars(lua_State *L, const char *identity);
void api_push_tx_vars(lua_State *L, int64_t id);
void api_push_site_vars(lua_State *L, const char *name);
/* api_site.c. The fields push their value and return 1, or 0 for another key. */
void api_push_site(lua_State *L, const char *name);
int api_tx_limit(lua_State *L);
int api_cp_limit(lua_State *L);
int api_tx_limit_field(lua_State *L, int64_t id, const char *key);
int api_cp_limit_field(lua_State *L, const char *cp, const char *key);
/* Weekly windows in site time, from "22:00-06:00, sat 08:00-12:00". False and why: nothing pushed.
 */
bool api_push_window(lua_State *L, struct span text, struct reason *why);
/* An ended transaction; only the test kit keeps them, elsewhere it is NULL. */
struct testkit_ended {
    int64_t id, connector, start_ms, stop_ms, meter_start_wh, energy_wh, flags;
    char *cp, *id_tag, *reason, *policy_reason;
    struct price price;
};
const struct testkit_ended *testkit_ended(const struct generation *generation, int64_t id);
/* Names of enum transaction_flag, as a list (marked as an array) or as a set. */
void api_push_flags(lua_State *L, int64_t flags, bool as_list);
void log_limits_free(struct generation *generation);
void log_limits_stop(struct generation *generation, struct timers *timers);
/* Marks the table on top as a JSON object whose members are written in the order of the array at
 * `order`; those that are nil are written as null. */
void api_mark_ordered(lua_State *L, int index, int order);

#endif
