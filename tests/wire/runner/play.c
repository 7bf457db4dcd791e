/* Plays in OCPP-J (STYLE.md §3): transcripts that are replayed against the real server.
 *
 *     play FILE.ocpp…        one line per play; a failing line names file, line, expected and heard
 *
 * A play is a text file, one step a line. The first word is a verb of `verbs`, or the name of a
 * charger followed by one of `lines`; tests/wire/README.md lists both. Each play has its own
 * server, folder and clock (stage.h). To add a step: one row in a table and its function. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "steps.h"

static char *read_file(const char *path)
{
    struct strbuf text = {0};
    char buffer[65536];
    size_t n;
    FILE *file = fopen(path, "r");
    if (!file) {
        perror(path);
        exit(2);
    }
    while ((n = fread(buffer, 1, sizeof(buffer), file)) > 0)
        strbuf_add(&text, buffer, n);
    fclose(file);
    return strbuf_take(&text, NULL);
}

/* Runs all lines; false at the first that does not hold. */
static bool perform(struct script *script)
{
    struct span line;
    while (span_cut(&script->rest, '\n', &line)) {
        script->line++;
        line = span_trim(line);
        if (line.len == 0 || line.at[0] == '#')
            continue;
        char *text = xstrndup(line.at, line.len);
        bool ok = step_perform(script, text);
        if (!ok)
            script->failed_text = text;
        else
            xfree(text);
        if (!ok)
            return false;
    }
    return true;
}

static bool play(const char *path, const char *policies)
{
    char *text = read_file(path);
    clock_fake(1767225600000); /* 2026-01-01T00:00:00Z */
    struct script script = {.stage = stage_new(policies), .rest = span_of(text)};
    bool ok = perform(&script);
    if (ok)
        printf("ok   %s\n", path);
    else
        printf("FAIL %s:%d: %s\n     %s\n", path, script.line, script.failed_text, script.why.text);
    if (!ok && getenv("PLAY_LOG"))
        printf("%s", strbuf_text(&script.stage->log));
    stage_free(script.stage);
    xfree(script.failed_text);
    xfree(text);
    fflush(stdout);
    return ok;
}

int main(int argc, char **argv)
{
    int failed = 0;
    const char *policies = getenv("PLAY_POLICIES");
    for (int i = 1; i < argc; i++)
        failed += !play(argv[i], policies ? policies : POLICIES_DIR);
    return failed ? 1 : 0;
}
