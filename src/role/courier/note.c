#include "role/courier/note.h"

#include <errno.h>
#include <string.h>

#include "base/bytes.h"

#define ROW_FIXED 12U
#define TEXT_KEPT 160U /* of what the other server said */

static void recipient_write(const struct note_recipient *recipient, struct buf *bytes)
{
    const struct smtp_response *response = &recipient->response;
    span_t text = span_upto(smtp_response_text(response), TEXT_KEPT);
    uint8_t fixed[ROW_FIXED] = {(uint8_t)recipient->status};
    bytes_put_u16(fixed + 1, (uint16_t)response->code);
    fixed[3] = response->class_;
    bytes_put_u16(fixed + 4, response->subject);
    bytes_put_u16(fixed + 6, response->detail);
    bytes_put_u16(fixed + 8, recipient->host_len);
    bytes_put_u16(fixed + 10, (uint16_t)text.len);
    buf_append(bytes, span_of(fixed, sizeof(fixed)));
    buf_append(bytes, span_of(recipient->host, recipient->host_len));
    buf_append(bytes, text);
}

int note_write(const struct note *note, struct buf *bytes)
{
    uint8_t fixed[NOTE_FIXED] = {NOTE_VERSION};
    bytes_put_u64(fixed + 1, note->record);
    fixed[9] = (uint8_t)note->flags;
    bytes_put_u32(fixed + 10, note->attempts);
    bytes_put_u64(fixed + 14, (uint64_t)note->next);
    bytes_put_u32(fixed + 22, (uint32_t)note->count);
    buf_append(bytes, span_of(fixed, sizeof(fixed)));
    for (size_t i = 0; i < note->count; i++)
        recipient_write(&note->recipients[i], bytes);
    return buf_fault(bytes);
}

uint64_t note_record(span_t bytes, size_t *ret_count)
{
    if (bytes.len < NOTE_FIXED || bytes.at[0] != NOTE_VERSION)
        return 0;
    *ret_count = bytes_get_u32(bytes.at + 22);
    return bytes_get_u64(bytes.at + 1);
}

static int recipient_read(span_t *rest, struct note_recipient *recipient)
{
    if (rest->len < ROW_FIXED || rest->at[0] >= NOTE_STATUS_COUNT)
        return -EBADMSG;
    size_t host_len = bytes_get_u16(rest->at + 8);
    size_t text_len = bytes_get_u16(rest->at + 10);
    if (host_len > NOTE_HOST_MAX || text_len > SMTP_RESPONSE_TEXT_MAX || ROW_FIXED + host_len + text_len > rest->len)
        return -EBADMSG;
    memset(recipient, 0, sizeof(*recipient));
    recipient->status = (enum note_status)rest->at[0];
    recipient->response.code = bytes_get_u16(rest->at + 1);
    recipient->response.class_ = rest->at[3];
    recipient->response.subject = bytes_get_u16(rest->at + 4);
    recipient->response.detail = bytes_get_u16(rest->at + 6);
    recipient->response.is_complete = true;
    recipient->host_len = (uint8_t)host_len;
    memcpy(recipient->host, rest->at + ROW_FIXED, host_len);
    recipient->response.text_len = text_len;
    memcpy(recipient->response.text, rest->at + ROW_FIXED + host_len, text_len);
    *rest = span_from(*rest, ROW_FIXED + host_len + text_len);
    return 0;
}

int note_read(span_t bytes, struct note *note)
{
    size_t count = 0;
    uint64_t record = note_record(bytes, &count);
    if (record == 0 || count != note->count)
        return -EBADMSG;
    span_t rest = span_from(bytes, NOTE_FIXED);
    for (size_t i = 0; i < count; i++) {
        int result = recipient_read(&rest, &note->recipients[i]);
        if (result < 0)
            return result;
    }
    note->record = record;
    note->flags = bytes.at[9];
    note->attempts = bytes_get_u32(bytes.at + 10);
    note->next = (int64_t)bytes_get_u64(bytes.at + 14);
    return rest.len == 0 ? 0 : -EBADMSG;
}
