#include "base/test.h"

#include "role/gate/site.h"

static void pages_are_found_by_host_and_path(void **state)
{
    (void)state;
    static const struct {
        const char *host;
        const char *path;
        enum site_page page;
        const char *domain;
    } rows[] = {
        {"mta-sts.x.test", "/.well-known/mta-sts.txt", SITE_POLICY, "x.test"},
        {"MTA-STS.X.test", "/.well-known/mta-sts.txt", SITE_POLICY, "X.test"},
        {"x.test", "/.well-known/mta-sts.txt", SITE_NONE, NULL},
        {"mta-sts.", "/.well-known/mta-sts.txt", SITE_NONE, NULL},
        {"mta-sts.x<y", "/.well-known/mta-sts.txt", SITE_NONE, NULL},
        {"mta-sts.x.test", "/.well-known/MTA-STS.txt", SITE_NONE, NULL},
        {"autoconfig.x.test", "/mail/config-v1.1.xml", SITE_AUTOCONFIG, "x.test"},
        {"x.test", "/.well-known/autoconfig/mail/config-v1.1.xml", SITE_AUTOCONFIG, "x.test"},
        {"", "/.well-known/autoconfig/mail/config-v1.1.xml", SITE_NONE, NULL},
        {"x.test", "/", SITE_NONE, NULL},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        span_t domain = SPAN_NONE;
        assert_int_equal(site_find(span_of_text(rows[i].host), span_of_text(rows[i].path), &domain), rows[i].page);
        assert_true(rows[i].domain == NULL || span_equal(domain, span_of_text(rows[i].domain)));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(pages_are_found_by_host_and_path)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
