#include "proto/imap/section.h"

#include <errno.h>

#define LITERAL_MAX 1000U

static bool take(span_t *rest, span_t token)
{
    if (!span_starts_nocase(*rest, token))
        return false;
    *rest = span_from(*rest, token.len);
    return true;
}

static bool take_number(span_t *rest, uint32_t *ret_number)
{
    size_t len = 0;
    uint64_t value = 0;
    while (len < rest->len && ascii_is_digit(rest->at[len]))
        len++;
    if (span_to_u64(span_upto(*rest, len), UINT32_MAX, &value) < 0)
        return false;
    *rest = span_from(*rest, len);
    *ret_number = (uint32_t)value;
    return true;
}

static bool take_number64(span_t *rest, uint64_t *ret_number)
{
    size_t len = 0;
    while (len < rest->len && ascii_is_digit(rest->at[len]))
        len++;
    if (span_to_u64(span_upto(*rest, len), INT64_MAX, ret_number) < 0)
        return false;
    *rest = span_from(*rest, len);
    return true;
}

static bool is_astring_char(uint8_t byte)
{
    return ascii_is_print(byte) && span_find_byte(SPAN("(){%*\"\\"), byte) == 7;
}

/* The `{n}` of a literal whose bytes follow in rest (RFC 3501 §4.3; `{n+}`, RFC 7888). */
static int take_literal(span_t *rest, span_t *ret_name)
{
    uint32_t len = 0;
    *rest = span_from(*rest, 1);
    if (!take_number(rest, &len) || len > LITERAL_MAX)
        return IMAP_SECTION_BAD;
    (void)take(rest, SPAN("+"));
    if (!take(rest, SPAN("}\r\n")) || rest->len < len)
        return IMAP_SECTION_BAD;
    *ret_name = span_upto(*rest, len);
    *rest = span_from(*rest, len);
    return 0;
}

/* An escape can only stand for a quote or backslash, which no field name holds, so the raw inside will do. */
static int take_quoted(span_t *rest, span_t *ret_name)
{
    *rest = span_from(*rest, 1);
    size_t len = 0;
    while (len < rest->len && rest->at[len] != '"') {
        if (rest->at[len] == '\\')
            len++;
        len++;
    }
    if (len >= rest->len)
        return IMAP_SECTION_BAD;
    *ret_name = span_upto(*rest, len);
    *rest = span_from(*rest, len + 1);
    return 0;
}

static int take_name(span_t *rest, span_t *ret_name)
{
    if (rest->len > 0 && rest->at[0] == '{')
        return take_literal(rest, ret_name);
    if (rest->len > 0 && rest->at[0] == '"')
        return take_quoted(rest, ret_name);
    size_t len = 0;
    while (len < rest->len && is_astring_char(rest->at[len]))
        len++;
    if (len == 0)
        return IMAP_SECTION_BAD;
    *ret_name = span_upto(*rest, len);
    *rest = span_from(*rest, len);
    return 0;
}

/* header-list (RFC 3501 §9) */
static int take_fields(span_t *rest, struct arena *arena, struct imap_section *section)
{
    if (!take(rest, SPAN(" (")))
        return IMAP_SECTION_BAD;
    size_t room = 0;
    do {
        span_t name;
        int result = take_name(rest, &name);
        if (result != 0)
            return result;
        if (section->field_count == IMAP_SECTION_FIELDS_MAX)
            return IMAP_SECTION_BAD;
        if (section->field_count == room) {
            room = room == 0 ? 8 : room * 2;
            span_t *fields = arena_alloc_array(arena, room, sizeof(*fields));
            if (fields == NULL)
                return -ENOMEM;
            for (size_t i = 0; i < section->field_count; i++)
                fields[i] = section->fields[i];
            section->fields = fields;
        }
        section->fields[section->field_count++] = name;
    } while (take(rest, SPAN(" ")));
    return take(rest, SPAN(")")) ? 0 : IMAP_SECTION_BAD;
}

