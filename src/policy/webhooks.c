/* See webhooks.h. A message is a row "chargebridge/webhook/<name>/<number>" of the station's kv
 * store, and a struct message with its place in the queue; the text is in the row only. */
#include "policy/webhooks.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/random.h"
#include "base/timetext.h"
#include "policy/outside.h"

enum { KEY_SIZE = 160, ANSWER_MAX = 64 * 1024, HEADERS_OF_OURS = 5 };

static const char key_prefix[] = "chargebridge/webhook/";

struct message {
    struct message *next;
    int64_t number;
    uint64_t written; /* on disk once station_stored() has come so far */
    wall_t created_ms;
    char id[UUID_SIZE];
    char event[WEBHOOK_NAME_MAX + 1];
};

struct queue { /* of one webhook */
    struct policy *policy;
    struct message *first, *last;
    size_t count;
    uint64_t transfer; /* of the port; 0: nothing is under way */
    struct timer retry;
    wall_t retry_ms;
    int attempts; /* of the first message */
    uint64_t delivered, failed, dropped;
    wall_t delivered_ms, error_ms;
    char error[160];
    char name[WEBHOOK_NAME_MAX + 1];
};

struct webhooks {
    struct map queues; /* name → struct queue * */
    int64_t last_number;
};

/* ---- declarations ---- */

size_t webhooks_count(const struct generation *generation)
{
    return generation->webhooks ? generation->webhooks->count : 0;
}

const struct webhook *webhook_find(const struct generation *generation, const char *name)
{
    const struct webhook_list *list = generation ? generation->webhooks : NULL;
    for (size_t i = 0; list && i < list->count; i++) {
        if (text_is(list->items[i].name, name))
            return &list->items[i];
    }
    return NULL;
}

bool webhook_name_valid(const char *name)
{
    size_t len = strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_");
    return len > 0 && len <= WEBHOOK_NAME_MAX && name[len] == '\0';
}

void webhooks_free(struct generation *generation)
{
    struct webhook_list *list = generation->webhooks;
    for (size_t i = 0; list && i < list->count; i++) {
        struct webhook *webhook = &list->items[i];
        for (size_t h = 0; webhook->headers && webhook->headers[h]; h++)
            xfree(webhook->headers[h]);
        xfree(webhook->headers);
        xfree(webhook->name);
        xfree(webhook->url);
        xfree(webhook->secret);
    }
    XFREE(generation->webhooks);
}

/* ---- queues ---- */

static void on_retry(struct timer *timer);

static struct queue *queue_of(struct policy *policy, const char *name)
{
    struct queue *queue = map_gets(&policy->webhooks->queues, name);
    if (queue)
        return queue;
    queue = xcalloc(1, sizeof(*queue));
    queue->policy = policy;
    queue->retry.fn = on_retry;
    text_copy(queue->name, sizeof(queue->name), span_of(name));
    map_put(&policy->webhooks->queues, span_of(name), queue);
    return queue;
}

static const char *key_of(const struct queue *queue, int64_t number, char out[KEY_SIZE])
{
    snprintf(out, KEY_SIZE, "%s%s/%016lld", key_prefix, queue->name, (long long)number);
    return out;
}

static void append(struct queue *queue, struct message *message_owned)
{
    if (queue->last)
        queue->last->next = message_owned;
    else
        queue->first = message_owned;
    queue->last = message_owned;
    queue->count++;
}

/* Out of the queue, and its row. */
static void remove_first(struct queue *queue)
{
    struct message *message = queue->first;
    char key[KEY_SIZE];
    station_kv_set(queue->policy->station, key_of(queue, message->number, key), NULL, 0, NULL);
    queue->first = message->next;
    if (!queue->first)
        queue->last = NULL;
    queue->count--;
    queue->attempts = 0;
    queue->retry_ms = 0;
    xfree(message);
}

/* ---- delivering ---- */

static void pump(struct queue *queue);

static void wait(struct queue *queue, int64_t ms)
{
    queue->retry_ms = wall_now() + ms;
    timer_start(queue->policy->timers, &queue->retry, ms);
}

