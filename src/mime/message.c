#include "mime/message.h"

#include <errno.h>
#include <string.h>

#define PARAM_BUDGET (MIME_ARENA_MAX / 2)

/* A part whose end has not been seen. */
struct level {
    struct mime_part *part;
    struct mime_part **next_child;
    span_t boundary; /* empty: none, or its multipart has been closed (RFC 2046 §5.1.1, epilogue) */
    size_t lines;    /* line ends before the part's body */
};

struct parser {
    span_t message;
    struct arena *arena;
    size_t at;    /* start of the next line */
    size_t lines; /* line ends before it */
    size_t count; /* parts so far */
    size_t arena_start;
    size_t depth; /* of the stack; the root is at 0 */
    struct level stack[MIME_DEPTH_MAX + 1];
};

struct delimiter {
    size_t level;
    bool is_last;
};

static struct level *top(struct parser *parser)
{
    return &parser->stack[parser->depth];
}

static span_t without_line_end(span_t line)
{
    if (line.len > 0 && line.at[line.len - 1] == '\n')
        line.len--;
    if (line.len > 0 && line.at[line.len - 1] == '\r')
        line.len--;
    return line;
}

static span_t next_line(const struct parser *parser)
{
    span_t rest = span_from(parser->message, parser->at);
    return span_upto(rest, span_find_byte(rest, '\n') + 1);
}

static void pass_line(struct parser *parser, span_t line)
{
    parser->at += line.len;
    parser->lines += line.len > 0 && line.at[line.len - 1] == '\n';
}

static bool is_delimiter(span_t text, span_t boundary, bool is_exact, bool *ret_last)
{
    if (boundary.len == 0 || !span_starts(text, boundary))
        return false;
    text = span_from(text, boundary.len);
    *ret_last = span_starts(text, SPAN("--"));
    return !is_exact || span_trim(span_from(text, *ret_last ? 2 : 0)).len == 0;
}

/*
 * Finds whose delimiter a line is. The whole line first, innermost multipart first, so that a boundary may be the
 * beginning of another; then, as RFC 2046 §5.1.1 has it, a line that merely begins with one.
 */
static bool find_delimiter(const struct parser *parser, span_t line, struct delimiter *ret_delimiter)
{
    if (line.len < 3 || line.at[0] != '-' || line.at[1] != '-')
        return false;
    span_t text = span_from(without_line_end(line), 2);
    for (int pass = 0; pass < 2; pass++) {
        for (size_t level = parser->depth + 1; level-- > 0;) {
            span_t boundary = parser->stack[level].boundary;
            if (boundary.len <= text.len && is_delimiter(text, boundary, pass == 0, &ret_delimiter->is_last)) {
                ret_delimiter->level = level;
                return true;
            }
        }
    }
    return false;
}

/* Ends the innermost part at offset end, where `lines` line ends have been passed. */
static void close_part(struct parser *parser, size_t end, size_t lines)
{
    struct level *level = top(parser);
    struct mime_part *part = level->part;
    part->body = span_slice(parser->message, part->body_start, end > part->body_start ? end - part->body_start : 0);
    part->body_lines = lines > level->lines ? lines - level->lines : 0;
    parser->depth--;
}

/* Ends all parts inside a level at a delimiter line that starts here; the line end before it belongs to it. */
static void close_down_to(struct parser *parser, size_t level)
{
    span_t before = span_upto(parser->message, parser->at);
    size_t end = without_line_end(before).len;
    while (parser->depth > level)
        close_part(parser, end, parser->lines - (end < parser->at));
}

static span_t token_before(span_t value, span_t stops)
{
    size_t len = 0;
    while (len < value.len && span_find_byte(stops, value.at[len]) == stops.len)
        len++;
    return span_trim(span_upto(value, len));
}

static bool is_token(span_t span)
{
    for (size_t i = 0; i < span.len; i++) {
        if (!ascii_is_print(span.at[i]) || span.at[i] == '"' || span.at[i] == '\\')
            return false;
    }
    return span.len > 0;
}

