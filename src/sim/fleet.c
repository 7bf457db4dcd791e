/* See fleet.h. An array of members in order of their adding and a map by identity. A busy member
 * has a timer for each connector: when it fires a car comes or goes, and on_visit draws what
 * happens next from the charger's own generator. Start reading at fleet_new. */
#include "sim/fleet.h"

#include <math.h>

#include "base/mem.h"
#include "sim/parts.h"

enum {
    GAP_MEAN_MS = 20 * 60000,  /* between two cars at one connector */
    STAY_MEAN_MS = 40 * 60000, /* of a car */
    STAY_LEAST_MS = 5 * 60000,
    MEANS_MOST = 6, /* nothing drawn is longer than so many times the mean */
};

/* One connector of a busy charger. */
struct visit {
    struct timer timer;
    struct fleet *fleet;
    struct charger *charger;
    int connector;
    bool there; /* a car that was plugged in here */
};

struct member {
    struct charger *charger;
    struct visit *visits; /* one for each connector; NULL: not busy */
};

struct fleet {
    struct loop *loop;
    struct ws_client_context *context;
    struct http_client *http;
    struct member *members;
    size_t count, room;
    struct map by_identity;
    struct arena arena; /* of the tags */
    const char **tags;
    size_t tag_count;
    struct feed feed;
};

/* ---- cars that come and go ---- */

static int64_t draw_ms(struct charger *charger, int64_t mean_ms)
{
    double drawn = -log(1.0 - charger_random(charger)) * (double)mean_ms;
    return (int64_t)fmin(drawn, (double)(mean_ms * MEANS_MOST));
}

/* With cards: one of them starts the session. Without: only the cable. */
static bool come(struct visit *visit)
{
    struct charger *charger = visit->charger;
    size_t count = visit->fleet->tag_count;
    const char *tag = NULL;
    if (count > 0)
        tag = visit->fleet->tags[(size_t)(charger_random(charger) * (double)count)];
    double soc = 10 + 60 * charger_random(charger);
    if (!charger_plug(charger, visit->connector, tag, true, NULL))
        return false; /* out of order, reserved, taken by hand: the driver goes elsewhere */
    charger_set_soc(charger, visit->connector, soc, NULL);
    return true;
}

/* Every other driver ends the session with the card, the others just pull the plug. */
static void go(struct visit *visit)
{
    if (charger_random(visit->charger) < 0.5)
        charger_stop(visit->charger, visit->connector, NULL, NULL);
    charger_unplug(visit->charger, visit->connector, NULL);
}

static void on_visit(struct timer *timer)
{
    struct visit *visit = CONTAINER_OF(timer, struct visit, timer);
    if (visit->there)
        go(visit);
    visit->there = !visit->there && come(visit);
    int64_t next = visit->there ? STAY_LEAST_MS + draw_ms(visit->charger, STAY_MEAN_MS)
                                : draw_ms(visit->charger, GAP_MEAN_MS);
    timer_start(loop_timers(visit->fleet->loop), timer, next);
}

static void make_busy(struct fleet *fleet, struct member *member)
{
    struct charger *charger = member->charger;
    int connectors = charger_connectors(charger);
    member->visits = xcalloc((size_t)connectors, sizeof(*member->visits));
    for (int i = 0; i < connectors; i++) {
        struct visit *visit = &member->visits[i];
        *visit = (struct visit){
            .timer.fn = on_visit, .fleet = fleet, .charger = charger, .connector = i + 1};
        int64_t first = (int64_t)(charger_random(charger) * GAP_MEAN_MS);
        timer_start(loop_timers(fleet->loop), &visit->timer,
                    charger->settings.boot_delay_ms + first);
    }
}

/* ---- the fleet ---- */

struct charger *fleet_add(struct fleet *fleet, const struct charger_settings *settings,
                          struct reason *why)
{
    if (fleet_find(fleet, settings->identity)) {
        reason_set(why, "there is a charger %s already", settings->identity);
        return NULL;
    }
    struct charger *charger = charger_new(settings, fleet->loop, fleet->context, fleet->http);
    fleet->members = xgrow(fleet->members, fleet->count, &fleet->room, sizeof(*fleet->members));
    fleet->members[fleet->count++] = (struct member){.charger = charger};
    charger->feed = &fleet->feed;
    map_put(&fleet->by_identity, span_of(charger_identity(charger)), charger);
    return charger;
}

