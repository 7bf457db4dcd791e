/* See site.h. What of a site outlives its definition is read from its kv row whenever it is
 * defined, so there is nothing to restore at start. Start reading at on_timer(). */
#include "station/site.h"

#include <string.h>

#include "base/mem.h"
#include "station/limit_parts.h"

enum { EVERY_MS = 60 * 1000 };

static const double BASE_LOAD_MOST = 100000;

static bool is_near(double a, double b)
{
    return a - b < 1e-9 && b - a < 1e-9;
}

/* ---- asking the policies ---- */

static void on_timer(struct timer *timer);

static void site_soon(struct site *site)
{
    if (site->asking)
        site->again = true;
    else
        timer_start(site->st->timers, &site->timer, 0);
}

struct asked_site { /* the site may be gone, or another of its name be there, when they are done */
    struct station *st;
    char name[SITE_NAME_MAX + 1];
};

static void on_done(void *ctx, const struct verdict *verdict)
{
    (void)verdict; /* failures were counted and logged by the policies */
    struct asked_site asked = *(struct asked_site *)ctx;
    xfree(ctx);
    struct site *site = station_site(asked.st, asked.name);
    asked.st->items--;
    if (!site)
        return;
    site->asking = false;
    timer_start(asked.st->timers, &site->timer, site->again ? 0 : EVERY_MS);
    site->again = false;
}

static void on_timer(struct timer *timer)
{
    struct site *site = CONTAINER_OF(timer, struct site, timer);
    struct station_ports *ports = &site->st->ports;
    if (!ports->listens(ports->ctx, EVENT_REBALANCE, NULL)) {
        timer_start(site->st->timers, timer, EVERY_MS);
        return;
    }
    struct asked_site *asked = xcalloc(1, sizeof(*asked));
    asked->st = site->st;
    text_copy(asked->name, sizeof(asked->name), span_of(site->name));
    site->asking = true;
    site->st->items++;
    const struct event event = {.kind = EVENT_REBALANCE, .connector = ABSENT, .site = asked->name};
    ports->ask(ports->ctx, &event, on_done, asked);
}

void station_site_rebalance(struct station *st, const char *name)
{
    struct site *site = station_site(st, name);
    if (site)
        site_soon(site);
}

void site_changed(struct station *st, const char *cp)
{
    struct site *site = station_site_of(st, cp);
    if (site)
        site_soon(site);
}

/* ---- what outlives a definition ---- */

static char *key_of(struct arena *arena, const char *name)
{
    return arena_printf(arena, "chargebridge/site/%s", name);
}

static void keep(struct station *st, const struct site *site)
{
    struct arena arena = {0};
    struct strbuf text = {0}, vars = {0};
    struct json_out o = {.to = &text};
    json_open(&o, '{');
    json_key(&o, "baseLoad");
    json_put_double(&o, site->base_load_a);
    json_key(&o, "defined");
    json_put_double(&o, site->defined_base_load_a);
    json_key(&o, "vars");
    vars_write(&site->vars, &vars);
    json_put_raw(&o, (struct span){strbuf_text(&vars), vars.len});
    json_close(&o, '}');
    struct reason why;
    station_kv_set(st, key_of(&arena, site->name), text.at, 0, &why); /* it fits: see VARS_MAX */
    strbuf_clear(&text);
    strbuf_clear(&vars);
    arena_clear(&arena);
}

/* A base load that was set while running holds until the definition says another one. */
static void recall(struct station *st, struct site *site)
{
    struct arena arena = {0};
    const char *row = station_kv_get(st, key_of(&arena, site->name));
    const struct json *object = row ? json_parse(&arena, row, strlen(row), NULL, NULL) : NULL;
    const struct json *vars = json_get(object, "vars");
    double base = 0, defined = -1;
    if (json_double(json_get(object, "defined"), &defined) &&
        is_near(defined, site->defined_base_load_a) &&
        json_double(json_get(object, "baseLoad"), &base))
        site->base_load_a = base;
    if (vars)
        vars_read(&site->vars, arena_strndup(&arena, vars->raw.at, vars->raw.len));
    arena_clear(&arena);
}

void site_vars_changed(struct station *st, const char *name)
{
    struct site *site = station_site(st, name);
    if (site)
        keep(st, site);
}

