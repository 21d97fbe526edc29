#include "role/session/append.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/bytes.h"
#include "crypto/recordkey.h"
#include "ipc/body.h"
#include "ipc/row.h"
#include "role/session/index.h"
#include "role/session/takein.h"
#include "vault/mailbox.h"

/* The sealed body on its way to store, in a task of its own, while ours waits for the answer. */
struct sending {
    struct loop *loop;
    struct record_sealer *sealer;
    int fd;
};

static void send_body(struct task *task, void *arg)
{
    struct sending *sending = arg;
    AUTO(body_writer) struct body_writer *writer = NULL;
    struct buf piece AUTO_BUF;
    buf_init(&piece, RECORD_CHUNK + 64);
    int result = body_writer_new(sending->loop, TAKE_FD(sending->fd), &writer);
    while (result == 0 && !record_sealer_done(sending->sealer)) {
        result = record_sealer_next(sending->sealer, &piece);
        if (result == 0)
            result = body_write(task, writer, buf_span(&piece), SESSION_CALL_MS);
        buf_clear(&piece);
    }
    /* An unfinished body tells store to forget it, and store says so to the one who asked. */
    if (result == 0)
        (void)(body_finish(task, writer, SPAN_NONE, SESSION_CALL_MS) == 0);
}

static int seal_key(const struct session *session, const struct record_sealer *sealer, uint8_t row[KEY_ROW_SIZE])
{
    bytes_put_u64(row, session->start->account);
    AUTO(record_sender) struct record_sender *sender = NULL;
    int result = record_sender_new(&sender);
    return result != 0 ? result : record_key_seal(sender, record_sealer_key(sealer), session->public_key, row + 8);
}

/* Hands the record to store and waits until it is durable. */
static int store_record(struct task *task, struct session *session, struct record_sealer *sealer, uint64_t length,
                        struct vault_place *place)
{
    uint8_t row[KEY_ROW_SIZE];
    int result = seal_key(session, sealer, row);
    struct channel *store = session_store(session);
    if (result < 0 || store == NULL)
        return result < 0 ? result : APPEND_STORE_AWAY;
    int fds[2] = {-1, -1};
    result = body_pair(fds);
    if (result < 0)
        return result;
    struct sending sending = {.loop = session->loop, .sealer = sealer, .fd = fds[1]};
    struct task_group group;
    task_group_init(&group);
    result = task_group_spawn(&group, session->loop, "append body", send_body, &sending);
    if (result < 0) {
        close(fds[0]);
        close(fds[1]);
        return result;
    }
    struct ipc_message request = {.type = IPC_append,
                                  .fd_count = 1,
                                  .fds = {fds[0]},
                                  .append = {.length = length, .recipients = span_of(row, sizeof(row))}};
    AUTO(ipc_message) struct ipc_message *reply = NULL;
    result = channel_call_within(task, store, &request, SESSION_CALL_MS, &reply);
    if (result < 0)
        task_group_cancel(&group);
    task_group_wait(task, &group);
    if (result < 0)
        return result == -ECANCELED ? result : APPEND_STORE_AWAY;
    if (reply->appended.outcome != APPEND_OK)
        return reply->appended.outcome == APPEND_FULL ? APPEND_DISK_FULL : APPEND_STORE_AWAY;
    place->record = reply->appended.record;
    place->segment = reply->appended.segment;
    place->offset = reply->appended.offset;
    place->length = length;
    span_t key = secret_span(record_sealer_key(sealer));
    memcpy(place->key, key.at, sizeof(place->key));
    return 0;
}

struct found {
    uint64_t mailbox;
    uint32_t uid;
};

static int find_uid(void *arg, uint64_t mailbox, uint32_t uid)
{
    struct found *found = arg;
    found->mailbox = mailbox;
    found->uid = uid;
    return 0;
}

/* Store announces an append like any delivery, so taking in may have been quicker. */
static int where_is_it(struct session *session, uint64_t record, struct vault_filed *ret_filed)
{
    uint64_t id = 0;
    struct found found = {0};
    struct vault_mailbox mailbox;
    int result = vault_email_find_record(session->vault, record, &id);
    if (result == 0)
        result = vault_email_mailboxes(session->vault, id, find_uid, &found);
    if (result == 0)
        result = vault_mailbox_get(session->vault, found.mailbox, &mailbox);
    if (result != 0)
        return result < 0 ? result : -ENOENT;
    *ret_filed = (struct vault_filed){.uid = found.uid, .uidvalidity = mailbox.uidvalidity};
    return 0;
}

static int file(struct session *session, const struct record_meta *meta, struct vault_new_email *email,
                struct vault_filed *ret_filed)
{
    int result = vault_begin(session->vault, VAULT_DURABLE);
    if (result < 0)
        return result;
    int filed = takein_file(session, meta, email, ret_filed);
    if (filed != 0) {
        vault_rollback(session->vault);
        return filed == VAULT_EXISTS ? where_is_it(session, email->place.record, ret_filed)
               : filed < 0           ? filed
                                     : -EOVERFLOW;
    }
    result = vault_commit(session->vault);
    if (result < 0) {
        vault_rollback(session->vault);
        return result;
    }
    takein_note_taken(session, email->place.record);
    event_raise(&session->arrived);
    session_changed(session);
    return 0;
}

int append_hold(struct session *session, uint64_t record)
{
    int result = session->filing == NULL ? map_new(&session->filing) : 0;
    return result == 0 ? map_put(session->filing, record, session) : result;
}

void append_let_go(struct session *session, uint64_t record)
{
    if (session->filing != NULL)
        (void)map_remove(session->filing, record);
}

bool append_holds(const struct session *session, uint64_t record)
{
    return session->filing != NULL && map_get(session->filing, record) != NULL;
}

int append_store(struct task *task, struct session *session, const struct append *append, struct arena *keep,
                 struct append_stored *ret_stored)
{
    struct append_stored stored = {.meta = {.kind = append->together ? RECORD_TOGETHER : RECORD_APPEND,
                                            .arrived = (uint64_t)append->received,
                                            .mailbox = append->mailbox,
                                            .flags = append->flags,
                                            .return_path = append->origin}};
    AUTO(arena) struct arena *scratch = NULL;
    int result = arena_new(MIME_ARENA_MAX, &scratch);
    if (result == 0)
        result = index_message(append->message, vault_hash_key(session->vault), scratch, keep, &stored.email);
    if (result < 0)
        return result;
    arena_free(TAKE(scratch));
    AUTO(record_sealer) struct record_sealer *sealer = NULL;
    result = record_sealer_new(&stored.meta, append->message, &sealer);
    if (result == 0)
        result = store_record(task, session, sealer, record_sealed_len(&stored.meta, append->message.len),
                              &stored.email.place);
    if (result != 0)
        return result;
    stored.email.received = append->received;
    *ret_stored = stored;
    return 0;
}

int append_message(struct task *task, struct session *session, const struct append *append,
                   struct vault_filed *ret_filed)
{
    AUTO(arena) struct arena *keep = NULL;
    struct append_stored stored = {.meta = {.kind = RECORD_APPEND}};
    int result = arena_new(APPEND_KEEP_MAX, &keep);
    if (result == 0)
        result = append_store(task, session, append, keep, &stored);
    return result != 0 ? result : file(session, &stored.meta, &stored.email, ret_filed);
}
