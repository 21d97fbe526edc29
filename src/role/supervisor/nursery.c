#include <errno.h>
#include <malloc.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/log.h"
#include "base/scope.h"
#include "role/start.h"
#include "role/supervisor/state.h"

/*
 * The memory a session shares with the process it was forked from is shared only until either of them writes to it. The
 * supervisor writes all the time, and keeps more with every session. So sessions are forked from a process that does
 * nothing else: it has set up what all of them use, and its memory never changes.
 *
 * Sessions are to be the supervisor's own children, whose end it sees. So the nursery forks a process that forks the
 * session and ends at once, and the orphan goes to the supervisor, which has asked for those (prctl(2),
 * PR_SET_CHILD_SUBREAPER).
 */
#define ANSWER_MS 5000
#define HOLE_MAX 65536U /* bytes */
#define HOLE_MIN 16U

struct request {
    uint64_t account;
};

/*
 * --- in the nursery ---
 *
 * _Fork(), which runs no library's fork handlers: libuv's closes the descriptors it had in the supervisor, whose
 * numbers are others' by now.
 */

static void become_session(const struct supervisor *supervisor, uint64_t account, int channel_fd)
{
    (void)prctl(PR_SET_NAME, "session", 0, 0, 0);
    child_settle(channel_fd, SUPERVISOR_LOCK_FD);
    struct role_start start = {
        .conf = supervisor->conf,
        .data = supervisor->data,
        .count = 1,
        .supervisor_fd = SUPERVISOR_FD,
        .account = account,
    };
    _exit(supervisor->start->session(&start));
}

/* The answer is written by the one who knows it. */
static void bear(const struct supervisor *supervisor, uint64_t account, int channel_fd)
{
    pid_t pid = _Fork();
    if (pid == 0)
        become_session(supervisor, account, channel_fd);
    if (pid < 0)
        pid = -errno;
    _exit(write(SUPERVISOR_FD, &pid, sizeof(pid)) == (ssize_t)sizeof(pid) ? EXIT_SUCCESS : EXIT_FAILURE);
}

/* False where the supervisor has ended, or has no more room for us. */
static bool receive(struct request *ret_request, int *ret_fd)
{
    union {
        struct cmsghdr align;
        uint8_t bytes[CMSG_SPACE(sizeof(int))];
    } control;
    struct iovec part = {ret_request, sizeof(*ret_request)};
    struct msghdr head = {
        .msg_iov = &part, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof(control)};
    ssize_t len = recvmsg(SUPERVISOR_FD, &head, MSG_CMSG_CLOEXEC);
    const struct cmsghdr *carried = len == (ssize_t)sizeof(*ret_request) ? CMSG_FIRSTHDR(&head) : NULL;
    if (carried == NULL || carried->cmsg_type != SCM_RIGHTS)
        return false;
    memcpy(ret_fd, CMSG_DATA(carried), sizeof(*ret_fd));
    return true;
}

/*
 * What is free between our blocks would be the first that a session uses, and cost it a page of its own each time. So
 * all of it is used up here, for ever, and sessions find only new pages.
 */
static void plug_holes(void)
{
    struct mallinfo2 info = mallinfo2();
    const uint8_t *end = (const uint8_t *)sbrk(0) - info.keepcost;
    size_t left = info.fordblks; /* another allocator than glibc's, say a sanitizer's, would never come to an end */
    for (size_t size = HOLE_MAX; size >= HOLE_MIN; size -= size > 1024 ? size / 8 / 16 * 16 : 16) {
        const uint8_t *block = malloc(size);
        while (block != NULL && block < end && left >= size) {
            left -= size;
            block = malloc(size);
        }
    }
}

