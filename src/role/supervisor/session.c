#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "role/start.h"
#include "role/supervisor/state.h"

#define SESSION_STOP_MS 5000
#define LESSONS_QUEUED_MAX 65536U

static void flush_waiting(struct session_child *session);
static int wire_store(struct session_child *session);

/* Store has let go of it, or it of store: both get a new channel. */
static void wire_anew(struct session_child *session)
{
    int result = session->state == SESSION_ENDING ? 0 : wire_store(session);
    if (result < 0)
        log_error("session.rewire.failed", F_FAULT(result));
}

/* Where there is no keeper just now, the account's next session says it again. */
static void pass_on_full(const struct session_child *session, uint32_t is_full)
{
    const struct child *keeper = child_find(session->supervisor, ROLE_KEEPER, 0);
    struct ipc_message message = {.type = IPC_account_full,
                                  .account_full = {.account = session->account, .is_full = is_full}};
    int result = keeper == NULL || keeper->channel == NULL ? -EPIPE : channel_send(keeper->channel, &message);
    if (result < 0)
        log_warn("session.full.unsaid", F_FAULT(result));
}

static void pass_on_damage(const struct session_child *session, uint64_t times)
{
    const struct child *keeper = child_find(session->supervisor, ROLE_KEEPER, 0);
    struct ipc_message message = {.type = IPC_account_damage,
                                  .account_damage = {.account = session->account, .times = times}};
    int result = keeper == NULL || keeper->channel == NULL ? -EPIPE : channel_send(keeper->channel, &message);
    if (result < 0)
        log_warn("session.damage.unsaid", F_FAULT(result));
}

/* To one intake after the other. What they do not get to is no loss; one that does not read is left alone. */
static void pass_on_lesson(const struct session_child *session, struct ipc_message *lesson)
{
    struct supervisor *supervisor = session->supervisor;
    const struct child *intake = child_find(supervisor, ROLE_INTAKE, supervisor->lessons++);
    if (intake == NULL)
        intake = child_find(supervisor, ROLE_INTAKE, supervisor->lessons = 0);
    if (intake == NULL || intake->channel == NULL || channel_queued(intake->channel) > LESSONS_QUEUED_MAX)
        return;
    struct ipc_message message = {
        .type = IPC_teach, .fd_count = 1, .fds = {ipc_message_take_fd(lesson, 0)}, .teach = lesson->teach};
    int result = message.fds[0] < 0 ? -EMFILE : channel_send(intake->channel, &message);
    if (result < 0)
        log_debug("session.lesson.lost", F_FAULT(result));
}

static void on_message(void *arg, struct channel *channel, struct ipc_message *message)
{
    struct session_child *session = arg;
    if (message->type == IPC_leave) {
        bool goes = message->leave.attached == session->attached && session->waiting_count == 0;
        struct ipc_message reply = {.type = IPC_done, .done = {.outcome = goes ? 0 : EBUSY}};
        if (goes)
            session->state = SESSION_ENDING;
        int result = channel_reply(channel, message->call, &reply);
        if (result < 0)
            log_debug("session.leave.unanswered", F_FAULT(result));
    } else if (message->type == IPC_full) {
        pass_on_full(session, message->full.is_full);
    } else if (message->type == IPC_damage) {
        pass_on_damage(session, message->damage.times);
    } else if (message->type == IPC_teach) {
        pass_on_lesson(session, message);
    } else if (message->type == IPC_lost && message->lost.peer == ROLE_STORE) {
        wire_anew(session);
    }
    ipc_message_free(message);
}

/* A session without its channel is of no use. Who waits for it gets the next one. */
static void on_closed(void *arg, struct channel *channel)
{
    struct session_child *session = arg;
    (void)channel;
    if (session->state != SESSION_ENDING)
        (void)kill(session->pid, SIGKILL);
    session->state = SESSION_ENDING;
}

static const struct channel_hooks hooks = {.message = on_message, .closed = on_closed};

static void drop_waiting(struct session_child *session)
{
    while (session->waiting_count > 0)
        ipc_message_free(session->waiting[--session->waiting_count]);
}

static void session_free(struct session_child *session)
{
    if (session == NULL)
        return;
    drop_waiting(session);
    channel_free(session->channel);
    free(session);
}

/* While there is no store it does without; session_rewire_store() makes up for it. */
static int wire_store(struct session_child *session)
{
    const struct child *store = child_find(session->supervisor, ROLE_STORE, 0);
    int fds[2];
    if (store == NULL || store->channel == NULL || !store->is_ready)
        return 0;
    int result = channel_pair(fds);
    if (result < 0)
        return result;
    struct ipc_message to_store = {
        .type = IPC_session_wire,
        .fd_count = 1,
        .fds = {fds[0]},
        .session_wire = {.account = session->account},
    };
    struct ipc_message to_session = {
        .type = IPC_wire,
        .fd_count = 1,
        .fds = {fds[1]},
        .wire = {.peer = ROLE_STORE},
    };
    result = channel_send(store->channel, &to_store);
    int other = channel_send(session->channel, &to_session);
    return result < 0 ? result : other;
}

