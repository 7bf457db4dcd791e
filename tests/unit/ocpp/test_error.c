/* The words of CALLERROR (rule R8), each version's spelling. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "ocpp/error.h"
#include "ocpp/version.h"

static const struct version version_201 = {.id = VERSION_201};
static const struct version version_21 = {.id = VERSION_21};

static void test_words_of_16(void **state)
{
    (void)state;
    static const char *const words[] = {
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
        [OCPP_MESSAGE_TYPE_NOT_SUPPORTED] = "GenericError",
        [OCPP_RPC_FRAMEWORK_ERROR] = "GenericError",
    };
    for (int i = OCPP_NOT_IMPLEMENTED; i <= OCPP_RPC_FRAMEWORK_ERROR; i++)
        assert_string_equal(ocpp_error_text(&version_16, (enum ocpp_error)i), words[i]);
    assert_string_equal(ocpp_error_text(NULL, OCPP_FORMATION_VIOLATION), "FormationViolation");
    assert_non_null(ocpp_error_text(&version_16, OCPP_OK));
}

static void test_words_of_2x(void **state)
{
    (void)state;
    const struct version *both[] = {&version_201, &version_21};
    for (int i = 0; i < 2; i++) {
        const struct version *v = both[i];
        assert_string_equal(ocpp_error_text(v, OCPP_FORMATION_VIOLATION), "FormatViolation");
        assert_string_equal(ocpp_error_text(v, OCPP_OCCURRENCE_CONSTRAINT_VIOLATION),
                            "OccurrenceConstraintViolation");
        assert_string_equal(ocpp_error_text(v, OCPP_MESSAGE_TYPE_NOT_SUPPORTED),
                            "MessageTypeNotSupported");
        assert_string_equal(ocpp_error_text(v, OCPP_RPC_FRAMEWORK_ERROR), "RpcFrameworkError");
        assert_string_equal(ocpp_error_text(v, OCPP_SECURITY_ERROR), "SecurityError");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_words_of_16),
        cmocka_unit_test(test_words_of_2x),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
