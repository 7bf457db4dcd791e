/* See events.h. Entries stand in the ring as they go out: a head, the charge point, the text. One
 * that does not fit before the end of the memory begins at its start; places are counted in bytes
 * since the hub woke, and never wrap. A reader copies an entry out only when the client has less
 * room than that. */
#include "events.h"

#include <inttypes.h>
#include <string.h>

#include "base/json.h"
#include "base/mem.h"
#include "base/timetext.h"
#include "events_rows.h"

enum { SLEEP_AFTER_MS = 600000, TYPE_FILLER = -1, TYPE_MISSED = -2 };

struct entry {
    int64_t id;
    int32_t type;
    uint32_t cp_len, text_len;
    uint32_t size; /* of all, a multiple of its alignment */
};

struct reader {
    struct events *hub; /* NULL: it has ended */
    struct reader *prev, *next;
    uint64_t place;
    int64_t next_id; /* what it would see if nothing was missed */
    char *cp;
    uint64_t types;
    struct strbuf pending; /* what did not fit, and what is for this reader only */
    size_t sent;           /* of pending */
    bool waiting, silent_too_long;
    struct body_waker waker;
    struct timer keepalive;
};

struct events {
    struct events_settings settings;
    struct timers *timers;
    char *ring; /* NULL while asleep */
    uint64_t size, oldest, end;
    int64_t next_id, awake_id; /* the first since it woke */
    struct reader *readers;
    size_t count;
    struct timer sleep;
    struct strbuf scratch;
};

static struct entry *entry_at(const struct events *events, uint64_t place)
{
    return (void *)(events->ring + place % events->size);
}

static struct span entry_cp(const struct entry *entry)
{
    return (struct span){(const char *)(entry + 1), entry->cp_len};
}

static struct span entry_text(const struct entry *entry)
{
    return (struct span){(const char *)(entry + 1) + entry->cp_len, entry->text_len};
}

/* ---- waking and sleeping ---- */

static void on_sleep(struct timer *timer)
{
    struct events *events = CONTAINER_OF(timer, struct events, sleep);
    XFREE(events->ring);
    strbuf_clear(&events->scratch);
}

struct events *events_new(const struct events_settings *settings, struct timers *timers)
{
    struct events *events = xcalloc(1, sizeof(*events));
    *events = (struct events){.settings = *settings, .timers = timers, .sleep = {.fn = on_sleep}};
    events->size = (uint64_t)settings->ring_bytes / sizeof(struct entry) * sizeof(struct entry);
    return events;
}

bool events_awake(const struct events *events)
{
    return events->ring != NULL;
}

static void hub_wake(struct events *events)
{
    int64_t now = wall_now() * 1000;
    timer_stop(events->timers, &events->sleep);
    if (events->ring)
        return;
    events->ring = xmalloc(events->size);
    events->oldest = events->end = 0;
    events->next_id = now > events->next_id ? now : events->next_id + 1;
    events->awake_id = events->next_id;
}

size_t events_readers(const struct events *events)
{
    return events->count;
}

/* ---- into the ring ---- */

static bool wants(const struct reader *reader, const struct entry *entry)
{
    if (entry->type == TYPE_MISSED)
        return true;
    return entry->type >= 0 && (reader->types >> entry->type & 1) &&
           (!reader->cp || span_is_ci(entry_cp(entry), reader->cp));
}

static void reader_wake(struct reader *reader)
{
    reader->waiting = false;
    reader->waker.wake(reader->waker.http, reader->waker.request);
}

/* Those that wait have seen all before this one. */
static void tell_waiting(struct events *events, const struct entry *entry)
{
    for (struct reader *reader = events->readers; reader; reader = reader->next) {
        if (!reader->waiting)
            continue;
        if (wants(reader, entry)) {
            reader_wake(reader);
        } else {
            reader->place = events->end;
            reader->next_id = events->next_id;
        }
    }
}

/* The oldest go until `size` bytes are free. */
static void make_room(struct events *events, uint64_t size)
{
    while (events->end + size - events->oldest > events->size)
        events->oldest += entry_at(events, events->oldest)->size;
}

static struct entry *append(struct events *events, uint64_t size)
{
    uint64_t to_the_end = events->size - events->end % events->size;
    if (to_the_end < size) { /* at least one head fits: all sizes are multiples of it */
        make_room(events, to_the_end);
        *entry_at(events, events->end) = (struct entry){
            .id = events->next_id, .type = TYPE_FILLER, .size = (uint32_t)to_the_end};
        events->end += to_the_end;
    }
    make_room(events, size);
    struct entry *entry = entry_at(events, events->end);
    events->end += size;
    return entry;
}

