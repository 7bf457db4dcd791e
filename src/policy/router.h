/* REST routes: what `route` registered, what a request must look like, what an answer becomes.
 *
 * router.c keeps and finds routes, router_shape.c checks query and body against what the route
 * declared, router_request.c takes a request through all checks to its handler, router_answer.c
 * makes the response. Private to router*.c. */
#ifndef POLICY_ROUTER_H
#define POLICY_ROUTER_H

#include "policy/api_parts.h"

enum { ROUTES_MAX = 256, SEGMENTS_MAX = 16, LIST_LIMIT = 100, LIST_LIMIT_MAX = 1000 };

/* ---- shapes: names and types of query parameters and body members ---- */

enum shape_type {
    SHAPE_STRING,
    SHAPE_INTEGER,
    SHAPE_NUMBER,
    SHAPE_BOOLEAN,
    SHAPE_OBJECT,
    SHAPE_ARRAY,
    SHAPE_TIME,  /* RFC 3339, or a date in site time; the handler gets seconds */
    SHAPE_LIMIT, /* 1 to 1000, 100 if it is not given */
    SHAPE_WORDS, /* "a|b|c" */
    SHAPE_ANY
};

struct shape_member {
    char *name;
    enum shape_type type;
    bool optional;
    char *words;         /* SHAPE_WORDS: "a|b|c" */
    struct shape *inner; /* SHAPE_OBJECT: its members; SHAPE_ARRAY: the one member of each item;
                            NULL: any */
};

struct shape {
    bool declared; /* else everything is let through */
    struct shape_member *members;
    size_t count, room;
};

/* Reads `query = { … }` or `body = { … }` of the options; raises for a wrong one. */
void shape_read(lua_State *L, struct shape *shape, int index, const char *what);
void shape_free(struct shape *shape);
/* Pushes the table of query parameters, converted. False: nothing pushed, `why` names the
 * parameter. */
bool shape_push_query(lua_State *L, const struct shape *shape, const struct request *request,
                      struct reason *why);

struct shape_fault {
    char pointer[96], message[160];
};
/* Faults of a body, at most `room`; returns how many. */
size_t shape_check_body(const struct shape *shape, const struct json *body,
                        struct shape_fault *faults, size_t room);

/* ---- routes ---- */

enum route_body { BODY_JSON, BODY_TEXT, BODY_FILE };

struct route_segment {
    char *text; /* the literal, or the name of the parameter */
    bool parameter;
};

struct route {
    char *method, *template;
    struct route_segment segments[SEGMENTS_MAX];
    size_t count;
    int ref;         /* registry: the handler */
    int options_ref; /* registry: the options as they were given; LUA_NOREF */
    char file[96];
    int line;
    bool builtin;
    bool replaced; /* by an operator's route: never found */
    bool needs_key;
    bool idempotent; /* honours Idempotency-Key */
    enum key_scope scope;
    enum route_body body_kind;
    struct shape query, body;
    char *doc;
    uint64_t calls, errors;
};

struct route_table {
    struct route **items;
    size_t count, room;
};

struct route_match {
    const struct route *route; /* NULL: see allowed */
    struct arena *arena;
    const char *values[SEGMENTS_MAX]; /* of parameters, by segment; decoded */
    bool bad_path;                    /* a percent escape that is none, or a zero byte */
    struct strbuf allowed;            /* "GET, PUT": methods of that path; clear it */
};
void route_find(const struct generation *generation, const char *method, const char *path,
                struct route_match *match);

/* ---- answers ---- */

struct problem {
    int status;
    const char *detail;
    const char *instance; /* NULL: none */
    const struct shape_fault *faults;
    size_t fault_count;
    const char *header_name, *header_value; /* one extra header; NULL: none */
};

/* ---- bodies that come piece by piece ---- */

/* api_rest_files.c: the userdata `source` of core.events and core.file_source. */
bool source_is(lua_State *L, int index);
/* Whoever takes it owns it; false: it was sent already. */
bool source_take(lua_State *L, int index, struct body_source *out);

/* router_emit.c: the body that a function(emit) writes. */
struct emitter;
/* Begins one of the running task; pushes `emit`. `out` is for the response. */
struct emitter *emitter_begin(lua_State *L, struct body_source *out);
/* Its function has ended, well or not: exactly once, and nothing of it is touched afterwards. */
void emitter_end(struct emitter *emitter, bool ok);

/* ---- idempotency (router_repeat.c) ---- */

struct repeat; /* a request with an Idempotency-Key that runs */
/* True: run it, and if `*run` is set, do so once its row is on disk and tell repeat_end(). False:
 * it is a repeat, the stored answer was given (`*responded`), or `problem` says why not. */
bool repeat_begin(struct generation *generation, const struct route *route,
                  const struct request *request, struct repeat **run, struct problem *problem,
                  bool *responded, respond_fn respond, void *ctx);
/* The answer is kept if it may be; NULL: there is none to keep. Frees. */
void repeat_end(struct repeat *run, const struct response *response);
/* Something was done, and how it ended is not known: its row stays, so that it is not done again.
 * Frees. */
void repeat_leave(struct repeat *run);

/* Hands an RFC 9457 body to `respond`. */
void answer_problem(const struct problem *problem, respond_fn respond, void *ctx);
/* The results of a handler (status, body, headers; first at index 1) as a response; false, and
 * nothing responded, if they are none: `why` tells. */
bool answer_results(lua_State *L, int nresults, respond_fn respond, void *ctx, struct reason *why);
/* The same with `source` instead of the body. */
bool answer_head(lua_State *L, int nresults, const struct body_source *source, respond_fn respond,
                 void *ctx, struct reason *why);
/* The global function `problem`. */
int answer_problem_new(lua_State *L);

#endif
