/* See site.h. */
#include "policy/site.h"

#include "base/mem.h"

struct site_list {
    struct site_definition items[SITES_MAX];
    size_t count;
};

size_t sites_count(const struct generation *generation)
{
    return generation->sites ? generation->sites->count : 0;
}

bool sites_named(const struct generation *generation, const char *name)
{
    for (size_t i = 0; i < sites_count(generation); i++) {
        if (text_is(generation->sites->items[i].name, name))
            return true;
    }
    return false;
}

static bool names(const struct site_definition *site, const char *cp)
{
    for (size_t i = 0; i < site->charger_count; i++) {
        if (text_is_ci(site->chargers[i], cp))
            return true;
    }
    return false;
}

static bool fits(const struct generation *generation, const struct site_definition *site,
                 struct reason *why)
{
    for (size_t i = 0; i < sites_count(generation); i++) {
        const struct site_definition *other = &generation->sites->items[i];
        if (text_is(other->name, site->name))
            return reason_set(why, "site \"%s\" is defined twice", site->name);
        if (other->all && site->all)
            return reason_set(why, "site \"%s\" has all other chargers (\"*\") already",
                              other->name);
        for (size_t n = 0; n < site->charger_count; n++) {
            if (names(other, site->chargers[n]))
                return reason_set(why, "charger %s is in site \"%s\" already", site->chargers[n],
                                  other->name);
        }
    }
    return sites_count(generation) < SITES_MAX || reason_set(why, "more than %d sites", SITES_MAX);
}

bool sites_add(struct generation *generation, const struct site_definition *site,
               struct reason *why)
{
    if (!fits(generation, site, why))
        return false;
    if (!generation->sites)
        generation->sites = xcalloc(1, sizeof(struct site_list));
    struct site_definition *kept = &generation->sites->items[generation->sites->count++];
    const char **chargers = xcalloc(site->charger_count + 1, sizeof(*chargers));
    *kept = *site;
    kept->name = xstrdup(site->name);
    kept->chargers = chargers;
    for (size_t i = 0; i < site->charger_count; i++)
        chargers[i] = xstrdup(site->chargers[i]);
    return true;
}

void sites_start(struct generation *generation)
{
    if (generation->station)
        station_sites_define(generation->station,
                             generation->sites ? generation->sites->items : NULL,
                             sites_count(generation));
}

void sites_free(struct generation *generation)
{
    for (size_t i = 0; i < sites_count(generation); i++) {
        struct site_definition *site = &generation->sites->items[i];
        for (size_t n = 0; n < site->charger_count; n++)
            xfree((void *)site->chargers[n]);
        xfree((void *)site->chargers);
        xfree((void *)site->name);
    }
    XFREE(generation->sites);
}
