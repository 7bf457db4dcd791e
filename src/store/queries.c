/* The named queries: what may be asked, by which parameters, in which order, as which members. A
 * new query is one row here; its caller is a route.
 *
 * A member is `name:type=column`: i integer, b boolean, t text, j JSON as stored, m the samples of
 * a meter value. Besides its own parameters every query takes `limit` (1 to 1000, 100 if not given)
 * and `cursor`, and one of a list `from` (included) and `to` (not), milliseconds of our receipt.
 * Rows of a list have the alias r. Rows come newest first, or oldest first, or in order of a
 * text. */
#include "store/queries.h"

#include "base/mem.h"

static const struct parameter_word states[] = {
    {"open", "state = 0"}, {"stopped", "state = 1"}, {"all", "state IN (0, 1)"}, {NULL, NULL}};

/* C8: the clock ends a reservation, no record does. */
#define EXPIRED "state = 'ACCEPTED' AND expiry_ms <= {now}"

static const struct parameter_word reservation_states[] = {
    {"ACCEPTED", "state = 'ACCEPTED' AND expiry_ms > {now}"},
    {"EXPIRED", EXPIRED},
    {"USED", "state = 'USED'"},
    {"CANCELLED", "state = 'CANCELLED'"},
    {"FAULTED", "state = 'FAULTED'"},
    {NULL, NULL}};

static const struct parameter_word directions[] = {
    {"in", "r.outgoing = 0"}, {"out", "r.outgoing = 1"}, {NULL, NULL}};

/* clang-format off */
#define TEXT(param, column) {.name = param, .type = PARAMETER_TEXT, .condition = column " = ?"}
#define KEY(param, column)                                                                         \
    {.name = param, .type = PARAMETER_TEXT, .condition = column " = ?", .is_key = true}
#define NUMBER(param, condition_) \
    {.name = param, .type = PARAMETER_INTEGER, .condition = condition_}
#define NEEDED(param, condition_)                                                                  \
    {.name = param, .type = PARAMETER_INTEGER, .condition = condition_, .required = true}
#define NEEDED_TEXT(param, column)                                                                 \
    {.name = param, .type = PARAMETER_TEXT, .condition = column " = ?", .required = true}
#define WITHIN(param, column)                                                                      \
    {.name = param, .type = PARAMETER_WITHIN, .condition = column " LIKE ? ESCAPE '\\'"}
#define WORD(param, words_, absent_)                                                               \
    {.name = param, .type = PARAMETER_WORD, .words = words_, .absent = absent_}
/* clang-format on */

#define CPID KEY("cpid", "r.cp")

#define TRANSACTION_MEMBERS                                                                        \
    "transactionId:i=id cpid:t=cp connectorId:i=evse idTag:t=id_tag parentIdTag:t=parent_id_tag "  \
    "meterStart:i=meter_start_wh meterStop:i=meter_stop_wh energy:i=energy_wh startMs:i=order_ms " \
    "stopMs:i=stop_ms reason:t=reason verdict:t=verdict flags:i=flags stopIdTag:t=stop_id_tag "    \
    "generation:i=generation vars:j=vars stopped:b=state priceCurrency:t=price_currency "          \
    "priceDigits:i=price_digits priceTotal:i=price_total priceLines:j=price_lines "                \
    "priceTariff:t=price_tariff priceGeneration:i=price_generation priceFile:t=price_file "        \
    "priceLine:i=price_line"

#define METER_MEMBERS                                                                              \
    "tsMs:i=v.ts_ms receivedMs:i=v.received_ms energyWh:i=v.energy_wh powerW:i=v.power_w "         \
    "soc:i=v.soc implausible:b=v.implausible samples:m=v.vals"

/* The last that is known of a column at the end of a step. */
#define LAST(column)                                                                               \
    "(SELECT v." column " FROM meter_value v WHERE v.owner = s.owner AND v.ts_ms >= s.first_ms"    \
    " AND v.ts_ms <= s.ts_ms AND v." column " IS NOT NULL ORDER BY v.ts_ms DESC, v.seq DESC"       \
    " LIMIT 1) AS " column

#define COMMAND_MEMBERS                                                                            \
    "id:t=id cpid:t=cp action:t=action payload:j=payload askedBy:t=asked_by batch:t=batch "        \
    "state:t=state askedMs:i=asked_ms sentMs:i=sent_ms endedMs:i=ended_ms response:j=response "    \
    "errorCode:t=error_code errorDescription:t=error_description errorDetails:j=error_details "    \
    "why:t=why"