static void add_one(struct fleet *fleet, const struct fleet_settings *settings, int index)
{
    struct charger_settings one = settings->charger;
    char *name = NULL;
    if (settings->count > 1) {
        name = xprintf("%s-%04d", one.identity, index + 1);
        one.identity = name;
        one.serial = name;
        one.seed += (uint64_t)index;
        one.boot_delay_ms += index * settings->stagger_ms;
    }
    if (fleet_add(fleet, &one, NULL) && settings->busy)
        make_busy(fleet, &fleet->members[fleet->count - 1]);
    xfree(name);
}

struct fleet *fleet_new(const struct fleet_settings *settings, struct loop *loop,
                        struct ws_client_context *context, struct http_client *http)
{
    struct fleet *fleet = xcalloc(1, sizeof(*fleet));
    fleet->loop = loop;
    fleet->context = context;
    fleet->http = http;
    fleet->by_identity.ignore_case = true;
    fleet->tag_count = settings->tag_count;
    fleet->tags = arena_alloc(&fleet->arena, (settings->tag_count + 1) * sizeof(*fleet->tags));
    for (size_t i = 0; i < settings->tag_count; i++)
        fleet->tags[i] = arena_strdup(&fleet->arena, settings->tags[i]);
    for (int i = 0; i < settings->count; i++)
        add_one(fleet, settings, i);
    return fleet;
}

void fleet_free(struct fleet *fleet)
{
    if (!fleet)
        return;
    for (size_t i = 0; i < fleet->count; i++) {
        struct member *member = &fleet->members[i];
        int connectors = charger_connectors(member->charger);
        for (int n = 0; member->visits && n < connectors; n++)
            timer_stop(loop_timers(fleet->loop), &member->visits[n].timer);
        xfree(member->visits);
        charger_free(member->charger);
    }
    xfree(fleet->members);
    map_clear(&fleet->by_identity);
    arena_clear(&fleet->arena);
    xfree(fleet);
}

size_t fleet_count(const struct fleet *fleet)
{
    return fleet->count;
}

struct charger *fleet_at(const struct fleet *fleet, size_t index)
{
    return index < fleet->count ? fleet->members[index].charger : NULL;
}

struct charger *fleet_find(const struct fleet *fleet, const char *identity)
{
    return map_gets(&fleet->by_identity, identity);
}

/* ---- looking ---- */

static int64_t running_sessions(const struct charger *charger)
{
    int64_t running = 0;
    for (int i = 1; i <= charger_connectors(charger); i++)
        running += charger_connector(charger, i)->phase == SESSION_RUNNING;
    return running;
}

void fleet_write_figures(const struct fleet *fleet, const struct charger *only, struct strbuf *out)
{
    struct charger_figures sum = {0};
    int64_t chargers = 0, online = 0, accepted = 0, charging = 0;
    for (size_t i = 0; i < fleet->count; i++) {
        const struct charger *charger = fleet->members[i].charger;
        if (only && only != charger)
            continue;
        chargers++;
        charger_add_figures(charger, &sum);
        online += charger->online;
        accepted += charger->accepted;
        charging += running_sessions(charger);
    }
    const struct {
        const char *name;
        int64_t value;
    } rows[] = {
        {"chargers", chargers},
        {"online", online},
        {"accepted", accepted},
        {"charging", charging},
        {"callsSent", (int64_t)sum.calls_sent},
        {"callsAnswered", (int64_t)sum.calls_answered},
        {"callsFailed", (int64_t)sum.calls_failed},
        {"callsReceived", (int64_t)sum.calls_received},
        {"connects", (int64_t)sum.connects},
        {"disconnects", (int64_t)sum.disconnects},
        {"boots", (int64_t)sum.boots},
        {"sessionsStarted", (int64_t)sum.sessions_started},
        {"sessionsStopped", (int64_t)sum.sessions_stopped},
        {"energyWh", sum.energy_wh},
        {"powerW", (int64_t)(fleet->feed.now_w + 0.5)},
        {"peakW", (int64_t)(fleet->feed.peak_w + 0.5)},
    };
    size_t count = only ? ARRAY_LEN(rows) - 2 : ARRAY_LEN(rows); /* the feed is of all */
    struct json_out o = {.to = out};
    json_open(&o, '{');
    for (size_t i = 0; i < count; i++) {
        json_key(&o, rows[i].name);
        json_put_int(&o, rows[i].value);
    }
    json_close(&o, '}');
}
