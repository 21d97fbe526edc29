#include "tool/transfer/imap-connection.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "base/mem.h"
#include "ipc/transfer.h"

#define PATIENCE_SECONDS 120
#define RESPONSE_MAX ((size_t)TRANSFER_MESSAGE_MAX + 2 * IMAP_RESPONSE_LINE_MAX)
#define READ_SIZE 65536U
#define COMMAND_MAX 65536U
#define CAPABILITIES_MAX 16384U
#define TEXT_SHOWN 200U

struct imap_connection {
    int fd;
    SSL_CTX *context;
    SSL *tls;
    struct buf in;
    size_t used; /* bytes of the response that was lent out last */
    struct buf capabilities;
    unsigned commands;
    const struct imap_url *url;
};

/* --- addresses --- */

static int copy_text(span_t from, char *to, size_t room)
{
    if (from.len == 0 || from.len >= room)
        return -EINVAL;
    memcpy(to, from.at, from.len);
    to[from.len] = '\0';
    return 0;
}

int imap_url_read(const char *text, struct imap_url *ret_url)
{
    struct imap_url url = {.is_tls = true};
    span_t rest = span_of_text(text);
    if (span_starts_nocase(rest, SPAN("imaps://")))
        rest = span_from(rest, 8);
    else if (span_starts_nocase(rest, SPAN("imap://"))) {
        rest = span_from(rest, 7);
        url.is_tls = false;
    } else
        return -EINVAL;
    if (span_ends(rest, SPAN("/")))
        rest.len--;
    size_t at = span_find_last_byte(rest, '@'); /* a user's name may well be an address */
    span_t place = span_from(rest, at + 1);
    if (at >= rest.len || copy_text(span_upto(rest, at), url.user, sizeof(url.user)) < 0)
        return -EINVAL;
    size_t colon = span_find_last_byte(place, ':');
    if (span_find_last_byte(place, ']') < place.len && span_find_last_byte(place, ']') + 1 != colon)
        colon = place.len;
    span_t port = colon < place.len ? span_from(place, colon + 1) : url.is_tls ? SPAN("993") : SPAN("143");
    span_t host = span_upto(place, colon);
    uint64_t number = 0;
    if (host.len > 2 && host.at[0] == '[' && host.at[host.len - 1] == ']')
        host = span_slice(host, 1, host.len - 2);
    if (span_to_u64(port, 65535, &number) < 0 || number == 0 || copy_text(port, url.port, sizeof(url.port)) < 0 ||
        copy_text(host, url.host, sizeof(url.host)) < 0)
        return -EINVAL;
    *ret_url = url;
    return 0;
}

