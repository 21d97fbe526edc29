#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "role/supervisor/state.h"

#define DRAIN_MS (24LL * 3600 * 1000) /* how long a gate may keep its old connections */

static void on_message(void *arg, struct channel *channel, struct ipc_message *message)
{
    struct child *child = arg;
    struct supervisor *supervisor = child->supervisor;
    if (message->type == IPC_open_session)
        session_open(supervisor, channel, TAKE(message));
    else if (message->type == IPC_account_gone)
        session_account_gone(supervisor, message->account_gone.account, message->account_gone.destroy != 0);
    else if (message->type == IPC_quota)
        session_account_quota(supervisor, message);
    else if (message->type == IPC_reports_damaged)
        aside_reports(child);
    else if (message->type == IPC_reach)
        reach_filter(supervisor, channel, message);
    else if (message->type == IPC_lost && message->lost.peer < ROLE_COUNT)
        wire_again(child, (enum ipc_role)message->lost.peer, message->lost.index);
    ipc_message_free(message);
}

/* A role without its channel is of no use; its end is seen when it is reaped. */
static void on_closed(void *arg, struct channel *channel)
{
    const struct child *child = arg;
    (void)channel;
    bool is_ending = child->is_renewed || child->stage == CHILD_DRAINS || child->supervisor->is_stopping;
    if (child->pid > 0 && !is_ending)
        (void)kill(child->pid, SIGKILL);
}

static const struct channel_hooks hooks = {.message = on_message, .closed = on_closed};

void child_settle(int channel_fd, int lock_fd)
{
    sigset_t none;
    (void)sigemptyset(&none);
    (void)sigprocmask(SIG_SETMASK, &none, NULL);
    /* Out of the way first: either may have the number that the other is to get. */
    int channel_copy = fcntl(channel_fd, F_DUPFD_CLOEXEC, SUPERVISOR_LOCK_FD + 1);
    int lock_copy = fcntl(lock_fd, F_DUPFD_CLOEXEC, SUPERVISOR_LOCK_FD + 1);
    if (channel_copy < 0 || lock_copy < 0 || dup2(channel_copy, SUPERVISOR_FD) < 0 ||
        dup2(lock_copy, SUPERVISOR_LOCK_FD) < 0 || dup2(STDERR_FILENO, STDOUT_FILENO) < 0)
        _exit(EXIT_FAILURE);
    (void)close_range(SUPERVISOR_LOCK_FD + 1, ~0U, 0);
}

static const char *const role_words[ROLE_COUNT] = {
    [ROLE_GATE] = "gate",   [ROLE_KEEPER] = "keeper",   [ROLE_INTAKE] = "intake",
    [ROLE_STORE] = "store", [ROLE_COURIER] = "courier",
};

static uint32_t count_of(const struct supervisor *supervisor, enum ipc_role role)
{
    uint32_t count = 0;
    for (size_t i = 0; i < supervisor->child_count; i++)
        count += supervisor->children[i].role == role && supervisor->children[i].stage != CHILD_DRAINS;
    return count;
}

static void become_role(const struct child *child, int channel_fd)
{
    const struct supervisor *supervisor = child->supervisor;
    char index[16];
    char count[16];
    char *words[8];
    size_t at = 0;
    (void)snprintf(index, sizeof(index), "%u", child->index);
    (void)snprintf(count, sizeof(count), "%u", count_of(supervisor, child->role));
    words[at++] = (char *)(uintptr_t)supervisor->start->program;
    if (supervisor->start->conf_path != NULL) {
        words[at++] = (char *)(uintptr_t) "-c";
        words[at++] = (char *)(uintptr_t)supervisor->start->conf_path;
    }
    words[at++] = (char *)(uintptr_t) "role";
    words[at++] = (char *)(uintptr_t)role_words[child->role];
    words[at++] = index;
    words[at++] = count;
    words[at] = NULL;
    child_settle(channel_fd, supervisor->lock_fd);
    (void)execv(supervisor->start->program, words);
    _exit(EXIT_FAILURE);
}

