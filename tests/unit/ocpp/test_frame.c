/* Frames: the left column of rule R12 for 1.6 and 2.x, R1, R5, R6, R9, recovery, and the writers.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "ocpp/frame.h"
#include "ocpp/payload.h"

static const struct version version_201 = {
    .id = VERSION_201, .name = "2.0.1", .answers_unreadable = true};
static const struct version version_21 = {
    .id = VERSION_21, .name = "2.1", .answers_unreadable = true, .call_result_error = true};

static struct arena arena;

static int clear_arena(void **state)
{
    (void)state;
    arena_clear(&arena);
    return 0;
}

static struct frame parse(const struct version *version, const char *text)
{
    struct frame frame;
    memset(&frame, 0xA5, sizeof frame);
    frame_parse(&frame, &arena, version, text, strlen(text));
    return frame;
}

static const char *payload_text(const struct frame *frame)
{
    struct strbuf out = {0};
    json_write(&out, frame->payload);
    const char *text = arena_strdup(&arena, strbuf_text(&out));
    strbuf_clear(&out);
    return text;
}

/* Equal, or both NULL. */
static void assert_text(const char *found, const char *wanted)
{
    if (wanted == NULL)
        assert_null(found);
    else
        assert_string_equal(found, wanted);
}

static void test_calls(void **state)
{
    (void)state;
    static const struct {
        const char *text, *id, *action, *payload;
    } cases[] = {
        {"[2,\"1\",\"Authorize\",{\"idTag\":\"A\"}]", "1", "Authorize", "{\"idTag\":\"A\"}"},
        {" [ 2 , \"1\" , \"Heartbeat\" , { } ]\r\n", "1", "Heartbeat", "{}"},
        {"[2,\"1\",\"Heartbeat\",null]", "1", "Heartbeat", "{}"}, /* R6 */
        {"[2,\"1\",\"Heartbeat\"]", "1", "Heartbeat", "{}"},
        {"[2,\"1\",\"Heartbeat\",{},7]", "1", "Heartbeat", "{}"},
        {"[2.0,\"a\\u00e9\\\"\",\"\",{}]", "a\xC3\xA9\"", "", "{}"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct frame frame = parse(&version_16, cases[i].text);
        assert_int_equal(frame.kind, FRAME_CALL);
        assert_string_equal(frame.id, cases[i].id);
        assert_string_equal(frame.action, cases[i].action);
        assert_string_equal(payload_text(&frame), cases[i].payload);
        assert_int_equal(frame.answer, OCPP_OK);
    }
}

static void test_results_and_errors(void **state)
{
    (void)state;
    struct frame frame = parse(&version_16, "[3,\"7\",{\"status\":\"Accepted\"}]");
    assert_int_equal(frame.kind, FRAME_RESULT);
    assert_string_equal(frame.id, "7");
    assert_string_equal(payload_text(&frame), "{\"status\":\"Accepted\"}");
    frame = parse(&version_16, "[3,\"7\",null]");
    assert_string_equal(payload_text(&frame), "{}");
    frame = parse(&version_16, "[3,\"7\"]");
    assert_string_equal(payload_text(&frame), "{}");

    /* R9: three to five elements, any details, any code. */
    frame = parse(&version_16, "[4,\"7\",\"NotSupported\",\"no\",{\"a\":1}]");
    assert_int_equal(frame.kind, FRAME_ERROR);
    assert_string_equal(frame.error_code, "NotSupported");
    assert_string_equal(frame.description, "no");
    assert_int_equal(frame.details->type, JSON_OBJECT);
    frame = parse(&version_16, "[4,\"7\",\"Whatever\",\"\",\"text\"]");
    assert_string_equal(frame.error_code, "Whatever");
    assert_int_equal(frame.details->type, JSON_STRING);
    frame = parse(&version_16, "[4,\"7\",\"GenericError\"]");
    assert_string_equal(frame.description, "");
    assert_null(frame.details);
    frame = parse(&version_16, "[4,\"7\",null,null]");
    assert_int_equal(frame.kind, FRAME_ERROR);
    assert_string_equal(frame.error_code, "");
}

/* R12, the rows that concern frames: id and code to answer with under each version, OCPP_OK for
 * no answer. */
static const struct refusal {
    const char *text;
    const char *id_16;
    enum ocpp_error code_16;
    const char *id_2x;
    enum ocpp_error code_2x;
    const char *action;
} refusals[] = {
    /* not JSON, not an array, empty array */
    {"hello", NULL, OCPP_OK, "-1", OCPP_RPC_FRAMEWORK_ERROR, NULL},
    {"\xFF\xFE", NULL, OCPP_OK, "-1", OCPP_RPC_FRAMEWORK_ERROR, NULL},
    {"{\"id\":1}", NULL, OCPP_OK, "-1", OCPP_RPC_FRAMEWORK_ERROR, NULL},
    {"\"[2]\"", NULL, OCPP_OK, "-1", OCPP_RPC_FRAMEWORK_ERROR, NULL},
    {"null", NULL, OCPP_OK, "-1", OCPP_RPC_FRAMEWORK_ERROR, NULL},
    {"[]", NULL, OCPP_OK, "-1", OCPP_RPC_FRAMEWORK_ERROR, NULL},
    {"[,{", NULL, OCPP_OK, "-1", OCPP_RPC_FRAMEWORK_ERROR, NULL},
    {"[", NULL, OCPP_OK, "-1", OCPP_RPC_FRAMEWORK_ERROR, NULL},
    {"[2", NULL, OCPP_OK, "-1", OCPP_RPC_FRAMEWORK_ERROR, NULL},
    {"[2,\"1", NULL, OCPP_OK, "-1", OCPP_RPC_FRAMEWORK_ERROR, NULL},
    {"[2,\"1\\", NULL, OCPP_OK, "-1", OCPP_RPC_FRAMEWORK_ERROR, NULL},
    {"[2,\"\\q\",\"Heartbeat\",{", NULL, OCPP_OK, "-1", OCPP_RPC_FRAMEWORK_ERROR, NULL},
    {"[2,\"\",\"Heartbeat\",{", NULL, OCPP_OK, "-1", OCPP_RPC_FRAMEWORK_ERROR, NULL},
    /* broken JSON behind a readable start */
    {"[2,\"1\",\"StopTransaction\",{\"transactionId\":,\"meterStop\":1}]", "1",
     OCPP_FORMATION_VIOLATION, "1", OCPP_FORMATION_VIOLATION, "StopTransaction"},
    {" [ 2 ,\t\"1\" , \"Reset\" , {\"a", "1", OCPP_FORMATION_VIOLATION, "1",
     OCPP_FORMATION_VIOLATION, "Reset"},
    {"[2,\"1\",\"Reset\"", "1", OCPP_FORMATION_VIOLATION, "1", OCPP_FORMATION_VIOLATION, "Reset"},
    {"[2,\"1\",\"Re", "1", OCPP_FORMATION_VIOLATION, "1", OCPP_FORMATION_VIOLATION, NULL},
    {"[2,\"1\",", "1", OCPP_FORMATION_VIOLATION, "1", OCPP_FORMATION_VIOLATION, NULL},
    {"[2,\"a\\\"b\",\"Reset\",{}]]", "a\"b", OCPP_FORMATION_VIOLATION, "a\"b",
     OCPP_FORMATION_VIOLATION, "Reset"},
    {"[2,\"1\",\"Reset\",{\"a\":\"\xFF\"}]", "1", OCPP_FORMATION_VIOLATION, "1",
     OCPP_FORMATION_VIOLATION, "Reset"},
    {"[2,\"1\",\"Reset\",{\"a\":1,\"a\":2}]", "1", OCPP_FORMATION_VIOLATION, "1",
     OCPP_FORMATION_VIOLATION, "Reset"},
    /* message type not a number */
    {"[\"2\",\"1\",\"Reset\",{}]", "1", OCPP_OK, "1", OCPP_RPC_FRAMEWORK_ERROR, NULL},
    {"[null,5]", NULL, OCPP_OK, "-1", OCPP_RPC_FRAMEWORK_ERROR, NULL},
    {"[2.5,\"1\",\"Reset\",{}]", "1", OCPP_OK, "1", OCPP_RPC_FRAMEWORK_ERROR, NULL},
    /* CALL without a usable id */
    {"[2]", NULL, OCPP_OK, "-1", OCPP_RPC_FRAMEWORK_ERROR, NULL},
    {"[2,\"\",\"Reset\",{}]", NULL, OCPP_OK, "-1", OCPP_RPC_FRAMEWORK_ERROR, "Reset"},
    {"[2,17,\"Reset\",{}]", NULL, OCPP_OK, "-1", OCPP_RPC_FRAMEWORK_ERROR, "Reset"},
    {"[2,null,\"Reset\",{}]", NULL, OCPP_OK, "-1", OCPP_RPC_FRAMEWORK_ERROR, "Reset"},
    /* action not a string */
    {"[2,\"1\"]", "1", OCPP_FORMATION_VIOLATION, "1", OCPP_RPC_FRAMEWORK_ERROR, NULL},
    {"[2,\"1\",{}]", "1", OCPP_FORMATION_VIOLATION, "1", OCPP_RPC_FRAMEWORK_ERROR, NULL},
    {"[2,\"1\",7,{}]", "1", OCPP_FORMATION_VIOLATION, "1", OCPP_RPC_FRAMEWORK_ERROR, NULL},
    /* payload not an object */
    {"[2,\"1\",\"Reset\",[]]", "1", OCPP_FORMATION_VIOLATION, "1", OCPP_FORMATION_VIOLATION,
     "Reset"},
    {"[2,\"1\",\"Reset\",\"x\"]", "1", OCPP_FORMATION_VIOLATION, "1", OCPP_FORMATION_VIOLATION,
     "Reset"},
    {"[2,\"1\",\"Reset\",0]", "1", OCPP_FORMATION_VIOLATION, "1", OCPP_FORMATION_VIOLATION,
     "Reset"},
    {"[2,\"1\",\"Reset\",false]", "1", OCPP_FORMATION_VIOLATION, "1", OCPP_FORMATION_VIOLATION,
     "Reset"},
    /* R5: no answer to an answer */
    {"[3]", NULL, OCPP_OK, NULL, OCPP_OK, NULL},
    {"[3,5,{}]", NULL, OCPP_OK, NULL, OCPP_OK, NULL},
    {"[4]", NULL, OCPP_OK, NULL, OCPP_OK, NULL},
    {"[4,\"\",\"GenericError\"]", NULL, OCPP_OK, NULL, OCPP_OK, NULL},
    {"[3,\"1", NULL, OCPP_OK, NULL, OCPP_OK, NULL},
    {"[4,1,{", NULL, OCPP_OK, NULL, OCPP_OK, NULL},
};

static void check_refusal(const struct refusal *r, const struct version *version, const char *id,
                          enum ocpp_error code)
{
    struct frame frame = parse(version, r->text);
    assert_int_equal(frame.kind, FRAME_BAD);
    assert_int_equal(frame.answer, code);
    assert_text(frame.id, id);
    assert_text(frame.action, r->action);
    assert_true(frame.why.text[0] != '\0');
}

static void test_refusals(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(refusals); i++) {
        const struct refusal *r = &refusals[i];
        check_refusal(r, &version_16, r->id_16, r->code_16);
        check_refusal(r, &version_201, r->id_2x, r->code_2x);
        check_refusal(r, &version_21, r->id_2x, r->code_2x);
    }
}

