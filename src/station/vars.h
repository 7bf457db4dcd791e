/* `cp.vars`, `tx.vars`: small values that outlive reloads and restarts.
 *
 * A map from names to JSON texts. Policies copy in and out (no sharing between generations); the
 * owner writes the whole object with its next batch when it is dirty. At most VARS_MAX bytes. */
#ifndef STATION_VARS_H
#define STATION_VARS_H

#include "base/map.h"
#include "base/reason.h"

enum { VARS_MAX = 16384 };

struct vars {
    struct map values; /* name → char * JSON text, owned */
    size_t bytes;
    bool dirty;
};

void vars_clear(struct vars *vars);
const char *vars_get(const struct vars *vars, const char *name); /* borrowed; NULL if absent */
/* `json` NULL removes. False, and unchanged, when the object would exceed VARS_MAX. */
bool vars_set(struct vars *vars, const char *name, const char *json, struct reason *why);
void vars_write(const struct vars *vars, struct strbuf *out); /* as one JSON object */
bool vars_read(struct vars *vars, const char *json_object);   /* replaces; false: not an object */

#endif
