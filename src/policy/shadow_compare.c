/* See shadow_parts.h: what two generations made of the same event, and where that differs.
 *
 * Compared are the answer (word and table; `why` is for people) and the effects, in order. Both
 * failed is the same, because the event takes its default then. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/timetext.h"
#include "policy/shadow_parts.h"

enum {
    ITEM_BYTES = 16 * 1024, /* of one difference as it is listed */
    WINDOW_MS = 1000,
    WINDOW_KEPT = 20 /* differences a second, once the list is full */
};

const char *event_text(const struct event *event)
{
    if (event->kind == EVENT_ACTION)
        return event->action ? event->action : "?";
    for (const struct hook_row *row = hook_rows; row->name; row++) {
        if (row->kind == event->kind)
            return row->name;
    }
    return "?";
}

void outcome_take(struct outcome *outcome, struct arena *arena, const struct verdict *verdict)
{
    *outcome = (struct outcome){
        .kind = verdict->kind,
        .word = arena_strdup(arena, verdict->word),
        .why = arena_strdup(arena, verdict->why),
        .file = arena_strdup(arena, verdict->file),
        .extra = verdict->extra ? json_copy(arena, verdict->extra) : NULL,
        .line = verdict->line,
        .generation = verdict->generation,
    };
}

struct json *outcome_json(const struct outcome *outcome, struct arena *arena)
{
    static const char *const kinds[] = {
        [VERDICT_NONE] = "none", [VERDICT_GIVEN] = "given", [VERDICT_FAILED] = "failed"};
    struct json *out = json_new(arena, JSON_OBJECT);
    json_adds(arena, out, "outcome", kinds[outcome->kind]);
    json_adds(arena, out, "answer", outcome->word);
    if (outcome->extra)
        json_add(arena, out, "extra", json_copy(arena, outcome->extra));
    json_adds(arena, out, outcome->kind == VERDICT_FAILED ? "error" : "why", outcome->why);
    json_adds(arena, out, "file", outcome->file);
    if (outcome->file && outcome->line > 0)
        json_addi(arena, out, "line", outcome->line);
    json_addi(arena, out, "generation", outcome->generation);
    return out;
}

/* ---- comparing ---- */

/* The tables that came with the words, without `why`. */
static bool same_extra(struct arena *arena, const struct json *a, const struct json *b)
{
    const struct json *sides[] = {a, b};
    struct json *plain[2];
    for (size_t i = 0; i < 2; i++) {
        plain[i] = sides[i] ? json_copy(arena, sides[i]) : json_new(arena, JSON_OBJECT);
        if (plain[i]->type == JSON_OBJECT)
            json_remove(plain[i], "why");
    }
    return json_equal(plain[0], plain[1]);
}

static bool same_answer(struct arena *arena, const struct outcome *a, const struct outcome *b)
{
    if (a->kind != b->kind)
        return false;
    if (a->kind != VERDICT_GIVEN)
        return true;
    if (strcmp(a->word ? a->word : "", b->word ? b->word : "") != 0)
        return false;
    return same_extra(arena, a->extra, b->extra);
}

/* ---- keeping ---- */

static void count(struct comparison *comparison, const struct event *event)
{
    char key[384];
    const char *name = event_text(event), *cp = event->cp     ? event->cp
                                                : event->site ? event->site
                                                              : "";
    snprintf(key, sizeof(key), "%s %s", name, cp);
    struct difference_count *found = map_gets(&comparison->counts, key);
    if (!found && comparison->counts.count >= COUNTS_MAX) {
        cp = "*"; /* all that do not fit */
        snprintf(key, sizeof(key), "%s %s", name, cp);
        found = map_gets(&comparison->counts, key);
    }
    if (!found) {
        found = xcalloc(1, sizeof(*found));
        text_copy(found->event, sizeof(found->event), span_of(name));
        text_copy(found->cp, sizeof(found->cp), span_of(cp));
        map_put(&comparison->counts, span_of(key), found);
    }
    found->count++;
}

static struct json *side(struct arena *arena, const struct outcome *outcome,
                         const struct effects *effects, bool whole)
{
    struct json *out = outcome_json(outcome, arena);
    if (whole && effects->count > 0)
        json_add(arena, out, "effects", effects_json(effects, arena, true));
    json_addi(arena, out, "effectCount", (int64_t)effects->count);
    return out;
}

static char *item_text(const struct watch *watch, bool answers, bool effects, bool whole)
{
    struct arena arena = {0};
    struct strbuf text = {0};
    struct json *item = json_new(&arena, JSON_OBJECT);
    const struct event *event = watch->event;
    char at[TIMETEXT_SIZE];
    timetext_millis(watch->at, at);
    json_adds(&arena, item, "timestamp", at);
    json_addi(&arena, item, "timestampMs", watch->at);
    json_adds(&arena, item, "event", event_text(event));
    json_adds(&arena, item, "purpose", event->purpose);
    json_adds(&arena, item, "cpid", event->cp);
    json_adds(&arena, item, "site", event->site);
    if (event->connector != ABSENT)
        json_addi(&arena, item, "connectorId", event->connector);
    if (event->transaction_id != 0)
        json_addi(&arena, item, "transactionId", event->transaction_id);
    json_adds(&arena, item, "idTag", event->id_tag);
    json_adds(&arena, item, "differs",
              answers && effects ? "both"
              : answers          ? "answer"
                                 : "effects");
    json_add(&arena, item, "live", side(&arena, &watch->live, &watch->live_effects, whole));
    json_add(&arena, item, "candidate",
             side(&arena, &watch->candidate, &watch->candidate_effects, whole));
    json_write(&text, item);
    arena_clear(&arena);
    return strbuf_take(&text, NULL);
}

