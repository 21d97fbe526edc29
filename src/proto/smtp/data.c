#include "proto/smtp/data.h"

#include <string.h>

void smtp_data_init(struct smtp_data *data)
{
    *data = (struct smtp_data){.state = SMTP_DATA_LINE_START};
}

static int emit(struct smtp_data *data, span_t bytes, struct buf *out)
{
    data->size += bytes.len;
    data->line += bytes.len;
    if (data->line > data->longest)
        data->longest = data->line;
    return buf_append(out, bytes);
}

/* The run inside a line up to its CR or a bare LF, found by two memchr: bodies are long, this is where time goes. */
static size_t line_run(span_t rest)
{
    const uint8_t *newline = memchr(rest.at, '\n', rest.len);
    size_t len = newline == NULL ? rest.len : (size_t)(newline - rest.at);
    const uint8_t *cr = memchr(rest.at, '\r', len);
    return cr == NULL ? len : (size_t)(cr - rest.at);
}

/* In the middle of a line: everything up to its end at once. */
static int feed_line(struct smtp_data *data, span_t rest, struct buf *out, size_t *ret_used)
{
    size_t run = line_run(rest);
    size_t used = run;
    if (run < rest.len && rest.at[run] == '\n') {
        data->bare_newline = true;
        used++;
    } else if (run + 1 < rest.len && rest.at[run + 1] == '\n') {
        data->state = SMTP_DATA_LINE_START;
        used += 2;
    } else if (run < rest.len) {
        data->state = SMTP_DATA_CR;
        used++;
    }
    *ret_used = used;
    return emit(data, span_upto(rest, used), out);
}

/* The CR was emitted already; the LF that belongs to it goes the same way. */
static int feed_after_cr(struct smtp_data *data, span_t rest, struct buf *out, size_t *ret_used)
{
    if (rest.at[0] == '\n') {
        data->state = SMTP_DATA_LINE_START;
        *ret_used = 1;
        return emit(data, SPAN("\n"), out);
    }
    data->bare_newline = true;
    data->state = SMTP_DATA_IN_LINE;
    *ret_used = 0;
    return 0;
}

/* RFC 5321 §4.5.2: a first dot is deleted where more follows on the line. */
static int feed_after_dot(struct smtp_data *data, span_t rest, size_t *ret_used)
{
    data->state = rest.at[0] == '\r' ? SMTP_DATA_DOT_CR : SMTP_DATA_IN_LINE;
    *ret_used = rest.at[0] == '\r' ? 1 : 0;
    return 0;
}

static int feed_after_dot_cr(struct smtp_data *data, span_t rest, struct buf *out, size_t *ret_used)
{
    if (rest.at[0] == '\n') {
        data->state = SMTP_DATA_DONE;
        *ret_used = 1;
        return 0;
    }
    data->bare_newline = true;
    data->state = SMTP_DATA_IN_LINE;
    *ret_used = 0;
    return emit(data, SPAN("\r"), out);
}

/*
 * Whole lines, up to one that begins with a dot or has a bare CR or LF: bodies are long, and this is where their time
 * goes. *ret_used is 0 where the first line is such a one, or not whole.
 */
static int feed_lines(struct smtp_data *data, span_t rest, struct buf *out, size_t *ret_used)
{
    size_t used = 0;
    while (used < rest.len && (used == 0 || rest.at[used] != '.')) {
        span_t left = span_from(rest, used);
        size_t run = line_run(left);
        if (run + 1 >= left.len || left.at[run] != '\r' || left.at[run + 1] != '\n')
            break;
        size_t line = run + 2 + (used == 0 ? data->line : 0);
        if (line > data->longest)
            data->longest = line;
        used += run + 2;
    }
    *ret_used = used;
    if (used == 0)
        return 0;
    data->state = SMTP_DATA_LINE_START;
    data->size += used;
    return buf_append(out, span_upto(rest, used));
}

static int feed_text(struct smtp_data *data, span_t rest, struct buf *out, size_t *ret_used)
{
    int result = feed_lines(data, rest, out, ret_used);
    return result < 0 || *ret_used > 0 ? result : feed_line(data, rest, out, ret_used);
}

static int feed_some(struct smtp_data *data, span_t rest, struct buf *out, size_t *ret_used)
{
    switch (data->state) {
    case SMTP_DATA_LINE_START:
        data->line = 0;
        if (rest.at[0] == '.') {
            data->state = SMTP_DATA_DOT;
            *ret_used = 1;
            return 0;
        }
        data->state = SMTP_DATA_IN_LINE;
        return feed_text(data, rest, out, ret_used);
    case SMTP_DATA_CR:
        return feed_after_cr(data, rest, out, ret_used);
    case SMTP_DATA_DOT:
        return feed_after_dot(data, rest, ret_used);
    case SMTP_DATA_DOT_CR:
        return feed_after_dot_cr(data, rest, out, ret_used);
    case SMTP_DATA_IN_LINE:
    case SMTP_DATA_DONE:
        break;
    }
    return feed_text(data, rest, out, ret_used);
}

int smtp_data_feed(struct smtp_data *data, span_t input, struct buf *out, size_t *ret_used)
{
    size_t used = 0;
    while (used < input.len && data->state != SMTP_DATA_DONE) {
        size_t step = 0;
        int result = feed_some(data, span_from(input, used), out, &step);
        if (result < 0)
            return result;
        used += step;
    }
    *ret_used = used;
    return data->state == SMTP_DATA_DONE ? SMTP_DATA_END : SMTP_DATA_MORE;
}

void smtp_data_look(struct smtp_data *data, span_t input)
{
    data->size += input.len;
    for (size_t at = 0; at < input.len;) {
        span_t rest = span_from(input, at);
        if (data->state == SMTP_DATA_CR) {
            data->bare_newline |= rest.at[0] != '\n';
            data->state = SMTP_DATA_IN_LINE;
            at += rest.at[0] == '\n';
            continue;
        }
        size_t run = line_run(rest);
        if (run < rest.len && rest.at[run] == '\r')
            data->state = SMTP_DATA_CR;
        else if (run < rest.len)
            data->bare_newline = true;
        at += run + (run < rest.len);
    }
}
