#include "base/test.h"

#include "priv/rights.h"
#include "priv/syscalls.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

/*
 * Each role is entered in a child process of its own, which then tries one thing. The child's exit status says how
 * that went; a child the kernel ended counts as refused.
 */
enum attempt { DONE, REFUSED, NOT_ENTERED };

static char data[] = "/tmp/waxwing-rights-XXXXXX";
static int listening = -1;
static int listening_elsewhere = -1;
static uint16_t port;
static uint16_t other_port;

static int try_open(const char *name, int flags)
{
    char path[256];
    (void)snprintf(path, sizeof(path), name[0] == '/' ? "%s%s" : "%s/%s", name[0] == '/' ? "" : data, name);
    return open(path, flags | O_CLOEXEC, 0600) >= 0;
}

static int read_foreign_file(void)
{
    return try_open("/etc/passwd", O_RDONLY);
}

static int write_outside(void)
{
    return try_open("/tmp/waxwing-rights-outside", O_WRONLY | O_CREAT);
}

static int read_directory(void)
{
    return try_open("directory.db", O_RDONLY);
}

static int write_directory_wal(void)
{
    return try_open("directory.db-wal", O_RDWR | O_CREAT);
}

static int read_reports(void)
{
    return try_open("reports.db", O_RDONLY);
}

static int read_server_key(void)
{
    return try_open("server.key", O_RDONLY);
}

static int make_segment(void)
{
    return try_open("log/segment", O_RDWR | O_CREAT);
}

static int list_log(void)
{
    return try_open("log", O_RDONLY | O_DIRECTORY);
}

static int make_in_own_vault(void)
{
    return try_open("vault/0000000000000007/vault.db", O_RDWR | O_CREAT);
}

static int read_other_vault(void)
{
    return try_open("vault/0000000000000008/vault.db", O_RDONLY);
}

static int list_vaults(void)
{
    return try_open("vault", O_RDONLY | O_DIRECTORY);
}

static int connect_somewhere(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    return fd >= 0 && connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0;
}

static int connect_elsewhere(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(other_port)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    return fd >= 0 && connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0;
}

static int send_datagram(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
    struct sockaddr_in own = {.sin_family = AF_INET};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    return fd >= 0 && bind(fd, (struct sockaddr *)&own, sizeof(own)) == 0 &&
           sendto(fd, "?", 1, 0, (struct sockaddr *)&address, sizeof(address)) == 1;
}

static int listen_for_others(void)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    return fd >= 0 && listen(fd, 1) == 0;
}

static int raw_socket(void)
{
    return socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0) >= 0;
}

static int execute(void)
{
    char *const words[] = {(char[]){"/bin/true"}, NULL};
    return execve("/bin/true", words, words + 1) == 0;
}

static int trace_parent(void)
{
    return ptrace(PTRACE_ATTACH, getppid(), NULL, NULL) == 0;
}

static int signal_parent(void)
{
    return kill(getppid(), 0) == 0;
}

static int make_process(void)
{
    pid_t child = fork();
    if (child == 0)
        _exit(0);
    return child > 0;
}

static int become_root(void)
{
    return setuid(0) == 0 && try_open("/etc/shadow", O_RDONLY);
}

static int be_dumpable(void)
{
    return prctl(PR_GET_DUMPABLE, 0, 0, 0, 0) != 0;
}

/* What a role lives by: a loop, a socket pair, a descriptor that was open before. */
static int work(void)
{
    int pair[2];
    char byte = 1;
    struct epoll_event event = {.events = EPOLLIN, .data = {.u32 = 0}};
    int loop = epoll_create1(EPOLL_CLOEXEC);
    return loop >= 0 && socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) == 0 &&
           epoll_ctl(loop, EPOLL_CTL_ADD, pair[0], &event) == 0 && write(pair[1], &byte, 1) == 1 &&
           epoll_wait(loop, &event, 1, 1000) == 1 && read(pair[0], &byte, 1) == 1 &&
           getsockname(listening, NULL, NULL) < 0;
}

/* Which roles may do it. Everything else is refused, to every role. */
#define ROLE(name) (1U << PRIV_##name)
#define ALL_ROLES ((1U << PRIV_ROLE_COUNT) - 1)
#define UNDER_FILTER 1 /* only the system call filter refuses it, and a sanitizer build has none */

