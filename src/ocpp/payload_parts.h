/* Shared by payload.c (lenient) and payload_check.c (strict); nobody else includes this.
 *
 * A path is a chain of stack frames from the value up to the payload; it is written as text only
 * when there is a fault to report. */
#ifndef OCPP_PAYLOAD_PARTS_H
#define OCPP_PAYLOAD_PARTS_H

#include "ocpp/payload.h"

enum { FIELDS_MAX = 64 }; /* of a table: those seen are bits of a word; 1.6 has 9 at most */

struct path {
    const struct path *up; /* NULL at the payload itself */
    struct span name;      /* absent for an item of a list */
    uint32_t index;
    bool vital; /* a fault here may refuse the whole payload: its report must not be lost */
};

void payload_fault_add(struct payload_report *report, const struct path *path,
                       enum ocpp_error error, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
/* "an integer", "a date and time" …: what one value of the field has to be. */
const char *payload_wanted(const struct field *field);
/* The place of `key` in the table, or -1. `hint` is where to look first, the place behind the last
 * one found: members mostly come in the order of the table. */
int payload_field_find(const struct field *fields, struct span key, int hint);
/* A value of the right JSON type against its limits: length, words, form, tenths. False after
 * adding a fault. */
bool payload_limits_check(struct payload_report *report, const struct path *path,
                          const struct field *field, const struct json *value);
/* The same for the number of items. */
bool payload_items_check(struct payload_report *report, const struct path *path,
                         const struct field *field, const struct json *list);

enum number_reading {
    NUMBER_EXACT,
    NUMBER_ROUNDED, /* half up */
    NUMBER_TOO_LARGE,
    NUMBER_NONE
};
/* Any way to write a number that we saw: sign, leading zeros, fraction, exponent. */
enum number_reading number_to_int(struct span text, int64_t *out);
/* The same as a JSON number in the arena; a comma may stand for the point. False if it is none. */
bool number_to_json(struct arena *arena, struct span text, struct span *out);
/* At most one decimal place. */
bool number_is_tenths(struct span text);

#endif
