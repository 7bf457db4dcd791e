/* See moment.h. */
#include "station/moment.h"

static const wall_t FIRST_SANE_MS = 1420070400000; /* 2015-01-01T00:00:00Z */

static void report_clock(struct call *call, const char *text)
{
    if (call->lane->clock_reported)
        return;
    call->lane->clock_reported = true;
    struct json *detail = call_object(call);
    json_adds(&call->arena, detail, "time", text);
    json_adds(&call->arena, detail, "action", call->frame.action);
    struct strbuf json = {0};
    json_write(&json, detail);
    station_row_event(call->st, call->cp->id, "clock_not_set", json.at);
    strbuf_clear(&json);
}

struct moment moment_read(struct call *call, const char *text)
{
    struct moment moment = {.text = text, .parsed_ms = ABSENT, .at_ms = call->received_ms};
    wall_t parsed;
    if (!text || !timetext_parse(span_of(text), (int)call->cp->options.zone_minutes, &parsed))
        return moment;
    moment.parsed_ms = parsed;
    moment.suspect = parsed < FIRST_SANE_MS || parsed > call->received_ms + DAY_MS;
    if (moment.suspect)
        report_clock(call, text);
    else
        moment.at_ms = parsed;
    return moment;
}
