#include "rt/stream.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/result.h"
#include "rt/task.h"
#include "rt/watch.h"

#define BINDING_LABEL "EXPORTER-Channel-Binding"

struct stream {
    struct loop *loop;
    struct watch *watch; /* from the first wait on: a short body needs none */
    SSL *ssl;
    struct buf input;
    struct buf output;
    int fd;
    bool is_ended;  /* the peer's side */
    bool has_marks; /* they are looked for */
    bool is_marked; /* one stands behind what was read */
};

/* What one attempt of I/O came to, besides bytes or a negative errno. */
enum { IO_END = 0, IO_WAIT_READ = -10001, IO_WAIT_WRITE = -10002 };

static int make_nonblocking(int fd)
{
    int flags = fcntl(fd, F_GETFL);
    if (flags < 0 || ((flags & O_NONBLOCK) == 0 && fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0))
        return -errno;
    return 0;
}

int stream_new(struct loop *loop, int fd, struct stream **ret_stream)
{
    AUTO_FD int owned = fd;
    AUTO_FREE struct stream *stream = mem_new(sizeof(*stream));
    if (stream == NULL)
        return -ENOMEM;
    int result = make_nonblocking(fd);
    if (result < 0)
        return result;
    stream->loop = loop;
    stream->fd = TAKE_FD(owned);
    buf_init(&stream->input, STREAM_CHUNK);
    buf_init(&stream->output, STREAM_CHUNK);
    *ret_stream = TAKE(stream);
    return 0;
}

void stream_free(struct stream *stream)
{
    if (stream == NULL)
        return;
    watch_free(stream->watch);
    SSL_free(stream->ssl);
    (void)close(stream->fd);
    buf_deinit(&stream->input);
    buf_deinit(&stream->output);
    free(stream);
}

int stream_fd(const struct stream *stream)
{
    return stream->fd;
}

/* One attempt. */

static ssize_t tls_outcome(SSL *ssl, int returned, int fault)
{
    switch (SSL_get_error(ssl, returned)) {
    case SSL_ERROR_WANT_READ:
        return IO_WAIT_READ;
    case SSL_ERROR_WANT_WRITE:
        return IO_WAIT_WRITE;
    case SSL_ERROR_ZERO_RETURN:
        return IO_END;
    case SSL_ERROR_SYSCALL:
        return fault != 0 ? -fault : -ECONNRESET;
    default:
        return -EPROTO;
    }
}

/*
 * A mark is a byte that comes with a descriptor. What it is of does not matter and it is not taken: there is no room
 * for it, so the kernel drops it, and says so (recvmsg(2), MSG_CTRUNC). It hands out nothing from behind such a byte
 * with it.
 */
static ssize_t read_to_mark(struct stream *stream, void *at, size_t room)
{
    struct iovec part = {.iov_base = at, .iov_len = room};
    struct msghdr head = {.msg_iov = &part, .msg_iovlen = 1};
    ssize_t got = recvmsg(stream->fd, &head, 0);
    stream->is_marked = got > 0 && (head.msg_flags & MSG_CTRUNC) != 0;
    return stream->is_marked ? got - 1 : got;
}

static ssize_t try_read(struct stream *stream, void *at, size_t room)
{
    if (stream->ssl != NULL) {
        size_t got = 0;
        ERR_clear_error();
        errno = 0;
        int returned = SSL_read_ex(stream->ssl, at, room, &got);
        return returned == 1 ? (ssize_t)got : tls_outcome(stream->ssl, returned, errno);
    }
    for (;;) {
        ssize_t got = stream->has_marks ? read_to_mark(stream, at, room) : read(stream->fd, at, room);
        if (got >= 0)
            return got;
        if (errno != EINTR)
            return errno == EAGAIN ? IO_WAIT_READ : -errno;
    }
}

static ssize_t try_write(struct stream *stream, span_t bytes)
{
    if (stream->ssl != NULL) {
        size_t put = 0;
        ERR_clear_error();
        errno = 0;
        int returned = SSL_write_ex(stream->ssl, bytes.at, bytes.len, &put);
        ssize_t result = returned == 1 ? (ssize_t)put : tls_outcome(stream->ssl, returned, errno);
        return result == IO_END ? -EPIPE : result;
    }
    for (;;) {
        ssize_t put = write(stream->fd, bytes.at, bytes.len);
        if (put >= 0)
            return put;
        if (errno != EINTR)
            return errno == EAGAIN ? IO_WAIT_WRITE : -errno;
    }
}

