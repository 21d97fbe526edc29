#include "base/test.h"

#include <errno.h>
#include "fetch/url.h"

static void urls_are_taken_apart(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int result;
        bool is_tls;
        const char *host;
        uint16_t port;
        const char *target;
    } rows[] = {
        {"http://127.0.0.1:11333", 0, false, "127.0.0.1", 11333, "/"},
        {"https://mta-sts.Example.com/.well-known/mta-sts.txt", 0, true, "mta-sts.example.com", 443,
         "/.well-known/mta-sts.txt"},
        {"HTTP://x/?a=b#c", 0, false, "x", 80, "/?a=b"},
        {"http://x?a=b/c", 0, false, "x", 80, "/?a=b/c"},
        {"http://[2001:db8::1]:8080/x", 0, false, "2001:db8::1", 8080, "/x"},
        {"http://[::1]", 0, false, "::1", 80, "/"},
        {"http://x:/", 0, false, "x", 80, "/"},
        {"http://x:0/", -EINVAL, false, NULL, 0, NULL},
        {"http://x:65536/", -EINVAL, false, NULL, 0, NULL},
        {"http://x:1a/", -EINVAL, false, NULL, 0, NULL},
        {"http://user@x/", -EINVAL, false, NULL, 0, NULL},
        {"http://x/@y", 0, false, "x", 80, "/@y"},
        {"http://[::1/", -EINVAL, false, NULL, 0, NULL},
        {"http://[::1]x/", -EINVAL, false, NULL, 0, NULL},
        {"http:///x", -EINVAL, false, NULL, 0, NULL},
        {"ftp://x/", -EINVAL, false, NULL, 0, NULL},
        {"http://x/a b", -EINVAL, false, NULL, 0, NULL},
        {"http://x/\r\nA: b", -EINVAL, false, NULL, 0, NULL},
        {"x", -EINVAL, false, NULL, 0, NULL},
        {"", -EINVAL, false, NULL, 0, NULL},
    };
    for (size_t row = 0; row < COUNT_OF(rows); row++) {
        AUTO(arena) struct arena *arena = NULL;
        struct url url;
        assert_int_equal(arena_new(1U << 16, &arena), 0);
        assert_int_equal(url_parse(span_of_text(rows[row].text), arena, &url), rows[row].result);
        if (rows[row].result != 0)
            continue;
        assert_int_equal(url.is_tls, rows[row].is_tls);
        assert_string_equal(url.host, rows[row].host);
        assert_int_equal(url.port, rows[row].port);
        assert_string_equal(url.target, rows[row].target);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(urls_are_taken_apart)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
