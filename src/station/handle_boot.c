/* BootNotification and Heartbeat: rules B1 to B10, T14.
 *
 * The registration belongs to the station: a verdict that changes it is stored before the answer
 * leaves. A BootNotification proves no reboot (B5): transactions, connectors and profiles are none
 * of its business. */
#include "base/log.h"
#include "base/mem.h"
#include "base/timetext.h"
#include "station/call.h"

struct boot {
    enum registration registration, before;
    bool registered_before;
    int64_t interval_s;
    bool recorded; /* as a decision */
};

static const char *const verdict_words[] = {
    [REGISTRATION_PENDING] = "Pending",
    [REGISTRATION_ACCEPTED] = "Accepted",
    [REGISTRATION_REJECTED] = "Rejected",
};

static void add_time(struct call *call, struct json *answer)
{
    char now[TIMETEXT_SIZE];
    timetext_seconds(wall_now(), now);
    json_adds(&call->arena, answer, "currentTime", now);
}

void handle_heartbeat(struct call *call)
{
    struct json *answer = call_object(call);
    add_time(call, answer);
    call_answer(call, answer);
}

/* ---- what the charger says about itself ---- */

/* Keeps the new text if there is one; true when it replaces another. */
static bool keep(char **field, const char *text)
{
    if (!text || !text[0] || text_is(*field, text)) /* B6: empty counts as absent */
        return false;
    bool changed = *field != NULL;
    xfree(*field);
    *field = xstrdup(text);
    return changed;
}

static void keep_boot_info(struct call *call)
{
    struct charge_point *cp = call->cp;
    const struct json *payload = call->frame.payload;
    const char *serial = json_gets(payload, "chargePointSerialNumber");
    if (!serial || !serial[0])
        serial = json_gets(payload, "chargeBoxSerialNumber");
    bool changed = keep(&cp->vendor, json_gets(payload, "chargePointVendor"));
    changed |= keep(&cp->model, json_gets(payload, "chargePointModel"));
    changed |= keep(&cp->serial, serial);
    changed |= keep(&cp->firmware, json_gets(payload, "firmwareVersion"));
    struct strbuf json = {0};
    if (payload->raw.at)
        strbuf_add(&json, payload->raw.at, payload->raw.len);
    else
        json_write(&json, payload);
    xfree(cp->boot_json);
    cp->boot_json = strbuf_take(&json, NULL);
    cp->last_boot_ms = call->received_ms;
    options_apply(call->st, cp); /* quirk packs go by what it says here */
    if (changed)
        station_row_event(call->st, cp->id, "boot_changed", cp->boot_json);
}

/* ---- the verdict ---- */

/* Without a policy's word the registration speaks. `open` admits whom nobody judged; a policy that
 * failed has no opinion that counts, so it admits nobody. */
static enum registration default_verdict(const struct call *call, bool failed)
{
    enum registration registration = call->cp->registration;
    bool open = call->st->settings.registration == ADMIT_OPEN && !failed;
    return open && !call->cp->registered ? REGISTRATION_ACCEPTED : registration;
}

static int64_t clamp_interval(int64_t interval_s)
{
    if (interval_s < 0)
        return 0;
    return interval_s > DAY_MS / 1000 ? DAY_MS / 1000 : interval_s; /* B10 */
}

static void judge(struct call *call, struct boot *boot, const struct verdict *verdict)
{
    boot->registration = default_verdict(call, verdict->kind == VERDICT_FAILED);
    for (size_t i = 0; verdict->kind == VERDICT_GIVEN && i < ARRAY_LEN(verdict_words); i++) {
        if (text_is(verdict->word, verdict_words[i]))
            boot->registration = (enum registration)i;
    }
    const struct station_settings *settings = &call->st->settings;
    bool accepted = boot->registration == REGISTRATION_ACCEPTED; /* B1 */
    int64_t interval_s = accepted ? settings->heartbeat_interval_s : settings->pending_interval_s;
    if (verdict->kind == VERDICT_GIVEN)
        json_int(json_get(verdict->extra, "interval"), &interval_s);
    boot->interval_s = clamp_interval(interval_s);
}

static void decision_of(struct call *call, const struct boot *boot, const struct verdict *verdict,
                        struct record *row, struct arena *arena)
{
    row->decision = (struct record_decision){.cp = arena_strdup(arena, call->cp->id),
                                             .ts_ms = wall_now(),
                                             .event = "boot",
                                             .verdict = verdict_words[boot->registration],
                                             .why = arena_strdup(arena, verdict->why),
                                             .file = arena_strdup(arena, verdict->file),
                                             .line = verdict->line,
                                             .generation = verdict->generation,
                                             .inputs = arena_strdup(arena, call->cp->boot_json)};
}

static void answer(struct call *call, const struct boot *boot)
{
    struct json *payload = call_object(call);
    json_adds(&call->arena, payload, "status", verdict_words[boot->registration]);
    add_time(call, payload);
    json_addi(&call->arena, payload, "interval", boot->interval_s);
    call_answer(call, payload);
}

static void stored(struct call *call, struct batch *batch)
{
    const struct boot *boot = call->work;
    struct charge_point *cp = call->cp;
    if (!batch->failed) {
        answer(call, boot);
        return;
    }
    if (!cp->deleted && cp->registration == boot->registration) { /* nobody changed it since */
        cp->registration = boot->before;
        if (!boot->registered_before)
            charge_point_unregister(call->st, cp);
    }
    call_error(call, OCPP_INTERNAL_ERROR, "");
}

/* Nothing to wait for: the answer promises only what is on disk already. */
static void keep_unchanged(struct call *call, const struct boot *boot,
                           const struct verdict *verdict)
{
    if (verdict->kind != VERDICT_NONE) {
        struct arena *arena;
        struct record *row = station_row(call->st, RECORD_DECISION, &arena);
        decision_of(call, boot, verdict, row, arena);
    }
    if (!call->cp->deleted)
        station_row_charge_point(call->st, call->cp);
}

static void on_verdict(struct call *call, const struct verdict *verdict)
{
    struct boot *boot = call->work;
    struct charge_point *cp = call->cp;
    boot->before = cp->registration;
    boot->registered_before = cp->registered;
    judge(call, boot, verdict);
    bool judged = verdict->kind == VERDICT_GIVEN; /* "Pending" by a policy holds in `open` too */
    bool changes = boot->registration != cp->registration || (judged && !cp->registered);
    if (!changes) {
        keep_unchanged(call, boot, verdict);
        answer(call, boot);
        return;
    }
    LOG(LOG_INFO, "registration changes", L_STR("cp", cp->id),
        L_STR("to", registration_text(boot->registration)), L_STR("why", verdict->why));
    struct batch *batch = call_batch(call);
    decision_of(call, boot, verdict, batch_add(batch, RECORD_DECISION), &batch->arena);
    if (!cp->deleted) {
        charge_point_register(call->st, cp, boot->registration);
        row_charge_point(batch, cp);
    }
    call_store(call, stored);
}

void handle_boot_notification(struct call *call)
{
    keep_boot_info(call);
    call->work = ARENA_NEW(&call->arena, struct boot);
    struct event event = {.kind = EVENT_BOOT, .connector = ABSENT, .data = call->frame.payload};
    call_ask(call, &event, on_verdict);
}
