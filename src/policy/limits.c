/* See limits.h. A row of a setting holds its default as the configuration writes it; a test holds
 * both to each other. */
#include "policy/limits.h"

#include <inttypes.h>

#include "ocpp/outbox.h"
#include "policy/outside.h"
#include "policy/policy.h"
#include "policy/reload.h"
#include "policy/router.h"
#include "policy/webhooks.h"
#include "station/vars.h"

#define SETTING(name, fallback, text)                                                              \
    {                                                                                              \
        .setting = name, .value = fallback, .what = text                                           \
    }
#define FIXED(count, text)                                                                         \
    {                                                                                              \
        .number = count, .what = text                                                              \
    }

const struct policy_limit policy_limits[] = {
    SETTING("run_warn", "10ms", "CPU time of one run between two waits; beyond it the log warns."),
    SETTING(
        "run_kill", "100ms",
        "CPU time of one run between two waits; then the handler is ended, and no `pcall` stops "
        "that."),
    SETTING("authorize_timeout", "5s",
            "A whole `on.authorize`, waits included; then it is cancelled."),
    SETTING("handler_timeout", "30s", "Any other handler, waits included."),
    SETTING("load_file", "1s", "CPU time for loading one file."),
    SETTING("load_total", "5s", "CPU time for loading all files, tests included."),
    SETTING("memory", "64MiB",
            "Of all files together; the handler that wants more fails, the others go on."),
    SETTING("tasks_max", "10000", "Handlers under way at once."),
    SETTING("drain", "30s", "How long a handler may go on with the old files after a reload."),
    FIXED(POLICY_FILES_MAX, "files in the folder"),
    FIXED(POLICY_FILE_BYTES_MAX, "bytes of one file"),
    FIXED(POLICY_BYTES_MAX, "bytes of all files"),
    FIXED(POLICY_TESTS_MAX, "tests"),
    FIXED(ROUTES_MAX, "routes"),
    FIXED(EVERYS_MAX, "uses of `every`"),
    FIXED(EVERY_LEAST_MS, "milliseconds, the shortest period of `every`"),
    FIXED(WEBHOOKS_MAX, "webhooks"),
    FIXED(WEBHOOK_QUEUE_MAX, "messages that wait for one webhook"),
    FIXED(OUTSIDE_AT_ONCE, "HTTP requests under way; more wait"),
    FIXED(OUTSIDE_TIMEOUT_MS, "milliseconds of one HTTP request"),
    FIXED(OUTSIDE_BODY_MAX, "bytes of the answer to one HTTP request"),
    FIXED(OUTBOX_MAX, "CALLs that wait for one charge point"),
    FIXED(VARS_MAX, "bytes of the vars of one charge point or transaction"),
    FIXED(LOG_LINES_A_SECOND, "lines of `log` a second and file; then one line says how many more"),
    FIXED(
        PATTERN_BOUND_MAX,
        "steps of a string pattern at worst: n^(k+1) * 2^q for n bytes, k of `* + -` and q of `?`; "
        "n^k if it begins with `^`. A plain find is free."),
    FIXED(HISTORY_MAX, "loads before this one to roll back to"),
    {0}};

void limits_print(struct strbuf *out)
{
    strbuf_adds(out, "## Limits\n\nSettings are those of `[policies]`, with their defaults; the "
                     "other numbers are fixed. What exceeds one is refused by name.\n\n"
                     "| limit | of |\n| --- | --- |\n");
    for (const struct policy_limit *limit = policy_limits; limit->what; limit++) {
        if (limit->setting)
            strbuf_addf(out, "| `%s = %s` | %s |\n", limit->setting, limit->value, limit->what);
        else
            strbuf_addf(out, "| %" PRId64 " | %s |\n", limit->number, limit->what);
    }
    strbuf_adds(out,
                "\nNothing that waits can be used inside `table.sort`, `string.gsub`, "
                "`__tostring` or `on.price`. `setmetatable` refuses `__gc`; `__close` works. A "
                "handler that fails gives its event the default answer, and the next handler is "
                "not tried.\n\n");
}
