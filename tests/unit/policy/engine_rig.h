/* A policy on a folder of its own, a station with one charger on a wire of our own, and a loop that
 * turns only when the test says so: no sleeping, no wall clock.
 *
 * Budgets are CPU time and the sanitizers make scripts slow, so they are generous here unless they
 * are what a test is about. */
#ifndef TESTS_POLICY_ENGINE_RIG_H
#define TESTS_POLICY_ENGINE_RIG_H

#include <ftw.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/log.h"
#include "base/mem.h"
#include "policy/policy.h"
#include "policy/reload.h"
#include "policy/status.h"

#define UNUSED __attribute__((unused))

enum { POSTS_MAX = 64, CONNECTION = 7 };

struct answer { /* a verdict, copied */
    unsigned times;
    enum verdict_kind kind;
    char word[64], why[400], file[96], extra[400];
    int64_t line, generation;
};

struct rig {
    char dir[64];
    struct policy_settings settings;
    struct timers timers;
    struct station *station;
    struct policy *policy;
    struct policy_report report; /* of the last load, reload, check … */
    unsigned reports;
    struct answer answer; /* of the last event */
    char last_call[64];   /* unique id of the last CALL to the charger */
    unsigned calls;
    struct strbuf log;
    unsigned decisions;
    pthread_mutex_t lock;
    pthread_cond_t posted;
    struct {
        void (*fn)(void *arg);
        void *arg;
    } posts[POSTS_MAX];
    size_t post_count;
};

/* ---- files ---- */

UNUSED static void rig_file(struct rig *rig, const char *name, const char *text)
{
    char path[256];
    snprintf(path, sizeof(path), "%s/lib", rig->dir);
    mkdir(path, 0700);
    snprintf(path, sizeof(path), "%s/tests", rig->dir);
    mkdir(path, 0700);
    snprintf(path, sizeof(path), "%s/%s", rig->dir, name);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_int_equal(fwrite(text, 1, strlen(text), file), strlen(text));
    fclose(file);
}

UNUSED static void rig_remove(struct rig *rig, const char *name)
{
    char path[256];
    snprintf(path, sizeof(path), "%s/%s", rig->dir, name);
    unlink(path);
}

static int rig_remove_entry(const char *path, const struct stat *st, int type, struct FTW *walk)
{
    (void)st;
    (void)type;
    (void)walk;
    return remove(path);
}

/* ---- the station's world ---- */

static void rig_find_call(struct rig *rig, const char *text)
{
    if (strncmp(text, "[2,\"", 4) != 0)
        return;
    rig->calls++;
    snprintf(rig->last_call, sizeof(rig->last_call), "%.*s", (int)strcspn(text + 4, "\""),
             text + 4);
}

static bool rig_send(void *ctx, uint64_t connection, const char *text, size_t len)
{
    (void)connection;
    (void)len;
    rig_find_call(ctx, text);
    return true;
}

static void rig_close_port(void *ctx, uint64_t connection, int code, const char *reason)
{
    (void)ctx;
    (void)connection;
    (void)code;
    (void)reason;
}

static void rig_pause(void *ctx, uint64_t connection, bool paused)
{
    (void)ctx;
    (void)connection;
    (void)paused;
}

static void rig_submit(void *ctx, struct batch *batch)
{
    (void)ctx;
    if (batch->done)
        batch->done(batch->ctx, batch);
    else
        batch_free(batch);
}

static void rig_ask_port(void *ctx, const struct event *event, event_done done, void *done_ctx)
{
    (void)ctx;
    (void)event;
    done(done_ctx, &(struct verdict){.kind = VERDICT_NONE});
}

static bool rig_listens(void *ctx, enum event_kind kind, const char *action)
{
    (void)ctx;
    (void)kind;
    (void)action;
    return false;
}

static void rig_post(void *loop, void (*fn)(void *arg), void *arg)
{
    struct rig *rig = loop;
    pthread_mutex_lock(&rig->lock);
    assert_true(rig->post_count < POSTS_MAX);
    rig->posts[rig->post_count].fn = fn;
    rig->posts[rig->post_count++].arg = arg;
    pthread_cond_signal(&rig->posted);
    pthread_mutex_unlock(&rig->lock);
}

