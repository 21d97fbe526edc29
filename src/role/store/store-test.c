#include "base/test.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/mem.h"
#include "conf/conf.h"
#include "ipc/body.h"
#include "ipc/channel.h"
#include "role/fixture.h"
#include "role/start.h"
#include "role/store/store.h"
#include "rt/task.h"

/* The real role in a process of its own, confined as always; the test plays supervisor, intake and a session. */
struct stage {
    char path[64];
    struct loop *loop;
    struct channel *supervisor;
    struct channel *intake;
    struct channel *session;
    struct event announced;
    struct event session_closed;
    task_function *function;
    bool finished;
};

#define ACCOUNT 5U
#define WAIT 5000

static void on_message(void *arg, struct channel *channel, struct ipc_message *message)
{
    struct stage *stage = arg;
    if (channel == stage->session && message->type == IPC_announce)
        event_raise(&stage->announced);
    ipc_message_free(message);
}

static void on_closed(void *arg, struct channel *channel)
{
    struct stage *stage = arg;
    if (channel == stage->session)
        event_raise(&stage->session_closed);
}

static const struct channel_hooks hooks = {.message = on_message, .closed = on_closed};

static void folder_make(struct stage *stage)
{
    char name[128];
    strcpy(stage->path, "/tmp/waxwing-store-XXXXXX");
    assert_non_null(mkdtemp(stage->path));
    snprintf(name, sizeof(name), "%s/log", stage->path);
    assert_int_equal(mkdir(name, 0700), 0);
    snprintf(name, sizeof(name), "%s/server.key", stage->path);
    AUTO_FD int fd = open(name, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    assert_int_equal(write(fd, "0123456789abcdef0123456789abcdef", 32), 32);
}

static void folder_empty(const char *name)
{
    DIR *entries = opendir(name);
    assert_non_null(entries);
    for (const struct dirent *entry; (entry = readdir(entries)) != NULL;)
        (void)unlinkat(dirfd(entries), entry->d_name, 0);
    closedir(entries);
    assert_int_equal(rmdir(name), 0);
}

static void folder_remove(const struct stage *stage)
{
    char name[128];
    snprintf(name, sizeof(name), "%s/log", stage->path);
    folder_empty(name);
    folder_empty(stage->path);
}

static void child_run(const void *arg, int fd)
{
    const struct stage *stage = arg;
    struct conf *conf = NULL;
    struct conf_error error;
    if (conf_parse(SPAN("[server]\nuser = root\n"), "test", &conf, &error) != 0)
        _exit(70);
    const struct role_start start = {.conf = conf, .data = stage->path, .count = 1, .supervisor_fd = fd};
    _exit(store_run(&start));
}

static void wire(struct task *task, struct stage *stage)
{
    stage->intake = fixture_wire(stage->supervisor, stage->loop, ROLE_STORE, ROLE_INTAKE, &hooks, stage);
    fixture_begin(task, stage->supervisor, WAIT);
    int fds[2];
    assert_int_equal(channel_pair(fds), 0);
    struct ipc_message session = {
        .type = IPC_session_wire, .fd_count = 1, .fds = {fds[1]}, .session_wire = {.account = ACCOUNT}};
    assert_int_equal(channel_send(stage->supervisor, &session), 0);
    assert_int_equal(channel_new(stage->loop, fds[0], ROLE_SESSION, ROLE_STORE, &hooks, stage, &stage->session), 0);
}

static void main_task(struct task *task, void *arg)
{
    struct stage *stage = arg;
    wire(task, stage);
    stage->function(task, stage);
    stage->finished = true;
    loop_stop(stage->loop);
}

static void stage_run(task_function *function)
{
    struct stage stage = {.function = function};
    folder_make(&stage);
    event_init(&stage.announced);
    event_init(&stage.session_closed);
    pid_t child = fixture_start(ROLE_STORE, child_run, &hooks, &stage, &stage.loop, &stage.supervisor);
    assert_int_equal(task_spawn(stage.loop, "test", main_task, &stage, NULL), 0);
    assert_int_equal(loop_run(stage.loop), 0);
    assert_true(stage.finished);
    channel_free(stage.session);
    channel_free(stage.intake);
    channel_free(stage.supervisor);
    loop_free(stage.loop);
    fixture_join(child);
    folder_remove(&stage);
}

/* Sends `bytes` as the body of an append that says it has `length`; complete or given up. */
static int append(struct task *task, struct channel *channel, uint64_t account, span_t bytes, uint64_t length,
                  bool complete)
{
    uint8_t row[KEY_ROW_SIZE] = {0};
    bytes_put_u64(row, account);
    memset(row + 8, 0xAB, RECORD_KEY_SIZE);
    int fds[2];
    assert_int_equal(body_pair(fds), 0);
    AUTO(body_writer) struct body_writer *writer = NULL;
    assert_int_equal(body_writer_new(task_loop(task), fds[0], &writer), 0);
    assert_int_equal(body_write(task, writer, bytes, WAIT), 0);
    if (complete)
        assert_int_equal(body_finish(task, writer, SPAN_NONE, WAIT), 0);
    else
        body_writer_free(TAKE(writer));
    struct ipc_message request = {.type = IPC_append,
                                  .fd_count = 1,
                                  .fds = {fds[1]},
                                  .append = {.length = length, .recipients = span_of(row, sizeof(row))}};
    AUTO(ipc_message) struct ipc_message *reply = NULL;
    int result = channel_call_within(task, channel, &request, WAIT, &reply);
    return result != 0 ? result : (int)reply->appended.outcome;
}

/* The body in the message. */
static int append_small(struct task *task, struct channel *channel, span_t bytes, uint64_t length)
{
    uint8_t row[KEY_ROW_SIZE] = {0};
    bytes_put_u64(row, ACCOUNT);
    memset(row + 8, 0xAB, RECORD_KEY_SIZE);
    struct ipc_message request = {
        .type = IPC_append, .append = {.length = length, .recipients = span_of(row, sizeof(row)), .content = bytes}};
    AUTO(ipc_message) struct ipc_message *reply = NULL;
    int result = channel_call_within(task, channel, &request, WAIT, &reply);
    return result != 0 ? result : (int)reply->appended.outcome;
}

/* The rows of what is pending; the message holds them. */
static struct ipc_message *pending(struct task *task, struct stage *stage)
{
    struct ipc_message request = {.type = IPC_pending, .pending = {.limit = 100}};
    struct ipc_message *reply = NULL;
    assert_int_equal(channel_call_within(task, stage->session, &request, WAIT, &reply), 0);
    assert_int_equal(reply->pending_done.rows.len % PENDING_ROW_SIZE, 0);
    return reply;
}

static size_t pending_count(struct task *task, struct stage *stage)
{
    AUTO(ipc_message) struct ipc_message *reply = pending(task, stage);
    return reply->pending_done.rows.len / PENDING_ROW_SIZE;
}

static uint32_t say(struct task *task, struct stage *stage, enum ipc_type type, span_t records)
{
    struct ipc_message request = {.type = type};
    if (type == IPC_taken)
        request.taken.records = records;
    else
        request.release.records = records;
    AUTO(ipc_message) struct ipc_message *reply = NULL;
    assert_int_equal(channel_call_within(task, stage->session, &request, WAIT, &reply), 0);
    return reply->done.outcome;
}

static void expect_body(struct task *task, struct stage *stage, const uint8_t *row, span_t body)
{
    struct ipc_message request = {.type = IPC_segment, .segment = {.segment = bytes_get_u64(row + 8)}};
    AUTO(ipc_message) struct ipc_message *reply = NULL;
    assert_int_equal(channel_call_within(task, stage->session, &request, WAIT, &reply), 0);
    AUTO_FD int fd = ipc_message_take_fd(reply, 0);
    assert_true(fd >= 0);
    assert_int_equal(fcntl(fd, F_GETFL) & O_ACCMODE, O_RDONLY);
    assert_int_equal(bytes_get_u64(row + 24), body.len);
    AUTO_FREE uint8_t *bytes = mem_new(body.len);
    assert_non_null(bytes);
    assert_int_equal(pread(fd, bytes, body.len, (off_t)bytes_get_u64(row + 16)), body.len);
    assert_memory_equal(bytes, body.at, body.len);
    assert_int_equal(row[40], 0xAB);
}

static void way_of_a_record(struct task *task, void *arg)
{
    struct stage *stage = arg;
    span_t body = SPAN("a sealed body, as far as the store knows");
    assert_int_equal(append(task, stage->intake, ACCOUNT, body, body.len, true), APPEND_OK);
    assert_int_equal(event_wait(task, &stage->announced, WAIT), 0);
    AUTO(ipc_message) struct ipc_message *reply = pending(task, stage);
    assert_int_equal(reply->pending_done.rows.len, PENDING_ROW_SIZE);
    const uint8_t *row = reply->pending_done.rows.at;
    expect_body(task, stage, row, body);
    assert_int_equal(say(task, stage, IPC_taken, span_of(row, 8)), 0);
    assert_int_equal(pending_count(task, stage), 0);
    assert_int_equal(say(task, stage, IPC_release, span_of(row, 8)), 0);
    assert_int_equal(say(task, stage, IPC_release, span_of(row, 8)), 0);
    struct ipc_message none = {.type = IPC_segment, .segment = {.segment = 99}};
    AUTO(ipc_message) struct ipc_message *answer = NULL;
    assert_int_equal(channel_call_within(task, stage->session, &none, WAIT, &answer), 0);
    assert_int_equal(answer->segment_opened.outcome, ENOENT);
    assert_int_equal(answer->fd_count, 0);
}

static void a_record_is_announced_read_taken_and_released(void **state)
{
    (void)state;
    stage_run(way_of_a_record);
}

static void broken_bodies(struct task *task, void *arg)
{
    struct stage *stage = arg;
    span_t body = SPAN("never finished");
    assert_int_equal(append(task, stage->intake, ACCOUNT, body, body.len, false), APPEND_FAILED);
    assert_int_equal(append(task, stage->intake, ACCOUNT, body, body.len + 1, true), APPEND_FAILED);
    assert_int_equal(append(task, stage->intake, ACCOUNT, body, body.len - 1, true), APPEND_FAILED);
    assert_int_equal(append(task, stage->intake, ACCOUNT, body, UINT64_MAX, true), APPEND_FULL);
    assert_int_equal(pending_count(task, stage), 0);
    assert_int_equal(append(task, stage->intake, ACCOUNT, body, body.len, true), APPEND_OK);
    assert_int_equal(pending_count(task, stage), 1);
}

static void what_is_not_complete_is_not_stored(void **state)
{
    (void)state;
    stage_run(broken_bodies);
}

static void small_bodies(struct task *task, void *arg)
{
    struct stage *stage = arg;
    static uint8_t bytes[BODY_SMALL_MAX];
    memset(bytes, 7, sizeof(bytes));
    span_t body = span_of(bytes, sizeof(bytes));
    assert_int_equal(append_small(task, stage->intake, body, body.len + 1), APPEND_FAILED);
    assert_int_equal(append_small(task, stage->intake, body, body.len - 1), APPEND_FAILED);
    assert_int_equal(append_small(task, stage->intake, body, body.len), APPEND_OK);
    AUTO(ipc_message) struct ipc_message *reply = pending(task, stage);
    assert_int_equal(reply->pending_done.rows.len, PENDING_ROW_SIZE);
    expect_body(task, stage, reply->pending_done.rows.at, body);
    assert_int_equal(append_small(task, stage->intake, SPAN_NONE, 1), -EPIPE); /* neither a body nor a socket */
}

static void a_small_record_comes_in_the_message(void **state)
{
    (void)state;
    stage_run(small_bodies);
}

static void foreign_append(struct task *task, void *arg)
{
    struct stage *stage = arg;
    span_t body = SPAN("mine");
    assert_int_equal(append(task, stage->session, ACCOUNT, body, body.len, true), APPEND_OK);
    assert_int_equal(pending_count(task, stage), 1);
    assert_int_equal(append(task, stage->session, ACCOUNT + 1, body, body.len, true), -EPIPE);
    assert_int_equal(event_wait(task, &stage->session_closed, WAIT), 0);
    assert_int_equal(append(task, stage->intake, ACCOUNT, body, body.len, true), APPEND_OK);
}

static void a_session_appends_for_its_own_account_only(void **state)
{
    (void)state;
    stage_run(foreign_append);
}

static void append_one_of_many(struct task *task, void *arg)
{
    struct stage *stage = arg;
    AUTO_FREE uint8_t *body = mem_new(300000);
    assert_non_null(body);
    for (int turn = 0; turn < 5; turn++)
        assert_int_equal(append(task, stage->intake, ACCOUNT, span_of(body, turn == 0 ? 100000 : 5000),
                                turn == 0 ? 100000 : 5000, true),
                         APPEND_OK);
}

static void crowd(struct task *task, void *arg)
{
    struct stage *stage = arg;
    struct task_group group;
    task_group_init(&group);
    for (int each = 0; each < 18; each++)
        assert_int_equal(task_group_spawn(&group, stage->loop, "one", append_one_of_many, stage), 0);
    task_group_wait(task, &group);
    assert_int_equal(pending_count(task, stage), 90);
    struct ipc_message status = {.type = IPC_status};
    AUTO(ipc_message) struct ipc_message *reply = NULL;
    assert_int_equal(channel_call_within(task, stage->supervisor, &status, WAIT, &reply), 0);
    span_t json = reply->status_done.json;
    assert_true(span_find(json, SPAN("\"appended\":90")) < json.len);
    assert_true(span_find(json, SPAN("\"held\":0")) < json.len);
}

static void many_at_a_time_share_groups(void **state)
{
    (void)state;
    stage_run(crowd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_record_is_announced_read_taken_and_released),
        cmocka_unit_test(what_is_not_complete_is_not_stored),
        cmocka_unit_test(a_small_record_comes_in_the_message),
        cmocka_unit_test(a_session_appends_for_its_own_account_only),
        cmocka_unit_test(many_at_a_time_share_groups),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