/* JSON as a charger laid it out may have line breaks between its tokens; here they end an event. */
static void copy_on_one_line(char *to, struct span data)
{
    for (size_t i = 0; i < data.len; i++)
        to[i] = data.at[i] == '\n' || data.at[i] == '\r' ? ' ' : data.at[i];
}

static void add(struct events *events, int32_t type, struct span cp, struct span data)
{
    struct strbuf head = {0};
    int64_t id = events->next_id++;
    const char *name = type == TYPE_MISSED ? "missed" : events_names()[type];
    strbuf_addf(&head, "id: %" PRId64 "\nevent: %s\ndata: ", id, name);
    size_t text = head.len + data.len + 2;
    size_t size = sizeof(struct entry) + cp.len + text;
    size = (size + sizeof(struct entry) - 1) / sizeof(struct entry) * sizeof(struct entry);
    if (size > events->size / 4) { /* one giant must not push all others out */
        strbuf_clear(&head);
        events->next_id--;
        add(events, TYPE_MISSED, SPAN(""), SPAN("{\"missed\":1}"));
        return;
    }
    struct entry *entry = append(events, size);
    *entry = (struct entry){id, type, (uint32_t)cp.len, (uint32_t)text, (uint32_t)size};
    char *to = (char *)(entry + 1);
    if (cp.len)
        memcpy(to, cp.at, cp.len);
    memcpy(to + cp.len, head.at, head.len);
    copy_on_one_line(to + cp.len + head.len, data);
    memcpy(to + cp.len + text - 2, "\n\n", 2);
    strbuf_clear(&head);
    tell_waiting(events, entry);
}

void events_batch(struct events *events, const struct batch *batch)
{
    if (!events->ring || batch->failed)
        return;
    for (const struct record *record = batch->first; record; record = record->next) {
        const char *cp = NULL;
        strbuf_reset(&events->scratch);
        int type = event_of_record(record, &events->scratch, &cp);
        if (type >= 0)
            add(events, type, cp ? span_of(cp) : SPAN(""),
                (struct span){events->scratch.at, events->scratch.len});
    }
}

void events_tell(struct events *events, const char *name, const char *cp, const char *data)
{
    int type = event_type(span_of(name));
    char when[TIMETEXT_SIZE];
    if (!events->ring || NEVER(type < 0))
        return;
    struct json_out out = {.to = &events->scratch};
    strbuf_reset(out.to);
    timetext_millis(wall_now(), when);
    json_open(&out, '{');
    if (cp) {
        json_key(&out, "cpid");
        json_put_string(&out, cp);
    }
    json_key(&out, "timestamp");
    json_put_string(&out, when);
    if (*data)
        strbuf_addf(out.to, ",%s", data);
    json_close(&out, '}');
    add(events, type, cp ? span_of(cp) : SPAN(""), (struct span){out.to->at, out.to->len});
}

/* ---- readers ---- */

static void reader_started(void *ctx, const struct body_waker *waker)
{
    struct reader *reader = ctx;
    reader->waker = *waker;
}

static void on_keepalive(struct timer *timer)
{
    struct reader *reader = CONTAINER_OF(timer, struct reader, keepalive);
    reader->silent_too_long = true;
    if (reader->waiting)
        reader_wake(reader);
}

/* It fell behind: the ring has run past it. */
static void note_missed(struct reader *reader)
{
    struct events *events = reader->hub;
    const struct entry *oldest = entry_at(events, events->oldest);
    strbuf_addf(&reader->pending, "event: missed\ndata: {\"missed\":%" PRId64 "}\n\n",
                oldest->id - reader->next_id);
    reader->place = events->oldest;
    reader->next_id = oldest->id;
}

static size_t give_pending(struct reader *reader, char *to, size_t room)
{
    size_t left = reader->pending.len - reader->sent, give = left < room ? left : room;
    if (give == 0)
        return 0;
    memcpy(to, reader->pending.at + reader->sent, give);
    reader->sent += give;
    if (give == left) {
        strbuf_clear(&reader->pending);
        reader->sent = 0;
    }
    return give;
}

/* One entry, or a part of it while the rest becomes pending. */
static size_t give_entry(struct reader *reader, const struct entry *entry, char *to, size_t room)
{
    struct span text = entry_text(entry);
    if (text.len <= room) {
        memcpy(to, text.at, text.len);
        return text.len;
    }
    strbuf_add(&reader->pending, text.at, text.len);
    return give_pending(reader, to, room);
}

static size_t give_entries(struct reader *reader, char *to, size_t room)
{
    struct events *events = reader->hub;
    size_t given = 0;
    while (reader->place < events->end && given < room) {
        if (reader->place < events->oldest) { /* what is pending goes first */
            note_missed(reader);
            return given + give_pending(reader, to + given, room - given);
        }
        const struct entry *entry = entry_at(events, reader->place);
        bool wanted = wants(reader, entry);
        if (wanted && given && entry->text_len > room - given)
            break;
        reader->place += entry->size;
        if (entry->type != TYPE_FILLER)
            reader->next_id = entry->id + 1;
        if (wanted)
            given += give_entry(reader, entry, to + given, room - given);
        if (reader->pending.len)
            break;
    }
    return given;
}

