#include "rt/stream.h"

#include "base/test.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/ssl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "rt/task.h"

struct pair {
    struct loop *loop;
    struct stream *near;
    struct tls_server *server;
    task_function *function;
    int far; /* blocking, in the hands of the test */
};

static void then_stop(struct task *task, void *arg)
{
    struct pair *pair = arg;
    pair->function(task, pair);
    loop_stop(pair->loop);
}

static void pair_run(task_function *function)
{
    struct pair pair = {.function = function};
    int fds[2];
    assert_int_equal(loop_new(&pair.loop), 0);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
    pair.far = fds[1];
    assert_int_equal(stream_new(pair.loop, fds[0], &pair.near), 0);
    assert_int_equal(task_spawn(pair.loop, "test", then_stop, &pair, NULL), 0);
    assert_int_equal(loop_run(pair.loop), 0);
    assert_int_equal(loop_finish(pair.loop, 2000), 0);
    stream_free(pair.near);
    tls_server_free(pair.server);
    (void)close(pair.far);
    loop_free(pair.loop);
}

static void send_text(int fd, const char *text)
{
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
}

static void expect_line(struct task *task, struct pair *pair, size_t max, int outcome, const char *text)
{
    span_t line = SPAN_NONE;
    assert_int_equal(stream_read_line(task, pair->near, max, 1000, &line), outcome);
    if (text != NULL) {
        assert_int_equal(line.len, strlen(text));
        assert_memory_equal(line.at, text, line.len);
    }
}

static void read_lines(struct task *task, void *arg)
{
    struct pair *pair = arg;
    send_text(pair->far, "one\r\ntwo\nstill\rtwo\r\nthree");
    expect_line(task, pair, 100, STREAM_OK, "one\r\n");
    expect_line(task, pair, 100, STREAM_OK, "two\nstill\rtwo\r\n");
    send_text(pair->far, "\r");
    span_t line;
    assert_int_equal(stream_read_line(task, pair->near, 100, 5, &line), -ETIMEDOUT);
    send_text(pair->far, "\nfour\r\n");
    expect_line(task, pair, 100, STREAM_OK, "three\r\n");
    assert_true(stream_has_buffered(pair->near));
    expect_line(task, pair, 6, STREAM_OK, "four\r\n");
    assert_false(stream_has_buffered(pair->near));
    send_text(pair->far, "unfinished");
    assert_int_equal(shutdown(pair->far, SHUT_WR), 0);
    expect_line(task, pair, 100, STREAM_END, NULL);
}

static void lines_end_with_crlf_alone(void **state)
{
    (void)state;
    pair_run(read_lines);
}

static void read_long_lines(struct task *task, void *arg)
{
    struct pair *pair = arg;
    static char big[50000];
    memset(big, 'x', sizeof(big) - 1);
    send_text(pair->far, "12345\r\nshort\r\n");
    expect_line(task, pair, 6, STREAM_TOO_LONG, NULL);
    expect_line(task, pair, 10, STREAM_OK, "short\r\n");
    send_text(pair->far, big);
    send_text(pair->far, "\r\nafter\r\n");
    expect_line(task, pair, 1000, STREAM_TOO_LONG, NULL);
    expect_line(task, pair, 1000, STREAM_OK, "after\r\n");
}

static void a_line_too_long_is_dropped_to_its_end(void **state)
{
    (void)state;
    pair_run(read_long_lines);
}

static void feeder(struct task *task, void *arg)
{
    struct pair *pair = arg;
    static const uint8_t block[40000] = {1};
    for (int i = 0; i < 50; i++)
        assert_int_equal(stream_write(task, pair->near, span_of(block, sizeof(block)), 5000), 0);
    assert_int_equal(stream_shutdown(task, pair->near, 5000), 0);
}

static void write_much(struct task *task, void *arg)
{
    struct pair *pair = arg;
    struct stream *other = NULL;
    assert_int_equal(stream_new(pair->loop, dup(pair->far), &other), 0);
    assert_int_equal(task_spawn(pair->loop, "feeder", feeder, pair, NULL), 0);
    size_t total = 0;
    static uint8_t room[30000];
    for (size_t len = 0; stream_read(task, other, room, sizeof(room), 5000, &len) == STREAM_OK;)
        total += len;
    assert_int_equal(total, 50 * 40000);
    stream_free(other);
}