/* Q14: a broken answer ends its command, at once and with a reason. */
static void test_unreadable_answers(void **state)
{
    (void)state;
    static const struct {
        const char *text, *code;
    } cases[] = {
        {"[3,\"1\",{\"configurationKey\":[{\"key\":\"a\"", "FormationViolation"},
        {"[3,\"1\",", "FormationViolation"},
        {"[3,\"1\",[]]", "FormationViolation"},
        {"[3,\"1\",\"Accepted\"]", "FormationViolation"},
        {"[4,\"1\",\"NotSupported\",\"a\nb\",{}]", "NotSupported"},
        {"[4,\"1\"", "FormationViolation"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct frame frame = parse(&version_16, cases[i].text);
        assert_int_equal(frame.kind, FRAME_ERROR);
        assert_string_equal(frame.id, "1");
        assert_string_equal(frame.error_code, cases[i].code);
        assert_true(frame.description[0] != '\0');
        assert_null(frame.payload);
    }
    assert_string_equal(parse(&version_201, "[3,\"1\",[]]").error_code, "FormatViolation");
}

static void test_unknown_message_types(void **state)
{
    (void)state;
    static const char *const texts[] = {"[1,\"1\",\"a\",{}]", "[0]", "[7,\"1\"]", "[-2,\"1\"]",
                                        "[4294967298,\"1\",\"Reset\",{}]"};
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        assert_int_equal(parse(&version_16, texts[i]).kind, FRAME_IGNORED);
        assert_int_equal(parse(&version_21, texts[i]).kind, FRAME_IGNORED);
        struct frame frame = parse(&version_201, texts[i]);
        assert_int_equal(frame.kind, FRAME_BAD);
        assert_int_equal(frame.answer,
                         i == 1 ? OCPP_RPC_FRAMEWORK_ERROR : OCPP_MESSAGE_TYPE_NOT_SUPPORTED);
        assert_string_equal(frame.id, i == 1 ? "-1" : "1");
    }
}