static int connect_one(const struct addrinfo *address, int *ret_fd)
{
    AUTO_FD int fd = socket(address->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -errno;
    struct timeval patience = {.tv_sec = PATIENCE_SECONDS};
    (void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
    (void)setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
    if (connect(fd, address->ai_addr, address->ai_addrlen) < 0)
        return -errno;
    *ret_fd = TAKE_FD(fd);
    return 0;
}

static int connect_any(struct imap_connection *connection)
{
    const struct imap_url *url = connection->url;
    struct addrinfo *found = NULL;
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
    int resolved = getaddrinfo(url->host, url->port, &hints, &found);
    if (resolved != 0)
        return terminal_fail("cannot find the server %s: %s", url->host, gai_strerror(resolved));
    int result = -EHOSTUNREACH;
    for (const struct addrinfo *at = found; result < 0 && at != NULL && !transfer_stopped; at = at->ai_next)
        result = connect_one(at, &connection->fd);
    freeaddrinfo(found);
    return result < 0 ? terminal_fail("cannot connect to %s port %s: %s", url->host, url->port, strerror(-result)) : 0;
}

/* --- bytes --- */

static int fail_lost(const struct imap_connection *connection, const char *why)
{
    if (transfer_stopped)
        return 1;
    return terminal_fail("the connection to %s is lost: %s", connection->url->host, why);
}

static const char *why_not(const struct imap_connection *connection, int result)
{
    int kind = connection->tls != NULL ? SSL_get_error(connection->tls, result) : SSL_ERROR_SYSCALL;
    if (kind == SSL_ERROR_ZERO_RETURN || (result == 0 && connection->tls == NULL))
        return "the server has closed it";
    if (kind == SSL_ERROR_SSL)
        return ERR_reason_error_string(ERR_get_error());
    return errno == 0 ? "the server has closed it" : errno == EAGAIN ? "no answer in two minutes" : strerror(errno);
}

static int read_more(struct imap_connection *connection)
{
    uint8_t *at = NULL;
    if (buf_reserve(&connection->in, READ_SIZE, &at) < 0)
        return fail_lost(connection, "the server says too much at once");
    for (;;) {
        errno = 0;
        ERR_clear_error();
        int got = connection->tls != NULL ? SSL_read(connection->tls, at, (int)READ_SIZE)
                                          : (int)recv(connection->fd, at, READ_SIZE, 0);
        if (got > 0) {
            buf_commit(&connection->in, (size_t)got);
            return 0;
        }
        if (got < 0 && errno == EINTR && !transfer_stopped)
            continue;
        return fail_lost(connection, why_not(connection, got));
    }
}

static int send_bytes(struct imap_connection *connection, span_t bytes)
{
    while (bytes.len > 0) {
        errno = 0;
        ERR_clear_error();
        int put = connection->tls != NULL ? SSL_write(connection->tls, bytes.at, (int)bytes.len)
                                          : (int)send(connection->fd, bytes.at, bytes.len, MSG_NOSIGNAL);
        if (put <= 0 && errno == EINTR && !transfer_stopped)
            continue;
        if (put <= 0)
            return fail_lost(connection, why_not(connection, put));
        bytes = span_from(bytes, (size_t)put);
    }
    return 0;
}

/* --- responses --- */

static int next_response(struct imap_connection *connection, struct imap_response *ret_response)
{
    size_t len = 0;
    buf_consume(&connection->in, connection->used);
    connection->used = 0;
    for (;;) {
        int result = imap_response_measure(buf_span(&connection->in), RESPONSE_MAX, &len);
        if (result == IMAP_RESPONSE_WHOLE)
            break;
        if (result < 0)
            return terminal_fail("the server %s says more at once than is taken: a message longer than %llu bytes?",
                                 connection->url->host, (unsigned long long)TRANSFER_MESSAGE_MAX);
        do
            result = read_more(connection);
        while (result == 0 && buf_len(&connection->in) < len);
        if (result != 0)
            return result;
    }
    connection->used = len;
    if (imap_response_read(span_upto(buf_span(&connection->in), len), ret_response) < 0)
        return terminal_fail("%s port %s does not speak IMAP", connection->url->host, connection->url->port);
    return 0;
}

static void note_capabilities(struct imap_connection *connection, span_t words)
{
    buf_clear(&connection->capabilities);
    (void)buf_append(&connection->capabilities, words);
}

static void look_for_capabilities(struct imap_connection *connection, const struct imap_response *response)
{
    if (span_equal_nocase(response->word, SPAN("CAPABILITY")))
        note_capabilities(connection, response->rest);
    else if (span_starts_nocase(response->code, SPAN("CAPABILITY ")))
        note_capabilities(connection, span_from(response->code, 11));
}

bool imap_can(const struct imap_connection *connection, span_t capability)
{
    return imap_response_has(buf_span(&connection->capabilities), capability);
}

bool imap_connection_is_tls(const struct imap_connection *connection)
{
    return connection->tls != NULL;
}

/* --- commands --- */

struct doing {
    imap_untagged *on_untagged;
    imap_continue *next;
    void *arg;
    char tag[16];
};

static int answer(struct imap_connection *connection, const struct doing *doing, span_t challenge)
{
    AUTO_BUF struct buf line;
    buf_init(&line, COMMAND_MAX);
    int result = doing->next == NULL ? -EPROTO : doing->next(doing->arg, challenge, &line);
    if (result == 0)
        result = buf_append(&line, SPAN("\r\n"));
    if (result < 0)
        return terminal_fail("the server %s asks for what it must not", connection->url->host);
    result = send_bytes(connection, buf_span(&line));
    explicit_bzero(line.bytes, line.room);
    return result;
}

static int until_answered(struct imap_connection *connection, const struct doing *doing,
                          struct imap_response *ret_response)
{
    for (;;) {
        struct imap_response response;
        int result = next_response(connection, &response);
        if (result != 0)
            return result;
        look_for_capabilities(connection, &response);
        if (response.kind == IMAP_CONTINUE)
            result = answer(connection, doing, response.rest);
        else if (response.kind == IMAP_UNTAGGED && span_equal_nocase(response.word, SPAN("BYE")))
            result = terminal_fail("the server %s says goodbye: %.*s", connection->url->host,
                                   SPAN_PRINT(span_upto(response.rest, TEXT_SHOWN)));
        else if (response.kind == IMAP_UNTAGGED)
            result = doing->on_untagged == NULL ? 0 : doing->on_untagged(doing->arg, &response);
        else if (span_equal(response.tag, span_of_text(doing->tag))) {
            *ret_response = response;
            return 0;
        }
        if (result != 0)
            return result;
    }
}

static int do_command(struct imap_connection *connection, span_t text, struct doing *doing,
                      struct imap_response *ret_response)
{
    AUTO_BUF struct buf line;
    buf_init(&line, COMMAND_MAX);
    (void)snprintf(doing->tag, sizeof(doing->tag), "w%u", ++connection->commands);
    (void)buf_append_format(&line, "%s ", doing->tag);
    (void)buf_append(&line, text);
    (void)buf_append(&line, SPAN("\r\n"));
    if (buf_fault(&line) < 0)
        return terminal_fail("a command for %s is too long", connection->url->host);
    int result = send_bytes(connection, buf_span(&line));
    explicit_bzero(line.bytes, line.room);
    return result != 0 ? result : until_answered(connection, doing, ret_response);
}

int imap_do(struct imap_connection *connection, span_t text, imap_untagged *on_untagged, void *arg,
            struct imap_response *ret_response)
{
    struct doing doing = {.on_untagged = on_untagged, .arg = arg};
    return do_command(connection, text, &doing, ret_response);
}

int imap_do_asked(struct imap_connection *connection, span_t text, imap_continue *next, void *arg,
                  struct imap_response *ret_response)
{
    struct doing doing = {.next = next, .arg = arg};
    return do_command(connection, text, &doing, ret_response);
}

/* --- TLS --- */

static bool is_address(const char *host)
{
    uint8_t parsed[sizeof(struct in6_addr)];
    return inet_pton(AF_INET, host, parsed) == 1 || inet_pton(AF_INET6, host, parsed) == 1;
}

static int prepare_tls(struct imap_connection *connection, bool insecure)
{
    char host[sizeof(connection->url->host)]; /* a copy: OpenSSL's macro takes no const */
    memcpy(host, connection->url->host, sizeof(host));
    connection->context = SSL_CTX_new(TLS_client_method());
    if (connection->context == NULL || SSL_CTX_set_default_verify_paths(connection->context) != 1 ||
        SSL_CTX_set_min_proto_version(connection->context, TLS1_2_VERSION) != 1)
        return terminal_fail("cannot set up TLS");
    SSL_CTX_set_verify(connection->context, insecure ? SSL_VERIFY_NONE : SSL_VERIFY_PEER, NULL);
    connection->tls = SSL_new(connection->context);
    bool set = connection->tls != NULL && SSL_set_fd(connection->tls, connection->fd) == 1;
    if (set && is_address(host))
        set = X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(connection->tls), host) == 1;
    else if (set)
        set = SSL_set1_host(connection->tls, host) == 1 && SSL_set_tlsext_host_name(connection->tls, host) == 1;
    return set ? 0 : terminal_fail("cannot set up TLS");
}

static int start_tls(struct imap_connection *connection, bool insecure)
{
    if (prepare_tls(connection, insecure) != 0)
        return 1;
    errno = 0;
    ERR_clear_error();
    int result = SSL_connect(connection->tls);
    if (result == 1)
        return 0;
    long verified = SSL_get_verify_result(connection->tls);
    if (!insecure && verified != X509_V_OK)
        return terminal_fail("the certificate of %s is not to be trusted: %s; --insecure to take it as it is",
                             connection->url->host, X509_verify_cert_error_string(verified));
    return terminal_fail("no TLS with %s port %s: %s", connection->url->host, connection->url->port,
                         why_not(connection, result));
}

/* RFC 3501 §6.2.1: what was said in clear, capabilities and what stands behind the answer, is forgotten. */
static int upgrade(struct imap_connection *connection, bool insecure)
{
    struct imap_response response;
    if (!imap_can(connection, SPAN("STARTTLS"))) {
        if (insecure)
            return 0;
        return terminal_fail("%s offers no TLS on port %s; --insecure to send the password and the mail in clear",
                             connection->url->host, connection->url->port);
    }
    int result = imap_do(connection, SPAN("STARTTLS"), NULL, NULL, &response);
    if (result != 0)
        return result;
    if (!span_equal_nocase(response.word, SPAN("OK")))
        return terminal_fail("%s refuses TLS: %.*s", connection->url->host, SPAN_PRINT(response.rest));
    if (buf_len(&connection->in) > connection->used)
        return terminal_fail("%s speaks in clear where TLS was to begin", connection->url->host);
    buf_clear(&connection->in);
    connection->used = 0;
    buf_clear(&connection->capabilities);
    return start_tls(connection, insecure);
}

static int greet(struct imap_connection *connection)
{
    struct imap_response greeting;
    int result = next_response(connection, &greeting);
    if (result != 0)
        return result;
    if (greeting.kind != IMAP_UNTAGGED || !span_equal_nocase(greeting.word, SPAN("OK")))
        return terminal_fail("%s does not want us: %.*s", connection->url->host,
                             SPAN_PRINT(span_upto(greeting.rest, TEXT_SHOWN)));
    look_for_capabilities(connection, &greeting);
    return 0;
}

static int ask_capabilities(struct imap_connection *connection)
{
    struct imap_response response;
    if (buf_len(&connection->capabilities) > 0)
        return 0;
    return imap_do(connection, SPAN("CAPABILITY"), NULL, NULL, &response);
}

int imap_connect(const struct imap_url *url, bool insecure, struct imap_connection **ret_connection)
{
    struct imap_connection *connection = mem_new(sizeof(*connection));
    if (connection == NULL)
        return terminal_fail("out of memory");
    *connection = (struct imap_connection){.fd = -1, .url = url};
    buf_init(&connection->in, RESPONSE_MAX + READ_SIZE);
    buf_init(&connection->capabilities, CAPABILITIES_MAX);
    *ret_connection = connection;
    int result = connect_any(connection);
    if (result == 0 && url->is_tls)
        result = start_tls(connection, insecure);
    if (result == 0)
        result = greet(connection);
    if (result == 0)
        result = ask_capabilities(connection);
    if (result == 0 && !url->is_tls)
        result = upgrade(connection, insecure);
    return result == 0 ? ask_capabilities(connection) : result;
}

void imap_connection_free(struct imap_connection *connection)
{
    if (connection == NULL)
        return;
    SSL_free(connection->tls);
    SSL_CTX_free(connection->context);
    scope_close(&connection->fd);
    buf_deinit(&connection->in);
    buf_deinit(&connection->capabilities);
    free(connection);
}
