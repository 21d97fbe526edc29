#include <errno.h>

#include "role/session/imap/fetch.h"

/* BINARY and BINARY.SIZE (RFC 3516 §4.2, RFC 9051 §6.4.5): a part as its sender made it, the transfer encoding undone.
 */

static int decode(const struct mime_part *part, struct buf *bytes)
{
    if (part->is_multipart || part->is_message)
        return buf_append(bytes, part->body); /* these have none of their own (RFC 2045 §6.4) */
    return mime_decode(part->encoding, part->body, bytes);
}

static void write_label(struct buf *out, const struct imap_body *body)
{
    buf_append_text(out, body->form == IMAP_BODY_BINARY ? "BINARY" : "BINARY.SIZE");
    (void)imap_section_append(&body->section, out);
    buf_append_byte(out, ' ');
}

static int write_value(struct task *task, struct run *run, const struct imap_body *body, span_t bytes, bool *streamed)
{
    struct buf *out = &run->client->out;
    if (body->form == IMAP_BODY_BINARY_SIZE) {
        buf_append_u64(out, bytes.len);
        return buf_fault(out);
    }
    if (body->section.has_partial)
        bytes = span_slice(bytes, body->section.partial_start, body->section.partial_len);
    /* RFC 3516 §4.3: only a literal8 can hold NUL. */
    if (span_find_byte(bytes, 0) < bytes.len)
        buf_append_byte(out, '~');
    return fetch_write_literal(task, run, bytes, streamed);
}

int fetch_binary(struct task *task, struct run *run, struct source *source, const struct imap_body *body,
                 bool *streamed)
{
    struct buf *out = &run->client->out;
    const struct mime_part *root = NULL;
    int result = source_whole(task, source, &root);
    if (result < 0)
        return result;
    const struct mime_part *part = imap_section_part(root, body->section.path, body->section.depth);
    bool is_leaf = part != NULL && !part->is_multipart && !part->is_message;
    if (is_leaf && body->section.depth > 0 && part->encoding == MIME_ENCODING_UNKNOWN)
        return -EILSEQ; /* NO [UNKNOWN-CTE] (RFC 3516 §4.3) */
    write_label(out, body);
    if (part == NULL) {
        buf_append_text(out, body->form == IMAP_BODY_BINARY ? "NIL" : "0");
        return buf_fault(out);
    }
    if (body->section.depth == 0)
        return write_value(task, run, body, buf_span(&source->whole), streamed);
    struct buf bytes AUTO_BUF;
    buf_init(&bytes, SIZE_MAX / 2);
    result = decode(part, &bytes);
    return result < 0 ? result : write_value(task, run, body, buf_span(&bytes), streamed);
}
