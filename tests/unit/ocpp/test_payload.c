/* Payloads: rule R13 case by case, the right column of R12 for 1.6, numbers, reports, and checking
 * to the letter. test_schema.c has the mass of generated cases. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "ocpp/payload.h"
#include "ocpp/payload_parts.h"

static struct arena arena;
static struct payload_report report;

static int clear_arena(void **state)
{
    (void)state;
    arena_clear(&arena);
    return 0;
}

static struct json *parse(const char *text)
{
    struct reason why;
    struct json *tree = json_parse(&arena, text, strlen(text), &why, NULL);
    assert_non_null(tree);
    return tree;
}

/* "Action" or "ActionResponse". */
static const struct field *table(const char *name)
{
    static const char suffix[] = "Response";
    size_t len = strlen(name);
    size_t cut = sizeof suffix - 1;
    bool response = len > cut && strcmp(name + len - cut, suffix) == 0;
    const struct action *action =
        version_action(&version_16, (struct span){name, response ? len - cut : len});
    assert_non_null(action);
    return response ? action->response : action->request;
}

static const char *text_of(const struct json *tree)
{
    struct strbuf out = {0};
    json_write(&out, tree);
    const char *text = arena_strdup(&arena, strbuf_text(&out));
    strbuf_clear(&out);
    return text;
}

struct reading_case {
    const char *message, *in;
    const char *out;   /* what handlers see */
    const char *fault; /* the first one noted, as `code /pointer: message`; NULL = none */
};

static const char *fault_text(const struct payload_fault *fault)
{
    return arena_printf(&arena, "%s %s: %s", ocpp_error_text(&version_16, fault->error),
                        fault->pointer, fault->message);
}

static void check_readings(const struct reading_case *cases, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct json *payload = parse(cases[i].in);
        enum ocpp_error error =
            payload_read(table(cases[i].message), &arena, payload, false, &report);
        assert_int_equal(error, OCPP_OK);
        assert_false(report.refused);
        assert_string_equal(text_of(payload), cases[i].out);
        if (cases[i].fault != NULL) {
            assert_true(report.count > 0);
            assert_string_equal(fault_text(&report.faults[0]), cases[i].fault);
        } else {
            assert_int_equal(report.count, 0);
        }
    }
}

static void test_valid_payloads_stay(void **state)
{
    (void)state;
    static const char start[] = "{\"connectorId\":1,\"idTag\":\"A\",\"meterStart\":12,"
                                "\"timestamp\":\"2025-07-14T05:20:08Z\"}";
    static const char meter[] =
        "{\"connectorId\":1,\"transactionId\":7,\"meterValue\":[{\"timestamp\":"
        "\"2025-07-14T05:20:08.020Z\",\"sampledValue\":[{\"value\":\" 1,5 \",\"unit\":\"Hertz\","
        "\"measurand\":\"Frequency\",\"context\":\"Sample.Clock\"}]}]}";
    static const struct reading_case cases[] = {
        {"Heartbeat", "{}", "{}", NULL},
        {"StartTransaction", start, start, NULL},
        {"MeterValues", meter, meter, NULL},
        {"Authorize", "{\"idTag\":\"\"}", "{\"idTag\":\"\"}", NULL},
        {"GetConfigurationResponse", "{\"unknownKey\":[]}", "{\"unknownKey\":[]}", NULL},
    };
    check_readings(cases, ARRAY_LEN(cases));
}

