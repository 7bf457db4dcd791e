/* The lists: tables to which rows are only added (messages, statuses, decisions, …), and the coarse
 * index by which they are searched. Private to store/.
 *
 * Ids rise with time. A block is LIST_BLOCK ids in a row; list_block keeps when it began, list_key
 * which charge points (and tags) occur in it. Whoever looks for a charge point reads the blocks
 * that name it, newest first. An ordinary index by charge point costs a page written per message
 * and charger and makes the whole writer 2.7 times slower at 1,000 chargers (measured); this one
 * costs next to nothing and finds a page within milliseconds. Filters by time use the beginnings of
 * blocks: if our own clock was ever set back, they may miss rows of the blocks around that moment;
 * pages without such a filter never do. */
#ifndef STORE_LIST_H
#define STORE_LIST_H

#include "base/map.h"
#include "store/sql.h"

enum { LIST_BLOCK = 4096 };

enum list_id { /* in the file: never renumbered */
               LIST_MESSAGE,
               LIST_STATUS,
               LIST_DECISION,
               LIST_SECURITY_EVENT,
               LIST_JOB_STATUS,
               LIST_ORPHAN,
               LIST_EVENT,
               LIST_COUNT
};

struct list_table {
    const char *table, *time; /* the column that tells when we stored it */
};
extern const struct list_table list_tables[LIST_COUNT];

/* What the writer knows to be in the index already. A zeroed one knows nothing. */
struct list_index {
    struct {
        int64_t block; /* + 1; 0 = none */
        struct map keys;
    } of[LIST_COUNT];
};

/* After the INSERT of a row: that it is in the list, and under which keys (NULL: none). */
void list_added(struct list_index *index, struct sql *sql, enum list_id list, wall_t at);
void list_add_key(struct list_index *index, struct sql *sql, enum list_id list, const char *key);
/* After a rollback: what was added to the index may be gone. */
void list_index_forget(struct list_index *index);

#endif
