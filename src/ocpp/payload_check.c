/* Checking to the letter, and the report that both ways of reading a payload fill.
 *
 * payload_check() walks the tree once, in the order of its members, and changes nothing. The limits
 * of single values are here for payload.c too. Start at payload_check(). */
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/timetext.h"
#include "ocpp/payload_parts.h"

enum { SHOWN_MAX = 40 };

/* The report. */

/* A text of fixed size that drops what has no room. */
struct pointer_text {
    char *at;
    size_t len, size;
};

static void pointer_add(struct pointer_text *out, const char *text, size_t len)
{
    size_t room = out->size - 1 - out->len;
    if (len > room)
        len = room;
    memcpy(out->at + out->len, text, len);
    out->len += len;
    out->at[out->len] = '\0';
}

/* Adds `/name` or `/index` for each step from the payload to the value; "~" and "/" in names are
 * escaped as RFC 6901 says. */
static void path_write(struct pointer_text *out, const struct path *path)
{
    char number[16];
    if (path->up == NULL)
        return;
    path_write(out, path->up);
    pointer_add(out, "/", 1);
    if (path->name.at == NULL) {
        int len = snprintf(number, sizeof number, "%u", path->index);
        pointer_add(out, number, (size_t)len);
        return;
    }
    for (size_t i = 0; i < path->name.len; i++) {
        const char *c = &path->name.at[i];
        if (*c == '~' || *c == '/')
            pointer_add(out, *c == '~' ? "~0" : "~1", 2);
        else
            pointer_add(out, c, 1);
    }
}

void payload_fault_add(struct payload_report *report, const struct path *path,
                       enum ocpp_error error, const char *format, ...)
{
    uint32_t place = report->count++;
    if (place >= PAYLOAD_FAULTS_MAX) {
        if (!path->vital)
            return;
        place = PAYLOAD_FAULTS_MAX - 1;
    }
    struct payload_fault *fault = &report->faults[place];
    fault->error = error;
    char pointer[2 * sizeof fault->pointer] = "";
    path_write(&(struct pointer_text){.at = pointer, .size = sizeof pointer}, path);
    text_copy(fault->pointer, sizeof fault->pointer, span_of(pointer));

    char message[2 * sizeof fault->message];
    va_list args;
    va_start(args, format);
    vsnprintf(message, sizeof message, format, args);
    va_end(args);
    text_copy(fault->message, sizeof fault->message, span_of(message));
}

void payload_report_text(const struct payload_report *report, char *out, size_t size)
{
    uint32_t kept = report->count < PAYLOAD_FAULTS_MAX ? report->count : PAYLOAD_FAULTS_MAX;
    if (size == 0)
        return;
    out[0] = '\0';
    if (kept == 0)
        return;
    const struct payload_fault *fault = &report->faults[report->refused ? kept - 1 : 0];
    const char *pointer = fault->pointer[0] != '\0' ? fault->pointer : "payload";
    char text[sizeof fault->pointer + sizeof fault->message + 2];
    snprintf(text, sizeof text, "%s: %s", pointer, fault->message);
    text_copy(out, size, span_of(text));
}

/* Single values. */

const char *payload_wanted(const struct field *field)
{
    static const char *const names[] = {
        [FIELD_STRING] = "a string",  [FIELD_CISTRING] = "a string",
        [FIELD_ENUM] = "a string",    [FIELD_TIME] = "a string with a date and time",
        [FIELD_URI] = "a string",     [FIELD_INT] = "an integer",
        [FIELD_DECIMAL] = "a number", [FIELD_BOOL] = "a boolean",
        [FIELD_OBJECT] = "an object",
    };
    return names[field->type];
}

static bool name_is(const char *name, struct span key)
{
    return strncmp(name, key.at, key.len) == 0 && name[key.len] == '\0';
}

int payload_field_find(const struct field *fields, struct span key, int hint)
{
    for (int i = hint; fields[i].name != NULL; i++) {
        if (name_is(fields[i].name, key))
            return i;
    }
    for (int i = 0; i < hint; i++) {
        if (name_is(fields[i].name, key))
            return i;
    }
    return -1;
}

static size_t count_characters(struct span text)
{
    size_t count = 0;
    for (size_t i = 0; i < text.len; i++)
        count += ((unsigned char)text.at[i] & 0xC0) != 0x80;
    return count;
}

/* A scheme and no character that RFC 3986 forbids. */
static bool uri_is_valid(struct span text)
{
    static const char forbidden[] = " \"<>\\^`{|}";
    size_t scheme = 0;
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.at[i];
        if (c <= 0x20 || c >= 0x7F || strchr(forbidden, c) != NULL)
            return false;
        bool letter = (c | 0x20) >= 'a' && (c | 0x20) <= 'z';
        if (scheme == i && (letter || (i > 0 && strchr("0123456789+-.", c) != NULL)))
            scheme++;
    }
    return scheme > 0 && scheme < text.len && text.at[scheme] == ':';
}

static bool word_is_known(const char *const *words, struct span text)
{
    for (; *words != NULL; words++) {
        if (name_is(*words, text))
            return true;
    }
    return false;
}

/* For messages: as much of what was given as is worth showing, in whole characters. */
static int shown(struct span text)
{
    size_t len = text.len < SHOWN_MAX ? text.len : SHOWN_MAX;
    while (len > 0 && len < text.len && ((unsigned char)text.at[len] & 0xC0) == 0x80)
        len--;
    return (int)len;
}

