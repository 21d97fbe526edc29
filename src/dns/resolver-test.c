#include "base/test.h"

#include "dns/resolver.h"

#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/mem.h"
#include "priv/rights.h"
#include "rt/task.h"
#include "rt/timer.h"

/* A name server of our own, which answers when the test does, if ever. */
static int packets = -1;
static int streams = -1;
static uint16_t port;

struct bench {
    struct conf *conf;
    struct loop *loop;
    struct resolver *resolver;
};

static void bench_init(struct bench *bench, const char *more)
{
    char text[300];
    struct conf_error error;
    (void)snprintf(text, sizeof(text), "[dns]\nresolver = 127.0.0.1@%u\ntimeout = 1\n%s", (unsigned)port, more);
    assert_int_equal(conf_parse(span_of_text(text), "test", &bench->conf, &error), 0);
    assert_int_equal(loop_new(&bench->loop), 0);
    assert_int_equal(resolver_new(bench->loop, bench->conf, &bench->resolver), 0);
}

static void bench_deinit(struct bench *bench)
{
    assert_int_equal(loop_finish(bench->loop, 1000), 0);
    resolver_free(bench->resolver);
    loop_free(bench->loop);
    conf_free(bench->conf);
}

struct asker {
    struct bench *bench;
    const char *name;
    unsigned questions; /* how many there are */
    unsigned allowed;
    int64_t timeout;
    size_t *running;
    int result;
    struct dns_answer answer; /* to the last one; the reason is a constant */
};

static void on_ask(struct task *task, void *arg)
{
    struct asker *asker = arg;
    struct resolver_job job;
    AUTO(arena) struct arena *arena = NULL;
    assert_int_equal(arena_new(100000, &arena), 0);
    resolver_job_init(&job, asker->bench->resolver, task, asker->allowed, asker->timeout);
    const struct dns_lookup lookup = resolver_lookup(&job);
    for (unsigned i = 0; i < asker->questions; i++)
        asker->result = lookup.ask(lookup.context, asker->name, DNS_MX, arena, &asker->answer);
    if (--*asker->running == 0)
        loop_stop(asker->bench->loop);
}

static struct asker asker_of(struct bench *bench, const char *name, size_t *running)
{
    ++*running;
    return (struct asker){
        .bench = bench, .name = name, .questions = 1, .allowed = 10, .timeout = FOREVER, .running = running};
}

static void start(struct asker *asker, struct task **ret_task)
{
    assert_int_equal(task_spawn(asker->bench->loop, "test", on_ask, asker, ret_task), 0);
}

static void a_silent_server_is_waited_for_no_longer_than_set(void **state)
{
    struct bench bench;
    size_t running = 0;
    (void)state;
    bench_init(&bench, "");
    struct asker asker = asker_of(&bench, "a.example", &running);
    const int64_t before = loop_now(bench.loop);
    start(&asker, NULL);
    assert_int_equal(loop_run(bench.loop), 0);
    assert_int_equal(asker.result, 0);
    assert_int_equal(asker.answer.outcome, DNS_FAILED);
    assert_string_equal(asker.answer.reason, "no answer in time");
    assert_in_range(loop_now(bench.loop) - before, 900, 5000);
    bench_deinit(&bench);
}

static void a_job_has_so_many_questions_and_so_much_time(void **state)
{
    struct bench bench;
    size_t running = 0;
    (void)state;
    bench_init(&bench, "");
    struct asker greedy = asker_of(&bench, "localhost", &running);
    greedy.questions = 3;
    greedy.allowed = 2;
    struct asker hasty = asker_of(&bench, "a.example", &running);
    hasty.timeout = 50;
    hasty.questions = 2;
    const int64_t before = loop_now(bench.loop);
    start(&greedy, NULL);
    start(&hasty, NULL);
    assert_int_equal(loop_run(bench.loop), 0);
    assert_string_equal(greedy.answer.reason, "too many questions");
    assert_string_equal(hasty.answer.reason, "no answer in time");
    assert_in_range(loop_now(bench.loop) - before, 0, 900);
    bench_deinit(&bench);
}

