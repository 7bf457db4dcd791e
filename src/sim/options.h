/* The command line of chargebridge-sim: one table gives the reading, the checks and --help. */
#ifndef SIM_OPTIONS_H
#define SIM_OPTIONS_H

#include <stdio.h>

#include "base/arena.h"
#include "sim/fleet.h"

struct sim_fault {
    const char *name;
    double probability;
};

struct sim_argument {
    const char *name, *value;
};

struct sim_options {
    struct fleet_settings fleet; /* with the settings of each charger */
    int control_port;
    double speed;
    const char *scenario;           /* a file, or NULL */
    struct sim_argument *arguments; /* for it */
    size_t argument_count;
    struct sim_fault *faults;
    size_t fault_count;
    struct arena arena; /* of what is not in argv */
};

enum sim_options_result { SIM_OPTIONS_RUN, SIM_OPTIONS_HELP, SIM_OPTIONS_WRONG };

/* Texts point into argv. Clear it also when it was wrong; `why` says then what was expected. */
enum sim_options_result sim_options_read(struct sim_options *out, int argc, char **argv,
                                         struct reason *why);
void sim_options_clear(struct sim_options *options);
void sim_options_help(FILE *to);

#endif
