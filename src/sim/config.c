/* The configuration keys of 1.6 and of the security whitepaper: one table, and what a change does.
 *
 * A row says all that ChangeConfiguration and GetConfiguration need (C5); values are checked by
 * type, bounds and words. Whoever uses a value asks for it each time (config_int …), so most
 * changes take effect by themselves; config_changed() does the rest. Keys that need a reboot wait
 * for it in `pending`. The place half hears of each change through place_configured(). */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/digest.h"
#include "base/mem.h"
#include "sim/line.h"

enum { KEYS_AT_ONCE = 50, VALUE_MAX = 500, KEY_BYTES_MIN = 16, KEY_BYTES_MAX = 20 };

enum config_type { TYPE_BOOL, TYPE_INT, TYPE_LIST, TYPE_TEXT, TYPE_KEY /* AuthorizationKey */ };
enum config_access { READ_WRITE, READ_ONLY, WRITE_ONLY };

struct config_row {
    const char *key;
    enum config_type type;
    enum config_access access;
    const char *value;        /* at first */
    int64_t least, most;      /* of a number; most: items of a list, characters of a text */
    const char *const *words; /* of a list, NULL-terminated */
    bool reboot;              /* takes effect after one only */
};

/* What meter.c can measure. */
static const char *const measurands[] = {"Energy.Active.Import.Register",
                                         "Power.Active.Import",
                                         "Power.Offered",
                                         "Current.Import",
                                         "Voltage",
                                         "Temperature",
                                         "SoC",
                                         NULL};
static const char *const rotations[] = {"NotApplicable", "Unknown", "RST", "RTS", "SRT",
                                        "STR",           "TRS",     "TSR", NULL};

enum { SECONDS_MAX = 31536000, ITEMS_MAX = 8 };

/* One row a line: */
/* clang-format off */
#define BOOL(key, access, value) {key, TYPE_BOOL, access, value, 0, 0, NULL, false}
#define INT(key, access, value, least, most) {key, TYPE_INT, access, value, least, most, NULL, false}
#define LIST(key, access, value, words) {key, TYPE_LIST, access, value, 0, ITEMS_MAX, words, false}
#define TEXT(key, access, value, most) {key, TYPE_TEXT, access, value, 0, most, NULL, false}

