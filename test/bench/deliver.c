#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/ssl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/*
 * A load of mail: so many concurrent SMTP clients, each its own process, each sending its share of the messages over
 * one connection, MAIL, RCPT and DATA pipelined as mail servers do, where that is offered.
 *
 *   deliver [HOST:]PORT CLIENTS MESSAGES SIZE|FOLDER DOMAIN RECIPIENTS clear|starttls [SENDER[:PASSWORD]]
 *
 * RECIPIENTS is how many, or FIRST:HOW_MANY. Each message has SIZE bytes, or is a file that `letters` wrote into
 * FOLDER. Recipients are user0@DOMAIN, user1@DOMAIN … in turn; where DOMAIN starts with a dot, bob@0.DOMAIN,
 * bob@1.DOMAIN …. Where there is a password, SENDER logs in. Prints the seconds until every message was acknowledged.
 */
struct load {
    struct in_addr host;
    int port;
    int clients;
    int messages;
    size_t size;
    const char *folder; /* or NULL */
    const char *domain;
    int first;
    int recipients;
    bool starttls;
    char sender[256];
    const char *password; /* or NULL */
};

struct link {
    int fd;
    SSL *tls;
    bool pipelines; /* it has said so (RFC 2920 §3.1) */
    char buffer[4096];
    size_t held;
};

static void fail(const char *what)
{
    (void)fprintf(stderr, "deliver: %s\n", what);
    _exit(1);
}

static void put(struct link *link, const char *bytes, size_t len)
{
    while (len > 0) {
        ssize_t sent = link->tls != NULL ? SSL_write(link->tls, bytes, (int)(len > 1 << 30 ? 1 << 30 : len))
                                         : send(link->fd, bytes, len, MSG_NOSIGNAL);
        if (sent <= 0)
            fail("the server closed the connection");
        bytes += sent;
        len -= (size_t)sent;
    }
}

static void read_line(struct link *link, char line[512])
{
    for (;;) {
        char *end = memchr(link->buffer, '\n', link->held);
        if (end != NULL) {
            size_t len = (size_t)(end - link->buffer) + 1;
            size_t kept = len < 511 ? len : 511;
            memcpy(line, link->buffer, kept);
            line[kept] = '\0';
            link->held -= len;
            memmove(link->buffer, end + 1, link->held);
            return;
        }
        size_t room = sizeof(link->buffer) - link->held;
        ssize_t got = link->tls != NULL ? SSL_read(link->tls, link->buffer + link->held, (int)room)
                                        : recv(link->fd, link->buffer + link->held, room, 0);
        if (got <= 0)
            fail("no reply");
        link->held += (size_t)got;
    }
}

static void expect(struct link *link, char digit)
{
    char line[512];
    do {
        read_line(link, line);
        link->pipelines |= strncmp(line + 4, "PIPELINING", 10) == 0;
    } while (line[3] == '-');
    if (line[0] != digit)
        fail(line);
}

static void say(struct link *link, const char *text, char digit)
{
    put(link, text, strlen(text));
    expect(link, digit);
}

/* RFC 4954 §4, RFC 4616. */
static void log_in(struct link *link, const struct load *load)
{
    char plain[512];
    char encoded[700];
    char line[720];
    int len = snprintf(plain, sizeof(plain), "%c%s%c%s", '\0', load->sender, '\0', load->password);
    if (EVP_EncodeBlock((unsigned char *)encoded, (unsigned char *)plain, len) <= 0)
        fail("no password");
    (void)snprintf(line, sizeof(line), "AUTH PLAIN %s\r\n", encoded);
    say(link, line, '2');
}

static void dial(struct link *link, const struct load *load)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)load->port)};
    address.sin_addr = load->host;
    link->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (link->fd < 0 || connect(link->fd, (struct sockaddr *)&address, sizeof(address)) < 0)
        fail("cannot connect");
    int one = 1;
    (void)setsockopt(link->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    expect(link, '2');
    say(link, "EHLO bench.test\r\n", '2');
    if (!load->starttls)
        return;
    say(link, "STARTTLS\r\n", '2');
    link->tls = SSL_new(SSL_CTX_new(TLS_client_method()));
    if (link->tls == NULL || SSL_set_fd(link->tls, link->fd) != 1 || SSL_connect(link->tls) != 1)
        fail("no TLS");
    say(link, "EHLO bench.test\r\n", '2');
    if (load->password != NULL)
        log_in(link, load);
}

/* Text that no server can compress away, in lines of 76. */
static char *make_body(size_t size, int client, const char *sender)
{
    char *body = malloc(size + 512);
    if (body == NULL)
        fail("no memory");
    int at = snprintf(body, 400, "From: <%s>\r\nTo: <user@demo.test>\r\nSubject: load from client %d\r\n\r\n", sender,
                      client);
    unsigned seed = (unsigned)client * 2654435761U + 1;
    while ((size_t)at < size - 2) {
        for (int i = 0; i < 76 && (size_t)at < size - 4; i++) {
            seed = seed * 1664525U + 1013904223U;
            body[at++] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"[seed >> 26];
        }
        body[at++] = '\r';
        body[at++] = '\n';
    }
    (void)snprintf(body + at, 8, ".\r\n");
    return body;
}

