/* The fixed limits of POLICY.md §4, and the table that the manual prints of them and of the
 * settings. Private to policy/ but for `policy_limits` (policy.h). */
#ifndef POLICY_LIMITS_H
#define POLICY_LIMITS_H

#include "base/strbuf.h"

enum {
    EVERYS_MAX = 64,
    EVERY_LEAST_MS = 100,
    LOG_LINES_A_SECOND = 20,
    POLICY_FILES_MAX = 512,
    POLICY_FILE_BYTES_MAX = 4 << 20,
    POLICY_BYTES_MAX = 32 << 20,
    POLICY_TESTS_MAX = 1000,
    PATTERN_BOUND_MAX = 100000000
};

void limits_print(struct strbuf *out);

#endif
