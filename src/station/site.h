/* Sites: chargers behind one fuse, as the policies define them, and when their power is shared
 * anew.
 *
 * A definition comes with each generation of policies (site "depot" {…}) and replaces the ones
 * before whole; what belongs to a site and not to a generation stays by its name: the base load
 * that was set while running, and vars. Both are one kv row. EVENT_REBALANCE is asked when a
 * transaction began or ended, a connector changed its status, a charger came or went, the base load
 * changed, and once a minute; never two at once for one site: what happens meanwhile is one more
 * run afterwards. Amperes are of the fuse, per phase. Who sends the limits and guards the fuse:
 * limit.h. */
#ifndef STATION_SITE_H
#define STATION_SITE_H

#include "station/station.h"

enum { SITES_MAX = 64, SITE_NAME_MAX = 64, SITE_MIN_AMPS = 6 /* IEC 61851: less is nothing */ };

struct site_definition { /* texts are copied */
    const char *name;
    const char *const *chargers; /* identities, no case */
    size_t charger_count;
    bool all;           /* "*": every charger that no other site names */
    double fuse_a;      /* per phase */
    int64_t phases;     /* 1 or 3 */
    double volts;       /* of a phase */
    double base_load_a; /* of what is no charger, until it is set while running */
    double failsafe_a;  /* a connector without the server; < 0: as much as is safe, see below */
    bool no_failsafe;   /* chargers keep the TxDefaultProfile they have */
    int64_t settle_ms;  /* how long a car may take to follow a limit that was lowered */
};

struct site {
    char *name;
    size_t charger_count;
    bool all, no_failsafe;
    double fuse_a, volts, base_load_a, failsafe_a;
    double defined_base_load_a;
    int64_t phases, settle_ms;
    struct vars vars;
    /* site.c only */
    struct station *st;
    struct timer timer;
    bool asking, again;
    struct map members; /* identities, no case; for `chargers` */
    /* limit_guard.c only: the sum of all, as of a pass */
    uint64_t load_pass;
    double load_a;
    size_t falling;
};

/* The sites of the policies that run now: replaces all, and shares power anew. Who asks for a
 * charger in two sites or two sites of one name has been refused before (policy/site.c). */
void station_sites_define(struct station *st, const struct site_definition *sites, size_t count);
struct site *station_site(struct station *st, const char *name);  /* NULL */
struct site *station_site_next(struct station *st, size_t *at);   /* in order of definition */
struct site *station_site_of(struct station *st, const char *cp); /* NULL: in none */
bool site_has(struct station *st, const struct site *site, const char *cp);
/* Shares anew, soon. */
void station_site_rebalance(struct station *st, const char *name);
/* False: not a number from 0 to 100,000. */
bool station_site_base_load(struct station *st, const char *name, double amps);
/* After vars_set() on a site's vars. */
void site_vars_changed(struct station *st, const char *name);
/* What a charger gives a connector while the server is away: as defined, or SITE_MIN_AMPS if the
 * fuse carries that at all connectors at once, else 0. Negative: none is to be sent. */
double site_failsafe(struct station *st, const struct site *site);

/* ---- private to station/ ---- */

/* Something changed at this charger: its site, if it has one, shares anew, soon. */
void site_changed(struct station *st, const char *cp);
void sites_clear(struct station *st);

#endif
