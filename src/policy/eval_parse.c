/* See eval.h: the body of POST /policies/eval as an event. One row per event says what it takes; a
 * name that does not fit is told with the nearest that does. */
#include <inttypes.h>
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "policy/eval.h"
#include "station/site.h"

struct event_fields { /* besides event and dir; NULL-terminated; '!' in front: must be there */
    enum event_kind kind;
    const char *fields[10];
};

static const struct event_fields event_rows[] = {
    {EVENT_AUTHORIZE, {"!cp", "!idTag", "connector", "purpose", "transaction"}},
    {EVENT_BOOT, {"!cp", "payload"}},
    {EVENT_START, {"!transaction"}},
    {EVENT_PRICE, {"!transaction"}},
    {EVENT_STOP, {"!transaction"}},
    {EVENT_METER,
     {"!transaction", "energy", "power", "soc", "voltage", "current", "temperature", "time",
      "implausible"}},
    {EVENT_STATUS, {"!cp", "!status", "connector", "previous"}},
    {EVENT_ONLINE, {"!cp"}},
    {EVENT_OFFLINE, {"!cp"}},
    {EVENT_REMOTE_START_EXPIRED, {"!cp", "!idTag", "connector", "vars"}},
    {EVENT_REMINDER, {"!transaction", "!name"}},
    {EVENT_REBALANCE, {"!site"}},
    {EVENT_ACTION, {"!cp", "payload"}},
};

struct parsing {
    struct station *st;
    const struct json *body;
    struct arena *arena;
    struct event *event;
    struct eval_problem *problem;
};

/* ---- problems ---- */

static bool fail(struct parsing *p, const char *field, const char *format, ...)
{
    va_list args;
    char text[sizeof(p->problem->text.text)];
    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    p->problem->pointer = field[0] ? arena_printf(p->arena, "/%s", field) : "";
    return reason_set(&p->problem->text, "%s", text);
}

/* " (did you mean X?)" or "" */
static const char *near_text(struct parsing *p, const char *name, const char *const *names,
                             size_t count)
{
    const char *near = text_nearest(name, names, count, sizeof(*names));
    return near ? arena_printf(p->arena, " (did you mean %s?)", near) : "";
}

/* ---- the event ---- */

static bool find_event(struct parsing *p, struct eval_request *out)
{
    const char *name = json_gets(p->body, "event");
    const char *names[EVENT_KINDS + 2];
    size_t count = 0;
    if (!name || !name[0])
        return fail(p, "event", "is needed: \"authorize\", \"start\", \"meter\" … or an action");
    for (const struct hook_row *row = hook_rows; row->name && count < ARRAY_LEN(names); row++) {
        if (row->kind == EVENT_KINDS)
            continue;
        names[count++] = row->name;
        if (strcmp(row->name, name) == 0) {
            p->event->kind = row->kind;
            return true;
        }
    }
    if (!isupper((unsigned char)name[0]))
        return fail(p, "event", "\"%s\" is no event%s", name, near_text(p, name, names, count));
    p->event->kind = EVENT_ACTION;
    p->event->action = name;
    if (version_action(&version_16, span_of(name)))
        return true;
    const char *near = text_nearest(name, &version_16.actions[0].name, version_16.action_count,
                                    sizeof(version_16.actions[0]));
    out->warning =
        near ? arena_printf(p->arena, "OCPP 1.6 has no action %s (did you mean %s?)", name, near)
             : arena_printf(p->arena, "OCPP 1.6 has no action %s", name);
    return true;
}

/* ---- its fields ---- */

static bool take_text(struct parsing *p, const char *field, const struct json *value,
                      const char **to)
{
    *to = json_text(value);
    return *to || fail(p, field, "must be a string, not %s", json_type_name(value->type));
}

static bool take_int(struct parsing *p, const char *field, const struct json *value, int64_t *to)
{
    return json_int(value, to) ||
           fail(p, field, "must be an integer, not %s", json_type_name(value->type));
}

