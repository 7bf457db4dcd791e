/* See control.h. One table, `routes`: what stands in the path, which method, what it
 * does. A route's function gets the charger, the connector or name of the path and the
 * parameters. Start reading at control_handle. */
#include "sim/control.h"

#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/mem.h"
#include "sim/parts.h"

enum { NAME_ROOM = 128 };

struct order {
    struct fleet *fleet;
    struct charger *charger;
    bool chosen; /* by /chargers/{identity}/ */
    const struct request *request;
    int connector;
    char name[NAME_ROOM]; /* {Action}, {key}, {name} */
    struct strbuf *body;
    struct reason why;
};

/* ---- answers ---- */

static int answer_ok(struct order *order)
{
    strbuf_adds(order->body, "{\"ok\":true}");
    return 200;
}

static int refuse(struct strbuf *body, int status, const char *text)
{
    struct json_out o = {.to = body};
    json_open(&o, '{');
    json_key(&o, "error");
    json_put_string(&o, text);
    json_close(&o, '}');
    return status;
}

/* What the charger said to it. */
static int answer(struct order *order, bool done)
{
    return done ? answer_ok(order) : refuse(order->body, 409, order->why.text);
}

/* ---- parameters ---- */

/* NULL: absent or empty. */
static const char *query(const struct order *order, const char *name)
{
    const struct request *request = order->request;
    for (size_t i = 0; i < request->query_count; i++)
        if (text_is(request->query[i].name, name))
            return request->query[i].value && *request->query[i].value ? request->query[i].value
                                                                       : NULL;
    return NULL;
}

static bool query_number(const struct order *order, const char *name, double least, double most,
                         double *out)
{
    const char *text = query(order, name);
    if (!text || !json_is_number(span_of(text)))
        return false;
    *out = strtod(text, NULL);
    return *out >= least && *out <= most;
}

/* ---- what a person there does ---- */

static int do_plug(struct order *order)
{
    const char *start = query(order, "auto_start");
    bool yes = !start || text_is_ci(start, "true") || text_is(start, "1");
    if (!yes && !text_is_ci(start, "false") && !text_is(start, "0"))
        return refuse(order->body, 422, "auto_start: expected true or false");
    return answer(order, charger_plug(order->charger, order->connector, query(order, "id_tag"), yes,
                                      &order->why));
}

static int do_unplug(struct order *order)
{
    return answer(order, charger_unplug(order->charger, order->connector, &order->why));
}

static int do_local_start(struct order *order)
{
    const char *id_tag = query(order, "id_tag");
    if (!id_tag)
        return refuse(order->body, 422, "id_tag: expected ?id_tag= with a card");
    return answer(order, charger_start(order->charger, order->connector, id_tag, &order->why));
}

static int do_local_stop(struct order *order)
{
    return answer(
        order, charger_stop(order->charger, order->connector, query(order, "reason"), &order->why));
}

static int do_fault(struct order *order)
{
    const char *code = query(order, "error_code");
    return answer(order, charger_set_fault(order->charger, order->connector,
                                           code ? code : "InternalError", &order->why));
}

static int do_clear_fault(struct order *order)
{
    return answer(order, charger_clear_fault(order->charger, order->connector, &order->why));
}

static int suspend(struct order *order, enum suspension by)
{
    return answer(order, charger_suspend(order->charger, order->connector, by, &order->why));
}

static int do_suspend_ev(struct order *order)
{
    return suspend(order, SUSPENDED_BY_CAR);
}

static int do_suspend_evse(struct order *order)
{
    return suspend(order, SUSPENDED_BY_CHARGER);
}

static int do_resume(struct order *order)
{
    return suspend(order, SUSPENDED_NOT);
}

static int do_stall(struct order *order)
{
    double power_w = 0;
    if (query(order, "power_w") && !query_number(order, "power_w", -1, 1e6, &power_w))
        return refuse(order->body, 422, "power_w: expected a number from -1 (no stall) to 1000000");
    return answer(order,
                  charger_stall(order->charger, order->connector, (int64_t)power_w, &order->why));
}

static int do_soc(struct order *order)
{
    double percent;
    if (!query_number(order, "percent", 0, 100, &percent))
        return refuse(order->body, 422, "percent: expected a number from 0 to 100");
    return answer(order, charger_set_soc(order->charger, order->connector, percent, &order->why));
}

static int do_network(struct order *order)
{
    charger_set_network(order->charger, text_is(order->name, "up"));
    return answer_ok(order);
}

static int do_power_cycle(struct order *order)
{
    charger_power_cycle(order->charger);
    return answer_ok(order);
}

