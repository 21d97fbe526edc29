#include "ipc/message.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/mem.h"

#define FROM_SUPERVISOR (1U << ROLE_SUPERVISOR)
#define FROM_GATE (1U << ROLE_GATE)
#define FROM_KEEPER (1U << ROLE_KEEPER)
#define FROM_INTAKE (1U << ROLE_INTAKE)
#define FROM_STORE (1U << ROLE_STORE)
#define FROM_SESSION (1U << ROLE_SESSION)
#define FROM_COURIER (1U << ROLE_COURIER)
#define FROM_ANY ((1U << ROLE_COUNT) - 1)
#define TO_SUPERVISOR FROM_SUPERVISOR
#define TO_GATE FROM_GATE
#define TO_KEEPER FROM_KEEPER
#define TO_INTAKE FROM_INTAKE
#define TO_STORE FROM_STORE
#define TO_SESSION FROM_SESSION
#define TO_COURIER FROM_COURIER
#define TO_ANY FROM_ANY
#define OR_NONE 0x100U /* the descriptors may be missing in a request, too */

#define HEAD_SIZE 12U
#define FLAG_REPLY 1U

struct ipc_rule {
    const char *name;
    unsigned senders;
    unsigned receivers;
    unsigned descriptors;
};

#define MESSAGE(name, senders, receivers, descriptors) [IPC_##name] = {#name, senders, receivers, descriptors},
#define U32(field)
#define U64(field)
#define BYTES(field, max)
#define END(name)
static const struct ipc_rule rules[IPC_TYPE_COUNT] = {
#include "ipc/messages.def"
};
#undef MESSAGE
#undef U32
#undef U64
#undef BYTES
#undef END

/* Which message answers which; one that stands on the right is never sent by itself. */
static const struct {
    enum ipc_type request;
    enum ipc_type answer;
} answers[] = {
    {IPC_begin, IPC_ready},
    {IPC_status, IPC_status_done},
    {IPC_resolve, IPC_resolved},
    {IPC_may_send, IPC_may_send_done},
    {IPC_login, IPC_login_done},
    {IPC_scram_start, IPC_scram_challenge},
    {IPC_deliver, IPC_delivered},
    {IPC_scram_finish, IPC_login_done},
    {IPC_append, IPC_appended},
    {IPC_pending, IPC_pending_done},
    {IPC_taken, IPC_done},
    {IPC_release, IPC_done},
    {IPC_open_session, IPC_done},
    {IPC_segment, IPC_segment_opened},
    {IPC_admin, IPC_admin_done},
    {IPC_leave, IPC_done},
    {IPC_forget, IPC_done},
    {IPC_dkim_keys, IPC_dkim_keys_done},
    {IPC_sign, IPC_sign_done},
    {IPC_queue_key, IPC_queue_key_done},
    {IPC_reach, IPC_reached},
    {IPC_greylist, IPC_greylist_done},
    {IPC_spend, IPC_spend_done},
    {IPC_received, IPC_received_done},
    {IPC_filters, IPC_filters_done},
    {IPC_visit, IPC_visit_done},
    {IPC_report_next, IPC_report_next_done},
    {IPC_report_over, IPC_done},
    {IPC_report_rows, IPC_report_rows_done},
    {IPC_forward, IPC_forward_done},
    {IPC_holds, IPC_done},
    {IPC_hold_change, IPC_hold_changed},
};

static void put_u32(struct buf *packet, uint32_t value)
{
    uint8_t at[4];
    bytes_put_u32(at, value);
    (void)buf_append(packet, span_of(at, sizeof(at)));
}

static void put_u64(struct buf *packet, uint64_t value)
{
    uint8_t at[8];
    bytes_put_u64(at, value);
    (void)buf_append(packet, span_of(at, sizeof(at)));
}

static bool put_bytes(struct buf *packet, span_t bytes, size_t max)
{
    if (bytes.len > max)
        return false;
    put_u32(packet, (uint32_t)bytes.len);
    (void)buf_append(packet, bytes);
    return true;
}

