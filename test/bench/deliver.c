#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/ssl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/*
 * A load of mail: so many concurrent SMTP clients, each its own process, each sending its share of the messages over
 * one connection, MAIL, RCPT and DATA pipelined as mail servers do.
 *
 *   deliver PORT CLIENTS MESSAGES SIZE|FOLDER DOMAIN RECIPIENTS clear|starttls
 *
 * RECIPIENTS is how many, or FIRST:HOW_MANY. Each message has SIZE bytes, or is a file that `letters` wrote into
 * FOLDER. Recipients are user0@DOMAIN, user1@DOMAIN … in turn. Prints the seconds until every message was acknowledged.
 */
struct load {
    int port;
    int clients;
    int messages;
    size_t size;
    const char *folder; /* or NULL */
    const char *domain;
    int first;
    int recipients;
    bool starttls;
};

struct link {
    int fd;
    SSL *tls;
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
    } while (line[3] == '-');
    if (line[0] != digit)
        fail(line);
}

static void say(struct link *link, const char *text, char digit)
{
    put(link, text, strlen(text));
    expect(link, digit);
}

static void dial(struct link *link, const struct load *load)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)load->port)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
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
}

/* Text that no server can compress away, in lines of 76. */
static char *make_body(size_t size, int client)
{
    char *body = malloc(size + 256);
    if (body == NULL)
        fail("no memory");
    int at = snprintf(
        body, 200, "From: <bench@bench.test>\r\nTo: <user@demo.test>\r\nSubject: load from client %d\r\n\r\n", client);
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

static void run_client(const struct load *load, int client)
{
    struct link link = {0};
    const char *body = load->folder == NULL ? make_body(load->size, client) : NULL;
    size_t length = body == NULL ? 0 : strlen(body);
    dial(&link, load);
    for (int i = client; i < load->messages; i += load->clients) {
        char head[512];
        if (load->folder != NULL) {
            body = read_letter(load, i);
            length = strlen(body);
        }
        (void)snprintf(head, sizeof(head), "MAIL FROM:<bench@bench.test>\r\nRCPT TO:<user%d@%s>\r\nDATA\r\n",
                       load->first + i % load->recipients, load->domain);
        put(&link, head, strlen(head));
        expect(&link, '2');
        expect(&link, '2');
        expect(&link, '3');
        put(&link, body, length);
        expect(&link, '2');
    }
    say(&link, "QUIT\r\n", '2');
    _exit(0);
}

int main(int count, char **arguments)
{
    if (count != 8) {
        (void)fprintf(stderr, "usage: deliver PORT CLIENTS MESSAGES SIZE|FOLDER DOMAIN RECIPIENTS clear|starttls\n");
        return 2;
    }
    struct load load = {.port = atoi(arguments[1]), .clients = atoi(arguments[2]), .messages = atoi(arguments[3])};
    load.size = strtoul(arguments[4], NULL, 10);
    load.folder = load.size == 0 ? arguments[4] : NULL;
    load.domain = arguments[5];
    const char *colon = strchr(arguments[6], ':');
    load.first = colon == NULL ? 0 : atoi(arguments[6]);
    load.recipients = atoi(colon == NULL ? arguments[6] : colon + 1);
    load.starttls = strcmp(arguments[7], "starttls") == 0;
    struct timespec start;
    struct timespec end;
    (void)clock_gettime(CLOCK_MONOTONIC, &start);
    for (int i = 0; i < load.clients; i++) {
        pid_t child = fork();
        if (child == 0)
            run_client(&load, i);
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