static int do_send(struct order *order)
{
    struct span body = span_trim(order->request->body);
    char *payload = body.len ? xstrndup(body.at, body.len) : xstrdup("{}");
    bool sent = charger_send(order->charger, order->name, payload, &order->why);
    xfree(payload);
    if (sent)
        return answer_ok(order);
    return refuse(order->body, order->charger->online ? 422 : 409, order->why.text);
}

/* ---- configuration and faults ---- */

static int do_configure(struct order *order)
{
    const struct request *request = order->request;
    const char *value = NULL;
    for (size_t i = 0; i < request->query_count; i++)
        if (text_is(request->query[i].name, "value"))
            value = request->query[i].value ? request->query[i].value : "";
    if (!value)
        return refuse(order->body, 422, "value: expected ?value= (it may be empty)");
    bool done = charger_configure(order->charger, order->name, value, &order->why);
    return done ? answer_ok(order) : refuse(order->body, 422, order->why.text);
}

static int do_set_fault(struct order *order)
{
    double probability = 1;
    if (query(order, "probability") && !query_number(order, "probability", 0, 1, &probability))
        return refuse(order->body, 422, "probability: expected a number from 0 to 1");
    bool done = charger_fault(order->charger, order->name, probability, &order->why);
    return done ? answer_ok(order) : refuse(order->body, 404, order->why.text);
}

static int do_remove_fault(struct order *order)
{
    bool done = charger_fault(order->charger, order->name, 0, &order->why);
    return done ? answer_ok(order) : refuse(order->body, 404, order->why.text);
}

static int do_list_faults(struct order *order)
{
    struct json_out o = {.to = order->body};
    const char *name, *doc;
    size_t at = 0;
    json_open(&o, '{');
    json_key(&o, "faults");
    json_open(&o, '[');
    while (charger_fault_next(&at, &name, &doc)) {
        json_open(&o, '{');
        json_key(&o, "name");
        json_put_string(&o, name);
        json_key(&o, "probability");
        json_put_double(&o, charger_fault_probability(order->charger, name));
        json_key(&o, "does");
        json_put_string(&o, doc);
        json_close(&o, '}');
    }
    json_close(&o, ']');
    json_close(&o, '}');
    return 200;
}

/* ---- looking ---- */

static int do_configuration(struct order *order)
{
    charger_write_configuration(order->charger, order->body);
    return 200;
}

static int do_state(struct order *order)
{
    charger_write_state(order->charger, order->body);
    return 200;
}

static int do_log(struct order *order)
{
    charger_write_log(order->charger, order->body);
    return 200;
}

/* Of the one charger, or of all. */
static int do_figures(struct order *order)
{
    fleet_write_figures(order->fleet, order->chosen ? order->charger : NULL, order->body);
    return 200;
}

static int do_list_chargers(struct order *order)
{
    struct json_out o = {.to = order->body};
    json_open(&o, '{');
    json_key(&o, "chargers");
    json_open(&o, '[');
    for (size_t i = 0; i < fleet_count(order->fleet); i++)
        json_put_string(&o, charger_identity(fleet_at(order->fleet, i)));
    json_close(&o, ']');
    json_close(&o, '}');
    return 200;
}

/* ---- the routes ---- */

enum route_flags { CONNECTOR = 1, NAME = 2, CONNECTOR_0 = 4, OF_FLEET = 8 };

static const struct route {
    const char *method, *path; /* the first segment */
    unsigned flags;            /* CONNECTOR, NAME: the second segment; OF_FLEET: needs no charger */
    const char *name;          /* the only second segment that is meant, or NULL */
    int (*run)(struct order *order);
} routes[] = {
    {"POST", "plug", CONNECTOR, NULL, do_plug},
    {"POST", "unplug", CONNECTOR, NULL, do_unplug},
    {"POST", "local_start", CONNECTOR, NULL, do_local_start},
    {"POST", "local_stop", CONNECTOR, NULL, do_local_stop},
    {"POST", "fault", CONNECTOR | CONNECTOR_0, NULL, do_fault},
    {"POST", "clear_fault", CONNECTOR | CONNECTOR_0, NULL, do_clear_fault},
    {"POST", "suspend_ev", CONNECTOR, NULL, do_suspend_ev},
    {"POST", "suspend_evse", CONNECTOR, NULL, do_suspend_evse},
    {"POST", "resume", CONNECTOR, NULL, do_resume},
    {"POST", "stall", CONNECTOR, NULL, do_stall},
    {"POST", "soc", CONNECTOR, NULL, do_soc},
    {"POST", "network", NAME, "down", do_network},
    {"POST", "network", NAME, "up", do_network},
    {"POST", "power_cycle", 0, NULL, do_power_cycle},
    {"POST", "send", NAME, NULL, do_send},
    {"PUT", "configuration", NAME, NULL, do_configure},
    {"GET", "configuration", 0, NULL, do_configuration},
    {"PUT", "faults", NAME, NULL, do_set_fault},
    {"DELETE", "faults", NAME, NULL, do_remove_fault},
    {"GET", "faults", 0, NULL, do_list_faults},
    {"GET", "state", 0, NULL, do_state},
    {"GET", "log", 0, NULL, do_log},
    {"GET", "figures", OF_FLEET, NULL, do_figures},
    {"GET", "chargers", OF_FLEET, NULL, do_list_chargers},
    {"GET", "health", OF_FLEET, NULL, answer_ok},
};

