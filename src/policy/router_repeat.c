/* Idempotency-Key on POST: the same request again gets the stored answer again.
 *
 * A request is the same if key, API key, method and path are; if its query or body differ it is
 * refused (422), while the first one runs too (409). A row in the scripts' store says that it runs;
 * it is on disk before the handler begins (router_request.c), so that nothing is done twice over a
 * crash either: what was cut off stays 409. The answer takes the row's place for a day, without its
 * body if that is no text or over ANSWER_MAX bytes (409, too); one that says `not now` (429, 503)
 * removes it. A 500 stays: nobody knows how far its handler came before it failed. */
#include <string.h>

#include "base/digest.h"
#include "base/mem.h"
#include "policy/router.h"

enum { ANSWER_MAX = 16 * 1024, KEY_LONGEST = 255, HEADERS_KEPT = 16 };
#define KEPT_MS ((int64_t)24 * 3600 * 1000)

struct repeat {
    struct repeat *next; /* of those that run */
    struct scheduler *scheduler;
    struct station *station;
    char name[SHA256_HEX_SIZE + 8]; /* key in the store */
    char body[SHA256_HEX_SIZE];
};

static const char *header(const struct request *request, const char *name)
{
    for (size_t i = 0; i < request->header_count; i++) {
        if (text_is_ci(request->headers[i].name, name))
            return request->headers[i].value;
    }
    return NULL;
}

static bool is_key(const char *key)
{
    size_t len = strlen(key);
    for (size_t i = 0; i < len; i++) {
        if ((unsigned char)key[i] <= 0x20 || (unsigned char)key[i] >= 0x7f)
            return false;
    }
    return len > 0 && len <= KEY_LONGEST;
}

/* Parts are divided by a zero byte, which none of them has. */
static void add_part(struct strbuf *to, const char *text)
{
    strbuf_adds(to, text ? text : "");
    strbuf_addc(to, '\0');
}

static void name_request(struct repeat *run, const struct request *request, const char *key)
{
    struct strbuf text = {0};
    add_part(&text, request->key_name);
    add_part(&text, request->method);
    add_part(&text, request->path);
    add_part(&text, key);
    memcpy(run->name, "repeat:", 7);
    sha256_hex(text.at, text.len, run->name + 7);
    strbuf_reset(&text);
    for (size_t i = 0; i < request->query_count; i++) {
        add_part(&text, request->query[i].name);
        add_part(&text, request->query[i].value);
    }
    if (request->body.len)
        strbuf_add(&text, request->body.at, request->body.len);
    sha256_hex(strbuf_text(&text), text.len, run->body);
    strbuf_clear(&text);
}

/* ---- the stored answer ---- */

static void respond_kept(const struct json *kept, respond_fn respond, void *ctx)
{
    struct name_value headers[HEADERS_KEPT];
    struct response response = {.headers = headers};
    const struct json *body = json_get(kept, "body"), *list = json_get(kept, "headers");
    int64_t status = 200;
    json_int(json_get(kept, "status"), &status);
    response.status = (int)status;
    response.content_type = json_gets(kept, "type");
    if (body && body->type == JSON_STRING)
        response.body = body->text;
    for (const struct json *item = list ? list->child : NULL;
         item && response.header_count < HEADERS_KEPT; item = item->next)
        headers[response.header_count++] =
            (struct name_value){json_gets(item, "name"), json_gets(item, "value")};
    respond(ctx, &response);
}

/* Nothing was done: it may be tried again. */
static bool may_be_tried_again(const struct response *response)
{
    return !response || response->status == 429 || response->status == 503;
}

static bool body_is_keepable(const struct response *response)
{
    return !response->source && response->body.len <= ANSWER_MAX &&
           response->header_count <= HEADERS_KEPT &&
           utf8_valid(response->body.at, response->body.len) &&
           (response->body.len == 0 || !memchr(response->body.at, '\0', response->body.len));
}

