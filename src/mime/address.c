#include "mime/address.h"

#include <errno.h>
#include <string.h>

struct reader {
    span_t rest;
    span_t comment; /* inside of the last one passed over */
    struct arena *arena;
    struct mime_address *first;
    struct mime_address **last;
    size_t count;
    bool in_group;
};

static bool is_white(uint8_t byte)
{
    return byte == ' ' || byte == '\t' || byte == '\r' || byte == '\n';
}

/*
 * Bytes of what stands at the front and must be taken whole: a quoted string, comment, domain literal or escape
 * (RFC 5322 §3.2); 1 for anything else. What never ends, ends with the field.
 */
static size_t token_len(span_t rest)
{
    uint8_t open = rest.at[0];
    uint8_t close = open == '(' ? ')' : open == '[' ? ']' : '"';
    if (open == '\\')
        return rest.len > 1 ? 2 : 1;
    if (open != '(' && open != '[' && open != '"')
        return 1;
    size_t depth = 1;
    for (size_t i = 1; i < rest.len; i++) {
        uint8_t byte = rest.at[i];
        if (byte == '\\')
            i++;
        else if (byte == close && --depth == 0)
            return i + 1;
        else if (byte == '(' && open == '(')
            depth++;
    }
    return rest.len;
}

/* Inside of a quoted string or comment that token_len measured; its closing mark may be missing. */
static span_t token_inside(span_t token)
{
    uint8_t close = token.at[0] == '(' ? ')' : '"';
    bool is_closed = token.len > 1 && token.at[token.len - 1] == close;
    return span_slice(token, 1, token.len - 1 - is_closed);
}

/* Takes everything up to one of the stop bytes, which stays at the front. */
static span_t take_until(struct reader *reader, span_t stops)
{
    size_t len = 0;
    while (len < reader->rest.len && span_find_byte(stops, reader->rest.at[len]) == stops.len) {
        span_t token = span_from(reader->rest, len);
        token = span_upto(token, token_len(token));
        if (token.at[0] == '(')
            reader->comment = token_inside(token);
        len += token.len;
    }
    span_t taken = span_upto(reader->rest, len);
    reader->rest = span_from(reader->rest, len);
    return taken;
}

static bool is_simple(span_t raw)
{
    for (size_t i = 0; i < raw.len; i++) {
        uint8_t byte = raw.at[i];
        bool is_run = is_white(byte) && i + 1 < raw.len && is_white(raw.at[i + 1]);
        if (byte == '"' || byte == '(' || byte == '\\' || byte == '\r' || byte == '\n' || byte == '\t' || is_run)
            return false;
    }
    return true;
}

enum gather_mode { GATHER_PHRASE, GATHER_ADDRESS, GATHER_COMMENT };

struct gathered {
    uint8_t *out;
    size_t len;
};

static void gather_quoted(struct gathered *gathered, span_t inside)
{
    for (size_t i = 0; i < inside.len; i++) {
        if (inside.at[i] == '\\' && i + 1 < inside.len)
            i++;
        else if (inside.at[i] == '\r' || inside.at[i] == '\n')
            continue;
        gathered->out[gathered->len++] = inside.at[i];
    }
}

static void gather_token(struct gathered *gathered, span_t token, bool is_whole)
{
    if (token.at[0] == '"' && is_whole) {
        gather_quoted(gathered, token_inside(token));
        return;
    }
    if (token.at[0] == '\\' && token.len > 1)
        token = span_from(token, 1);
    memcpy(gathered->out + gathered->len, token.at, token.len);
    gathered->len += token.len;
}

/*
 * The text of a raw range: comments gone, quoting undone, white space gone (in an address) or one space (in a phrase).
 * The result has at != NULL.
 */
static int gather(struct arena *arena, span_t raw, enum gather_mode mode, span_t *ret_text)
{
    raw = span_trim(raw);
    if (is_simple(raw) && (mode != GATHER_ADDRESS || span_find_byte(raw, ' ') == raw.len)) {
        *ret_text = raw.at == NULL ? span_of("", 0) : raw;
        return 0;
    }
    struct gathered gathered = {arena_alloc(arena, raw.len + 1), 0};
    if (gathered.out == NULL)
        return -ENOMEM;
    bool has_gap = false;
    for (size_t i = 0; i < raw.len;) {
        span_t token = span_from(raw, i);
        bool is_whole = mode != GATHER_COMMENT || token.at[0] == '\\';
        token = span_upto(token, is_whole ? token_len(token) : 1);
        i += token.len;
        if (is_white(token.at[0]) || (token.at[0] == '(' && is_whole)) {
            has_gap = true;
            continue;
        }
        if (has_gap && gathered.len > 0 && mode != GATHER_ADDRESS)
            gathered.out[gathered.len++] = ' ';
        has_gap = false;
        gather_token(&gathered, token, is_whole);
    }
    *ret_text = span_of(gathered.out, gathered.len);
    return 0;
}

static int add(struct reader *reader, const struct mime_address *address)
{
    struct mime_address *entry = arena_alloc(reader->arena, sizeof(*entry));
    if (entry == NULL)
        return -ENOMEM;
    *entry = *address;
    *reader->last = entry;
    reader->last = &entry->next;
    reader->count++;
    return 0;
}

/* Offset of the last @ that is not inside a token, or raw.len. */
static size_t find_at(span_t raw)
{
    size_t found = raw.len;
    for (size_t i = 0; i < raw.len; i += token_len(span_from(raw, i))) {
        if (raw.at[i] == '@')
            found = i;
    }
    return found;
}