/* R13: the field cases with their issue, where there is one. */
static void test_lenient_shapes(void **state)
{
    (void)state;
    static const struct reading_case cases[] = {
        /* meterValue an object (HA#1144), sampledValue too */
        {"MeterValues",
         "{\"connectorId\":1,\"meterValue\":{\"timestamp\":\"2025-07-14T05:20:08Z\","
         "\"sampledValue\":{\"value\":\"1\"}}}",
         "{\"connectorId\":1,\"meterValue\":[{\"timestamp\":\"2025-07-14T05:20:08Z\","
         "\"sampledValue\":[{\"value\":\"1\"}]}]}",
         "TypeConstraintViolation /meterValue: expected a list, got an object"},
        /* empty sampledValue (HA#466) */
        {"MeterValues",
         "{\"connectorId\":1,\"meterValue\":[{\"timestamp\":\"2025-07-14T05:20:08Z\","
         "\"sampledValue\":[]}]}",
         "{\"connectorId\":1,\"meterValue\":[{\"timestamp\":\"2025-07-14T05:20:08Z\","
         "\"sampledValue\":[]}]}",
         "OccurenceConstraintViolation /meterValue/0/sampledValue: 0 items, at least 1 are needed"},
        /* a bad sample costs itself, not the message (HA#1627) */
        {"StopTransaction",
         "{\"transactionId\":1,\"meterStop\":2,\"timestamp\":\"2025-07-14T05:20:08Z\","
         "\"transactionData\":[{\"timestamp\":\"2025-07-14T05:20:08Z\",\"sampledValue\":"
         "[{\"value\":\"1\"},null,{\"value\":\"3\"},7]}]}",
         "{\"transactionId\":1,\"meterStop\":2,\"timestamp\":\"2025-07-14T05:20:08Z\","
         "\"transactionData\":[{\"timestamp\":\"2025-07-14T05:20:08Z\",\"sampledValue\":"
         "[{\"value\":\"1\"},{\"value\":\"3\"}]}]}",
         "TypeConstraintViolation /transactionData/0/sampledValue/1: expected an object, got null"},
        {"GetConfiguration", "{\"key\":\"HeartbeatInterval\"}", "{\"key\":[\"HeartbeatInterval\"]}",
         "TypeConstraintViolation /key: expected a list, got a string"},
        /* extra connectorId in Authorize (EV#14579) */
        {"Authorize", "{\"connectorId\":1,\"idTag\":\"A\"}", "{\"connectorId\":1,\"idTag\":\"A\"}",
         "FormationViolation /connectorId: unknown field"},
        /* Heidelberg's composite schedule "0" (EV#17836) */
        {"GetCompositeScheduleResponse", "{\"status\":\"Rejected\",\"chargingSchedule\":\"0\"}",
         "{\"status\":\"Rejected\"}",
         "TypeConstraintViolation /chargingSchedule: expected an object, got a string"},
        /* an optional object without what makes it useful goes, the rest stays */
        {"StopTransactionResponse", "{\"idTagInfo\":{\"parentIdTag\":\"P\"}}", "{}",
         "ProtocolError /idTagInfo/status: missing"},
        {"GetConfigurationResponse",
         "{\"configurationKey\":[{\"value\":\"1\"},{\"key\":\"B\",\"readonly\":\"True\","
         "\"value\":300}]}",
         "{\"configurationKey\":[{\"key\":\"B\",\"readonly\":true,\"value\":\"300\"}]}",
         "ProtocolError /configurationKey/0/key: missing"},
        /* data is text by the standard, JSON in the field */
        {"DataTransfer", "{\"vendorId\":\"v\",\"data\":{\"a\":[1,\"b\"]}}",
         "{\"vendorId\":\"v\",\"data\":\"{\\\"a\\\":[1,\\\"b\\\"]}\"}",
         "TypeConstraintViolation /data: expected a string, got an object"},
    };
    check_readings(cases, ARRAY_LEN(cases));
}

