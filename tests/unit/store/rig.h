/* A store in a folder of its own, and a poster that the test thread drains: what store tests stand
 * on. Nothing sleeps: rig_settle() waits on a condition until everything submitted came back; a
 * test that hangs is ended by the alarm. */
#ifndef TESTS_STORE_RIG_H
#define TESTS_STORE_RIG_H

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/log.h"
#include "base/mem.h"
#include "store/parts.h"

#define UNUSED __attribute__((unused))

enum { POSTS_MAX = 4096, ALARM_S = 120 };

struct mailbox {
    pthread_mutex_t lock;
    pthread_cond_t arrived;
    struct {
        void (*fn)(void *arg);
        void *arg;
    } posts[POSTS_MAX];
    size_t first, last; /* under lock */
};

/* A group is written twice if a step of it fails (writer.c); for a failure that stays, the step has
 * to fail both times. */
#define SAME_STEP INT64_MIN

struct fault {
    int64_t left;  /* steps up to the one that fails, counted down */
    int64_t again; /* the same from there on, or SAME_STEP */
    bool happened; /* it has failed once */
    uint64_t text; /* of that statement, hashed */
    int64_t which; /* of those with this text since BEGIN */
    struct {
        uint64_t text;
        int64_t count;
    } counts[64]; /* since BEGIN */
};

struct rig {
    struct mailbox mail;
    struct fault fault;
    sqlite3 *look; /* rig_number()'s connection while the store is open */
    struct store *store;
    struct store_settings settings;
    char dir[256], path[300];
    struct reason why;
    /* the last query's answer */
    bool answered;
    char *rows, *cursor, *error;
    size_t done_count, failed_count; /* batches by batch_gone() */
};

static inline void mailbox_post(void *loop, void (*fn)(void *arg), void *arg)
{
    struct mailbox *mail = loop;
    pthread_mutex_lock(&mail->lock);
    assert_true(mail->last < POSTS_MAX);
    mail->posts[mail->last].fn = fn;
    mail->posts[mail->last++].arg = arg;
    pthread_cond_signal(&mail->arrived);
    pthread_mutex_unlock(&mail->lock);
}

/* Runs one posted function, waiting for it if need be. */
static inline void mailbox_run_one(struct mailbox *mail)
{
    pthread_mutex_lock(&mail->lock);
    while (mail->first == mail->last)
        pthread_cond_wait(&mail->arrived, &mail->lock);
    void (*fn)(void *) = mail->posts[mail->first].fn;
    void *arg = mail->posts[mail->first++].arg;
    if (mail->first == mail->last)
        mail->first = mail->last = 0;
    pthread_mutex_unlock(&mail->lock);
    fn(arg);
}

static inline UNUSED void mailbox_run_rest(struct mailbox *mail)
{
    while (mail->first != mail->last)
        mailbox_run_one(mail);
}

static inline UNUSED void rig_settle(struct rig *rig)
{
    while (!store_idle(rig->store))
        mailbox_run_one(&rig->mail);
}

static inline UNUSED bool rig_open(struct rig *rig)
{
    rig->store = store_open(&rig->settings, &rig->why);
    return rig->store != NULL;
}

static inline UNUSED void rig_close(struct rig *rig)
{
    struct store *store = rig->store; /* a failing assertion inside must not close it twice */
    rig->store = NULL;
    sqlite3_close(rig->look);
    rig->look = NULL;
    store_close(store);
    mailbox_run_rest(&rig->mail);
}

static inline UNUSED void rig_reopen(struct rig *rig)
{
    rig_close(rig);
    if (!rig_open(rig))
        fail_msg("%s", rig->why.text);
}

static inline void rig_forget_answer(struct rig *rig)
{
    XFREE(rig->rows);
    XFREE(rig->cursor);
    XFREE(rig->error);
    rig->answered = false;
}

static inline void no_log(void *ctx, const char *line, size_t len)
{
    (void)ctx, (void)line, (void)len;
}

/* Only the folder and the mailbox. */
static inline UNUSED int rig_make(void **state)
{
    const char *tmp = getenv("TMPDIR");
    if (!tmp && access("/dev/shm", W_OK) == 0)
        tmp = "/dev/shm"; /* no disk to wait for at every commit */
    struct rig *rig = xcalloc(1, sizeof(*rig));
    alarm(ALARM_S);
    pthread_mutex_init(&rig->mail.lock, NULL);
    pthread_cond_init(&rig->mail.arrived, NULL);
    snprintf(rig->dir, sizeof(rig->dir), "%s/cb-store-XXXXXX", tmp ? tmp : "/tmp");
    assert_non_null(mkdtemp(rig->dir));
    snprintf(rig->path, sizeof(rig->path), "%s/cb.db", rig->dir);
    rig->settings.path = rig->path;
    rig->settings.poster = (struct poster){mailbox_post, &rig->mail};
    log_redirect(no_log, NULL);
    *state = rig;
    return 0;
}

