/* Every configuration key, one row each; what a value of each type may look like. */
#include "conf_keys.h"

#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>

#include "base/mem.h"
#include "base/timetext.h"

#define AT(member) offsetof(struct conf, member)
#define DAYS_MAX 36500

static const char *const registration_words[] = {"closed", "pending", "open", NULL};
static const char *const shutdown_words[] = {"close", "drop", NULL};
static const char *const auto_word[] = {"auto", NULL};
static const char *const level_words[] = {"error", "warn", "info", "debug", NULL};
static const char *const format_words[] = {"logfmt", "json", NULL};
static const char *const status_words[] = {"Accepted", "Blocked",      "Expired",
                                           "Invalid",  "ConcurrentTx", NULL};

/* clang-format off: a table reads best as one */
const struct conf_key conf_keys[] = {
    {"ocpp", "address", CONF_TEXT, AT(ocpp.address), "0.0.0.0", 0, 0, NULL,
     "Where chargers connect: an IP address of this machine."},
    {"ocpp", "port", CONF_INT, AT(ocpp.port), "9000", 0, 65535, NULL,
     "0 takes any free port and logs it."},
    {"ocpp", "path", CONF_TEXT, AT(ocpp_path), "/ocpp", 0, 0, NULL,
     "Chargers connect to ws://address:port<path>/<identity>."},
    {"ocpp", "registration", CONF_WORD, AT(station.registration), "pending", 0, 0,
     registration_words,
     "Unknown chargers: closed = 404; pending = may connect and wait; open = accepted at once."},
    {"ocpp", "heartbeat_interval", CONF_SECONDS, AT(station.heartbeat_interval_s), "5m", 1, 86400,
     NULL, "What accepted chargers are told."},
    {"ocpp", "pending_interval", CONF_SECONDS, AT(station.pending_interval_s), "1m", 0, 86400, NULL,
     "How long others wait before their next BootNotification; 0s lets them choose."},
    {"ocpp", "ping_interval", CONF_MS, AT(ocpp.ping_interval_ms), "1m", 1000, 86400000, NULL,
     "How often we ping each connection."},
    {"ocpp", "idle_timeout", CONF_MS, AT(ocpp.idle_timeout_ms), "auto", 0, 7 * 86400000LL,
     auto_word,
     "Without any frame for so long a connection is dead; auto = 3 x the longest of heartbeat and "
     "ping."},
    {"ocpp", "call_timeout", CONF_MS, AT(station.call_timeout_ms), "30s", 1000, 3600000, NULL,
     "How long a charger may take to answer us."},
    {"ocpp", "queue_timeout", CONF_MS, AT(station.queue_timeout_ms), "1m", 1000, 3600000, NULL,
     "How long a command may wait for its turn."},
    {"ocpp", "boot_grace", CONF_MS, AT(station.boot_grace_ms), "10s", 0, 3600000, NULL,
     "After a connect without BootNotification: no commands for so long."},
    {"ocpp", "clock_tolerance", CONF_MS, AT(station.clock_tolerance_ms), "5s", 0, 3600000, NULL,
     "A status that is older by less than this still counts as the newest."},
    {"ocpp", "late_after", CONF_MS, AT(station.late_after_ms), "5m", 0, 86400000, NULL,
     "A StartTransaction older than this on arrival was queued offline."},
    {"ocpp", "remote_start_timeout", CONF_MS, AT(station.remote_start_ms), "5m", 1000, 86400000,
     NULL, "How long an accepted remote start may wait for its StartTransaction."},
    {"ocpp", "strict", CONF_BOOL, AT(station.strict), "no", 0, 0, NULL,
     "Refuse what is not valid to the letter; most chargers need no."},
    {"ocpp", "authorize_default", CONF_STATUS, AT(station.authorize_default), "Invalid", 0, 0,
     status_words, "When no policy has an opinion on a tag."},
    {"ocpp", "authorize_failed", CONF_STATUS, AT(station.authorize_failed), "Invalid", 0, 0,
     status_words, "When the policy failed or took too long."},
    {"ocpp", "max_message", CONF_SIZE, AT(ocpp.max_message), "1MiB", 1024, 64 << 20, NULL,
     "Longer texts close the connection (1009)."},
    {"ocpp", "send_queue", CONF_SIZE, AT(ocpp.send_queue_max), "1MiB", 4096, 64 << 20, NULL,
     "What may wait for a charger that reads slowly; beyond, it is dropped."},
    {"ocpp", "handshake_timeout", CONF_MS, AT(ocpp.handshake_timeout_ms), "10s", 100, 600000, NULL,
     "For the whole opening handshake."},
    {"ocpp", "accept_rate", CONF_INT, AT(ocpp.accept_per_second), "1000", 1, 100000, NULL,
     "New connections a second, so that a fleet coming back does not drown us."},
    {"ocpp", "max_connections", CONF_INT, AT(ocpp.connections_max), "20000", 1, 1000000, NULL,
     "In all; the limit of open files also counts."},
    {"ocpp", "max_connections_per_address", CONF_INT, AT(ocpp.connections_per_address), "0", 0,
     1000000, NULL, "0 = no limit: a whole site may share one address."},
    {"ocpp", "shutdown", CONF_WORD, AT(ocpp_shutdown), "close", 0, 0, shutdown_words,
     "How we leave: close = a Close frame; drop = end TCP, for chargers that stay away after a "
     "Close."},

    {"rest", "address", CONF_TEXT, AT(http.address), "127.0.0.1", 0, 0, NULL,
     "Where curl connects. Beyond loopback needs a key of your own."},
    {"rest", "port", CONF_INT, AT(http.port), "8080", 0, 65535, NULL, "0 takes any free port."},
    {"rest", "key", CONF_TEXT, AT(http_key), "changeme-123", 0, 0, NULL,
     "Admin key; empty = only keys made by `chargebridge keys add`."},
    {"rest", "max_body", CONF_SIZE, AT(http.max_body), "64KiB", 1024, 64 << 20, NULL,
     "Longer bodies get 413; POST /api/v1/tags:import takes 4 MiB."},
    {"rest", "request_timeout", CONF_MS, AT(http.request_timeout_ms), "10s", 100, 600000, NULL,
     "For receiving a request's head, and again for its body (408)."},
    {"rest", "answer_timeout", CONF_MS, AT(http.answer_timeout_ms), "2m", 1000, 3600000, NULL,
     "A route that takes longer gets 504."},
    {"rest", "max_connections", CONF_INT, AT(http.connections_max), "1500", 1, 65536, NULL,
     "In all, streams included."},
    {"rest", "max_connections_per_address", CONF_INT, AT(http.connections_per_address), "64", 0,
     65536, NULL, "Of one address; 0 = no limit."},
    {"rest", "max_streams", CONF_INT, AT(http.streams_max), "1000", 0, 65536, NULL,
     "Readers of GET /api/v1/events at once; one more gets 503."},
    {"rest", "stream_stall", CONF_MS, AT(http.stream_stall_ms), "1m", 1000, 3600000, NULL,
     "A reader that takes nothing for so long is cut off."},

    {"events", "ring", CONF_SIZE, AT(events.ring_bytes), "4MiB", 65536, 1LL << 30, NULL,
     "The newest events are kept so far, for slow readers and for Last-Event-ID."},
    {"events", "keepalive", CONF_MS, AT(events.keepalive_ms), "15s", 100, 3600000, NULL,
     "A comment line when nothing happened for so long."},

    {"files", "dir", CONF_TEXT, AT(files.dir), "files", 0, 0, NULL,
     "Firmware for chargers, and diagnostics from them; relative to the working directory, made "
     "when first needed."},
    {"files", "public_url", CONF_TEXT, AT(files.public_url), "", 0, 0, NULL,
     "How chargers reach the REST address, as http://host:8080; empty = rest.address and port."},
    {"files", "max_size", CONF_SIZE, AT(files.max_size), "256MiB", 1024, 1LL << 40, NULL,
     "One file."},
    {"files", "max_total", CONF_SIZE, AT(files.max_total), "4GiB", 1024, 1LL << 50, NULL,
     "All files together."},

    {"policies", "dir", CONF_TEXT, AT(policy.dir), "policies", 0, 0, NULL,
     "The folder of your rules; relative to the working directory."},
    {"policies", "run_warn", CONF_MS, AT(policy.run_warn_ms), "10ms", 1, 60000, NULL,
     "CPU time of one run between waits that is worth a warning."},
    {"policies", "run_kill", CONF_MS, AT(policy.run_kill_ms), "100ms", 1, 60000, NULL,
     "CPU time of one run between waits that ends the handler."},
    {"policies", "authorize_timeout", CONF_MS, AT(policy.authorize_timeout_ms), "5s", 100, 3600000,
     NULL, "For a whole authorize handler, waits included."},
    {"policies", "handler_timeout", CONF_MS, AT(policy.handler_timeout_ms), "30s", 100, 3600000,
     NULL, "For any other handler, waits included."},
    {"policies", "load_file", CONF_MS, AT(policy.load_file_ms), "1s", 1, 600000, NULL,
     "CPU time for loading one file."},
    {"policies", "load_total", CONF_MS, AT(policy.load_total_ms), "5s", 1, 600000, NULL,
     "CPU time for loading all of them, tests included."},
    {"policies", "memory", CONF_SIZE, AT(policy.memory_bytes), "64MiB", 1 << 20, 1LL << 40, NULL,
     "Of one generation of policies."},
    {"policies", "drain", CONF_MS, AT(policy.drain_ms), "30s", 0, 3600000, NULL,
     "After a reload: how long handlers that began before may go on."},
    {"policies", "probation", CONF_MS, AT(policy.probation_ms), "1m", 0, 86400000, NULL,
     "After a reload: if most handlers fail within this time, roll back; 0s = never."},
    {"policies", "shadow_dir", CONF_TEXT, AT(policy.shadow_dir), "", 0, 0, NULL,
     "A candidate folder that runs beside the policies without effect and is compared with them; "
     "empty = none."},
    {"policies", "tasks_max", CONF_COUNT, AT(policy.tasks_max), "10000", 1, 1000000, NULL,
     "Handlers under way at once."},
    {"policies", "time_zone", CONF_ZONE, AT(policy.zone_minutes), "+00:00", 0, 0, NULL,
     "Site time for rules that speak of hours."},
    {"policies", "http_hosts", CONF_TEXT, AT(policy.http_hosts), "", 0, 0, NULL,
     "Where http.get, http.post and webhooks may go: host or host:port, by commas; empty = "
     "nowhere."},

    {"store", "file", CONF_TEXT, AT(store.path), "chargebridge.db", 0, 0, NULL,
     "The database; relative to the working directory."},
    {"store", "message_days", CONF_COUNT, AT(store.retention.message_days), "30", 0, DAYS_MAX, NULL,
     "Raw messages are kept so long; 0 = for ever."},
    {"store", "message_rows", CONF_COUNT, AT(store.retention.message_rows), "10000000", 0,
     1000000000000LL, NULL, "And no more than so many; 0 = no limit."},
    {"store", "status_days", CONF_COUNT, AT(store.retention.status_days), "365", 0, DAYS_MAX, NULL,
     "StatusNotifications."},
    {"store", "decision_days", CONF_COUNT, AT(store.retention.decision_days), "365", 0, DAYS_MAX,
     NULL, "Who was let in or not, and why."},
    {"store", "meter_value_days", CONF_COUNT, AT(store.retention.meter_value_days), "1095", 0,
     DAYS_MAX, NULL, "Samples; transactions themselves are kept for ever."},
    {"store", "event_days", CONF_COUNT, AT(store.retention.event_days), "365", 0, DAYS_MAX, NULL,
     "Gaps, clocks, security events."},

    {"log", "level", CONF_WORD, AT(log_level), "info", 0, 0, level_words,
     "debug shows whole idTags."},
    {"log", "format", CONF_WORD, AT(log_format), "logfmt", 0, 0, format_words,
     "One line per event to stderr."},
    {"log", "messages", CONF_BOOL, AT(station.log_messages), "yes", 0, 0, NULL,
     "Keep every OCPP frame in the database (GET /api/v1/messages)."},
    {NULL, NULL, CONF_TEXT, 0, NULL, 0, 0, NULL, NULL},
};
/* clang-format on */

