/* Replay: what would a folder of policies have decided on what the database remembers?
 *
 * The candidate runs in a world of its own (replay_world.h): a station without sockets, whose clock
 * is the one of the records. Recorded frames of chargers go in, in order; what policies decide,
 * command and charge comes out as facts and is compared with the other side: a second world with
 * other policies, or what was recorded at the time (decisions, commands of policies, prices). The
 * caller feeds messages in order of their time; nothing here reads a database, and no network is
 * used. Everything runs on the calling thread, whose clock is faked until replay_free(). */
#ifndef POLICY_REPLAY_H
#define POLICY_REPLAY_H

#include "policy/policy.h"

enum replay_kind { REPLAY_DECISION, REPLAY_COMMAND, REPLAY_PRICE, REPLAY_KINDS };

struct replay_difference { /* borrowed for the call; base or candidate may be NULL: had none */
    enum replay_kind kind;
    wall_t at;
    const char *cp, *subject;
    const char *base, *candidate;
    const char *where; /* of the candidate, else of the base: file, line, why */
};
typedef void (*replay_found)(void *ctx, const struct replay_difference *difference);

struct replay_totals {
    uint64_t messages;
    struct {
        uint64_t same, differ, only_base, only_candidate;
    } of[REPLAY_KINDS];
    uint64_t failures[2]; /* of handlers: base, candidate */
    struct policy_error first_failure[2];
};

struct replay_settings {
    const struct policy_settings *policy;
    const struct station_settings *station;
    const char *dir;     /* the candidate */
    const char *against; /* the other side's folder; NULL: what was recorded */
    wall_t since;        /* facts before it are not compared; ABSENT: from the first on */
    replay_found found;
    void *ctx;
};

struct replay;

/* NULL: a folder was refused; the report tells why, and `*refused` which. */
struct replay *replay_new(const struct replay_settings *settings, struct policy_report *report,
                          const char **refused);
/* The charge points, tags and the scripts' store that both sides begin with. */
struct restore_sink replay_sink(struct replay *replay);

struct replay_message {
    wall_t at;
    const char *cp;
    int64_t connection; /* another number is another connection */
    bool outgoing;
    const char *text;
    size_t len;
    const char *asked_by; /* of a CALL of ours: who asked for it; NULL: not known */
};
/* In order of time. What people asked for by REST is asked again, what policies asked is theirs. */
void replay_message(struct replay *replay, const struct replay_message *message);
/* What was recorded; ignored where `against` names a folder. */
void replay_recorded_decision(struct replay *replay, const struct record_decision *row);
void replay_recorded_command(struct replay *replay, const struct record_command *row);

/* What is left is compared; `found` is called for what has no counterpart. */
void replay_end(struct replay *replay, struct replay_totals *totals);
void replay_free(struct replay *replay);

#endif
