/* See http_head.h. Start reading at http_head_parse: request line, header lines, upgrade. */
#include "net/http_head.h"

#include <string.h>

#include "base/mem.h"

/* RFC 9110 §5.6.2: what methods and header names consist of. */
static bool is_token_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           (c != '\0' && strchr("!#$%&'*+-.^_`|~", c) != NULL);
}

/* Length of the empty lines at the start (RFC 9112 §2.2: ignore them). */
static size_t skip_empty_lines(const char *text, size_t len)
{
    size_t at = 0;
    while (at < len) {
        if (text[at] == '\n') {
            at++;
        } else if (text[at] == '\r' && at + 1 < len && text[at + 1] == '\n') {
            at += 2;
        } else {
            break;
        }
    }
    return at;
}

long http_head_length(const char *text, size_t len)
{
    size_t start = skip_empty_lines(text, len);
    /* A TLS hello, or anything else that is not HTTP: no need to wait for 8 KiB of it. */
    if (start < len && text[start] != '\r' && !is_token_char(text[start]))
        return -1;
    size_t at = start;
    while (at < len) {
        const char *end = memchr(text + at, '\n', len - at);
        if (end == NULL)
            return 0;
        size_t line = (size_t)(end - text) - at;
        bool empty = line == 0 || (line == 1 && text[at] == '\r');
        at = (size_t)(end - text) + 1;
        if (empty)
            return (long)at;
    }
    return 0;
}

/* Cuts the next line off and ends it with NUL. False: a bare CR, or a control character. */
static bool next_line(char **rest, char **line)
{
    char *end = strchr(*rest, '\n');
    *line = *rest;
    *rest = end + 1;
    if (end > *line && end[-1] == '\r')
        end--;
    *end = '\0';
    for (const char *c = *line; c < end; c++) {
        if (((unsigned char)*c < ' ' && *c != '\t') || *c == 0x7f)
            return false;
    }
    return true;
}

/* `scheme://authority/path` is a legal target (RFC 9112 §3.2.2) and seen in the field. */
static char *target_path(char *target)
{
    char *scheme = strstr(target, "://");
    if (target[0] != '/' && scheme != NULL && strcspn(target, "/?#") > (size_t)(scheme - target)) {
        target = strpbrk(scheme + 3, "/?#");
        if (target == NULL)
            return NULL;
    }
    if (target[0] != '/')
        return NULL;
    target[strcspn(target, "?#")] = '\0';
    return target;
}

static int parse_request_line(char *line, struct http_head *head)
{
    char *target = strchr(line, ' ');
    char *protocol = target == NULL ? NULL : strchr(target + 1, ' ');
    if (protocol == NULL || target == line)
        return 400;
    *target++ = *protocol++ = '\0';
    for (const char *c = line; *c != '\0'; c++) {
        if (!is_token_char(*c))
            return 400;
    }
    if (strncmp(protocol, "HTTP/", 5) != 0 || strlen(protocol) != 8 || protocol[6] != '.')
        return 400;
    if (protocol[5] != '1')
        return 505;
    if (protocol[7] < '0' || protocol[7] > '9')
        return 400;
    head->head_method = strcmp(line, "HEAD") == 0;
    if (strcmp(line, "GET") != 0 && !head->head_method)
        return 405;
    head->path = target_path(target);
    return head->path != NULL ? 101 : 400;
}

/* What the upgrade needs to know beside struct http_head. */
struct upgrade {
    bool websocket;
    const char *version;
    bool host;
    struct strbuf *merged;
};

/* One of a comma-separated list, without case. */
static bool has_word(const char *list, const char *word)
{
    struct span rest = span_of(list);
    struct span piece;
    while (span_cut(&rest, ',', &piece)) {
        if (span_is_ci(span_trim(piece), word))
            return true;
    }
    return false;
}

static bool store_once(const char **slot, const char *value)
{
    if (*slot != NULL)
        return false;
    *slot = value;
    return true;
}

/* RFC 6455 §4.1: may be split over several lines. */
static void merge_subprotocols(struct http_head *head, struct upgrade *upgrade, const char *value)
{
    if (head->subprotocols == NULL) {
        head->subprotocols = value;
        return;
    }
    if (upgrade->merged->len == 0)
        strbuf_adds(upgrade->merged, head->subprotocols);
    strbuf_adds(upgrade->merged, ", ");
    strbuf_adds(upgrade->merged, value);
    head->subprotocols = strbuf_text(upgrade->merged);
}

