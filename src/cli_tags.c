/* Tags in and out of a running server, by its own REST: see cli_tags.h.
 *
 * Not by the database file: the server holds its tags in memory and is the only one to judge them,
 * so a tag is in force when the import says so, and nothing is written behind its back. One request
 * is made at a time. Start reading at cli_tags_import. */
#include "cli_tags.h"

#include <stdio.h>
#include <string.h>

#include "base/arena.h"
#include "base/json.h"
#include "base/mem.h"
#include "cli_file.h"
#include "cli_options.h"
#include "cli_rows.h"
#include "net/http_client.h"

enum { REQUEST_MS = 120000, PAGE = 1000, FILE_MAX = 64 << 20, ANSWER_MAX = 256 << 20 };

/* ---- one request ---- */

struct exchange {
    const struct conf *conf;
    struct loop *loop;
    int status; /* 0: no answer, see `error` */
    struct strbuf body, error;
};

static void on_done(void *ctx, const struct http_transferred *what)
{
    struct exchange *exchange = ctx;
    exchange->status = what->error ? 0 : what->status;
    if (what->error)
        strbuf_adds(&exchange->error, what->error);
    else
        strbuf_add(&exchange->body, what->body.at, what->body.len);
    loop_stop(exchange->loop);
}

static void exchange_clear(struct exchange *exchange)
{
    strbuf_clear(&exchange->body);
    strbuf_clear(&exchange->error);
}

/* The server itself, where "any address" is none to connect to. */
static void add_url(struct strbuf *url, const struct conf *conf, const char *path)
{
    const char *address = conf->http.address;
    if (text_is(address, "0.0.0.0"))
        address = "127.0.0.1";
    else if (text_is(address, "::"))
        address = "::1";
    bool v6 = strchr(address, ':') != NULL;
    strbuf_addf(url, "http://%s%s%s:%d%s", v6 ? "[" : "", address, v6 ? "]" : "", conf->http.port,
                path);
}

/* On a loop of its own: until the answer is here, or `error` tells why there is none. */
static void transfer_run(struct exchange *exchange, const struct http_transfer *transfer)
{
    struct reason why = {0};
    exchange->loop = loop_new();
    struct http_client *client = http_client_open(exchange->loop, &why);
    if (client && http_client_start(client, transfer, on_done, exchange, &why))
        loop_run(exchange->loop);
    else
        strbuf_adds(&exchange->error, why.text);
    if (client)
        http_client_close(client);
    loop_free(exchange->loop);
}

/* `type` is the header of a body, NULL without one. False, after a message: no answer. */
static bool ask(struct exchange *exchange, const char *method, const char *path, const char *type,
                struct span body)
{
    struct strbuf url = {0}, key = {0};
    exchange->status = 0;
    strbuf_reset(&exchange->body);
    strbuf_reset(&exchange->error);
    add_url(&url, exchange->conf, path);
    strbuf_addf(&key, "X-API-Key: %s", exchange->conf->http_key);
    /* The server looks at key and length before a body is sent: its refusal is not lost. */
    const char *const headers[] = {strbuf_text(&key), type, "Expect: 100-continue", NULL};
    const struct http_transfer transfer = {.method = method,
                                           .url = strbuf_text(&url),
                                           .headers = headers,
                                           .body = body,
                                           .timeout_ms = REQUEST_MS,
                                           .max_body = ANSWER_MAX};
    if (exchange->conf->http.port == 0)
        strbuf_adds(&exchange->error, "rest.port is 0, name the server's by --rest-port N");
    else
        transfer_run(exchange, &transfer);
    if (exchange->status == 0)
        fprintf(stderr, "chargebridge: no answer from the server at %s: %s\n", strbuf_text(&url),
                strbuf_text(&exchange->error));
    strbuf_clear(&url);
    strbuf_clear(&key);
    return exchange->status != 0;
}

/* ---- refusals ---- */

/* What was sent, for messages that name its lines; `name` NULL: nothing. */
struct sent {
    const char *name;
    struct span text;
    bool csv;
};

static size_t line_of_row(const struct sent *sent, struct span row)
{
    int64_t number;
    if (!sent->name || !span_int(row, &number) || number < 0)
        return 0;
    return sent->csv ? cli_rows_csv_line(sent->text, (size_t)number)
                     : cli_rows_json_line(sent->text, (size_t)number);
}

/* "/3/status", of the third row, as `tags.csv:4: status: expected …`. */
static void print_fault(const struct sent *sent, const char *pointer, const char *message)
{
    struct span rest = span_of(pointer && pointer[0] == '/' ? pointer + 1 : ""), row = {0};
    span_cut(&rest, '/', &row);
    size_t line = line_of_row(sent, row);
    if (line)
        fprintf(stderr, "%s:%zu: ", sent->name, line);
    else if (row.len)
        fprintf(stderr, "%s: ", pointer);
    if (line && rest.at && rest.at[0])
        fprintf(stderr, "%s: ", rest.at);
    fprintf(stderr, "%s\n", message ? message : "does not fit");
}

static void print_hint(int status)
{
    if (status == 401 || status == 403)
        fprintf(stderr, "The key is rest.key of the configuration; another one by CB_REST_KEY or "
                        "--rest.key=KEY.\n");
    if (status == 413)
        fprintf(stderr, "Import in parts.\n");
}

/* What the server refused, with every row and field that it names. */
static int print_refusal(const struct exchange *exchange, const struct sent *sent)
{
    struct arena arena = {0};
    struct reason why;
    const struct json *problem =
        json_parse(&arena, strbuf_text(&exchange->body), exchange->body.len, &why, NULL);
    const char *detail = json_gets(problem, "detail");
    const struct json *errors = json_get(problem, "errors");
    if (errors && errors->type == JSON_ARRAY)
        for (const struct json *e = errors->child; e; e = e->next)
            print_fault(sent, json_gets(e, "pointer"), json_gets(e, "message"));
    fprintf(stderr, "chargebridge: the server refused (%d): %s\n", exchange->status,
            detail ? detail : status_title(exchange->status));
    print_hint(exchange->status);
    arena_clear(&arena);
    return EXIT_REFUSED;
}

