/* The tracks of a lane: see lane.h.
 *
 * track_run() is the only place that starts items. It loops instead of recursing: an item may end
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

static void drop_active(struct lane_track *track)
{
    if (track->active)
        track->active->drop(track->active);
    track->active = NULL;
}

void lane_free(struct lane *lane)
{
    lane_drop(lane);
    drop_active(
        &lane->calls); /* at the end of the program: an answer may wait for its time (Q24) */
    drop_active(&lane->outside);
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
    size_t calls = lane->waiting_calls;
    size_t bytes = lane->waiting_bytes;
    bool full = calls > LANE_CALLS_MAX || bytes > LANE_BYTES_MAX;
    bool half = calls <= LANE_CALLS_MAX / 2 && bytes <= LANE_BYTES_MAX / 2;
    if (lane->cp->connection == 0 || (lane->paused ? !half : !full))
        return;
    lane->paused = !lane->paused;
    lane->st->ports.pause(lane->st->ports.ctx, lane->cp->connection, lane->paused);
}

static struct lane_track *track_of(struct lane *lane, enum item_kind kind)
{
    return kind == ITEM_OUTSIDE ? &lane->outside : &lane->calls;
}

static void count_out(struct lane *lane, const struct lane_item *item)
{
    lane->waiting_bytes -= item->bytes;
    if (item->kind == ITEM_CALL)
        lane->waiting_calls--;
    if (item->kind == ITEM_OUTSIDE)
        lane->waiting_outside--;
}

static struct lane_item *next_item(struct lane_track *track)
{
    struct lane_item *item = queue_pop(&track->after);
    return item ? item : queue_pop(&track->queue);
}

bool lane_is_active(const struct lane *lane)
{
    return lane->calls.active || lane->outside.active || lane->calls.running ||
           lane->outside.running;
}

static void track_run(struct lane *lane, struct lane_track *track)
{
    if (track->running)
        return;
    track->running = true;
    struct lane_item *item;
    while (!track->active && (item = next_item(track)) != NULL) {
        track->active = item;
        count_out(lane, item);
        pause_or_resume(lane);
        item->start(lane, item);
    }
    track->running = false;
    if (lane->cp->deleted && !lane_is_active(lane))
        charge_point_free(lane->cp);
}

void lane_push(struct lane *lane, struct lane_item *item)
{
    struct lane_track *track = track_of(lane, item->kind);
    lane->st->items++;
    lane->waiting_bytes += item->bytes;
    if (item->kind == ITEM_CALL)
        lane->waiting_calls++;
    if (item->kind == ITEM_OUTSIDE)
        lane->waiting_outside++;
    queue_push(item->kind == ITEM_AFTER ? &track->after : &track->queue, item);
    pause_or_resume(lane);
    track_run(lane, track);
}

void lane_done(struct lane *lane, enum item_kind kind)
{
    struct lane_track *track = track_of(lane, kind);
    track->active = NULL;
    lane->st->items--;
    track_run(lane, track);
}

static void track_drop(struct lane *lane, struct lane_track *track)
{
    struct lane_item *item;
    while ((item = next_item(track)) != NULL) {
        count_out(lane, item);
        lane->st->items--;
        item->drop(item);
    }
}

void lane_drop(struct lane *lane)
{
    track_drop(lane, &lane->calls);
    track_drop(lane, &lane->outside);
}
