#pragma once

#include "base/test.h"

#include <sys/wait.h>
#include <unistd.h>

#include "ipc/channel.h"

/* For the tests of roles: the test is the supervisor, and whatever other rooms the role speaks to. */

/* Runs a role in a child process, and makes a loop here; ret_supervisor is the test's end of the role's channel to it.
 */
typedef void fixture_role(const void *arg, int supervisor_fd); /* does not return */
static inline pid_t fixture_start(enum ipc_role role, fixture_role *run, const struct channel_hooks *hooks, void *stage,
                                  struct loop **ret_loop, struct channel **ret_supervisor)
{
    int fds[2];
    assert_int_equal(channel_pair(fds), 0);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        close(fds[0]);
        run(stage, fds[1]);
        _exit(70);
    }
    close(fds[1]);
    assert_int_equal(loop_new(ret_loop), 0);
    assert_int_equal(channel_new(*ret_loop, fds[0], ROLE_SUPERVISOR, role, hooks, stage, ret_supervisor), 0);
    return child;
}

/* The role has ended by itself, and well. */
static inline void fixture_join(pid_t child)
{
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

/* Gives the role a channel to a peer, which the test plays. */
static inline struct channel *fixture_wire(struct channel *supervisor, struct loop *loop, enum ipc_role role,
                                           enum ipc_role peer, const struct channel_hooks *hooks, void *stage)
{
    int fds[2];
    struct channel *channel = NULL;
    assert_int_equal(channel_pair(fds), 0);
    struct ipc_message message = {.type = IPC_wire, .fd_count = 1, .fds = {fds[1]}, .wire = {.peer = peer}};
    assert_int_equal(channel_send(supervisor, &message), 0);
    assert_int_equal(channel_new(loop, fds[0], peer, role, hooks, stage, &channel), 0);
    return channel;
}

/* Everything is wired: the role says that it is ready. */
static inline void fixture_begin(struct task *task, struct channel *supervisor, int64_t patience_ms)
{
    struct ipc_message begin = {.type = IPC_begin};
    struct ipc_message *ready = NULL;
    assert_int_equal(channel_call_within(task, supervisor, &begin, patience_ms, &ready), 0);
    ipc_message_free(ready);
}