static inline UNUSED int rig_setup(void **state)
{
    rig_make(state);
    struct rig *rig = *state;
    if (!rig_open(rig))
        fail_msg("%s", rig->why.text);
    return 0;
}

static inline UNUSED int rig_teardown(void **state)
{
    static const char *const names[] = {
        "cb.db",          "cb.db-wal",          "cb.db-shm",         "cb.db.lock",
        "cb.db.before-3", "cb.db.before-3-wal", "cb.db.before-3-shm"};
    struct rig *rig = *state;
    char path[400];
    rig_close(rig);
    rig_forget_answer(rig);
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        snprintf(path, sizeof(path), "%s/%s", rig->dir, names[i]);
        unlink(path);
    }
    assert_int_equal(rmdir(rig->dir), 0);
    pthread_mutex_destroy(&rig->mail.lock);
    pthread_cond_destroy(&rig->mail.arrived);
    xfree(rig);
    log_redirect(NULL, NULL);
    alarm(0);
    return 0;
}

/* ---- batches ---- */

static inline void batch_gone(void *ctx, struct batch *batch)
{
    struct rig *rig = ctx;
    rig->done_count++;
    rig->failed_count += batch->failed;
}

/* A batch whose `done` only counts; the test frees it. */
static inline UNUSED struct batch *rig_batch(struct rig *rig)
{
    struct batch *batch = batch_new();
    batch->done = batch_gone;
    batch->ctx = rig;
    return batch;
}

/* Submits, waits, and tells whether it was stored; the batch stays to be read. */
static inline UNUSED bool rig_store(struct rig *rig, struct batch *batch)
{
    store_submit(rig->store, batch);
    rig_settle(rig);
    return !batch->failed;
}

/* Stores one record of its own batch. */
static inline UNUSED void rig_put(struct rig *rig, struct record from)
{
    struct batch *batch = rig_batch(rig);
    struct record *record = batch_add(batch, from.kind);
    struct record *next = record->next;
    *record = from;
    record->next = next;
    assert_true(rig_store(rig, batch));
    batch_free(batch);
}

/* ---- faults ---- */

static inline uint64_t hash_of(const char *text)
{
    uint64_t hash = 14695981039346656037u;
    for (; *text; text++)
        hash = (hash ^ (unsigned char)*text) * 1099511628211u;
    return hash;
}

/* How many of this text there were since BEGIN, with this one. */
static inline int64_t fault_count(struct fault *fault, const char *text)
{
    uint64_t hash = hash_of(text);
    size_t i = 0;
    if (strncmp(text, "BEGIN", 5) == 0)
        memset(fault->counts, 0, sizeof(fault->counts));
    while (fault->counts[i].text && fault->counts[i].text != hash)
        i++;
    assert_true(i + 1 < ARRAY_LEN(fault->counts));
    fault->counts[i].text = hash;
    return ++fault->counts[i].count;
}

static inline bool fault_step(void *ctx, const char *text)
{
    struct fault *fault = ctx;
    int64_t which = fault_count(fault, text);
    if (fault->happened && fault->again == SAME_STEP)
        return which == fault->which && hash_of(text) == fault->text;
    if (fault->happened)
        return --fault->again == 0;
    if (--fault->left > 0)
        return false;
    fault->happened = true;
    fault->text = hash_of(text);
    fault->which = which;
    return true;
}

/* The writer's step `at` fails, and then the same once more (SAME_STEP), or the one `again` steps
 * later. To be called before anything is submitted. */
static inline UNUSED void rig_fail_at(struct rig *rig, int64_t at, int64_t again)
{
    rig->fault = (struct fault){.left = at, .again = again};
    rig->store->writer.sql.fault = fault_step;
    rig->store->writer.sql.fault_ctx = &rig->fault;
}

static inline UNUSED void rig_fail_no_more(struct rig *rig)
{
    rig->store->writer.sql.fault = NULL;
}

/* ---- transactions ---- */

static inline UNUSED struct record_start start_of(const char *cp, const char *tag, int64_t at)
{
    return (struct record_start){.cp = cp,
                                 .evse = 1,
                                 .connector = 1,
                                 .id_tag = tag,
                                 .parent_id_tag = "PARENT",
                                 .start_ms = at,
                                 .start_text = "2026-01-01T00:00:00Z",
                                 .received_ms = at + 5,
                                 .meter_start_wh = 100,
                                 .meter_start_text = "100",
                                 .reservation_id = ABSENT,
                                 .verdict = "Accepted",
                                 .expiry = "2027-01-01T00:00:00Z",
                                 .generation = 3};
}