static void writing_waits_for_room(void **state)
{
    (void)state;
    pair_run(write_much);
}

/* A handshake and an echo from the other side, by hand. */
static void tls_client(struct task *task, void *arg)
{
    struct pair *pair = arg;
    struct stream *raw = NULL;
    assert_int_equal(stream_new(pair->loop, dup(pair->far), &raw), 0);
    SSL_CTX *context = SSL_CTX_new(TLS_client_method());
    SSL *ssl = SSL_new(context);
    assert_int_equal(SSL_set_fd(ssl, stream_fd(raw)), 1);
    int done;
    while ((done = SSL_connect(ssl)) != 1) {
        assert_int_equal(SSL_get_error(ssl, done), SSL_ERROR_WANT_READ);
        assert_int_equal(task_sleep(task, 1), 0);
    }
    assert_int_equal(SSL_write(ssl, "hello\r\n", 7), 7);
    char room[64];
    while ((done = SSL_read(ssl, room, sizeof(room))) <= 0)
        assert_int_equal(task_sleep(task, 1), 0);
    assert_memory_equal(room, "world\r\n", 7);
    uint8_t binding[STREAM_BINDING_SIZE];
    uint8_t ours[STREAM_BINDING_SIZE];
    assert_int_equal(SSL_export_keying_material(ssl, binding, 32, "EXPORTER-Channel-Binding", 24, binding, 0, 1), 1);
    assert_int_equal(stream_tls_binding(pair->near, ours), 0);
    assert_memory_equal(binding, ours, sizeof(ours));
    (void)SSL_shutdown(ssl);
    SSL_free(ssl);
    SSL_CTX_free(context);
    stream_free(raw);
}

static void serve_tls(struct task *task, void *arg)
{
    struct pair *pair = arg;
    AUTO_BUF struct buf certificate;
    AUTO_BUF struct buf key;
    buf_init(&certificate, 8192);
    buf_init(&key, 8192);
    assert_int_equal(tls_self_signed("mail.example.org", &certificate, &key), 0);
    assert_int_equal(tls_server_new(buf_span(&certificate), buf_span(&key), TLS_1_2, &pair->server), 0);
    assert_int_equal(task_spawn(pair->loop, "client", tls_client, pair, NULL), 0);
    assert_int_equal(stream_start_tls_server(task, pair->near, pair->server, 2000), 0);
    assert_string_equal(stream_tls_version(pair->near), "TLSv1.3");
    expect_line(task, pair, 100, STREAM_OK, "hello\r\n");
    assert_int_equal(stream_write_text(task, pair->near, "world\r\n", 1000), 0);
    assert_int_equal(stream_flush(task, pair->near, 1000), 0);
    expect_line(task, pair, 100, STREAM_END, NULL);
}

static void tls_carries_lines_both_ways(void **state)
{
    (void)state;
    pair_run(serve_tls);
}

static void serve_tls_to_clear_text(struct task *task, void *arg)
{
    struct pair *pair = arg;
    AUTO_BUF struct buf certificate;
    AUTO_BUF struct buf key;
    buf_init(&certificate, 8192);
    buf_init(&key, 8192);
    assert_int_equal(tls_self_signed("mail.example.org", &certificate, &key), 0);
    assert_int_equal(tls_server_new(buf_span(&key), buf_span(&key), TLS_1_2, &pair->server), -EINVAL);
    assert_int_equal(tls_server_new(buf_span(&certificate), buf_span(&key), TLS_1_2, &pair->server), 0);
    send_text(pair->far, "EHLO clear.example.org\r\n");
    assert_int_equal(stream_start_tls_server(task, pair->near, pair->server, 2000), -EPROTO);
}

static void clear_text_fails_the_handshake(void **state)
{
    (void)state;
    pair_run(serve_tls_to_clear_text);
}

/* The far side as a stream of its own. */
static struct stream *far_stream(struct pair *pair)
{
    struct stream *far = NULL;
    assert_int_equal(stream_new(pair->loop, dup(pair->far), &far), 0);
    return far;
}

