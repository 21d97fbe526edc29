#include "role/intake/trace.h"

#include <assert.h>
#include <string.h>

#include "mime/date.h"
#include "mime/header.h"
#include "trust/authres/authres.h"

static void note_date(span_t value, struct trace_facts *facts)
{
    facts->knows_date = !facts->has_date && mime_date_parse(value, &facts->date) == 0;
    facts->has_date = true;
}

/* The first one is that of the last time (RFC 5322 §3.6.6). */
static void note_resent(span_t value, struct trace_facts *facts)
{
    facts->knows_resent = !facts->has_resent && mime_date_parse(value, &facts->resent) == 0;
    facts->has_resent = true;
}

static bool is_hidden(const struct trace_delivery *delivery)
{
    return delivery->submission && delivery->hides;
}

void trace_scan(span_t message, struct trace_facts *ret_facts)
{
    *ret_facts = (struct trace_facts){.header_len = mime_header_len(message)};
    span_t rest = span_upto(message, ret_facts->header_len);
    struct mime_field field;
    while (mime_field_next(&rest, &field)) {
        if (span_equal_nocase(field.name, SPAN("Received")))
            ret_facts->received++;
        else if (span_equal_nocase(field.name, SPAN("Date")))
            note_date(field.value, ret_facts);
        else if (span_equal_nocase(field.name, SPAN("Resent-Date")))
            note_resent(field.value, ret_facts);
        else if (span_equal_nocase(field.name, SPAN("MIME-Version")))
            ret_facts->has_version = true;
        else if (span_equal_nocase(field.name, SPAN("Message-ID")))
            ret_facts->has_message_id = true;
    }
}

/* What may stand inside a header line without ending it, or the path or comment it stands in. */
static bool is_plain(span_t text, const struct trace_delivery *delivery)
{
    for (size_t at = 0; at < text.len; at++) {
        uint8_t byte = text.at[at];
        if (!ascii_is_print(byte) && !(byte >= 0x80 && delivery->utf8))
            return false;
    }
    return text.len > 0;
}

/* Domain or address literal (RFC 5321 §4.1.2); other things clients say are not repeated. */
static bool is_domain(span_t text, const struct trace_delivery *delivery)
{
    if (text.len > 255 || !is_plain(text, delivery))
        return false;
    bool literal = text.at[0] == '[' && text.at[text.len - 1] == ']';
    for (size_t at = literal ? 1 : 0; at < text.len - (literal ? 1 : 0); at++) {
        uint8_t byte = text.at[at];
        bool part = ascii_is_alpha(byte) || ascii_is_digit(byte) || byte == '-' || byte == '.' || byte >= 0x80;
        if (!part && !(literal && byte == ':') && byte != '_')
            return false;
    }
    return true;
}

static void address_literal(span_t client, struct buf *lines)
{
    bool is_six = span_find_byte(client, ':') < client.len;
    (void)buf_append(lines, is_six ? SPAN("[IPv6:") : SPAN("[")); /* RFC 5321 §4.1.3 */
    (void)buf_append(lines, client);
    (void)buf_append_byte(lines, ']');
}

/*
 * The grammar wants a domain here. A submitting client's own name and address are nobody's business; a name below
 * `.invalid` (RFC 2606 §2) says that it is withheld.
 */
static void from_domain(const struct trace_delivery *delivery, struct buf *lines)
{
    bool named = is_domain(delivery->helo, delivery);
    bool located =
        is_domain(delivery->client, delivery) || span_find_byte(delivery->client, ':') < delivery->client.len;
    if (delivery->submission || !(named || located)) {
        (void)buf_append_text(lines, "hidden.invalid");
        return;
    }
    if (named)
        (void)buf_append(lines, delivery->helo);
    else
        address_literal(delivery->client, lines);
    if (!located)
        return;
    (void)buf_append_text(lines, " (");
    address_literal(delivery->client, lines);
    (void)buf_append_byte(lines, ')');
}

/* RFC 3848, and for SMTPUTF8 RFC 6531 §4.3. */
static const char *protocol_of(const struct trace_delivery *delivery)
{
    static const char *const names[2][2][2] = {
        {{"ESMTP", "ESMTPA"}, {"ESMTPS", "ESMTPSA"}},
        {{"UTF8SMTP", "UTF8SMTPA"}, {"UTF8SMTPS", "UTF8SMTPSA"}},
    };
    return names[delivery->utf8][delivery->tls][delivery->submission];
}

static void received(const struct trace_delivery *delivery, span_t date, struct buf *lines)
{
    (void)buf_append_text(lines, "Received: from ");
    from_domain(delivery, lines);
    (void)buf_append_text(lines, "\r\n\tby ");
    (void)buf_append(lines, delivery->hostname);
    (void)buf_append_format(lines, " with %s id %016llx", protocol_of(delivery), (unsigned long long)delivery->id);
    if (delivery->for_address.len <= 512 && is_plain(delivery->for_address, delivery)) {
        (void)buf_append_text(lines, "\r\n\tfor <");
        (void)buf_append(lines, delivery->for_address);
        (void)buf_append_byte(lines, '>');
    }
    if (delivery->tls && !delivery->submission && is_domain(delivery->cipher, delivery))
        (void)buf_append_format(lines, "\r\n\ttls %.*s", SPAN_PRINT(delivery->cipher)); /* RFC 8314 §4.3 */
    (void)buf_append_text(lines, ";\r\n\t");
    (void)buf_append(lines, date);
    (void)buf_append_text(lines, "\r\n");
}

