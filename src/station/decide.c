/* See decide.h. Rules A1 to A7.
 *
 * Policies see the tag in upper case (CiString); the spelling is kept everywhere else. A failed
 * policy and one without an opinion lead to different configured words, and both are recorded. */
#include "station/decide.h"

#include "base/log.h"
#include "base/mem.h"
#include "base/timetext.h"

enum { ID_TAG_MAX = 20 }; /* 1.6 */

static const char *const statuses[] = {"Accepted", "Blocked", "Expired", "Invalid", "ConcurrentTx"};

struct deciding {
    const struct ask *ask;
    call_decided then;
    struct decision decision;
    void *work; /* the handler's, meanwhile */
};

/* The word itself if it is one of ours. */
static const char *status_word(const char *word, const char *otherwise)
{
    for (size_t i = 0; word && i < ARRAY_LEN(statuses); i++) {
        if (text_is(word, statuses[i]))
            return statuses[i];
    }
    return otherwise;
}

/* Text of any form that we read, or seconds since 1970; false: there is none. */
static bool expiry_read(const struct json *extra, wall_t *out)
{
    const struct json *expiry = json_get(extra, "expiryDate");
    double seconds;
    if (json_double(expiry, &seconds) && seconds > 0 && seconds < 253402300800.0) {
        *out = (wall_t)(seconds * 1000);
        return true;
    }
    const char *text = json_text(expiry);
    return text &&
           (timetext_parse(span_of(text), 0, out) || timetext_parse_date(span_of(text), out));
}

static void take_extra(struct call *call, struct decision *decision, const struct json *extra)
{
    const char *parent = json_gets(extra, "parentIdTag");
    if (parent && parent[0]) /* A3 */
        decision->parent_id_tag = arena_strdup(&call->arena, parent);
    wall_t expiry;
    if (!expiry_read(extra, &expiry))
        return;
    char *text = arena_alloc(&call->arena, TIMETEXT_SIZE);
    timetext_seconds(expiry, text);
    decision->expiry = text;
    if (expiry <= wall_now() && text_is(decision->status, "Accepted"))
        decision->status = "Expired"; /* A3 */
}

static void on_verdict(struct call *call, const struct verdict *verdict)
{
    struct deciding *deciding = call->work;
    struct decision *decision = &deciding->decision;
    const struct station *st = call->st;
    switch (verdict->kind) {
    case VERDICT_GIVEN:
        decision->status = status_word(verdict->word, st->authorize_default);
        break;
    case VERDICT_NONE:
        decision->status = st->authorize_default;
        break;
    case VERDICT_FAILED:
        decision->status = st->authorize_failed; /* A7 */
        break;
    }
    decision->why = verdict->kind == VERDICT_NONE ? "no policy had an opinion"
                                                  : arena_strdup(&call->arena, verdict->why);
    decision->file = arena_strdup(&call->arena, verdict->file);
    decision->line = verdict->line;
    decision->generation = verdict->generation;
    if (verdict->kind == VERDICT_GIVEN)
        take_extra(call, decision, verdict->extra);
    call->work = deciding->work;
    deciding->then(call, decision);
}

void call_decide(struct call *call, const struct ask *ask, call_decided then)
{
    struct deciding *deciding = ARENA_NEW(&call->arena, struct deciding);
    deciding->ask = ask;
    deciding->then = then;
    deciding->work = call->work;
    call->work = deciding;
    char *id_tag = arena_strdup(&call->arena, ask->id_tag);
    text_upper(id_tag);
    struct event event = {.kind = EVENT_AUTHORIZE,
                          .connector = ask->connector,
                          .transaction_id = ask->transaction_id,
                          .id_tag = id_tag,
                          .purpose = ask->purpose};
    call_ask(call, &event, on_verdict);
}

static size_t characters(const char *text)
{
    size_t count = 0;
    for (; *text; text++)
        count += ((unsigned char)*text & 0xC0) != 0x80;
    return count;
}

struct json *decision_info(struct call *call, const struct decision *decision)
{
    struct json *info = call_object(call);
    json_adds(&call->arena, info, "status", decision->status);
    const char *parent = decision->parent_id_tag;
    if (parent && characters(parent) <= ID_TAG_MAX)
        json_adds(&call->arena, info, "parentIdTag", parent);
    else if (parent)
        LOG(LOG_WARN, "parentIdTag is too long for OCPP 1.6 and was left out",
            L_STR("cp", call->cp->id), L_TAG("parentIdTag", parent));
    if (decision->expiry)
        json_adds(&call->arena, info, "expiryDate", decision->expiry);
    return info;
}

static char *inputs_text(struct arena *arena, const struct ask *ask)
{
    struct strbuf text = {0};
    struct json_out o = {.to = &text};
    json_open(&o, '{');
    json_key(&o, "idTag");
    json_put_string(&o, ask->id_tag);
    json_key(&o, "purpose");
    json_put_string(&o, ask->purpose);
    if (ask->connector != ABSENT) {
        json_key(&o, "connector");
        json_put_int(&o, ask->connector);
    }
    if (ask->transaction_id != 0) {
        json_key(&o, "transaction");
        json_put_int(&o, ask->transaction_id);
    }
    json_close(&o, '}');
    char *copy = arena_strndup(arena, text.at, text.len);
    strbuf_clear(&text);
    return copy;
}

void decision_row(struct call *call, const struct ask *ask, const struct decision *decision,
                  struct record *row, struct arena *arena)
{
    row->decision = (struct record_decision){
        .cp = arena_strdup(arena, call->cp->id),
        .ts_ms = wall_now(),
        .event = ask->purpose,
        .id_tag = arena_strdup(arena, ask->id_tag),
        .evse = ask->connector == ABSENT ? 0 : ask->connector,
        .connector = ask->evse_connector,
        .transaction_id = ask->transaction_id,
        .verdict = arena_strdup(arena, decision->status),
        .why = arena_strdup(arena, decision->why),
        .file = arena_strdup(arena, decision->file),
        .line = decision->line,
        .generation = decision->generation,
        .inputs = inputs_text(arena, ask),
    };
}
