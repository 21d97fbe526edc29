#include "proto/smtp/reply.h"

#define REPLY_TEXT_MAX 400U

void smtp_reply(struct buf *reply, unsigned code, const char *status, const char *text)
{
    buf_append_u64(reply, code);
    buf_append_byte(reply, ' ');
    if (status != NULL) {
        buf_append_text(reply, status);
        buf_append_byte(reply, ' ');
    }
    buf_append_text(reply, text);
    buf_append(reply, SPAN("\r\n"));
}

void smtp_reply_line(struct buf *reply, unsigned code, enum smtp_reply_line more, span_t text)
{
    buf_append_u64(reply, code);
    buf_append_byte(reply, more == SMTP_REPLY_MORE ? '-' : ' ');
    buf_append(reply, text);
    buf_append(reply, SPAN("\r\n"));
}

void smtp_reply_span(struct buf *reply, unsigned code, const char *status, span_t text)
{
    buf_append_u64(reply, code);
    buf_append_byte(reply, ' ');
    buf_append_text(reply, status);
    buf_append_byte(reply, ' ');
    span_t shown = span_upto(text, REPLY_TEXT_MAX);
    for (size_t i = 0; i < shown.len; i++) {
        uint8_t byte = shown.at[i];
        buf_append_byte(reply, byte == ' ' || ascii_is_print(byte) ? byte : '?');
    }
    buf_append(reply, SPAN("\r\n"));
}