static void return_path(const struct trace_delivery *delivery, struct buf *lines)
{
    (void)buf_append_text(lines, "Return-Path: <");
    for (size_t at = 0; at < delivery->sender.len;
         at++) /* a quoted local part may hold spaces, but nothing that ends a line */
        if (delivery->sender.at[at] >= 0x20 && delivery->sender.at[at] != 0x7F)
            (void)buf_append_byte(lines, delivery->sender.at[at]);
    (void)buf_append_text(lines, ">\r\n");
}

/* In UTC. A date of ours where it has none that can be read. */
static int put_date(const char *name, const struct mime_date *date, int64_t now, struct buf *lines)
{
    AUTO_BUF struct buf text;
    buf_init(&text, 64);
    const struct mime_date utc = {.unix_time = date != NULL ? date->unix_time : now};
    int result = mime_date_format(&utc, &text);
    return result < 0 ? result : buf_append_format(lines, "%s: %.*s\r\n", name, SPAN_PRINT(buf_span(&text)));
}

/* A server of the client's own has named itself and the client; that it was on the way still counts against loops. */
static void received_before(uint32_t count, span_t date, struct buf *lines)
{
    for (uint32_t i = 0; i < count; i++)
        (void)buf_append_format(lines, "Received: from hidden.invalid by hidden.invalid; %.*s\r\n", SPAN_PRINT(date));
}

int trace_write(const struct trace_delivery *delivery, const struct trace_facts *facts, struct buf *lines)
{
    AUTO_BUF struct buf date;
    buf_init(&date, 64);
    const struct mime_date now = {.unix_time = delivery->now_seconds};
    int result = mime_date_format(&now, &date);
    if (result < 0)
        return result;
    return_path(delivery, lines);
    (void)buf_append(lines, delivery->results);
    (void)buf_append(lines, delivery->findings);
    if (!delivery->report)
        received(delivery, buf_span(&date), lines);
    if (is_hidden(delivery))
        received_before(facts->received, buf_span(&date), lines);
    if (is_hidden(delivery) || (delivery->submission && !facts->has_date))
        result = put_date("Date", facts->knows_date ? &facts->date : NULL, delivery->now_seconds, lines);
    if (result == 0 && is_hidden(delivery) && facts->has_resent)
        result = put_date("Resent-Date", facts->knows_resent ? &facts->resent : NULL, delivery->now_seconds, lines);
    if (result < 0)
        return result;
    if (is_hidden(delivery) && facts->has_version)
        (void)buf_append_text(lines, "MIME-Version: 1.0\r\n");
    if (delivery->submission && !facts->has_message_id)
        (void)buf_append_format(lines, "Message-ID: <%016llx.%llx@%.*s>\r\n", (unsigned long long)delivery->id,
                                (unsigned long long)delivery->now_seconds, SPAN_PRINT(delivery->hostname));
    return buf_fault(lines);
}

static bool is_stripped(const struct mime_field *field, const struct trace_delivery *delivery)
{
    for (size_t at = 0; at < delivery->removed_count; at++)
        if (span_equal_nocase(field->name, delivery->removed[at]))
            return true;
    static const char *const hidden[] = {"Date",
                                         "Resent-Date",
                                         "Received",
                                         "X-Received",
                                         "X-Enigmail-Version",
                                         "MIME-Version",
                                         "User-Agent",
                                         "X-Mailer",
                                         "X-Newsreader",
                                         "X-MimeOLE",
                                         "X-MUA",
                                         "X-Mailer-Version",
                                         "X-Originating-IP",
                                         "X-Sender-IP",
                                         "X-Originating-Client",
                                         "X-Client-IP",
                                         "X-Remote-Addr",
                                         "X-Originating-Country",
                                         "X-Sender"};
    for (size_t i = 0; is_hidden(delivery) && i < COUNT_OF(hidden); i++)
        if (span_equal_nocase(field->name, span_of_text(hidden[i])))
            return true;
    if (span_equal_nocase(field->name, SPAN("Authentication-Results")))
        return authres_is_of(field->value, delivery->hostname);
    return span_equal_nocase(field->name, SPAN("Return-Path")) ||
           (delivery->submission && span_equal_nocase(field->name, SPAN("Bcc")));
}

/* Closes the gaps inside the header first and moves it to the body once, so that many fields cost no more than one. */
size_t trace_strip(uint8_t *message, size_t len, const struct trace_delivery *delivery)
{
    size_t header_len = mime_header_len(span_of(message, len));
    size_t kept = 0;  /* bytes at the front that stay */
    size_t moved = 0; /* up to where the header has been dealt with */
    for (;;) {
        span_t rest = span_of(message + moved, header_len - moved);
        struct mime_field field;
        bool found = false;
        while (!found && mime_field_next(&rest, &field))
            found = is_stripped(&field, delivery);
        size_t upto = found ? (size_t)(field.whole.at - message) : header_len;
        memmove(message + kept, message + moved, upto - moved);
        kept += upto - moved;
        if (!found)
            break;
        moved = upto + field.whole.len;
    }
    size_t gone = header_len - kept;
    if (gone > 0)
        memmove(message + gone, message, kept);
    return gone;
}