static int read_params(struct parser *parser, span_t rest, struct mime_param **ret_params)
{
    if (arena_used(parser->arena) - parser->arena_start > PARAM_BUDGET)
        return 0;
    return mime_param_parse(rest, parser->arena, ret_params);
}

static int read_type(struct parser *parser, struct mime_part *part, span_t value)
{
    size_t slash = span_find_byte(value, '/');
    span_t type = token_before(span_upto(value, slash), SPAN(";( \t\r\n"));
    span_t rest = span_from(value, slash + 1);
    while (rest.len > 0 && ascii_is_space(rest.at[0]))
        rest = span_from(rest, 1);
    span_t subtype = token_before(rest, SPAN(";( \t\r\n="));
    if (slash == value.len || !is_token(type) || !is_token(subtype))
        return 0; /* RFC 2045 §5.2: as if it were not there */
    part->type = type;
    part->subtype = subtype;
    return read_params(parser, span_from(rest, subtype.len), &part->params);
}

static int read_disposition(struct parser *parser, struct mime_part *part, span_t value)
{
    span_t type = token_before(value, SPAN(";( \t\r\n"));
    if (type.len == 0)
        return 0;
    part->disposition = type;
    size_t used = (size_t)(type.at - value.at) + type.len;
    return read_params(parser, span_from(value, used), &part->disposition_params);
}

static int read_field(struct parser *parser, struct mime_part *part, const struct mime_field *field, bool *has_type)
{
    const struct {
        span_t name;
        span_t *value;
    } plain[] = {
        {SPAN("Content-Transfer-Encoding"), &part->encoding_name},
        {SPAN("Content-ID"), &part->id},
        {SPAN("Content-Description"), &part->description},
        {SPAN("Content-Language"), &part->language},
        {SPAN("Content-Location"), &part->location},
        {SPAN("Content-MD5"), &part->md5},
    };
    if (span_equal_nocase(field->name, SPAN("Content-Type"))) {
        bool is_first = !*has_type;
        *has_type = true;
        return is_first ? read_type(parser, part, field->value) : 0;
    }
    if (span_equal_nocase(field->name, SPAN("Content-Disposition")))
        return part->disposition.at == NULL ? read_disposition(parser, part, field->value) : 0;
    for (size_t i = 0; i < COUNT_OF(plain); i++) {
        if (span_equal_nocase(field->name, plain[i].name) && plain[i].value->at == NULL && field->value.len > 0)
            *plain[i].value = field->value;
    }
    return 0;
}

static int read_fields(struct parser *parser, struct mime_part *part)
{
    bool is_in_digest = part->parent != NULL && part->parent->is_multipart &&
                        span_equal_nocase(part->parent->subtype, SPAN("digest")); /* RFC 2046 §5.1.5 */
    part->type = is_in_digest ? SPAN("message") : SPAN("text");
    part->subtype = is_in_digest ? SPAN("rfc822") : SPAN("plain");
    span_t rest = part->header;
    struct mime_field field;
    bool has_type = false;
    while (mime_field_next(&rest, &field)) {
        if (!span_starts_nocase(field.name, SPAN("Content-")))
            continue;
        int result = read_field(parser, part, &field, &has_type);
        if (result < 0)
            return result;
    }
    part->encoding = mime_encoding_parse(part->encoding_name);
    return 0;
}

/* Passes over the header that starts here: up to an empty line, the end, or a delimiter that cuts it short. */
static void pass_header(struct parser *parser, struct mime_part *part)
{
    size_t lines = parser->lines;
    struct delimiter delimiter;
    part->header_start = parser->at;
    while (parser->at < parser->message.len) {
        span_t line = next_line(parser);
        if (find_delimiter(parser, line, &delimiter))
            break;
        pass_line(parser, line);
        if (without_line_end(line).len == 0)
            break;
    }
    part->header = span_slice(parser->message, part->header_start, parser->at - part->header_start);
    part->header_lines = parser->lines - lines;
    part->body_start = parser->at;
}

