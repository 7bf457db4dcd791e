/* The steps. Verbs stand first in the line; lines of a charger start with its name:
 *   CP1 connects ocpp1.6,ocpp2.0.1 to /ocpp/CP1 as CP1 secret header "X: y" expect 101
 *   CP1 > [2,"1","Heartbeat",{}]        CP1 < [3,"1",{"currentTime":"$_"}]
 * README.md of this folder is the manual. */
#include "steps.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/digest.h"
#include "base/mem.h"
#include "base/timetext.h"

/* ---- reading a line ---- */

static struct span word(struct span *rest)
{
    *rest = span_trim(*rest);
    size_t len = 0;
    while (len < rest->len && rest->at[len] != ' ')
        len++;
    struct span out = {rest->at, len};
    *rest = span_trim((struct span){rest->at + len, rest->len - len});
    return out;
}

/* A word, or text between double quotes with \r \n \" escapes. Owned by the caller. */
static char *quoted(struct span *rest)
{
    struct strbuf out = {0};
    *rest = span_trim(*rest);
    if (rest->len == 0 || rest->at[0] != '"') {
        struct span plain = word(rest);
        return xstrndup(plain.at, plain.len);
    }
    size_t i = 1;
    for (; i < rest->len && rest->at[i] != '"'; i++) {
        char c = rest->at[i];
        if (c == '\\' && i + 1 < rest->len) {
            c = rest->at[++i];
            c = (char)(c == 'r' ? '\r' : c == 'n' ? '\n' : c);
        }
        strbuf_addc(&out, c);
    }
    i += i < rest->len;
    *rest = span_trim((struct span){rest->at + i, rest->len - i});
    return strbuf_take(&out, NULL);
}

static char *filled(struct script *script, struct span text)
{
    struct strbuf out = {0};
    char *copy = xstrndup(text.at, text.len);
    match_fill(&out, copy, &script->stage->names);
    xfree(copy);
    return strbuf_take(&out, NULL);
}

static bool compare(struct script *script, struct span pattern, const char *text)
{
    char *copy = xstrndup(pattern.at, pattern.len);
    bool ok = match_text(copy, text, &script->stage->names);
    xfree(copy);
    return ok || reason_set(&script->why, "got: %s", text);
}

/* ---- a charger's steps ---- */

static bool handshake_over(void *ctx)
{
    struct actor *actor = ctx;
    return actor->status != 0 || actor->ended;
}

struct connect_words {
    char *protocols, *path, *user, *password, *extra;
    int64_t expect;
};

static bool read_connect(struct script *script, struct actor *actor, struct span args,
                         struct connect_words *out)
{
    struct strbuf extra = {0};
    out->expect = 101;
    while (args.len) {
        struct span w = word(&args);
        if (span_is(w, "to")) {
            w = word(&args);
            out->path = xstrndup(w.at, w.len);
        } else if (span_is(w, "as")) {
            out->user = quoted(&args);
            out->password = quoted(&args);
        } else if (span_is(w, "header")) {
            char *line = quoted(&args);
            strbuf_addf(&extra, "%s\r\n", line);
            xfree(line);
        } else if (span_is(w, "expect")) {
            span_int(word(&args), &out->expect);
        } else if (!out->protocols) {
            out->protocols = xstrndup(w.at, w.len);
        } else {
            return reason_set(&script->why, "connects: what is \"%.*s\"?", (int)w.len, w.at);
        }
    }
    if (!out->path)
        out->path = xprintf("/ocpp/%s", actor->name);
    out->extra = extra.len ? strbuf_take(&extra, NULL) : NULL;
    return true;
}

