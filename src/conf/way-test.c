#include "base/test.h"

#include "conf/way.h"

#include <errno.h>

static const struct {
    const char *text;
    int result;
    enum way_tls tls;
    uint16_t port;
    const char *host, *user, *password;
} rows[] = {
    {"mx.test", 0, WAY_TLS_OFFERED, 25, "mx.test", "", ""},
    {"mx.test:2525", 0, WAY_TLS_OFFERED, 2525, "mx.test", "", ""},
    {"192.0.2.1:26", 0, WAY_TLS_OFFERED, 26, "192.0.2.1", "", ""},
    {"[2001:db8::1]:26", 0, WAY_TLS_OFFERED, 26, "2001:db8::1", "", ""},
    {"[IPv6:2001:db8::1]", 0, WAY_TLS_OFFERED, 25, "2001:db8::1", "", ""},
    {"2001:db8::1", 0, WAY_TLS_OFFERED, 25, "2001:db8::1", "", ""},
    {"smtp://mx.test", 0, WAY_TLS_STARTTLS, 25, "mx.test", "", ""},
    {"smtp://me:secret@mx.test", 0, WAY_TLS_STARTTLS, 587, "mx.test", "me", "secret"},
    {"SMTP://me:secret@mx.test:25", 0, WAY_TLS_STARTTLS, 25, "mx.test", "me", "secret"},
    {"smtps://mx.test", 0, WAY_TLS_IMPLICIT, 465, "mx.test", "", ""},
    {"smtps://me%40a.test:a:b@c@[::1]:4650", 0, WAY_TLS_IMPLICIT, 4650, "::1", "me%40a.test", "a:b@c"},
    {"", -EINVAL, WAY_TLS_OFFERED, 0, "", "", ""},
    {"mx.test:", -EINVAL, WAY_TLS_OFFERED, 0, "", "", ""},
    {"mx.test:0", -EINVAL, WAY_TLS_OFFERED, 0, "", "", ""},
    {"mx.test:65536", -EINVAL, WAY_TLS_OFFERED, 0, "", "", ""},
    {"smtp://", -EINVAL, WAY_TLS_OFFERED, 0, "", "", ""},
    {"smtp://me@mx.test", -EINVAL, WAY_TLS_OFFERED, 0, "", "", ""},
    {"smtp://:secret@mx.test", -EINVAL, WAY_TLS_OFFERED, 0, "", "", ""},
    {"smtp://me:@mx.test", -EINVAL, WAY_TLS_OFFERED, 0, "", "", ""},
    {"smtp://me:5%@mx.test", -EINVAL, WAY_TLS_OFFERED, 0, "", "", ""},
    {"smtp://mx.test/path", -EINVAL, WAY_TLS_OFFERED, 0, "", "", ""},
    {"http://mx.test", -EINVAL, WAY_TLS_OFFERED, 0, "", "", ""},
    {"mx one.test", -EINVAL, WAY_TLS_OFFERED, 0, "", "", ""},
};

static void a_way_is_a_place_or_a_uri(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct way way;
        assert_int_equal(way_parse(span_of_text(rows[i].text), 25, &way), rows[i].result);
        if (rows[i].result < 0)
            continue;
        assert_int_equal(way.tls, rows[i].tls);
        assert_int_equal(way.port, rows[i].port);
        assert_true(span_equal(way.host, span_of_text(rows[i].host)));
        assert_true(span_equal(way.user, span_of_text(rows[i].user)));
        assert_true(span_equal(way.password, span_of_text(rows[i].password)));
    }
}

static void a_row_names_a_domain_first(void **state)
{
    (void)state;
    struct way way;
    span_t domain;
    assert_int_equal(way_parse_row(SPAN(".example.org = mx.test"), 25, &domain, &way), 0);
    assert_true(span_equal(domain, SPAN(".example.org")));
    assert_true(span_equal(way.host, SPAN("mx.test")));
    assert_int_equal(way_parse_row(SPAN("example.org"), 25, &domain, &way), -EINVAL);
    assert_int_equal(way_parse_row(SPAN("=mx.test"), 25, &domain, &way), -EINVAL);
    assert_int_equal(way_parse_row(SPAN("example.org="), 25, &domain, &way), -EINVAL);
}

static void a_dot_in_front_covers_what_is_below(void **state)
{
    (void)state;
    assert_true(way_covers(SPAN("Example.org"), SPAN("example.ORG")));
    assert_true(way_covers(SPAN(".example.org"), SPAN("a.b.example.org")));
    assert_false(way_covers(SPAN(".example.org"), SPAN("example.org")));
    assert_false(way_covers(SPAN("example.org"), SPAN("a.example.org")));
    assert_false(way_covers(SPAN(""), SPAN("example.org")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_way_is_a_place_or_a_uri),
        cmocka_unit_test(a_row_names_a_domain_first),
        cmocka_unit_test(a_dot_in_front_covers_what_is_below),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