static bool get_u32(span_t *rest, uint32_t *ret_value)
{
    if (rest->len < 4)
        return false;
    *ret_value = bytes_get_u32(rest->at);
    *rest = span_from(*rest, 4);
    return true;
}

static bool get_u64(span_t *rest, uint64_t *ret_value)
{
    if (rest->len < 8)
        return false;
    *ret_value = bytes_get_u64(rest->at);
    *rest = span_from(*rest, 8);
    return true;
}

static bool get_bytes(span_t *rest, size_t max, span_t *ret_bytes)
{
    uint32_t len = 0;
    if (!get_u32(rest, &len) || len > max || len > rest->len)
        return false;
    *ret_bytes = span_upto(*rest, len);
    *rest = span_from(*rest, len);
    return true;
}

/* For each message, a function that writes its fields; false where one is too long. */
#define MESSAGE(name, senders, receivers, descriptors)                                                                 \
    static bool encode_##name(const struct ipc_##name *message, struct buf *packet)                                    \
    {                                                                                                                  \
        (void)message;                                                                                                 \
        (void)packet;
#define U32(field) put_u32(packet, message->field);
#define U64(field) put_u64(packet, message->field);
#define BYTES(field, max)                                                                                              \
    if (!put_bytes(packet, message->field, max))                                                                       \
        return false;
#define END(name)                                                                                                      \
    return true;                                                                                                       \
    }
#include "ipc/messages.def"
#undef MESSAGE
#undef U32
#undef U64
#undef BYTES
#undef END

/* And one that reads them; false where they are not there. */
#define MESSAGE(name, senders, receivers, descriptors)                                                                 \
    static bool decode_##name(span_t *rest, struct ipc_##name *message)                                                \
    {                                                                                                                  \
        (void)message;
#define U32(field)                                                                                                     \
    if (!get_u32(rest, &message->field))                                                                               \
        return false;
#define U64(field)                                                                                                     \
    if (!get_u64(rest, &message->field))                                                                               \
        return false;
#define BYTES(field, max)                                                                                              \
    if (!get_bytes(rest, max, &message->field))                                                                        \
        return false;
#define END(name)                                                                                                      \
    return rest->len == 0;                                                                                             \
    }
#include "ipc/messages.def"
#undef MESSAGE
#undef U32
#undef U64
#undef BYTES
#undef END

#define U32(field)
#define U64(field)
#define BYTES(field, max)
#define END(name)

#define MESSAGE(name, senders, receivers, descriptors)                                                                 \
    case IPC_##name:                                                                                                   \
        return encode_##name(&message->name, packet);
static bool encode_fields(const struct ipc_message *message, struct buf *packet)
{
    switch (message->type) {
#include "ipc/messages.def"
    case IPC_TYPE_COUNT:
    default:
        return false;
    }
}
#undef MESSAGE

#define MESSAGE(name, senders, receivers, descriptors)                                                                 \
    case IPC_##name:                                                                                                   \
        return decode_##name(&rest, &message->name);
static bool decode_fields(span_t rest, struct ipc_message *message)
{
    switch (message->type) {
#include "ipc/messages.def"
    case IPC_TYPE_COUNT:
    default:
        return false;
    }
}
#undef MESSAGE
#undef U32
#undef U64
#undef BYTES
#undef END

int ipc_message_encode(const struct ipc_message *message, struct buf *packet)
{
    uint8_t head[HEAD_SIZE];
    bytes_put_u16(head, (uint16_t)message->type);
    bytes_put_u16(head + 2, message->is_reply ? FLAG_REPLY : 0);
    bytes_put_u64(head + 4, message->call);
    (void)buf_append(packet, span_of(head, sizeof(head)));
    if (!encode_fields(message, packet))
        return -EMSGSIZE;
    return buf_fault(packet);
}

