/*
 * Holds many TLS IMAP connections in IDLE as cheaply as it can, and says when each account's have seen new mail.
 *
 *   idle PORT CONNECTIONS LOGINS
 *
 * LOGINS is a file with a line `user password` for each account; connection n belongs to account n modulo their
 * number. Prints `held CONNECTIONS` once all of them idle, then obeys lines on its standard input:
 *
 *   watch ACCOUNT COUNT   until the connections of COUNT accounts from ACCOUNT on have each seen one more EXISTS than
 *                         at the last watch; then prints `seen ACCOUNT SECONDS CONNECTIONS` for each of them, SECONDS
 *                         on CLOCK_MONOTONIC at which its last connection had it, and `done`
 *   (end of input)        closes all connections and ends
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define LINE_SIZE 4096U
#define EVENTS 256
#define SEND_MAX 1024U
#define HANDSHAKES_MAX 32U /* connections that log in at the same time */

enum stage { CONNECTING, GREETING, LOGIN, SELECT, IDLING };

struct connection {
    SSL *ssl;
    int fd;
    unsigned account;
    enum stage stage;
    unsigned exists; /* announcements since IDLE began */
    unsigned wanted;
    double last;
    size_t len;
    char *line; /* a line that is not complete yet, or NULL */
};

struct account {
    char *user;
    char *password;
    unsigned connections;
};

static struct connection *all;
static struct account *accounts;
static unsigned connection_count;
static unsigned account_count;
static unsigned started;
static unsigned idling;
static int poller;
static SSL_CTX *context;
static struct sockaddr_in address;

static void fail(const char *what)
{
    (void)fprintf(stderr, "idle: %s: %s\n", what, strerror(errno));
    exit(1);
}

static double now(void)
{
    struct timespec time;
    (void)clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static void read_logins(const char *path)
{
    char user[256];
    char password[256];
    FILE *file = fopen(path, "re");
    if (file == NULL)
        fail(path);
    while (fscanf(file, "%255s %255s", user, password) == 2) {
        accounts = realloc(accounts, (account_count + 1) * sizeof(*accounts));
        if (accounts == NULL)
            fail("memory");
        accounts[account_count++] = (struct account){strdup(user), strdup(password), 0};
    }
    (void)fclose(file);
    if (account_count == 0)
        fail("no logins");
}

static void say(struct connection *connection, const char *text)
{
    if (SSL_write(connection->ssl, text, (int)strlen(text)) <= 0)
        fail("the server does not take what is sent");
}

static void start_next(void)
{
    if (started == connection_count)
        return;
    struct connection *connection = &all[started];
    connection->account = started++ % account_count;
    accounts[connection->account].connections++;
    connection->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (connection->fd < 0 || connect(connection->fd, (struct sockaddr *)&address, sizeof(address)) < 0)
        fail("connecting");
    (void)fcntl(connection->fd, F_SETFL, O_NONBLOCK);
    connection->ssl = SSL_new(context);
    if (connection->ssl == NULL || SSL_set_fd(connection->ssl, connection->fd) != 1)
        fail("TLS");
    SSL_set_connect_state(connection->ssl);
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = connection};
    if (epoll_ctl(poller, EPOLL_CTL_ADD, connection->fd, &event) < 0)
        fail("epoll_ctl");
    (void)SSL_do_handshake(connection->ssl);
}

static void on_idle_line(struct connection *connection, const char *line, size_t len)
{
    if (line[0] == '*' && len > 8 && memmem(line, len, " EXISTS", 7) != NULL) {
        connection->exists++;
        connection->last = now();
    } else if (strncmp(line, "* BYE", 5) == 0) {
        fail("the server has ended a connection");
    }
}

static void on_line(struct connection *connection, const char *line, size_t len)
{
    char command[SEND_MAX];
    const struct account *account = &accounts[connection->account];
    switch (connection->stage) {
    case CONNECTING:
    case GREETING:
        if (strncmp(line, "* OK", 4) != 0)
            break;
        (void)snprintf(command, sizeof(command), "a LOGIN %s %s\r\n", account->user, account->password);
        connection->stage = LOGIN;
        say(connection, command);
        return;
    case LOGIN:
        if (line[0] == '*')
            return;
        if (strncmp(line, "a OK", 4) != 0)
            break;
        connection->stage = SELECT;
        say(connection, "b SELECT INBOX\r\n");
        return;
    case SELECT:
        if (strncmp(line, "b OK", 4) == 0)
            say(connection, "c IDLE\r\n");
        else if (line[0] == '+') {
            connection->stage = IDLING;
            idling++;
            start_next();
        } else if (line[0] != '*')
            break;
        return;
    case IDLING:
        on_idle_line(connection, line, len);
        return;
    }
    (void)fprintf(stderr, "idle: %.*s\n", (int)len, line);
    exit(1);
}

