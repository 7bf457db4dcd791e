/* The message tables: every action of a version, every field of its payloads, described once.
 *
 * Validation, repair of what chargers send, error codes, the encoder's checks, REST payload checks,
 * the simulator and the manual all derive from these rows. A new action is one row in v16.c (later
 * v201.c) and one handler in station/. Nothing outside the version tables and the handlers may
 * assume integer transaction ids, one connector level, or that every frame needs an answer
 * (rules Y1-Y4). The tables are constant: any thread may read them. */
#ifndef OCPP_VERSION_H
#define OCPP_VERSION_H

#include "base/json.h"
#include "ocpp/error.h"

enum field_type {
    FIELD_STRING,   /* any text; `max` characters (0 = unlimited) */
    FIELD_CISTRING, /* the same, compared without case: idTags, identities */
    FIELD_ENUM,     /* one of `words` */
    FIELD_TIME,     /* date-time */
    FIELD_URI,
    FIELD_INT,
    FIELD_DECIMAL, /* number with at most one decimal place where `tenths` */
    FIELD_BOOL,
    FIELD_OBJECT /* `fields` */
};

struct field {
    const char *name; /* exactly as on the wire; NULL ends the list */
    enum field_type type;
    bool required;
    bool list; /* an array of the type */
    bool tenths;
    uint32_t max;                  /* characters of a string; 0 = no limit */
    uint32_t min_items, max_items; /* of a list; max 0 = no limit */
    const char *const *words;      /* FIELD_ENUM: NULL-terminated */
    const struct field *fields;    /* FIELD_OBJECT */
    /* A field that the handler cannot do without: if it cannot be read even leniently, the CALL is
     * refused (rule R13). Other faulty fields are dropped and reported. */
    bool needed;
    bool may_be_empty; /* an optional text of which "" says something: not as good as absent */
};

enum direction { FROM_CHARGE_POINT = 1, FROM_CENTRAL_SYSTEM = 2, FROM_BOTH = 3 };

struct action {
    const char *name; /* NULL ends the table */
    enum direction direction;
    const struct field *request;
    const struct field *response;
    bool no_answer; /* 2.1 SEND */
    /* Start, stop and meter values: must never be refused for their content (X1, X4, X7). */
    bool transactional;
    const char *doc; /* one line for the manual */
};

enum version_id { VERSION_16 = 1, VERSION_201, VERSION_21 };

struct version {
    enum version_id id;
    const char *name;             /* "1.6" */
    const char *subprotocol;      /* "ocpp1.6" */
    const struct action *actions; /* sorted by name */
    size_t action_count;
    bool call_result_error;  /* frame type 5 exists */
    bool answers_unreadable; /* 2.x: "-1" RpcFrameworkError for what has no readable id */
};

extern const struct version version_16;

/* NULL when we do not speak it. */
const struct version *version_by_subprotocol(struct span name);
/* Case-sensitive (R11); NULL when the version has no such action. */
const struct action *version_action(const struct version *version, struct span name);

#endif
