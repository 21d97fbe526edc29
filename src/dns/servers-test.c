#include "base/test.h"

#include <errno.h>

#include "dns/servers.h"

#define SYSTEM "# comment\nnameserver 192.0.2.1\n  nameserver\t2001:db8::1 \nnameserver fe80::1%eth0\noptions edns0\n"

static const struct row {
    const char *setting;
    const char *system;
    int result;
    enum dns_way way;
    const char *servers[4];
    uint16_t port; /* of the last one */
} rows[] = {
    {"system", SYSTEM, 0, DNS_WAY_FIND_OUT, {"192.0.2.1@53", "2001:db8::1@53"}, 53},
    {"system", "nameserver nonsense\nnameserver 192.0.2.1@99\nsearch a.test\n", 0, DNS_WAY_RECURSE, {NULL}, 0},
    {"system", "", 0, DNS_WAY_RECURSE, {NULL}, 0},
    {" Recursive ", SYSTEM, 0, DNS_WAY_RECURSE, {NULL}, 0},
    {"127.0.0.1@5300, ::1@5301", SYSTEM, 0, DNS_WAY_FORWARD, {"127.0.0.1@5300", "::1@5301"}, 5301},
    {"192.0.2.1", "", 0, DNS_WAY_FORWARD, {"192.0.2.1@53"}, 53},
    {"", "", -EINVAL, DNS_WAY_FORWARD, {NULL}, 0},
    {"dns.test", "", -EINVAL, DNS_WAY_FORWARD, {NULL}, 0},
    {"192.0.2.1@", "", -EINVAL, DNS_WAY_FORWARD, {NULL}, 0},
    {"192.0.2.1@0", "", -EINVAL, DNS_WAY_FORWARD, {NULL}, 0},
    {"192.0.2.1@65536", "", -EINVAL, DNS_WAY_FORWARD, {NULL}, 0},
    {"192.0.2.1, system", "", -EINVAL, DNS_WAY_FORWARD, {NULL}, 0},
    {"::1,::1,::1,::1,::1,::1,::1,::1,::1", "", -EINVAL, DNS_WAY_FORWARD, {NULL}, 0},
};

static void servers_are_those_that_are_named(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct dns_servers servers;
        assert_int_equal(dns_servers_read(rows[i].setting, span_of_text(rows[i].system), &servers), rows[i].result);
        if (rows[i].result < 0)
            continue;
        size_t count = 0;
        assert_int_equal(servers.way, rows[i].way);
        for (; rows[i].servers[count] != NULL; count++)
            assert_string_equal(servers.servers[count].text, rows[i].servers[count]);
        assert_int_equal(servers.count, count);
        if (count > 0)
            assert_int_equal(servers.servers[count - 1].port, rows[i].port);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(servers_are_those_that_are_named)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
