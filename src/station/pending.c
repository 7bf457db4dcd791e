/* Remote starts that wait for their StartTransaction: rules X16, C2, C3.
 *
 * `Accepted` is a promise to try, and the StartTransaction may overtake it, so an entry is made
 * when the command goes out. Timeouts and errors leave the result unknown: the entry waits on. One
 * a charge point and connector, in one list, oldest first; there are few, so everything is a walk.
 * Each is a kv row as well, without an expiry there: what ran out while the server was down is told
 * after the start. */
#include "station/pending.h"

#include <string.h>

#include "base/digest.h"
#include "base/log.h"
#include "base/mem.h"
#include "station/lane.h"

enum { REMOTE_START_MS = 300000, ID_IN_KEY_MAX = 200 };

static const char key_prefix[] = "chargebridge/pending/";

/* ---- the rows ---- */

/* kv keys have at most 255 bytes, identities too. */
static char *key_of(struct arena *arena, const struct pending_start *pending)
{
    char hash[SHA256_HEX_SIZE];
    const char *cp = pending->cp;
    if (strlen(cp) > ID_IN_KEY_MAX) {
        sha256_hex(cp, strlen(cp), hash);
        cp = hash;
    }
    if (pending->connector == ABSENT)
        return arena_printf(arena, "%s%s/-", key_prefix, cp);
    return arena_printf(arena, "%s%s/%lld", key_prefix, cp, (long long)pending->connector);
}

static void put_members(struct json_out *o, const struct pending_start *pending)
{
    if (pending->connector != ABSENT) {
        json_key(o, "connectorId");
        json_put_int(o, pending->connector);
    }
    json_key(o, "idTag");
    json_put_string(o, pending->id_tag);
    json_key(o, "createdMs");
    json_put_int(o, pending->created_ms);
    if (pending->vars) {
        json_key(o, "vars");
        json_put_raw(o, span_of(pending->vars));
    }
}

static void row_put(struct station *st, const struct pending_start *pending)
{
    struct arena arena = {0};
    struct strbuf text = {0};
    struct json_out o = {.to = &text};
    json_open(&o, '{');
    json_key(&o, "cp");
    json_put_string(&o, pending->cp);
    put_members(&o, pending);
    json_key(&o, "expiresMs");
    json_put_int(&o, pending->expires_ms);
    json_key(&o, "command");
    json_put_string(&o, pending->command);
    json_close(&o, '}');
    struct reason why;
    if (!station_kv_set(st, key_of(&arena, pending), text.at, 0, &why))
        LOG(LOG_WARN, "a remote start will not survive a restart", L_STR("cp", pending->cp),
            L_STR("why", why.text));
    strbuf_clear(&text);
    arena_clear(&arena);
}

static void row_delete(struct station *st, const struct pending_start *pending)
{
    struct arena arena = {0};
    station_kv_set(st, key_of(&arena, pending), NULL, 0, NULL);
    arena_clear(&arena);
}

/* ---- the list ---- */

static void pending_free(struct pending_start *pending)
{
    if (!pending)
        return;
    xfree(pending->cp);
    xfree(pending->id_tag);
    xfree(pending->vars);
    xfree(pending);
}

static void arm(struct station *st)
{
    wall_t first = INT64_MAX;
    for (size_t i = 0; i < st->pending_count; i++) {
        if (st->pending[i]->expires_ms < first)
            first = st->pending[i]->expires_ms;
    }
    if (st->pending_count == 0)
        timer_stop(st->timers, &st->pending_timer);
    else
        timer_start(st->timers, &st->pending_timer, first - wall_now());
}

/* Out of the list; the caller's. */
static struct pending_start *detach(struct station *st, size_t place)
{
    struct pending_start *pending = st->pending[place];
    st->pending_count--;
    memmove(&st->pending[place], &st->pending[place + 1],
            (st->pending_count - place) * sizeof(struct pending_start *));
    return pending;
}

static void drop(struct station *st, size_t place)
{
    struct pending_start *pending = detach(st, place);
    row_delete(st, pending);
    pending_free(pending);
    arm(st);
}

static bool is_at(const struct pending_start *pending, const char *cp, int64_t connector)
{
    return pending->connector == connector && text_is_ci(pending->cp, cp);
}

/* Its place, or pending_count. */
static size_t place_of(const struct station *st, const char *cp, int64_t connector)
{
    size_t place = 0;
    while (place < st->pending_count && !is_at(st->pending[place], cp, connector))
        place++;
    return place;
}

