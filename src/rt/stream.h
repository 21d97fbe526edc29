#pragma once

#include <stdbool.h>
#include <sys/uio.h>

#include "base/scope.h"
#include "base/span.h"
#include "rt/loop.h"
#include "rt/tls.h"

/*
 * A connection: a stream socket or a pipe, in clear or under TLS. One task at a time may read, and one, which may be
 * another, may write; the stream must not be freed before both have returned. Buffers exist only while they hold
 * something. All timeouts are in milliseconds, for the one call, or FOREVER: -ETIMEDOUT. A connection that broke
 * answers -ECONNRESET, -EPIPE or, under TLS, -EPROTO.
 */
struct stream;
struct task;

enum stream_outcome {
    STREAM_OK,
    STREAM_END,      /* the peer has closed its side, nothing is left to read */
    STREAM_TOO_LONG, /* stream_read_line: the line was longer than max; it was read to its end and dropped */
    STREAM_MARK,     /* stream_read: all in front of a mark has been read, and the mark */
};

#define STREAM_CHUNK 16384U        /* how much is gathered before it is written */
#define STREAM_BULK 65536U         /* how much is read at once, where the caller's limit allows it */
#define STREAM_SKIP_MAX (1U << 20) /* a line is never followed further than this: -EMSGSIZE */

/* Takes the descriptor, always, and makes it non-blocking. */
MUST_USE int stream_new(struct loop *loop, int fd, struct stream **ret_stream);
void stream_free(struct stream *stream); /* closes at once, without a TLS goodbye; what was not flushed is lost */

int stream_fd(const struct stream *stream);

/* As watch_call() (rt/watch.h): to be told of input without a task. While a task reads, ask to be left alone (0). Bytes
 * that TLS has read ahead do not show: read with timeout 0 until -ETIMEDOUT before. */
typedef void stream_function(void *arg, unsigned ready);
MUST_USE int stream_call(struct stream *stream, unsigned what, stream_function *function, void *arg);

/* --- reading --- */

/* What has been read from the peer and not been consumed; valid until the next call that reads or consumes. */
span_t stream_input(const struct stream *stream);
void stream_consume(struct stream *stream, size_t len);

/* Adds at least one byte to stream_input(), waiting for it. The input never holds more than max bytes: -ENOBUFS. */
MUST_USE int stream_fill(struct task *task, struct stream *stream, size_t max, int64_t timeout_ms);

/* Some bytes, at least one: what is in the input first. STREAM_OK, STREAM_END, STREAM_MARK. */
MUST_USE int stream_read(struct task *task, struct stream *stream, void *at, size_t room, int64_t timeout_ms,
                         size_t *ret_len);

/*
 * A line, its CRLF included; a bare LF or CR ends nothing. The span is valid until the next call that reads or
 * consumes. STREAM_OK, STREAM_TOO_LONG (max counts the CRLF), STREAM_END (an unfinished last line is dropped).
 */
MUST_USE int stream_read_line(struct task *task, struct stream *stream, size_t max, int64_t timeout_ms,
                              span_t *ret_line);

/* As stream_read(), straight into several places in turn, and in clear only. At least one of them has room. */
MUST_USE int stream_read_parts(struct task *task, struct stream *stream, const struct iovec *parts, int count,
                               int64_t timeout_ms, size_t *ret_len);

/* Whether bytes have been received that nobody has consumed: after STARTTLS there must be none (RFC 3207 §5). */
bool stream_has_buffered(const struct stream *stream);

/* --- writing --- */

/* Adds to the output, which goes out when it reaches STREAM_CHUNK, and with stream_flush(). */
MUST_USE int stream_write(struct task *task, struct stream *stream, span_t bytes, int64_t timeout_ms);
MUST_USE int stream_write_text(struct task *task, struct stream *stream, const char *text, int64_t timeout_ms);
MUST_USE int stream_flush(struct task *task, struct stream *stream, int64_t timeout_ms);

/* Writes the output, and then the parts, without gathering them. It uses the parts up. In clear only. */
MUST_USE int stream_write_parts(struct task *task, struct stream *stream, struct iovec *parts, int count,
                                int64_t timeout_ms);

/* A last word, from where nothing can be waited for: one try, and nothing during a TLS handshake. Nobody may be
 * writing.
 */
void stream_say_now(struct stream *stream, span_t text);

/* Flushes, says goodbye under TLS, and ends our direction; the peer's may go on. */
MUST_USE int stream_shutdown(struct task *task, struct stream *stream, int64_t timeout_ms);

/* --- marks, on local sockets in clear --- */

/*
 * A mark is a place between bytes, told apart from them by nothing that bytes can say. A stream that expects marks is
 * read by stream_read() alone; on all others they are bytes that should not be there.
 */
void stream_expect_marks(struct stream *stream);
/* Behind all that was written, which is flushed. */
MUST_USE int stream_write_mark(struct task *task, struct stream *stream, int64_t timeout_ms);

/* --- TLS --- */

/* Does the server's side of a handshake; what was written before is flushed first. -EPROTO where it fails. Input that
 * is buffered in clear is never fed to it: look at stream_has_buffered() first. */
MUST_USE int stream_start_tls_server(struct task *task, struct stream *stream, struct tls_server *server,
                                     int64_t timeout_ms);
/* The client's side, with a server that has to prove what the demand says: -EPROTO where it does not, or the handshake
 * fails otherwise, -EINVAL where nothing could prove it. */
MUST_USE int stream_start_tls_client(struct task *task, struct stream *stream, struct tls_client *client,
                                     const struct tls_demand *demand, int64_t timeout_ms);
/* After a handshake: what was wrong with the server's certificate, in words, also where nothing had to be proved; ""
 * where that was not the reason it failed. */
const char *stream_tls_trouble(const struct stream *stream);
/* The same as one of the kinds that matter to others. */
enum stream_tls_problem {
    STREAM_TLS_FINE,
    STREAM_TLS_EXPIRED,   /* or not valid yet */
    STREAM_TLS_NAME,      /* for another name */
    STREAM_TLS_UNTRUSTED, /* nobody whom we trust vouches for it */
    STREAM_TLS_RECORDS,   /* no TLSA record matches */
    STREAM_TLS_OTHER,
};
enum stream_tls_problem stream_tls_problem(const struct stream *stream);
bool stream_is_tls(const struct stream *stream);
const char *stream_tls_version(const struct stream *stream); /* "TLSv1.3"; NULL in clear */
const char *stream_tls_cipher(const struct stream *stream);  /* "TLS_AES_256_GCM_SHA384", as IANA has it; the same */

/* The channel binding tls-exporter of this connection (RFC 9266 §2). -ENOTCONN in clear. */
#define STREAM_BINDING_SIZE 32U
MUST_USE int stream_tls_binding(const struct stream *stream, uint8_t ret_binding[STREAM_BINDING_SIZE]);

SCOPE_OF(stream)
