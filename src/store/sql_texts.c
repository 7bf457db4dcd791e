/* Every statement that writes, and those that the writer reads by. Kept to what SQLite and
 * PostgreSQL both know, but for WITHOUT ROWID and PRAGMAs in schema.c (DESIGN.md §10). */
#include "store/sql.h"

const char *const sql_texts[SQL_COUNT] = {
    [SQL_BEGIN] = "BEGIN IMMEDIATE",
    [SQL_BEGIN_READ] = "BEGIN",
    [SQL_COMMIT] = "COMMIT",
    [SQL_ROLLBACK] = "ROLLBACK",
    [SQL_SAVEPOINT] = "SAVEPOINT batch",
    [SQL_RELEASE] = "RELEASE batch",
    [SQL_BACK_TO_SAVEPOINT] = "ROLLBACK TO batch",

    /* ---- charge points ---- */
    [SQL_PUT_CHARGE_POINT] =
        "INSERT INTO charge_point (id, registration, password_hash, security_profile, options,"
        " version, vendor, model, serial, firmware, boot, created_ms, last_boot_ms, last_seen_ms,"
        " vars) VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)"
        " ON CONFLICT (id) DO UPDATE SET registration = excluded.registration,"
        " password_hash = excluded.password_hash, security_profile = excluded.security_profile,"
        " options = excluded.options, version = excluded.version, vendor = excluded.vendor,"
        " model = excluded.model, serial = excluded.serial, firmware = excluded.firmware,"
        " boot = excluded.boot, last_boot_ms = excluded.last_boot_ms,"
        " last_seen_ms = excluded.last_seen_ms, vars = excluded.vars",
    [SQL_DELETE_CHARGE_POINT] = "DELETE FROM charge_point WHERE id = ?",
    [SQL_DELETE_CONNECTORS] = "DELETE FROM connector WHERE cp = ?",
    [SQL_PUT_CONNECTOR] =
        "INSERT INTO connector (cp, evse, connector, status, error_code, info, vendor_id,"
        " vendor_error_code, status_ms, newest_start_ms, last_meter_stop_wh)"
        " VALUES (?,?,?,?,?,?,?,?,?,?,?)"
        " ON CONFLICT (cp, evse, connector) DO UPDATE SET status = excluded.status,"
        " error_code = excluded.error_code, info = excluded.info, vendor_id = excluded.vendor_id,"
        " vendor_error_code = excluded.vendor_error_code, status_ms = excluded.status_ms,"
        " newest_start_ms = excluded.newest_start_ms,"
        " last_meter_stop_wh = excluded.last_meter_stop_wh",

    /* ---- transactions ---- */
    [SQL_FIND_START] =
        "SELECT id, verdict, parent_id_tag, expiry FROM charge_transaction WHERE cp = ? AND"
        " evse = ? AND connector = ? AND id_tag = ? AND key_start_ms = ? AND key_meter_wh = ?",
    [SQL_ADD_START] =
        "INSERT INTO charge_transaction (cp, evse, connector, id_tag, key_start_ms, key_meter_wh,"
        " order_ms, station_id, parent_id_tag, start_ms, start_text, received_ms, meter_start_wh,"
        " meter_start_text, reservation_id, verdict, expiry, flags, generation)"
        " VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)"
        " ON CONFLICT (cp, evse, connector, id_tag, key_start_ms, key_meter_wh) DO NOTHING"
        " RETURNING id",
    [SQL_STOP_OPEN] =
        "UPDATE charge_transaction SET state = 1, stop_id_tag = ?1, stop_ms = ?2, stop_text = ?3,"
        " stop_received_ms = ?4, meter_stop_wh = ?5, meter_stop_text = ?6, reason = ?7,"
        " energy_wh = ?8, flags = flags | ?9, vars = coalesce(?10, vars), due = ?13"
        " WHERE id = ?11 AND cp = ?12 AND state = 0 RETURNING evse, connector",
    /* The real stop after an operator's estimate; the energy is computed here (X11, X15). A price
     * stays, and is flagged. */
    [SQL_STOP_ESTIMATED] =
        "UPDATE charge_transaction SET stop_id_tag = ?1, stop_ms = ?2, stop_text = ?3,"
        " stop_received_ms = ?4, meter_stop_wh = ?5, meter_stop_text = ?6, reason = ?7,"
        " energy_wh = CASE WHEN ?5 >= meter_start_wh AND ?5 >= 0 THEN ?5 - meter_start_wh END,"
        " flags = (flags & ~?8) | ?9 | CASE WHEN ?5 < meter_start_wh THEN ?10 ELSE 0 END"
        " | CASE WHEN price_currency IS NOT NULL THEN ?13 ELSE 0 END"
        " WHERE id = ?11 AND cp = ?12 AND state = 1 AND flags & ?8 != 0 AND ?9 & ?8 = 0"
        " RETURNING evse, connector, price_currency IS NOT NULL",
    [SQL_GET_STOPPED] = "SELECT evse, connector, stop_ms, meter_stop_wh, reason"
                        " FROM charge_transaction WHERE id = ? AND cp = ? AND state = 1",
    [SQL_PUT_TRANSACTION_VARS] = "UPDATE charge_transaction SET vars = coalesce(?, vars),"
                                 " flags = flags | ? WHERE id = ?",
    [SQL_PUT_PRICE] =
        "UPDATE charge_transaction SET price_currency = ?1, price_digits = ?2, price_total = ?3,"
        " price_lines = ?4, price_tariff = ?5, price_generation = ?6, price_file = ?7,"
        " price_line = ?8, flags = flags | ?9 WHERE id = ?10 AND price_currency IS NULL",
    [SQL_PUT_FINISHED] = "UPDATE charge_transaction SET due = 0 WHERE id = ?",
    [SQL_OWNS_TRANSACTION] = "SELECT 1 FROM charge_transaction WHERE id = ? AND cp = ?",

    /* ---- meter values ---- */
    [SQL_FIND_KIND] = "SELECT id FROM meter_kind WHERE measurand = ? AND context = ? AND"
                      " format = ? AND phase = ? AND location = ? AND unit = ?",
    [SQL_ADD_KIND] = "INSERT INTO meter_kind (measurand, context, format, phase, location, unit)"
                     " VALUES (?,?,?,?,?,?) RETURNING id",
    [SQL_FIND_PLACE] = "SELECT id FROM meter_place WHERE cp = ? AND evse = ? AND connector = ?",
    [SQL_ADD_PLACE] = "INSERT INTO meter_place (cp, evse, connector) VALUES (?,?,?) RETURNING id",
    /* Bounded: a charger that sends thousands of one instant must not hold up all others. */
    [SQL_FIND_METER_VALUE] = "SELECT seq, place, vals FROM meter_value WHERE owner = ? AND"
                             " ts_ms = ? ORDER BY seq DESC LIMIT 64",
    [SQL_ADD_METER_VALUE] =
        "INSERT INTO meter_value (owner, ts_ms, seq, place, received_ms, energy_wh, power_w, soc,"
        " implausible, vals) VALUES (?,?,?,?,?,?,?,?,?,?)",

    /* ---- lists ---- */
    [SQL_ADD_STATUS] =
        "INSERT INTO status_log (cp, evse, connector, status, error_code, info, vendor_id,"
        " vendor_error_code, ts_ms, received_ms, is_repeat) VALUES (?,?,?,?,?,?,?,?,?,?,?)",
    [SQL_ADD_MESSAGE] = "INSERT INTO message (cp, connection, ts_ms, outgoing, text, note)"
                        " VALUES (?,?,?,?,?,?)",
    [SQL_ADD_DECISION] =
        "INSERT INTO decision (cp, ts_ms, event, id_tag, evse, connector, tx, verdict, why, file,"
        " line, generation, inputs, answer) VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?)",
    [SQL_ADD_SECURITY_EVENT] = "INSERT INTO security_event (cp, type, tech_info, ts_ms,"
                               " received_ms) VALUES (?,?,?,?,?)",
    [SQL_ADD_JOB_STATUS] = "INSERT INTO job_status (cp, kind, status, request_id, ts_ms, job)"
                           " VALUES (?,?,?,?,?,?)",
    [SQL_ADD_ORPHAN] = "INSERT INTO orphan (cp, action, payload, why, ts_ms) VALUES (?,?,?,?,?)",
    [SQL_ADD_EVENT] = "INSERT INTO event (cp, kind, detail, ts_ms) VALUES (?,?,?,?)",
    [SQL_ADD_BLOCK] = "INSERT INTO list_block (list, block, first_ms) VALUES (?,?,?)"
                      " ON CONFLICT (list, block) DO NOTHING",
    [SQL_ADD_BLOCK_KEY] = "INSERT INTO list_key (list, block, key) VALUES (?,?,?)"
                          " ON CONFLICT (list, block, key) DO NOTHING",

    /* ---- tags and kv ---- */
    [SQL_PUT_ID_TAG] =
        "INSERT INTO id_tag (id_tag, status, expiry_ms, parent_id_tag, note, max_active)"
        " VALUES (?,?,?,?,?,?)"
        " ON CONFLICT (id_tag) DO UPDATE SET id_tag = excluded.id_tag, status = excluded.status,"
        " expiry_ms = excluded.expiry_ms, parent_id_tag = excluded.parent_id_tag,"
        " note = excluded.note, max_active = excluded.max_active",
    [SQL_DELETE_ID_TAG] = "DELETE FROM id_tag WHERE id_tag = ?",
    [SQL_PUT_KV] = "INSERT INTO kv (key, value, expires_ms) VALUES (?,?,?)"
                   " ON CONFLICT (key) DO UPDATE SET value = excluded.value,"
                   " expires_ms = excluded.expires_ms",
    [SQL_DELETE_KV] = "DELETE FROM kv WHERE key = ?",

    /* ---- commands ---- */
    [SQL_PUT_COMMAND] =
        "INSERT INTO command (id, cp, action, payload, asked_by, batch, state, asked_ms, sent_ms,"
        " ended_ms, response, error_code, error_description, error_details, why)"
        " VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)"
        " ON CONFLICT (id) DO UPDATE SET cp = excluded.cp, action = excluded.action,"
        " payload = excluded.payload, asked_by = excluded.asked_by, batch = excluded.batch,"
        " state = excluded.state, asked_ms = excluded.asked_ms, sent_ms = excluded.sent_ms,"
        " ended_ms = excluded.ended_ms, response = excluded.response,"
        " error_code = excluded.error_code, error_description = excluded.error_description,"
        " error_details = excluded.error_details, why = excluded.why",
    /* C3: nobody waits for them any more. */
    [SQL_LOSE_COMMANDS] = "UPDATE command SET state = 'unknown' WHERE ended_ms IS NULL AND"
                          " state <> 'unknown'",

    /* ---- what chargers accepted ---- */
    [SQL_PUT_CONFIGURATION] =
        "INSERT INTO configuration (cp, key, value, readonly, is_unknown, reboot, known_ms)"
        " VALUES (?1,?2,?3,?4,?5,coalesce(?6,0),?7)"
        " ON CONFLICT (cp, key) DO UPDATE SET key = excluded.key, value = excluded.value,"
        " readonly = coalesce(excluded.readonly, configuration.readonly), is_unknown = "
        "excluded.is_unknown,"
        " reboot = coalesce(?6, configuration.reboot), known_ms = excluded.known_ms",
    [SQL_FORGET_CONFIGURATION] = "DELETE FROM configuration WHERE cp = ?",
    [SQL_PUT_RESERVATION] =
        "INSERT INTO reservation (cp, id, connector, id_tag, parent_id_tag, state, expiry_ms,"
        " accepted_ms) VALUES (?,?,?,?,?,'ACCEPTED',?,?)"
        " ON CONFLICT (cp, id) DO UPDATE SET connector = excluded.connector,"
        " id_tag = excluded.id_tag, parent_id_tag = excluded.parent_id_tag,"
        " state = excluded.state, expiry_ms = excluded.expiry_ms,"
        " accepted_ms = excluded.accepted_ms, ended_ms = NULL, tx = NULL",
    /* By id the charger's word counts, even past the expiry by our clock. */
    [SQL_END_RESERVATION] = "UPDATE reservation SET state = ?1, ended_ms = ?2, tx = ?3"
                            " WHERE cp = ?4 AND id = ?5 AND state = 'ACCEPTED'",
    [SQL_END_RESERVATIONS] =
        "UPDATE reservation SET state = ?1, ended_ms = ?2, tx = ?3 WHERE cp = ?4 AND"
        " (?5 = 0 OR connector = ?5) AND state = 'ACCEPTED' AND expiry_ms > ?2",
    [SQL_REPLACE_PROFILES] = "DELETE FROM charging_profile WHERE cp = ?1 AND (id = ?2 OR"
                             " (purpose = ?3 AND stack_level = ?4 AND connector = ?5))",
    [SQL_ADD_PROFILE] = "INSERT INTO charging_profile (cp, id, purpose, stack_level, connector, tx,"
                        " profile, accepted_ms) VALUES (?,?,?,?,?,?,?,?)",
    [SQL_CLEAR_PROFILES] =
        "DELETE FROM charging_profile WHERE cp = ?1 AND (?2 IS NULL OR id = ?2) AND"
        " (?3 IS NULL OR purpose = ?3) AND (?4 IS NULL OR stack_level = ?4) AND"
        " (?5 IS NULL OR connector = ?5) AND (?6 IS NULL OR tx = ?6) AND (?7 = 0 OR tx IS NULL)",
    [SQL_FORGET_PROFILES] = "DELETE FROM charging_profile WHERE cp = ?",
    [SQL_ANY_TX_PROFILE] = "SELECT 1 FROM charging_profile WHERE purpose = 'TxProfile' LIMIT 1",
    [SQL_BIND_TX_PROFILES] = "UPDATE charging_profile SET tx = ?1 WHERE cp = ?2 AND"
                             " purpose = 'TxProfile' AND tx IS NULL AND connector = ?3",
    /* One that was never bound belongs to what ran on its connector before the start was told. */
    [SQL_END_TX_PROFILES] =
        "DELETE FROM charging_profile WHERE cp = ?1 AND purpose = 'TxProfile' AND"
        " (tx = ?2 OR (tx IS NULL AND connector = ?3 AND accepted_ms <= ?4))",
    [SQL_PUT_LOCAL_LIST] =
        "INSERT INTO local_list (cp, version, known_ms) VALUES (?,?,?)"
        " ON CONFLICT (cp) DO UPDATE SET version = excluded.version, known_ms = excluded.known_ms",
    [SQL_FORGET_LOCAL_LIST] = "DELETE FROM local_list WHERE cp = ?",
    [SQL_EMPTY_LOCAL_LIST] = "DELETE FROM local_list_entry WHERE cp = ?",
    [SQL_EMPTY_OTHER_LOCAL_LIST] =
        "DELETE FROM local_list_entry WHERE cp = ?1 AND NOT EXISTS (SELECT 1 FROM local_list WHERE"
        " cp = ?1 AND version = ?2)",
    [SQL_PUT_LOCAL_LIST_ENTRY] =
        "INSERT INTO local_list_entry (cp, id_tag, info) VALUES (?,?,?)"
        " ON CONFLICT (cp, id_tag) DO UPDATE SET id_tag = excluded.id_tag, info = excluded.info",
    [SQL_DELETE_LOCAL_LIST_ENTRY] = "DELETE FROM local_list_entry WHERE cp = ? AND id_tag = ?",
    [SQL_PUT_AVAILABILITY] =
        "INSERT INTO availability (cp, connector, type, status, known_ms) VALUES (?,?,?,?,?)"
        " ON CONFLICT (cp, connector) DO UPDATE SET type = excluded.type,"
        " status = excluded.status, known_ms = excluded.known_ms",
    [SQL_FORGET_AVAILABILITY] = "DELETE FROM availability WHERE cp = ?",
    [SQL_ADD_JOB] = "INSERT INTO job (command, cp, kind, action, location, file, request_id,"
                    " accepted_ms) VALUES (?,?,?,?,?,?,?,?)",
    [SQL_PUT_STATUS_OF_JOB] =
        "UPDATE job SET status = ?1, status_ms = ?2 WHERE id = (SELECT max(id) FROM job WHERE"
        " cp = ?3 AND kind = ?4 AND (?5 IS NULL OR request_id = ?5)) RETURNING id",
};