/* X16: one a connector; the newest stands at the end. */
static void add(struct station *st, struct pending_start *pending_owned)
{
    size_t before = place_of(st, pending_owned->cp, pending_owned->connector);
    if (before < st->pending_count)
        pending_free(detach(st, before));
    st->pending = xgrow(st->pending, st->pending_count, &st->pending_room, sizeof(*st->pending));
    st->pending[st->pending_count++] = pending_owned;
    arm(st);
}

/* ---- expiry ---- */

static void tell_expired(struct station *st, const struct pending_start *pending)
{
    struct strbuf text = {0};
    struct json_out o = {.to = &text};
    json_open(&o, '{');
    put_members(&o, pending);
    json_close(&o, '}');
    station_row_event(st, pending->cp, "remote_start_expired", text.at);
    struct charge_point *cp = station_find(st, pending->cp);
    if (cp) {
        struct arena arena = {0};
        char *id_tag = arena_strdup(&arena, pending->id_tag);
        text_upper(id_tag);
        struct event event = {.kind = EVENT_REMOTE_START_EXPIRED,
                              .connector = pending->connector,
                              .id_tag = id_tag,
                              .data = json_parse(&arena, text.at, text.len, NULL, NULL)};
        lane_event(cp->lane, &event, false);
        arena_clear(&arena);
    }
    strbuf_clear(&text);
}

/* C7: its profile was for the transaction that did not come. */
static void forget_profile(struct station *st, const struct pending_start *pending)
{
    struct arena *arena;
    if (pending->connector == ABSENT)
        return;
    struct record *row = station_row(st, RECORD_CHARGING_PROFILE_CLEAR, &arena);
    row->charging_profile_clear =
        (struct record_charging_profile_clear){.cp = arena_strdup(arena, pending->cp),
                                               .id = ABSENT,
                                               .connector = pending->connector,
                                               .stack_level = ABSENT,
                                               .transaction_id = ABSENT,
                                               .purpose = "TxProfile",
                                               .waiting = true};
}

/* Who is told may do anything, so each round looks at the list anew. */
static void on_timer(struct timer *timer)
{
    struct station *st = CONTAINER_OF(timer, struct station, pending_timer);
    for (size_t i = 0; i < st->pending_count;) {
        if (st->pending[i]->expires_ms > wall_now()) {
            i++;
            continue;
        }
        struct pending_start *pending = detach(st, i);
        row_delete(st, pending);
        forget_profile(st, pending);
        tell_expired(st, pending);
        pending_free(pending);
        i = 0;
    }
    arm(st);
}

void pending_init(struct station *st)
{
    st->pending_timer.fn = on_timer;
}

void pending_clear(struct station *st)
{
    timer_stop(st->timers, &st->pending_timer);
    while (st->pending_count > 0)
        pending_free(st->pending[--st->pending_count]);
    XFREE(st->pending);
    st->pending_room = 0;
}

/* ---- restoring ---- */

static struct pending_start *pending_read(struct arena *arena, const char *value)
{
    const struct json *object = json_parse(arena, value, strlen(value), NULL, NULL);
    const char *cp = json_gets(object, "cp");
    const char *id_tag = json_gets(object, "idTag");
    const char *command = json_gets(object, "command");
    const struct json *vars = json_get(object, "vars");
    struct pending_start read = {.connector = ABSENT};
    if (!cp || !id_tag || !command || !json_int(json_get(object, "createdMs"), &read.created_ms) ||
        !json_int(json_get(object, "expiresMs"), &read.expires_ms))
        return NULL;
    json_int(json_get(object, "connectorId"), &read.connector);
    text_copy(read.command, sizeof(read.command), span_of(command));
    read.cp = xstrdup(cp);
    read.id_tag = xstrdup(id_tag);
    read.vars = vars && vars->type == JSON_OBJECT ? xstrndup(vars->raw.at, vars->raw.len) : NULL;
    struct pending_start *pending = xmalloc(sizeof(*pending));
    *pending = read;
    return pending;
}

void pending_restore(struct station *st, const struct record_kv *row)
{
    if (strncmp(row->key, key_prefix, strlen(key_prefix)) != 0)
        return;
    struct arena arena = {0};
    struct pending_start *pending = pending_read(&arena, row->value);
    arena_clear(&arena);
    if (pending)
        add(st, pending);
    else
        LOG(LOG_ERROR, "a stored remote start cannot be read", L_STR("key", row->key));
}

/* ---- the life of one ---- */

/* An object that fits into vars, as text of the caller's, or NULL. */
static char *vars_checked(const char *cp, const char *json)
{
    struct vars vars = {0};
    bool ok = vars_read(&vars, json) && vars.bytes < VARS_MAX;
    vars_clear(&vars);
    if (!ok && json)
        LOG(LOG_WARN, "the vars of a remote start are no object or too large", L_STR("cp", cp));
    return ok ? xstrdup(json) : NULL;
}

