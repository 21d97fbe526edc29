#include "mime/header.h"

#include <string.h>

/* Bytes of the line at the front of rest, its line end included. */
static size_t line_len(span_t rest)
{
    size_t len = span_find_byte(rest, '\n');
    return len < rest.len ? len + 1 : len;
}

static bool line_is_empty(span_t line)
{
    return line.len == 0 || line.at[0] == '\n' || (line.len >= 2 && line.at[0] == '\r' && line.at[1] == '\n');
}

/* The field at the front with the lines that continue it. */
static size_t folded_len(span_t rest)
{
    size_t len = line_len(rest);
    while (len < rest.len && ascii_is_space(rest.at[len]))
        len += line_len(span_from(rest, len));
    return len;
}

bool mime_field_next(span_t *rest, struct mime_field *ret_field)
{
    while (rest->len > 0 && !line_is_empty(*rest)) {
        span_t whole = span_upto(*rest, folded_len(*rest));
        *rest = span_from(*rest, whole.len);
        size_t colon = span_find_byte(span_upto(whole, line_len(whole)), ':');
        span_t name = span_trim(span_upto(whole, colon));
        if (colon >= whole.len || whole.at[colon] != ':' || name.len == 0 || ascii_is_space(whole.at[0]))
            continue;
        *ret_field = (struct mime_field){whole, name, span_trim(span_from(whole, colon + 1))};
        return true;
    }
    return false;
}

bool mime_field_find(span_t header, span_t name, struct mime_field *ret_field)
{
    struct mime_field field;
    while (mime_field_next(&header, &field)) {
        if (span_equal_nocase(field.name, name)) {
            *ret_field = field;
            return true;
        }
    }
    return false;
}

span_t mime_field_value(span_t header, span_t name)
{
    struct mime_field field;
    if (!mime_field_find(header, name, &field))
        return SPAN_NONE;
    if (field.value.at == NULL)
        field.value.at = field.whole.at;
    return field.value;
}

bool mime_field_is_opaque(span_t name)
{
    static const char *const names[] = {"DKIM-Signature",          "ARC-Seal",  "ARC-Message-Signature",
                                        "DomainKey-Signature",     "Autocrypt", "Autocrypt-Gossip",
                                        "X-Google-DKIM-Signature", "Face",      "X-Face"};
    for (size_t i = 0; i < COUNT_OF(names); i++)
        if (span_equal_nocase(name, span_of_text(names[i])))
            return true;
    return false;
}

size_t mime_header_len(span_t message)
{
    size_t len = 0;
    while (len < message.len) {
        span_t line = span_from(message, len);
        len += line_len(line);
        if (line_is_empty(line))
            break;
    }
    return len;
}

int mime_field_unfold(span_t value, struct buf *text)
{
    uint8_t *out = NULL;
    int result = buf_reserve(text, value.len, &out);
    if (result < 0)
        return result;
    size_t len = 0;
    for (size_t i = 0; i < value.len; i++) {
        uint8_t byte = value.at[i];
        if (byte == '\r' && i + 1 < value.len && value.at[i + 1] == '\n')
            continue;
        out[len++] = byte == 0 || byte == '\r' || byte == '\n' ? ' ' : byte;
        while (byte == '\n' && i + 1 < value.len && ascii_is_space(value.at[i + 1]))
            i++;
    }
    buf_commit(text, len);
    return 0;
}
