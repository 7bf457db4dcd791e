/* What we asked of chargers and what they accepted: commands, configuration, reservations, charging
 * profiles, local lists, availability, jobs (record.h has the contracts). Current state is one row
 * that is replaced; commands, reservations and jobs stay until retention takes them. */
#include "base/json.h"
#include "base/mem.h"
#include "store/apply.h"

/* ---- commands and configuration ---- */

void apply_command(struct applier *a, struct record *record, struct arena *arena)
{
    (void)arena;
    const struct record_command *r = &record->command;
    sql_done(a->sql, sql_bind(a->sql, SQL_PUT_COMMAND, "tttttttioottttt", r->id, r->cp, r->action,
                              r->payload, r->asked_by, r->batch, r->state, r->asked_ms, r->sent_ms,
                              r->ended_ms, r->response, r->error_code, r->error_description,
                              r->error_details, r->why));
}

/* `reboot` is when the change was made, 0 if it works already: the next boot is told by its time
 * (query "configuration"). */
void apply_configuration(struct applier *a, struct record *record, struct arena *arena)
{
    (void)arena;
    const struct record_configuration *r = &record->configuration;
    int64_t reboot = r->reboot ? r->known_ms : 0;
    sql_done(a->sql,
             sql_bind(a->sql, SQL_PUT_CONFIGURATION, "tttoioi", r->cp, r->key, r->value,
                      r->readonly, (int64_t)r->unknown, r->told ? ABSENT : reboot, r->known_ms));
}

/* ---- reservations (C8) ---- */

void apply_reservation(struct applier *a, struct record *record, struct arena *arena)
{
    (void)arena;
    const struct record_reservation *r = &record->reservation;
    sql_done(a->sql, sql_bind(a->sql, SQL_PUT_RESERVATION, "tiittii", r->cp, r->id, r->connector,
                              r->id_tag, r->parent_id_tag, r->expiry_ms, r->accepted_ms));
}

void apply_reservation_end(struct applier *a, struct record *record, struct arena *arena)
{
    (void)arena;
    const struct record_reservation_end *r = &record->reservation_end;
    bool by_id = r->id != ABSENT;
    sql_done(a->sql,
             sql_bind(a->sql, by_id ? SQL_END_RESERVATION : SQL_END_RESERVATIONS, "tioti", r->state,
                      r->ended_ms, r->transaction_id, r->cp, by_id ? r->id : r->connector));
}

/* ---- charging profiles (P2, P4) ---- */

void apply_profile(struct applier *a, struct record *record, struct arena *arena)
{
    (void)arena;
    const struct record_charging_profile *r = &record->charging_profile;
    sql_done(a->sql, sql_bind(a->sql, SQL_REPLACE_PROFILES, "titii", r->cp, r->id, r->purpose,
                              r->stack_level, r->connector));
    sql_done(a->sql,
             sql_bind(a->sql, SQL_ADD_PROFILE, "titiioti", r->cp, r->id, r->purpose, r->stack_level,
                      r->connector, r->transaction_id, r->profile, r->accepted_ms));
    if (text_is(r->purpose, "TxProfile"))
        a->tx_profiles = TX_PROFILES_SOME;
}

void apply_profile_clear(struct applier *a, struct record *record, struct arena *arena)
{
    (void)arena;
    const struct record_charging_profile_clear *r = &record->charging_profile_clear;
    sql_done(a->sql,
             sql_bind(a->sql, SQL_CLEAR_PROFILES, "totoooi", r->cp, r->id, r->purpose,
                      r->stack_level, r->connector, r->transaction_id, (int64_t)r->waiting));
}

static bool any_tx_profile(struct applier *a)
{
    if (a->tx_profiles == TX_PROFILES_NOT_ASKED) {
        sqlite3_stmt *row = sql_bind(a->sql, SQL_ANY_TX_PROFILE, "");
        bool any = sql_row(a->sql, row);
        if (any)
            sql_done(a->sql, row);
        a->tx_profiles = any ? TX_PROFILES_SOME : TX_PROFILES_NONE;
    }
    return a->tx_profiles == TX_PROFILES_SOME;
}

/* What was accepted before a transaction began is for that one: of a remote start, for instance. A
 * start that comes late (X5) began before. */
void apply_profiles_begin(struct applier *a, const struct record_start *r)
{
    if (!(r->flags & TX_LATE) && any_tx_profile(a))
        sql_done(a->sql, sql_bind(a->sql, SQL_BIND_TX_PROFILES, "iti", r->out_id, r->cp, r->evse));
}

/* Without a TxProfile in the file a stop costs nothing here, and with some one look into an index
 * that holds nothing else. */