static const struct config_row rows[] = {
    /* Core */
    BOOL("AllowOfflineTxForUnknownId", READ_WRITE, "false"),
    BOOL("AuthorizationCacheEnabled", READ_WRITE, "true"),
    BOOL("AuthorizeRemoteTxRequests", READ_WRITE, "true"),
    INT("BlinkRepeat", READ_WRITE, "3", 0, 100),
    INT("ClockAlignedDataInterval", READ_WRITE, "0", 0, SECONDS_MAX),
    INT("ConnectionTimeOut", READ_WRITE, "60", 0, SECONDS_MAX),
    {"ConnectorPhaseRotation", TYPE_LIST, READ_WRITE, "0.RST", 0, 17, rotations, true},
    INT("ConnectorPhaseRotationMaxLength", READ_ONLY, "17", 0, 17),
    INT("GetConfigurationMaxKeys", READ_ONLY, "50", 1, KEYS_AT_ONCE),
    INT("HeartbeatInterval", READ_WRITE, "300", 0, SECONDS_MAX),
    INT("LightIntensity", READ_WRITE, "80", 0, 100),
    BOOL("LocalAuthorizeOffline", READ_WRITE, "true"),
    BOOL("LocalPreAuthorize", READ_WRITE, "false"),
    INT("MaxEnergyOnInvalidId", READ_WRITE, "0", 0, 1000000),
    LIST("MeterValuesAlignedData", READ_WRITE, "Energy.Active.Import.Register", measurands),
    INT("MeterValuesAlignedDataMaxLength", READ_ONLY, "8", 0, ITEMS_MAX),
    LIST("MeterValuesSampledData", READ_WRITE,
         "Energy.Active.Import.Register,Power.Active.Import,SoC", measurands),
    INT("MeterValuesSampledDataMaxLength", READ_ONLY, "8", 0, ITEMS_MAX),
    INT("MeterValueSampleInterval", READ_WRITE, "10", 0, SECONDS_MAX),
    INT("MinimumStatusDuration", READ_WRITE, "0", 0, 3600),
    INT("NumberOfConnectors", READ_ONLY, "1", 1, 16),
    INT("ResetRetries", READ_WRITE, "1", 0, 10),
    BOOL("StopTransactionOnEVSideDisconnect", READ_WRITE, "true"),
    BOOL("StopTransactionOnInvalidId", READ_WRITE, "true"),
    LIST("StopTxnAlignedData", READ_WRITE, "", measurands),
    INT("StopTxnAlignedDataMaxLength", READ_ONLY, "8", 0, ITEMS_MAX),
    LIST("StopTxnSampledData", READ_WRITE, "", measurands),
    INT("StopTxnSampledDataMaxLength", READ_ONLY, "8", 0, ITEMS_MAX),
    TEXT("SupportedFeatureProfiles", READ_ONLY, "Core,FirmwareManagement,LocalAuthListManagement,"
         "Reservation,SmartCharging,RemoteTrigger", VALUE_MAX),
    INT("SupportedFeatureProfilesMaxLength", READ_ONLY, "6", 6, 6),
    INT("TransactionMessageAttempts", READ_WRITE, "3", 1, 100),
    INT("TransactionMessageRetryInterval", READ_WRITE, "60", 0, 86400),
    BOOL("UnlockConnectorOnEVSideDisconnect", READ_WRITE, "true"),
    INT("WebSocketPingInterval", READ_WRITE, "60", 0, 86400),
    /* LocalAuthListManagement */
    BOOL("LocalAuthListEnabled", READ_WRITE, "true"),
    INT("LocalAuthListMaxLength", READ_ONLY, "500", 0, 100000),
    INT("SendLocalListMaxLength", READ_ONLY, "100", 0, 100000),
    /* Reservation */
    BOOL("ReserveConnectorZeroSupported", READ_ONLY, "true"),
    /* SmartCharging */
    INT("ChargeProfileMaxStackLevel", READ_ONLY, "10", 0, 1000),
    TEXT("ChargingScheduleAllowedChargingRateUnit", READ_ONLY, "Current,Power", 40),
    INT("ChargingScheduleMaxPeriods", READ_ONLY, "24", 1, 1000),
    BOOL("ConnectorSwitch3to1PhaseSupported", READ_ONLY, "false"),
    INT("MaxChargingProfilesInstalled", READ_ONLY, "20", 1, 1000),
    /* FirmwareManagement */
    TEXT("SupportedFileTransferProtocols", READ_ONLY, "HTTP,HTTPS", 40),
    /* Security whitepaper */
    BOOL("AdditionalRootCertificateCheck", READ_ONLY, "false"),
    {"AuthorizationKey", TYPE_KEY, WRITE_ONLY, "", 0, 0, NULL, false},
    INT("CertificateSignedMaxChainSize", READ_ONLY, "10000", 1, 10000),
    INT("CertificateStoreMaxLength", READ_ONLY, "20", 1, 1000),
    TEXT("CpoName", READ_WRITE, "", 255),
    INT("SecurityProfile", READ_WRITE, "0", 0, 1), /* no TLS in here */
};
#undef BOOL
#undef INT
#undef LIST
#undef TEXT
/* clang-format on */

enum { ROW_COUNT = ARRAY_LEN(rows) };

struct config {
    char *values[ROW_COUNT];  /* NULL: as in the row */
    char *pending[ROW_COUNT]; /* after the next reboot; NULL: nothing waits */
    int64_t profile_before;   /* SecurityProfile to fall back to, -1 none */
};

/* ---- reading ---- */

static int find_row(const char *key)
{
    for (size_t i = 0; i < ROW_COUNT; i++) {
        if (text_is_ci(rows[i].key, key))
            return (int)i;
    }
    return -1;
}

static const char *value_at(const struct config *config, int at)
{
    return config->values[at] ? config->values[at] : rows[at].value;
}

const char *config_text(const struct charger *charger, const char *key)
{
    int at = find_row(key);
    return NEVER(at < 0) ? "" : value_at(charger->config, at);
}

int64_t config_int(const struct charger *charger, const char *key)
{
    int64_t value = 0;
    span_int(span_of(config_text(charger, key)), &value);
    return value;
}

bool config_bool(const struct charger *charger, const char *key)
{
    return text_is(config_text(charger, key), "true");
}

bool config_password(const struct charger *charger, struct strbuf *out)
{
    unsigned char bytes[KEY_BYTES_MAX];
    size_t len = sizeof(bytes);
    const char *key = config_text(charger, "AuthorizationKey");
    if (config_int(charger, "SecurityProfile") < 1)
        return false;
    if (*key == '\0') {
        strbuf_adds(out, charger->settings.password ? charger->settings.password : "");
    } else if (!NEVER(!hex_decode(span_of(key), bytes, &len))) {
        strbuf_add(out, (const char *)bytes, len);
    }
    return true;
}

