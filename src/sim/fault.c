/* The faults of OCPP.md §15 as switches: one table, one draw per occasion from the charger's own
 * generator.
 *
 * A row names the fault, says what it does and which rules answer it. Who shows a fault asks
 * fault_now() at each occasion: the line half for the connection, frames and answers (here,
 * queue.c, answers.c, charger.c), the place half for meters, stops and statuses. While no fault was
 * ever switched on there is no state at all and asking costs nothing. */
#include "sim/fault.h"

#include <stdio.h>
#include <string.h>

#include "base/digest.h"
#include "base/mem.h"
#include "base/timetext.h"
#include "sim/line.h"

enum { NESTING = 500, HUGE_BYTES = 2 << 20 };

/* One row a line: */
/* clang-format off */
static const struct fault_row rows[] = {
    {"pipelining", "sends up to three CALLs at once, and none again", "R2"},
    {"boot_on_reconnect", "BootNotification after each reconnect, also with a transaction", "B5 T14"},
    {"no_boot", "never sends BootNotification and takes itself for accepted", "T14 B9"},
    {"silent_loss", "a new connection while the old one still looks open; its close comes late", "T13"},
    {"no_pong", "never answers a ping of the server (asked for at each connection)", "T11 T12"},
    {"no_heartbeat", "leaves a Heartbeat out", "T11 T12"},
    {"lost_answer", "the answer to a transaction message is lost: it comes again with a new id", "X3 X9 R7"},
    {"start_never_acknowledged", "StartTransaction's answer is lost for good: transactionId -1", "X8"},
    {"stop_unknown", "a StopTransaction more, of a transaction that never was", "X7"},
    {"stop_without_tag", "StopTransaction without idTag", "X10"},
    {"stop_junk_tag", "StopTransaction with two junk characters behind the tag", "X10 R13"},
    {"stop_group_tag", "StopTransaction with another tag of the group", "X10 A4"},
    {"status_race", "Available before StopTransaction, Charging before StartTransaction.conf", "X14"},
    {"meter_kwh", "energy in kWh with three decimals", "V3"},
    {"meter_empty", "a sampled value \"\"", "V2"},
    {"meter_zero", "a momentary 0 of the register", "V5"},
    {"meter_watts_as_kw", "power in watts, marked kW", "V5"},
    {"meter_session_register", "the register counts from the start of the session", "V6"},
    {"meter_stop_below_start", "meterStop below meterStart", "X11"},
    {"clock_1970", "the clock was never set: times of 1970", "B11"},
    {"clock_local", "local time (UTC+2) marked Z", "B11"},
    {"clock_no_zone", "times without a zone", "B11"},
    {"clock_nine_digits", "nine digits of a second", "B11"},
    {"clock_short_offset", "the offset as +02", "B11"},
    {"text_cut", "a CALL cut off in the middle", "R12"},
    {"text_missing_value", "a CALL with a member that has no value", "R12"},
    {"text_empty", "an empty frame in place of a CALL", "T10"},
    {"text_nested", "a payload nested 500 deep", "R12"},
    {"text_bytes", "0xFF bytes in a text frame", "T10"},
    {"text_huge", "a text of 2 MiB", "T10"},
    {"text_fragments", "a CALL in three fragments", "T10"},
    {"text_binary", "a CALL as a binary frame", "T10"},
    {"no_subprotocol", "connects without Sec-WebSocket-Protocol", "T8"},
    {"old_subprotocol", "offers ocpp1.5 only", "T7"},
    {"path_slashes", "///identity in the path", "T3"},
    {"path_escape", "every character of the identity percent-encoded", "T1"},
    {"binary_password", "the password as the bytes that its hex digits mean, or turned to bytes over 127", "G2 G3"},
    {"wrong_password", "another password", "T5"},
    {"unknown_identity", "an identity that nobody knows", "T4"},
    {"slow_answer", "answers a command after 2 s", "R3"},
    {"late_answer", "answers a command after 35 s, when nobody waits for it", "R3"},
    {"double_answer", "answers a command twice", "R5"},
    {"no_answer", "does not answer a command", "R3 C3"},
    {"drop_on_command", "drops the line in place of an answer", "C3"},
};
/* clang-format on */