void apply_profiles_end(struct applier *a, const struct record_stop *r)
{
    if (!any_tx_profile(a))
        return;
    int64_t until = r->stop_ms == ABSENT ? r->received_ms : r->stop_ms;
    int64_t gone = sql_done(
        a->sql, sql_bind(a->sql, SQL_END_TX_PROFILES, "tiii", r->cp, r->id, r->out_evse, until));
    if (gone > 0) /* maybe it was the last one */
        a->tx_profiles = TX_PROFILES_NOT_ASKED;
}

/* ---- local lists (C9) ---- */

static void empty_local_list(struct applier *a, const char *cp)
{
    sql_done(a->sql, sql_bind(a->sql, SQL_EMPTY_LOCAL_LIST, "t", cp));
}

static void put_entry(struct applier *a, const struct record_local_list *r,
                      const struct json *entry)
{
    const char *tag = json_gets(entry, "idTag");
    const struct json *info = json_get(entry, "idTagInfo");
    if (!tag) {
        sql_fail(a->sql, "entries of a local list: expected an idTag in each");
        return;
    }
    if (info)
        sql_done(a->sql, sql_bind(a->sql, SQL_PUT_LOCAL_LIST_ENTRY, "tts", r->cp, tag, info->raw.at,
                                  info->raw.len));
    else if (r->full)
        sql_done(a->sql, sql_bind(a->sql, SQL_PUT_LOCAL_LIST_ENTRY, "ttt", r->cp, tag, NULL));
    else
        sql_done(a->sql, sql_bind(a->sql, SQL_DELETE_LOCAL_LIST_ENTRY, "tt", r->cp, tag));
}

static void put_entries(struct applier *a, const struct record_local_list *r)
{
    struct arena arena = {0};
    const struct json *entries =
        json_parse(&arena, r->entries, span_of(r->entries).len, NULL, NULL);
    if (!entries || entries->type != JSON_ARRAY)
        sql_fail(a->sql, "entries of a local list: expected a JSON array");
    else
        for (const struct json *entry = entries->child; entry && sql_ok(a->sql);
             entry = entry->next)
            put_entry(a, r, entry);
    arena_clear(&arena);
}

/* Of a list of which only the version is told we know the entries if they came with that one. */
static void forget_other_entries(struct applier *a, const struct record_local_list *r)
{
    if (r->version <= 0) /* empty, or none at all */
        empty_local_list(a, r->cp);
    else
        sql_done(a->sql, sql_bind(a->sql, SQL_EMPTY_OTHER_LOCAL_LIST, "ti", r->cp, r->version));
}

void apply_local_list(struct applier *a, struct record *record, struct arena *arena)
{
    (void)arena;
    const struct record_local_list *r = &record->local_list;
    if (!r->entries)
        forget_other_entries(a, r);
    sql_done(a->sql, sql_bind(a->sql, SQL_PUT_LOCAL_LIST, "tii", r->cp, r->version, r->known_ms));
    if (r->entries && r->full)
        empty_local_list(a, r->cp);
    if (r->entries)
        put_entries(a, r);
}

/* ---- availability and jobs ---- */

void apply_availability(struct applier *a, struct record *record, struct arena *arena)
{
    (void)arena;
    const struct record_availability *r = &record->availability;
    sql_done(a->sql, sql_bind(a->sql, SQL_PUT_AVAILABILITY, "titti", r->cp, r->connector, r->type,
                              r->status, r->known_ms));
}

void apply_job(struct applier *a, struct record *record, struct arena *arena)
{
    (void)arena;
    const struct record_job *r = &record->job;
    sql_done(a->sql, sql_bind(a->sql, SQL_ADD_JOB, "ttttttoi", r->command, r->cp, r->kind,
                              r->action, r->location, r->file, r->request_id, r->accepted_ms));
}

int64_t apply_status_of_job(struct applier *a, const struct record_job_status *r)
{
    sqlite3_stmt *row = sql_bind(a->sql, SQL_PUT_STATUS_OF_JOB, "titto", r->status, r->ts_ms, r->cp,
                                 r->kind, r->request_id);
    if (!sql_row(a->sql, row))
        return ABSENT;
    int64_t job = sql_int(row, 0);
    sql_done(a->sql, row);
    return job;
}

/* ---- a charge point is deleted ---- */

void apply_control_forget(struct applier *a, const char *cp)
{
    static const enum sql_id forget[] = {SQL_FORGET_CONFIGURATION, SQL_FORGET_PROFILES,
                                         SQL_FORGET_LOCAL_LIST, SQL_EMPTY_LOCAL_LIST,
                                         SQL_FORGET_AVAILABILITY};
    for (size_t i = 0; i < ARRAY_LEN(forget); i++)
        sql_done(a->sql, sql_bind(a->sql, forget[i], "t", cp));
}