static bool take_id_tag(struct parsing *p, const struct json *value)
{
    const char *text;
    if (!take_text(p, "idTag", value, &text))
        return false;
    char *upper = arena_strdup(p->arena, text);
    text_upper(upper);
    p->event->id_tag = upper;
    return true;
}

static bool take_purpose(struct parsing *p, const struct json *value)
{
    static const char *const words[] = {"authorize", "start", "stop"};
    if (!take_text(p, "purpose", value, &p->event->purpose))
        return false;
    for (size_t i = 0; i < ARRAY_LEN(words); i++) {
        if (strcmp(words[i], p->event->purpose) == 0)
            return true;
    }
    return fail(p, "purpose", "\"%s\" is none of authorize, start, stop%s", p->event->purpose,
                near_text(p, p->event->purpose, words, ARRAY_LEN(words)));
}

static bool take_transaction(struct parsing *p, const struct json *value)
{
    struct event *event = p->event;
    if (!take_int(p, "transaction", value, &event->transaction_id))
        return false;
    const struct transaction *tx = station_transaction(p->st, event->transaction_id);
    if (!tx)
        return fail(p, "transaction", "%" PRId64 " is not open", event->transaction_id);
    if (event->kind == EVENT_AUTHORIZE)
        return true;
    event->cp = arena_strdup(p->arena, tx->cp);
    event->connector = tx->evse;
    event->id_tag = arena_strdup(p->arena, tx->id_tag);
    return true;
}

/* The known spelling, if it is known. */
static bool take_cp(struct parsing *p, const struct json *value)
{
    if (!take_text(p, "cp", value, &p->event->cp))
        return false;
    const struct charge_point *cp = station_find(p->st, p->event->cp);
    if (cp)
        p->event->cp = arena_strdup(p->arena, cp->id);
    return true;
}

static bool take_site(struct parsing *p, const struct json *value)
{
    if (!take_text(p, "site", value, &p->event->site))
        return false;
    return station_site(p->st, p->event->site) ||
           fail(p, "site", "there is no site \"%s\"", p->event->site);
}

static bool take_object(struct parsing *p, const char *field, const struct json *value)
{
    if (value->type != JSON_OBJECT)
        return fail(p, field, "must be an object, not %s", json_type_name(value->type));
    if (strcmp(field, "payload") == 0)
        p->event->data = value;
    return true;
}

static bool take_number(struct parsing *p, const char *field, const struct json *value)
{
    double number;
    if (strcmp(field, "implausible") == 0)
        return value->type == JSON_BOOL ||
               fail(p, field, "must be true or false, not %s", json_type_name(value->type));
    return json_double(value, &number) ||
           fail(p, field, "must be a number, not %s", json_type_name(value->type));
}

static bool take(struct parsing *p, const char *field, const struct json *value)
{
    if (strcmp(field, "cp") == 0)
        return take_cp(p, value);
    if (strcmp(field, "idTag") == 0)
        return take_id_tag(p, value);
    if (strcmp(field, "purpose") == 0)
        return take_purpose(p, value);
    if (strcmp(field, "transaction") == 0)
        return take_transaction(p, value);
    if (strcmp(field, "connector") == 0)
        return take_int(p, field, value, &p->event->connector);
    if (strcmp(field, "name") == 0)
        return take_text(p, field, value, &p->event->purpose);
    if (strcmp(field, "site") == 0)
        return take_site(p, value);
    if (strcmp(field, "status") == 0)
        return take_text(p, field, value, &p->event->status);
    if (strcmp(field, "previous") == 0)
        return take_text(p, field, value, &p->event->previous);
    if (strcmp(field, "payload") == 0 || strcmp(field, "vars") == 0)
        return take_object(p, field, value);
    return take_number(p, field, value);
}

/* ---- what handlers get as a table ---- */

static void copy_member(struct arena *arena, struct json *to, const char *key,
                        const struct json *value)
{
    if (value)
        json_add(arena, to, key, json_copy(arena, value));
}