static void what_is_no_name_is_refused(void **state)
{
    static const char *const names[] = {"a..b", "a b", "\xc3\xa4.example", "a\\"};
    struct bench bench;
    size_t running = 0;
    struct asker askers[COUNT_OF(names)];
    (void)state;
    bench_init(&bench, "");
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        askers[i] = asker_of(&bench, names[i], &running);
        start(&askers[i], NULL);
    }
    assert_int_equal(loop_run(bench.loop), 0);
    for (size_t i = 0; i < COUNT_OF(names); i++)
        assert_int_equal(askers[i].result, -EINVAL);
    bench_deinit(&bench);
}

static void cancel(void *arg)
{
    task_cancel(arg);
}

static void a_cancelled_task_gets_its_answer_at_once(void **state)
{
    struct bench bench;
    size_t running = 0;
    struct task *task = NULL;
    struct timer *timer = NULL;
    (void)state;
    bench_init(&bench, "");
    struct asker asker = asker_of(&bench, "a.example", &running);
    const int64_t before = loop_now(bench.loop);
    start(&asker, &task);
    assert_int_equal(timer_new(bench.loop, cancel, task, &timer), 0);
    timer_start(timer, 30);
    assert_int_equal(loop_run(bench.loop), 0);
    assert_int_equal(asker.result, -ECANCELED);
    assert_in_range(loop_now(bench.loop) - before, 0, 900);
    timer_free(timer);
    bench_deinit(&bench);
}

/* More than may be asked at a time stand in line, and those who have gone are still counted. */
#define MANY 40
static void there_are_never_more_questions_than_allowed(void **state)
{
    struct bench bench;
    size_t running = 0;
    struct asker askers[MANY];
    char names[MANY][20];
    AUTO_BUF struct buf status;
    (void)state;
    buf_init(&status, 1000);
    bench_init(&bench, "questions_max = 10\n");
    for (size_t i = 0; i < MANY; i++) {
        (void)snprintf(names[i], sizeof(names[i]), "a%zu.example", i);
        askers[i] = asker_of(&bench, names[i], &running);
        start(&askers[i], NULL);
    }
    assert_int_equal(loop_run(bench.loop), 0);
    for (size_t i = 0; i < MANY; i++)
        assert_string_equal(askers[i].answer.reason, "no answer in time");
    resolver_status(bench.resolver, &status);
    assert_true(span_find(buf_span(&status), SPAN("\"way\":\"forward\",\"asked\":10,")) < buf_len(&status));
    assert_true(span_find(buf_span(&status), SPAN("\"waiting\":10}")) < buf_len(&status));
    bench_deinit(&bench);
}

/* Reads a question and says that the answer is too long for a datagram; the asker then has to connect. */
static int answer_truncated(void)
{
    uint8_t packet[600];
    struct sockaddr_in peer;
    socklen_t peer_len = sizeof(peer);
    struct pollfd ready = {.fd = packets, .events = POLLIN};
    if (poll(&ready, 1, 10000) != 1)
        return -ETIMEDOUT;
    const ssize_t len = recvfrom(packets, packet, sizeof(packet), 0, (struct sockaddr *)&peer, &peer_len);
    if (len < 12)
        return -EBADMSG;
    packet[2] |= 0x82; /* a response, truncated (RFC 1035 §4.1.1) */
    return sendto(packets, packet, (size_t)len, 0, (struct sockaddr *)&peer, peer_len) == len ? 0 : -errno;
}

static int ask_confined(const char *data)
{
    struct bench bench;
    size_t running = 0;
    struct priv_start rights = {.data = data, .user = "nobody"};
    bench_init(&bench, "");
    rights.port_count = resolver_ports(bench.resolver, &rights.ports);
    if (priv_enter(PRIV_INTAKE, &rights) < 0)
        return 2;
    struct asker asker = asker_of(&bench, "a.example", &running);
    start(&asker, NULL);
    const int result = loop_run(bench.loop);
    bench_deinit(&bench);
    return result == 0 && asker.result == 0 && asker.answer.outcome == DNS_FAILED ? 0 : 1;
}

