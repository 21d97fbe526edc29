#include "mime/downgrade.h"

#include "mime/address.h"
#include "mime/header.h"
#include "mime/utf8.h"
#include "mime/word.h"

#define ARENA_MAX (16U << 20)
#define NOWHERE SPAN("<invalid@internationalized-address.invalid>") /* RFC 6858 §2.1 */

enum kind { KIND_OTHER, KIND_TEXT, KIND_ADDRESSES, KIND_PARAMETERS };

static enum kind kind_of(span_t name)
{
    static const struct {
        const char *name;
        enum kind kind;
    } known[] = {
        {"Subject", KIND_TEXT},
        {"Comments", KIND_TEXT},
        {"Keywords", KIND_TEXT},
        {"Content-Description", KIND_TEXT},
        {"From", KIND_ADDRESSES},
        {"Sender", KIND_ADDRESSES},
        {"Reply-To", KIND_ADDRESSES},
        {"To", KIND_ADDRESSES},
        {"Cc", KIND_ADDRESSES},
        {"Bcc", KIND_ADDRESSES},
        {"Resent-From", KIND_ADDRESSES},
        {"Resent-Sender", KIND_ADDRESSES},
        {"Resent-To", KIND_ADDRESSES},
        {"Resent-Cc", KIND_ADDRESSES},
        {"Resent-Bcc", KIND_ADDRESSES},
        {"Content-Type", KIND_PARAMETERS},
        {"Content-Disposition", KIND_PARAMETERS},
    };
    for (size_t i = 0; i < COUNT_OF(known); i++)
        if (span_equal_nocase(name, span_of_text(known[i].name)))
            return known[i].kind;
    return KIND_OTHER;
}

/* RFC 5322 §3.2.4; text is ASCII without control characters. */
static void put_quoted(span_t text, struct buf *ascii)
{
    buf_append_byte(ascii, '"');
    for (size_t i = 0; i < text.len; i++) {
        if (text.at[i] == '"' || text.at[i] == '\\')
            buf_append_byte(ascii, '\\');
        buf_append_byte(ascii, text.at[i]);
    }
    buf_append_byte(ascii, '"');
}

static bool is_printable(span_t text)
{
    for (size_t i = 0; i < text.len; i++)
        if (text.at[i] < 0x20 || text.at[i] > 0x7e)
            return false;
    return true;
}

static bool is_dot_atom(span_t text)
{
    for (size_t i = 0; i < text.len; i++)
        if (!ascii_is_print(text.at[i]) || span_find_byte(SPAN("()<>[]:;@\\,\""), text.at[i]) < 12)
            return false;
    return text.len > 0;
}

static void put_name(span_t utf8, struct buf *ascii)
{
    if (is_printable(utf8))
        put_quoted(utf8, ascii);
    else
        mime_word_encode(utf8, ascii);
}

static void put_mailbox(const struct mime_address *address, struct buf *ascii)
{
    if (is_dot_atom(address->local))
        buf_append(ascii, address->local);
    else
        put_quoted(address->local, ascii);
    if (address->domain.at != NULL) {
        buf_append_byte(ascii, '@');
        buf_append(ascii, address->domain);
    }
}

/* The name of an address, or what stands for one, in UTF-8 and without control characters. */
static int name_of(struct arena *arena, const struct mime_address *address, bool is_ascii, span_t *ret_name)
{
    AUTO_BUF struct buf whole;
    buf_init(&whole, address->local.len + address->domain.len + 1);
    if (address->name.len > 0 || is_ascii)
        return mime_word_decode_into(arena, address->name, ret_name);
    buf_append(&whole, address->local);
    buf_append_byte(&whole, '@');
    buf_append(&whole, address->domain);
    return mime_word_decode_into(arena, buf_span(&whole), ret_name);
}

static int put_address(struct arena *arena, const struct mime_address *address, struct buf *ascii)
{
    span_t name = SPAN_NONE;
    bool is_ascii = is_printable(address->local) && is_printable(address->domain);
    int result = name_of(arena, address, is_ascii, &name);
    if (result < 0)
        return result;
    if (name.len > 0) {
        put_name(name, ascii);
        buf_append_byte(ascii, ' ');
    }
    if (!is_ascii) {
        buf_append(ascii, NOWHERE);
        return buf_fault(ascii);
    }
    buf_append_byte(ascii, '<');
    put_mailbox(address, ascii);
    buf_append_byte(ascii, '>');
    return buf_fault(ascii);
}

static int put_group_start(struct arena *arena, const struct mime_address *address, struct buf *ascii)
{
    span_t name = SPAN_NONE;
    int result = mime_word_decode_into(arena, address->name, &name);
    if (result < 0)
        return result;
    put_name(name, ascii);
    buf_append_byte(ascii, ':');
    return buf_fault(ascii);
}

/* Each address on a line of its own (RFC 5322 §2.2.3). */
static int put_addresses(struct arena *arena, span_t value, struct buf *ascii)
{
    struct mime_address *address = NULL;
    bool is_listed = false;
    int result = mime_address_parse(value, arena, &address);
    for (; result == 0 && address != NULL; address = address->next) {
        bool is_end = address->kind == MIME_ADDRESS_GROUP_END;
        if (is_listed && !is_end)
            buf_append(ascii, SPAN(",\r\n "));
        if (is_end)
            buf_append_byte(ascii, ';');
        else if (address->kind == MIME_ADDRESS_GROUP_START)
            result = put_group_start(arena, address, ascii);
        else
            result = put_address(arena, address, ascii);
        is_listed = address->kind != MIME_ADDRESS_GROUP_START;
    }
    return result;
}

static int put_text(struct arena *arena, span_t value, struct buf *ascii)
{
    span_t utf8 = SPAN_NONE;
    int result = mime_word_decode_into(arena, value, &utf8);
    return result < 0 ? result : mime_word_encode(utf8, ascii);
}

static void put_replaced(span_t value, struct buf *ascii)
{
    while (value.len > 0) {
        uint32_t character = utf8_next(&value);
        buf_append_byte(ascii, character < 0x80 ? (uint8_t)character : '?');
    }
}

static int put_field(struct arena *arena, const struct mime_field *field, struct buf *ascii)
{
    enum kind kind = kind_of(field->name);
    int result = 0;
    if (ascii_is_clean(field->whole)) {
        buf_append(ascii, field->whole);
        return buf_fault(ascii);
    }
    if (kind == KIND_OTHER)
        return 0;
    buf_append(ascii, field->name);
    buf_append(ascii, SPAN(": "));
    if (kind == KIND_TEXT)
        result = put_text(arena, field->value, ascii);
    else if (kind == KIND_ADDRESSES)
        result = put_addresses(arena, field->value, ascii);
    else
        put_replaced(field->value, ascii);
    buf_append(ascii, SPAN("\r\n"));
    return result < 0 ? result : buf_fault(ascii);
}

bool mime_downgrade_needed(span_t header)
{
    return !ascii_is_clean(header) && utf8_is_valid(header);
}

int mime_downgrade_header(span_t header, struct buf *ascii)
{
    AUTO(arena) struct arena *arena = NULL;
    struct mime_field field;
    int result = arena_new(ARENA_MAX, &arena);
    while (result == 0 && mime_field_next(&header, &field)) {
        arena_reset(arena);
        result = put_field(arena, &field, ascii);
    }
    return result < 0 ? result : buf_append(ascii, SPAN("\r\n"));
}