/* The session may be gone by the time the answer comes: it is looked up again. */
struct begin_job {
    struct supervisor *supervisor;
    uint64_t account;
    struct channel *channel;
};

static void begin(struct task *task, void *arg)
{
    AUTO_FREE struct begin_job *job = arg;
    struct ipc_message request = {.type = IPC_begin};
    AUTO(ipc_message) struct ipc_message *reply = NULL;
    int result = channel_call(task, job->channel, &request, &reply);
    struct session_child *session = map_get(job->supervisor->sessions, job->account);
    if (result == 0 && session != NULL && session->channel == job->channel && session->state == SESSION_STARTING) {
        session->state = SESSION_OPEN;
        flush_waiting(session);
    }
    channel_unref(job->channel);
}

static int begin_session(struct session_child *session)
{
    struct supervisor *supervisor = session->supervisor;
    AUTO_FREE struct begin_job *job = mem_new(sizeof(*job));
    if (job == NULL)
        return -ENOMEM;
    *job = (struct begin_job){supervisor, session->account, session->channel};
    int result = task_group_spawn(&supervisor->tasks, supervisor->loop, "begin", begin, job);
    if (result < 0)
        return result;
    (void)channel_ref(session->channel);
    (void)TAKE(job);
    return 0;
}

static int start_process(struct session_child *session)
{
    struct supervisor *supervisor = session->supervisor;
    int fds[2];
    int result = place_make_vault(supervisor, session->account);
    if (result == 0)
        result = channel_pair(fds);
    if (result < 0)
        return result;
    AUTO_FD int far = fds[1];
    channel_free(TAKE(session->channel));
    result = channel_new(supervisor->loop, fds[0], ROLE_SUPERVISOR, ROLE_SESSION, &hooks, session, &session->channel);
    if (result < 0)
        return result;
    result = nursery_bear(supervisor, session->account, far, &session->pid);
    if (result < 0)
        return result;
    session->state = SESSION_STARTING;
    session->attached = 0;
    result = wire_store(session);
    if (result == 0)
        result = begin_session(session);
    if (result < 0) {
        log_error("session.start.failed", F_FAULT(result));
        session->state = SESSION_ENDING;
        (void)kill(session->pid, SIGKILL);
    }
    return result;
}

static int new_session(struct supervisor *supervisor, uint64_t account, struct session_child **ret_session)
{
    struct session_child *session = mem_new(sizeof(*session));
    if (session == NULL)
        return -ENOMEM;
    session->supervisor = supervisor;
    session->account = account;
    int result = map_put(supervisor->sessions, account, session);
    if (result == 0)
        result = start_process(session);
    if (result == 0) {
        *ret_session = session;
        return 0;
    }
    if (session->pid == 0) { /* otherwise it is freed when it is reaped */
        (void)map_remove(supervisor->sessions, account);
        session_free(session);
    }
    return result;
}

static int attach(struct session_child *session, struct ipc_message *open)
{
    struct ipc_message message = {
        .type = IPC_attach,
        .fd_count = 2,
        .fds = {ipc_message_take_fd(open, 0), ipc_message_take_fd(open, 1)},
        .attach =
            {
                .account = session->account,
                .service = open->open_session.service,
                .prelude = open->open_session.prelude,
                .client = open->open_session.client,
            },
    };
    session->attached++;
    return channel_send(session->channel, &message);
}

static void flush_waiting(struct session_child *session)
{
    for (size_t i = 0; i < session->waiting_count; i++) {
        int result = attach(session, session->waiting[i]);
        if (result < 0)
            log_error("session.attach.failed", F_FAULT(result));
        ipc_message_free(session->waiting[i]);
    }
    session->waiting_count = 0;
}

static int hand_over(struct supervisor *supervisor, struct ipc_message **message)
{
    struct session_child *session = map_get(supervisor->sessions, (*message)->open_session.account);
    int result = 0;
    if (supervisor->is_stopping)
        return -ESHUTDOWN;
    if ((*message)->fds[0] < 0 || (*message)->fds[1] < 0)
        return -EMFILE;
    if (session == NULL)
        result = new_session(supervisor, (*message)->open_session.account, &session);
    if (result < 0)
        return result;
    if (session->is_destroyed)
        return -ENOENT;
    if (session->state == SESSION_OPEN)
        return attach(session, *message);
    if (session->waiting_count == WAITING_MAX)
        return -EAGAIN;
    session->waiting[session->waiting_count++] = TAKE(*message);
    return 0;
}