/* Gathers what is no whole line yet. */
static void take(struct connection *connection, char *bytes, size_t len)
{
    while (len > 0) {
        char *end = memchr(bytes, '\n', len);
        size_t part = end == NULL ? len : (size_t)(end - bytes) + 1;
        if (end != NULL && connection->len == 0) {
            on_line(connection, bytes, part);
        } else {
            if (connection->line == NULL && (connection->line = malloc(LINE_SIZE)) == NULL)
                fail("memory");
            size_t fits = part < LINE_SIZE - connection->len ? part : LINE_SIZE - connection->len;
            memcpy(connection->line + connection->len, bytes, fits);
            connection->len += fits;
            if (end != NULL) {
                on_line(connection, connection->line, connection->len);
                connection->len = 0;
            }
        }
        bytes += part;
        len -= part;
    }
    if (connection->len == 0) {
        free(connection->line);
        connection->line = NULL;
    }
}

static void on_ready(struct connection *connection)
{
    static char bytes[65536];
    for (;;) {
        int got = SSL_read(connection->ssl, bytes, sizeof(bytes));
        if (got <= 0) {
            int why = SSL_get_error(connection->ssl, got);
            if (why == SSL_ERROR_WANT_READ || why == SSL_ERROR_WANT_WRITE)
                return;
            fail("the server has closed a connection");
        }
        take(connection, bytes, (size_t)got);
    }
}

static void turn(void)
{
    struct epoll_event events[EVENTS];
    int count = epoll_wait(poller, events, EVENTS, 1000);
    for (int i = 0; i < count; i++)
        if (events[i].data.ptr != NULL)
            on_ready(events[i].data.ptr);
}

static bool have_all_seen(unsigned first, unsigned count)
{
    for (unsigned i = 0; i < connection_count; i++)
        if (all[i].account - first < count && all[i].exists < all[i].wanted)
            return false;
    return true;
}

static void watch(unsigned first, unsigned count)
{
    for (unsigned i = 0; i < connection_count; i++)
        if (all[i].account - first < count)
            all[i].wanted++;
    (void)puts("watching");
    (void)fflush(stdout);
    while (!have_all_seen(first, count))
        turn();
    for (unsigned account = first; account < first + count && account < account_count; account++) {
        double last = 0;
        for (unsigned i = account; i < connection_count; i += account_count)
            last = all[i].last > last ? all[i].last : last;
        (void)printf("seen %u %.6f %u\n", account, last, accounts[account].connections);
    }
    (void)puts("done");
    (void)fflush(stdout);
}

/* One line at a time, as it comes; false at the end of the input. */
static bool obey(void)
{
    char line[128];
    struct pollfd input = {.fd = STDIN_FILENO, .events = POLLIN};
    if (poll(&input, 1, 0) != 1)
        return true;
    ssize_t got = read(STDIN_FILENO, line, sizeof(line) - 1);
    unsigned first = 0;
    unsigned count = 0;
    line[got > 0 ? got : 0] = '\0';
    if (sscanf(line, "watch %u %u", &first, &count) == 2)
        watch(first, count);
    return got > 0;
}

static void log_in_all(void)
{
    for (unsigned i = 0; i < HANDSHAKES_MAX; i++)
        start_next();
    while (idling < connection_count)
        turn();
    (void)printf("held %u\n", connection_count);
    (void)fflush(stdout);
}

static void prepare(int port)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &limit);
    }
    address = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    context = SSL_CTX_new(TLS_client_method());
    poller = epoll_create1(EPOLL_CLOEXEC);
    all = calloc(connection_count, sizeof(*all));
    if (context == NULL || poller < 0 || all == NULL)
        fail("starting");
    (void)SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_AUTO_RETRY);
}

int main(int argc, char **argv)
{
    if (argc != 4) {
        (void)fputs("usage: idle PORT CONNECTIONS LOGINS\n", stderr);
        return 2;
    }
    connection_count = (unsigned)strtoul(argv[2], NULL, 10);
    read_logins(argv[3]);
    prepare((int)strtol(argv[1], NULL, 10));
    log_in_all();
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = NULL};
    if (epoll_ctl(poller, EPOLL_CTL_ADD, STDIN_FILENO, &event) < 0)
        fail("standard input");
    while (obey())
        turn();
    return 0;
}