static bool ends_with(const char *name, const char *end)
{
    size_t len = strlen(name), end_len = strlen(end);
    return len > end_len && text_is_ci(name + len - end_len, end);
}

/* ---- import ---- */

/* As the server judges where no name tells. */
static bool looks_like_csv(struct span text)
{
    if (span_starts(text, "\xEF\xBB\xBF"))
        text = (struct span){text.at + 3, text.len - 3};
    text = span_trim(text);
    return text.len == 0 || (text.at[0] != '[' && text.at[0] != '{');
}

static int print_imported(const struct exchange *exchange)
{
    struct arena arena = {0};
    struct reason why;
    const struct json *answer =
        json_parse(&arena, strbuf_text(&exchange->body), exchange->body.len, &why, NULL);
    int64_t count = 0;
    bool ok = json_int(json_get(answer, "imported"), &count);
    arena_clear(&arena);
    if (ok)
        printf("imported %lld tag%s\n", (long long)count, count == 1 ? "" : "s");
    else
        fprintf(stderr, "chargebridge: the server's answer does not tell what it imported\n");
    return ok ? EXIT_OK : EXIT_REFUSED;
}

static int import_text(struct exchange *exchange, const char *name, struct span text)
{
    bool json = ends_with(name, ".json");
    const struct sent sent = {cli_file_title(name, "standard input"), text,
                              !json && (ends_with(name, ".csv") || looks_like_csv(text))};
    const char *type = sent.csv ? "Content-Type: text/csv" : "Content-Type: application/json";
    if (!ask(exchange, "POST", "/api/v1/tags:import", type, text))
        return EXIT_REFUSED;
    return exchange->status == 200 ? print_imported(exchange) : print_refusal(exchange, &sent);
}

int cli_tags_import(const struct conf *conf, const char *name)
{
    struct exchange exchange = {.conf = conf};
    struct strbuf text = {0};
    int status = EXIT_REFUSED;
    if (cli_file_read(name, FILE_MAX, &text))
        status = import_text(&exchange, name, (struct span){strbuf_text(&text), text.len});
    strbuf_clear(&text);
    exchange_clear(&exchange);
    return status;
}

/* ---- export ---- */

static const struct sent nothing_sent = {0};

/* The cursor is a tag: everything but letters and digits is escaped. */
static void add_escaped(struct strbuf *out, const char *text)
{
    for (const unsigned char *c = (const unsigned char *)text; *c; c++) {
        bool plain =
            (*c >= '0' && *c <= '9') || (*c >= 'A' && *c <= 'Z') || (*c >= 'a' && *c <= 'z');
        strbuf_addf(out, plain ? "%c" : "%%%02X", *c);
    }
}

/* One page of JSON behind `cursor`, its items added to `out`; the next cursor replaces it. */
static int take_page(struct exchange *exchange, struct strbuf *cursor, struct strbuf *out)
{
    struct strbuf path = {0};
    strbuf_addf(&path, "/api/v1/tags?limit=%d", PAGE);
    if (cursor->len) {
        strbuf_adds(&path, "&cursor=");
        add_escaped(&path, strbuf_text(cursor));
    }
    bool asked = ask(exchange, "GET", strbuf_text(&path), NULL, SPAN(""));
    strbuf_clear(&path);
    strbuf_reset(cursor);
    if (!asked)
        return EXIT_REFUSED;
    if (exchange->status != 200)
        return print_refusal(exchange, &nothing_sent);
    struct arena arena = {0};
    struct reason why;
    const struct json *page =
        json_parse(&arena, strbuf_text(&exchange->body), exchange->body.len, &why, NULL);
    const struct json *items = json_get(page, "items");
    if (!items)
        fprintf(stderr, "chargebridge: the server's answer is no list of tags\n");
    for (const struct json *item = items ? items->child : NULL; item; item = item->next) {
        strbuf_adds(out, out->len ? ",\n  " : "[\n  ");
        json_write(out, item);
    }
    const char *next = json_gets(page, "next");
    if (next)
        strbuf_adds(cursor, next);
    int status = items ? EXIT_OK : EXIT_REFUSED;
    arena_clear(&arena);
    return status;
}

static int export_json(struct exchange *exchange, struct strbuf *out)
{
    struct strbuf cursor = {0};
    int status;
    do
        status = take_page(exchange, &cursor, out);
    while (status == EXIT_OK && cursor.len);
    strbuf_adds(out, out->len ? "\n]\n" : "[]\n");
    strbuf_clear(&cursor);
    return status;
}

static int export_csv(struct exchange *exchange, struct strbuf *out)
{
    if (!ask(exchange, "GET", "/api/v1/tags?format=csv", NULL, SPAN("")))
        return EXIT_REFUSED;
    if (exchange->status != 200)
        return print_refusal(exchange, &nothing_sent);
    strbuf_add(out, strbuf_text(&exchange->body), exchange->body.len);
    return EXIT_OK;
}

int cli_tags_export(const struct conf *conf, const char *name)
{
    struct exchange exchange = {.conf = conf};
    struct strbuf text = {0};
    int status =
        ends_with(name, ".json") ? export_json(&exchange, &text) : export_csv(&exchange, &text);
    if (status == EXIT_OK && !cli_file_write(name, &text))
        status = EXIT_REFUSED;
    strbuf_clear(&text);
    exchange_clear(&exchange);
    return status;
}
