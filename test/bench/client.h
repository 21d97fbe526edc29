#pragma once

#include <openssl/ssl.h>
#include <stddef.h>

/* What the clients of the benchmarks share: a connection that costs next to nothing, and commands run by the thousand.
 */
#define CLIENT_INPUT_SIZE (1U << 20)
#define CLIENT_OUT_SIZE (64U << 20)

struct client {
    int fd;
    SSL *ssl; /* NULL: in clear */
    char *input;
    size_t start;
    size_t end;
    unsigned long long bytes; /* received since client_begin */
    unsigned long long lines;
    char *out;    /* what is to be sent */
    unsigned tag; /* of the last IMAP command */
};

void client_fail(const char *what);
double client_now(void);

/* Connects, with TLS from the first byte where mode is "tls". */
void client_open(struct client *client, const char *host, const char *port, const char *mode);

/* The next line, its end included, valid until the next call; of one above CLIENT_INPUT_SIZE the end alone. */
char *client_read_line(struct client *client, size_t *ret_len);
void client_skip(struct client *client, unsigned long long len);
void client_send(struct client *client, const char *bytes, size_t len);

/*
 * The turn's command, CRLF included: "%u" is the turn, "%L12288%" a message of so many bytes as an IMAP literal that
 * needs no asking (RFC 7888). Returns its length.
 */
size_t client_expand(const char *command, unsigned turn, char *out);

/*
 * Runs a command as often as its "x1000:" says, and prints `seconds bytes lines status command`. run says with 'O' that
 * all of `turns` went well.
 */
typedef char client_run(struct client *client, const char *command, unsigned turns);
void client_measure(struct client *client, const char *command, client_run *run);
