#include "base/test.h"

#include "role/supervisor/portowner.h"

#include <arpa/inet.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/scope.h"

#define HEAD "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode"
#define REST " 00000000:00000000 00:00000000 00000000 "

static void who_listens_on_loopback_is_found(void **state)
{
    static const struct {
        const char *line;
        bool goes_on;
        size_t count;
        uid_t last;
    } rows[] = {
        {HEAD, true, 0, 0},
        {"   0: 0100007F:0019 00000000:0000 0A" REST "  101        0 1 1", true, 0, 0}, /* another port */
        {"   1: 0200007F:2C45 00000000:0000 0A" REST "  102        0 1 1", true, 0, 0}, /* another address */
        {"   2: 0100007F:2C45 00000000:0000 0A" REST "  103        0 1 1", true, 1, 103},
        {"   3: 00000000:2C45 00000000:0000 0A" REST "  104        0 1 1", true, 2, 104},
        {"   4: 00000000000000000000000000000000:2C45 00000000000000000000000000000000:0000 0A" REST " 105 0 1", true,
         3, 105},
        {"   5: 00000000000000000000000001000000:2C45 00000000000000000000000000000000:0000 0A" REST " 106 0 1", true,
         3, 105}, /* ::1, where we do not go */
        {"   6: 0000000000000000FFFF00000100007F:2C45 00000000000000000000000000000000:0000 0A" REST " 104 0 1", true,
         3, 105},                                                                          /* known already */
        {"   7: 0100007F:2C45 0100007F:9999 01" REST "  107        0 1 1", false, 3, 105}, /* a connection */
        {"", false, 3, 105},
        {"   8: 0100007F:2C45", false, 3, 105},
    };
    (void)state;
    struct port_owners owners = {0};
    for (size_t at = 0; at < COUNT_OF(rows); at++) {
        assert_int_equal(port_owners_note(&owners, span_of_text(rows[at].line), 11333), rows[at].goes_on);
        assert_int_equal(owners.count, rows[at].count);
        if (owners.count > 0)
            assert_int_equal(owners.users[owners.count - 1], rows[at].last);
    }
}

static void our_own_listener_is_found_and_is_ours(void **state)
{
    (void)state;
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(at);
    struct port_owners owners;
    AUTO_FD int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&at, sizeof(at)), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&at, &len), 0);
    assert_int_equal(port_owners_find(ntohs(at.sin_port), &owners), 0);
    assert_int_equal(owners.count, 0);
    assert_int_equal(listen(fd, 1), 0);
    assert_int_equal(port_owners_find(ntohs(at.sin_port), &owners), 0);
    assert_int_equal(owners.count, 1);
    assert_int_equal(owners.users[0], geteuid());
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_listens_on_loopback_is_found),
        cmocka_unit_test(our_own_listener_is_found_and_is_ours),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