/* Y1: types 5 and 6 exist in 2.1 only, and no fault of theirs is answered. */
static void test_types_of_21(void **state)
{
    (void)state;
    const char *send = "[6,\"1\",\"NotifyPeriodicEventStream\",{\"id\":1}]";
    const char *result_error = "[5,\"1\",\"FormatViolation\",\"bad\",{}]";
    struct frame frame = parse(&version_21, send);
    assert_int_equal(frame.kind, FRAME_SEND);
    assert_string_equal(frame.action, "NotifyPeriodicEventStream");
    assert_string_equal(payload_text(&frame), "{\"id\":1}");
    frame = parse(&version_21, result_error);
    assert_int_equal(frame.kind, FRAME_RESULT_ERROR);
    assert_string_equal(frame.error_code, "FormatViolation");

    assert_int_equal(parse(&version_16, send).kind, FRAME_IGNORED);
    assert_int_equal(parse(&version_16, result_error).kind, FRAME_IGNORED);
    assert_int_equal(parse(&version_201, send).answer, OCPP_MESSAGE_TYPE_NOT_SUPPORTED);

    static const char *const broken[] = {
        "[6,\"1\",\"A\",{", "[6,\"1\",7,{}]", "[6]", "[6,\"1\",\"A\",[]]", "[5]", "[5,\"1\",{"};
    for (size_t i = 0; i < ARRAY_LEN(broken); i++) {
        frame = parse(&version_21, broken[i]);
        assert_int_equal(frame.kind, FRAME_BAD);
        assert_int_equal(frame.answer, OCPP_OK);
    }
}

