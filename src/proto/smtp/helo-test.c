#include "base/test.h"

#include "proto/smtp/helo.h"

static const struct {
    const char *name;
    enum smtp_helo outside;
    enum smtp_helo here;
} rows[] = {
    {"mail.example.org", SMTP_HELO_FINE, SMTP_HELO_FINE},
    {"mail.example.org.", SMTP_HELO_FINE, SMTP_HELO_FINE},
    {"WIN-6H2J", SMTP_HELO_FINE, SMTP_HELO_FINE}, /* not found anywhere, and yet no reason to refuse */
    {"my_host.example.org", SMTP_HELO_FINE, SMTP_HELO_FINE},
    {"m\xc3\xbcller.example", SMTP_HELO_FINE, SMTP_HELO_FINE},
    {"xn--mller-kva.example", SMTP_HELO_FINE, SMTP_HELO_FINE},
    {"[198.51.100.7]", SMTP_HELO_FINE, SMTP_HELO_FINE},
    {"[IPv6:2001:db8::7]", SMTP_HELO_FINE, SMTP_HELO_FINE},
    {"[2001:db8::7]", SMTP_HELO_FINE, SMTP_HELO_FINE}, /* many forget the tag */
    {"[tag:whatever]", SMTP_HELO_FINE, SMTP_HELO_FINE},
    {"mx.demo.test", SMTP_HELO_OURS, SMTP_HELO_FINE},
    {"MX.Demo.Test.", SMTP_HELO_OURS, SMTP_HELO_FINE},
    {"[192.0.2.1]", SMTP_HELO_OURS, SMTP_HELO_FINE},
    {"[::ffff:192.0.2.1]", SMTP_HELO_OURS, SMTP_HELO_FINE},
    {"localhost", SMTP_HELO_LOCALHOST, SMTP_HELO_FINE},
    {"localhost.localdomain", SMTP_HELO_LOCALHOST, SMTP_HELO_FINE},
    {"mail.LOCALHOST", SMTP_HELO_LOCALHOST, SMTP_HELO_FINE},
    {"mylocalhost", SMTP_HELO_FINE, SMTP_HELO_FINE},
    {"[127.0.0.1]", SMTP_HELO_LOCALHOST, SMTP_HELO_FINE},
    {"[IPv6:::1]", SMTP_HELO_LOCALHOST, SMTP_HELO_FINE},
    {"198.51.100.7", SMTP_HELO_BARE_ADDRESS, SMTP_HELO_BARE_ADDRESS},
    {"2001:db8::7", SMTP_HELO_BARE_ADDRESS, SMTP_HELO_BARE_ADDRESS},
    {"192.0.2.1", SMTP_HELO_BARE_ADDRESS, SMTP_HELO_BARE_ADDRESS},
    {"[198.51.100.300]", SMTP_HELO_MALFORMED, SMTP_HELO_MALFORMED},
    {"[IPv6:nonsense]", SMTP_HELO_MALFORMED, SMTP_HELO_MALFORMED},
    {"[198.51.100.7", SMTP_HELO_MALFORMED, SMTP_HELO_MALFORMED},
    {"[]", SMTP_HELO_MALFORMED, SMTP_HELO_MALFORMED},
    {".example.org", SMTP_HELO_MALFORMED, SMTP_HELO_MALFORMED},
    {"mail..example.org", SMTP_HELO_MALFORMED, SMTP_HELO_MALFORMED},
    {".", SMTP_HELO_MALFORMED, SMTP_HELO_MALFORMED},
    {"you@example.org", SMTP_HELO_MALFORMED, SMTP_HELO_MALFORMED},
    {"mail.example.org:25", SMTP_HELO_MALFORMED, SMTP_HELO_MALFORMED},
    {"a/b", SMTP_HELO_MALFORMED, SMTP_HELO_MALFORMED},
    {"a0123456789012345678901234567890123456789012345678901234567890123.test", SMTP_HELO_MALFORMED,
     SMTP_HELO_MALFORMED},
    {"", SMTP_HELO_MALFORMED, SMTP_HELO_MALFORMED},
};

static void names_are_judged_by_who_can_have_them(void **state)
{
    (void)state;
    struct smtp_helo_facts facts = {.hostname = SPAN("mx.demo.test"), .address = SPAN("192.0.2.1")};
    for (size_t at = 0; at < COUNT_OF(rows); at++) {
        facts.is_from_here = false;
        if (smtp_helo_judge(span_of_text(rows[at].name), &facts) != rows[at].outside)
            fail_msg("%s from outside", rows[at].name);
        facts.is_from_here = true;
        if (smtp_helo_judge(span_of_text(rows[at].name), &facts) != rows[at].here)
            fail_msg("%s from here", rows[at].name);
    }
}

static void each_fault_has_words(void **state)
{
    (void)state;
    assert_null(smtp_helo_words(SMTP_HELO_FINE));
    for (enum smtp_helo helo = SMTP_HELO_MALFORMED; helo < SMTP_HELO_COUNT; helo++)
        assert_non_null(smtp_helo_words(helo));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_are_judged_by_who_can_have_them),
        cmocka_unit_test(each_fault_has_words),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
