/* What one charger of the load says and how it reads the answers; no sockets here.
 *
 * A script is a row of messages that repeats after the BootNotification. Ids have 36 characters, as
 * UUIDs do; MeterValues have six samples in the style of a Gresgying station, about 650 bytes (a
 * captured one: 840 to 1,013). All static: load.c is the only file that speaks. Start reading at
 * speaker_text. */
#ifndef BENCH_SCENARIO_H
#define BENCH_SCENARIO_H

#include <assert.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { TEXT_MAX = 1024, ID_SIZE = 37 };

enum script { SCRIPT_HEARTBEAT, SCRIPT_SESSION };

struct speaker {
    unsigned number;   /* of the charger */
    unsigned sequence; /* of its last CALL */
    unsigned step;     /* in its script */
    bool booted;
    int64_t transaction; /* as the last StartTransaction was answered */
    int64_t meter_wh;
    int64_t last_ms; /* wall clock of its last text; its stamps only rise */
};

enum heard { HEARD_ANSWER, HEARD_REFUSAL, HEARD_NONSENSE };

enum step {
    PREPARING,
    AUTHORIZE,
    START,
    CHARGING,
    METER_FIRST,
    METER_LAST = METER_FIRST + 4,
    STOP,
    FINISHING,
    AVAILABLE,
    STEPS
};

/* The idTag of everyone, or with one %u a card each. Set it before the first text. */
static const char *scenario_card = "VID:FCA47A147858";

static void id_text(const struct speaker *s, char out[ID_SIZE])
{
    snprintf(out, ID_SIZE, "be9c4000-0000-4000-%04x-%012x", s->number & 0xffff, s->sequence);
}

/* The time now, at least a millisecond after the charger's last: no two of its rows are repeats. */
static void stamp(struct speaker *s, char *out, size_t size)
{
    static char day_text[16];
    static int64_t day = -1;
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    int64_t now_ms = t.tv_sec * 1000ll + t.tv_nsec / 1000000;
    s->last_ms = now_ms > s->last_ms ? now_ms : s->last_ms + 1;
    int64_t seconds = s->last_ms / 1000;
    if (seconds / 86400 != day) {
        time_t at = (time_t)seconds;
        struct tm parts;
        gmtime_r(&at, &parts);
        strftime(day_text, sizeof(day_text), "%Y-%m-%d", &parts);
        day = seconds / 86400;
    }
    snprintf(out, size, "%sT%02d:%02d:%02d.%03dZ", day_text, (int)(seconds / 3600 % 24),
             (int)(seconds / 60 % 60), (int)(seconds % 60), (int)(s->last_ms % 1000));
}

static int meter_values(struct speaker *s, char *out, const char *id, const char *at)
{
    s->meter_wh += 500;
    return snprintf(
        out, TEXT_MAX,
        "[2,\"%s\",\"MeterValues\",{\"connectorId\":1,\"transactionId\":%" PRId64
        ",\"meterValue\":[{\"timestamp\":\"%s\",\"sampledValue\":["
        "{\"value\":\"%" PRId64 ".%03d\",\"context\":\"Sample.Periodic\",\"format\":\"Raw\","
        "\"measurand\":\"Energy.Active.Import.Register\",\"location\":\"Body\",\"unit\":\"kWh\"},"
        "{\"value\":\"148.2\",\"context\":\"Sample.Periodic\",\"measurand\":\"Current.Import\","
        "\"unit\":\"A\"},"
        "{\"value\":\"401.1\",\"measurand\":\"Voltage\",\"location\":\"Outlet\",\"unit\":\"V\"},"
        "{\"value\":\"59.4\",\"measurand\":\"Power.Active.Import\",\"unit\":\"kW\"},"
        "{\"value\":\"41\",\"measurand\":\"SoC\",\"location\":\"EV\",\"unit\":\"Percent\"},"
        "{\"value\":\"38\",\"measurand\":\"Temperature\",\"unit\":\"Celsius\"}]}]}]",
        id, s->transaction, at, s->meter_wh / 1000, (int)(s->meter_wh % 1000));
}

