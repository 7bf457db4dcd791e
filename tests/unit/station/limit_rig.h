/* Chargers CP1 … behind a site, answering what the station sends; each limit becomes a short line:
 * "CP1 TxProfile c=1 tx=1 A 16", "CP1 Clear 911001", "CP1 keys". */
#ifndef TESTS_STATION_LIMIT_RIG_H
#define TESTS_STATION_LIMIT_RIG_H

#include "fake.h"
#include "ocpp/frame.h"
#include "station/limit.h"

struct rig {
    struct fake *f;
    int chargers;
    const char *units;   /* of ChargingScheduleAllowedChargingRateUnit; NULL: no such key */
    const char *answer;  /* to SetChargingProfile: a status, an error code with '!' before it, or
                            NULL:  none */
    const char *refuses; /* a word of the payload that makes it answer "Rejected"; NULL */
    struct lines said;
    char lost[64]; /* id of the newest CALL that was not answered */
};

static const char *const rig_names[] = {"CP1", "CP2", "CP3", "CP4", "CP5",
                                        "CP6", "CP7", "CP8", "CP9"};

UNUSED static void rig_site(struct rig *r, double fuse_a, double failsafe_a, int64_t settle_ms)
{
    const struct site_definition site = {.name = "depot",
                                         .chargers = rig_names,
                                         .charger_count = (size_t)r->chargers,
                                         .fuse_a = fuse_a,
                                         .phases = 3,
                                         .volts = 230,
                                         .failsafe_a = failsafe_a,
                                         .settle_ms = settle_ms};
    station_sites_define(r->f->st, &site, 1);
}

UNUSED static struct rig *rig_new(int chargers)
{
    struct rig *r = xcalloc(1, sizeof(*r));
    r->f = fake_new();
    r->chargers = chargers;
    r->units = "Current";
    r->answer = "Accepted";
    policy_says(r->f, EVENT_AUTHORIZE, "Accepted", NULL);
    for (int i = 0; i < chargers; i++)
        accepted_cp(r->f, rig_names[i], (uint64_t)i + 1);
    return r;
}

UNUSED static void rig_free(struct rig *r)
{
    fake_free(r->f);
    lines_clear(&r->said);
    xfree(r);
}

static void rig_reply(struct rig *r, const char *cp, const char *id, const char *action,
                      const char *payload)
{
    char *text;
    if (text_is(action, "GetConfiguration") && r->units)
        text = xprintf("[3,\"%s\",{\"configurationKey\":[{\"key\":"
                       "\"ChargingScheduleAllowedChargingRateUnit\",\"readonly\":true,\"value\":"
                       "\"%s\"}]}]",
                       id, r->units);
    else if (text_is(action, "GetConfiguration"))
        text = xprintf("[3,\"%s\",{}]", id);
    else if (r->refuses && strstr(payload, r->refuses))
        text = xprintf("[3,\"%s\",{\"status\":\"Rejected\"}]", id);
    else if (!r->answer) {
        text_copy(r->lost, sizeof(r->lost), span_of(id));
        return;
    } else if (r->answer[0] == '!')
        text = xprintf("[4,\"%s\",\"%s\",\"\",{}]", id, r->answer + 1);
    else
        text = xprintf("[3,\"%s\",{\"status\":\"%s\"}]", id, r->answer);
    say(r->f, cp, text);
    xfree(text);
}

