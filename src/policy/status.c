/* See status.h. */
#include "policy/status.h"

#include <stdlib.h>

#include "base/mem.h"
#include "base/timetext.h"

static void add_bool(struct arena *arena, struct json *object, const char *key, bool value)
{
    json_add(arena, object, key, json_new_bool(arena, value));
}

static void add_time(struct arena *arena, struct json *object, const char *key, wall_t time)
{
    char text[TIMETEXT_SIZE];
    timetext_millis(time, text);
    json_adds(arena, object, key, text);
}

static struct json *error_list(struct arena *arena, const struct policy_report *report)
{
    struct json *list = json_new(arena, JSON_ARRAY);
    for (size_t i = 0; i < report->kept; i++) {
        struct json *item = json_new(arena, JSON_OBJECT);
        json_adds(arena, item, "file", report->errors[i].file);
        json_addi(arena, item, "line", report->errors[i].line);
        json_adds(arena, item, "message", report->errors[i].message);
        json_add(arena, list, NULL, item);
    }
    return list;
}

struct json *status_report(const struct policy_report *report, struct arena *arena)
{
    struct json *out = json_new(arena, JSON_OBJECT);
    add_bool(arena, out, "ok", report->ok);
    json_addi(arena, out, "generation", report->generation);
    json_addi(arena, out, "errorCount", (int64_t)report->error_count);
    json_add(arena, out, "errors", error_list(arena, report));
    json_addi(arena, out, "files", (int64_t)report->files);
    json_addi(arena, out, "tests", (int64_t)report->tests);
    add_bool(arena, out, "filesDiffer", report->files_differ);
    return out;
}

static struct json *file_list(struct arena *arena, const struct source_set *sources)
{
    struct json *list = json_new(arena, JSON_ARRAY);
    for (size_t i = 0; i < sources->count; i++) {
        const struct source_file *file = &sources->files[i];
        if (file->builtin)
            continue;
        struct json *item = json_new(arena, JSON_OBJECT);
        json_adds(arena, item, "name", file->name);
        json_adds(arena, item, "sha256", file->sha256);
        json_addi(arena, item, "bytes", (int64_t)file->len);
        json_add(arena, list, NULL, item);
    }
    return list;
}

/* Upper end of the slot that holds the share: within a factor of two. */
static int64_t percentile_us(const struct hook_stats *stats, unsigned percent)
{
    uint64_t total = 0, seen = 0;
    for (size_t i = 0; i < ARRAY_LEN(stats->run_us); i++)
        total += stats->run_us[i];
    for (size_t i = 0; i < ARRAY_LEN(stats->run_us); i++) {
        seen += stats->run_us[i];
        if (total > 0 && seen * 100 >= total * percent)
            return (int64_t)1 << (i + 1);
    }
    return 0;
}

static void add_hook(struct arena *arena, struct json *object, const char *name,
                     const struct hook_stats *stats)
{
    struct json *item = json_new(arena, JSON_OBJECT);
    json_addi(arena, item, "calls", (int64_t)stats->calls);
    json_addi(arena, item, "errors", (int64_t)stats->errors);
    json_addi(arena, item, "waits", (int64_t)stats->waits);
    json_addi(arena, item, "p50Us", percentile_us(stats, 50));
    json_addi(arena, item, "p99Us", percentile_us(stats, 99));
    json_add(arena, object, name, item);
}

struct json *status_hooks(const struct generation *generation, struct arena *arena)
{
    struct json *object = json_new(arena, JSON_OBJECT);
    for (const struct hook_row *row = hook_rows; row->name; row++) {
        bool identify = row->kind == EVENT_KINDS;
        const struct handler_list *list =
            identify ? &generation->identify : &generation->events[row->kind];
        if (list->count > 0)
            add_hook(arena, object, row->name,
                     identify ? &generation->identify_stats : &generation->stats[row->kind]);
    }
    if (generation->actions.count > 0)
        add_hook(arena, object, "actions", &generation->stats[EVENT_ACTION]);
    return object;
}