static int status_notification(char *out, const char *id, const char *at, const char *status)
{
    return snprintf(out, TEXT_MAX,
                    "[2,\"%s\",\"StatusNotification\",{\"connectorId\":1,\"errorCode\":\"NoError\","
                    "\"status\":\"%s\",\"timestamp\":\"%s\"}]",
                    id, status, at);
}

static const char *card(const struct speaker *s)
{
    static char text[32];
    const char *hole = strstr(scenario_card, "%u");
    if (!hole)
        return scenario_card;
    snprintf(text, sizeof(text), "%.*s%u%s", (int)(hole - scenario_card), scenario_card, s->number,
             hole + 2);
    return text;
}

static int session_text(struct speaker *s, char *out, const char *id)
{
    char at[48];
    stamp(s, at, sizeof(at));
    switch (s->step) {
    case PREPARING:
        return status_notification(out, id, at, "Preparing");
    case AUTHORIZE:
        return snprintf(out, TEXT_MAX, "[2,\"%s\",\"Authorize\",{\"idTag\":\"%s\"}]", id, card(s));
    case START:
        return snprintf(out, TEXT_MAX,
                        "[2,\"%s\",\"StartTransaction\",{\"connectorId\":1,\"idTag\":\"%s\","
                        "\"meterStart\":%" PRId64 ",\"timestamp\":\"%s\"}]",
                        id, card(s), s->meter_wh, at);
    case CHARGING:
        return status_notification(out, id, at, "Charging");
    case STOP:
        return snprintf(out, TEXT_MAX,
                        "[2,\"%s\",\"StopTransaction\",{\"transactionId\":%" PRId64
                        ",\"idTag\":\"%s\",\"meterStop\":%" PRId64
                        ",\"timestamp\":\"%s\",\"reason\":\"Local\"}]",
                        id, s->transaction, card(s), s->meter_wh, at);
    case FINISHING:
        return status_notification(out, id, at, "Finishing");
    case AVAILABLE:
        return status_notification(out, id, at, "Available");
    default:
        return meter_values(s, out, id, at);
    }
}

/* The charger's next CALL into `out` (TEXT_MAX bytes); its length. */
static size_t speaker_text(struct speaker *s, enum script script, char *out)
{
    char id[ID_SIZE];
    int len;
    s->sequence++;
    id_text(s, id);
    if (!s->booted)
        len = snprintf(out, TEXT_MAX,
                       "[2,\"%s\",\"BootNotification\",{\"chargePointVendor\":\"Gresgying\","
                       "\"chargePointModel\":\"F3-EU180-CC\",\"chargePointSerialNumber\":"
                       "\"2400000000%04u\",\"firmwareVersion\":\"C2089_V2.9.0_FME01\"}]",
                       id, s->number);
    else if (script == SCRIPT_SESSION)
        len = session_text(s, out, id);
    else
        len = snprintf(out, TEXT_MAX, "[2,\"%s\",\"Heartbeat\",{}]", id);
    assert(len > 0 && len < TEXT_MAX);
    return (size_t)len;
}

/* Is the CALL that waits for its answer a StartTransaction? */
static bool speaker_starts(const struct speaker *s, enum script script)
{
    return script == SCRIPT_SESSION && s->booted && s->step == START;
}

/* Reads the answer to the last CALL and steps on. HEARD_REFUSAL is a valid answer that is not
 * "Accepted"; HEARD_NONSENSE is an error: a CALLERROR, another's id, a transaction without an id.
 */
static enum heard speaker_hear(struct speaker *s, enum script script, const char *text)
{
    char id[ID_SIZE];
    id_text(s, id);
    bool right = strncmp(text, "[3,\"", 4) == 0 && strncmp(text + 4, id, ID_SIZE - 1) == 0;
    const char *status = strstr(text, "\"status\":\"");
    bool refused = status && strncmp(status + 10, "Accepted\"", 9) != 0;
    if (speaker_starts(s, script)) {
        const char *number = strstr(text, "\"transactionId\":");
        s->transaction = number ? strtoll(number + strlen("\"transactionId\":"), NULL, 10) : 0;
        right = right && s->transaction > 0;
    }
    if (s->booted)
        s->step = (s->step + 1) % STEPS;
    else
        right = right && !refused;
    s->booted = true;
    if (!right)
        return HEARD_NONSENSE;
    return refused ? HEARD_REFUSAL : HEARD_ANSWER;
}

#endif