static int take_header(struct http_head *head, struct upgrade *upgrade, const char *name,
                       const char *value)
{
    if (text_is(name, "authorization"))
        return store_once(&head->authorization, value) ? 101 : 400;
    if (text_is(name, "proxy-authorization"))
        return 101;
    if (text_is(name, "sec-websocket-key"))
        return store_once(&head->key, value) ? 101 : 400;
    if (text_is(name, "transfer-encoding"))
        return 400; /* a body would be read as frames */
    if (text_is(name, "content-length") && !text_is(value, "0"))
        return 400;
    if (text_is(name, "host")) {
        if (upgrade->host)
            return 400;
        upgrade->host = true;
    } else if (text_is(name, "upgrade")) {
        upgrade->websocket |= has_word(value, "websocket");
    } else if (text_is(name, "sec-websocket-version")) {
        if (!store_once(&upgrade->version, value))
            return 400;
    } else if (text_is(name, "sec-websocket-protocol")) {
        merge_subprotocols(head, upgrade, value);
    }
    if (head->header_count == HTTP_HEADERS_MAX)
        return 431;
    head->headers[head->header_count++] = (struct name_value){name, value};
    return 101;
}

static int parse_header_line(char *line, struct http_head *head, struct upgrade *upgrade)
{
    char *c = line;
    for (; is_token_char(*c); c++) {
        if (*c >= 'A' && *c <= 'Z')
            *c = (char)(*c - 'A' + 'a');
    }
    /* Folded lines and blanks before the colon end here too (RFC 9112 §5.1, §5.2). */
    if (*c != ':' || c == line)
        return 400;
    *c = '\0';
    struct span value = span_trim(span_of(c + 1));
    char *start = c + 1 + (value.at - (c + 1));
    start[value.len] = '\0';
    return take_header(head, upgrade, line, start);
}

static int check_upgrade(const struct http_head *head, const struct upgrade *upgrade)
{
    /* Q18: `Connection: Upgrade` is not asked for; some leave it out or write other words. */
    if (!upgrade->websocket || head->head_method)
        return 426;
    if (upgrade->version != NULL && strcmp(upgrade->version, "13") != 0)
        return 426;
    size_t len = head->key == NULL ? 0 : strlen(head->key);
    if (len == 0 || len > HTTP_KEY_MAX)
        return 400;
    for (const char *c = head->key; *c != '\0'; c++) {
        if (*c <= ' ' || *c > '~')
            return 400;
    }
    return 101;
}

int http_head_parse(char *text, size_t len, struct http_head *head, struct strbuf *merged)
{
    *head = (struct http_head){0};
    struct upgrade upgrade = {.merged = merged};
    if (memchr(text, '\0', len) != NULL || len == 0 || text[len - 1] != '\n')
        return 400;
    char *rest = text + skip_empty_lines(text, len);
    char *line;
    if (rest >= text + len || !next_line(&rest, &line))
        return 400;
    int status = parse_request_line(line, head);
    while (status == 101 && rest < text + len) {
        if (!next_line(&rest, &line))
            return 400;
        if (*line == '\0')
            break;
        status = parse_header_line(line, head, &upgrade);
    }
    return status == 101 ? check_upgrade(head, &upgrade) : status;
}

struct answer {
    int status;
    const char *reason;
    const char *headers;
    const char *body;
};

static const struct answer answers[] = {
    {400, "Bad Request", "", "This is not a request that can be understood.\n"},
    {401, "Unauthorized", "WWW-Authenticate: Basic realm=\"ChargeBridge\"\r\n",
     "Wrong or missing credentials.\n"},
    {403, "Forbidden", "", "Not allowed.\n"},
    {404, "Not Found", "", "There is no charge point of this name here.\n"},
    {405, "Method Not Allowed", "Allow: GET\r\n", "Only WebSocket upgrades are served here.\n"},
    {408, "Request Timeout", "", "The request took too long.\n"},
    {426, "Upgrade Required", "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n",
     "This port speaks OCPP over WebSocket.\n"},
    {429, "Too Many Requests", "Retry-After: 30\r\n", "Too many connections.\n"},
    {431, "Request Header Fields Too Large", "", "The request is too large.\n"},
    {500, "Internal Server Error", "", "The server failed.\n"},
    {503, "Service Unavailable", "Retry-After: 30\r\n", "Not now; try again.\n"},
    {505, "HTTP Version Not Supported", "", "HTTP/1.1 is spoken here.\n"},
};

static const struct answer *answer_find(int status)
{
    for (size_t i = 0; i < ARRAY_LEN(answers); i++) {
        if (answers[i].status == status)
            return &answers[i];
    }
    return answer_find(500);
}

void http_answer(struct strbuf *out, int status, bool head_method)
{
    const struct answer *answer = answer_find(status);
    strbuf_addf(out, "HTTP/1.1 %d %s\r\n%s", answer->status, answer->reason, answer->headers);
    /* RFC 9110 §7.8: whoever sends Upgrade names it in Connection too. */
    strbuf_addf(out, "Connection: close%s\r\n", answer->status == 426 ? ", Upgrade" : "");
    strbuf_addf(out, "Content-Type: text/plain\r\nContent-Length: %zu\r\n\r\n",
                strlen(answer->body));
    if (!head_method)
        strbuf_adds(out, answer->body);
}
