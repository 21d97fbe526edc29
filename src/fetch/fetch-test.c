#include "fetch/fetch.h"

#include "base/test.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "rt/task.h"

#define CONTENT_MAX 64U

/* A server for one connection: a child that reads what comes up to the text it waits for, says its answer, and goes. */
struct server {
    pid_t child;
    uint16_t port;
};

static void serve(int listening, const char *until, const char *answer)
{
    char got[4096] = "";
    size_t len = 0;
    int fd = accept(listening, NULL, NULL);
    while (strstr(got, until) == NULL) {
        ssize_t more = read(fd, got + len, sizeof(got) - 1 - len);
        if (more <= 0)
            _exit(1);
        len += (size_t)more;
        got[len] = 0;
    }
    size_t size = strlen(answer);
    _exit(write(fd, answer, size) == (ssize_t)size ? 0 : 1);
}

static int listen_anywhere(uint16_t *ret_port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof(address);
    int listening = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(listening >= 0);
    assert_int_equal(bind(listening, (struct sockaddr *)&address, size), 0);
    assert_int_equal(listen(listening, 1), 0);
    assert_int_equal(getsockname(listening, (struct sockaddr *)&address, &size), 0);
    *ret_port = ntohs(address.sin_port);
    return listening;
}

static struct server start_server(const char *until, const char *answer)
{
    struct server server = {0};
    int listening = listen_anywhere(&server.port);
    server.child = fork();
    assert_true(server.child >= 0);
    if (server.child == 0)
        serve(listening, until, answer);
    (void)close(listening);
    return server;
}

static void stop_server(const struct server *server)
{
    int status;
    assert_int_equal(waitpid(server->child, &status, 0), server->child);
    assert_int_equal(status, 0);
}

struct
try {
    struct loop *loop;
    struct fetch_means means;
    struct fetch_request request;
    struct fetch_response response;
    int result;
};

static void try_task(struct task *task, void *arg)
{
    struct try *try = arg;
    try->result = fetch(task, &try->means, &try->request, &try->response);
    loop_stop(try->loop);
}

static void run(struct try *try)
{
    assert_int_equal(loop_new(&try->loop), 0);
    assert_int_equal(task_spawn(try->loop, "fetch", try_task, try, NULL), 0);
    assert_int_equal(loop_run(try->loop), 0);
    assert_int_equal(loop_finish(try->loop, 2000), 0);
    loop_free(try->loop);
}

static int no_lookup(void *context, const char *name, enum dns_type type, struct arena *arena,
                     struct dns_answer *ret_answer)
{
    (void)context, (void)name, (void)type, (void)arena;
    *ret_answer = (struct dns_answer){.outcome = DNS_NO_NAME, .canonical = "", .reason = ""};
    return 0;
}

static const struct dns_lookup nobody = {no_lookup, NULL};

static void answers_are_fetched_or_their_fault_is_told(void **state)
{
    (void)state;
    static const struct {
        const char *answer;
        int outcome;
        unsigned status;
        const char *content, *type;
    } rows[] = {
        {"HTTP/1.1 200 OK\r\nContent-Type: Text/Plain; charset=x\r\nContent-Length: 5\r\n\r\nhello", FETCH_OK, 200,
         "hello", "text/plain"},
        {"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 404 Not Found\r\n\r\nbye", FETCH_OK, 404, "bye", ""},
        {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n", FETCH_OK, 200, "hello", ""},
        {"HTTP/1.1 301 Moved\r\nLocation: http://x/\r\nContent-Length: 0\r\n\r\n", FETCH_OK, 301, "", ""},
        {"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nhello", FETCH_BROKEN, 200, "hello", ""},
        {"HTTP/1.1 200 OK\r\nContent-Length: 65\r\n\r\n"
         "0123456789012345678901234567890123456789012345678901234567890123x",
         FETCH_TOO_LARGE, 200, "", ""},
        {"220 mail.example ESMTP\r\n", FETCH_BROKEN, 0, "", ""},
        {"", FETCH_BROKEN, 0, "", ""},
    };
    for (size_t row = 0; row < COUNT_OF(rows); row++) {
        struct server server = start_server("Secret: 7\r\n\r\nbody", rows[row].answer);
        AUTO_BUF struct buf content;
        buf_init(&content, CONTENT_MAX);
        struct try try = {
            .means = {.lookup = &nobody},
            .request = {.method = "POST",
                        .host = "127.0.0.1",
                        .port = server.port,
                        .target = "/x",
                        .field_count = 1,
                        .fields = {"Secret: 7"},
                        .content = SPAN("body"),
                        .timeout_ms = 5000},
            .response = {.content = &content},
        };
        run(&try);
        assert_int_equal(try.result, rows[row].outcome);
        assert_int_equal(try.response.status, rows[row].status);
        assert_true(span_equal(buf_span(&content), span_of_text(rows[row].content)));
        assert_string_equal(try.response.type, rows[row].type);
        assert_int_equal(try.response.reason[0] == 0, rows[row].outcome == FETCH_OK);
        stop_server(&server);
    }
}

static void who_cannot_be_reached_is_told(void **state)
{
    (void)state;
    uint16_t port;
    (void)close(listen_anywhere(&port)); /* nobody listens there any more */
    const struct {
        const char *host;
        int outcome;
    } rows[] = {
        {"127.0.0.1", FETCH_UNREACHABLE},
        {"nobody.test", FETCH_UNREACHABLE},
    };
    for (size_t row = 0; row < COUNT_OF(rows); row++) {
        AUTO_BUF struct buf content;
        buf_init(&content, CONTENT_MAX);
        struct try try = {
            .means = {.lookup = &nobody},
            .request = {.method = "GET", .host = rows[row].host, .port = port, .target = "/", .timeout_ms = 5000},
            .response = {.content = &content},
        };
        run(&try);
        assert_int_equal(try.result, rows[row].outcome);
        assert_true(strlen(try.response.reason) > 0);
    }
}

static void a_request_that_would_smuggle_a_line_is_refused(void **state)
{
    (void)state;
    struct server server = start_server("", "");
    AUTO_BUF struct buf content;
    buf_init(&content, CONTENT_MAX);
    struct try try = {
        .means = {.lookup = &nobody},
        .request = {.method = "GET",
                    .host = "127.0.0.1",
                    .port = server.port,
                    .target = "/",
                    .timeout_ms = 5000,
                    .field_count = 1,
                    .fields = {"A: b\r\nC: d"}},
        .response = {.content = &content},
    };
    run(&try);
    assert_int_equal(try.result, -EINVAL);
    stop_server(&server);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(answers_are_fetched_or_their_fault_is_told),
        cmocka_unit_test(who_cannot_be_reached_is_told),
        cmocka_unit_test(a_request_that_would_smuggle_a_line_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
