#pragma once

#include <sys/types.h>

#include "base/list.h"
#include "base/map.h"
#include "conf/conf.h"
#include "ipc/channel.h"
#include "role/supervisor/supervisor.h"
#include "rt/task.h"
#include "rt/timer.h"
#include "rt/watch.h"

/* The insides of the supervisor: for the files of this folder alone. */

#define CHILDREN_MAX                                                                                                   \
    323U /* store, keeper, courier, 64 intakes, and of gates 64 that serve, as many on trial, twice that draining */
#define DRAINING_MAX 128U
#define LISTENERS_MAX 64U
#define WAITING_MAX 64U /* clients waiting for one session to start */
#define BACKOFF_MIN_MS 100
#define BACKOFF_MAX_MS 30000
#define BACKOFF_RESET_MS 60000
#define STOP_MS 10000

struct supervisor;

/*
 * Where the life of a role process stands. New settings come to the gates with new gates: they start on trial beside
 * those that serve, and once all of them are ready those drain, that is, keep the connections they have to the end.
 */
enum child_stage {
    CHILD_SERVES, /* comes back when it ends */
    CHILD_ON_TRIAL,
    CHILD_DRAINS,
};

/* A role process, or the place of one that has died. */
struct child {
    struct supervisor *supervisor;
    enum ipc_role role;
    uint32_t index;
    pid_t pid; /* 0: not running */
    struct channel *channel;
    struct timer *timer; /* until it is started again */
    int64_t started;
    int64_t delay;
    uint64_t restarts;
    enum child_stage stage;
    bool is_ready;
    bool is_renewed; /* told to stop, to come back with new settings */
};

enum session_state {
    SESSION_STARTING,
    SESSION_OPEN,
    SESSION_ENDING, /* it left, was told to, or its channel broke: only its end is awaited */
};

/* A session process. Clients that come while it is not open wait here. */
struct session_child {
    struct supervisor *supervisor;
    uint64_t account;
    pid_t pid;
    enum session_state state;
    struct channel *channel;
    struct ipc_message *waiting[WAITING_MAX];
    size_t waiting_count;
    uint64_t attached;
    bool is_destroyed; /* the account is removed: erase what it left */
};

struct listener {
    enum ipc_service service;
    int fd;
};

struct supervisor {
    uint32_t lessons; /* passed on, for intakes to take turns */
    const struct supervisor_start *start;
    const struct conf *conf; /* in effect: the start's, or reloaded */
    struct conf *reloaded;
    const char *data;
    struct loop *loop;
    struct task_group tasks;
    struct child children[CHILDREN_MAX];
    size_t child_count;
    struct map *sessions; /* by account */
    struct listener listeners[LISTENERS_MAX];
    size_t listener_count;
    struct event ended; /* pulsed whenever a process has ended or become ready, or all have */
    struct watch *signals;
    int signal_fd;
    int control_fd;
    int lock_fd;
    pid_t nursery_pid; /* 0: not running */
    int nursery_fd;
    uint8_t log_key[16];
    int64_t started;
    int exit_status;
    bool is_started; /* all roles were ready once */
    bool is_stopping;
    bool is_reloading;
    int64_t aside; /* when reports.db was moved aside, on the loop's clock; 0: never */
};

/* place.c: makes the data directory, server.key and the self-signed certificate where they are missing; takes the lock
 * that all processes of one server share. -EBUSY: another server runs in this directory. */
MUST_USE int place_prepare(struct supervisor *supervisor);
/* Makes the folder of an account's vault where it is missing. */
MUST_USE int place_make_vault(struct supervisor *supervisor, uint64_t account);

/* listen.c */
MUST_USE int listen_all(struct supervisor *supervisor);
void listen_close(struct supervisor *supervisor);

