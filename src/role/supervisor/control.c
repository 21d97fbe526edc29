#include "base/mem.h"
#include "role/supervisor/state.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/log.h"

/* The packets are those of `waxwing …`: a command is u32 length of its words, the words each ended by NUL, standard
 * input; an answer is u32 exit status, u32 length of its output, the output, the error text. Where a session goes on
 * with the command, the tool's end of a socket to it comes along. A long list comes as several answers: the status of
 * all but the last is MORE. */
#define MORE 256U
#define PACKET_MAX 131072U
#define CONNECTIONS_MAX 32
#define PATIENCE_MS 10000
#define ADMIN_MS 110000

struct command {
    struct supervisor *supervisor;
    struct watch *watch;
    int fd;
    span_t words;
    span_t input;
    uint32_t status;
    struct buf output;
    struct buf error;
    struct buf next; /* where the next page of a list starts; empty: there is none */
    int session_fd;  /* or -1 */
};

static void command_free(struct command *command)
{
    if (command == NULL)
        return;
    watch_free(command->watch);
    (void)close(command->fd);
    buf_deinit(&command->output);
    buf_deinit(&command->error);
    buf_deinit(&command->next);
    scope_close(&command->session_fd);
    free(command);
}
SCOPE_OF(command)

static void fail(struct command *command, uint32_t status, const char *text)
{
    command->status = status;
    buf_clear(&command->error);
    (void)buf_append_text(&command->error, text);
    (void)buf_append_byte(&command->error, '\n');
}

static void do_stop(struct task *task, struct command *command)
{
    (void)task;
    supervisor_stop(command->supervisor, EXIT_SUCCESS);
}

static void do_status(struct task *task, struct command *command)
{
    span_t rest = command->words;
    span_t word = SPAN_NONE;
    bool as_json = false;
    bool healthy = false;
    (void)span_cut(&rest, 0, &word);
    if (span_cut(&rest, 0, &word) && word.len > 0) {
        as_json = span_equal(word, SPAN("--json"));
        if (!as_json || rest.len > 0) {
            fail(command, 2, "usage: waxwing status [--json]");
            return;
        }
    }
    supervisor_status_write(task, command->supervisor, as_json, &command->output, &healthy);
    command->status = healthy ? 0 : 1;
}

static void do_reload(struct task *task, struct command *command)
{
    struct conf_error error;
    if (reload_settings(task, command->supervisor, &error) < 0)
        fail(command, 1, error.text);
}

/* Everything else is the keeper's, but what concerns the queue, and sending reports. */
static enum ipc_role who_knows(const struct command *command)
{
    span_t rest = command->words;
    span_t first = SPAN_NONE;
    (void)span_cut(&rest, 0, &first);
    span_t second = SPAN_NONE;
    (void)span_cut(&rest, 0, &second);
    bool is_report = span_equal(first, SPAN("reports")) && span_equal(second, SPAN("send"));
    return is_report || span_equal(first, SPAN("queue")) ? ROLE_COURIER : ROLE_KEEPER;
}

static void do_admin(struct task *task, struct command *command)
{
    enum ipc_role role = who_knows(command);
    const struct child *child = child_find(command->supervisor, role, 0);
    struct ipc_message request = {
        .type = IPC_admin,
        .admin = {.words = command->words, .input = command->input, .after = buf_span(&command->next)}};
    AUTO(ipc_message) struct ipc_message *reply = NULL;
    span_t next = SPAN_NONE;
    int result = child == NULL || child->channel == NULL
                     ? -EPIPE
                     : channel_call_within(task, child->channel, &request, ADMIN_MS, &reply);
    if (result == -EMSGSIZE) {
        fail(command, 2, "the command is too long");
    } else if (result < 0) {
        fail(command, 1,
             role == ROLE_COURIER ? "the courier does not answer; waxwing status tells more"
                                  : "the keeper does not answer; waxwing status tells more");
    } else {
        next = reply->admin_done.next;
        command->status = reply->admin_done.status;
        (void)buf_append(&command->output, reply->admin_done.output);
        (void)buf_append(&command->error, reply->admin_done.error);
        command->session_fd = ipc_message_take_fd(reply, 0);
    }
    buf_clear(&command->next);
    (void)buf_append(&command->next, next);
}