static void rig_decision(void *ctx, const struct record_decision *row)
{
    struct rig *rig = ctx;
    assert_non_null(row->event);
    rig->decisions++;
}

static void rig_log(void *ctx, const char *line, size_t len)
{
    struct rig *rig = ctx;
    strbuf_add(&rig->log, line, len);
    strbuf_addc(&rig->log, '\n');
}

/* ---- the loop ---- */

/* One turn: what was posted, then what is due. */
UNUSED static void rig_turn(struct rig *rig)
{
    for (;;) {
        pthread_mutex_lock(&rig->lock);
        bool any = rig->post_count > 0;
        void (*fn)(void *arg) = rig->posts[0].fn;
        void *arg = rig->posts[0].arg;
        if (any)
            memmove(&rig->posts[0], &rig->posts[1], --rig->post_count * sizeof(rig->posts[0]));
        pthread_mutex_unlock(&rig->lock);
        if (!any)
            break;
        fn(arg);
    }
    timers_run(&rig->timers);
}

/* Waits for the build thread to post, then turns. */
UNUSED static void rig_wait_post(struct rig *rig)
{
    pthread_mutex_lock(&rig->lock);
    while (rig->post_count == 0)
        pthread_cond_wait(&rig->posted, &rig->lock);
    pthread_mutex_unlock(&rig->lock);
    rig_turn(rig);
}

/* Until no build is under way or waiting. */
UNUSED static void rig_settle(struct rig *rig)
{
    while (rig->policy->running)
        rig_wait_post(rig);
}

UNUSED static void rig_advance(struct rig *rig, int64_t ms)
{
    clock_advance(ms);
    rig_turn(rig);
    rig_turn(rig); /* what a timer started with no delay */
}

/* ---- life ---- */

UNUSED static void rig_open(struct rig *rig)
{
    memset(rig, 0, sizeof(*rig));
    snprintf(rig->dir, sizeof(rig->dir), "/tmp/cb-policy-XXXXXX");
    assert_non_null(mkdtemp(rig->dir));
    pthread_mutex_init(&rig->lock, NULL);
    pthread_cond_init(&rig->posted, NULL);
    clock_fake(1767225600000); /* 2026-01-01 */
    log_redirect(rig_log, rig);
    rig->settings = (struct policy_settings){.dir = rig->dir,
                                             .run_warn_ms = 5000,
                                             .run_kill_ms = 10000,
                                             .authorize_timeout_ms = 5000,
                                             .handler_timeout_ms = 60000,
                                             .load_file_ms = 20000,
                                             .load_total_ms = 100000,
                                             .memory_bytes = 64 << 20,
                                             .drain_ms = 30000,
                                             .probation_ms = 60000,
                                             .tasks_max = 100};
    static const struct station_settings station = {.registration = ADMIT_OPEN,
                                                    .heartbeat_interval_s = 300,
                                                    .pending_interval_s = 60,
                                                    .call_timeout_ms = 100000000,
                                                    .queue_timeout_ms = 100000000,
                                                    .boot_grace_ms = 10000,
                                                    .clock_tolerance_ms = 5000,
                                                    .late_after_ms = 300000,
                                                    .authorize_default = "Invalid",
                                                    .authorize_failed = "Invalid"};
    const struct station_ports ports = {.ctx = rig,
                                        .send = rig_send,
                                        .close = rig_close_port,
                                        .pause = rig_pause,
                                        .submit = rig_submit,
                                        .ask = rig_ask_port,
                                        .listens = rig_listens};
    rig->station = station_new(&station, &ports, &rig->timers);
}

UNUSED static void rig_new_policy(struct rig *rig)
{
    const struct policy_ports ports = {.ctx = rig, .decision = rig_decision};
    const struct poster poster = {rig_post, rig};
    rig->policy = policy_new(&rig->settings, rig->station, &ports, &rig->timers, poster);
}

