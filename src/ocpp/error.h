/* Error codes of CALLERROR, spelled as each version spells them (rule R8). */
#ifndef OCPP_ERROR_H
#define OCPP_ERROR_H

#include "base/strbuf.h"

struct version;

enum ocpp_error {
    OCPP_OK,
    OCPP_NOT_IMPLEMENTED,
    OCPP_NOT_SUPPORTED,
    OCPP_INTERNAL_ERROR,
    OCPP_PROTOCOL_ERROR,
    OCPP_SECURITY_ERROR,
    OCPP_FORMATION_VIOLATION,
    OCPP_PROPERTY_CONSTRAINT_VIOLATION,
    OCPP_OCCURRENCE_CONSTRAINT_VIOLATION,
    OCPP_TYPE_CONSTRAINT_VIOLATION,
    OCPP_GENERIC_ERROR,
    OCPP_MESSAGE_TYPE_NOT_SUPPORTED, /* 2.x */
    OCPP_RPC_FRAMEWORK_ERROR         /* 2.x */
};

/* The word to send, never NULL. */
const char *ocpp_error_text(const struct version *version, enum ocpp_error error);

#endif
