/* The log that the simulated charger uploads: made up, but from its true state.
 *
 * A line a minute of the asked time (at most LINES_MAX, the last ones), drawn from the
 * minute so that two uploads of one period agree, then what every connector is doing now. */
#include "base/mem.h"
#include "base/timetext.h"
#include "sim/place.h"

enum { LINES_MAX = 500, LINE_EVERY_MS = 60 * 1000, DEFAULT_SPAN_MS = 60 * 60 * 1000 };

static const char *const diagnostics_lines[] = {
    "modem: signal -71 dBm",      "power: insulation 1.8 MOhm",   "fan: 1200 rpm",
    "controller: watchdog fed",   "meter: register read",         "ocpp: nothing to send",
    "power: module 2 at standby", "controller: free memory 41 %",
};
static const char *const security_lines[] = {
    "tls: session resumed", "clock: in step with the central system",           "door: closed",
    "login: none",          "firmware: signature of the running image is good",
};

static void write_lines(const char *const *lines, size_t count, wall_t from, wall_t to,
                        struct strbuf *out)
{
    for (wall_t at = from; at <= to; at += LINE_EVERY_MS) {
        char text[TIMETEXT_SIZE];
        timetext_seconds(at, text);
        strbuf_addf(out, "%s %s\n", text,
                    lines[(uint64_t)(at / LINE_EVERY_MS) * 2654435761u / 7 % count]);
    }
}

void job_write_log(struct charger *charger, const char *kind, wall_t from, wall_t to,
                   struct strbuf *out)
{
    wall_t now = wall_now();
    if (to > now)
        to = now;
    if (from == INT64_MIN || from > to)
        from = to - DEFAULT_SPAN_MS;
    if (to - from > (int64_t)LINES_MAX * LINE_EVERY_MS)
        from = to - (int64_t)LINES_MAX * LINE_EVERY_MS;
    strbuf_addf(out, "%s log of %s, %s %s, firmware %s\n", kind, charger->settings.identity,
                charger->settings.vendor, charger->settings.model, charger->settings.firmware);
    if (text_is(kind, "security"))
        write_lines(security_lines, ARRAY_LEN(security_lines), from, to, out);
    else
        write_lines(diagnostics_lines, ARRAY_LEN(diagnostics_lines), from, to, out);
    for (int i = 0; i <= charger->settings.connectors; i++)
        strbuf_addf(out, "connector %d: %s\n", i, connector_status_text(charger, i));
}
