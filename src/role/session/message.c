#include "role/session/message.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "role/session/segments.h"

struct message {
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

static int open_reader(struct task *task, struct session *session, const struct vault_place *place,
                       struct message *message)
{
    int result = logfile_get(task, session, place->segment, &message->segment);
    if (result < 0)
        return result;
    result =
        record_reader_new(message->key, logfile_fd(message->segment), place->offset, place->length, &message->reader);
    return result > 0 ? -EBADMSG : result;
}

int message_open(struct task *task, struct session *session, const struct vault_place *place,
                 struct message **ret_message)
{
    AUTO(message) struct message *message = mem_new(sizeof(*message));
    if (message == NULL)
        return -ENOMEM;
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
    int result = record_key_open(session->receiver, sealed_key, &message->key);
    if (result != 0)
        return result > 0 ? -EBADMSG : result;
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
    int result = record_reader_read(message->reader, from, len, bytes);
    return result > 0 ? -EBADMSG : result;
}