enum { ROW_COUNT = ARRAY_LEN(rows) };

struct fault_state {
    double probability[ROW_COUNT];
};

static int find_row(const char *name)
{
    for (size_t i = 0; i < ROW_COUNT; i++) {
        if (text_is(rows[i].name, name))
            return (int)i;
    }
    return -1;
}

bool fault_now(struct charger *charger, const char *name)
{
    const struct fault_state *faults = charger->faults;
    if (!faults)
        return false;
    int at = find_row(name);
    if (NEVER(at < 0) || faults->probability[at] <= 0)
        return false;
    return faults->probability[at] >= 1 || charger_random(charger) < faults->probability[at];
}

bool charger_fault(struct charger *charger, const char *name, double probability,
                   struct reason *why)
{
    int at = find_row(name);
    if (at < 0) {
        const char *nearest = text_nearest(name, rows, ROW_COUNT, sizeof(*rows));
        return reason_set(why, "unknown fault \"%s\"%s%s%s", name, nearest ? ", did you mean " : "",
                          nearest ? nearest : "", nearest ? "?" : "");
    }
    if (!(probability >= 0 && probability <= 1))
        return reason_set(why, "expected a probability from 0 to 1");
    if (!charger->faults)
        charger->faults = xcalloc(1, sizeof(*charger->faults));
    charger->faults->probability[at] = probability;
    return true;
}

bool charger_fault_next(size_t *at, const char **name, const char **doc)
{
    if (*at >= ROW_COUNT)
        return false;
    *name = rows[*at].name;
    *doc = rows[*at].doc;
    (*at)++;
    return true;
}

const struct fault_row *fault_find(const char *name)
{
    int at = find_row(name);
    return at < 0 ? NULL : &rows[at];
}

double charger_fault_probability(const struct charger *charger, const char *name)
{
    int at = find_row(name);
    return at < 0 || !charger->faults ? 0 : charger->faults->probability[at];
}

void faults_write(const struct charger *charger, struct json_out *out)
{
    json_open(out, '{');
    for (size_t i = 0; i < ROW_COUNT; i++) {
        double probability = charger->faults ? charger->faults->probability[i] : 0;
        if (probability <= 0)
            continue;
        json_key(out, rows[i].name);
        json_put_double(out, probability);
    }
    json_close(out, '}');
}

void faults_close(struct charger *charger)
{
    XFREE(charger->faults);
}

/* ---- the handshake ---- */

/* The identity is what stands behind the last slash. */
static size_t identity_at(const struct strbuf *path)
{
    const char *slash = strrchr(strbuf_text(path), '/');
    return slash ? (size_t)(slash - path->at) + 1 : 0;
}

static void put_slashes(struct strbuf *path)
{
    char *identity = xstrdup(strbuf_text(path) + identity_at(path));
    strbuf_reset(path);
    strbuf_addf(path, "///%s", identity);
    xfree(identity);
}

/* `%7C` for `|`, and the same for every character that is not escaped already. */
static void escape_all(struct strbuf *path)
{
    size_t at = identity_at(path);
    char *identity = xstrdup(strbuf_text(path) + at);
    path->len = at;
    for (const char *c = identity; *c; c++) {
        if (*c == '%' && c[1] && c[2]) {
            strbuf_add(path, c, 3);
            c += 2;
        } else {
            strbuf_addf(path, "%%%02X", (unsigned)(unsigned char)*c);
        }
    }
    xfree(identity);
}

static void make_binary(struct strbuf *password)
{
    struct span hex = {strbuf_text(password), password->len};
    unsigned char bytes[64];
    size_t len = sizeof(bytes);
    if (hex_decode(hex, bytes, &len)) {
        strbuf_reset(password);
        strbuf_add(password, (const char *)bytes, len);
        return;
    }
    for (size_t i = 0; i < password->len; i++)
        password->at[i] = (char)(password->at[i] | 0x80);
}

