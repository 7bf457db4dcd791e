/* See remind.h.
 *
 * Life of one: its timer runs → due, and an item ("telling") waits in the lane of its charger →
 * policies are told → gone, row and all, unless it was set anew meanwhile, which its serial tells.
 * The due time is one of the wall clock, so a timer never runs for more than an hour: clocks are
 * set. Start reading: station_remind(), on_due(), on_told(). */
#include "station/remind.h"

#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "station/lane.h"

enum { REMINDERS_MAX = 16, NAME_MAX_LEN = 100, LOOK_MS = 60 * 60 * 1000, AGAIN_MS = 5000 };

static const char key_prefix[] = "chargebridge/remind/";

struct reminder {
    struct timer timer;
    struct station *st;
    struct reminder *next; /* of its transaction */
    int64_t transaction_id;
    wall_t due_ms;
    uint64_t serial; /* another one each time it is set */
    char name[];
};

/* ---- rows ---- */

static char *key_of(struct arena *arena, int64_t id, const char *name)
{
    return arena_printf(arena, "%s%lld/%s", key_prefix, (long long)id, name);
}

static bool row_put(struct station *st, const struct reminder *reminder, struct reason *why)
{
    struct arena arena = {0};
    char *value = arena_printf(&arena, "{\"dueMs\":%lld}", (long long)reminder->due_ms);
    bool ok =
        station_kv_set(st, key_of(&arena, reminder->transaction_id, reminder->name), value, 0, why);
    arena_clear(&arena);
    return ok;
}

static void row_delete(struct station *st, int64_t id, const char *name)
{
    struct arena arena = {0};
    station_kv_set(st, key_of(&arena, id, name), NULL, 0, NULL);
    arena_clear(&arena);
}

/* ---- the list of a transaction ---- */

static struct reminder **place_of(struct transaction *tx, const char *name)
{
    struct reminder **at = &tx->reminders;
    while (*at && !text_is((*at)->name, name))
        at = &(*at)->next;
    return at;
}

static size_t count_of(const struct transaction *tx)
{
    size_t count = 0;
    for (const struct reminder *at = tx->reminders; at; at = at->next)
        count++;
    return count;
}

static void detach(struct reminder **at)
{
    struct reminder *gone = *at;
    *at = gone->next;
    timer_stop(gone->st->timers, &gone->timer);
    xfree(gone);
}

void remind_free(struct transaction *tx)
{
    while (tx->reminders)
        detach(&tx->reminders);
}

void remind_end(struct station *st, struct transaction *tx)
{
    for (const struct reminder *at = tx->reminders; at; at = at->next)
        row_delete(st, tx->id, at->name);
    remind_free(tx);
}

static void arm(struct reminder *reminder)
{
    int64_t left = reminder->due_ms - wall_now();
    timer_start(reminder->st->timers, &reminder->timer, left < LOOK_MS ? left : LOOK_MS);
}

/* ---- telling ---- */

struct telling {
    struct lane_item item;
    struct station *st;
    struct lane *lane; /* NULL: its charge point is gone */
    int64_t transaction_id;
    uint64_t serial;
    char name[];
};

static void telling_end(struct telling *telling)
{
    struct station *st = telling->st;
    struct lane *lane = telling->lane;
    xfree(telling);
    if (lane)
        lane_done(lane, ITEM_OPERATOR);
    else
        st->items--;
}

/* Where the reminder that is being told stands in its list; NULL: it is over, was cancelled or set
 * anew. */
static struct reminder **told_one(const struct telling *telling)
{
    struct transaction *tx = station_transaction(telling->st, telling->transaction_id);
    struct reminder **at = tx && !tx->stopped ? place_of(tx, telling->name) : NULL;
    return at && *at && (*at)->serial == telling->serial ? at : NULL;
}

static void on_told(void *ctx, const struct verdict *verdict)
{
    struct telling *telling = ctx;
    struct reminder **at = told_one(telling);
    if (at && verdict->again) {
        timer_start(telling->st->timers, &(*at)->timer, AGAIN_MS);
    } else if (at) { /* in the batch of what the handler wrote */
        row_delete(telling->st, telling->transaction_id, telling->name);
        detach(at);
    }
    telling_end(telling);
}