static ptrdiff_t reader_read(void *ctx, char *to, size_t room)
{
    struct reader *reader = ctx;
    struct events *events = reader->hub;
    if (!events)
        return BODY_END;
    size_t given = give_pending(reader, to, room);
    if (!given)
        given = give_entries(reader, to, room);
    if (!given && reader->silent_too_long) {
        strbuf_adds(&reader->pending, ":\n\n");
        given = give_pending(reader, to, room);
    }
    reader->waiting = given == 0;
    if (given) {
        reader->silent_too_long = false;
        timer_start(events->timers, &reader->keepalive, events->settings.keepalive_ms);
    }
    return (ptrdiff_t)given;
}

static void reader_leave(struct reader *reader)
{
    struct events *events = reader->hub;
    *(reader->prev ? &reader->prev->next : &events->readers) = reader->next;
    if (reader->next)
        reader->next->prev = reader->prev;
    timer_stop(events->timers, &reader->keepalive);
    reader->hub = NULL;
    if (--events->count == 0)
        timer_start(events->timers, &events->sleep, SLEEP_AFTER_MS);
}

static void reader_close(void *ctx)
{
    struct reader *reader = ctx;
    if (reader->hub)
        reader_leave(reader);
    strbuf_clear(&reader->pending);
    xfree(reader->cp);
    xfree(reader);
}

static bool read_types(const char *types, uint64_t *out, struct reason *why)
{
    const char *const *names = events_names();
    struct span rest = span_of(types), name;
    size_t known = 0;
    if (types && !*types)
        types = NULL;
    *out = types ? 0 : ~(1ULL << event_type_message());
    while (names[known])
        known++;
    while (types && span_cut(&rest, ',', &name)) {
        name = span_trim(name);
        int type = event_type(name);
        if (type < 0) {
            char word[40];
            text_copy(word, sizeof(word), name);
            const char *near = text_nearest(word, names, known, sizeof(*names));
            return reason_set(why, "there is no event \"%s\"%s%s%s", word,
                              near ? "; did you mean \"" : "", near ? near : "", near ? "\"?" : "");
        }
        *out |= 1ULL << type;
    }
    return true;
}

/* From where: what comes, or what the ring still has behind last_id. */
static void reader_begin(struct reader *reader, int64_t last_id)
{
    struct events *events = reader->hub;
    reader->place = events->end;
    reader->next_id = events->next_id;
    if (last_id == ABSENT || last_id < 0 || last_id >= events->next_id)
        return;
    reader->place = events->oldest;
    if (last_id < events->awake_id - 1) { /* another run, or before the hub slept */
        strbuf_adds(&reader->pending, "event: missed\ndata: {\"missed\":null}\n\n");
        return;
    }
    reader->next_id = last_id + 1;
    while (reader->place < events->end && entry_at(events, reader->place)->id <= last_id)
        reader->place += entry_at(events, reader->place)->size;
    if (reader->place == events->oldest && reader->place < events->end &&
        entry_at(events, reader->place)->id > last_id + 1)
        note_missed(reader);
}

bool events_reader(struct events *events, const struct events_filter *filter,
                   struct body_source *out, struct reason *why)
{
    uint64_t types;
    if (!read_types(filter->types, &types, why))
        return false;
    hub_wake(events);
    struct reader *reader = xcalloc(1, sizeof(*reader));
    *reader = (struct reader){.hub = events,
                              .next = events->readers,
                              .cp = xstrdup_or_null(filter->cp),
                              .types = types,
                              .keepalive = {.fn = on_keepalive}};
    if (reader->next)
        reader->next->prev = reader;
    events->readers = reader;
    events->count++;
    strbuf_adds(&reader->pending, "retry: 2000\n\n"); /* the client comes back after 2 s */
    reader_begin(reader, filter->last_id);
    timer_start(events->timers, &reader->keepalive, events->settings.keepalive_ms);
    *out = (struct body_source){.started = reader_started,
                                .read = reader_read,
                                .close = reader_close,
                                .ctx = reader,
                                .length = -1,
                                .endless = true};
    return true;
}

void events_free(struct events *events)
{
    if (!events)
        return;
    while (events->readers) {
        struct reader *reader = events->readers;
        reader_leave(reader);
        if (reader->waiting)
            reader_wake(reader);
    }
    timer_stop(events->timers, &events->sleep);
    xfree(events->ring);
    strbuf_clear(&events->scratch);
    xfree(events);
}
