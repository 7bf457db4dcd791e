/* Finding a version by its subprotocol and an action by its name.
 *
 * Both are on the path of every handshake and every frame; the tables stand in the files v16*.c.
 * Actions are sorted by name (a unit test holds that), so the search is binary. */
#include "ocpp/version.h"

#include <string.h>

#include "base/mem.h"

static const struct version *const versions[] = {&version_16};

const struct version *version_by_subprotocol(struct span name)
{
    for (size_t i = 0; i < ARRAY_LEN(versions); i++) {
        if (span_is(name, versions[i]->subprotocol))
            return versions[i];
    }
    return NULL;
}

static int name_compare(struct span name, const char *with)
{
    size_t len = strlen(with);
    int order = memcmp(name.at, with, name.len < len ? name.len : len);
    return order != 0 ? order : (name.len > len) - (name.len < len);
}

const struct action *version_action(const struct version *version, struct span name)
{
    if (name.at == NULL)
        return NULL;
    size_t low = 0;
    size_t high = version->action_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        const struct action *action = &version->actions[middle];
        int order = name_compare(name, action->name);
        if (order == 0)
            return action;
        if (order < 0) {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    return NULL;
}