const struct query_row query_rows[] = {
    {.name = "history",
     .from = "charge_transaction",
     .place = {"order_ms", "id"},
     .members = TRANSACTION_MEMBERS,
     .parameters = {TEXT("cpid", "cp"), NUMBER("connectorId", "evse = ?"), TEXT("idTag", "id_tag"),
                    NUMBER("from", "order_ms >= ?"), NUMBER("to", "order_ms < ?"),
                    WORD("state", states, "state = 1"), NUMBER("flags", "flags & ? <> 0"),
                    NUMBER("transactionId", "id = ?")}},
    {.name = "transaction",
     .from = "charge_transaction",
     .place = {"id"},
     .members = TRANSACTION_MEMBERS,
     .parameters = {NEEDED("id", "id = ?")}},
    {.name = "meter",
     .from = "meter_value v",
     .place = {"v.ts_ms", "v.seq"},
     .oldest_first = true,
     .members = METER_MEMBERS,
     .parameters = {NEEDED("transactionId", "v.owner = ? AND v.owner > 0"),
                    NUMBER("from", "v.ts_ms >= ?"), NUMBER("to", "v.ts_ms < ?")}},
    /* Values without a transaction have a place of their own as owner; 1.6 knows one connector of
     * an EVSE, and none of the controller. */
    {.name = "meter_places",
     .from = "meter_place p CROSS JOIN meter_value v ON v.owner = -p.id",
     .place = {"v.ts_ms", "v.seq"},
     .oldest_first = true,
     .members = METER_MEMBERS,
     .parameters = {NEEDED_TEXT("cpid", "p.cp"),
                    NEEDED("connectorId",
                           "p.evse = ? AND p.connector = CASE WHEN ? > 0 THEN 1 ELSE 0 END"),
                    NUMBER("from", "v.ts_ms >= ?"), NUMBER("to", "v.ts_ms < ?")}},
    {.name = "meter_series",
     .from = "(SELECT s.ts_ms, " LAST("energy_wh") ", " LAST("power_w") ", " LAST(
         "soc") " FROM (SELECT owner, min(ts_ms) AS first_ms, max(ts_ms) AS ts_ms FROM meter_value"
                "{where} GROUP BY owner, ts_ms / {step}) s)",
     .place = {"ts_ms"},
     .oldest_first = true,
     .members = "tsMs:i=ts_ms energyWh:i=energy_wh powerW:i=power_w soc:i=soc",
     .parameters = {NEEDED("transactionId", "owner = ? AND owner > 0"),
                    {.name = "step_ms", .type = PARAMETER_STEP}}},
    {.name = "messages",
     .in_list = true,
     .list = LIST_MESSAGE,
     .members = "id:i=r.id cpid:t=r.cp connection:i=r.connection tsMs:i=r.ts_ms "
                "outgoing:b=r.outgoing text:t=r.text note:t=r.note",
     .parameters = {CPID, WORD("direction", directions, NULL), WITHIN("contains", "r.text")}},
    {.name = "statuses",
     .in_list = true,
     .list = LIST_STATUS,
     .members = "id:i=r.id cpid:t=r.cp connectorId:i=r.evse status:t=r.status "
                "errorCode:t=r.error_code info:t=r.info vendorId:t=r.vendor_id "
                "vendorErrorCode:t=r.vendor_error_code tsMs:i=r.ts_ms receivedMs:i=r.received_ms "
                "repeat:b=r.is_repeat",
     .parameters = {CPID, NUMBER("connectorId", "r.evse = ?")}},
    {.name = "decisions",
     .in_list = true,
     .list = LIST_DECISION,
     .members = "id:i=r.id cpid:t=r.cp tsMs:i=r.ts_ms event:t=r.event idTag:t=r.id_tag "
                "connectorId:i=r.evse transactionId:i=nullif(r.tx,0) verdict:t=r.verdict "
                "why:t=r.why file:t=r.file line:i=r.line generation:i=r.generation "
                "inputs:j=r.inputs answer:j=r.answer",
     .parameters = {KEY("idTag", "r.id_tag"), CPID, TEXT("event", "r.event"),
                    TEXT("verdict", "r.verdict"), TEXT("file", "r.file"),
                    NUMBER("generation", "r.generation = ?"), NUMBER("transactionId", "r.tx = ?")}},
    {.name = "security_events",
     .in_list = true,
     .list = LIST_SECURITY_EVENT,
     .members = "id:i=r.id cpid:t=r.cp type:t=r.type techInfo:t=r.tech_info tsMs:i=r.ts_ms "
                "receivedMs:i=r.received_ms",
     .parameters = {CPID, TEXT("type", "r.type")}},
    {.name = "job_statuses",
     .in_list = true,
     .list = LIST_JOB_STATUS,
     .members = "id:i=r.id cpid:t=r.cp kind:t=r.kind status:t=r.status requestId:i=r.request_id "
                "tsMs:i=r.ts_ms job:i=r.job",
     .parameters = {CPID, TEXT("kind", "r.kind"), NUMBER("job", "r.job = ?")}},
    {.name = "orphans",
     .in_list = true,
     .list = LIST_ORPHAN,
     .members = "id:i=r.id cpid:t=r.cp action:t=r.action payload:j=r.payload why:t=r.why "
                "tsMs:i=r.ts_ms",
     .parameters = {CPID}},
    {.name = "events",
     .in_list = true,
     .list = LIST_EVENT,
     .members = "id:i=r.id cpid:t=r.cp kind:t=r.kind detail:j=r.detail tsMs:i=r.ts_ms",
     .parameters = {CPID, TEXT("kind", "r.kind")}},
    {.name = "commands",
     .from = "command",
     .place = {"asked_ms", "n"},
     .members = COMMAND_MEMBERS,
     .parameters = {TEXT("cpid", "cp"), TEXT("action", "action"), TEXT("state", "state"),
                    TEXT("batch", "batch"), NUMBER("from", "asked_ms >= ?"),
                    NUMBER("to", "asked_ms < ?")}},
    {.name = "command",
     .from = "command",
     .place = {"n"},
     .members = COMMAND_MEMBERS,
     .parameters = {NEEDED_TEXT("id", "id")}},
    {.name = "configuration",
     .from = "(SELECT *, reboot > 0 AND reboot >= coalesce((SELECT last_boot_ms FROM charge_point"
             " WHERE id = configuration.cp), 0) AS waits FROM configuration)",
     .place = {"key"},
     .by_text = true,
     .oldest_first = true,
     .members = "key:t=key value:t=value readonly:b=readonly unknown:b=is_unknown reboot:b=waits "
                "knownMs:i=known_ms",
     .parameters = {NEEDED_TEXT("cpid", "cp"), TEXT("key", "key")}},
    {.name = "reservations",
     .from = "(SELECT *, CASE WHEN " EXPIRED " THEN 'EXPIRED' ELSE state END AS shown"
             " FROM reservation)",
     .place = {"accepted_ms", "n"},
     .members = "id:i=id cpid:t=cp connectorId:i=connector idTag:t=id_tag "
                "parentIdTag:t=parent_id_tag state:t=shown expiryMs:i=expiry_ms "
                "acceptedMs:i=accepted_ms endedMs:i=ended_ms transactionId:i=tx",
     .parameters = {TEXT("cpid", "cp"), NUMBER("connectorId", "connector = ?"),
                    WORD("state", reservation_states, NULL)}},
    {.name = "profiles",
     .from = "charging_profile",
     .place = {"accepted_ms", "n"},
     .members = "cpid:t=cp connectorId:i=connector chargingProfileId:i=id stackLevel:i=stack_level "
                "purpose:t=purpose transactionId:i=tx profile:j=profile acceptedMs:i=accepted_ms",
     .parameters = {TEXT("cpid", "cp"), NUMBER("connectorId", "connector = ?"),
                    TEXT("purpose", "purpose")}},
    {.name = "local_list",
     .from = "(SELECT *, (SELECT count(*) FROM local_list_entry e WHERE e.cp = l.cp) AS size"
             " FROM local_list l)",
     .place = {"known_ms"},
     .members = "cpid:t=cp version:i=version knownMs:i=known_ms size:i=size",
     .parameters = {NEEDED_TEXT("cpid", "cp")}},
    {.name = "local_list_tags",
     .from = "local_list_entry",
     .place = {"id_tag"},
     .by_text = true,
     .oldest_first = true,
     .members = "idTag:t=id_tag idTagInfo:j=info",
     .parameters = {NEEDED_TEXT("cpid", "cp")}},
    {.name = "availability",
     .from = "availability",
     .place = {"known_ms", "n"},
     .members = "cpid:t=cp connectorId:i=connector type:t=type status:t=status knownMs:i=known_ms",
     .parameters = {TEXT("cpid", "cp")}},
    {.name = "jobs",
     .from = "job",
     .place = {"id"},
     .members = "id:i=id command:t=command cpid:t=cp kind:t=kind action:t=action "
                "location:t=location file:t=file requestId:i=request_id acceptedMs:i=accepted_ms "
                "status:t=status statusMs:i=status_ms",
     .parameters = {TEXT("cpid", "cp"), TEXT("kind", "kind")}},
    {.name = "tags_all",
     .from = "id_tag",
     .place = {"id_tag"},
     .by_text = true,
     .oldest_first = true,
     .members = "idTag:t=id_tag status:t=status expiryMs:i=expiry_ms parentIdTag:t=parent_id_tag "
                "note:t=note maxActive:i=max_active"},
};

const size_t query_row_count = ARRAY_LEN(query_rows);

const struct query_row *query_row_find(const char *name)
{
    for (size_t i = 0; i < query_row_count; i++)
        if (text_is(query_rows[i].name, name))
            return &query_rows[i];
    return NULL;
}

bool query_next_member(struct span *rest, struct member *member)
{
    struct span column;
    if (!span_cut(rest, ' ', &column))
        return false;
    span_cut(&column, ':', &member->name);
    member->type = column.at[0];
    member->column = (struct span){column.at + 2, column.len - 2};
    return true;
}

int query_places(const struct query_row *row)
{
    return row->place[1] ? 2 : 1;
}
