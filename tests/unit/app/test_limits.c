/* The limits that the manual tells are the defaults of the configuration. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

#include "base/mem.h"
#include "conf_keys.h"

static const struct conf_key *key_of(const char *name)
{
    const struct conf_key *key = conf_keys;
    while (key->section && !(text_is(key->section, "policies") && text_is(key->name, name)))
        key++;
    return key->section ? key : NULL;
}

static void test_settings_have_their_defaults(void **state)
{
    (void)state;
    size_t settings = 0, fixed = 0;
    for (const struct policy_limit *limit = policy_limits; limit->what; limit++) {
        const struct conf_key *key = limit->setting ? key_of(limit->setting) : NULL;
        if (limit->setting && !key)
            fail_msg("there is no setting policies.%s", limit->setting);
        if (key)
            assert_string_equal(limit->value, key->fallback);
        else
            assert_true(limit->number > 0);
        settings += key != NULL;
        fixed += key == NULL;
    }
    assert_true(settings >= 9 && fixed >= 15);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_settings_have_their_defaults)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