static int find_boundary(struct parser *parser, struct mime_part *part, span_t *ret_boundary)
{
    span_t boundary = mime_param_raw(part->params, SPAN("boundary"));
    int result = 0;
    if (boundary.at == NULL && arena_used(parser->arena) - parser->arena_start <= PARAM_BUDGET)
        result = mime_param_decode(part->params, SPAN("boundary"), parser->arena, &boundary);
    while (boundary.len > 0 && ascii_is_space(boundary.at[boundary.len - 1]))
        boundary.len--;
    *ret_boundary = boundary;
    return result;
}

/* Past the limit on parts, no delimiter counts any more: the part at hand takes all that is left. */
static void forget_boundaries(struct parser *parser)
{
    for (size_t level = 0; level <= parser->depth; level++)
        parser->stack[level].boundary = SPAN_NONE;
}

/* Begins a part here and reads its header; its body is next. */
static int open_part(struct parser *parser, struct mime_part *parent)
{
    struct mime_part *part = arena_alloc(parser->arena, sizeof(*part));
    if (part == NULL)
        return -ENOMEM;
    part->parent = parent;
    if (parent != NULL) {
        *top(parser)->next_child = part;
        top(parser)->next_child = &part->next;
        parent->children++;
        part->depth = parent->depth + 1;
        parser->depth++;
    }
    *top(parser) = (struct level){part, &part->first, SPAN_NONE, 0};
    if (++parser->count >= MIME_PART_MAX)
        forget_boundaries(parser);
    pass_header(parser, part);
    top(parser)->lines = parser->lines;
    int result = read_fields(parser, part);
    if (result < 0 || parser->count >= MIME_PART_MAX || part->depth >= MIME_DEPTH_MAX)
        return result;
    if (mime_part_is(part, SPAN("multipart"), SPAN_NONE))
        result = find_boundary(parser, part, &top(parser)->boundary);
    part->is_multipart = top(parser)->boundary.len > 0;
    part->is_message =
        mime_part_is(part, SPAN("message"), SPAN("rfc822")) || mime_part_is(part, SPAN("message"), SPAN("global"));
    return result;
}

static int open_parts(struct parser *parser, struct mime_part *parent)
{
    int result = open_part(parser, parent);
    while (result == 0 && top(parser)->part->is_message)
        result = open_part(parser, top(parser)->part);
    return result;
}

static int parse_body(struct parser *parser)
{
    while (parser->at < parser->message.len) {
        span_t line = next_line(parser);
        struct delimiter delimiter;
        if (!find_delimiter(parser, line, &delimiter)) {
            pass_line(parser, line);
            continue;
        }
        close_down_to(parser, delimiter.level);
        pass_line(parser, line);
        if (delimiter.is_last) {
            top(parser)->boundary = SPAN_NONE;
            continue;
        }
        int result = open_parts(parser, top(parser)->part);
        if (result < 0)
            return result;
    }
    return 0;
}

int mime_parse(span_t message, struct arena *arena, struct mime_part **ret_root)
{
    struct parser parser = {.message = message, .arena = arena, .arena_start = arena_used(arena)};
    int result = open_parts(&parser, NULL);
    struct mime_part *root = parser.stack[0].part;
    if (result == 0)
        result = parse_body(&parser);
    if (result < 0)
        return result;
    while (parser.depth > 0)
        close_part(&parser, message.len, parser.lines);
    root->body = span_from(message, root->body_start);
    root->body_lines = parser.lines - parser.stack[0].lines;
    *ret_root = root;
    return 0;
}

struct mime_part *mime_part_after(const struct mime_part *root, const struct mime_part *part)
{
    if (part->first != NULL)
        return part->first;
    while (part != root && part->next == NULL)
        part = part->parent;
    return part == root ? NULL : part->next;
}

bool mime_part_is(const struct mime_part *part, span_t type, span_t subtype)
{
    return span_equal_nocase(part->type, type) && (subtype.at == NULL || span_equal_nocase(part->subtype, subtype));
}
