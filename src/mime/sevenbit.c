#include "mime/sevenbit.h"

#include "mime/downgrade.h"
#include "mime/message.h"
#include "mime/utf8.h"

#define LINE_MAX_LEN 998U
#define HEADER_MAX ((size_t)4 << 20) /* of one part, changed; longer ones are copied as they are */

/* --- what there is --------------------------------------------------------------------------------------------------
 */

/* Every message that leaves is looked at: line by line, with what searches many bytes at a time. */
enum mime_encoding mime_need(span_t bytes)
{
    bool is_8bit = false;
    while (bytes.len > 0) {
        size_t end = span_find_byte(bytes, '\n');
        span_t line = span_upto(bytes, end);
        if (end < bytes.len && (end == 0 || line.at[end - 1] != '\r'))
            return MIME_ENCODING_BINARY;
        line.len -= end < bytes.len ? 1 : 0;
        bool has_other_end = span_find_byte(line, '\r') < line.len;
        if (has_other_end || span_find_byte(line, '\0') < line.len || line.len > LINE_MAX_LEN)
            return MIME_ENCODING_BINARY;
        is_8bit = is_8bit || !ascii_is_clean(line);
        bytes = span_from(bytes, end + 1);
    }
    return is_8bit ? MIME_ENCODING_8BIT : MIME_ENCODING_7BIT;
}

static bool is_leaf(const struct mime_part *part)
{
    return !part->is_multipart && !part->is_message;
}

static bool is_encoded(const struct mime_part *part)
{
    return part->encoding == MIME_ENCODING_QUOTED_PRINTABLE || part->encoding == MIME_ENCODING_BASE64 ||
           part->encoding == MIME_ENCODING_UNKNOWN;
}

/* RFC 2046 §5.2: what is a message may not be encoded, unless it is one of RFC 6532 §3.7. */
static bool may_be_encoded(const struct mime_part *part)
{
    bool is_message = span_equal_nocase(part->type, SPAN("message"));
    return !is_encoded(part) && !span_equal_nocase(part->type, SPAN("multipart")) &&
           (!is_message || span_starts_nocase(part->subtype, SPAN("global")));
}

/* Below a multipart/signed: every byte of it counts. */
static bool is_signed(const struct mime_part *part)
{
    for (const struct mime_part *above = part->parent; above != NULL; above = above->parent)
        if (mime_part_is(above, SPAN("multipart"), SPAN("signed")))
            return true;
    return false;
}

/* Base64 where quoted-printable would be longer, or could not keep the line ends. */
static enum mime_encoding encoding_for(const struct mime_part *part, span_t body)
{
    size_t escaped = 0;
    for (size_t i = 0; i < body.len; i++) {
        uint8_t byte = body.at[i];
        bool is_line_end = byte == '\n' && i > 0 && body.at[i - 1] == '\r';
        if (byte == '\0' || (byte == '\n' && !is_line_end) ||
            (byte == '\r' && (i + 1 >= body.len || body.at[i + 1] != '\n')))
            return MIME_ENCODING_BASE64;
        escaped += byte >= 0x80 || byte == '=';
    }
    bool is_text = span_equal_nocase(part->type, SPAN("text"));
    return is_text && escaped < body.len / 6 + 1 ? MIME_ENCODING_QUOTED_PRINTABLE : MIME_ENCODING_BASE64;
}

/* --- writing
 * ---------------------------------------------------------------------------------------------------------- */

/* What cannot be encoded: boundaries and what is around them, headers, bodies that are encoded already. */
static int copy_plain(span_t bytes, struct buf *out)
{
    if (mime_need(bytes) == MIME_ENCODING_7BIT)
        return buf_append(out, bytes);
    for (size_t i = 0; i < bytes.len; i++) {
        uint8_t byte = bytes.at[i];
        if (byte == '\r' || byte == '\n') {
            i += byte == '\r' && i + 1 < bytes.len && bytes.at[i + 1] == '\n';
            (void)buf_append(out, SPAN("\r\n"));
        } else {
            (void)buf_append_byte(out, byte == '\0' || byte >= 0x80 ? '?' : byte);
        }
    }
    return buf_fault(out);
}

static int write_header(span_t header, struct buf *out)
{
    if (mime_downgrade_needed(header))
        return mime_downgrade_header(header, out);
    return copy_plain(header, out);
}

