/* Pouring the stored state into the station at start: what is still alive, by indexes only. Past
 * transactions and lists are not looked at, however many there are. */
#include "store/parts.h"

void restore_charge_points(struct sql *sql, const struct restore_sink *sink)
{
    sqlite3_stmt *s = sql_prepare(
        sql,
        "SELECT id, registration, password_hash, security_profile, options, version, vendor, model,"
        " serial, firmware, boot, created_ms, last_boot_ms, last_seen_ms, vars FROM charge_point"
        " ORDER BY created_ms, id",
        "");
    while (sql_row(sql, s)) {
        struct record_charge_point row = {.id = sql_text(s, 0),
                                          .registration = sql_text(s, 1),
                                          .password_hash = sql_text(s, 2),
                                          .security_profile = sql_int(s, 3),
                                          .options = sql_text(s, 4),
                                          .version = sql_text(s, 5),
                                          .vendor = sql_text(s, 6),
                                          .model = sql_text(s, 7),
                                          .serial = sql_text(s, 8),
                                          .firmware = sql_text(s, 9),
                                          .boot = sql_text(s, 10),
                                          .created_ms = sql_int(s, 11),
                                          .last_boot_ms = sql_int(s, 12),
                                          .last_seen_ms = sql_int(s, 13),
                                          .vars = sql_text(s, 14)};
        sink->charge_point(sink->ctx, &row);
    }
    sqlite3_finalize(s);
}

static void connectors(struct sql *sql, const struct restore_sink *sink)
{
    sqlite3_stmt *s = sql_prepare(
        sql,
        "SELECT cp, evse, connector, status, error_code, info, vendor_id, vendor_error_code,"
        " status_ms, newest_start_ms, last_meter_stop_wh FROM connector"
        " ORDER BY cp, evse, connector",
        "");
    while (sql_row(sql, s)) {
        struct record_connector row = {.cp = sql_text(s, 0),
                                       .evse = sql_int(s, 1),
                                       .connector = sql_int(s, 2),
                                       .status = sql_text(s, 3),
                                       .error_code = sql_text(s, 4),
                                       .info = sql_text(s, 5),
                                       .vendor_id = sql_text(s, 6),
                                       .vendor_error_code = sql_text(s, 7),
                                       .status_ms = sql_int(s, 8),
                                       .newest_start_ms = sql_int(s, 9),
                                       .last_meter_stop_wh = sql_int(s, 10)};
        sink->connector(sink->ctx, &row);
    }
    sqlite3_finalize(s);
}

/* ---- open transactions ---- */

#define START_COLUMNS                                                                              \
    "SELECT id, cp, evse, connector, station_id, id_tag, parent_id_tag, start_ms, start_text,"     \
    " received_ms, meter_start_wh, meter_start_text, reservation_id, verdict, expiry, flags,"      \
    " generation, vars"

/* In the order of the partial indexes: by id SQLite would read all transactions there ever were. */
const char restore_open_transactions[] =
    START_COLUMNS " FROM charge_transaction WHERE state = 0 ORDER BY order_ms, id";
/* Stopped, but not finished (RECORD_FINISHED). */
const char restore_due_transactions[] =
    START_COLUMNS ", stop_ms, meter_stop_wh, energy_wh, reason, price_currency, price_digits,"
                  " price_total, price_lines, price_tariff, price_file, price_line,"
                  " price_generation FROM charge_transaction WHERE due = 1 ORDER BY order_ms, id";

static void read_start(sqlite3_stmt *s, struct record_start *start)
{
    *start = (struct record_start){.cp = sql_text(s, 1),
                                   .evse = sql_int(s, 2),
                                   .connector = sql_int(s, 3),
                                   .station_id = sql_text(s, 4),
                                   .id_tag = sql_text(s, 5),
                                   .parent_id_tag = sql_text(s, 6),
                                   .start_ms = sql_int(s, 7),
                                   .start_text = sql_text(s, 8),
                                   .received_ms = sql_int(s, 9),
                                   .meter_start_wh = sql_int(s, 10),
                                   .meter_start_text = sql_text(s, 11),
                                   .reservation_id = sql_int(s, 12),
                                   .verdict = sql_text(s, 13),
                                   .expiry = sql_text(s, 14),
                                   .flags = sql_int(s, 15),
                                   .generation = sql_int(s, 16)};
}

/* The newest plausible sample of each kind (V5); few rows are read, a charger sends all kinds again
 * and again. */
const char restore_last_values[] =
    "SELECT energy_wh, power_w, soc, ts_ms FROM meter_value WHERE owner = ? AND implausible = 0"
    " ORDER BY ts_ms DESC, seq DESC LIMIT 64";