static int child_start(struct child *child)
{
    struct supervisor *supervisor = child->supervisor;
    int fds[2];
    int result = channel_pair(fds);
    if (result < 0)
        return result;
    AUTO_FD int far = fds[1];
    result = channel_new(supervisor->loop, fds[0], ROLE_SUPERVISOR, child->role, &hooks, child, &child->channel);
    if (result < 0)
        return result;
    child->pid = fork();
    if (child->pid == 0)
        become_role(child, far);
    if (child->pid < 0) {
        result = -errno;
        child->pid = 0;
        channel_free(TAKE(child->channel));
        return result;
    }
    child->is_ready = false;
    child->started = loop_now(supervisor->loop);
    return 0;
}

static void wait_to_restart(struct child *child)
{
    child->delay = child->delay == 0 ? BACKOFF_MIN_MS : child->delay * 2;
    if (child->delay > BACKOFF_MAX_MS)
        child->delay = BACKOFF_MAX_MS;
    timer_start(child->timer, child->delay);
}

/* It has had its time. */
static void stop_draining(struct child *child)
{
    struct ipc_message stop = {.type = IPC_stop};
    if (child->pid > 0 && channel_send(child->channel, &stop) < 0)
        (void)kill(child->pid, SIGKILL);
}

static void on_restart(void *arg)
{
    struct child *child = arg;
    if (child->supervisor->is_stopping)
        return;
    if (child->stage != CHILD_SERVES) {
        stop_draining(child);
        return;
    }
    child->restarts += child->delay > 0;
    int result = child_start(child);
    if (result == 0)
        result = wire_child(child);
    if (result == 0)
        return;
    log_error("role.restart.failed", F_TEXT("which", ipc_role_name(child->role)), F_FAULT(result));
    if (child->pid > 0)
        (void)kill(child->pid, SIGKILL);
    else
        wait_to_restart(child);
}

static void one_ended(struct child *child, int status)
{
    struct supervisor *supervisor = child->supervisor;
    child->pid = 0;
    child->is_ready = false;
    channel_free(TAKE(child->channel));
    event_pulse(&supervisor->ended);
    if (supervisor->is_stopping)
        return;
    if (child->stage != CHILD_SERVES) {
        timer_stop(child->timer);
        child->stage = CHILD_DRAINS;
        return;
    }
    if (child->is_renewed) {
        child->is_renewed = false;
        child->delay = 0;
        timer_start(child->timer, 0);
        return;
    }
    log_error("role.ended", F_TEXT("which", ipc_role_name(child->role)), F_U64("index", child->index),
              F_INT("exit", WIFEXITED(status) ? WEXITSTATUS(status) : -1),
              F_INT("signal", WIFSIGNALED(status) ? WTERMSIG(status) : 0));
    if (!supervisor->is_started) {
        supervisor_stop(supervisor, EXIT_FAILURE);
        return;
    }
    if (loop_now(supervisor->loop) - child->started > BACKOFF_RESET_MS)
        child->delay = 0;
    wait_to_restart(child);
}

void child_ended(struct supervisor *supervisor, pid_t pid, int status)
{
    if (session_ended(supervisor, pid, status))
        return;
    for (size_t i = 0; i < supervisor->child_count; i++) {
        if (supervisor->children[i].pid == pid) {
            one_ended(&supervisor->children[i], status);
            return;
        }
    }
}

static int add_child(struct supervisor *supervisor, enum ipc_role role, uint32_t index)
{
    if (supervisor->child_count == CHILDREN_MAX)
        return -E2BIG;
    struct child *child = &supervisor->children[supervisor->child_count];
    *child = (struct child){.supervisor = supervisor, .role = role, .index = index};
    int result = timer_new(supervisor->loop, on_restart, child, &child->timer);
    if (result == 0)
        supervisor->child_count++;
    return result;
}