static void expect_bytes(struct task *task, struct stream *stream, const char *text)
{
    char got[100];
    size_t len = 0;
    assert_int_equal(stream_read(task, stream, got, sizeof(got), 1000, &len), STREAM_OK);
    assert_int_equal(len, strlen(text));
    assert_memory_equal(got, text, len);
}

static void expect_outcome(struct task *task, struct stream *stream, int outcome)
{
    char got[100];
    size_t len = 0;
    assert_int_equal(stream_read(task, stream, got, sizeof(got), 20, &len), outcome);
}

static void read_marks(struct task *task, void *arg)
{
    struct pair *pair = arg;
    AUTO(stream) struct stream *far = far_stream(pair);
    stream_expect_marks(pair->near);
    send_text(pair->far, "before ");
    assert_int_equal(stream_write_text(task, far, "it", 1000), 0);
    assert_int_equal(stream_write_mark(task, far, 1000), 0);
    send_text(pair->far, "behind");
    expect_bytes(task, pair->near, "before it");
    expect_outcome(task, pair->near, STREAM_MARK);
    expect_bytes(task, pair->near, "behind");
    expect_outcome(task, pair->near, -ETIMEDOUT);
    assert_int_equal(stream_write_mark(task, far, 1000), 0);
    assert_int_equal(stream_write_mark(task, far, 1000), 0);
    assert_int_equal(shutdown(pair->far, SHUT_WR), 0);
    expect_outcome(task, pair->near, STREAM_MARK);
    expect_outcome(task, pair->near, STREAM_MARK);
    expect_outcome(task, pair->near, STREAM_END);
}

static void a_mark_stands_between_bytes(void **state)
{
    (void)state;
    pair_run(read_marks);
}

/* Descriptors of this process. */
static int descriptors(void)
{
    int count = 0;
    for (int fd = 0; fd < 1024; fd++)
        count += fcntl(fd, F_GETFD) >= 0;
    return count;
}

static void send_descriptors(int fd, const char *text, int count)
{
    union {
        struct cmsghdr head;
        uint8_t room[CMSG_SPACE(8 * sizeof(int))];
    } control = {0};
    struct iovec part = {.iov_base = strdup(text), .iov_len = strlen(text)};
    size_t size = (size_t)count * sizeof(int);
    struct msghdr head = {
        .msg_iov = &part, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = CMSG_SPACE(size)};
    struct cmsghdr *first = CMSG_FIRSTHDR(&head);
    first->cmsg_level = SOL_SOCKET;
    first->cmsg_type = SCM_RIGHTS;
    first->cmsg_len = CMSG_LEN(size);
    for (int i = 0; i < count; i++)
        memcpy(CMSG_DATA(first) + (size_t)i * sizeof(int), &fd, sizeof(int));
    assert_int_equal(sendmsg(fd, &head, 0), strlen(text));
    free(part.iov_base);
}

static void drop_descriptors(struct task *task, void *arg)
{
    struct pair *pair = arg;
    int before = descriptors();
    send_descriptors(pair->far, "plain", 8);
    expect_bytes(task, pair->near, "plain"); /* nobody looks for marks */
    stream_expect_marks(pair->near);
    send_descriptors(pair->far, "mark", 8);
    expect_bytes(task, pair->near, "mar");
    expect_outcome(task, pair->near, STREAM_MARK);
    expect_outcome(task, pair->near, -ETIMEDOUT);
    assert_int_equal(descriptors(), before);
}

static void descriptors_that_come_along_are_dropped(void **state)
{
    (void)state;
    pair_run(drop_descriptors);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines_end_with_crlf_alone),
        cmocka_unit_test(a_line_too_long_is_dropped_to_its_end),
        cmocka_unit_test(writing_waits_for_room),
        cmocka_unit_test(tls_carries_lines_both_ways),
        cmocka_unit_test(clear_text_fails_the_handshake),
        cmocka_unit_test(a_mark_stands_between_bytes),
        cmocka_unit_test(descriptors_that_come_along_are_dropped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