static bool line_connects(struct script *script, struct actor *actor, struct span args)
{
    struct connect_words words = {0};
    bool ok = read_connect(script, actor, args, &words);
    if (ok) {
        struct actor_connect how = {server_ocpp_port(script->stage->server),
                                    words.path,
                                    words.protocols,
                                    words.user,
                                    words.password,
                                    words.extra};
        ok = actor_connect(actor, &how) && stage_until(script->stage, handshake_over, actor);
        if (!ok || actor->status != words.expect)
            ok = reason_set(&script->why, "expected status %d, got %d", (int)words.expect,
                            actor->status);
    }
    xfree(words.protocols);
    xfree(words.path);
    xfree(words.user);
    xfree(words.password);
    xfree(words.extra);
    return ok;
}

static bool sent(struct script *script, bool ok)
{
    return ok || reason_set(&script->why, "the connection is gone");
}

static bool line_says(struct script *script, struct actor *actor, struct span args)
{
    char *text = filled(script, args);
    bool ok = actor_send(actor, 1, true, text, strlen(text));
    xfree(text);
    return sent(script, ok);
}

/* `sends raw-head "GET …"`, `sends bytes HEX`, `sends binary HEX`, `sends hex HEX` (as text),
 * `sends empty`, `sends huge N`, `sends ping`, `sends part TEXT`, `sends last TEXT` (fragments) */
static bool line_sends(struct script *script, struct actor *actor, struct span args)
{
    struct span kind = word(&args);
    unsigned char bytes[4096];
    size_t len = sizeof(bytes);
    int64_t count = 0;
    if (span_is(kind, "empty"))
        return sent(script, actor_send(actor, 1, true, "", 0));
    if (span_is(kind, "ping"))
        return sent(script, actor_send(actor, 9, true, "p", 1));
    if (span_is(kind, "part"))
        return sent(script,
                    actor_send(actor, actor->in_fragments++ ? 0 : 1, false, args.at, args.len));
    if (span_is(kind, "last")) {
        actor->in_fragments = 0;
        return sent(script, actor_send(actor, 0, true, args.at, args.len));
    }
    if (span_is(kind, "huge") && span_int(args, &count)) {
        char *text = xcalloc(1, (size_t)count + 1);
        memset(text, 'x', (size_t)count);
        actor_send(actor, 1, true, text, (size_t)count); /* the server may hang up meanwhile */
        xfree(text);
        return true;
    }
    if (span_is(kind, "raw-head")) {
        char *head = quoted(&args);
        bool ok =
            actor_connect_raw(actor, server_ocpp_port(script->stage->server), head, strlen(head));
        xfree(head);
        return sent(script, ok);
    }
    if (!hex_decode(args, bytes, &len))
        return reason_set(&script->why, "sends: expected hex digits");
    if (span_is(kind, "binary"))
        return sent(script, actor_send(actor, 2, true, (char *)bytes, len));
    if (span_is(kind, "hex"))
        return sent(script, actor_send(actor, 1, true, (char *)bytes, len));
    if (span_is(kind, "bytes"))
        return sent(script, actor_send_bytes(actor, (char *)bytes, len));
    return reason_set(&script->why, "sends: what is \"%.*s\"?", (int)kind.len, kind.at);
}

static bool has_heard(void *ctx)
{
    struct actor *actor = ctx;
    return actor->first || actor->ended;
}

/* The next thing that was heard, pongs apart; NULL and why. The caller's. */
static struct heard *hear(struct script *script, struct actor *actor)
{
    for (;;) {
        if (!stage_until(script->stage, has_heard, actor)) {
            reason_set(&script->why, "nothing came");
            return NULL;
        }
        struct heard *heard = actor_next(actor);
        if (!heard)
            reason_set(&script->why, "the connection ended");
        if (!heard || heard->kind != HEARD_PONG)
            return heard;
        heard_free(heard);
    }
}

static bool line_hears(struct script *script, struct actor *actor, struct span args)
{
    struct heard *heard = hear(script, actor);
    if (!heard)
        return false;
    bool ok = heard->kind == HEARD_TEXT
                  ? compare(script, args, heard->text)
                  : reason_set(&script->why, "got a close with code %d", heard->code);
    heard_free(heard);
    return ok;
}

