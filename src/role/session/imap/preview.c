#include <errno.h>

#include "mime/html.h"
#include "mime/text.h"
#include "role/session/imap/fetch.h"

#define PREVIEW_MAX 200U /* characters (RFC 8970 §3.1) */
#define TEXT_MAX 8192U   /* bytes of text they are taken from, white space included */
#define HTML_MAX 65536U  /* and of HTML, which may begin with its styles */

/* The first part that is text to be read and not to be kept. */
static const struct mime_part *find_text(const struct mime_part *root)
{
    const struct mime_part *html = NULL;
    for (const struct mime_part *part = root; part != NULL; part = mime_part_after(root, part)) {
        if (part->first != NULL || span_equal_nocase(part->disposition, SPAN("attachment")))
            continue;
        if (mime_part_is(part, SPAN("text"), SPAN("plain")))
            return part;
        if (html == NULL && mime_part_is(part, SPAN("text"), SPAN("html")))
            html = part;
    }
    return html;
}

/* What did not fit any more is not missed: 0. */
static int read_text(const struct mime_part *part, struct buf *text)
{
    struct buf raw AUTO_BUF;
    bool is_html = mime_part_is(part, SPAN("text"), SPAN("html"));
    buf_init(&raw, is_html ? HTML_MAX : TEXT_MAX);
    int result = mime_text_append(part, &raw);
    if (result == 0 || result == -ENOBUFS)
        result = is_html ? mime_html_text(buf_span(&raw), text) : buf_append(text, buf_span(&raw));
    return result == -ENOBUFS ? 0 : result;
}

static bool is_start(uint8_t byte)
{
    return (byte & 0xc0) != 0x80;
}

/* White space and control characters become one space; ends after so many characters. */
static void shorten(span_t text, struct buf *preview)
{
    size_t characters = 0;
    bool gap = false;
    for (size_t i = 0; i < text.len; i++) {
        uint8_t byte = text.at[i];
        if (byte <= ' ' || byte == 0x7f) {
            gap = buf_len(preview) > 0;
            continue;
        }
        if (is_start(byte) && (characters += gap ? 2U : 1U) > PREVIEW_MAX)
            return;
        if (gap)
            buf_append_byte(preview, ' ');
        gap = false;
        buf_append_byte(preview, byte);
    }
}

static int write_preview(const struct mime_part *root, struct buf *preview)
{
    struct buf text AUTO_BUF;
    const struct mime_part *part = find_text(root);
    buf_init(&text, TEXT_MAX);
    int result = part == NULL ? 0 : read_text(part, &text);
    if (result == 0)
        shorten(buf_span(&text), preview);
    return result;
}

int fetch_preview(struct task *task, struct run *run, struct source *source)
{
    const struct mime_part *root = NULL;
    struct buf preview AUTO_BUF;
    buf_init(&preview, (size_t)8 * PREVIEW_MAX);
    int result = source_front(task, source, &root);
    if (result == 0)
        result = write_preview(root, &preview);
    if (result == 0 && buf_len(&preview) == 0 && root != source->root) {
        result = source_whole(task, source, &root);
        if (result == 0)
            result = write_preview(root, &preview);
    }
    if (result < 0)
        return result;
    struct buf *out = &run->client->out;
    buf_append_text(out, source->begun ? " PREVIEW " : "PREVIEW ");
    source->begun = true;
    imap_write_string(out, buf_span(&preview)); /* empty where there is no text */
    return buf_fault(out);
}
