#include "tool/transfer/source.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "proto/imap/mailbox.h"

#define LEFT_OUT_MAX 65536U

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

static char *mailbox_of(const struct transfer_options *options, span_t folder)
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

/* --- folders --- */

int source_begin(struct source *source, const struct transfer_options *options)
{
    source->options = options;
    source->folders = mem_new_array(SOURCE_FOLDERS_MAX, sizeof(*source->folders));
    return source->folders == NULL || map_new(&source->counts) < 0 ? terminal_fail("out of memory") : 0;
}

void source_end(struct source *source)
{
    for (size_t i = 0; i < source->folder_count; i++) {
        free(source->folders[i].mailbox);
        free(source->folders[i].place);
    }
    free(source->folders);
    map_free(source->counts);
}

int source_add_folder(struct source *source, span_t place, span_t folder)
{
    if (source->folder_count == SOURCE_FOLDERS_MAX)
        return terminal_fail("%s has more than %u folders", source->options->place, SOURCE_FOLDERS_MAX);
    struct source_folder found = {.mailbox = mailbox_of(source->options, folder),
                                  .place = strndup((const char *)place.at, place.len)};
    if (found.mailbox != NULL && found.place != NULL && strlen(found.place) == place.len) {
        source->folders[source->folder_count++] = found;
        return 0;
    }
    source_leave_out(source, "the folder %.*s cannot have its name here", SPAN_PRINT(place));
    free(found.mailbox);
    free(found.place);
    return 0;
}

const struct source_folder *source_next_folder(struct source *source)
{
    return source->next_folder == source->folder_count ? NULL : &source->folders[source->next_folder++];
}

void source_leave_out(struct source *source, const char *format, ...)
{
    va_list arguments;
    AUTO_BUF struct buf text;
    buf_init(&text, LEFT_OUT_MAX);
    va_start(arguments, format);
    (void)buf_append_vformat(&text, format, arguments);
    va_end(arguments);
    (void)terminal_fail("left out: %.*s", SPAN_PRINT(buf_span(&text)));
    source->left_out++;
}

const char *source_why(int fault)
{
    if (fault == -ENODATA)
        return "it is empty";
    return fault == -EINVAL ? "it is not a file" : strerror(-fault);
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