/* Time. */

static int64_t deadline_of(const struct stream *stream, int64_t timeout_ms)
{
    return timeout_ms < 0 ? FOREVER : loop_now(stream->loop) + timeout_ms;
}

static int need_watch(struct stream *stream)
{
    return stream->watch == NULL ? watch_new(stream->loop, stream->fd, &stream->watch) : 0;
}

int stream_call(struct stream *stream, unsigned what, stream_function *function, void *arg)
{
    int result = need_watch(stream);
    return result < 0 ? result : watch_call(stream->watch, what, function, arg);
}

static int wait_for(struct task *task, struct stream *stream, ssize_t outcome, int64_t deadline)
{
    int64_t left = deadline;
    if (deadline >= 0) {
        left = deadline - loop_now(stream->loop);
        if (left <= 0)
            return -ETIMEDOUT;
    }
    int result = need_watch(stream);
    if (result < 0)
        return result;
    return watch_wait(task, stream->watch, outcome == IO_WAIT_WRITE ? WATCH_WRITE : WATCH_READ, left);
}

/* Reading. */

span_t stream_input(const struct stream *stream)
{
    return buf_span(&stream->input);
}

void stream_consume(struct stream *stream, size_t len)
{
    buf_consume(&stream->input, len);
}

bool stream_has_buffered(const struct stream *stream)
{
    return buf_len(&stream->input) > 0 || (stream->ssl != NULL && SSL_has_pending(stream->ssl) == 1);
}

static int fill_until(struct task *task, struct stream *stream, size_t max, int64_t deadline)
{
    struct buf *input = &stream->input;
    assert(!stream->has_marks);
    for (;;) {
        if (stream->is_ended)
            return STREAM_END;
        size_t len = buf_len(input);
        if (len >= max)
            return -ENOBUFS;
        size_t room = max - len < STREAM_BULK ? max - len : STREAM_BULK;
        input->max = max;
        uint8_t *at = NULL;
        int result = buf_reserve(input, room, &at);
        if (result < 0)
            return result;
        ssize_t got = try_read(stream, at, room);
        if (got > 0) {
            buf_commit(input, (size_t)got);
            return STREAM_OK;
        }
        buf_release(input);
        if (got == IO_END)
            stream->is_ended = true;
        else if (got != IO_WAIT_READ && got != IO_WAIT_WRITE)
            return (int)got;
        else if ((result = wait_for(task, stream, got, deadline)) < 0)
            return result;
    }
}

int stream_fill(struct task *task, struct stream *stream, size_t max, int64_t timeout_ms)
{
    return fill_until(task, stream, max, deadline_of(stream, timeout_ms));
}

int stream_read(struct task *task, struct stream *stream, void *at, size_t room, int64_t timeout_ms, size_t *ret_len)
{
    int64_t deadline = deadline_of(stream, timeout_ms);
    span_t input = span_upto(stream_input(stream), room);
    if (input.len > 0) {
        memcpy(at, input.at, input.len);
        stream_consume(stream, input.len);
        *ret_len = input.len;
        return STREAM_OK;
    }
    buf_release(&stream->input);
    while (!stream->is_ended) {
        if (stream->is_marked) {
            stream->is_marked = false;
            return STREAM_MARK;
        }
        ssize_t got = try_read(stream, at, room);
        if (got > 0) {
            *ret_len = (size_t)got;
            return STREAM_OK;
        }
        int result = 0;
        if (stream->is_marked)
            continue;
        if (got == IO_END)
            stream->is_ended = true;
        else if (got != IO_WAIT_READ && got != IO_WAIT_WRITE)
            return (int)got;
        else if ((result = wait_for(task, stream, got, deadline)) < 0)
            return result;
    }
    return STREAM_END;
}