static void run(const struct supervisor *supervisor, int fd)
{
    struct request request;
    int channel_fd = -1;
    child_settle(fd, supervisor->lock_fd);
    (void)prctl(PR_SET_NAME, "nursery", 0, 0, 0);
    int result = supervisor->start->prepare_session();
    if (result < 0)
        log_warn("nursery.prepare.failed", F_FAULT(result)); /* it works without, and needs more memory */
    plug_holes();
    (void)malloc_trim(0);
    while (receive(&request, &channel_fd)) {
        pid_t between = _Fork();
        if (between == 0)
            bear(supervisor, request.account, channel_fd);
        pid_t failed = -errno;
        (void)close(channel_fd);
        if (between > 0)
            (void)waitpid(between, NULL, 0);
        else if (write(SUPERVISOR_FD, &failed, sizeof(failed)) < 0)
            break;
    }
    _exit(EXIT_SUCCESS);
}

/* --- in the supervisor --- */

static int start(struct supervisor *supervisor)
{
    int fds[2];
    if (prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) < 0 || socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds) < 0)
        return -errno;
    AUTO_FD int near = fds[0];
    AUTO_FD int far = fds[1];
    pid_t pid = fork();
    if (pid == 0)
        run(supervisor, far);
    if (pid < 0)
        return -errno;
    supervisor->nursery_pid = pid;
    supervisor->nursery_fd = TAKE_FD(near);
    return 0;
}

void nursery_end(struct supervisor *supervisor)
{
    if (supervisor->nursery_pid == 0)
        return;
    (void)kill(supervisor->nursery_pid, SIGKILL);
    (void)waitpid(supervisor->nursery_pid, NULL, 0);
    (void)close(supervisor->nursery_fd);
    supervisor->nursery_pid = 0;
    supervisor->nursery_fd = -1;
}

static int ask(const struct supervisor *supervisor, uint64_t account, int channel_fd)
{
    union {
        struct cmsghdr align;
        uint8_t bytes[CMSG_SPACE(sizeof(int))];
    } control = {.bytes = {0}};
    struct request request = {account};
    struct iovec part = {&request, sizeof(request)};
    struct msghdr head = {
        .msg_iov = &part, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof(control)};
    struct cmsghdr *carried = CMSG_FIRSTHDR(&head);
    carried->cmsg_level = SOL_SOCKET;
    carried->cmsg_type = SCM_RIGHTS;
    carried->cmsg_len = CMSG_LEN(sizeof(int));
    memcpy(CMSG_DATA(carried), &channel_fd, sizeof(channel_fd));
    return sendmsg(supervisor->nursery_fd, &head, MSG_DONTWAIT | MSG_NOSIGNAL) < 0 ? -errno : 0;
}

/* It takes about a millisecond, for which the supervisor waits, as it would for a fork of its own. */
static int answer(const struct supervisor *supervisor, pid_t *ret_pid)
{
    struct pollfd poll_fd = {.fd = supervisor->nursery_fd, .events = POLLIN};
    pid_t pid = 0;
    int ready = poll(&poll_fd, 1, ANSWER_MS);
    if (ready <= 0)
        return ready < 0 ? -errno : -ETIMEDOUT;
    ssize_t len = recv(supervisor->nursery_fd, &pid, sizeof(pid), MSG_DONTWAIT);
    if (len != (ssize_t)sizeof(pid))
        return len < 0 ? -errno : -EPIPE;
    if (pid <= 0)
        return pid < 0 ? pid : -EPROTO;
    *ret_pid = pid;
    return 0;
}

static int try_once(struct supervisor *supervisor, uint64_t account, int channel_fd, pid_t *ret_pid)
{
    int result = supervisor->nursery_pid != 0 ? 0 : start(supervisor);
    if (result == 0)
        result = ask(supervisor, account, channel_fd);
    return result == 0 ? answer(supervisor, ret_pid) : result;
}

int nursery_bear(struct supervisor *supervisor, uint64_t account, int channel_fd, pid_t *ret_pid)
{
    int result = try_once(supervisor, account, channel_fd, ret_pid);
    if (result != -EPIPE && result != -ECONNRESET && result != -ETIMEDOUT)
        return result;
    log_warn("nursery.lost", F_FAULT(result));
    nursery_end(supervisor);
    return result == -ETIMEDOUT ? result : try_once(supervisor, account, channel_fd, ret_pid);
}