bool payload_limits_check(struct payload_report *report, const struct path *path,
                          const struct field *field, const struct json *value)
{
    const enum ocpp_error error = OCPP_PROPERTY_CONSTRAINT_VIOLATION;
    struct span text = value->text;
    switch (field->type) {
    case FIELD_STRING:
    case FIELD_CISTRING:
        if (field->max == 0 || text.len <= field->max || count_characters(text) <= field->max)
            return true;
        payload_fault_add(report, path, error, "%zu characters, at most %u are allowed",
                          count_characters(text), field->max);
        return false;
    case FIELD_ENUM:
        if (word_is_known(field->words, text))
            return true;
        payload_fault_add(report, path, error, "unknown word \"%.*s\"", shown(text), text.at);
        return false;
    case FIELD_TIME:
        if (timetext_is_rfc3339(text))
            return true;
        payload_fault_add(report, path, error, "\"%.*s\" is no date and time with zone",
                          shown(text), text.at);
        return false;
    case FIELD_URI:
        if (uri_is_valid(text))
            return true;
        /* Never quoted: such locations carry credentials (W4). */
        payload_fault_add(report, path, error, "not a URI");
        return false;
    case FIELD_DECIMAL:
        if (!field->tenths || value->type == JSON_INT || number_is_tenths(text))
            return true;
        payload_fault_add(report, path, error, "more than one decimal place in %.*s", shown(text),
                          text.at);
        return false;
    default:
        return true;
    }
}

bool payload_items_check(struct payload_report *report, const struct path *path,
                         const struct field *field, const struct json *list)
{
    if (list->count < field->min_items) {
        payload_fault_add(report, path, OCPP_OCCURRENCE_CONSTRAINT_VIOLATION,
                          "%u items, at least %u are needed", list->count, field->min_items);
        return false;
    }
    if (field->max_items > 0 && list->count > field->max_items) {
        payload_fault_add(report, path, OCPP_OCCURRENCE_CONSTRAINT_VIOLATION,
                          "%u items, at most %u are allowed", list->count, field->max_items);
        return false;
    }
    return true;
}

/* The walk. */

static bool type_fits(const struct field *field, const struct json *value)
{
    int64_t integer;
    switch (field->type) {
    case FIELD_INT:
        /* Integers too long for JSON_INT count as numbers, but 64 bits are what we have. */
        return value->type == JSON_INT ||
               (value->type == JSON_NUMBER && span_int(value->text, &integer));
    case FIELD_DECIMAL:
        return value->type == JSON_INT || value->type == JSON_NUMBER;
    case FIELD_BOOL:
        return value->type == JSON_BOOL;
    case FIELD_OBJECT:
        return value->type == JSON_OBJECT;
    default:
        return value->type == JSON_STRING;
    }
}

static void check_object(struct payload_report *report, const struct path *path,
                         const struct field *fields, const struct json *object);

static void check_value(struct payload_report *report, const struct path *path,
                        const struct field *field, const struct json *value)
{
    if (!type_fits(field, value)) {
        payload_fault_add(report, path, OCPP_TYPE_CONSTRAINT_VIOLATION, "expected %s, got %s",
                          payload_wanted(field), json_type_name(value->type));
    } else if (field->type == FIELD_OBJECT) {
        check_object(report, path, field->fields, value);
    } else {
        payload_limits_check(report, path, field, value);
    }
}

static void check_list(struct payload_report *report, const struct path *path,
                       const struct field *field, const struct json *list)
{
    if (list->type != JSON_ARRAY) {
        payload_fault_add(report, path, OCPP_TYPE_CONSTRAINT_VIOLATION, "expected a list, got %s",
                          json_type_name(list->type));
        return;
    }
    payload_items_check(report, path, field, list);
    uint32_t index = 0;
    for (const struct json *item = list->child; item != NULL; item = item->next) {
        struct path here = {.up = path, .index = index++};
        check_value(report, &here, field, item);
    }
}

static size_t count_fields(const struct field *fields)
{
    size_t count = 0;
    while (fields[count].name != NULL)
        count++;
    return count;
}

static void report_unknown(struct payload_report *report, const struct path *path,
                           const struct field *fields)
{
    char name[64];
    text_copy(name, sizeof name, path->name);
    const char *meant = text_nearest(name, &fields->name, count_fields(fields), sizeof *fields);
    if (meant != NULL)
        payload_fault_add(report, path, OCPP_FORMATION_VIOLATION,
                          "unknown field; did you mean \"%s\"?", meant);
    else
        payload_fault_add(report, path, OCPP_FORMATION_VIOLATION, "unknown field");
}

static void check_object(struct payload_report *report, const struct path *path,
                         const struct field *fields, const struct json *object)
{
    uint64_t seen = 0;
    int at = 0;
    for (const struct json *member = object->child; member != NULL; member = member->next) {
        struct path here = {.up = path, .name = member->key};
        int found = payload_field_find(fields, member->key, at);
        if (found < 0) {
            report_unknown(report, &here, fields);
            continue;
        }
        at = found + 1;
        seen |= UINT64_C(1) << found;
        if (fields[found].list)
            check_list(report, &here, &fields[found], member);
        else
            check_value(report, &here, &fields[found], member);
    }
    for (int i = 0; fields[i].name != NULL; i++) {
        if (fields[i].required && (seen & UINT64_C(1) << i) == 0) {
            struct path here = {.up = path, .name = span_of(fields[i].name)};
            payload_fault_add(report, &here, OCPP_PROTOCOL_ERROR, "missing");
        }
    }
}

bool payload_check(const struct field *fields, const struct json *payload,
                   struct payload_report *report)
{
    const struct path root = {0};
    report->count = 0;
    report->refused = false;
    if (payload == NULL || payload->type != JSON_OBJECT)
        payload_fault_add(report, &root, OCPP_FORMATION_VIOLATION, "expected an object, got %s",
                          payload == NULL ? "nothing" : json_type_name(payload->type));
    else
        check_object(report, &root, fields, payload);
    return report->count == 0;
}