static int take_text(span_t *rest, struct arena *arena, struct imap_section *section)
{
    if (take(rest, SPAN("HEADER.FIELDS.NOT")))
        section->kind = IMAP_SECTION_FIELDS_NOT;
    else if (take(rest, SPAN("HEADER.FIELDS")))
        section->kind = IMAP_SECTION_FIELDS;
    else if (take(rest, SPAN("HEADER")))
        section->kind = IMAP_SECTION_HEADER;
    else if (take(rest, SPAN("TEXT")))
        section->kind = IMAP_SECTION_TEXT;
    else if (section->depth > 0 && take(rest, SPAN("MIME"))) /* RFC 3501 §6.4.5: only with a part number */
        section->kind = IMAP_SECTION_MIME;
    else
        return IMAP_SECTION_BAD;
    bool has_list = section->kind == IMAP_SECTION_FIELDS || section->kind == IMAP_SECTION_FIELDS_NOT;
    return has_list ? take_fields(rest, arena, section) : 0;
}

static int take_spec(span_t *rest, struct arena *arena, struct imap_section *section)
{
    if (rest->len > 0 && rest->at[0] == ']')
        return 0;
    while (rest->len > 0 && ascii_is_digit(rest->at[0])) {
        uint32_t number = 0;
        if (!take_number(rest, &number) || number == 0 || section->depth == IMAP_SECTION_DEPTH_MAX)
            return IMAP_SECTION_BAD;
        section->path[section->depth++] = number;
        if (!take(rest, SPAN(".")))
            return 0;
    }
    return take_text(rest, arena, section);
}

int imap_section_parse(span_t *rest, struct arena *arena, struct imap_section *ret_section)
{
    struct imap_section section = {.kind = IMAP_SECTION_ALL};
    span_t at = *rest;
    if (!take(&at, SPAN("[")))
        return IMAP_SECTION_BAD;
    int result = take_spec(&at, arena, &section);
    if (result != 0)
        return result;
    if (!take(&at, SPAN("]")))
        return IMAP_SECTION_BAD;
    if (take(&at, SPAN("<"))) {
        section.has_partial = true;
        if (!take_number64(&at, &section.partial_start) || !take(&at, SPAN(".")) ||
            !take_number64(&at, &section.partial_len) || section.partial_len == 0 || !take(&at, SPAN(">")))
            return IMAP_SECTION_BAD;
    }
    *rest = at;
    *ret_section = section;
    return 0;
}

static int append_name(span_t name, struct buf *line)
{
    bool is_atom = name.len > 0;
    bool can_quote = true;
    for (size_t i = 0; i < name.len; i++) {
        is_atom = is_atom && is_astring_char(name.at[i]);
        can_quote = can_quote && name.at[i] >= 0x20 && name.at[i] < 0x7f;
    }
    if (is_atom)
        return buf_append(line, name);
    if (can_quote && span_find_byte(name, '"') == name.len && span_find_byte(name, '\\') == name.len) {
        buf_append_byte(line, '"');
        buf_append(line, name);
        return buf_append_byte(line, '"');
    }
    buf_append_format(line, "{%zu}\r\n", name.len);
    return buf_append(line, name);
}

int imap_section_append(const struct imap_section *section, struct buf *line)
{
    static const char *const words[] = {
        [IMAP_SECTION_ALL] = "",
        [IMAP_SECTION_HEADER] = "HEADER",
        [IMAP_SECTION_FIELDS] = "HEADER.FIELDS (",
        [IMAP_SECTION_FIELDS_NOT] = "HEADER.FIELDS.NOT (",
        [IMAP_SECTION_TEXT] = "TEXT",
        [IMAP_SECTION_MIME] = "MIME",
    };
    buf_append_byte(line, '[');
    for (size_t i = 0; i < section->depth; i++) {
        if (i > 0)
            buf_append_byte(line, '.');
        buf_append_u64(line, section->path[i]);
    }
    if (section->depth > 0 && section->kind != IMAP_SECTION_ALL)
        buf_append_byte(line, '.');
    buf_append_text(line, words[section->kind]);
    for (size_t i = 0; i < section->field_count; i++) {
        if (i > 0)
            buf_append_byte(line, ' ');
        append_name(section->fields[i], line);
    }
    buf_append(line, section->field_count > 0 ? SPAN(")]") : SPAN("]"));
    if (section->has_partial)
        buf_append_format(line, "<%llu>", (unsigned long long)section->partial_start);
    return buf_fault(line);
}

