/* The stage of a play: a real server on a loop of its own, in this process, under a fake clock.
 *
 * Each play gets a folder of its own for database and policies, removed afterwards (kept if
 * PLAY_KEEP is set). The clock
 * starts at 2026-01-01T00:00:00Z and moves only by stage_clock(), in steps no longer than the next
 * timer, so that pings are sent and answered on the way. Nothing here sleeps: waiting means turning
 * the loop until something holds; a play that waits more than STAGE_PATIENCE_US of real time
 * failed. */
#ifndef STAGE_H
#define STAGE_H

#include "actor.h"
#include "match.h"
#include "server.h"

enum { STAGE_PATIENCE_US = 20 * 1000 * 1000, STAGE_ACTORS_MAX = 64 };

struct stage {
    char *dir;            /* of this play */
    char *policies;       /* folder */
    bool own_policies;    /* written by the play, not the repository's */
    struct strbuf config; /* lines of the play */
    struct conf conf;
    struct loop *loop;
    struct server *server; /* NULL until the first line that needs it */
    struct actor *actors[STAGE_ACTORS_MAX];
    size_t actor_count;
    struct map names;
    struct map asked;  /* name → struct asking *: requests that wait for their answer */
    struct strbuf log; /* everything that was logged, a line each */
};

struct stage *stage_new(const char *default_policies);
void stage_free(struct stage *stage);
bool stage_open(struct stage *stage, struct reason *why); /* opens the server unless it is open */
bool stage_restart(struct stage *stage, struct reason *why);
bool stage_write_policy(struct stage *stage, const char *name, const char *text);
/* Made on first use; NULL when there are too many. */
struct actor *stage_actor(struct stage *stage, struct span name);
void stage_turn(struct stage *stage);
/* Turns until `holds(ctx)`; false when patience ran out. */
bool stage_until(struct stage *stage, bool (*holds)(void *ctx), void *ctx);
/* Until nothing is under way in the server and nothing more arrives at any actor. */
bool stage_settle(struct stage *stage);
/* Until everything is stored and nothing moves, though handlers may wait. */
bool stage_quiet(struct stage *stage);
void stage_clock(struct stage *stage, int64_t ms);
/* An HTTP request that is sent now and answered whenever it is; NULL: no connection. */
struct asking *stage_ask(struct stage *stage, const char *request);
/* Waits for its answer and frees it; the body is the caller's. */
bool stage_answer(struct stage *stage, struct asking *asking_owned, int *status,
                  struct strbuf *body);

#endif
