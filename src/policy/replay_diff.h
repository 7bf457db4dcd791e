/* What two runs decided, compared: each fact of one side meets its counterpart of the other.
 *
 * A fact has a kind, a charge point, a subject (what was asked) and a value (what was answered).
 * The n-th fact with the same kind, charge point and subject of one side belongs to the n-th of the
 * other. Equal values are counted and forgotten, so memory holds only what still waits for its
 * counterpart. Private to policy/replay*.c. */
#ifndef POLICY_REPLAY_DIFF_H
#define POLICY_REPLAY_DIFF_H

#include "base/map.h"
#include "policy/replay.h"

enum replay_side { SIDE_BASE, SIDE_CANDIDATE };

struct fact { /* texts are copied by diff_add() */
    enum replay_kind kind;
    wall_t at;
    const char *cp, *subject, *value;
    const char *where; /* "10-authorize.lua:12 (reported lost)", "" */
};

struct diff {
    struct map waiting; /* kind, cp, subject → the facts that wait, oldest first */
    struct replay_totals *totals;
    replay_found found;
    void *ctx;
};

/* A boot that no policy had an opinion on follows the registration: nothing to compare. */
bool decision_counts(const struct record_decision *row);
/* The facts in a record; texts are borrowed or in the arena. */
void fact_of_decision(struct arena *arena, const struct record_decision *row, struct fact *fact);
void fact_of_command(struct arena *arena, const struct record_command *row, struct fact *fact);

void diff_add(struct diff *diff, enum replay_side side, const struct fact *fact);
/* Tells of all facts that found no counterpart, and frees. */
void diff_end(struct diff *diff);

#endif
