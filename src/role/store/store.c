#include "role/store/store.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "conf/conf.h"
#include "crypto/kdf.h"
#include "priv/rights.h"
#include "role/store/store-state.h"

#define SERVER_KEY_SIZE 32U
#define TICK 5000              /* milliseconds between looks at what there is to do */
#define TICKS_TO_CHECKPOINT 12 /* with little mail, a checkpoint a minute */
#define WORK_PAUSE 10          /* milliseconds between pieces of background work */
#define KEPT_MEMORY ((size_t)64 << 20)
#define END_WAIT 5000

static int header_key_read(int data, struct secret **ret_key)
{
    AUTO_FD int fd = openat(data, "server.key", O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    AUTO(secret) struct secret *server = NULL;
    int result = secret_new(SERVER_KEY_SIZE, &server);
    if (result != 0)
        return result;
    ssize_t got = read(fd, secret_edit(server), SERVER_KEY_SIZE);
    if (got != SERVER_KEY_SIZE)
        return got < 0 ? -errno : -EBADMSG;
    return kdf_log_header_key(server, ret_key);
}

static int files_open(struct store *store)
{
    AUTO_FD int data = open(store->start->data, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (data < 0)
        return -errno;
    int result = header_key_read(data, &store->key);
    if (result != 0)
        return result;
    store->folder = openat(data, "log", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (store->folder < 0)
        return -errno;
    const struct priv_start rights = {.data = store->start->data, .user = store->start->conf->server_user};
    result = priv_enter(PRIV_STORE, &rights);
    return result != 0 ? result : store_open_journal(store, &store->journal);
}

/* Gives back the memory of what has been appended since it did so before. */
static void rest(const struct store *store, uint64_t *rested_at)
{
    struct journal_stats stats;
    journal_get_stats(store->journal, &stats);
    if (store->held > 0 || stats.appended == *rested_at)
        return;
    *rested_at = stats.appended;
    mem_give_back();
}

/* Checkpoints and background work, when nobody waits for anything. */
static void keep_task(struct task *task, void *arg)
{
    struct store *store = arg;
    bool more = true;
    uint64_t rested_at = 0;
    for (unsigned ticks = 0; task_sleep(task, more ? WORK_PAUSE : TICK) == 0; ticks += more ? 0 : 1) {
        if (!more)
            rest(store, &rested_at);
        if (journal_fault(store->journal) != 0) {
            more = false;
            continue;
        }
        int result = 0;
        bool due = ticks >= TICKS_TO_CHECKPOINT && journal_is_changed(store->journal);
        if (due || journal_checkpoint_due(store->journal)) {
            result = journal_checkpoint(store->journal);
            ticks = 0;
        }
        if (result == 0 && !journal_has_queued(store->journal))
            result = journal_work(store->journal, &more);
        if (result != 0) {
            log_warn("store.keeping.failed", F_FAULT(result));
            more = false;
        }
        store_look(store);
    }
}

static int on_begin(void *arg)
{
    struct store *store = arg;
    int result = files_open(store);
    if (result == 0)
        result = task_group_spawn(&store->tasks, store->loop, "store.commit", store_commit_task, store);
    if (result == 0)
        result = task_group_spawn(&store->tasks, store->loop, "store.mend", store_mend_task, store);
    if (result == 0)
        result = task_group_spawn(&store->tasks, store->loop, "store.keep", keep_task, store);
    if (result != 0)
        return result;
    struct journal_stats stats;
    journal_get_stats(store->journal, &stats);
    store_look(store);
    log_info("store.open", F_U64("segments", stats.segments), F_U64("replayed", stats.replayed));
    return 0;
}

static void forget(struct store *store, struct channel *channel, const struct ipc_message *message)
{
    int result = journal_forget(store->journal, message->forget.account);
    if (result != 0)
        log_error("store.forget.failed", F_FAULT(result));
    store_look(store);
    struct ipc_message reply = {.type = IPC_done, .done = {.outcome = (uint32_t)-result}};
    result = channel_reply(channel, message->call, &reply);
    if (result != 0)
        log_debug("store.answer.unheard", F_FAULT(result));
}

static void on_message(void *arg, struct channel *channel, struct ipc_message *message)
{
    struct store *store = arg;
    if (store->journal == NULL) {
        channel_close(channel); /* before begin nobody has anything to say */
        ipc_message_free(message);
        return;
    }
    if (channel_peer(channel) == ROLE_COURIER) {
        store_answer(store, channel, message);
        return;
    }
    if (message->type == IPC_append) {
        store_receive(store, channel, message);
        return;
    }
    AUTO(ipc_message) struct ipc_message *owned = message;
    if (owned->type == IPC_session_wire) {
        store_session_new(store, owned->session_wire.account, ipc_message_take_fd(owned, 0));
    } else if (owned->type == IPC_forget) {
        forget(store, channel, owned);
    } else {
        log_error("store.message.unexpected", F_TEXT("type", ipc_type_name(owned->type)));
        channel_close(channel);
    }
}

static void on_status(void *arg, struct buf *json)
{
    const struct store *store = arg;
    if (store->journal == NULL)
        return;
    struct journal_stats stats;
    journal_get_stats(store->journal, &stats);
    (void)buf_append_format(
        json,
        ",\"segments\":%llu,\"pending_accounts\":%llu,\"appended\":%llu,\"groups\":%llu,"
        "\"bytes\":%llu,\"replayed\":%llu,\"damaged\":%llu,\"held\":%llu,\"sessions\":%zu,\"fault\":%d",
        (unsigned long long)stats.segments, (unsigned long long)stats.accounts, (unsigned long long)stats.appended,
        (unsigned long long)stats.groups, (unsigned long long)stats.bytes, (unsigned long long)stats.replayed,
        (unsigned long long)stats.damaged, (unsigned long long)store->held, map_count(store->sessions),
        -journal_fault(store->journal));
}

static void on_stop(void *arg)
{
    struct store *store = arg;
    loop_stop(store->loop);
}

static const char *on_trouble(void *arg)
{
    const struct store *store = arg;
    bool is_broken = store->journal != NULL && journal_fault(store->journal) != 0;
    return is_broken ? "the disk of the log fails: no mail is accepted until it works again" : NULL;
}

static void on_notes(void *arg, struct buf *lines)
{
    const struct store *store = arg;
    struct journal_stats stats = {0};
    if (store->journal != NULL)
        journal_get_stats(store->journal, &stats);
    if (stats.damaged > 0)
        (void)buf_append_format(lines,
                                "log: damaged in %llu places: look after the disk; `waxwing check ADDRESS` says whose "
                                "mail is lost\n",
                                (unsigned long long)stats.damaged);
}

static const struct wiring_hooks hooks = {.begin = on_begin,
                                          .message = on_message,
                                          .stop = on_stop,
                                          .status = on_status,
                                          .trouble = on_trouble,
                                          .notes = on_notes};

static int store_init(struct store *store, const struct role_start *start)
{
    store->start = start;
    store->folder = -1;
    store->held_max = 2 * start->conf->smtp_message_max;
    if (store->held_max < STORE_HELD_MIN)
        store->held_max = STORE_HELD_MIN;
    store->sync_delay = (int64_t)(start->conf->log_sync + 999) / 1000;
    task_group_init(&store->tasks);
    event_init(&store->work);
    event_init(&store->room);
    event_init(&store->broken);
    list_init(&store->to_announce);
    int result = map_new(&store->sessions);
    if (result == 0)
        result = loop_new(&store->loop);
    if (result == 0)
        result = wiring_new(store->loop, start->supervisor_fd, ROLE_STORE, &hooks, store, &store->wiring);
    return result;
}

/* What is queued was not acknowledged and is dropped; the checkpoint makes the next start quick. */
static void store_end(struct store *store)
{
    if (store->loop != NULL && loop_finish(store->loop, END_WAIT) != 0)
        log_warn("store.end.late");
    if (store->journal != NULL && journal_is_changed(store->journal)) {
        int result = journal_checkpoint(store->journal);
        if (result != 0)
            log_warn("store.checkpoint.failed", F_FAULT(result));
    }
    journal_free(store->journal);
    secret_free(store->key);
    scope_close(&store->folder);
    store_sessions_free(store);
    wiring_free(store->wiring);
    loop_free(store->loop);
}

int store_run(const struct role_start *start)
{
    signal(SIGXFSZ, SIG_IGN); /* a limit on file sizes is a full disk, not an end */
    struct store *store = mem_new(sizeof(*store));
    if (store == NULL)
        return EXIT_FAILURE;
    mem_keep(KEPT_MEMORY);
    int result = store_init(store, start);
    if (result == 0)
        result = loop_run(store->loop);
    if (result != 0)
        log_error("store.failed", F_FAULT(result));
    store_end(store);
    free(store);
    return result == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