static void on_retry(struct timer *timer)
{
    struct queue *queue = CONTAINER_OF(timer, struct queue, retry);
    queue->retry_ms = 0;
    pump(queue);
}

static void note_error(struct queue *queue, const char *error)
{
    text_copy(queue->error, sizeof(queue->error), span_of(error));
    queue->error_ms = wall_now();
}

static void failed(struct queue *queue, const char *error)
{
    queue->failed++;
    queue->attempts++;
    note_error(queue, error);
    if (queue->attempts == 1) /* the rest is in GET /webhooks */
        LOG(LOG_WARN, "webhook not delivered, trying again", L_STR("webhook", queue->name),
            L_STR("event", queue->first->event), L_STR("id", queue->first->id),
            L_STR("why", error));
    int64_t ms = WEBHOOK_RETRY_MS;
    for (int i = 1; i < queue->attempts && ms < WEBHOOK_RETRY_MOST_MS; i++)
        ms *= 2;
    wait(queue, ms < WEBHOOK_RETRY_MOST_MS ? ms : WEBHOOK_RETRY_MOST_MS);
}

static void on_answer(void *ctx, const struct policy_http_answer *answer)
{
    struct queue *queue = ctx;
    struct reason why;
    queue->transfer = 0;
    if (answer->status >= 200 && answer->status <= 299) {
        if (queue->attempts > 0)
            LOG(LOG_INFO, "webhook delivers again", L_STR("webhook", queue->name),
                L_INT("queued", queue->count - 1));
        queue->delivered++;
        queue->delivered_ms = wall_now();
        queue->error[0] = '\0';
        remove_first(queue);
        pump(queue);
    } else if (answer->failure) {
        failed(queue, answer->error ? answer->error : answer->failure);
    } else {
        reason_set(&why, "the receiver answered %d", answer->status);
        failed(queue, why.text);
    }
}

/* X-ChargeBridge-Signature: t=<seconds>,v1=<HMAC of "t.body">. */
static char *signature(struct arena *arena, const char *secret, const char *body)
{
    char mac[SHA256_HEX_SIZE];
    struct strbuf text = {0};
    long long now = wall_now() / 1000;
    strbuf_addf(&text, "%lld.%s", now, body);
    hmac_sha256_hex(span_of(secret), (struct span){text.at, text.len}, mac);
    strbuf_clear(&text);
    return arena_printf(arena, "X-ChargeBridge-Signature: t=%lld,v1=%s", now, mac);
}

static const char *const *headers_of(struct arena *arena, const struct webhook *webhook,
                                     const struct message *message, const char *body)
{
    size_t count = 0, given = 0;
    while (webhook->headers && webhook->headers[given])
        given++;
    const char **headers = arena_alloc(arena, (given + HEADERS_OF_OURS) * sizeof(*headers));
    headers[count++] = "Content-Type: application/json";
    headers[count++] = arena_printf(arena, "X-ChargeBridge-Event: %s", message->event);
    headers[count++] = arena_printf(arena, "X-ChargeBridge-Id: %s", message->id);
    if (webhook->secret)
        headers[count++] = signature(arena, webhook->secret, body);
    for (size_t i = 0; i < given; i++)
        headers[count++] = webhook->headers[i];
    headers[count] = NULL;
    return headers;
}

static void deliver(struct queue *queue, const struct webhook *webhook, const char *body)
{
    struct policy *policy = queue->policy;
    struct arena arena = {0};
    struct reason why;
    const struct policy_http what = {.method = "POST",
                                     .url = webhook->url,
                                     .headers = headers_of(&arena, webhook, queue->first, body),
                                     .body = span_of(body),
                                     .timeout_ms = OUTSIDE_TIMEOUT_MS,
                                     .max_body = ANSWER_MAX};
    bool allowed = outside_allowed(policy->settings.http_hosts, webhook->url, &why);
    if (allowed)
        queue->transfer =
            policy->ports.http_start(policy->ports.ctx, &what, on_answer, queue, &why);
    arena_clear(&arena);
    if (!queue->transfer)
        failed(queue, why.text);
}

