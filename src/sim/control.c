/* See control.h. */
#include "sim/control.h"

#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "base/mem.h"

static const char *query(const struct request *request, const char *name)
{
    for (size_t i = 0; i < request->query_count; i++)
        if (text_is(request->query[i].name, name))
            return request->query[i].value;
    return NULL;
}

static int problem(struct strbuf *body, int status, const char *detail)
{
    strbuf_addf(body, "{\"ok\":false,\"status\":%d,\"detail\":", status);
    json_write_string(body, span_of(detail));
    strbuf_addc(body, '}');
    return status;
}

static bool plug(struct charger *charger, int id, const char *id_tag, struct reason *why)
{
    return charger_plug(charger, id, id_tag, why);
}

static bool unplug(struct charger *charger, int id, const char *id_tag, struct reason *why)
{
    (void)id_tag;
    return charger_unplug(charger, id, why);
}

static bool local_stop(struct charger *charger, int id, const char *id_tag, struct reason *why)
{
    (void)id_tag;
    return charger_stop(charger, id, "Local", why);
}

static const struct {
    const char *path;
    bool needs_tag;
    bool (*act)(struct charger *charger, int id, const char *id_tag, struct reason *why);
} acts[] = {
    {"plug", false, plug},
    {"unplug", false, unplug},
    {"local_start", true, charger_start},
    {"local_stop", false, local_stop},
};

static int act(struct charger *charger, const struct request *request, size_t row,
               struct span connector, struct strbuf *body)
{
    int64_t id;
    struct reason why;
    const char *id_tag = query(request, "id_tag");
    if (!span_int(connector, &id) || id < 1 || id > charger_connectors(charger))
        return problem(body, 404, "unknown connector");
    if (!text_is(request->method, "POST"))
        return problem(body, 405, "use POST");
    if (acts[row].needs_tag && !id_tag)
        return problem(body, 422, "?id_tag= is missing");
    if (!acts[row].act(charger, (int)id, id_tag, &why))
        return problem(body, 409, why.text);
    strbuf_adds(body, "{\"ok\":true}");
    return 200;
}

int control_handle(struct charger *charger, const struct request *request, struct strbuf *body)
{
    struct span rest = span_of(request->path), empty, name, connector = {0};
    span_cut(&rest, '/', &empty);
    if (!span_cut(&rest, '/', &name))
        name = SPAN("");
    span_cut(&rest, '/', &connector);
    if (span_is(name, "health")) {
        strbuf_adds(body, "{\"ok\":true}");
        return 200;
    }
    if (span_is(name, "state")) {
        charger_write_state(charger, body);
        return 200;
    }
    for (size_t i = 0; i < ARRAY_LEN(acts); i++)
        if (span_is(name, acts[i].path))
            return act(charger, request, i, connector, body);
    return problem(body, 404,
                   "no such path; see /state, /plug/1, /unplug/1, /local_start/1?id_tag=, "
                   "/local_stop/1");
}