static void read_last_values(struct sql *sql, sqlite3_stmt *s, struct record_transaction *row)
{
    int64_t *const to[] = {&row->last_energy_wh, &row->last_power_w, &row->last_soc};
    row->last_energy_wh = row->last_power_w = row->last_soc = row->last_sample_ms = ABSENT;
    sqlite3_bind_int64(s, 1, row->id);
    while (sql_row(sql, s)) {
        bool whole = true;
        for (int i = 0; i < 3; i++) {
            if (*to[i] == ABSENT)
                *to[i] = sql_int(s, i);
            whole = whole && *to[i] != ABSENT;
        }
        if (row->last_sample_ms == ABSENT)
            row->last_sample_ms = sql_int(s, 3);
        if (whole)
            break;
    }
    sqlite3_reset(s);
}

static void read_stop(sqlite3_stmt *s, struct record_transaction *row)
{
    row->due = true;
    row->stop_ms = sql_int(s, 18);
    row->meter_stop_wh = sql_int(s, 19);
    row->energy_wh = sql_int(s, 20);
    row->reason = sql_text(s, 21);
    row->price = (struct record_price){.cp = row->start.cp,
                                       .id = row->id,
                                       .currency = sql_text(s, 22),
                                       .digits = sql_int(s, 23),
                                       .total = sql_int(s, 24),
                                       .lines = sql_text(s, 25),
                                       .tariff = sql_text(s, 26),
                                       .file = sql_text(s, 27),
                                       .line = sql_int(s, 28),
                                       .generation = sql_int(s, 29)};
}

static void transactions(struct sql *sql, const struct restore_sink *sink, const char *text,
                         bool due)
{
    sqlite3_stmt *s = sql_prepare(sql, text, "");
    sqlite3_stmt *values = sql_prepare(sql, restore_last_values, "");
    struct meter_pour pour;
    meter_pour_begin(&pour, sql, sink);
    while (values && sql_row(sql, s)) {
        struct record_transaction row = {.id = sql_int(s, 0), .vars = sql_text(s, 17)};
        read_start(s, &row.start);
        if (due)
            read_stop(s, &row);
        read_last_values(sql, values, &row);
        sink->transaction(sink->ctx, &row);
        meter_pour(&pour, &row);
    }
    meter_pour_end(&pour);
    sqlite3_finalize(values);
    sqlite3_finalize(s);
}

/* ---- tags and kv ---- */

void restore_id_tags(struct sql *sql, const struct restore_sink *sink)
{
    sqlite3_stmt *s =
        sql_prepare(sql,
                    "SELECT id_tag, status, expiry_ms, parent_id_tag, note, max_active FROM id_tag"
                    " ORDER BY id_tag",
                    "");
    while (sql_row(sql, s)) {
        struct record_id_tag row = {.id_tag = sql_text(s, 0),
                                    .status = sql_text(s, 1),
                                    .expiry_ms = sql_int(s, 2),
                                    .parent_id_tag = sql_text(s, 3),
                                    .note = sql_text(s, 4),
                                    .max_active = sql_int(s, 5)};
        sink->id_tag(sink->ctx, &row);
    }
    sqlite3_finalize(s);
}

void restore_kv(struct sql *sql, const struct restore_sink *sink)
{
    sqlite3_stmt *s = sql_prepare(sql, "SELECT key, value, expires_ms FROM kv ORDER BY key", "");
    while (sql_row(sql, s)) {
        struct record_kv row = {
            .key = sql_text(s, 0), .value = sql_text(s, 1), .expires_ms = sql_int(s, 2)};
        sink->kv(sink->ctx, &row);
    }
    sqlite3_finalize(s);
}

/* On a connection of its own: the threads have theirs. */
bool store_restore(struct store *store, const struct restore_sink *sink, struct reason *why)
{
    struct sql sql;
    if (!sql_open(&sql, store->path, false, why))
        return false;
    sql_run(&sql, SQL_BEGIN_READ); /* one look at the file instead of one for each statement */
    restore_charge_points(&sql, sink);
    connectors(&sql, sink);
    transactions(&sql, sink, restore_open_transactions, false);
    transactions(&sql, sink, restore_due_transactions, true);
    restore_id_tags(&sql, sink);
    restore_kv(&sql, sink);
    bool ok = sql_ok(&sql);
    if (!ok)
        reason_set(why, "store: cannot read \"%s\": %s", store->path, sql.error);
    sql_close(&sql);
    return ok;
}
