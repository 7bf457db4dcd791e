/* One side of a replay: a generation, and a station whose chargers are recorded ones.
 *
 * Frames of chargers go in as they were; ids of transactions are those of the record, because the
 * chargers keep using them: a StartTransaction waits (uncommitted) until the record tells its id.
 * CALLs of policies are answered as by a charger that accepts. One that stops a transaction, or
 * does not let it begin, ends it here and now: what the record tells of it afterwards did not
 * happen in this world. Private to policy/replay*.c. */
#ifndef POLICY_REPLAY_WORLD_H
#define POLICY_REPLAY_WORLD_H

#include "base/map.h"
#include "policy/build.h"
#include "policy/replay_diff.h"
#include "policy/replay_store.h"

struct world_frame { /* sent by the station */
    struct world_frame *next;
    uint64_t connection;
    size_t len;
    char text[];
};

struct world {
    enum replay_side side;
    struct generation *generation;
    struct station *station;
    struct timers timers;
    struct world_frame *frames, **frames_end;
    struct batch *batches, **batches_end;
    struct map held; /* charge point → the batch whose StartTransaction wants its id */
    struct replay_store store;
    struct map asked;      /* recorded id of a command that people asked → ours */
    struct map asked_ours; /* ours: answered by the record */
    uint64_t last_connection;
    struct diff *diff;
    struct replay_totals *totals;
    bool compares; /* facts count */
};

/* Takes the generation over. */
struct world *world_new(enum replay_side side, struct generation *generation,
                        const struct station_settings *settings, struct diff *diff,
                        struct replay_totals *totals);
void world_free(struct world *world);

/* Milliseconds until its next timer; -1: none. */
int64_t world_next(const struct world *world);
/* Runs the timers that are due and all that follows from them. */
void world_run(struct world *world);

void world_connect(struct world *world, const char *cp);
/* A frame of the charger. `transaction_id` is the one it names, 0 for none. */
void world_receive(struct world *world, const char *cp, int64_t transaction_id, const char *text,
                   size_t len);
/* An answer of the charger to the command with the recorded id. */
void world_answered(struct world *world, const char *cp, const char *id, const char *text,
                    size_t len);
/* The record gave this id, and this verdict, to the StartTransaction that waits there. */
void world_started(struct world *world, const char *cp, int64_t id, const char *verdict);
/* A command that people asked for. */
void world_command(struct world *world, const char *cp, const char *id, const char *action,
                   const struct json *payload);

#endif
