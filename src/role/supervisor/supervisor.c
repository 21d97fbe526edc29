#include "role/supervisor/supervisor.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "priv/rights.h"
#include "role/supervisor/state.h"

/* Signals, as bytes from a descriptor: a handler would be shared with the sessions we fork. */

static void reap(struct supervisor *supervisor)
{
    int status = 0;
    for (pid_t pid; (pid = waitpid(-1, &status, WNOHANG)) > 0;)
        child_ended(supervisor, pid, status);
}

static void reload(struct task *task, void *arg)
{
    struct conf_error error;
    if (reload_settings(task, arg, &error) < 0)
        log_error("supervisor.reload.failed", F_TEXT("reason", error.text));
}

static void on_signal(void *arg, unsigned ready)
{
    struct supervisor *supervisor = arg;
    struct signalfd_siginfo signal;
    (void)ready;
    while (read(supervisor->signal_fd, &signal, sizeof(signal)) == (ssize_t)sizeof(signal)) {
        if (signal.ssi_signo == SIGCHLD)
            reap(supervisor);
        else if (signal.ssi_signo == SIGTERM || signal.ssi_signo == SIGINT)
            supervisor_stop(supervisor, EXIT_SUCCESS);
        else if (task_group_spawn(&supervisor->tasks, supervisor->loop, "reload", reload, supervisor) < 0)
            log_error("supervisor.reload.failed");
    }
}

static int open_signals(struct supervisor *supervisor)
{
    sigset_t set;
    (void)sigemptyset(&set);
    (void)sigaddset(&set, SIGCHLD);
    (void)sigaddset(&set, SIGTERM);
    (void)sigaddset(&set, SIGINT);
    (void)sigaddset(&set, SIGHUP);
    if (sigprocmask(SIG_BLOCK, &set, NULL) < 0)
        return -errno;
    supervisor->signal_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    if (supervisor->signal_fd < 0)
        return -errno;
    int result = watch_new(supervisor->loop, supervisor->signal_fd, &supervisor->signals);
    if (result == 0)
        result = watch_call(supervisor->signals, WATCH_READ, on_signal, supervisor);
    return result;
}

/* Stop: first those who speak with people, then those who keep what they said. */

static size_t running(const struct supervisor *supervisor, unsigned roles)
{
    size_t count = 0;
    for (size_t i = 0; i < supervisor->child_count; i++) {
        const struct child *child = &supervisor->children[i];
        count += child->pid > 0 && (roles & 1U << child->role) != 0;
    }
    if ((roles & 1U << ROLE_SESSION) != 0)
        count += map_count(supervisor->sessions);
    return count;
}

static void tell_to_stop(struct supervisor *supervisor, unsigned roles)
{
    for (size_t i = 0; i < supervisor->child_count; i++) {
        struct child *child = &supervisor->children[i];
        struct ipc_message stop = {.type = IPC_stop};
        if (child->pid > 0 && (roles & 1U << child->role) != 0 && channel_send(child->channel, &stop) < 0)
            (void)kill(child->pid, SIGKILL);
    }
}

static void stop_roles(struct task *task, struct supervisor *supervisor, unsigned roles, int64_t deadline)
{
    tell_to_stop(supervisor, roles);
    if ((roles & 1U << ROLE_SESSION) != 0)
        session_stop_all(supervisor);
    while (running(supervisor, roles) > 0) {
        int64_t left = deadline - loop_now(supervisor->loop);
        if (left <= 0 || event_wait(task, &supervisor->ended, left) < 0)
            return;
    }
}

static void stop(struct task *task, void *arg)
{
    struct supervisor *supervisor = arg;
    int64_t deadline = loop_now(supervisor->loop) + STOP_MS;
    notify_manager("STOPPING=1");
    stop_roles(task, supervisor, 1U << ROLE_GATE | 1U << ROLE_COURIER, deadline - STOP_MS / 2);
    stop_roles(task, supervisor, 1U << ROLE_SESSION | 1U << ROLE_INTAKE, deadline - STOP_MS / 4);
    stop_roles(task, supervisor, 1U << ROLE_KEEPER | 1U << ROLE_STORE, deadline);
    loop_stop(supervisor->loop);
}

void supervisor_stop(struct supervisor *supervisor, int exit_status)
{
    if (supervisor->is_stopping)
        return;
    supervisor->is_stopping = true;
    supervisor->exit_status = exit_status;
    if (task_spawn(supervisor->loop, "stop", stop, supervisor, NULL) < 0)
        loop_stop(supervisor->loop);
}

/* Start. */