static const struct {
    span_t word;
    void (*run)(struct task *task, struct command *command);
} own[] = {
    {{(const uint8_t *)"stop", 4}, do_stop},
    {{(const uint8_t *)"status", 6}, do_status},
    {{(const uint8_t *)"reload", 6}, do_reload},
};

static void run(struct task *task, struct command *command)
{
    span_t rest = command->words;
    span_t first = SPAN_NONE;
    (void)span_cut(&rest, 0, &first);
    for (size_t i = 0; i < COUNT_OF(own); i++) {
        if (span_equal(own[i].word, first)) {
            own[i].run(task, command);
            return;
        }
    }
    do_admin(task, command);
}

static int receive(struct task *task, struct command *command, struct buf *packet)
{
    uint8_t *at = NULL;
    int result = buf_reserve(packet, PACKET_MAX, &at);
    while (result == 0) {
        ssize_t len = recv(command->fd, at, PACKET_MAX, MSG_DONTWAIT);
        if (len == 0)
            return -EPIPE;
        if (len > 0) {
            buf_commit(packet, (size_t)len);
            break;
        }
        if (errno != EAGAIN && errno != EINTR)
            return -errno;
        result = watch_wait(task, command->watch, WATCH_READ, PATIENCE_MS);
    }
    if (result < 0)
        return result;
    span_t bytes = buf_span(packet);
    if (bytes.len < 4 || bytes_get_u32(bytes.at) > bytes.len - 4)
        return -EBADMSG;
    command->words = span_slice(bytes, 4, bytes_get_u32(bytes.at));
    command->input = span_from(bytes, 4 + command->words.len);
    return 0;
}

static ssize_t send_packet(const struct command *command, span_t packet)
{
    union {
        struct cmsghdr head;
        uint8_t bytes[CMSG_SPACE(sizeof(int))];
    } control = {0};
    struct iovec part = {.iov_base = (void *)(uintptr_t)packet.at, .iov_len = packet.len}; // NOLINT: only read
    struct msghdr head = {.msg_iov = &part, .msg_iovlen = 1};
    if (command->session_fd >= 0) {
        head.msg_control = control.bytes;
        head.msg_controllen = sizeof(control.bytes);
        struct cmsghdr *first = CMSG_FIRSTHDR(&head);
        first->cmsg_level = SOL_SOCKET;
        first->cmsg_type = SCM_RIGHTS;
        first->cmsg_len = CMSG_LEN(sizeof(int));
        memcpy(CMSG_DATA(first), &command->session_fd, sizeof(int));
    }
    return sendmsg(command->fd, &head, MSG_DONTWAIT | MSG_NOSIGNAL);
}

static int answer(struct task *task, struct command *command)
{
    AUTO_BUF struct buf packet;
    uint8_t head[8];
    buf_init(&packet, PACKET_MAX);
    span_t output = buf_span(&command->output);
    bytes_put_u32(head, buf_len(&command->next) > 0 ? MORE : command->status);
    bytes_put_u32(head + 4, (uint32_t)output.len);
    (void)buf_append(&packet, span_of(head, sizeof(head)));
    (void)buf_append(&packet, output);
    (void)buf_append(&packet, buf_span(&command->error));
    int result = buf_fault(&packet);
    span_t bytes = buf_span(&packet);
    while (result == 0) {
        if (send_packet(command, bytes) >= 0)
            break;
        if (errno != EAGAIN && errno != EINTR)
            return -errno;
        result = watch_wait(task, command->watch, WATCH_WRITE, PATIENCE_MS);
    }
    return result;
}

