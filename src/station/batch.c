/* Batches: a list of records and the one arena that owns everything in them (record.h).
 *
 * Whoever fills a batch copies its strings into batch->arena; then the whole can move between
 * threads and is freed in one go. */
#include "station/record.h"

#include "base/mem.h"

struct batch *batch_new(void)
{
    return xcalloc(1, sizeof(struct batch));
}

void batch_free(struct batch *batch)
{
    if (batch == NULL) {
        return;
    }
    arena_clear(&batch->arena);
    xfree(batch);
}

struct record *batch_add(struct batch *batch, enum record_kind kind)
{
    struct record *record = ARENA_NEW(&batch->arena, struct record);
    record->kind = kind;
    if (batch->last != NULL) {
        batch->last->next = record;
    } else {
        batch->first = record;
    }
    batch->last = record;
    return record;
}
