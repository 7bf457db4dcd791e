/* The life of a command of ours, from being asked to its one result, and the row that tells it.
 *
 * The row is written when the command is asked and again, whole, when it ends, with the rows of the
 * turn: a command promises nothing (C3). Secrets are blanked as in the message log (G4, W4). A
 * command that was cancelled while it was outstanding reads cancelled, until an answer comes all
 * the same: that is what happened then. */
#include "station/asked.h"

#include "base/mem.h"
#include "station/messages.h"

static const char *const states[] = {
    [CALL_ANSWERED] = "accepted", [CALL_ERROR] = "error",     [CALL_TIMEOUT] = "timeout",
    [CALL_OFFLINE] = "offline",   [CALL_REFUSED] = "refused", [CALL_CANCELLED] = "cancelled",
};

struct outcall *asked_new(struct station *st, const char *cp, const struct command *command,
                          call_done done, void *ctx)
{
    int64_t timeout_ms =
        command->timeout_ms > 0 ? command->timeout_ms : st->settings.call_timeout_ms;
    struct outcall *call = outcall_new(command->action, command->payload, timeout_ms);
    struct asked *asked = xcalloc(1, sizeof(*asked));
    *asked = (struct asked){.st = st,
                            .cp = xstrdup(cp),
                            .asked_by = xstrdup_or_null(command->asked_by),
                            .batch = xstrdup_or_null(command->batch),
                            .vars = xstrdup_or_null(command->vars),
                            .asked_ms = wall_now(),
                            .sent_ms = ABSENT,
                            .done = done,
                            .ctx = ctx};
    call->ctx = asked;
    return call;
}

struct asked *asked_of(const struct outcall *call)
{
    return call->ctx;
}

static void asked_free(struct outcall *call)
{
    struct asked *asked = asked_of(call);
    xfree(asked->cp);
    xfree(asked->asked_by);
    xfree(asked->batch);
    xfree(asked->vars);
    xfree(asked);
    outcall_free(call);
}

/* ---- its row ---- */

static char *blanked(struct arena *arena, struct span text)
{
    char *copy = text.at ? arena_strndup(arena, text.at, text.len) : NULL;
    if (copy)
        message_blank_secrets(copy);
    return copy;
}

static char *json_blanked(struct arena *arena, const struct json *node)
{
    if (!node)
        return NULL;
    struct strbuf text = {0};
    json_write(&text, node);
    char *copy = blanked(arena, (struct span){strbuf_text(&text), text.len});
    strbuf_clear(&text);
    return copy;
}

static struct record_command *add_row(const struct outcall *call, const char *state,
                                      struct arena **arena)
{
    const struct asked *asked = asked_of(call);
    struct record_command *row = &station_row(asked->st, RECORD_COMMAND, arena)->command;
    *row = (struct record_command){.id = arena_strdup(*arena, call->id),
                                   .cp = arena_strdup(*arena, asked->cp),
                                   .action = arena_strdup(*arena, call->action),
                                   .payload = blanked(*arena, span_of(call->payload)),
                                   .asked_by = arena_strdup(*arena, asked->asked_by),
                                   .batch = arena_strdup(*arena, asked->batch),
                                   .state = state,
                                   .asked_ms = asked->asked_ms,
                                   .sent_ms = asked->sent_ms,
                                   .ended_ms = ABSENT};
    return row;
}

void asked_queued(const struct outcall *call)
{
    struct arena *arena;
    add_row(call, "queued", &arena);
}

static void row_ended(const struct outcall *call, const struct call_result *result)
{
    struct arena *arena;
    struct record_command *row = add_row(call, states[result->outcome], &arena);
    row->ended_ms = wall_now();
    row->response = blanked(arena, result->response_raw);
    row->error_code = arena_strdup(arena, result->error_code);
    row->error_description = blanked(arena, span_of(result->description));
    row->error_details = json_blanked(arena, result->details);
    row->why = blanked(arena, span_of(result->why));
}

/* ---- its end ---- */

/* `id` outlives the call: whoever is told may do anything. */
static void tell(call_done done, void *ctx, const char *id, const struct call_result *given)
{
    struct call_result result = *given;
    result.id = id;
    if (done)
        done(ctx, &result);
}

void asked_finish(struct outcall *call, const struct call_result *given)
{
    const struct asked *asked = asked_of(call);
    bool answered = given->outcome == CALL_ANSWERED || given->outcome == CALL_ERROR;
    if (!asked->cancelled || answered)
        row_ended(call, given);
    char id[UUID_SIZE];
    text_copy(id, sizeof(id), span_of(call->id));
    call_done done = asked->done;
    void *ctx = asked->ctx;
    asked_free(call);
    tell(done, ctx, id, given);
}

void asked_finish_plain(struct outcall *call, enum call_outcome outcome, const char *why)
{
    const struct call_result result = {
        .outcome = outcome, .why = why, .ms = call->sent_at ? mono_now() - call->sent_at : 0};
    asked_finish(call, &result);
}

void asked_cancel(struct outcall *call)
{
    struct asked *asked = asked_of(call);
    if (asked->cancelled)
        return;
    const struct call_result result = {.outcome = CALL_CANCELLED,
                                       .why = "cancelled",
                                       .ms = call->sent_at ? mono_now() - call->sent_at : 0};
    row_ended(call, &result);
    asked->cancelled = true;
    char id[UUID_SIZE];
    text_copy(id, sizeof(id), span_of(call->id));
    call_done done = asked->done;
    asked->done = NULL;
    tell(done, asked->ctx, id, &result);
}