bool station_site_base_load(struct station *st, const char *name, double amps)
{
    struct site *site = station_site(st, name);
    if (!(amps >= 0 && amps <= BASE_LOAD_MOST))
        return false;
    if (!site || is_near(site->base_load_a, amps))
        return true;
    site->base_load_a = amps;
    keep(st, site);
    site_soon(site);
    limits_soon(st);
    return true;
}

/* ---- the list ---- */

struct site *station_site(struct station *st, const char *name)
{
    for (size_t i = 0; i < st->limits->site_count; i++) {
        if (text_is(st->limits->sites[i]->name, name))
            return st->limits->sites[i];
    }
    return NULL;
}

struct site *station_site_next(struct station *st, size_t *at)
{
    return *at < st->limits->site_count ? st->limits->sites[(*at)++] : NULL;
}

static bool names(const struct site *site, const char *cp)
{
    return map_gets(&site->members, cp) != NULL;
}

struct site *station_site_of(struct station *st, const char *cp)
{
    struct site *rest = NULL, *site;
    size_t at = 0;
    while ((site = station_site_next(st, &at)) != NULL) {
        if (names(site, cp))
            return site;
        if (site->all)
            rest = site;
    }
    return rest;
}

bool site_has(struct station *st, const struct site *site, const char *cp)
{
    return site->all ? station_site_of(st, cp) == site : names(site, cp);
}

static size_t connectors_of(struct station *st, const struct site *site)
{
    const struct charge_point *cp;
    size_t at = 0, count = 0, known = 0;
    while ((cp = station_next(st, &at)) != NULL) {
        if (!site_has(st, site, cp->id))
            continue;
        size_t own = 0;
        for (size_t i = 0; i < cp->connector_count; i++)
            own += cp->connectors[i].evse > 0;
        count += own > 0 ? own : 1;
        known++;
    }
    return known < site->charger_count ? count + site->charger_count - known : count;
}

double site_failsafe(struct station *st, const struct site *site)
{
    if (site->no_failsafe)
        return NO_LIMIT;
    if (site->failsafe_a >= 0)
        return site->failsafe_a;
    double all = SITE_MIN_AMPS * (double)connectors_of(st, site);
    return all <= site->fuse_a - site->base_load_a ? SITE_MIN_AMPS : 0;
}

/* ---- definitions ---- */

static void site_free(struct site *site)
{
    timer_stop(site->st->timers, &site->timer);
    map_clear(&site->members);
    xfree(site->name);
    vars_clear(&site->vars);
    xfree(site);
}

static struct site *site_new(struct station *st, const struct site_definition *from)
{
    struct site *site = xcalloc(1, sizeof(*site));
    *site = (struct site){.name = xstrdup(from->name),
                          .all = from->all,
                          .no_failsafe = from->no_failsafe,
                          .fuse_a = from->fuse_a,
                          .volts = from->volts,
                          .base_load_a = from->base_load_a,
                          .failsafe_a = from->failsafe_a,
                          .defined_base_load_a = from->base_load_a,
                          .phases = from->phases,
                          .settle_ms = from->settle_ms,
                          .st = st};
    site->timer.fn = on_timer;
    site->members.ignore_case = true;
    for (size_t i = 0; i < from->charger_count; i++)
        map_put(&site->members, span_of(from->chargers[i]), site);
    site->charger_count = site->members.count; /* without what is there twice */
    recall(st, site);
    return site;
}

void sites_clear(struct station *st)
{
    struct limits *limits = st->limits;
    for (size_t i = 0; i < limits->site_count; i++)
        site_free(limits->sites[i]);
    XFREE(limits->sites);
    limits->site_count = 0;
}

void station_sites_define(struct station *st, const struct site_definition *sites, size_t count)
{
    struct limits *limits = st->limits;
    struct site **fresh = xcalloc(count + 1, sizeof(*fresh));
    for (size_t i = 0; i < count; i++) {
        fresh[i] = site_new(st, &sites[i]);
        const struct site *before = station_site(st, sites[i].name);
        fresh[i]->asking = before && before->asking; /* on the policies before: still one at once */
    }
    sites_clear(st);
    limits->sites = fresh;
    limits->site_count = count;
    for (size_t i = 0; i < count; i++)
        site_soon(fresh[i]);
    limits_sites_changed(st);
}
