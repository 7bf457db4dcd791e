/* Authorize: rules A1 to A7. The answer promises nothing, so its rows wait for the turn's batch. */
#include "station/decide.h"

static void decided(struct call *call, const struct decision *decision)
{
    const struct ask *ask = call->work;
    struct arena *arena;
    struct record *row = station_row(call->st, RECORD_DECISION, &arena);
    decision_row(call, ask, decision, row, arena);
    struct json *answer = call_object(call);
    json_add(&call->arena, answer, "idTagInfo", decision_info(call, decision));
    call_answer(call, answer);
}

void handle_authorize(struct call *call)
{
    struct ask *ask = ARENA_NEW(&call->arena, struct ask);
    *ask = (struct ask){
        .purpose = "authorize",
        .id_tag = id_tag_normal(call->cp, &call->arena, json_gets(call->frame.payload, "idTag")),
        .connector = ABSENT};
    call->work = ask;
    call_decide(call, ask, decided);
}
