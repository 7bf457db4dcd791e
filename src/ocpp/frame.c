/* OCPP-J frames: reading what may be broken, writing what must not be.
 *
 * The left half of rule R12 (up to the payload's type) is decided here; payload.c has the rest.
 * What 1.6 and 2.x answer differently follows from the struct version alone. Whatever arrives, the
 * parser fills the frame and returns: nothing here may lose a charger's message id that can still
 * be read. Start at frame_parse(). */
#include "ocpp/frame.h"

#include <string.h>

#include "base/mem.h"

enum { DESCRIPTION_MAX = 255 };

static const char unknown_id[] = "-1"; /* 2.x: an answer to what has no readable id */

/* One element of the frame array, or the end. */
static struct json *take_element(struct json **at)
{
    struct json *element = *at;
    if (element != NULL)
        *at = element->next;
    return element;
}

/* Rule R1; NULL when it cannot serve as one. */
static const char *usable_id(const struct json *element)
{
    const char *id = json_text(element);
    return id != NULL && element->text.len > 0 && element->text.len <= FRAME_ID_MAX ? id : NULL;
}

/* Unreadable. `error` goes out under the frame's id; in 2.x also without one. */
static void frame_refuse(struct frame *frame, const struct version *version, enum ocpp_error error,
                         const char *what)
{
    frame->kind = FRAME_BAD;
    frame->answer = error;
    if (frame->id == NULL) {
        frame->answer = version->answers_unreadable ? OCPP_RPC_FRAMEWORK_ERROR : OCPP_OK;
        frame->id = version->answers_unreadable ? unknown_id : NULL;
    }
    if (what != NULL)
        reason_set(&frame->why, "%s", what);
}

/* R5: what arrived as an answer, or wants none, gets none, not even an error. */
static void frame_drop(struct frame *frame, const char *what)
{
    frame->kind = FRAME_BAD;
    frame->answer = OCPP_OK;
    if (what != NULL)
        reason_set(&frame->why, "%s", what);
}

/* An answer that cannot be read still ends its command, and only that (Q14). */
static void frame_fail_result(struct frame *frame, struct arena *arena,
                              const struct version *version)
{
    frame->kind = FRAME_ERROR;
    frame->payload = NULL;
    frame->error_code = ocpp_error_text(version, OCPP_FORMATION_VIOLATION);
    frame->description = arena_strdup(arena, frame->why.text);
}

/* R6: null or missing means {}. NULL when it is something else. */
static struct json *payload_object(struct arena *arena, struct json *element)
{
    if (element == NULL || element->type == JSON_NULL)
        return json_new(arena, JSON_OBJECT);
    return element->type == JSON_OBJECT ? element : NULL;
}

static void read_call(struct frame *frame, struct arena *arena, const struct version *version,
                      struct json *rest)
{
    /* An error in the outer array is FormationViolation in 1.6, RpcFrameworkError in 2.x. */
    enum ocpp_error outer =
        version->id == VERSION_16 ? OCPP_FORMATION_VIOLATION : OCPP_RPC_FRAMEWORK_ERROR;
    frame->kind = FRAME_CALL;
    frame->id = usable_id(take_element(&rest));
    frame->action = json_text(take_element(&rest));
    if (frame->id == NULL) {
        frame_refuse(frame, version, outer, "CALL without a usable message id");
        return;
    }
    if (frame->action == NULL) {
        frame_refuse(frame, version, outer, "the action is not a string");
        return;
    }
    struct json *payload = take_element(&rest);
    frame->payload = payload_object(arena, payload);
    if (frame->payload == NULL) {
        reason_set(&frame->why, "the payload is %s, not an object", json_type_name(payload->type));
        frame_refuse(frame, version, OCPP_FORMATION_VIOLATION, NULL);
    }
}

/* Y1: no answer, whatever is wrong with it. */
static void read_send(struct frame *frame, struct arena *arena, struct json *rest)
{
    frame->kind = FRAME_SEND;
    frame->id = usable_id(take_element(&rest));
    frame->action = json_text(take_element(&rest));
    frame->payload = payload_object(arena, take_element(&rest));
    if (frame->id == NULL || frame->action == NULL || frame->payload == NULL)
        frame_drop(frame, "SEND without a message id, an action or an object");
}

static void read_result(struct frame *frame, struct arena *arena, const struct version *version,
                        struct json *rest)
{
    frame->kind = FRAME_RESULT;
    frame->id = usable_id(take_element(&rest));
    if (frame->id == NULL) {
        frame_drop(frame, "CALLRESULT without a usable message id");
        return;
    }
    struct json *payload = take_element(&rest);
    frame->payload = payload_object(arena, payload);
    if (frame->payload == NULL) {
        reason_set(&frame->why, "the answer is %s, not an object", json_type_name(payload->type));
        frame_fail_result(frame, arena, version);
    }
}

/* R9: three to five elements, any details, any code. */
static void read_error(struct frame *frame, enum frame_kind kind, struct json *rest)
{
    frame->kind = kind;
    frame->id = usable_id(take_element(&rest));
    const char *code = json_text(take_element(&rest));
    const char *description = json_text(take_element(&rest));
    frame->error_code = code != NULL ? code : "";
    frame->description = description != NULL ? description : "";
    frame->details = take_element(&rest);
    if (frame->id == NULL)
        frame_drop(frame, "CALLERROR without a usable message id");
}

