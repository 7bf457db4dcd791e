/* The HTTP control of a simulated charge point: what a person standing there would do.
 *
 *     POST /plug/{n}[?id_tag=…]   POST /unplug/{n}   POST /local_start/{n}?id_tag=…
 *     POST /local_stop/{n}        GET /state         GET /health
 *
 * 200 with {"ok":true} or the state; 404 unknown path or connector; 405; 409 not possible now; 422
 * a missing id_tag. No key: it listens on loopback. */
#ifndef SIM_CONTROL_H
#define SIM_CONTROL_H

#include "base/request.h"
#include "sim/charger.h"

/* Fills status and body (JSON). */
int control_handle(struct charger *charger, const struct request *request, struct strbuf *body);

#endif