/* The header without its empty line and without fields of that name. */
static void copy_without(span_t header, span_t name, struct buf *out)
{
    span_t rest = header;
    struct mime_field field;
    size_t at = 0;
    while (mime_field_next(&rest, &field)) {
        size_t start = (size_t)(field.whole.at - header.at);
        if (!span_equal_nocase(field.name, name))
            continue;
        (void)buf_append(out, span_slice(header, at, start - at));
        at = start + field.whole.len;
    }
    size_t end = header.len - rest.len;
    (void)buf_append(out, span_slice(header, at, end - at));
    if (end > 0 && header.at[end - 1] != '\n')
        (void)buf_append(out, SPAN("\r\n"));
}

/* RFC 1428 §3: text that came without a word on what it is. */
static void say_charset(const struct mime_part *part, struct buf *header)
{
    struct mime_field field;
    if (mime_field_find(part->header, SPAN("Content-Type"), &field) || !span_equal_nocase(part->type, SPAN("text")))
        return;
    (void)buf_append_format(header, "Content-Type: text/plain; charset=%s\r\n",
                            utf8_is_valid(part->body) ? "utf-8" : "unknown-8bit");
}

static int write_changed_header(const struct mime_part *part, enum mime_encoding encoding, struct buf *out)
{
    static const char *const names[] = {[MIME_ENCODING_7BIT] = "7bit",
                                        [MIME_ENCODING_QUOTED_PRINTABLE] = "quoted-printable",
                                        [MIME_ENCODING_BASE64] = "base64"};
    AUTO_BUF struct buf header;
    struct mime_field field;
    buf_init(&header, HEADER_MAX);
    copy_without(part->header, SPAN("Content-Transfer-Encoding"), &header);
    if (part->parent == NULL && !mime_field_find(part->header, SPAN("MIME-Version"), &field))
        (void)buf_append(&header, SPAN("MIME-Version: 1.0\r\n"));
    if (encoding != MIME_ENCODING_7BIT)
        say_charset(part, &header);
    (void)buf_append_format(&header, "Content-Transfer-Encoding: %s\r\n\r\n", names[encoding]);
    return buf_fault(&header) != 0 ? buf_fault(&header) : write_header(buf_span(&header), out);
}

static bool says_more_than_7bit(const struct mime_part *part)
{
    return part->encoding == MIME_ENCODING_8BIT || part->encoding == MIME_ENCODING_BINARY;
}

static int write_leaf(const struct mime_part *part, struct buf *out)
{
    bool needs = mime_need(part->body) != MIME_ENCODING_7BIT && may_be_encoded(part);
    enum mime_encoding encoding = needs ? encoding_for(part, part->body) : MIME_ENCODING_7BIT;
    int result = needs || says_more_than_7bit(part) ? write_changed_header(part, encoding, out)
                                                    : write_header(part->header, out);
    if (result != 0)
        return result;
    return encoding == MIME_ENCODING_QUOTED_PRINTABLE ? mime_quoted_printable_encode(part->body, out)
           : encoding == MIME_ENCODING_BASE64         ? mime_base64_encode(part->body, out)
                                                      : copy_plain(part->body, out);
}

/* A part of what is signed, which goes as it is or not at all. */
static int write_signed(const struct mime_part *part, struct buf *out)
{
    span_t body = is_leaf(part) ? part->body : SPAN_NONE;
    if (mime_need(part->header) != MIME_ENCODING_7BIT || mime_need(body) != MIME_ENCODING_7BIT)
        return MIME_SEVENBIT_SIGNED;
    int result = buf_append(out, part->header);
    return result != 0 ? result : buf_append(out, body);
}

static int write_part(const struct mime_part *part, struct buf *out)
{
    if (is_signed(part))
        return write_signed(part, out);
    if (is_leaf(part))
        return write_leaf(part, out);
    return says_more_than_7bit(part) ? write_changed_header(part, MIME_ENCODING_7BIT, out)
                                     : write_header(part->header, out);
}

/* Part by part, and between them what belongs to none: boundaries, and text that nobody is shown. */
int mime_sevenbit(span_t message, struct arena *arena, struct buf *out)
{
    struct mime_part *root = NULL;
    size_t at = 0;
    int result = mime_parse(message, arena, &root);
    for (const struct mime_part *part = root; result == 0 && part != NULL; part = mime_part_after(root, part)) {
        if (part->header_start < at)
            continue; /* it lies in one that was no container after all */
        result = copy_plain(span_slice(message, at, part->header_start - at), out);
        if (result == 0)
            result = write_part(part, out);
        at = part->body_start + (is_leaf(part) ? part->body.len : 0);
    }
    return result != 0 ? result : copy_plain(span_from(message, at), out);
}
