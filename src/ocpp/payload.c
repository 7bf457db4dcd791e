/* Reading what a charger sent: rule R13, field by field.
 *
 * The tree is repaired in place, so that handlers find the types of the table and nothing else.
 * Whatever had to be repaired, dropped or looked away from is noted. A value that cannot be read
 * costs its field, a bad item of a list costs the item; only fields that are `needed` cost the
 * whole payload. Must never drop something of a transaction that could be kept: see v16.c. Start at
 * payload_read(); numbers are in payload_number.c. */
#include "ocpp/payload.h"

#include <string.h>

#include "base/mem.h"
#include "ocpp/payload_parts.h"

struct reading {
    struct arena *arena;
    struct payload_report *report;
};

static enum ocpp_error cannot_read(struct reading *r, const struct path *path,
                                   const struct field *field, const struct json *value)
{
    payload_fault_add(r->report, path, OCPP_TYPE_CONSTRAINT_VIOLATION, "expected %s, got %s",
                      payload_wanted(field), json_type_name(value->type));
    return OCPP_TYPE_CONSTRAINT_VIOLATION;
}

/* From now on the node is of this type; its name, place and raw text stay. */
static void turn_into(struct json *node, enum json_type type, struct span text)
{
    node->type = type;
    node->text = text;
    node->child = node->last = NULL;
    node->count = 0;
}

static struct span copy_text(struct reading *r, struct span text)
{
    return (struct span){arena_strndup(r->arena, text.at, text.len), text.len};
}

/* Text, numbers, truth. */

static struct span json_as_text(struct reading *r, const struct json *value)
{
    if (value->type == JSON_INT || value->type == JSON_NUMBER)
        return copy_text(r, value->text);
    if (value->type == JSON_BOOL)
        return span_of(value->boolean ? "true" : "false");
    struct strbuf text = {0};
    json_write(&text, value);
    struct span copy = copy_text(r, (struct span){strbuf_text(&text), text.len});
    strbuf_clear(&text);
    return copy;
}

static enum ocpp_error read_text(struct reading *r, const struct path *path,
                                 const struct field *field, struct json *value)
{
    switch (value->type) {
    case JSON_STRING:
        break;
    case JSON_INT:
    case JSON_NUMBER:
    case JSON_BOOL:
        cannot_read(r, path, field, value);
        turn_into(value, JSON_STRING, json_as_text(r, value));
        break;
    case JSON_OBJECT:
    case JSON_ARRAY:
        /* DataTransfer.data is text, but some put their JSON there without quoting it. */
        cannot_read(r, path, field, value);
        if (field->type != FIELD_STRING || field->max != 0)
            return OCPP_TYPE_CONSTRAINT_VIOLATION;
        turn_into(value, JSON_STRING, json_as_text(r, value));
        break;
    default:
        return cannot_read(r, path, field, value);
    }
    if (payload_limits_check(r->report, path, field, value))
        return OCPP_OK;
    /* Too long, an unknown word, an odd time: kept as it is. Nothing at all is no word. */
    bool empty = value->text.len == 0;
    return empty ? OCPP_PROPERTY_CONSTRAINT_VIOLATION : OCPP_OK;
}

/* X11: fractions of an integer are rounded half up. */
static enum ocpp_error read_int(struct reading *r, const struct path *path,
                                const struct field *field, struct json *value)
{
    if (value->type == JSON_INT)
        return OCPP_OK;
    int64_t integer;
    bool readable = value->type == JSON_NUMBER || value->type == JSON_STRING;
    enum number_reading reading = readable ? number_to_int(value->text, &integer) : NUMBER_NONE;
    if (reading == NUMBER_NONE)
        return cannot_read(r, path, field, value);
    if (reading == NUMBER_TOO_LARGE) {
        payload_fault_add(r->report, path, OCPP_PROPERTY_CONSTRAINT_VIOLATION, "more than 64 bits");
        return OCPP_PROPERTY_CONSTRAINT_VIOLATION;
    }
    int64_t same;
    if (reading == NUMBER_ROUNDED)
        payload_fault_add(r->report, path, OCPP_TYPE_CONSTRAINT_VIOLATION,
                          "expected an integer, rounded to %lld", (long long)integer);
    else if (value->type == JSON_STRING || !span_int(value->text, &same))
        cannot_read(r, path, field, value);
    struct json *number = json_new_int(r->arena, integer);
    turn_into(value, JSON_INT, number->text);
    value->integer = integer;
    return OCPP_OK;
}