static int hex(char c)
{
    const char *digits = "0123456789abcdef";
    const char *at = c ? strchr(digits, c | 0x20) : NULL;
    return at ? (int)(at - digits) : -1;
}

/* Percent-decodes one segment; false: too long or no text. */
static bool segment(struct span raw, char out[NAME_ROOM])
{
    size_t len = 0;
    for (size_t i = 0; i < raw.len; i++) {
        int c = (unsigned char)raw.at[i];
        if (c == '%') {
            if (i + 2 >= raw.len || hex(raw.at[i + 1]) < 0 || hex(raw.at[i + 2]) < 0)
                return false;
            c = hex(raw.at[i + 1]) * 16 + hex(raw.at[i + 2]);
            i += 2;
        }
        if (c == '\0' || len == NAME_ROOM - 1)
            return false;
        out[len++] = (char)c;
    }
    out[len] = '\0';
    return true;
}

/* Whether the path of `route` is meant, whatever the method; connectors are checked later. */
static bool route_fits(const struct route *route, struct span first, struct span second, bool deep)
{
    bool wants = (route->flags & (CONNECTOR | NAME)) != 0;
    return !deep && span_is(first, route->path) && wants == (second.len > 0) &&
           (!route->name || span_is(second, route->name));
}

static int run(struct order *order, const struct route *route, struct span second)
{
    int64_t connector;
    if (!order->charger && !(route->flags & OF_FLEET))
        return refuse(order->body, 404, "there is no charger yet");
    if (route->flags & CONNECTOR) {
        int64_t least = route->flags & CONNECTOR_0 ? 0 : 1;
        if (!span_int(second, &connector) || connector < least ||
            connector > charger_connectors(order->charger))
            return refuse(order->body, 404, "unknown connector");
        order->connector = (int)connector;
    } else if (!segment(second, order->name)) {
        return refuse(order->body, 404, "not a name");
    }
    return route->run(order);
}

static int no_route(struct order *order, bool other_method)
{
    if (other_method)
        return refuse(order->body, 405, "the path is right, the method is not");
    return refuse(order->body, 404,
                  "no such path: expected /plug/1, /unplug/1, /local_start/1, /state … (see "
                  "chargebridge-sim --help)");
}

static int dispatch(struct order *order, struct span path)
{
    struct span first = {0}, second = {0};
    span_cut(&path, '/', &first);
    span_cut(&path, '/', &second);
    bool deep = path.at != NULL, other_method = false;
    for (size_t i = 0; i < ARRAY_LEN(routes); i++) {
        if (!route_fits(&routes[i], first, second, deep))
            continue;
        if (text_is(order->request->method, routes[i].method))
            return run(order, &routes[i], second);
        other_method = true;
    }
    return no_route(order, other_method);
}

/* /chargers/{identity}/… turns to that charger and the rest of the path. */
static bool choose(struct order *order, struct span *path)
{
    struct span rest = *path, first = {0}, identity = {0};
    order->charger = fleet_at(order->fleet, 0);
    span_cut(&rest, '/', &first);
    if (!span_is(first, "chargers") || !rest.at)
        return true;
    span_cut(&rest, '/', &identity);
    order->chosen = true;
    char name[NAME_ROOM];
    order->charger = segment(identity, name) ? fleet_find(order->fleet, name) : NULL;
    *path = rest;
    return order->charger != NULL;
}

int control_handle(struct fleet *fleet, const struct request *request, struct strbuf *body)
{
    struct order order = {.fleet = fleet, .request = request, .body = body};
    struct span path = span_of(request->path);
    if (path.len > 0 && path.at[0] == '/')
        path = (struct span){path.at + 1, path.len - 1};
    if (!choose(&order, &path))
        return refuse(body, 404, "unknown charger");
    return dispatch(&order, path);
}