void fault_bend_handshake(struct charger *charger, struct fault_handshake *handshake)
{
    if (!charger->faults)
        return;
    if (fault_now(charger, "no_subprotocol"))
        handshake->subprotocols = NULL;
    if (fault_now(charger, "old_subprotocol"))
        handshake->subprotocols = "ocpp1.5";
    if (fault_now(charger, "unknown_identity"))
        strbuf_adds(&handshake->path, "-unknown");
    if (fault_now(charger, "path_escape"))
        escape_all(&handshake->path);
    if (fault_now(charger, "path_slashes"))
        put_slashes(&handshake->path);
    if (fault_now(charger, "binary_password"))
        make_binary(&handshake->password);
    if (fault_now(charger, "wrong_password"))
        strbuf_adds(&handshake->password, "-wrong");
}

/* ---- broken text ---- */

/* The first value that follows a colon goes: `"transactionId":,`. */
static void drop_value(struct strbuf *text)
{
    char *colon = memchr(strbuf_text(text), ':', text->len);
    if (!colon)
        return;
    size_t at = (size_t)(colon - text->at) + 1, end = at;
    bool quoted = false;
    while (end < text->len && (quoted || !strchr(",}]", text->at[end]))) {
        quoted ^= text->at[end] == '"';
        end++;
    }
    memmove(text->at + at, text->at + end, text->len - end + 1);
    text->len -= end - at;
}

static void put_nested(struct strbuf *text)
{
    struct span rest = {strbuf_text(text), text->len}, head;
    struct strbuf out = {0};
    /* [2,"id","Action" stays; neither holds a comma. */
    for (int i = 0; i < 3 && span_cut(&rest, ',', &head); i++)
        strbuf_addf(&out, "%.*s,", (int)head.len, head.at);
    strbuf_adds(&out, "{\"a\":");
    for (int i = 0; i < NESTING; i++)
        strbuf_addc(&out, '[');
    for (int i = 0; i < NESTING; i++)
        strbuf_addc(&out, ']');
    strbuf_adds(&out, "}]");
    strbuf_clear(text);
    *text = out;
}

/* Valid but for its size: blanks before the end. */
static void make_huge(struct strbuf *text)
{
    size_t before = text->len > 0 ? text->len - 1 : 0, room = HUGE_BYTES;
    strbuf_reserve(text, room);
    memset(text->at + before, ' ', room);
    text->at[before + room] = ']';
    text->len = before + room + 1;
    text->at[text->len] = '\0';
}

static void put_bytes(struct strbuf *text)
{
    if (text->len > 4)
        memset(text->at + text->len - 4, 0xFF, 2);
}

static void cut_to(struct strbuf *text, size_t len)
{
    text->len = len;
    if (text->at)
        text->at[len] = '\0';
}

enum ws_client_form fault_bend_call(struct charger *charger, struct strbuf *text)
{
    if (!charger->faults)
        return WS_CLIENT_TEXT;
    if (fault_now(charger, "text_missing_value"))
        drop_value(text);
    if (fault_now(charger, "text_nested"))
        put_nested(text);
    if (fault_now(charger, "text_cut"))
        cut_to(text, text->len * 2 / 3);
    if (fault_now(charger, "text_bytes"))
        put_bytes(text);
    if (fault_now(charger, "text_huge"))
        make_huge(text);
    if (fault_now(charger, "text_empty"))
        cut_to(text, 0);
    if (fault_now(charger, "text_binary"))
        return WS_CLIENT_BINARY;
    return fault_now(charger, "text_fragments") ? WS_CLIENT_FRAGMENTS : WS_CLIENT_TEXT;
}

/* ---- the clock ---- */

enum { HOURS_2_MS = 2 * 3600 * 1000 };

void charger_time_text(struct charger *charger, wall_t at, char out[48])
{
    char text[TIMETEXT_SIZE];
    if (fault_now(charger, "clock_1970"))
        at = mono_now() % (1000ll * 86400);
    bool local = fault_now(charger, "clock_local"),
         offset = fault_now(charger, "clock_short_offset");
    timetext_seconds(local || offset ? at + HOURS_2_MS : at, text);
    text[strlen(text) - 1] = '\0'; /* the Z */
    int millis = (int)(at % 1000 + 1000) % 1000;
    if (fault_now(charger, "clock_nine_digits"))
        snprintf(text + strlen(text), sizeof(text) - strlen(text), ".%03d%06d", millis, 123456);
    const char *zone = offset ? "+02" : fault_now(charger, "clock_no_zone") ? "" : "Z";
    snprintf(out, 48, "%s%s", text, zone);
}
