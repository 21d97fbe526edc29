#include "role/keeper/hasher.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/log.h"
#include "base/mem.h"
#include "priv/rights.h"
#include "role/keeper/signingkey.h"
#include "rt/event.h"
#include "rt/task.h"
#include "rt/watch.h"

/* To a child: number 8, enum work 4, and of WORK_HASH: memory 4, passes 4, salt, password; of WORK_KEY: algorithm 4.
 * Back: number 8, positive errno 4, what came of it. */
enum work { WORK_HASH = 1, WORK_KEY = 2 };
#define REQUEST_HEAD 12U
#define HASH_HEAD (8U + PASSWORD_SALT_SIZE)
#define REQUEST_MAX (REQUEST_HEAD + HASH_HEAD + PASSWORD_MAX)
#define REPLY_HEAD 12U
#define REPLY_MAX (REPLY_HEAD + SIGNING_PRIVATE_MAX)
#define ANSWER_TIMEOUT 60000

struct child {
    pid_t pid;
    int fd;
    struct watch *watch;
    uint64_t number; /* of the request under way; answers to earlier ones, whose tasks were cancelled, are dropped */
    int busy;
};

struct hasher {
    struct loop *loop;
    struct event freed; /* pulsed when a child has nothing to do */
    unsigned waiting;
    unsigned count;
    struct child children[];
};

/* --- in the child --- */

static int work(enum work which, span_t asked, struct secret **ret_secret)
{
    struct password_params params;
    if (which == WORK_KEY && asked.len == 4)
        return signing_key_make((enum dkim_algorithm)bytes_get_u32(asked.at), ret_secret);
    if (which != WORK_HASH || asked.len < HASH_HEAD)
        return -EINVAL;
    params.memory_kib = bytes_get_u32(asked.at);
    params.passes = bytes_get_u32(asked.at + 4);
    memcpy(params.salt, asked.at + 8, sizeof(params.salt));
    return password_hash(&params, span_from(asked, HASH_HEAD), ret_secret);
}

static void answer(int fd, span_t request)
{
    uint8_t reply[REPLY_MAX];
    size_t len = REPLY_HEAD;
    AUTO(secret) struct secret *made = NULL;
    int result = work((enum work)bytes_get_u32(request.at + 8), span_from(request, REQUEST_HEAD), &made);
    if (result == 0 && secret_len(made) > SIGNING_PRIVATE_MAX)
        result = -EMSGSIZE;
    memcpy(reply, request.at, 8);
    bytes_put_u32(reply + 8, (uint32_t)-result);
    if (result == 0) {
        memcpy(reply + REPLY_HEAD, secret_bytes(made), secret_len(made));
        len += secret_len(made);
    }
    ssize_t sent = send(fd, reply, len, MSG_NOSIGNAL);
    secret_wipe(reply, sizeof(reply));
    if (sent != (ssize_t)len)
        _exit(1);
}

__attribute__((noreturn)) static void child_main(int fd, const struct priv_start *confine)
{
    uint8_t request[REQUEST_MAX];
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (dup2(fd, 3) < 0)
        _exit(1);
    (void)!close_range(4, ~0U, 0);
    /* It needs what intake needs: memory, and the socket it has. */
    if (confine != NULL && priv_enter(PRIV_HASHER, confine) != 0)
        _exit(1);
    for (;;) {
        ssize_t got = recv(3, request, sizeof(request), 0);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < (ssize_t)REQUEST_HEAD)
            _exit(0);
        answer(3, span_of(request, (size_t)got));
        secret_wipe(request, sizeof(request));
    }
}

/* --- in keeper --- */

static int child_fork(struct child *child, const struct priv_start *confine)
{
    int fds[2];
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds) < 0)
        return -errno;
    pid_t pid = fork();
    if (pid == 0)
        child_main(fds[1], confine);
    int result = pid < 0 ? -errno : 0;
    close(fds[1]);
    if (result != 0) {
        close(fds[0]);
        return result;
    }
    child->pid = pid;
    child->fd = fds[0];
    return 0;
}

int hasher_new(unsigned children, const struct priv_start *confine, struct hasher **ret_hasher)
{
    AUTO(hasher) struct hasher *hasher = mem_new(sizeof(*hasher) + children * sizeof(hasher->children[0]));
    if (hasher == NULL)
        return -ENOMEM;
    event_init(&hasher->freed);
    for (; hasher->count < children; hasher->count++) {
        int result = child_fork(&hasher->children[hasher->count], confine);
        if (result != 0)
            return result;
    }
    *ret_hasher = TAKE(hasher);
    return 0;
}

void hasher_free(struct hasher *hasher)
{
    if (hasher == NULL)
        return;
    hasher_stop(hasher);
    for (unsigned at = 0; at < hasher->count; at++) {
        if (hasher->children[at].fd < 0)
            continue;
        close(hasher->children[at].fd);
        kill(hasher->children[at].pid, SIGKILL);
        while (waitpid(hasher->children[at].pid, NULL, 0) < 0 && errno == EINTR)
            continue;
    }
    scope_free(&hasher);
}

