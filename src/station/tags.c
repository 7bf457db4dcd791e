/* Tags that operators keep over REST; the default policy reads them beside its list.
 *
 * In memory at once, so the next card presented is judged by them; `done` tells when they are on
 * disk. What could not be stored is put back as it was; an import is one batch, all or none. */
#include <string.h>

#include "base/mem.h"
#include "station/core.h"

static const char *const tag_statuses[] = {"Accepted", "Blocked", "Expired", "Invalid",
                                           "ConcurrentTx"};

struct tag_change {
    char *key;
    const struct id_tag *now; /* only compared: a later change may have freed it */
    struct id_tag *before;    /* NULL: there was none */
};

struct tag_changes { /* of one batch */
    struct station *st;
    change_done done;
    void *ctx;
    size_t count;
    struct tag_change items[];
};

static void tag_free(struct id_tag *tag)
{
    if (!tag)
        return;
    xfree(tag->id_tag);
    xfree(tag->status);
    xfree(tag->parent_id_tag);
    xfree(tag->note);
    xfree(tag);
}

/* Leaves out an empty parent (A3). */
static struct id_tag *tag_copy(const struct id_tag *tag)
{
    struct id_tag *copy = xcalloc(1, sizeof(*copy));
    const char *parent = tag->parent_id_tag;
    copy->id_tag = xstrdup(tag->id_tag);
    copy->status = xstrdup(tag->status);
    copy->expiry_ms = tag->expiry_ms;
    copy->parent_id_tag = parent && parent[0] ? xstrdup(parent) : NULL;
    copy->note = xstrdup_or_null(tag->note);
    copy->max_active = tag->max_active;
    return copy;
}

const struct id_tag *station_tag(struct station *st, const char *id_tag)
{
    return map_gets(&st->tags, id_tag);
}

const struct id_tag *station_tag_next(struct station *st, size_t *at)
{
    const struct map_entry *entry = map_next(&st->tags, at);
    return entry ? entry->value : NULL;
}

void tags_clear(struct station *st)
{
    const struct map_entry *entry;
    size_t at = 0;
    while ((entry = map_next(&st->tags, &at)) != NULL)
        tag_free(entry->value);
    map_clear(&st->tags);
}

void tag_restore(struct station *st, const struct record_id_tag *row)
{
    const struct id_tag tag = {(char *)row->id_tag,        (char *)row->status, row->expiry_ms,
                               (char *)row->parent_id_tag, (char *)row->note,   row->max_active};
    tag_free(map_put(&st->tags, span_of(row->id_tag), tag_copy(&tag)));
}

static struct tag_changes *changes_new(struct station *st, size_t room, change_done done, void *ctx)
{
    struct tag_changes *changes = xcalloc(1, sizeof(*changes) + room * sizeof(struct tag_change));
    changes->st = st;
    changes->done = done;
    changes->ctx = ctx;
    return changes;
}

/* Unless another change came after it. */
static void put_back(struct map *tags, struct tag_change *change)
{
    struct span key = span_of(change->key);
    if (map_get(tags, key) != change->now)
        return;
    tag_free(change->before ? map_put(tags, key, change->before) : map_remove(tags, key));
    change->before = NULL;
}

static void on_stored(void *ctx, struct batch *batch)
{
    struct tag_changes *changes = ctx;
    struct station *st = changes->st;
    bool ok = !batch->failed;
    station_batch_back(st, batch);
    batch_free(batch);
    /* The last first: the same tag may stand twice in an import. */
    for (size_t i = changes->count; i > 0 && !ok; i--)
        put_back(&st->tags, &changes->items[i - 1]);
    for (size_t i = 0; i < changes->count; i++) {
        tag_free(changes->items[i].before);
        xfree(changes->items[i].key);
    }
    change_done done = changes->done;
    void *done_ctx = changes->ctx;
    const char *why =
        changes->count == 1 ? "the tag could not be stored" : "the tags could not be stored";
    xfree(changes);
    if (done)
        done(done_ctx, ok, ok ? NULL : why);
}

static void submit(struct tag_changes *changes, struct batch *batch)
{
    batch->done = on_stored;
    batch->ctx = changes;
    station_submit(changes->st, batch);
}

/* Into memory, the batch and the list of what was there before. */
static void put(struct tag_changes *changes, struct batch *batch, const struct id_tag *tag)
{
    struct id_tag *copy = tag_copy(tag);
    struct arena *arena = &batch->arena;
    batch_add(batch, RECORD_ID_TAG)->id_tag =
        (struct record_id_tag){arena_strdup(arena, copy->id_tag),
                               arena_strdup(arena, copy->status),
                               copy->expiry_ms,
                               arena_strdup(arena, copy->parent_id_tag),
                               arena_strdup(arena, copy->note),
                               copy->max_active};
    struct id_tag *before = map_put(&changes->st->tags, span_of(tag->id_tag), copy);
    changes->items[changes->count++] = (struct tag_change){xstrdup(tag->id_tag), copy, before};
}

static bool tag_check(const struct id_tag *tag, struct reason *why)
{
    size_t len = tag->id_tag ? strlen(tag->id_tag) : 0;
    if (len == 0 || len > 255 || !utf8_valid(tag->id_tag, len))
        return reason_set(why, "idTag: expected 1 to 255 bytes of UTF-8");
    for (size_t i = 0; i < ARRAY_LEN(tag_statuses); i++) {
        if (text_is(tag->status, tag_statuses[i]))
            return true;
    }
    return reason_set(why, "status: expected Accepted, Blocked, Expired, Invalid or ConcurrentTx");
}

bool station_tag_put(struct station *st, const struct id_tag *tag, struct reason *why,
                     change_done done, void *ctx)
{
    if (!tag_check(tag, why))
        return false;
    struct batch *batch = batch_new();
    struct tag_changes *changes = changes_new(st, 1, done, ctx);
    put(changes, batch, tag);
    submit(changes, batch);
    return true;
}

bool station_tag_delete(struct station *st, const char *id_tag, change_done done, void *ctx)
{
    struct id_tag *before = map_remove(&st->tags, span_of(id_tag));
    if (!before)
        return false;
    struct batch *batch = batch_new();
    struct record *row = batch_add(batch, RECORD_ID_TAG_DELETE);
    row->id_tag = (struct record_id_tag){
        .id_tag = arena_strdup(&batch->arena, id_tag), .expiry_ms = ABSENT, .max_active = ABSENT};
    struct tag_changes *changes = changes_new(st, 1, done, ctx);
    changes->items[changes->count++] = (struct tag_change){xstrdup(id_tag), NULL, before};
    submit(changes, batch);
    return true;
}

bool station_tags_import(struct station *st, const struct id_tag *tags, size_t count, size_t *bad,
                         struct reason *why, change_done done, void *ctx)
{
    for (size_t i = 0; i < count; i++) {
        if (!tag_check(&tags[i], why)) {
            *bad = i;
            return false;
        }
    }
    if (count == 0) { /* nothing to wait for */
        if (done)
            done(ctx, true, NULL);
        return true;
    }
    struct batch *batch = batch_new();
    struct tag_changes *changes = changes_new(st, count, done, ctx);
    for (size_t i = 0; i < count; i++)
        put(changes, batch, &tags[i]);
    submit(changes, batch);
    return true;
}
