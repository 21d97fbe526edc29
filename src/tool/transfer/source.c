#include "tool/transfer/source.h"

#include <string.h>

#include "proto/imap/mailbox.h"

/* Empty levels go, control bytes and wildcards become '_'. */
static void add_path(struct buf *name, span_t path)
{
    span_t level;
    while (span_cut(&path, '/', &level)) {
        if (level.len == 0)
            continue;
        if (buf_len(name) > 0)
            (void)buf_append_byte(name, '/');
        for (size_t i = 0; i < level.len; i++) {
            uint8_t byte = level.at[i];
            (void)buf_append_byte(name, byte < 0x20 || byte == 0x7f || byte == '*' || byte == '%' ? '_' : byte);
        }
    }
}

char *source_mailbox(const struct transfer_options *options, span_t folder)
{
    AUTO_BUF struct buf name;
    buf_init(&name, IMAP_MAILBOX_MAX);
    if (options->folder != NULL)
        add_path(&name, span_of_text(options->folder));
    if (options->folder == NULL || !span_equal_nocase(folder, SPAN("INBOX")))
        add_path(&name, folder);
    (void)buf_append_byte(&name, '\0');
    if (buf_fault(&name) < 0 || buf_len(&name) < 2)
        return NULL;
    span_t text = span_upto(buf_span(&name), buf_len(&name) - 1);
    return imap_mailbox_is_valid(text) ? strdup((const char *)buf_span(&name).at) : NULL;
}

void source_put_flags(struct source_item *item, span_t flags)
{
    size_t len = 0;
    span_t flag;
    while (span_cut(&flags, ' ', &flag)) {
        if (flag.len == 0 || len + flag.len + 2 > sizeof(item->flags))
            continue;
        if (len > 0)
            item->flags[len++] = ' ';
        memcpy(item->flags + len, flag.at, flag.len);
        len += flag.len;
    }
    item->flags[len] = '\0';
}