static void test_empty_text(void **state)
{
    (void)state;
    assert_int_equal(parse(&version_16, "").kind, FRAME_EMPTY);
    assert_int_equal(parse(&version_201, " \r\n\t").kind, FRAME_EMPTY);
}

/* R1: up to 255 bytes. */
static void test_long_ids(void **state)
{
    (void)state;
    char text[400];
    char id[FRAME_ID_MAX + 2];
    memset(id, 'x', sizeof id);
    id[FRAME_ID_MAX] = '\0';
    snprintf(text, sizeof text, "[2,\"%s\",\"Reset\",{}]", id);
    struct frame frame = parse(&version_16, text);
    assert_int_equal(frame.kind, FRAME_CALL);
    assert_string_equal(frame.id, id);
    snprintf(text, sizeof text, "[2,\"%sx\",\"Reset\",{}]", id);
    frame = parse(&version_16, text);
    assert_int_equal(frame.kind, FRAME_BAD);
    assert_null(frame.id);
    snprintf(text, sizeof text, "[2,\"%sx\",\"Reset\",{", id);
    assert_null(parse(&version_16, text).id);
    snprintf(text, sizeof text, "[2,\"%s\",\"Reset\",{", id);
    assert_string_equal(parse(&version_16, text).id, id);
}

/* A CALL cut after any byte: never a CALL, and never without its id once that can be read. */
static void test_cut_anywhere(void **state)
{
    (void)state;
    const char *whole = "[2,\"c37e\",\"StatusNotification\",{\"connectorId\":1,\"info\":\"a\\n\"}]";
    char cut[128];
    for (size_t len = 1; len < strlen(whole); len++) {
        memcpy(cut, whole, len);
        cut[len] = '\0';
        struct frame frame = parse(&version_16, cut);
        assert_int_equal(frame.kind, FRAME_BAD);
        bool id_readable = len >= strlen("[2,\"c37e\"");
        assert_text(frame.id, id_readable ? "c37e" : NULL);
        assert_int_equal(frame.answer, id_readable ? OCPP_FORMATION_VIOLATION : OCPP_OK);
        bool action_readable = len >= strlen("[2,\"c37e\",\"StatusNotification\"");
        assert_text(frame.action, action_readable ? "StatusNotification" : NULL);
    }
}

/* L3: the depth of the payload is bounded. */
static void test_deep_nesting(void **state)
{
    (void)state;
    struct strbuf text = {0};
    strbuf_adds(&text, "[2,\"1\",\"DataTransfer\",");
    for (int i = 0; i < 500; i++)
        strbuf_adds(&text, "{\"a\":");
    struct frame frame = parse(&version_16, strbuf_text(&text));
    assert_int_equal(frame.answer, OCPP_FORMATION_VIOLATION);
    assert_string_equal(frame.id, "1");
    strbuf_clear(&text);
}