/* `local@domain`; without an @ all of it is the local part. */
static int split_address(struct arena *arena, span_t raw, struct mime_address *address)
{
    size_t at = find_at(raw);
    int result = gather(arena, span_upto(raw, at), GATHER_ADDRESS, &address->local);
    if (result == 0 && at < raw.len)
        result = gather(arena, span_from(raw, at + 1), GATHER_ADDRESS, &address->domain);
    return result;
}

/* Where `Full Name user@host` lacks its angle brackets: offset at which the last word before the @ begins. */
static size_t last_word(span_t raw)
{
    size_t at = find_at(raw);
    size_t start = 0;
    bool after_gap = false;
    uint8_t previous = '.';
    for (size_t i = 0; i < at; i += token_len(span_from(raw, i))) {
        uint8_t byte = raw.at[i];
        if (is_white(byte) || byte == '(') {
            after_gap = true;
            continue;
        }
        if (after_gap && previous != '.' && byte != '.')
            start = i;
        after_gap = false;
        previous = byte;
    }
    return start;
}

static int name_from_comment(struct reader *reader, struct mime_address *address)
{
    if (address->name.len > 0 || reader->comment.at == NULL)
        return 0;
    int result = gather(reader->arena, reader->comment, GATHER_COMMENT, &address->name);
    if (address->name.len == 0)
        address->name = SPAN_NONE;
    return result;
}

/* An element that had no angle brackets. */
static int add_bare(struct reader *reader, span_t raw)
{
    struct mime_address address = {.kind = MIME_ADDRESS_MAILBOX};
    raw = span_trim(raw);
    if (raw.len == 0)
        return 0;
    int result = 0;
    size_t start = find_at(raw) < raw.len ? last_word(raw) : 0;
    if (start > 0)
        result = gather(reader->arena, span_upto(raw, start), GATHER_PHRASE, &address.name);
    if (result == 0 && find_at(raw) < raw.len)
        result = split_address(reader->arena, span_from(raw, start), &address);
    else if (result == 0)
        result = gather(reader->arena, raw, GATHER_PHRASE, &address.local);
    if (result < 0 || (address.local.len == 0 && address.domain.len == 0 && address.name.len == 0))
        return result; /* a comment alone is nobody */
    result = name_from_comment(reader, &address);
    return result < 0 ? result : add(reader, &address);
}

/* `<…>` is at the front; raw is the phrase before it. */
static int add_angle(struct reader *reader, span_t raw)
{
    struct mime_address address = {.kind = MIME_ADDRESS_MAILBOX};
    reader->rest = span_from(reader->rest, 1);
    bool has_route = span_starts(span_trim(reader->rest), SPAN("@"));
    span_t inside = take_until(reader, has_route ? SPAN(">") : SPAN(">,<"));
    if (reader->rest.len > 0 && reader->rest.at[0] == '>')
        reader->rest = span_from(reader->rest, 1);
    int result = gather(reader->arena, raw, GATHER_PHRASE, &address.name);
    size_t colon = span_find_byte(inside, ':');
    if (result == 0 && has_route && colon < inside.len) { /* RFC 5322 §4.4: obs-route */
        result = gather(reader->arena, span_upto(inside, colon), GATHER_ADDRESS, &address.route);
        inside = span_from(inside, colon + 1);
    }
    if (result == 0)
        result = split_address(reader->arena, inside, &address);
    while (reader->rest.len > 0 && (is_white(reader->rest.at[0]) || reader->rest.at[0] == '(')) {
        span_t token = span_upto(reader->rest, token_len(reader->rest));
        if (token.at[0] == '(')
            reader->comment = token_inside(token);
        reader->rest = span_from(reader->rest, token.len);
    }
    if (result == 0)
        result = name_from_comment(reader, &address);
    if (address.name.len == 0)
        address.name = SPAN_NONE;
    return result < 0 ? result : add(reader, &address);
}

static int start_group(struct reader *reader, span_t raw)
{
    struct mime_address group = {.kind = MIME_ADDRESS_GROUP_START};
    reader->in_group = true;
    int result = gather(reader->arena, raw, GATHER_PHRASE, &group.name);
    return result < 0 ? result : add(reader, &group);
}

static int end_group(struct reader *reader)
{
    static const struct mime_address end = {.kind = MIME_ADDRESS_GROUP_END};
    if (!reader->in_group)
        return 0;
    reader->in_group = false;
    return add(reader, &end);
}

static int take_element(struct reader *reader)
{
    reader->comment = SPAN_NONE;
    span_t raw = take_until(reader, reader->in_group ? SPAN("<,;") : SPAN("<,;:"));
    uint8_t stop = reader->rest.len > 0 ? reader->rest.at[0] : ',';
    if (stop == '<')
        return add_angle(reader, raw);
    reader->rest = span_from(reader->rest, 1);
    if (stop == ':')
        return start_group(reader, raw);
    int result = add_bare(reader, raw);
    return result == 0 && stop == ';' ? end_group(reader) : result;
}

int mime_address_parse(span_t value, struct arena *arena, struct mime_address **ret_addresses)
{
    struct reader reader = {.rest = value, .arena = arena};
    reader.last = &reader.first;
    while (reader.rest.len > 0 && reader.count < MIME_ADDRESS_COUNT_MAX) {
        int result = take_element(&reader);
        if (result < 0)
            return result;
    }
    int result = end_group(&reader);
    if (result == 0)
        *ret_addresses = reader.first;
    return result;
}
