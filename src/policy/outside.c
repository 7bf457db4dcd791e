/* See outside.h. A transfer is queued, then active, then told; whoever is told is out of the list
 * already, so that it may start the next. */
#include "policy/outside.h"

#include <string.h>

#include "base/mem.h"
#include "policy/testkit.h"

struct transfer {
    struct transfer *next;
    struct policy *policy;
    uint64_t number, port_number; /* of the port: 0 while it is queued */
    struct arena arena;           /* owns what `what` points to */
    struct policy_http what;
    mono_t due;
    struct timer late; /* while it is queued */
    policy_http_done done;
    void *ctx;
};

struct outside {
    struct transfer *transfers; /* oldest first */
    size_t active, queued;
    uint64_t numbers, started, failed;
};

/* ---- URLs and hosts ---- */

struct place {
    struct span host; /* "[::1]" with its brackets */
    int64_t port;
};

/* Only what every reader of URLs understands in the same way. */
static bool host_valid(struct span host)
{
    static const char name[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_";
    static const char six[] = "0123456789abcdefABCDEF:.";
    if (host.len >= 2 && host.at[0] == '[') {
        size_t inner = 0;
        while (inner + 1 < host.len && strchr(six, host.at[inner + 1]))
            inner++;
        return inner > 0 && inner == host.len - 2 && host.at[host.len - 1] == ']';
    }
    size_t len = 0;
    while (len < host.len && host.at[len] && strchr(name, host.at[len]))
        len++;
    return len > 0 && len == host.len;
}

/* "host", "host:port" or "[v6]:port". */
static bool read_place(struct span text, int64_t default_port, struct place *out)
{
    const char *bracket = text.len ? memchr(text.at, ']', text.len) : NULL;
    size_t from = bracket ? (size_t)(bracket - text.at) : 0;
    const char *colon = text.len ? memchr(text.at + from, ':', text.len - from) : NULL;
    out->host = text;
    out->port = default_port;
    if (colon) {
        out->host.len = (size_t)(colon - text.at);
        struct span port = {colon + 1, text.len - out->host.len - 1};
        if (!span_int(port, &out->port) || out->port < 1 || out->port > 65535)
            return false;
    }
    return host_valid(out->host);
}

static bool read_url(const char *url, struct place *out, struct reason *why)
{
    struct span rest = span_of(url);
    int64_t port = span_starts(rest, "https://") ? 443 : 80;
    if (port == 80 && !span_starts(rest, "http://"))
        return reason_set(why, "expected a URL that begins with http:// or https://");
    if (rest.len > OUTSIDE_URL_MAX)
        return reason_set(why, "the URL has more than %d bytes", OUTSIDE_URL_MAX);
    for (size_t i = 0; i < rest.len; i++) {
        if (rest.at[i] <= ' ' || rest.at[i] > '~' || strchr("\\\"<>^`{|}#", rest.at[i]))
            return reason_set(why,
                              "byte %zu of the URL may not be in one: http.escape() makes a "
                              "value fit",
                              i + 1);
    }
    size_t scheme = port == 443 ? 8 : 7, len = strcspn(url + scheme, "/?");
    if (!read_place((struct span){url + scheme, len}, port, out))
        return reason_set(why, "expected a host, or host:port, after %.*s", (int)scheme, url);
    return true;
}

bool outside_url_valid(const char *url, struct reason *why)
{
    struct place place;
    return read_url(url, &place, why);
}

/* The next entry; they stand apart by commas or blanks. */
static bool next_entry(const char **at, struct span *entry)
{
    *at += strspn(*at, ", \t");
    *entry = (struct span){*at, strcspn(*at, ", \t")};
    *at += entry->len;
    return entry->len > 0;
}

bool policy_http_hosts_valid(const char *hosts, struct reason *why)
{
    struct span entry;
    struct place place;
    while (next_entry(&hosts, &entry)) {
        if (!read_place(entry, 0, &place))
            return reason_set(why, "\"%.*s\": expected host or host:port, without http://",
                              (int)entry.len, entry.at);
    }
    return true;
}

bool outside_allowed(const char *hosts, const char *url, struct reason *why)
{
    struct place wanted, place;
    struct span entry;
    if (!read_url(url, &wanted, why))
        return false;
    int64_t usual = span_starts(span_of(url), "https://") ? 443 : 80;
    for (const char *at = hosts ? hosts : ""; next_entry(&at, &entry);) {
        if (read_place(entry, usual, &place) && place.port == wanted.port &&
            place.host.len == wanted.host.len &&
            strncasecmp(place.host.at, wanted.host.at, wanted.host.len) == 0)
            return true;
    }
    return reason_set(why, "%.*s:%d is not in policies.http_hosts", (int)wanted.host.len,
                      wanted.host.at, (int)wanted.port);
}

/* ---- the list ---- */

static void transfer_free(struct transfer *transfer)
{
    struct outside *outside = transfer->policy->outside;
    for (struct transfer **at = &outside->transfers; *at; at = &(*at)->next) {
        if (*at == transfer) {
            *at = transfer->next;
            break;
        }
    }
    if (transfer->port_number)
        outside->active--;
    else
        outside->queued--;
    timer_stop(transfer->policy->timers, &transfer->late);
    arena_clear(&transfer->arena);
    xfree(transfer);
}

static void copy_request(struct transfer *transfer, const struct policy_http *what)
{
    struct arena *arena = &transfer->arena;
    size_t count = 0;
    while (what->headers && what->headers[count])
        count++;
    const char **headers = arena_alloc(arena, (count + 1) * sizeof(*headers));
    for (size_t i = 0; i < count; i++)
        headers[i] = arena_strdup(arena, what->headers[i]);
    headers[count] = NULL;
    transfer->what = *what;
    transfer->what.method = arena_strdup(arena, what->method);
    transfer->what.url = arena_strdup(arena, what->url);
    transfer->what.headers = headers;
    transfer->what.body.at =
        arena_strndup(arena, what->body.at ? what->body.at : "", what->body.len);
}

/* ---- running ---- */

static void start_queued(struct policy *policy);

static void tell(struct transfer *transfer, const struct policy_http_answer *answer)
{
    struct policy *policy = transfer->policy;
    policy_http_done done = transfer->done;
    void *ctx = transfer->ctx;
    policy->outside->failed += answer->failure != NULL;
    transfer_free(transfer);
    done(ctx, answer);
    start_queued(policy);
}

static void tell_failed(struct transfer *transfer, const char *failure, const char *error)
{
    tell(transfer, &(struct policy_http_answer){.failure = failure, .error = error});
}

static void on_answer(void *ctx, const struct policy_http_answer *answer)
{
    tell(ctx, answer);
}

static void on_late(struct timer *timer)
{
    struct transfer *transfer = CONTAINER_OF(timer, struct transfer, late);
    if (!transfer->port_number)
        tell_failed(transfer, "timeout", "too many requests under way: its turn did not come");
}

static struct transfer *first_queued(const struct outside *outside)
{
    struct transfer *transfer = outside->transfers;
    while (transfer && transfer->port_number)
        transfer = transfer->next;
    return transfer;
}

/* False: it could not be started; `late` tells it, so that nobody is told inside of his call. */
static bool start(struct transfer *transfer, struct reason *why)
{
    struct policy *policy = transfer->policy;
    struct policy_http what = transfer->what;
    what.timeout_ms = transfer->due - mono_now();
    transfer->port_number =
        policy->ports.http_start(policy->ports.ctx, &what, on_answer, transfer, why);
    if (!transfer->port_number)
        return false;
    timer_stop(policy->timers, &transfer->late);
    policy->outside->queued--;
    policy->outside->active++;
    policy->outside->started++;
    return true;
}

static void start_queued(struct policy *policy)
{
    struct outside *outside = policy->outside;
    struct transfer *transfer;
    struct reason why;
    while (outside->active < OUTSIDE_AT_ONCE && (transfer = first_queued(outside)) != NULL) {
        if (!start(transfer, &why)) {
            tell_failed(transfer, "unreachable", why.text);
            return; /* which has gone on here already */
        }
    }
}

static struct transfer *transfer_new(struct policy *policy, const struct policy_http *what)
{
    if (!policy->outside)
        policy->outside = xcalloc(1, sizeof(*policy->outside));
    struct outside *outside = policy->outside;
    struct transfer *transfer = xcalloc(1, sizeof(*transfer));
    struct transfer **last = &outside->transfers;
    while (*last)
        last = &(*last)->next;
    *last = transfer;
    transfer->policy = policy;
    transfer->number = ++outside->numbers;
    transfer->due = mono_now() + what->timeout_ms;
    transfer->late.fn = on_late;
    copy_request(transfer, what);
    outside->queued++;
    timer_start(policy->timers, &transfer->late, what->timeout_ms);
    return transfer;
}

uint64_t outside_start(struct generation *generation, const struct policy_http *what,
                       policy_http_done done, void *ctx, struct reason *why)
{
    if (generation->testkit)
        return testkit_http_start(generation->testkit, what, done, ctx);
    struct policy *policy = generation->policy;
    if (!policy || !policy->ports.http_start || policy->closing) {
        reason_set(why, "there is no way out: no server runs");
        return 0;
    }
    if (!outside_allowed(policy->settings.http_hosts, what->url, why))
        return 0;
    struct transfer *transfer = transfer_new(policy, what);
    transfer->done = done;
    transfer->ctx = ctx;
    if (policy->outside->active < OUTSIDE_AT_ONCE && !start(transfer, why)) {
        transfer_free(transfer);
        return 0;
    }
    return transfer->number;
}

void outside_cancel(struct generation *generation, uint64_t number)
{
    if (generation->testkit) {
        testkit_http_cancel(generation->testkit, number);
        return;
    }
    struct policy *policy = generation->policy;
    struct transfer *transfer = policy && policy->outside ? policy->outside->transfers : NULL;
    while (transfer && transfer->number != number)
        transfer = transfer->next;
    if (!transfer)
        return;
    if (transfer->port_number)
        policy->ports.http_cancel(policy->ports.ctx, transfer->port_number);
    transfer_free(transfer);
    if (!policy->closing)
        start_queued(policy);
}

void outside_close(struct policy *policy)
{
    while (policy->outside && policy->outside->transfers) {
        struct transfer *transfer = policy->outside->transfers;
        if (transfer->port_number)
            policy->ports.http_cancel(policy->ports.ctx, transfer->port_number);
        transfer_free(transfer);
    }
    XFREE(policy->outside);
}

struct outside_figures outside_figures(const struct policy *policy)
{
    const struct outside *outside = policy->outside;
    if (!outside)
        return (struct outside_figures){0};
    return (struct outside_figures){outside->active, outside->queued, outside->started,
                                    outside->failed};
}
