/* Checking a payload against its table: leniently what comes in, strictly what goes out.
 *
 * payload_read() is rule R13: it repairs the tree in place until handlers can read it without a
 * second thought (right types, single objects wrapped into lists, null and "" optional fields
 * gone), notes each deviation, and refuses only what cannot be used. payload_check() is for what
 * we send and for REST bodies: it changes nothing and names each fault with a JSON pointer. */
#ifndef OCPP_PAYLOAD_H
#define OCPP_PAYLOAD_H

#include "ocpp/version.h"

enum { PAYLOAD_FAULTS_MAX = 16 };

struct payload_fault {
    enum ocpp_error error;
    char pointer[96];  /* "/meterValue/0/sampledValue" */
    char message[160]; /* "expected an integer, got a string" */
};

struct payload_report {
    uint32_t count; /* all deviations; the first PAYLOAD_FAULTS_MAX are kept */
    bool refused;   /* by payload_read; the reason is the last one kept */
    struct payload_fault faults[PAYLOAD_FAULTS_MAX];
};

/* Repairs `payload` in place; begins `report` anew. OCPP_OK, or the R12 code when a needed field
 * (or, with `strict`, any field) is missing or unreadable; then report->faults[…] has the reason
 * as its last entry kept. Strict means payload_check() first: its first fault is the reason,
 * unknown fields included. An empty text where the standard allows one is left out without a
 * note, unless the field may_be_empty. Repaired nodes keep `raw`, the text as it was received.
 * Guarantees on OCPP_OK for every field of the table that is present afterwards: FIELD_STRING,
 * CISTRING, ENUM, TIME, URI are JSON_STRING; FIELD_INT is JSON_INT; FIELD_DECIMAL is JSON_INT or
 * JSON_NUMBER; FIELD_BOOL is JSON_BOOL; lists are JSON_ARRAY; objects are JSON_OBJECT. Unknown
 * fields, unknown enum words and over-long strings stay as they are. */
enum ocpp_error payload_read(const struct field *fields, struct arena *arena, struct json *payload,
                             bool strict, struct payload_report *report);

/* True when `payload` is valid to the letter: no unknown fields, right types, lengths, words. */
bool payload_check(const struct field *fields, const struct json *payload,
                   struct payload_report *report);

/* What a description has room for, as `/pointer: message`: the reason of a refusal, else the first
 * kept fault. "" when there is none. */
void payload_report_text(const struct payload_report *report, char *out, size_t size);

#endif