static void serve_one(struct task *task, void *arg)
{
    AUTO(command) struct command *command = arg;
    AUTO_BUF struct buf packet;
    buf_init(&packet, PACKET_MAX);
    int result = receive(task, command, &packet);
    if (result == 0) {
        run(task, command);
        result = answer(task, command);
    }
    while (result == 0 && buf_len(&command->next) > 0) {
        buf_clear(&command->output);
        do_admin(task, command);
        result = answer(task, command);
    }
    if (result < 0 && result != -ECANCELED)
        log_warn("control.failed", F_FAULT(result));
    if (packet.bytes != NULL)
        explicit_bzero(packet.bytes, packet.end); /* it may hold passwords */
}

/* Root and whoever runs the server, nobody else. */
static bool may_command(int fd)
{
    struct ucred peer;
    socklen_t size = sizeof(peer);
    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) < 0)
        return false;
    return peer.uid == 0 || peer.uid == geteuid();
}

static int start_one(struct supervisor *supervisor, int accepted)
{
    AUTO_FD int fd = accepted;
    if (!may_command(fd))
        return -EPERM;
    AUTO_FREE struct command *made = mem_new(sizeof(*made));
    if (made == NULL)
        return -ENOMEM;
    int result = watch_new(supervisor->loop, fd, &made->watch);
    if (result < 0)
        return result;
    AUTO(command) struct command *command = TAKE(made);
    command->supervisor = supervisor;
    command->fd = TAKE_FD(fd);
    command->session_fd = -1;
    buf_init(&command->output, PACKET_MAX - 2048);
    buf_init(&command->error, 2000);
    buf_init(&command->next, 1024);
    result = task_group_spawn(&supervisor->tasks, supervisor->loop, "control", serve_one, command);
    if (result == 0)
        (void)TAKE(command);
    return result;
}

static void serve(struct task *task, void *arg)
{
    struct supervisor *supervisor = arg;
    AUTO(watch) struct watch *watch = NULL;
    int result = watch_new(supervisor->loop, supervisor->control_fd, &watch);
    while (result == 0) {
        int fd = accept4(supervisor->control_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
        int fault = fd < 0 ? -errno : start_one(supervisor, fd);
        if (fault == -EAGAIN)
            result = watch_wait(task, watch, WATCH_READ, FOREVER);
        else if (fault == -EMFILE || fault == -ENFILE || fault == -ENOMEM)
            result = task_sleep(task, 100);
        else if (fault < 0)
            log_warn("control.refused", F_FAULT(fault));
    }
    if (result != -ECANCELED)
        log_error("control.ended", F_FAULT(result));
}

static int control_address(const struct supervisor *supervisor, struct sockaddr_un *ret_address)
{
    *ret_address = (struct sockaddr_un){.sun_family = AF_UNIX};
    int length = snprintf(ret_address->sun_path, sizeof(ret_address->sun_path), "%s/control.sock", supervisor->data);
    return length < 0 || (size_t)length >= sizeof(ret_address->sun_path) ? -ENAMETOOLONG : 0;
}

int control_listen(struct supervisor *supervisor)
{
    struct sockaddr_un address;
    int result = control_address(supervisor, &address);
    if (result < 0)
        return result;
    AUTO_FD int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return -errno;
    (void)unlink(address.sun_path); /* an earlier server's: we hold the lock */
    mode_t mask = umask(0177);
    result = bind(fd, (const struct sockaddr *)&address, sizeof(address)) < 0 ? -errno : 0;
    (void)umask(mask);
    if (result == 0 && listen(fd, CONNECTIONS_MAX) < 0)
        result = -errno;
    if (result == 0)
        supervisor->control_fd = TAKE_FD(fd);
    return result;
}

int control_serve(struct supervisor *supervisor)
{
    return task_group_spawn(&supervisor->tasks, supervisor->loop, "control", serve, supervisor);
}

void control_close(struct supervisor *supervisor)
{
    struct sockaddr_un address;
    if (supervisor->control_fd < 0)
        return;
    (void)close(TAKE_FD(supervisor->control_fd));
    if (control_address(supervisor, &address) == 0)
        (void)unlink(address.sun_path);
}