static struct json *draining_list(struct arena *arena, const struct policy *policy)
{
    struct json *list = json_new(arena, JSON_ARRAY);
    for (size_t i = 0; i < policy->draining_count; i++) {
        struct json *item = json_new(arena, JSON_OBJECT);
        json_addi(arena, item, "generation", policy->draining[i]->number);
        json_addi(arena, item, "tasks", (int64_t)policy->draining[i]->tasks);
        json_add(arena, list, NULL, item);
    }
    return list;
}

static struct json *last_refusal(struct arena *arena, const struct refusal *refusal)
{
    if (!refusal->any)
        return json_new(arena, JSON_NULL);
    struct json *out = json_new(arena, JSON_OBJECT);
    add_time(arena, out, "at", refusal->at);
    json_addi(arena, out, "errorCount", (int64_t)refusal->report.error_count);
    json_add(arena, out, "errors", error_list(arena, &refusal->report));
    return out;
}

struct json *status_policies(const struct policy *policy, struct arena *arena)
{
    struct json *out = json_new(arena, JSON_OBJECT);
    const struct generation *current = policy->current;
    json_addi(arena, out, "generation", current ? current->number : 0);
    if (current) {
        add_time(arena, out, "loadedAt", current->loaded_at);
        add_bool(arena, out, "filesDiffer", policy->files_differ);
        json_add(arena, out, "files", file_list(arena, &current->sources));
        json_add(arena, out, "hooks", status_hooks(current, arena));
        json_addi(arena, out, "memory", (int64_t)current->memory);
        json_addi(arena, out, "memoryPeak", (int64_t)current->memory_peak);
    }
    json_add(arena, out, "lastRefusal", last_refusal(arena, &policy->last_refusal));
    json_add(arena, out, "draining", draining_list(arena, policy));
    add_bool(arena, out, "building", policy->running != NULL);
    add_bool(arena, out, "onProbation", policy->on_probation);
    json_addi(arena, out, "tasks", (int64_t)policy->scheduler.tasks);
    json_addi(arena, out, "reloads", (int64_t)policy->reloads);
    json_addi(arena, out, "refusals", (int64_t)policy->refusals);
    json_addi(arena, out, "rollbacks", (int64_t)policy->rollbacks);
    json_addi(arena, out, "errors", (int64_t)policy->errors.total);
    return out;
}

static int newest_first(const void *a, const void *b)
{
    const struct error_entry *x = *(const struct error_entry *const *)a;
    const struct error_entry *y = *(const struct error_entry *const *)b;
    return x->last < y->last ? 1 : x->last > y->last ? -1 : 0;
}

static struct json *error_item(struct arena *arena, const struct error_entry *entry)
{
    struct json *item = json_new(arena, JSON_OBJECT);
    json_adds(arena, item, "file", entry->what.file);
    json_addi(arena, item, "line", entry->what.line);
    json_adds(arena, item, "message", entry->what.message);
    json_adds(arena, item, "event", entry->event);
    if (entry->cp[0])
        json_adds(arena, item, "cp", entry->cp);
    json_addi(arena, item, "generation", entry->generation);
    json_addi(arena, item, "count", (int64_t)entry->count);
    add_time(arena, item, "first", entry->first);
    add_time(arena, item, "last", entry->last);
    if (entry->example[0])
        json_adds(arena, item, "example", entry->example);
    json_adds(arena, item, "traceback", entry->traceback);
    return item;
}

struct json *status_error_items(const struct error_log *log, struct arena *arena)
{
    const struct error_entry **sorted = arena_alloc(arena, (log->count + 1) * sizeof(*sorted));
    for (size_t i = 0; i < log->count; i++)
        sorted[i] = &log->entries[i];
    qsort(sorted, log->count, sizeof(*sorted), newest_first);
    struct json *list = json_new(arena, JSON_ARRAY);
    for (size_t i = 0; i < log->count; i++)
        json_add(arena, list, NULL, error_item(arena, sorted[i]));
    return list;
}

struct json *status_errors(const struct policy *policy, struct arena *arena)
{
    struct json *out = json_new(arena, JSON_OBJECT);
    json_addi(arena, out, "total", (int64_t)policy->errors.total);
    json_add(arena, out, "items", status_error_items(&policy->errors, arena));
    return out;
}