int stream_read_parts(struct task *task, struct stream *stream, const struct iovec *parts, int count,
                      int64_t timeout_ms, size_t *ret_len)
{
    assert(stream->ssl == NULL && buf_len(&stream->input) == 0);
    int64_t deadline = deadline_of(stream, timeout_ms);
    while (!stream->is_ended) {
        ssize_t got = readv(stream->fd, parts, count);
        if (got > 0) {
            *ret_len = (size_t)got;
            return STREAM_OK;
        }
        stream->is_ended = got == 0;
        if (got == 0 || errno == EINTR)
            continue;
        if (errno != EAGAIN)
            return -errno;
        int result = wait_for(task, stream, IO_WAIT_READ, deadline);
        if (result < 0)
            return result;
    }
    return STREAM_END;
}

/* Drops input up to and with the next CRLF. */
static int skip_line(struct task *task, struct stream *stream, int64_t deadline)
{
    for (size_t skipped = 0; skipped < STREAM_SKIP_MAX;) {
        span_t input = stream_input(stream);
        size_t end = span_find(input, SPAN("\r\n"));
        if (end < input.len) {
            stream_consume(stream, end + 2);
            return STREAM_TOO_LONG;
        }
        size_t drop = input.len > 0 && input.at[input.len - 1] == '\r' ? input.len - 1 : input.len;
        stream_consume(stream, drop);
        skipped += drop;
        int result = fill_until(task, stream, STREAM_CHUNK, deadline);
        if (result != STREAM_OK)
            return result;
    }
    return -EMSGSIZE;
}

int stream_read_line(struct task *task, struct stream *stream, size_t max, int64_t timeout_ms, span_t *ret_line)
{
    int64_t deadline = deadline_of(stream, timeout_ms);
    for (size_t seen = 0;;) {
        span_t input = stream_input(stream);
        span_t head = span_upto(input, max);
        size_t from = seen > 0 ? seen - 1 : 0; /* a CR may have been the last byte */
        size_t at = from + span_find(span_from(head, from), SPAN("\r\n"));
        if (at < head.len) {
            *ret_line = span_upto(input, at + 2);
            stream_consume(stream, at + 2);
            return STREAM_OK;
        }
        if (input.len >= max)
            return skip_line(task, stream, deadline);
        seen = input.len;
        int result = fill_until(task, stream, max > STREAM_CHUNK ? max : STREAM_CHUNK, deadline);
        if (result != STREAM_OK)
            return result;
    }
}

/* Writing. */

static int write_all(struct task *task, struct stream *stream, span_t bytes, int64_t deadline)
{
    while (bytes.len > 0) {
        ssize_t put = try_write(stream, bytes);
        if (put >= 0) {
            bytes = span_from(bytes, (size_t)put);
            continue;
        }
        if (put != IO_WAIT_READ && put != IO_WAIT_WRITE)
            return (int)put;
        int result = wait_for(task, stream, put, deadline);
        if (result < 0)
            return result;
    }
    return 0;
}

static int flush_until(struct task *task, struct stream *stream, int64_t deadline)
{
    int result = write_all(task, stream, buf_span(&stream->output), deadline);
    buf_clear(&stream->output); /* after a fault the connection is of no use any more */
    buf_release(&stream->output);
    return result;
}

int stream_write(struct task *task, struct stream *stream, span_t bytes, int64_t timeout_ms)
{
    int64_t deadline = deadline_of(stream, timeout_ms);
    while (bytes.len > 0) {
        size_t held = buf_len(&stream->output);
        if (held == 0 && bytes.len >= STREAM_CHUNK)
            return write_all(task, stream, bytes, deadline);
        span_t part = span_upto(bytes, STREAM_CHUNK - held);
        int result = buf_append(&stream->output, part);
        if (result < 0)
            return result;
        bytes = span_from(bytes, part.len);
        if (held + part.len == STREAM_CHUNK && (result = flush_until(task, stream, deadline)) < 0)
            return result;
    }
    return 0;
}

int stream_write_text(struct task *task, struct stream *stream, const char *text, int64_t timeout_ms)
{
    return stream_write(task, stream, span_of_text(text), timeout_ms);
}

int stream_flush(struct task *task, struct stream *stream, int64_t timeout_ms)
{
    return flush_until(task, stream, deadline_of(stream, timeout_ms));
}

