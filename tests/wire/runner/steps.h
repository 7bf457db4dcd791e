/* The steps of a play: one function each, found by the tables in steps.c. */
#ifndef STEPS_H
#define STEPS_H

#include "stage.h"

struct script {
    struct stage *stage;
    struct span rest; /* lines not yet performed; a step may take following lines itself */
    int line;
    char *failed_text;
    struct reason why;
};

/* False: script->why says what was expected and what was there. */
bool step_perform(struct script *script, const char *line);

#endif
