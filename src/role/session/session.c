#include "role/session/session.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/log.h"
#include "base/mem.h"
#include "priv/rights.h"
#include "role/session/client.h"
#include "role/session/indexer.h"
#include "role/session/pop3/pop3.h"
#include "role/session/quiet.h"
#include "role/session/release.h"
#include "role/session/segments.h"
#include "role/session/service/service.h"
#include "role/session/sorter.h"
#include "role/session/takein.h"
#include "role/session/teach.h"
#include "vault/vfs.h"

#define FINISH_MS 5000
#define INDEXING_MS_MAX 600000 /* an account stays open for the index alone */
#define INDEXING_LOOK_MS 1000
#define QUOTA_SIZE 8U
#define KEY_PACKET_MAX 2048 /* the root secret, the account's quota and its address */

int64_t session_now(void)
{
    struct timespec now = {0};
    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

uint32_t session_now_seconds(void)
{
    return (uint32_t)(session_now() / 1000000);
}

struct channel *session_store(struct session *session)
{
    struct channel *channel = wiring_peer(session->wiring, ROLE_STORE, 0);
    return channel != NULL && channel_is_open(channel) ? channel : NULL;
}

void session_changed(struct session *session)
{
    struct list_link *link = list_first(&session->clients);
    session->changes++;
    for (; link != NULL; link = list_after(&session->clients, link))
        client_notify(LIST_ITEM(link, struct client, link));
    event_raise(&session->freed);
    event_raise(&session->unindexed);
    quota_report(session);
}

/* --- keys and vault --- */

/* The root secret comes as one packet that keeper wrote before it let go of the socket; it lives in ordinary memory
 * only as long as it takes to be moved. */
static void read_account(struct session *session, span_t packet)
{
    span_t address = span_from(packet, KEY_SIZE + QUOTA_SIZE);
    size_t len = address.len < SESSION_ADDRESS_MAX ? address.len : SESSION_ADDRESS_MAX;
    session->quota = bytes_get_u64(packet.at + KEY_SIZE);
    memcpy(session->address, address.at, len);
    session->address[len] = 0;
}

static int read_root(struct session *session, int fd, struct secret **ret_root)
{
    uint8_t packet[KEY_PACKET_MAX];
    ssize_t len = recv(fd, packet, sizeof(packet), MSG_DONTWAIT);
    if (len < 0)
        return -errno;
    int result = (size_t)len <= KEY_SIZE + QUOTA_SIZE ? -EBADMSG : secret_copy(span_of(packet, KEY_SIZE), ret_root);
    if (result == 0)
        read_account(session, span_of(packet, (size_t)len));
    secret_wipe(packet, sizeof(packet));
    return result;
}

static int open_vault(struct session *session, const struct secret *root)
{
    AUTO(secret) struct secret *key = NULL;
    AUTO(secret) struct secret *private_key = NULL;
    int result = kdf_vault_key(root, &key);
    if (result == 0)
        result = kdf_sealing_pair(root, session->public_key, &private_key);
    if (result == 0)
        result = record_receiver_new(session->public_key, private_key, &session->receiver);
    if (result == 0)
        result = quiet_start(session, TAKE(key));
    if (result == 0)
        result = takein_start(session);
    if (result == 0)
        result = release_start(session);
    if (result == 0)
        result = sorter_start(session);
    if (result == 0)
        result = teach_start(session);
    return result < 0 ? result : indexer_start(session);
}

/* A later client brings the secret too; it must be the same one. */
static int check_root(const struct session *session, const struct secret *root)
{
    uint8_t public_key[KEY_SIZE];
    AUTO(secret) struct secret *private_key = NULL;
    int result = kdf_sealing_pair(root, public_key, &private_key);
    if (result < 0)
        return result;
    bool same = secret_equal(span_of(public_key, KEY_SIZE), span_of(session->public_key, KEY_SIZE));
    return same ? 0 : -EACCES;
}

static int attach(struct session *session, struct ipc_message *message)
{
    AUTO_FD int key_fd = ipc_message_take_fd(message, 0);
    AUTO_FD int client_fd = ipc_message_take_fd(message, 1);
    if (key_fd < 0 || client_fd < 0 || session->is_ending)
        return -EINVAL;
    AUTO(secret) struct secret *root = NULL;
    int result = read_root(session, key_fd, &root);
    if (result < 0)
        return result;
    result = session->vault_key == NULL ? open_vault(session, root) : check_root(session, root);
    if (result == -EBADMSG)
        damage_note(session);
    if (result == 0)
        result = quiet_wake(session);
    if (result < 0)
        return result;
    timer_stop(session->linger);
    quota_report(session);
    if (message->attach.service == SERVICE_TOOL)
        return service_start(session, TAKE_FD(client_fd), message->attach.prelude);
    if (message->attach.service == SERVICE_POP3 || message->attach.service == SERVICE_POP3_TLS)
        return pop3_start(session, TAKE_FD(client_fd), message->attach.prelude);
    return client_start(session, TAKE_FD(client_fd), message->attach.prelude);
}

/* --- the end --- */

/* Asks first: a login may have been handed to us this very moment, and then we stay. */
static void leave(struct task *task, void *arg)
{
    struct session *session = arg;
    struct ipc_message request = {.type = IPC_leave, .leave = {.attached = session->attached}};
    AUTO(ipc_message) struct ipc_message *reply = NULL;
    int result = channel_call(task, wiring_supervisor(session->wiring), &request, &reply);
    if (result == 0 && reply->done.outcome != 0)
        return;
    session->is_ending = true;
    loop_stop(session->loop);
}

static void linger_over(void *arg)
{
    struct session *session = arg;
    if (session->client_count > 0)
        return;
    /* The index could never be complete, nor anything be learned, where clients only look in for a moment. */
    if ((session->is_indexing || session->is_teaching || session->is_forgetting) &&
        loop_now(session->loop) - session->alone_since < INDEXING_MS_MAX) {
        timer_start(session->linger, INDEXING_LOOK_MS);
        return;
    }
    if (task_group_spawn(&session->tasks, session->loop, "leave", leave, session) < 0)
        loop_stop(session->loop);
}

void session_client_gone(struct session *session)
{
    if (session->client_count == 0) {
        session->alone_since = loop_now(session->loop);
        timer_start(session->linger, (int64_t)session->conf->session_linger * 1000);
    }
    quiet_consider(session);
}

/* --- wiring --- */

static int on_begin(void *arg)
{
    struct session *session = arg;
    struct priv_start start = {
        .data = session->start->data, .user = session->conf->server_user, .account = session->start->account};
    return priv_enter(PRIV_SESSION, &start);
}

static void on_message(void *arg, struct channel *channel, struct ipc_message *message)
{
    (void)channel;
    struct session *session = arg;
    AUTO(ipc_message) struct ipc_message *owned = message;
    if (owned->type == IPC_announce) {
        takein_note_arrived(session);
        return;
    }
    if (owned->type == IPC_quota)
        quota_change(session, owned->quota.quota);
    if (owned->type != IPC_attach)
        return;
    session->attached++;
    int result = attach(session, owned);
    if (result < 0)
        log_error("session.attach.failed", F_FAULT(result));
    /* Without a vault and a client there is nothing to live for: the next login starts afresh. */
    if (session->client_count == 0)
        session_client_gone(session);
    if (result < 0 && session->vault_key == NULL)
        loop_stop(session->loop);
}

/* A new store may have pending what the old one could not say any more. */
static void on_peer(void *arg, struct channel *channel)
{
    struct session *session = arg;
    if (channel_peer(channel) != ROLE_STORE)
        return;
    takein_note_arrived(session);
    event_raise(&session->freed);
}

static void on_status(void *arg, struct buf *json)
{
    const struct session *session = arg;
    buf_append_format(json, ",\"connections\":%zu,\"taken_in\":%llu", session->client_count,
                      (unsigned long long)session->taken_in);
}

static const struct wiring_hooks hooks = {
    .begin = on_begin, .message = on_message, .peer = on_peer, .status = on_status};

/* Of its one database. */
static void on_damage(void *arg, const char *path)
{
    (void)path;
    damage_note(arg);
}

static int prepare(struct session *session, const struct role_start *start)
{
    *session = (struct session){.start = start, .conf = start->conf, .said_full = -1};
    list_init(&session->clients);
    event_init(&session->arrived);
    event_init(&session->current);
    event_init(&session->hurry);
    event_init(&session->freed);
    event_init(&session->unindexed);
    task_group_init(&session->tasks);
    vfs_watch_damage(on_damage, session);
    int result = loop_new(&session->loop);
    if (result == 0)
        result = map_new(&session->segments);
    if (result == 0)
        result = timer_new(session->loop, linger_over, session, &session->linger);
    if (result == 0)
        result = wiring_new(session->loop, start->supervisor_fd, ROLE_SESSION, &hooks, session, &session->wiring);
    return result;
}

static void dismantle(struct session *session)
{
    session->is_ending = true;
    vfs_watch_damage(NULL, NULL);
    if (session->loop != NULL && loop_finish(session->loop, FINISH_MS) < 0)
        log_warn("session.tasks.left");
    client_end_parked(session);
    teach_end(session);
    quiet_end(session);
    record_receiver_free(session->receiver);
    segments_free(session);
    map_free(session->filing);
    free(session->taken);
    timer_free(session->linger);
    wiring_free(session->wiring);
    loop_free(session->loop);
}

int session_prepare(void)
{
    return vault_prepare();
}

int session_run(const struct role_start *start)
{
    struct session session;
    int result = prepare(&session, start);
    if (result == 0)
        result = loop_run(session.loop);
    if (result < 0)
        log_error("session.failed", F_FAULT(result));
    dismantle(&session);
    return result < 0 ? 1 : 0;
}
