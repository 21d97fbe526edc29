#include <errno.h>
#include <stdlib.h>

#include "base/bytes.h"
#include "base/log.h"
#include "base/mem.h"
#include "role/store/store-state.h"

static void on_message(void *arg, struct channel *channel, struct ipc_message *message)
{
    store_answer(arg, channel, message);
}

static void session_free(struct store_session *session)
{
    list_remove(&session->announcing);
    channel_unref(session->channel);
    free(session);
}

static void on_closed(void *arg, struct channel *channel)
{
    struct store *store = arg;
    struct store_session *session = map_get(store->sessions, channel_tag(channel));
    if (session == NULL || session->channel != channel)
        return;
    (void)map_remove(store->sessions, session->account);
    session_free(session);
}

static const struct channel_hooks hooks = {.message = on_message, .closed = on_closed};

/* A later session of an account replaces an earlier one, which is on its way out. */
static int session_enter(struct store *store, uint64_t account, int fd)
{
    struct channel *channel = NULL;
    int result = channel_new(store->loop, fd, ROLE_STORE, ROLE_SESSION, &hooks, store, &channel);
    if (result != 0)
        return result;
    channel_set_tag(channel, account);
    struct store_session *session = mem_new(sizeof(*session));
    struct store_session *earlier = map_get(store->sessions, account);
    result = session != NULL ? map_put(store->sessions, account, session) : -ENOMEM;
    if (result != 0) {
        free(session);
        channel_free(channel);
        return result;
    }
    session->account = account;
    session->channel = channel;
    if (earlier != NULL) {
        channel_close(earlier->channel);
        session_free(earlier);
    }
    return 0;
}

void store_session_new(struct store *store, uint64_t account, int fd)
{
    int result = session_enter(store, account, fd);
    if (result != 0)
        log_error("store.session.failed", F_FAULT(result));
}

void store_sessions_free(struct store *store)
{
    size_t cursor = 0;
    uint64_t account;
    void *session;
    while (store->sessions != NULL && map_next(store->sessions, &cursor, &account, &session)) {
        channel_close(((struct store_session *)session)->channel);
        session_free(session);
    }
    map_free(store->sessions);
    store->sessions = NULL;
}

void store_announce_note(struct store *store, span_t recipients, uint64_t from)
{
    for (; recipients.len >= KEY_ROW_SIZE; recipients = span_from(recipients, KEY_ROW_SIZE)) {
        uint64_t account = bytes_get_u64(recipients.at);
        if (account == QUEUE_ACCOUNT && from != QUEUE_ACCOUNT)
            store->courier_hears = true;
        struct store_session *session = account != from ? map_get(store->sessions, account) : NULL;
        if (session == NULL)
            continue;
        list_remove(&session->announcing);
        list_push(&store->to_announce, &session->announcing);
    }
}

static void announce_queue(struct store *store)
{
    struct channel *courier = wiring_peer(store->wiring, ROLE_COURIER, 0);
    struct ipc_message message = {.type = IPC_announce};
    store->courier_hears = false;
    int result = courier != NULL ? channel_send(courier, &message) : 0; /* a new one asks by itself */
    if (result != 0)
        log_debug("store.announce.failed", F_FAULT(result));
}

void store_announce_send(struct store *store)
{
    struct list_link *link;
    if (store->courier_hears)
        announce_queue(store);
    while ((link = list_pop(&store->to_announce)) != NULL) {
        const struct store_session *session = LIST_ITEM(link, struct store_session, announcing);
        struct ipc_message message = {.type = IPC_announce};
        struct channel *channel = channel_ref(session->channel); /* a failed send may end the session */
        int result = channel_send(channel, &message);
        if (result != 0)
            log_debug("store.announce.failed", F_FAULT(result));
        channel_unref(channel);
    }
}