/* ---- checking a value ---- */

/* `0.RST`: the connector, a point, and how its phases are turned. */
static struct span without_connector(const struct charger *charger, struct span item)
{
    struct span number, rest = item;
    int64_t connector = -1;
    span_cut(&rest, '.', &number);
    bool known =
        span_int(number, &connector) && connector >= 0 && connector <= charger->settings.connectors;
    return known && rest.at ? rest : SPAN("");
}

static bool list_valid(const struct charger *charger, const struct config_row *row,
                       const char *value)
{
    struct span rest = span_of(value), item;
    int64_t items = 0;
    if (*value == '\0')
        return true;
    while (span_cut(&rest, ',', &item)) {
        item = span_trim(item);
        if (row->words == rotations)
            item = without_connector(charger, item);
        size_t i = 0;
        while (row->words[i] && !span_is(item, row->words[i]))
            i++;
        if (!row->words[i] || ++items > row->most)
            return false;
    }
    return true;
}

static bool key_valid(const char *value)
{
    unsigned char bytes[KEY_BYTES_MAX];
    size_t len = sizeof(bytes);
    return hex_decode(span_of(value), bytes, &len) && len >= KEY_BYTES_MIN;
}

static bool value_valid(const struct charger *charger, const struct config_row *row,
                        const char *value)
{
    int64_t number;
    size_t len = strlen(value);
    if (len > VALUE_MAX)
        return false;
    switch (row->type) {
    case TYPE_BOOL:
        return text_is_ci(value, "true") || text_is_ci(value, "false");
    case TYPE_INT:
        return span_int(span_of(value), &number) && number >= row->least && number <= row->most;
    case TYPE_LIST:
        return list_valid(charger, row, value);
    case TYPE_TEXT:
        return len <= (size_t)row->most;
    case TYPE_KEY:
        return key_valid(value);
    }
    return false;
}

/* A profile is never lowered, and 1 needs a password (A05). */
static bool profile_allowed(const struct charger *charger, const char *value)
{
    int64_t wanted = 0;
    span_int(span_of(value), &wanted);
    return wanted >= config_int(charger, "SecurityProfile") &&
           (wanted == 0 || charger->settings.password ||
            *config_text(charger, "AuthorizationKey") != '\0');
}

/* ---- changing ---- */

static void set_value(char **slot, const struct config_row *row, const char *value)
{
    char *copy = xstrdup(value);
    if (row->type == TYPE_BOOL)
        memcpy(copy, text_is_ci(value, "true") ? "true" : "false", strlen(value));
    xfree(*slot);
    *slot = copy;
}

static void config_changed(struct charger *charger, const struct config_row *row)
{
    if (text_is(row->key, "HeartbeatInterval") || text_is(row->key, "WebSocketPingInterval"))
        charger_retime(charger);
    if (text_is(row->key, "AuthorizationKey") || text_is(row->key, "SecurityProfile"))
        charger_reconnect_soon(charger);
    place_configured(charger, row->key);
}

enum config_result config_change(struct charger *charger, const char *key, const char *value,
                                 bool installer)
{
    struct config *config = charger->config;
    int at = find_row(key);
    if (at < 0)
        return CONFIG_UNKNOWN;
    const struct config_row *row = &rows[at];
    bool profile = text_is(row->key, "SecurityProfile");
    if ((row->access == READ_ONLY && !installer) || !value_valid(charger, row, value))
        return CONFIG_REJECTED;
    if (profile && !installer && !profile_allowed(charger, value))
        return CONFIG_REJECTED;
    if (row->reboot && !installer) {
        set_value(&config->pending[at], row, value);
        return CONFIG_REBOOT;
    }
    if (profile)
        config->profile_before = config_int(charger, row->key);
    bool same = text_is(value_at(config, at), value);
    set_value(&config->values[at], row, value);
    if (!same)
        config_changed(charger, row);
    return CONFIG_ACCEPTED;
}

bool charger_configure(struct charger *charger, const char *key, const char *value,
                       struct reason *why)
{
    switch (config_change(charger, key, value, true)) {
    case CONFIG_ACCEPTED:
    case CONFIG_REBOOT:
        return true;
    case CONFIG_UNKNOWN:
        return reason_set(why, "unknown configuration key \"%s\"", key);
    case CONFIG_REJECTED:
        break;
    }
    return reason_set(why, "%s does not take the value \"%s\"", key, value);
}