static const struct row {
    const char *what;
    int (*attempt)(void);
    unsigned allowed;
    int how;
} rows[] = {
    {"work", work, ALL_ROLES, 0},
    {"read a foreign file", read_foreign_file, ROLE(SUPERVISOR), 0},
    {"write outside the data directory", write_outside, 0, 0},
    {"read the directory", read_directory, ROLE(SUPERVISOR) | ROLE(KEEPER), 0},
    {"write the directory's log", write_directory_wal, ROLE(SUPERVISOR) | ROLE(KEEPER), 0},
    {"read what was counted for reports", read_reports, ROLE(SUPERVISOR) | ROLE(KEEPER), 0},
    {"read the server's key", read_server_key, ROLE(SUPERVISOR), 0},
    {"make a segment", make_segment, ROLE(SUPERVISOR) | ROLE(STORE), 0},
    {"list the log", list_log, ROLE(SUPERVISOR) | ROLE(STORE), 0},
    {"make a file in its own vault", make_in_own_vault, ROLE(SUPERVISOR) | ROLE(SESSION), 0},
    {"read another vault", read_other_vault, ROLE(SUPERVISOR), 0},
    {"list the vaults", list_vaults, ROLE(SUPERVISOR), 0},
    {"connect", connect_somewhere, ROLE(SUPERVISOR) | ROLE(INTAKE) | ROLE(COURIER), 0},
    {"connect elsewhere", connect_elsewhere, ROLE(SUPERVISOR), 0},
    {"send a datagram", send_datagram, ROLE(SUPERVISOR) | ROLE(INTAKE) | ROLE(COURIER), UNDER_FILTER},
    {"listen", listen_for_others, ROLE(SUPERVISOR), UNDER_FILTER},
    {"open a raw socket", raw_socket, 0, UNDER_FILTER},
    {"execute", execute, ROLE(SUPERVISOR), UNDER_FILTER},
    {"trace another process", trace_parent, 0, UNDER_FILTER},
    {"signal a stranger", signal_parent, ROLE(SUPERVISOR) | ROLE(KEEPER), UNDER_FILTER},
    {"make a process", make_process, ROLE(SUPERVISOR) | ROLE(KEEPER), UNDER_FILTER},
    {"become root", become_root, 0, 0},
    {"be dumped", be_dumpable, 0, 0},
};

static enum attempt attempt_as(enum priv_role role, const struct row *row)
{
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        struct priv_start start = {.data = data, .user = "nobody", .account = 7, .ports = &port, .port_count = 1};
        if (priv_enter(role, &start) < 0)
            _exit(NOT_ENTERED);
        _exit(row->attempt() ? DONE : REFUSED);
    }
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    return WIFEXITED(status) ? (enum attempt)WEXITSTATUS(status) : REFUSED;
}

/* Root stays root in the supervisor, and may do as root then. */
static int expected(enum priv_role role, const struct row *row)
{
    if (row->attempt == become_root && role == PRIV_SUPERVISOR && geteuid() == 0)
        return DONE;
    if (row->attempt == signal_parent && role == PRIV_KEEPER && geteuid() == 0)
        return REFUSED; /* another uid */
    return row->allowed & 1U << role ? DONE : REFUSED;
}

static void every_role_can_do_just_what_its_row_says(void **state)
{
    (void)state;
    struct priv_features features;
    priv_probe(&features);
    int wrong = 0;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        for (unsigned role = 0; role < PRIV_ROLE_COUNT; role++) {
            int want = expected(role, &rows[i]);
            if (want == REFUSED && ((SYSCALLS_SANITIZED && rows[i].how == UNDER_FILTER) || features.landlock_abi == 0))
                continue;
            int got = (int)attempt_as(role, &rows[i]);
            if (got == want)
                continue;
            print_message("role %u: %s: %d instead of %d\n", role, rows[i].what, got, want);
            wrong++;
        }
    }
    assert_int_equal(wrong, 0);
}

static void an_unknown_user_is_a_fault(void **state)
{
    (void)state;
    if (geteuid() != 0)
        skip();
    struct priv_start start = {.data = data, .user = "no-such-user-here", .account = 7};
    assert_int_equal(priv_enter(PRIV_GATE, &start), -ENOENT);
}

static void make_folder(const char *name)
{
    char path[256];
    (void)snprintf(path, sizeof(path), "%s/%s", data, name);
    assert_int_equal(mkdir(path, 0700), 0);
}

static int listen_somewhere(uint16_t *ret_port)
{
    struct sockaddr_in address = {.sin_family = AF_INET};
    socklen_t length = sizeof(address);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    assert_int_equal(listen(fd, 128), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &length), 0);
    *ret_port = ntohs(address.sin_port);
    return fd;
}

static int make_data(void **state)
{
    (void)state;
    assert_non_null(mkdtemp(data));
    assert_int_equal(chmod(data, 0711), 0);
    make_folder("log");
    make_folder("vault");
    assert_int_equal(chmod(data, 0711), 0);
    make_folder("vault/0000000000000007");
    make_folder("vault/0000000000000008");
    char path[256];
    (void)snprintf(path, sizeof(path), "%s/vault", data);
    assert_int_equal(chmod(path, 0711), 0);
    assert_true(try_open("server.key", O_WRONLY | O_CREAT));
    assert_true(try_open("vault/0000000000000008/vault.db", O_WRONLY | O_CREAT));
    listening = listen_somewhere(&port);
    listening_elsewhere = listen_somewhere(&other_port);
    return 0;
}

static int remove_data(void **state)
{
    (void)state;
    char command[300];
    (void)close(listening);
    (void)close(listening_elsewhere);
    (void)snprintf(command, sizeof(command), "rm -rf '%s'", data);
    return system(command); /* NOLINT: a path we made */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_role_can_do_just_what_its_row_says),
        cmocka_unit_test(an_unknown_user_is_a_fault),
    };
    return cmocka_run_group_tests(tests, make_data, remove_data);
}
