/* A fleet: N full chargers in one process, identities CB-0001 …, started staggered.
 *
 * With one charger it is just that charger under its own identity. Cars that come and go by
 * themselves (`busy`) draw from each charger's own seeded generator, so a run can be repeated. Loop
 * thread only. */
#ifndef SIM_FLEET_H
#define SIM_FLEET_H

#include "sim/charger.h"

struct fleet;

struct fleet_settings {
    struct charger_settings charger; /* of each; identity is a prefix when count > 1 */
    int count;                       /* 0: none at first, fleet_add() brings them */
    int64_t stagger_ms;              /* between two starts */
    bool busy;                       /* cars come and go */
    const char *const *tags;         /* whose cards they use */
    size_t tag_count;
};

struct fleet *fleet_new(const struct fleet_settings *settings, struct loop *loop,
                        struct ws_client_context *context, struct http_client *http);
void fleet_free(struct fleet *fleet);
size_t fleet_count(const struct fleet *fleet);
struct charger *fleet_at(const struct fleet *fleet, size_t index);
struct charger *fleet_find(const struct fleet *fleet, const char *identity); /* no case; NULL */
/* One more, for scenarios (no cars come by themselves); NULL and why: the identity is taken. */
struct charger *fleet_add(struct fleet *fleet, const struct charger_settings *settings,
                          struct reason *why);
/* {"chargers":n,"online":n,"accepted":n,"charging":n, the figures summed up, "powerW":n,
 * "peakW":n: what they draw now, and drew at most}; of all, or, but for the last two, of the one
 * that is not NULL. */
void fleet_write_figures(const struct fleet *fleet, const struct charger *only, struct strbuf *out);

#endif
