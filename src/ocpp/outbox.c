/* The queue of our CALLs to one charger; see outbox.h for the life of an entry.
 *
 * OCPP-J 1.6 §4.1.1: no new CALL before the last was answered or timed out (R3). Everything here is
 * a walk over at most OUTBOX_MAX entries. */
#include "ocpp/outbox.h"

#include <stdatomic.h>

#include <string.h>

#include "base/mem.h"
#include "base/strbuf.h"

struct outcall *outcall_new(const char *action, const char *payload, int64_t timeout_ms)
{
    /* The loop makes CALLs, and so do policy tests on the build thread. */
    static atomic_uint_least64_t last_serial;
    struct outcall *call = xcalloc(1, sizeof *call);
    call->serial = atomic_fetch_add(&last_serial, 1) + 1;
    uuid_new(call->id);
    call->action = xstrdup(action);
    call->payload = xstrdup(payload);
    call->timeout_ms = timeout_ms;
    return call;
}

void outcall_free(struct outcall *call)
{
    if (call == NULL)
        return;
    xfree(call->action);
    xfree(call->payload);
    xfree(call);
}

bool outbox_push(struct outbox *box, struct outcall *call_owned)
{
    if (box->queued >= OUTBOX_MAX)
        return false;
    call_owned->next = NULL;
    call_owned->sent_at = 0;
    if (box->tail != NULL)
        box->tail->next = call_owned;
    else
        box->head = call_owned;
    box->tail = call_owned;
    box->queued++;
    return true;
}

/* The queued entry behind `before` (NULL: the first) becomes the caller's. */
static struct outcall *unlink_queued(struct outbox *box, struct outcall *before)
{
    struct outcall *call = before != NULL ? before->next : box->head;
    if (before != NULL)
        before->next = call->next;
    else
        box->head = call->next;
    if (box->tail == call)
        box->tail = before;
    call->next = NULL;
    box->queued--;
    return call;
}

static struct outcall *take_sent(struct outbox *box)
{
    struct outcall *call = box->sent;
    box->sent = NULL;
    return call;
}

struct outcall *outbox_send_next(struct outbox *box, mono_t now)
{
    if (box->sent != NULL || box->head == NULL)
        return NULL;
    struct outcall *call = unlink_queued(box, NULL);
    call->sent_at = now;
    call->deadline = now + call->timeout_ms;
    box->sent = call;
    return call;
}

struct outcall *outbox_take_answered(struct outbox *box, const char *id)
{
    if (box->sent == NULL || id == NULL || !text_is(box->sent->id, id))
        return NULL;
    return take_sent(box);
}

struct outcall *outbox_take_expired(struct outbox *box, mono_t now)
{
    if (box->sent != NULL && box->sent->deadline <= now)
        return take_sent(box);
    struct outcall *before = NULL;
    for (struct outcall *call = box->head; call != NULL; before = call, call = call->next) {
        if (call->deadline != 0 && call->deadline <= now)
            return unlink_queued(box, before);
    }
    return NULL;
}

struct outcall *outbox_take_any(struct outbox *box)
{
    if (box->sent != NULL)
        return take_sent(box);
    return box->head != NULL ? unlink_queued(box, NULL) : NULL;
}

struct outcall *outbox_take_serial(struct outbox *box, uint64_t serial)
{
    if (box->sent != NULL && box->sent->serial == serial)
        return take_sent(box);
    struct outcall *before = NULL;
    for (struct outcall *call = box->head; call != NULL; before = call, call = call->next) {
        if (call->serial == serial)
            return unlink_queued(box, before);
    }
    return NULL;
}

mono_t outbox_next_deadline(const struct outbox *box)
{
    mono_t earliest = box->sent != NULL ? box->sent->deadline : -1;
    for (const struct outcall *call = box->head; call != NULL; call = call->next) {
        if (call->deadline != 0 && (earliest < 0 || call->deadline < earliest))
            earliest = call->deadline;
    }
    return earliest;
}