/* Drops what is too old; the row of the first message, or NULL: nothing is left. */
static const char *first_body(struct queue *queue)
{
    char key[KEY_SIZE];
    while (queue->first) {
        struct message *message = queue->first;
        const char *body =
            station_kv_get(queue->policy->station, key_of(queue, message->number, key));
        if (body && wall_now() - message->created_ms < WEBHOOK_KEEP_MS)
            return body;
        queue->dropped++;
        LOG(LOG_ERROR, "webhook message dropped: not delivered within 3 days",
            L_STR("webhook", queue->name), L_STR("event", message->event), L_STR("id", message->id),
            L_STR("last_error", queue->error));
        remove_first(queue);
    }
    return NULL;
}

/* Delivers the first message, if it is time. */
static void pump(struct queue *queue)
{
    struct policy *policy = queue->policy;
    if (queue->transfer || timer_running(&queue->retry) || policy->closing || !policy->current ||
        !policy->ports.http_start)
        return;
    const char *body = first_body(queue);
    if (!body || station_stored(policy->station) < queue->first->written)
        return;
    const struct webhook *webhook = webhook_find(policy->current, queue->name);
    if (webhook) {
        deliver(queue, webhook, body);
        return;
    }
    note_error(queue, "the policies declare no such webhook");
    wait(queue, WEBHOOK_RETRY_MOST_MS);
}

static void pump_all(void *ctx)
{
    const struct policy *policy = ctx;
    const struct map_entry *entry;
    size_t at = 0;
    while (policy->webhooks && (entry = map_next(&policy->webhooks->queues, &at)) != NULL) {
        struct queue *queue = entry->value;
        if (queue->first)
            pump(queue);
    }
}

void webhooks_swapped(struct policy *policy)
{
    const struct map_entry *entry;
    size_t at = 0;
    while (policy->webhooks && (entry = map_next(&policy->webhooks->queues, &at)) != NULL) {
        struct queue *queue = entry->value;
        if (timer_running(&queue->retry))
            timer_start(policy->timers, &queue->retry, 0);
        else if (queue->first)
            pump(queue);
    }
}

bool webhook_retry(struct policy *policy, const char *name)
{
    struct queue *queue = policy->webhooks ? map_gets(&policy->webhooks->queues, name) : NULL;
    if (!queue)
        return false;
    if (timer_running(&queue->retry))
        timer_start(policy->timers, &queue->retry, 0);
    return true;
}

/* ---- sending ---- */

static void write_body(struct strbuf *out, const char *name, const struct message *message,
                       const char *payload)
{
    char created[32];
    struct json_out o = {.to = out};
    timetext_millis(message->created_ms, created);
    json_open(&o, '{');
    json_key(&o, "id");
    json_put_string(&o, message->id);
    json_key(&o, "webhook");
    json_put_string(&o, name);
    json_key(&o, "event");
    json_put_string(&o, message->event);
    json_key(&o, "created");
    json_put_string(&o, created);
    json_key(&o, "data");
    json_put_raw(&o, span_of(payload));
    json_close(&o, '}');
}

bool webhook_send(struct policy *policy, const char *name, const char *event, const char *payload,
                  char id[UUID_SIZE], struct reason *why)
{
    struct queue *queue = queue_of(policy, name);
    char key[KEY_SIZE];
    if (queue->count >= WEBHOOK_QUEUE_MAX)
        return reason_set(why, "%d messages of webhook %s wait already", WEBHOOK_QUEUE_MAX, name);
    struct message *message = xcalloc(1, sizeof(*message));
    message->number = policy->webhooks->last_number + 1;
    message->created_ms = wall_now();
    uuid_new(message->id);
    text_copy(message->event, sizeof(message->event), span_of(event));
    struct strbuf body = {0};
    write_body(&body, name, message, payload);
    bool ok = station_kv_set(policy->station, key_of(queue, message->number, key), body.at, 0, why);
    strbuf_clear(&body);
    if (!ok) {
        xfree(message);
        return false;
    }
    policy->webhooks->last_number = message->number;
    message->written = station_written(policy->station);
    memcpy(id, message->id, UUID_SIZE);
    append(queue, message);
    return true;
}

/* ---- life ---- */

static int by_number(const void *a, const void *b)
{
    const struct message *x = *(struct message *const *)a, *y = *(struct message *const *)b;
    return x->number < y->number ? -1 : x->number > y->number;
}

