/* Any text as a frame of each version, and its payload against the tables: nothing may crash, and
 * the promises of frame.h and payload.h hold for whatever comes out.
 *
 * For libFuzzer (clang -fsanitize=fuzzer,address,undefined); seeds are frames, e.g. of captures. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "ocpp/frame.h"
#include "ocpp/payload.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct version version_201 = {
    .id = VERSION_201, .name = "2.0.1", .answers_unreadable = true};
static const struct version version_21 = {
    .id = VERSION_21, .name = "2.1", .answers_unreadable = true, .call_result_error = true};

static void demand(bool promise)
{
    if (!promise)
        abort();
}

static void check_object(const struct field *fields, const struct json *object);

static void check_value(const struct field *field, const struct json *value)
{
    switch (field->type) {
    case FIELD_INT:
        demand(value->type == JSON_INT);
        break;
    case FIELD_DECIMAL:
        demand(value->type == JSON_INT || value->type == JSON_NUMBER);
        break;
    case FIELD_BOOL:
        demand(value->type == JSON_BOOL);
        break;
    case FIELD_OBJECT:
        demand(value->type == JSON_OBJECT);
        check_object(field->fields, value);
        break;
    default:
        demand(value->type == JSON_STRING && strlen(value->text.at) == value->text.len);
    }
}

static void check_object(const struct field *fields, const struct json *object)
{
    for (const struct field *f = fields; f->name != NULL; f++) {
        const struct json *value = json_get(object, f->name);
        demand(value != NULL || !f->needed);
        if (value == NULL || !f->list) {
            if (value != NULL)
                check_value(f, value);
            continue;
        }
        demand(value->type == JSON_ARRAY);
        for (const struct json *item = value->child; item != NULL; item = item->next)
            check_value(f, item);
    }
}

/* Written and read again, a repaired payload is as it was. */
static void check_repeat(const struct field *fields, struct arena *arena,
                         const struct json *payload)
{
    struct payload_report report;
    struct strbuf text = {0};
    json_write(&text, payload);
    struct json *again = json_parse(arena, text.at, text.len, NULL, NULL);
    demand(again != NULL);
    demand(payload_read(fields, arena, again, false, &report) == OCPP_OK);
    demand(json_equal(again, payload));
    strbuf_clear(&text);
}

static void read_payload(const struct action *action, struct arena *arena, struct json *payload)
{
    const struct field *fields = action->request;
    struct payload_report report;
    char text[64];
    bool valid = payload_check(fields, payload, &report);
    demand(valid == (report.count == 0));
    demand((payload_read(fields, arena, json_copy(arena, payload), true, &report) == OCPP_OK) ==
           valid);
    enum ocpp_error error = payload_read(fields, arena, payload, false, &report);
    demand(error == OCPP_OK || (!valid && !action->transactional));
    payload_report_text(&report, text, sizeof text);
    demand(utf8_valid(text, strlen(text)));
    if (error == OCPP_OK) {
        check_object(fields, payload);
        check_repeat(fields, arena, payload);
    }
}

static void read_frame(const struct version *version, const char *text, size_t size)
{
    struct arena arena = {0};
    struct frame frame;
    frame_parse(&frame, &arena, version, text, size);
    if (frame.kind == FRAME_BAD) {
        struct strbuf answer = {0};
        demand(frame.answer == OCPP_OK || frame.id != NULL);
        frame_write_error(&answer, version, frame.id, frame.answer, frame.why.text);
        demand(json_parse(&arena, answer.at, answer.len, NULL, NULL) != NULL);
        strbuf_clear(&answer);
    } else if (frame.kind == FRAME_CALL || frame.kind == FRAME_SEND || frame.kind == FRAME_RESULT) {
        demand(frame.id != NULL && frame.payload->type == JSON_OBJECT);
    }
    if (frame.kind == FRAME_CALL) {
        const struct action *action = version_action(&version_16, span_of(frame.action));
        if (action != NULL)
            read_payload(action, &arena, frame.payload);
    }
    arena_clear(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *text = (const char *)data;
    read_frame(&version_16, text, size);
    read_frame(&version_201, text, size);
    read_frame(&version_21, text, size);
    return 0;
}
