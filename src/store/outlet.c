/* Finished batches and answered queries on their way back to the loop thread.
 *
 * Both threads put lists in; one posted callback at a time takes them out, so a burst of commits
 * costs one wake-up. The outlet outlives the store when a callback is still posted at closing time:
 * the loop runs it later, finds no store, and frees it. */
#include "base/mem.h"
#include "store/parts.h"

struct outlet {
    pthread_mutex_t lock;
    struct store *store; /* under lock, like all that follows; NULL once closed */
    bool posted;
    struct batch *batches, **batches_end;
    struct query *queries, **queries_end;
};

struct outlet *outlet_new(struct store *store)
{
    struct outlet *outlet = xcalloc(1, sizeof(*outlet));
    pthread_mutex_init(&outlet->lock, NULL);
    outlet->store = store;
    outlet->batches_end = &outlet->batches;
    outlet->queries_end = &outlet->queries;
    return outlet;
}

static void outlet_free(struct outlet *outlet)
{
    pthread_mutex_destroy(&outlet->lock);
    xfree(outlet);
}

static void on_posted(void *arg)
{
    struct outlet *outlet = arg;
    pthread_mutex_lock(&outlet->lock);
    struct store *store = outlet->store;
    outlet->posted = false;
    pthread_mutex_unlock(&outlet->lock);
    if (store)
        outlet_deliver(outlet);
    else
        outlet_free(outlet);
}

/* Called with the lock held; gives it back. */
static void post_and_unlock(struct outlet *outlet)
{
    bool post = !outlet->posted && outlet->store;
    const struct poster *poster = post ? &outlet->store->settings.poster : NULL;
    outlet->posted |= post;
    pthread_mutex_unlock(&outlet->lock);
    if (poster)
        poster->post(poster->loop, on_posted, outlet);
}

void outlet_put_batches(struct outlet *outlet, struct batch *first)
{
    pthread_mutex_lock(&outlet->lock);
    *outlet->batches_end = first;
    while (*outlet->batches_end)
        outlet->batches_end = &(*outlet->batches_end)->next;
    post_and_unlock(outlet);
}

void outlet_put_query(struct outlet *outlet, struct query *query)
{
    query->next = NULL;
    pthread_mutex_lock(&outlet->lock);
    *outlet->queries_end = query;
    outlet->queries_end = &query->next;
    post_and_unlock(outlet);
}

void outlet_deliver(struct outlet *outlet)
{
    struct store *store = outlet->store;
    pthread_mutex_lock(&outlet->lock);
    struct batch *batches = outlet->batches;
    struct query *queries = outlet->queries;
    outlet->batches = NULL;
    outlet->batches_end = &outlet->batches;
    outlet->queries = NULL;
    outlet->queries_end = &outlet->queries;
    pthread_mutex_unlock(&outlet->lock);
    writer_hand_back(store, batches);
    reader_hand_back(store, queries);
}

void outlet_close(struct outlet *outlet)
{
    pthread_mutex_lock(&outlet->lock);
    outlet->store = NULL;
    bool posted = outlet->posted;
    pthread_mutex_unlock(&outlet->lock);
    if (!posted)
        outlet_free(outlet);
}
