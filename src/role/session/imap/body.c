#include <errno.h>

#include "base/mem.h"
#include "mime/downgrade.h"
#include "mime/utf8.h"
#include "proto/imap/bodystructure.h"
#include "proto/imap/envelope.h"
#include "role/session/imap/fetch.h"
#include "role/session/index.h"

#define PIECE 65536U
#define FETCH_MEMO_DEPTH 8U
/* The most a header may become: the shortest address, of four bytes with its comma, is shown in 64. */
#define DOWNGRADE_GROWTH 20U
#define DOWNGRADE_ROOM 4096U

static void separate(struct source *source, struct buf *out)
{
    if (source->begun)
        buf_append_byte(out, ' ');
    source->begun = true;
}

static void write_label(struct buf *out, const struct imap_body *body)
{
    switch (body->form) {
    case IMAP_BODY_BINARY:
    case IMAP_BODY_BINARY_SIZE:
        break; /* binary.c */
    case IMAP_BODY_SECTION:
        buf_append_text(out, "BODY");
        (void)imap_section_append(&body->section, out);
        break;
    case IMAP_BODY_RFC822:
        buf_append_text(out, "RFC822");
        break;
    case IMAP_BODY_RFC822_HEADER:
        buf_append_text(out, "RFC822.HEADER");
        break;
    case IMAP_BODY_RFC822_TEXT:
        buf_append_text(out, "RFC822.TEXT");
        break;
    }
    buf_append_byte(out, ' ');
}

/* A range of the message goes straight from the log to the client, a piece at a time. */
static int stream_range(struct task *task, struct run *run, struct message *message, uint64_t from, uint64_t end,
                        bool *streamed)
{
    struct buf *out = &run->client->out;
    buf_append_byte(out, '{');
    buf_append_u64(out, end - from);
    buf_append_text(out, "}\r\n");
    while (from < end) {
        uint64_t len = end - from < PIECE ? end - from : PIECE;
        int result = message_read(message, from, len, out);
        if (result < 0)
            return result;
        from += len;
        if (buf_len(out) >= CLIENT_OUT_CHUNK) {
            *streamed = true;
            result = client_drain(task, run->client);
            if (result < 0)
                return result;
        }
    }
    return buf_fault(out);
}

static int write_range(struct task *task, struct run *run, struct source *source, const struct imap_body *body,
                       bool *streamed)
{
    uint64_t from = 0;
    uint64_t end = 0;
    int result = source_range(task, source, &body->section, &from, &end);
    if (result < 0)
        return result;
    write_label(&run->client->out, body);
    return stream_range(task, run, source->message, from, end, streamed);
}

int fetch_write_literal(struct task *task, struct run *run, span_t bytes, bool *streamed)
{
    struct buf *out = &run->client->out;
    buf_append_byte(out, '{');
    buf_append_u64(out, bytes.len);
    buf_append_text(out, "}\r\n");
    while (bytes.len > 0) {
        size_t len = bytes.len < PIECE ? bytes.len : PIECE;
        buf_append(out, span_upto(bytes, len));
        bytes = span_from(bytes, len);
        *streamed |= buf_len(out) >= CLIENT_OUT_CHUNK;
        int result = client_drain(task, run->client);
        if (result < 0)
            return result;
    }
    return buf_fault(out);
}

/* --- parts --- */

/*
 * Where a part was found is remembered, as clients get large ones piece by piece: only the first piece needs all of
 * the message to be read and parsed.
 */
struct fetch_memo {
    uint64_t email;
    uint64_t from;
    uint64_t len;
    uint32_t path[FETCH_MEMO_DEPTH];
    size_t depth;
};

static bool is_path(const struct fetch_memo *memo, const struct imap_section *section)
{
    for (size_t i = 0; i < section->depth; i++)
        if (memo->path[i] != section->path[i])
            return false;
    return memo->depth == section->depth;
}