/* The block of an incoming message: what the spans point into stands behind it. */
struct block {
    size_t len;
    struct ipc_message message;
    uint8_t packet[];
};

int ipc_message_decode(span_t packet, struct ipc_message **ret_message)
{
    if (packet.len < HEAD_SIZE || packet.len > IPC_PACKET_MAX)
        return -EBADMSG;
    unsigned type = bytes_get_u16(packet.at);
    unsigned flags = bytes_get_u16(packet.at + 2);
    if (type >= IPC_TYPE_COUNT || flags > FLAG_REPLY)
        return -EBADMSG;
    struct block *block = mem_new(sizeof(*block) + packet.len);
    if (block == NULL)
        return -ENOMEM;
    block->len = packet.len;
    memcpy(block->packet, packet.at, packet.len);
    struct ipc_message *message = &block->message;
    message->type = (enum ipc_type)type;
    message->is_reply = flags == FLAG_REPLY;
    message->call = bytes_get_u64(packet.at + 4);
    if (!decode_fields(span_from(span_of(block->packet, packet.len), HEAD_SIZE), message)) {
        ipc_message_free(message);
        return -EBADMSG;
    }
    *ret_message = message;
    return 0;
}

/* Wiped, because some of them hold passwords. */
void ipc_message_free(struct ipc_message *message)
{
    if (message == NULL)
        return;
    ipc_message_close_fds(message);
    struct block *block = (struct block *)(void *)((char *)message - offsetof(struct block, message));
    explicit_bzero(block->packet, block->len);
    free(block);
}

int ipc_message_take_fd(struct ipc_message *message, unsigned which)
{
    if (which >= message->fd_count)
        return -1;
    return TAKE_FD(message->fds[which]);
}

void ipc_message_close_fds(struct ipc_message *message)
{
    for (unsigned i = 0; i < message->fd_count; i++) {
        if (message->fds[i] >= 0)
            (void)close(message->fds[i]);
    }
    message->fd_count = 0;
}

static bool is_answer(enum ipc_type type)
{
    for (size_t i = 0; i < COUNT_OF(answers); i++) {
        if (answers[i].answer == type)
            return true;
    }
    return false;
}

bool ipc_may_send(enum ipc_type type, enum ipc_role from, enum ipc_role to)
{
    return type < IPC_TYPE_COUNT && (rules[type].senders & 1U << from) != 0 && (rules[type].receivers & 1U << to) != 0;
}

unsigned ipc_fd_count(enum ipc_type type)
{
    return rules[type].descriptors & ~OR_NONE;
}

bool ipc_fd_count_fits(enum ipc_type type, unsigned count)
{
    return count == ipc_fd_count(type) || (count == 0 && (is_answer(type) || (rules[type].descriptors & OR_NONE) != 0));
}

bool ipc_call_fits(const struct ipc_message *message)
{
    if (is_answer(message->type))
        return message->is_reply && message->call != 0;
    return !message->is_reply && (message->call != 0 || ipc_answer(message->type) == IPC_TYPE_COUNT);
}

enum ipc_type ipc_answer(enum ipc_type request)
{
    for (size_t i = 0; i < COUNT_OF(answers); i++) {
        if (answers[i].request == request)
            return answers[i].answer;
    }
    return IPC_TYPE_COUNT;
}

const char *ipc_type_name(enum ipc_type type)
{
    return type < IPC_TYPE_COUNT ? rules[type].name : "unknown";
}

const char *ipc_role_name(enum ipc_role role)
{
    static const char *const names[ROLE_COUNT] = {
        [ROLE_SUPERVISOR] = "supervisor", [ROLE_GATE] = "gate",   [ROLE_KEEPER] = "keeper",
        [ROLE_INTAKE] = "intake",         [ROLE_STORE] = "store", [ROLE_SESSION] = "session",
        [ROLE_COURIER] = "courier",
    };
    return role < ROLE_COUNT ? names[role] : "unknown";
}