const struct mime_part *imap_section_part(const struct mime_part *root, const uint32_t *path, size_t depth)
{
    const struct mime_part *part = root;
    bool is_whole = true; /* part is a message and not yet a part of one */
    for (size_t i = 0; i < depth; i++) {
        if (!is_whole && part->is_message)
            part = part->first;
        else if (!is_whole && !part->is_multipart)
            return NULL;
        is_whole = false;
        if (!part->is_multipart) { /* RFC 3501 §6.4.5: every message has a part 1 */
            if (path[i] != 1)
                return NULL;
            continue;
        }
        part = part->first;
        for (uint32_t number = 1; part != NULL && number < path[i]; number++)
            part = part->next;
        if (part == NULL)
            return NULL;
    }
    return part;
}

static bool is_wanted(const struct imap_section *section, span_t name)
{
    bool is_listed = false;
    for (size_t i = 0; i < section->field_count && !is_listed; i++)
        is_listed = span_equal_nocase(section->fields[i], name);
    return is_listed == (section->kind == IMAP_SECTION_FIELDS);
}

static int filter_fields(span_t header, const struct imap_section *section, struct buf *scratch, span_t *ret_bytes)
{
    struct mime_field field;
    size_t start = buf_len(scratch);
    while (mime_field_next(&header, &field)) {
        if (!is_wanted(section, field.name))
            continue;
        buf_append(scratch, field.whole);
        if (!span_ends(field.whole, SPAN("\n")))
            buf_append(scratch, SPAN("\r\n"));
    }
    buf_append(scratch, SPAN("\r\n"));
    if (buf_fault(scratch) < 0)
        return buf_fault(scratch);
    *ret_bytes = span_from(buf_span(scratch), start);
    return 0;
}

/* The message whose header and text HEADER and TEXT mean, or NULL: only a message has them. */
static const struct mime_part *message_of(const struct mime_part *part, const struct imap_section *section)
{
    if (section->depth == 0)
        return part;
    return part->is_message ? part->first : NULL;
}

static int read_whole(const struct mime_part *root, span_t message, const struct imap_section *section,
                      struct buf *scratch, span_t *ret_bytes)
{
    const struct mime_part *part = imap_section_part(root, section->path, section->depth);
    if (part == NULL)
        return IMAP_SECTION_ABSENT;
    if (section->kind == IMAP_SECTION_ALL || section->kind == IMAP_SECTION_MIME) {
        *ret_bytes = section->depth == 0 ? message : section->kind == IMAP_SECTION_ALL ? part->body : part->header;
        return 0;
    }
    part = message_of(part, section);
    if (part == NULL)
        return IMAP_SECTION_ABSENT;
    if (section->kind == IMAP_SECTION_FIELDS || section->kind == IMAP_SECTION_FIELDS_NOT)
        return filter_fields(part->header, section, scratch, ret_bytes);
    *ret_bytes = section->kind == IMAP_SECTION_HEADER ? part->header : part->body;
    return 0;
}

int imap_section_read(const struct mime_part *root, span_t message, const struct imap_section *section,
                      struct buf *scratch, span_t *ret_bytes)
{
    span_t bytes;
    int result = read_whole(root, message, section, scratch, &bytes);
    if (result != 0)
        return result;
    *ret_bytes = section->has_partial ? span_slice(bytes, section->partial_start, section->partial_len) : bytes;
    return 0;
}