/* The rows come in no order. */
static void sort(struct queue *queue)
{
    struct message **list = xcalloc(queue->count + 1, sizeof(struct message *));
    size_t count = 0;
    for (struct message *message = queue->first; message; message = message->next)
        list[count++] = message;
    qsort(list, count, sizeof(struct message *), by_number);
    queue->first = queue->last = NULL;
    queue->count = 0;
    for (size_t i = 0; i < count; i++) {
        list[i]->next = NULL;
        append(queue, list[i]);
    }
    xfree(list);
}

/* A row of ours; what cannot be read is left where it is. */
static void read_row(struct policy *policy, const char *key)
{
    struct span rest = span_of(key + sizeof(key_prefix) - 1), name;
    struct arena arena = {0};
    int64_t number;
    char *text = arena_strdup(&arena, station_kv_get(policy->station, key));
    const struct json *body = text ? json_parse(&arena, text, strlen(text), NULL, NULL) : NULL;
    const char *id = json_gets(body, "id"), *event = json_gets(body, "event");
    const char *created = json_gets(body, "created");
    wall_t created_ms;
    bool ok = span_cut(&rest, '/', &name) && rest.at && span_int(rest, &number) && id && event &&
              created && timetext_parse(span_of(created), 0, &created_ms);
    char *queue = ok ? arena_strndup(&arena, name.at, name.len) : NULL;
    if (ok && webhook_name_valid(queue)) {
        struct message *message = xcalloc(1, sizeof(*message));
        message->number = number;
        message->created_ms = created_ms;
        text_copy(message->id, sizeof(message->id), span_of(id));
        text_copy(message->event, sizeof(message->event), span_of(event));
        append(queue_of(policy, queue), message);
        if (number > policy->webhooks->last_number)
            policy->webhooks->last_number = number;
    }
    arena_clear(&arena);
}

void webhooks_open(struct policy *policy)
{
    const char *key;
    size_t at = 0;
    policy->webhooks = xcalloc(1, sizeof(*policy->webhooks));
    while ((key = station_kv_next(policy->station, &at)) != NULL) {
        if (span_starts(span_of(key), key_prefix))
            read_row(policy, key);
    }
    const struct map_entry *entry;
    for (at = 0; (entry = map_next(&policy->webhooks->queues, &at)) != NULL;) {
        struct queue *queue = entry->value;
        sort(queue);
        LOG(LOG_INFO, "webhook messages to deliver", L_STR("webhook", queue->name),
            L_INT("queued", queue->count));
    }
    station_on_stored(policy->station, pump_all, policy);
}

void webhooks_close(struct policy *policy)
{
    const struct map_entry *entry;
    size_t at = 0;
    if (!policy->webhooks)
        return;
    station_on_stored(policy->station, NULL, NULL);
    while ((entry = map_next(&policy->webhooks->queues, &at)) != NULL) {
        struct queue *queue = entry->value;
        if (queue->transfer)
            policy->ports.http_cancel(policy->ports.ctx, queue->transfer);
        timer_stop(policy->timers, &queue->retry);
        while (queue->first) {
            struct message *message = queue->first;
            queue->first = message->next;
            xfree(message);
        }
        xfree(queue);
    }
    map_clear(&policy->webhooks->queues);
    XFREE(policy->webhooks);
}

/* ---- figures ---- */

bool webhooks_next(const struct policy *policy, size_t *at, struct webhook_state *out)
{
    const struct map_entry *entry =
        policy->webhooks ? map_next(&policy->webhooks->queues, at) : NULL;
    if (!entry)
        return false;
    const struct queue *queue = entry->value;
    *out = (struct webhook_state){.name = queue->name,
                                  .queued = queue->count,
                                  .sending = queue->transfer != 0,
                                  .delivered = queue->delivered,
                                  .failed = queue->failed,
                                  .dropped = queue->dropped,
                                  .oldest_ms = queue->first ? queue->first->created_ms : 0,
                                  .delivered_ms = queue->delivered_ms,
                                  .error = queue->error,
                                  .error_ms = queue->error_ms,
                                  .retry_ms = queue->retry_ms};
    return true;
}
