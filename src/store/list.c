/* See list.h. */
#include "store/list.h"

const struct list_table list_tables[LIST_COUNT] = {
    [LIST_MESSAGE] = {"message", "ts_ms"},
    [LIST_STATUS] = {"status_log", "received_ms"},
    [LIST_DECISION] = {"decision", "ts_ms"},
    [LIST_SECURITY_EVENT] = {"security_event", "received_ms"},
    [LIST_JOB_STATUS] = {"job_status", "ts_ms"},
    [LIST_ORPHAN] = {"orphan", "ts_ms"},
    [LIST_EVENT] = {"event", "ts_ms"},
};

void list_added(struct list_index *index, struct sql *sql, enum list_id list, wall_t at)
{
    int64_t block = sql_new_id(sql) / LIST_BLOCK;
    if (!sql_ok(sql) || index->of[list].block == block + 1)
        return;
    map_clear(&index->of[list].keys);
    index->of[list].keys.ignore_case = true;
    index->of[list].block = block + 1;
    sql_done(sql, sql_bind(sql, SQL_ADD_BLOCK, "iii", (int64_t)list, block, at));
}

void list_add_key(struct list_index *index, struct sql *sql, enum list_id list, const char *key)
{
    struct map *keys = &index->of[list].keys;
    if (!key || !sql_ok(sql) || map_gets(keys, key))
        return;
    map_put(keys, span_of(key), keys);
    sql_done(sql, sql_bind(sql, SQL_ADD_BLOCK_KEY, "iit", (int64_t)list, index->of[list].block - 1,
                           key));
}

void list_index_forget(struct list_index *index)
{
    for (int list = 0; list < LIST_COUNT; list++) {
        map_clear(&index->of[list].keys);
        index->of[list].block = 0;
    }
}
