/* OCPP-J frames: one text in, one struct out, and what the standard says to do with it.
 *
 * frame_parse() never fails: what cannot be read comes back as FRAME_BAD with the answer that rule
 * R12 demands, or none. Broken JSON is recovered as far as `[2,"id","Action"` can be read, so the
 * charger gets an error with its own id instead of silence. A CALLRESULT with such a fault, or
 * whose payload is no object, comes back as FRAME_ERROR with the code FormationViolation, so that
 * it ends its own command at once and nothing else (quirk Q14). The encoders build text that is
 * valid by construction; payloads are checked by payload_check() before they get here. */
#ifndef OCPP_FRAME_H
#define OCPP_FRAME_H

#include "base/arena.h"
#include "base/json.h"
#include "ocpp/version.h"

enum { FRAME_ID_MAX = 255 }; /* rule R1: we accept and echo up to this many bytes */

enum frame_kind {
    FRAME_CALL = 2,
    FRAME_RESULT = 3,
    FRAME_ERROR = 4,
    FRAME_RESULT_ERROR = 5, /* 2.1 */
    FRAME_SEND = 6,         /* 2.1 */
    FRAME_IGNORED = 7,      /* unknown type number: nothing to do (R12) */
    FRAME_EMPTY = 8,        /* empty text: ignored, not even counted as unreadable (T10) */
    FRAME_BAD = 9
};

struct frame {
    enum frame_kind kind;
    const char *id;       /* decoded; NULL when unreadable */
    const char *action;   /* CALL, SEND, and FRAME_BAD as far as readable */
    struct json *payload; /* CALL, SEND, RESULT: always an object, `{}` for null or missing (R6) */
    const char *error_code; /* ERROR, RESULT_ERROR: as received, "" if missing */
    const char *description;
    struct json *details; /* whatever it was; may be NULL */
    /* FRAME_BAD: the code to answer with, under `id` ("-1" if the version wants an answer without
     * an id); OCPP_OK = no answer. */
    enum ocpp_error answer;
    struct reason why;
};

/* Everything lives in `arena` or points into `text`. */
void frame_parse(struct frame *frame, struct arena *arena, const struct version *version,
                 const char *text, size_t len);

void frame_write_call(struct strbuf *out, const char *id, const char *action,
                      struct span payload_json);
void frame_write_result(struct strbuf *out, const char *id, struct span payload_json);
/* Description is cut to 255 characters; details are always `{}` (R9). */
void frame_write_error(struct strbuf *out, const struct version *version, const char *id,
                       enum ocpp_error error, const char *description);

#endif
