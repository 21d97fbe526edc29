#include "proto/imap/envelope.h"

#include <errno.h>

#define QUOTED_MAX 1000U                             /* longer strings go as literals */
#define ENVELOPE_ARENA_MAX ((size_t)8 * 1024 * 1024) /* for the addresses of one field, all of a long list */

static bool can_quote(span_t value)
{
    for (size_t i = 0; i < value.len; i++) {
        if (value.at[i] < 0x20 || value.at[i] > 0x7e)
            return false;
    }
    return value.len <= QUOTED_MAX;
}

static int append_quoted(span_t value, struct buf *line)
{
    buf_append_byte(line, '"');
    size_t done = 0;
    for (size_t i = 0; i < value.len; i++) {
        if (value.at[i] != '"' && value.at[i] != '\\')
            continue;
        buf_append(line, span_slice(value, done, i - done));
        buf_append_byte(line, '\\');
        done = i;
    }
    buf_append(line, span_from(value, done));
    return buf_append_byte(line, '"');
}

int imap_string_append(span_t value, struct buf *line)
{
    if (value.at == NULL)
        return buf_append(line, SPAN("NIL"));
    if (can_quote(value))
        return append_quoted(value, line);
    buf_append_byte(line, '{');
    buf_append_u64(line, value.len);
    buf_append(line, SPAN("}\r\n"));
    uint8_t *out = NULL;
    int result = buf_reserve(line, value.len, &out);
    if (result < 0)
        return result;
    for (size_t i = 0; i < value.len; i++)
        out[i] = value.at[i] == 0 ? ' ' : value.at[i];
    buf_commit(line, value.len);
    return buf_fault(line);
}

int imap_field_append(span_t value, struct buf *line)
{
    if (value.at == NULL || span_find_byte(value, '\n') == value.len)
        return imap_string_append(value, line);
    AUTO_BUF struct buf unfolded;
    buf_init(&unfolded, value.len);
    int result = mime_field_unfold(value, &unfolded);
    return result < 0 ? result : imap_string_append(buf_span(&unfolded), line);
}

/* RFC 3501 §7.4.2: a NIL host marks the ends of a group, so a mailbox without one must show something. */
static int append_address(const struct mime_address *address, struct buf *line)
{
    span_t local = address->local;
    span_t domain = address->domain;
    if (address->kind == MIME_ADDRESS_MAILBOX) {
        local = local.len == 0 ? SPAN("MISSING_MAILBOX") : local;
        domain = domain.len == 0 ? SPAN("MISSING_DOMAIN") : domain;
    } else {
        local = address->kind == MIME_ADDRESS_GROUP_START ? address->name : SPAN_NONE;
        domain = SPAN_NONE;
    }
    buf_append_byte(line, '(');
    imap_string_append(address->kind == MIME_ADDRESS_MAILBOX ? address->name : SPAN_NONE, line);
    buf_append_byte(line, ' ');
    imap_string_append(address->route, line);
    buf_append_byte(line, ' ');
    imap_string_append(local, line);
    buf_append_byte(line, ' ');
    imap_string_append(domain, line);
    return buf_append_byte(line, ')');
}

static int append_addresses(span_t value, struct buf *line)
{
    AUTO(arena) struct arena *arena = NULL;
    int result = arena_new(ENVELOPE_ARENA_MAX, &arena);
    if (result < 0)
        return result;
    struct mime_address *addresses = NULL;
    result = mime_address_parse(value, arena, &addresses);
    if (result < 0)
        return result;
    if (addresses == NULL)
        return buf_append(line, SPAN("NIL"));
    buf_append_byte(line, '(');
    for (; addresses != NULL; addresses = addresses->next)
        append_address(addresses, line);
    return buf_append_byte(line, ')');
}

/* The fields of an envelope in the order they are sent. */
enum { DATE, SUBJECT, FROM, SENDER, REPLY_TO, TO, CC, BCC, IN_REPLY_TO, MESSAGE_ID, FIELD_COUNT };

static const char *const field_names[FIELD_COUNT] = {"Date", "Subject", "From", "Sender",      "Reply-To",
                                                     "To",   "Cc",      "Bcc",  "In-Reply-To", "Message-ID"};

static void read_fields(span_t header, span_t values[FIELD_COUNT])
{
    struct mime_field field;
    while (mime_field_next(&header, &field)) {
        for (size_t i = 0; i < FIELD_COUNT; i++) {
            if (values[i].at == NULL && span_equal_nocase(field.name, span_of_text(field_names[i])))
                values[i] = field.value.at == NULL ? span_of("", 0) : field.value;
        }
    }
}

int imap_envelope_append(span_t header, struct buf *line)
{
    span_t values[FIELD_COUNT] = {SPAN_NONE};
    read_fields(header, values);
    if (values[SENDER].len == 0)
        values[SENDER] = values[FROM];
    if (values[REPLY_TO].len == 0)
        values[REPLY_TO] = values[FROM];
    int result = buf_append_byte(line, '(');
    for (size_t i = 0; i < FIELD_COUNT && result == 0; i++) {
        bool is_list = i >= FROM && i <= BCC;
        if (i > 0)
            buf_append_byte(line, ' ');
        result = is_list ? append_addresses(values[i], line) : imap_field_append(values[i], line);
    }
    return result < 0 ? result : buf_append_byte(line, ')');
}