static void test_lenient_text(void **state)
{
    (void)state;
    static const struct reading_case cases[] = {
        /* 21-character tag (HA#1803), kept */
        {"Authorize", "{\"idTag\":\"123456789012345678901\"}",
         "{\"idTag\":\"123456789012345678901\"}",
         "PropertyConstraintViolation /idTag: 21 characters, at most 20 are allowed"},
        /* characters count, not bytes */
        {"Authorize",
         "{\"idTag\":\"\xC3\xA9\xC3\xA9\xC3\xA9\xC3\xA9\xC3\xA9\xC3\xA9\xC3\xA9\xC3"
         "\xA9\xC3\xA9\xC3\xA9\xC3\xA9\"}",
         "{\"idTag\":\"\xC3\xA9\xC3\xA9\xC3\xA9\xC3\xA9\xC3\xA9\xC3\xA9\xC3\xA9\xC3\xA9\xC3\xA9"
         "\xC3\xA9\xC3\xA9\"}",
         NULL},
        {"Authorize", "{\"idTag\":12345678}", "{\"idTag\":\"12345678\"}",
         "TypeConstraintViolation /idTag: expected a string, got an integer"},
        {"Authorize", "{\"idTag\":0.50}", "{\"idTag\":\"0.50\"}",
         "TypeConstraintViolation /idTag: expected a string, got a number"},
        {"ChangeConfiguration", "{\"key\":\"k\",\"value\":true}",
         "{\"key\":\"k\",\"value\":\"true\"}",
         "TypeConstraintViolation /value: expected a string, got a boolean"},
        /* errorCode Error (HA#1248) and any other unknown word, kept */
        {"StatusNotification",
         "{\"connectorId\":0,\"errorCode\":\"Error\",\"status\":\"Sleeping\"}",
         "{\"connectorId\":0,\"errorCode\":\"Error\",\"status\":\"Sleeping\"}",
         "PropertyConstraintViolation /errorCode: unknown word \"Error\""},
        /* the value of a configuration key may be empty: that is what it is set to */
        {"GetConfigurationResponse",
         "{\"configurationKey\":[{\"key\":\"k\",\"readonly\":true,\"value\":\"\"}]}",
         "{\"configurationKey\":[{\"key\":\"k\",\"readonly\":true,\"value\":\"\"}]}", NULL},
        /* empty and null are as good as absent (N3, B6) */
        {"StatusNotification",
         "{\"connectorId\":1,\"errorCode\":\"NoError\",\"info\":\"\",\"status\":\"Available\","
         "\"vendorErrorCode\":null,\"timestamp\":\"\"}",
         "{\"connectorId\":1,\"errorCode\":\"NoError\",\"status\":\"Available\"}",
         "PropertyConstraintViolation /vendorErrorCode: null, left out"},
        {"StatusNotification",
         "{\"connectorId\":1,\"errorCode\":\"NoError\",\"info\":\"\",\"status\":\"Available\"}",
         "{\"connectorId\":1,\"errorCode\":\"NoError\",\"status\":\"Available\"}", NULL},
        {"StopTransaction",
         "{\"meterStop\":1,\"transactionId\":1,\"timestamp\":\"2025-07-14T05:20:08Z\",\"reason\":"
         "\"\"}",
         "{\"meterStop\":1,\"transactionId\":1,\"timestamp\":\"2025-07-14T05:20:08Z\"}",
         "PropertyConstraintViolation /reason: empty, left out"},
        {"StatusNotification", "{\"connectorId\":1,\"status\":\"Available\",\"errorCode\":\"\"}",
         "{\"connectorId\":1,\"status\":\"Available\"}",
         "PropertyConstraintViolation /errorCode: unknown word \"\""},
        /* times stay as given, whatever they are (B11) */
        {"StatusNotification",
         "{\"connectorId\":1,\"status\":\"Available\",\"errorCode\":\"NoError\",\"timestamp\":"
         "\"2025-07-14 05:20\"}",
         "{\"connectorId\":1,\"status\":\"Available\",\"errorCode\":\"NoError\",\"timestamp\":"
         "\"2025-07-14 05:20\"}",
         "PropertyConstraintViolation /timestamp: \"2025-07-14 05:20\" is no date and time with "
         "zone"},
        /* value "" (EV#17836) and a value that is a number */
        {"MeterValues",
         "{\"connectorId\":1,\"meterValue\":[{\"timestamp\":\"2025-07-14T05:20:08Z\","
         "\"sampledValue\":[{\"value\":\"\"},{\"value\":1.50}]}]}",
         "{\"connectorId\":1,\"meterValue\":[{\"timestamp\":\"2025-07-14T05:20:08Z\","
         "\"sampledValue\":[{\"value\":\"\"},{\"value\":\"1.50\"}]}]}",
         "TypeConstraintViolation /meterValue/0/sampledValue/1/value: expected a string, got a "
         "number"},
    };
    check_readings(cases, ARRAY_LEN(cases));
}

