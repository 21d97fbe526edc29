#include "conf/manual.h"

#include "conf/row.h"

/* In a manual page a backslash starts an escape, and a point or an apostrophe at the start of a line a request. */
static void write_plain(struct buf *text, const char *words)
{
    if (words[0] == '.' || words[0] == '\'')
        (void)buf_append_text(text, "\\&");
    for (; *words != '\0'; words++) {
        if (*words == '\\' || *words == '-')
            (void)buf_append_byte(text, '\\');
        (void)buf_append_byte(text, (uint8_t)*words);
    }
}

void manual_entry(struct buf *text, const char *term, const char *arguments, const char *sentence)
{
    (void)buf_append_text(text, ".TP\n\\fB");
    write_plain(text, term);
    (void)buf_append_text(text, "\\fR");
    if (arguments[0] != '\0') {
        (void)buf_append_byte(text, ' ');
        write_plain(text, arguments);
    }
    (void)buf_append_byte(text, '\n');
    write_plain(text, sentence);
    (void)buf_append_byte(text, '\n');
}

int manual_settings(struct buf *text)
{
    AUTO_BUF struct buf range;
    const char *section = "";
    buf_init(&range, 1024);
    for (size_t i = 0; i < conf_row_count; i++) {
        const struct conf_row *row = &conf_rows[i];
        if (!span_equal(span_of_text(section), span_of_text(row->section)))
            (void)buf_append_format(text, ".SS [%s]\n", row->section);
        section = row->section;
        manual_entry(text, row->name, "", row->sentence);
        buf_clear(&range);
        conf_row_range(row, &range);
        (void)buf_append_text(text, ".br\nDefault: ");
        if (buf_append_byte(&range, '\0') < 0)
            return buf_fault(&range);
        write_plain(text, (const char *)buf_span(&range).at);
        (void)buf_append_text(text, conf_row_is_fixed(row) ? ". A change waits for the next start.\n" : ".\n");
    }
    return buf_fault(text);
}