static void rig_note(struct rig *r, const char *cp, const char *action, const struct json *payload)
{
    const struct json *profile = json_get(payload, "csChargingProfiles");
    const struct json *schedule = json_get(profile, "chargingSchedule");
    const struct json *periods = json_get(schedule, "chargingSchedulePeriod");
    int64_t connector = -1, id = -1, tx = 0;
    json_int(json_get(payload, "connectorId"), &connector);
    json_int(json_get(payload, "id"), &id);
    json_int(json_get(profile, "transactionId"), &tx);
    if (text_is(action, "GetConfiguration")) {
        line_add(&r->said, xprintf("%s keys", cp));
    } else if (text_is(action, "ClearChargingProfile")) {
        line_add(&r->said, xprintf("%s Clear %d", cp, (int)id));
    } else {
        const struct json *limit = json_get(periods->child, "limit");
        line_add(&r->said, xprintf("%s %s c=%d tx=%d %s %.*s", cp,
                                   json_gets(profile, "chargingProfilePurpose"), (int)connector,
                                   (int)tx, json_gets(schedule, "chargingRateUnit"),
                                   (int)limit->raw.len, limit->raw.at));
    }
}

/* Lets happen what belongs to this moment, and answers every CALL. */
UNUSED static void rig_turn(struct rig *r)
{
    struct fake *f = r->f;
    for (int still = 0; still < 3; still++) {
        pass(f, 0);
        while (f->sent.read < f->sent.count) {
            const char *line = f->sent.at[f->sent.read++];
            int64_t connection = 0;
            span_int((struct span){line, strcspn(line, " ")}, &connection);
            const char *text = strchr(line, ' ') + 1;
            struct arena arena = {0};
            struct frame frame;
            char *copy = arena_strdup(&arena, text);
            frame_parse(&frame, &arena, &version_16, copy, strlen(copy));
            const char *cp = rig_names[(connection - 1) % 100];
            if (frame.kind == FRAME_CALL) {
                rig_note(r, cp, frame.action, frame.payload);
                rig_reply(r, cp, frame.id, frame.action, text);
                still = 0;
            }
            arena_clear(&arena);
        }
    }
}

UNUSED static void rig_later(struct rig *r, int64_t ms)
{
    pass(r->f, ms);
    rig_turn(r);
}

/* A transaction begins at connector 1 of CP<n>; its id. */
UNUSED static int64_t rig_start(struct rig *r, int n)
{
    static int message;
    char now[TIMETEXT_SIZE];
    timetext_seconds(wall_now(), now);
    message++;
    char *text = xprintf("[2,\"m%d\",\"StartTransaction\",{\"connectorId\":1,\"idTag\":\"T\","
                         "\"meterStart\":%d,\"timestamp\":\"%s\"}]",
                         message, message, now);
    say(r->f, rig_names[n - 1], text);
    xfree(text);
    rig_turn(r);
    return r->f->last_id;
}

UNUSED static void rig_stop(struct rig *r, int n, int64_t id)
{
    char now[TIMETEXT_SIZE];
    timetext_seconds(wall_now(), now);
    char *text = xprintf("[2,\"e%d\",\"StopTransaction\",{\"transactionId\":%d,\"meterStop\":99999,"
                         "\"timestamp\":\"%s\"}]",
                         (int)id, (int)id, now);
    say(r->f, rig_names[n - 1], text);
    xfree(text);
    rig_turn(r);
}

UNUSED static void rig_status(struct rig *r, int n, const char *status)
{
    static int message;
    char *text = xprintf("[2,\"s%d\",\"StatusNotification\",{\"connectorId\":1,\"errorCode\":"
                         "\"NoError\",\"status\":\"%s\"}]",
                         ++message, status);
    say(r->f, rig_names[n - 1], text);
    xfree(text);
    rig_turn(r);
}

/* What was said since the last look, in order, joined by "; ". */
UNUSED static void rig_said(struct rig *r, const char *wanted)
{
    struct strbuf text = {0};
    while (r->said.read < r->said.count) {
        strbuf_adds(&text, text.len > 0 ? "; " : "");
        strbuf_adds(&text, r->said.at[r->said.read++]);
    }
    if (!text_is(strbuf_text(&text), wanted))
        fail_msg("said:   %s\nwanted: %s", strbuf_text(&text), wanted);
    strbuf_clear(&text);
}

UNUSED static void rig_hush(struct rig *r)
{
    r->said.read = r->said.count;
}

#endif