static enum ocpp_error read_decimal(struct reading *r, const struct path *path,
                                    const struct field *field, struct json *value)
{
    if (value->type == JSON_STRING) {
        struct span number;
        cannot_read(r, path, field, value);
        if (!number_to_json(r->arena, value->text, &number))
            return OCPP_TYPE_CONSTRAINT_VIOLATION;
        turn_into(value, JSON_NUMBER, number);
        if (memchr(number.at, '.', number.len) == NULL &&
            number_to_int(number, &value->integer) == NUMBER_EXACT)
            value->type = JSON_INT;
    } else if (value->type != JSON_INT && value->type != JSON_NUMBER) {
        return cannot_read(r, path, field, value);
    }
    payload_limits_check(r->report, path, field, value);
    return OCPP_OK;
}

static enum ocpp_error read_bool(struct reading *r, const struct path *path,
                                 const struct field *field, struct json *value)
{
    if (value->type == JSON_BOOL)
        return OCPP_OK;
    cannot_read(r, path, field, value);
    struct span text = {0};
    if (value->type == JSON_STRING || value->type == JSON_INT)
        text = span_trim(value->text);
    if (span_is_ci(text, "true") || span_is(text, "1"))
        value->boolean = true;
    else if (span_is_ci(text, "false") || span_is(text, "0"))
        value->boolean = false;
    else
        return OCPP_TYPE_CONSTRAINT_VIOLATION;
    turn_into(value, JSON_BOOL, (struct span){0});
    return OCPP_OK;
}

/* Objects and lists. */

static enum ocpp_error read_object(struct reading *r, const struct path *path,
                                   const struct field *fields, struct json *object);

/* One value, an item of a list too. OCPP_OK: it has the right type now; otherwise the fault is
 * noted and the caller drops the value. */
static enum ocpp_error read_value(struct reading *r, const struct path *path,
                                  const struct field *field, struct json *value)
{
    switch (field->type) {
    case FIELD_INT:
        return read_int(r, path, field, value);
    case FIELD_DECIMAL:
        return read_decimal(r, path, field, value);
    case FIELD_BOOL:
        return read_bool(r, path, field, value);
    case FIELD_OBJECT:
        if (value->type != JSON_OBJECT)
            return cannot_read(r, path, field, value);
        return read_object(r, path, field->fields, value);
    default:
        return read_text(r, path, field, value);
    }
}

/* Takes the child behind `before` (NULL: the first) out of its parent. */
static void drop_child(struct json *parent, struct json *before)
{
    struct json *child = before != NULL ? before->next : parent->child;
    if (before != NULL)
        before->next = child->next;
    else
        parent->child = child->next;
    if (parent->last == child)
        parent->last = before;
    parent->count--;
}

/* `{…}` becomes `[{…}]`. */
static void wrap_in_list(struct reading *r, struct json *value)
{
    struct json *item = ARENA_NEW(r->arena, struct json);
    *item = *value;
    item->key = (struct span){0};
    item->next = NULL;
    turn_into(value, JSON_ARRAY, (struct span){0});
    value->child = value->last = item;
    value->count = 1;
}

static enum ocpp_error read_list(struct reading *r, const struct path *path,
                                 const struct field *field, struct json *list)
{
    if (list->type == JSON_NULL || (list->type == JSON_STRING && list->text.len == 0)) {
        payload_fault_add(r->report, path, OCPP_TYPE_CONSTRAINT_VIOLATION,
                          "expected a list, got %s", json_type_name(list->type));
        return OCPP_TYPE_CONSTRAINT_VIOLATION;
    }
    if (list->type != JSON_ARRAY) {
        payload_fault_add(r->report, path, OCPP_TYPE_CONSTRAINT_VIOLATION,
                          "expected a list, got %s", json_type_name(list->type));
        wrap_in_list(r, list);
    }
    payload_items_check(r->report, path, field, list);
    struct json *before = NULL;
    struct json *next;
    uint32_t index = 0;
    for (struct json *item = list->child; item != NULL; item = next) {
        struct path here = {.up = path, .index = index++};
        next = item->next;
        if (read_value(r, &here, field, item) == OCPP_OK)
            before = item;
        else
            drop_child(list, before);
    }
    return OCPP_OK;
}

