#include "proto/imap/reader.h"

void imap_reader_init(struct imap_reader *reader, size_t line_max, size_t literal_max, uint64_t message_max)
{
    *reader = (struct imap_reader){.line_max = line_max, .literal_max = literal_max, .message_max = message_max};
}

static void start_over(struct imap_reader *reader)
{
    imap_reader_init(reader, reader->line_max, reader->literal_max, reader->message_max);
}

/* The "{n}" or "{n+}" a line ends in (RFC 7888 §8: literal8 has "~" before it, which is not ours to see). */
static bool ends_in_literal(span_t line, uint64_t *ret_len, bool *ret_waits)
{
    if (line.len < 3 || line.at[line.len - 1] != '}')
        return false;
    size_t open = span_find_last_byte(line, '{');
    if (open == line.len)
        return false;
    span_t digits = span_slice(line, open + 1, line.len - open - 2);
    bool waits = !(digits.len > 0 && digits.at[digits.len - 1] == '+');
    if (!waits)
        digits.len--;
    if (digits.len == 0 || digits.len > 19 || span_to_u64(digits, UINT64_MAX / 2, ret_len) < 0)
        return false;
    *ret_waits = waits;
    return true;
}

/* Those whose literals are messages (RFC 3501 §6.3.11, RFC 8508 §3.2). */
static bool brings_messages(span_t command)
{
    span_t name = span_from(command, span_find_byte(command, ' ') + 1);
    return span_starts_nocase(name, SPAN("APPEND ")) || span_starts_nocase(name, SPAN("REPLACE ")) ||
           span_starts_nocase(name, SPAN("UID REPLACE "));
}

/* Throws away what has come of a refused command; false while more of it is to come. */
static bool skip_refused(struct imap_reader *reader, struct buf *input)
{
    for (;;) {
        span_t here = buf_span(input);
        size_t skipped = here.len < reader->skip ? here.len : (size_t)reader->skip;
        buf_consume(input, skipped);
        reader->skip -= skipped;
        here = span_from(here, skipped);
        if (reader->skip > 0)
            return false;
        size_t end = span_find_byte(here, '\n');
        if (end == here.len) {
            /* Keep what may be the beginning of a literal's announcement at the end of the line. */
            if (here.len > 64)
                buf_consume(input, here.len - 64);
            return false;
        }
        span_t line = span_upto(here, end > 0 && here.at[end - 1] == '\r' ? end - 1 : end);
        uint64_t len = 0;
        bool waits = false;
        bool more = ends_in_literal(line, &len, &waits) && !waits;
        buf_consume(input, end + 1);
        if (!more)
            return true;
        reader->skip = len;
    }
}

/* A line that announces a literal has been seen up to `end`, behind its LF. */
static enum imap_read literal_next(struct imap_reader *reader, span_t all, size_t end, uint64_t len, uint64_t *ret_len)
{
    bool is_message = brings_messages(all);
    *ret_len = len;
    if (len > (is_message ? reader->message_max : reader->literal_max))
        return IMAP_READ_LITERAL_BIG;
    if (reader->literals >= IMAP_LITERALS_MAX)
        return IMAP_READ_COMMAND_BIG;
    /* A mailbox's name may be a literal, too. */
    if (is_message && len + reader->literal_bytes > reader->message_max + reader->literal_max)
        return IMAP_READ_COMMAND_BIG;
    reader->literal_bytes += len;
    reader->literals++;
    reader->pending_literal = len;
    reader->scanned = end;
    return IMAP_READ_CONTINUE;
}

enum imap_read imap_reader_next(struct imap_reader *reader, struct buf *input, uint64_t *ret_len)
{
    if (reader->refused) {
        if (!skip_refused(reader, input))
            return IMAP_READ_MORE;
        start_over(reader);
    }
    for (;;) {
        span_t all = buf_span(input);
        if (all.len - reader->scanned < reader->pending_literal)
            return IMAP_READ_MORE;
        reader->scanned += (size_t)reader->pending_literal;
        reader->pending_literal = 0;
        span_t rest = span_from(all, reader->scanned);
        size_t end = span_find_byte(rest, '\n');
        if (reader->line_len + end > reader->line_max)
            return IMAP_READ_LINE_LONG;
        if (end == rest.len)
            return IMAP_READ_MORE;
        span_t line = span_upto(rest, end > 0 && rest.at[end - 1] == '\r' ? end - 1 : end);
        uint64_t len = 0;
        bool waits = false;
        if (!ends_in_literal(line, &len, &waits)) {
            *ret_len = reader->scanned + end + 1;
            start_over(reader);
            return IMAP_READ_COMMAND;
        }
        reader->line_len += end + 1;
        enum imap_read read = literal_next(reader, all, reader->scanned + end + 1, len, ret_len);
        if (read != IMAP_READ_CONTINUE || waits)
            return read;
    }
}

void imap_reader_refuse(struct imap_reader *reader, struct buf *input)
{
    buf_consume(input, reader->scanned);
    start_over(reader);
    reader->refused = 1;
    if (skip_refused(reader, input))
        start_over(reader);
}

enum imap_read imap_reader_line(const struct imap_reader *reader, const struct buf *input, span_t *ret_line,
                                uint64_t *ret_len)
{
    span_t all = buf_span(input);
    size_t end = span_find_byte(all, '\n');
    if (end > reader->line_max)
        return IMAP_READ_LINE_LONG;
    if (end == all.len)
        return IMAP_READ_MORE;
    *ret_line = span_upto(all, end > 0 && all.at[end - 1] == '\r' ? end - 1 : end);
    *ret_len = end + 1;
    return IMAP_READ_COMMAND;
}

/* RFC 3501 §9: tag = 1*<any ASTRING-CHAR except "+">. */
static bool is_tag_byte(uint8_t byte)
{
    if (byte <= 0x20 || byte >= 0x7f)
        return false;
    return byte != '(' && byte != ')' && byte != '{' && byte != '%' && byte != '*' && byte != '"' && byte != '\\' &&
           byte != '+';
}

span_t imap_reader_tag(span_t command)
{
    size_t len = 0;
    while (len < command.len && is_tag_byte(command.at[len]))
        len++;
    bool ended = len < command.len && (command.at[len] == ' ' || command.at[len] == '\r' || command.at[len] == '\n');
    return len > 0 && len <= 256 && ended ? span_upto(command, len) : SPAN("*");
}