int hasher_start(struct hasher *hasher, struct loop *loop)
{
    hasher->loop = loop;
    for (unsigned at = 0; at < hasher->count; at++) {
        struct child *child = &hasher->children[at];
        int result = watch_new(loop, child->fd, &child->watch);
        if (result != 0)
            return result;
    }
    return 0;
}

void hasher_stop(struct hasher *hasher)
{
    for (unsigned at = 0; at < hasher->count; at++) {
        watch_free(hasher->children[at].watch);
        hasher->children[at].watch = NULL;
    }
}

/* Waits for its turn. */
static int child_take(struct task *task, struct hasher *hasher, struct child **ret_child)
{
    for (;;) {
        for (unsigned at = 0; at < hasher->count; at++) {
            struct child *child = &hasher->children[at];
            if (child->busy == 0) {
                child->busy = 1;
                *ret_child = child;
                return 0;
            }
        }
        if (hasher->waiting >= HASHER_QUEUE_MAX)
            return -EBUSY;
        hasher->waiting++;
        int result = event_wait(task, &hasher->freed, FOREVER);
        hasher->waiting--;
        if (result != 0)
            return result;
    }
}

struct asked {
    enum work which;
    const struct password_params *params;
    span_t password;
    enum dkim_algorithm algorithm;
};

static size_t request_write(const struct asked *asked, uint8_t *at)
{
    if (asked->which == WORK_KEY) {
        bytes_put_u32(at, asked->algorithm);
        return 4;
    }
    bytes_put_u32(at, asked->params->memory_kib);
    bytes_put_u32(at + 4, asked->params->passes);
    memcpy(at + 8, asked->params->salt, sizeof(asked->params->salt));
    if (asked->password.len > 0)
        memcpy(at + HASH_HEAD, asked->password.at, asked->password.len);
    return HASH_HEAD + asked->password.len;
}

static int request_send(struct child *child, const struct asked *asked)
{
    uint8_t request[REQUEST_MAX];
    bytes_put_u64(request, ++child->number);
    bytes_put_u32(request + 8, asked->which);
    size_t len = REQUEST_HEAD + request_write(asked, request + REQUEST_HEAD);
    ssize_t sent = send(child->fd, request, len, MSG_DONTWAIT | MSG_NOSIGNAL);
    int result = sent < 0 ? -errno : 0;
    secret_wipe(request, sizeof(request));
    return result;
}

static int reply_receive(struct task *task, struct child *child, struct secret **ret_secret)
{
    uint8_t reply[REPLY_MAX];
    for (;;) {
        ssize_t got = recv(child->fd, reply, sizeof(reply), MSG_DONTWAIT);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0 && errno == EAGAIN) {
            int result = watch_wait(task, child->watch, WATCH_READ, ANSWER_TIMEOUT);
            if (result != 0)
                return result;
            continue;
        }
        if (got < (ssize_t)REPLY_HEAD)
            return -EPIPE;                           /* it died */
        if (bytes_get_u64(reply) != child->number) { /* of somebody who has not waited for it */
            secret_wipe(reply, sizeof(reply));
            continue;
        }
        int result = -(int)bytes_get_u32(reply + 8);
        return result == 0 ? secret_take(reply + REPLY_HEAD, (size_t)got - REPLY_HEAD, ret_secret) : result;
    }
}

/* A new one in its place. It inherits the confinement that keeper has by now. */
static int child_replace(struct hasher *hasher, struct child *child)
{
    log_warn("keeper.hasher.replaced");
    watch_free(child->watch);
    child->watch = NULL;
    close(child->fd);
    child->fd = -1;
    kill(child->pid, SIGKILL);
    while (waitpid(child->pid, NULL, 0) < 0 && errno == EINTR)
        continue;
    int result = child_fork(child, NULL);
    return result == 0 ? watch_new(hasher->loop, child->fd, &child->watch) : result;
}

static int run(struct task *task, struct hasher *hasher, const struct asked *asked, struct secret **ret_secret)
{
    struct child *child = NULL;
    int result = child_take(task, hasher, &child);
    if (result != 0)
        return result;
    result = request_send(child, asked);
    if (result == 0)
        result = reply_receive(task, child, ret_secret);
    if ((result == -EPIPE || result == -ECONNRESET) && child_replace(hasher, child) != 0)
        return result; /* out of service, and the others go on */
    child->busy = 0;
    event_pulse(&hasher->freed);
    return result;
}

int hasher_run(struct task *task, struct hasher *hasher, const struct password_params *params, span_t password,
               struct secret **ret_hash)
{
    const struct asked asked = {.which = WORK_HASH, .params = params, .password = password};
    return password.len > PASSWORD_MAX ? -EINVAL : run(task, hasher, &asked, ret_hash);
}

int hasher_make_key(struct task *task, struct hasher *hasher, enum dkim_algorithm algorithm,
                    struct secret **ret_private)
{
    const struct asked asked = {.which = WORK_KEY, .algorithm = algorithm};
    return run(task, hasher, &asked, ret_private);
}