void session_open(struct supervisor *supervisor, struct channel *keeper, struct ipc_message *message)
{
    uint64_t call = message->call;
    int result = hand_over(supervisor, &message);
    ipc_message_free(message);
    if (result < 0)
        log_error("session.open.failed", F_FAULT(result));
    struct ipc_message reply = {.type = IPC_done, .done = {.outcome = (uint32_t)-result}};
    result = channel_reply(keeper, call, &reply);
    if (result < 0)
        log_debug("session.open.unanswered", F_FAULT(result));
}

struct end_job {
    struct supervisor *supervisor;
    uint64_t account;
    pid_t pid;
};

/* It was told to stop; where it does not, it is killed. */
static void end(struct task *task, void *arg)
{
    AUTO_FREE struct end_job *job = arg;
    if (task_sleep(task, SESSION_STOP_MS) < 0)
        return;
    struct session_child *session = map_get(job->supervisor->sessions, job->account);
    if (session != NULL && session->pid == job->pid)
        (void)kill(session->pid, SIGKILL);
}

static void end_session(struct session_child *session)
{
    struct supervisor *supervisor = session->supervisor;
    struct ipc_message stop = {.type = IPC_stop};
    drop_waiting(session);
    session->state = SESSION_ENDING;
    AUTO_FREE struct end_job *job = mem_new(sizeof(*job));
    int result = job == NULL ? -ENOMEM : channel_send(session->channel, &stop);
    if (result == 0) {
        *job = (struct end_job){supervisor, session->account, session->pid};
        result = task_group_spawn(&supervisor->tasks, supervisor->loop, "end", end, job);
    }
    if (result == 0)
        (void)TAKE(job);
    else
        (void)kill(session->pid, SIGKILL);
}

void session_account_gone(struct supervisor *supervisor, uint64_t account, bool destroy)
{
    struct session_child *session = map_get(supervisor->sessions, account);
    int result = destroy ? erase_mark(supervisor->data, account) : 0;
    if (result < 0)
        log_error("account.mark.failed", F_FAULT(result));
    if (session != NULL) {
        session->is_destroyed = session->is_destroyed || destroy;
        end_session(session);
    } else if (destroy) {
        forget_account(supervisor, account);
    }
}

void session_account_quota(struct supervisor *supervisor, struct ipc_message *message)
{
    const struct session_child *session = map_get(supervisor->sessions, message->quota.account);
    struct ipc_message told = {.type = IPC_quota, .quota = message->quota};
    bool is_there = session != NULL && session->state != SESSION_ENDING;
    int result = is_there ? channel_send(session->channel, &told) : 0;
    if (result < 0)
        log_warn("session.quota.unsaid", F_FAULT(result));
}

static struct session_child *find_by_pid(const struct supervisor *supervisor, pid_t pid)
{
    uint64_t account = 0;
    void *session = NULL;
    for (size_t cursor = 0; map_next(supervisor->sessions, &cursor, &account, &session);) {
        if (((struct session_child *)session)->pid == pid)
            return session;
    }
    return NULL;
}

bool session_ended(struct supervisor *supervisor, pid_t pid, int status)
{
    struct session_child *session = find_by_pid(supervisor, pid);
    if (session == NULL)
        return false;
    bool was_well = WIFEXITED(status) && WEXITSTATUS(status) == 0;
    if (!was_well)
        log_error("session.ended", F_INT("exit", WIFEXITED(status) ? WEXITSTATUS(status) : -1),
                  F_INT("signal", WIFSIGNALED(status) ? WTERMSIG(status) : 0));
    session->pid = 0;
    event_pulse(&supervisor->ended);
    /* One that failed to start is not tried again for those who wait: they are told, and may log in again. */
    bool again = session->state == SESSION_ENDING && session->waiting_count > 0 && was_well && !session->is_destroyed &&
                 !supervisor->is_stopping;
    if (again && start_process(session) == 0)
        return true;
    if (session->pid != 0)
        return true;
    if (session->is_destroyed)
        forget_account(supervisor, session->account);
    (void)map_remove(supervisor->sessions, session->account);
    session_free(session);
    return true;
}

void session_rewire_store(struct supervisor *supervisor)
{
    uint64_t account = 0;
    void *session = NULL;
    for (size_t cursor = 0; map_next(supervisor->sessions, &cursor, &account, &session);) {
        wire_anew(session);
    }
}

void session_stop_all(struct supervisor *supervisor)
{
    uint64_t account = 0;
    void *session = NULL;
    for (size_t cursor = 0; map_next(supervisor->sessions, &cursor, &account, &session);)
        end_session(session);
}

void session_kill_all(struct supervisor *supervisor)
{
    uint64_t account = 0;
    void *found = NULL;
    for (size_t cursor = 0; map_next(supervisor->sessions, &cursor, &account, &found);) {
        struct session_child *session = found;
        if (session->pid > 0) {
            (void)kill(session->pid, SIGKILL);
            (void)waitpid(session->pid, NULL, 0);
        }
        (void)map_remove(supervisor->sessions, account);
        session_free(session);
    }
}