static int parts_advance(struct iovec **parts, int count, size_t done)
{
    for (; count > 0 && done >= (*parts)->iov_len; count--)
        done -= (*parts)++->iov_len;
    if (count > 0) {
        (*parts)->iov_base = (uint8_t *)(*parts)->iov_base + done;
        (*parts)->iov_len -= done;
    }
    return count;
}

int stream_write_parts(struct task *task, struct stream *stream, struct iovec *parts, int count, int64_t timeout_ms)
{
    assert(stream->ssl == NULL);
    int64_t deadline = deadline_of(stream, timeout_ms);
    int result = flush_until(task, stream, deadline);
    count = parts_advance(&parts, count, 0);
    while (result == 0 && count > 0) {
        ssize_t put = writev(stream->fd, parts, count);
        if (put >= 0)
            count = parts_advance(&parts, count, (size_t)put);
        else if (errno == EAGAIN)
            result = wait_for(task, stream, IO_WAIT_WRITE, deadline);
        else if (errno != EINTR)
            result = -errno;
    }
    return result;
}

void stream_expect_marks(struct stream *stream)
{
    assert(stream->ssl == NULL && buf_len(&stream->input) == 0);
    stream->has_marks = true;
}

static ssize_t send_mark(const struct stream *stream, int token)
{
    static uint8_t byte = 0;
    union {
        struct cmsghdr head;
        uint8_t room[CMSG_SPACE(sizeof(int))];
    } control = {0};
    struct iovec part = {.iov_base = &byte, .iov_len = sizeof(byte)};
    struct msghdr head = {
        .msg_iov = &part, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof(control)};
    struct cmsghdr *first = CMSG_FIRSTHDR(&head);
    first->cmsg_level = SOL_SOCKET;
    first->cmsg_type = SCM_RIGHTS;
    first->cmsg_len = CMSG_LEN(sizeof(int));
    memcpy(CMSG_DATA(first), &token, sizeof(int));
    return sendmsg(stream->fd, &head, MSG_NOSIGNAL);
}

int stream_write_mark(struct task *task, struct stream *stream, int64_t timeout_ms)
{
    assert(stream->ssl == NULL);
    int64_t deadline = deadline_of(stream, timeout_ms);
    AUTO_FD int token = eventfd(0, EFD_CLOEXEC);
    if (token < 0)
        return -errno;
    int result = flush_until(task, stream, deadline);
    while (result == 0 && send_mark(stream, token) < 0) {
        if (errno == EAGAIN)
            result = wait_for(task, stream, IO_WAIT_WRITE, deadline);
        else if (errno != EINTR)
            result = -errno;
    }
    return result;
}

void stream_say_now(struct stream *stream, span_t text)
{
    if (stream->ssl != NULL && SSL_is_init_finished(stream->ssl) != 1)
        return;
    if (try_write(stream, text) != (ssize_t)text.len || stream->ssl == NULL)
        return;
    ERR_clear_error();
    (void)SSL_shutdown(stream->ssl);
}

int stream_shutdown(struct task *task, struct stream *stream, int64_t timeout_ms)
{
    int result = stream_flush(task, stream, timeout_ms);
    if (result < 0)
        return result;
    if (stream->ssl != NULL) {
        ERR_clear_error();
        (void)SSL_shutdown(stream->ssl);
    }
    if (shutdown(stream->fd, SHUT_WR) < 0 && errno != ENOTSOCK)
        return -errno;
    return 0;
}

/* TLS. */

static int shake_hands(struct task *task, struct stream *stream, int (*shake)(SSL *ssl), int64_t deadline)
{
    SSL *ssl = stream->ssl;
    for (;;) {
        ERR_clear_error();
        errno = 0;
        int returned = shake(ssl);
        if (returned == 1)
            return 0;
        ssize_t outcome = tls_outcome(ssl, returned, errno);
        if (outcome == IO_END)
            return -ECONNRESET;
        if (outcome != IO_WAIT_READ && outcome != IO_WAIT_WRITE)
            return (int)outcome;
        int result = wait_for(task, stream, outcome, deadline);
        if (result < 0)
            return result;
    }
}