static void tell(struct telling *telling)
{
    struct station *st = telling->st;
    const struct transaction *tx = station_transaction(st, telling->transaction_id);
    if (!told_one(telling)) {
        telling_end(telling);
        return;
    }
    if (!st->ports.listens(st->ports.ctx, EVENT_REMINDER, NULL)) {
        LOG(LOG_WARN, "a reminder that no policy listens to", L_STR("cp", tx->cp),
            L_INT("transaction", tx->id), L_STR("reminder", telling->name));
        on_told(telling, &(struct verdict){.kind = VERDICT_NONE});
        return;
    }
    struct arena arena = {0};
    struct event event = {.kind = EVENT_REMINDER,
                          .cp = arena_strdup(&arena, tx->cp),
                          .connector = tx->evse,
                          .transaction_id = tx->id,
                          .id_tag = arena_strdup(&arena, tx->id_tag),
                          .purpose = arena_strdup(&arena, telling->name)};
    st->ports.ask(st->ports.ctx, &event, on_told, telling);
    arena_clear(&arena);
}

static void telling_start(struct lane *lane, struct lane_item *item)
{
    (void)lane;
    tell(CONTAINER_OF(item, struct telling, item));
}

/* The program ends, or its charge point is deleted: the row stays as long as its transaction. */
static void telling_drop(struct lane_item *item)
{
    xfree(CONTAINER_OF(item, struct telling, item));
}

static void on_due(struct timer *timer)
{
    struct reminder *reminder = CONTAINER_OF(timer, struct reminder, timer);
    struct station *st = reminder->st;
    const struct transaction *tx = station_transaction(st, reminder->transaction_id);
    if (reminder->due_ms > wall_now()) {
        arm(reminder);
        return;
    }
    if (NEVER(!tx) || tx->stopped)
        return;
    struct charge_point *cp = station_find(st, tx->cp);
    size_t size = strlen(reminder->name) + 1;
    struct telling *telling = xmalloc(sizeof(*telling) + size);
    *telling = (struct telling){
        .item = {.start = telling_start, .drop = telling_drop, .kind = ITEM_OPERATOR},
        .st = st,
        .lane = cp ? cp->lane : NULL,
        .transaction_id = reminder->transaction_id,
        .serial = reminder->serial};
    memcpy(telling->name, reminder->name, size);
    if (cp) {
        lane_push(cp->lane, &telling->item);
    } else {
        st->items++;
        tell(telling);
    }
}

/* ---- setting ---- */

static struct reminder *set(struct station *st, struct transaction *tx, const char *name,
                            wall_t due_ms)
{
    struct reminder **at = place_of(tx, name);
    if (!*at) {
        size_t size = strlen(name) + 1;
        *at = xcalloc(1, sizeof(struct reminder) + size);
        memcpy((*at)->name, name, size);
        (*at)->st = st;
        (*at)->transaction_id = tx->id;
        (*at)->timer.fn = on_due;
    }
    (*at)->due_ms = due_ms;
    (*at)->serial = ++st->reminder_serial;
    arm(*at);
    return *at;
}

bool station_remind(struct station *st, int64_t id, const char *name, int64_t delay_ms,
                    struct reason *why)
{
    struct transaction *tx = station_transaction(st, id);
    wall_t due_ms;
    if (!tx || tx->stopped)
        return reason_set(why, "transaction %lld is over", (long long)id);
    if (name[0] == '\0' || strlen(name) > NAME_MAX_LEN)
        return reason_set(why, "the name must have 1 to %d bytes", NAME_MAX_LEN);
    struct reminder **at = place_of(tx, name);
    if (delay_ms == ABSENT) {
        if (*at) {
            row_delete(st, id, name);
            detach(at);
        }
        return true;
    }
    if (!*at && count_of(tx) >= REMINDERS_MAX)
        return reason_set(why, "a transaction may have %d reminders", REMINDERS_MAX);
    if (__builtin_add_overflow(wall_now(), delay_ms, &due_ms))
        return reason_set(why, "the time is out of range");
    return row_put(st, set(st, tx, name, due_ms), why);
}

/* ---- restoring ---- */

static bool read_key(const char *key, int64_t *id, const char **name)
{
    if (strncmp(key, key_prefix, strlen(key_prefix)) != 0)
        return false;
    struct span rest = span_of(key + strlen(key_prefix)), number;
    if (!span_cut(&rest, '/', &number) || !rest.at || !span_int(number, id))
        return false;
    *name = rest.at;
    return true;
}

void remind_restore(struct station *st, const struct record_kv *row)
{
    int64_t id, due_ms;
    const char *name;
    if (!read_key(row->key, &id, &name))
        return;
    struct arena arena = {0};
    const struct json *value = json_parse(&arena, row->value, strlen(row->value), NULL, NULL);
    struct transaction *tx = station_transaction(st, id);
    if (!tx || tx->stopped) /* it ended, and the power went before the row */
        row_delete(st, id, name);
    else if (json_int(json_get(value, "dueMs"), &due_ms))
        set(st, tx, name, due_ms);
    else
        LOG(LOG_ERROR, "a stored reminder cannot be read", L_STR("key", row->key));
    arena_clear(&arena);
}
