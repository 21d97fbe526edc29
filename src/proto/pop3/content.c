#include "proto/pop3/content.h"

#include "proto/pop3/command.h"

void pop3_content_init(struct pop3_content *content, uint64_t lines)
{
    *content = (struct pop3_content){.lines_left = lines, .last = '\n'};
}

/* Some bytes of one line, without its LF. */
static void put_bytes(struct pop3_content *content, span_t bytes, struct buf *out)
{
    if (bytes.len == 0)
        return;
    if (content->line_len == 0 && bytes.at[0] == '.')
        buf_append_byte(out, '.');
    buf_append(out, bytes);
    content->line_len += bytes.len;
    content->last = bytes.at[bytes.len - 1];
}

/* TOP: the header, the empty line behind it, and so many lines of the body (RFC 1939 §7). */
static void count_line(struct pop3_content *content, bool is_empty)
{
    if (content->is_body)
        content->lines_left--;
    else if (is_empty)
        content->is_body = true;
    content->is_enough = content->is_body && content->lines_left == 0;
}

static void end_line(struct pop3_content *content, struct buf *out)
{
    bool has_return = content->line_len > 0 && content->last == '\r';
    buf_append(out, has_return ? SPAN("\n") : SPAN("\r\n"));
    if (content->lines_left != POP3_LINES_ALL)
        count_line(content, content->line_len == (has_return ? 1 : 0));
    content->line_len = 0;
    content->last = '\n';
}

void pop3_content_feed(struct pop3_content *content, span_t piece, struct buf *out)
{
    while (piece.len > 0 && !content->is_enough) {
        size_t end = span_find_byte(piece, '\n');
        put_bytes(content, span_upto(piece, end), out);
        if (end < piece.len)
            end_line(content, out);
        piece = span_from(piece, end + 1);
    }
}

void pop3_content_end(const struct pop3_content *content, struct buf *out)
{
    if (content->line_len > 0)
        buf_append(out, content->last == '\r' ? SPAN("\n") : SPAN("\r\n"));
    buf_append(out, SPAN(".\r\n"));
}