static void read_array(struct frame *frame, struct arena *arena, const struct version *version,
                       const struct json *array)
{
    struct json *rest = array->child;
    struct json *first = take_element(&rest);
    int64_t type;
    if (!json_int(first, &type)) {
        frame->id = usable_id(rest);
        if (version->answers_unreadable)
            frame_refuse(frame, version, OCPP_RPC_FRAMEWORK_ERROR, "message type is not a number");
        else
            frame_drop(frame, "message type is not a number");
        return;
    }
    bool known_in_21 = version->call_result_error;
    if (type == FRAME_CALL) {
        read_call(frame, arena, version, rest);
    } else if (type == FRAME_RESULT) {
        read_result(frame, arena, version, rest);
    } else if (type == FRAME_ERROR) {
        read_error(frame, FRAME_ERROR, rest);
    } else if (type == FRAME_RESULT_ERROR && known_in_21) {
        read_error(frame, FRAME_RESULT_ERROR, rest);
    } else if (type == FRAME_SEND && known_in_21) {
        read_send(frame, arena, rest);
    } else {
        reason_set(&frame->why, "unknown message type %lld", (long long)type);
        frame->kind = FRAME_IGNORED;
        frame->id = usable_id(rest);
        if (version->id == VERSION_201)
            frame_refuse(frame, version, OCPP_MESSAGE_TYPE_NOT_SUPPORTED, NULL);
    }
}

/* Broken JSON: as much as stands at its start. */

struct scan {
    const char *at, *end;
};

static bool scan_char(struct scan *s, char c)
{
    while (s->at < s->end && strchr(" \t\r\n", *s->at) != NULL && *s->at != '\0')
        s->at++;
    if (s->at == s->end || *s->at != c)
        return false;
    s->at++;
    return true;
}

/* A complete string, decoded by the JSON reader; NULL if there is none. */
static const char *scan_string(struct scan *s, struct arena *arena)
{
    if (!scan_char(s, '"'))
        return NULL;
    const char *opening = s->at - 1;
    while (s->at < s->end && *s->at != '"') {
        if (*s->at == '\\' && s->at + 1 < s->end)
            s->at++;
        s->at++;
    }
    if (s->at == s->end)
        return NULL;
    s->at++;
    return json_text(json_parse(arena, opening, (size_t)(s->at - opening), NULL, NULL));
}

/* The number in `[2,`; 0 when it is none that we know. */
static int scan_type(struct scan *s)
{
    int type = 0;
    if (!scan_char(s, '['))
        return 0;
    for (int i = FRAME_CALL; i <= FRAME_SEND && type == 0; i++) {
        if (scan_char(s, (char)('0' + i)))
            type = i;
    }
    return scan_char(s, ',') ? type : 0;
}

static void frame_recover(struct frame *frame, struct arena *arena, const struct version *version,
                          const char *text, size_t len)
{
    struct scan s = {.at = text, .end = text + len};
    int type = scan_type(&s);
    const char *id = type != 0 ? scan_string(&s, arena) : NULL;
    if (id != NULL && *id != '\0' && strlen(id) <= FRAME_ID_MAX)
        frame->id = id;
    const char *word = frame->id != NULL && scan_char(&s, ',') ? scan_string(&s, arena) : NULL;
    if (type == FRAME_CALL || type == 0) {
        frame->action = word;
        frame_refuse(frame, version, OCPP_FORMATION_VIOLATION, NULL);
    } else if (frame->id == NULL || type == FRAME_SEND || type == FRAME_RESULT_ERROR) {
        frame_drop(frame, NULL);
    } else {
        frame_fail_result(frame, arena, version);
        if (type == FRAME_ERROR && word != NULL)
            frame->error_code = word;
    }
}

void frame_parse(struct frame *frame, struct arena *arena, const struct version *version,
                 const char *text, size_t len)
{
    *frame = (struct frame){.kind = FRAME_BAD};
    if (span_trim((struct span){text, len}).len == 0) {
        frame->kind = FRAME_EMPTY;
        return;
    }
    const struct json *root = json_parse(arena, text, len, &frame->why, NULL);
    if (root == NULL)
        frame_recover(frame, arena, version, text, len);
    else if (root->type != JSON_ARRAY || root->count == 0)
        frame_refuse(frame, version, OCPP_OK, "not an array with a message type");
    else
        read_array(frame, arena, version, root);
}

/* Writing. */

static void write_string(struct strbuf *out, const char *text)
{
    json_write_string(out, span_of(text));
}

static void write_payload(struct strbuf *out, struct span payload_json)
{
    if (payload_json.len == 0)
        strbuf_adds(out, "{}");
    else
        strbuf_add(out, payload_json.at, payload_json.len);
    strbuf_addc(out, ']');
}

void frame_write_call(struct strbuf *out, const char *id, const char *action,
                      struct span payload_json)
{
    strbuf_adds(out, "[2,");
    write_string(out, id);
    strbuf_addc(out, ',');
    write_string(out, action);
    strbuf_addc(out, ',');
    write_payload(out, payload_json);
}

void frame_write_result(struct strbuf *out, const char *id, struct span payload_json)
{
    strbuf_adds(out, "[3,");
    write_string(out, id);
    strbuf_addc(out, ',');
    write_payload(out, payload_json);
}

/* So many whole characters. */
static struct span first_characters(const char *text, size_t count)
{
    size_t len = 0;
    while (text[len] != '\0') {
        bool begins = ((unsigned char)text[len] & 0xC0) != 0x80;
        if (begins && count-- == 0)
            break;
        len++;
    }
    return (struct span){text, len};
}

void frame_write_error(struct strbuf *out, const struct version *version, const char *id,
                       enum ocpp_error error, const char *description)
{
    if (description == NULL || !utf8_valid(description, strlen(description)))
        description = "";
    strbuf_adds(out, "[4,");
    write_string(out, id != NULL ? id : unknown_id);
    strbuf_addc(out, ',');
    write_string(out, ocpp_error_text(version, error));
    strbuf_addc(out, ',');
    json_write_string(out, first_characters(description, DESCRIPTION_MAX));
    strbuf_adds(out, ",{}]");
}
