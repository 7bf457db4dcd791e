/* A world whose only file ships with the server, so that it may use `core`: route POST /run runs a
 * piece of code and answers what it returns. */
#ifndef TESTS_POLICY_CORE_WORLD_H
#define TESTS_POLICY_CORE_WORLD_H

#include "api_world.h"

#include "policy/build_parts.h"
#include "policy/reload.h"

/* The text as lua/routes/t.lua, and nothing else. */
UNUSED static struct world *core_load(struct world *w, const char *text)
{
    struct source_set sources = {0};
    struct policy_ports ports = w->ports;
    ports.ctx = w;
    ports.query = world_query;
    ports.store_healthy = world_healthy;
    w->policy =
        policy_new(&w->settings, w->f->st, &ports, &w->f->timers, (struct poster){world_post, w});
    source_add(&sources, "lua/routes/t.lua", text, strlen(text), true);
    const struct build_order order = {
        .settings = &w->policy->settings, .sources = &sources, .number = 1};
    struct generation *built = build(&order, &w->report);
    source_set_clear(&sources);
    if (!built) {
        show_findings(&w->report);
        fail_msg("it does not load");
    }
    reload_swap(w->policy, built, false);
    return w;
}

UNUSED static struct world *core_prepared(struct world *w, const char *code)
{
    char *text = xprintf("route(\"POST /run\", function(req)\n"
                         "local function run() %s\nend\n"
                         "local result = run()\n"
                         "return 200, { result }\nend)",
                         code);
    core_load(w, text);
    xfree(text);
    return w;
}

UNUSED static struct world *core_running(const char *code)
{
    return core_prepared(world_new(), code);
}

/* Runs the code and compares what it returns, as JSON. */
UNUSED static void core_gives(const char *code, const char *json)
{
    struct world *w = core_running(code);
    char *wanted = xprintf("[%s]", json);
    EXPECT(w, "POST /run", "{}", 200, wanted);
    xfree(wanted);
    world_free(w);
}

/* The newest CALL that was sent: its text behind the id. */
UNUSED static const char *sent_call(struct fake *f, char id[64])
{
    for (size_t i = f->sent.count; i-- > 0;) {
        const char *at = strstr(f->sent.at[i], "[2,\"");
        if (!at)
            continue;
        at += 4;
        size_t len = strcspn(at, "\"");
        assert_true(len < 64);
        memcpy(id, at, len);
        id[len] = '\0';
        return at + len;
    }
    return "";
}

/* The charger's answer to the newest CALL. */
UNUSED static void answer_call(struct fake *f, const char *payload)
{
    char id[64] = "", text[2048];
    sent_call(f, id);
    snprintf(text, sizeof(text), "[3,\"%s\",%s]", id, payload);
    say(f, "CP1", text);
}

UNUSED static void answer_error(struct fake *f, const char *rest)
{
    char id[64] = "", text[2048];
    sent_call(f, id);
    snprintf(text, sizeof(text), "[4,\"%s\",%s]", id, rest);
    say(f, "CP1", text);
}

#endif
