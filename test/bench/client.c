#include "client.h"

#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

void client_fail(const char *what)
{
    (void)fprintf(stderr, "%s: %s\n", what, errno != 0 ? strerror(errno) : "not as expected");
    exit(1);
}

double client_now(void)
{
    struct timespec time;
    (void)clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static void fill(struct client *client)
{
    if (client->start > 0) {
        memmove(client->input, client->input + client->start, client->end - client->start);
        client->end -= client->start;
        client->start = 0;
    }
    size_t room = CLIENT_INPUT_SIZE - client->end;
    ssize_t got = client->ssl != NULL ? SSL_read(client->ssl, client->input + client->end, (int)room)
                                      : read(client->fd, client->input + client->end, room);
    if (got <= 0)
        client_fail("the server has closed the connection");
    client->end += (size_t)got;
    client->bytes += (unsigned long long)got;
}

char *client_read_line(struct client *client, size_t *ret_len)
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
        if (len == CLIENT_INPUT_SIZE) {
            client->start = client->end = 0; /* a line of more than a mebibyte: only its end matters */
            seen = 0;
        }
        fill(client);
    }
}

void client_skip(struct client *client, unsigned long long len)
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

void client_send(struct client *client, const char *bytes, size_t len)
{
    while (len > 0) {
        ssize_t put = client->ssl != NULL ? SSL_write(client->ssl, bytes, (int)len) : write(client->fd, bytes, len);
        if (put <= 0)
            client_fail("write");
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

static int dial(const char *host, const char *port)
{
    struct addrinfo *found = NULL;
    struct addrinfo hints = {.ai_family = AF_INET, .ai_socktype = SOCK_STREAM};
    if (getaddrinfo(host, port, &hints, &found) != 0)
        client_fail(host);
    int fd = socket(found->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || connect(fd, found->ai_addr, found->ai_addrlen) != 0)
        client_fail("connect");
    freeaddrinfo(found);
    return fd;
}

static SSL *start_tls(int fd)
{
    SSL_CTX *context = SSL_CTX_new(TLS_client_method());
    SSL *ssl = context == NULL ? NULL : SSL_new(context);
    if (ssl == NULL || SSL_set_fd(ssl, fd) != 1 || SSL_connect(ssl) != 1)
        client_fail("TLS");
    return ssl;
}

void client_open(struct client *client, const char *host, const char *port, const char *mode)
{
    *client = (struct client){.input = malloc(CLIENT_INPUT_SIZE), .out = malloc(CLIENT_OUT_SIZE)};
    if (client->input == NULL || client->out == NULL)
        client_fail("memory");
    client->fd = dial(host, port);
    if (strcmp(mode, "tls") == 0)
        client->ssl = start_tls(client->fd);
}

size_t client_expand(const char *command, unsigned turn, char *out)
{
    size_t len = 0;
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

void client_measure(struct client *client, const char *command, client_run *run)
{
    unsigned turns = 1;
    const char *what = command;
    if (command[0] == 'x') {
        char *after = NULL;
        unsigned long wanted = strtoul(command + 1, &after, 10);
        if (*after == ':') {
            turns = (unsigned)wanted;
            what = after + 1;
        }
    }
    client->bytes = 0;
    client->lines = 0;
    double begun = client_now();
    char status = run(client, what, turns);
    printf("%.4f %llu %llu %s %s\n", client_now() - begun, client->bytes, client->lines, status == 'O' ? "OK" : "NO",
           command);
    (void)fflush(stdout);
}