int stream_start_tls_server(struct task *task, struct stream *stream, struct tls_server *server, int64_t timeout_ms)
{
    int64_t deadline = deadline_of(stream, timeout_ms);
    int result = flush_until(task, stream, deadline);
    if (result < 0)
        return result;
    SSL *ssl = SSL_new(tls_server_context(server));
    if (ssl == NULL || SSL_set_fd(ssl, stream->fd) != 1) {
        SSL_free(ssl);
        return -ENOMEM;
    }
    stream->ssl = ssl;
    return shake_hands(task, stream, SSL_accept, deadline);
}

int stream_start_tls_client(struct task *task, struct stream *stream, struct tls_client *client,
                            const struct tls_demand *demand, int64_t timeout_ms)
{
    int64_t deadline = deadline_of(stream, timeout_ms);
    SSL *ssl = NULL;
    int result = flush_until(task, stream, deadline);
    if (result == 0)
        result = tls_client_begin(client, demand, &ssl);
    if (result < 0)
        return result;
    if (SSL_set_fd(ssl, stream->fd) != 1) {
        SSL_free(ssl);
        return -ENOMEM;
    }
    stream->ssl = ssl;
    return shake_hands(task, stream, SSL_connect, deadline);
}

const char *stream_tls_trouble(const struct stream *stream)
{
    long verdict = stream->ssl == NULL ? X509_V_OK : SSL_get_verify_result(stream->ssl);
    return verdict == X509_V_OK ? "" : X509_verify_cert_error_string(verdict);
}

enum stream_tls_problem stream_tls_problem(const struct stream *stream)
{
    static const struct {
        long verdict;
        enum stream_tls_problem problem;
    } rows[] = {
        {X509_V_OK, STREAM_TLS_FINE},
        {X509_V_ERR_CERT_HAS_EXPIRED, STREAM_TLS_EXPIRED},
        {X509_V_ERR_CERT_NOT_YET_VALID, STREAM_TLS_EXPIRED},
        {X509_V_ERR_HOSTNAME_MISMATCH, STREAM_TLS_NAME},
        {X509_V_ERR_DANE_NO_MATCH, STREAM_TLS_RECORDS},
        {X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT, STREAM_TLS_UNTRUSTED},
        {X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN, STREAM_TLS_UNTRUSTED},
        {X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT, STREAM_TLS_UNTRUSTED},
        {X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY, STREAM_TLS_UNTRUSTED},
        {X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE, STREAM_TLS_UNTRUSTED},
        {X509_V_ERR_CERT_UNTRUSTED, STREAM_TLS_UNTRUSTED},
        {X509_V_ERR_CERT_REJECTED, STREAM_TLS_UNTRUSTED},
        {X509_V_ERR_INVALID_CA, STREAM_TLS_UNTRUSTED},
        {X509_V_ERR_CERT_CHAIN_TOO_LONG, STREAM_TLS_UNTRUSTED},
    };
    long verdict = stream->ssl == NULL ? X509_V_OK : SSL_get_verify_result(stream->ssl);
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        if (rows[i].verdict == verdict)
            return rows[i].problem;
    return STREAM_TLS_OTHER;
}

bool stream_is_tls(const struct stream *stream)
{
    return stream->ssl != NULL;
}

const char *stream_tls_version(const struct stream *stream)
{
    return stream->ssl == NULL ? NULL : SSL_get_version(stream->ssl);
}

const char *stream_tls_cipher(const struct stream *stream)
{
    return stream->ssl == NULL ? NULL : SSL_CIPHER_standard_name(SSL_get_current_cipher(stream->ssl));
}

int stream_tls_binding(const struct stream *stream, uint8_t ret_binding[STREAM_BINDING_SIZE])
{
    /* Below TLS 1.3 the binding is only unique with the extended master secret (RFC 9266 §4.2). */
    if (stream->ssl == NULL || (SSL_version(stream->ssl) < TLS1_3_VERSION && SSL_get_extms_support(stream->ssl) != 1))
        return -ENOTCONN;
    static const uint8_t no_context[1];
    int done = SSL_export_keying_material(stream->ssl, ret_binding, STREAM_BINDING_SIZE, BINDING_LABEL,
                                          sizeof(BINDING_LABEL) - 1, no_context, 0, 1);
    return done == 1 ? 0 : -ENOTCONN;
}