static void remember(struct run *run, const struct source *source, const struct imap_section *section,
                     const struct mime_part *root, span_t message)
{
    const struct mime_part *part = imap_section_part(root, section->path, section->depth);
    if (part == NULL || part->body.len == 0 || section->depth > FETCH_MEMO_DEPTH)
        return;
    struct fetch_memo **memo = &run->client->memo;
    if (*memo == NULL)
        *memo = mem_new(sizeof(**memo));
    if (*memo == NULL)
        return; /* it is found anew the next time */
    **memo = (struct fetch_memo){.email = source->email.id,
                                 .from = (uint64_t)(part->body.at - message.at),
                                 .len = part->body.len,
                                 .depth = section->depth};
    for (size_t i = 0; i < section->depth; i++)
        (*memo)->path[i] = section->path[i];
}

static int write_remembered(struct task *task, struct run *run, struct source *source, const struct imap_body *body,
                            bool *streamed)
{
    const struct fetch_memo memo = *run->client->memo;
    struct message *message = NULL;
    int result = source_message(task, source, &message);
    if (result < 0)
        return result;
    uint64_t start = body->section.partial_start < memo.len ? body->section.partial_start : memo.len;
    uint64_t len = body->section.partial_len < memo.len - start ? body->section.partial_len : memo.len - start;
    write_label(&run->client->out, body);
    return stream_range(task, run, message, memo.from + start, memo.from + start + len, streamed);
}

static int write_part(struct task *task, struct run *run, struct source *source, const struct imap_body *body,
                      bool *streamed)
{
    const struct imap_section *section = &body->section;
    const struct fetch_memo *memo = run->client->memo;
    const struct mime_part *root = NULL;
    span_t message = SPAN_NONE;
    bool by_pieces = section->depth > 0 && section->kind == IMAP_SECTION_ALL && section->has_partial;
    if (by_pieces && memo != NULL && memo->email == source->email.id && is_path(memo, section))
        return write_remembered(task, run, source, body, streamed);
    int result = section->depth == 0 ? source_header(task, source, &root)
                                     : source_part(task, source, section->path, section->depth, &root, &message);
    if (result < 0)
        return result;
    if (by_pieces)
        remember(run, source, section, root, message);
    if (section->depth == 0)
        message = buf_span(root == source->root ? &source->whole : &source->header);
    struct buf scratch AUTO_BUF;
    buf_init(&scratch, SIZE_MAX / 2);
    span_t bytes = SPAN_NONE;
    result = imap_section_read(root, message, section, &scratch, &bytes);
    if (result < 0)
        return result;
    write_label(&run->client->out, body);
    if (result == IMAP_SECTION_ABSENT) {
        buf_append_text(&run->client->out, "NIL");
        return buf_fault(&run->client->out);
    }
    return fetch_write_literal(task, run, bytes, streamed);
}

int fetch_body(struct task *task, struct run *run, struct source *source, const struct imap_body *body, bool *streamed)
{
    separate(source, &run->client->out);
    if (body->form == IMAP_BODY_BINARY || body->form == IMAP_BODY_BINARY_SIZE)
        return fetch_binary(task, run, source, body, streamed);
    return source_is_range(&body->section) ? write_range(task, run, source, body, streamed)
                                           : write_part(task, run, source, body, streamed);
}

/* --- what the vault has cached --- */

static void write_named(struct source *source, struct buf *out, const char *name, span_t value)
{
    separate(source, out);
    buf_append_text(out, name);
    buf_append_byte(out, ' ');
    buf_append(out, value);
}

/* RFC 9051 §4.3, RFC 6855 §3: whoever has enabled one of these reads strings in UTF-8. */
static bool takes_utf8(const struct run *run)
{
    return run_is_enabled(run, IMAP_ENABLE_REV2) || run_is_enabled(run, IMAP_ENABLE_UTF8);
}

/* Other 8-bit text than UTF-8 is no internationalised mail, and stays as it is. */
static bool can_be_shown(const struct run *run, span_t envelope)
{
    return envelope.len > 0 && (takes_utf8(run) || ascii_is_clean(envelope) || !utf8_is_valid(envelope));
}

/* Of a header with UTF-8 the fields as RFC 6858 §2 shows them. */
static int append_envelope(const struct run *run, span_t header, struct buf *out)
{
    AUTO_BUF struct buf ascii;
    buf_init(&ascii, DOWNGRADE_ROOM + header.len * DOWNGRADE_GROWTH);
    if (!takes_utf8(run) && mime_downgrade_needed(header)) {
        int result = mime_downgrade_header(header, &ascii);
        if (result < 0)
            return result;
        header = buf_span(&ascii);
    }
    return imap_envelope_append(header, out);
}