void config_rebooted(struct charger *charger)
{
    struct config *config = charger->config;
    for (size_t i = 0; i < ROW_COUNT; i++) {
        if (!config->pending[i])
            continue;
        xfree(config->values[i]);
        config->values[i] = config->pending[i];
        config->pending[i] = NULL;
        config_changed(charger, &rows[i]);
    }
}

void config_login_refused(struct charger *charger)
{
    struct config *config = charger->config;
    int at = find_row("SecurityProfile");
    char text[24];
    if (config->profile_before < 0 ||
        config->profile_before == config_int(charger, "SecurityProfile"))
        return;
    text_copy(text, sizeof(text), config->profile_before ? SPAN("1") : SPAN("0"));
    set_value(&config->values[at], &rows[at], text);
    config->profile_before = -1;
}

/* ---- life ---- */

void config_open(struct charger *charger)
{
    const struct charger_settings *settings = &charger->settings;
    struct config *config = charger->config = xcalloc(1, sizeof(*config));
    config->profile_before = -1;
    config->values[find_row("NumberOfConnectors")] = xprintf("%d", settings->connectors);
    config->values[find_row("MeterValueSampleInterval")] =
        xprintf("%" PRId64, settings->meter_interval_s);
    config->values[find_row("SecurityProfile")] = xstrdup(settings->password ? "1" : "0");
}

void config_close(struct charger *charger)
{
    struct config *config = charger->config;
    if (!config)
        return;
    for (size_t i = 0; i < ROW_COUNT; i++) {
        xfree(config->values[i]);
        xfree(config->pending[i]);
    }
    XFREE(charger->config);
}

/* ---- answers ---- */

static void write_key(const struct charger *charger, int at, struct json_out *out)
{
    const struct config *config = charger->config;
    json_open(out, '{');
    json_key(out, "key");
    json_put_string(out, rows[at].key);
    json_key(out, "readonly");
    json_put_bool(out, rows[at].access == READ_ONLY);
    if (rows[at].access != WRITE_ONLY) { /* what was set last, also if it waits for the reboot */
        json_key(out, "value");
        json_put_string(out, config->pending[at] ? config->pending[at] : value_at(config, at));
    }
    json_close(out, '}');
}

static void write_keys(const struct charger *charger, const struct json *wanted,
                       struct json_out *out)
{
    json_key(out, "configurationKey");
    json_open(out, '[');
    if (wanted && wanted->count) {
        for (const struct json *key = wanted->child; key; key = key->next) {
            if (find_row(json_text(key)) >= 0)
                write_key(charger, find_row(json_text(key)), out);
        }
    } else {
        for (int i = 0; i < (int)ROW_COUNT; i++)
            write_key(charger, i, out);
    }
    json_close(out, ']');
}

static void write_unknown(const struct json *wanted, struct json_out *out)
{
    bool open = false;
    for (const struct json *key = wanted ? wanted->child : NULL; key; key = key->next) {
        if (find_row(json_text(key)) >= 0)
            continue;
        if (!open) {
            json_key(out, "unknownKey");
            json_open(out, '[');
            open = true;
        }
        json_put_string(out, json_text(key));
    }
    if (open)
        json_close(out, ']');
}

enum ocpp_error answer_get_configuration(struct charger *charger, const struct json *request,
                                         struct json_out *out)
{
    const struct json *wanted = json_get(request, "key");
    if (wanted && wanted->count > config_int(charger, "GetConfigurationMaxKeys"))
        return OCPP_OCCURRENCE_CONSTRAINT_VIOLATION;
    json_open(out, '{');
    write_keys(charger, wanted, out);
    write_unknown(wanted, out);
    json_close(out, '}');
    return OCPP_OK;
}

enum ocpp_error answer_change_configuration(struct charger *charger, const struct json *request,
                                            struct json_out *out)
{
    static const char *const words[] = {[CONFIG_ACCEPTED] = "Accepted",
                                        [CONFIG_REBOOT] = "RebootRequired",
                                        [CONFIG_UNKNOWN] = "NotSupported",
                                        [CONFIG_REJECTED] = "Rejected"};
    enum config_result result =
        config_change(charger, json_gets(request, "key"), json_gets(request, "value"), false);
    return answer_status(out, words[result]);
}

void charger_write_configuration(const struct charger *charger, struct strbuf *out)
{
    struct json_out json = {.to = out};
    json_open(&json, '{');
    write_keys(charger, NULL, &json);
    json_close(&json, '}');
}
