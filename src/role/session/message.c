#include "role/session/message.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "role/session/segments.h"
#include "vault/email.h"

struct message {
    struct session *session;
    uint64_t record; /* 0: one that is pending */
    struct logfile *segment;
    struct secret *key;
    struct record_reader *reader;
};

void message_free(struct message *message)
{
    if (message == NULL)
        return;
    record_reader_free(message->reader);
    secret_free(message->key);
    logfile_put(message->segment);
    free(message);
}

/* Where it was expunged meanwhile, nothing is damaged. */
static bool is_expunged(const struct message *message)
{
    uint64_t id = 0;
    struct vault *vault = message->session->vault;
    return message->record != 0 && vault != NULL && vault_email_find_record(vault, message->record, &id) != 0;
}

/* A positive result is a record that is not what was written. */
static int fault_of(const struct message *message, int result)
{
    bool is_damage = result > 0 || result == -EIO || (result == -ENOENT && message->record != 0);
    if (is_damage && !is_expunged(message))
        damage_note(message->session);
    return result > 0 ? -EBADMSG : result;
}

static int open_reader(struct task *task, struct session *session, const struct vault_place *place,
                       struct message *message)
{
    int result = logfile_get(task, session, place->segment, &message->segment);
    if (result < 0)
        return fault_of(message, result);
    result =
        record_reader_new(message->key, logfile_fd(message->segment), place->offset, place->length, &message->reader);
    return fault_of(message, result);
}

int message_open(struct task *task, struct session *session, const struct vault_place *place,
                 struct message **ret_message)
{
    AUTO(message) struct message *message = mem_new(sizeof(*message));
    if (message == NULL)
        return -ENOMEM;
    message->session = session;
    message->record = place->record;
    int result = secret_copy(span_of(place->key, sizeof(place->key)), &message->key);
    if (result == 0)
        result = open_reader(task, session, place, message);
    if (result < 0)
        return result;
    *ret_message = TAKE(message);
    return 0;
}

int message_open_pending(struct task *task, struct session *session, struct vault_place *place,
                         const uint8_t sealed_key[RECORD_KEY_SIZE], struct message **ret_message)
{
    AUTO(message) struct message *message = mem_new(sizeof(*message));
    if (message == NULL)
        return -ENOMEM;
    message->session = session;
    int result = record_key_open(session->receiver, sealed_key, &message->key);
    if (result != 0)
        return fault_of(message, result);
    result = open_reader(task, session, place, message);
    if (result < 0)
        return result;
    memcpy(place->key, secret_bytes(message->key), sizeof(place->key));
    *ret_message = TAKE(message);
    return 0;
}

const struct record_meta *message_metadata(const struct message *message)
{
    return record_reader_meta(message->reader);
}

uint64_t message_len(const struct message *message)
{
    return record_reader_message_len(message->reader);
}

int message_read(struct message *message, uint64_t from, uint64_t len, struct buf *bytes)
{
    return fault_of(message, record_reader_read(message->reader, from, len, bytes));
}