static bool heard_pong(void *ctx)
{
    struct actor *actor = ctx;
    return actor->ended || (actor->last && actor->last->kind == HEARD_PONG);
}

/* Nothing but the pong to a ping sent after everything settled. */
static bool line_hears_nothing(struct script *script, struct actor *actor, struct span args)
{
    (void)args;
    if (!stage_quiet(script->stage))
        return reason_set(&script->why, "the store does not come to rest");
    actor_send(actor, 9, true, "q", 1);
    stage_until(script->stage, heard_pong, actor);
    struct heard *heard = actor_next(actor);
    if (!heard)
        return reason_set(&script->why, "the connection ended");
    bool ok =
        heard->kind == HEARD_PONG ||
        reason_set(&script->why, "got: %s", heard->kind == HEARD_CLOSE ? "close" : heard->text);
    heard_free(heard);
    return ok;
}

static bool has_ended(void *ctx)
{
    return ((struct actor *)ctx)->ended;
}

/* `is closed 4000`, `is dropped` (TCP ended without a Close), `is mute`, `is deaf`, `is offered X`
 */
static bool line_is(struct script *script, struct actor *actor, struct span args)
{
    struct span what = word(&args);
    int64_t code = 0;
    if (span_is(what, "mute"))
        return actor->mute = true;
    if (span_is(what, "deaf"))
        return actor->deaf = true;
    if (span_is(what, "hearing")) {
        actor->deaf = false;
        return true;
    }
    if (span_is(what, "speaking"))
        return span_is(args, actor->subprotocol) ||
               reason_set(&script->why, "the server chose \"%s\"", actor->subprotocol);
    if (span_is(what, "dropped")) {
        bool ended = stage_until(script->stage, has_ended, actor);
        return (ended && !actor->first) || reason_set(&script->why, "it was not dropped");
    }
    if (!span_is(what, "closed") || (args.len && !span_int(args, &code)))
        return reason_set(&script->why, "is: what is \"%.*s\"?", (int)what.len, what.at);
    struct heard *heard = hear(script, actor);
    if (!heard)
        return false;
    bool ok = heard->kind == HEARD_CLOSE && (!code || heard->code == code);
    if (!ok)
        reason_set(&script->why, "got %s %d", heard->kind == HEARD_CLOSE ? "close" : heard->text,
                   heard->code);
    heard_free(heard);
    return ok;
}

static bool line_closes(struct script *script, struct actor *actor, struct span args)
{
    (void)args;
    bool ok = actor_send(actor, 8, true, "\x03\xe8", 2);
    return sent(script, ok && stage_until(script->stage, has_ended, actor));
}

static bool line_drops(struct script *script, struct actor *actor, struct span args)
{
    (void)args;
    actor_drop(actor);
    return stage_quiet(script->stage);
}

static const struct {
    const char *word;
    bool (*perform)(struct script *script, struct actor *actor, struct span args);
} lines[] = {
    {">", line_says},
    {"<", line_hears},
    {"connects", line_connects},
    {"sends", line_sends},
    {"is", line_is},
    {"closes", line_closes},
    {"drops", line_drops},
    {"hears-nothing", line_hears_nothing},
};

/* ---- verbs ---- */

static bool verb_config(struct script *script, struct span args)
{
    if (script->stage->server)
        return reason_set(&script->why, "config comes before the first step that needs the server");
    strbuf_add(&script->stage->config, args.at, args.len);
    strbuf_addc(&script->stage->config, '\n');
    return true;
}

/* `policy NAME` and the following lines up to `end policy` are a file of the play's own folder. */
static bool verb_policy(struct script *script, struct span args)
{
    struct strbuf text = {0};
    struct span line = {0};
    while (span_cut(&script->rest, '\n', &line)) {
        script->line++;
        if (span_is(span_trim(line), "end policy"))
            break;
        strbuf_add(&text, line.at, line.len);
        strbuf_addc(&text, '\n');
    }
    char *name = xstrndup(args.at, args.len);
    bool ok = stage_write_policy(script->stage, name, strbuf_text(&text));
    xfree(name);
    strbuf_clear(&text);
    return ok || reason_set(&script->why, "cannot write the policy");
}

