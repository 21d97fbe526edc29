#include <errno.h>
#include <string.h>

#include "base/bytes.h"
#include "ipc/envelope.h"
#include "mime/header.h"
#include "mime/sevenbit.h"
#include "role/intake/intake-state.h"

size_t outgoing_envelope_len(const struct ipc_deliver *deliver)
{
    if (deliver->remote.len == 0)
        return 0;
    return ENVELOPE_FIXED + deliver->sender.len + deliver->envid.len + deliver->remote.len;
}

bool outgoing_is_sound(const struct ipc_deliver *deliver)
{
    bool has_queue = false;
    for (size_t at = 0; at < deliver->recipients.len; at += RECIPIENT_ROW_SIZE)
        has_queue |= bytes_get_u64(deliver->recipients.at + at) == QUEUE_ACCOUNT;
    if (deliver->remote.len == 0)
        return !has_queue;
    return has_queue && envelope_rows_are_sound(deliver->remote);
}

/* RFC 8689 §3: it is to arrive whatever policies ask for; REQUIRETLS, said in the envelope, is stronger. Strangers
 * whose mail is sent on do not decide how. */
void outgoing_read_header(struct ipc_deliver *deliver, span_t header)
{
    const bool is_ours = (deliver->flags & (uint32_t)DELIVER_SUBMISSION) != 0;
    if (is_ours && (deliver->flags & (uint32_t)DELIVER_REQUIRE_TLS) == 0 &&
        span_equal_nocase(span_trim(mime_field_value(header, SPAN("TLS-Required"))), SPAN("No")))
        deliver->flags |= (uint32_t)DELIVER_TLS_OPTIONAL;
}

int outgoing_pick(span_t recipients, enum outgoing_which which, struct buf *rows)
{
    int result = 0;
    for (size_t at = 0; result == 0 && at + RECIPIENT_ROW_SIZE <= recipients.len; at += RECIPIENT_ROW_SIZE) {
        const uint64_t account = bytes_get_u64(recipients.at + at);
        bool is_queue = account == QUEUE_ACCOUNT;
        if (account != REPORTS_ACCOUNT && is_queue == (which == OUTGOING_QUEUE))
            result = buf_append(rows, span_slice(recipients, at, RECIPIENT_ROW_SIZE));
    }
    return result;
}

static uint32_t flags_of(uint32_t flags)
{
    static const struct {
        enum deliver_flag from;
        enum envelope_flag to;
    } rows[] = {{DELIVER_UTF8, ENVELOPE_UTF8},
                {DELIVER_8BIT, ENVELOPE_8BIT},
                {DELIVER_BINARY, ENVELOPE_BINARY},
                {DELIVER_RETURN_FULL, ENVELOPE_RETURN_FULL},
                {DELIVER_RETURN_HEADERS, ENVELOPE_RETURN_HEADERS},
                {DELIVER_REQUIRE_TLS, ENVELOPE_REQUIRE_TLS},
                {DELIVER_TLS_OPTIONAL, ENVELOPE_TLS_OPTIONAL}};
    uint32_t result = 0;
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        result |= (flags & (uint32_t)rows[i].from) != 0 ? (uint32_t)rows[i].to : 0U;
    return result;
}

uint32_t outgoing_flags(uint32_t flags, span_t message)
{
    enum mime_encoding need = mime_need(message);
    if (need == MIME_ENCODING_BINARY)
        return flags;
    flags &= ~((uint32_t)DELIVER_8BIT | (uint32_t)DELIVER_BINARY);
    return need == MIME_ENCODING_8BIT ? flags | (uint32_t)DELIVER_8BIT : flags;
}

int outgoing_envelope(const struct ipc_deliver *deliver, uint8_t *into)
{
    const struct envelope envelope = {.flags = flags_of(deliver->flags),
                                      .account = deliver->account,
                                      .hold_until = (int64_t)deliver->hold_until,
                                      .sender = deliver->sender,
                                      .envid = deliver->envid,
                                      .rows = deliver->remote};
    size_t len = outgoing_envelope_len(deliver);
    struct buf view = {.bytes = into, .room = len, .max = len};
    return envelope_write(&envelope, &view);
}