/* The names of `m` → those of event.h. */
static const struct json *meter_data(struct parsing *p)
{
    static const char *const names[][2] = {
        {"energy", "energyWh"},        {"power", "powerW"},     {"soc", "soc"},
        {"voltage", "voltageV"},       {"current", "currentA"}, {"temperature", "temperatureC"},
        {"implausible", "implausible"}};
    struct json *data = json_new(p->arena, JSON_OBJECT);
    double seconds;
    bool given = json_double(json_get(p->body, "time"), &seconds) && seconds > 0 && seconds < 1e11;
    json_addi(p->arena, data, "timestamp", given ? (int64_t)(seconds * 1000) : wall_now());
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        copy_member(p->arena, data, names[i][1], json_get(p->body, names[i][0]));
    json_add(p->arena, data, "samples", json_new(p->arena, JSON_ARRAY));
    return data;
}

static const struct json *expired_data(struct parsing *p)
{
    struct json *data = json_new(p->arena, JSON_OBJECT);
    json_adds(p->arena, data, "idTag", p->event->id_tag);
    json_addi(p->arena, data, "createdMs", wall_now());
    copy_member(p->arena, data, "connectorId", json_get(p->body, "connector"));
    copy_member(p->arena, data, "vars", json_get(p->body, "vars"));
    return data;
}

static void complete(struct parsing *p)
{
    struct event *event = p->event;
    if (event->kind == EVENT_METER)
        event->data = meter_data(p);
    else if (event->kind == EVENT_REMOTE_START_EXPIRED)
        event->data = expired_data(p);
    else if (event->kind == EVENT_AUTHORIZE && !event->purpose)
        event->purpose = "authorize";
    /* A handler that only watches an action that we answer ourselves may return nothing. */
    if (event->kind == EVENT_ACTION)
        event->observe = version_action(&version_16, span_of(event->action)) != NULL &&
                         strcmp(event->action, "DataTransfer") != 0;
}

/* ---- all of it ---- */

static const struct event_fields *fields_of(enum event_kind kind)
{
    for (size_t i = 0; i < ARRAY_LEN(event_rows); i++) {
        if (event_rows[i].kind == kind)
            return &event_rows[i];
    }
    return NULL;
}

static bool check_names(struct parsing *p, const struct event_fields *row)
{
    const char *names[ARRAY_LEN(row->fields) + 2] = {"event", "dir"};
    size_t count = 2;
    for (size_t i = 0; i < ARRAY_LEN(row->fields) && row->fields[i]; i++)
        names[count++] = row->fields[i] + (row->fields[i][0] == '!');
    for (const struct json *member = p->body->child; member; member = member->next) {
        size_t i = 0;
        while (i < count && !span_is(member->key, names[i]))
            i++;
        if (i < count)
            continue;
        const char *key = arena_strndup(p->arena, member->key.at, member->key.len);
        return fail(p, key, "is no field of this event%s", near_text(p, key, names, count));
    }
    return true;
}

static bool take_fields(struct parsing *p, const struct event_fields *row)
{
    for (size_t i = 0; i < ARRAY_LEN(row->fields) && row->fields[i]; i++) {
        bool needed = row->fields[i][0] == '!';
        const char *name = row->fields[i] + needed;
        const struct json *value = json_get(p->body, name);
        if (!value && needed)
            return fail(p, name, "is needed");
        if (value && !take(p, name, value))
            return false;
    }
    return true;
}

bool eval_parse(struct station *st, const struct json *body, struct arena *arena,
                struct eval_request *out, struct eval_problem *problem)
{
    *out = (struct eval_request){.event = {.connector = ABSENT}};
    *problem = (struct eval_problem){.pointer = ""};
    struct parsing p = {st, body, arena, &out->event, problem};
    if (body->type != JSON_OBJECT)
        return fail(&p, "", "must be an object");
    if (!find_event(&p, out))
        return false;
    const struct event_fields *row = fields_of(out->event.kind);
    if (!row)
        return fail(&p, "event", "cannot be tried alone");
    const struct json *dir = json_get(body, "dir");
    if (dir && !take_text(&p, "dir", dir, &out->dir))
        return false;
    if (!check_names(&p, row) || !take_fields(&p, row))
        return false;
    complete(&p);
    return true;
}