static int make_envelope(struct task *task, struct run *run, struct source *source, struct buf *out)
{
    const struct mime_part *root = NULL;
    int result = source_header(task, source, &root);
    write_named(source, out, "ENVELOPE", SPAN_NONE);
    return result < 0 ? result : append_envelope(run, root->header, out);
}

static int make_structure(struct task *task, struct source *source, unsigned items, struct buf *out)
{
    const struct mime_part *root = NULL;
    int result = source_whole(task, source, &root);
    if (result == 0 && (items & IMAP_FETCH_BODY) != 0) {
        write_named(source, out, "BODY", SPAN_NONE);
        result = imap_body_append(root, out);
    }
    if (result == 0 && (items & IMAP_FETCH_BODYSTRUCTURE) != 0) {
        write_named(source, out, "BODYSTRUCTURE", SPAN_NONE);
        result = imap_bodystructure_append(root, out);
    }
    return result;
}

int fetch_thread(struct run *run, struct source *source)
{
    const struct vault_email *email = NULL;
    int result = source_email(source, &email);
    if (result < 0)
        return result;
    separate(source, &run->client->out);
    return buf_append_format(&run->client->out, "THREADID (" IMAP_THREAD_ID ")", (unsigned long long)email->thread);
}

bool fetch_is_cached(const struct run *run, span_t envelope, span_t structure, unsigned items)
{
    span_t body = SPAN_NONE;
    span_t extended = SPAN_NONE;
    bool wants_structure = (items & (IMAP_FETCH_BODY | IMAP_FETCH_BODYSTRUCTURE)) != 0;
    return ((items & IMAP_FETCH_ENVELOPE) == 0 || can_be_shown(run, envelope)) &&
           (!wants_structure || index_structure_split(structure, &body, &extended));
}

void fetch_write_cached(struct buf *out, span_t envelope, span_t structure, unsigned items, bool begun)
{
    struct source source = {.begun = begun};
    span_t body = SPAN_NONE;
    span_t extended = SPAN_NONE;
    if ((items & IMAP_FETCH_ENVELOPE) != 0)
        write_named(&source, out, "ENVELOPE", envelope);
    if (!index_structure_split(structure, &body, &extended))
        return;
    if ((items & IMAP_FETCH_BODY) != 0)
        write_named(&source, out, "BODY", body);
    if ((items & IMAP_FETCH_BODYSTRUCTURE) != 0)
        write_named(&source, out, "BODYSTRUCTURE", extended);
}

int fetch_structure(struct task *task, struct run *run, struct source *source, unsigned items)
{
    struct buf *out = &run->client->out;
    span_t envelope = SPAN_NONE;
    span_t structure = SPAN_NONE;
    span_t body = SPAN_NONE;
    span_t extended = SPAN_NONE;
    int result = vault_email_get_cache(run->vault, source->email.id, &envelope, &structure);
    if (result != 0)
        return result < 0 ? result : -ENOENT;
    bool wants_structure = (items & (IMAP_FETCH_BODY | IMAP_FETCH_BODYSTRUCTURE)) != 0;
    bool has_structure = wants_structure && index_structure_split(structure, &body, &extended);
    bool has_envelope = can_be_shown(run, envelope);
    /* All of the cache before anything that may suspend: then it is valid no more. */
    if ((items & IMAP_FETCH_ENVELOPE) != 0 && has_envelope)
        write_named(source, out, "ENVELOPE", envelope);
    if (has_structure && (items & IMAP_FETCH_BODY) != 0)
        write_named(source, out, "BODY", body);
    if (has_structure && (items & IMAP_FETCH_BODYSTRUCTURE) != 0)
        write_named(source, out, "BODYSTRUCTURE", extended);
    if ((items & IMAP_FETCH_ENVELOPE) != 0 && !has_envelope)
        result = make_envelope(task, run, source, out);
    if (result == 0 && wants_structure && !has_structure)
        result = make_structure(task, source, items, out);
    return result < 0 ? result : buf_fault(out);
}