static void write_answer(struct json_out *o, const struct response *response)
{
    if (response->content_type) {
        json_key(o, "type");
        json_put_string(o, response->content_type);
    }
    json_key(o, "headers");
    json_open(o, '[');
    for (size_t i = 0; i < response->header_count; i++) {
        json_open(o, '{');
        json_key(o, "name");
        json_put_string(o, response->headers[i].name);
        json_key(o, "value");
        json_put_string(o, response->headers[i].value);
        json_close(o, '}');
    }
    json_close(o, ']');
    json_key(o, "body");
    json_put_span(o, response->body.at ? response->body : SPAN(""));
}

/* `response` NULL: it runs. False: it is too long for a row. */
static bool keep(const struct repeat *run, const struct response *response, bool with_body)
{
    struct strbuf text = {0};
    struct json_out o = {.to = &text};
    struct reason why;
    json_open(&o, '{');
    json_key(&o, "request");
    json_put_string(&o, run->body);
    if (response) {
        json_key(&o, "status");
        json_put_int(&o, response->status);
    }
    if (response && with_body)
        write_answer(&o, response);
    json_close(&o, '}');
    bool ok = station_kv_set(run->station, run->name, strbuf_text(&text), KEPT_MS, &why);
    strbuf_clear(&text);
    return ok;
}

/* ---- begin and end ---- */

static bool refuse(struct problem *problem, int status, const char *detail)
{
    problem->status = status;
    problem->detail = detail;
    return false;
}

/* A row without status: nobody could say how it ended. */
static const char *why_no_answer(const struct json *kept)
{
    if (!json_get(kept, "status"))
        return "the first request with this Idempotency-Key was cut off, by a restart of the "
               "server or because its store failed: look what became of it";
    return "the first request with this Idempotency-Key was answered, but the answer was too long "
           "to be kept";
}

/* Was it asked before? True: no. */
static bool is_new(const struct repeat *run, struct problem *problem, bool *responded,
                   respond_fn respond, void *ctx)
{
    static const char other[] = "this Idempotency-Key was used with another body or query";
    for (const struct repeat *other_run = run->scheduler->repeats; other_run;
         other_run = other_run->next) {
        if (!text_is(other_run->name, run->name))
            continue;
        return text_is(other_run->body, run->body)
                   ? refuse(problem, 409, "the first request with this Idempotency-Key still runs")
                   : refuse(problem, 422, other);
    }
    const char *text = station_kv_get(run->station, run->name);
    struct arena arena = {0};
    const struct json *kept = text ? json_parse(&arena, text, strlen(text), NULL, NULL) : NULL;
    if (kept && !text_is(json_gets(kept, "request"), run->body)) {
        refuse(problem, 422, other);
    } else if (kept && !json_get(kept, "body")) {
        refuse(problem, 409, why_no_answer(kept));
    } else if (kept) {
        *responded = true;
        respond_kept(kept, respond, ctx);
    }
    arena_clear(&arena);
    return !kept;
}

bool repeat_begin(struct generation *generation, const struct route *route,
                  const struct request *request, struct repeat **run, struct problem *problem,
                  bool *responded, respond_fn respond, void *ctx)
{
    const char *key = header(request, "idempotency-key");
    *run = NULL;
    if (!route->idempotent || !key || !generation->station)
        return true;
    if (!is_key(key))
        return refuse(problem, 400, "Idempotency-Key must be 1 to 255 visible ASCII characters");
    struct repeat *fresh = xcalloc(1, sizeof(*fresh));
    fresh->scheduler = generation->scheduler;
    fresh->station = generation->station;
    name_request(fresh, request, key);
    if (!is_new(fresh, problem, responded, respond, ctx)) {
        xfree(fresh);
        return false;
    }
    fresh->next = fresh->scheduler->repeats;
    fresh->scheduler->repeats = fresh;
    keep(fresh, NULL, false);
    *run = fresh;
    return true;
}

void repeat_leave(struct repeat *run)
{
    struct repeat **at = &run->scheduler->repeats;
    while (*at != run)
        at = &(*at)->next;
    *at = run->next;
    xfree(run);
}

void repeat_end(struct repeat *run, const struct response *response)
{
    if (may_be_tried_again(response))
        station_kv_set(run->station, run->name, NULL, 0, NULL);
    else if (!body_is_keepable(response) || !keep(run, response, true))
        keep(run, response, false);
    repeat_leave(run);
}
