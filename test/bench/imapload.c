/*
 * Measures IMAP commands as a client that costs next to nothing sees them.
 *
 *   imapload HOST PORT clear|tls USER PASSWORD COMMAND...
 *
 * Each COMMAND is sent as it is, and a line `seconds bytes untagged-lines status command` is printed when its tagged
 * answer is there. "xN:COMMAND" is run N times, one after the other, as one measurement; "%u" in it is the turn, from
 * 1 on, and "%L12288%" a message of so many bytes as a literal that needs no asking (RFC 7888).
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <openssl/ssl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define INPUT_SIZE (1U << 20)

struct client {
    int fd;
    SSL *ssl;
    char *input;
    size_t start;
    size_t end;
    unsigned long long bytes;
    unsigned long long lines;
    unsigned tag;
};

static void fail(const char *what)
{
    fprintf(stderr, "imapload: %s: %s\n", what, strerror(errno));
    exit(1);
}

static void fill(struct client *client)
{
    if (client->start > 0) {
        memmove(client->input, client->input + client->start, client->end - client->start);
        client->end -= client->start;
        client->start = 0;
    }
    size_t room = INPUT_SIZE - client->end;
    ssize_t got = client->ssl != NULL ? SSL_read(client->ssl, client->input + client->end, (int)room)
                                      : read(client->fd, client->input + client->end, room);
    if (got <= 0)
        fail("the server has closed the connection");
    client->end += (size_t)got;
    client->bytes += (unsigned long long)got;
}

/* The next line; its literals are passed over by the caller. */
static char *read_line(struct client *client, size_t *ret_len)
{
    size_t seen = 0;
    for (;;) {
        char *at = client->input + client->start;
        size_t len = client->end - client->start;
        char *newline = memchr(at + seen, '\n', len - seen);
        if (newline != NULL) {
            *ret_len = (size_t)(newline - at) + 1;
            client->start += *ret_len;
            return at;
        }
        seen = len;
        if (len == INPUT_SIZE) {
            client->start = client->end = 0; /* a line of more than a mebibyte: only its end matters */
            seen = 0;
        }
        fill(client);
    }
}

static void skip(struct client *client, unsigned long long len)
{
    while (len > 0) {
        if (client->start == client->end)
            fill(client);
        size_t here = client->end - client->start;
        if (here > len)
            here = (size_t)len;
        client->start += here;
        len -= here;
    }
}

static unsigned long long literal_of(const char *line, size_t len)
{
    if (len < 5 || line[len - 3] != '}')
        return 0;
    size_t at = len - 3;
    while (at > 0 && line[at] != '{')
        at--;
    return line[at] == '{' ? strtoull(line + at + 1, NULL, 10) : 0;
}

/* Reads up to the tagged answer; *ret_status: its first letter. */
static void read_answer(struct client *client, const char *tag, char *ret_status)
{
    size_t tag_len = strlen(tag);
    bool fresh = true;
    for (;;) {
        size_t len = 0;
        const char *line = read_line(client, &len);
        if (fresh && len > tag_len + 1 && memcmp(line, tag, tag_len) == 0 && line[tag_len] == ' ') {
            *ret_status = line[tag_len + 1];
            return;
        }
        if (fresh)
            client->lines++;
        unsigned long long literal = literal_of(line, len);
        fresh = literal == 0;
        skip(client, literal);
    }
}

static void send_all(struct client *client, const char *bytes, size_t len)
{
    while (len > 0) {
        ssize_t put = client->ssl != NULL ? SSL_write(client->ssl, bytes, (int)len) : write(client->fd, bytes, len);
        if (put <= 0)
            fail("write");
        bytes += put;
        len -= (size_t)put;
    }
}

static size_t put_literal(char *at, size_t size)
{
    int head = sprintf(at, "{%zu+}\r\n", size);
    int text = sprintf(at + head, "From: a@example.org\r\nTo: b@example.org\r\nSubject: load\r\n\r\n");
    for (size_t i = (size_t)text; i < size; i++)
        at[(size_t)head + i] = i % 76 == 75 ? '\n' : i % 76 == 74 ? '\r' : (char)('a' + i % 26);
    return (size_t)head + size;
}

static size_t expand(const char *command, unsigned turn, const char *tag, char *out)
{
    size_t len = (size_t)sprintf(out, "%s ", tag);
    while (*command != '\0') {
        if (command[0] == '%' && command[1] == 'u') {
            len += (size_t)sprintf(out + len, "%u", turn);
            command += 2;
        } else if (command[0] == '%' && command[1] == 'L') {
            char *after = NULL;
            len += put_literal(out + len, strtoul(command + 2, &after, 10));
            command = after + 1;
        } else {
            out[len++] = *command++;
        }
    }
    memcpy(out + len, "\r\n", 2);
    return len + 2;
}

static char run_one(struct client *client, const char *command, unsigned turn, char *out)
{
    char tag[16];
    char status = '?';
    snprintf(tag, sizeof(tag), "t%u", ++client->tag);
    send_all(client, out, expand(command, turn, tag, out));
    read_answer(client, tag, &status);
    return status;
}

static double now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static void measure(struct client *client, const char *command, char *out)
{
    unsigned turns = 1;
    const char *what = command;
    if (command[0] == 'x') {
        char *after = NULL;
        turns = (unsigned)strtoul(command + 1, &after, 10);
        if (*after == ':')
            what = after + 1;
    }
    client->bytes = 0;
    client->lines = 0;
    char status = '?';
    double begun = now();
    for (unsigned turn = 1; turn <= turns; turn++) {
        status = run_one(client, what, turn, out);
        if (status != 'O')
            break;
    }
    printf("%.4f %llu %llu %s %s\n", now() - begun, client->bytes, client->lines, status == 'O' ? "OK" : "NO", command);
    fflush(stdout);
}

static int dial(const char *host, const char *port)
{
    struct addrinfo *found = NULL;
    struct addrinfo hints = {.ai_family = AF_INET, .ai_socktype = SOCK_STREAM};
    if (getaddrinfo(host, port, &hints, &found) != 0)
        fail(host);
    int fd = socket(found->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || connect(fd, found->ai_addr, found->ai_addrlen) != 0)
        fail("connect");
    freeaddrinfo(found);
    return fd;
}

static SSL *start_tls(int fd)
{
    SSL_CTX *context = SSL_CTX_new(TLS_client_method());
    SSL *ssl = context == NULL ? NULL : SSL_new(context);
    if (ssl == NULL || SSL_set_fd(ssl, fd) != 1 || SSL_connect(ssl) != 1)
        fail("TLS");
    return ssl;
}

int main(int argc, char **argv)
{
    if (argc < 7) {
        fprintf(stderr, "usage: imapload HOST PORT clear|tls USER PASSWORD COMMAND...\n");
        return 2;
    }
    struct client client = {.fd = dial(argv[1], argv[2]), .input = malloc(INPUT_SIZE)};
    char *out = malloc(64U << 20);
    char login[512];
    size_t len = 0;
    if (client.input == NULL || out == NULL)
        fail("memory");
    if (strcmp(argv[3], "tls") == 0)
        client.ssl = start_tls(client.fd);
    (void)read_line(&client, &len); /* the greeting */
    snprintf(login, sizeof(login), "LOGIN \"%s\" \"%s\"", argv[4], argv[5]);
    if (run_one(&client, login, 1, out) != 'O') {
        fprintf(stderr, "imapload: login refused\n");
        return 1;
    }
    for (int i = 6; i < argc; i++)
        measure(&client, argv[i], out);
    return 0;
}
