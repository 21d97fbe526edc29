#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/ssl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

/*
 * The other side of the world: takes every message over STARTTLS, and forgets it.
 *
 *   sink PORT CERTIFICATE KEY COUNTS
 *
 * COUNTS is a file of 64-bit numbers that tell, while it runs, of the messages taken, their bytes, the connections, the
 * transactions that came without TLS, and the time of the last message (CLOCK_MONOTONIC, nanoseconds).
 */
struct counts {
    atomic_ullong messages;
    atomic_ullong bytes;
    atomic_ullong connections;
    atomic_ullong clear;
    atomic_ullong last;
};

static struct counts *counts;
static SSL_CTX *context;

#define HELD_MAX 65536U

struct peer {
    int fd;
    SSL *tls;
    size_t from;
    size_t to;
    char held[HELD_MAX];
};

static void fail(const char *what)
{
    perror(what);
    exit(1);
}

static int put(struct peer *peer, const char *text)
{
    size_t len = strlen(text);
    return peer->tls != NULL ? SSL_write(peer->tls, text, (int)len) > 0 : send(peer->fd, text, len, MSG_NOSIGNAL) > 0;
}

/* More of what was sent, behind what is held of it. */
static int more(struct peer *peer)
{
    if (peer->from > 0) {
        memmove(peer->held, peer->held + peer->from, peer->to - peer->from);
        peer->to -= peer->from;
        peer->from = 0;
    }
    size_t room = HELD_MAX - peer->to;
    ssize_t got = room == 0           ? 0
                  : peer->tls != NULL ? SSL_read(peer->tls, peer->held + peer->to, (int)room)
                                      : recv(peer->fd, peer->held + peer->to, room, 0);
    if (got <= 0)
        return 0;
    peer->to += (size_t)got;
    return 1;
}

/* A line without its end, which is the next one's beginning at the latest; NULL at the end. */
static char *next_line(struct peer *peer)
{
    char *end;
    while ((end = memchr(peer->held + peer->from, '\n', peer->to - peer->from)) == NULL)
        if (!more(peer))
            return NULL;
    char *line = peer->held + peer->from;
    *end = '\0';
    peer->from = (size_t)(end - peer->held) + 1;
    return line;
}

/* Up to CRLF.CRLF: no message is empty. */
static int take_content(struct peer *peer)
{
    size_t taken = 0;
    for (;;) {
        char *at = peer->held + peer->from;
        size_t len = peer->to - peer->from;
        char *end = memmem(at, len, "\r\n.\r\n", 5);
        if (end != NULL) {
            peer->from += (size_t)(end - at) + 5;
            (void)atomic_fetch_add(&counts->bytes, taken + (size_t)(end - at) + 2);
            return 1;
        }
        size_t kept = len < 4 ? len : 4;
        taken += len - kept;
        peer->from = peer->to - kept;
        if (!more(peer))
            return 0;
    }
}

static int on_data(struct peer *peer)
{
    struct timespec now;
    if (!put(peer, "354 go ahead\r\n") || !take_content(peer))
        return 0;
    (void)atomic_fetch_add(&counts->messages, 1);
    (void)atomic_fetch_add(&counts->clear, peer->tls == NULL);
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    atomic_store(&counts->last, (unsigned long long)now.tv_sec * 1000000000U + (unsigned long long)now.tv_nsec);
    return put(peer, "250 2.0.0 taken\r\n");
}

static int on_starttls(struct peer *peer)
{
    if (peer->tls != NULL || !put(peer, "220 2.0.0 go ahead\r\n"))
        return 0;
    peer->from = peer->to = 0;
    peer->tls = SSL_new(context);
    return peer->tls != NULL && SSL_set_fd(peer->tls, peer->fd) == 1 && SSL_accept(peer->tls) == 1;
}

static int on_ehlo(struct peer *peer)
{
    return put(peer, peer->tls != NULL
                         ? "250-sink.test\r\n250-PIPELINING\r\n250-8BITMIME\r\n250 ENHANCEDSTATUSCODES\r\n"
                         : "250-sink.test\r\n250-PIPELINING\r\n250-8BITMIME\r\n250-STARTTLS\r\n"
                           "250 ENHANCEDSTATUSCODES\r\n");
}

/* False: the connection is to end. */
static int obey(struct peer *peer, const char *line)
{
    if (strncasecmp(line, "DATA", 4) == 0)
        return on_data(peer);
    if (strncasecmp(line, "EHLO", 4) == 0)
        return on_ehlo(peer);
    if (strncasecmp(line, "STARTTLS", 8) == 0)
        return on_starttls(peer);
    if (strncasecmp(line, "QUIT", 4) == 0)
        return put(peer, "221 2.0.0 bye\r\n") && 0;
    return put(peer, "250 2.0.0 ok\r\n");
}

static void *serve(void *arg)
{
    struct peer *peer = arg;
    const char *line;
    int one = 1;
    (void)setsockopt(peer->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    if (put(peer, "220 sink.test ESMTP\r\n"))
        while ((line = next_line(peer)) != NULL && obey(peer, line))
            continue;
    if (peer->tls != NULL)
        (void)SSL_shutdown(peer->tls);
    SSL_free(peer->tls);
    (void)close(peer->fd);
    free(peer);
    return NULL;
}

static void receive(int listener)
{
    pthread_attr_t attributes;
    (void)pthread_attr_init(&attributes);
    (void)pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    (void)pthread_attr_setstacksize(&attributes, 262144);
    for (;;) {
        pthread_t thread;
        struct peer *peer = calloc(1, sizeof(*peer));
        if (peer == NULL)
            fail("memory");
        peer->fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
        if (peer->fd >= 0 && pthread_create(&thread, &attributes, serve, peer) == 0) {
            (void)atomic_fetch_add(&counts->connections, 1);
            continue;
        }
        if (peer->fd >= 0)
            (void)close(peer->fd);
        free(peer);
    }
}

static int listen_at(int port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    int one = 1;
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (listener < 0 || setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) < 0 ||
        bind(listener, (struct sockaddr *)&address, sizeof(address)) < 0 || listen(listener, 1024) < 0)
        fail("listen");
    return listener;
}

int main(int count, char **arguments)
{
    if (count != 5) {
        (void)fprintf(stderr, "usage: sink PORT CERTIFICATE KEY COUNTS\n");
        return 2;
    }
    (void)signal(SIGPIPE, SIG_IGN);
    int fd = open(arguments[4], O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0 || ftruncate(fd, sizeof(*counts)) < 0)
        fail(arguments[4]);
    counts = mmap(NULL, sizeof(*counts), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    context = SSL_CTX_new(TLS_server_method());
    if (counts == MAP_FAILED || context == NULL || SSL_CTX_use_certificate_chain_file(context, arguments[2]) != 1 ||
        SSL_CTX_use_PrivateKey_file(context, arguments[3], SSL_FILETYPE_PEM) != 1)
        fail("set up");
    receive(listen_at(atoi(arguments[1])));
}