/* True if it was loaded; else see rig->report. */
UNUSED static bool rig_load(struct rig *rig)
{
    if (!rig->policy)
        rig_new_policy(rig);
    return policy_load(rig->policy, &rig->report);
}

UNUSED static void rig_load_ok(struct rig *rig)
{
    bool ok = rig_load(rig);
    for (size_t i = 0; !ok && i < rig->report.kept; i++)
        print_error("%s:%d: %s\n", rig->report.errors[i].file, rig->report.errors[i].line,
                    rig->report.errors[i].message);
    assert_true(ok);
}

UNUSED static void rig_shut(struct rig *rig)
{
    policy_free(rig->policy);
    rig->policy = NULL;
    rig_turn(rig);
    station_free(rig->station);
    timers_clear(&rig->timers);
    log_redirect(NULL, NULL);
    strbuf_clear(&rig->log);
    clock_real();
    pthread_cond_destroy(&rig->posted);
    pthread_mutex_destroy(&rig->lock);
    nftw(rig->dir, rig_remove_entry, 8, FTW_DEPTH | FTW_PHYS);
}

/* ---- what policies are asked ---- */

UNUSED static void rig_on_verdict(void *ctx, const struct verdict *verdict)
{
    struct answer *answer = ctx;
    unsigned times = answer->times + 1;
    *answer = (struct answer){.times = times,
                              .kind = verdict->kind,
                              .line = verdict->line,
                              .generation = verdict->generation};
    text_copy(answer->word, sizeof(answer->word), span_of(verdict->word ? verdict->word : ""));
    text_copy(answer->why, sizeof(answer->why), span_of(verdict->why ? verdict->why : ""));
    text_copy(answer->file, sizeof(answer->file), span_of(verdict->file ? verdict->file : ""));
    if (verdict->extra) {
        struct strbuf text = {0};
        json_write(&text, verdict->extra);
        text_copy(answer->extra, sizeof(answer->extra), span_of(strbuf_text(&text)));
        strbuf_clear(&text);
    }
}

UNUSED static struct answer *rig_event(struct rig *rig, struct event event)
{
    event.cp = event.cp ? event.cp : "CP1";
    policy_event(rig->policy, &event, rig_on_verdict, &rig->answer);
    return &rig->answer;
}

UNUSED static struct answer *rig_authorize(struct rig *rig, const char *id_tag)
{
    return rig_event(rig, (struct event){.kind = EVENT_AUTHORIZE,
                                         .connector = 1,
                                         .id_tag = id_tag,
                                         .purpose = "authorize"});
}

/* ---- the charger ---- */

UNUSED static void rig_connect(struct rig *rig)
{
    static const char boot[] = "[2,\"b1\",\"BootNotification\",{\"chargePointVendor\":\"V\","
                               "\"chargePointModel\":\"M\"}]";
    station_connected(rig->station, "CP1", CONNECTION, &version_16, "192.0.2.1");
    station_received(rig->station, "CP1", CONNECTION, boot, strlen(boot));
    rig->calls = 0;
}

/* Answers the CALL that a script waits for. */
UNUSED static void rig_answer_call(struct rig *rig)
{
    char frame[160];
    snprintf(frame, sizeof(frame), "[3,\"%s\",{\"status\":\"Accepted\"}]", rig->last_call);
    station_received(rig->station, "CP1", CONNECTION, frame, strlen(frame));
}

UNUSED static void rig_disconnect(struct rig *rig)
{
    station_disconnected(rig->station, "CP1", CONNECTION, "gone");
}

UNUSED static void rig_on_report(void *ctx, const struct policy_report *report)
{
    struct rig *rig = ctx;
    rig->report = *report;
    rig->reports++;
}

/* Reloads on the build thread and waits for the result. */
UNUSED static bool rig_reload(struct rig *rig)
{
    policy_reload(rig->policy, rig_on_report, rig);
    rig_settle(rig);
    return rig->report.ok;
}

UNUSED static bool rig_logged(const struct rig *rig, const char *text)
{
    return strstr(strbuf_text(&rig->log), text) != NULL;
}

#endif
