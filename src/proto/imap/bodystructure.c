#include "proto/imap/bodystructure.h"

#include <errno.h>

#include "proto/imap/envelope.h"

/* What stands for parts that are not there, in the form Dovecot made familiar. */
#define EMPTY_TEXT "(\"text\" \"plain\" (\"charset\" \"us-ascii\") NIL NIL \"7bit\" 0 0"
#define EMPTY_ENVELOPE "(NIL NIL NIL NIL NIL NIL NIL NIL NIL NIL)"

enum detail { DETAIL_BODY, DETAIL_BODYSTRUCTURE };

static int append_part(const struct mime_part *part, enum detail detail, struct buf *line);

static int append_params(const struct mime_param *params, bool needs_charset, struct buf *line)
{
    needs_charset = needs_charset && mime_param_raw(params, SPAN("charset")).at == NULL;
    if (params == NULL && !needs_charset)
        return buf_append(line, SPAN("NIL"));
    buf_append_byte(line, '(');
    for (const struct mime_param *param = params; param != NULL; param = param->next) {
        if (param != params)
            buf_append_byte(line, ' ');
        imap_field_append(param->name, line);
        buf_append_byte(line, ' ');
        imap_string_append(param->value.at == NULL ? span_of("", 0) : param->value, line);
    }
    if (needs_charset) { /* RFC 2045 §5.2 */
        if (params != NULL)
            buf_append_byte(line, ' ');
        buf_append(line, SPAN("\"charset\" \"us-ascii\""));
    }
    return buf_append_byte(line, ')');
}

static int append_disposition(const struct mime_part *part, struct buf *line)
{
    if (part->disposition.at == NULL)
        return buf_append(line, SPAN("NIL"));
    buf_append_byte(line, '(');
    imap_string_append(part->disposition, line);
    buf_append_byte(line, ' ');
    append_params(part->disposition_params, false, line);
    return buf_append_byte(line, ')');
}

/* body-fld-lang (RFC 3501 §9): the tags of Content-Language (RFC 3282 §2) as a list. */
static int append_languages(span_t rest, struct buf *line)
{
    span_t piece;
    size_t count = 0;
    while (span_cut(&rest, ',', &piece)) {
        piece = span_trim(piece);
        if (piece.len == 0)
            continue;
        buf_append_byte(line, count++ == 0 ? '(' : ' ');
        imap_field_append(piece, line);
    }
    return count == 0 ? buf_append(line, SPAN("NIL")) : buf_append_byte(line, ')');
}

static int append_placement(const struct mime_part *part, struct buf *line)
{
    buf_append_byte(line, ' ');
    append_disposition(part, line);
    buf_append_byte(line, ' ');
    append_languages(part->language, line);
    buf_append_byte(line, ' ');
    return imap_field_append(part->location, line);
}

static int append_multipart(const struct mime_part *part, enum detail detail, struct buf *line)
{
    buf_append_byte(line, '(');
    int result = 0;
    for (const struct mime_part *child = part->first; child != NULL && result == 0; child = child->next)
        result = append_part(child, detail, line);
    if (part->first == NULL)
        result = buf_append(line, detail == DETAIL_BODY ? SPAN(EMPTY_TEXT ")") : SPAN(EMPTY_TEXT " NIL NIL NIL NIL)"));
    if (result < 0)
        return result;
    buf_append_byte(line, ' ');
    imap_string_append(part->subtype, line);
    if (detail == DETAIL_BODYSTRUCTURE) {
        buf_append_byte(line, ' ');
        append_params(part->params, false, line);
        append_placement(part, line);
    }
    return buf_append_byte(line, ')');
}

/* What a message/rfc822 says of the message in it; one that was not opened still has to have the form. */
static int append_inner(const struct mime_part *part, enum detail detail, struct buf *line)
{
    buf_append_byte(line, ' ');
    if (part->first == NULL) {
        buf_append(line, SPAN(EMPTY_ENVELOPE " "));
        return buf_append(line, detail == DETAIL_BODY ? SPAN(EMPTY_TEXT ")") : SPAN(EMPTY_TEXT " NIL NIL NIL NIL)"));
    }
    int result = imap_envelope_append(part->first->header, line);
    if (result < 0)
        return result;
    buf_append_byte(line, ' ');
    return append_part(part->first, detail, line);
}

static int append_leaf(const struct mime_part *part, enum detail detail, struct buf *line)
{
    bool is_text = mime_part_is(part, SPAN("text"), SPAN_NONE);
    bool is_message = part->is_message || mime_part_is(part, SPAN("message"), SPAN("rfc822"));
    buf_append_byte(line, '(');
    imap_string_append(part->type, line);
    buf_append_byte(line, ' ');
    imap_string_append(part->subtype, line);
    buf_append_byte(line, ' ');
    append_params(part->params, is_text, line);
    buf_append_byte(line, ' ');
    imap_field_append(part->id, line);
    buf_append_byte(line, ' ');
    imap_field_append(part->description, line);
    buf_append_byte(line, ' ');
    imap_field_append(part->encoding_name.at == NULL ? SPAN("7bit") : part->encoding_name, line);
    buf_append_byte(line, ' ');
    buf_append_u64(line, part->body.len);
    int result = is_message ? append_inner(part, detail, line) : buf_fault(line);
    if (result < 0)
        return result;
    if (is_text || is_message) {
        buf_append_byte(line, ' ');
        buf_append_u64(line, part->body_lines);
    }
    if (detail == DETAIL_BODYSTRUCTURE) {
        buf_append_byte(line, ' ');
        imap_field_append(part->md5, line);
        append_placement(part, line);
    }
    return buf_append_byte(line, ')');
}

/* Recursion is bounded by MIME_DEPTH_MAX. */
static int append_part(const struct mime_part *part, enum detail detail, struct buf *line)
{
    if (mime_part_is(part, SPAN("multipart"), SPAN_NONE))
        return append_multipart(part, detail, line);
    return append_leaf(part, detail, line);
}

int imap_body_append(const struct mime_part *root, struct buf *line)
{
    int result = append_part(root, DETAIL_BODY, line);
    return result < 0 ? result : buf_fault(line);
}

int imap_bodystructure_append(const struct mime_part *root, struct buf *line)
{
    int result = append_part(root, DETAIL_BODYSTRUCTURE, line);
    return result < 0 ? result : buf_fault(line);
}
