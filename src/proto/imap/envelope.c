#include "proto/imap/envelope.h"

#include <errno.h>

#define QUOTED_MAX 1000U /* longer strings go as literals */
/* A header of nothing but addresses must not cost more than this; what comes after is left out. */
#define ADDRESS_FIELD_MAX ((size_t)4 * 1024 * 1024)
#define ADDRESS_ARENA_MAX (ADDRESS_FIELD_MAX * 8)
#define ADDRESS_ARENA_ENOUGH (ADDRESS_FIELD_MAX * 2)

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

static int append_addresses(const struct mime_address *addresses, struct buf *line)
{
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

static bool is_list(size_t field)
{
    return field >= FROM && field <= BCC;
}

struct envelope {
    struct arena *arena;
    span_t values[FIELD_COUNT];
    struct mime_address *lists[FIELD_COUNT];
    struct mime_address *last[FIELD_COUNT];
};

/* A list may be spread over several fields of its name (RFC 5322 §3.6 forbids it, senders do it). */
static int add_addresses(struct envelope *envelope, size_t number, span_t value)
{
    if (arena_used(envelope->arena) > ADDRESS_ARENA_ENOUGH)
        return 0;
    struct mime_address *last = envelope->last[number];
    struct mime_address **more = last == NULL ? &envelope->lists[number] : &last->next;
    int result = mime_address_parse(span_upto(value, ADDRESS_FIELD_MAX), envelope->arena, more);
    for (struct mime_address *address = *more; address != NULL; address = address->next)
        envelope->last[number] = address;
    return result;
}

static int read_field(struct envelope *envelope, const struct mime_field *field)
{
    for (size_t i = 0; i < FIELD_COUNT; i++) {
        if (!span_equal_nocase(field->name, span_of_text(field_names[i])))
            continue;
        if (is_list(i))
            return add_addresses(envelope, i, field->value);
        if (envelope->values[i].at == NULL)
            envelope->values[i] = field->value.at == NULL ? span_of("", 0) : field->value;
    }
    return 0;
}

static int read_fields(span_t header, struct envelope *envelope)
{
    struct mime_field field;
    while (mime_field_next(&header, &field)) {
        int result = read_field(envelope, &field);
        if (result < 0)
            return result;
    }
    if (envelope->lists[SENDER] == NULL)
        envelope->lists[SENDER] = envelope->lists[FROM];
    if (envelope->lists[REPLY_TO] == NULL)
        envelope->lists[REPLY_TO] = envelope->lists[FROM];
    return 0;
}

int imap_envelope_append(span_t header, struct buf *line)
{
    AUTO(arena) struct arena *arena = NULL;
    int result = arena_new(ADDRESS_ARENA_MAX, &arena);
    struct envelope envelope = {.arena = arena};
    if (result == 0)
        result = read_fields(header, &envelope);
    if (result < 0)
        return result;
    buf_append_byte(line, '(');
    for (size_t i = 0; i < FIELD_COUNT && result == 0; i++) {
        if (i > 0)
            buf_append_byte(line, ' ');
        result = is_list(i) ? append_addresses(envelope.lists[i], line) : imap_field_append(envelope.values[i], line);
    }
    return result < 0 ? result : buf_append_byte(line, ')');
}
