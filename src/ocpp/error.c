/* The words of CALLERROR (rule R8): 1.6 has two that are misspelt, 2.x two that are new.
 *
 * Only the spelling lives here; which fault deserves which code is decided in frame.c, payload.c
 * and by the handlers. */
#include "ocpp/error.h"

#include "base/mem.h"
#include "ocpp/version.h"

static const char *const words_16[] = {
    [OCPP_OK] = "GenericError", /* a bug of the caller; still a word that chargers know */
    [OCPP_NOT_IMPLEMENTED] = "NotImplemented",
    [OCPP_NOT_SUPPORTED] = "NotSupported",
    [OCPP_INTERNAL_ERROR] = "InternalError",
    [OCPP_PROTOCOL_ERROR] = "ProtocolError",
    [OCPP_SECURITY_ERROR] = "SecurityError",
    [OCPP_FORMATION_VIOLATION] = "FormationViolation",
    [OCPP_PROPERTY_CONSTRAINT_VIOLATION] = "PropertyConstraintViolation",
    [OCPP_OCCURRENCE_CONSTRAINT_VIOLATION] = "OccurenceConstraintViolation",
    [OCPP_TYPE_CONSTRAINT_VIOLATION] = "TypeConstraintViolation",
    [OCPP_GENERIC_ERROR] = "GenericError",
    [OCPP_MESSAGE_TYPE_NOT_SUPPORTED] = "GenericError", /* 1.6 has no word for these two */
    [OCPP_RPC_FRAMEWORK_ERROR] = "GenericError",
};

const char *ocpp_error_text(const struct version *version, enum ocpp_error error)
{
    if (NEVER((size_t)error >= ARRAY_LEN(words_16)))
        return words_16[OCPP_GENERIC_ERROR];
    if (version != NULL && version->id != VERSION_16) {
        switch (error) {
        case OCPP_FORMATION_VIOLATION:
            return "FormatViolation";
        case OCPP_OCCURRENCE_CONSTRAINT_VIOLATION:
            return "OccurrenceConstraintViolation";
        case OCPP_MESSAGE_TYPE_NOT_SUPPORTED:
            return "MessageTypeNotSupported";
        case OCPP_RPC_FRAMEWORK_ERROR:
            return "RpcFrameworkError";
        default:
            break;
        }
    }
    return words_16[error];
}
