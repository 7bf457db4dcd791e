/* Policy events as items of a lane.
 *
 * What was decided already (on.start, on.stop …) and what comes from outside (on.online) runs here;
 * an answer is of no interest. Nothing is queued when nobody listens. Outside events are bounded:
 * beyond four that wait they are dropped and counted by name (POLICY.md §4). */
#include "base/log.h"
#include "base/mem.h"
#include "station/lane.h"

struct event_item {
    struct lane_item item;
    struct lane *lane;
    struct arena arena;
    struct event event;
    bool drop_transaction;
};

static void item_free(struct event_item *item)
{
    if (item->drop_transaction)
        transaction_drop(item->lane->st, item->event.transaction_id);
    arena_clear(&item->arena);
    xfree(item);
}

static void on_event_done(void *ctx, const struct verdict *verdict)
{
    (void)verdict; /* failures were counted and logged by the policies */
    struct event_item *item = ctx;
    struct lane *lane = item->lane;
    enum item_kind kind = item->item.kind;
    item_free(item);
    lane_done(lane, kind);
}

static void event_start(struct lane *lane, struct lane_item *base)
{
    struct event_item *item = CONTAINER_OF(base, struct event_item, item);
    struct station_ports *ports = &lane->st->ports;
    ports->ask(ports->ctx, &item->event, on_event_done, item);
}

static void event_drop(struct lane_item *base)
{
    item_free(CONTAINER_OF(base, struct event_item, item));
}

static struct event_item *item_new(struct lane *lane, const struct event *event)
{
    struct event_item *item = xcalloc(1, sizeof(*item));
    struct arena *arena = &item->arena;
    item->item.start = event_start;
    item->item.drop = event_drop;
    item->lane = lane;
    item->event = *event;
    item->event.cp = lane->cp->id; /* the charge point outlives its items */
    item->event.id_tag = arena_strdup(arena, event->id_tag);
    item->event.action = arena_strdup(arena, event->action);
    item->event.purpose = arena_strdup(arena, event->purpose);
    item->event.status = arena_strdup(arena, event->status);
    item->event.previous = arena_strdup(arena, event->previous);
    item->event.data = event->data ? json_copy(arena, event->data) : NULL;
    return item;
}

void lane_event(struct lane *lane, const struct event *event, bool drop_transaction)
{
    struct station *st = lane->st;
    bool outside = event->kind == EVENT_ONLINE || event->kind == EVENT_OFFLINE;
    if (!st->ports.listens(st->ports.ctx, event->kind, event->action)) {
        if (drop_transaction)
            transaction_drop(st, event->transaction_id);
        return;
    }
    if (outside && lane->waiting_outside >= LANE_OUTSIDE_MAX) {
        st->counters.events_dropped[event->kind]++;
        LOG(LOG_WARN, "event dropped: too many wait", L_STR("cp", lane->cp->id),
            L_STR("event", event->kind == EVENT_ONLINE ? "online" : "offline"));
        return;
    }
    struct event_item *item = item_new(lane, event);
    item->item.kind = outside ? ITEM_OUTSIDE : ITEM_AFTER;
    item->drop_transaction = drop_transaction;
    lane_push(lane, &item->item);
}