static void it_works_within_the_rights_of_intake(void **state)
{
    char data[] = "/tmp/waxwing-resolver-XXXXXX";
    uint8_t drained[600];
    (void)state;
    while (recv(packets, drained, sizeof(drained), MSG_DONTWAIT) > 0) {
    }
    assert_non_null(mkdtemp(data));
    assert_int_equal(chmod(data, 0711), 0);
    const pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0)
        _exit(ask_confined(data));
    struct pollfd ready = {.fd = streams, .events = POLLIN};
    assert_int_equal(answer_truncated(), 0);
    assert_int_equal(poll(&ready, 1, 10000), 1); /* it connects */
    int status = -1;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
    char command[100];
    (void)snprintf(command, sizeof(command), "rm -rf '%s'", data);
    assert_int_equal(system(command), 0); /* NOLINT: a path we made */
}

static void settings_that_cannot_work_are_told(void **state)
{
    static const struct row {
        const char *text;
        int result;
    } rows[] = {
        {"trust_anchor = /nonexistent\n", -ENOENT},
        {"trust_anchor = /dev/null\n", -EBADMSG},
        {"resolver = recursive\n", 0},
        {"resolver = system\n", 0},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        char text[200];
        struct conf_error error;
        AUTO(conf) struct conf *conf = NULL;
        struct loop *loop = NULL;
        struct resolver *resolver = NULL;
        (void)snprintf(text, sizeof(text), "[dns]\n%s", rows[i].text);
        assert_int_equal(conf_parse(span_of_text(text), "test", &conf, &error), 0);
        assert_int_equal(loop_new(&loop), 0);
        assert_int_equal(resolver_new(loop, conf, &resolver), rows[i].result);
        resolver_free(resolver);
        loop_free(loop);
    }
}

static void it_can_do_without_memory(void **state)
{
    struct conf_error error;
    AUTO(conf) struct conf *conf = NULL;
    (void)state;
    assert_int_equal(conf_parse(SPAN("[dns]\nresolver = 127.0.0.1\n"), "test", &conf, &error), 0);
    int result = -ENOMEM;
    for (uint64_t nth = 1; result == -ENOMEM; nth++) {
        struct loop *loop = NULL;
        struct resolver *resolver = NULL;
        assert_int_equal(loop_new(&loop), 0);
        assert_true(nth < 1000);
        mem_fail_after(nth);
        result = resolver_new(loop, conf, &resolver);
        mem_fail_after(0);
        resolver_free(resolver);
        loop_free(loop);
    }
    assert_int_equal(result, 0);
}

static int open_server(void **state)
{
    struct sockaddr_in address = {.sin_family = AF_INET};
    socklen_t length = sizeof(address);
    (void)state;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    for (int tries = 0; tries < 100; tries++) {
        packets = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        streams = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        address.sin_port = 0;
        if (bind(packets, (struct sockaddr *)&address, sizeof(address)) < 0 ||
            getsockname(packets, (struct sockaddr *)&address, &length) < 0)
            return -errno;
        port = ntohs(address.sin_port);
        if (bind(streams, (struct sockaddr *)&address, sizeof(address)) == 0 && listen(streams, 16) == 0)
            return 0;
        (void)close(packets);
        (void)close(streams);
    }
    return -EADDRINUSE;
}

static int close_server(void **state)
{
    (void)state;
    (void)close(packets);
    return close(streams);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_silent_server_is_waited_for_no_longer_than_set),
        cmocka_unit_test(a_job_has_so_many_questions_and_so_much_time),
        cmocka_unit_test(what_is_no_name_is_refused),
        cmocka_unit_test(a_cancelled_task_gets_its_answer_at_once),
        cmocka_unit_test(there_are_never_more_questions_than_allowed),
        cmocka_unit_test(it_works_within_the_rights_of_intake),
        cmocka_unit_test(settings_that_cannot_work_are_told),
        cmocka_unit_test(it_can_do_without_memory),
    };
    return cmocka_run_group_tests(tests, open_server, close_server);
}
