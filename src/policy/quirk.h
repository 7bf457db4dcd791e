/* The quirk packs that the files of a generation declare: kept with it (api_quirk.c), given to the
 * station at the swap. Private to policy/. */
#ifndef POLICY_QUIRK_H
#define POLICY_QUIRK_H

#include "policy/generation.h"

size_t quirks_count(const struct generation *generation);
/* From now on these are the packs of its station. */
void quirks_start(struct generation *generation);
void quirks_free(struct generation *generation);

#endif
