/* The sites that the files of a generation define: kept with it, given to the station at the swap.
 * Private to policy/. */
#ifndef POLICY_SITE_H
#define POLICY_SITE_H

#include "policy/generation.h"
#include "station/limit.h"

/* Takes a copy. False and why: a site of that name is there, or one of its chargers is in another.
 */
bool sites_add(struct generation *generation, const struct site_definition *site,
               struct reason *why);
size_t sites_count(const struct generation *generation);
bool sites_named(const struct generation *generation, const char *name);
/* From now on these are the sites of its station. */
void sites_start(struct generation *generation);
void sites_free(struct generation *generation);

#endif
