#include "proto/smtp/xtext.h"

int smtp_xtext_write(span_t text, struct buf *xtext)
{
    for (size_t i = 0; i < text.len; i++) {
        uint8_t byte = text.at[i];
        if (byte >= 0x80 || (ascii_is_print(byte) && byte != '+' && byte != '='))
            buf_append_byte(xtext, byte);
        else
            buf_append_format(xtext, "+%02X", byte);
    }
    return buf_fault(xtext);
}

int smtp_xtext_read(span_t xtext, struct buf *text)
{
    for (size_t i = 0; i < xtext.len; i++) {
        uint8_t byte = xtext.at[i];
        if (byte == '+' && i + 2 < xtext.len) {
            byte = (uint8_t)(ascii_hex_value(xtext.at[i + 1]) * 16 + ascii_hex_value(xtext.at[i + 2]));
            i += 2;
        }
        buf_append_byte(text, byte >= 0x20 && byte != 0x7F ? byte : '?');
    }
    return buf_fault(text);
}

int smtp_orcpt_write(span_t address, struct buf *orcpt)
{
    bool is_ascii = true;
    for (size_t at = 0; at < address.len; at++)
        is_ascii = is_ascii && address.at[at] < 0x80;
    buf_append_text(orcpt, is_ascii ? "rfc822;" : "utf-8;");
    return smtp_xtext_write(address, orcpt);
}

int smtp_orcpt_read(span_t orcpt, struct buf *address)
{
    return smtp_xtext_read(span_from(orcpt, span_find_byte(orcpt, ';') + 1), address);
}