/* child.c */
MUST_USE int child_start_all(struct supervisor *supervisor);
void child_ended(struct supervisor *supervisor, pid_t pid, int status); /* also of sessions */
void child_free_all(struct supervisor *supervisor);
/* Whether nothing is left of a child, nor comes back. */
bool child_is_vacant(const struct child *child);
/* Starts another of the same role, on trial; a gate accepts nothing until it serves. */
MUST_USE int child_start_beside(struct child *child, struct child **ret_beside);
void child_serve(struct child *child);
void child_drain(struct child *child); /* one that serves, or is on trial */
struct child *child_find(struct supervisor *supervisor, enum ipc_role role, uint32_t index);
/* In a child just forked: nothing but these two descriptors stays open, signals are as at first. */
void child_settle(int channel_fd, int lock_fd);

/* wire.c: gives a child its channels to all living peers, its listeners, and lets it begin. */
MUST_USE int wire_child(struct child *child);
MUST_USE int wire_listeners(const struct child *child);
/* A child has ended its channel to a peer for a fault: both get a new one. */
void wire_again(const struct child *child, enum ipc_role role, uint32_t index);

/* Has it stop, and come back: 0 once it is ready. */
MUST_USE int child_renew(struct task *task, struct child *child);

/* aside.c: moves a reports.db that keeper cannot read out of the way, and starts keeper anew. */
void aside_reports(struct child *keeper);

/* session.c */
void session_open(struct supervisor *supervisor, struct channel *keeper, struct ipc_message *message);
void session_account_gone(struct supervisor *supervisor, uint64_t account, bool destroy);
void session_account_quota(struct supervisor *supervisor, struct ipc_message *message);
bool session_ended(struct supervisor *supervisor, pid_t pid, int status); /* false: it was none */
void session_rewire_store(struct supervisor *supervisor);                 /* a new store has started */
void session_stop_all(struct supervisor *supervisor);
void session_kill_all(struct supervisor *supervisor);

/* nursery.c: forks a session; the channel's end is lent. What the session knows of the settings is of the time when the
 * nursery was started: it is to be ended where they change, and the next session starts it again. */
MUST_USE int nursery_bear(struct supervisor *supervisor, uint64_t account, int channel_fd, pid_t *ret_pid);
void nursery_end(struct supervisor *supervisor);

/* control.c */
MUST_USE int control_listen(struct supervisor *supervisor);
MUST_USE int control_serve(struct supervisor *supervisor);
void control_close(struct supervisor *supervisor);

/* status.c: appends it, as JSON or for people; *ret_healthy tells whether every role is ready. */
void supervisor_status_write(struct task *task, struct supervisor *supervisor, bool as_json, struct buf *text,
                             bool *ret_healthy);

/* erase.c: removes DATA/vault/ACCOUNT/ and all in it. A mark beside it, ACCOUNT.removed, says that the account is gone
 * and that not all of its mail may be, yet. */
MUST_USE int erase_vault(const char *data, uint64_t account);
MUST_USE int erase_mark(const char *data, uint64_t account);
MUST_USE int erase_unmark(const char *data, uint64_t account);
/* Appends the accounts that are marked, 8 bytes each. */
MUST_USE int erase_list(const char *data, struct buf *accounts);

/* forget.c: erases the vault of a marked account and has store let go of its records; then takes the mark away. */
void forget_account(struct supervisor *supervisor, uint64_t account);

/* filters.c: appends what is known of filters, as a member of a JSON object or for people; *ret_healthy becomes false
 * where one of them that is in use is down. */
void filters_status_write(struct task *task, struct supervisor *supervisor, bool as_json, struct buf *text,
                          bool *ret_healthy);

/* reach.c: answers `reach`. */
void reach_filter(const struct supervisor *supervisor, struct channel *channel, const struct ipc_message *message);
/* Store is ready: goes on with all that was begun, before a restart, too. */
void forget_rest(struct supervisor *supervisor);

/* notify.c: tells the service manager, where there is one (sd_notify(3)). */
void notify_manager(const char *text);

/* reload.c: reads the settings again and has the roles take them. On a fault *ret_error says what is wrong. */
MUST_USE int reload_settings(struct task *task, struct supervisor *supervisor, struct conf_error *ret_error);

/* supervisor.c */
void supervisor_stop(struct supervisor *supervisor, int exit_status);
