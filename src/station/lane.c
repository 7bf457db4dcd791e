/* The queue of a lane: see lane.h.
 *
 * lane_run() is the only place that starts items. It loops instead of recursing: an item may end
 * before its start() returns (policies and a failing store call back at once), and 1,000 pipelined
 * CALLs must not become 1,000 stack frames. Deleting a charge point is finished here too. */
#include "station/lane.h"

#include "base/mem.h"

struct lane *lane_new(struct station *st, struct charge_point *cp)
{
    struct lane *lane = xcalloc(1, sizeof(*lane));
    lane->st = st;
    lane->cp = cp;
    return lane;
}

void lane_free(struct lane *lane)
{
    lane_drop(lane);
    timer_stop(lane->st->timers, &lane->timer);
    ring_clear(&lane->ring);
    xfree(lane->last_stop_info);
    xfree(lane);
}

static void queue_push(struct lane_queue *queue, struct lane_item *item)
{
    item->next = NULL;
    if (queue->tail)
        queue->tail->next = item;
    else
        queue->head = item;
    queue->tail = item;
}

static struct lane_item *queue_pop(struct lane_queue *queue)
{
    struct lane_item *item = queue->head;
    if (!item)
        return NULL;
    queue->head = item->next;
    if (!queue->head)
        queue->tail = NULL;
    item->next = NULL;
    return item;
}

static void pause_or_resume(struct lane *lane)
{
    bool full = lane->calls > LANE_CALLS_MAX || lane->bytes > LANE_BYTES_MAX;
    bool half = lane->calls <= LANE_CALLS_MAX / 2 && lane->bytes <= LANE_BYTES_MAX / 2;
    if (lane->cp->connection == 0 || (lane->paused ? !half : !full))
        return;
    lane->paused = !lane->paused;
    lane->st->ports.pause(lane->st->ports.ctx, lane->cp->connection, lane->paused);
}

static void count_out(struct lane *lane, const struct lane_item *item)
{
    lane->bytes -= item->bytes;
    if (item->kind == ITEM_CALL)
        lane->calls--;
    if (item->kind == ITEM_OUTSIDE)
        lane->outside--;
}

static struct lane_item *next_item(struct lane *lane)
{
    struct lane_item *item = queue_pop(&lane->after);
    return item ? item : queue_pop(&lane->queue);
}

static void lane_run(struct lane *lane)
{
    if (lane->running)
        return;
    lane->running = true;
    struct lane_item *item;
    while (!lane->active && (item = next_item(lane)) != NULL) {
        lane->active = item;
        count_out(lane, item);
        pause_or_resume(lane);
        item->start(lane, item);
    }
    lane->running = false;
    if (!lane->active && lane->cp->deleted)
        charge_point_free(lane->cp);
}

void lane_push(struct lane *lane, struct lane_item *item)
{
    lane->st->items++;
    lane->bytes += item->bytes;
    if (item->kind == ITEM_CALL)
        lane->calls++;
    if (item->kind == ITEM_OUTSIDE)
        lane->outside++;
    queue_push(item->kind == ITEM_AFTER ? &lane->after : &lane->queue, item);
    pause_or_resume(lane);
    lane_run(lane);
}

void lane_done(struct lane *lane)
{
    lane->active = NULL;
    lane->st->items--;
    lane_run(lane);
}

void lane_drop(struct lane *lane)
{
    struct lane_item *item;
    while ((item = next_item(lane)) != NULL) {
        count_out(lane, item);
        lane->st->items--;
        item->drop(item);
    }
}
