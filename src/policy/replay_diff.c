/* See replay_diff.h. A queue holds facts of one side only: one of the other side takes the first.
 */
#include "policy/replay_diff.h"

#include <stdio.h>

#include "base/mem.h"

/* ---- facts ---- */

static const char *push_where(struct arena *arena, const struct record_decision *row)
{
    if (!row->file)
        return arena_printf(arena, "%s", row->why ? row->why : "default");
    return row->why ? arena_printf(arena, "%s:%lld: %s", row->file, (long long)row->line, row->why)
                    : arena_printf(arena, "%s:%lld", row->file, (long long)row->line);
}

bool decision_counts(const struct record_decision *row)
{
    return row->file || !text_is(row->event, "boot");
}

void fact_of_decision(struct arena *arena, const struct record_decision *row, struct fact *fact)
{
    bool price = text_is(row->event, "price");
    *fact = (struct fact){.kind = price ? REPLAY_PRICE : REPLAY_DECISION,
                          .at = row->ts_ms,
                          .cp = row->cp ? row->cp : "",
                          .value = row->verdict ? row->verdict : "",
                          .where = push_where(arena, row)};
    if (price)
        fact->subject = arena_printf(arena, "transaction %lld", (long long)row->transaction_id);
    else if (row->id_tag)
        fact->subject = arena_printf(arena, "%s %s", row->event, row->id_tag);
    else
        fact->subject = row->event;
}

void fact_of_command(struct arena *arena, const struct record_command *row, struct fact *fact)
{
    *fact = (struct fact){
        .kind = REPLAY_COMMAND,
        .at = row->asked_ms,
        .cp = row->cp,
        .subject = arena_printf(arena, "%s %s", row->action, row->payload ? row->payload : "{}"),
        .value = "sent",
        .where = row->asked_by ? row->asked_by : ""};
}

/* ---- the comparison ---- */

struct waiting {
    struct waiting *next;
    struct waiting *last; /* of the queue; kept in its first */
    enum replay_side side;
    wall_t at;
    char *value, *where;
    char *subject, *cp;
    enum replay_kind kind;
};

static char *key_of(const struct fact *fact)
{
    return xprintf("%d\n%s\n%s", (int)fact->kind, fact->cp, fact->subject);
}

static void waiting_free(struct waiting *waiting)
{
    xfree(waiting->value);
    xfree(waiting->where);
    xfree(waiting->subject);
    xfree(waiting->cp);
    xfree(waiting);
}

static struct waiting *waiting_new(enum replay_side side, const struct fact *fact)
{
    struct waiting *waiting = xmalloc(sizeof(*waiting));
    *waiting = (struct waiting){.side = side,
                                .at = fact->at,
                                .value = xstrdup(fact->value),
                                .where = xstrdup(fact->where),
                                .subject = xstrdup(fact->subject),
                                .cp = xstrdup(fact->cp),
                                .kind = fact->kind};
    return waiting;
}

static void put_last(struct diff *diff, const char *key, struct waiting *waiting)
{
    struct waiting *first = map_gets(&diff->waiting, key);
    waiting->last = waiting;
    if (!first) {
        map_put(&diff->waiting, span_of(key), waiting);
        return;
    }
    first->last->next = waiting;
    first->last = waiting;
}

static void take_first(struct diff *diff, const char *key, struct waiting *first)
{
    if (first->next) {
        first->next->last = first->last;
        map_put(&diff->waiting, span_of(key), first->next);
    } else {
        map_remove(&diff->waiting, span_of(key));
    }
}

static void compare(struct diff *diff, const struct waiting *other, const struct fact *fact)
{
    bool fact_is_base = other->side == SIDE_CANDIDATE;
    if (text_is(other->value, fact->value)) {
        diff->totals->of[fact->kind].same++;
        return;
    }
    diff->totals->of[fact->kind].differ++;
    diff->found(diff->ctx,
                &(struct replay_difference){.kind = fact->kind,
                                            .at = fact->at,
                                            .cp = fact->cp,
                                            .subject = fact->subject,
                                            .base = fact_is_base ? fact->value : other->value,
                                            .candidate = fact_is_base ? other->value : fact->value,
                                            .where = fact_is_base ? other->where : fact->where});
}

void diff_add(struct diff *diff, enum replay_side side, const struct fact *fact)
{
    char *key = key_of(fact);
    struct waiting *first = map_gets(&diff->waiting, key);
    if (!first || first->side == side) {
        put_last(diff, key, waiting_new(side, fact));
    } else {
        take_first(diff, key, first);
        compare(diff, first, fact);
        waiting_free(first);
    }
    xfree(key);
}

static void tell_alone(struct diff *diff, const struct waiting *waiting)
{
    bool is_base = waiting->side == SIDE_BASE;
    if (is_base)
        diff->totals->of[waiting->kind].only_base++;
    else
        diff->totals->of[waiting->kind].only_candidate++;
    diff->found(diff->ctx, &(struct replay_difference){.kind = waiting->kind,
                                                       .at = waiting->at,
                                                       .cp = waiting->cp,
                                                       .subject = waiting->subject,
                                                       .base = is_base ? waiting->value : NULL,
                                                       .candidate = is_base ? NULL : waiting->value,
                                                       .where = waiting->where});
}

void diff_end(struct diff *diff)
{
    const struct map_entry *entry;
    size_t at = 0;
    while ((entry = map_next(&diff->waiting, &at)) != NULL) {
        struct waiting *waiting = entry->value;
        while (waiting) {
            struct waiting *next = waiting->next;
            tell_alone(diff, waiting);
            waiting_free(waiting);
            waiting = next;
        }
    }
    map_clear(&diff->waiting);
}