/* Optional and without content: as good as absent (R13, B6). */
static bool is_blank(const struct field *field, const struct json *value)
{
    bool empty = value->type == JSON_STRING && value->text.len == 0 && !field->may_be_empty;
    return !field->required && (value->type == JSON_NULL || empty);
}

/* Noted unless it is an empty text in a text field, which the standard allows (N3). */
static enum ocpp_error leave_out(struct reading *r, const struct path *path,
                                 const struct field *field, const struct json *blank)
{
    bool text = field->type == FIELD_STRING || field->type == FIELD_CISTRING;
    if (blank->type == JSON_NULL || !text || field->list)
        payload_fault_add(r->report, path, OCPP_PROPERTY_CONSTRAINT_VIOLATION, "%s, left out",
                          blank->type == JSON_NULL ? "null" : "empty");
    return OCPP_PROPERTY_CONSTRAINT_VIOLATION;
}

static enum ocpp_error read_member(struct reading *r, const struct path *path,
                                   const struct field *field, struct json *member)
{
    if (is_blank(field, member))
        return leave_out(r, path, field, member);
    return field->list ? read_list(r, path, field, member) : read_value(r, path, field, member);
}

/* Notes all required fields that were not seen; an error if one of them is needed. */
static enum ocpp_error read_missing(struct reading *r, const struct path *path,
                                    const struct field *fields, uint64_t seen)
{
    for (int i = 0; fields[i].name != NULL; i++) {
        if (!fields[i].required || (seen & UINT64_C(1) << i) != 0)
            continue;
        struct path here = {
            .up = path, .name = span_of(fields[i].name), .vital = path->vital && fields[i].needed};
        payload_fault_add(r->report, &here, OCPP_PROTOCOL_ERROR, "missing");
        if (fields[i].needed)
            return OCPP_PROTOCOL_ERROR;
    }
    return OCPP_OK;
}

static enum ocpp_error read_object(struct reading *r, const struct path *path,
                                   const struct field *fields, struct json *object)
{
    uint64_t seen = 0;
    int at = 0;
    struct json *before = NULL;
    struct json *next;
    for (struct json *member = object->child; member != NULL; member = next) {
        struct path here = {.up = path, .name = member->key};
        next = member->next;
        int found = payload_field_find(fields, member->key, at);
        if (found < 0) {
            payload_fault_add(r->report, &here, OCPP_FORMATION_VIOLATION, "unknown field");
            before = member;
            continue;
        }
        const struct field *field = &fields[found];
        at = found + 1;
        here.vital = path->vital && field->needed;
        seen |= UINT64_C(1) << found;
        enum ocpp_error error = read_member(r, &here, field, member);
        if (error == OCPP_OK)
            before = member;
        else if (field->needed)
            return error;
        else
            drop_child(object, before);
    }
    return read_missing(r, path, fields, seen);
}

enum ocpp_error payload_read(const struct field *fields, struct arena *arena, struct json *payload,
                             bool strict, struct payload_report *report)
{
    struct reading r = {.arena = arena, .report = report};
    const struct path root = {.vital = true};
    report->count = 0;
    report->refused = false;
    if (payload == NULL || payload->type != JSON_OBJECT ||
        (strict && !payload_check(fields, payload, report))) {
        if (report->count == 0)
            payload_check(fields, payload, report);
        /* The first fault decides; the others would hide it. */
        report->count = 1;
        report->refused = true;
        return report->faults[0].error;
    }
    enum ocpp_error error = read_object(&r, &root, fields, payload);
    report->refused = error != OCPP_OK;
    return error;
}