void pending_sent(struct station *st, const struct charge_point *cp, const struct outcall *call,
                  const char *vars)
{
    if (!text_is(call->action, "RemoteStartTransaction"))
        return;
    struct arena arena = {0};
    const struct json *payload =
        json_parse(&arena, call->payload, strlen(call->payload), NULL, NULL);
    const char *id_tag = json_gets(payload, "idTag");
    int64_t wait_ms = st->settings.remote_start_ms;
    if (id_tag) {
        struct pending_start *pending = xcalloc(1, sizeof(*pending));
        pending->connector = ABSENT;
        json_int(json_get(payload, "connectorId"), &pending->connector);
        pending->cp = xstrdup(cp->id);
        pending->id_tag = xstrdup(id_tag_normal(cp, &arena, id_tag));
        pending->vars = vars_checked(cp->id, vars);
        text_copy(pending->command, sizeof(pending->command), span_of(call->id));
        pending->created_ms = wall_now();
        pending->expires_ms = pending->created_ms + (wait_ms > 0 ? wait_ms : REMOTE_START_MS);
        add(st, pending);
        row_put(st, pending);
    }
    arena_clear(&arena);
}

void pending_refused(struct station *st, const char *command)
{
    for (size_t i = 0; i < st->pending_count; i++) {
        if (text_is(st->pending[i]->command, command)) {
            drop(st, i);
            return;
        }
    }
}

bool pending_waits(const struct station *st, const char *command)
{
    for (size_t i = 0; i < st->pending_count; i++) {
        if (text_is(st->pending[i]->command, command))
            return true;
    }
    return false;
}

/* Both are known to be objects; what does not fit is said. */
static void merge(struct vars *into, const char *json, const char *cp)
{
    struct arena arena = {0};
    const struct json *object = json_parse(&arena, json, strlen(json), NULL, NULL);
    const struct json *member = object ? object->child : NULL;
    for (; member; member = member->next) {
        struct reason why;
        const char *value = arena_strndup(&arena, member->raw.at, member->raw.len);
        if (!vars_set(into, member->key.at, value, &why))
            LOG(LOG_WARN, "a value of a remote start was lost", L_STR("cp", cp),
                L_STR("why", why.text));
    }
    arena_clear(&arena);
}

void pending_take(struct station *st, const struct charge_point *cp, int64_t connector,
                  const char *id_tag, struct vars *into)
{
    const int64_t slots[] = {connector, ABSENT};
    for (size_t i = 0; i < ARRAY_LEN(slots); i++) {
        size_t place = place_of(st, cp->id, slots[i]);
        if (place == st->pending_count || !text_is_ci(st->pending[place]->id_tag, id_tag))
            continue;
        if (st->pending[place]->vars)
            merge(into, st->pending[place]->vars, cp->id);
        drop(st, place);
        return;
    }
}

void pending_forget(struct station *st, const struct charge_point *cp)
{
    for (size_t i = st->pending_count; i > 0; i--) {
        if (text_is_ci(st->pending[i - 1]->cp, cp->id))
            drop(st, i - 1);
    }
}

/* ---- what others call ---- */

const struct pending_start *station_pending(struct station *st, const char *cp, int64_t connector)
{
    size_t place = place_of(st, cp, connector);
    return place < st->pending_count ? st->pending[place] : NULL;
}

const struct pending_start *station_pending_next(struct station *st, size_t *at)
{
    return *at < st->pending_count ? st->pending[(*at)++] : NULL;
}

bool station_pending_drop(struct station *st, const char *cp, int64_t connector)
{
    size_t place = place_of(st, cp, connector);
    if (place == st->pending_count)
        return false;
    drop(st, place);
    return true;
}

bool station_pending_note(struct station *st, const char *cp, int64_t connector, const char *json)
{
    size_t place = place_of(st, cp, connector);
    struct vars given = {0};
    bool ok = place < st->pending_count && vars_read(&given, json);
    vars_clear(&given);
    if (!ok)
        return false;
    struct pending_start *pending = st->pending[place];
    struct vars vars = {0};
    if (pending->vars)
        vars_read(&vars, pending->vars);
    merge(&vars, json, cp);
    struct strbuf text = {0};
    vars_write(&vars, &text);
    vars_clear(&vars);
    xfree(pending->vars);
    pending->vars = strbuf_take(&text, NULL);
    row_put(st, pending);
    return true;
}