static void keep(struct comparison *comparison, const struct watch *watch, bool answers,
                 bool effects)
{
    if (comparison->count == DIFFERENCES_KEPT && watch->at - comparison->window_ms < WINDOW_MS &&
        comparison->in_window++ >= WINDOW_KEPT)
        return;
    if (watch->at - comparison->window_ms >= WINDOW_MS) {
        comparison->window_ms = watch->at;
        comparison->in_window = 0;
    }
    char *text = item_text(watch, answers, effects, true);
    if (strlen(text) > ITEM_BYTES) {
        xfree(text);
        text = item_text(watch, answers, effects, false);
    }
    size_t at = (comparison->first + comparison->count) % DIFFERENCES_KEPT;
    if (comparison->count == DIFFERENCES_KEPT) {
        xfree(comparison->kept[at].json);
        comparison->first = (comparison->first + 1) % DIFFERENCES_KEPT;
    } else {
        comparison->count++;
    }
    comparison->kept[at] = (struct difference){watch->at, text};
}

void comparison_add(struct comparison *comparison, const struct watch *watch)
{
    struct arena arena = {0};
    comparison->failed += watch->candidate.kind == VERDICT_FAILED;
    if (watch->live_effects.incomparable || watch->candidate_effects.incomparable) {
        comparison->incomparable++;
        return;
    }
    comparison->compared++;
    comparison->by_event[watch->event->kind]++;
    bool answers = !same_answer(&arena, &watch->live, &watch->candidate);
    bool effects = !effects_equal(&watch->live_effects, &watch->candidate_effects);
    arena_clear(&arena);
    if (!answers && !effects)
        return;
    comparison->differing++;
    comparison->differing_by_event[watch->event->kind]++;
    count(comparison, watch->event);
    keep(comparison, watch, answers, effects);
}

void comparison_clear(struct comparison *comparison)
{
    const struct map_entry *entry;
    size_t at = 0;
    while ((entry = map_next(&comparison->counts, &at)) != NULL)
        xfree(entry->value);
    map_clear(&comparison->counts);
    for (size_t i = 0; i < DIFFERENCES_KEPT; i++)
        XFREE(comparison->kept[i].json);
}

/* ---- telling ---- */

static struct json *events_json(const struct comparison *comparison, struct arena *arena)
{
    struct json *out = json_new(arena, JSON_OBJECT);
    for (size_t i = 0; i < EVENT_KINDS; i++) {
        if (comparison->by_event[i] == 0)
            continue;
        struct event event = {.kind = (enum event_kind)i, .action = "actions"};
        struct json *item = json_new(arena, JSON_OBJECT);
        json_addi(arena, item, "compared", (int64_t)comparison->by_event[i]);
        json_addi(arena, item, "differing", (int64_t)comparison->differing_by_event[i]);
        json_add(arena, out, event_text(&event), item);
    }
    return out;
}

static struct json *counts_json(const struct comparison *comparison, struct arena *arena)
{
    struct json *list = json_new(arena, JSON_ARRAY);
    const struct map_entry *entry;
    size_t at = 0;
    while ((entry = map_next(&comparison->counts, &at)) != NULL) {
        const struct difference_count *found = entry->value;
        struct json *item = json_new(arena, JSON_OBJECT);
        json_adds(arena, item, "event", found->event);
        json_adds(arena, item, "cpid", found->cp);
        json_addi(arena, item, "count", (int64_t)found->count);
        json_add(arena, list, NULL, item);
    }
    return list;
}

void comparison_json(const struct comparison *comparison, struct arena *arena, struct json *object)
{
    json_addi(arena, object, "compared", (int64_t)comparison->compared);
    json_addi(arena, object, "incomparable", (int64_t)comparison->incomparable);
    json_addi(arena, object, "failed", (int64_t)comparison->failed);
    json_addi(arena, object, "differing", (int64_t)comparison->differing);
    json_add(arena, object, "byEvent", events_json(comparison, arena));
    json_add(arena, object, "counts", counts_json(comparison, arena));
    struct json *list = json_new(arena, JSON_ARRAY);
    for (size_t i = comparison->count; i-- > 0;) {
        const char *text = comparison->kept[(comparison->first + i) % DIFFERENCES_KEPT].json;
        struct json *item = json_parse(arena, text, strlen(text), NULL, NULL);
        if (item)
            json_add(arena, list, NULL, item);
    }
    json_add(arena, object, "differences", list);
}
