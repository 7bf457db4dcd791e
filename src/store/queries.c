/* The named queries: what may be asked, by which parameters, in which order, as which members. A
 * new query is one row here; its caller is a route.
 *
 * A member is `name:type=column`: i integer, b boolean, t text, j JSON as stored, m the samples of
 * a meter value. Besides its own parameters every query takes `limit` (1 to 1000, 100 if not given)
 * and `cursor`, and one of a list `from` (included) and `to` (not), milliseconds of our receipt.
 * Rows of a list have the alias r. */
#include "store/queries.h"

#include "base/mem.h"

static const struct parameter_word states[] = {
    {"open", "state = 0"}, {"stopped", "state = 1"}, {"all", "state IN (0, 1)"}, {NULL, NULL}};

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
    "generation:i=generation vars:j=vars stopped:b=state"

const struct query_row query_rows[] = {
    {.name = "history",
     .from = "charge_transaction",
     .place = {"order_ms", "id"},
     .members = TRANSACTION_MEMBERS,
     .parameters = {TEXT("cpid", "cp"), NUMBER("connectorId", "evse = ?"), TEXT("idTag", "id_tag"),
                    NUMBER("from", "order_ms >= ?"), NUMBER("to", "order_ms < ?"),
                    WORD("state", states, "state = 1")}},
    {.name = "transaction",
     .from = "charge_transaction",
     .place = {"id"},
     .members = TRANSACTION_MEMBERS,
     .parameters = {NEEDED("id", "id = ?")}},
    {.name = "meter",
     .from = "meter_value",
     .place = {"ts_ms", "seq"},
     .oldest_first = true,
     .members = "tsMs:i=ts_ms receivedMs:i=received_ms energyWh:i=energy_wh powerW:i=power_w "
                "soc:i=soc implausible:b=implausible samples:m=vals",
     .parameters = {NEEDED("transactionId", "owner = ? AND owner > 0"),
                    NUMBER("from", "ts_ms >= ?"), NUMBER("to", "ts_ms < ?")}},
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
                "inputs:j=r.inputs",
     .parameters = {KEY("idTag", "r.id_tag"), CPID, TEXT("event", "r.event")}},
    {.name = "security_events",
     .in_list = true,
     .list = LIST_SECURITY_EVENT,
     .members = "id:i=r.id cpid:t=r.cp type:t=r.type techInfo:t=r.tech_info tsMs:i=r.ts_ms "
                "receivedMs:i=r.received_ms",
     .parameters = {CPID, TEXT("type", "r.type")}},
    {.name = "jobs",
     .in_list = true,
     .list = LIST_JOB_STATUS,
     .members = "id:i=r.id cpid:t=r.cp kind:t=r.kind status:t=r.status requestId:i=r.request_id "
                "tsMs:i=r.ts_ms",
     .parameters = {CPID, TEXT("kind", "r.kind")}},
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
