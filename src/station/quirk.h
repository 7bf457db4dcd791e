/* Quirk packs: switches for every charger of a make, so that nobody has to set them one by one.
 *
 * A pack says which chargers it is for, by patterns of what their BootNotification tells and of
 * their identity, and which of the station switches (options.c) they need. The switches of a
 * charger are the defaults, then each pack that fits, in order of definition, then what the
 * operator set by PUT /chargepoints: the operator has the last word. They are worked out anew when
 * the packs change (a reload of the policies), when the charger boots and when its options change.
 * What a charger said at its last boot counts until it says something else, so a pack also works
 * for what comes before the BootNotification of a charger that is known. Start: options_apply. */
#ifndef STATION_QUIRK_H
#define STATION_QUIRK_H

#include "station/station.h"

enum { QUIRKS_MAX = 200 };

struct quirk {
    const char *name;
    const char *identity, *vendor, *model, *firmware; /* `*` stands for anything; NULL: whatever */
    const char *options;                              /* JSON object, as in PUT /chargepoints */
};

/* Are its options such? */
bool quirk_valid(struct station *st, const struct quirk *quirk, struct reason *why);
/* From now on these are all; copied. */
void station_quirks_define(struct station *st, const struct quirk *quirks, size_t count);
/* `size_t at = 0; while ((name = station_quirk_next(st, cp, &at)))`: those that fit it. */
const char *station_quirk_next(struct station *st, const struct charge_point *cp, size_t *at);
/* Without case; a NULL pattern fits everything, any other pattern but `*` needs a text. */
bool pattern_fits(const char *pattern, const char *text);

#endif
