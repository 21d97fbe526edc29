#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "role/supervisor/state.h"

#define RENEW_MS 15000

/*
 * The gates hold people's connections: new ones come beside them. These hold nothing for longer than a request or a
 * message, and restart. The store goes on with what it started with.
 */
static const enum ipc_role renewed[] = {ROLE_KEEPER, ROLE_INTAKE, ROLE_COURIER};

int child_renew(struct task *task, struct child *child)
{
    struct supervisor *supervisor = child->supervisor;
    struct ipc_message stop = {.type = IPC_stop};
    int64_t deadline = loop_now(supervisor->loop) + RENEW_MS;
    if (!child->is_ready)
        return 0; /* it comes back with the new settings anyway */
    child->is_renewed = true;
    int result = channel_send(child->channel, &stop);
    while (result == 0 && (child->is_renewed || !child->is_ready)) {
        int64_t left = deadline - loop_now(supervisor->loop);
        result = left <= 0 ? -ETIMEDOUT : event_wait(task, &supervisor->ended, left);
    }
    if (result == -ETIMEDOUT && child->is_renewed && child->pid > 0)
        return kill(child->pid, SIGKILL) < 0 ? -errno : 0;
    return result == -EPIPE ? 0 : result;
}

static int renew_all(struct task *task, struct supervisor *supervisor)
{
    int result = 0;
    for (size_t i = 0; i < COUNT_OF(renewed); i++) {
        for (size_t j = 0; result == 0 && j < supervisor->child_count; j++) {
            if (supervisor->children[j].role == renewed[i])
                result = child_renew(task, &supervisor->children[j]);
        }
    }
    return result;
}

/* --- gates --- */

static bool is_gate(const struct child *child, enum child_stage stage)
{
    return child->role == ROLE_GATE && child->stage == stage && !child_is_vacant(child);
}

static size_t count_gates(const struct supervisor *supervisor, enum child_stage stage)
{
    size_t count = 0;
    for (size_t i = 0; i < supervisor->child_count; i++)
        count += is_gate(&supervisor->children[i], stage);
    return count;
}

/* Where reload follows reload and clients stay, the earlier generations go. */
static int make_room(struct task *task, struct supervisor *supervisor)
{
    int64_t deadline = loop_now(supervisor->loop) + RENEW_MS;
    struct ipc_message stop = {.type = IPC_stop};
    if (count_gates(supervisor, CHILD_DRAINS) + count_gates(supervisor, CHILD_SERVES) <= DRAINING_MAX)
        return 0;
    for (size_t i = 0; i < supervisor->child_count; i++) {
        struct child *child = &supervisor->children[i];
        if (is_gate(child, CHILD_DRAINS) && channel_send(child->channel, &stop) < 0)
            (void)kill(child->pid, SIGKILL);
    }
    int result = 0;
    while (result == 0 && count_gates(supervisor, CHILD_DRAINS) > 0)
        result = event_wait(task, &supervisor->ended, deadline - loop_now(supervisor->loop));
    return result;
}

static int start_on_trial(struct supervisor *supervisor)
{
    size_t count = supervisor->child_count; /* those that are started here come behind */
    int result = 0;
    for (size_t i = 0; result == 0 && i < count; i++) {
        struct child *beside = NULL;
        if (is_gate(&supervisor->children[i], CHILD_SERVES))
            result = child_start_beside(&supervisor->children[i], &beside);
    }
    return result;
}

static bool all_ready(const struct supervisor *supervisor)
{
    bool ready = true;
    for (size_t i = 0; i < supervisor->child_count; i++)
        ready = ready && (!is_gate(&supervisor->children[i], CHILD_ON_TRIAL) || supervisor->children[i].is_ready);
    return ready;
}

/* All or none: where one of them does not get ready, with a certificate that cannot be used, say, the old ones go on.
 */
static int try_gates(struct task *task, struct supervisor *supervisor)
{
    int64_t deadline = loop_now(supervisor->loop) + RENEW_MS;
    size_t wanted = count_gates(supervisor, CHILD_SERVES);
    int result = make_room(task, supervisor);
    if (result == 0)
        result = start_on_trial(supervisor);
    while (result == 0 && (!all_ready(supervisor) || count_gates(supervisor, CHILD_ON_TRIAL) < wanted)) {
        int64_t left = deadline - loop_now(supervisor->loop);
        if (count_gates(supervisor, CHILD_ON_TRIAL) < wanted)
            result = -ECHILD;
        else
            result = left <= 0 ? -ETIMEDOUT : event_wait(task, &supervisor->ended, left);
    }
    for (size_t i = 0; result < 0 && i < supervisor->child_count; i++) {
        if (is_gate(&supervisor->children[i], CHILD_ON_TRIAL))
            child_drain(&supervisor->children[i]);
    }
    return result;
}

/* Who comes in between waits in the queues of the sockets, which are the supervisor's. */
static void change_gates(struct supervisor *supervisor)
{
    for (size_t i = 0; i < supervisor->child_count; i++) {
        if (is_gate(&supervisor->children[i], CHILD_SERVES))
            child_drain(&supervisor->children[i]);
    }
    for (size_t i = 0; i < supervisor->child_count; i++) {
        if (is_gate(&supervisor->children[i], CHILD_ON_TRIAL))
            child_serve(&supervisor->children[i]);
    }
}

static int take(struct task *task, struct supervisor *supervisor, struct conf **conf, struct conf_error *ret_error)
{
    int result = try_gates(task, supervisor);
    if (result < 0) {
        (void)snprintf(ret_error->text, sizeof(ret_error->text),
                       "a gate did not start with the new settings (%s), the old ones stay; see the log for the reason",
                       strerror(-result));
        return result;
    }
    conf_free(supervisor->reloaded);
    supervisor->reloaded = TAKE(*conf);
    supervisor->conf = supervisor->reloaded;
    nursery_end(supervisor);
    result = renew_all(task, supervisor);
    change_gates(supervisor);
    if (result < 0)
        (void)snprintf(ret_error->text, sizeof(ret_error->text), "a role did not come back: %s", strerror(-result));
    return result;
}

int reload_settings(struct task *task, struct supervisor *supervisor, struct conf_error *ret_error)
{
    AUTO(conf) struct conf *conf = NULL;
    const char *section = NULL;
    const char *name = NULL;
    int result = conf_load(supervisor->start->conf_path, &conf, ret_error);
    if (result < 0)
        return result;
    if (conf_fixed_differs(supervisor->conf, conf, &section, &name)) {
        (void)snprintf(ret_error->text, sizeof(ret_error->text),
                       "[%s] %s cannot change while the server runs: use waxwing stop, then waxwing serve", section,
                       name);
        return -EINVAL;
    }
    if (supervisor->is_reloading) {
        (void)snprintf(ret_error->text, sizeof(ret_error->text), "another reload is under way; try again in a moment");
        return -EBUSY;
    }
    supervisor->is_reloading = true;
    result = take(task, supervisor, &conf, ret_error);
    supervisor->is_reloading = false;
    if (result == 0)
        log_info("supervisor.reloaded");
    return result;
}