static bool verb_clock(struct script *script, struct span args)
{
    int64_t ms;
    if (args.len < 2 || args.at[0] != '+' ||
        !duration_parse((struct span){args.at + 1, args.len - 1}, &ms))
        return reason_set(&script->why, "clock: expected +15m or the like");
    stage_clock(script->stage, ms);
    return stage_quiet(script->stage);
}

struct reloaded {
    bool done;
    bool ok;
    char first[512];
};

static void on_reloaded(void *ctx, const struct policy_report *report)
{
    struct reloaded *out = ctx;
    out->done = true;
    out->ok = report->ok;
    if (report->kept)
        snprintf(out->first, sizeof(out->first), "%s:%d: %s", report->errors[0].file,
                 report->errors[0].line, report->errors[0].message);
}

static bool reload_done(void *ctx)
{
    return ((struct reloaded *)ctx)->done;
}

/* `reload`, `reload refused PATTERN` (the first finding) */
static bool verb_reload(struct script *script, struct span args)
{
    struct reloaded result = {0};
    policy_reload(server_policy(script->stage->server), on_reloaded, &result);
    if (!stage_until(script->stage, reload_done, &result))
        return reason_set(&script->why, "the reload did not end");
    struct span expected = word(&args);
    bool refused = span_is(expected, "refused");
    if (refused == result.ok)
        return reason_set(&script->why, "%s %s", result.ok ? "accepted" : "refused", result.first);
    return !args.len || compare(script, args, result.first);
}

static void add_request(struct script *script, struct strbuf *out, struct span method,
                        struct span path, const char *body)
{
    char *where = filled(script, path);
    strbuf_addf(out, "%.*s %s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n",
                (int)method.len, method.at, where);
    strbuf_adds(out, "X-API-Key: changeme-123\r\n");
    if (*body)
        strbuf_addf(out, "Content-Type: application/json\r\nContent-Length: %zu\r\n", strlen(body));
    strbuf_addf(out, "\r\n%s", body);
    xfree(where);
}

/* Sends what stands in `args` ("GET /path body") now; NULL: no connection. */
static struct asking *ask(struct script *script, struct span args)
{
    struct span method = word(&args), path = word(&args);
    char *body = filled(script, span_trim(args));
    struct strbuf request = {0};
    add_request(script, &request, method, path, body);
    struct asking *asking = stage_ask(script->stage, strbuf_text(&request));
    xfree(body);
    strbuf_clear(&request);
    if (!asking)
        reason_set(&script->why, "no connection");
    return asking;
}

/* `args`: the status, and perhaps a pattern. */
static bool answered(struct script *script, struct asking *asking_owned, struct span args)
{
    int64_t wanted = 0;
    span_int(word(&args), &wanted);
    struct strbuf answer = {0};
    int status;
    bool ok = stage_answer(script->stage, asking_owned, &status, &answer);
    if (!ok)
        reason_set(&script->why, "no answer");
    else if (status != wanted)
        ok = reason_set(&script->why, "got %d %s", status, strbuf_text(&answer));
    else if (args.len)
        ok = compare(script, args, strbuf_text(&answer));
    strbuf_clear(&answer);
    return ok;
}

/* `http GET /api/v1/active expect 200 {"sessions":[]}`; a body stands between path and expect. */
static bool verb_http(struct script *script, struct span args)
{
    const char *expect = memmem(args.at, args.len, "expect ", 7);
    if (!expect)
        return reason_set(&script->why, "http: `expect STATUS` is missing");
    size_t before = (size_t)(expect - args.at);
    struct asking *asking = ask(script, (struct span){args.at, before});
    return asking && answered(script, asking, (struct span){expect + 7, args.len - before - 7});
}

/* `ask reset POST /path body`: goes out now; `answer reset 200 PATTERN` waits for what comes back.
 */
