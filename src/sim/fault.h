/* The table of the faults of a simulated charger, for help, tests and the manual. The switches
 * themselves are charger_fault() in charger.h and fault_now() in parts.h. */
#ifndef SIM_FAULT_H
#define SIM_FAULT_H

struct fault_row {
    const char *name;  /* first: text_nearest() reads the table */
    const char *doc;   /* what it does */
    const char *rules; /* of OCPP.md, blanks between */
};

/* NULL: no such fault. */
const struct fault_row *fault_find(const char *name);

#endif