/* ---- values ---- */

struct unit {
    const char *name;
    int64_t of; /* so many of the smallest unit */
};

/* The largest first, and the preferred spelling before others, for write_limit. */
static const struct unit sizes[] = {{"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10},
                                    {"G", 1 << 30},   {"M", 1 << 20},   {"K", 1 << 10},
                                    {"B", 1},         {"", 1},          {NULL, 0}};
static const struct unit times[] = {{"d", 86400000}, {"h", 3600000}, {"m", 60000},
                                    {"s", 1000},     {"ms", 1},      {NULL, 0}};

static bool read_size(struct span text, int64_t *out)
{
    size_t digits = 0;
    while (digits < text.len && text.at[digits] >= '0' && text.at[digits] <= '9')
        digits++;
    struct span unit = span_trim((struct span){text.at + digits, text.len - digits});
    if (!span_int((struct span){text.at, digits}, out))
        return false;
    for (const struct unit *known = sizes; known->name; known++)
        if (span_is_ci(unit, known->name))
            return !__builtin_mul_overflow(*out, known->of, out);
    return false;
}

static bool read_zone(struct span text, int64_t *out)
{
    int64_t hours, minutes;
    if (text.len != 6 || (text.at[0] != '+' && text.at[0] != '-') || text.at[3] != ':' ||
        !span_int((struct span){text.at + 1, 2}, &hours) ||
        !span_int((struct span){text.at + 4, 2}, &minutes) || hours > 14 || minutes > 59)
        return false;
    *out = (hours * 60 + minutes) * (text.at[0] == '-' ? -1 : 1);
    return true;
}

static bool read_number(const struct conf_key *key, struct span text, int64_t *out)
{
    if (key->words && span_is(text, key->words[0])) { /* auto */
        *out = 0;
        return true;
    }
    switch (key->type) {
    case CONF_MS:
        return duration_parse(text, out);
    case CONF_SECONDS:
        if (!duration_parse(text, out) || *out % 1000)
            return false;
        *out /= 1000;
        return true;
    case CONF_SIZE:
        return read_size(text, out);
    case CONF_ZONE:
        return read_zone(text, out);
    default:
        return span_int(text, out);
    }
}

static const char *kind_of_number(enum conf_type type)
{
    switch (type) {
    case CONF_MS:
        return "a time with a unit (250ms, 30s, 5m, 2h)";
    case CONF_SECONDS:
        return "whole seconds with a unit (30s, 5m, 2h)";
    case CONF_SIZE:
        return "a size (65536, 64KiB, 1MiB)";
    case CONF_ZONE:
        return "an offset from UTC (+02:00)";
    default:
        return "a whole number";
    }
}

/* A limit as one would write it. */
static const char *write_limit(enum conf_type type, int64_t value, char out[32])
{
    static const struct unit one = {"", 1};
    const struct unit *unit = type == CONF_SIZE ? sizes : times;
    if (type == CONF_SECONDS)
        value *= 1000;
    else if (type == CONF_INT || type == CONF_COUNT)
        unit = &one;
    while (value % unit->of || (value == 0 && unit->of > 1000)) /* 0s, not 0d */
        unit++;
    snprintf(out, 32, "%" PRId64 "%s", value / unit->of, unit->name);
    return out;
}

static bool set_number(void *at, const struct conf_key *key, struct span text, struct reason *why)
{
    int64_t value;
    char least[32], most[32];
    bool ok = read_number(key, text, &value);
    if (!ok && key->type == CONF_ZONE)
        return reason_set(why, "expected %s", kind_of_number(key->type));
    if (!ok || (key->type != CONF_ZONE && (value < key->least || value > key->most)))
        return reason_set(why, "expected %s%s%s, from %s to %s", key->words ? key->words[0] : "",
                          key->words ? " or " : "", kind_of_number(key->type),
                          write_limit(key->type, key->least, least),
                          write_limit(key->type, key->most, most));
    if (key->type == CONF_INT)
        *(int *)at = (int)value;
    else
        *(int64_t *)at = value;
    return true;
}

static bool set_word(void *at, const struct conf_key *key, struct span text, struct reason *why)
{
    struct strbuf all = {0};
    for (int i = 0; key->words[i]; i++) {
        if (span_is(text, key->words[i])) {
            if (key->type == CONF_WORD)
                *(int *)at = i;
            else
                *(const char **)at = key->words[i];
            strbuf_clear(&all);
            return true;
        }
        strbuf_addf(&all, "%s%s", i ? ", " : "", key->words[i]);
    }
    reason_set(why, "expected one of %s", strbuf_text(&all));
    strbuf_clear(&all);
    return false;
}

static bool set_bool(bool *at, struct span text, struct reason *why)
{
    bool yes = span_is(text, "yes") || span_is(text, "true") || span_is(text, "on");
    bool no = span_is(text, "no") || span_is(text, "false") || span_is(text, "off");
    if (!yes && !no)
        return reason_set(why, "expected yes or no");
    *at = yes;
    return true;
}

bool conf_set(struct conf *conf, const struct conf_key *key, struct span text, struct reason *why)
{
    void *at = (char *)conf + key->at;
    switch (key->type) {
    case CONF_TEXT:
        *(const char **)at = arena_strndup(&conf->arena, text.at ? text.at : "", text.len);
        return true;
    case CONF_WORD:
    case CONF_STATUS:
        return set_word(at, key, text, why);
    case CONF_BOOL:
        return set_bool(at, text, why);
    default:
        return set_number(at, key, text, why);
    }
}