static bool verb_ask(struct script *script, struct span args)
{
    struct span name = word(&args);
    struct asking *asking = ask(script, args);
    if (asking)
        map_put(&script->stage->asked, name, asking);
    return asking != NULL;
}

static bool verb_answer(struct script *script, struct span args)
{
    struct asking *asking = map_remove(&script->stage->asked, word(&args));
    return asking ? answered(script, asking, args)
                  : reason_set(&script->why, "answer: nothing was asked under that name");
}

struct rows {
    bool done;
    char *text;
};

static void on_rows(void *ctx, const char *rows, const char *next, const char *why)
{
    (void)next;
    struct rows *out = ctx;
    out->done = true;
    out->text = xstrdup(rows ? rows : why);
}

static bool rows_done(void *ctx)
{
    return ((struct rows *)ctx)->done;
}

/* `store history {"cpid":"CP1"} expect [...]`: a named query of the store */
static bool verb_store(struct script *script, struct span args)
{
    struct span name = word(&args);
    const char *expect = memmem(args.at, args.len, "expect ", 7);
    if (!expect)
        return reason_set(&script->why, "store: `expect ROWS` is missing");
    stage_quiet(script->stage);
    struct arena arena = {0};
    struct rows rows = {0};
    char *query = arena_strndup(&arena, name.at, name.len);
    struct json *params =
        json_parse(&arena, args.at, (size_t)(expect - args.at), &script->why, NULL);
    if (params)
        store_query(server_store(script->stage->server), query, params, on_rows, &rows);
    bool ok = params && stage_until(script->stage, rows_done, &rows);
    expect += 7;
    if (ok)
        ok = compare(script, (struct span){expect, args.len - (size_t)(expect - args.at)},
                     rows.text);
    arena_clear(&arena);
    xfree(rows.text);
    return ok;
}

static bool verb_log(struct script *script, struct span args)
{
    char *text = filled(script, args);
    bool ok = strstr(strbuf_text(&script->stage->log), text) != NULL;
    xfree(text);
    return ok || reason_set(&script->why, "not in the log");
}

static bool verb_log_lacks(struct script *script, struct span args)
{
    char *text = filled(script, args);
    bool ok = strstr(strbuf_text(&script->stage->log), text) == NULL;
    xfree(text);
    return ok || reason_set(&script->why, "it is in the log");
}

static bool verb_restart(struct script *script, struct span args)
{
    (void)args;
    return stage_restart(script->stage, &script->why);
}

static bool verb_settle(struct script *script, struct span args)
{
    (void)args;
    return stage_settle(script->stage);
}

static const struct {
    const char *word;
    bool before_open; /* does not need the server */
    bool (*perform)(struct script *script, struct span args);
} verbs[] = {
    {"config", true, verb_config},    {"policy", true, verb_policy},
    {"clock", false, verb_clock},     {"reload", false, verb_reload},
    {"http", false, verb_http},       {"store", false, verb_store},
    {"ask", false, verb_ask},         {"answer", false, verb_answer},
    {"log", false, verb_log},         {"log-lacks", false, verb_log_lacks},
    {"restart", false, verb_restart}, {"settle", false, verb_settle},
};

bool step_perform(struct script *script, const char *text)
{
    struct span args = span_of(text);
    struct span first = word(&args);
    for (size_t i = 0; i < ARRAY_LEN(verbs); i++)
        if (span_is(first, verbs[i].word))
            return (verbs[i].before_open || stage_open(script->stage, &script->why)) &&
                   verbs[i].perform(script, args);
    if (!stage_open(script->stage, &script->why))
        return false;
    struct actor *actor = stage_actor(script->stage, first);
    struct span what = word(&args);
    for (size_t i = 0; actor && i < ARRAY_LEN(lines); i++)
        if (span_is(what, lines[i].word))
            return lines[i].perform(script, actor, args);
    return reason_set(&script->why, "no such step; see tests/wire/README.md");
}