static int add_children(struct supervisor *supervisor, enum ipc_role role, uint64_t count)
{
    if (count == 0) {
        long cores = sysconf(_SC_NPROCESSORS_ONLN);
        count = cores < 1 ? 1 : cores > 64 ? 64 : (uint64_t)cores;
    }
    int result = 0;
    for (uint32_t i = 0; result == 0 && i < count; i++)
        result = add_child(supervisor, role, i);
    return result;
}

/* All processes first, then all wires: they load side by side. */
int child_start_all(struct supervisor *supervisor)
{
    int result = add_children(supervisor, ROLE_STORE, 1);
    if (result == 0)
        result = add_children(supervisor, ROLE_KEEPER, 1);
    if (result == 0)
        result = add_children(supervisor, ROLE_INTAKE, supervisor->conf->server_intakes);
    if (result == 0)
        result = add_children(supervisor, ROLE_GATE, supervisor->conf->server_gates);
    if (result == 0)
        result = add_children(supervisor, ROLE_COURIER, 1);
    for (size_t i = 0; result == 0 && i < supervisor->child_count; i++)
        result = child_start(&supervisor->children[i]);
    for (size_t i = 0; result == 0 && i < supervisor->child_count; i++)
        result = wire_child(&supervisor->children[i]);
    return result;
}

void child_free_all(struct supervisor *supervisor)
{
    for (size_t i = 0; i < supervisor->child_count; i++) {
        timer_free(supervisor->children[i].timer);
        channel_free(supervisor->children[i].channel);
    }
    supervisor->child_count = 0;
}

struct child *child_find(struct supervisor *supervisor, enum ipc_role role, uint32_t index)
{
    for (size_t i = 0; i < supervisor->child_count; i++) {
        struct child *child = &supervisor->children[i];
        if (child->role == role && child->index == index && !child_is_vacant(child))
            return child;
    }
    return NULL;
}

/* --- one generation after the other --- */

bool child_is_vacant(const struct child *child)
{
    return child->stage != CHILD_SERVES && child->pid == 0;
}

static struct child *find_vacant(struct supervisor *supervisor)
{
    for (size_t i = 0; i < supervisor->child_count; i++) {
        if (child_is_vacant(&supervisor->children[i]))
            return &supervisor->children[i];
    }
    return NULL;
}

/* Its peers tell it by its number from all that are alive. */
static uint32_t free_index(struct supervisor *supervisor, enum ipc_role role)
{
    uint32_t index = 0;
    while (child_find(supervisor, role, index) != NULL)
        index++;
    return index;
}

int child_start_beside(struct child *child, struct child **ret_beside)
{
    struct supervisor *supervisor = child->supervisor;
    uint32_t index = free_index(supervisor, child->role);
    struct child *beside = find_vacant(supervisor);
    if (beside == NULL) {
        int result = add_child(supervisor, child->role, index);
        if (result < 0)
            return result;
        beside = &supervisor->children[supervisor->child_count - 1];
    }
    *beside = (struct child){
        .supervisor = supervisor, .role = child->role, .index = index, .timer = beside->timer, .stage = CHILD_ON_TRIAL};
    int result = child_start(beside);
    if (result == 0)
        result = wire_child(beside);
    if (result == 0)
        *ret_beside = beside;
    else if (beside->pid > 0)
        (void)kill(beside->pid, SIGKILL);
    return result;
}

void child_serve(struct child *child)
{
    child->stage = CHILD_SERVES;
    if (child->role == ROLE_GATE && wire_listeners(child) < 0)
        (void)kill(child->pid, SIGKILL); /* it comes back, with its listeners */
}

void child_drain(struct child *child)
{
    struct ipc_message drain = {.type = IPC_drain};
    child->stage = CHILD_DRAINS;
    if (child->pid == 0)
        timer_stop(child->timer);
    else if (channel_send(child->channel, &drain) < 0)
        (void)kill(child->pid, SIGKILL);
    else
        timer_start(child->timer, DRAIN_MS);
}
