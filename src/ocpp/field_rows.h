/* Short forms for the rows of the message tables in v16*.c; included by those files only.
 *
 * A row reads `TYPE("name", limits, presence)`, for example
 *     CISTRING("idTag", 20, NEEDED),
 *     OBJECTS("meterValue", meter_value, REQUIRED, AT_LEAST(1)),
 * Presence is one of
 *     OPTIONAL  may be left out;
 *     REQUIRED  the standard demands it: refused by payload_check() and in strict mode, but a
 *               lenient handler copes without;
 *     NEEDED    required, and no handler can do without: refused always (see struct field). */
#ifndef OCPP_FIELD_ROWS_H
#define OCPP_FIELD_ROWS_H

#include "ocpp/version.h"

/* It would spread the braces of a row over five lines: */
/* clang-format off */
#define OPTIONAL .required = false
#define REQUIRED .required = true
#define NEEDED .required = true, .needed = true
#define AT_LEAST(count) .min_items = (count)

#define ROW(field_name, field_type, ...) {.name = (field_name), .type = (field_type), __VA_ARGS__}
#define STRING(name, limit, ...) ROW(name, FIELD_STRING, .max = (limit), __VA_ARGS__)
#define STRINGS(name, limit, ...) STRING(name, limit, .list = true, __VA_ARGS__)
#define CISTRING(name, limit, ...) ROW(name, FIELD_CISTRING, .max = (limit), __VA_ARGS__)
#define CISTRINGS(name, limit, ...) CISTRING(name, limit, .list = true, __VA_ARGS__)
#define ENUM(name, set, ...) ROW(name, FIELD_ENUM, .words = (set), __VA_ARGS__)
#define TIME(name, ...) ROW(name, FIELD_TIME, __VA_ARGS__)
#define URI(name, ...) ROW(name, FIELD_URI, __VA_ARGS__)
#define INT(name, ...) ROW(name, FIELD_INT, __VA_ARGS__)
#define TENTHS(name, ...) ROW(name, FIELD_DECIMAL, .tenths = true, __VA_ARGS__)
#define BOOL(name, ...) ROW(name, FIELD_BOOL, __VA_ARGS__)
#define OBJECT(name, table, ...) ROW(name, FIELD_OBJECT, .fields = (table), __VA_ARGS__)
#define OBJECTS(name, table, ...) OBJECT(name, table, .list = true, __VA_ARGS__)
#define END {.name = NULL} /* of fields and of actions */

/* ACTION("Name", who sends it, request, response, doc line); the transactional ones all come from
 * the charger. */
#define ACTION_ROW(action, sender, req, conf, line, ...)                                           \
    {.name = (action), .direction = (sender), .request = (req), .response = (conf), .doc = (line), \
     __VA_ARGS__}
#define ACTION(action, sender, req, conf, line)                                                    \
    ACTION_ROW(action, sender, req, conf, line, .transactional = false)
#define TRANSACTIONAL(action, req, conf, line)                                                     \
    ACTION_ROW(action, FROM_CHARGE_POINT, req, conf, line, .transactional = true)

#define WORDS(...) ((const char *const[]){__VA_ARGS__, NULL})
/* clang-format on */

#endif