static void announce(struct task *task, void *arg)
{
    struct supervisor *supervisor = arg;
    for (bool ready = false; !ready;) {
        ready = true;
        for (size_t i = 0; i < supervisor->child_count; i++)
            ready = ready && supervisor->children[i].is_ready;
        if (!ready && (supervisor->is_stopping || event_wait(task, &supervisor->ended, FOREVER) < 0))
            return;
    }
    supervisor->is_started = true;
    event_pulse(&supervisor->ended);
    log_info("supervisor.ready", F_INT("ms", loop_now(supervisor->loop) - supervisor->started));
    (void)printf("ready\n");
    (void)fflush(stdout);
    notify_manager("READY=1");
}

static int confine(const struct supervisor *supervisor)
{
    struct priv_start start = {.data = supervisor->data, .user = supervisor->conf->server_user};
    return priv_enter(PRIV_SUPERVISOR, &start);
}

static int make_log_key(struct supervisor *supervisor)
{
    char text[2 * sizeof(supervisor->log_key) + 1];
    if (getrandom(supervisor->log_key, sizeof(supervisor->log_key), 0) != (ssize_t)sizeof(supervisor->log_key))
        return -EIO;
    for (size_t i = 0; i < sizeof(supervisor->log_key); i++)
        (void)snprintf(text + 2 * i, 3, "%02x", supervisor->log_key[i]);
    return setenv(SUPERVISOR_LOG_KEY, text, 1) < 0 ? -errno : 0;
}

static int start_up(struct supervisor *supervisor)
{
    const struct {
        const char *what;
        int (*step)(struct supervisor *supervisor);
    } steps[] = {
        {"data directory", place_prepare}, {"listen", listen_all},    {"control socket", control_listen},
        {"signals", open_signals},         {"log key", make_log_key},
    };
    int result = 0;
    for (size_t i = 0; result == 0 && i < COUNT_OF(steps); i++) {
        result = steps[i].step(supervisor);
        if (result < 0)
            log_error("supervisor.start.failed", F_TEXT("step", steps[i].what), F_FAULT(result));
    }
    if (result == -EBUSY)
        (void)fprintf(stderr, "waxwing: another server runs in %s\n", supervisor->data);
    if (result == 0 && (result = confine(supervisor)) < 0)
        log_error("supervisor.confine.failed", F_FAULT(result));
    if (result == 0)
        result = child_start_all(supervisor);
    if (result == 0)
        result = control_serve(supervisor);
    if (result == 0)
        result = task_group_spawn(&supervisor->tasks, supervisor->loop, "announce", announce, supervisor);
    return result;
}

/* Whoever has not ended by now does not get more time. */
static void kill_rest(struct supervisor *supervisor)
{
    session_kill_all(supervisor);
    nursery_end(supervisor);
    for (size_t i = 0; i < supervisor->child_count; i++) {
        struct child *child = &supervisor->children[i];
        if (child->pid > 0) {
            (void)kill(child->pid, SIGKILL);
            (void)waitpid(child->pid, NULL, 0);
        }
    }
}

static void clean_up(struct supervisor *supervisor)
{
    supervisor->is_stopping = true;
    kill_rest(supervisor);
    (void)!loop_finish(supervisor->loop, 1000);
    child_free_all(supervisor);
    watch_free(supervisor->signals);
    if (supervisor->signal_fd >= 0)
        (void)close(supervisor->signal_fd);
    control_close(supervisor);
    listen_close(supervisor);
    if (supervisor->lock_fd >= 0)
        (void)close(supervisor->lock_fd);
    map_free(supervisor->sessions);
    loop_free(supervisor->loop);
    conf_free(supervisor->reloaded);
}

int supervisor_run(const struct supervisor_start *start)
{
    AUTO_FREE struct supervisor *supervisor = mem_new(sizeof(*supervisor));
    if (supervisor == NULL)
        return EXIT_FAILURE;
    supervisor->start = start;
    supervisor->conf = start->conf;
    supervisor->data = start->conf->server_data;
    supervisor->signal_fd = supervisor->control_fd = supervisor->lock_fd = supervisor->nursery_fd = -1;
    task_group_init(&supervisor->tasks);
    event_init(&supervisor->ended);
    if (map_new(&supervisor->sessions) < 0 || loop_new(&supervisor->loop) < 0) {
        map_free(supervisor->sessions);
        return EXIT_FAILURE;
    }
    supervisor->started = loop_now(supervisor->loop);
    int result = start_up(supervisor);
    if (result == 0)
        result = loop_run(supervisor->loop);
    clean_up(supervisor);
    return result < 0 ? EXIT_FAILURE : supervisor->exit_status;
}
