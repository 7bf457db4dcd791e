/* The HTTP control of simulated charge points: what a person standing there would do.
 *
 *     POST /plug/{n}?id_tag=&auto_start=      POST /unplug/{n}
 *     POST /local_start/{n}?id_tag=           POST /local_stop/{n}?reason=
 *     POST /fault/{n}?error_code=             POST /clear_fault/{n}
 *     POST /suspend_ev/{n}  /suspend_evse/{n}  /resume/{n}
 *     POST /stall/{n}?power_w=                POST /soc/{n}?percent=
 *     POST /network/down  /network/up         POST /power_cycle
 *     POST /send/{Action}      any CALL of the charger, the payload as body
 *     PUT  /configuration/{key}?value=        GET /configuration
 *     PUT  /faults/{name}?probability=1       DELETE /faults/{name}     GET /faults
 *     GET  /state  /log  /figures  /health
 *
 * One charger: as above. A fleet: each path also under /chargers/{identity}/…, the plain ones mean
 * the first (/figures: all); GET /chargers lists them. 200 {"ok":true} or what was asked for; 404
 * {"error":"unknown connector"} or unknown path; 405; 409 not possible now; 422 a missing or bad
 * parameter. No key: it listens on loopback. */
#ifndef SIM_CONTROL_H
#define SIM_CONTROL_H

#include "base/request.h"
#include "sim/fleet.h"

/* Fills body (JSON); returns the status. */
int control_handle(struct fleet *fleet, const struct request *request, struct strbuf *body);

#endif