/* Lines that start with a dot it has none of. */
static char *read_letter(const struct load *load, int number)
{
    static char letter[65536];
    char path[512];
    (void)snprintf(path, sizeof(path), "%s/%06d", load->folder, number);
    FILE *file = fopen(path, "r");
    size_t len = file == NULL ? 0 : fread(letter, 1, sizeof(letter) - 8, file);
    if (len == 0 || fclose(file) != 0)
        fail(path);
    (void)snprintf(letter + len, 8, ".\r\n");
    return letter;
}

/* Up to where the message may be sent. */
static void begin(struct link *link, const char *sender, const char *recipient)
{
    char line[3][400];
    (void)snprintf(line[0], sizeof(line[0]), "MAIL FROM:<%s>\r\n", sender);
    (void)snprintf(line[1], sizeof(line[1]), "RCPT TO:<%s>\r\n", recipient);
    (void)snprintf(line[2], sizeof(line[2]), "DATA\r\n");
    if (!link->pipelines) {
        for (int i = 0; i < 3; i++)
            say(link, line[i], "223"[i]);
        return;
    }
    char head[1200];
    (void)snprintf(head, sizeof(head), "%s%s%s", line[0], line[1], line[2]);
    put(link, head, strlen(head));
    for (int i = 0; i < 3; i++)
        expect(link, "223"[i]);
}

static void run_client(const struct load *load, int client)
{
    struct link link = {0};
    const char *body = load->folder == NULL ? make_body(load->size, client, load->sender) : NULL;
    size_t length = body == NULL ? 0 : strlen(body);
    dial(&link, load);
    for (int i = client; i < load->messages; i += load->clients) {
        char recipient[300];
        int number = load->first + i % load->recipients;
        if (load->folder != NULL) {
            body = read_letter(load, i);
            length = strlen(body);
        }
        (void)snprintf(recipient, sizeof(recipient), load->domain[0] == '.' ? "bob@%d%s" : "user%d@%s", number,
                       load->domain);
        begin(&link, load->sender, recipient);
        put(&link, body, length);
        expect(&link, '2');
    }
    say(&link, "QUIT\r\n", '2');
    _exit(0);
}

/* False where nobody could do that. */
static bool read_arguments(struct load *load, char **arguments, const char *sender)
{
    const char *port = strchr(arguments[1], ':');
    const char *first = strchr(arguments[6], ':');
    *load = (struct load){.port = atoi(port == NULL ? arguments[1] : port + 1),
                          .host = {.s_addr = htonl(INADDR_LOOPBACK)},
                          .clients = atoi(arguments[2]),
                          .messages = atoi(arguments[3]),
                          .size = strtoul(arguments[4], NULL, 10),
                          .domain = arguments[5],
                          .first = first == NULL ? 0 : atoi(arguments[6]),
                          .recipients = atoi(first == NULL ? arguments[6] : first + 1),
                          .starttls = strcmp(arguments[7], "starttls") == 0};
    load->folder = load->size == 0 ? arguments[4] : NULL;
    char host[64];
    (void)snprintf(host, sizeof(host), "%.*s", (int)(port == NULL ? 0 : port - arguments[1]), arguments[1]);
    if (port != NULL && inet_pton(AF_INET, host, &load->host) != 1)
        return false;
    (void)snprintf(load->sender, sizeof(load->sender), "%s", sender);
    char *colon = strchr(load->sender, ':');
    if (colon != NULL) {
        *colon = '\0';
        load->password = colon + 1;
    }
    return load->clients > 0 && load->recipients > 0;
}

int main(int count, char **arguments)
{
    struct load load;
    if ((count != 8 && count != 9) ||
        !read_arguments(&load, arguments, count == 9 ? arguments[8] : "bench@bench.test")) {
        (void)fprintf(stderr,
                      "usage: deliver [HOST:]PORT CLIENTS MESSAGES SIZE|FOLDER DOMAIN RECIPIENTS clear|starttls "
                      "[SENDER[:PASSWORD]]\n");
        return 2;
    }
    struct timespec start;
    struct timespec end;
    (void)clock_gettime(CLOCK_MONOTONIC, &start);
    for (int i = 0; i < load.clients; i++) {
        pid_t child = fork();
        if (child == 0) {
            (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
            run_client(&load, i);
        }
        if (child < 0)
            fail("cannot fork");
    }
    int failed = 0;
    int status = 0;
    while (wait(&status) > 0)
        failed += status != 0;
    (void)clock_gettime(CLOCK_MONOTONIC, &end);
    (void)printf("%.6f\n", (double)(end.tv_sec - start.tv_sec) + (double)(end.tv_nsec - start.tv_nsec) / 1e9);
    return failed == 0 ? 0 : 1;
}
