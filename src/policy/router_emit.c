/* The body that a function(emit) of a route writes, piece by piece, while the client reads.
 *
 * Two owners: the task, until its function ends, and http, until it closes the source; whoever is
 * last frees. emit() waits while BUFFER_MAX bytes lie unread; it goes on in a turn of its own,
 * never inside of read() or close(). While it waits there is no deadline but http's own for slow
 * clients; between two emits it is handler_timeout. */
#include <string.h>

#include "base/mem.h"
#include "policy/router.h"

enum { BUFFER_MAX = 64 * 1024 };

struct emitter {
    struct strbuf buffer;
    size_t taken; /* of the buffer, by http */
    struct body_waker waker;
    bool hungry;          /* read() had nothing to give: wake */
    bool ended, ok;       /* the function is through */
    bool closed;          /* http is */
    struct emitter **box; /* upvalue of emit, NULL in it once the task is through */
    int box_ref;
    struct generation *generation;
    struct timers *timers;
    struct timer turn; /* to let a waiting emit go on */
    bool waits;
    struct task_ref waiting;
};

static void free_emitter(struct emitter *emitter)
{
    if (!emitter->ended || !emitter->closed)
        return;
    strbuf_clear(&emitter->buffer);
    xfree(emitter);
}

static size_t unread(const struct emitter *emitter)
{
    return emitter->buffer.len - emitter->taken;
}

static void wake_reader(struct emitter *emitter)
{
    if (!emitter->hungry || !emitter->waker.wake)
        return;
    emitter->hungry = false;
    emitter->waker.wake(emitter->waker.http, emitter->waker.request);
}

/* ---- the source ---- */

static void source_started(void *ctx, const struct body_waker *waker)
{
    struct emitter *emitter = ctx;
    emitter->waker = *waker;
}

static void let_go(struct emitter *emitter)
{
    if (emitter->waits && !timer_running(&emitter->turn))
        timer_start(emitter->timers, &emitter->turn, 0);
}

static ptrdiff_t source_read(void *ctx, char *to, size_t room)
{
    struct emitter *emitter = ctx;
    size_t len = unread(emitter) < room ? unread(emitter) : room;
    if (len == 0 && emitter->ended)
        return emitter->ok ? BODY_END : BODY_BROKEN;
    if (len > 0)
        memcpy(to, emitter->buffer.at + emitter->taken, len);
    emitter->taken += len;
    if (unread(emitter) == 0) {
        strbuf_reset(&emitter->buffer);
        emitter->taken = 0;
    }
    emitter->hungry = len == 0;
    if (unread(emitter) < BUFFER_MAX / 2)
        let_go(emitter);
    return (ptrdiff_t)len;
}

static void source_closed(void *ctx)
{
    struct emitter *emitter = ctx;
    emitter->closed = true;
    emitter->waker.wake = NULL;
    let_go(emitter);
    free_emitter(emitter);
}

/* ---- emit ---- */

static int push_open(lua_State *L, void *arg)
{
    const struct emitter *emitter = arg;
    lua_pushboolean(L, !emitter->closed);
    return 1;
}

static void on_turn(struct timer *timer)
{
    struct emitter *emitter = CONTAINER_OF(timer, struct emitter, turn);
    emitter->waits = false;
    task_wake_extended(emitter->waiting, emitter->generation->settings->handler_timeout_ms,
                       push_open, emitter);
}

static void on_cancel(void *arg)
{
    struct emitter *emitter = arg;
    emitter->waits = false;
    timer_stop(emitter->timers, &emitter->turn);
}

static int emit(lua_State *L)
{
    struct emitter **box = lua_touserdata(L, lua_upvalueindex(1));
    struct emitter *emitter = *box;
    size_t len;
    if (lua_type(L, 1) != LUA_TSTRING)
        return api_bad_argument(L, "emit", 1, "text", "a string");
    const char *text = lua_tolstring(L, 1, &len);
    if (!emitter)
        return api_raise(L, "emit can only be used while its answer is written");
    if (emitter->waits)
        return api_raise(L, "emit waits for the client already");
    if (emitter->closed) {
        lua_pushboolean(L, 0);
        return 1;
    }
    strbuf_add(&emitter->buffer, text, len);
    wake_reader(emitter);
    struct generation *generation = emitter->generation;
    if (unread(emitter) < BUFFER_MAX || !generation->timers) {
        task_extend(generation, generation->settings->handler_timeout_ms);
        lua_pushboolean(L, 1);
        return 1;
    }
    emitter->waiting = task_wait_begin(L, "emit", on_cancel, emitter);
    emitter->waits = true;
    emitter->timers = generation->timers;
    task_extend(generation, 0);
    return task_wait(L, emitter->waiting);
}

/* ---- life ---- */

struct emitter *emitter_begin(lua_State *L, struct body_source *out)
{
    struct emitter **box = lua_newuserdatauv(L, sizeof(struct emitter *), 0);
    *box = NULL;
    lua_pushvalue(L, -1);
    int ref = luaL_ref(L, LUA_REGISTRYINDEX);
    lua_pushcclosure(L, emit, 1);
    struct emitter *emitter = *box = xcalloc(1, sizeof(*emitter));
    emitter->box = box;
    emitter->box_ref = ref;
    emitter->generation = generation_of(L);
    emitter->turn.fn = on_turn;
    *out = (struct body_source){.started = source_started,
                                .read = source_read,
                                .close = source_closed,
                                .ctx = emitter,
                                .length = -1};
    return emitter;
}

void emitter_end(struct emitter *emitter, bool ok)
{
    *emitter->box = NULL;
    luaL_unref(emitter->generation->L, LUA_REGISTRYINDEX, emitter->box_ref);
    emitter->ended = true;
    emitter->ok = ok;
    if (emitter->closed)
        free_emitter(emitter);
    else
        wake_reader(emitter);
}