static void test_writers(void **state)
{
    (void)state;
    struct strbuf out = {0};
    frame_write_call(&out, "id\"1", "Reset", SPAN("{\"type\":\"Soft\"}"));
    assert_string_equal(strbuf_text(&out), "[2,\"id\\\"1\",\"Reset\",{\"type\":\"Soft\"}]");
    strbuf_reset(&out);
    frame_write_call(&out, "1", "ClearCache", (struct span){0});
    assert_string_equal(strbuf_text(&out), "[2,\"1\",\"ClearCache\",{}]");
    strbuf_reset(&out);
    frame_write_result(&out, "1", (struct span){0}); /* R6 */
    assert_string_equal(strbuf_text(&out), "[3,\"1\",{}]");
    strbuf_reset(&out);
    frame_write_result(&out, "1", SPAN("{\"interval\":300}"));
    assert_string_equal(strbuf_text(&out), "[3,\"1\",{\"interval\":300}]");
    strbuf_reset(&out);
    frame_write_error(&out, &version_16, "1", OCPP_FORMATION_VIOLATION, "a \"b\"\n");
    assert_string_equal(strbuf_text(&out),
                        "[4,\"1\",\"FormationViolation\",\"a \\\"b\\\"\\n\",{}]");
    strbuf_reset(&out);
    frame_write_error(&out, &version_201, NULL, OCPP_RPC_FRAMEWORK_ERROR, NULL);
    assert_string_equal(strbuf_text(&out), "[4,\"-1\",\"RpcFrameworkError\",\"\",{}]");
    strbuf_clear(&out);
}

/* R9: up to 255 characters, not bytes, and nothing that is not JSON. */
static void test_long_descriptions(void **state)
{
    (void)state;
    struct strbuf long_text = {0};
    struct strbuf out = {0};
    for (int i = 0; i < 300; i++)
        strbuf_adds(&long_text, "\xC3\xA9");
    frame_write_error(&out, &version_16, "1", OCPP_GENERIC_ERROR, strbuf_text(&long_text));
    struct json *frame = json_parse(&arena, out.at, out.len, NULL, NULL);
    assert_non_null(frame);
    assert_int_equal(frame->count, 5);
    assert_int_equal(frame->child->next->next->next->text.len, 2 * 255);
    strbuf_reset(&out);
    frame_write_error(&out, &version_16, "1", OCPP_GENERIC_ERROR, "bad \xFF");
    assert_string_equal(strbuf_text(&out), "[4,\"1\",\"GenericError\",\"\",{}]");
    strbuf_clear(&out);
    strbuf_clear(&long_text);
}

static bool read_captured(const char *text)
{
    struct payload_report report;
    struct frame frame = parse(&version_16, text);
    assert_in_range(frame.kind, FRAME_CALL, FRAME_ERROR);
    if (frame.kind != FRAME_CALL)
        return false;
    const struct action *action = version_action(&version_16, span_of(frame.action));
    assert_non_null(action);
    assert_int_equal(payload_read(action->request, &arena, frame.payload, false, &report), OCPP_OK);
    return true;
}

/* Every CALL of the captured charger can be read, and lenient reading refuses none. */
static void test_capture(void **state)
{
    (void)state;
    FILE *file = fopen(SHARED_DIR "/captures/gresgying-1.jsonl", "r");
    if (file == NULL) {
        print_message("skipped: no captures next to the checkout\n");
        skip();
    }
    char *line = NULL;
    size_t room = 0;
    size_t calls = 0;
    ssize_t len;
    while ((len = getline(&line, &room, file)) > 0) {
        struct json *entry = json_parse(&arena, line, (size_t)len, NULL, NULL);
        assert_non_null(entry);
        const char *text = json_gets(entry, "frame");
        if (text != NULL && span_is(json_get(entry, "direction")->text, "CP>CS"))
            calls += read_captured(text);
        arena_clear(&arena);
    }
    free(line);
    fclose(file);
    assert_int_equal(calls, 524);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(test_calls, clear_arena),
        cmocka_unit_test_teardown(test_results_and_errors, clear_arena),
        cmocka_unit_test_teardown(test_refusals, clear_arena),
        cmocka_unit_test_teardown(test_unreadable_answers, clear_arena),
        cmocka_unit_test_teardown(test_unknown_message_types, clear_arena),
        cmocka_unit_test_teardown(test_types_of_21, clear_arena),
        cmocka_unit_test_teardown(test_empty_text, clear_arena),
        cmocka_unit_test_teardown(test_long_ids, clear_arena),
        cmocka_unit_test_teardown(test_cut_anywhere, clear_arena),
        cmocka_unit_test_teardown(test_deep_nesting, clear_arena),
        cmocka_unit_test_teardown(test_writers, clear_arena),
        cmocka_unit_test_teardown(test_long_descriptions, clear_arena),
        cmocka_unit_test_teardown(test_capture, clear_arena),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