/* Stores one start; what came out is copied to `out` (texts die with the batch). */
static inline UNUSED int64_t rig_start(struct rig *rig, struct record_start in,
                                       struct record_start *out)
{
    struct batch *batch = rig_batch(rig);
    struct record *record = batch_add(batch, RECORD_START);
    record->start = in;
    assert_true(rig_store(rig, batch));
    int64_t id = record->start.out_id;
    if (out)
        *out = record->start;
    batch_free(batch);
    return id;
}

static inline UNUSED struct record_stop stop_of(const char *cp, int64_t id)
{
    return (struct record_stop){.cp = cp,
                                .id = id,
                                .id_tag = "tag",
                                .stop_ms = 5000,
                                .stop_text = "t",
                                .received_ms = 5001,
                                .meter_stop_wh = 1100,
                                .meter_stop_text = "1100",
                                .reason = "Local",
                                .energy_wh = 1000};
}

static inline UNUSED struct record_stop rig_stop(struct rig *rig, struct record_stop in)
{
    struct batch *batch = rig_batch(rig);
    struct record *record = batch_add(batch, RECORD_STOP);
    record->stop = in;
    assert_true(rig_store(rig, batch));
    struct record_stop out = record->stop;
    batch_free(batch);
    return out;
}

/* ---- queries ---- */

static inline void query_gone(void *ctx, const char *rows, const char *cursor, const char *why)
{
    struct rig *rig = ctx;
    assert_false(rig->answered);
    rig->answered = true;
    rig->rows = xstrdup_or_null(rows);
    rig->cursor = xstrdup_or_null(cursor);
    rig->error = xstrdup_or_null(why);
}

static inline UNUSED void rig_ask(struct rig *rig, const char *name, const char *params)
{
    struct arena arena = {0};
    rig_forget_answer(rig);
    struct json *json = params ? json_parse(&arena, params, strlen(params), NULL, NULL) : NULL;
    assert_true(!params || json);
    store_query(rig->store, name, json, query_gone, rig);
    arena_clear(&arena);
    rig_settle(rig);
    assert_true(rig->answered);
}

/* The rows as JSON; a refusal fails the test. */
static inline UNUSED const char *rig_rows(struct rig *rig, const char *name, const char *params)
{
    rig_ask(rig, name, params);
    if (rig->error)
        fail_msg("%s: %s", name, rig->error);
    return rig->rows;
}

static inline UNUSED void assert_rows(struct rig *rig, const char *name, const char *params,
                                      const char *rows)
{
    assert_string_equal(rig_rows(rig, name, params), rows);
}

static inline UNUSED const char *rig_refusal(struct rig *rig, const char *name, const char *params)
{
    rig_ask(rig, name, params);
    if (!rig->error)
        fail_msg("%s: answered %s", name, rig->rows ? rig->rows : "nothing");
    return rig->error;
}

static inline sqlite3 *rig_look(struct rig *rig)
{
    if (rig->look)
        return rig->look;
    sqlite3 *db;
    assert_int_equal(sqlite3_open_v2(rig->path, &db, SQLITE_OPEN_READONLY, NULL), SQLITE_OK);
    sqlite3_busy_timeout(db, 5000);
    if (rig->store)
        rig->look = db;
    return db;
}

/* One integer from the file, by a connection of its own. */
static inline UNUSED int64_t rig_number(struct rig *rig, const char *text)
{
    sqlite3 *db = rig_look(rig);
    sqlite3_stmt *s;
    if (sqlite3_prepare_v2(db, text, -1, &s, NULL) != SQLITE_OK)
        fail_msg("%s: %s", text, sqlite3_errmsg(db));
    assert_int_equal(sqlite3_step(s), SQLITE_ROW);
    int64_t value = sqlite3_column_int64(s, 0);
    sqlite3_finalize(s);
    if (db != rig->look)
        sqlite3_close(db);
    return value;
}

/* Runs SQL on the file, store or not. */
static inline UNUSED void rig_sql(struct rig *rig, const char *text)
{
    sqlite3 *db;
    assert_int_equal(sqlite3_open(rig->path, &db), SQLITE_OK);
    sqlite3_busy_timeout(db, 5000);
    if (sqlite3_exec(db, text, NULL, NULL, NULL) != SQLITE_OK)
        fail_msg("%s: %s", text, sqlite3_errmsg(db));
    sqlite3_close(db);
}

#endif