static void test_lenient_numbers(void **state)
{
    (void)state;
#define STOP(number) "{\"transactionId\":" number "}"
#define READ(number) "{\"transactionId\":" number "}"
#define ODD "TypeConstraintViolation /transactionId: "
    static const struct reading_case cases[] = {
        {"RemoteStopTransaction", STOP("\"12\""), READ("12"),
         ODD "expected an integer, got a string"},
        {"RemoteStopTransaction", STOP("\" +0012 \""), READ("12"),
         ODD "expected an integer, got a string"},
        {"RemoteStopTransaction", STOP("\"-1\""), READ("-1"),
         ODD "expected an integer, got a string"},
        {"RemoteStopTransaction", STOP("3.0"), READ("3"), ODD "expected an integer, got a number"},
        {"RemoteStopTransaction", STOP("1.2e2"), READ("120"),
         ODD "expected an integer, got a number"},
        {"RemoteStopTransaction", STOP("12.5"), READ("13"),
         ODD "expected an integer, rounded to 13"},
        {"RemoteStopTransaction", STOP("\"12.49\""), READ("12"),
         ODD "expected an integer, rounded to 12"},
        {"RemoteStopTransaction", STOP("-12.5"), READ("-12"),
         ODD "expected an integer, rounded to -12"},
        {"RemoteStopTransaction", STOP("-12.51"), READ("-13"),
         ODD "expected an integer, rounded to -13"},
        {"RemoteStopTransaction", STOP("-0.5"), READ("0"), ODD "expected an integer, rounded to 0"},
        /* Q4: all that fits 64 bits */
        {"RemoteStopTransaction", STOP("9223372036854775807"), READ("9223372036854775807"), NULL},
        {"RemoteStopTransaction", STOP("-9223372036854775808"), READ("-9223372036854775808"), NULL},
    };
    check_readings(cases, ARRAY_LEN(cases));
    /* In a transaction what cannot be read is dropped, never refused. */
    static const struct reading_case dropped[] = {
        {"StopTransaction", STOP("9223372036854775808"), "{}",
         "PropertyConstraintViolation /transactionId: more than 64 bits"},
        {"StopTransaction", STOP("\"\""), "{}", ODD "expected an integer, got a string"},
        {"StopTransaction", STOP("\"1,5\""), "{}", ODD "expected an integer, got a string"},
        {"StopTransaction", STOP("\"12 Wh\""), "{}", ODD "expected an integer, got a string"},
        {"StopTransaction", STOP("\"0x10\""), "{}", ODD "expected an integer, got a string"},
        {"StopTransaction", STOP("\"NaN\""), "{}", ODD "expected an integer, got a string"},
        {"StopTransaction", STOP("true"), "{}", ODD "expected an integer, got a boolean"},
        {"StopTransaction", STOP("null"), "{}", ODD "expected an integer, got null"},
        {"StopTransaction", STOP("[1]"), "{}", ODD "expected an integer, got a list"},
    };
    check_readings(dropped, ARRAY_LEN(dropped));
#undef STOP
#undef READ
#undef ODD
}

static void test_lenient_decimals_and_truth(void **state)
{
    (void)state;
#define SCHEDULE(limit)                                                                            \
    "{\"status\":\"Accepted\",\"chargingSchedule\":{\"chargingRateUnit\":\"A\","                   \
    "\"chargingSchedulePeriod\":[{\"startPeriod\":0,\"limit\":" limit "}]}}"
#define LIMIT "/chargingSchedule/chargingSchedulePeriod/0/limit: "
#define KEY(readonly) "{\"configurationKey\":[{\"key\":\"k\",\"readonly\":" readonly "}]}"
#define READONLY "TypeConstraintViolation /configurationKey/0/readonly: expected a boolean, got "
    static const struct reading_case cases[] = {
        {"GetCompositeScheduleResponse", SCHEDULE("16"), SCHEDULE("16"), NULL},
        {"GetCompositeScheduleResponse", SCHEDULE("21.4"), SCHEDULE("21.4"), NULL},
        {"GetCompositeScheduleResponse", SCHEDULE("21.40"), SCHEDULE("21.40"), NULL},
        {"GetCompositeScheduleResponse", SCHEDULE("21.45"), SCHEDULE("21.45"),
         "PropertyConstraintViolation " LIMIT "more than one decimal place in 21.45"},
        {"GetCompositeScheduleResponse", SCHEDULE("\"16\""), SCHEDULE("16"),
         "TypeConstraintViolation " LIMIT "expected a number, got a string"},
        {"GetCompositeScheduleResponse", SCHEDULE("\" +016,50\""), SCHEDULE("16.50"),
         "TypeConstraintViolation " LIMIT "expected a number, got a string"},
        /* a period without a usable limit goes; the list may end up empty */
        {"GetCompositeScheduleResponse", SCHEDULE("\"fast\""),
         "{\"status\":\"Accepted\",\"chargingSchedule\":{\"chargingRateUnit\":\"A\","
         "\"chargingSchedulePeriod\":[]}}",
         "TypeConstraintViolation " LIMIT "expected a number, got a string"},
        {"GetConfigurationResponse", KEY("\"false\""), KEY("false"), READONLY "a string"},
        {"GetConfigurationResponse", KEY("\" TRUE \""), KEY("true"), READONLY "a string"},
        {"GetConfigurationResponse", KEY("\"1\""), KEY("true"), READONLY "a string"},
        {"GetConfigurationResponse", KEY("0"), KEY("false"), READONLY "an integer"},
        {"GetConfigurationResponse", KEY("1"), KEY("true"), READONLY "an integer"},
        {"GetConfigurationResponse", KEY("2"), "{\"configurationKey\":[{\"key\":\"k\"}]}",
         READONLY "an integer"},
        {"GetConfigurationResponse", KEY("\"yes\""), "{\"configurationKey\":[{\"key\":\"k\"}]}",
         READONLY "a string"},
    };
    check_readings(cases, ARRAY_LEN(cases));
#undef SCHEDULE
#undef LIMIT
#undef KEY
#undef READONLY
}

