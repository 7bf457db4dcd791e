/* See settle.h. Batches come back in the order in which they went out: an empty one that is sent
 * behind the rows of this turn comes back last, and between the two no batch may have failed. */
#include "station/settle.h"

#include "base/mem.h"
#include "station/core.h"

struct settling { /* in the batch */
    struct station *st;
    uint64_t failed; /* batches, before */
    change_done done;
    void *ctx;
};

static void on_back(void *ctx, struct batch *batch)
{
    struct settling settling = *(struct settling *)ctx;
    station_batch_back(settling.st, batch);
    batch_free(batch);
    bool ok = station_counters(settling.st)->failed_batches == settling.failed;
    settling.done(settling.ctx, ok, ok ? NULL : "it could not be stored");
}

void station_settle(struct station *st, change_done done, void *ctx)
{
    struct batch *batch = batch_new();
    struct settling *settling = ARENA_NEW(&batch->arena, struct settling);
    *settling = (struct settling){st, station_counters(st)->failed_batches, done, ctx};
    batch->done = on_back;
    batch->ctx = settling;
    station_flush(st);
    station_submit(st, batch);
}
