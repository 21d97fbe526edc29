#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "role/supervisor/state.h"

#define RENEW_MS 15000

/* Order: who asks comes after who answers. The store goes on: its settings matter only to new segments. */
static const enum ipc_role renewed[] = {ROLE_KEEPER, ROLE_INTAKE, ROLE_GATE};

/* What was decided when the process started: sockets are bound, rights are given up. NULL: nothing of it differs. */
static const char *fixed_setting(const struct conf *one, const struct conf *other)
{
    const struct {
        const char *name;
        bool differs;
    } fixed[] = {
        {"server.data", strcmp(one->server_data, other->server_data) != 0},
        {"server.user", strcmp(one->server_user, other->server_user) != 0},
        {"server.listen", strcmp(one->server_listen, other->server_listen) != 0},
        {"server.gates", one->server_gates != other->server_gates},
        {"server.intakes", one->server_intakes != other->server_intakes},
    };
    for (size_t i = 0; i < COUNT_OF(fixed); i++) {
        if (fixed[i].differs)
            return fixed[i].name;
    }
    for (enum ipc_service service = 0; service < SERVICE_COUNT; service++) {
        if (conf_port(one, service) != conf_port(other, service))
            return "a port";
    }
    return NULL;
}

static int renew(struct task *task, struct child *child)
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
                result = renew(task, &supervisor->children[j]);
        }
    }
    return result;
}

int reload_settings(struct task *task, struct supervisor *supervisor, struct conf_error *ret_error)
{
    AUTO(conf) struct conf *conf = NULL;
    int result = conf_load(supervisor->start->conf_path, &conf, ret_error);
    if (result < 0)
        return result;
    const char *fixed = fixed_setting(supervisor->conf, conf);
    if (fixed != NULL) {
        (void)snprintf(ret_error->text, sizeof(ret_error->text),
                       "%s cannot change while the server runs: use waxwing stop, then waxwing serve", fixed);
        return -EINVAL;
    }
    conf_free(supervisor->reloaded);
    supervisor->reloaded = TAKE(conf);
    supervisor->conf = supervisor->reloaded;
    nursery_end(supervisor);
    result = renew_all(task, supervisor);
    if (result < 0)
        (void)snprintf(ret_error->text, sizeof(ret_error->text), "a role did not come back: %s", strerror(-result));
    else
        log_info("supervisor.reloaded");
    return result;
}