/* X1, X4, X7: whatever is inside, as long as it is an object. */
static void test_transactions_are_never_refused(void **state)
{
    (void)state;
    static const char *const messages[] = {"StartTransaction", "StopTransaction", "MeterValues"};
    static const char *const values[] = {"null",  "true", "-1",   "1e300", "\"\"",
                                         "\"x\"", "[]",   "[[]]", "{}",    "[{\"value\":{}}]"};
    for (size_t m = 0; m < ARRAY_LEN(messages); m++) {
        const struct field *fields = table(messages[m]);
        struct json *payload = parse("{}");
        assert_int_equal(payload_read(fields, &arena, payload, false, &report), OCPP_OK);
        assert_true(report.count > 0);
        for (size_t v = 0; v < ARRAY_LEN(values); v++) {
            payload = parse("{}");
            for (const struct field *f = fields; f->name != NULL; f++)
                json_add(&arena, payload, f->name, parse(values[v]));
            assert_int_equal(payload_read(fields, &arena, payload, false, &report), OCPP_OK);
        }
    }
}

/* The rows of R12 for payloads: lenient reading refuses what cannot be used, strict reading all. */
static void test_refusals(void **state)
{
    (void)state;
    static const struct {
        const char *message, *in;
        enum ocpp_error lenient, strict;
        const char *text; /* of the lenient refusal, or else of the strict one */
    } cases[] = {
        {"Authorize", "{}", OCPP_PROTOCOL_ERROR, OCPP_PROTOCOL_ERROR, "/idTag: missing"},
        {"Authorize", "{\"idTag\":null}", OCPP_TYPE_CONSTRAINT_VIOLATION,
         OCPP_TYPE_CONSTRAINT_VIOLATION, "/idTag: expected a string, got null"},
        {"Authorize", "{\"idTag\":{}}", OCPP_TYPE_CONSTRAINT_VIOLATION,
         OCPP_TYPE_CONSTRAINT_VIOLATION, "/idTag: expected a string, got an object"},
        {"Authorize", "{\"idTag\":7}", OCPP_OK, OCPP_TYPE_CONSTRAINT_VIOLATION,
         "/idTag: expected a string, got an integer"},
        {"Authorize", "{\"idTag\":\"123456789012345678901\"}", OCPP_OK,
         OCPP_PROPERTY_CONSTRAINT_VIOLATION, "/idTag: 21 characters, at most 20 are allowed"},
        {"Authorize", "{\"idTag\":\"A\",\"x\":1}", OCPP_OK, OCPP_FORMATION_VIOLATION,
         "/x: unknown field"},
        {"StatusNotification", "{\"connectorId\":1,\"errorCode\":\"NoError\"}", OCPP_PROTOCOL_ERROR,
         OCPP_PROTOCOL_ERROR, "/status: missing"},
        {"StatusNotification", "{\"connectorId\":1,\"errorCode\":\"NoError\",\"status\":\"\"}",
         OCPP_PROPERTY_CONSTRAINT_VIOLATION, OCPP_PROPERTY_CONSTRAINT_VIOLATION,
         "/status: unknown word \"\""},
        {"StatusNotification",
         "{\"connectorId\":\"left\",\"errorCode\":\"NoError\",\"status\":\"Available\"}",
         OCPP_TYPE_CONSTRAINT_VIOLATION, OCPP_TYPE_CONSTRAINT_VIOLATION,
         "/connectorId: expected an integer, got a string"},
        {"StatusNotification",
         "{\"connectorId\":1,\"errorCode\":\"Error\",\"status\":\"Available\"}", OCPP_OK,
         OCPP_PROPERTY_CONSTRAINT_VIOLATION, "/errorCode: unknown word \"Error\""},
        {"BootNotification", "{}", OCPP_OK, OCPP_PROTOCOL_ERROR, "/chargePointVendor: missing"},
        {"DataTransfer", "{\"data\":\"x\"}", OCPP_PROTOCOL_ERROR, OCPP_PROTOCOL_ERROR,
         "/vendorId: missing"},
        {"MeterValues", "{\"connectorId\":1,\"meterValue\":[]}", OCPP_OK,
         OCPP_OCCURRENCE_CONSTRAINT_VIOLATION, "/meterValue: 0 items, at least 1 are needed"},
        {"ResetResponse", "{}", OCPP_PROTOCOL_ERROR, OCPP_PROTOCOL_ERROR, "/status: missing"},
        {"AuthorizeResponse", "{\"idTagInfo\":{}}", OCPP_PROTOCOL_ERROR, OCPP_PROTOCOL_ERROR,
         "/idTagInfo/status: missing"},
        {"SetChargingProfile", "{\"connectorId\":1,\"csChargingProfiles\":[]}",
         OCPP_TYPE_CONSTRAINT_VIOLATION, OCPP_TYPE_CONSTRAINT_VIOLATION,
         "/csChargingProfiles: expected an object, got a list"},
        {"Heartbeat", "[]", OCPP_FORMATION_VIOLATION, OCPP_FORMATION_VIOLATION,
         "payload: expected an object, got a list"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        const struct field *fields = table(cases[i].message);
        char text[256];
        assert_int_equal(payload_read(fields, &arena, parse(cases[i].in), true, &report),
                         cases[i].strict);
        assert_true(report.refused);
        payload_report_text(&report, text, sizeof text);
        assert_string_equal(text, cases[i].text);
        assert_int_equal(payload_read(fields, &arena, parse(cases[i].in), false, &report),
                         cases[i].lenient);
        assert_int_equal(report.refused, cases[i].lenient != OCPP_OK);
        if (report.refused) {
            payload_report_text(&report, text, sizeof text);
            assert_string_equal(text, cases[i].text);
        }
    }
    assert_int_equal(payload_read(table("Heartbeat"), &arena, NULL, false, &report),
                     OCPP_FORMATION_VIOLATION);
}

/* max_items: no message of 1.6 has it, those of 2.x do. */
static void test_too_many_items(void **state)
{
    (void)state;
    static const struct field fields[] = {
        {.name = "a", .type = FIELD_INT, .list = true, .max_items = 2}, {.name = NULL}};
    assert_true(payload_check(fields, parse("{\"a\":[1,2]}"), &report));
    assert_false(payload_check(fields, parse("{\"a\":[1,2,3]}"), &report));
    assert_int_equal(report.faults[0].error, OCPP_OCCURRENCE_CONSTRAINT_VIOLATION);
    struct json *payload = parse("{\"a\":[1,2,3]}");
    assert_int_equal(payload_read(fields, &arena, payload, false, &report), OCPP_OK);
    assert_string_equal(text_of(payload), "{\"a\":[1,2,3]}");
    assert_int_equal(report.count, 1);
}

static void test_strict_reading_gives_the_same_types(void **state)
{
    (void)state;
    struct json *payload = parse("{\"transactionId\":9223372036854775807}");
    assert_int_equal(payload_read(table("RemoteStopTransaction"), &arena, payload, true, &report),
                     OCPP_OK);
    assert_int_equal(payload->child->type, JSON_INT);
    assert_true(payload->child->integer == INT64_MAX);
}

/* X11: what was received can still be told. */
static void test_raw_text_stays(void **state)
{
    (void)state;
    struct json *payload = parse("{\"meterStop\": \"12.5\"}");
    payload_read(table("StopTransaction"), &arena, payload, false, &report);
    const struct json *meter_stop = json_get(payload, "meterStop");
    assert_true(meter_stop->integer == 13);
    assert_true(span_is(meter_stop->raw, "\"12.5\""));
}

/* Dropping the first, the last and all members keeps the tree whole. */
static void test_tree_stays_whole(void **state)
{
    (void)state;
    struct json *payload = parse("{\"meterStop\":null,\"idTag\":\"A\",\"reason\":null}");
    payload_read(table("StopTransaction"), &arena, payload, false, &report);
    assert_int_equal(payload->count, 1);
    assert_ptr_equal(payload->child, payload->last);
    json_adds(&arena, payload, "reason", "Local");
    assert_string_equal(text_of(payload), "{\"idTag\":\"A\",\"reason\":\"Local\"}");
    payload = parse("{\"meterStop\":null,\"reason\":null}");
    payload_read(table("StopTransaction"), &arena, payload, false, &report);
    assert_int_equal(payload->count, 0);
    assert_null(payload->child);
    assert_null(payload->last);
}

static void test_checking(void **state)
{
    (void)state;
    const struct json *payload =
        parse("{\"conectorId\":1,\"idTag\":\"123456789012345678901\",\"chargingProfile\":"
              "{\"stackLevel\":1.0,\"chargingSchedule\":{\"chargingSchedulePeriod\":"
              "[{\"startPeriod\":0,\"limit\":1.23}]}}}");
    assert_false(payload_check(table("RemoteStartTransaction"), payload, &report));
    static const char *const faults[] = {
        "FormationViolation /conectorId: unknown field; did you mean \"connectorId\"?",
        "PropertyConstraintViolation /idTag: 21 characters, at most 20 are allowed",
        "TypeConstraintViolation /chargingProfile/stackLevel: expected an integer, got a number",
        "PropertyConstraintViolation "
        "/chargingProfile/chargingSchedule/chargingSchedulePeriod/0/limit: "
        "more than one decimal place in 1.23",
        "ProtocolError /chargingProfile/chargingSchedule/chargingRateUnit: missing",
        "ProtocolError /chargingProfile/chargingProfileId: missing",
        "ProtocolError /chargingProfile/chargingProfilePurpose: missing",
        "ProtocolError /chargingProfile/chargingProfileKind: missing",
    };
    assert_int_equal(report.count, ARRAY_LEN(faults));
    for (size_t i = 0; i < ARRAY_LEN(faults); i++)
        assert_string_equal(fault_text(&report.faults[i]), faults[i]);

    char text[24];
    payload_report_text(&report, text, sizeof text);
    assert_string_equal(text, "/conectorId: unknown fi");
    assert_true(payload_check(table("Heartbeat"), parse("{}"), &report));
    payload_report_text(&report, text, sizeof text);
    assert_string_equal(text, "");
    assert_false(payload_check(table("Heartbeat"), NULL, &report));
    assert_false(payload_check(table("Heartbeat"), parse("7"), &report));
}

static void test_uris(void **state)
{
    (void)state;
    static const char *const good[] = {"ftp://user:pw@host/dir", "https://h/%20?a=b#c", "urn:x:y"};
    static const char *const bad[] = {
        "", "host/dir", "://h", "1http://h", "http://a b", "ht tp://h", "http://h/\xC3\xA9"};
    for (size_t i = 0; i < ARRAY_LEN(good) + ARRAY_LEN(bad); i++) {
        bool valid = i < ARRAY_LEN(good);
        struct json *payload = json_new(&arena, JSON_OBJECT);
        json_adds(&arena, payload, "location", valid ? good[i] : bad[i - ARRAY_LEN(good)]);
        assert_int_equal(payload_check(table("GetDiagnostics"), payload, &report), valid);
    }
    /* W4: locations hold credentials; they are not quoted. */
    payload_check(table("GetDiagnostics"), parse("{\"location\":\"u:secret@h\\\\\"}"), &report);
    assert_null(strstr(report.faults[0].message, "secret"));
}

/* Many faults: counted, the first ones kept, and the reason of a refusal not lost. */
static void test_report_overflow(void **state)
{
    (void)state;
    struct json *payload = parse("{}");
    for (int i = 0; i < 100; i++)
        json_addi(&arena, payload, arena_printf(&arena, "x~/%d", i), i);
    assert_int_equal(payload_read(table("Authorize"), &arena, payload, false, &report),
                     OCPP_PROTOCOL_ERROR);
    assert_int_equal(report.count, 101);
    assert_string_equal(report.faults[0].pointer, "/x~0~10");
    assert_string_equal(report.faults[PAYLOAD_FAULTS_MAX - 1].pointer, "/idTag");
    char text[64];
    payload_report_text(&report, text, sizeof text);
    assert_string_equal(text, "/idTag: missing");

    json_adds(&arena, payload, "idTag", "A");
    assert_int_equal(payload_read(table("Authorize"), &arena, payload, false, &report), OCPP_OK);
    assert_string_equal(report.faults[PAYLOAD_FAULTS_MAX - 1].pointer, "/x~0~115");
}

/* Long names and words are cut, at whole characters. */
static void test_report_cuts(void **state)
{
    (void)state;
    struct strbuf name = {0};
    strbuf_adds(&name, "x");
    for (int i = 0; i < 200; i++)
        strbuf_adds(&name, "\xC3\xA9");
    struct json *payload = parse("{}");
    json_addi(&arena, payload, strbuf_text(&name), 1);
    json_adds(&arena, payload, "type", strbuf_text(&name));
    assert_false(payload_check(table("Reset"), payload, &report));
    for (uint32_t i = 0; i < report.count; i++) {
        struct payload_fault *fault = &report.faults[i];
        assert_true(utf8_valid(fault->pointer, strlen(fault->pointer)));
        assert_true(utf8_valid(fault->message, strlen(fault->message)));
    }
    strbuf_clear(&name);
}

static void test_numbers(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        enum number_reading reading;
        int64_t value;
        const char *json; /* NULL: none */
        bool tenths;
    } cases[] = {
        {"0", NUMBER_EXACT, 0, "0", true},
        {"-0", NUMBER_EXACT, 0, "-0", true},
        {"000", NUMBER_EXACT, 0, "0", true},
        {"007.10", NUMBER_ROUNDED, 7, "7.10", true},
        {"5.", NUMBER_EXACT, 5, "5", true},
        {".5", NUMBER_NONE, 0, NULL, false},
        {"", NUMBER_NONE, 0, NULL, false},
        {"+", NUMBER_NONE, 0, NULL, false},
        {"--1", NUMBER_NONE, 0, NULL, false},
        {"1.2.3", NUMBER_NONE, 0, NULL, false},
        {"1e", NUMBER_NONE, 0, NULL, false},
        {"1e+", NUMBER_NONE, 0, NULL, false},
        {"1e401", NUMBER_NONE, 0, NULL, false},
        {"1e18", NUMBER_EXACT, 1000000000000000000, "1000000000000000000", true},
        {"1E+2", NUMBER_EXACT, 100, "100", true},
        {"125e-1", NUMBER_ROUNDED, 13, "12.5", true},
        {"125e-2", NUMBER_ROUNDED, 1, "1.25", false},
        {"1e-3", NUMBER_ROUNDED, 0, "0.001", false},
        {"0.5", NUMBER_ROUNDED, 1, "0.5", true},
        {"-1.5", NUMBER_ROUNDED, -1, "-1.5", true},
        {"-1.5000001", NUMBER_ROUNDED, -2, "-1.5000001", false},
        {"9223372036854775807", NUMBER_EXACT, INT64_MAX, "9223372036854775807", true},
        {"9223372036854775807.5", NUMBER_TOO_LARGE, 0, "9223372036854775807.5", true},
        {"9223372036854775808", NUMBER_TOO_LARGE, 0, "9223372036854775808", true},
        {"-9223372036854775808", NUMBER_EXACT, INT64_MIN, "-9223372036854775808", true},
        {"-9223372036854775809", NUMBER_TOO_LARGE, 0, "-9223372036854775809", true},
        {"1e300", NUMBER_TOO_LARGE, 0, NULL, true},
        {"12345678901234567890123456789012345678901234567890123456789012345", NUMBER_NONE, 0, NULL,
         false},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        int64_t value = 0;
        struct span json;
        struct span text = span_of(cases[i].text);
        assert_int_equal(number_to_int(text, &value), cases[i].reading);
        assert_true(value == cases[i].value);
        bool readable = number_to_json(&arena, text, &json);
        assert_int_equal(readable, cases[i].reading != NUMBER_NONE);
        assert_true(!readable || json_is_number(json));
        if (cases[i].json != NULL)
            assert_string_equal(json.at, cases[i].json);
        assert_int_equal(number_is_tenths(text), cases[i].tenths);
    }
}

#define TEST(function) cmocka_unit_test_teardown(function, clear_arena)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_valid_payloads_stay),
        TEST(test_lenient_shapes),
        TEST(test_lenient_text),
        TEST(test_lenient_numbers),
        TEST(test_lenient_decimals_and_truth),
        TEST(test_transactions_are_never_refused),
        TEST(test_refusals),
        TEST(test_too_many_items),
        TEST(test_strict_reading_gives_the_same_types),
        TEST(test_raw_text_stays),
        TEST(test_tree_stays_whole),
        TEST(test_checking),
        TEST(test_uris),
        TEST(test_report_overflow),
        TEST(test_report_cuts),
        TEST(test_numbers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
